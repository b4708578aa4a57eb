"""`python -m cloudpemda.messages > docs/messages.md` writes the reference of all codes."""

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


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


if __name__ == "__main__":
    sys.stdout.write(reference())
