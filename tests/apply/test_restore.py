"""A VM as its backup holds it, killed at every step, failing, over strangers."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.apply.restore import Restoring, restoring
from cloudpemda.apply.retire import Leaving
from cloudpemda.cluster import Backup
from cloudpemda.plan.model import DesiredVm
from cloudpemda.saga import Chain, Ending
from tests.apply.rig import BACKUP, Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import Sweeps


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("restore"), layout()) as found:
        yield found


def _half_backed_up() -> DesiredVm:
    """Its second disk is in no backup."""
    vm = desired(1)
    root, data = vm.disks
    return replace(vm, disks=(root, replace(data, backup=False)))


@dataclass
class Back:
    """One VM with a backup, beside one that stays."""

    lab: Rig
    vm: DesiredVm = field(default_factory=_half_backed_up)
    saved: list[str] = field(default_factory=list)
    safety: bool = True

    def begin(self) -> "Back":
        self.lab.apply(self.vm, desired(2))
        self.backup = self._backed_up()
        _, config = self._here()
        self.kept = {"scsi1": config["scsi1"]}
        self.lab.journal = MemoryJournal()
        return self

    def _here(self) -> tuple[str, dict[str, str]]:
        found = self.lab.control.vms()[self.vm.identity.vmid]
        return found["node"], found["config"]

    def _backed_up(self) -> Backup:
        node, _ = self._here()
        pve, vmid = self.lab.pve, self.vm.identity.vmid
        pve.back_up(node, vmid, BACKUP.storage, "")
        self.lab.control.advance(600)
        return pve.freshness((), [BACKUP.storage], (node,)).backups[vmid][0]

    def chain(self) -> Chain:
        vm = self.vm
        targets = frozenset({vm.node, *(job.target for job in vm.protection.replication)})
        storages = frozenset(disk.storage for disk in vm.disks)
        one = Restoring(
            subject="restore",
            leaving=Leaving(vm.key, vm.identity, vm.node, storages, targets),
            backup=self.backup,
            description=vm.description,
            kept=self.kept,
            safety=self.safety,
            noted=self.saved.append,
            saved=self.saved[0] if self.saved else None,
        )
        return restoring(one, self.lab.tools((vm,)))

    def show(self) -> object:
        _, config = self._here()
        stored = self.lab.control.state()["dc"]["volumes"]
        mine = {one["volid"]: bool(one["holds"]) for one in stored if one["vmid"] == 10001}
        held = {volid: holds for volid, holds in mine.items() if "backup/" not in volid}
        left = {name: what for name, what in self.lab.left().items() if name != "rules"}
        plain = {key: value for key, value in config.items() if key not in _RANDOM}
        return {"config": plain, "disks": held, "saved": len(self.saved), **left}

    def restored(self) -> int:
        return sum(one["what"] == "restored" for one in self.lab.control.events())


_RANDOM = frozenset({"vmgenid", "smbios1", "meta"})


@pytest.fixture
def back(shared: Rig) -> Back:
    return Back(shared.fresh()).begin()


@pytest.mark.slow
def test_killed_at_any_step_it_ends_as_if_nothing_was(shared: Rig) -> None:
    Sweeps(lambda: Back(shared.fresh()).begin()).repeat_each_step()


def test_disks_that_no_backup_has_keep_their_data_and_the_rest_is_made_as_desired(
    back: Back,
) -> None:
    lab, both = back.lab, (back.vm, desired(2))
    before = back._here()[1]
    grown = replace(back.vm, memory=type(back.vm.memory)(4096))
    lab.apply(grown, desired(2))
    lab.journal = MemoryJournal()
    assert back.chain().run().ending is Ending.DONE
    _, config = back._here()
    assert config["scsi1"] == before["scsi1"]
    assert not [key for key in config if key.startswith("unused")]
    assert config["memory"] == "2048"
    assert back.restored() == 1
    tools = replace(lab.tools(both), established=frozenset(vm.key for vm in both))
    result = apply_workload((grown, desired(2)), tools, only={grown.key})
    assert [one.ending for one in result.vms] == [VmEnding.ACTIVE]
    assert lab.differences(grown, desired(2)) == []
    assert lab.control.vms()[10001]["status"] == "running"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["check", "ha", "shutdown", "backup", "replication"])
def test_who_takes_our_vmid_between_two_steps_is_not_overwritten(back: Back, step: str) -> None:
    lab = back.lab
    chain = back.chain()
    names = [one.name for one in chain.steps]
    assert chain.run(before=names[names.index(step) + 1]).ending is Ending.DONE
    lab.control.outside("delete-vm", 10001)
    stranger = {"name": "stranger", "description": "cloudpemda uid=ff role=primary"}
    lab.control.outside("create-vm", 10001, node="pve1", config=stranger)
    there, asked = lab.control.vms()[10001], len(lab.control.requests())
    outcome = back.chain().run()
    assert outcome.ending is Ending.UNDONE
    assert outcome.error is not None
    assert outcome.error.code in ("apply.foreign", "retire.foreign")
    assert lab.control.writes(asked) == []
    assert lab.control.vms()[10001] == there


def test_without_a_backup_of_what_stands_there_nothing_is_destroyed(back: Back) -> None:
    lab = back.lab
    lab.control.arm({"on": {"method": "POST", "path": "*/vzdump", "nth": 1}, "do": "error"})
    outcome = back.chain().run()
    assert (outcome.ending, outcome.step) == (Ending.UNDONE, "backup")
    lab.control.arm()
    assert (back.restored(), back.saved) == (0, [])
    both = (back.vm, desired(2))
    tools = replace(lab.tools(both), established=frozenset(vm.key for vm in both))
    assert apply_workload(both, tools, only={back.vm.key}).vms[0].ending is VmEnding.ACTIVE
    assert lab.differences(*both) == []


def test_a_lost_answer_destroys_nothing_that_was_restored(back: Back) -> None:
    on = {"method": "POST", "path": "*/qemu", "nth": 1}
    back.lab.control.arm({"on": on, "do": "lose-answer"})
    outcome = back.chain().run()
    back.lab.control.arm()
    assert outcome.ending is Ending.DONE or back.chain().run().ending is Ending.DONE
    assert back.restored() >= 1
    assert back._here()[1]["scsi1"] == back.kept["scsi1"]
