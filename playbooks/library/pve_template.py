"""A template made of an image: a VM that nobody starts, with cloud-init and the agent on."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api

DOCUMENTATION = r"""
module: pve_template
short_description: A template made of an image
description: Made once. A VMID that something else has stops the run.
options:
  node: {description: Where it stands., type: str, required: true}
  vmid: {description: Its number in the cluster., type: int, required: true}
  name: {description: Its dated name., type: str, required: true}
  image: {description: File on the node., type: path, required: true}
  storage: {description: Storage of its disks., type: str, required: true}
  bridge: {description: Bridge of its card., type: str, required: true}
author: cloudpemda
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "vmid": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
            "image": {"type": "path", "required": True},
            "storage": {"type": "str", "required": True},
            "bridge": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module)
    there = next(
        (one for one in api.get("/cluster/resources") if one.get("vmid") == asked["vmid"]), None
    )
    what = f"VMID {asked['vmid']}"
    if there is not None:
        if (there.get("name"), there.get("node")) != (asked["name"], asked["node"]):
            module.fail_json(
                msg=f"{what} is {there.get('name')} on {there.get('node')}, not {asked['name']} on "
                f"{asked['node']}: give the new image a VMID of its own, and keep the old one as "
                "long as anything was cloned from it"
            )
        if not there.get("template"):
            module.fail_json(
                msg=f"{what} is {asked['name']} and no template: making it was broken off. Look at "
                f"it, then `qm destroy {asked['vmid']}` on {asked['node']} and run once more"
            )
        module.exit_json(changed=False)
    if not module.check_mode:
        path = f"/nodes/{asked['node']}/qemu"
        values = {
            "vmid": asked["vmid"],
            "name": asked["name"],
            "ostype": "l26",
            "memory": 1024,
            "agent": 1,
            "scsihw": "virtio-scsi-single",
            "scsi0": f"{asked['storage']}:0,import-from={asked['image']},discard=on",
            "ide2": f"{asked['storage']}:cloudinit",
            "boot": "order=scsi0",
            "serial0": "socket",
            "vga": "serial0",
            "net0": f"virtio,bridge={asked['bridge']}",
        }
        api.write("create", path, values)
        api.write("create", f"{path}/{asked['vmid']}/template", {})
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
