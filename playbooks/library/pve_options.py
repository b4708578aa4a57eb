"""datacenter.cfg by key: what nobody asked for stays."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api, merged

DOCUMENTATION = r"""
module: pve_options
short_description: Options of the datacenter, merged by key
description: Sets the keys that differ, and within a key the parts that differ.
options:
  values: {description: Key to value; parts of a value as pairs., type: dict, required: true}
author: cloudpemda
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={"values": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    api = Api(module)
    changes = merged(module.params["values"], api.get("/cluster/options") or {})
    if changes and not module.check_mode:
        api.write("set", "/cluster/options", changes)
    module.exit_json(changed=bool(changes), differing=sorted(changes))


if __name__ == "__main__":
    main()
