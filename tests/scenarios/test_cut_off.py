"""Ends that a process died in after its last word to PVE, and what no end may touch of a request
that is still being built: the ledger alone tells."""

from collections.abc import Iterator

import pytest

from cloudpemda.ledger import InstanceState, Ledger, RequestRecord, RequestState
from cloudpemda.wiring import open_desk
from tests.ledger.makers import OPERATOR as OKI
from tests.ledger.makers import applying, living, vm, workload
from tests.ledger.test_instances import claim
from tests.scenarios.conftest import OPERATOR, Office

KEY = "dinkes/simrs"
RETIRE = ("request", "retire", KEY, "--reason", "selesai")
PURGE = ("request", "purge", KEY, "--confirm", KEY)


@pytest.fixture
def ledger(office: Office) -> Iterator[Ledger]:
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        yield desk.ledger


def _released(ledger: Ledger, record: RequestRecord, *uids: str, saga: bool = True) -> None:
    """As a purge leaves it that died after its last release; with its saga, or after it too."""
    for uid in uids:
        ledger.instances.retiring(uid, actor=OKI)
        ledger.instances.quarantined(uid, actor=OKI)
    if record.state is RequestState.RETIRING:
        ledger.retirements.quarantined(KEY, actor=OKI)
    if saga:
        ledger.journal.open_saga(record.number, "purge").step_out()
    for uid in uids:
        ledger.instances.release(uid, actor=OKI)


@pytest.mark.parametrize("saga", [True, False], ids=["in its saga", "after its saga"])
@pytest.mark.parametrize("command", [PURGE, ("leases", "run")], ids=["purge", "leases"])
def test_a_purge_that_died_after_its_last_release_ends(
    office: Office, ledger: Ledger, command: tuple[str, ...], saga: bool
) -> None:
    living(ledger, workload())
    record = ledger.retirements.begin(KEY, reason="selesai", actor=OKI)
    _released(ledger, record, *(one.uid for one in ledger.instances.list()), saga=saga)
    assert ledger.requests.get(KEY).state.value == "retired"

    assert office.run(*command).code == 0

    assert ledger.requests.get(KEY).state.value == "ended"
    assert ledger.journal.unfinished() == ()


@pytest.mark.parametrize("command", [RETIRE, ("leases", "run")], ids=["retire", "leases"])
def test_a_quarantine_that_died_after_its_last_vm_ends(
    office: Office, ledger: Ledger, command: tuple[str, ...]
) -> None:
    living(ledger, workload())
    record = ledger.retirements.begin(KEY, reason="selesai", actor=OKI)
    ledger.journal.open_saga(record.number, "retire").step_out()
    for one in ledger.instances.list():
        ledger.instances.quarantined(one.uid, actor=OKI)

    assert office.run(*command).code == 0

    assert ledger.requests.get(KEY).state.value == "retired"
    assert ledger.journal.unfinished() == ()


@pytest.mark.slow
def test_of_a_workload_that_lives_apply_ends_what_was_cut_off(office: Office) -> None:
    """The night names it, and no command that would end the workload."""
    office.built()
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        record = desk.ledger.requests.get(KEY)
        for kind in ("apply", "retire"):
            desk.ledger.journal.open_saga(record.number, kind).step_out()
        vms = desk.ledger.instances.list()
    faults = office.run("nightly").document["faults"]
    told = [one["values"] for one in faults if one["code"] == "nightly.saga-left"]
    assert [one["command"] for one in told] == [f"cloudpemda apply {KEY}"] * 2
    assert office.run("ledger", "verify").codes == ["ledger.saga-left"] * 2

    assert office.run("apply", KEY).code == 0

    assert office.run("ledger", "verify").codes == []
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        assert desk.ledger.instances.list() == vms


def test_what_a_change_took_away_and_a_purge_released_leaves_the_rest_alone(
    office: Office, ledger: Ledger
) -> None:
    record = living(ledger, workload())
    first, second = ledger.instances.list()
    _released(ledger, record, second.uid)

    assert office.run(*PURGE).code == 0

    assert ledger.journal.unfinished() == ()
    assert ledger.instances.list() == (first,)
    assert ledger.requests.get(KEY).state.value == "active"
    assert office.run(*PURGE).codes == ["retire.not-retired"]


def test_of_a_request_that_is_being_built_nothing_is_purged(office: Office, ledger: Ledger) -> None:
    """It would be built anew, and charged to nobody: `apply --undo` takes it back."""
    spec = workload("dinkes", "simrs", vm(count=1))
    record = applying(ledger, spec)
    (one,) = claim(ledger, spec)
    ledger.instances.place(one.uid, node="pve1", storages={}, targets=(), actor=OKI)
    for move in (ledger.instances.creating, ledger.instances.active, ledger.instances.retiring):
        move(one.uid, actor=OKI)
    for state in ("applying", "stuck"):
        assert ledger.requests.get(KEY).state.value == state
        assert office.run(*PURGE, "--gone").codes == ["retire.not-retired"]
        assert office.run(*PURGE, "--now", "--reason", "x").codes == ["retire.not-retired"]
        if state == "applying":
            ledger.requests.stick(KEY, reason=one.key, actor=OKI)
    assert ledger.instances.get(one.uid).state is InstanceState.RETIRING
    assert ledger.requests.get(record.number).state.value == "stuck"
