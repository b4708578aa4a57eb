"""Switches off package sources by what they point at, whatever their file is called.

Proxmox's packages bring their enterprise source back with an upgrade: as a `.list` line on 8, as a
deb822 stanza on 9. A file name is therefore no way to know it.
"""

import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: apt_entries
short_description: Switch off package sources by address
description: >-
  Comments out each line of a .list file, and writes "Enabled: no" into each stanza of a .sources
  file, whose address contains one of the texts.
options:
  containing: {description: Parts of addresses., type: list, elements: str, required: true}
  directory: {description: Where apt's sources stand., type: path, default: /etc/apt}
author: cloudpemda
"""


def without_lines(text: str, containing: list[str]) -> str:
    """A .list file with the lines concerned as comments."""
    return "".join(
        f"# off: {line}"
        if not line.lstrip().startswith("#") and any(part in line for part in containing)
        else line
        for line in text.splitlines(keepends=True)
    )


def _off(stanza: str, containing: list[str]) -> str:
    addresses = re.search(r"(?im)^URIs:(.*(?:\n[ \t].*)*)", stanza)
    if addresses is None or not any(part in addresses.group(1) for part in containing):
        return stanza
    if re.search(r"(?im)^Enabled:\s*(no|false|0)\s*$", stanza):
        return stanza
    kept = re.sub(r"(?im)^Enabled:.*\n?", "", stanza)
    return "Enabled: no\n" + kept


def without_stanzas(text: str, containing: list[str]) -> str:
    """A deb822 file with the stanzas concerned switched off, all else as it was."""
    parts = re.split(r"(\n[ \t]*\n+)", text)
    return "".join(
        part if place % 2 else _off(part, containing) for place, part in enumerate(parts)
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "containing": {"type": "list", "elements": "str", "required": True},
            "directory": {"type": "path", "default": "/etc/apt"},
        },
        supports_check_mode=True,
    )
    directory = Path(module.params["directory"])
    containing = [part for part in module.params["containing"] if part]
    changed = []
    for path in sorted([*directory.glob("*.list"), *directory.glob("sources.list.d/*")]):
        change = {".list": without_lines, ".sources": without_stanzas}.get(path.suffix)
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
