"""Requests for quota with their decisions, and the grants that an approval writes.

A request for quota is known by its number (`Q-2026-0001`) or its key (`dinkes/tambahan`), which no
request for VMs has too. A grant raises one limit of one OPD from a moment to another, or for good;
it ends by its date, without any deed, or when it is taken back. It is never deleted: what an OPD
was allowed on a day of the past can always be told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import Connection, Row, func, select

from cloudpemda.errors import Refused
from cloudpemda.ledger import intake, numbers
from cloudpemda.ledger.audit import Actor, Audit, Deed, Detail
from cloudpemda.ledger.schema import grants, quota_requests, quota_revisions, requests
from cloudpemda.ledger.states import QUOTA, QuotaEvent, QuotaState, after
from cloudpemda.ledger.store import Store
from cloudpemda.request.quota_request import QuotaSpec, quota_from_json
from cloudpemda.request.spec import Letter
from cloudpemda.rules.granting import Period
from cloudpemda.units import Instant

_ASKED_ANEW = frozenset({QuotaState.WITHDRAWN, QuotaState.ENDED})
"""States in which even the same content, handed in again, is asked for anew."""

_Row = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class QuotaSubmission:
    """What handing in a document led to."""

    number: str
    revision: int
    changed: bool
    state: QuotaState


@dataclass(frozen=True, slots=True)
class Grant:
    """One limit of one OPD, raised by `amount` (MiB for sizes) for a period."""

    number: str  # of the request that it was decided on
    opd: str
    dimension: str
    amount: int
    period: Period
    ended_at: Instant | None  # taken back before its time
    letter: Letter
    actor: Actor  # who decided
    at: Instant

    def covers(self, moment: Instant) -> bool:
        """Whether it is in force at that moment."""
        return self.period.covers(moment) and (self.ended_at is None or moment < self.ended_at)


@dataclass(frozen=True, slots=True)
class QuotaRecord:
    """A request for quota as it stands."""

    number: str
    state: QuotaState
    revision: int
    spec: QuotaSpec
    submitted_by: Actor  # who handed in the current revision
    submitted_at: Instant
    updated_at: Instant
    reason: str | None
    grants: tuple[Grant, ...]  # of the current revision

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def opd(self) -> str:
        return self.spec.opd


class Grants:
    """The life of requests for quota, and what they led to. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    # -- deeds ---------------------------------------------------------------------------------
    def submit(
        self, spec: QuotaSpec, source_text: str, actor: Actor, *, paper: intake.Paper | None = None
    ) -> QuotaSubmission:
        """Take in a valid document. The same content again changes nothing; changed content is a
        new revision. `paper` is the inbox file that it lay in, remembered in the same transaction.

        What is in force is not changed by a document: Refused `quota-request.granted`. Raises
        Refused `quota-request.name-taken` where a request for VMs has the name.
        """
        with self._audit.deed(actor) as deed:
            done = self._submitted(deed, spec, source_text)
            if paper is not None:
                intake.remember(deed, done.number, done.revision, spec, paper)
            return done

    def _submitted(self, deed: Deed, spec: QuotaSpec, source_text: str) -> QuotaSubmission:
        row = _find(deed.connection, spec.key)
        if row is None:
            _refuse_name_of_vms(deed.connection, spec)
            return self._first(deed, spec, source_text)
        state = QuotaState(row.state)
        same = _spec_hash(deed.connection, row) == spec.spec_hash
        if state is QuotaState.GRANTED and _ran_out(deed, row):
            state = _move(deed, row, QuotaEvent.END, reason=None)
            row = _row(deed.connection, row.number)
        if same and state not in _ASKED_ANEW:
            return QuotaSubmission(row.number, row.revision, False, state)
        if state is QuotaState.GRANTED:
            raise Refused("quota-request.granted", key=spec.key, number=row.number)
        revision = row.revision + 1
        _write_revision(deed, row.number, revision, spec, source_text)
        reached = _move(deed, row, QuotaEvent.REVISE, revision=revision)
        return QuotaSubmission(row.number, revision, True, reached)

    def _first(self, deed: Deed, spec: QuotaSpec, source_text: str) -> QuotaSubmission:
        number = numbers.next_quota_number(deed.connection, deed.now.year)
        deed.insert(
            quota_requests,
            {
                "number": number,
                "opd": spec.opd,
                "name": spec.name,
                "revision": 1,
                "state": QuotaState.PENDING.value,
                "updated_at": deed.now,
            },
        )
        _write_revision(deed, number, 1, spec, source_text)
        _say(deed, _row(deed.connection, number), "submit", 1, QuotaState.PENDING)
        return QuotaSubmission(number, 1, True, QuotaState.PENDING)

    def approve(self, key: str, *, spec_hash: str, period: Period, actor: Actor) -> QuotaRecord:
        """Decide for the revision that was seen: its amounts are granted for `period`.

        Whether the actor may is the caller's question (`rules.granting`). Raises Refused
        `ledger.transition`, `ledger.revision-moved`.
        """
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            after(QUOTA, QuotaState(row.state), QuotaEvent.GRANT, row.number)
            _require_hash(deed.connection, row, spec_hash)
            spec = _spec(deed.connection, row)
            ends = None if period.end is None else period.end.isoformat()
            deed.insert(grants, *(_granted(deed, row, spec, period, one) for one in spec.add))
            told = {"starts": period.start.isoformat(), "ends": ends, "letter": spec.letter.number}
            _move(deed, row, QuotaEvent.GRANT, details={**told, **spec.amounts})
            return _record(deed.connection, row.number)

    def deny(self, key: str, *, spec_hash: str, reason: str, actor: Actor) -> None:
        """Decide against the revision that was seen. Raises Refused `ledger.reason-missing`,
        `ledger.revision-moved`, `ledger.transition`."""
        _require_reason(key, reason)
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            _require_hash(deed.connection, row, spec_hash)
            _move(deed, row, QuotaEvent.DENY, reason=reason)

    def withdraw(self, key: str, *, actor: Actor, reason: str | None = None) -> None:
        """Take the request back before it is decided."""
        with self._audit.deed(actor) as deed:
            _move(deed, _row(deed.connection, key), QuotaEvent.WITHDRAW, reason=reason)

    def end(self, key: str, *, reason: str, actor: Actor) -> None:
        """Take back what was granted, from now on. What is in use stays; only growth is refused.

        Raises Refused `ledger.reason-missing`, `ledger.transition`.
        """
        _require_reason(key, reason)
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            own = (grants.c.number == row.number) & (grants.c.revision == row.revision)
            deed.update(grants, own, ended_at=deed.now)
            _move(deed, row, QuotaEvent.END, reason=reason)

    # -- reading -------------------------------------------------------------------------------
    def find(self, key: str) -> QuotaRecord | None:
        """By key or number; None for none."""
        with self._store.read() as connection:
            row = _find(connection, key)
            return None if row is None else _record(connection, row.number)

    def get(self, key: str) -> QuotaRecord:
        """By key or number. Raises Refused `ledger.no-request`."""
        with self._store.read() as connection:
            return _record(connection, _row(connection, key).number)

    def list(
        self, *, opd: str | None = None, state: QuotaState | None = None
    ) -> tuple[QuotaRecord, ...]:
        """By number, oldest first."""
        query = select(quota_requests.c.number).order_by(quota_requests.c.number)
        if opd is not None:
            query = query.where(quota_requests.c.opd == opd)
        if state is not None:
            query = query.where(quota_requests.c.state == state.value)
        with self._store.read() as connection:
            return tuple(_record(connection, number) for number in connection.scalars(query).all())

    def of(self, opds: Collection[str]) -> tuple[Grant, ...]:
        """All grants of these OPDs, past and future ones included, by number and dimension."""
        query = (
            select(grants)
            .where(grants.c.opd.in_(sorted(opds)))
            .order_by(grants.c.number, grants.c.revision, grants.c.dimension)
        )
        with self._store.read() as connection:
            return tuple(_grant(row) for row in connection.execute(query))


def granted(
    connection: Connection, opds: Collection[str], moment: Instant
) -> Mapping[str, Mapping[str, int]]:
    """OPD → dimension → what is granted on top of the limits and in force at `moment`."""
    query = (
        select(grants.c.opd, grants.c.dimension, func.sum(grants.c.amount))
        .where(
            grants.c.opd.in_(sorted(opds)),
            grants.c.starts_at <= moment,
            grants.c.ends_at.is_(None) | (grants.c.ends_at > moment),
            grants.c.ended_at.is_(None) | (grants.c.ended_at > moment),
        )
        .group_by(grants.c.opd, grants.c.dimension)
    )
    found: dict[str, dict[str, int]] = {}
    for opd, dimension, amount in connection.execute(query):
        found.setdefault(opd, {})[dimension] = int(amount)
    return MappingProxyType(found)


def refuse_taken_name(connection: Connection, opd: str, name: str) -> None:
    """Raises Refused `quota-request.name-taken` where a request for quota has the name."""
    row = _find(connection, f"{opd}/{name}")
    if row is not None:
        raise Refused("quota-request.name-taken", key=f"{opd}/{name}", number=row.number)


def _refuse_name_of_vms(connection: Connection, spec: QuotaSpec) -> None:
    number = connection.scalar(
        select(requests.c.number).where(requests.c.opd == spec.opd, requests.c.name == spec.name)
    )
    if number is not None:
        raise Refused("quota-request.name-taken", key=spec.key, number=number)


# -- rows ------------------------------------------------------------------------------------
def _find(connection: Connection, key: str) -> _Row | None:
    opd, slash, name = key.partition("/")
    query = select(quota_requests).where(quota_requests.c.number == key)
    if slash:
        query = select(quota_requests).where(
            quota_requests.c.opd == opd, quota_requests.c.name == name
        )
    return connection.execute(query).first()


def _row(connection: Connection, key: str) -> _Row:
    row = _find(connection, key)
    if row is None:
        raise Refused("ledger.no-request", key=key)
    return row


def _write_revision(
    deed: Deed, number: str, revision: int, spec: QuotaSpec, source_text: str
) -> None:
    deed.insert(
        quota_revisions,
        {
            "number": number,
            "revision": revision,
            "spec_hash": spec.spec_hash,
            "spec": spec.canonical_json,
            "source": source_text,
            "login": deed.actor.login,
            "person": deed.actor.name,
            "role": deed.actor.role,
            "at": deed.now,
        },
    )


def _granted(
    deed: Deed, row: _Row, spec: QuotaSpec, period: Period, more: tuple[str, int]
) -> Mapping[str, str | int | datetime | None]:
    dimension, amount = more
    return {
        "number": row.number,
        "revision": row.revision,
        "dimension": dimension,
        "opd": row.opd,
        "amount": amount,
        "starts_at": period.start,
        "ends_at": period.end,
        "ended_at": None,
        "letter_number": spec.letter.number,
        "letter_date": spec.letter.date.isoformat(),
        "login": deed.actor.login,
        "person": deed.actor.name,
        "role": deed.actor.role,
        "at": deed.now,
    }


def _move(
    deed: Deed,
    row: _Row,
    event: QuotaEvent,
    *,
    reason: str | None = None,
    revision: int | None = None,
    details: Mapping[str, Detail] = MappingProxyType({}),
) -> QuotaState:
    """Take the request through its table, and say so in the audit log."""
    state = after(QUOTA, QuotaState(row.state), event, row.number)
    kept = row.revision if revision is None else revision
    deed.update(
        quota_requests,
        quota_requests.c.number == row.number,
        state=state.value,
        revision=kept,
        reason=reason,
        updated_at=deed.now,
    )
    said = {} if reason is None else {"reason": reason}
    _say(deed, row, event.value, kept, state, {**said, **details})
    return state


def _say(
    deed: Deed,
    row: _Row,
    event: str,
    revision: int,
    state: QuotaState,
    details: Mapping[str, Detail] = MappingProxyType({}),
) -> None:
    deed.record(
        f"quota.{event}",
        row.opd,
        row.number,
        key=f"{row.opd}/{row.name}",
        revision=revision,
        state=state.value,
        spec_hash=_hash_of(deed.connection, row.number, revision),
        **details,
    )


def _require_reason(key: str, reason: str) -> None:
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject=key)


def _ran_out(deed: Deed, row: _Row) -> bool:
    """Whether all that was granted on the current revision has ended by its date."""
    found = _grants(deed.connection, row.number, row.revision)
    return all(one.period.end is not None and one.period.end <= deed.now for one in found)


def _spec_hash(connection: Connection, row: _Row) -> str:
    return _hash_of(connection, row.number, row.revision)


def _hash_of(connection: Connection, number: str, revision: int) -> str:
    found: str = connection.execute(
        select(quota_revisions.c.spec_hash).where(
            quota_revisions.c.number == number, quota_revisions.c.revision == revision
        )
    ).scalar_one()
    return found


def _require_hash(connection: Connection, row: _Row, spec_hash: str) -> None:
    if _spec_hash(connection, row) != spec_hash:
        raise Refused("ledger.revision-moved", number=row.number, revision=row.revision)


def _spec(connection: Connection, row: _Row) -> QuotaSpec:
    return quota_from_json(
        connection.execute(
            select(quota_revisions.c.spec).where(
                quota_revisions.c.number == row.number,
                quota_revisions.c.revision == row.revision,
            )
        ).scalar_one()
    )


def _record(connection: Connection, number: str) -> QuotaRecord:
    row = connection.execute(
        select(
            quota_requests,
            quota_revisions.c.spec,
            quota_revisions.c.login,
            quota_revisions.c.person,
            quota_revisions.c.role,
            quota_revisions.c.at,
        )
        .join(
            quota_revisions,
            (quota_revisions.c.number == quota_requests.c.number)
            & (quota_revisions.c.revision == quota_requests.c.revision),
        )
        .where(quota_requests.c.number == number)
    ).one()
    return QuotaRecord(
        number=row.number,
        state=QuotaState(row.state),
        revision=row.revision,
        spec=quota_from_json(row.spec),
        submitted_by=Actor(row.login, row.person, row.role),
        submitted_at=row.at,
        updated_at=row.updated_at,
        reason=row.reason,
        grants=_grants(connection, number, row.revision),
    )


def _grants(connection: Connection, number: str, revision: int) -> tuple[Grant, ...]:
    query = (
        select(grants)
        .where(grants.c.number == number, grants.c.revision == revision)
        .order_by(grants.c.dimension)
    )
    return tuple(_grant(row) for row in connection.execute(query))


def _grant(row: _Row) -> Grant:
    return Grant(
        number=row.number,
        opd=row.opd,
        dimension=row.dimension,
        amount=row.amount,
        period=Period(row.starts_at, row.ends_at),
        ended_at=row.ended_at,
        letter=Letter(row.letter_number, date.fromisoformat(row.letter_date)),
        actor=Actor(row.login, row.person, row.role),
        at=row.at,
    )
