"""Whether Proxmox's packages are installed and its kernel runs; changes nothing itself.

dpkg is asked, not the programs: an installation that was interrupted is none yet.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.packages import installed, shown

DOCUMENTATION = r"""
module: vendor_probe
short_description: Look for Proxmox's packages and the kernel that runs
description: Looks. In a rehearsal it says that kernels which are not needed would go.
options:
  product: {description: Proxmox VE (pve) or Proxmox Backup Server (pbs)., type: str, choices: [pve, pbs], required: true}
  kernel: {description: Whether the vendor's kernel shall run., type: bool, default: true}
  keep_kernels: {description: Whether Debian's kernels stay., type: bool, default: false}
  root_mib: {description: MiB that must be free at /., type: int, default: 0}
  boot_mib: {description: MiB that must be free at /boot., type: int, default: 0}
author: cloudpemda
"""  # noqa: E501

_MARKS = {"pve": "pve-manager", "pbs": "proxmox-backup-server"}
_NAMES = {"pve": "Proxmox VE", "pbs": "Proxmox Backup Server"}
_KERNELS = "linux-image-*"
"""Debian's; the vendor's are called proxmox-kernel-… and, before 8, pve-kernel-…"""
_SECURE_BOOT = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def amiss(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong, each with what to do next."""
    name = _NAMES[asked["product"]]
    if seen["installed"]:
        if asked["kernel"] and not seen["own_kernel"]:
            yield (
                f"{name} is installed and Debian's kernel {seen['kernel']} runs, which has no ZFS: "
                "apt install proxmox-default-kernel, and start it (a node with guests by "
                "`cloudpemda nodes configure maintenance`), then run once more"
            )
        return
    if seen["machine"] != "x86_64":
        yield f"this is {seen['machine']}, {name} has packages for x86_64 alone: another server"
    for place, free, least in (
        ("/", seen["root_mib"], asked["root_mib"]),
        ("/boot", seen["boot_mib"], asked["boot_mib"] if asked["kernel"] else 0),
    ):
        if free < least:
            yield (
                f"{free} MiB are free at {place}, {name} needs {least}: make room there (apt "
                "clean, old kernels), or install Debian anew with a larger one"
            )


def secure_boot(variables: Path) -> bool:
    """Whether the firmware starts signed kernels alone: four bytes of attributes, then 1 (UEFI)."""
    try:
        held = (variables / _SECURE_BOOT).read_bytes()
    except FileNotFoundError:
        return False
    return held[4:5] == b"\x01"


def free_mib(place: str) -> int:
    """What is free for root, in MiB."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize // 2**20


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "choices": ["pve", "pbs"], "required": True},
            "kernel": {"type": "bool", "default": True},
            "keep_kernels": {"type": "bool", "default": False},
            "root_mib": {"type": "int", "default": 0},
            "boot_mib": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    asked = module.params
    mark = _MARKS[asked["product"]]
    there = installed(shown(module, [mark, "os-prober", _KERNELS]))
    _, kernel, _ = module.run_command(["uname", "-r"], check_rc=True)
    seen: dict[str, Any] = {
        "installed": mark in there,
        "kernel": kernel.strip(),
        "own_kernel": kernel.strip().endswith("-pve"),
        "secure_boot": secure_boot(Path("/sys/firmware/efi/efivars")),
        "machine": platform.machine(),
        "root_mib": free_mib("/"),
        "boot_mib": free_mib("/boot"),
    }
    goes = asked["kernel"] and not asked["keep_kernels"] and seen["own_kernel"]
    unneeded = [name for name in there if name != mark] if goes and seen["installed"] else []
    module.exit_json(
        changed=module.check_mode and bool(unneeded),
        faults=list(amiss(seen, asked)),
        unneeded=unneeded,
        **seen,
    )


if __name__ == "__main__":
    main()
