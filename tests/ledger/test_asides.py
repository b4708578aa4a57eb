"""Disks that a change sets aside: charged as before while they rest, each by itself."""

from dataclasses import replace

from cloudpemda.ledger import InstanceRecord, LeavingVolume, Ledger, Why
from cloudpemda.rules.quota import Balance
from cloudpemda.units import MiB
from tests.ledger.makers import OPERATOR, SITI, approve, living, workload
from tests.ledger.test_changes import (
    APPLIED,
    DB,
    LIMITS,
    ROOT,
    begin,
    made,
    members,
    memory,
)

BARE = workload("dinkes", "simrs", replace(DB, disks=(ROOT,)))
VOLUME = "zfs:vm-101-disk-1"
# memory stands for any dimension: the ledger knows no formula
DATA = LeavingVolume(VOLUME, "data", "scsi1", Why.REMOVED, "memory", MiB(20), MiB(40))
LESS = {name: {"instances": 1, "memory": 60} for name in ("db-1", "db-2")}


def without(ledger: Ledger) -> InstanceRecord:
    """The workload without its second disk; that of `db-1` is noted."""
    living(ledger, APPLIED)
    ledger.requests.submit(BARE, "", SITI, allow_retire=True)
    approve(ledger, BARE, LESS, LIMITS)
    begin(ledger, BARE)
    first = members(ledger)["db-1"]
    ledger.asides.note(first.uid, [DATA], OPERATOR)
    ledger.asides.note(first.uid, [replace(DATA, why=Why.MOVED)], OPERATOR)
    made(ledger)
    return first


def rest(ledger: Ledger, one: InstanceRecord) -> object:
    return ledger.changes.settle(
        one.uid, usage=LESS["db-1"], networks=(), detached=[VOLUME], actor=OPERATOR
    )


def test_a_disk_that_goes_keeps_its_slot_and_its_charge(ledger: Ledger) -> None:
    one = without(ledger)
    assert members(ledger)["db-1"].slots == {"root": 0, "data": 1}
    assert memory(ledger) == Balance(committed=200)

    assert rest(ledger, one) == {}, "all of it stays charged"

    assert memory(ledger) == Balance(committed=200)
    (aside,) = ledger.asides.list(workload=APPLIED.key)
    assert (aside.why, aside.since is not None) == (Why.REMOVED, True)
    charges = ledger.quota.by_instance({"dinkes"})
    assert charges[aside.charged_as] == {"memory": Balance(committed=40)}
    assert charges[one.key]["memory"] == Balance(committed=60)

    ledger.asides.gone(aside, OPERATOR)
    ledger.asides.gone(aside, OPERATOR)

    assert memory(ledger) == Balance(committed=160)
    assert members(ledger)["db-1"].slots == {"root": 0}
    assert ledger.asides.list() == ()
    assert ledger.soundness.faults() == ()


def test_never_more_is_charged_than_the_vm_was(ledger: Ledger) -> None:
    one = without(ledger)
    ledger.changes.settle(
        one.uid, usage={"memory": 90}, networks=(), detached=[VOLUME], actor=OPERATOR
    )
    assert memory(ledger) == Balance(committed=200)
    (aside,) = ledger.asides.list()
    assert ledger.quota.of_instance(aside.charged_as) == {"memory": Balance(committed=10)}


def test_put_back_it_is_charged_with_its_vm_alone(ledger: Ledger) -> None:
    one = without(ledger)
    rest(ledger, one)
    (aside,) = ledger.asides.list(uids=[one.uid])
    ledger.asides.back(aside, OPERATOR)
    assert memory(ledger) == Balance(committed=160)
    assert members(ledger)["db-1"].slots == {"root": 0, "data": 1}


def test_it_goes_with_its_vm(ledger: Ledger) -> None:
    one = without(ledger)
    rest(ledger, one)
    ledger.instances.retiring(one.uid, actor=OPERATOR)
    ledger.instances.release(one.uid, actor=OPERATOR)
    assert memory(ledger) == Balance(committed=100)
    assert ledger.asides.list() == ()
    assert ledger.soundness.faults() == ()
