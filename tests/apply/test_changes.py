"""A VM that stands is made into another: every step repeated, failed and killed, on 8 and on 9."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.apply.workload import Run
from cloudpemda.plan.model import (
    DesiredBackup,
    DesiredDisk,
    DesiredNic,
    DesiredReplication,
    DesiredVm,
    LeavingDisk,
    Protection,
)
from cloudpemda.saga import Chain, Ending
from cloudpemda.units import Cores, MiB
from tests.apply.rig import NODES, Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import _disturbed, _expect_kill, _failing, _killing

_RANDOM = frozenset({"meta", "smbios1", "vmgenid"})
NORMAL = DesiredBackup("cloudpemda-normal", "pbs-dc", "02:00", "keep-daily=7")


@pytest.fixture(scope="module", params=["8.4", "9.2"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("changes"), layout(request.param)) as found:
        yield found


def larger() -> DesiredVm:
    """More of everything, copied to another node, in another class, apart from nobody."""
    vm = desired(1)
    root, data = vm.disks
    logs = DesiredDisk("logs", "scsi2", "local-zfs", MiB(4 * 1024), False, False, fresh=True)
    card = DesiredNic(
        "net1", "dinkes-db", "vmbr0", 112, "BC:24:11:99:00:01", "10.10.112.21/24", None
    )
    return replace(
        vm,
        cores=Cores(4),
        memory=MiB(4096),
        disks=(replace(root, size=MiB(30 * 1024)), replace(data, backup=False), logs),
        nics=(*vm.nics, card),
        tags=frozenset({"cloudpemda", "opd-dinkes", "class-normal"}),
        protection=Protection(
            True, (NODES[0], NODES[2]), None, (DesiredReplication(NODES[2], "0/2:00"),), NORMAL
        ),
    )


def bare() -> DesiredVm:
    """Without any protection."""
    return replace(desired(1), protection=Protection(False, (), None, (), None))


def rearranged() -> DesiredVm:
    """Its second disk goes, its first lies on another storage and has grown."""
    vm = desired(1)
    root, data = vm.disks
    return replace(
        vm,
        protection=replace(vm.protection, apart=None, backup=NORMAL),
        disks=(replace(root, storage="tank-hdd", size=MiB(30 * 1024)),),
        leaves=(LeavingDisk(data.name, data.slot),),
    )


class Standing:
    """A cluster with two protected VMs kept apart, of which the first shall be changed."""

    def __init__(self, shared: Rig, wanted: DesiredVm) -> None:
        self.wanted = wanted
        self.rig = shared.fresh()
        made = self.rig.apply(desired(1), desired(2))
        assert [vm.ending for vm in made.vms] == [VmEnding.ACTIVE] * 2
        self.rig.journal = MemoryJournal()
        self.pid = self.rig.control.vms()[10001]["pid"]

    def run(self) -> Run:
        tools = self.rig.tools([self.wanted])
        return Run([self.wanted], replace(tools, established=frozenset({self.wanted.key})))

    def chain(self) -> Chain:
        (chain,) = self.run().repairs()
        return chain

    def applied(self) -> list[VmEnding]:
        tools = self.rig.tools([self.wanted])
        tools = replace(tools, established=frozenset({self.wanted.key}))
        return [vm.ending for vm in apply_workload([self.wanted], tools).vms]

    def show(self) -> object:
        configs = {
            vmid: {
                **{key: value for key, value in vm["config"].items() if key not in _RANDOM},
                **vm["pending"],
                "status": vm["status"],
            }
            for vmid, vm in self.rig.control.vms().items()
        }
        left = self.rig.left()
        if self.wanted.leaves:  # what a moved disk leaves on targets is told and cleared later
            texts = [str(value) for one in configs.values() for value in one.values()]
            left["volumes"] = [
                one
                for one in left["volumes"]  # type: ignore[attr-defined]
                if any(text.startswith(one) for text in texts)
            ]
        return {**left, "configs": configs}


@pytest.mark.parametrize(
    "wanted", [larger(), bare(), rearranged()], ids=["larger", "bare", "rearranged"]
)
def test_it_becomes_what_is_wanted_and_runs_on(shared: Rig, wanted: DesiredVm) -> None:
    case = Standing(shared, wanted)
    neighbour = case.rig.control.vms()[10002]

    assert case.applied() == [VmEnding.ACTIVE]

    assert case.rig.differences(wanted) == []
    assert case.rig.control.vms()[10002] == neighbour
    assert case.rig.control.vms()[10001]["pid"] == case.pid, "it was never stopped"
    left = case.rig.left()
    targets = {one.target for one in wanted.protection.replication}
    jobs = case.rig.control.state()["dc"]["replication"]
    own = {job["options"]["target"] for name, job in jobs.items() if name.startswith("10001-")}
    assert own == targets
    assert not [name for name in left["rules"] if "apart" in name]  # type: ignore[attr-defined]
    normal = {} if wanted.protection.backup is None else {NORMAL.job: "10001"}
    assert left["backup"] == {"cloudpemda-critical": "10002"} | normal
    before = len(case.rig.control.requests())
    assert case.applied() == [VmEnding.ACTIVE]
    assert [r for r in case.rig.control.requests()[before:] if r["method"] != "GET"] == []


@pytest.mark.parametrize(
    "wanted",
    [larger(), bare(), pytest.param(rearranged(), marks=pytest.mark.slow)],
    ids=["larger", "bare", "rearranged"],
)
@pytest.mark.parametrize("how", ["killed", "failed"])
@pytest.mark.parametrize("effect", [pytest.param(False, marks=pytest.mark.slow), True])
def test_stopped_at_any_step_the_next_run_ends_it(
    shared: Rig, wanted: DesiredVm, how: str, effect: bool
) -> None:
    undisturbed = Standing(shared, wanted)
    assert undisturbed.applied() == [VmEnding.ACTIVE]
    expected, steps = undisturbed.show(), len(Standing(shared, wanted).chain().steps)
    assert steps > 3
    for index in range(steps - 1):  # the last one reads back
        case = Standing(shared, wanted)
        if how == "killed":
            with _expect_kill():
                _disturbed(case.chain(), index, _killing(effect=effect)).run()
        else:
            outcome = _disturbed(case.chain(), index, _failing(effect=effect)).run()
            assert outcome.ending is Ending.UNDONE, "its undo does nothing: what stands, stands"
        assert case.applied() == [VmEnding.ACTIVE], f"{how} at step {index}"
        assert case.show() == expected, f"{how} at step {index}"


def test_a_disk_that_is_lost_is_not_made_empty_by_a_change(shared: Rig) -> None:
    """Only a disk that the change brings may be absent."""
    case = Standing(shared, larger())
    case.rig.control.outside("change-vm", 10001, delete=["scsi1"])

    assert case.applied() == [VmEnding.UNFINISHED]

    config = case.rig.control.vms()[10001]["config"]
    assert "scsi1" not in config
    assert "scsi2" not in config, "nothing is done to a VM that lost a disk"


def test_another_vm_under_its_vmid_is_never_changed(shared: Rig) -> None:
    case = Standing(shared, larger())
    case.rig.control.outside("delete-vm", 10001)
    case.rig.control.outside("create-vm", 10001, node=NODES[0], config={"name": "stranger"})
    stranger = case.rig.control.vms()[10001]["config"]
    before = len(case.rig.control.requests())

    assert case.applied() == [VmEnding.UNFINISHED]

    assert case.rig.control.vms()[10001]["config"] == stranger
    assert [r for r in case.rig.control.requests()[before:] if r["method"] != "GET"] == []
