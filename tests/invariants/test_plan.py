"""Design 4.7: whoever only looks writes nothing: not to a cluster, and not to the ledger."""

import sqlite3
from contextlib import closing

import pytest

from tests.scenarios.conftest import Office

LOOKS = (
    ("plan",),
    ("plan", "dinkes/simrs"),
    ("status",),
    ("drift",),
    ("protect", "status"),
    ("doctor",),
    ("vm", "list"),
    ("vm", "copy", "list"),
    ("quota", "show"),
    ("request", "list"),
    ("request", "show", "disdukcapil/siak"),
    ("audit", "log"),
    ("audit", "verify"),
)


def ledger(office: Office) -> list[str]:
    """Every row of every table."""
    file = office.directory / "var" / "ledger.sqlite3"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("state", ["approved", "built"])
def test_looking_changes_nothing_anywhere(office: Office, state: str) -> None:
    assert office.run("request", "submit", office.file("siak.yaml"), actor="asep").code == 0
    (office.built if state == "built" else office.approved)()
    rows, asked = ledger(office), len(office.requests())
    for words in LOOKS:
        assert office.run(*words).code == 0, words
        assert ledger(office) == rows, words
    assert office.writes_since(asked) == []


def test_what_moved_after_the_plan_is_planned_again_and_not_written_over(office: Office) -> None:
    """The VMID that the plan showed was taken meanwhile, and its node went away."""
    office.approved()
    (planned,) = office.run("plan").data
    first = planned["vms"][0]
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "create-vm", "vmid": first["vmid"], "node": first["node"]},
    )
    stranger = office.vms()[first["vmid"]]["config"]
    (moved,) = office.run("plan").data
    assert moved["digest"] != planned["digest"]
    (done,) = office.run("apply").data
    assert done["plan"]["digest"] != planned["digest"]
    assert office.vms()[first["vmid"]]["config"] == stranger
