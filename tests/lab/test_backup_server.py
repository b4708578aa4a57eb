"""Backup servers: what clusters write to them, and what they copy, verify, prune and lose."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from cloudpemda.lab import access
from cloudpemda.lab.faults import understood
from cloudpemda.lab.layout import Layout
from cloudpemda.lab.nodes import set_node
from cloudpemda.lab.pbs.server import PbsFrontend
from cloudpemda.lab.server import Frontend, Reply
from cloudpemda.lab.site import KeptLab
from tests.labs import SMALL, running_lab

DAY, HOUR = 86400.0, 3600.0
ZFS = {"type": "zfspool", "size": "1 TiB", "content": ("images", "rootdir")}
PBS = {"type": "pbs", "size": "8 TiB", "shared": True, "content": ("backup",), "datastore": "main"}
SERVERS: dict[str, Any] = {
    "pbs-dc": {"address": "10.98.0.251", "datastores": {"main": "8 TiB"}, "verify": "04:00"},
    "pbs-drc": {
        "address": "10.99.0.251", "datastores": {"main": "8 TiB"},
        "sync": {"from-dc": {
            "source": "pbs-dc", "datastore": "main", "into": "main", "schedule": "02:00",
        }},
    },
}  # fmt: skip
STORE = "/admin/datastore/main"


class Site:
    """Two clusters, each with a backup server, of which the second copies from the first."""

    def __init__(self, directory: Path) -> None:
        clusters = {
            name: {
                "nodes": {f"{name}1": {}},
                "storages": {"zfs": ZFS, "vault": {**PBS, "server": server["address"]}},
            }
            for name, server in zip(("dc", "drc"), SERVERS.values(), strict=True)
        }
        described = {
            "seed": 7, "clock": {"start": "2026-11-20T01:00:00Z", "rate": "auto"},
            "durations": {"default": 0.5}, "rates": {"change": "100 MiB", "backup": "200 MiB"},
            "clusters": clusters, "backupServers": SERVERS,
        }  # fmt: skip
        self.lab = KeptLab(Layout.model_validate(described), directory)
        self.directory = directory
        for vmid in (100, 101):
            self.pve("POST", "/nodes/dc1/qemu", vmid=vmid, scsi0="zfs:8", boot="order=scsi0")
            self.advance(2)
            self.pve("POST", f"/nodes/dc1/qemu/{vmid}/status/start")
        self.pve("POST", "/cluster/backup", schedule="22:00", storage="vault", all=1)

    def advance(self, seconds: float) -> None:
        self.lab.clock.advance(seconds)

    def pve(self, method: str, path: str, /, *, cluster: str = "dc", **values: Any) -> Any:
        world = self.lab.worlds[cluster]
        keys, now = world.cluster.access, world.now()
        headers = {
            "cookie": f"PVEAuthCookie={access.make_ticket(keys, 'root@pam', now)}",
            "csrfpreventiontoken": access.make_csrf(keys, "root@pam", now),
        }
        sent: dict[str, object] = {
            name.replace("_", "-"): str(value) for name, value in values.items()
        }
        work = Frontend(world).answer(f"{cluster}1", method, path, sent, headers)
        reply = asyncio.run(work)
        assert reply.status == 200, reply.reason
        world.stir()
        return reply.body["data"] if reply.body else None

    def send(self, method: str, path: str, /, *, server: str = "pbs-dc", **values: Any) -> Reply:
        world = self.lab.worlds[server]
        secret = (self.directory / f"{server}.token").read_text()
        headers = {"authorization": f"PBSAPIToken=cloudpemda@pbs!apply:{secret}"}
        sent = {name.replace("_", "-"): value for name, value in values.items()}
        reply = asyncio.run(PbsFrontend(world).answer(server, method, path, sent, headers))
        world.stir()
        return reply

    def pbs(self, method: str, path: str, /, *, server: str = "pbs-dc", **values: Any) -> Any:
        reply = self.send(method, path, server=server, **values)
        assert reply.status == 200, reply.text
        return reply.body["data"] if reply.body else None

    def power(self, server: str, *, online: bool) -> None:
        set_node(self.lab.worlds[server], server, online=online)
        self.lab.worlds[server].stir()

    def events(self, *what: str) -> list[dict[str, Any]]:
        return [
            row for row in map(json.loads, self.lab.events.lines())
            if row["what"] in what
        ]  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def points(site: Site, server: str, backup: str = "100") -> list[int]:
    rows = site.pbs("GET", f"{STORE}/snapshots", server=server, backup_id=backup)
    return sorted(row["backup-time"] for row in rows)


def test_what_a_cluster_backs_up_lies_on_its_server_and_the_copies_on_the_other(site: Site) -> None:
    site.advance(2.2 * DAY)
    (first, second) = points(site, "pbs-dc")
    assert points(site, "pbs-drc") == [first, second]
    assert {row["backup-id"] for row in site.pbs("GET", f"{STORE}/groups")} == {"100", "101"}
    # The other cluster sees them through its own storage, and can restore from them.
    seen = site.pve("GET", "/nodes/drc1/storage/vault/content", cluster="drc", vmid=100)
    assert sorted(row["ctime"] for row in seen) == [first, second]
    assert all(row["size"] == 8 * 1024**3 for row in seen)
    (job,) = site.pbs("GET", "/admin/sync", server="pbs-drc")
    assert job["last-run-state"] == "OK"
    assert 0 <= job["last-run-endtime"] - (job["next-run"] - DAY) < 60
    stored = [row for row in site.events("backup-stored") if row["backup"] == "vm/100"]
    assert [(row["cluster"], row["recovery_point"]) for row in stored] == [
        ("pbs-dc", first), ("pbs-drc", first), ("pbs-dc", second), ("pbs-drc", second),
    ]  # fmt: skip
    assert stored[2]["bytes"] < stored[0]["bytes"]  # only what changed since the day before


def test_a_sync_whose_source_is_down_fails_and_says_so(site: Site) -> None:
    site.advance(1.2 * DAY)
    site.power("pbs-dc", online=False)
    site.advance(1.2 * DAY)
    (job,) = site.pbs("GET", "/admin/sync", server="pbs-drc")
    assert "No route to host" in job["last-run-state"]
    assert len(points(site, "pbs-drc")) == 1
    failures = site.events("backup-failed")
    assert {row["vmid"] for row in failures} == {100, 101}
    assert "Can't connect to 10.98.0.251:8007" in failures[0]["error"]
    site.power("pbs-dc", online=True)
    site.advance(DAY)
    (job,) = site.pbs("GET", "/admin/sync", server="pbs-drc")
    assert (job["last-run-state"], len(points(site, "pbs-drc"))) == ("OK", 2)


def test_verification_finds_what_has_rotted(site: Site) -> None:
    site.advance(1.2 * DAY)
    rows = site.pbs("GET", f"{STORE}/snapshots")
    assert {row["verification"]["state"] for row in rows} == {"ok"}
    site.advance(0.8 * DAY)
    (fault,) = understood([{"at": 0, "do": "backup-corrupt", "store": "main", "backup": "vm/101"}])
    getattr(fault, "strike")(site.lab.worlds["pbs-dc"])  # noqa: B009 - only timed faults have it
    site.advance(0.5 * DAY)
    states = {
        (row["backup-id"], row["backup-time"]): row["verification"]["state"]
        for row in site.pbs("GET", f"{STORE}/snapshots")
    }
    assert states[("101", max(points(site, "pbs-dc", "101")))] == "failed"
    assert list(states.values()).count("failed") == 1
    (job,) = site.pbs("GET", "/admin/verify")
    assert job["last-run-state"].startswith("verification failed")
    status = site.pbs("GET", f"/nodes/localhost/tasks/{job['last-run-upid']}/status")
    assert (status["status"], status["type"]) == ("stopped", "verificationjob")


def test_pruning_keeps_what_it_is_told_and_garbage_is_collected_later(site: Site) -> None:
    site.advance(5.2 * DAY)
    held = points(site, "pbs-dc")
    upto = site.pbs("GET", f"{STORE}/status")["used"]
    told = site.pbs(
        "POST", f"{STORE}/prune", backup_type="vm", backup_id="100", keep_last=2, dry_run=True
    )
    assert [row["keep"] for row in told] == [True, True, False, False, False]
    assert points(site, "pbs-dc") == held
    site.pbs("PUT", f"{STORE}/protected", backup_type="vm", backup_id="100", backup_time=held[0],
             protected=True)  # fmt: skip
    site.pbs("POST", "/config/prune", id="nightly", store="main", schedule="daily", keep_last=2)
    site.pbs("POST", "/config/prune", id="nightly2", store="main", schedule="daily", keep_last=2)
    site.pbs("DELETE", "/config/prune/nightly2")
    site.advance(0.9 * DAY)
    assert points(site, "pbs-dc")[:2] == [held[0], held[4]]  # and one of this night
    seen = site.pve("GET", "/nodes/dc1/storage/vault/content", vmid=100)
    assert len(seen) == 3
    assert site.pbs("GET", f"{STORE}/status")["used"] < upto
    (gc,) = site.pbs("GET", "/admin/gc")
    assert gc["last-run-state"] == "OK"


def test_what_has_vanished_goes_here_too_where_the_job_says_so(site: Site) -> None:
    site.pbs("PUT", "/config/sync/from-dc", server="pbs-drc", remove_vanished="true")
    site.advance(2.2 * DAY)
    first, second = points(site, "pbs-dc")
    site.pbs("DELETE", f"{STORE}/snapshots", backup_type="vm", backup_id="100", backup_time=first)
    site.pbs("POST", "/admin/sync/from-dc/run", server="pbs-drc")
    site.advance(HOUR)
    assert points(site, "pbs-drc") == [second]


def test_namespaces_are_apart_and_a_storage_sees_its_own(site: Site) -> None:
    assert site.pbs("POST", f"{STORE}/namespace", name="opd") == "opd"
    site.pve("POST", "/storage", storage="opd", type="pbs", server="10.98.0.251", datastore="main",
             username="root@pam", password="x", namespace="opd", content="backup")  # fmt: skip
    site.pve("POST", "/nodes/dc1/vzdump", vmid=100, storage="opd")
    site.advance(120)
    assert points(site, "pbs-dc") == []
    inside = site.pbs("GET", f"{STORE}/snapshots", ns="opd")
    assert [row["backup-id"] for row in inside] == ["100"]
    assert [row["ns"] for row in site.pbs("GET", f"{STORE}/namespace")] == ["", "opd"]
    assert site.send("DELETE", f"{STORE}/namespace", ns="opd").status == 400


@pytest.mark.parametrize(
    ("method", "path", "values", "status", "text"),
    [
        ("GET", "/nothing", {}, 404, "Path '/api2/json/nothing' not found."),
        ("GET", f"{STORE}/snapshots", {"colour": "red"}, 400, "parameter verification failed - 'c"),
        ("GET", f"{STORE}/snapshots", {"backup-type": "disk"}, 400, "verification failed - 'back"),
        ("GET", "/admin/datastore/nosuch/status", {}, 400, "datastore 'nosuch' does not exist"),
        ("POST", "/access/users", {"userid": "opd@pbs"}, 403, "/access/users"),
        ("POST", "/config/sync",
         {"id": "abc", "store": "main", "remote-store": "main", "remote": "nosuch"},
         400, "remote 'nosuch' does not exist"),
        ("POST", "/config/verify", {"id": "abc", "store": "main", "schedule": "never ever"},
         400, "unable to parse calendar event"),
        ("POST", "/admin/sync/nosuch/run", {}, 400, "no such sync 'nosuch'"),
    ],
)  # fmt: skip
def test_what_a_backup_server_refuses(
    site: Site, method: str, path: str, values: dict[str, str], status: int, text: str
) -> None:
    reply = site.send(method, path, **values)
    assert reply.status == status
    assert text in reply.text


def test_a_backup_server_is_found_over_https_and_outlives_the_lab(tmp_path: Path) -> None:
    described = copy.deepcopy(SMALL)
    described["clusters"]["dc"]["storages"]["pbs-dc"]["datastore"] = "main"
    described["backupServers"] = {"site": SERVERS["pbs-dc"]}
    where = tmp_path / "lab"
    for secret in ("wrong", ""):
        with running_lab(where, described if secret else None) as lab:
            url = lab.endpoints["backup_servers"]["site"]["nodes"]["site"] + "/api2/json"
            given = secret or (where / "site.token").read_text().strip()
            headers = {"Authorization": f"PBSAPIToken=cloudpemda@pbs!apply:{given}"}
            answer = requests.get(
                url + "/admin/datastore", headers=headers, verify=str(lab.ca), timeout=600
            )
            assert answer.status_code == (401 if secret else 200)
            assert secret or answer.json()["data"] == [{"store": "main"}]
