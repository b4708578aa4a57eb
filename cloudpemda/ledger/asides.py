"""Volumes that a change set aside: disks taken from VMs that live, and what a moved disk left.

A disk that its document has no more is detached and rests beside its VM, with its data, until its
quarantine is over: it can be put back, and is charged. Of a disk that was moved to another storage
the copies on the targets of its replication stay behind until they were seen gone. Each volume is
noted before PVE hears of it: afterwards nobody could say what it was.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Row, delete, insert, select, update

from cloudpemda.ledger import quota
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.schema import asides, instances
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant, MiB


class Why(StrEnum):
    """What became of the disk."""

    REMOVED = "removed"  # its document has it no more
    MOVED = "moved"  # it lies on another storage now


@dataclass(frozen=True, slots=True)
class LeavingVolume:
    """One volume that a change is about to take from its place."""

    volume: str  # PVE's id: local-zfs:vm-10001-disk-1
    disk: str  # as its document calls it
    slot: str  # scsi1
    why: Why
    dimension: str  # disk.ssd
    size: MiB
    amount: MiB  # with the copies of it


@dataclass(frozen=True, slots=True)
class Aside:
    """One of them, as the ledger knows it."""

    uid: str
    key: str  # of its VM
    opd: str
    number: str
    cluster: str
    volume: str
    disk: str
    slot: str
    why: Why
    dimension: str
    size: MiB
    amount: MiB
    noted_at: Instant
    since: Instant | None  # since when it rests; None: its VM may still have it

    @property
    def charged_as(self) -> str:
        """Under which name it is charged while it rests."""
        return _charge_key(self.key, self.volume)

    @property
    def storage(self) -> str:
        return self.volume.partition(":")[0]


def _charge_key(key: str, volume: str) -> str:
    return f"{key}@aside/{volume}"


class AsideBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(
        self, *, uids: Collection[str] | None = None, workload: str | None = None
    ) -> tuple[Aside, ...]:
        """By VM and volume."""
        columns = instances.c.key, instances.c.opd, instances.c.number, instances.c.cluster
        query = (
            select(asides, *columns)
            .join(instances, instances.c.uid == asides.c.uid)
            .order_by(instances.c.key, asides.c.volume)
        )
        if uids is not None:
            query = query.where(asides.c.uid.in_(sorted(uids)))
        with self._store.read() as connection:
            found = tuple(_aside(row) for row in connection.execute(query))
        return tuple(one for one in found if workload is None or one.key.startswith(f"{workload}/"))

    def note(self, uid: str, leaving: Sequence[LeavingVolume], actor: Actor) -> None:
        """That these volumes of an instance leave their places. What is noted already stays as it
        was noted."""
        if not leaving:
            return
        with self._audit.deed(actor) as deed:
            vm = deed.connection.execute(select(instances).where(instances.c.uid == uid)).one()
            query = select(asides.c.volume).where(asides.c.uid == uid)
            known = set(deed.connection.scalars(query))
            fresh = [one for one in leaving if one.volume not in known]
            for one in fresh:
                deed.connection.execute(
                    insert(asides).values(
                        uid=uid, volume=one.volume, disk=one.disk, slot=one.slot,
                        why=one.why.value, dimension=one.dimension, size=one.size,
                        amount=one.amount, noted_at=deed.now,
                    )
                )  # fmt: skip
            if fresh:
                told = ", ".join(f"{one.disk} {one.why} {one.volume}" for one in fresh)
                deed.record("disk.leaving", vm.opd, vm.key, uid=uid, disks=told)

    def gone(self, one: Aside, actor: Actor) -> None:
        """It was seen that the volume is nowhere: it is charged no more, and its slot is free.
        Twice changes nothing."""
        self._end(one, "disk.gone", actor, frees=one.why is Why.REMOVED)

    def back(self, one: Aside, actor: Actor) -> None:
        """Its VM has it in its place, where it is charged as every disk."""
        self._end(one, "disk.back", actor, frees=False)

    def _end(self, one: Aside, action: str, actor: Actor, *, frees: bool) -> None:
        with self._audit.deed(actor) as deed:
            same = (asides.c.uid == one.uid) & (asides.c.volume == one.volume)
            if deed.connection.execute(delete(asides).where(same)).rowcount != 1:
                return
            quota.release(deed, one.opd, one.number, one.charged_as)
            if frees:
                _forget_place(deed, one)
            deed.record(action, one.opd, one.key, uid=one.uid, disk=one.disk, volume=one.volume)


# -- asked by those who settle and release, in their own transaction ---------------------------
def rest(
    deed: Deed, vm: Row[tuple[object, ...]], volumes: Collection[str], less: Mapping[str, int]
) -> Mapping[str, int]:
    """From now on these volumes of an instance rest, each charged by itself: no more in all, per
    dimension, than the instance was just charged `less`. Answers with what is charged so."""
    left, kept = dict(less), dict[str, int]()
    mine = (asides.c.uid == vm.uid) & asides.c.since.is_(None)
    for row in deed.connection.execute(select(asides).where(mine).order_by(asides.c.volume)).all():
        if row.volume not in volumes:
            continue
        part = min(row.amount, left.get(row.dimension, 0))
        if part:
            left[row.dimension] -= part
            kept[row.dimension] = kept.get(row.dimension, 0) + part
            subject = _charge_key(vm.key, row.volume)
            quota.take(deed, vm.opd, vm.number, {subject: {row.dimension: part}})
        own = mine & (asides.c.volume == row.volume)
        deed.connection.execute(update(asides).where(own).values(since=deed.now))
    return kept


def forget(deed: Deed, vm: Row[tuple[object, ...]]) -> None:
    """The VM is gone, and what lay beside it with it."""
    mine = asides.c.uid == vm.uid
    for volume in deed.connection.scalars(select(asides.c.volume).where(mine)).all():
        quota.release(deed, vm.opd, vm.number, _charge_key(vm.key, volume))
    deed.connection.execute(delete(asides).where(mine))


def _forget_place(deed: Deed, one: Aside) -> None:
    """Its slot and storage: another disk may have them, or one of its name others."""
    row = deed.connection.execute(select(instances).where(instances.c.uid == one.uid)).one()
    values = {
        name: json.dumps({d: at for d, at in json.loads(text).items() if d != one.disk})
        for name, text in (("slots", row.slots), ("storages", row.storages))
        if text is not None
    }
    deed.update(instances, instances.c.uid == one.uid, **values)


def _aside(row: Row[tuple[object, ...]]) -> Aside:
    return Aside(
        row.uid, row.key, row.opd, row.number, row.cluster, row.volume, row.disk, row.slot,
        Why(row.why), row.dimension, MiB(row.size), MiB(row.amount), row.noted_at, row.since,
    )  # fmt: skip
