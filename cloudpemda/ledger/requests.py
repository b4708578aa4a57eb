"""Requests with their revisions and decisions, and the holds that decisions take and give back.

A request is known by its key (`dinkes/simrs`) or its number (`R-2026-0001`). It has one current
revision and at most one live approval, which is bound to a person, that revision and the digest
of the offer that was shown. Whatever ends an approval returns its hold in the same transaction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, insert, select, update

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import intake, quota
from cloudpemda.ledger.audit import SYSTEM, Actor, Audit, Deed
from cloudpemda.ledger.schema import approvals, instances, requests, revisions
from cloudpemda.ledger.states import REQUEST, InstanceState, RequestEvent, RequestState, after
from cloudpemda.ledger.store import Store
from cloudpemda.request.spec import WorkloadSpec, from_canonical_json
from cloudpemda.rules.quota import Link, Standing, Usage, growth, judge, total
from cloudpemda.units import Instant

_FINAL_UNCHANGED = frozenset({RequestState.WITHDRAWN, RequestState.EXPIRED, RequestState.FAILED})
"""States in which even the same content, handed in again, is asked for anew."""

_UNDER_WAY = frozenset({RequestState.APPLYING, RequestState.ACTIVE, RequestState.STUCK})


@dataclass(frozen=True, slots=True)
class Submission:
    """What handing in a document led to."""

    number: str
    revision: int
    changed: bool
    state: RequestState


@dataclass(frozen=True, slots=True)
class Approval:
    """The live decision on the current revision."""

    revision: int
    offer_digest: str
    offer: Mapping[str, object]
    actor: Actor
    at: Instant
    hold_until: Instant


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as it stands."""

    number: str
    key: str
    state: RequestState
    revision: int
    spec: WorkloadSpec
    submitted_by: Actor  # who handed in the current revision
    submitted_at: Instant
    updated_at: Instant
    reason: str | None  # of the last denial, failure or voiding
    approval: Approval | None

    @property
    def opd(self) -> str:
        return self.spec.opd

    @property
    def spec_hash(self) -> str:
        return self.spec.spec_hash

    def instance_key(self, member: str) -> str:
        return f"{self.key}/{member}"


class Requests:
    """The life of requests. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    # -- handing in and deciding ---------------------------------------------------------------
    def submit(
        self,
        spec: WorkloadSpec,
        source_text: str,
        actor: Actor,
        *,
        paper: intake.Paper | None = None,
    ) -> Submission:
        """Take in a valid document. The same content again changes nothing.

        A changed document is a new revision: it voids an approval and returns its hold. `paper`
        is the inbox file that it lay in, remembered in the same transaction. Raises Refused
        `request.change-not-yet` for a change to a workload that is being made or lives.
        """
        with self._audit.deed(actor) as deed:
            submission = self._submitted(deed, spec, source_text)
            if paper is not None:
                intake.remember(deed, submission.number, submission.revision, spec, paper)
            return submission

    def _submitted(self, deed: Deed, spec: WorkloadSpec, source_text: str) -> Submission:
        row = _find(deed.connection, spec.key)
        if row is None:
            return self._first(deed, spec, source_text)
        state = RequestState(row.state)
        same = _spec_hash(deed.connection, row) == spec.spec_hash
        if same and state not in _FINAL_UNCHANGED:
            return Submission(row.number, row.revision, False, state)
        if state in _UNDER_WAY:
            raise Refused(
                "request.change-not-yet", key=spec.key, number=row.number, state=state.value
            )
        _void(deed, row)
        revision = row.revision + 1
        _write_revision(deed, row.number, revision, spec, source_text)
        reached = _move(deed, row, RequestEvent.REVISE, revision=revision, spec_hash=spec.spec_hash)
        return Submission(row.number, revision, True, reached)

    def _first(self, deed: Deed, spec: WorkloadSpec, source_text: str) -> Submission:
        number = _next_number(deed)
        deed.connection.execute(
            insert(requests).values(
                number=number,
                opd=spec.opd,
                name=spec.name,
                revision=1,
                state=RequestState.SUBMITTED.value,
                updated_at=deed.now,
            )
        )
        _write_revision(deed, number, 1, spec, source_text)
        row = _row(deed.connection, number)
        reached = _move(deed, row, RequestEvent.QUEUE, revision=1, spec_hash=spec.spec_hash)
        return Submission(number, 1, True, reached)

    def approve(
        self,
        key: str,
        *,
        spec_hash: str,
        offer_digest: str,
        offer_json: str,
        amounts: Mapping[str, Usage],
        chain: Sequence[Link],
        warn_at: int,
        actor: Actor,
        hold_until: Instant,
    ) -> tuple[Fault, ...]:
        """Check and hold in one transaction; answers with quota's warnings.

        `amounts` is what each member (`db-1`) shall be charged in all; only what exceeds its
        present charge is judged and held. `chain` is the OPD and its parents. Whether the actor
        may approve is the caller's question (`rules.policy`). Raises Refused: `ledger.transition`,
        `ledger.revision-moved`, or `quota.exceeded` with a fault per exceeded dimension and OPD.
        """
        self.expire_holds(self._store.clock.now())
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            after(REQUEST, RequestState(row.state), RequestEvent.APPROVE, row.number)
            _require_hash(deed.connection, row, spec_hash)
            wanted = {f"{row.opd}/{row.name}/{member}": usage for member, usage in amounts.items()}
            more = {
                instance: growth(_charged(deed.connection, instance), usage)
                for instance, usage in wanted.items()
            }
            verdict = judge(
                [
                    Standing(link.opd, link.limits, quota.balances(deed.connection, link.scope))
                    for link in chain
                ],
                total(more.values()),
                warn_at,
            )
            if not verdict.allowed:
                raise Refused("quota.exceeded", *verdict.faults, subject=row.number, opd=row.opd)
            for instance, usage in more.items():
                quota.hold(deed, row.opd, row.number, instance, usage)
            _write_approval(deed, row, offer_digest, offer_json, hold_until)
            _move(
                deed,
                row,
                RequestEvent.APPROVE,
                revision=row.revision,
                spec_hash=spec_hash,
                offer_digest=offer_digest,
                hold=json.dumps(dict(total(more.values())), sort_keys=True),
            )
            return verdict.warnings

    def deny(self, key: str, *, spec_hash: str, reason: str, actor: Actor) -> None:
        """Decide against the revision that was seen. Raises Refused `ledger.reason-missing`,
        `ledger.revision-moved`, `ledger.transition`."""
        if not reason.strip():
            raise Refused("ledger.reason-missing", subject=key)
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            _require_hash(deed.connection, row, spec_hash)
            _move(deed, row, RequestEvent.DENY, reason=reason, revision=row.revision)

    def withdraw(self, key: str, *, actor: Actor, reason: str | None = None) -> None:
        """Take a request back before it is applied; its hold returns."""
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            _void(deed, row)
            _move(deed, row, RequestEvent.WITHDRAW, reason=reason)

    def expire_holds(self, now: Instant) -> tuple[str, ...]:
        """End the approvals whose hold has run out at `now`; answers with their numbers."""
        overdue = (
            select(approvals.c.number)
            .join(requests, requests.c.number == approvals.c.number)
            .where(
                approvals.c.voided_at.is_(None),
                approvals.c.hold_until <= now,
                requests.c.state == RequestState.APPROVED.value,
            )
            .order_by(approvals.c.number)
        )
        with self._store.read() as connection:
            if connection.execute(overdue.limit(1)).first() is None:
                return ()
        with self._audit.deed(SYSTEM) as deed:
            numbers = tuple(deed.connection.scalars(overdue))
            for number in numbers:
                row = _row(deed.connection, number)
                _void(deed, row)
                _move(deed, row, RequestEvent.EXPIRE)
        return numbers

    # -- applying ------------------------------------------------------------------------------
    def begin(self, key: str, *, spec_hash: str, offer_digest: str, actor: Actor) -> RequestRecord:
        """Enter `applying` under the live approval, for the revision that the caller has read.

        A request that is already applying or active is left as it is, and a stuck one goes on;
        the offer is compared only at the first entry. Raises Refused `ledger.transition`,
        `ledger.revision-moved` where `spec_hash` is not the current revision's, or
        `ledger.offer-changed` after the approval was voided and its hold returned.
        """
        self.expire_holds(self._store.clock.now())
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            _require_hash(deed.connection, row, spec_hash)
            state = RequestState(row.state)
            reached = after(REQUEST, state, RequestEvent.BEGIN, row.number)
            live = _record(deed.connection, row.number).approval
            moved = state is RequestState.APPROVED and (
                live is None or live.offer_digest != offer_digest
            )
            if moved:
                _void(deed, row)
                _move(deed, row, RequestEvent.VOID, reason="offer", offer_digest=offer_digest)
            elif state is not reached:
                _move(deed, row, RequestEvent.BEGIN, revision=row.revision, spec_hash=spec_hash)
            record = _record(deed.connection, row.number)
        if moved:
            raise Refused("ledger.offer-changed", number=record.number, key=record.key)
        return record

    def finish(self, key: str, *, actor: Actor) -> None:
        """All its instances are active. Raises Refused `ledger.unfinished` while one is not."""
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            waiting = quota.held_instances(deed.connection, row.number)
            if waiting:
                raise Refused("ledger.unfinished", number=row.number, instances=", ".join(waiting))
            _move(deed, row, RequestEvent.FINISH)

    def fail(self, key: str, *, reason: str, actor: Actor) -> None:
        """All of it was taken back: what is still held returns.

        Raises Refused `ledger.instances-left` while an instance is not released.
        """
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            left = deed.connection.scalars(
                select(instances.c.key)
                .where(
                    instances.c.number == row.number,
                    instances.c.state != InstanceState.PURGED.value,
                )
                .order_by(instances.c.key)
            ).all()
            if left:
                raise Refused("ledger.instances-left", number=row.number, instances=", ".join(left))
            _void(deed, row)
            _move(deed, row, RequestEvent.FAIL, reason=reason)

    def stick(self, key: str, *, reason: str, actor: Actor) -> None:
        """A human is needed; everything stays held."""
        with self._audit.deed(actor) as deed:
            _move(deed, _row(deed.connection, key), RequestEvent.STICK, reason=reason)

    # -- reading -------------------------------------------------------------------------------
    def get(self, key: str) -> RequestRecord:
        """By key or number. Raises Refused `ledger.no-request`."""
        with self._store.read() as connection:
            return _record(connection, _row(connection, key).number)

    def list(
        self, *, opd: str | None = None, state: RequestState | None = None
    ) -> tuple[RequestRecord, ...]:
        """By number, oldest first."""
        query = _RECORDS
        if opd is not None:
            query = query.where(requests.c.opd == opd)
        if state is not None:
            query = query.where(requests.c.state == state.value)
        with self._store.read() as connection:
            return tuple(_built(row) for row in connection.execute(query))

    def source(self, key: str, revision: int | None = None) -> str:
        """The document as it was handed in, of the current or an older revision.

        Raises Refused `ledger.no-request`, `ledger.no-revision`.
        """
        with self._store.read() as connection:
            row = _row(connection, key)
            wanted = row.revision if revision is None else revision
            found = connection.scalar(
                select(revisions.c.source).where(
                    revisions.c.number == row.number, revisions.c.revision == wanted
                )
            )
        if found is None:
            raise Refused("ledger.no-revision", number=row.number, revision=wanted)
        return str(found)


# -- rows ------------------------------------------------------------------------------------
def _find(connection: Connection, key: str) -> Row[tuple[object, ...]] | None:
    opd, slash, name = key.partition("/")
    query = select(requests).where(requests.c.number == key)
    if slash:
        query = select(requests).where(requests.c.opd == opd, requests.c.name == name)
    return connection.execute(query).first()


def _row(connection: Connection, key: str) -> Row[tuple[object, ...]]:
    row = _find(connection, key)
    if row is None:
        raise Refused("ledger.no-request", key=key)
    return row


def _next_number(deed: Deed) -> str:
    """R-<year>-<running number of that year>; the caller holds the write lock."""
    prefix = f"R-{deed.now.year}-"
    used = deed.connection.scalar(
        select(func.count()).where(requests.c.number.startswith(prefix, autoescape=True))
    )
    return f"{prefix}{(used or 0) + 1:04d}"


def _write_revision(
    deed: Deed, number: str, revision: int, spec: WorkloadSpec, source_text: str
) -> None:
    deed.connection.execute(
        insert(revisions).values(
            number=number,
            revision=revision,
            spec_hash=spec.spec_hash,
            spec=spec.canonical_json,
            source=source_text,
            login=deed.actor.login,
            person=deed.actor.name,
            role=deed.actor.role,
            at=deed.now,
        )
    )


def _write_approval(
    deed: Deed,
    row: Row[tuple[object, ...]],
    offer_digest: str,
    offer_json: str,
    hold_until: Instant,
) -> None:
    earlier = deed.connection.scalar(select(func.count()).where(approvals.c.number == row.number))
    deed.connection.execute(
        insert(approvals).values(
            number=row.number,
            seq=(earlier or 0) + 1,
            revision=row.revision,
            offer_digest=offer_digest,
            offer=offer_json,
            login=deed.actor.login,
            person=deed.actor.name,
            role=deed.actor.role,
            at=deed.now,
            hold_until=hold_until,
        )
    )


def _void(deed: Deed, row: Row[tuple[object, ...]]) -> None:
    """End the live approval, if there is one, and return what is held under it."""
    deed.connection.execute(
        update(approvals)
        .where(approvals.c.number == row.number, approvals.c.voided_at.is_(None))
        .values(voided_at=deed.now)
    )
    quota.release_holds(deed, row.opd, row.number)


def _move(
    deed: Deed,
    row: Row[tuple[object, ...]],
    event: RequestEvent,
    *,
    reason: str | None = None,
    revision: int | None = None,
    **details: str | int,
) -> RequestState:
    """Take the request through its table, and say so in the audit log."""
    state = after(REQUEST, RequestState(row.state), event, row.number)
    kept = row.revision if revision is None else revision
    deed.connection.execute(
        update(requests)
        .where(requests.c.number == row.number)
        .values(state=state.value, revision=kept, reason=reason, updated_at=deed.now)
    )
    said = {} if reason is None else {"reason": reason}
    deed.record(
        f"request.{event.value}",
        row.opd,
        row.number,
        key=f"{row.opd}/{row.name}",
        revision=kept,
        state=state.value,
        **said,
        **details,
    )
    return state


def _spec_hash(connection: Connection, row: Row[tuple[object, ...]]) -> str:
    found: str = connection.execute(
        select(revisions.c.spec_hash).where(
            revisions.c.number == row.number, revisions.c.revision == row.revision
        )
    ).scalar_one()
    return found


def _require_hash(connection: Connection, row: Row[tuple[object, ...]], spec_hash: str) -> None:
    if _spec_hash(connection, row) != spec_hash:
        raise Refused("ledger.revision-moved", number=row.number, revision=row.revision)


def _charged(connection: Connection, instance: str) -> Usage:
    return {name: charge.charged for name, charge in quota.charges(connection, instance).items()}


_RECORDS = (
    select(
        requests,
        revisions.c.spec,
        revisions.c.login,
        revisions.c.person,
        revisions.c.role,
        revisions.c.at,
        approvals.c.revision.label("approved_revision"),
        approvals.c.offer_digest,
        approvals.c.offer,
        approvals.c.login.label("approver_login"),
        approvals.c.person.label("approver_person"),
        approvals.c.role.label("approver_role"),
        approvals.c.at.label("approved_at"),
        approvals.c.hold_until,
    )
    .join(
        revisions,
        (revisions.c.number == requests.c.number) & (revisions.c.revision == requests.c.revision),
    )
    .outerjoin(
        approvals,
        (approvals.c.number == requests.c.number) & approvals.c.voided_at.is_(None),
    )
    .order_by(requests.c.number)
)
"""Requests, each with its current revision and its live approval."""


def _record(connection: Connection, number: str) -> RequestRecord:
    return _built(connection.execute(_RECORDS.where(requests.c.number == number)).one())


def _built(row: Row[tuple[object, ...]]) -> RequestRecord:
    approval = None
    if row.approved_at is not None:
        approval = Approval(
            revision=row.approved_revision,
            offer_digest=row.offer_digest,
            offer=json.loads(row.offer),
            actor=Actor(row.approver_login, row.approver_person, row.approver_role),
            at=row.approved_at,
            hold_until=row.hold_until,
        )
    return RequestRecord(
        number=row.number,
        key=f"{row.opd}/{row.name}",
        state=RequestState(row.state),
        revision=row.revision,
        spec=from_canonical_json(row.spec),
        submitted_by=Actor(row.login, row.person, row.role),
        submitted_at=row.at,
        updated_at=row.updated_at,
        reason=row.reason,
        approval=approval,
    )
