"""Requests for quota with their decisions, and the grants that an approval writes.

A request for quota is known by its number (`Q-2026-0001`) or its key (`dinkes/tambahan`), which no
request for VMs has too. A grant raises one limit of one OPD from a moment to another, or for good;
it ends by its date, without any deed, or when it is taken back. It is never deleted: what an OPD
was allowed on a day of the past can always be told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from cloudpemda.errors import Refused
from cloudpemda.ledger import decisions, intake, numbers
from cloudpemda.ledger.audit import NOTHING, SYSTEM, Actor, Audit, Deed, Details
from cloudpemda.ledger.decisions import ALONE, Ballot
from cloudpemda.ledger.granted import Grant, QuotaRecord, grant_of, grants_on, quota_record
from cloudpemda.ledger.schema import grants, quota_requests, quota_revisions, requests
from cloudpemda.ledger.states import QUOTA, QuotaEvent, QuotaState, after
from cloudpemda.ledger.store import Store
from cloudpemda.request.quota_request import QuotaSpec, quota_from_json
from cloudpemda.rules.granting import Period
from cloudpemda.units import Instant

_ASKED_ANEW = frozenset({QuotaState.WITHDRAWN, QuotaState.EXPIRED, QuotaState.ENDED})
"""States in which even the same content, handed in again, is asked for anew."""


@dataclass(frozen=True, slots=True)
class QuotaSubmission:
    """What handing in a document led to."""

    number: str
    revision: int
    changed: bool
    state: QuotaState


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request for quota as far as it is decided on (`decisions.Decided`)."""

    number: str
    opd: str
    name: str
    revision: int
    state: QuotaState
    decisions_before: int | None = None

    @property
    def key(self) -> str:
        return f"{self.opd}/{self.name}"

    @property
    def kind(self) -> str:
        return "quota"

    @property
    def standing(self) -> str:
        return self.state.value

    @property
    def approved(self) -> bool:
        return self.state is QuotaState.GRANTED


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
        about = _find(deed.connection, spec.key)
        if about is None:
            _refuse_name_of_vms(deed.connection, spec)
            return self._first(deed, spec, source_text)
        state = about.state
        same = _spec_hash(deed.connection, about) == spec.spec_hash
        if state is QuotaState.GRANTED and _ran_out(deed, about):
            state = _move(deed, about, QuotaEvent.END)
            about = _row(deed.connection, about.number)
        if same and state not in _ASKED_ANEW:
            return QuotaSubmission(about.number, about.revision, False, state)
        if state is QuotaState.GRANTED:
            raise Refused("quota-request.granted", key=spec.key, number=about.number)
        decisions.void_all(deed, about)
        revision = about.revision + 1
        _write_revision(deed, about.number, revision, spec, source_text)
        reached = _move(deed, about, QuotaEvent.REVISE, revision=revision)
        return QuotaSubmission(about.number, revision, True, reached)

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

    def approve(
        self, key: str, *, spec_hash: str, period: Period, actor: Actor, ballot: Ballot = ALONE
    ) -> QuotaRecord:
        """Record the decision for the revision that was seen; where it completes the chain, its
        amounts are granted for `period`.

        What is decided on is the document itself: its digest stands where a request for VMs has
        its offer's. Whether the actor may, and in which stage, is the caller's question
        (`rules.approvals`); whoever comes too late for the transition is recorded too, unless
        they decide alone. Raises Refused `ledger.transition`, `ledger.revision-moved`, or what
        `decisions.take` refuses.
        """
        with self._audit.deed(actor) as deed:
            about = _row(deed.connection, key)
            _require_hash(deed.connection, about, spec_hash)
            if decisions.concur(deed, about, spec_hash, ballot):
                return quota_record(deed.connection, about.number)
            after(QUOTA, about.state, QuotaEvent.GRANT, about.number)
            spec = _spec(deed.connection, about)
            if decisions.take(deed, about, spec_hash, ballot, spec.amounts):
                rows = (_granted(deed, about, spec, period, one) for one in spec.add)
                deed.insert(grants, *rows)
                ends = None if period.end is None else period.end.isoformat()
                said = {"starts": period.start.isoformat(), "ends": ends}
                letter = {"letter": spec.letter.number}
                more = {**ballot.details, **said, **letter, **spec.amounts}
                _move(deed, about, QuotaEvent.GRANT, more=more)
            return quota_record(deed.connection, about.number)

    def deny(
        self, key: str, *, spec_hash: str, reason: str, actor: Actor, ballot: Ballot = ALONE
    ) -> None:
        """Decide against the revision that was seen, in any stage. Raises Refused
        `ledger.reason-missing`, `ledger.revision-moved`, `ledger.transition`,
        `ledger.mandate-ended`."""
        _require_reason(key, reason)
        with self._audit.deed(actor) as deed:
            about = _row(deed.connection, key)
            _require_hash(deed.connection, about, spec_hash)
            after(QUOTA, about.state, QuotaEvent.DENY, about.number)
            decisions.refuse(deed, about, ballot)
            _move(deed, about, QuotaEvent.DENY, reason=reason, more=ballot.details)

    def withdraw(self, key: str, *, actor: Actor, reason: str | None = None) -> None:
        """Take the request back before it is decided."""
        with self._audit.deed(actor) as deed:
            about = _row(deed.connection, key)
            decisions.void_all(deed, about)
            _move(deed, about, QuotaEvent.WITHDRAW, reason=reason)

    def void(self, key: str, *, spec_hash: str, reason: str, actor: Actor) -> None:
        """End the decisions on what waits still; its chain begins anew. Raises Refused
        `ledger.transition`, `ledger.revision-moved`."""
        with self._audit.deed(actor) as deed:
            about = _row(deed.connection, key)
            _require_hash(deed.connection, about, spec_hash)
            decisions.void_all(deed, about)
            _move(deed, about, QuotaEvent.VOID, reason=reason)

    def expire_pending(self, since: Instant) -> tuple[str, ...]:
        """End what has waited for a decision since `since` or longer; answers with the numbers."""
        overdue = (
            select(quota_requests.c.number)
            .where(
                quota_requests.c.state == QuotaState.PENDING.value,
                quota_requests.c.updated_at <= since,
            )
            .order_by(quota_requests.c.number)
        )
        with self._store.read() as connection:
            if connection.execute(overdue.limit(1)).first() is None:
                return ()
        with self._audit.deed(SYSTEM) as deed:
            numbers = tuple(str(number) for number in deed.connection.scalars(overdue))
            for number in numbers:
                about = _row(deed.connection, number)
                decisions.void_all(deed, about)
                _move(deed, about, QuotaEvent.EXPIRE)
        return numbers

    def end(self, key: str, *, reason: str, actor: Actor) -> None:
        """Take back what was granted, from now on. What is in use stays; only growth is refused.

        Raises Refused `ledger.reason-missing`, `ledger.transition`.
        """
        _require_reason(key, reason)
        with self._audit.deed(actor) as deed:
            about = _row(deed.connection, key)
            own = (grants.c.number == about.number) & (grants.c.revision == about.revision)
            deed.update(grants, own, ended_at=deed.now)
            _move(deed, about, QuotaEvent.END, reason=reason)

    # -- reading -------------------------------------------------------------------------------
    def find(self, key: str) -> QuotaRecord | None:
        """By key or number; None for none."""
        with self._store.read() as connection:
            about = _find(connection, key)
            return None if about is None else quota_record(connection, about.number)

    def get(self, key: str) -> QuotaRecord:
        """By key or number. Raises Refused `ledger.no-request`."""
        with self._store.read() as connection:
            return quota_record(connection, _row(connection, key).number)

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
            return tuple(
                quota_record(connection, number) for number in connection.scalars(query).all()
            )

    def of(self, opds: Collection[str]) -> tuple[Grant, ...]:
        """All grants of these OPDs, past and future ones included, by number and dimension."""
        query = (
            select(grants)
            .where(grants.c.opd.in_(sorted(opds)))
            .order_by(grants.c.number, grants.c.revision, grants.c.dimension)
        )
        with self._store.read() as connection:
            return tuple(grant_of(row) for row in connection.execute(query))


def refuse_taken_name(connection: Connection, opd: str, name: str) -> None:
    """Raises Refused `quota-request.name-taken` where a request for quota has the name."""
    about = _find(connection, f"{opd}/{name}")
    if about is not None:
        raise Refused("quota-request.name-taken", key=f"{opd}/{name}", number=about.number)


def _refuse_name_of_vms(connection: Connection, spec: QuotaSpec) -> None:
    number = connection.scalar(
        select(requests.c.number).where(requests.c.opd == spec.opd, requests.c.name == spec.name)
    )
    if number is not None:
        raise Refused("quota-request.name-taken", key=spec.key, number=number)


# -- rows ------------------------------------------------------------------------------------
def _find(connection: Connection, key: str) -> _Asked | None:
    opd, slash, name = key.partition("/")
    query = select(quota_requests).where(quota_requests.c.number == key)
    if slash:
        query = select(quota_requests).where(
            quota_requests.c.opd == opd, quota_requests.c.name == name
        )
    row = connection.execute(query).first()
    if row is None:
        return None
    return _Asked(row.number, row.opd, row.name, row.revision, QuotaState(row.state))


def _row(connection: Connection, key: str) -> _Asked:
    about = _find(connection, key)
    if about is None:
        raise Refused("ledger.no-request", key=key)
    return about


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
    deed: Deed, about: _Asked, spec: QuotaSpec, period: Period, more: tuple[str, int]
) -> Mapping[str, str | int | datetime | None]:
    dimension, amount = more
    return {
        "number": about.number,
        "revision": about.revision,
        "dimension": dimension,
        "opd": about.opd,
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
    about: _Asked,
    event: QuotaEvent,
    *,
    reason: str | None = None,
    revision: int | None = None,
    more: Details = NOTHING,
) -> QuotaState:
    """Take the request through its table, and say so in the audit log."""
    state = after(QUOTA, about.state, event, about.number)
    kept = about.revision if revision is None else revision
    deed.update(
        quota_requests,
        quota_requests.c.number == about.number,
        state=state.value,
        revision=kept,
        reason=reason,
        updated_at=deed.now,
    )
    said = more if reason is None else {**more, "reason": reason}
    _say(deed, about, event.value, kept, state, said)
    return state


def _say(
    deed: Deed,
    about: _Asked,
    event: str,
    revision: int,
    state: QuotaState,
    more: Details = NOTHING,
) -> None:
    deed.record(
        f"quota.{event}",
        about.opd,
        about.number,
        key=about.key,
        revision=revision,
        state=state.value,
        spec_hash=_hash_of(deed.connection, about.number, revision),
        **more,
    )


def _require_reason(key: str, reason: str) -> None:
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject=key)


def _ran_out(deed: Deed, about: _Asked) -> bool:
    """Whether all that was granted on the current revision has ended by its date."""
    found = grants_on(deed.connection, about.number, about.revision)
    return all(one.period.end is not None and one.period.end <= deed.now for one in found)


def _spec_hash(connection: Connection, about: _Asked) -> str:
    return _hash_of(connection, about.number, about.revision)


def _hash_of(connection: Connection, number: str, revision: int) -> str:
    found: str = connection.execute(
        select(quota_revisions.c.spec_hash).where(
            quota_revisions.c.number == number, quota_revisions.c.revision == revision
        )
    ).scalar_one()
    return found


def _require_hash(connection: Connection, about: _Asked, spec_hash: str) -> None:
    if _spec_hash(connection, about) != spec_hash:
        raise Refused("ledger.revision-moved", number=about.number, revision=about.revision)


def _spec(connection: Connection, about: _Asked) -> QuotaSpec:
    return quota_from_json(
        connection.execute(
            select(quota_revisions.c.spec).where(
                quota_revisions.c.number == about.number,
                quota_revisions.c.revision == about.revision,
            )
        ).scalar_one()
    )
