"""Looks at a machine of no cluster before it is built; changes nothing itself."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.machine import clock, release

DOCUMENTATION = r"""
module: machine_probe
short_description: Look at a backup server or a desk before it is built
description: Looks at the clock, the release of Debian, and whether it is a node after all.
options:
  sent: {description: The controller's clock when the task was sent, seconds., type: float, required: true}
  clock_seconds: {description: How far the clock may be off., type: float, default: 30}
  releases: {description: Releases of Debian that will do., type: list, elements: str, required: true}
author: cloudpemda
"""  # noqa: E501


def amiss(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong, each with what to do next."""
    yield from clock(seen["clock_off_seconds"], asked["clock_seconds"])
    if seen["id"] != "debian" or seen["release"] not in asked["releases"]:
        yield (
            f"this is {seen['id'] or '?'} {seen['release'] or '?'}, Debian "
            f"{' or '.join(asked['releases'])} is needed: install it, or correct base_pve_major of "
            "this machine (8 stands on Debian 12, 9 on Debian 13)"
        )
    if not seen["systemd"]:
        yield "systemd does not run here: what keeps the clock and the updates needs it"
    if seen["node"]:
        yield (
            "Proxmox VE is installed here: a node stands in the group of its cluster, where it "
            "gets the package sources and the firewall of a node"
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sent": {"type": "float", "required": True},
            "clock_seconds": {"type": "float", "default": 30.0},
            "releases": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    own = release()
    seen = {
        "clock_off_seconds": time.time() - asked["sent"],
        "id": own.get("ID", ""),
        "release": own.get("VERSION_ID", ""),
        "systemd": Path("/run/systemd/system").is_dir(),
        "node": module.get_bin_path("pveversion") is not None,
    }
    module.exit_json(changed=False, faults=list(amiss(seen, asked)))


if __name__ == "__main__":
    main()
