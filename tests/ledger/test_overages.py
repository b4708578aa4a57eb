"""What was grown by hand: charged beside the promise, once, and given back when it has gone."""

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, Ledger, Overgrown
from cloudpemda.rules.quota import Balance
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    approve,
    chain,
    living,
    revised,
    vm,
    workload,
)


def grown(ledger: Ledger, one: InstanceRecord, revision: int = 1, **more: int) -> tuple[str, ...]:
    seen = Overgrown(one.uid, one.key, one.opd, one.number, revision, more)
    return ledger.overages.note([seen], OPERATOR)


def charged(ledger: Ledger) -> dict[str, int]:
    return {name: one.committed for name, one in ledger.quota.balances({"dinkes"}).items()}


@pytest.fixture
def first(ledger: Ledger) -> InstanceRecord:
    living(ledger, workload())
    return ledger.instances.list()[0]


def test_growth_is_charged_beside_the_promise_and_goes_with_it(
    ledger: Ledger, first: InstanceRecord
) -> None:
    before = charged(ledger)
    assert grown(ledger, first, memory=50, vcpu=2) == (first.key,)
    assert charged(ledger) == before | {"memory": before["memory"] + 50, "vcpu": 2}
    assert ledger.quota.of_instance(first.key)["memory"] == Balance(committed=100)
    assert ledger.overages.by_instance() == {first.key: {"memory": 50, "vcpu": 2}}
    assert ledger.overages.by_opd() == {"dinkes": {"memory": 50, "vcpu": 2}}
    assert ledger.overages.by_instance(["bkad"]) == {}
    entries = len(ledger.audit.log())
    assert grown(ledger, first, memory=50, vcpu=2) == ()
    assert len(ledger.audit.log()) == entries, "the same again is no deed"
    assert grown(ledger, first, memory=20) == (first.key,)
    assert charged(ledger)["memory"] == before["memory"] + 20
    assert grown(ledger, first) == (first.key,)
    assert {name: value for name, value in charged(ledger).items() if value} == before
    assert ledger.audit.verify() == ()
    assert ledger.soundness.faults() == ()
    said = [entry.action for entry in ledger.audit.log(subject=first.key)]
    assert said.count("quota.overgrown") == 2
    assert said.count("quota.overgrown-gone") == 1


def test_it_blocks_growth_in_its_dimension(ledger: Ledger, first: InstanceRecord) -> None:
    grown(ledger, first, memory=50)
    other = workload("dinkes", "other")
    ledger.requests.submit(other, "", SITI)
    amounts = {"db-1": {"memory": 100}, "db-2": {"memory": 100}}
    with pytest.raises(Refused) as refusal:
        approve(ledger, other, amounts, chain(memory=449))
    assert refusal.value.code == "quota.exceeded"
    approve(ledger, other, amounts, chain(memory=450))


def test_what_was_judged_by_an_older_revision_changes_nothing(
    ledger: Ledger, first: InstanceRecord
) -> None:
    grown(ledger, first, memory=50)
    assert grown(ledger, first, revision=2, memory=70) == ()
    assert grown(ledger, first, revision=2) == ()
    assert ledger.overages.by_instance()[first.key] == {"memory": 50}


def test_who_changes_is_not_judged_who_leaves_is_and_who_is_gone_is_not_charged(
    ledger: Ledger, first: InstanceRecord
) -> None:
    ledger.instances.changing(first.uid, targets=(), actor=OPERATOR)
    assert grown(ledger, first, memory=50) == ()
    ledger.instances.retiring(first.uid, actor=OPERATOR)
    assert grown(ledger, first, memory=50) == (first.key,)
    assert ledger.overages.by_instance()[first.key] == {"memory": 50}
    ledger.instances.release(first.uid, actor=OPERATOR)
    assert ledger.overages.by_instance() == {}
    assert charged(ledger)["memory"] == 100
    assert ledger.soundness.faults() == ()


def test_the_past_is_told_with_what_was_charged_then(ledger: Ledger, first: InstanceRecord) -> None:
    ledger.requests.submit(revised(workload()), "", SITI)
    grown(ledger, first, memory=50)
    past = ledger.quota.balances({"dinkes"}, at=ledger.audit.log(limit=1)[0].at)
    assert past["memory"].committed == 250


def test_asking_for_what_was_grown_by_hand_takes_no_more(
    ledger: Ledger, first: InstanceRecord
) -> None:
    """The limit is what stands there: the VM may be let keep it, and get nothing beyond."""
    grown(ledger, first, memory=50)
    spec = workload("dinkes", "simrs", vm(memory=9000))
    ledger.requests.submit(spec, "", SITI)
    both = {"instances": 1, "memory": 100}
    limits = chain(instances=2, memory=250)
    with pytest.raises(Refused) as refusal:
        approve(ledger, spec, {"db-1": both | {"memory": 151}, "db-2": both}, limits)
    assert refusal.value.code == "quota.exceeded"
    approve(ledger, spec, {"db-1": both | {"memory": 150}, "db-2": both}, limits)
    assert ledger.quota.of_instance(first.key)["memory"] == Balance(committed=100, held=50)
