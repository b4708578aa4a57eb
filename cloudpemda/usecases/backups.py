"""Backups of one VM as its storage lists them now: each with its age, and whether it was verified.

A backup is kept under the VM's number. One from before cloudpemda knew the VM may be of whoever had
that number then, and is marked so.
"""

from dataclasses import dataclass

from cloudpemda.cluster import Backup, age
from cloudpemda.errors import Refused, Unreachable
from cloudpemda.units import Seconds
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.workload import cluster_settings


@dataclass(frozen=True)
class BackupView:
    backup: Backup
    age: Seconds
    since_known: bool  # False: it may be of whoever had the VM's number before


def backups(desk: Desk, key: str) -> tuple[BackupView, ...]:
    """The backups of a VM that lives or is in quarantine, newest first. Changes nothing.

    Raises Refused `desk.scope`, `ledger.no-instance`, `vm.no-backup-storage` where its cluster has
    none, Unreachable `vm.backups-unread`.
    """
    opd = key.partition("/")[0]
    desk.scope().require(opd)
    record = next((one for one in desk.ledger.instances.list(opd=opd) if one.key == key), None)
    if record is None or record.node is None:
        raise Refused("ledger.no-instance", key=key)
    storage = cluster_settings(desk, record.cluster).backup
    if storage is None:
        raise Refused("vm.no-backup-storage", vm=key, cluster=record.cluster)
    pve = desk.cluster(record.cluster)
    nodes = dict.fromkeys((pve.locate(record.vmid) or record.node, record.node, *record.targets))
    found = pve.freshness((), [storage], tuple(nodes))
    if found.unread:
        raise Unreachable("vm.backups-unread", vm=key, storage=storage, cluster=record.cluster)
    now = desk.clock.now()
    return tuple(
        BackupView(
            one,
            age(now, one.taken_at),
            record.active_since is not None and one.taken_at >= record.active_since,
        )
        for one in found.backups.get(record.vmid, ())
    )
