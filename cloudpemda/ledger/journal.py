"""The write-ahead record of sagas: which process runs which, and how far each step is.

`saga.py` says what a journal must do; this one keeps it in the ledger, every write a durable
transaction of its own. A saga has one owner at a time. A second process is refused while the
owner lives, and takes over when it is dead; a former owner that wakes up can write no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Self

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from cloudpemda.errors import Incomplete, Refused
from cloudpemda.ledger import restores
from cloudpemda.ledger.owner import Owner, is_dead, owner_from_text
from cloudpemda.ledger.schema import requests, sagas, steps
from cloudpemda.ledger.states import SAGA, SagaEvent, SagaState, after
from cloudpemda.ledger.store import Store
from cloudpemda.saga import Event, StepRecord, StepState, TransitionUndefined, next_state
from cloudpemda.units import Instant

_UNFINISHED = (SagaState.OPEN.value, SagaState.STUCK.value)
VM_RESTORE = "vm-restore"
CONVERGE, DUE = "converge", "due"
_WRITERS = frozenset(
    {"apply", "change", "retire", "restore", "purge", "transfer", CONVERGE, DUE, VM_RESTORE}
)
COPYING = frozenset({"vm-copy", "vm-copy-removal"})
_RIVALS = dict.fromkeys(_WRITERS, _WRITERS) | dict.fromkeys(COPYING, COPYING)
"""Kinds of sagas that write to the same VMs: of these, one process runs one at a time."""


@dataclass(frozen=True, slots=True)
class SagaRecord:
    """A saga as the journal knows it."""

    id: str
    number: str
    kind: str
    plan_digest: str
    state: SagaState
    started_at: Instant
    owner: Owner | None
    heartbeat: Instant


class JournalBook:
    """All sagas. `open_saga` gives the right to write one."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self._store = store
        self._owner = owner

    def open_saga(self, number: str, kind: str, plan_digest: str = "") -> "SagaJournal":
        """Begin the saga of a request, or go on with the one that is not finished.

        Raises Refused `journal.busy` while a living process runs it, or one that writes to the same
        VMs; `vm.restore-unfinished` where another shall write to a VM that is half restored;
        `ledger.no-request`.
        """
        now = self._store.clock.now()
        with self._store.write() as connection:
            if (
                connection.scalar(select(requests.c.state).where(requests.c.number == number))
                is None
            ):
                raise Refused("ledger.no-request", key=number)
            unfinished = connection.execute(
                select(sagas).where(
                    sagas.c.number == number,
                    sagas.c.kind.in_(_RIVALS.get(kind, {kind})),
                    sagas.c.state.in_(_UNFINISHED),
                )
            ).all()
            for one in unfinished:
                self._refuse_if_alive(one, now)
            if kind in _WRITERS and kind != VM_RESTORE:
                restores.require_none(connection, number)
            row = next((one for one in unfinished if one.kind == kind), None)
            if row is None:
                return self._begin(connection, number, kind, plan_digest, now)
            state = after(SAGA, SagaState(row.state), SagaEvent.CONTINUE, number)
            connection.execute(
                update(sagas)
                .where(sagas.c.id == row.id)
                .values(
                    state=state.value,
                    plan_digest=plan_digest,
                    owner=self._owner.to_text(),
                    heartbeat=now,
                )
            )
            return SagaJournal(self._store, row.id, self._owner, resumed=True)

    def require_idle(self, number: str | None = None) -> None:
        """Raises Refused `journal.busy` while a living process runs any saga, or one of this
        request."""
        now = self._store.clock.now()
        query = select(sagas).where(sagas.c.state.in_(_UNFINISHED)).order_by(sagas.c.id)
        if number is not None:
            query = query.where(sagas.c.number == number)
        with self._store.read() as connection:
            for row in connection.execute(query):
                self._refuse_if_alive(row, now)

    def unfinished(self) -> tuple[SagaRecord, ...]:
        """Sagas that are open or stuck, oldest first."""
        query = (
            select(sagas)
            .where(sagas.c.state.in_(_UNFINISHED))
            .order_by(sagas.c.started_at, sagas.c.id)
        )
        with self._store.read() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def begun(self, kind: str, since: Instant) -> int:
        """How many chains of such sagas that began since then have been begun."""
        query = (
            select(func.count(func.distinct(steps.c.saga + ":" + steps.c.subject)))
            .select_from(steps.join(sagas, steps.c.saga == sagas.c.id))
            .where(sagas.c.kind == kind, sagas.c.started_at >= since)
        )
        with self._store.read() as connection:
            return connection.scalar(query) or 0

    def of_request(self, number: str) -> tuple[SagaRecord, ...]:
        """Every saga of a request, oldest first."""
        query = (
            select(sagas).where(sagas.c.number == number).order_by(sagas.c.started_at, sagas.c.id)
        )
        with self._store.read() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def steps(self, saga: str) -> Mapping[str, tuple[StepRecord, ...]]:
        """Subject → its steps in order."""
        found: dict[str, list[StepRecord]] = {}
        query = select(steps).where(steps.c.saga == saga).order_by(steps.c.subject, steps.c.seq)
        with self._store.read() as connection:
            for row in connection.execute(query):
                found.setdefault(row.subject, []).append(_step(row))
        return MappingProxyType({subject: tuple(own) for subject, own in found.items()})

    def tasks(self, saga: str) -> tuple[str, ...]:
        """The UPIDs of all tasks that a saga's steps have started last, by VM and step."""
        return tuple(
            step.upid for own in self.steps(saga).values() for step in own if step.upid is not None
        )

    def _begin(
        self, connection: Connection, number: str, kind: str, plan_digest: str, now: Instant
    ) -> "SagaJournal":
        owner = self._owner.to_text()
        identity = begin_row(connection, number, kind, now, owner, plan_digest)
        return SagaJournal(self._store, identity, self._owner, resumed=False)

    def _refuse_if_alive(self, row: Row[tuple[object, ...]], now: Instant) -> None:
        if row.owner is None:
            return
        owner = owner_from_text(row.owner)
        silent = (now - row.heartbeat).total_seconds()
        if not is_dead(owner, self._owner, silent):
            raise Refused(
                "journal.busy", number=row.number, owner=str(owner), host=owner.host, pid=owner.pid
            )


class SagaJournal:
    """The right to write one saga (`saga.Journal`), held until `close` or `step_out`.

    As a context manager it steps out at the end, however that comes, so that the next run need
    not wait for this process to die. Safe for several threads.
    """

    def __init__(self, store: Store, identity: str, owner: Owner, *, resumed: bool) -> None:
        self._store = store
        self._owner = owner.to_text()
        self.id = identity
        self.resumed = resumed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.step_out()

    def steps(self, subject: str) -> Mapping[str, StepRecord]:
        """The subject's records by step name."""
        query = (
            select(steps)
            .where(steps.c.saga == self.id, steps.c.subject == subject)
            .order_by(steps.c.seq)
        )
        with self._store.read() as connection:
            return MappingProxyType({row.name: _step(row) for row in connection.execute(query)})

    def move(
        self, subject: str, seq: int, name: str, event: Event, error: str | None = None
    ) -> None:
        """Take a step through `saga.next_state`. Raises Incomplete `journal.lost` where another
        process has taken over, TransitionUndefined for an undefined pair."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            self._still_ours(connection, now)
            found = connection.execute(select(steps).where(self._is(subject, name))).first()
            state = StepState(found.state) if found else StepState.PLANNED
            values: dict[str, object] = {
                "seq": seq,
                "state": next_state(state, event).value,
                "error": error,
                "at": now,
            }
            if event in {Event.START, Event.AGAIN}:
                values["upid"] = None
            if found:
                connection.execute(update(steps).where(self._is(subject, name)).values(values))
            else:
                connection.execute(
                    insert(steps).values(saga=self.id, subject=subject, name=name, **values)
                )

    def note_upid(self, subject: str, name: str, upid: str) -> None:
        """Keep the id of the task that does the step's work. Raises TransitionUndefined for a
        step that was not started: nothing may have a task before it stands in the journal."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            self._still_ours(connection, now)
            noted = connection.execute(
                update(steps).where(self._is(subject, name)).values(upid=upid)
            )
            if noted.rowcount != 1:
                raise TransitionUndefined("saga.transition", state="planned", event="note a task")

    def note_plan(self, digest: str) -> None:
        """Keep the digest of the plan that is carried out, once it is drawn up."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            self._still_ours(connection, now)
            connection.execute(
                update(sagas).where(sagas.c.id == self.id).values(plan_digest=digest)
            )

    def close(self, event: SagaEvent) -> None:
        """Take the saga through its table and give up the right to write it."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            self._still_ours(connection, now)
            state = after(SAGA, SagaState.OPEN, event, self.id)
            connection.execute(
                update(sagas).where(sagas.c.id == self.id).values(state=state.value, owner=None)
            )

    def step_out(self) -> None:
        """Give up the right to write, and leave the saga as it is for the next run."""
        with self._store.write() as connection:
            connection.execute(
                update(sagas)
                .where(sagas.c.id == self.id, sagas.c.owner == self._owner)
                .values(owner=None)
            )

    def _still_ours(self, connection: Connection, now: Instant) -> None:
        touched = connection.execute(
            update(sagas)
            .where(
                sagas.c.id == self.id,
                sagas.c.owner == self._owner,
                sagas.c.state == SagaState.OPEN.value,
            )
            .values(heartbeat=now)
        )
        if touched.rowcount != 1:
            raise Incomplete("journal.lost", saga=self.id)

    def _is(self, subject: str, name: str) -> ColumnElement[bool]:
        return and_(steps.c.saga == self.id, steps.c.subject == subject, steps.c.name == name)


def begin_row(
    connection: Connection,
    number: str,
    kind: str,
    now: Instant,
    owner: str | None,
    plan_digest: str = "",
) -> str:
    """Begin a saga within a transaction of the caller's; without an owner whoever opens it runs it.
    Answers with its id."""
    earlier = connection.scalar(
        select(func.count()).where(sagas.c.number == number, sagas.c.kind == kind)
    )
    identity = f"{number}-{kind}-{(earlier or 0) + 1:04d}"
    connection.execute(
        insert(sagas).values(
            id=identity,
            number=number,
            kind=kind,
            plan_digest=plan_digest,
            state=SagaState.OPEN.value,
            started_at=now,
            owner=owner,
            heartbeat=now,
        )
    )
    return identity


def unfinished_kinds(connection: Connection, number: str) -> tuple[str, ...]:
    """The kinds of a request's sagas that are open or stuck."""
    query = select(sagas.c.kind).where(sagas.c.number == number, sagas.c.state.in_(_UNFINISHED))
    return tuple(sorted(set(connection.scalars(query))))


def _step(row: Row[tuple[object, ...]]) -> StepRecord:
    return StepRecord(row.name, row.seq, StepState(row.state), row.upid, row.error)


def _record(row: Row[tuple[object, ...]]) -> SagaRecord:
    return SagaRecord(
        id=row.id,
        number=row.number,
        kind=row.kind,
        plan_digest=row.plan_digest,
        state=SagaState(row.state),
        started_at=row.started_at,
        owner=None if row.owner is None else owner_from_text(row.owner),
        heartbeat=row.heartbeat,
    )
