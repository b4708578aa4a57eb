"""A VM's configuration and its disks: what plugs, what waits, what becomes of volumes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.labs import Control

from .conftest import Client
from .test_main_sequence import IMAGE, create

VM = "/nodes/pve1/qemu/10000"
DISK = "local-zfs:vm-10000-disk-0"


def volumes(control: Control) -> set[str]:
    return {volume["volid"] for volume in control.state()["dc"]["volumes"]}


def running(pve: Client, **settings: Any) -> None:
    assert create(pve, **settings) == "OK"
    assert pve.task("POST", f"{VM}/status/start") == "OK"


def waiting(pve: Client) -> dict[str, object]:
    """What waits for the VM's next start: the new value, or None for a key that goes."""
    rows = pve("GET", f"{VM}/pending")
    return {r["key"]: r.get("pending") for r in rows if "pending" in r or "delete" in r}


def test_a_running_vm_takes_over_what_its_hotplug_setting_lets_it(pve: Client) -> None:
    running(pve)
    pve("PUT", f"{VM}/config", scsi1="local-zfs:1", sata0="local-zfs:1", cores=3, cpulimit="1.5")
    assert waiting(pve) == {"sata0": "local-zfs:vm-10000-disk-2,size=1G", "cores": 3}
    pve("PUT", f"{VM}/config", delete="scsi1,cpulimit,agent")
    assert waiting(pve) == {
        "sata0": "local-zfs:vm-10000-disk-2,size=1G", "cores": 3, "agent": None,
    }  # fmt: skip
    assert pve("GET", f"{VM}/config", current=1)["unused0"] == "local-zfs:vm-10000-disk-1"


def test_without_hotplug_new_devices_wait_but_a_nic_changes_its_vlan(pve: Client) -> None:
    running(pve, hotplug="0")
    nic = pve("GET", f"{VM}/config")["net0"]
    pve("PUT", f"{VM}/config", net0=nic.replace("tag=110", "tag=120"), net1="virtio,bridge=vmbr0")
    assert set(waiting(pve)) == {"net1"}
    assert "tag=120" in pve("GET", f"{VM}/config", current=1)["net0"]


def test_memory_plugs_where_the_vm_allows_it(pve: Client) -> None:
    running(pve, hotplug="disk,memory", vcpus=1)
    pve("PUT", f"{VM}/config", memory=4096, vcpus=2, hotplug="disk")
    assert waiting(pve) == {"vcpus": 2, "hotplug": "disk"}


def test_a_disk_that_waits_stays_as_unused_when_the_change_is_reverted(pve: Client) -> None:
    running(pve, hotplug="0")
    pve("PUT", f"{VM}/config", scsi1="local-zfs:1")
    assert set(waiting(pve)) == {"scsi1"}
    pve("PUT", f"{VM}/config", revert="scsi1")
    assert waiting(pve) == {}
    assert pve("GET", f"{VM}/config")["unused0"] == "local-zfs:vm-10000-disk-1"


def test_a_detached_volume_is_attached_again_under_another_key(
    pve: Client, control: Control
) -> None:
    create(pve)
    pve("PUT", f"{VM}/config", delete="scsi0")
    detached = pve("GET", f"{VM}/config")
    assert (detached["unused0"], detached["boot"]) == (DISK, " ")
    pve("PUT", f"{VM}/config", virtio2=DISK, boot="order=virtio2")
    again = pve("GET", f"{VM}/config")
    assert again["virtio2"] == f"{DISK},size=2G"
    assert "unused0" not in again
    assert DISK in volumes(control)


def test_a_volume_goes_with_the_last_that_needs_it(root: Client, control: Control) -> None:
    create(root)
    root("PUT", f"{VM}/config", scsi1=DISK)
    refused = root.send("PUT", f"{VM}/unlink", idlist="scsi1", force=1)
    assert "volume is still in use (snapshot?)" in refused.json()["errors"]["scsi1"]
    root("PUT", f"{VM}/config", delete="scsi1")
    assert "unused0" not in root("GET", f"{VM}/config")
    assert root.task("POST", f"{VM}/snapshot", snapname="before") == "OK"
    root("PUT", f"{VM}/config", delete="scsi0")
    kept = root.send("PUT", f"{VM}/config", delete="unused0")
    assert kept.reason == f"unable to delete '{DISK}' - volume is still in use (snapshot?)"
    assert root.task("DELETE", f"{VM}/snapshot/before") == "OK"
    root("PUT", f"{VM}/config", delete="unused0")
    assert DISK not in volumes(control)


def test_protection_keeps_unused_volumes_too(pve: Client) -> None:
    create(pve)
    pve("PUT", f"{VM}/config", delete="scsi0")
    pve("PUT", f"{VM}/config", protection=1)
    refused = pve.send("PUT", f"{VM}/config", delete="unused0")
    assert refused.reason == f"can't remove unused disk '{DISK}' - protection mode enabled"


@pytest.mark.parametrize("delete", [0, 1])
def test_a_disk_moves_to_another_storage(pve: Client, control: Control, delete: int) -> None:
    create(pve)
    status = pve.task("POST", f"{VM}/move_disk", disk="scsi0", storage="tank-hdd", delete=delete)
    assert status == "OK"
    config = pve("GET", f"{VM}/config")
    assert config["scsi0"] == "tank-hdd:vm-10000-disk-0,size=2G"
    assert config.get("unused0") == (None if delete else DISK)
    assert (DISK in volumes(control)) is not bool(delete)


def test_a_disk_that_a_vm_snapshot_needs_is_not_moved_away(root: Client) -> None:
    create(root)
    assert root.task("POST", f"{VM}/snapshot", snapname="before") == "OK"
    refused = root.send("POST", f"{VM}/move_disk", disk="scsi0", storage="tank-hdd", delete=1)
    assert refused.reason == "you can't move a disk with snapshots and delete the source"


def test_a_disk_is_given_to_another_vm(pve: Client, control: Control) -> None:
    create(pve)
    create(pve, 10001)
    given = {"disk": "scsi0", "target-vmid": 10001, "target-disk": "scsi3"}
    refused = pve.send("POST", f"{VM}/move_disk", **{**given, "target-disk": "scsi0"})
    assert refused.reason == "Target disk key 'scsi0' is already in use for VM '10001'"
    assert pve.task("POST", f"{VM}/move_disk", **given) == "OK"
    assert "scsi0" not in pve("GET", f"{VM}/config")
    other = pve("GET", "/nodes/pve1/qemu/10001/config")
    assert other["scsi3"] == "local-zfs:vm-10001-disk-1,size=2G"
    assert DISK not in volumes(control)


def test_a_disk_is_given_away_only_by_a_stopped_vm_and_to_one_other(pve: Client) -> None:
    running(pve)
    create(pve, 10001)
    refused = pve.send(
        "POST", f"{VM}/move_disk", **{"disk": "scsi0", "target-vmid": 10001, "target-disk": "scsi3"}
    )
    words = "Cannot move disk to another VM while the source VM is running - detach first"
    assert refused.reason == words
    neither = pve.send("POST", f"{VM}/move_disk", disk="scsi0")
    assert set(neither.json()["errors"]) == {"storage", "target-vmid"}


@pytest.mark.parametrize(
    ("drive", "status", "said"),
    [
        ("local:1", 400, "storage 'local' does not support vm images"),
        ("local-zfs:-1", 500, "unable to parse zfs volume name '-1'"),
        ("local-zfs:vm-10000-disk-7", 500, "volume 'local-zfs:vm-10000-disk-7' does not exist"),
        ("local-zfs:1,format=qcow2", 500, "unsupported format 'qcow2'"),
        (f"local-zfs:5,import-from={IMAGE}", 400, "requires special syntax"),
        ("local-zfs:0,import-from=nfs:iso/x.iso", 400, "has wrong type 'iso'"),
        ("nfs:import/debian-12.qcow2", 400, "content type needs to be 'images' or 'iso'"),
    ],
)
def test_drives_that_cannot_be_made_are_refused(
    pve: Client, drive: str, status: int, said: str
) -> None:
    create(pve)
    refused = pve.send("PUT", f"{VM}/config", scsi1=drive)
    assert refused.status_code == status
    assert said in refused.text
    assert "scsi1" not in pve("GET", f"{VM}/config")


def test_the_task_of_a_change_tells_what_it_changes_but_no_password(pve: Client) -> None:
    create(pve)
    upid = pve("POST", f"{VM}/config", cipassword="S3cret!", cores=1)
    assert pve.finish(upid) == "OK"
    log = pve("GET", f"/nodes/pve1/tasks/{upid}/log")
    assert log[0]["t"] == "update VM 10000: -cipassword <hidden> -cores 1"


def test_what_pve_keeps_to_root_is_refused_to_a_token(pve: Client) -> None:
    create(pve)
    refused = pve.send("PUT", f"{VM}/config", affinity="0-1")
    assert refused.reason == "only root can set 'affinity' config"
