"""People who may do something, and try to make more of it."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

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


def _start(office: Office, actor: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable, "-m", "cloudpemda", "--site", str(office.directory), "--output", "json",
            "--actor", actor, *words,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def _held_up(office: Office, process: subprocess.Popen[str]) -> None:
    while not office.lab.get("/holds"):
        assert process.poll() is None, process.communicate()


def test_who_asks_anew_while_they_decide_has_decided_on_nothing(two_roles: Office) -> None:
    """The same content, asked for by somebody else when the decision began: its digest is the
    same, whose request it is not."""
    office = two_roles
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    decision = _start(office, "ketua", "request", "approve", KEY)
    _held_up(office, decision)
    assert office.run("request", "withdraw", KEY, actor="ketua").code == 0
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="ketua").code == 0
    for one in office.lab.get("/holds"):
        office.lab.post("/release", {"id": one["id"], "answer": True})
    out, err = decision.communicate(timeout=120)
    assert decision.returncode == 4, out + err
    assert [fault["code"] for fault in json.loads(out)["faults"]] == ["ledger.revision-moved"]
    answer = office.run("request", "approve", KEY, actor="ketua")
    assert answer.codes == ["request.not-yours", "policy.own-request"]
    assert office.run("request", "show", "--offline", KEY).data["record"]["state"] == "pending"
    assert {line["held"] for line in office.run("quota", "show", "dinkes").data} == {0}
