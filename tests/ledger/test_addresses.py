"""Addresses and VMIDs rest after their release, and what a stranger uses is given to nobody."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, Ledger, Pools, Sighting
from tests.ledger.databases import behind_its_back
from tests.ledger.makers import OPERATOR, ManualClock, applying, network, vm, workload
from tests.ledger.test_instances import claim

DAY = 86400
TIGHT = Pools({"app": network(cidr="10.10.110.0/30", gateway="10.10.110.1")}, None, rest=7 * DAY)


def _claimed(ledger: Ledger, name: str) -> str:
    spec = workload("dinkes", name, vm(count=1))
    applying(ledger, spec)
    (one,) = claim(ledger, spec, where=TIGHT)
    assert [nic.address for nic in one.nics] == ["10.10.110.2"]
    return one.uid


def _lived(ledger: Ledger, uid: str) -> None:
    for deed in (ledger.instances.creating, ledger.instances.active, ledger.instances.retiring):
        deed(uid, actor=OPERATOR)
    ledger.instances.release(uid, actor=OPERATOR)


def test_an_address_that_was_in_use_rests(ledger: Ledger, clock: ManualClock) -> None:
    uid = _claimed(ledger, "one")
    ledger.instances.place(uid, node="pve1", storages={}, targets=(), actor=OPERATOR)
    _lived(ledger, uid)
    (resting,) = ledger.addresses.resting()
    assert (resting.pool, resting.address, resting.key) == ("app", "10.10.110.2", "dinkes/one/db-1")
    assert ledger.addresses.given() == ()
    spec = workload("dinkes", "two", vm(count=1))
    applying(ledger, spec)
    with pytest.raises(Refused, match=r"ledger\.addresses-exhausted"):
        claim(ledger, spec, where=TIGHT)
    clock.sleep(timedelta(days=7).total_seconds())
    (two,) = claim(ledger, spec, where=TIGHT)
    assert [nic.address for nic in two.nics] == ["10.10.110.2"]
    assert [one.key for one in ledger.addresses.given()] == ["dinkes/two/db-1"]


def test_an_address_that_never_was_in_use_is_free_at_once(ledger: Ledger) -> None:
    uid = _claimed(ledger, "one")
    ledger.instances.creating(uid, actor=OPERATOR)
    ledger.instances.failed(uid, error="x", actor=OPERATOR)
    ledger.instances.release(uid, actor=OPERATOR)
    assert ledger.addresses.resting() == ()
    _claimed(ledger, "two")


def test_a_vmid_rests_that_may_have_stood_in_pve(ledger: Ledger, clock: ManualClock) -> None:
    where = Pools({"app": network()}, None, vmid_rest=7 * DAY)

    def claimed(name: str) -> InstanceRecord:
        spec = workload("dinkes", name, vm(count=1))
        applying(ledger, spec)
        (one,) = claim(ledger, spec, where=where)
        return one

    never = claimed("never")
    ledger.instances.release(never.uid, actor=OPERATOR)
    half = claimed("half")
    assert half.vmid == never.vmid, "nothing was begun under it"
    ledger.instances.place(half.uid, node="pve1", storages={}, targets=(), actor=OPERATOR)
    ledger.instances.creating(half.uid, actor=OPERATOR)
    ledger.instances.release(half.uid, actor=OPERATOR)
    assert claimed("soon").vmid == half.vmid + 1, "a task may still be at work under it"
    clock.sleep(7 * DAY)
    assert claimed("later").vmid == half.vmid


def test_what_a_stranger_uses_is_not_given_until_it_is_gone(ledger: Ledger) -> None:
    seen = Sighting("dc", "10.10.110.2", 777, "printer")
    ledger.addresses.note("dc", [seen], OPERATOR)
    assert ledger.addresses.sightings() == (seen,)
    spec = workload("dinkes", "one", vm(count=1))
    applying(ledger, spec)
    with pytest.raises(Refused, match=r"ledger\.addresses-exhausted"):
        claim(ledger, spec, where=TIGHT)
    before = len(ledger.audit.log())
    ledger.addresses.note("dc", [seen], OPERATOR)
    ledger.addresses.note("drc", [], OPERATOR)
    assert len(ledger.audit.log()) == before
    ledger.addresses.note("dc", [], OPERATOR)
    assert claim(ledger, spec, where=TIGHT)[0].nics[0].address == "10.10.110.2"
    assert ledger.audit.verify() == ()


def test_the_tables_hold_one_row_for_an_address(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        uid = _claimed(ledger, name)
        ledger.instances.place(uid, node="pve1", storages={}, targets=(), actor=OPERATOR)
        _lived(ledger, uid)
        clock.sleep(8 * DAY)
    with behind_its_back(tmp_path) as connection:
        assert connection.scalar(text("SELECT count(*) FROM rests")) == 1
    assert [one.key for one in ledger.addresses.resting()] == ["dinkes/two/db-1"]
