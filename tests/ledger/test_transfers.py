"""A workload changes its OPD: all of it, or nothing, judged by who takes it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import (
    SYSTEM,
    Allowed,
    Ground,
    Ledger,
    Overgrown,
    SagaEvent,
    Takeover,
    Transferred,
)
from cloudpemda.ledger.decisions import ALONE
from cloudpemda.request.spec import Letter, WorkloadSpec
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant, MiB
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    START,
    approve,
    chain,
    living,
    revised,
    workload,
)

LETTER = Letter("800/99/Setda/2026", date(2026, 11, 20))


def become(spec: WorkloadSpec, opd: str, links: tuple[Link, ...], name: str = "") -> Takeover:
    fresh = replace(spec, opd=opd, name=name or spec.name, letter=LETTER)
    return Takeover(fresh, "text", "offer-2", '{"cluster":"dc"}', ALONE, links, (80,), "Perbup 7")


def give(
    ledger: Ledger, key: str, opd: str, links: tuple[Link, ...], name: str = ""
) -> Transferred:
    record = ledger.requests.get(key)
    handover = become(record.spec, opd, links, name)
    return ledger.transfers.transfer(key, record.spec_hash, handover, BUDI)


def used(ledger: Ledger, opd: str) -> dict[str, int]:
    found = ledger.quota.balances({opd})
    return {name: one.charged for name, one in found.items() if one.charged}


def close_saga(ledger: Ledger, number: str) -> None:
    with ledger.journal.open_saga(number, "transfer") as journal:
        assert journal.resumed
        journal.close(SagaEvent.FINISH)


ROOM = chain("dinsos", instances=9, memory=1000, **{"disk.ssd": 500})


def loaded(ledger: Ledger) -> str:
    """A workload with a kept state and growth by hand; its key."""
    key = living(ledger, workload()).key
    first = ledger.instances.list(workload=key)[0]
    allowed = Allowed((Link("dinkes", {"disk.ssd": None}, frozenset({"dinkes"})),), (80,), 3)
    ledger.snapshots.begin(
        first.uid, "before", reason="x", until=Instant(START + timedelta(days=9)),
        usage={"disk.ssd": 40}, allowed=allowed, actor=OPERATOR,
    )  # fmt: skip
    grown = Overgrown(first.uid, first.key, "dinkes", first.number, 1, {"memory": 7})
    ledger.overages.note([grown], SYSTEM)
    return key


def test_all_that_it_has_follows_in_one_deed(ledger: Ledger) -> None:
    key = loaded(ledger)
    before = ledger.instances.list(workload=key)
    assert used(ledger, "dinkes") == {"instances": 2, "memory": 207, "disk.ssd": 40}
    done = give(ledger, key, "dinsos", ROOM, "rs")
    assert (done.former, done.key) == (key, "dinsos/rs")
    assert dict(done.moved) == {"instances": 2, "memory": 207, "disk.ssd": 40}
    assert used(ledger, "dinkes") == {}
    assert used(ledger, "dinsos") == {"instances": 2, "memory": 207, "disk.ssd": 40}

    record = ledger.requests.get("dinsos/rs")
    assert (record.number, record.opd, record.revision) == (done.number, "dinsos", 2)
    assert record.approval is not None
    assert record.approval.offer_digest == "offer-2"
    assert record.spec.letter == LETTER
    after = ledger.instances.list(opd="dinsos")
    assert [one.key for one in after] == ["dinsos/rs/db-1", "dinsos/rs/db-2"]
    kept = ("uid", "vmid", "name", "nics", "state", "active_since")
    for old, new in zip(before, after, strict=True):
        assert [getattr(old, one) for one in kept] == [getattr(new, one) for one in kept]
    assert {one.key for one in ledger.addresses.given()} == {one.key for one in after}
    assert ledger.snapshots.list()[0].subject == "dinsos/rs/db-1@before"
    assert ledger.overages.by_instance() == {"dinsos/rs/db-1": {"memory": 7}}
    assert ledger.instances.list(opd="dinkes") == ()
    with pytest.raises(Refused):
        ledger.requests.get(key)

    for opd, action in (("dinkes", "request.transfer"), ("dinsos", "request.receive")):
        (entry,) = ledger.audit.log(opds=[opd], action=action)
        assert entry.details["letter"] == "800/99/Setda/2026 (2026-11-20)"
        assert entry.details["reason"] == "Perbup 7"
    assert ledger.transfers.given(key, "dinsos") == done.number
    assert ledger.transfers.given(key, "bkad") is None
    assert ledger.audit.verify() == ()
    (open_,) = ledger.journal.unfinished()
    assert (open_.kind, open_.number, open_.owner) == ("transfer", done.number, None)
    close_saga(ledger, done.number)
    assert ledger.soundness.faults() == ()

    # what it costs goes on with it: a state goes, the VM is released
    uid = after[0].uid
    assert ledger.snapshots.end(uid, "before", OPERATOR)
    ledger.instances.retiring(uid, actor=OPERATOR)
    ledger.instances.release(uid, actor=OPERATOR)
    assert used(ledger, "dinsos") == {"instances": 1, "memory": 100}
    assert ledger.audit.verify() == ()


def test_what_a_purged_vm_left_behind_follows_too(ledger: Ledger) -> None:
    key = living(ledger, workload(), {"instances": 1, "disk.ssd": 50}).key
    gone = ledger.instances.list(workload=key)[1]
    ledger.orphans.note(gone.uid, "pve2", {"local-zfs:vm-101-disk-0": ("disk.ssd", MiB(20))}, BUDI)
    ledger.instances.retiring(gone.uid, actor=OPERATOR)
    ledger.instances.release(gone.uid, actor=OPERATOR)
    assert dict(give(ledger, key, "dinsos", ROOM).moved) == {"instances": 1, "disk.ssd": 70}
    (left,) = ledger.orphans.list()
    assert (left.opd, left.key) == ("dinsos", "dinsos/simrs/db-2")
    ledger.orphans.gone(left, OPERATOR)
    assert used(ledger, "dinsos") == {"instances": 1, "disk.ssd": 50}
    assert used(ledger, "dinkes") == {}


def test_it_comes_back_and_its_former_key_is_free(ledger: Ledger) -> None:
    key = living(ledger, workload()).key
    number = give(ledger, key, "dinsos", ROOM).number
    close_saga(ledger, number)
    ledger.requests.submit(workload(), "anew", SITI)
    with pytest.raises(Refused) as refusal:
        give(ledger, "dinsos/simrs", "dinkes", chain(instances=None, memory=None))
    assert refusal.value.code == "ledger.name-taken"
    done = give(ledger, "dinsos/simrs", "dinkes", chain(instances=None, memory=None), "lama")
    assert done.number == number
    assert ledger.transfers.given("dinkes/simrs", "dinsos") is None, "it was given on"
    assert ledger.transfers.given("dinsos/simrs", "dinkes") == number
    assert ledger.requests.get("dinkes/lama").revision == 3
    assert [one.key for one in ledger.instances.list()] == ["dinkes/lama/db-1", "dinkes/lama/db-2"]
    assert used(ledger, "dinkes") == {"instances": 2, "memory": 200}


def test_without_room_nothing_moves_and_the_numbers_are_told(ledger: Ledger) -> None:
    key = loaded(ledger)
    before = [used(ledger, opd) for opd in ("dinkes", "dinsos")]
    with pytest.raises(Refused) as refusal:
        give(ledger, key, "dinsos", chain("dinsos", instances=2, memory=206, **{"disk.ssd": 40}))
    assert refusal.value.code == "quota.exceeded"
    (_, fault) = refusal.value.faults
    assert (fault.code, fault.values["opd"]) == ("quota.memory", "dinsos")
    assert (fault.values["needed"], fault.values["short"]) == (207, 1)
    assert [used(ledger, opd) for opd in ("dinkes", "dinsos")] == before
    assert ledger.requests.get(key).revision == 1
    assert ledger.journal.unfinished() == ()
    assert [entry.opd for entry in ledger.audit.log(action="quota.refuse")] == ["dinsos"]


@pytest.mark.parametrize("scope", [{"dinsos", "dinkes"}, {"dinsos"}])
def test_a_parent_of_both_is_charged_for_it_already(ledger: Ledger, scope: set[str]) -> None:
    key = living(ledger, workload()).key
    setda = Link("setda", {"instances": 2, "memory": 100}, frozenset({"setda", *scope}))
    links = (*ROOM, setda)
    if "dinkes" in scope:
        give(ledger, key, "dinsos", links)
        assert used(ledger, "dinsos") == {"instances": 2, "memory": 200}
    else:
        with pytest.raises(Refused) as refusal:
            give(ledger, key, "dinsos", links)
        assert [one.values["opd"] for one in refusal.value.faults[1:]] == ["setda"]


def test_what_is_decided_on_or_worked_at_stays(ledger: Ledger) -> None:
    spec = workload()
    record = living(ledger, spec)
    ledger.requests.submit(revised(spec), "changed", SITI)
    _refused(ledger, "transfer.changing")
    approve(ledger, revised(spec), {"db-1": {"memory": 150}, "db-2": {"memory": 150}},
            chain(memory=None))  # fmt: skip
    _refused(ledger, "transfer.changing")
    ledger.requests.withdraw(spec.key, actor=SITI)
    with ledger.journal.open_saga(record.number, "adopt") as journal:
        _refused(ledger, "transfer.working")
        journal.close(SagaEvent.FINISH)
    uid = ledger.instances.list()[0].uid
    copy = _copied(ledger, uid)
    ledger.instances.active(copy, actor=OPERATOR)
    _refused(ledger, "transfer.copies")
    ledger.instances.retiring(copy, actor=OPERATOR)
    ledger.instances.release(copy, actor=OPERATOR)
    ledger.instances.stuck(uid, error="x", actor=OPERATOR)
    _refused(ledger, "transfer.instances")
    ledger.instances.retiring(uid, actor=OPERATOR)
    _refused(ledger, "transfer.instances")
    ledger.instances.release(uid, actor=OPERATOR)
    assert give(ledger, spec.key, "dinsos", ROOM).moved == {"instances": 1, "memory": 100}


def _copied(ledger: Ledger, origin: str) -> str:
    """A copy beside a VM; its uid."""
    allowed = Allowed((Link("dinkes", {"memory": None}, frozenset({"dinkes"})),), (80,), 3)
    made, _ = ledger.copies.begin(
        origin, "check", backup="pbs:one", taken_at=START, until=Instant(START + timedelta(days=9)),
        reason="x", usage={"memory": 5}, allowed=allowed,
        ground=Ground("pve1", {"scsi0": "local"}, range(500, 510), set(), 0), actor=OPERATOR,
    )  # fmt: skip
    return made.instance.uid


def _refused(ledger: Ledger, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        give(ledger, "dinkes/simrs", "dinsos", ROOM)
    assert refusal.value.code == code
    assert used(ledger, "dinsos") == {}


def test_what_was_killed_at_a_copy_that_is_no_more_hinders_nothing(ledger: Ledger) -> None:
    record = living(ledger, workload())
    for kind in ("vm-copy", "vm-copy-removal"):
        ledger.journal.open_saga(record.number, kind).step_out()
    assert give(ledger, "dinkes/simrs", "dinsos", ROOM).key == "dinsos/simrs"


def test_another_revision_than_the_one_read_and_what_does_not_live(ledger: Ledger) -> None:
    record = living(ledger, workload())
    handover = become(record.spec, "dinsos", ROOM)
    with pytest.raises(Refused) as refusal:
        ledger.transfers.transfer(record.key, "another", handover, BUDI)
    assert refusal.value.code == "ledger.revision-moved"
    ledger.retirements.begin(record.key, reason="x", actor=OPERATOR)
    with pytest.raises(Refused) as refusal:
        ledger.transfers.transfer(record.key, record.spec_hash, handover, BUDI)
    assert refusal.value.code == "ledger.transition"
