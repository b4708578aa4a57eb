"""Approve: a named person decides for one revision and one offer; the last one takes the hold."""

from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import Actor, Ballot, QuotaRecord, RequestRecord
from cloudpemda.plan.offer import Offer
from cloudpemda.rules.approvals import Matter, chosen, objecting, refusal
from cloudpemda.rules.policy import may_ask
from cloudpemda.rules.quota import chain_of
from cloudpemda.site.models import Person
from cloudpemda.units import Instant
from cloudpemda.usecases.chain import ChainView, cast, chain_view, matter_of, require_deciders
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.expiring import expire
from cloudpemda.usecases.offer import offer
from cloudpemda.usecases.workload import Workload


@dataclass(frozen=True)
class Approved:
    """The decision with what it was decided on, what comes near a limit by it, and how far the
    chain is: the request is approved once the last stage is complete."""

    record: RequestRecord
    offer: Offer
    warnings: tuple[Fault, ...]
    chain: ChainView
    decided: int  # the revision


def approve(desk: Desk, key: str, revision: int | None = None) -> Approved:
    """Check everything again, make the offer afresh, record the decision, and take the hold where
    it completes the chain, in one transaction.

    Of a workload that lives the open proposal is decided on, and only what grows is held.
    `revision` is the one that the person has read; None: whichever it stands at.

    Raises Refused: by role, own request, stage, policy, `offer.no-place`, quota with a fault for
    each exceeded dimension, or `ledger.decider-removed` where somebody who decided before has lost
    the role; Unreachable where the clusters cannot be read. Nothing is held then.
    """
    expire(desk)
    record = desk.ledger.requests.get(key).as_proposed
    person = decider(desk)
    require_open(desk, record, "approve")
    matter = matter_of(desk, record, None)
    if objecting(person, matter) is None:
        raise not_yours(desk, record, person, matter)
    require_pending(record, "approve")
    require_revision(record, revision)
    require_deciders(desk, record)
    made = checked_offer(desk, record)
    matter = matter_of(desk, record, made.digest)
    mandate = chosen(person, matter)
    if mandate is None:
        raise not_yours(desk, record, person, matter)
    warnings = record_decision(desk, record, made, *cast(desk, record, matter, mandate))
    fresh = desk.ledger.requests.get(record.key)
    chain = chain_view(desk, fresh.as_proposed, made.digest)
    return Approved(fresh, made, warnings, chain, record.revision)


def checked_offer(desk: Desk, record: RequestRecord) -> Offer:
    """The offer as it is now, for a request that is still allowed. Raises Refused."""
    now = desk.clock.now()
    verdict = may_ask(record.spec, desk.site, now=now, others=_other_vms(desk, record))
    if not verdict.allowed:
        raise Refused("request.not-allowed", *verdict.faults, key=record.key, file=record.number)
    return offer(desk, record)


def record_decision(
    desk: Desk, record: RequestRecord, made: Offer, actor: Actor, ballot: Ballot
) -> tuple[Fault, ...]:
    """Put a decision for the offer into the ledger; quota's warnings. Raises Refused."""
    return desk.ledger.requests.approve(
        record.key,
        spec_hash=record.spec_hash,
        offer_digest=made.digest,
        offer_json=made.to_json(),
        amounts=Workload(desk, record, made.cluster).usage,
        chain=chain_of(record.opd, desk.site.opds, desk.site.effective_quota),
        warn_at=desk.site.info.defaults.warn_at,
        actor=actor,
        hold_until=Instant(desk.clock.now() + timedelta(seconds=desk.site.info.defaults.hold)),
        ballot=ballot,
    )


def objection(desk: Desk, record: RequestRecord | QuotaRecord) -> tuple[Actor, Ballot]:
    """The person as somebody who may deny: whoever has a say in any stage. Raises Refused."""
    person = decider(desk)
    matter = matter_of(desk, record, None)
    mandate = objecting(person, matter)
    if mandate is None:
        raise not_yours(desk, record, person, matter)
    return cast(desk, record, matter, mandate)


def decider(desk: Desk) -> Person:
    """Raises Refused `desk.unknown-person`: the timer decides nothing."""
    if desk.person is None:
        raise Refused("desk.unknown-person", login=desk.login)
    return desk.person


def not_yours(
    desk: Desk, record: RequestRecord | QuotaRecord, person: Person, matter: Matter
) -> Refused:
    """Why the person does not decide here."""
    faults = refusal(person, matter).faults
    return Refused("request.not-yours", *faults, key=record.key, login=desk.login)


def require_pending(record: RequestRecord, event: str) -> None:
    """Raises Refused `ledger.transition` where nothing is to be decided, on the request or on a
    change to what lives."""
    if not record.pending:
        proposal = record.proposal
        state = proposal.state if proposal is not None and proposal.open else record.state
        raise Refused("ledger.transition", subject=record.number, state=state.value, event=event)


def require_revision(record: RequestRecord | QuotaRecord, asked: int | None) -> None:
    """Raises Refused `request.other-revision` where it is another than the one that was read."""
    if asked not in (None, record.revision):
        values = {"number": record.number, "revision": record.revision, "asked": asked}
        raise Refused("request.other-revision", **values)


def require_open(desk: Desk, record: RequestRecord, event: str) -> None:
    """Whoever may read the request hears first that nothing waits in it: nobody is awaited then,
    and to name who may decide would only mislead. Raises Refused `ledger.transition`."""
    if desk.scope().covers(record.opd):
        require_pending(record, event)


def _other_vms(desk: Desk, record: RequestRecord) -> int:
    return sum(one.number != record.number for one in desk.ledger.instances.list(opd=record.opd))
