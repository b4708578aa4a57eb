"""A copy from a backup: every sweep, one that PVE leaves half done, a stranger in its place."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cloudpemda.apply.copy import Copying, copying, unplugged
from cloudpemda.plan.model import COPY, Identity
from cloudpemda.saga import Chain, Ending
from tests.apply.rig import BACKUP, Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import Sweeps

UID = "c" * 32
RANDOM = frozenset({"vmgenid", "smbios1", "meta"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("copy"), layout()) as found:
        yield found


@dataclass
class Case:
    """A VM with a backup, of which a copy is made."""

    lab: Rig

    def begin(self) -> "Case":
        vm = desired(1, plain=True)
        self.lab.apply(vm)
        self.lab.pve.back_up(vm.node, 10001, BACKUP.storage, "")
        self.lab.control.advance(600)
        found = self.lab.pve.freshness((), [BACKUP.storage], (vm.node,))
        self.volume = found.backups[10001][0].volume
        self.lab.journal = MemoryJournal()
        return self

    def chain(self) -> Chain:
        params = {
            "name": "copy", "onboot": "0", "description": f"cloudpemda uid={UID} role=copy",
            "net0": unplugged("virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=110", "BC:24:11:00:00:09"),
        }  # fmt: skip
        identity = Identity(UID, "dc", 10002, COPY)
        one = Copying("dinkes/simrs/db-1@copy:x", identity, "pve1", self.volume, params)
        return copying(one, self.lab.tools(()))

    def show(self) -> object:
        configs = {
            vmid: {key: value for key, value in vm["config"].items() if key not in RANDOM}
            for vmid, vm in self.lab.control.vms().items()
        }
        return {**self.lab.left(), "configs": configs}


@pytest.mark.slow
@pytest.mark.parametrize("sweep", ["repeat_each_step", "fail_at_each_step", "undo_twice"])
def test_the_copying_a_copy_survives_every_sweep(shared: Rig, sweep: str) -> None:
    getattr(Sweeps(lambda: Case(shared.fresh()).begin()), sweep)()


def test_what_pve_leaves_of_one_that_failed_is_ours_to_remove_and_a_stranger_is_not(
    shared: Rig,
) -> None:
    case = Case(shared.fresh()).begin()
    control, before = shared.control, case.show()
    control.arm({"at": case.lab.in_seconds(0), "do": "storage-full", "storage": "local-zfs"})
    control.advance(1)
    outcome = case.chain().run()
    assert (outcome.ending, outcome.step) == (Ending.UNDONE, "create")
    assert outcome.error is not None
    assert "out of space" in str(outcome.error)
    assert case.show() == before
    stranger = {"name": "stranger", "description": "cloudpemda uid=ff role=copy"}
    control.outside("create-vm", 10002, node="pve1", config=stranger)
    there, asked = control.vms()[10002], len(control.requests())
    refused = case.chain().run()
    assert refused.error is not None
    assert refused.error.code == "apply.foreign"
    assert control.writes(asked) == []
    assert control.vms()[10002] == there


def test_a_nic_is_unplugged_under_an_address_of_its_own() -> None:
    mac = "BC:24:11:00:00:09"
    assert unplugged("virtio=AA:BB:CC:00:00:01,bridge=vmbr0,link_down=0,tag=5", mac) == (
        f"virtio={mac},bridge=vmbr0,tag=5,link_down=1"
    )
    assert unplugged("virtio,bridge=vmbr0,macaddr=AA:BB:CC:00:00:01", mac) == (
        f"virtio={mac},bridge=vmbr0,link_down=1"
    )
