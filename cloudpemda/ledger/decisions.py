"""Decisions of persons on a revision and an offer, stage by stage, until a chain is complete.

They are the same for a request for VMs, the proposal for one that lives, and a request for quota,
whose offer is what it says itself.

A decision counts while it stands for the current revision, the same offer and the same policy;
another offer or policy voids what was decided before. The one that completes the last stage leads
to the approval, in its own transaction. Who may decide in which stage was found before
(`rules.approvals`); what is checked here is what others may have done meanwhile.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Row, bindparam, func, select, true

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Deed, Detail
from cloudpemda.ledger.schema import decisions, requests
from cloudpemda.ledger.store import Store
from cloudpemda.rules.approvals import awaited_stage, within
from cloudpemda.rules.policy import Party
from cloudpemda.rules.quota import Usage, total
from cloudpemda.site.approvals import DayAmount
from cloudpemda.units import Instant

APPROVE, DENY = "approve", "deny"

_OF = select(decisions).where(decisions.c.number == bindparam("of")).order_by(decisions.c.seq)
_COUNT = select(func.count()).select_from(decisions).where(decisions.c.number == bindparam("of"))


class Decided(Protocol):
    """What is decided on."""

    @property
    def number(self) -> str: ...
    @property
    def opd(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def kind(self) -> str:
        """How the audit log calls decisions on it: `request` or `quota`."""

    @property
    def standing(self) -> str:
        """Its state."""

    @property
    def approved(self) -> bool:
        """Whether a chain was completed for it, and it stands so still."""

    @property
    def decisions_before(self) -> int | None:
        """How many it ever had; None: nobody has counted."""


@dataclass(frozen=True, slots=True)
class DayLimit:
    """Up to what an OPD may have been given without a person since a moment (the day's beginning)
    for a rule to give it more; what other rules gave counts too."""

    rule: str
    amount: DayAmount
    since: Instant


@dataclass(frozen=True, slots=True)
class Ballot:
    """In which stage of which chain the actor decides, and by what they may."""

    stage: int  # from 0
    counts: tuple[int, ...]  # how many each stage demands
    policy: str  # the chain in words
    authority: str
    behalf: Actor | None = None  # for whom they stand in, in that one's role
    letter: str | None = None  # of the delegation
    until: Instant | None = None  # the delegation's end, excluded
    automatic: DayLimit | None = None  # decided by a rule
    revision: int | None = None  # the one whose askers the actor is none of; None: any

    @property
    def details(self) -> dict[str, Detail]:
        """For the audit log; nothing for a word that alone decides."""
        if not self.authority:
            return {}
        said: dict[str, Detail] = {"policy": self.policy, "stage": self.stage + 1}
        if self.behalf is not None:
            said |= {"behalf": self.behalf.login, "letter": self.letter}
        if self.automatic is not None:
            said["rule"] = self.automatic.rule
        return said


ALONE = Ballot(stage=0, counts=(1,), policy="-: 1", authority="")
"""The actor's word alone decides."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's word, as it was given."""

    revision: int
    stage: int
    verdict: str  # approve or deny
    policy: str
    offer_digest: str | None
    authority: str
    actor: Actor
    behalf: Actor | None
    letter: str | None
    rule: str | None
    at: Instant
    voided_at: Instant | None

    @property
    def parties(self) -> tuple[Party, ...]:
        """Who is spent by it."""
        people = (self.actor,) if self.behalf is None else (self.actor, self.behalf)
        return tuple(Party(one.login, None, one.name) for one in people)

    def counts_for(self, revision: int, offer_digest: str | None, policy: str) -> bool:
        """Whether it stands for this; `offer_digest` None is any offer."""
        return (
            self.voided_at is None
            and self.verdict == APPROVE
            and (self.revision, self.policy) == (revision, policy)
            and offer_digest in (None, self.offer_digest)
        )


class DecisionBook:
    """The decisions, to read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, number: str) -> tuple[Decision, ...]:
        """All decisions on a request, oldest first, voided ones included."""
        with self._store.read() as connection:
            return tuple(_built(row) for row in connection.execute(_OF, {"of": number}))


def take(deed: Deed, about: Decided, offer_digest: str, ballot: Ballot, wanted: Usage) -> bool:
    """Record the actor's decision for the offer; whether the chain is complete by it.

    `wanted` is what the offer takes beyond the present charge. One that does not complete the
    chain is a deed by itself; so is one in a stage that others completed meanwhile, which changes
    nothing. Raises Refused: `ledger.mandate-ended`, `ledger.revision-moved`,
    `ledger.decided-already`, `ledger.stage-moved`, or `ledger.day-spent` where a rule has given
    the OPD its amount.
    """
    _require_mandate(deed, about, ballot)
    live = _live(deed, about)
    given = _given(live, about, offer_digest, ballot)
    if len(given) < len(live):
        _void_others(deed, about, offer_digest, ballot)
    if _spent(deed, ballot, given):
        raise Refused("ledger.decided-already", number=about.number, login=deed.actor.login)
    awaited = awaited_stage(ballot.counts, (one.stage for one in given))
    if awaited is None or ballot.stage > awaited:
        raise Refused("ledger.stage-moved", number=about.number)
    if ballot.automatic is not None:
        _require_amount(deed, about, ballot.automatic, wanted)
    _write(deed, about, APPROVE, offer_digest, ballot, wanted)
    reached = [*(one.stage for one in given), ballot.stage]
    complete = awaited_stage(ballot.counts, reached) is None
    if not complete:
        _say(deed, about, "decide", offer_digest, ballot)
    return complete


def concur(deed: Deed, about: Decided, offer_digest: str, ballot: Ballot) -> bool:
    """Record who decided for an offer at the same time as the one who completed its approval.

    False, and nothing recorded, where it is not approved, the approval is of something else or
    theirs already, or somebody decides alone.
    """
    if ballot is ALONE or not about.approved:
        return False
    given = _given(_live(deed, about), about, offer_digest, ballot)
    if not given or _spent(deed, ballot, given):
        return False
    _require_mandate(deed, about, ballot)
    _write(deed, about, APPROVE, offer_digest, ballot, {})
    _say(deed, about, "concur", offer_digest, ballot)
    return True


def refuse(deed: Deed, about: Decided, ballot: Ballot) -> None:
    """Record the actor's decision against the revision; what was decided for it is void.

    Raises Refused `ledger.mandate-ended`, `ledger.revision-moved`.
    """
    _require_mandate(deed, about, ballot)
    void_all(deed, about)
    _write(deed, about, DENY, None, ballot, {})


def void_all(deed: Deed, about: Decided) -> None:
    """End all live decisions on the revision."""
    _void_others(deed, about, None, ALONE)


def _void_others(deed: Deed, about: Decided, offer_digest: str | None, ballot: Ballot) -> None:
    """End the live decisions on the revision but those for this offer and policy; None: all."""
    same = (decisions.c.offer_digest == offer_digest) & (decisions.c.policy == ballot.policy)
    others = (
        (decisions.c.number == about.number)
        & (decisions.c.revision == about.revision)
        & decisions.c.voided_at.is_(None)
        & (true() if offer_digest is None else same.is_not(True))
    )
    deed.update(decisions, others, voided_at=deed.now)


def _live(deed: Deed, about: Decided) -> list[Decision]:
    """What stands on the revision, denials included."""
    if about.decisions_before == 0:
        return []
    everything = (_built(row) for row in deed.connection.execute(_OF, {"of": about.number}))
    return [one for one in everything if one.revision == about.revision and not one.voided_at]


def _given(
    live: Sequence[Decision], about: Decided, offer_digest: str, ballot: Ballot
) -> list[Decision]:
    return [one for one in live if one.counts_for(about.revision, offer_digest, ballot.policy)]


def _spent(deed: Deed, ballot: Ballot, given: Sequence[Decision]) -> bool:
    """Whether the actor, or whoever they stand in for, is in one of these decisions."""
    spent = [party for one in given for party in one.parties]
    people = (deed.actor,) if ballot.behalf is None else (deed.actor, ballot.behalf)
    return any(Party(one.login, None, one.name).is_one_of(*spent) for one in people)


def _require_mandate(deed: Deed, about: Decided, ballot: Ballot) -> None:
    if ballot.until is not None and deed.now >= ballot.until:
        raise Refused("ledger.mandate-ended", number=about.number, login=deed.actor.login)
    # The same content may have been asked for anew meanwhile, by whoever decides.
    if ballot.revision not in (None, about.revision):
        raise Refused("ledger.revision-moved", number=about.number, revision=about.revision)


def _require_amount(deed: Deed, about: Decided, limit: DayLimit, wanted: Usage) -> None:
    """What was given today counts even where it was given back, and whichever rule gave it: the
    day has one amount, and renaming a rule begins no new one."""
    rows = deed.connection.scalars(
        select(decisions.c.takes)
        .join(requests, requests.c.number == decisions.c.number)
        .where(
            requests.c.opd == about.opd,
            decisions.c.rule.is_not(None),
            decisions.c.at >= limit.since,
        )
    )
    if not within(limit.amount, total(json.loads(takes) for takes in rows), wanted):
        raise Refused("ledger.day-spent", number=about.number, opd=about.opd, rule=limit.rule)


def _say(deed: Deed, about: Decided, action: str, offer_digest: str, ballot: Ballot) -> None:
    deed.record(
        f"{about.kind}.{action}",
        about.opd,
        about.number,
        key=about.key,
        revision=about.revision,
        state=about.standing,
        offer_digest=offer_digest,
        **ballot.details,
    )


def note(deed: Deed, about: Decided, offer_digest: str, ballot: Ballot, wanted: Usage) -> None:
    """Record the actor's decision for an offer that nobody else decides on."""
    _require_mandate(deed, about, ballot)
    _write(deed, about, APPROVE, offer_digest, ballot, wanted)


def _write(
    deed: Deed,
    about: Decided,
    verdict: str,
    offer_digest: str | None,
    ballot: Ballot,
    wanted: Usage,
) -> None:
    earlier = about.decisions_before
    if earlier is None:
        earlier = deed.connection.scalar(_COUNT, {"of": about.number})
    behalf = ballot.behalf
    deed.insert(
        decisions,
        {
            "number": about.number,
            "seq": (earlier or 0) + 1,
            "revision": about.revision,
            "stage": ballot.stage,
            "verdict": verdict,
            "policy": ballot.policy,
            "offer_digest": offer_digest,
            "authority": ballot.authority,
            "login": deed.actor.login,
            "person": deed.actor.name,
            "role": deed.actor.role,
            "behalf_login": None if behalf is None else behalf.login,
            "behalf_person": None if behalf is None else behalf.name,
            "letter": ballot.letter,
            "rule": None if ballot.automatic is None else ballot.automatic.rule,
            "takes": json.dumps(dict(wanted), sort_keys=True),
            "at": deed.now,
        },
    )


def _built(row: Row[tuple[object, ...]]) -> Decision:
    behalf = None
    if row.behalf_login is not None:
        behalf = Actor(row.behalf_login, row.behalf_person, row.role)
    return Decision(
        revision=row.revision,
        stage=row.stage,
        verdict=row.verdict,
        policy=row.policy,
        offer_digest=row.offer_digest,
        authority=row.authority,
        actor=Actor(row.login, row.person, row.role),
        behalf=behalf,
        letter=row.letter,
        rule=row.rule,
        at=row.at,
        voided_at=row.voided_at,
    )
