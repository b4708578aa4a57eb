"""Switches package sources off, or on again, by what they point at, whatever their file is called.

Proxmox's packages bring their enterprise source back with an upgrade: as a `.list` line on 8, as a
deb822 stanza on 9. A file name is therefore no way to know it.
"""

import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: apt_entries
short_description: Switch package sources off or on by address
description: >-
  Comments out each line of a .list file, and writes "Enabled: no" into each stanza of a .sources
  file, whose address contains one of the texts; or takes both away again.
options:
  enabled: {description: Whether they shall be on., type: bool, default: false}
  containing: {description: Parts of addresses., type: list, elements: str, required: true}
  directory: {description: Where apt's sources stand., type: path, default: /etc/apt}
author: cloudpemda
"""


_OFF = "# off: "
_DISABLED = re.compile(r"(?im)^Enabled:\s*(no|false|0)\s*$")


def without_lines(text: str, containing: list[str]) -> str:
    """A .list file with the lines concerned as comments."""
    return "".join(
        f"{_OFF}{line}"
        if not line.lstrip().startswith("#") and any(part in line for part in containing)
        else line
        for line in text.splitlines(keepends=True)
    )


def with_lines(text: str, containing: list[str]) -> str:
    """A .list file with the lines concerned in force again, as far as this made them comments."""
    return "".join(
        line.removeprefix(_OFF) if any(part in line for part in containing) else line
        for line in text.splitlines(keepends=True)
    )


def _switched(stanza: str, containing: list[str], *, enabled: bool) -> str:
    addresses = re.search(r"(?im)^URIs:(.*(?:\n[ \t].*)*)", stanza)
    if addresses is None or not any(part in addresses.group(1) for part in containing):
        return stanza
    if (_DISABLED.search(stanza) is None) == enabled:
        return stanza
    kept = re.sub(r"(?im)^Enabled:.*\n?", "", stanza)
    return kept if enabled else "Enabled: no\n" + kept


def _stanzas(text: str, containing: list[str], *, enabled: bool) -> str:
    parts = re.split(r"(\n[ \t]*\n+)", text)
    return "".join(
        part if place % 2 else _switched(part, containing, enabled=enabled)
        for place, part in enumerate(parts)
    )


def without_stanzas(text: str, containing: list[str]) -> str:
    """A deb822 file with the stanzas concerned switched off, all else as it was."""
    return _stanzas(text, containing, enabled=False)


def with_stanzas(text: str, containing: list[str]) -> str:
    """A deb822 file with the stanzas concerned switched on, all else as it was."""
    return _stanzas(text, containing, enabled=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "containing": {"type": "list", "elements": "str", "required": True},
            "enabled": {"type": "bool", "default": False},
            "directory": {"type": "path", "default": "/etc/apt"},
        },
        supports_check_mode=True,
    )
    directory = Path(module.params["directory"])
    containing = [part for part in module.params["containing"] if part]
    on = module.params["enabled"]
    changes = {
        ".list": with_lines if on else without_lines,
        ".sources": with_stanzas if on else without_stanzas,
    }
    changed = []
    for path in sorted([*directory.glob("*.list"), *directory.glob("sources.list.d/*")]):
        change = changes.get(path.suffix)
        if change is None:
            continue
        before = path.read_text(encoding="utf-8")
        after = change(before, containing)
        if after == before:
            continue
        changed.append(str(path))
        if not module.check_mode:
            made = path.with_name(f".{path.name}.new")  # apt reads neither dot files nor .new
            made.write_text(after, encoding="utf-8")
            made.chmod(path.stat().st_mode & 0o777)
            made.replace(path)
    module.exit_json(changed=bool(changed), files=changed)


if __name__ == "__main__":
    main()
