"""A VM from a template: nothing of the template shows in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cloudpemda.apply import VmEnding
from cloudpemda.clock import LabClock
from tests import labs
from tests.apply.rig import Rig, client, desired, layout


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Rig]:
    with labs.running_lab(tmp_path / "lab", layout()) as running:
        clock = LabClock(running.control.url, running.control.token)
        rig = Rig(running.control, client(running, clock), clock, tmp_path / "locks")
        _make_template(running, rig)
        yield rig


def _make_template(running: labs.RunningLab, rig: Rig) -> None:
    """A template that is as unlike our VMs as a template can be."""
    pve = rig.pve
    pve.create_vm(
        "pve1",
        900,
        {
            "name": "golden",
            "description": "cloudpemda uid=somebody role=primary",
            "tags": "golden;cloudpemda",
            "onboot": 1,
            "memory": 4096,
            "balloon": 1024,
            "cpulimit": 2,
            "scsihw": "virtio-scsi-pci",
            "net0": "virtio=BC:24:11:AA:AA:AA,bridge=vmbr0",
            "net1": "virtio=BC:24:11:AA:AA:AB,bridge=vmbr0",
            "ipconfig1": "ip=dhcp",
            "startup": "order=1",
            "scsi0": "local-zfs:2,backup=0",
        },
    )
    rig.clock.sleep(10)
    session = requests.Session()
    session.trust_env = False
    session.verify = str(running.ca)
    answer = session.post(
        running.url("pve1") + "/api2/json/nodes/pve1/qemu/900/template",
        headers={"Authorization": f"PVEAPIToken={running.token()}"},
        timeout=600,
    )
    assert answer.status_code == 200, answer.reason
    rig.clock.sleep(10)


def test_nothing_of_the_template_is_inherited_by_accident(lab: Rig) -> None:
    vm = desired(1, template=900)
    result = lab.apply(vm)
    assert [one.ending for one in result.vms] == [VmEnding.ACTIVE], result
    assert lab.differences(vm) == []
    config = lab.control.vms()[10001]["config"]
    assert set(config["tags"].split(";")) == set(vm.tags)
    for leftover in ("net1", "ipconfig1", "balloon", "cpulimit", "startup"):
        assert leftover not in config
    assert config["memory"] == "2048"
    assert config["description"].startswith(f"cloudpemda uid={vm.identity.uid}")
    assert "backup=0" not in config["scsi0"]
    assert "size=20G" in config["scsi0"]
    assert lab.control.vms()[900]["config"]["name"] == "golden"


def test_a_clone_that_is_undone_leaves_the_template(lab: Rig) -> None:
    before = lab.left()
    vm = desired(1, template=900)
    lab.apply(vm)
    assert [one.ending for one in lab.undo(vm).vms] == [VmEnding.FAILED]
    assert lab.left() == before


def test_a_lost_answer_to_a_clone_makes_no_second_one(lab: Rig) -> None:
    lab.control.arm({"on": {"method": "POST", "path": "*/clone", "nth": 1}, "do": "lose-answer"})
    assert [one.ending for one in lab.apply(desired(1, template=900)).vms] == [VmEnding.ACTIVE]
    assert sorted(lab.control.vms()) == [900, 10001]
