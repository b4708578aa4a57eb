"""A node as a member of its cluster: made or joined once, and believed when it is seen.

`pvecm` may fail after it joined the node, and succeed before it did: its exit code says little.
What counts is that the node sees itself, and a quorum, in the cluster.
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api, guests

DOCUMENTATION = r"""
module: pve_member
short_description: Make a cluster, or join one
description: Does nothing on a member of that cluster; refuses on a member of another.
options:
  cluster: {description: Its name., type: str, required: true}
  links: {description: Own address on each link; the first is preferred., type: list, elements: str, required: true}
  via: {description: Address of a member; empty makes the cluster., type: str, default: ''}
  look: {description: Look and change nothing., type: bool, default: false}
  seconds: {description: How long membership may take to be seen., type: int, default: 120}
author: cloudpemda
"""  # noqa: E501


def seen(status: list[dict[str, Any]]) -> tuple[str, bool, dict[str, bool]]:
    """Name of the cluster (empty: none), whether quorate, and which nodes are online."""
    head = next((one for one in status if one["type"] == "cluster"), {})
    nodes = {one["name"]: bool(one.get("online")) for one in status if one["type"] == "node"}
    return str(head.get("name", "")), bool(head.get("quorate")), nodes


def arguments(cluster: str, via: str, links: list[str]) -> list[str]:
    """pvecm's words. corosync takes the link of the highest priority that works."""
    prefer = [
        word
        for number, address in enumerate(links)
        for word in (f"--link{number}", f"{address},priority={10 * (len(links) - number)}")
    ]
    if via:
        return ["pvecm", "add", via, *prefer, "--use_ssh"]
    return ["pvecm", "create", cluster, *prefer]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "links": {"type": "list", "elements": "str", "required": True},
            "via": {"type": "str", "default": ""},
            "look": {"type": "bool", "default": False},
            "seconds": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module)
    name, quorate, nodes = seen(api.get("/cluster/status"))
    if name and name != asked["cluster"]:
        module.fail_json(
            msg=f"this node is of cluster {name}, the inventory says {asked['cluster']}: correct "
            "cluster_name, or the group that the host stands in"
        )
    if name or asked["look"]:
        module.exit_json(changed=False, member=bool(name), quorate=quorate, nodes=nodes)
    if asked["via"] and guests():
        module.fail_json(
            msg=f"{', '.join(guests())} would be lost when the node joins: back them up, remove "
            "them, restore them after the join"
        )
    if module.check_mode:
        module.exit_json(changed=True, member=False, quorate=False, nodes=nodes)
    rc, out, err = module.run_command(arguments(asked["cluster"], asked["via"], asked["links"]))
    until = time.monotonic() + asked["seconds"]
    while time.monotonic() < until:
        code, shown, _ = module.run_command(["pvesh", "get", "/cluster/status",
                                             "--output-format", "json"])  # fmt: skip
        name, quorate, nodes = seen(module.from_json(shown)) if code == 0 else ("", False, {})
        if name == asked["cluster"] and quorate:
            module.exit_json(changed=True, member=True, quorate=True, nodes=nodes)
        if rc != 0 and code == 0 and not name:
            break  # refused, and not joined either
        time.sleep(1)
    module.fail_json(
        msg=f"the node does not see itself in a quorate cluster {asked['cluster']}: "
        f"{(err or out).strip()[-600:] or 'pvecm said nothing'}. Look at `journalctl -u corosync "
        "-u pve-cluster` here; the next run continues where this one ended"
    )


if __name__ == "__main__":
    main()
