"""A change that takes VMs away: into quarantine by `apply`, and gone by the purge."""

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
    quota,
    settled,
    used,
)

RELEASES = ("9.2", "8.4")
SECOND = f"{KEY}/app-2"

pytestmark = pytest.mark.timeout(300)


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
