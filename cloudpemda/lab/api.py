"""All that the lab serves: importing this module registers every handler."""

from cloudpemda.lab import (
    api_access,
    api_cluster,
    api_node,
    api_storage,
    api_tasks,
    backup,
    pools,
    replication,
)
from cloudpemda.lab.ha import config, manager, status
from cloudpemda.lab.qemu import (
    disks,
    edit,
    lifecycle,
    migrate,
    power,
    reads,
)
from cloudpemda.lab.routes import HANDLERS

SERVED = (
    api_access, api_cluster, api_node, api_storage, api_tasks, backup, pools, replication,
    config, manager, status, disks, edit, lifecycle, migrate,
    power, reads,
)  # fmt: skip


def routes() -> list[str]:
    """`METHOD /path` of everything served in any release."""
    return sorted(HANDLERS)
