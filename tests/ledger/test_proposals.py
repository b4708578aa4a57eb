"""A changed document for a workload that lives: a proposal beside what was applied."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger, ProposalState, RequestState
from cloudpemda.request.spec import DiskSpec, WorkloadSpec
from cloudpemda.rules.quota import Balance
from cloudpemda.units import Instant, MiB
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    START,
    ManualClock,
    approve,
    begin_and_finish,
    chain,
    living,
    open_at,
    revised,
    vm,
    workload,
)

APPLIED = workload("dinkes", "simrs", vm("db", 2))
LARGER = workload("dinkes", "simrs", vm("db", 2, memory=16384))
MORE = {"db-1": {"instances": 1, "memory": 160}, "db-2": {"instances": 1, "memory": 160}}
LIMITS = chain(instances=None, memory=1000)


def memory(ledger: Ledger) -> Balance:
    return ledger.quota.balances({"dinkes"})["memory"]


def test_what_lives_goes_on_as_it_was_applied(ledger: Ledger) -> None:
    before = living(ledger, APPLIED)

    handed_in = ledger.requests.submit(LARGER, "larger", SITI)

    assert (handed_in.revision, handed_in.changed) == (2, True)
    assert (handed_in.state, handed_in.proposal) == (RequestState.ACTIVE, ProposalState.PENDING)
    record = ledger.requests.get(APPLIED.key)
    assert replace(record, proposal=None) == before
    assert record.proposal is not None
    assert (record.proposal.spec, record.proposal.submitted_by) == (LARGER, SITI)
    assert record.as_proposed.spec == LARGER
    assert (before.pending, record.pending) == (False, True)
    assert ledger.requests.source(APPLIED.key) == "applied"
    assert ledger.requests.source(APPLIED.key, 2) == "larger"
    assert memory(ledger) == Balance(committed=200)


def test_only_what_grows_is_held(ledger: Ledger) -> None:
    living(ledger, APPLIED, {"instances": 1, "memory": 100, "vcpu": 4})
    ledger.requests.submit(LARGER, "", SITI)
    less = {
        "db-1": {"instances": 1, "memory": 160, "vcpu": 2},
        "db-2": {"instances": 1, "memory": 90, "vcpu": 4},
        "db-3": {"instances": 1, "memory": 5},
    }

    approve(ledger, LARGER, less, chain(instances=None, memory=None, vcpu=0))

    found = ledger.quota.balances({"dinkes"})
    assert found["memory"] == Balance(committed=200, held=65)
    assert found["vcpu"] == Balance(committed=8)  # over the limit, and nothing grows
    assert found["instances"] == Balance(committed=2, held=1)
    record = ledger.requests.get(APPLIED.key)
    assert record.change_approved
    assert record.approval is not None
    assert (record.approval.revision, record.as_proposed.approval) != (2, None)
    assert ledger.soundness.faults() == ()


def test_growth_over_a_limit_is_refused_and_the_proposal_waits_on(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)

    with pytest.raises(Refused) as refusal:
        approve(ledger, LARGER, MORE, chain(instances=0, memory=319))

    assert [fault.code for fault in refusal.value.faults[1:]] == ["quota.memory"]
    assert refusal.value.faults[1].values["needed"] == 120
    assert ledger.requests.get(APPLIED.key).pending
    assert memory(ledger) == Balance(committed=200)


def test_an_edit_voids_the_approval_and_returns_its_hold_alone(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)
    assert memory(ledger) == Balance(committed=200, held=120)

    edited = ledger.requests.submit(revised(LARGER), "", SITI)

    assert (edited.revision, edited.proposal) == (3, ProposalState.PENDING)
    record = ledger.requests.get(APPLIED.key)
    assert record.proposal is not None
    assert (record.proposal.revision, record.proposal.approval) == (3, None)
    assert record.approval is not None
    assert memory(ledger) == Balance(committed=200)
    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        approve(ledger, LARGER, MORE, LIMITS)


def test_the_same_proposal_twice_is_one(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)

    again = ledger.requests.submit(LARGER, "# a comment more", SITI)

    assert (again.revision, again.changed, again.proposal) == (2, False, ProposalState.APPROVED)
    assert memory(ledger) == Balance(committed=200, held=120)


def test_what_was_applied_handed_in_again_withdraws_the_proposal(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)

    back = ledger.requests.submit(APPLIED, "", SITI)

    assert (back.revision, back.changed, back.proposal) == (1, True, ProposalState.WITHDRAWN)
    assert memory(ledger) == Balance(committed=200)
    assert ledger.requests.submit(APPLIED, "", SITI).changed is False
    anew = ledger.requests.submit(LARGER, "", SITI)
    assert (anew.revision, anew.proposal) == (3, ProposalState.PENDING)


def test_a_denied_proposal_is_kept_with_its_reason(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        ledger.requests.deny(
            APPLIED.key, spec_hash=APPLIED.spec_hash, reason="too much", actor=BUDI
        )

    ledger.requests.deny(APPLIED.key, spec_hash=LARGER.spec_hash, reason="too much", actor=BUDI)

    record = ledger.requests.get(APPLIED.key)
    assert record.state is RequestState.ACTIVE
    assert record.as_proposed is record
    assert record.proposal is not None
    assert (record.proposal.state, record.proposal.reason) == (ProposalState.DENIED, "too much")
    assert ledger.requests.submit(LARGER, "", SITI).changed is False
    with pytest.raises(Refused, match=r"ledger\.transition"):
        approve(ledger, LARGER, MORE, LIMITS)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.requests.withdraw(APPLIED.key, actor=SITI)
    assert ledger.requests.submit(revised(LARGER), "", SITI).revision == 3


def test_an_approved_proposal_is_withdrawn_with_its_hold(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)

    ledger.requests.withdraw(APPLIED.key, actor=SITI)

    record = ledger.requests.get(APPLIED.key)
    assert record.state is RequestState.ACTIVE
    assert record.proposal is not None
    assert record.proposal.state is ProposalState.WITHDRAWN
    assert memory(ledger) == Balance(committed=200)


def test_a_hold_of_a_proposal_expires_and_that_of_what_lives_does_not(
    ledger: Ledger, clock: ManualClock
) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    until = Instant(START + timedelta(days=30))
    approve(ledger, LARGER, MORE, LIMITS, hold_until=until)

    assert ledger.requests.expire_holds(Instant(until - timedelta(microseconds=1))) == ()
    assert ledger.requests.expire_holds(until) == ("R-2026-0001",)

    record = ledger.requests.get(APPLIED.key)
    assert (record.state, record.change_approved) == (RequestState.ACTIVE, False)
    assert record.approval is not None
    assert memory(ledger) == Balance(committed=200)
    assert ledger.requests.expire_holds(Instant(until + timedelta(days=900))) == ()


def test_a_change_that_nobody_decides_expires_and_what_lives_goes_on(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    assert ledger.requests.expire_pending(Instant(START - timedelta(microseconds=1))) == ()
    assert ledger.requests.expire_pending(START) == ("R-2026-0001",)
    record = ledger.requests.get(APPLIED.key)
    assert record.proposal is not None
    assert (record.state, record.proposal.state) == (RequestState.ACTIVE, ProposalState.EXPIRED)
    assert ledger.audit.log()[-1].action == "proposal.expire"
    assert memory(ledger) == Balance(committed=200)
    assert ledger.requests.submit(LARGER, "", SITI).proposal is ProposalState.PENDING


def test_a_change_whose_approval_is_void_waits_again_and_holds_nothing(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)
    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        ledger.requests.void(
            APPLIED.key, spec_hash=APPLIED.spec_hash, reason="approver", actor=OPERATOR
        )
    ledger.requests.void(APPLIED.key, spec_hash=LARGER.spec_hash, reason="approver", actor=OPERATOR)
    record = ledger.requests.get(APPLIED.key)
    assert (record.state, record.pending) == (RequestState.ACTIVE, True)
    assert record.approval is not None
    assert memory(ledger) == Balance(committed=200)
    ledger.requests.withdraw(APPLIED.key, actor=SITI)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.requests.void(
            APPLIED.key, spec_hash=LARGER.spec_hash, reason="approver", actor=OPERATOR
        )


def test_repairing_what_lives_does_not_use_what_is_held_for_its_change(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)
    (first, *_) = ledger.instances.list(workload=APPLIED.key)

    ledger.requests.begin(
        APPLIED.key, spec_hash=APPLIED.spec_hash, offer_digest="other", actor=OPERATOR
    )
    ledger.instances.active(first.uid, actor=OPERATOR)
    ledger.instances.stuck(first.uid, error="node gone", actor=OPERATOR)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)

    assert memory(ledger) == Balance(committed=200, held=120)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (workload("dinkes", "simrs", vm("db", 1)), "request.retires"),
        (workload("dinkes", "simrs", vm("web", 2)), "request.retires"),
        (
            workload(
                "dinkes",
                "simrs",
                replace(vm(), disks=(DiskSpec("root", MiB(40959), "ssd", True),)),
            ),
            "request.disk-shrinks",
        ),
        (
            workload("dinkes", "simrs", replace(vm(), image="debian-13")),
            "request.image-changes",
        ),
    ],
)
def test_what_would_lose_data_is_refused(ledger: Ledger, change: WorkloadSpec, code: str) -> None:
    living(ledger, APPLIED)

    with pytest.raises(Refused) as refusal:
        ledger.requests.submit(change, "", SITI)

    assert [fault.code for fault in refusal.value.faults] == ["request.change-refused", code]
    assert ledger.requests.get(APPLIED.key).proposal is None
    if code == "request.retires":
        meant = ledger.requests.submit(change, "", SITI, allow_retire=True)
        assert meant.proposal is ProposalState.PENDING
    else:
        with pytest.raises(Refused):
            ledger.requests.submit(change, "", SITI, allow_retire=True)


def test_before_anything_is_made_a_document_may_say_what_it_likes(ledger: Ledger) -> None:
    ledger.requests.submit(APPLIED, "", SITI)
    assert ledger.requests.submit(workload("dinkes", "simrs", vm("web", 1)), "", SITI).changed


def test_every_deed_on_a_proposal_is_in_the_log(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(LARGER, "", SITI)
    approve(ledger, LARGER, MORE, LIMITS)
    ledger.requests.withdraw(APPLIED.key, actor=SITI)

    entries = [e for e in ledger.audit.log(subject="R-2026-0001") if "proposal" in e.action]
    assert [(e.action, e.actor, e.details["revision"]) for e in entries] == [
        ("proposal.revise", SITI, 2),
        ("proposal.approve", BUDI, 2),
        ("proposal.withdraw", SITI, 2),
    ]
    assert entries[1].details["hold"] == '{"memory": 120}'
    assert ledger.audit.verify() == ()


AMOUNTS = st.fixed_dictionaries({}, optional={name: st.integers(0, 50) for name in "abc"})


@given(
    applied=st.fixed_dictionaries({"db-1": AMOUNTS, "db-2": AMOUNTS}),
    proposals=st.lists(
        st.dictionaries(st.sampled_from(["db-1", "db-2", "db-3"]), AMOUNTS), min_size=1, max_size=3
    ),
)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_hold_is_what_grows_of_each_vm_and_never_less_than_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    applied: Mapping[str, Mapping[str, int]],
    proposals: list[Mapping[str, Mapping[str, int]]],
) -> None:
    unlimited = chain(a=None, b=None, c=None)
    with open_at(tmp_path_factory.mktemp("ledger")) as ledger:
        _live_with(ledger, applied)
        for count, amounts in enumerate(proposals):
            spec = replace(APPLIED, purpose=f"change {count}")
            ledger.requests.submit(spec, "", SITI)
            approve(ledger, spec, amounts, unlimited)
            for member in ("db-1", "db-2", "db-3"):
                found = ledger.quota.of_instance(f"{APPLIED.key}/{member}")
                for name in "abc":
                    used = applied.get(member, {}).get(name, 0)
                    asked = amounts.get(member, {}).get(name, 0)
                    expected = Balance(used, max(0, asked - used))
                    assert found.get(name, Balance()) == expected
        ledger.requests.submit(APPLIED, "", SITI)
        assert all(one.held == 0 for one in ledger.quota.balances({"dinkes"}).values())


def _live_with(ledger: Ledger, amounts: Mapping[str, Mapping[str, int]]) -> None:
    """Make `APPLIED` live, each member charged its own."""
    ledger.requests.submit(APPLIED, "", SITI)
    approve(ledger, APPLIED, amounts, chain(a=None, b=None, c=None))
    begin_and_finish(ledger, APPLIED)
