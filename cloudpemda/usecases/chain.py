"""Chain: how far a request's decisions are, who gave them, and who is awaited by name."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC

from cloudpemda.errors import Refused
from cloudpemda.ledger import (
    SYSTEM,
    Actor,
    Ballot,
    Decision,
    QuotaRecord,
    RequestRecord,
    RequestState,
)
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.approvals import (
    Chain,
    Given,
    Mandate,
    Matter,
    awaited,
    awaited_stage,
    chain_for,
    mandates,
    named,
    quota_chain,
)
from cloudpemda.rules.policy import Party
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk

_DECIDING = frozenset({"diskominfo", "executive"})


@dataclass(frozen=True)
class StageView:
    """One stage, and the decisions that count in it."""

    who: tuple[str, ...]
    of: int
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class ChainView:
    """The decisions on a request as they stand."""

    rule: str | None  # None: its service class says who decides, or of quota the default
    stages: tuple[StageView, ...]
    awaited: tuple[str, ...]  # names with logins; empty where nothing is to be decided
    earlier: tuple[Decision, ...]  # what counts no more, and denials
    waits: bool = False  # for a decision; nobody awaited then means that nobody can decide

    @property
    def decided(self) -> int:
        return sum(min(len(stage.decisions), stage.of) for stage in self.stages)

    @property
    def demanded(self) -> int:
        return sum(stage.of for stage in self.stages)


def chain_view(
    desk: Desk, record: RequestRecord | QuotaRecord, offer_digest: str | None
) -> ChainView:
    """The chain that a request is under. Where no offer is known (`offer_digest` None) decisions
    on any offer are shown as counting; `approve` compares them."""
    chain = chain_over(desk, record)
    everything = desk.ledger.decisions.of(record.number)
    if _is_complete(record):
        return _complete(everything, record.revision, chain)
    given = tuple(
        one for one in everything if one.counts_for(record.revision, offer_digest, chain.words)
    )
    people: tuple[str, ...] = ()
    if record.pending:
        people = tuple(named([one]) for one in awaited(matter_of(desk, record, offer_digest)))
    earlier = _earlier(everything, given, record.revision)
    return ChainView(chain.rule, _stages(chain, given), people, earlier, record.pending)


def chain_over(desk: Desk, record: RequestRecord | QuotaRecord) -> Chain:
    """The chain of the site's files as they are now."""
    if isinstance(record, QuotaRecord):
        return quota_chain(record.spec, desk.site)
    return chain_for(record.spec, desk.site)


def _is_complete(record: RequestRecord | QuotaRecord) -> bool:
    if isinstance(record, QuotaRecord):
        return record.decided
    return record.approval is not None


def _earlier(
    everything: Collection[Decision], given: Collection[Decision], revision: int
) -> tuple[Decision, ...]:
    """What counts no more, and denials; not what a workload lives by while a change is decided."""
    return tuple(
        one
        for one in everything
        if one not in given and (one.revision == revision or one.voided_at is not None)
    )


def _complete(everything: Collection[Decision], revision: int, chain: Chain) -> ChainView:
    """The decisions of a live approval, under the policy of their day."""
    given = tuple(one for one in everything if one.counts_for(revision, None, one.policy))
    earlier = _earlier(everything, given, revision)
    if not given:  # granted before decisions on quota were kept: the log says by whom
        return ChainView(None, (), (), earlier)
    if all(one.policy == chain.words for one in given):
        return ChainView(chain.rule, _stages(chain, given), (), earlier)
    rule = given[0].policy.partition(":")[0].removeprefix("-") or None
    stages = []
    for number in sorted({one.stage for one in given}):
        those = tuple(one for one in given if one.stage == number)
        who = tuple(sorted({one.authority for one in those} - {""}))
        stages.append(StageView(who, len(those), those))
    return ChainView(rule, tuple(stages), (), earlier)


def _stages(chain: Chain, given: Collection[Decision]) -> tuple[StageView, ...]:
    return tuple(
        StageView(stage.who, stage.of, tuple(one for one in given if one.stage == index))
        for index, stage in enumerate(chain.stages)
    )


def matter_of(desk: Desk, record: RequestRecord | QuotaRecord, offer_digest: str | None) -> Matter:
    """What is decided on now, under the chain of the site's files as they are now."""
    chain = chain_over(desk, record)
    given = tuple(
        Given(one.stage, one.parties)
        for one in desk.ledger.decisions.of(record.number)
        if one.counts_for(record.revision, offer_digest, chain.words)
    )
    stage = awaited_stage(chain.counts, (one.stage for one in given))
    return Matter(
        spec=record.spec,
        submitted_by=_submitters(desk, record),
        chain=chain,
        given=given,
        stage=len(chain.stages) - 1 if stage is None else stage,
        site=desk.site,
        at=desk.clock.now(),
    )


def cast(
    desk: Desk, record: RequestRecord | QuotaRecord, matter: Matter, mandate: Mandate
) -> tuple[Actor, Ballot]:
    """The mandate in the ledger's words, for the revision that it was found for."""
    return ballot(desk, record.revision, matter, mandate)


def ballot(desk: Desk, revision: int, matter: Matter, mandate: Mandate) -> tuple[Actor, Ballot]:
    """The same for a revision that is only written with the decision on it."""
    chain = matter.chain
    person, principal, delegation = mandate.person, mandate.principal, mandate.delegation
    actor = Actor(person.login, person.name, mandate.role)
    behalf = letter = until = None
    if principal is not None and delegation is not None:
        behalf = Actor(principal.login, principal.name, mandate.role)
        letter = f"{delegation.letter.number} ({delegation.letter.date}, {delegation.as_})"
        until = Instant(delegation.until.replace(tzinfo=desk.site.zone).astimezone(UTC))
    given = Ballot(
        stage=matter.stage,
        counts=chain.counts,
        policy=chain.words,
        authority=mandate.authority,
        behalf=behalf,
        letter=letter,
        until=until,
        revision=revision,
    )
    return actor, given


def decide_alone(desk: Desk, spec: WorkloadSpec, refusal: str) -> tuple[Actor, Ballot]:
    """The decision of the person at the desk on what stands there already: whoever may decide in
    the last stage of the chain that a request for it would have, for Diskominfo or the leadership.

    Raises Refused `refusal` for anybody else, and for the one who is named as its requester;
    `desk.unknown-person`.
    """
    person = desk.person
    if person is None:
        raise Refused("desk.unknown-person", login=desk.login)
    chain = chain_for(spec, desk.site)
    last = len(chain.stages) - 1
    who = _DECIDING & {*chain.stages[last].who, "executive"}
    asker = Party(None, spec.requester.nip, spec.requester.name)

    def fits(mandate: Mandate) -> bool:
        own = any(party.is_one_of(asker) for party in mandate.parties)
        return mandate.authority in who and not own

    held = mandates(person, spec.opd, desk.site, desk.clock.now())
    mandate = next((one for one in held if fits(one)), None)
    if mandate is None:
        raise Refused(refusal, login=person.login, who="|".join(sorted(who)))
    matter = Matter(spec, (), chain, (), last, desk.site, desk.clock.now())
    return ballot(desk, 1, matter, mandate)


def removed_approvers(desk: Desk, record: RequestRecord | QuotaRecord) -> tuple[str, ...]:
    """Who of those who approved a request has, by the site's files as they are now, not had the
    role by which they decided, at the moment when they did.

    A delegation that ran out since was good when it was used; one that is gone from the files is
    not. Rules decide without a person, and are not asked.
    """
    if desk.site.info.approvals.removed_approver == "keep":
        return ()
    people = {person.login: person for person in desk.site.people}
    found = []
    for one in desk.ledger.decisions.of(record.number):
        if not one.counts_for(record.revision, None, one.policy) or one.rule is not None:
            continue
        person = people.get(one.actor.login)
        held = () if person is None else mandates(person, record.opd, desk.site, one.at)
        if not any(_is_of(mandate, one) for mandate in held):
            found.append(f"{one.actor.name} ({one.actor.login})")
    return tuple(found)


def require_deciders(desk: Desk, record: RequestRecord | QuotaRecord) -> None:
    """Raises Refused `ledger.decider-removed`, with the decisions void, where somebody who gave one
    on what waits still has lost the role since: no chain is completed upon it, and nothing held.
    Whoever has another login since would count twice."""
    removed = removed_approvers(desk, record)
    if removed:
        book = desk.ledger.grants if isinstance(record, QuotaRecord) else desk.ledger.requests
        book.void(record.key, spec_hash=record.spec.spec_hash, reason="approver", actor=SYSTEM)
        values = {"key": record.key, "number": record.number}
        raise Refused("ledger.decider-removed", who=", ".join(removed), **values)


def require_approvers(desk: Desk, record: RequestRecord) -> None:
    """Raises Refused `plan.approver-removed` for an approval that is not applied yet, of a request
    or of a change to what lives, and that somebody gave who has lost the role."""
    waits = record.state is RequestState.APPROVED or record.change_approved
    removed = removed_approvers(desk, record.as_proposed) if waits else ()
    if removed:
        raise Refused("plan.approver-removed", key=record.key, who=", ".join(removed))


def _is_of(mandate: Mandate, decision: Decision) -> bool:
    """Whether a decision was made by this; ledgers of the first release know the role alone."""
    behalf = None if decision.behalf is None else decision.behalf.login
    principal = None if mandate.principal is None else mandate.principal.login
    return (
        mandate.role == decision.actor.role
        and decision.authority in ("", mandate.authority)
        and principal == behalf
    )


def _submitters(desk: Desk, record: RequestRecord | QuotaRecord) -> tuple[Party, ...]:
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
