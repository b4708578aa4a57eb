"""Taking VMs away, on 8 and on 9: stopped at every step, over strangers, a target off."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from cloudpemda.apply.gone import clear_gone
from cloudpemda.apply.retire import LeaveResult, Leaving, purge, quarantine, unmark
from cloudpemda.plan.model import DesiredVm
from cloudpemda.saga import never
from cloudpemda.units import MiB
from tests.apply.rig import BACKUP, Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal


@pytest.fixture(scope="module", params=["8.4", "9.2"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("retire"), layout(request.param)) as found:
        yield found


@dataclass
class End:
    """One VM on its way out, beside one that stays."""

    lab: Rig
    vm: DesiredVm = field(default_factory=lambda: desired(1))
    noted: dict[str, Mapping[str, MiB]] = field(default_factory=dict)
    without: object = None  # what the cluster has without it

    @property
    def leaving(self) -> tuple[Leaving, ...]:
        vm = self.vm
        targets = frozenset({vm.node, *(job.target for job in vm.protection.replication)})
        storages = frozenset(disk.storage for disk in vm.disks)
        return (Leaving(vm.key, vm.identity, vm.node, storages, targets),)

    def note(self, uid: str, node: str, volumes: Mapping[str, MiB]) -> None:
        self.noted.setdefault(node, volumes)

    def quarantine(self) -> LeaveResult:
        (result,) = quarantine(self.leaving, self.lab.tools((self.vm,)))
        return result

    def purge(self) -> LeaveResult:
        (result,) = purge(self.leaving, self.lab.tools((self.vm,)), self.note)
        return result

    def stored(self) -> object:
        return self.lab.control.state()["dc"]["vms"].get(str(self.vm.identity.vmid))


@pytest.fixture
def end(shared: Rig) -> End:
    lab = shared.fresh()
    lab.apply(desired(2))
    without = lab.left()
    found = End(lab)
    lab.apply(found.vm, desired(2))
    lab.journal = MemoryJournal()
    lab.told.clear()
    found.without = without
    return found


def _quarantined(end: End) -> None:
    assert end.quarantine().done
    end.lab.journal = MemoryJournal()
    end.lab.told.clear()


def _alone(end: End) -> None:
    """As before it was made; the rule that kept it apart from its neighbour is gone."""
    assert end.lab.left() == end.without
    assert end.lab.control.vms()[10002]["status"] == "running"


@pytest.mark.parametrize("step", ["ha", "shutdown", "mark"])
def test_stopped_after_a_step_of_the_quarantine_it_goes_on(end: End, step: str) -> None:
    end.lab.halted = lambda: any(told[1:3] == (step, "done") for told in end.lab.told)
    end.quarantine()
    end.lab.halted = never
    assert end.quarantine().done
    dc = end.lab.control.state()["dc"]
    vm = dc["vms"]["10001"]
    assert (vm["status"], vm["config"]["onboot"]) == ("stopped", "0")
    assert "cloudpemda-retired" in vm["config"]["tags"]
    assert "vm:10001" not in dc["ha_resources"]
    assert "vm:10002" in dc["ha_resources"]
    assert "10001" in dc["backup_jobs"][BACKUP.job]["options"]["vmid"]
    assert any(name.startswith("10001-") for name in dc["replication"])


@pytest.mark.parametrize("step", ["gate", "ha", "replication", "backup", "left", "destroy"])
def test_stopped_after_a_step_of_the_purge_it_goes_on(end: End, step: str) -> None:
    _quarantined(end)
    end.lab.halted = lambda: any(told[1:3] == (step, "done") for told in end.lab.told)
    end.purge()
    end.lab.halted = never
    assert end.purge().done
    _alone(end)
    assert end.noted == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "*/qemu/10001"), ("DELETE", "/cluster/replication/*"), ("PUT", "*/backup/*")],
)
def test_a_lost_answer_is_looked_for_and_not_asked_again(end: End, method: str, path: str) -> None:
    _quarantined(end)
    end.lab.control.arm({"on": {"method": method, "path": path, "nth": 1}, "do": "lose-answer"})
    result = end.purge()
    end.lab.control.arm()
    assert result.done or end.purge().done
    _alone(end)


def _replaced(end: End) -> None:
    """Somebody removed ours, and made another under its VMID."""
    lab = end.lab
    lab.control.outside("delete-vm", 10001)
    stranger = {"name": "stranger", "description": "cloudpemda uid=ff role=primary"}
    lab.control.outside("create-vm", 10001, node="pve1", config=stranger)


@pytest.mark.parametrize("deed", [End.quarantine, End.purge], ids=["quarantine", "purge"])
def test_who_has_our_vmid_notices_nothing(end: End, deed: Callable[[End], LeaveResult]) -> None:
    _replaced(end)
    stranger, asked = end.stored(), len(end.lab.control.requests())
    result = deed(end)
    assert not result.done
    assert result.error is not None
    assert result.error.code == "retire.foreign"
    assert end.lab.control.writes(asked) == []
    assert end.stored() == stranger


@pytest.mark.parametrize("step", ["gate", "ha", "replication", "backup", "left"])
def test_who_takes_our_vmid_between_two_steps_is_not_destroyed(end: End, step: str) -> None:
    _quarantined(end)
    end.lab.halted = lambda: any(told[1:3] == (step, "done") for told in end.lab.told)
    end.purge()
    end.lab.halted = never
    _replaced(end)
    stranger, asked = end.stored(), len(end.lab.control.requests())
    result = end.purge()
    assert not result.done
    assert end.lab.control.writes(asked) == []
    assert end.stored() == stranger


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"set": {"protection": "1"}}, "retire.protected"),
        ({"set": {"lock": "backup"}}, "retire.locked"),
        ({"status": "running"}, "retire.runs"),
    ],
)
def test_what_speaks_against_it_is_said_and_later_it_goes_on(
    end: End, change: dict[str, object], code: str
) -> None:
    _quarantined(end)
    end.lab.control.outside("change-vm", 10001, "dc", **change)
    asked = len(end.lab.control.requests())
    result = end.purge()
    assert result.error is not None
    assert (result.done, result.error.code) == (False, code)
    assert end.lab.control.writes(asked) == []
    assert end.stored() is not None


def test_gone_by_another_hand_is_no_success(end: End) -> None:
    _quarantined(end)
    end.lab.control.outside("delete-vm", 10001)
    result = end.purge()
    assert result.error is not None
    assert (result.done, result.error.code) == (False, "retire.vanished")


def test_of_a_vm_that_another_hand_removed_copies_are_noted_and_nothing_names_it(end: End) -> None:
    end.lab.control.advance(1800)
    (job,) = end.vm.protection.replication
    end.lab.control.outside("delete-vm", 10001)
    end.lab.journal = MemoryJournal()

    (result,) = clear_gone(end.leaving, end.lab.tools((end.vm,)), end.note)

    assert result.done, result.error
    dc = end.lab.control.state()["dc"]
    left = {one["volid"] for one in dc["volumes"] if one["vmid"] == 10001}
    assert left == set(end.noted.pop(job.target)) != set()
    assert end.noted == {}
    assert not any(name.startswith("10001-") for name in dc["replication"])
    assert "vm:10001" not in dc["ha_resources"]
    assert not any("vm:10001" in str(rule) for rule in dc["ha_rules"].values())
    assert "10001" not in dc["backup_jobs"][BACKUP.job]["options"]["vmid"]


def test_of_a_vm_whose_number_a_stranger_has_only_volumes_are_told(end: End) -> None:
    end.lab.control.advance(1800)
    (job,) = end.vm.protection.replication
    _replaced(end)
    end.lab.journal = MemoryJournal()
    stranger, asked = end.stored(), len(end.lab.control.requests())

    (result,) = clear_gone(end.leaving, end.lab.tools((end.vm,)), end.note)

    assert result.done, result.error
    assert set(end.noted) == {job.target}
    assert end.lab.control.writes(asked) == []
    assert end.stored() == stranger


def test_what_is_there_is_not_gone(end: End) -> None:
    asked = len(end.lab.control.requests())
    (result,) = clear_gone(end.leaving, end.lab.tools((end.vm,)), end.note)
    assert result.error is not None
    assert (result.done, result.error.code) == (False, "retire.not-gone")
    assert end.lab.control.writes(asked) == []


def test_what_a_target_that_is_off_keeps_is_noted_before_the_vm_goes(shared: Rig) -> None:
    lab = shared.fresh()
    vm = replace(desired(1), protection=replace(desired(1).protection, apart=None))
    end = End(lab, vm)
    lab.apply(vm)
    lab.journal = MemoryJournal()
    lab.control.advance(1800)
    _quarantined(end)
    (job,) = vm.protection.replication
    lab.control.node(job.target, "down")
    lab.control.advance(120)
    result = end.purge()
    lab.control.node(job.target, "up")
    assert result.done, result.error
    assert end.stored() is None
    assert set(end.noted) == {job.target}
    there = {
        one["volid"]
        for one in lab.control.state()["dc"]["volumes"]
        if one["content"] == "images" and one["vmid"] == 10001
    }
    assert there <= set(end.noted[job.target])
    assert there


def test_of_a_vm_that_ha_put_beside_its_disks_all_is_noted(end: End) -> None:
    """No run of its replication can clear the target: each looks for the disks first."""
    end.lab.control.advance(1800)
    _quarantined(end)
    (job,) = end.vm.protection.replication
    (other,) = {"pve1", "pve2", "pve3"} - {end.vm.node, job.target}
    end.lab.control.outside("move-vm", 10001, node=other)

    result = end.purge()

    assert result.done, result.error
    assert end.stored() is None
    dc = end.lab.control.state()["dc"]
    assert not any(name.startswith("10001-") for name in dc["replication"])
    left = {(one["node"], one["volid"]) for one in dc["volumes"] if one["vmid"] == 10001}
    assert {node for node, _ in left} == {end.vm.node, job.target}
    assert left <= {(node, volume) for node, some in end.noted.items() for volume in some}


@pytest.mark.parametrize("before", ["0", "1"])
def test_back_from_quarantine_its_node_starts_it_as_before(end: End, before: str) -> None:
    lab = end.lab
    lab.control.outside("change-vm", 10001, set={"onboot": before})
    tags = lab.control.vms()[10001]["config"]["tags"]
    _quarantined(end)
    for _ in range(2):
        unmark(end.leaving, lab.tools((end.vm,)))
        config = lab.control.vms()[10001]["config"]
        assert (config["onboot"], config["tags"]) == (before, tags)
