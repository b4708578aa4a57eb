"""The way every VM goes: imported or cloned, configured, grown, started, protected, removed."""

from __future__ import annotations

from tests.labs import Control

from .conftest import Client

IMAGE = "nfs:import/debian-12.qcow2"


def create(pve: Client, vmid: int = 10000, **more: object) -> str:
    settings = {
        "vmid": vmid,
        "name": f"vm{vmid}",
        "memory": 2048,
        "cores": 2,
        "scsihw": "virtio-scsi-single",
        "scsi0": f"local-zfs:0,import-from={IMAGE}",
        "ide2": "local-zfs:cloudinit",
        "net0": "virtio,bridge=vmbr0,tag=110",
        "boot": "order=scsi0",
        "ciuser": "admin",
        "ipconfig0": "ip=10.10.110.21/24,gw=10.10.110.1",
        "agent": "enabled=1",
        "description": "uid=0001",
        **more,
    }
    return pve.task("POST", "/nodes/pve1/qemu", **settings)


def test_a_vm_is_imported_configured_grown_started_and_reported(
    pve: Client, root: Client, control: Control
) -> None:
    pve("POST", "/pools", poolid="opd-dinkes")
    assert create(pve, pool="opd-dinkes") == "OK"
    config = pve("GET", "/nodes/pve1/qemu/10000/config")
    assert config["scsi0"] == "local-zfs:vm-10000-disk-0,size=2G"
    assert (config["memory"], config["cores"]) == ("2048", 2)
    path = "/nodes/pve1/qemu/10000"
    assert pve.task("PUT", f"{path}/resize", disk="scsi0", size="40G") == "OK"
    assert (
        pve(
            "PUT",
            f"{path}/config",
            tags="Dinkes;app",
            digest=pve("GET", f"{path}/config")["digest"],
        )
        is None
    )
    assert pve("GET", f"{path}/config")["tags"] == "app;dinkes"
    assert pve.task("POST", f"{path}/status/start") == "OK"
    control.wait(20)
    found = root("GET", f"{path}/agent/network-get-interfaces")["result"]
    assert found[1]["ip-addresses"][0]["ip-address"] == "10.10.110.21"
    row = next(r for r in pve("GET", "/cluster/resources", type="vm") if r["vmid"] == 10000)
    assert (row["status"], row["pool"], row["maxdisk"]) == ("running", "opd-dinkes", 40 * 1024**3)


def test_a_vm_is_protected_by_ha_replication_and_backup(pve: Client, control: Control) -> None:
    create(pve)
    pve.task("POST", "/nodes/pve1/qemu/10000/status/start")
    pve("POST", "/cluster/ha/resources", sid="vm:10000", state="started")
    pve("POST", "/cluster/ha/rules", rule="dinkes-vm10000", type="node-affinity",
        resources="vm:10000", nodes="pve1,pve2", strict=1)  # fmt: skip
    pve("POST", "/cluster/replication", id="10000-0", type="local", target="pve2", schedule="*/15")
    pve("POST", "/cluster/backup", id="nightly", schedule="02:00", storage="pbs-dc", vmid="10000")
    assert pve("GET", "/cluster/backup-info/not-backed-up") == []
    control.advance(20 * 60)
    service = [r for r in pve("GET", "/cluster/ha/status/current") if r["type"] == "service"]
    assert service[0]["state"] == "started"
    status = pve("GET", "/nodes/pve1/replication/10000-0/status")
    assert status["last_sync"] > 0
    assert status["fail_count"] == 0
    volumes = pve("GET", "/nodes/pve2/storage/local-zfs/content")
    assert [v["volid"] for v in volumes] == ["local-zfs:vm-10000-disk-0"]
    control.advance(24 * 3600)
    backups = pve("GET", "/nodes/pve1/storage/pbs-dc/content", content="backup")
    assert [b["vmid"] for b in backups] == [10000]


def test_removal_backwards_leaves_nothing(pve: Client, control: Control) -> None:
    create(pve)
    pve("POST", "/cluster/ha/resources", sid="vm:10000", state="started")
    control.wait(30)
    assert pve.send("DELETE", "/nodes/pve1/qemu/10000").reason.startswith(
        "unable to remove VM 10000"
    )
    pve("PUT", "/cluster/ha/resources/vm:10000", state="disabled")
    control.wait(30)
    pve("DELETE", "/cluster/ha/resources/vm:10000")
    assert pve.task("DELETE", "/nodes/pve1/qemu/10000", purge=1) == "OK"
    state = control.state()["dc"]
    assert state["vms"] == {}
    assert [v["volid"] for v in state["volumes"]] == [IMAGE]


def test_a_clone_is_a_full_copy_with_an_identity_of_its_own(pve: Client) -> None:
    create(pve, 9000)
    assert pve.task("POST", "/nodes/pve1/qemu/9000/template") == "OK"
    upid = pve(
        "POST", "/nodes/pve1/qemu/9000/clone", newid=10001, name="kopi", full=1, storage="tank-hdd"
    )
    assert pve("GET", "/nodes/pve1/qemu/10001/config")["lock"] == "clone"
    assert pve.finish(upid) == "OK"
    source, copy = (pve("GET", f"/nodes/pve1/qemu/{n}/config") for n in (9000, 10001))
    assert copy["scsi0"] == "tank-hdd:vm-10001-disk-0,size=2G"
    assert copy["net0"] != source["net0"]
    assert copy["smbios1"] != source["smbios1"]


def test_a_taken_id_is_refused_at_once(pve: Client, control: Control) -> None:
    control.outside("create-vm", 10000)
    answer = pve.send("POST", "/nodes/pve2/qemu", vmid=10000)
    assert (answer.status_code, answer.reason) == (
        500, "unable to create VM 10000 - VM 10000 already exists on node 'pve1'",
    )  # fmt: skip
