"""VMs that are made as a backup holds them: from which, by whom, why, and what came of it.

What is begun stands here until it has come to an end; a VM has one at a time. What the backup does
not have (`kept`), and where that is kept which was there before (`saved`), is noted before it is
needed, so that any process can go on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    insert,
    select,
    update,
)

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.matters import matter
from cloudpemda.ledger.schema import instances, restores
from cloudpemda.ledger.states import (
    INSTANCE,
    InstanceEvent,
    InstanceState,
    ProposalState,
    RequestState,
    after,
)
from cloudpemda.ledger.store import Store
from cloudpemda.ledger.vm_records import instance_row, request_row
from cloudpemda.units import Instant, show_utc


class RestoreOutcome(StrEnum):
    RESTORED = "restored"
    LEFT = "left"  # given up: what stands there goes on
    REPLACED = "replaced"  # another backup was taken instead


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """One restore of one VM."""

    uid: str
    seq: int
    key: str  # of the VM
    opd: str
    number: str  # of its request
    backup: str
    taken_at: Instant
    kept: Mapping[str, str]
    safety: bool
    saved: str | None
    person: str
    reason: str
    begun_at: Instant
    outcome: RestoreOutcome | None  # None: it is not finished


class RestoreBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(self, uid: str | None = None) -> tuple[RestoreRecord, ...]:
        """By VM, the oldest first."""
        query = _joined().order_by(instances.c.key, restores.c.seq)
        if uid is not None:
            query = query.where(restores.c.uid == uid)
        with self._store.read() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def open(self, uid: str | None = None) -> tuple[RestoreRecord, ...]:
        """Those that are not finished."""
        return tuple(one for one in self.list(uid) if one.outcome is None)

    def begin(
        self,
        uid: str,
        seen: RestoreRecord | None = None,
        *,
        backup: str,
        taken_at: Instant,
        kept: Mapping[str, str],
        safety: bool,
        reason: str,
        actor: Actor,
    ) -> RestoreRecord:
        """From now on the VM may be other than it was: it is `changing`.

        The unfinished one of another backup that was `seen` is ended as replaced; what it has
        saved stays saved. One that nobody has looked at is never replaced, and what has ended is
        not gone on with. Raises Refused `ledger.reason-missing`, `ledger.no-instance`, `vm.state`,
        `vm.restore-changing`, `vm.restore-other`.
        """
        with self._audit.deed(actor) as deed:
            vm = instance_row(deed.connection, uid)
            if not reason.strip():
                raise Refused("ledger.reason-missing", subject=vm.key)
            earlier = [one for one in _of(deed.connection, uid) if one.outcome is None]
            if earlier and earlier[-1].backup == backup:
                return earlier[-1]
            if [one.seq for one in earlier] != ([] if seen is None else [seen.seq]):
                raise Refused("vm.restore-other", vm=vm.key)
            if not earlier:
                _require_still(deed.connection, vm)
            saved = earlier[-1].saved if earlier else None
            # of what an unfinished one has destroyed only the first look told the truth
            kept = earlier[0].kept if earlier else kept
            if earlier:
                _end(deed, earlier[-1], RestoreOutcome.REPLACED)
            _move(deed, vm, InstanceEvent.CHANGE)
            seq = deed.connection.scalar(
                select(func.count()).select_from(restores).where(restores.c.uid == uid)
            )
            deed.connection.execute(
                insert(restores).values(
                    uid=uid, seq=(seq or 0) + 1, backup=backup, taken_at=taken_at,
                    kept=json.dumps(dict(kept), sort_keys=True), safety=int(safety), saved=saved,
                    person=actor.name, reason=reason.strip(), begun_at=deed.now,
                )
            )  # fmt: skip
            deed.record(
                "vm.restore", vm.opd, vm.key, uid=uid, number=vm.number, backup=backup,
                taken_at=show_utc(taken_at), reason=reason.strip(),
            )  # fmt: skip
            return _of(deed.connection, uid)[-1]

    def saved(self, one: RestoreRecord, volume: str, actor: Actor) -> None:
        """What stood there before is kept as this volume."""
        with self._audit.deed(actor) as deed:
            deed.connection.execute(update(restores).where(_is(one)).values(saved=volume))
            deed.record("vm.restore-saved", one.opd, one.key, uid=one.uid, volume=volume)

    def end(self, one: RestoreRecord, outcome: RestoreOutcome, actor: Actor) -> None:
        """It has come to its end, and the VM was read back as promised. Raises Refused
        `vm.restore-none` for one that has come to its end before."""
        with self._audit.deed(actor) as deed:
            vm = instance_row(deed.connection, one.uid)
            if one.seq not in [o.seq for o in _of(deed.connection, one.uid) if o.outcome is None]:
                raise Refused("vm.restore-none", vm=vm.key)
            _end(deed, one, outcome)
            _move(deed, vm, InstanceEvent.ACTIVATE)
            deed.record(
                f"vm.restore-{outcome.value}", vm.opd, vm.key, uid=one.uid, number=vm.number,
                backup=one.backup,
            )  # fmt: skip


def require_none(connection: Connection, number: str) -> None:
    """Raises Refused `vm.restore-unfinished` while a VM of this request is being restored: what
    stands there may be half of it."""
    query = _joined().where(instances.c.number == number, restores.c.ended_at.is_(None))
    row = connection.execute(query.order_by(instances.c.key)).first()
    if row is not None:
        raise Refused("vm.restore-unfinished", vm=row.key)


def _require_still(connection: Connection, vm: Row[tuple[object, ...]]) -> None:
    """Nothing else is under way with it. Raises Refused `vm.state`, `vm.restore-changing`."""
    if vm.state != InstanceState.ACTIVE:
        raise Refused("vm.state", vm=vm.key, state=vm.state)
    about = matter(connection, request_row(connection, vm.key.rpartition("/")[0]))
    if about.state is not RequestState.ACTIVE or about.proposal is ProposalState.APPLYING:
        raise Refused("vm.restore-changing", vm=vm.key, key=about.key)


def _move(deed: Deed, vm: Row[tuple[object, ...]], event: InstanceEvent) -> None:
    before = InstanceState(vm.state)
    state = after(INSTANCE, before, event, vm.key)
    if state is not before:
        deed.update(instances, instances.c.uid == vm.uid, state=state.value, updated_at=deed.now)


def _end(deed: Deed, one: RestoreRecord, outcome: RestoreOutcome) -> None:
    deed.connection.execute(
        update(restores).where(_is(one)).values(ended_at=deed.now, outcome=outcome.value)
    )


def _is(one: RestoreRecord) -> ColumnElement[bool]:
    return and_(restores.c.uid == one.uid, restores.c.seq == one.seq)


def _joined() -> Select[tuple[object, ...]]:
    columns = (instances.c.key, instances.c.opd, instances.c.number)
    return select(restores, *columns).join(instances, instances.c.uid == restores.c.uid)


def _of(connection: Connection, uid: str) -> tuple[RestoreRecord, ...]:
    query = _joined().where(restores.c.uid == uid).order_by(restores.c.seq)
    return tuple(_record(row) for row in connection.execute(query))


def _record(row: Row[tuple[object, ...]]) -> RestoreRecord:
    return RestoreRecord(
        uid=row.uid,
        seq=row.seq,
        key=row.key,
        opd=row.opd,
        number=row.number,
        backup=row.backup,
        taken_at=row.taken_at,
        kept=MappingProxyType(json.loads(row.kept)),
        safety=bool(row.safety),
        saved=row.saved,
        person=row.person,
        reason=row.reason,
        begun_at=row.begun_at,
        outcome=None if row.outcome is None else RestoreOutcome(row.outcome),
    )
