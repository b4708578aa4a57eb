"""Design 4.3: nothing is changed or destroyed unless the identity read back from PVE matches.

Somebody removed our VM and made another one under its VMID: running, managed by HA, replicated,
and in the backup job. Whatever we do next, it must not notice.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudpemda.apply import VmEnding
from tests.apply.rig import BACKUP, Rig, desired, rig

OTHER = {
    "nothing": "",
    "a uid of another VM of ours": f"cloudpemda uid={2:032x} role=primary instance=dinkes/simrs/x",
    "our uid in another role": f"cloudpemda uid={1:032x} role=drill instance=dinkes/simrs/db-1",
    "our uid in a quotation": f"copied from: cloudpemda uid={1:032x} role=primary",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("strangers")) as found:
        yield found


@pytest.fixture
def lab(shared: Rig) -> Rig:
    return shared.fresh()


def replaced(lab: Rig, description: str) -> None:
    """Another VM stands under VMID 10001, with all the protection that ours had."""
    lab.control.outside("delete-vm", 10001)
    lab.control.outside(
        "create-vm", 10001, node="pve1", config={"name": "stranger", "description": description}
    )
    lab.control.outside("change-vm", 10001, status="running")
    if "vm:10001" not in lab.control.state()["dc"]["ha_resources"]:
        lab.pve.add_ha_resource(10001, group=None)


def seen(lab: Rig) -> dict[str, object]:
    """Everything that the stranger's owner could miss."""
    dc = lab.control.state()["dc"]
    vm = dc["vms"]["10001"]
    return {
        "config": vm["config"],
        "status": vm["status"],
        "ha": dc["ha_resources"]["vm:10001"]["options"],
        "rules": {name: rule["options"] for name, rule in dc["ha_rules"].items()},
        "replication": {
            name: job["options"]
            for name, job in dc["replication"].items()
            if name.startswith("10001-")
        },
        "backup": dc["backup_jobs"][BACKUP.job]["options"]["vmid"],
    }


@pytest.mark.parametrize("description", OTHER.values(), ids=OTHER)
@pytest.mark.parametrize("deed", [Rig.undo, Rig.apply], ids=["undo", "apply"])
def test_who_took_our_place_notices_nothing(
    lab: Rig, description: str, deed: Callable[..., object]
) -> None:
    vm = desired(1)
    assert [one.ending for one in lab.apply(vm).vms] == [VmEnding.ACTIVE]
    replaced(lab, description)
    before, asked = seen(lab), len(lab.control.requests())
    deed(lab, vm)
    assert lab.control.writes(asked) == []
    assert seen(lab) == before


@pytest.mark.parametrize("step", ["*/status/start", "/cluster/ha/resources",
                                  "/cluster/replication", "/cluster/backup"])  # fmt: skip
def test_who_took_our_place_while_we_were_away_is_not_made_ours(lab: Rig, step: str) -> None:
    """The apply stopped before it could start or protect our VM; it goes on over a stranger."""
    vm = desired(1)
    lab.control.arm({"on": {"method": "POST", "path": step}, "do": "error", "status": 599,
                     "reason": "Too many redirects"})  # fmt: skip
    assert [one.ending for one in lab.apply(vm).vms] == [VmEnding.UNFINISHED]
    lab.control.arm()
    lab.control.outside("delete-vm", 10001)
    lab.control.outside("create-vm", 10001, node="pve1", config={"name": "stranger"})
    stranger, asked = lab.control.vms()[10001], len(lab.control.requests())
    (result,) = lab.apply(vm).vms
    assert result.ending is not VmEnding.ACTIVE
    assert result.error is not None
    assert result.error.code == "apply.foreign"
    assert lab.control.writes(asked) == []
    assert lab.control.vms()[10001] == stranger


@pytest.mark.parametrize("last", ["create", "disks", "start", "ha", "replication"])
def test_who_took_our_place_between_two_steps_is_not_made_ours(lab: Rig, last: str) -> None:
    """The apply was halted after a step; the next step begins over a stranger."""
    vm = desired(1)
    lab.halted = lambda: any(told[1:3] == (last, "done") for told in lab.told)
    assert [one.ending for one in lab.apply(vm).vms] == [VmEnding.UNFINISHED]
    lab.halted = lambda: False
    lab.control.outside("delete-vm", 10001)
    lab.control.outside("create-vm", 10001, node="pve1", config={"name": "stranger"})
    stranger, asked = lab.control.vms()[10001], len(lab.control.requests())
    (result,) = lab.apply(vm).vms
    assert result.ending is not VmEnding.ACTIVE
    assert lab.control.writes(asked) == []
    assert lab.control.vms()[10001] == stranger


def test_a_vm_that_cannot_be_asked_whose_it_is_is_left_alone(lab: Rig, tmp_path: Path) -> None:
    vm = desired(1, plain=True)
    lab.apply(vm)
    before = lab.control.vms()[10001]["config"]
    lab.control.arm({"on": {"method": "GET", "path": "*/qemu/10001/config"}, "do": "error",
                     "status": 500, "reason": "unexpected"})  # fmt: skip
    asked = len(lab.control.requests())
    assert [one.ending for one in lab.undo(vm).vms] != [VmEnding.FAILED]
    assert lab.control.writes(asked) == []
    lab.control.arm()
    assert lab.control.vms()[10001]["config"] == before
