"""An API token, whose secret is told once, when it is made."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api

DOCUMENTATION = r"""
module: vendor_token
short_description: An API token
description: >-
  Makes it where it is not there, and answers its secret. One that is there and whose secret nobody
  kept is worth nothing; it is made anew only when told to.
options:
  product: {description: Whose API., type: str, choices: [pve, pbs], default: pve}
  user: {description: Whose token., type: str, required: true}
  token: {description: Its name., type: str, required: true}
  kept: {description: Whether its secret is kept somewhere., type: bool, required: true}
  renew: {description: Make it anew where its secret is not kept., type: bool, default: false}
author: cloudpemda
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "choices": ["pve", "pbs"], "default": "pve"},
            "user": {"type": "str", "required": True},
            "token": {"type": "str", "required": True, "no_log": False},
            "kept": {"type": "bool", "required": True},
            "renew": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module, asked["product"])
    whole = f"{asked['user']}!{asked['token']}"
    path = f"/access/users/{asked['user']}/token"
    if module.check_mode and api.find("/access/users", "userid", asked["user"]) is None:
        module.exit_json(changed=True, secret="")  # the user would be made first
    found = api.get(path) or []
    there = any(
        one.get("tokenid", one.get("token-name")) in {asked["token"], whole} for one in found
    )
    if there and asked["kept"]:
        module.exit_json(changed=False, secret="")
    if there and not asked["renew"]:
        module.fail_json(
            msg=f"token {whole} is there, and the file of its secret is not: put the file back, or "
            "run once more with the role's variable for renewal set to true; whoever uses the old "
            "secret is locked out then"
        )
    if module.check_mode:
        module.exit_json(changed=True, secret="")
    if there:
        api.write("delete", f"{path}/{asked['token']}", {})
    values = {"privsep": True} if asked["product"] == "pve" else {}
    answer = api.write("create", f"{path}/{asked['token']}", values)
    if not isinstance(answer, dict) or not answer.get("value"):
        module.fail_json(msg=f"token {whole} was made, but the answer has no secret: remove it")
    module.exit_json(changed=True, secret=answer["value"])


if __name__ == "__main__":
    main()
