"""Design 4.13 and 4.14: the night judges by age whatever the jobs say of themselves, and finds
out itself when somebody changed the record."""

import sqlite3
from contextlib import closing

import pytest

from cloudpemda.proxmox import BadAnswer, nouns
from cloudpemda.proxmox.rows import Row
from cloudpemda.units import instant
from cloudpemda.wiring import open_desk
from tests.scenarios.conftest import OPERATOR, Office

HOUR = 3600


def judged(office: Office) -> dict[str, dict[str, str]]:
    """VM → replication and backup guard, as the status shows them."""
    return {
        one["key"]: {kind: one[kind]["guard"] for kind in ("replication", "backup")}
        for one in office.run("status").data["instances"]
    }


def test_jobs_that_never_failed_hide_no_old_backup(office: Office) -> None:
    """Somebody moved the backup job to once a year, and the night is paused and cannot put it
    right: it is enabled, and its last run was fine."""
    office.built()
    office.lab.post("/advance", {"seconds": 26 * HOUR})
    assert office.run("nightly").codes == []
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        pve = desk.cluster("dc")
        (job,) = pve.backup_jobs()
        yearly = {"schedule": "*-01-01 01:00", "storage": "pbs-dc", "enabled": "1"}
        pve.update_backup_job(job.id, job.vmids, yearly)
        assert pve.backup_jobs()[0].enabled
    assert office.run("pause", "--reason", "Ganti switch inti").code == 0
    office.lab.post("/advance", {"seconds": 20 * HOUR})
    assert "recovery.site-late" not in office.run("nightly").codes, "22 h old, 48 h are allowed"
    office.lab.post("/advance", {"seconds": 28 * HOUR})
    night = office.run("nightly")
    assert night.code == 7
    late = [one for one in night.data["findings"] if one["fault"]["code"] == "recovery.site-late"]
    assert {one["fault"]["values"]["vm"] for one in late} == set(judged(office))
    assert {one["opd"] for one in late} == {"dinkes"}
    tasks = office.lab.get("/state")["dc"]["tasks"]
    assert {task["status"] for task in tasks if task["type"] == "vzdump"} == {"OK"}


def test_trying_is_not_copying(office: Office) -> None:
    """The target is away: each run is tried on time, and no copy comes of it."""
    office.built()
    office.lab.post("/advance", {"seconds": 26 * HOUR})
    jobs = office.lab.get("/state")["dc"]["replication"].values()
    target = next(job["options"]["target"] for job in jobs)
    behind = {
        office.vms()[int(job["name"].partition("-")[0])]["config"]["name"].replace(
            "dinkes-simrs-", "dinkes/simrs/"
        )
        for job in jobs
        if job["options"]["target"] == target
    }
    office.lab.post("/node", {"cluster": "dc", "node": target, "action": "down"})
    office.lab.post("/advance", {"seconds": 2 * HOUR})
    night = office.run("nightly")
    office.lab.post("/node", {"cluster": "dc", "node": target, "action": "up"})
    assert night.code == 7
    late = {
        one["fault"]["values"]["vm"]
        for one in night.data["findings"]
        if one["fault"]["code"] == "recovery.node-late"
    }
    assert behind
    assert behind <= late
    homeless = {
        one["fault"]["values"]["vm"]
        for one in night.data["findings"]
        if one["fault"]["code"] == "nightly.exposed-no-node"
    }
    assert behind <= homeless, "and if their own node dies too, nobody has their disks"


def test_the_moment_of_a_copy_is_that_of_the_last_one_that_succeeded() -> None:
    def complain(where: str, found: object) -> BadAnswer:
        raise AssertionError(f"{where}: {found}")

    told = {"id": "10001-0", "guest": 10001, "source": "pve1", "target": "pve2",
            "last_sync": 1000, "last_try": 9000, "fail_count": 3, "error": "no route"}  # fmt: skip
    run = nouns.replication_run(Row("/nodes/pve1/replication[0]", told, complain), "pve1")
    assert run.last_sync == instant(1000)


@pytest.mark.parametrize(
    ("forgery", "code"),
    [
        ("UPDATE audit SET login = 'siti' WHERE login = 'hendra'", "audit.edited"),
        ("DELETE FROM audit WHERE action = 'request.approve'", "audit.missing"),
        ("DELETE FROM audit WHERE seq > 3", "audit.truncated"),
    ],
)
def test_the_night_finds_what_was_done_to_the_record(
    office: Office, forgery: str, code: str
) -> None:
    office.built()
    with closing(sqlite3.connect(office.directory / "var" / "ledger.sqlite3")) as ledger, ledger:
        triggers = ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            ledger.execute(f"DROP TRIGGER {name}")
        assert ledger.execute(forgery).rowcount > 0
    night = office.run("nightly")
    assert night.code == 7
    assert code in night.codes
    verified = office.run("audit", "verify", actor="yanti")
    assert (verified.code, verified.codes[0]) == (7, code)


def test_a_lost_head_is_found_by_the_night(office: Office) -> None:
    office.built()
    (office.directory / "var" / "audit.head").unlink()
    night = office.run("nightly")
    assert night.code == 7
    assert "audit.head-missing" in night.codes
