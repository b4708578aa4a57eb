"""What a backup holds comes back: over the VM that stands there, or as a new one."""

from __future__ import annotations

import pytest
import requests

from tests.labs import Control, RunningLab

from .conftest import Client
from .test_main_sequence import create
from .test_stores import PBS, backup, volumes

QEMU = "/nodes/pve1/qemu"
CONFIG = f"{QEMU}/10000/config"


def restored(pve: Client, archive: str, vmid: int = 10000, **more: object) -> str:
    return pve.task("POST", QEMU, vmid=vmid, archive=archive, **more)


def test_over_the_vm_that_stands_there_all_but_what_was_left_out_is_as_it_was(
    root: Client, control: Control
) -> None:
    create(root, scsi1="tank-hdd:8,backup=0")
    kept = root("GET", CONFIG)
    archive = backup(root, control)
    since = control.now()
    root("PUT", CONFIG, cores=1, description="later")
    root.task("PUT", f"{QEMU}/10000/resize", disk="scsi0", size="20G")
    root.task("POST", f"{QEMU}/10000/snapshot", snapname="later")
    assert restored(root, archive, force=1) == "OK"
    now = root("GET", CONFIG)
    same = ("cores", "memory", "net0", "smbios1", "name", "scsi0")
    assert {key: now[key] for key in same} == {key: kept[key] for key in same}
    assert now["vmgenid"] != kept["vmgenid"]
    assert now["unused0"] == "tank-hdd:vm-10000-disk-0"
    assert now["description"].splitlines()[-1] == f"scsi1: {kept['scsi1']}"
    assert [one["name"] for one in root("GET", f"{QEMU}/10000/snapshot")] == ["current"]
    (event,) = [one for one in control.events() if one["what"] == "restored"]
    assert event["volid"] == archive
    assert event["recovery_point"] < since
    (disk,) = [
        v for v in control.state()["dc"]["volumes"] if v["volid"].endswith("zfs:vm-10000-disk-0")
    ]
    assert disk["holds"] == event["recovery_point"]


def test_a_new_vm_has_its_own_addresses_where_that_is_asked_for(
    root: Client, control: Control
) -> None:
    create(root)
    archive = backup(root, control)
    root("POST", "/pools", poolid="opd")
    more = {"unique": 1, "storage": "tank-hdd", "pool": "opd", "description": "copy", "name": "b"}
    assert restored(root, archive, 10001, **more) == "OK"
    old, new = root("GET", CONFIG), root("GET", f"{QEMU}/10001/config")
    assert (new["description"], new["name"]) == ("copy", "b")
    assert new["scsi0"].startswith("tank-hdd:vm-10001-disk-0,")
    for key in ("net0", "smbios1", "vmgenid"):
        assert new[key] != old[key]
    assert [one["vmid"] for one in root("GET", "/pools/opd")["members"]] == [10001]
    assert control.vms()[10001]["status"] == "stopped"


def test_a_restore_that_fails_has_lost_the_disks(root: Client, control: Control) -> None:
    create(root)
    archive = backup(root, control)
    control.arm({"at": 0, "do": "storage-full", "storage": "local-zfs"})
    control.advance(1)
    assert "out of space" in restored(root, archive, 10001)
    assert control.vms()[10001]["config"] == {}
    assert "out of space" in restored(root, archive, force=1)
    assert "scsi0" in root("GET", CONFIG)
    assert volumes(root, "local-zfs", vmid=10000) == []
    control.arm({"at": 0, "do": "storage-freed", "storage": "local-zfs"})
    control.advance(1)
    assert restored(root, archive, force=1) == "OK"


@pytest.mark.parametrize(
    ("prepare", "more", "reason"),
    [
        ("", {}, "unable to restore VM 10000 - VM 10000 already exists on node 'pve1'"),
        ("lock", {"force": 1}, "unable to restore VM 10000 - VM is locked (backup)"),
        ("", {"force": 1, "scsi3": "local-zfs:1"}, "Parameter verification failed."),
        ("", {"force": 1, "storage": "none"}, "storage 'none' does not exist"),
        ("", {"force": 1, "archive": "nfs:iso/x.iso"}, "unable to parse volume ID 'nfs:iso/x.iso'"),
        ("protect", {"force": 1}, "unable to restore VM 10000 - - protection mode enabled"),
        ("start", {"force": 1}, "unable to restore VM 10000 - vm is running"),
    ],
)
def test_it_is_refused_in_pves_words(
    root: Client, control: Control, prepare: str, more: dict[str, object], reason: str
) -> None:
    create(root)
    archive, there = backup(root, control), volumes(root, "local-zfs", vmid=10000)
    match prepare:
        case "start":
            root.task("POST", f"{QEMU}/10000/status/start")
        case "lock":
            root("PUT", CONFIG, lock="backup")
        case "protect":
            root("PUT", CONFIG, protection=1)
    answer = root.send("POST", QEMU, **({"vmid": 10000, "archive": archive} | more))
    said = root.finish(answer.json()["data"]) if answer.status_code == 200 else answer.reason
    assert said == reason
    assert root("GET", CONFIG).get("lock") == ("backup" if prepare == "lock" else None)
    assert volumes(root, "local-zfs", vmid=10000) == there


def test_who_may_back_a_vm_up_may_restore_over_it_and_make_no_other(
    root: Client, lab: RunningLab, control: Control
) -> None:
    create(root)
    archive = backup(root, control)
    root(
        "POST",
        "/access/roles",
        roleid="Restorer",
        privs="VM.Backup,Datastore.AllocateSpace,SDN.Use",
    )
    root("POST", "/access/users", userid="eka@pve")
    secret = root("POST", "/access/users/eka@pve/token/t1", privsep=0)["value"]
    root("PUT", "/access/acl", path="/", roles="Restorer", users="eka@pve")
    eka = Client(lab)
    eka.headers = {"Authorization": f"PVEAPIToken=eka@pve!t1={secret}"}
    form = {"archive": archive, "force": 1}
    assert eka.send("POST", QEMU, vmid=10001, **form).status_code == 403
    assert root.finish(eka("POST", QEMU, vmid=10000, **form)) == "OK"
    root("PUT", "/access/acl", path="/vms/10000", roles="NoAccess", users="eka@pve")
    refused: requests.Response = eka.send("POST", QEMU, vmid=10000, **form)
    assert refused.status_code == 403


def test_a_backups_configuration_is_read_without_restoring_it(
    root: Client, control: Control
) -> None:
    create(root, description="uid=1 of: them\nmore")
    archive = backup(root, control)
    text = root("GET", "/nodes/pve1/vzdump/extractconfig", volume=archive)
    assert text.startswith("#uid=1 of%3A them\n#more\n")
    assert "\ncores: 2\n" in text
    assert "#qmdump#map:scsi0:drive-scsi0:local-zfs:raw:\n" in text
    gone = root.send("GET", "/nodes/pve1/vzdump/extractconfig", volume=f"{archive[:-3]}1Z")
    assert gone.status_code == 500
    assert PBS.endswith(archive.partition(":")[0])
