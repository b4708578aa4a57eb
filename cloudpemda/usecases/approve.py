"""Approve: a named person decides for one revision and one offer, and the hold is taken."""

from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import Actor, RequestRecord
from cloudpemda.plan.offer import Offer
from cloudpemda.rules.policy import Party, deciding_role, may_ask, may_decide
from cloudpemda.rules.quota import chain_of
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.offer import offer
from cloudpemda.usecases.workload import Workload


@dataclass(frozen=True)
class Approved:
    """The decision with what it was decided on, and what comes near a limit by it."""

    record: RequestRecord
    offer: Offer
    warnings: tuple[Fault, ...]


def approve(desk: Desk, key: str) -> Approved:
    """Check everything again, make the offer afresh, and take the hold in one transaction.

    Of a workload that lives the open proposal is decided on, and only what grows is held.

    Raises Refused: by role, own request, policy, `offer.no-place`, or quota with a fault for each
    exceeded dimension; Unreachable where the clusters cannot be read. Nothing is held then.
    """
    record = desk.ledger.requests.get(key).as_proposed
    actor = deciding_actor(desk, record)
    now = desk.clock.now()
    verdict = may_ask(record.spec, desk.site, now=now, others=_other_vms(desk, record))
    if not verdict.allowed:
        raise Refused("request.not-allowed", *verdict.faults, key=record.key, file=record.number)
    made = offer(desk, record)
    workload = Workload(desk, record, made.cluster)
    warnings = desk.ledger.requests.approve(
        record.key,
        spec_hash=record.spec_hash,
        offer_digest=made.digest,
        offer_json=made.to_json(),
        amounts=workload.usage,
        chain=chain_of(record.opd, desk.site.opds, desk.site.effective_quota),
        warn_at=desk.site.info.defaults.warn_at,
        actor=actor,
        hold_until=Instant(now + timedelta(seconds=desk.site.info.defaults.hold)),
    )
    return Approved(desk.ledger.requests.get(record.key), made, warnings)


def deciding_actor(desk: Desk, record: RequestRecord) -> Actor:
    """The person as decider on this request. Raises Refused where they may not decide."""
    if desk.person is None:
        raise Refused("desk.unknown-person", login=desk.login)
    service_class = desk.site.catalogue.service_classes.get(record.spec.service_class)
    verdict = may_decide(
        desk.person,
        record.spec,
        submitted_by=_submitters(desk, record),
        service_class=service_class,
    )
    if not verdict.allowed:
        raise Refused("request.not-yours", *verdict.faults, key=record.key, login=desk.login)
    role = deciding_role(desk.person, record.opd, service_class)
    assert role is not None  # noqa: S101 - `may_decide` has a fault for it
    return Actor(desk.person.login, desk.person.name, role)


def _submitters(desk: Desk, record: RequestRecord) -> tuple[Party, ...]:
    """Who handed the revision in: as recorded then, and as people.yaml has the login now."""
    actor = record.submitted_by
    return (
        Party(actor.login, None, actor.name),
        *(
            Party(one.login, one.nip, one.name)
            for one in desk.site.people
            if one.login == actor.login
        ),
    )


def _other_vms(desk: Desk, record: RequestRecord) -> int:
    return sum(one.number != record.number for one in desk.ledger.instances.list(opd=record.opd))
