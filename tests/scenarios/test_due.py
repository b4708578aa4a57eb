"""A VM that has no good copy is given one by the night, once, and within its window alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudpemda.lab.process import RunningLab
from tests.scenarios.beside import is_held, start_command
from tests.scenarios.conftest import Office, running_site
from tests.scenarios.test_night import _root as as_root

HOUR = 3600
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RunningLab]]:
    """A release where a run of replication asks for more rights, and backups that take a while."""
    with running_site(tmp_path_factory.mktemp("site") / "lab", "8.4", backup=300) as site:
        yield site


def _unprotected(office: Office) -> set[str]:
    """Built, and its backup job off since then, until half past four in the morning."""
    office.built()
    (job,) = as_root(office, "GET", "/cluster/backup")
    as_root(office, "PUT", f"/cluster/backup/{job['id']}", enabled="0")
    office.lab.post("/advance", {"seconds": 20.5 * HOUR})
    return {one["key"] for one in office.run("status").data["instances"]}


def _dumps(office: Office) -> list[str]:
    """Of which VM each backup task was that somebody asked for."""
    tasks = office.lab.get("/state")["dc"]["tasks"]
    return sorted(task["id"] for task in tasks if task["type"] == "vzdump" and task["id"])


def _copies(office: Office) -> dict[str, str]:
    return {
        one["key"]: one["outcome"]
        for one in office.run("nightly").data["due"]["copies"]
        if one["lane"] == "backup"
    }


def test_who_has_no_backup_has_one_after_the_night(office: Office) -> None:
    vms = _unprotected(office)
    night = office.run("nightly")
    copies = {one["key"]: one for one in night.data["due"]["copies"]}
    assert copies.keys() == vms, night.out
    assert {one["outcome"] for one in copies.values()} == {"made"}
    listed = {one["key"]: one["backup"]["source"] for one in office.run("status").data["instances"]}
    assert {key: one["evidence"] for key, one in copies.items()} == listed
    assert len(_dumps(office)) == len(vms)
    told = office.run("report", "night").data["copies"]
    assert {(one["opd"], one["code"]) for one in told} == {("dinkes", "night.backup-made")}
    (said,) = [one for one in office.run("audit", "log").data if one["action"] == "protect.due"]
    assert len(said["details"]["upids"]) == len(vms)
    seen = len(office.requests())
    assert office.run("nightly").data["due"]["copies"] == []
    assert [one for one in office.writes_since(seen) if "ticket" not in one[1]] == []


def test_a_night_that_was_killed_does_not_back_up_twice(office: Office) -> None:
    vms = _unprotected(office)
    hold = {"on": {"method": "POST", "path": "*/vzdump", "nth": 2}, "do": "hold", "when": "after"}
    office.lab.post("/faults", {"faults": [hold]})
    process = start_command(office, "nightly")
    try:
        assert is_held(office, process)
    finally:
        process.kill()
        process.communicate()
        office.lab.post("/release", {"all": True, "answer": False})
        office.lab.post("/faults", {"faults": []})
    night = office.run("nightly")
    assert night.data["resumed"]
    dumps = _dumps(office)
    assert (len(dumps), len(set(dumps))) == (len(vms), len(vms)), night.out
    assert office.run("nightly").data["due"]["copies"] == []
    assert _unfinished(office) == []


def _unfinished(office: Office) -> list[str]:
    from cloudpemda.wiring import open_desk

    with open_desk(office.directory, asserted="rudi") as desk:
        return [one.id for one in desk.ledger.journal.unfinished()]


def test_a_replica_that_waits_for_its_next_try_is_made_now_and_a_failure_is_told(
    office: Office,
) -> None:
    """PVE waits half an hour after some failures: the night does not."""
    office.built()
    vmid = min(one for one in office.vms() if 10000 <= one < 11000)
    office.lab.post("/advance", {"seconds": 18 * HOUR})
    local = {"cluster": "dc", "action": "change-vm", "vmid": vmid}
    office.lab.post("/outside", {**local, "set": {"scsi9": "local:9/vm-9-disk-9.raw,size=1G"}})
    office.lab.post("/advance", {"seconds": 2.9 * HOUR})
    failed = office.run("nightly")
    copies = [one for one in failed.data["due"]["copies"] if one["lane"] == "replication"]
    assert [one["outcome"] for one in copies] == ["failed"], failed.codes
    assert {"due.replication-failed", "due.replica-failed"} <= set(failed.codes)
    office.lab.post("/outside", {**local, "delete": ["scsi9"]})
    night = office.run("nightly")
    (made,) = (one for one in night.data["due"]["copies"] if one["lane"] == "replication")
    assert (made["outcome"], made["evidence"]) == ("made", f"{vmid}-0")
    assert (night.code, night.codes) == (0, [])
