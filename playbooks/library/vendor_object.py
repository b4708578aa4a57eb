"""One object of Proxmox's API, made or changed where it is not as wanted."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api, different, same
from ansible.module_utils.vendor_sent import Sent

DOCUMENTATION = r"""
module: vendor_object
short_description: An object of Proxmox's API
description: >-
  Reads the list it stands in, makes it when it is not there, changes what differs. What was not
  asked for stays as it is.
options:
  product: {description: Whose API., type: str, choices: [pve, pbs], default: pve}
  path: {description: The list., type: str, required: true}
  key: {description: What names an object in the list., type: str, required: true}
  name: {description: Its name., type: str, required: true}
  made_by: {description: The parameter that names it when it is made; key where not given., type: str, default: ''}
  values: {description: What it is to be., type: dict, default: {}}
  fixed: {description: What it is made with and can never be changed., type: dict, default: {}}
  secret: {description: Sent when it is made or another than was sent last., type: dict, default: {}}
author: cloudpemda
"""  # noqa: E501


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "choices": ["pve", "pbs"], "default": "pve"},
            "path": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
            "name": {"type": "str", "required": True},
            "made_by": {"type": "str", "default": ""},
            "values": {"type": "dict", "default": {}},
            "fixed": {"type": "dict", "default": {}},
            "secret": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module, asked["product"])
    path, name = asked["path"], asked["name"]
    values = {key: value for key, value in asked["values"].items() if value is not None}
    there = api.find(path, asked["key"], name)
    secret = Sent(asked["product"], f"{path}/{name}", asked["secret"])
    if there is None:
        sent = {
            asked["made_by"] or asked["key"]: name,
            **asked["fixed"],
            **values,
            **asked["secret"],
        }
        if not module.check_mode:
            api.write("create", path, sent)
            secret.note()
        module.exit_json(changed=True, made=True, differing=sorted(values))
    for key, value in asked["fixed"].items():
        if not same(value, there.get(key, "")):
            module.fail_json(
                msg=f"{path}/{name} has {key} {there.get(key)!r}, the inventory says {value!r}, "
                "and it cannot be changed: correct the inventory, or remove the other one yourself "
                "once nothing uses it"
            )
    changes = different(values, there)
    if not secret.known():
        changes |= asked["secret"]
    if changes and not module.check_mode:
        api.write("set", f"{path}/{name}", changes)
        secret.note()
    module.exit_json(changed=bool(changes), made=False, differing=sorted(changes))


if __name__ == "__main__":
    main()
