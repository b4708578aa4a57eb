"""Which packages are lacking; installs nothing itself.

A rehearsal on a bare host can ask neither apt's lists, which may never have been fetched, nor
python3-apt, which may not be there. What is installed is known without either.
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.packages import installed, shown

DOCUMENTATION = r"""
module: package_probe
short_description: Which packages are lacking
description: Looks. In a rehearsal it stands for the installing, and says that it would be done.
options:
  names: {description: The packages., type: list, elements: str, required: true}
author: cloudpemda
"""


def lacking(names: list[str], said: str) -> list[str]:
    """Those of the names that are not installed; `said` has a line `NAME STATE` for each known,
    and the name may carry its architecture."""
    there = set(installed(said))
    return [name for name in names if name not in there]


def main() -> None:
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    names = list(dict.fromkeys(module.params["names"]))
    found = lacking(names, shown(module, names)) if names else []
    module.exit_json(changed=module.check_mode and bool(found), lacking=found)


if __name__ == "__main__":
    main()
