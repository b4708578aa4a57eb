"""States of VMs to go back to: charged with the judgement, and free with their VM at the latest."""

from datetime import timedelta

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Allowed, InstanceRecord, Ledger
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from tests.ledger.makers import OPERATOR, applying, pools, wanted, workload

USAGE = {"disk.ssd": 100}


def _active(ledger: Ledger) -> InstanceRecord:
    spec = workload()
    applying(ledger, spec)
    first, *_ = ledger.instances.claim(
        spec.key,
        wanted(spec),
        vmid_range=range(10000, 10100),
        pools=pools(),
        taken_vmids={},
        actor=OPERATOR,
    )
    ledger.instances.place(first.uid, node="pve1", storages={}, targets=(), actor=OPERATOR)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    return ledger.instances.active(first.uid, actor=OPERATOR)


def _take(ledger: Ledger, uid: str, name: str, limit: int | None = 250, most: int = 5) -> None:
    allowed = Allowed((Link("dinkes", {"disk.ssd": limit}, frozenset({"dinkes"})),), (80, 95), most)
    ledger.snapshots.begin(
        uid,
        name,
        reason="x",
        until=Instant(ledger.audit.log()[0].at + timedelta(days=1)),
        usage=USAGE,
        allowed=allowed,
        actor=OPERATOR,
    )


def _charged(ledger: Ledger) -> int:
    found = ledger.quota.balances({"dinkes"}).get("disk.ssd")
    return 0 if found is None else found.committed


def test_states_are_charged_within_the_limits_and_go_with_their_vm(ledger: Ledger) -> None:
    vm = _active(ledger)
    before = _charged(ledger)
    _take(ledger, vm.uid, "one", before + 250)
    _take(ledger, vm.uid, "one", before + 250)
    _take(ledger, vm.uid, "two", before + 250)
    assert _charged(ledger) == before + 200
    with pytest.raises(Refused) as refusal:
        _take(ledger, vm.uid, "three", before + 250)
    assert refusal.value.code == "quota.exceeded"
    with pytest.raises(Refused) as refusal:
        _take(ledger, vm.uid, "three", None, most=2)
    assert refusal.value.code == "vm.snapshots-full"
    assert [one.name for one in ledger.snapshots.list(vm.uid)] == ["one", "two"]
    assert ledger.snapshots.end(vm.uid, "one", OPERATOR)
    assert not ledger.snapshots.end(vm.uid, "one", OPERATOR)
    assert _charged(ledger) == before + 100
    ledger.instances.retiring(vm.uid, actor=OPERATOR)
    ledger.instances.release(vm.uid, actor=OPERATOR)
    assert ledger.snapshots.list() == ()
    assert _charged(ledger) == 0
    assert ledger.audit.verify() == ()
