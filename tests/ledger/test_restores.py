"""Restores of VMs: one at a time, in nobody's way and with nobody in theirs."""

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, InstanceState, Ledger, RestoreOutcome, RestoreRecord
from cloudpemda.ledger.journal import VM_RESTORE
from tests.ledger.makers import OPERATOR, START, applying, pools, wanted, workload

SPEC = workload()


def _active(ledger: Ledger) -> InstanceRecord:
    applying(ledger, SPEC)
    made = ledger.instances.claim(
        SPEC.key, wanted(SPEC), vmid_range=range(10000, 10100), pools=pools(), taken_vmids={},
        actor=OPERATOR,
    )  # fmt: skip
    for one in made:
        ledger.instances.place(one.uid, node="pve1", storages={}, targets=(), actor=OPERATOR)
        ledger.instances.creating(one.uid, actor=OPERATOR)
        ledger.instances.active(one.uid, actor=OPERATOR)
    ledger.requests.finish(SPEC.key, actor=OPERATOR)
    return ledger.instances.get(made[0].uid)


def _begin(
    ledger: Ledger,
    uid: str,
    backup: str = "pbs:one",
    seen: RestoreRecord | None = None,
    **more: object,
) -> RestoreRecord:
    how = {"taken_at": START, "kept": {}, "safety": True, "reason": "x"} | more
    return ledger.restores.begin(uid, seen, backup=backup, actor=OPERATOR, **how)  # type: ignore[arg-type]


def test_what_is_begun_goes_on_and_another_backup_takes_its_place(ledger: Ledger) -> None:
    vm = _active(ledger)
    first = _begin(ledger, vm.uid, kept={"scsi1": "a:disk"})
    assert _begin(ledger, vm.uid, kept={}) == first
    assert ledger.instances.get(vm.uid).state is InstanceState.CHANGING
    ledger.restores.saved(first, "pbs:before", OPERATOR)
    second = _begin(ledger, vm.uid, "pbs:two", first, kept={})
    assert (second.seq, second.saved, second.kept) == (2, "pbs:before", {"scsi1": "a:disk"})
    ledger.restores.end(second, RestoreOutcome.RESTORED, OPERATOR)
    assert ledger.instances.get(vm.uid).state is InstanceState.ACTIVE
    assert ledger.restores.open() == ()
    outcomes = [one.outcome for one in ledger.restores.list(vm.uid)]
    assert outcomes == [RestoreOutcome.REPLACED, RestoreOutcome.RESTORED]
    assert _begin(ledger, vm.uid, "pbs:two").saved is None
    assert list(ledger.audit.verify()) == []


def test_of_two_who_restore_at_once_none_takes_the_others_place_unseen(ledger: Ledger) -> None:
    vm = _active(ledger)
    first = _begin(ledger, vm.uid)
    with pytest.raises(Refused) as refusal:  # it looked before the first was begun
        _begin(ledger, vm.uid, "pbs:two")
    assert refusal.value.code == "vm.restore-other"
    second = _begin(ledger, vm.uid, "pbs:two", first)
    for late in (lambda: _begin(ledger, vm.uid, first.backup, first), lambda: ledger.restores.end(
        first, RestoreOutcome.RESTORED, OPERATOR
    )):  # fmt: skip
        with pytest.raises(Refused) as refusal:
            late()
        assert refusal.value.code in ("vm.restore-other", "vm.restore-none")
        assert ledger.restores.open() == (second,)
    ledger.restores.end(second, RestoreOutcome.RESTORED, OPERATOR)
    with pytest.raises(Refused) as refusal:  # what it saw was half restored; now it is whole
        _begin(ledger, vm.uid, "pbs:two", second)
    assert refusal.value.code == "vm.restore-other"
    assert ledger.instances.get(vm.uid).state is InstanceState.ACTIVE


def test_nobody_else_writes_to_what_is_half_restored(ledger: Ledger) -> None:
    vm = _active(ledger)
    begun = _begin(ledger, vm.uid)
    record = ledger.requests.get(SPEC.key)

    def tried(deed: object) -> str:
        with pytest.raises(Refused) as refusal:
            deed()  # type: ignore[operator]
        return refusal.value.code

    deeds = (
        lambda: ledger.journal.open_saga(record.number, "apply"),
        lambda: ledger.journal.open_saga(record.number, "purge"),
        lambda: ledger.retirements.begin(SPEC.key, reason="x", actor=OPERATOR),
        lambda: ledger.requests.begin(
            SPEC.key, spec_hash=record.spec_hash, offer_digest="offer-1", actor=OPERATOR
        ),
    )
    assert {tried(deed) for deed in deeds} == {"vm.restore-unfinished"}
    ledger.journal.open_saga(record.number, VM_RESTORE).step_out()
    ledger.restores.end(begun, RestoreOutcome.LEFT, OPERATOR)
    ledger.retirements.begin(SPEC.key, reason="x", actor=OPERATOR)
    assert tried(lambda: _begin(ledger, vm.uid)) == "vm.state"
    assert tried(lambda: _begin(ledger, vm.uid, reason=" ")) in (
        "ledger.reason-missing",
        "vm.state",
    )
