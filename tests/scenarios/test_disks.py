"""Disks that a change takes from VMs that live, puts back, or moves to another class."""

from typing import Any

import pytest

from tests.scenarios.conftest import Office
from tests.scenarios.test_changing import (
    APP,
    FILE,
    GIB,
    KEY,
    _app,
    _longer,
    changed,
    propose,
    restart,
    settled,
    used,
)
from tests.scenarios.test_changing_back import faults


def _without(document: dict[str, Any]) -> None:
    """Without its second disk: the third one keeps its place."""
    _app(document)["disks"].pop(1)


def _slower(document: dict[str, Any]) -> None:
    _app(document)["disks"][1]["class"] = "hdd"


def _without_and_larger(document: dict[str, Any]) -> None:
    _without(document)
    _app(document)["disks"][1]["size"] = "120 GiB"


def _volumes(office: Office, vmid: int) -> set[str]:
    return {
        f"{one['node']} {one['volid']}"
        for one in office.lab.get("/state")["dc"]["volumes"]
        if one["vmid"] == vmid and "cloudinit" not in one["volid"]
    }


def removed(office: Office) -> tuple[int, str]:
    """BKAD's VM without its disk `data`, whose volume it is."""
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})  # it was replicated
    ((vmid, vm),) = office.vms().items()
    volume = str(vm["config"]["scsi1"]).partition(",")[0]
    propose(office, _without, "--allow-retire")
    answer = office.run("apply", KEY)
    assert answer.code == 0, answer.out
    return vmid, volume


def _unused(office: Office, vmid: int) -> list[str]:
    config = office.vms()[vmid]["config"]
    return [str(value) for key, value in config.items() if key.startswith("unused")]


def test_a_removed_disk_rests_is_charged_and_is_destroyed_in_the_end(office: Office) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})
    ((vmid, vm),) = office.vms().items()
    volume = str(vm["config"]["scsi1"]).partition(",")[0]
    copies = {one for one in _volumes(office, vmid) if one.endswith(volume)}
    assert len(copies) == 2, "a replica lies on another node"
    before = used(office)
    propose(office, _without, "--allow-retire")
    requests = len(office.requests())

    plan = office.run("plan", KEY)

    assert office.writes_since(requests) == []
    (planned,) = plan.data[0]["vms"]
    assert [(one["key"], one["live"], one["desired"]) for one in planned["differences"]] == [
        ("scsi1", volume, "")
    ]
    assert "disk data is detached" in office.text("plan", KEY).out

    assert office.run("apply", KEY).code == 0

    now = office.vms()[vmid]
    assert now["pid"] == vm["pid"], "it was never stopped"
    assert "scsi1" not in now["config"]
    assert now["config"]["scsi2"] == vm["config"]["scsi2"]
    assert _unused(office, vmid) == [volume]
    rests = used(office)
    assert {name: rests[name] - before[name] for name in rests if rests[name] != before[name]} == {
        "backup": -72 * GIB
    }
    settled(office)
    (shown,) = office.run("vm", "disks").data
    assert (shown["vm"], shown["disk"], shown["volume"], shown["why"]) == (
        APP, "data", volume, "removed",
    )  # fmt: skip
    assert "data of bkad/simkeu/app-1" in office.text("vm", "disks").out
    assert "can be put back: 1 " in office.text("status", "--offline").out

    office.run("nightly")
    assert _unused(office, vmid) == [volume], "its quarantine is not over"
    office.lab.post("/advance", {"seconds": 15 * 86400})
    office.run("nightly")

    assert not [one for one in _volumes(office, vmid) if one.endswith(volume)]
    after = used(office)
    assert rests["disk.ssd"] - after["disk.ssd"] == 120 * GIB
    assert office.run("vm", "disks").data == []
    settled(office)


def test_a_disk_is_put_back_with_its_data(office: Office) -> None:
    vmid, volume = removed(office)
    before = used(office)

    changed(office, _longer)

    config = office.vms()[vmid]["config"]
    assert config["scsi1"].partition(",")[0] == volume
    assert _unused(office, vmid) == []
    after = used(office)
    assert after["disk.ssd"] == before["disk.ssd"], "it was charged all the time"
    assert office.run("vm", "disks").data == []
    settled(office)


@pytest.mark.slow
def test_while_it_rests_it_is_asked_for_as_it_is(office: Office) -> None:
    removed(office)
    propose(office, _slower)

    answer = office.run("apply", KEY)

    assert answer.codes == ["plan.disk-rests"]


@pytest.mark.slow
def test_a_disk_that_the_guest_does_not_let_go_stays_charged_as_before(office: Office) -> None:
    office.built(FILE, KEY)
    (vmid,) = office.vms()
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": vmid, "set": {"hotplug": "network,usb"}},
    )
    before = used(office)
    propose(office, _without, "--allow-retire")

    answer = office.run("apply", KEY)

    assert (answer.code, answer.data[0]["restart"]) == (0, {APP: ["scsi1"]})
    assert used(office)["disk.ssd"] == before["disk.ssd"]
    assert "goes once" in office.text("vm", "disks").out
    restart(office, vmid)
    office.run("nightly")
    assert office.run("vm", "disks").data[0]["since"] is not None
    assert used(office)["disk.ssd"] == before["disk.ssd"]
    settled(office)


@pytest.mark.slow
def test_a_removal_that_was_begun_is_taken_back(office: Office) -> None:
    office.built(FILE, KEY)
    ((vmid, vm),) = office.vms().items()
    before = used(office)
    propose(office, _without_and_larger, "--allow-retire")
    no_resize = {"on": {"method": "PUT", "path": "*/resize"}, "do": "error", "status": 500}
    faults(office, {**no_resize, "reason": "zfs error: out of space"})
    assert office.run("apply", KEY).code == 6
    assert len(_unused(office, vmid)) == 1
    faults(office)

    answer = office.run("apply", KEY, "--undo")

    assert answer.code == 0, answer.out
    config = office.vms()[vmid]["config"]
    assert config["scsi1"].partition(",")[0] == vm["config"]["scsi1"].partition(",")[0]
    assert _unused(office, vmid) == []
    assert (used(office), office.run("vm", "disks").data) == (before, [])
    settled(office)


def test_another_class_moves_the_disk_and_leaves_nothing_behind(office: Office) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})
    ((vmid, vm),) = office.vms().items()
    volume = str(vm["config"]["scsi1"]).partition(",")[0]
    before = used(office)
    propose(office, _slower)
    plan = office.run("plan", KEY)
    (planned,) = plan.data[0]["vms"]
    assert [one["key"] for one in planned["differences"]] == ["scsi1.storage"]

    answer = office.run("apply", KEY)

    assert answer.code == 0, answer.out
    now = office.vms()[vmid]
    assert now["pid"] == vm["pid"], "it was never stopped"
    assert now["config"]["scsi1"].startswith("tank-hdd:")
    assert not [one for one in _volumes(office, vmid) if one.endswith(volume)]
    after = used(office)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "disk.ssd": -120 * GIB, "disk.hdd": 120 * GIB,
    }  # fmt: skip
    settled(office)
    assert office.run("vm", "disks").data == []


@pytest.mark.slow
def test_who_took_the_place_of_its_vm_keeps_everything(office: Office) -> None:
    vmid, _ = removed(office)
    office.lab.post("/advance", {"seconds": 15 * 86400})
    office.lab.post(
        "/outside",
        {
            "cluster": "dc",
            "action": "change-vm",
            "vmid": vmid,
            "set": {"description": "somebody else's"},
        },
    )
    before, volumes = len(office.requests()), _volumes(office, vmid)

    answer = office.run("leases", "run")

    assert "disks.foreign" in answer.codes
    assert _volumes(office, vmid) == volumes
    assert [path for _, path in office.writes_since(before) if "qemu" in path] == []


def test_a_backup_from_before_a_disk_was_removed_is_not_put_in_its_vms_place(
    office: Office,
) -> None:
    """Its disk would come back beside the one that rests, and its VM would not run with it."""
    office.built(FILE, KEY)
    office.lab.post("/advance", {"seconds": 2 * 86400})
    propose(office, _without, "--allow-retire")
    assert office.run("apply", KEY).code == 0
    ((_, before),) = office.vms().items()
    seen = len(office.requests())
    words = ("vm", "restore", APP, "--from", "latest", "--yes", "--reason", "x")
    assert office.run(*words).codes == ["vm.restore-extra-disk"]
    assert office.writes_since(seen) == []
    ((_, after),) = office.vms().items()
    assert (after["status"], after["config"]) == (before["status"], before["config"])
    settled(office)
