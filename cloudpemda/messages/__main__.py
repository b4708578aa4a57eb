"""`python -m cloudpemda.messages > docs/messages.md` writes the reference of all codes.

`python -m cloudpemda.messages temuan > docs/id/malam-temuan.md` writes what nights can find, for
operators: meaning and remedy.
"""

import sys

from cloudpemda.messages import texts


def reference() -> str:
    """All codes with both texts, as a Markdown table."""
    rows = [
        "# Codes and texts",
        "",
        "Made by `python -m cloudpemda.messages > docs/messages.md`; a test keeps it current.",
        "A code is stable: scripts may rely on it, and it is never used for something else.",
        "",
        "| code | English | Indonesian |",
        "|---|---|---|",
    ]
    for code, text in sorted(texts().items()):
        en = " → ".join(part for part in (text.en, text.next_en) if part)
        id_ = " → ".join(part for part in (text.id, text.next_id) if part)
        rows.append(f"| `{code}` | {_cell(en)} | {_cell(id_)} |")
    return "\n".join(rows) + "\n"


_OF_NIGHTS = (
    "nightly.", "recovery.", "survey.", "drift.", "reconcile.", "orphans.", "protect.", "converge.",
    "window.", "notify.", "due.",
)  # fmt: skip
_NO_FINDING = ("recovery.node-ok", "recovery.site-ok", "nightly.running")


def findings_guide() -> str:
    """The codes that a night can find, with the Indonesian texts, as a Markdown table."""
    rows = [
        "# Temuan malam: arti dan tindakan",
        "",
        "Dibuat dengan `python -m cloudpemda.messages temuan > docs/id/malam-temuan.md`; sebuah",
        "pengujian memastikan tidak ada yang tertinggal. Temuan lain, misalnya dari `plan` atau",
        "`audit`, ada di [messages.md](../messages.md). `{vm}` dan sejenisnya diisi namanya.",
        "",
        "| temuan | artinya | tindakan |",
        "|---|---|---|",
    ]
    for code, text in sorted(texts().items()):
        if code.startswith(_OF_NIGHTS) and code not in _NO_FINDING and text.next_id:
            rows.append(f"| `{code}` | {_cell(text.id)} | {_cell(text.next_id)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


if __name__ == "__main__":
    sys.stdout.write(findings_guide() if sys.argv[1:] == ["temuan"] else reference())
