"""Design 4.3 and 4.5: who a VM is, and that it is begun, stands in the ledger before anything
is written to a cluster; whoever dies on the way leaves neither a second VM nor an orphan."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cloudpemda.apply import ApplyResult, VmEnding
from cloudpemda.apply.workload import Run
from cloudpemda.ledger import InstanceState
from cloudpemda.plan.model import DesiredVm
from cloudpemda.saga import Event, Journal, StepRecord, StepState
from cloudpemda.wiring import open_desk
from tests.apply.rig import Rig, desired, layout, rig
from tests.saga.sweeps import Killed
from tests.scenarios.beside import start_apply, until_held
from tests.scenarios.conftest import OPERATOR, Office


@contextmanager
def held(office: Office, method: str, path: str) -> Iterator[None]:
    """A process that applies, standing at its first such request, and killed at the end.

    What it had asked for is done, but nobody hears of it.
    """
    on = {"method": method, "path": path, "nth": 1}
    office.lab.post("/faults", {"faults": [{"on": on, "do": "hold", "when": "before"}]})
    process = start_apply(office, "dinkes/simrs")
    try:
        until_held(office, process)
        yield
    finally:
        process.kill()
        process.communicate()
        office.lab.post("/release", {"all": True, "answer": False})
        office.lab.post("/faults", {"faults": []})


def chosen(office: Office) -> dict[str, tuple[str, int]]:
    """Key → uid and VMID, as the ledger has them."""
    found = office.run("request", "show", "dinkes/simrs").data["instances"]
    return {one["key"]: (one["uid"], one["vmid"]) for one in found}


def journal(office: Office) -> Mapping[str, Mapping[str, StepRecord]]:
    """uid → step → its record."""
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        (saga,) = desk.ledger.journal.unfinished()
        return {
            uid: {step.name: step for step in steps}
            for uid, steps in desk.ledger.journal.steps(saga.id).items()
        }


def made_once(office: Office, identities: Mapping[str, tuple[str, int]]) -> None:
    """The lab has exactly the VMs that were chosen, each once, and no volume of another."""
    stamped = {
        vmid: match[1]
        for vmid, vm in office.vms().items()
        if (match := re.search(r"uid=([0-9a-f]{32})", vm["config"].get("description", "")))
    }
    assert stamped == {vmid: uid for uid, vmid in identities.values()}
    assert set(office.vms()) == set(stamped)
    volumes = office.lab.get("/state")["dc"]["volumes"]
    assert {one["vmid"] for one in volumes if one["content"] == "images"} == set(stamped)


def test_every_identity_is_chosen_before_the_first_write(office: Office) -> None:
    office.approved()
    with held(office, "[PD]*", "*"):
        identities = chosen(office)
        assert set(identities) == {"dinkes/simrs/app-1", "dinkes/simrs/db-1", "dinkes/simrs/db-2"}
        assert office.vms() == {}
        with open_desk(office.directory, asserted=OPERATOR) as desk:
            instances = desk.ledger.instances.list()
        assert {one.state for one in instances} == {InstanceState.CREATING}
        assert all(one.node and one.nics and one.nics[0].address for one in instances)
        begun = [step for steps in journal(office).values() for step in steps.values()]
        assert begun, "nothing is in the journal"
        assert {step.state for step in begun} == {StepState.STARTED}
    assert office.run("apply").code == 0
    assert chosen(office) == identities
    made_once(office, identities)


def test_a_creation_is_in_the_journal_before_it_is_asked_for(office: Office) -> None:
    office.approved()
    with held(office, "POST", "*/qemu"):
        identities = chosen(office)
        steps = journal(office)
        assert any(
            one["create"].state is StepState.STARTED for one in steps.values() if "create" in one
        )
    # the VM is made after its maker has died: found by its uid, and not made twice
    assert office.run("apply").code == 0
    assert chosen(office) == identities
    made_once(office, identities)


def test_the_task_is_in_the_journal_while_it_runs(office: Office) -> None:
    office.approved()
    with held(office, "GET", "/cluster/tasks"):
        upids = [one["create"].upid for one in journal(office).values() if "create" in one]
        assert any(upid is not None and upid.startswith("UPID:") for upid in upids)
    assert office.run("apply").code == 0
    made_once(office, chosen(office))


@pytest.mark.parametrize("path", ["*/qemu", "*/resize", "*/status/start", "/cluster/replication"])
def test_what_was_begun_when_its_maker_died_is_taken_back_too(office: Office, path: str) -> None:
    """The step stands as started, and its effect came after the death."""
    office.approved()
    with held(office, "[PD]*", path):
        pass
    undone = office.run("apply", "--undo", "dinkes/simrs")
    assert undone.code == 0, undone.out
    truth = office.lab.get("/state")["dc"]
    assert truth["vms"] == {}
    assert [one for one in truth["volumes"] if one["content"] == "images"] == []
    assert (truth["ha_resources"], truth["replication"], truth["ha_rules"]) == ({}, {}, {})
    lines = office.run("quota", "show", "dinkes").data
    assert {line["committed"] + line["held"] for line in lines} == {0}


@dataclass
class _DyingJournal:
    """A journal whose process dies as soon as it has noted the task of a step."""

    journal: Journal
    step: str

    def steps(self, subject: str) -> Mapping[str, StepRecord]:
        return self.journal.steps(subject)

    def move(
        self, subject: str, seq: int, name: str, event: Event, error: str | None = None
    ) -> None:
        self.journal.move(subject, seq, name, event, error)

    def note_upid(self, subject: str, name: str, upid: str) -> None:
        self.journal.note_upid(subject, name, upid)
        if name == self.step:
            raise Killed


def _slow(kind: str) -> dict[str, object]:
    """A lab in which an import, or a start, takes a quarter of an hour."""
    found = layout()
    durations = found["durations"]
    assert isinstance(durations, dict)
    durations[kind] = 900
    return found


@pytest.mark.parametrize("deed", [Rig.apply, Rig.undo], ids=["apply", "undo"])
@pytest.mark.parametrize(("step", "kind"), [("create", "import"), ("start", "start")])
def test_the_task_of_a_dead_process_is_awaited_however_long_it_takes(
    tmp_path: Path, step: str, kind: str, deed: Callable[[Rig, DesiredVm], ApplyResult]
) -> None:
    with rig(tmp_path, _slow(kind)) as lab:
        vm = desired(1, plain=True)
        (chain,) = Run([vm], lab.tools([vm])).chains()
        with pytest.raises(Killed):
            replace(chain, journal=_DyingJournal(chain.journal, step)).run()
        began = lab.control.now()
        (result,) = deed(lab, vm).vms
        assert lab.control.now() - began > 800
        assert result.ending is (VmEnding.ACTIVE if deed is Rig.apply else VmEnding.FAILED)
        assert sorted(lab.control.vms()) == ([10001] if deed is Rig.apply else [])
        kinds = Counter(task["type"] for task in lab.control.state()["dc"]["tasks"])
        assert kinds["qmcreate"] == 1
        assert kinds["qmstart"] <= 1, "started twice"
