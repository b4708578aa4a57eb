"""Requests for quota: handed in, decided and taken back like requests for VMs.

Who decides is the site's policy, `approvals.quota` (`rules.approvals.quota_chain`); the decision
that completes the chain writes the grants. An operator with a letter in hand hands the document in
like anybody else: there is no way around the decision.
"""

from dataclasses import dataclass

from cloudpemda.errors import Refused, UsageError
from cloudpemda.ledger import (
    Actor,
    Entry,
    Paper,
    QuotaRecord,
    QuotaState,
    QuotaSubmission,
)
from cloudpemda.request import QuotaSpec, placed
from cloudpemda.rules.approvals import chosen, objecting
from cloudpemda.rules.granting import may_ask_quota, period_of
from cloudpemda.usecases.approve import decider, not_yours, objection, require_revision
from cloudpemda.usecases.chain import ChainView, cast, chain_view, matter_of, require_deciders
from cloudpemda.usecases.decide import require_reason
from cloudpemda.usecases.desk import Desk, require_opd
from cloudpemda.usecases.expiring import expire
from cloudpemda.usecases.quota import QuotaLine, note_limits, quota_lines


@dataclass(frozen=True)
class QuotaView:
    """A request for quota as who decides reads it."""

    record: QuotaRecord
    quota: tuple[QuotaLine, ...]  # of the OPD, now, in the dimensions that are asked for
    history: tuple[Entry, ...]
    chain: ChainView


@dataclass(frozen=True)
class QuotaStanding:
    """A request for quota, and how far the decisions on it are."""

    record: QuotaRecord
    chain: ChainView


def concerns(desk: Desk, key: str) -> bool:
    """Whether the key or number is a request's for quota."""
    return desk.ledger.grants.find(key) is not None


def submit_quota(desk: Desk, spec: QuotaSpec, data: bytes, file: str) -> QuotaSubmission:
    """Take in a document that was read. Raises Refused by role or rule, with its places."""
    actor = desk.act("requester", "operator", opd=spec.opd)
    return hand_in_quota(desk, spec, data, file, actor)


def hand_in_quota(
    desk: Desk, spec: QuotaSpec, data: bytes, file: str, actor: Actor, paper: Paper | None = None
) -> QuotaSubmission:
    """Judge and record a document. Whether the actor may ask for this OPD is the caller's
    question. Raises Refused by rule."""
    verdict = may_ask_quota(spec, desk.site, now=desk.clock.now())
    if not verdict.allowed:
        faults = placed(verdict.faults, data, file)
        raise Refused("request.not-allowed", *faults, key=spec.key, file=file)
    return desk.ledger.grants.submit(spec, data.decode(), actor, paper=paper)


def approve_quota(desk: Desk, key: str, revision: int | None = None) -> QuotaStanding:
    """Record the person's decision for it. The one that completes the chain grants its amounts for
    its days, from then on at the earliest. `revision` is the one that the person has read.

    Raises Refused by role, own request, stage, or rule: it is judged again as the site is now; and
    `ledger.decider-removed` where somebody who decided before has lost the role.
    """
    expire(desk)
    record = desk.ledger.grants.get(key)
    person = decider(desk)
    matter = matter_of(desk, record, None)
    if objecting(person, matter) is None:
        raise not_yours(desk, record, person, matter)
    _require_pending(record, "approve")
    require_revision(record, revision)
    require_deciders(desk, record)
    now = desk.clock.now()
    verdict = may_ask_quota(record.spec, desk.site, now=now)
    if not verdict.allowed:
        raise Refused("request.not-allowed", *verdict.faults, key=record.key, file=record.number)
    mandate = chosen(person, matter)
    if mandate is None:
        raise not_yours(desk, record, person, matter)
    actor, ballot = cast(desk, record, matter, mandate)
    note_limits(desk, actor)
    period = period_of(record.spec, desk.site.zone, now)
    fresh = desk.ledger.grants.approve(
        record.number, spec_hash=record.spec.spec_hash, period=period, actor=actor, ballot=ballot
    )
    return _standing(desk, fresh)


def _require_pending(record: QuotaRecord, event: str) -> None:
    if not record.pending:
        values = {"state": record.state.value, "event": event}
        raise Refused("ledger.transition", subject=record.number, **values)


def deny_quota(desk: Desk, key: str, reason: str) -> QuotaRecord:
    """Decide against it, in any stage. Raises Refused by role, or without a proper reason."""
    expire(desk)
    record = desk.ledger.grants.get(key)
    actor, ballot = objection(desk, record)
    _require_pending(record, "deny")
    require_reason(record.number, reason)
    desk.ledger.grants.deny(
        record.number, spec_hash=record.spec.spec_hash, reason=reason, actor=actor, ballot=ballot
    )
    return desk.ledger.grants.get(record.number)


def withdraw_quota(desk: Desk, key: str, reason: str | None) -> QuotaRecord:
    """Take it back: before its decision, or what it granted, which needs a reason.

    For the OPD's requesters, operators and Diskominfo's approvers. What is in use stays.
    """
    record = desk.ledger.grants.get(key)
    actor = desk.act("requester", "operator", "approver", opd=record.opd)
    if reason is not None or record.state is QuotaState.GRANTED:
        require_reason(record.number, reason or "")
    if record.state is QuotaState.GRANTED:
        desk.ledger.grants.end(record.number, reason=reason or "", actor=actor)
    else:
        desk.ledger.grants.withdraw(record.number, actor=actor, reason=reason)
    return desk.ledger.grants.get(record.number)


def quota_view(desk: Desk, key: str) -> QuotaView:
    """One request for quota. Raises Refused `desk.scope` for another OPD than the person sees."""
    scope = desk.scope()
    record = desk.ledger.grants.get(key)
    scope.require(record.opd)
    known = record.opd in desk.site.opds
    lines = quota_lines(desk, record.opd) if known else ()
    return QuotaView(
        record=record,
        quota=tuple(line for line in lines if line.dimension in record.spec.amounts),
        history=desk.ledger.audit.log(subject=record.number),
        chain=chain_view(desk, record, record.spec.spec_hash),
    )


def quota_requests(
    desk: Desk, *, opd: str | None = None, state: str | None = None
) -> tuple[QuotaStanding, ...]:
    """The requests for quota that the person may see, by number, each with its chain.

    Raises Refused `desk.scope` for another OPD, UsageError `look.state` for a state that does not
    exist.
    """
    scope = desk.scope()
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    try:
        wanted = QuotaState(state) if state else None
    except ValueError as error:
        known = ", ".join(one.value for one in QuotaState)
        raise UsageError("look.state", state=state, known=known) from error
    found = desk.ledger.grants.list(opd=opd, state=wanted)
    return tuple(_standing(desk, record) for record in found if scope.covers(record.opd))


def _standing(desk: Desk, record: QuotaRecord) -> QuotaStanding:
    return QuotaStanding(record, chain_view(desk, record, record.spec.spec_hash))
