"""People who may do something, and try to make more of it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import Office

KEY = "dinkes/simrs"
TWO_ROLES = """\
  - login: ketua
    name: Ketua Tim
    roles: [{role: approver}, {role: requester, opd: dinkes}]
"""


@pytest.fixture
def two_roles(office: Office) -> Iterator[Office]:
    """Somebody may ask for an OPD, and may decide."""
    file = office.directory / "people.yaml"
    before = file.read_text()
    file.write_text(before + TWO_ROLES)
    yield office
    file.write_text(before)


def test_who_asks_anew_while_they_decide_has_decided_on_nothing(two_roles: Office) -> None:
    """The same content, asked for by somebody else when the decision began: its digest is the
    same, whose request it is not."""
    office = two_roles
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    decision = start_command(office, "request", "approve", KEY, actor="ketua")
    until_held(office, decision)
    assert office.run("request", "withdraw", KEY, actor="ketua").code == 0
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="ketua").code == 0
    let_go(office)
    out, err = decision.communicate()
    assert decision.returncode == 4, out + err
    assert [fault["code"] for fault in json.loads(out)["faults"]] == ["ledger.revision-moved"]
    answer = office.run("request", "approve", KEY, actor="ketua")
    assert answer.codes == ["request.not-yours", "policy.own-request"]
    assert office.run("request", "show", "--offline", KEY).data["record"]["state"] == "pending"
    assert {line["held"] for line in office.run("quota", "show", "dinkes").data} == {0}


@pytest.mark.parametrize(
    ("forgery", "about"),
    [
        (
            "UPDATE approvals SET voided_at = NULL; UPDATE requests SET state = 'approved'",
            "approvals:R-2026-0001/1",
        ),
        ("UPDATE requests SET state = 'applying'", "approvals"),
    ],
    ids=["revived", "begun"],
)
def test_an_approval_that_was_written_past_the_program_builds_nothing(
    office: Office, forgery: str, about: str
) -> None:
    """Somebody with the database in hand, but not the key, brings a withdrawn request back."""
    office.approved()
    assert office.run("request", "withdraw", KEY, actor="siti").code == 0
    with closing(sqlite3.connect(office.directory / "var" / "ledger.sqlite3")) as ledger:
        ledger.executescript(forgery)
    answer = office.run("apply", KEY)
    assert answer.code == 4, answer.out
    assert [(one["code"], about in one["message"]) for one in answer.document["faults"]] == [
        ("audit.not-vouched", True)
    ]
    assert {vm["name"] for vm in office.vms().values() if "simrs" in vm["name"]} == set()


def test_a_ledger_that_is_older_than_its_head_builds_nothing(office: Office) -> None:
    """The day before, when it was approved and not yet withdrawn, is put back."""
    office.approved()
    file = office.directory / "var" / "ledger.sqlite3"
    with closing(sqlite3.connect(file)) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.read_bytes()
    assert office.run("request", "withdraw", KEY, actor="siti").code == 0
    for beside in file.parent.glob("ledger.sqlite3-*"):
        beside.unlink()
    file.write_bytes(before)
    answer = office.run("apply", KEY)
    assert (answer.code, answer.codes) == (4, ["audit.not-vouched"])
