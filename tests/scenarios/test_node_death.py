"""A node dies while its VMs write: they run on where their disks are, and status says of when."""

from datetime import datetime
from typing import Any

import pytest

from tests.scenarios.conftest import Office

RELEASES = ("8.4", "9.2")
HOUR = 3600
pytestmark = pytest.mark.slow


def _protected(office: Office) -> dict[str, Any]:
    return {one["key"]: one for one in office.run("protect", "status").data["vms"]}


def _settled(office: Office) -> None:
    planned = office.run("plan")
    assert planned.code == 0, planned.codes
    assert {one["settled"] for one in planned.data} == {True}
    assert all(vm["differences"] == [] for one in planned.data for vm in one["vms"])


def test_who_ran_on_a_node_that_died_runs_where_its_disks_are(office: Office) -> None:
    office.built()
    office.built("simkeu.yaml", "bkad/simkeu")
    (alone,) = (one for one in _protected(office).values() if one["bound"])
    assert (alone["key"], alone["bound"]) == ("bkad/simkeu/app-1", ["scsi2 (tank-hdd)"])
    office.lab.post("/advance", {"seconds": 20.5 * HOUR})
    assert "recovery.node-late" not in office.run("nightly").codes
    office.lab.post("/advance", {"seconds": 5 * HOUR + 400})
    before = _protected(office)
    jobs = office.lab.get("/state")["dc"]["replication"].values()
    disks_at = {int(job["name"].split("-")[0]): job["options"]["target"] for job in jobs}
    vms = office.vms()
    bound = next(vmid for vmid, vm in vms.items() if vm["config"]["name"] == "bkad-simkeu-app-1")
    dead = next(vms[vmid]["node"] for vmid in disks_at if vms[vmid]["node"] != vms[bound]["node"])
    hit = {vmid for vmid in disks_at if vms[vmid]["node"] == dead}
    keys = {vms[vmid]["config"]["name"]: vmid for vmid in disks_at}
    office.lab.post("/node", {"cluster": "dc", "node": dead, "action": "down"})
    office.lab.post("/advance", {"seconds": 600})

    now = office.vms()
    assert {vmid: now[vmid]["node"] for vmid in hit} == {vmid: disks_at[vmid] for vmid in hit}
    assert {now[vmid]["status"] for vmid in hit} == {"running"}
    told = [one for one in office.lab.get("/events") if one["what"] == "vm-recovered"]
    taken = {one["vmid"]: one["recovery_points"]["scsi0"] for one in told}
    assert taken.keys() == hit

    office.run("nightly")  # it has no replica to read, and keeps what was known
    answer = office.run("protect", "status")
    status = {one["key"]: one for one in answer.data["vms"]}
    assert answer.code == 7
    promoted = {key: one["promoted"] for key, one in status.items() if one["promoted"]}
    assert {keys[key.replace("/", "-")] for key in promoted} == hit
    for key, one in promoted.items():
        known = datetime.fromisoformat(one["at"]).timestamp()
        assert one["node"] == dead
        # no later than it is, and no earlier than the last night knew it to be
        assert known <= taken[keys[key.replace("/", "-")]] + 1
        assert known > told[0]["at"] - 6 * HOUR
    spared = {key: one for key, one in status.items() if key not in promoted}
    assert spared
    assert all(one["node"] == before[key]["node"] for key, one in spared.items())
    text = office.text("protect", "status", next(iter(promoted))).out
    assert dead in text
    assert "protect.promoted" in answer.codes
    _settled(office)

    office.lab.post("/node", {"cluster": "dc", "node": dead, "action": "up"})
    office.lab.post("/advance", {"seconds": 3 * HOUR})
    after = _protected(office)
    assert {one["promoted"] for one in after.values()} == {None}
    assert {one["node_loss"]["standing"] for one in after.values()} == {"ok"}
    _settled(office)
    assert set(office.run("nightly").codes) <= {"nightly.exposed-apart"}
