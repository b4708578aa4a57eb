"""Orphans: what a VM that went left behind on nodes that did not answer.

A copy on a replication target that was off when its VM was removed. It takes room, so it stays
charged to its OPD, and its VMID is given to nobody, until it was seen gone. It is noted before the
VM is destroyed: afterwards nobody could say whose it was.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from cloudpemda.ledger import quota
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.schema import instances, orphans
from cloudpemda.ledger.states import InstanceState
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import Usage
from cloudpemda.units import Instant, MiB


@dataclass(frozen=True, slots=True)
class Orphan:
    """One volume that may still be there."""

    cluster: str
    node: str
    volume: str  # PVE's id: local-zfs:vm-10001-disk-0
    vmid: int
    uid: str  # of the instance that it was a copy of
    key: str
    opd: str
    number: str  # of its request
    dimension: str  # disk.ssd
    size: MiB
    since: Instant

    @property
    def charged_as(self) -> str:
        """Under which name its quota is charged once its instance is released."""
        return f"{self.key}@{self.node}/{self.volume}"


class OrphanBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(self, *, cluster: str | None = None, uid: str | None = None) -> tuple[Orphan, ...]:
        """By cluster, node and volume."""
        query = select(orphans).order_by(orphans.c.cluster, orphans.c.node, orphans.c.volume)
        if cluster is not None:
            query = query.where(orphans.c.cluster == cluster)
        if uid is not None:
            query = query.where(orphans.c.uid == uid)
        with self._store.read() as connection:
            return tuple(Orphan(*row) for row in connection.execute(query))

    def note(
        self, uid: str, node: str, volumes: Mapping[str, tuple[str, MiB]], actor: Actor
    ) -> None:
        """That these volumes (id → dimension, size) of an instance may stay behind on a node.

        What is noted already stays as it was noted.
        """
        if not volumes:
            return
        with self._audit.deed(actor) as deed:
            row = deed.connection.execute(select(instances).where(instances.c.uid == uid)).one()
            here = (orphans.c.cluster == row.cluster) & (orphans.c.node == node)
            known = set(deed.connection.scalars(select(orphans.c.volume).where(here)))
            fresh = {name: one for name, one in sorted(volumes.items()) if name not in known}
            for volume, (dimension, size) in fresh.items():
                deed.connection.execute(
                    insert(orphans).values(
                        cluster=row.cluster,
                        node=node,
                        volume=volume,
                        vmid=row.vmid,
                        uid=uid,
                        key=row.key,
                        opd=row.opd,
                        number=row.number,
                        dimension=dimension,
                        size=size,
                        since=deed.now,
                    )
                )
            if fresh:
                _say(deed, "note", row.opd, row.key, uid, node, fresh)

    def gone(self, orphan: Orphan, actor: Actor) -> None:
        """It was seen that it is not there: it is charged no more. Twice changes nothing."""
        with self._audit.deed(actor) as deed:
            same = (
                (orphans.c.cluster == orphan.cluster)
                & (orphans.c.node == orphan.node)
                & (orphans.c.volume == orphan.volume)
                & (orphans.c.uid == orphan.uid)
            )
            if deed.connection.execute(delete(orphans).where(same)).rowcount != 1:
                return
            quota.release(deed, orphan.opd, orphan.number, orphan.charged_as)
            _say(deed, "gone", orphan.opd, orphan.key, orphan.uid, orphan.node, [orphan.volume])


def _say(
    deed: Deed, what: str, opd: str, key: str, uid: str, node: str, volumes: Collection[str]
) -> None:
    deed.record(f"orphan.{what}", opd, key, uid=uid, node=node, volumes=", ".join(volumes))


# -- asked by those who release and give, in their own transaction ----------------------------
def charges_left(connection: Connection, uid: str) -> Mapping[str, Usage]:
    """Under which name what stays charged of an instance that is released."""
    query = select(orphans).where(orphans.c.uid == uid)
    found = (Orphan(*row) for row in connection.execute(query))
    return {one.charged_as: {one.dimension: one.size} for one in found}


def resting_vmids(connection: Connection, cluster: str, since: Instant) -> frozenset[int]:
    """VMIDs of VMs that may have stood in PVE and were released after `since`, and those of
    orphans: PVE would take what is left of the former VM for the new one's, its backups or a task
    that a dead run had asked for."""
    released = select(instances.c.vmid).where(
        instances.c.cluster == cluster,
        instances.c.state == InstanceState.PURGED.value,
        instances.c.node.is_not(None),
        instances.c.updated_at > since,
    )
    left = select(orphans.c.vmid).where(orphans.c.cluster == cluster)
    return frozenset(connection.scalars(released.union(left)))
