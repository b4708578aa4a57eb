"""Design 4.8: an approval binds person, revision and offer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import APPROVER, Office


@pytest.fixture
def edit(office: Office) -> Iterator[Callable[[str, str, str], None]]:
    """Change the site's files for one test."""
    before: dict[Path, str] = {}

    def change(name: str, old: str, new: str) -> None:
        file = office.directory / name
        text = before.setdefault(file, file.read_text())
        assert text.count(old) == 1
        file.write_text(file.read_text().replace(old, new))

    yield change
    for file, text in before.items():
        file.write_text(text)


def state(office: Office) -> str:
    return str(office.run("request", "show", "dinkes/simrs").data["record"]["state"])


def held(office: Office) -> set[int]:
    return {line["held"] for line in office.run("quota", "show", "dinkes").data}


def test_an_offer_that_comes_out_different_voids_the_approval(
    office: Office, edit: Callable[[str, str, str], None]
) -> None:
    """It still fits everywhere, but costs more than what was shown to the approver."""
    office.approved()
    before = len(office.requests())
    edit("catalogue.yaml", "monthly: 6}, factor: 1.5}", "monthly: 6}, factor: 1.6}")
    planned = office.run("plan", "dinkes/simrs")
    assert (planned.code, planned.codes) == (4, ["plan.offer-changed"])
    refused = office.run("apply", "dinkes/simrs")
    assert (refused.code, refused.codes) == (4, ["ledger.offer-changed"])
    assert office.writes_since(before) == []
    assert state(office) == "pending"
    assert held(office) == {0}
    assert office.run("apply", "dinkes/simrs").codes == ["plan.not-approved"]
    assert office.run("request", "approve", "dinkes/simrs", actor=APPROVER).code == 0
    assert office.run("apply", "dinkes/simrs").code == 0


def test_another_node_is_the_same_offer(office: Office) -> None:
    def nodes() -> dict[str, str]:
        (plan,) = office.run("plan").data
        return {vm["vm"]: vm["node"] for vm in plan["vms"]}

    office.approved()
    first = nodes()
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "create-vm", "vmid": 900, "node": first["dinkes/simrs/db-1"],
         "config": {"memory": str(30 * 1024)}},
    )  # fmt: skip
    office.lab.post("/advance", {"seconds": 60})
    assert nodes()["dinkes/simrs/db-1"] != first["dinkes/simrs/db-1"]
    assert office.run("apply").code == 0
    assert state(office) == "active"


def test_an_edit_after_the_approval_is_not_built(office: Office) -> None:
    office.approved()

    def bigger(document: dict[str, Any]) -> None:
        document["spec"]["vms"][0]["cpu"] = 8

    assert (
        office.run("request", "submit", office.edited("simrs.yaml", bigger), actor="siti").code == 0
    )
    assert state(office) == "pending"
    assert office.run("apply", "dinkes/simrs").codes == ["plan.not-approved"]
    assert office.run("apply").code == 0
    assert office.vms() == {}


def test_an_approver_never_decides_on_what_they_asked_for(
    office: Office, edit: Callable[[str, str, str], None]
) -> None:
    """Whether under their own login or named in the document that somebody else hands in."""
    edit(
        "people.yaml",
        "roles: [{role: approver}]",
        "roles: [{role: approver}, {role: requester}]",
    )

    def for_hendra(document: dict[str, Any]) -> None:
        document["metadata"]["requester"] |= {"name": "H. Gunawan", "nip": "197512121999031004"}

    for file, actor in (
        (office.edited("simrs.yaml", for_hendra), "siti"),
        (office.file("simrs.yaml"), APPROVER),
    ):
        assert office.run("request", "submit", file, actor=actor).code == 0
        refused = office.run("request", "approve", "dinkes/simrs", actor=APPROVER)
        assert refused.code == 4
        assert "policy.own-request" in refused.codes
        assert state(office) == "pending"
    assert held(office) == {0}


def test_the_approval_says_who_decided_on_what(office: Office) -> None:
    office.approved()
    shown = office.run("request", "show", "dinkes/simrs").data
    approval = shown["record"]["approval"]
    (entry,) = [one for one in shown["history"] if one["action"] == "request.approve"]
    assert approval["actor"]["login"] == entry["actor"]["login"] == APPROVER
    assert approval["revision"] == entry["details"]["revision"] == shown["record"]["revision"]
    assert approval["offer_digest"] == entry["details"]["offer_digest"]
    assert entry["details"]["spec_hash"]
