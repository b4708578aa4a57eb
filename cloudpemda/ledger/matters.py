"""What a decision is about: a request that was never made, or the proposal for one that lives.

A workload that lives goes on living by the revision that was applied. A changed document becomes
its proposal: a later revision with a life of its own (`states.PROPOSAL`), beside the request and
not in its place. There is one proposal per request; handed in anew it takes the next revision.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, bindparam, func, select

from cloudpemda.errors import Refused
from cloudpemda.ledger import quota
from cloudpemda.ledger.audit import NOTHING, Deed, Detail, Details
from cloudpemda.ledger.prepared import Prepared
from cloudpemda.ledger.schema import (
    approvals,
    decisions,
    moment_text,
    proposals,
    requests,
    revisions,
)
from cloudpemda.ledger.states import (
    PROPOSAL,
    REQUEST,
    ProposalEvent,
    ProposalState,
    RequestEvent,
    RequestState,
    after,
)
from cloudpemda.request.spec import WorkloadSpec, from_canonical_json
from cloudpemda.units import Instant

# Made once: a decision is taken under the write lock, and building costs more than executing.
_PROPOSAL = select(proposals.c.revision, proposals.c.state).where(
    proposals.c.number == bindparam("of")
)
_SPEC_HASH = select(revisions.c.spec_hash).where(
    revisions.c.number == bindparam("of"), revisions.c.revision == bindparam("revision")
)

_OVERDUE = (
    select(approvals.c.number)
    .join(requests, requests.c.number == approvals.c.number)
    .outerjoin(proposals, proposals.c.number == approvals.c.number)
    .where(
        approvals.c.voided_at.is_(None),
        approvals.c.hold_until <= bindparam("now", type_=approvals.c.hold_until.type),
        (
            (approvals.c.revision == requests.c.revision)
            & (requests.c.state == RequestState.APPROVED.value)
        )
        | (
            (approvals.c.revision == proposals.c.revision)
            & (proposals.c.state == ProposalState.APPROVED.value)
        ),
    )
)
OVERDUE = Prepared(_OVERDUE.order_by(approvals.c.hold_until, approvals.c.number))
"""Whose hold has run out at `now`, and was not ended yet."""

_DOCKET = (
    select(
        requests.c.number,
        requests.c.opd,
        requests.c.name,
        requests.c.state,
        requests.c.revision,
        proposals.c.revision.label("proposed"),
        proposals.c.state.label("proposal"),
        revisions.c.spec_hash,
        *(
            select(func.count())
            .select_from(table)
            .where(table.c.number == requests.c.number)
            .correlate(requests)
            .scalar_subquery()
            .label(name)
            for name, table in (("approvals_before", approvals), ("decisions_before", decisions))
        ),
        _OVERDUE.correlate(None).exists().label("overdue"),
    )
    .outerjoin(proposals, proposals.c.number == requests.c.number)
    .outerjoin(
        revisions,
        (revisions.c.number == requests.c.number)
        & (revisions.c.revision == func.coalesce(proposals.c.revision, requests.c.revision)),
    )
)
_DOCKET_BY_NUMBER = Prepared(_DOCKET.where(requests.c.number == bindparam("of")))
_DOCKET_BY_KEY = Prepared(
    _DOCKET.where(requests.c.opd == bindparam("opd"), requests.c.name == bindparam("name"))
)


@dataclass(frozen=True, slots=True)
class Matter:
    """One request as far as it is decided on. `proposal` None: the request itself."""

    number: str
    opd: str
    name: str
    state: RequestState
    applied: int  # the request's own revision
    revision: int  # the one that a decision is about
    proposal: ProposalState | None
    spec_hash: str | None = None  # of that revision; this and what follows by `docket` alone
    approvals_before: int | None = None  # that it ever had
    decisions_before: int | None = None
    overdue: bool = False  # whether holds, of whomever, have run out that were not ended

    @property
    def key(self) -> str:
        return f"{self.opd}/{self.name}"

    @property
    def kind(self) -> str:
        """How the audit log calls decisions on it."""
        return "request"

    @property
    def standing(self) -> str:
        """The state of what is decided on."""
        return (self.proposal or self.state).value

    @property
    def approved(self) -> bool:
        return self.state is RequestState.APPROVED or self.proposal is ProposalState.APPROVED

    def next(self, event: RequestEvent) -> RequestState | ProposalState:
        """Where `event` leads. Raises Refused `ledger.transition`."""
        if self.proposal is None:
            return after(REQUEST, self.state, event, self.number)
        return after(PROPOSAL, self.proposal, ProposalEvent(event.value), self.number)


def itself(row: Row[tuple[object, ...]]) -> Matter:
    """The request without its proposal: what is made, finished or taken back."""
    return Matter(
        row.number, row.opd, row.name, RequestState(row.state), row.revision, row.revision, None
    )


def matter(connection: Connection, row: Row[tuple[object, ...]]) -> Matter:
    """What is to be decided about the request of this row."""
    found = connection.execute(_PROPOSAL, {"of": row.number}).first()
    alone = itself(row)
    if found is None:
        return alone
    return replace(alone, revision=found.revision, proposal=ProposalState(found.state))


def docket(connection: Connection, key: str, now: Instant) -> Matter:
    """The same by key or number, with what a decision at `now` asks of it, in one look.

    Raises Refused `ledger.no-request`.
    """
    opd, slash, name = key.partition("/")
    at = moment_text(now)
    if slash:
        row = _DOCKET_BY_KEY.row(connection, {"opd": opd, "name": name, "now": at})
    else:
        row = _DOCKET_BY_NUMBER.row(connection, {"of": key, "now": at})
    if row is None:
        raise Refused("ledger.no-request", key=key)
    number, opd, name, state, applied, proposed, proposal, spec_hash, approved, decided, over = row
    return Matter(
        number,
        opd,
        name,
        RequestState(state),
        applied,
        applied if proposal is None else proposed,
        None if proposal is None else ProposalState(proposal),
        spec_hash,
        approvals_before=approved,
        decisions_before=decided,
        overdue=bool(over),
    )


def move(
    deed: Deed,
    about: Matter,
    event: RequestEvent,
    *,
    reason: str | None = None,
    revision: int | None = None,
    more: Details = NOTHING,
    **details: Detail,
) -> RequestState | ProposalState:
    """Take what is decided on through its table, and say so in the audit log.

    Raises Refused `ledger.transition`.
    """
    state = about.next(event)
    kept = about.revision if revision is None else revision
    table, kind = (requests, "request") if about.proposal is None else (proposals, "proposal")
    deed.change(
        table,
        about.number,
        state=state.value,
        revision=kept,
        reason=reason,
        updated_at=deed.now,
    )
    said = more if reason is None else {**more, "reason": reason}
    deed.record(
        f"{kind}.{event.value}",
        about.opd,
        about.number,
        key=about.key,
        revision=kept,
        state=state.value,
        **said,
        **details,
    )
    return state


def propose(deed: Deed, about: Matter, revision: int, spec_hash: str) -> ProposalState:
    """Make a written revision the proposal; what was held for the former one returns."""
    if about.proposal is None:
        deed.insert(
            proposals,
            {
                "number": about.number,
                "revision": revision,
                "state": ProposalState.PENDING.value,
                "updated_at": deed.now,
            },
        )
        about = replace(about, revision=revision, proposal=ProposalState.PENDING)
    elif about.proposal is not ProposalState.APPLIED:  # that approval is what it lives by
        void(deed, about)
    reached = move(deed, about, RequestEvent.REVISE, revision=revision, spec_hash=spec_hash)
    return ProposalState(reached)


def void(deed: Deed, about: Matter) -> None:
    """End the live decisions and the approval of what is decided on, and return what is held
    under it."""
    for table in (approvals, decisions):
        live = (
            (table.c.number == about.number)
            & (table.c.revision == about.revision)
            & table.c.voided_at.is_(None)
        )
        deed.update(table, live, voided_at=deed.now)
    quota.release_holds(deed, about.opd, about.number)


def write_revision(deed: Deed, number: str, spec: WorkloadSpec, source_text: str) -> int:
    """Keep a document as the request's next revision; answers with its number, from 1."""
    newest = deed.connection.scalar(
        select(func.max(revisions.c.revision)).where(revisions.c.number == number)
    )
    revision: int = (newest or 0) + 1
    deed.insert(
        revisions,
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
    return revision


def spec_of(connection: Connection, number: str, revision: int) -> WorkloadSpec:
    """What a revision says. Raises Refused `ledger.no-revision`."""
    text = connection.scalar(
        select(revisions.c.spec).where(
            revisions.c.number == number, revisions.c.revision == revision
        )
    )
    if text is None:
        raise Refused("ledger.no-revision", number=number, revision=revision)
    return from_canonical_json(text)


def require_hash(connection: Connection, number: str, revision: int, spec_hash: str) -> None:
    """Raises Refused `ledger.revision-moved` where the revision says something else."""
    found = connection.scalar(_SPEC_HASH, {"of": number, "revision": revision})
    if found != spec_hash:
        raise Refused("ledger.revision-moved", number=number, revision=revision)
