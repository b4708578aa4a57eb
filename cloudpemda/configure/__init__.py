"""The only door to Ansible: the servers below the clusters, and what is set up inside VMs.

A site directory may hold `ansible/`, an ordinary Ansible inventory in one shape: `hosts.yaml` with
one group per cluster of site.yaml, `backup_servers` and `desk` for the machines of none, variables
beside the hosts, in `group_vars/` and `host_vars/`. The room reads it strictly as data (`reading`,
`inventory`): what is missing or wrong is told with file and line before any server is touched. It
lets ansible-runner play our own playbooks on it (`runner`), each on the groups it is for.
Of the playbooks' roles it knows the variables that they declare (`roles`) and of what kind each is
(`judged`), and which of them a site must set (`variables`), nothing else.

What requests ask for inside VMs is played by the same runner with an inventory that is made for
each run (`vms`): a VM is known to ssh by its uid, and by the host key that it showed first.

What holds: a template in an inventory is the operators' own and goes to Ansible as it is; what an
agency said is handed over as `!unsafe`, and nothing that it or a server said is ever read as a
template. What a run leaves (its artefacts hold what hosts answered) is removed when it has been
read. ansible-runner and ansible-core are optional: without them the inventory is still checked.
"""

from cloudpemda.configure.inventory import Host, Inventory, check_inventory, load_inventory
from cloudpemda.configure.roles import LOOKS, PLAYBOOKS, kind_of, playbooks, tags_of

__all__ = [
    "LOOKS",
    "PLAYBOOKS",
    "Host",
    "Inventory",
    "check_inventory",
    "kind_of",
    "load_inventory",
    "playbooks",
    "tags_of",
]
