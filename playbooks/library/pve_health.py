"""Whether a node may leave its cluster for a while, and whether it is well enough to come back."""

import platform
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api

DOCUMENTATION = r"""
module: pve_health
short_description: Quorum, nodes, services, pools and guests, as one node sees them
description: Looks, and tells all that is amiss. Changes nothing.
options:
  node: {description: The node in question., type: str, required: true}
  third_vote: {description: Whether a QDevice votes as well., type: bool, default: false}
author: cloudpemda
"""


def newest(kernels: list[str]) -> str:
    """The highest of these versions, numbers as numbers."""

    def order(name: str) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdigit() else (-1, part) for part in
                re.findall(r"\d+|[a-z]+", name)]  # fmt: skip

    return max(kernels, key=order, default="")


def kernel_waits() -> bool:
    """Whether another kernel than the running one would come up."""
    pinned = Path("/etc/kernel/proxmox-boot-pin")
    if pinned.exists():
        wanted = pinned.read_text(encoding="utf-8").strip()
    else:
        names = [one.name.removeprefix("vmlinuz-") for one in Path("/boot").glob("vmlinuz-*")]
        wanted = newest(names)
    return wanted not in {"", platform.release()}


def amiss(
    node: str, status: list[dict[str, Any]], ha: list[dict[str, Any]], *, third_vote: bool
) -> list[str]:
    """What speaks against taking the node out now."""
    head = next((one for one in status if one["type"] == "cluster"), None)
    if head is None:
        return []  # alone: nobody else to ask
    nodes = {one["name"]: bool(one.get("online")) for one in status if one["type"] == "node"}
    faults = []
    if not head.get("quorate"):
        faults.append("the cluster has no quorum: bring the other nodes or their links back first")
    gone = sorted(name for name, online in nodes.items() if not online and name != node)
    if gone:
        faults.append(
            f"{', '.join(gone)} is away already: with {node} away too, what it runs may have no "
            "place, and the quorum is lost sooner. Bring it back first"
        )
    votes = len(nodes) + third_vote
    left = votes - len(gone) - 1
    if left * 2 <= votes:
        faults.append(
            f"without {node} {left} of {votes} votes are left, which is no majority: add a third "
            "place that votes (cluster_qdevice)"
        )
    resting = sorted(resting_of(ha) - {node})
    if resting:
        faults.append(
            f"{', '.join(resting)} is in maintenance: one at a time. Finish it there, or "
            f"`ha-manager crm-command node-maintenance disable {resting[0]}`"
        )
    return faults


def resting_of(ha: list[dict[str, Any]]) -> set[str]:
    """Nodes in HA's maintenance mode."""
    return {
        str(one["node"])
        for one in ha
        if one.get("type") == "lrm" and "maintenance mode" in str(one.get("status"))
    }


def unwell(
    node: str, status: list[dict[str, Any]], services: list[dict[str, Any]], pools: str
) -> list[str]:
    """What speaks against giving guests back to the node."""
    faults = []
    own = next((one for one in status if one.get("name") == node and one["type"] == "node"), None)
    if own is None or not own.get("online"):
        faults.append(f"{node} does not see itself online in its cluster")
    head = next((one for one in status if one["type"] == "cluster"), None)
    if head is not None and not head.get("quorate"):
        faults.append(f"{node} sees no quorum")
    needed = {"pve-cluster", "pvedaemon", "pveproxy", "pvestatd"} | (
        {"corosync"} if head is not None else set()
    )
    running = {str(one["service"]) for one in services if one.get("state") == "running"}
    faults += [
        f"service {one} does not run: `systemctl status {one}` there"
        for one in sorted(needed - running)
    ]
    ill = [
        line.split("\t")[0]
        for line in pools.splitlines()
        if line and line.split("\t")[1:] != ["ONLINE"]
    ]
    if ill:
        faults.append(f"pool {', '.join(ill)} is not healthy: `zpool status -x` there")
    return faults


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "third_vote": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    node = module.params["node"]
    api = Api(module)
    status = api.get("/cluster/status")
    clustered = any(one["type"] == "cluster" for one in status)
    ha = api.get("/cluster/ha/status/current") if clustered else []
    rc, pools, err = module.run_command(["zpool", "list", "-H", "-o", "name,health"])
    if rc != 0:
        module.fail_json(msg=f"pools cannot be read: {err.strip()}")
    guests = [
        f"{one['id']} {one.get('name', '')}".strip()
        for one in api.get("/cluster/resources")
        if one.get("node") == node and one.get("status") == "running"
        and one["type"] in {"qemu", "lxc"}
    ]  # fmt: skip
    found = re.match(r"pve-manager/([\d.]+)", module.run_command(["pveversion"])[1])
    module.exit_json(
        changed=False,
        faults=amiss(node, status, ha, third_vote=module.params["third_vote"]),
        unwell=unwell(node, status, api.get(f"/nodes/{node}/services"), pools),
        guests=guests,
        resting=node in resting_of(ha),
        clustered=clustered,
        restart=kernel_waits() or Path("/run/reboot-required").exists(),
        version=found.group(1) if found else "",
    )


if __name__ == "__main__":
    main()
