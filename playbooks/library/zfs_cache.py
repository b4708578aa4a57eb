"""The most memory of ZFS's cache: at the next start, and now where its kernel module is loaded."""

import os
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.zfs_limits import GIB, limited, memory, unfit

DOCUMENTATION = r"""
module: zfs_cache
short_description: The most memory of ZFS's cache
description: >-
  Writes it for the next start, and sets it now. What ZFS would leave aside is refused before
  anything is written; what it did not take is told.
options:
  gib: {description: The limit in GiB., type: int, required: true}
  path: {description: The file of the next start., type: path, default: /etc/modprobe.d/zfs.conf}
author: cloudpemda
"""

SETTINGS = Path("/sys/module/zfs/parameters")
COUNTS = Path("/proc/spl/kstat/zfs/arcstats")


def counted(shown: str, name: str) -> int | None:
    """One value of the kernel module's counts; None where it does not tell it."""
    found = re.search(rf"^{name}\s+\d+\s+(\d+)$", shown, re.MULTILINE)
    return int(found[1]) if found else None


def now() -> tuple[int, int] | None:
    """Least and most of the cache as they hold; None where they cannot be set: without the
    module, or in a container, whose memory is the machine's."""
    if not os.access(SETTINGS / "zfs_arc_max", os.W_OK) or not COUNTS.exists():
        return None
    shown = COUNTS.read_text(encoding="ascii")
    least, most = counted(shown, "c_min"), counted(shown, "c_max")
    return None if least is None or most is None else (least, most)


def take(wanted: int, least: int) -> None:
    """Set it now; the least first where it would stand in the way."""
    if least >= wanted:
        (SETTINGS / "zfs_arc_min").write_text(str(wanted // 2), encoding="ascii")
    (SETTINGS / "zfs_arc_max").write_text(str(wanted), encoding="ascii")


def written(module: Any, file: Path, text: str) -> None:
    """The whole file at once, readable by all."""
    made = Path(module.tmpdir, "zfs.conf")
    made.write_text(text, encoding="utf-8")
    made.chmod(0o644)
    module.atomic_move(str(made), str(file))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gib": {"type": "int", "required": True},
            "path": {"type": "path", "default": "/etc/modprobe.d/zfs.conf"},
        },
        supports_check_mode=True,
    )
    file, total = Path(module.params["path"]), memory()
    wanted = module.params["gib"] * GIB
    for fault in unfit(module.params["gib"], total):
        module.fail_json(msg=fault)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = limited(before, wanted, total)
    found = now()
    living = found is not None and found[1] != wanted
    diff = {"before": before, "after": after, "before_header": str(file),
            "after_header": str(file)}  # fmt: skip
    if not module.check_mode:
        if after != before:
            written(module, file, after)
        if found is not None and living:
            refusal = "it holds another"
            try:
                take(wanted, found[0])
            except OSError as error:
                refusal = str(error)
            if (holds := now()) is None or holds[1] != wanted:
                module.fail_json(
                    msg=f"ZFS did not take {wanted} bytes as the most of its cache ({refusal}): "
                    f"{file} says so for the next start. Look at zfs_arc_* in /etc/modprobe.d, "
                    "restart the server, and run this again",
                    changed=after != before,
                )
    module.exit_json(changed=after != before or living, written=after != before, diff=diff)


if __name__ == "__main__":
    main()
