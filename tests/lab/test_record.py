"""`cloudpemda lab record`: a cluster's answers in a file, by reads alone and in disguise."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.proxmox.disguise import REMOVED, Disguise
from tests.labs import layout, running_lab

ROOT = Path(__file__).parents[2]
NAMES = ("simrs-db", "10.20.30.40", "budi", "Puskesmas", "hunter22")


def record(site: Path, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloudpemda", "--site", str(site), "--lang", "en"]
    command += ["lab", "record", str(file), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_a_recording_is_made_by_reads_alone_and_names_nobody(tmp_path: Path) -> None:
    site, file = tmp_path / "site", tmp_path / "dc.jsonl"
    shutil.copytree(ROOT / "inventories" / "lab", site, ignore=shutil.ignore_patterns("var"))
    clusters = {name: layout()["clusters"]["dc"] for name in ("dc", "drc")}
    with running_lab(site / "var" / "lab", layout(clusters=clusters)) as lab:
        control = lab.control
        config = {
            "name": "simrs-db", "description": "Puskesmas", "cipassword": "hunter22",
            "ipconfig0": "ip=10.20.30.40/24", "net0": "virtio=BC:24:11:AA:BB:CC,bridge=vmbr0",
            "sshkeys": "ssh-ed25519%20AAAA%20budi",
            "smbios1": "uuid=12345678-1234-1234-1234-123456789abc",
        }  # fmt: skip
        control.outside("create-vm", 10001, config=config, node="pve2")
        control.advance(60)
        before = len(control.requests())
        done = record(site, file, "--cluster", "dc")
        assert done.returncode == 0, done.stderr
        assert {request["method"] for request in control.requests(before)} == {"GET"}
        again = record(site, file, "--cluster", "dc")
        assert again.returncode == 4
        assert "record.exists" in again.stderr
        before = len(control.requests())
        nowhere = record(site, tmp_path / "nowhere" / "dc.jsonl", "--cluster", "dc")
        assert (nowhere.returncode, "record.not-writable" in nowhere.stderr) == (4, True)
        assert len(control.requests()) == before
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [name for name in (*NAMES, "AA:BB:CC", "10.98.", "123456789abc") if name in text] == []
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["seq"] for row in rows] == list(range(len(rows)))
    config_row = next(r for r in rows if r["path"].endswith("/nodes/pve2/qemu/10001/config"))
    data = config_row["body"]["data"]
    assert (data["name"], data["description"], data["cipassword"]) == ("guest1", REMOVED, REMOVED)
    assert data["ipconfig0"].startswith("ip=198.18.")
    listed = next(r for r in rows if r["path"] == "/api2/json/cluster/resources")
    assert "guest1" in [row.get("name") for row in listed["body"]["data"]]


def test_which_cluster_must_be_said_where_there_are_several(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(ROOT / "inventories" / "lab", site, ignore=shutil.ignore_patterns("var"))
    done = record(site, tmp_path / "x.jsonl")
    assert done.returncode == 2
    assert "dc, drc" in done.stderr


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "vmid", "value", "key", "t", "comment", "x"]), inner
        )
    ),
    max_leaves=12,
)


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


@given(json_values)
def test_a_disguise_keeps_every_shape_and_type(value: object) -> None:
    disguise = Disguise(["pve-dinkes-1"])
    disguise.learn(value)
    assert shape(disguise.apply(value)) == shape(value)


@given(st.ip_addresses().filter(lambda a: not a.is_reserved and not a.is_private))
def test_no_address_is_left_and_the_same_one_gets_the_same_word(address: Any) -> None:
    disguise = Disguise([])
    text = f"from {address} to {address}/32, then {address}"
    said = str(disguise.apply(text))
    assert str(address) not in said.split(" ")
    assert said.split(" ")[1] == said.split(" ")[5]


ANSWERS: list[object] = [
    [{"type": "cluster", "name": "kartini"}, {"type": "node", "name": "srv-kartini"}],
    [{"userid": "wulan@ldap-kartini", "tokens": [{"tokenid": "laptop-wulan"}], "groups": "RSUD-1"}],
    [{"groupid": "RSUD-1", "users": "wulan@ldap-kartini"}],
    {"tokens": {"meja-wulan": {"privsep": 1}}},
    [{"realm": "ldap-kartini", "type": "ldap"}, {"realm": "pam", "type": "pam"}],
    {"type": "ldap", "server1": "ldap1.kartini.go.id", "filter": "(o=kartini)"},
    [{"poolid": "opd-kartini"}],
    [{"path": "/pool/opd-kartini", "ugid": "RSUD-1", "type": "group", "roleid": "PeranWulan"}],
    [{"roleid": "PeranWulan"}, {"roleid": "PVEAdmin"}],
    {"http_proxy": "http://wulan:rahasia@proxy.kartini.go.id:3128", "allowed-tags": ["wulan"],
     "webauthn": {"rp": "pve.kartini.go.id", "origin": "https://pve.kartini.go.id:8006"}},
    {"name": "db-wulan", "memory": "512", "args": "-name wulan",
     "scsi0": "nas-kartini:100/vm-100-disk-0.qcow2,serial=WULAN1,size=1G",
     "smbios1": "uuid=12345678-1234-1234-1234-123456789abc,serial=V1VMQU4=,base64=1",
     "ide2": "nas-kartini:iso/kartini.iso,media=cdrom"},
    [{"name": "sebelum-wulan", "snaptime": 1}, {"name": "current"}],
    [{"storage": "nas-kartini", "type": "rbd", "monhost": "10.77.0.9:6789", "pool": "kartini"}],
    [{"storage": "san", "target": "iqn.2026-01.id.go.kartini:san", "portal": "10.77.0.8:3260"}],
    {"iface": "vmbr1", "comments": "punya Wulan"},
    [{"id": "job-wulan", "schedule": "01:00", "pool": "opd-kartini", "storage": "nas-kartini"}],
    [{"group": "grup-wulan"}, {"name": "pc-wulan", "cidr": "10.77.0.7"}, {"name": "set-wulan"}],
    [{"zone": "zwulan", "peers": "10.77.1.1,10.77.1.2"}, {"vnet": "vwulan", "zone": "zwulan"}],
    [{"upid": "UPID:srv-kartini:01:02:03:download:kartini.iso:wulan@ldap-kartini!laptop-wulan:"}],
    [{"n": 1, "t": "INFO: from srv-kartini.kartini.go.id via 10.77.0.1:8006 to opd-kartini"}],
]  # fmt: skip


def test_no_name_that_somebody_gave_is_left_anywhere() -> None:
    disguise = Disguise(["srv-kartini"])
    for answer in ANSWERS:
        disguise.learn(answer)
    told = [disguise.apply(answer) for answer in ANSWERS]
    text = json.dumps(told).lower()
    secret = ("kartini", "wulan", "rahasia", "10.77.", "v1vm", "123456789abc", "rsud-1", "go.id")
    assert [word for word in secret if word in text] == []
    assert told[2] == [{"groupid": "group1", "users": "user1@realm1"}]
    assert told[6:9] == [
        [{"poolid": "pool1"}],
        [{"path": "/pool/pool1", "ugid": "group1", "type": "group", "roleid": "role1"}],
        [{"roleid": "role1"}, {"roleid": "PVEAdmin"}],
    ]
    assert told[11] == [{"name": "snapshot1", "snaptime": 1}, {"name": "current"}]
    assert told[18] == [{"upid": "UPID:pve1:01:02:03:download:file1.iso:user1@realm1!token1:"}]
    assert disguise.path("/pools/opd-kartini") == "/pools/pool1"
    assert disguise.path("/cluster/backup/job-wulan") == "/cluster/backup/job1"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("upid", "UPID:pve-b:0000A1B2:00012345:6B01FDDD:qmstart:100:budi@pve:",
         "UPID:pve2:0000A1B2:00012345:6B01FDDD:qmstart:100:user1@pve:"),
        ("id", "node/pve-a", "node/pve1"),
        ("t", "12:30:45 copy to pve-a (10.1.2.3)", "12:30:45 copy to pve1 (198.18.0.2)"),
        ("t", "VM root@pam version 10.0.13", "VM root@pam version 10.0.13"),
        ("pve_fp", "AA:BB", REMOVED),
        ("password", "x", REMOVED),
        ("comment", "RSUD, lantai 2", REMOVED),
        ("public", "-----BEGIN PRIVATE KEY-----", REMOVED),
    ],
)  # fmt: skip
def test_what_is_replaced_by_what(key: str, text: str, said: str) -> None:
    assert Disguise(["pve-a", "pve-b"]).apply({key: text}) == {key: said}
