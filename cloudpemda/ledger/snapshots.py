"""States of VMs that somebody keeps in PVE to go back to (vm_snapshots), and what they cost.

Each is charged to its OPD as disk of its class before PVE makes it, in the transaction that judges
the quota, and until PVE has confirmed that it is gone; it goes with its VM at the latest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import quota
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.schema import instances, vm_snapshots
from cloudpemda.ledger.states import InstanceState
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import Link, Thresholds, Usage, judge
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One state of one VM, as the ledger knows it."""

    uid: str
    key: str  # of the VM
    opd: str
    name: str
    person: str
    reason: str
    taken_at: Instant
    until: Instant  # from then on the night asks for its removal

    @property
    def subject(self) -> str:
        """Under which it is charged."""
        return charge_key(self.key, self.name)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a new one may cost: the OPD and its parents, and how many a VM may have."""

    chain: Sequence[Link]
    warn_at: Thresholds
    most: int


def charge_key(instance: str, name: str) -> str:
    """`dinkes/simrs/db-1@before-upgrade`; `@` stands in no key."""
    return f"{instance}@{name}"


class SnapshotBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(self, uid: str | None = None) -> tuple[SnapshotRecord, ...]:
        """By VM, the oldest first."""
        query = (
            select(vm_snapshots, instances.c.key, instances.c.opd)
            .join(instances, instances.c.uid == vm_snapshots.c.uid)
            .order_by(instances.c.key, vm_snapshots.c.taken_at, vm_snapshots.c.name)
        )
        if uid is not None:
            query = query.where(vm_snapshots.c.uid == uid)
        with self._store.read() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def begin(
        self,
        uid: str,
        name: str,
        *,
        reason: str,
        until: Instant,
        usage: Usage,
        allowed: Allowed,
        actor: Actor,
    ) -> tuple[Fault, ...]:
        """Charge it; answers with quota's warnings. One that is charged already stays as it is.

        Raises Refused `ledger.reason-missing`, `ledger.no-instance`, `vm.state`, `vm.moved-on`,
        `vm.snapshots-full`, or `quota.exceeded` with a fault per dimension and OPD.
        """
        with quota.refusals_kept(self._audit, actor), self._audit.deed(actor) as deed:
            vm = deed.connection.execute(select(instances).where(instances.c.uid == uid)).first()
            if vm is None:
                raise Refused("ledger.no-instance", key=uid)
            own = deed.connection.execute(
                select(vm_snapshots.c.name).where(vm_snapshots.c.uid == uid)
            ).all()
            if any(row.name == name for row in own):
                return ()
            subject = charge_key(vm.key, name)
            if not reason.strip():
                raise Refused("ledger.reason-missing", subject=subject)
            if len(own) >= allowed.most:
                raise Refused("vm.snapshots-full", vm=vm.key, most=allowed.most)
            require_as_read(vm, allowed)
            seen = quota.look(deed.connection, allowed.chain, deed.now, [subject])
            seen.require_free()
            verdict = judge(seen.standings(allowed.chain), usage, allowed.warn_at)
            if not verdict.allowed:
                raise Refused("quota.exceeded", *verdict.faults, subject=subject, opd=vm.opd)
            quota.take(deed, vm.opd, vm.number, {subject: usage})
            row = {"uid": uid, "name": name, "person": actor.name, "reason": reason.strip()}
            deed.insert(vm_snapshots, {**row, "taken_at": deed.now, "until": until})
            deed.record("vm.snapshot", vm.opd, vm.key, uid=uid, name=name, reason=reason.strip())
            return verdict.warnings

    def end(self, uid: str, name: str, actor: Actor) -> bool:
        """PVE has confirmed that it is gone, or it never was there: it costs nothing any more."""
        with self._audit.deed(actor) as deed:
            vm = deed.connection.execute(select(instances).where(instances.c.uid == uid)).first()
            if vm is None or not _drop(deed, vm, [name]):
                return False
            deed.record("vm.snapshot-gone", vm.opd, vm.key, uid=uid, name=name)
            return True


def require_as_read(vm: Row[tuple[object, ...]], allowed: Allowed) -> None:
    """What is kept beside a VM is judged by the limits of the OPD that has it, while it lives.

    Raises Refused `vm.state`, `vm.moved-on`.
    """
    if vm.state != InstanceState.ACTIVE:
        raise Refused("vm.state", vm=vm.key, state=vm.state)
    if allowed.chain[0].opd != vm.opd:
        raise Refused("vm.moved-on", vm=vm.key, opd=vm.opd)


def forget(deed: Deed, vm: Row[tuple[object, ...]]) -> None:
    """The VM is gone, and its states with it."""
    _drop(deed, vm, names_of(deed.connection, vm.uid))


def names_of(connection: Connection, uid: str) -> tuple[str, ...]:
    return tuple(
        connection.scalars(
            select(vm_snapshots.c.name)
            .where(vm_snapshots.c.uid == uid)
            .order_by(vm_snapshots.c.name)
        )
    )


def _drop(deed: Deed, vm: Row[tuple[object, ...]], names: Sequence[str]) -> int:
    dropped = 0
    for name in names:
        same = (vm_snapshots.c.uid == vm.uid) & (vm_snapshots.c.name == name)
        if deed.delete(vm_snapshots, same):
            quota.release(deed, vm.opd, vm.number, charge_key(vm.key, name))
            dropped += 1
    return dropped


def _record(row: Row[tuple[object, ...]]) -> SnapshotRecord:
    return SnapshotRecord(
        row.uid, row.key, row.opd, row.name, row.person, row.reason, row.taken_at, row.until
    )
