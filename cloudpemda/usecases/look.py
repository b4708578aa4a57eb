"""Look: what the ledger says of requests, without changing anything.

Everybody in people.yaml sees what concerns their OPDs.
"""

from dataclasses import dataclass

from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, UsageError
from cloudpemda.ledger import Entry, InstanceRecord, ProposalState, RequestRecord, RequestState
from cloudpemda.plan.offer import Offer
from cloudpemda.request.change import Change, changes
from cloudpemda.rules.quota import Usage
from cloudpemda.usecases.chain import ChainView, chain_view
from cloudpemda.usecases.desk import Desk, require_opd
from cloudpemda.usecases.offer import offer
from cloudpemda.usecases.quota import QuotaLine, Refusal, quota_lines, refusals


@dataclass(frozen=True)
class RequestView:
    """A request as a reviewer reads it."""

    record: RequestRecord
    instances: tuple[InstanceRecord, ...]
    history: tuple[Entry, ...]
    changes: tuple[Change, ...]  # what is asked for, against what it lives by or said before
    against: int | None  # the revision that `changes` are compared with
    held: Usage  # for this request, or for the change to it
    offer: Offer | None
    quota: tuple[QuotaLine, ...]
    refusals: tuple[Refusal, ...]  # by quota, with the numbers of their moment
    faults: tuple[Fault, ...]  # why there is no offer
    code: ExitCode
    chain: ChainView


def requests(
    desk: Desk, *, opd: str | None = None, state: str | None = None
) -> tuple[RequestRecord, ...]:
    """The requests that the person may see, by number.

    `state` finds those whose proposal is in it, too. Raises Refused `desk.scope` for another OPD,
    UsageError `look.state` for a state that does not exist.
    """
    scope = desk.scope()
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    try:
        wanted = RequestState(state) if state else None
    except ValueError as error:
        known = ", ".join(one.value for one in RequestState)
        raise UsageError("look.state", state=state, known=known) from error
    return tuple(
        record
        for record in desk.ledger.requests.list(opd=opd)
        if scope.covers(record.opd) and (wanted is None or wanted in _states(record))
    )


def _states(record: RequestRecord) -> tuple[str, ...]:
    """Where it stands, and where an open proposal for it does."""
    if record.proposal is None or not record.proposal.open:
        return (record.state,)
    return (record.state, record.proposal.state)


def request_view(desk: Desk, key: str, *, offline: bool) -> RequestView:
    """One request; while a decision is awaited, with the offer as it would be made now.

    What a proposal changes of what lives is listed, and of a later revision what it changes of
    the one before.

    Where no offer can be made the view says why, and `code` is that reason's exit code. Raises
    Refused `desk.scope` for a request of another OPD than the person may see.
    """
    scope = desk.scope()
    record = desk.ledger.requests.get(key)
    scope.require(record.opd)
    made: Offer | None = None
    faults: tuple[Fault, ...] = ()
    code = ExitCode.DONE
    if record.pending and not offline:
        try:
            made = offer(desk, record.as_proposed)
        except CloudpemdaError as error:
            faults, code = error.faults, error.exit_code
    against, listed = _changes(desk, record)
    return RequestView(
        record=record,
        changes=listed,
        against=against,
        held=desk.ledger.quota.held_for(record.number),
        instances=desk.ledger.instances.list(workload=record.key),
        history=desk.ledger.audit.log(subject=record.number),
        offer=made,
        quota=quota_lines(desk, record.opd) if record.opd in desk.site.opds else (),
        refusals=refusals(desk, record.number, record.key),
        faults=faults,
        code=code,
        chain=chain_view(desk, record.as_proposed, None if made is None else made.digest),
    )


def _changes(desk: Desk, record: RequestRecord) -> tuple[int | None, tuple[Change, ...]]:
    """What is asked for, against which revision: none where there is nothing to compare."""
    proposal = record.proposal
    if proposal is not None and proposal.state is not ProposalState.APPLIED:
        return record.revision, changes(record.spec, proposal.spec)
    if proposal is not None or record.state is RequestState.ACTIVE or record.revision == 1:
        return None, ()
    before = record.revision - 1
    return before, changes(desk.ledger.requests.spec(record.number, before), record.spec)
