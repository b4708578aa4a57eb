"""Requests with their revisions and decisions, and the holds that decisions take and give back.

A request is known by its key (`dinkes/simrs`) or its number (`R-2026-0001`). A decision is about
one revision: the request's own, or that of the proposal for a workload that lives (`matters`).
An approval is bound to a person, the revision and the digest of the offer that was shown.
Whatever ends an approval returns its hold in the same transaction.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, select

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import decisions, intake, numbers, quota, restores
from cloudpemda.ledger.audit import SYSTEM, Actor, Audit, Deed
from cloudpemda.ledger.decisions import ALONE, Ballot
from cloudpemda.ledger.grants import refuse_taken_name
from cloudpemda.ledger.matters import (
    OVERDUE,
    Matter,
    docket,
    itself,
    matter,
    move,
    propose,
    require_hash,
    spec_of,
    void,
    write_revision,
)
from cloudpemda.ledger.prepared import Prepared
from cloudpemda.ledger.records import RECORDS, RequestRecord, built, record
from cloudpemda.ledger.schema import (
    approvals,
    instances,
    moment_text,
    proposals,
    requests,
    revisions,
)
from cloudpemda.ledger.schema import decisions as decisions_
from cloudpemda.ledger.states import InstanceState, ProposalState, RequestEvent, RequestState
from cloudpemda.ledger.store import Store
from cloudpemda.plan.model import PRIMARY
from cloudpemda.request.change import refusals
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Link, Thresholds, Usage, growth, judge, total
from cloudpemda.units import Instant

_ASKED_ANEW = frozenset(
    {
        RequestState.WITHDRAWN,
        RequestState.EXPIRED,
        RequestState.FAILED,
        RequestState.ENDED,
        ProposalState.WITHDRAWN,
        ProposalState.EXPIRED,
    }
)
"""States in which even the same content, handed in again, is asked for anew."""

_BEGUN = frozenset({RequestState.APPLYING, RequestState.STUCK, RequestState.ACTIVE})
"""States that nothing reaches without an approval."""

_UNDER_WAY = frozenset(
    {
        RequestState.APPLYING,
        RequestState.STUCK,
        RequestState.RETIRING,
        RequestState.RETIRED,
    }
)
"""States in which a workload takes no change."""

_OPEN = frozenset({ProposalState.PENDING, ProposalState.APPROVED})


@dataclass(frozen=True, slots=True)
class Submission:
    """What handing in a document led to. `proposal` is set where it changes what lives."""

    number: str
    revision: int
    changed: bool
    state: RequestState
    proposal: ProposalState | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What is handed in. `paper` is the inbox file that it lay in; `allow_retire` that it may
    take VMs or disks away from a workload that lives."""

    spec: WorkloadSpec
    source_text: str
    paper: intake.Paper | None = None
    allow_retire: bool = False


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
        allow_retire: bool = False,
        paper: intake.Paper | None = None,
    ) -> Submission:
        """Take in a valid document. The same content again changes nothing.

        A changed document is a new revision: it voids an approval and returns its hold. Of a
        workload that lives it becomes the proposal; handing in what it lives by withdraws that.
        `paper` is the inbox file that it lay in, remembered in the same transaction. Raises
        Refused `request.change-not-yet` for a change to a workload that is being made,
        `request.change-refused` with the faults of `request.change.refusals`.
        """
        document = Document(spec, source_text, paper, allow_retire=allow_retire)
        return self.submit_all([document], actor)[0]

    def submit_all(self, documents: Sequence[Document], actor: Actor) -> tuple[Submission, ...]:
        """Take in several documents of one giver in one deed, in order: all of them, or none.

        Raises as `submit` does, for the first that is refused.
        """
        with self._audit.deed(actor) as deed:
            return tuple(self._submitted(deed, one) for one in documents)

    def _submitted(self, deed: Deed, document: Document) -> Submission:
        spec, source_text = document.spec, document.source_text
        row = _find(deed.connection, spec.key)
        if row is None:
            done = self._first(deed, spec, source_text)
        elif row.state == RequestState.ACTIVE:
            about = matter(deed.connection, row)
            done = self._change(deed, about, spec, source_text, document.allow_retire)
        else:
            done = self._revise(deed, itself(row), spec, source_text)
        if document.paper is not None:
            intake.remember(deed, done.number, done.revision, spec, document.paper)
        return done

    def _revise(
        self, deed: Deed, about: Matter, spec: WorkloadSpec, source_text: str
    ) -> Submission:
        """Take in a document for a workload that was never made."""
        asked = spec_of(deed.connection, about.number, about.revision)
        if asked.spec_hash == spec.spec_hash and about.state not in _ASKED_ANEW:
            return Submission(about.number, about.revision, False, about.state)
        if about.state in _UNDER_WAY:
            raise Refused(
                "request.change-not-yet",
                key=spec.key,
                number=about.number,
                state=about.state.value,
            )
        void(deed, about)
        revision = write_revision(deed, about.number, spec, source_text)
        reached = move(
            deed, about, RequestEvent.REVISE, revision=revision, spec_hash=spec.spec_hash
        )
        return Submission(about.number, revision, True, RequestState(reached))

    def _change(
        self, deed: Deed, about: Matter, spec: WorkloadSpec, source_text: str, allow_retire: bool
    ) -> Submission:
        """Take in a document for a workload that lives."""
        applied = spec_of(deed.connection, about.number, about.applied)
        if about.proposal is ProposalState.APPLYING:
            asked = spec_of(deed.connection, about.number, about.revision)
            if spec.spec_hash != asked.spec_hash:
                raise Refused(
                    "request.change-not-yet",
                    key=spec.key,
                    number=about.number,
                    state=about.proposal.value,
                )
            return Submission(about.number, about.revision, False, about.state, about.proposal)
        if spec.spec_hash == applied.spec_hash:
            if about.proposal not in _OPEN:
                return Submission(about.number, about.applied, False, about.state)
            void(deed, about)
            move(deed, about, RequestEvent.WITHDRAW, spec_hash=spec.spec_hash)
            return Submission(
                about.number, about.applied, True, about.state, ProposalState.WITHDRAWN
            )
        if about.proposal is not None and about.proposal not in _ASKED_ANEW:
            asked = spec_of(deed.connection, about.number, about.revision)
            if asked.spec_hash == spec.spec_hash:
                return Submission(about.number, about.revision, False, about.state, about.proposal)
        faults = refusals(applied, spec, allow_retire=allow_retire)
        if faults:
            raise Refused("request.change-refused", *faults, key=spec.key, number=about.number)
        revision = write_revision(deed, about.number, spec, source_text)
        reached = propose(deed, about, revision, spec.spec_hash)
        return Submission(about.number, revision, True, about.state, reached)

    def _first(self, deed: Deed, spec: WorkloadSpec, source_text: str) -> Submission:
        refuse_taken_name(deed.connection, spec.opd, spec.name)
        number = numbers.next_number(deed.connection, deed.now.year)
        deed.insert(
            requests,
            {
                "number": number,
                "opd": spec.opd,
                "name": spec.name,
                "revision": 1,
                "state": RequestState.SUBMITTED.value,
                "updated_at": deed.now,
            },
        )
        write_revision(deed, number, spec, source_text)
        about = itself(_row(deed.connection, number))
        reached = move(deed, about, RequestEvent.QUEUE, spec_hash=spec.spec_hash)
        return Submission(number, 1, True, RequestState(reached))

    def approve(
        self,
        key: str,
        *,
        spec_hash: str,
        offer_digest: str,
        offer_json: str,
        amounts: Mapping[str, Usage],
        chain: Sequence[Link],
        warn_at: Thresholds,
        actor: Actor,
        hold_until: Instant,
        ballot: Ballot = ALONE,
    ) -> tuple[Fault, ...]:
        """Check, record the decision, and hold where it completes the chain: one transaction.

        Answers with quota's warnings. `amounts` is what each member (`db-1`) shall be charged in
        all; only what exceeds its present charge is judged and held. `chain` is the OPD and its
        parents. Whether the actor may approve, and in which stage, is the caller's question
        (`rules.approvals`); whoever comes too late for the transition is recorded too, unless
        they decide alone. Raises Refused: `ledger.transition`, `ledger.revision-moved`, what
        `decisions.take` refuses, or `quota.exceeded` with a fault per dimension and OPD.
        """
        with quota.refusals_kept(self._audit, actor), self._docket(key, actor) as (deed, about):
            if decisions.concur(deed, about, offer_digest, ballot):
                return ()
            about.next(RequestEvent.APPROVE)
            if about.spec_hash != spec_hash:
                raise Refused("ledger.revision-moved", number=about.number, revision=about.revision)
            wanted = {f"{about.key}/{member}": usage for member, usage in amounts.items()}
            by_hand = {instance: instance + quota.OVERAGE for instance in wanted}
            seen = quota.look(deed.connection, chain, deed.now, [*wanted, *by_hand.values()])
            more = {
                instance: growth(seen.charge(instance), usage) for instance, usage in wanted.items()
            }
            wants = total(more.values())
            # What a VM has grown by hand is charged already: to be let keep it takes no more.
            beyond = total(growth(seen.charge(by_hand[one]), more[one]) for one in wanted)
            verdict = judge(seen.standings(chain), beyond, warn_at)
            if not verdict.allowed:
                raise Refused(
                    "quota.exceeded", *verdict.faults, subject=about.number, opd=about.opd
                )
            quota.note_limits(deed, {link.opd: link.limits for link in chain}, seen.limits)
            if not decisions.take(deed, about, offer_digest, ballot, wants):
                return verdict.warnings
            seen.require_free()
            quota.hold(deed, about.opd, about.number, more, seen.last_posting)
            write_approval(deed, about, offer_digest, offer_json, hold_until)
            move(
                deed,
                about,
                RequestEvent.APPROVE,
                spec_hash=spec_hash,
                offer_digest=offer_digest,
                hold=json.dumps(dict(wants), sort_keys=True),
                more=ballot.details,
            )
            return verdict.warnings

    def deny(
        self, key: str, *, spec_hash: str, reason: str, actor: Actor, ballot: Ballot = ALONE
    ) -> None:
        """Decide against the revision that was seen, in any stage. Raises Refused
        `ledger.reason-missing`, `ledger.revision-moved`, `ledger.transition`,
        `ledger.mandate-ended`."""
        if not reason.strip():
            raise Refused("ledger.reason-missing", subject=key)
        with self._audit.deed(actor) as deed:
            about = matter(deed.connection, _row(deed.connection, key))
            require_hash(deed.connection, about.number, about.revision, spec_hash)
            about.next(RequestEvent.DENY)
            decisions.refuse(deed, about, ballot)
            move(deed, about, RequestEvent.DENY, reason=reason, more=ballot.details)

    def withdraw(self, key: str, *, actor: Actor, reason: str | None = None) -> None:
        """Take a request, or the proposal for one that lives, back before it is applied; its hold
        returns."""
        with self._audit.deed(actor) as deed:
            about = matter(deed.connection, _row(deed.connection, key))
            about.next(RequestEvent.WITHDRAW)
            void(deed, about)
            move(deed, about, RequestEvent.WITHDRAW, reason=reason)

    def void(self, key: str, *, spec_hash: str, reason: str, actor: Actor) -> None:
        """End the approval of what is not begun, or of the change to what lives, or the decisions
        on what waits still; what is held returns, and it waits from the first stage on.

        Raises Refused `ledger.transition`, `ledger.revision-moved`.
        """
        with self._audit.deed(actor) as deed:
            about = matter(deed.connection, _row(deed.connection, key))
            require_hash(deed.connection, about.number, about.revision, spec_hash)
            void(deed, about)
            move(deed, about, RequestEvent.VOID, reason=reason)

    @contextmanager
    def _docket(self, key: str, actor: Actor) -> Iterator[tuple[Deed, Matter]]:
        """A deed with what it decides on, at whose moment every hold that has run out was ended.

        Raises as `docket`.
        """
        while True:
            with self._audit.deed(actor) as deed:
                about = docket(deed.connection, key, deed.now)
                if not about.overdue:
                    yield deed, about
                    return
            self.expire_holds(self._store.clock.now())

    def expire_holds(self, now: Instant) -> tuple[str, ...]:
        """End the approvals whose hold has run out at `now`; answers with their numbers."""
        return self._expire(OVERDUE, {"now": moment_text(now)})

    def expire_pending(self, since: Instant) -> tuple[str, ...]:
        """End what has waited for a decision since `since` or longer; answers with the numbers."""
        return self._expire(_WAITED, {"since": moment_text(since)})

    def _expire(self, overdue: Prepared, values: Mapping[str, str]) -> tuple[str, ...]:
        """End what the query finds, by a look first: most often there is nothing to write."""
        with self._store.glance() as connection:
            if overdue.row(connection, values) is None:
                return ()
        with self._audit.deed(SYSTEM) as deed:
            numbers = tuple(sorted(row[0] for row in overdue.rows(deed.connection, values)))
            for number in numbers:
                about = matter(deed.connection, _row(deed.connection, number))
                void(deed, about)
                move(deed, about, RequestEvent.EXPIRE)
        return numbers

    # -- applying ------------------------------------------------------------------------------
    def require_vouched(self, key: str) -> None:
        """Before anything is built: that its approval was given here, and what its instances have,
        and was not written into the database past the program. Raises Refused
        `audit.not-vouched`."""
        with self._store.read() as connection:
            found = record(connection, _row(connection, key).number)
        if found.approval is None and found.state in _BEGUN:
            raise Refused("audit.not-vouched", number=found.number, about="approvals")
        members = [member for kind in found.spec.vms for member in kind.members]
        self._audit.require_vouched(
            found.number, [found.instance_key(one) for one in members],
            revisions, decisions_, approvals,
        )  # fmt: skip

    def begin(self, key: str, *, spec_hash: str, offer_digest: str, actor: Actor) -> RequestRecord:
        """Enter `applying` under the live approval, for the revision that the caller has read.

        A request that is already applying or active is left as it is, and a stuck one goes on;
        the offer is compared only at the first entry. Raises Refused `ledger.transition`,
        `vm.restore-unfinished`, `ledger.revision-moved` where `spec_hash` is not the current
        revision's, or `ledger.offer-changed` after the approval was voided and its hold returned.
        """
        self.expire_holds(self._store.clock.now())
        with self._audit.deed(actor) as deed:
            about = itself(_row(deed.connection, key))
            restores.require_none(deed.connection, about.number)
            require_hash(deed.connection, about.number, about.revision, spec_hash)
            reached = about.next(RequestEvent.BEGIN)
            live = record(deed.connection, about.number).approval
            moved = about.state is RequestState.APPROVED and (
                live is None or live.offer_digest != offer_digest
            )
            if moved:
                void(deed, about)
                move(deed, about, RequestEvent.VOID, reason="offer", offer_digest=offer_digest)
            elif about.state is not reached:
                move(deed, about, RequestEvent.BEGIN, spec_hash=spec_hash)
            found = record(deed.connection, about.number)
        if moved:
            raise Refused("ledger.offer-changed", number=found.number, key=found.key)
        return found

    def finish(self, key: str, *, actor: Actor) -> None:
        """All its instances are active. Raises Refused `ledger.unfinished` while one is not."""
        with self._audit.deed(actor) as deed:
            row = _row(deed.connection, key)
            waiting = quota.held_instances(deed.connection, row.number)
            if waiting:
                raise Refused("ledger.unfinished", number=row.number, instances=", ".join(waiting))
            move(deed, itself(row), RequestEvent.FINISH)

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
                    instances.c.role == PRIMARY,  # copies have a lease of their own
                    instances.c.state != InstanceState.PURGED.value,
                )
                .order_by(instances.c.key)
            ).all()
            if left:
                raise Refused("ledger.instances-left", number=row.number, instances=", ".join(left))
            void(deed, itself(row))
            move(deed, itself(row), RequestEvent.FAIL, reason=reason)

    def stick(self, key: str, *, reason: str, actor: Actor) -> None:
        """A human is needed; everything stays held."""
        with self._audit.deed(actor) as deed:
            move(deed, itself(_row(deed.connection, key)), RequestEvent.STICK, reason=reason)

    # -- reading -------------------------------------------------------------------------------
    def get(self, key: str) -> RequestRecord:
        """By key or number. Raises Refused `ledger.no-request`."""
        with self._store.read() as connection:
            return record(connection, _row(connection, key).number)

    def list(
        self, *, opd: str | None = None, state: RequestState | None = None
    ) -> tuple[RequestRecord, ...]:
        """By number, oldest first."""
        query = RECORDS
        if opd is not None:
            query = query.where(requests.c.opd == opd)
        if state is not None:
            query = query.where(requests.c.state == state.value)
        with self._store.read() as connection:
            return tuple(built(row) for row in connection.execute(query))

    def spec(self, number: str, revision: int) -> WorkloadSpec:
        """What a revision says. Raises Refused `ledger.no-revision`."""
        with self._store.read() as connection:
            return spec_of(connection, number, revision)

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
_BY_NUMBER = select(requests).where(requests.c.number == bindparam("key"))
_BY_KEY = select(requests).where(
    requests.c.opd == bindparam("opd"), requests.c.name == bindparam("name")
)
_SINCE = bindparam("since", type_=requests.c.updated_at.type)
_WAITED = Prepared(
    select(requests.c.number)
    .outerjoin(proposals, proposals.c.number == requests.c.number)
    .where(
        ((requests.c.state == RequestState.PENDING.value) & (requests.c.updated_at <= _SINCE))
        | ((proposals.c.state == ProposalState.PENDING.value) & (proposals.c.updated_at <= _SINCE))
    )
    .order_by(requests.c.number)
)


def _find(connection: Connection, key: str) -> Row[tuple[object, ...]] | None:
    opd, slash, name = key.partition("/")
    if slash:
        return connection.execute(_BY_KEY, {"opd": opd, "name": name}).first()
    return connection.execute(_BY_NUMBER, {"key": key}).first()


def _row(connection: Connection, key: str) -> Row[tuple[object, ...]]:
    row = _find(connection, key)
    if row is None:
        raise Refused("ledger.no-request", key=key)
    return row


def write_approval(
    deed: Deed, about: Matter, offer_digest: str, offer_json: str, hold_until: Instant
) -> None:
    """Keep the approval of the revision that was decided on."""
    deed.insert(
        approvals,
        {
            "number": about.number,
            "seq": (about.approvals_before or 0) + 1,
            "revision": about.revision,
            "offer_digest": offer_digest,
            "offer": offer_json,
            "login": deed.actor.login,
            "person": deed.actor.name,
            "role": deed.actor.role,
            "at": deed.now,
            "hold_until": hold_until,
        },
    )
