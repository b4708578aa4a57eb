"""Requests for quota: handed in, decided and taken back like requests for VMs.

The decision is Diskominfo's approver's alone; it writes the grants. An operator with a letter in
hand hands the document in like anybody else: there is no way around the decision.
"""

from dataclasses import dataclass

from cloudpemda.errors import Refused, UsageError
from cloudpemda.ledger import Actor, Entry, Paper, QuotaRecord, QuotaState, QuotaSubmission
from cloudpemda.request import QuotaSpec, placed
from cloudpemda.rules.granting import may_ask_quota, may_grant, period_of
from cloudpemda.rules.policy import Party
from cloudpemda.usecases.decide import require_reason
from cloudpemda.usecases.desk import Desk, require_opd
from cloudpemda.usecases.quota import QuotaLine, note_limits, quota_lines


@dataclass(frozen=True)
class QuotaView:
    """A request for quota as who decides reads it."""

    record: QuotaRecord
    quota: tuple[QuotaLine, ...]  # of the OPD, now, in the dimensions that are asked for
    history: tuple[Entry, ...]


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


def approve_quota(desk: Desk, key: str) -> QuotaRecord:
    """Decide for it: its amounts are granted for its days, from now on at the earliest.

    Raises Refused by role, own request, or rule: it is judged again as the site is now.
    """
    record = desk.ledger.grants.get(key)
    actor = _decider(desk, record)
    now = desk.clock.now()
    verdict = may_ask_quota(record.spec, desk.site, now=now)
    if not verdict.allowed:
        raise Refused("request.not-allowed", *verdict.faults, key=record.key, file=record.number)
    note_limits(desk, actor)
    period = period_of(record.spec, desk.site.zone, now)
    return desk.ledger.grants.approve(
        record.number, spec_hash=record.spec.spec_hash, period=period, actor=actor
    )


def deny_quota(desk: Desk, key: str, reason: str) -> QuotaRecord:
    """Decide against it. Raises Refused by role, or without a proper reason."""
    record = desk.ledger.grants.get(key)
    actor = _decider(desk, record)
    require_reason(record.number, reason)
    desk.ledger.grants.deny(
        record.number, spec_hash=record.spec.spec_hash, reason=reason, actor=actor
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
    )


def quota_requests(
    desk: Desk, *, opd: str | None = None, state: str | None = None
) -> tuple[QuotaRecord, ...]:
    """The requests for quota that the person may see, by number.

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
    return tuple(record for record in found if scope.covers(record.opd))


def _decider(desk: Desk, record: QuotaRecord) -> Actor:
    if desk.person is None:
        raise Refused("desk.unknown-person", login=desk.login)
    handed_in = record.submitted_by
    known = [one for one in desk.site.people if one.login == handed_in.login]
    parties = [Party(one.login, one.nip, one.name) for one in known]
    verdict = may_grant(
        desk.person,
        record.spec,
        submitted_by=(Party(handed_in.login, None, handed_in.name), *parties),
    )
    if not verdict.allowed:
        raise Refused("request.not-yours", *verdict.faults, key=record.key, login=desk.login)
    return Actor(desk.person.login, desk.person.name, "approver")
