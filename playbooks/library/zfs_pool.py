"""A ZFS pool, made once through Proxmox's own API, on disks that are empty; never changed after."""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api

DOCUMENTATION = r"""
module: zfs_pool
short_description: A ZFS pool of a node
description: Makes it where the node has none of that name. The API refuses disks that are in use.
options:
  node: {description: The node's name., type: str, required: true}
  name: {description: The pool's name., type: str, required: true}
  disks: {description: Disks by identity., type: list, elements: str, required: true}
  raid: {description: How they are joined., type: str, required: true}
  ashift: {description: Sector size as a power of two., type: int, default: 12}
author: cloudpemda
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "disks": {"type": "list", "elements": "str", "required": True},
            "raid": {"type": "str", "required": True},
            "ashift": {"type": "int", "default": 12},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module)
    path = f"/nodes/{asked['node']}/disks/zfs"
    there = api.find(path, "name", asked["name"])
    if there is not None:
        if there.get("health") not in {"ONLINE", None}:
            module.warn(f"pool {asked['name']} is {there['health']}: look at `zpool status` there")
        module.exit_json(changed=False, health=there.get("health"))
    absent = [disk for disk in asked["disks"] if not Path(disk).exists()]
    if absent:
        module.fail_json(msg=f"{', '.join(absent)}: no such disk; correct node_pool_disks")
    if module.check_mode:
        module.exit_json(changed=True, health=None)
    values = {
        "name": asked["name"],
        # The API knows disks by their plain names, and writes the pool down by identity.
        "devices": [str(Path(disk).resolve()) for disk in asked["disks"]],
        "raidlevel": asked["raid"],
        "ashift": asked["ashift"],
        "compression": "on",
    }
    api.write("create", path, values)
    made = api.find(path, "name", asked["name"])
    if made is None:
        module.fail_json(
            msg=f"the pool {asked['name']} was not made: look at the last task of node "
            f"{asked['node']} in the web interface, which says why"
        )
    module.exit_json(changed=True, health=made.get("health"))


if __name__ == "__main__":
    main()
