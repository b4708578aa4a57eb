"""Design 4.9 and 4.6: what PVE answers proves little, so its effect is read back; and what can
be neither made nor taken back is a named state with commands, told every night."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.cluster import HaFlavour
from cloudpemda.plan.ha import Apartness, apartness
from tests.apply.rig import Rig, desired, rig
from tests.scenarios.conftest import Office


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("readback")) as found:
        yield found


@pytest.fixture
def lab(shared: Rig) -> Rig:
    return shared.fresh()


@pytest.mark.parametrize("change", [{"set": {"memory": "512"}}, {"set": {"onboot": "0"}},
                                    {"delete": ["net0"]}])  # fmt: skip
def test_what_is_not_there_when_it_is_read_back_is_not_called_active(
    lab: Rig, change: dict[str, Any]
) -> None:
    """Every answer was OK; somebody else's hand was faster than our last look."""
    vm = desired(1)
    tools = lab.tools([vm])

    def meddle(key: str, step: str, state: str, fraction: float) -> None:
        if (step, state) == ("backup", "done"):
            lab.control.outside("change-vm", 10001, **change)

    tools = replace(tools, progress=meddle)
    (result,) = apply_workload([vm], tools).vms
    assert result.ending is not VmEnding.ACTIVE
    assert result.error is not None
    assert result.error.code == "apply.not-as-desired"


def test_a_vm_that_ha_stopped_again_is_not_called_active(lab: Rig) -> None:
    vm = desired(1)
    tools = lab.tools([vm])

    def meddle(key: str, step: str, state: str, fraction: float) -> None:
        if (step, state) == ("backup", "done"):
            lab.pve.set_ha_resource(10001, state="stopped")

    tools = replace(tools, progress=meddle)
    (result,) = apply_workload([vm], tools).vms
    assert result.ending is not VmEnding.ACTIVE


def test_on_8_the_status_says_that_only_placement_keeps_three_members_apart() -> None:
    """Three members on three nodes cannot have disjoint groups of two nodes each."""
    members = [desired(number) for number in (1, 2, 3)]
    assert apartness(members, HaFlavour.GROUPS) == {"dinkes_simrs_db": Apartness.PLACEMENT_ONLY}
    assert apartness(members, HaFlavour.RULES) == {"dinkes_simrs_db": Apartness.RULE}


def test_a_removal_that_did_not_happen_is_not_called_undone(lab: Rig) -> None:
    """The task says OK, and the VM still stands there."""
    vm = desired(1, plain=True)
    lab.apply(vm)
    config = lab.control.vms()[10001]["config"]

    lab.control.arm({"on": {"method": "DELETE", "path": "*/qemu/10001"}, "do": "error",
                     "reason": "unable to remove"})  # fmt: skip
    (result,) = lab.undo(vm).vms
    assert result.ending is VmEnding.STUCK
    assert any("qm destroy 10001" in command for command in result.commands)
    assert lab.control.vms()[10001]["config"] == config


def test_a_stuck_vm_is_told_every_night_until_it_is_gone(office: Office) -> None:
    office.approved()
    office.lab.post(
        "/faults",
        {"faults": [{"on": {"method": "POST", "path": "*/status/start"}, "do": "error",
                     "reason": "no"},
                    {"on": {"method": "DELETE", "path": "*/qemu/*"}, "do": "error",
                     "reason": "no"}]},
    )  # fmt: skip
    stuck = office.run("apply", "dinkes/simrs")
    assert "apply.vm-stuck" in stuck.codes
    commands = [command for vm in stuck.data[0]["vms"] for command in vm["commands"]]
    assert {f"qm destroy {vmid}" for vmid in office.vms()} <= {
        " ".join(command.split()[:3]) for command in commands
    }
    assert stuck.code in {6, 7}
    shown = office.run("request", "show", "dinkes/simrs").data
    assert shown["record"]["state"] == "stuck"
    held = {one["dimension"]: one["held"] for one in office.run("quota", "show", "dinkes").data}
    assert held["instances"] == 3, "what may still be there stays charged"
    for _ in range(2):
        night = office.run("nightly")
        assert night.code == 7
        told = [one for one in night.document["faults"] if one["code"] == "nightly.request-stuck"]
        assert [one["values"]["key"] for one in told] == ["dinkes/simrs"]
        assert "apply" in told[0]["next"]
        office.lab.post("/advance", {"seconds": 86400})
    again = office.run("apply", "dinkes/simrs")
    assert "apply.vm-stuck" in again.codes
    assert any("qm destroy" in fault["message"] + str(fault["next"])
               for fault in again.document["faults"])  # fmt: skip
    office.lab.post("/faults", {"faults": []})
    for _ in range(2):  # once to take back, once to make anew
        last = office.run("apply", "dinkes/simrs")
    assert last.code == 0, last.out
    assert "nightly.request-stuck" not in office.run("nightly").codes
