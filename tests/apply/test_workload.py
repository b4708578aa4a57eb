"""A workload on the lab: made, resumed, taken back; judged by the lab's own state."""

import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import pytest

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.apply.workload import Run
from cloudpemda.errors import ExitCode
from cloudpemda.messages import texts
from cloudpemda.saga import Event, Journal, StepRecord
from cloudpemda.units import MiB
from tests.apply.rig import APART, BACKUP, Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import Killed

ACTIVE, FAILED, STUCK, UNFINISHED = VmEnding


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("apply")) as found:
        yield found


@pytest.fixture
def lab(shared: Rig) -> Rig:
    return shared.fresh()


def endings(result: object) -> list[VmEnding]:
    return [one.ending for one in result.vms]  # type: ignore[attr-defined]


def vmids(lab: Rig) -> list[int]:
    return sorted(lab.control.vms())


# -- the whole way ----------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["8.4", "9.2"])
def test_a_workload_is_made_protected_and_settled(tmp_path: Path, version: str) -> None:
    with rig(tmp_path, layout(version)) as lab:
        vms = [desired(number) for number in (1, 2, 3)]
        result = lab.apply(*vms)
        assert endings(result) == [ACTIVE] * 3, result
        assert result.exit_code is ExitCode.DONE
        assert lab.differences(*vms) == []
        state = lab.control.state()["dc"]
        assert sorted(state["vms"]) == ["10001", "10002", "10003"]
        assert {vm["status"] for vm in state["vms"].values()} == {"running"}
        assert {one["options"]["state"] for one in state["ha_resources"].values()} == {"started"}
        assert sorted(state["replication"]) == ["10001-0", "10002-0", "10003-0"]
        job = state["backup_jobs"]["cloudpemda-critical"]["options"]
        assert job["vmid"] == "10001,10002,10003"
        assert sorted(state["pools"]["opd-dinkes"]["vms"]) == [10001, 10002, 10003]
        assert ("dinkes/simrs/db-1", "verify", "done", 1.0) in lab.told


def test_the_root_disk_grows_and_the_others_are_there(lab: Rig) -> None:
    lab.apply(desired(1))
    config = lab.control.vms()[10001]["config"]
    assert "size=20G" in config["scsi0"]
    assert "size=10G" in config["scsi1"]
    assert "cloudinit" in config["ide2"]


def test_applying_again_writes_nothing(lab: Rig) -> None:
    vms = [desired(number) for number in (1, 2)]
    lab.apply(*vms)
    before = len(lab.control.requests())
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2
    assert lab.control.writes(before) == []
    lab.journal = MemoryJournal()  # a later saga finds everything there as well
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2
    assert lab.control.writes(before) == []


def test_at_most_ten_requests_per_vm_besides_polls(lab: Rig) -> None:
    vms = [desired(number, apart=f"group-{number // 2}") for number in range(1, 13)]
    tools = lab.tools(vms)
    before = len(lab.control.requests())
    assert endings(apply_workload(vms, tools)) == [ACTIVE] * 12
    polls = ("/cluster/tasks", "/cluster/ha/status/current")
    counted = [r for r in lab.control.requests()[before:] if r["path"] not in polls]
    assert len(counted) <= 10 * len(vms), sorted({r["path"] for r in counted})


def test_no_more_copies_at_once_than_a_storage_bears(lab: Rig) -> None:
    vms = [desired(number, plain=True) for number in range(1, 16)]
    assert endings(lab.apply(*vms)) == [ACTIVE] * 15
    tasks = [t for t in lab.control.state()["dc"]["tasks"] if t["type"] == "qmcreate"]
    assert len(tasks) == 15
    for node in ("pve1", "pve2", "pve3"):
        spans = [(t["starttime"], t["endtime"]) for t in tasks if t["node"] == node]
        most = max(sum(a < end and b > start for a, b in spans) for start, end in spans)
        assert most <= 2, f"{node}: {most} copies at once"
        assert most == 2, f"{node}: the gate lets in fewer than it should"


# -- taking back ------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["8.4", "9.2"])
def test_undo_leaves_nothing(tmp_path: Path, version: str) -> None:
    with rig(tmp_path, layout(version)) as lab:
        before = lab.left()
        vms = [desired(number) for number in (1, 2, 3)]
        lab.apply(*vms)
        assert lab.left() != before
        assert endings(lab.undo(*vms)) == [FAILED] * 3
        assert lab.left() == before
        assert endings(lab.undo(*vms)) == [FAILED] * 3, "undone twice"
        assert endings(lab.apply(*vms)) == [ACTIVE] * 3, "and made again"


def test_undo_of_one_leaves_its_neighbours_protected(lab: Rig) -> None:
    vms = [desired(number) for number in (1, 2, 3)]
    lab.apply(*vms)
    lab.undo(vms[1])
    assert lab.differences(vms[0], vms[2]) == []
    job = lab.control.state()["dc"]["backup_jobs"]["cloudpemda-critical"]["options"]
    assert job["vmid"] == "10001,10003"


def test_a_rule_that_keeps_one_vm_apart_from_nothing_goes(lab: Rig) -> None:
    vms = [desired(1), desired(2)]
    lab.apply(*vms)
    assert "cloudpemda-apart-dinkes_simrs_db" in lab.control.state()["dc"]["ha_rules"]
    lab.undo(vms[1])
    assert list(lab.control.state()["dc"]["ha_rules"]) == ["cloudpemda-10001"]


def test_one_of_three_that_fails_leaves_the_others(lab: Rig) -> None:
    lab.control.arm(
        {"at": 0, "do": "storage-full", "cluster": "dc", "node": "pve2", "storage": "local-zfs"}
    )
    lab.control.advance(1)
    vms = [desired(number) for number in (1, 2, 3)]
    result = lab.apply(*vms)
    assert endings(result) == [ACTIVE, FAILED, ACTIVE], result
    assert result.vms[1].error is not None
    assert result.exit_code is not ExitCode.DONE
    assert vmids(lab) == [10001, 10003]
    assert lab.differences(vms[0], vms[2]) == []
    assert all("10002" not in text for text in map(str, lab.left().values()))


# -- identity ---------------------------------------------------------------------------------
def test_a_taken_vmid_is_left_alone_and_another_is_claimed(lab: Rig) -> None:
    vms = [desired(1), desired(2)]
    tools = lab.tools(vms)  # the plan saw 10001 free
    lab.control.outside("create-vm", 10001, config={"name": "stranger", "description": "mine"})
    stranger = lab.control.vms()[10001]
    result = apply_workload(vms, tools)
    assert endings(result) == [ACTIVE, ACTIVE], result
    assert result.vms[0].vm.identity.vmid == 10500 == lab.reclaimed[vms[0].identity.uid]
    assert vmids(lab) == [10001, 10002, 10500]
    assert lab.control.vms()[10001]["config"] == stranger["config"]
    assert all(sid != "vm:10001" for sid in lab.control.state()["dc"]["ha_resources"])
    assert lab.differences(*vms) == []


@pytest.mark.parametrize("version", ["8.4", "9.2"])
def test_undo_of_a_vm_that_another_hand_deleted_takes_it_out_of_ha(
    tmp_path: Path, version: str
) -> None:
    with rig(tmp_path, layout(version)) as lab:
        before, vm = lab.left(), desired(1)
        lab.apply(vm)
        lab.control.outside("delete-vm", 10001)
        lab.control.advance(60)  # the manager has forgotten it, its resource is queued
        assert endings(lab.undo(vm)) == [FAILED]
        assert lab.left() == before


def test_undo_never_touches_a_stranger_under_our_vmid(lab: Rig) -> None:
    vm = desired(1, plain=True)
    lab.apply(vm)
    lab.control.outside("delete-vm", 10001)
    lab.control.outside("create-vm", 10001, config={"name": "stranger"})
    lab.control.outside("change-vm", 10001, status="running")
    stranger = lab.control.vms()[10001]
    assert endings(lab.undo(vm)) == [FAILED]
    assert lab.control.vms()[10001] == stranger
    assert stranger["status"] == "running"


def test_a_stranger_in_place_of_our_vm_is_never_configured(lab: Rig) -> None:
    vm = desired(1)
    lab.control.arm({"on": {"method": "POST", "path": "*/status/start"}, "do": "error",
                     "status": 599, "reason": "Too many redirects"})  # fmt: skip
    assert endings(lab.apply(vm)) == [UNFINISHED]
    lab.control.arm()
    lab.control.outside("delete-vm", 10001)
    lab.control.outside("create-vm", 10001, config={"name": "stranger"})
    stranger = lab.control.vms()[10001]
    result = lab.apply(vm)
    assert endings(result) == [FAILED]
    assert result.vms[0].error is not None
    assert result.vms[0].error.code == "apply.foreign"
    assert lab.control.vms()[10001] == stranger


def test_what_stood_there_before_the_saga_is_put_right_and_never_destroyed(lab: Rig) -> None:
    vm = desired(1)
    lab.apply(vm)
    lab.journal = MemoryJournal()
    lab.control.outside("change-vm", 10001, config={"onboot": "0", "tags": "other"})
    assert lab.differences(vm) != []
    assert endings(lab.apply(vm)) == [ACTIVE]
    assert lab.differences(vm) == []

    lab.journal = MemoryJournal()
    grown = replace(vm, memory=MiB(4096))
    lab.control.arm({"on": {"method": "POST", "path": "*/config"}, "do": "error",
                     "status": 500, "reason": "no"})  # fmt: skip
    result = lab.apply(grown)
    assert endings(result) == [UNFINISHED]
    assert result.exit_code is ExitCode.INCOMPLETE
    lab.control.arm()
    assert vmids(lab) == [10001]
    assert endings(lab.undo(grown)) == [ACTIVE], "there before, and left as it was"
    assert vmids(lab) == [10001]


def test_a_vm_on_its_way_is_nobodys_until_it_shows_whose_it_is(lab: Rig) -> None:
    """Killed while PVE was creating: neither the plan nor the next run may claim another VMID."""
    vm = desired(1)
    (chain,) = Run([vm], lab.tools([vm])).chains()
    dying = replace(chain, journal=_DyingJournal(chain.journal))
    with pytest.raises(Killed):
        dying.run()
    assert lab.control.vms()[10001]["config"] == {"lock": "create"}
    assert any("lock" in difference for difference in lab.differences(vm))
    assert endings(lab.apply(vm)) == [ACTIVE]
    assert vmids(lab) == [10001]
    assert lab.reclaimed == {}


@pytest.mark.parametrize("step", ["create", "disks", "start"])
@pytest.mark.parametrize("way", ["forward", "back"])
def test_a_task_of_a_process_that_died_is_reckoned_with(lab: Rig, step: str, way: str) -> None:
    """PVE goes on with what it was told, and nobody noted the task: neither a second VM nor one
    that runs while it should be destroyed comes of it."""
    vm = desired(1)
    (chain,) = Run([vm], lab.tools([vm])).chains()
    before = lab.left()
    dying = replace(chain, journal=_DyingJournal(chain.journal, step))
    with pytest.raises(Killed):
        dying.run()
    if way == "forward":
        assert endings(lab.apply(vm)) == [ACTIVE]
        assert lab.differences(vm) == []
    else:
        # the start ends between the stop and the removal
        lab.control.arm({"on": {"method": "DELETE", "path": "*/qemu/*", "nth": 1}, "do": "delay",
                         "seconds": 5})  # fmt: skip
        assert endings(lab.undo(vm)) == [FAILED]
        assert lab.left() == before


@dataclass
class _DyingJournal:
    """A journal whose process dies when it is told of a step's task."""

    journal: Journal
    step: str = "create"

    def steps(self, subject: str) -> Mapping[str, StepRecord]:
        return self.journal.steps(subject)

    def move(
        self, subject: str, seq: int, name: str, event: Event, error: str | None = None
    ) -> None:
        self.journal.move(subject, seq, name, event, error)

    def note_upid(self, subject: str, name: str, upid: str) -> None:
        if name == self.step:
            raise Killed
        self.journal.note_upid(subject, name, upid)


def test_putting_right_that_fails_takes_nothing_back(lab: Rig) -> None:
    """What stands there before the saga keeps all its protection, whatever cannot be put right."""
    vm = desired(1)
    lab.apply(vm)
    lab.journal = MemoryJournal()
    lab.pve.update_backup_job(BACKUP.job, [10001], {"enabled": False})
    lab.control.arm({"on": {"method": "PUT", "path": "/cluster/backup/*"}, "do": "error"})
    before = lab.left()
    assert endings(lab.apply(vm)) == [UNFINISHED]
    assert lab.left() == before
    assert lab.control.vms()[10001]["status"] == "running"
    assert lab.control.state()["dc"]["ha_resources"]["vm:10001"]["options"]["state"] == "started"
    lab.control.arm()
    assert endings(lab.apply(vm)) == [ACTIVE]
    assert lab.differences(vm) == []


# -- lost answers, temporary errors -----------------------------------------------------------
WRITES = [
    ("POST", "/pools"),
    ("POST", "*/qemu"),
    ("PUT", "*/resize"),
    ("POST", "*/status/start"),
    ("POST", "/cluster/ha/resources"),
    ("POST", "/cluster/ha/rules"),
    ("POST", "/cluster/replication"),
    ("POST", "/cluster/backup"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("fault", ["lose-answer", "locked", "busy"])
def test_a_lost_answer_or_a_lock_makes_nothing_twice(
    lab: Rig, method: str, path: str, fault: str
) -> None:
    reasons = {"locked": "can't lock file '/var/lock/x' - got timeout", "busy": "got timeout"}
    deed = {"do": fault} if fault == "lose-answer" else {"do": "error", "reason": reasons[fault]}
    lab.control.arm({"on": {"method": method, "path": path, "nth": 1}, **deed})
    vms = [desired(1), desired(2)]
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2
    assert lab.control.faults()[0]["fired"] == 1
    assert lab.differences(*vms) == []
    assert vmids(lab) == [10001, 10002]
    assert sorted(lab.control.state()["dc"]["replication"]) == ["10001-0", "10002-0"]


UNDOS = [
    ("DELETE", "*/qemu/*"),
    ("POST", "*/status/stop"),
    ("PUT", "/cluster/ha/resources/*"),
    ("DELETE", "/cluster/ha/resources/*"),
    ("DELETE", "/cluster/ha/rules/*"),
    ("DELETE", "/cluster/replication/*"),
    ("PUT", "/cluster/backup/*"),
    ("DELETE", "/cluster/backup/*"),
]


@pytest.mark.parametrize(("method", "path"), UNDOS)
def test_a_lost_answer_while_taking_back_leaves_nothing_behind(
    lab: Rig, method: str, path: str
) -> None:
    before = lab.left()
    vms = [desired(1), desired(2), replace(desired(3), protection=replace(
        desired(3).protection, ha=False, ha_nodes=(), apart=None))]  # fmt: skip
    lab.apply(*vms)
    lab.control.arm({"on": {"method": method, "path": path, "nth": 1}, "do": "lose-answer"})
    lab.undo(vms[0])
    assert endings(lab.undo(*vms)) == [FAILED] * 3
    assert lab.control.faults()[0]["fired"] == 1
    assert lab.left() == before


# -- what cannot be reached, and what stays half made -------------------------------------------
def test_a_node_that_goes_down_leaves_its_vm_unfinished_until_it_is_back(lab: Rig) -> None:
    lab.control.node("pve2", "down")
    vms = [desired(number, plain=True) for number in (1, 2, 3)]
    result = lab.apply(*vms)
    assert endings(result) == [ACTIVE, UNFINISHED, ACTIVE], result
    assert result.exit_code is ExitCode.INCOMPLETE
    lab.control.node("pve2", "up")
    assert endings(lab.apply(*vms)) == [ACTIVE] * 3
    assert vmids(lab) == [10001, 10002, 10003]


def test_a_half_made_vm_is_stuck_with_commands_until_a_human_removed_it(lab: Rig) -> None:
    vm = desired(1, plain=True)
    lab.control.arm({"at": lab.in_seconds(1), "do": "task-crash", "type": "qmcreate"})
    result = lab.apply(vm)
    assert endings(result) == [STUCK], result
    assert any("qm destroy 10001" in line for line in result.vms[0].commands)
    assert result.vms[0].error is not None
    assert result.vms[0].error.code == "apply.half-made"
    assert endings(lab.apply(vm)) == [STUCK], "and stays so"
    lab.control.outside("delete-vm", 10001)
    assert endings(lab.apply(vm)) == [FAILED], "gone now, so taken back"
    assert endings(lab.apply(vm)) == [ACTIVE], "and made anew"
    assert vmids(lab) == [10001]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cloudpemda-10001", [FAILED, ACTIVE]),
        (f"cloudpemda-apart-{APART}", [FAILED, FAILED]),
    ],
)
def test_a_rule_that_is_switched_off_behind_our_back_fails_the_reading_back(
    lab: Rig, name: str, expected: list[VmEnding]
) -> None:
    """PVE accepts rules and disables them later: what was answered 200 is not yet so."""
    vms = [desired(1), desired(2)]
    ready: set[str] = set()

    def switch_off(key: str, step: str, state: str, fraction: float) -> None:
        if (step, state) == ("replication", "done"):
            ready.add(key)
            if len(ready) == 2:
                rule = next(one for one in lab.pve.ha_rules() if one.name == name)
                lab.pve.update_ha_rule(replace(rule, enabled=False))

    before = lab.left()
    result = apply_workload(vms, replace(lab.tools(vms), progress=switch_off))
    assert endings(result) == expected, result
    assert result.vms[0].error is not None
    assert result.vms[0].error.code == "apply.not-as-desired"
    assert name in str(result.vms[0].error)
    lab.undo(*vms)
    assert lab.left() == before


def test_an_unfinished_neighbour_costs_nobody_its_vm(lab: Rig) -> None:
    """Three VMs kept apart; one cannot be finished when it has joined the rule already. The others
    are as desired, and are not taken back because the rule names one more."""
    vms = [desired(1), desired(2), desired(3)]
    for at in (0, 1):  # without replication, so that the fault meets the third alone
        alone = replace(vms[at].protection, ha_nodes=(), replication=())
        vms[at] = replace(vms[at], protection=alone)
    lab.control.arm({"on": {"method": "POST", "path": "/cluster/replication"}, "do": "error",
                     "status": 595, "reason": "No route to host"})  # fmt: skip
    result = lab.apply(*vms)
    assert endings(result) == [ACTIVE, ACTIVE, UNFINISHED], result
    assert result.vms[2].step == "replication"
    (apart,) = (one for one in lab.pve.ha_rules() if one.kind == "resource-affinity")
    assert len(apart.resources) == 3
    lab.control.arm()
    assert endings(lab.apply(*vms)) == [ACTIVE] * 3
    assert lab.differences(*vms) == []


def test_what_was_read_back_once_is_not_destroyed_for_a_later_difference(lab: Rig) -> None:
    vm = desired(1)
    lab.apply(vm)
    rule = next(one for one in lab.pve.ha_rules() if one.name == "cloudpemda-10001")
    lab.pve.update_ha_rule(replace(rule, enabled=False))
    lab.control.arm({"on": {"method": "PUT", "path": "/cluster/ha/rules/*"}, "do": "error"})
    assert endings(lab.apply(vm)) == [UNFINISHED], "the same saga, whose steps are all done"
    assert vmids(lab) == [10001]
    lab.control.arm()
    assert endings(lab.apply(vm)) == [ACTIVE], "put right in the same saga"
    assert lab.differences(vm) == []
    assert endings(lab.undo(vm)) == [FAILED], "and still undone by who made it"
    assert vmids(lab) == []


def test_a_halt_leaves_it_resumable(lab: Rig) -> None:
    vms = [desired(number) for number in (1, 2)]
    lab.halted = lambda: any(step == "start" for _, step, _, _ in lab.told)
    result = lab.apply(*vms)
    assert result.interrupted
    assert result.exit_code is ExitCode.INCOMPLETE
    assert ACTIVE not in endings(result)
    lab.halted = lambda: False
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2
    assert lab.differences(*vms) == []


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Ctrl-C as a terminal's program has it: what runs in the background was told to ignore it.
    Set once it has reached the program, which may take its turn on a busy machine."""
    found = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        found.set()
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, hear)
    yield found
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_it_resumable(lab: Rig, heard: threading.Event) -> None:
    vms = [desired(number) for number in (1, 2, 3)]
    pressed = threading.Event()

    def press(key: str, step: str, state: str, fraction: float) -> None:
        if step == "start" and not pressed.is_set():
            pressed.set()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            heard.wait()  # else this VM may be done before anybody was told to stop

    result = apply_workload(vms, replace(lab.tools(vms), progress=press))
    assert result.interrupted
    assert ACTIVE not in endings(result)
    assert UNFINISHED in endings(result)
    assert endings(lab.apply(*vms)) == [ACTIVE] * 3
    assert vmids(lab) == [10001, 10002, 10003]
    assert lab.differences(*vms) == []


def test_every_code_of_apply_has_a_text() -> None:
    source = "".join(path.read_text() for path in Path("cloudpemda/apply").glob("*.py"))
    codes = {word for word in source.split('"') if word.startswith("apply.")}
    assert codes
    assert codes <= set(texts())
