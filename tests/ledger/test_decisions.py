"""Decisions stage by stage: what counts, what is void, and what two at once lead to."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Actor, Ballot, DayLimit, Ledger, QuotaState, RequestState
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.granting import Period
from cloudpemda.rules.quota import Balance
from cloudpemda.site.approvals import DayAmount
from cloudpemda.units import Instant
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    START,
    ManualClock,
    chain,
    open_at,
    revised,
    workload,
)
from tests.ledger.test_grants import more

HEAD = Actor("head", "Kepala Dinas", "approver")
DEWI = Actor("dewi", "Dewi Lestari", "reviewer")
HENDRA = Actor("hendra", "Hendra Gunawan", "approver")
AGUS = Actor("agus", "Agus Permana", "approver")
TWO = {"db-1": {"instances": 1, "memory": 100}, "db-2": {"instances": 1, "memory": 100}}


def at(stage: int, *counts: int, **more: object) -> Ballot:
    return replace(Ballot(stage, counts or (1, 2), "r: a, b", "executive"), **more)  # type: ignore[arg-type]


def decide(
    ledger: Ledger,
    spec: WorkloadSpec,
    actor: Actor,
    ballot: Ballot,
    *,
    offer: str = "offer-1",
    memory: int = 1000,
) -> RequestState:
    ledger.requests.approve(
        spec.key,
        spec_hash=spec.spec_hash,
        offer_digest=offer,
        offer_json='{"cluster":"dc"}',
        amounts=TWO,
        chain=chain(memory=memory, instances=None),
        warn_at=(80,),
        actor=actor,
        hold_until=Instant(START + timedelta(days=14)),
        ballot=ballot,
    )
    return ledger.requests.get(spec.key).state


@pytest.fixture
def spec(ledger: Ledger) -> WorkloadSpec:
    made = workload()
    ledger.requests.submit(made, "", SITI)
    return made


def refused(code: str, work: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refusal:
        work()
    assert refusal.value.code == code


def live(ledger: Ledger, spec: WorkloadSpec) -> list[str]:
    number = ledger.requests.get(spec.key).number
    return [one.actor.login for one in ledger.decisions.of(number) if one.voided_at is None]


def held(ledger: Ledger) -> int:
    return ledger.quota.balances({"dinkes"}).get("memory", Balance()).held


def actions(ledger: Ledger) -> list[str]:
    return [entry.action for entry in ledger.audit.log()]


def test_only_the_last_decision_takes_the_hold(ledger: Ledger, spec: WorkloadSpec) -> None:
    assert decide(ledger, spec, HEAD, at(0)) is RequestState.PENDING
    assert decide(ledger, spec, HENDRA, at(1)) is RequestState.PENDING
    assert held(ledger) == 0
    assert decide(ledger, spec, AGUS, at(1)) is RequestState.APPROVED
    assert held(ledger) == 200
    assert live(ledger, spec) == ["head", "hendra", "agus"]
    assert actions(ledger)[-3:] == ["request.decide", "request.decide", "request.approve"]
    assert ledger.audit.verify() == ()


def test_nobody_decides_twice(ledger: Ledger, spec: WorkloadSpec) -> None:
    """Neither in another stage, nor under another login with the same name, nor on behalf of
    somebody who decided, nor for somebody whose stand-in did."""
    decide(ledger, spec, HEAD, at(0))
    for actor, ballot in (
        (HEAD, at(1)),
        (replace(HENDRA, name="KEPALA  dinas"), at(1)),
        (HENDRA, at(1, behalf=HEAD, letter="800/1")),
    ):
        refused("ledger.decided-already", lambda a=actor, b=ballot: decide(ledger, spec, a, b))  # type: ignore[misc]
    decide(ledger, spec, HENDRA, at(1, behalf=AGUS, letter="800/1"))
    refused("ledger.decided-already", lambda: decide(ledger, spec, AGUS, at(1)))
    assert live(ledger, spec) == ["head", "hendra"]
    assert held(ledger) == 0


def test_a_later_stage_waits_for_the_earlier_one(ledger: Ledger, spec: WorkloadSpec) -> None:
    refused("ledger.stage-moved", lambda: decide(ledger, spec, HENDRA, at(1)))
    assert live(ledger, spec) == []


def test_two_at_once_make_one_transition_and_both_are_recorded(
    ledger: Ledger, spec: WorkloadSpec
) -> None:
    """Both read the request as pending; the second finds it approved."""
    decide(ledger, spec, HENDRA, at(0, 1))
    assert decide(ledger, spec, AGUS, at(0, 1)) is RequestState.APPROVED
    assert live(ledger, spec) == ["hendra", "agus"]
    assert held(ledger) == 200
    assert actions(ledger).count("request.approve") == 1
    assert actions(ledger)[-1] == "request.concur"
    refused("ledger.transition", lambda: decide(ledger, spec, AGUS, at(0, 1)))


def test_two_at_once_in_an_earlier_stage_are_both_recorded(
    ledger: Ledger, spec: WorkloadSpec
) -> None:
    decide(ledger, spec, HEAD, at(0))
    assert decide(ledger, spec, DEWI, at(0)) is RequestState.PENDING
    decide(ledger, spec, HENDRA, at(1))
    assert held(ledger) == 0
    assert decide(ledger, spec, AGUS, at(1)) is RequestState.APPROVED


@pytest.mark.parametrize("change", ["offer", "policy"])
def test_another_offer_or_policy_between_stages_voids_what_was_decided(
    ledger: Ledger, spec: WorkloadSpec, change: str
) -> None:
    decide(ledger, spec, HEAD, at(0))
    again = at(0, policy="r: a, b, c") if change == "policy" else at(0)
    offer = "offer-2" if change == "offer" else "offer-1"
    refused(
        "ledger.stage-moved",
        lambda: decide(ledger, spec, HENDRA, replace(again, stage=1), offer=offer),
    )
    assert live(ledger, spec) == ["head"]  # a refusal changes nothing
    decide(ledger, spec, AGUS, again, offer=offer)
    assert live(ledger, spec) == ["agus"]
    refused("ledger.stage-moved", lambda: decide(ledger, spec, HENDRA, at(1)))  # the former one


def test_the_offer_that_was_decided_on_last_is_approved_and_no_other(
    ledger: Ledger, spec: WorkloadSpec
) -> None:
    def begin(offer: str) -> RequestState:
        return ledger.requests.begin(
            spec.key, spec_hash=spec.spec_hash, offer_digest=offer, actor=OPERATOR
        ).state

    def all_decide(offer: str) -> None:
        decide(ledger, spec, HEAD, at(0), offer=offer)
        decide(ledger, spec, HENDRA, at(1), offer=offer)
        assert decide(ledger, spec, AGUS, at(1), offer=offer) is RequestState.APPROVED

    decide(ledger, spec, HEAD, at(0))
    all_decide("offer-2")
    refused("ledger.offer-changed", lambda: begin("offer-1"))
    assert (live(ledger, spec), held(ledger)) == ([], 0)
    all_decide("offer-2")
    assert begin("offer-2") is RequestState.APPLYING


def test_an_edit_voids_what_was_decided(ledger: Ledger, spec: WorkloadSpec) -> None:
    decide(ledger, spec, HEAD, at(0))
    edited = revised(spec)
    ledger.requests.submit(edited, "", SITI)
    assert live(ledger, spec) == []
    refused("ledger.revision-moved", lambda: decide(ledger, spec, HENDRA, at(1)))
    refused("ledger.stage-moved", lambda: decide(ledger, edited, HENDRA, at(1)))


def test_a_voided_approval_is_decided_from_the_first_stage(
    ledger: Ledger, spec: WorkloadSpec
) -> None:
    for actor, ballot in ((HEAD, at(0)), (HENDRA, at(1)), (AGUS, at(1))):
        decide(ledger, spec, actor, ballot)
    ledger.requests.void(spec.key, spec_hash=spec.spec_hash, reason="approver", actor=OPERATOR)
    assert ledger.requests.get(spec.key).state is RequestState.PENDING
    assert held(ledger) == 0
    assert live(ledger, spec) == []
    decide(ledger, spec, HEAD, at(0))


def test_decisions_are_void_before_the_chain_is_complete(
    ledger: Ledger, spec: WorkloadSpec
) -> None:
    decide(ledger, spec, HEAD, at(0))
    decide(ledger, spec, HENDRA, at(1))
    ledger.requests.void(spec.key, spec_hash=spec.spec_hash, reason="approver", actor=OPERATOR)
    assert ledger.requests.get(spec.key).state is RequestState.PENDING
    assert live(ledger, spec) == []
    refused("ledger.stage-moved", lambda: decide(ledger, spec, AGUS, at(1)))


def test_a_denial_ends_the_chain_at_any_stage(ledger: Ledger, spec: WorkloadSpec) -> None:
    decide(ledger, spec, HEAD, at(0))
    ledger.requests.deny(
        spec.key, spec_hash=spec.spec_hash, reason="tidak perlu", actor=HEAD, ballot=at(1)
    )
    record = ledger.requests.get(spec.key)
    assert (record.state, record.reason) == (RequestState.DENIED, "tidak perlu")
    assert [one.verdict for one in ledger.decisions.of(record.number)] == ["approve", "deny"]
    refused("ledger.transition", lambda: decide(ledger, spec, HENDRA, at(1)))


@pytest.mark.parametrize("quota", [False, True])
def test_the_entry_of_a_denial_names_all_that_it_wrote(ledger: Ledger, quota: bool) -> None:
    spec, asked = workload(), more()
    if quota:
        number = ledger.grants.submit(asked, "", SITI).number
        grant_of(ledger, HEAD, at(0))
        ledger.grants.deny(
            number, spec_hash=asked.spec_hash, reason="penuh", actor=HENDRA, ballot=at(1)
        )
    else:
        number = ledger.requests.submit(spec, "", SITI).number
        decide(ledger, spec, HEAD, at(0))
        ledger.requests.deny(
            number, spec_hash=spec.spec_hash, reason="penuh", actor=HENDRA, ballot=at(1)
        )
    entry = ledger.audit.log()[-1]
    assert entry.action == ("quota.deny" if quota else "request.deny")
    assert {f"decisions:{number}/1", f"decisions:{number}/2"} < set(entry.bound)


def test_a_delegation_that_has_ended_decides_nothing(
    ledger: Ledger, spec: WorkloadSpec, clock: ManualClock
) -> None:
    """It was looked up before its last second; the offer took longer."""
    ballot = at(0, 1, behalf=HENDRA, letter="800/1", until=Instant(START + timedelta(seconds=60)))
    clock.sleep(60)
    acting = replace(DEWI, role="approver")
    refused("ledger.mandate-ended", lambda: decide(ledger, spec, acting, ballot))
    clock.sleep(-1)
    decide(ledger, spec, acting, ballot)
    (one,) = ledger.decisions.of("R-2026-0001")
    assert (one.behalf, one.letter) == (HENDRA, "800/1")
    (entry,) = ledger.audit.log(action="request.approve")
    assert (entry.actor.behalf, entry.details["letter"]) == ("hendra", "800/1")


def test_each_stage_asks_quota_again(ledger: Ledger, spec: WorkloadSpec) -> None:
    refused("quota.exceeded", lambda: decide(ledger, spec, HEAD, at(0), memory=199))
    assert live(ledger, spec) == []


def test_a_rule_gives_its_amount_once_a_day(ledger: Ledger, clock: ManualClock) -> None:
    """What was given back counts all the same, and what another rule gave; tomorrow is another
    day."""
    amount = DayAmount.model_validate(
        {"instances": 5, "vcpu": 0, "memory": "400 MiB", "disk": "1 MiB"}, by_alias=True
    )

    def by_rule(name: str, since: Instant, rule: str = "small") -> RequestState:
        spec = workload(name=name)
        ledger.requests.submit(spec, "", SITI)
        limit = DayLimit(rule, amount, since)
        ballot = Ballot(0, (1,), f"{rule}: automatic", "rule", automatic=limit)
        return decide(ledger, spec, replace(SITI, login="system"), ballot)

    assert by_rule("a", START) is RequestState.APPROVED
    assert by_rule("b", START) is RequestState.APPROVED
    ledger.requests.withdraw("dinkes/a", actor=SITI)
    refused("ledger.day-spent", lambda: by_rule("c", START))
    refused("ledger.day-spent", lambda: by_rule("e", START, "trial"))
    assert ledger.requests.get("dinkes/c").state is RequestState.PENDING
    clock.sleep(86400)
    assert by_rule("d", Instant(START + timedelta(days=1))) is RequestState.APPROVED
    assert [one.rule for one in ledger.decisions.of("R-2026-0002")] == ["small"]


def test_a_request_waits_for_decisions_for_a_time(
    ledger: Ledger, spec: WorkloadSpec, clock: ManualClock
) -> None:
    """What was decided so far goes with it; asked for anew it waits anew."""
    decide(ledger, spec, HEAD, at(0))
    assert ledger.requests.expire_pending(Instant(START - timedelta(microseconds=1))) == ()
    assert ledger.requests.expire_pending(START) == ("R-2026-0001",)
    assert ledger.requests.get(spec.key).state is RequestState.EXPIRED
    assert live(ledger, spec) == []
    clock.sleep(60)
    ledger.requests.submit(spec, "", SITI)
    assert ledger.requests.expire_pending(START) == ()
    assert ledger.requests.get(spec.key).state is RequestState.PENDING


def test_ten_at_once_take_one_hold_and_are_all_recorded(
    ledger: Ledger, spec: WorkloadSpec, tmp_path: Path
) -> None:
    """Each with a ledger of their own, all having read the request as pending."""
    people = [Actor(f"p{number}", f"Person {number}", "approver") for number in range(10)]

    def one(actor: Actor) -> RequestState:
        with open_at(tmp_path, ManualClock()) as own:
            return decide(own, spec, actor, at(0, 3))

    with ThreadPoolExecutor(len(people)) as pool:
        states = list(pool.map(one, people))
    assert states.count(RequestState.PENDING) <= 2
    assert held(ledger) == 200
    assert sorted(live(ledger, spec)) == [actor.login for actor in people]
    done = actions(ledger)
    assert [done.count(f"request.{name}") for name in ("decide", "approve", "concur")] == [2, 1, 7]
    assert ledger.audit.verify() == ()


def grant_of(ledger: Ledger, actor: Actor, ballot: Ballot) -> QuotaState:
    spec = more()
    period = Period(START, None)
    ledger.grants.approve(
        spec.key, spec_hash=spec.spec_hash, period=period, actor=actor, ballot=ballot
    )
    return ledger.grants.get(spec.key).state


def test_a_request_for_quota_is_granted_with_the_last_decision(ledger: Ledger) -> None:
    ledger.grants.submit(more(), "", SITI)
    assert grant_of(ledger, HEAD, at(0)) is QuotaState.PENDING
    refused("ledger.decided-already", lambda: grant_of(ledger, HEAD, at(1)))
    refused("ledger.stage-moved", lambda: grant_of(ledger, AGUS, at(2, 1, 1, 1)))
    assert grant_of(ledger, HENDRA, at(1)) is QuotaState.PENDING
    assert ledger.grants.get("dinkes/tambahan").grants == ()
    assert grant_of(ledger, AGUS, at(1)) is QuotaState.GRANTED
    (given,) = ledger.grants.get("dinkes/tambahan").grants
    assert (given.actor, given.amount) == (AGUS, 50)
    assert actions(ledger)[-3:] == ["quota.decide", "quota.decide", "quota.grant"]
    assert ledger.audit.verify() == ()


def test_two_who_grant_at_once_make_one_grant_and_are_both_recorded(ledger: Ledger) -> None:
    ledger.grants.submit(more(), "", SITI)
    one = at(0, 1)
    with ThreadPoolExecutor(2) as pool:
        reached = pool.map(lambda actor: grant_of(ledger, actor, one), (HENDRA, AGUS))
    assert set(reached) == {QuotaState.GRANTED}
    record = ledger.grants.get("dinkes/tambahan")
    assert len(record.grants) == 1
    given = ledger.decisions.of(record.number)
    assert {decision.actor for decision in given} == {HENDRA, AGUS}
    assert actions(ledger)[-2:] == ["quota.grant", "quota.concur"]
    assert ledger.audit.verify() == ()


def test_quota_that_waits_too_long_expires_with_its_decisions(
    ledger: Ledger, clock: ManualClock
) -> None:
    ledger.grants.submit(more(), "", SITI)
    grant_of(ledger, HEAD, at(0))
    clock.sleep(60)
    assert ledger.grants.expire_pending(Instant(clock.now() - timedelta(seconds=61))) == ()
    assert ledger.grants.expire_pending(Instant(clock.now() - timedelta(seconds=60))) == (
        "Q-2026-0001",
    )
    assert ledger.grants.get("dinkes/tambahan").state is QuotaState.EXPIRED
    assert all(one.voided_at for one in ledger.decisions.of("Q-2026-0001"))
    again = ledger.grants.submit(more(), "", SITI)
    assert (again.revision, again.changed) == (2, True)
    assert grant_of(ledger, HEAD, at(0)) is QuotaState.PENDING
