"""Whether a token is there whose secret nobody kept; changes nothing itself."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vendor_api import Api, lost

DOCUMENTATION = r"""
module: token_probe
short_description: Look for tokens whose secret is lost
description: >-
  A secret is told once. Where the token is there and the file of its secret is not, the role
  would have to stop in the middle, so that it is looked for before anything is changed.
options:
  product: {description: Whose API., type: str, choices: [pve, pbs], default: pve}
  tokens: {description: Each with its user and its name as token., type: list, elements: dict, required: true}
  files: {description: The file of each one's secret., type: list, elements: str, required: true}
  kept: {description: Whether each of these files is there., type: list, elements: bool, required: true}
  renew: {description: Whether such tokens may be made anew., type: bool, default: false}
  variable: {description: The variable that lets them be made anew., type: str, required: true}
author: cloudpemda
"""  # noqa: E501


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "choices": ["pve", "pbs"], "default": "pve"},
            "tokens": {"type": "list", "elements": "dict", "required": True, "no_log": False},
            "files": {"type": "list", "elements": "str", "required": True},
            "kept": {"type": "list", "elements": "bool", "required": True},
            "renew": {"type": "bool", "default": False},
            "variable": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    api = Api(module, asked["product"])
    faults = [] if asked["renew"] else list(lost(api, asked, asked["variable"]))
    module.exit_json(changed=False, faults=faults)


if __name__ == "__main__":
    main()
