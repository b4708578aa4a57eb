"""What has come to differ in the protection of VMs is made good, and nothing else is touched."""

from typing import Any

import pytest

from tests.scenarios.conftest import Office
from tests.scenarios.test_night import _root as as_root

RELEASES = ("8.4", "9.2")
KEY = "dinkes/simrs"


def _writes(office: Office, count: int) -> list[tuple[str, str]]:
    return [one for one in office.writes_since(count) if "/access/ticket" not in one[1]]


def _protection(office: Office) -> dict[str, Any]:
    """All that protects, as the cluster itself tells it."""
    kind = "groups" if as_root(office, "GET", "/version")["version"].startswith("8") else "rules"
    paths = (f"/cluster/ha/{kind}", "/cluster/ha/resources", "/cluster/replication")
    fleeting = {"digest", "next-run", "order"}
    return {
        path: sorted(
            sorted((key, str(value)) for key, value in row.items() if key not in fleeting)
            for row in as_root(office, "GET", path)
        )
        for path in (*paths, "/cluster/backup")
    }


def _damage(office: Office) -> None:
    """A day of other hands: everything that protects is gone, off, or otherwise."""
    first, *_, last = sorted(vmid for vmid in office.vms() if 10000 <= vmid < 11000)
    jobs = as_root(office, "GET", "/cluster/replication")
    as_root(office, "DELETE", f"/cluster/replication/{jobs[0]['id']}?force=1")
    as_root(office, "PUT", f"/cluster/replication/{jobs[1]['id']}", disable="1")
    as_root(office, "PUT", f"/cluster/replication/{jobs[2]['id']}", schedule="daily")
    (backup,) = as_root(office, "GET", "/cluster/backup")
    as_root(office, "DELETE", f"/cluster/backup/{backup['id']}")
    as_root(office, "DELETE", f"/cluster/ha/resources/vm:{first}")
    as_root(office, "PUT", f"/cluster/ha/resources/vm:{last}", state="ignored")


@pytest.mark.slow
def test_what_other_hands_took_away_is_back_after_the_night(office: Office) -> None:
    office.built()
    before = _protection(office)
    _damage(office)
    damaged = _protection(office)
    seen = len(office.requests())
    planned = office.run("protect", "converge", "--plan")
    assert planned.code == 0
    assert {one["outcome"] for one in planned.data["vms"]} == {"due"}
    assert len(planned.data["vms"]) == planned.data["compared"] == 3
    assert (_writes(office, seen), _protection(office)) == ([], damaged)

    night = office.run("nightly")
    assert (night.code, night.codes) == (0, [])
    assert {one["outcome"] for one in night.data["converged"]["vms"]} == {"done"}
    assert _protection(office) == before
    assert office.run("drift").code == 0
    again = len(office.requests())
    quiet = office.run("protect", "converge")
    assert (quiet.code, quiet.data["vms"], quiet.data["compared"]) == (0, [], 3)
    assert _writes(office, again) == []
    logged = [one for one in office.run("audit", "log").data if one["action"] == "protect.converge"]
    assert [one["details"]["key"] for one in logged] == [KEY]
    assert office.run("apply").code == 0


@pytest.mark.slow
def test_what_is_not_ours_or_not_there_is_left_and_hides_no_other(office: Office) -> None:
    office.built()
    vms = office.vms()
    homes = {}
    for job in as_root(office, "GET", "/cluster/replication"):
        homes[job["guest"]] = {vms[job["guest"]]["node"], job["target"]}
        as_root(office, "PUT", f"/cluster/replication/{job['id']}", disable="1")
    apart = {
        node: {v for v, both in homes.items() if node not in both} for node in ("pve2", "pve3")
    }
    away, near = max(apart.items(), key=lambda one: len(one[1]))
    stranger, *rest = sorted(near)
    sound = set(rest)
    assert sound, homes
    office.lab.post("/outside", {"cluster": "dc", "action": "change-vm", "vmid": stranger,
                                 "set": {"description": "somebody else's"}})  # fmt: skip
    down = {"at": "1s", "do": "node-down", "cluster": "dc", "node": away}
    office.lab.post("/faults", {"faults": [down]})
    office.lab.post("/advance", {"seconds": 2})

    assert office.run("pause", "--reason", "x").code == 0
    seen = len(office.requests())
    assert office.run("protect", "converge").codes == ["pause.on"]
    assert office.run("nightly").data["converged"]["vms"] == []
    assert office.writes_since(seen) == []
    assert office.run("resume").code == 0

    answer = office.run("protect", "converge")
    assert answer.code == 7
    assert "plan.identity" in answer.codes
    enabled = {
        job["guest"]
        for job in as_root(office, "GET", "/cluster/replication")
        if not int(job.get("disable", 0))
    }
    assert enabled == sound, answer.out
    assert office.run("protect", "converge", actor="siti").codes == ["desk.role"]


@pytest.mark.slow
def test_a_disk_that_somebody_left_out_is_covered_again_and_the_rest_of_its_vm_untouched(
    office: Office,
) -> None:
    office.built()
    vmid = min(one for one in office.vms() if 10000 <= one < 11000)
    disk = office.vms()[vmid]["config"]["scsi0"]
    change = {"cores": "3", "scsi0": f"{disk},backup=0,replicate=0"}
    office.lab.post("/outside", {"cluster": "dc", "action": "change-vm", "vmid": vmid,
                                 "set": change})  # fmt: skip
    assert "protect.disks" in office.run("protect", "status").codes
    night = office.run("nightly")
    (done,) = night.data["converged"]["vms"]
    assert (done["outcome"], len(done["what"])) == ("done", 2), night.codes
    config = office.vms()[vmid]["config"]
    assert config["cores"] == "3"
    assert set(config["scsi0"].split(",")) == set(disk.split(","))
    assert "protect.disks" not in night.codes
    assert office.run("protect", "status").code == 7, "its cores are not those that were approved"
