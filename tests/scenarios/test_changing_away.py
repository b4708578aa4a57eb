"""A change that takes VMs away: into quarantine by `apply`, and gone by the purge."""

from typing import Any

import pytest

from tests.scenarios.conftest import APPROVER, Office
from tests.scenarios.test_changing import (
    APP,
    FILE,
    GIB,
    KEY,
    _app,
    _longer,
    _second,
    changed,
    propose,
    quota,
    settled,
    used,
)

RELEASES = ("9.2", "8.4")
SECOND = f"{KEY}/app-2"


def fewer(office: Office) -> None:
    """Approve the document as it was first, with one VM."""
    file = office.edited(FILE, lambda _: None)
    answer = office.run("request", "submit", "--allow-retire", file, actor="nina")
    assert answer.code == 0, answer.out
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0


def states(office: Office) -> dict[str, str]:
    found = office.run("request", "show", KEY, "--offline").data["instances"]
    return {one["key"]: one["state"] for one in found}


@pytest.fixture
def two(office: Office) -> dict[str, int]:
    """A workload of two VMs, kept apart; key → VMID."""
    office.built(FILE, KEY)
    changed(office, _second)
    found = office.run("request", "show", KEY, "--offline").data["instances"]
    return {one["key"]: one["vmid"] for one in found}


def test_a_vm_that_is_taken_away_rests_charged_and_is_purged(
    office: Office, two: dict[str, int]
) -> None:
    before = used(office)
    fewer(office)
    plan = office.run("plan", KEY)
    assert (plan.code, plan.data[0]["retires"]) == (0, [SECOND])
    assert "app-2 is taken away" in office.text("plan", KEY).out

    answer = office.run("apply", KEY)

    assert answer.code == 0, answer.out
    assert answer.data[0]["revision"] == 3
    assert states(office) == {APP: "active", SECOND: "retired"}
    vms = office.vms()
    assert (vms[two[APP]]["status"], vms[two[SECOND]]["status"]) == ("running", "stopped")
    assert used(office) == before, "it rests, and is charged"
    settled(office)
    assert office.run("apply", KEY).code == 0, "what rests hinders nothing"
    longer = office.edited(FILE, _longer)
    assert office.run("request", "submit", longer, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run("apply", KEY).code == 0
    again = office.edited(FILE, lambda document: _app(document).update(count=2))
    assert office.run("request", "submit", again, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    for verb in ("plan", "apply"):
        assert office.run(verb, KEY).codes == ["plan.member-rests"]
    assert office.run("request", "withdraw", KEY, actor="nina").code == 0

    answer = office.run("request", "purge", KEY, "--confirm", KEY, "--now", "--reason", "selesai")

    assert answer.code == 0, answer.out
    assert office.vms().keys() == {two[APP]}
    assert states(office) == {APP: "active"}
    assert quota(office)["memory"] == (8 * GIB, 0)
    settled(office)


def test_what_hinders_the_quarantine_is_told_and_the_next_apply_goes_on(
    office: Office, two: dict[str, int]
) -> None:
    fewer(office)
    vmid = two[SECOND]
    locked = {"cluster": "dc", "action": "change-vm", "vmid": vmid}
    office.lab.post("/outside", {**locked, "set": {"lock": "backup"}})

    answer = office.run("apply", KEY)

    assert answer.code != 0, answer.out
    assert states(office) == {APP: "active", SECOND: "retiring"}
    office.lab.post("/outside", {**locked, "delete": ["lock"]})
    assert office.run("apply", KEY).code == 0
    assert states(office) == {APP: "active", SECOND: "retired"}
    settled(office)


def test_a_vm_in_quarantine_comes_back_with_its_data_by_a_change_that_asks_for_it(
    office: Office, two: dict[str, int]
) -> None:
    before = used(office)
    fewer(office)
    assert office.run("apply", KEY).code == 0
    back = ("request", "restore", KEY, "--member")
    assert office.run(*back, "app-1").codes == ["retire.member-not-resting"]
    assert office.run(*back, "app-2").codes == ["retire.member-not-asked"]
    again = office.edited(FILE, lambda document: _app(document).update(count=2))
    assert office.run("request", "submit", again, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run(*back, "app-2", actor="nina").codes == ["desk.role"]
    rests = office.vms()[two[SECOND]]

    answer = office.run(*back, "app-2")

    assert answer.code == 0, answer.out
    vm = office.vms()[two[SECOND]]
    assert vm["status"] == "running"
    assert vm["config"]["scsi0"] == rests["config"]["scsi0"], "the same disk"
    assert "retired" not in vm["config"]["tags"]
    assert vm["config"]["onboot"] == "1"
    assert states(office) == {APP: "active", SECOND: "active"}
    assert used(office) == before
    settled(office)


@pytest.mark.slow
def test_taken_back_it_rests_again_and_is_not_destroyed(
    office: Office, two: dict[str, int]
) -> None:
    fewer(office)
    assert office.run("apply", KEY).code == 0
    again = office.edited(FILE, lambda document: _app(document).update(count=2))
    assert office.run("request", "submit", again, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    fault = {"on": {"method": "POST", "path": "*/status/start", "nth": 1}, "do": "error"}
    office.lab.post("/faults", {"faults": [fault]})
    assert office.run("request", "restore", KEY, "--member", "app-2").code != 0
    office.lab.post("/faults", {"faults": []})

    answer = office.run("apply", "--undo", KEY)

    assert answer.code == 0, answer.out
    assert office.vms()[two[SECOND]]["status"] == "stopped"
    assert states(office) == {APP: "active", SECOND: "retired"}
    assert office.run("quota", "verify").code == 0
    settled(office)


@pytest.mark.slow
def test_a_change_that_takes_a_vm_away_is_taken_back_before_it_came_to_that(
    office: Office, two: dict[str, int]
) -> None:
    before = used(office)

    def larger(document: dict[str, Any]) -> None:
        _app(document)["disks"][1]["size"] = "90 GiB"

    propose(office, larger, "--allow-retire")
    refused = {"do": "error", "status": 500, "reason": "zfs error: out of space"}
    fault = {"on": {"method": "PUT", "path": f"*/{two[APP]}/resize"}, **refused}
    office.lab.post("/faults", {"faults": [fault]})
    assert office.run("apply", KEY).code == 6
    office.lab.post("/faults", {"faults": []})

    answer = office.run("apply", "--undo", KEY)

    assert answer.code == 0, answer.out
    assert states(office) == {APP: "active", SECOND: "active"}
    assert used(office) == before
    settled(office)
