"""Whether a third place votes in the cluster, and every node sees it: what `pvecm status` shows.

That it was set up says little: a place that no node reaches is set up as well, and votes nothing.
"""

import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: pve_votes
short_description: Whether the third place votes
description: Looks, and tells what is amiss. Changes nothing.
options: {}
author: cloudpemda
"""

_LINE = re.compile(r"^0x([0-9a-f]+)\s+(\d+)\s+(.*)$", re.MULTILINE)


def amiss(status: str) -> list[str]:
    """What keeps the third place from voting, as one node sees it."""
    faults = []
    third: int | None = None
    for number, votes, rest in _LINE.findall(status):
        if int(number, 16) == 0:
            third = int(votes)
            continue
        flags, _, address = rest.partition(" ")
        if not flags.startswith("A,V"):
            faults.append(
                f"{address.split()[0] if address.split() else 'a node'} does not see it vote "
                f"({flags})"
            )
    if third is None:
        return ["it is not set up"]
    return [*(["it casts no vote"] if third == 0 else []), *faults]


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    rc, out, err = module.run_command(["pvecm", "status"])
    if rc != 0 and "0x" not in out:
        module.exit_json(changed=False, there=False, faults=[(err or out).strip() or "no cluster"])
    faults = amiss(out)
    module.exit_json(changed=False, there=faults != ["it is not set up"], faults=faults)


if __name__ == "__main__":
    main()
