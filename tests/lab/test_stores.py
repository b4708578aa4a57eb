"""Storages: what they hold, where they are seen, when they are full; how volumes come and go."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.labs import Control, RunningLab, layout, running_lab

from .conftest import Client
from .test_main_sequence import create

LOCAL = "/nodes/pve1/storage/local"
PBS = "/nodes/pve1/storage/pbs-dc"


def volumes(pve: Client, storage: str, node: str = "pve1", **wanted: object) -> list[str]:
    rows = pve("GET", f"/nodes/{node}/storage/{storage}/content", **wanted)
    return [row["volid"] for row in rows]


def backup(pve: Client, control: Control, **more: object) -> str:
    """A backup of VM 10000, a minute after the one before."""
    control.advance(60)
    known = set(volumes(pve, "pbs-dc"))
    assert pve.task("POST", "/nodes/pve1/vzdump", vmid=10000, storage="pbs-dc", **more) == "OK"
    (made,) = set(volumes(pve, "pbs-dc")) - known
    return made


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"type": "dir"}, "missing value for required option 'path'"),
        ({"type": "pbs", "server": "10.0.0.9"}, "missing value for required option 'datastore'"),
        ({"type": "zfspool", "pool": "t", "path": "/t"}, "unexpected property 'path'"),
        ({"type": "lvmthin", "vgname": "pve"}, "missing value for required option 'thinpool'"),
        ({"type": "nfs", "server": "10.0.0.9", "export": "/e", "vgname": "v"},
         "unexpected property 'vgname'"),
    ],
)  # fmt: skip
def test_a_type_has_its_own_options(root: Client, options: dict[str, str], reason: str) -> None:
    assert root.send("POST", "/storage", storage="new", **options).reason == reason


def test_a_storage_is_defined_changed_and_removed(root: Client) -> None:
    root("POST", "/storage", storage="new", type="nfs", server="10.0.0.9", export="/e")
    made = root("GET", "/storage/new")
    assert (made["path"], made["shared"]) == ("/mnt/pve/new", 1)
    stale = root.send("PUT", "/storage/new", content="iso", digest="0" * 40)
    assert "detected modified configuration" in stale.reason
    fixed = root.send("PUT", "/storage/new", export="/other")
    assert fixed.status_code == 400
    root("PUT", "/storage/new", content="iso", nodes="pve2", digest=made["digest"])
    root("PUT", "/storage/new", delete="nodes")
    assert "nodes" not in root("GET", "/storage/new")
    root("DELETE", "/storage/new")
    again = root.send("DELETE", "/storage/new")
    assert again.reason == "delete storage failed: storage 'new' does not exist"


def test_a_storage_is_seen_on_its_nodes_alone(root: Client) -> None:
    root("POST", "/storage", storage="there", type="dir", path="/there", nodes="pve2",
         content="iso")  # fmt: skip
    here, there = (
        root("GET", f"/nodes/{node}/storage/there/status")["enabled"] for node in ("pve1", "pve2")
    )
    assert (here, there) == (0, 1)
    refused = root.send("GET", "/nodes/pve1/storage/there/content")
    assert refused.reason == "storage 'there' is not available on node 'pve1'"


def test_volumes_of_one_storage_are_made_one_at_a_time(tmp_path: Any) -> None:
    described = layout()
    described["durations"]["default"] = 12
    with running_lab(tmp_path / "lab", described) as lab:
        root = Client(lab)
        settings = {"vmid": 500, "size": "1G"}
        path = "/nodes/pve1/storage/local-zfs/content"
        upid = root("DELETE", f"{path}/local-zfs:vm-500-disk-7")
        refused = root.send("POST", path, filename="vm-500-disk-0", **settings)
        lock = "/var/lock/pve-manager/pve-storage-local-zfs"
        assert refused.reason == f"can't lock file '{lock}' - got timeout"
        elsewhere = "/nodes/pve2/storage/local-zfs/content"
        assert root("POST", elsewhere, filename="vm-500-disk-0", **settings)
        assert root.finish(upid) == "OK"
        assert root("POST", path, filename="vm-500-disk-0", **settings)


def test_a_volume_bears_its_guests_id(root: Client) -> None:
    path = "/nodes/pve1/storage/local-zfs/content"
    wrong = root.send("POST", path, vmid=500, filename="vm-501-disk-0", size="1G")
    assert wrong.reason == "illegal name 'vm-501-disk-0' - should be 'vm-500-*'"
    full = root.send("POST", path, vmid=500, filename="vm-500-disk-0", size="2000G")
    assert full.reason == "zfs error: cannot create 'local-zfs/vm-500-disk-0': out of space"
    volid = root("POST", path, vmid=500, filename="vm-500-disk-0", size="1G")
    info = root("GET", f"{path}/{volid}")
    assert (info["size"], info["path"]) == (1024**3, "/dev/zvol/local-zfs/vm-500-disk-0")
    assert root.task("DELETE", f"{path}/{volid}") == "OK"
    gone = root.send("GET", f"{path}/{volid}")
    assert gone.reason == f"volume_size_info on '{volid}' failed - no format"


def test_a_protected_backup_stays(root: Client, control: Control) -> None:
    create(root)
    volid = backup(root, control, **{"notes-template": "{{vmid}} of {{cluster}}"})
    assert root("GET", f"{PBS}/content/{volid}")["notes"] == "10000 of dc"
    root("PUT", f"{PBS}/content/{volid}", protected=1, notes="before the upgrade")
    info = root("GET", f"{PBS}/content/{volid}")
    assert (info["notes"], info["protected"]) == ("before the upgrade", 1)
    refused = root.task("DELETE", f"{PBS}/content/{volid}")
    assert refused.startswith("cannot remove protected volume")
    root("PUT", f"{PBS}/content/{volid}", protected=0)
    assert root.task("DELETE", f"{PBS}/content/{volid}") == "OK"
    assert volumes(root, "pbs-dc") == []


def test_only_backups_have_notes(root: Client) -> None:
    create(root)
    answer = root.send("PUT", "/nodes/pve1/storage/local-zfs/content/vm-10000-disk-0", notes="mine")
    assert answer.reason == "attribute 'notes' is not supported for storage type 'zfspool'"
    image = root.send("PUT", "/nodes/pve1/storage/nfs/content/import/debian-12.qcow2", protected=1)
    assert image.reason == "only backups support attribute 'protected'"


def test_pruning_is_shown_before_it_is_done(root: Client, control: Control) -> None:
    create(root)
    made = [backup(root, control) for _ in range(4)]
    root("PUT", f"{PBS}/content/{made[0]}", protected=1)
    keep = {"prune-backups": "keep-last=1"}
    marks = {row["volid"]: row["mark"] for row in root("GET", f"{PBS}/prunebackups", **keep)}
    assert marks == dict(zip(made, ("protected", "remove", "remove", "keep"), strict=True))
    assert sorted(volumes(root, "pbs-dc")) == made
    assert root.task("DELETE", f"{PBS}/prunebackups", vmid=10000, **keep) == "OK"
    assert sorted(volumes(root, "pbs-dc")) == [made[0], made[3]]


def test_backups_go_to_storages_for_backups(root: Client) -> None:
    create(root)
    found = root.task("POST", "/nodes/pve1/vzdump", vmid=10000, storage="nfs")
    assert found == (
        "could not get storage information for 'nfs': "
        "can't use storage 'nfs' for backups - wrong content type"
    )
    assert root.task("POST", "/nodes/pve1/vzdump", vmid=9999, storage="pbs-dc") == "job errors"


def test_a_file_is_uploaded_and_found(root: Client, lab: RunningLab) -> None:
    url = f"{root.base}/nodes/pve1/storage/nfs/upload"
    for size in (3000, 5000):
        answer = requests.post(
            url,
            headers=root.headers,
            data={"content": "iso"},
            files={"filename": ("my image.iso", b"x" * size)},
            verify=str(lab.ca),
            timeout=600,
        )
        assert root.finish(answer.json()["data"]) == "OK"
    (row,) = root("GET", "/nodes/pve2/storage/nfs/content", content="iso")
    assert (row["volid"], row["size"]) == ("nfs:iso/my_image.iso", 5000)
    wrong = root.send("POST", "/nodes/pve1/storage/nfs/upload", content="iso", filename="x.exe")
    assert wrong.json()["errors"] == {"filename": "wrong file extension"}


def test_a_file_is_downloaded_from_its_address(root: Client) -> None:
    settings = {"content": "import", "filename": "os.qcow2"}
    url = "https://images.example.org/os.qcow2"
    assert root.task("POST", f"{LOCAL}/download-url", url=url, **settings) == "OK"
    assert create(root, 10000, scsi0="local-zfs:0,import-from=local:import/os.qcow2") == "OK"
    nobody = root.task("POST", f"{LOCAL}/download-url", url="http://127.0.0.1:1/x", **settings)
    assert nobody == "download failed: Connecting to 127.0.0.1:1... failed: Connection refused."
    wrong = root.send("POST", f"{LOCAL}/download-url", url=url, content="iso", filename="x.iso")
    assert wrong.reason == "storage 'local' is not configured for content-type 'iso'"
    block = root.send("POST", "/nodes/pve1/storage/local-zfs/download-url", url=url, **settings)
    assert block.reason.endswith("'zfspool', not a file based storage!")


def test_others_see_the_volumes_of_their_own_vms(root: Client, lab: RunningLab) -> None:
    create(root, 10000)
    create(root, 10001)
    root("POST", "/access/users", userid="ani@pve", password="rahasia-ani")
    root("PUT", "/access/acl", path="/storage", users="ani@pve", roles="PVEDatastoreUser")
    root("PUT", "/access/acl", path="/vms/10001", users="ani@pve", roles="PVEVMAdmin")
    ani = Client(lab)
    ani.headers = {}
    login = ani("POST", "/access/ticket", username="ani@pve", password="rahasia-ani")
    ani.headers = {"Cookie": f"PVEAuthCookie={login['ticket']}"}
    own = [volid for volid in volumes(root, "local-zfs") if "10001" in volid]
    assert volumes(ani, "local-zfs") == own
    path = "/nodes/pve1/storage/local-zfs/content"
    refused = ani.send("GET", f"{path}/local-zfs:vm-10000-disk-0")
    assert refused.reason == "Permission check failed (/vms/10000, VM.Config.Disk)"


def test_the_log_of_a_replication_job_tells_of_its_last_run(root: Client, control: Control) -> None:
    create(root)
    root(
        "POST",
        "/cluster/replication",
        id="10000-0",
        type="local",
        target="pve2",
        rate=2.5,
        schedule="daily",
    )
    path = "/nodes/pve1/replication/10000-0"
    (never,) = root("GET", f"{path}/log")
    assert never["t"] == "unable to open file - No such file or directory"
    control.advance(120)  # 2 GiB take longer
    assert root("GET", f"{path}/status")["pid"] > 0
    control.advance(3600)
    lines = [row["t"] for row in root("GET", f"{path}/log")]
    assert "full sync 'local-zfs:vm-10000-disk-0'" in "\n".join(lines)
    assert lines[-1].endswith("10000-0: end replication job")
    assert root("GET", f"{path}/status")["rate"] == 2.5


@pytest.mark.parametrize(
    ("chosen", "fault"),
    [
        ({"all": 1, "vmid": 10000}, "all: option conflicts with option 'vmid'"),
        ({"exclude": 10001, "vmid": 10000}, "exclude: option conflicts with option 'vmid'"),
        ({}, "vmid: property is missing"),
    ],
)
def test_a_backup_job_chooses_its_guests_in_one_way(
    root: Client, chosen: dict[str, int], fault: str
) -> None:
    refused = root.send("POST", "/cluster/backup", schedule="daily", storage="pbs-dc", **chosen)
    assert (refused.status_code, refused.reason) == (500, "400 Parameter verification failed.")
    assert fault in refused.json()["message"]


def test_another_choice_of_guests_replaces_the_first(root: Client) -> None:
    create(root, 10000)
    create(root, 10001)
    root("POST", "/cluster/backup", id="night", schedule="daily", storage="pbs-dc", exclude=10001)
    assert root("GET", "/cluster/backup/night")["all"] == 1
    root("PUT", "/cluster/backup/night", delete="exclude", vmid=10001)
    job = root("GET", "/cluster/backup/night")
    assert (job["vmid"], "all" in job) == ("10001", False)
    missed = root("GET", "/cluster/backup-info/not-backed-up")
    assert [row["vmid"] for row in missed] == [10000]


def test_a_backup_onto_a_full_storage_fails_and_leaves_nothing(
    root: Client, control: Control
) -> None:
    create(root)
    control.arm({"at": 0, "do": "storage-full", "storage": "pbs-dc"})
    control.wait(1)
    words = {"vmid": "10000", "storage": "pbs-dc", "mode": "snapshot"}
    assert root.task("POST", "/nodes/pve1/vzdump", **words) == "job errors"
    (event,) = [one for one in control.events() if one["what"] == "backup-failed"]
    assert event["vmid"] == 10000
    assert "space" in event["error"]
    vm = control.vms()[10000]
    assert "lock" not in vm["config"]
    assert not [v for v in control.state()["dc"]["volumes"] if v["content"] == "backup"]


def test_a_stopped_backup_unlocks_its_vm(root: Client) -> None:
    create(root)
    upid = root("POST", "/nodes/pve1/vzdump", vmid=10000, storage="pbs-dc")
    assert root("GET", "/nodes/pve1/qemu/10000/config")["lock"] == "backup"
    root("DELETE", f"/nodes/pve1/tasks/{upid}")
    assert root.finish(upid) == "job errors"
    assert "lock" not in root("GET", "/nodes/pve1/qemu/10000/config")


@pytest.mark.parametrize(
    ("storage", "name", "refusal"),
    [
        ("local", "vm-100-disk-7", "unable to parse volume filename 'vm-100-disk-7'"),
        ("local", "vm-100-a.b", "unable to parse volume filename 'vm-100-a.b'"),
        ("local", "../x.raw", "unable to parse volume filename '../x.raw'"),
        ("local-zfs", "disk.a", "illegal name 'disk.a' - should be 'vm-100-*'"),
    ],
)
def test_a_volume_has_a_name_that_its_storage_can_read(
    root: Client, storage: str, name: str, refusal: str
) -> None:
    path = f"/nodes/pve1/storage/{storage}/content"
    assert root.send("POST", path, filename=name, vmid=100, size="1G").reason == refusal
    assert volumes(root, storage) == []


def test_what_no_storage_can_read_is_not_removed(root: Client) -> None:
    words = {"local": "directory", "local-zfs": "zfs"}
    for storage, kind in words.items():
        answer = root.send("DELETE", f"/nodes/pve1/storage/{storage}/content/nonsense")
        assert answer.reason == f"unable to parse {kind} volume name 'nonsense'"
    name = root(
        "POST", "/nodes/pve1/storage/local-zfs/content", filename="vm-100-a.b", vmid=100, size="1G"
    )
    assert name == "local-zfs:vm-100-a.b"
    assert root.task("DELETE", f"/nodes/pve1/storage/local-zfs/content/{name}") == "OK"
    assert volumes(root, "local-zfs") == []
