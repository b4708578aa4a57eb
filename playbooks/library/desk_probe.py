"""Looks at the desk's machine before the program is brought there; changes nothing itself."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.machine import clock

DOCUMENTATION = r"""
module: desk_probe
short_description: Look at the machine that the program shall run on
description: Looks at Python, systemd, the clock, the room on its disk, and where pip takes from.
options:
  sent: {description: The controller's clock when the task was sent, seconds., type: float, required: true}
  clock_seconds: {description: How far the clock may be off., type: float, default: 30}
  home: {description: Where the program will lie., type: path, required: true}
  wheels: {description: A directory here that pip takes from; or an address; or empty., type: str, default: ''}
  mib: {description: Room that is needed there., type: int, default: 500}
author: cloudpemda
"""  # noqa: E501

LEAST = (3, 11)


def amiss(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong, each with what to do next."""
    yield from clock(seen["clock_off_seconds"], asked["clock_seconds"])
    if tuple(seen["python"]) < LEAST:
        version = ".".join(map(str, seen["python"]))
        yield f"Python is {version}, 3.11 is needed: take Debian 12 or later for this machine"
    if not seen["systemd"]:
        yield "systemd does not run here: the timers of the night need it"
    if seen["free_mib"] < asked["mib"] and not seen["installed"]:
        yield f"{asked['home']} has room for {seen['free_mib']} MiB, {asked['mib']} are needed"
    if asked["wheels"].startswith("/") and not seen["wheels"]:
        yield (
            f"{asked['wheels']} is no directory here: put the wheels there (pip wheel), or leave "
            "cloudpemda_wheels empty"
        )


def room(path: str) -> int:
    """Free MiB where a path lies or will lie."""
    place = path
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return shutil.disk_usage(place).free // 1024**2


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sent": {"type": "float", "required": True},
            "clock_seconds": {"type": "float", "default": 30.0},
            "home": {"type": "path", "required": True},
            "wheels": {"type": "str", "default": ""},
            "mib": {"type": "int", "default": 500},
        },
        supports_check_mode=True,
    )
    asked = module.params
    seen = {
        "clock_off_seconds": time.time() - asked["sent"],
        "python": list(sys.version_info[:2]),
        "systemd": Path("/run/systemd/system").is_dir(),
        "free_mib": room(asked["home"]),
        "installed": Path(asked["home"], "bin/cloudpemda").exists(),
        "wheels": Path(asked["wheels"]).is_dir(),
    }
    module.exit_json(changed=False, seen=seen, faults=list(amiss(seen, asked)))


if __name__ == "__main__":
    main()
