"""Copies of VMs: charged within the limits, on their own lease, in no document."""

from datetime import timedelta

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Allowed, CopyRecord, Ground, InstanceState, Ledger
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from tests.ledger.makers import OPERATOR, START
from tests.ledger.test_restores import SPEC, _active

USAGE = {"disk.ssd": 100, "instances": 1}


def _copy(
    ledger: Ledger, origin: str, name: str, limit: int = 900, most: int = 2, opd: str = "dinkes"
) -> CopyRecord:
    limits = {"disk.ssd": limit, "instances": None}
    made, _ = ledger.copies.begin(
        origin,
        name,
        backup="pbs:one",
        taken_at=START,
        until=Instant(START + timedelta(days=7)),
        reason="x",
        usage=USAGE,
        allowed=Allowed((Link(opd, limits, frozenset({opd})),), (80, 95), most),
        ground=Ground("pve1", {"scsi0": "local"}, range(10000, 10004), {10002}, 3600),
        actor=OPERATOR,
    )
    return made


def _charged(ledger: Ledger, name: str) -> int:
    found = ledger.quota.balances({"dinkes"}).get(name)
    return 0 if found is None else found.committed


def test_a_copy_is_charged_and_outlives_its_request(ledger: Ledger) -> None:
    vm = _active(ledger)
    before = {name: _charged(ledger, name) for name in USAGE}
    limit = before["disk.ssd"] + 150
    made = _copy(ledger, vm.uid, "one", limit)
    assert _copy(ledger, vm.uid, "one", limit) == made
    assert (made.instance.role, made.instance.vmid) == ("copy", 10003)
    assert made.instance.key == f"{vm.key}@copy:one"
    assert {n: _charged(ledger, n) - before[n] for n in USAGE} == USAGE
    with pytest.raises(Refused) as refusal:
        _copy(ledger, vm.uid, "two", limit)
    assert refusal.value.code == "quota.exceeded"
    with pytest.raises(Refused) as refusal:
        _copy(ledger, vm.uid, "two", 10**6, most=1)
    assert refusal.value.code == "vm.copies-full"
    with pytest.raises(Refused) as refusal:
        _copy(ledger, vm.uid, "two", 10**6)
    assert refusal.value.code == "ledger.vmids-exhausted"
    with pytest.raises(Refused) as refusal:  # it was another OPD's when its limits were read
        _copy(ledger, vm.uid, "two", 10**6, opd="rsud")
    assert refusal.value.code == "vm.moved-on"
    ledger.instances.active(made.instance.uid, actor=OPERATOR)
    assert vm.key in [one.key for one in ledger.instances.list()]
    assert made.instance.key not in [one.key for one in ledger.instances.list()]
    assert made.instance.key in [one.key for one in ledger.instances.list(copies=True)]
    ledger.retirements.begin(SPEC.key, reason="x", actor=OPERATOR)
    assert ledger.instances.get(made.instance.uid).state is InstanceState.ACTIVE
    with pytest.raises(Refused) as refusal:  # while its backup was looked at, its VM was retired
        _copy(ledger, vm.uid, "two", 10**6)
    assert refusal.value.code == "vm.state"
    ledger.instances.retiring(made.instance.uid, actor=OPERATOR)
    ledger.instances.release(made.instance.uid, actor=OPERATOR)
    assert {n: _charged(ledger, n) for n in USAGE} == before
    assert ledger.copies.list() == ()
    assert list(ledger.audit.verify()) == []
