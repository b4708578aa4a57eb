"""VMs that were stopped on purpose: noted once, with who and why, in the audit log."""

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Actor, Ledger
from tests.ledger.makers import OPERATOR, applying, pools, wanted, workload

RUDI = Actor("rudi", "Rudi Hartono", "operator")
HENDRA = Actor("hendra", "Hendra", "operator")


def _claimed(ledger: Ledger) -> str:
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
    return first.uid


def test_a_stop_is_noted_once_until_the_vm_may_run(ledger: Ledger) -> None:
    uid = _claimed(ledger)
    first, new = ledger.stops.begin(uid, " Ganti versi ", RUDI)
    assert (first.reason, first.person, new) == ("Ganti versi", RUDI.name, True)
    assert ledger.stops.begin(uid, "lain", HENDRA) == (first, False)
    assert ledger.stops.by_uid() == {uid: first}
    assert ledger.stops.end(uid, HENDRA) == first
    assert ledger.stops.end(uid, HENDRA) is None
    assert ledger.stops.by_uid() == {}
    said = [one.action for one in ledger.audit.log() if one.action.startswith("vm.")]
    assert sorted(said) == ["vm.may-run", "vm.stop"]
    assert ledger.audit.verify() == ()


def test_a_stop_needs_a_reason_and_an_instance(ledger: Ledger) -> None:
    uid = _claimed(ledger)
    with pytest.raises(Refused) as refusal:
        ledger.stops.begin(uid, " ", RUDI)
    assert refusal.value.code == "ledger.reason-missing"
    with pytest.raises(Refused) as refusal:
        ledger.stops.begin("nobody", "x", RUDI)
    assert refusal.value.code == "ledger.no-instance"
    assert ledger.stops.by_uid() == {}
