"""Who may do what at which path, in PVE's or PBS's list; grants, and takes nothing away."""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api

DOCUMENTATION = r"""
module: vendor_acl
short_description: Grant a role at paths
description: Makes the entries that are not there. Others stay.
options:
  product: {description: Whose API., type: str, choices: [pve, pbs], default: pve}
  role: {description: The role., type: str, required: true}
  paths: {description: Where it is granted., type: list, elements: str, required: true}
  who: {description: Users and tokens., type: list, elements: str, required: true}
author: cloudpemda
"""


def entry(product: str, path: str, who: str, role: str) -> dict[str, Any]:
    """What the API is sent for one entry."""
    if product == "pbs":
        return {"path": path, "auth-id": who, "role": role}
    return {"path": path, "tokens" if "!" in who else "users": who, "roles": role}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "choices": ["pve", "pbs"], "default": "pve"},
            "role": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "str", "required": True},
            "who": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module, asked["product"])
    there = {(one["path"], one["ugid"], one["roleid"]) for one in api.get("/access/acl") or []}
    lacking = [
        (path, who)
        for path in asked["paths"]
        for who in asked["who"]
        if (path, who, asked["role"]) not in there
    ]
    for path, who in lacking if not module.check_mode else ():
        api.write("set", "/access/acl", entry(asked["product"], path, who, asked["role"]))
    module.exit_json(changed=bool(lacking), granted=[f"{who} at {path}" for path, who in lacking])


if __name__ == "__main__":
    main()
