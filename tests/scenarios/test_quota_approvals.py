"""Requests for quota under the site's chains: rules, stand-ins, what voids, what expires."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Office
from tests.scenarios.test_quota_requests import ZONE, limits, more

KEY = "bkad/tambahan"
DAY = 86400

PEOPLE = """\
  - {login: head, name: Kepala BKAD, roles: [{role: approver, opd: bkad}]}
  - {login: agus, name: Agus Permana, roles: [{role: approver}]}
"""
RULES = """
approvals:
  quota:
    - name: little
      when: {permanent: false, upTo: {vcpu: 2, instances: 0, memory: 4 GiB, disk: 0 GiB}}
      stages: [{who: diskominfo}]
    - name: bkad
      when: {opd: [bkad]}
      stages: [{who: opd-head}, {who: executive, of: 2}]
"""


@pytest.fixture
def write(office: Office) -> Iterator[Callable[[str, str], None]]:
    """Add to the site's files for one test."""
    before: dict[Path, str] = {}

    def add(name: str, text: str) -> None:
        file = office.directory / name
        before.setdefault(file, file.read_text())
        file.write_text(file.read_text() + text)

    yield add
    for file, text in before.items():
        file.write_text(text)


@pytest.fixture
def chained(office: Office, write: Callable[[str, str], None]) -> Office:
    write("people.yaml", PEOPLE)
    write("site.yaml", RULES)
    return office


def submit(office: Office, **changed: Any) -> None:
    assert office.run("request", "submit", more(office, **changed), actor="nina").code == 0


def approve(office: Office, actor: str) -> tuple[int, list[str]]:
    answer = office.run("request", "approve", KEY, actor=actor)
    return answer.code, answer.codes


def shown(office: Office) -> Any:
    return office.run("request", "show", KEY).data


def state(office: Office) -> str:
    return str(shown(office)["record"]["state"])


def test_the_first_rule_that_holds_names_the_stages(chained: Office) -> None:
    before = limits(chained)
    submit(chained)
    assert shown(chained)["chain"]["awaited"] == ["Kepala BKAD (head)"]
    assert approve(chained, "hendra") == (4, ["request.not-yours", "policy.not-awaited"])
    assert approve(chained, "dewi") == (4, ["request.not-yours", "policy.no-role"])
    assert approve(chained, "head") == (0, [])
    assert approve(chained, "hendra") == (0, [])
    again = ["request.not-yours", "policy.decided-already"]
    assert approve(chained, "hendra") == (4, again)
    (listed,) = chained.run("quota", "requests").data
    assert listed["chain"]["awaited"] == ["Agus Permana (agus)"]
    assert "Agus Permana (agus)" in chained.text("quota", "requests").out
    page = chained.text("request", "show", KEY).out
    assert "Decision by bkad: 2 of 3" in page
    assert limits(chained) == before
    done = chained.text("request", "approve", KEY, actor="agus")
    assert (done.code, "permanent" in done.out, "disk.ssd" in done.out) == (0, False, True)
    assert limits(chained)["vcpu"] == before["vcpu"] + 12
    assert approve(chained, "agus") == (4, ["ledger.transition"])
    assert "Decision by bkad: 3 of 3" in chained.text("request", "show", KEY).out
    assert chained.run("audit", "verify", actor="yanti").code == 0


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"add": {"vcpu": 2}}, "little"),
        ({"add": {"vcpu": 3}}, "bkad"),
        ({"add": {"vcpu": 2, "disk": {"ssd": "1 GiB"}}}, "bkad"),
        ({"add": {"vcpu": 2}, "until": "permanent"}, "bkad"),
    ],
)
def test_size_and_time_choose_the_rule(chained: Office, asked: dict[str, Any], rule: str) -> None:
    submit(chained, **asked)
    assert shown(chained)["chain"]["rule"] == rule


def test_an_edit_begins_the_chain_anew(chained: Office) -> None:
    submit(chained)
    assert approve(chained, "head") == (0, [])
    submit(chained, add={"vcpu": 40})
    chain = shown(chained)["chain"]
    assert chain["awaited"] == ["Kepala BKAD (head)"]
    assert [one["revision"] for one in chain["earlier"]] == [1]


def test_any_stage_may_deny_with_a_reason(chained: Office) -> None:
    submit(chained)
    assert approve(chained, "head") == (0, [])
    blank = chained.run("request", "deny", KEY, "--reason", " ", actor="agus")
    assert blank.codes == ["ledger.reason-missing"]
    assert chained.run("request", "deny", KEY, "--reason", "x", actor="dewi").code == 4
    denied = chained.run("request", "deny", KEY, "--reason", "anggaran habis", actor="agus")
    assert (denied.code, denied.data["state"]) == (0, "denied")
    assert not any(line["over"] for line in chained.run("quota", "show", "bkad").data)


DELEGATED = """
delegations:
  - from: {who}
    to: {to}
    as: plh
    role: {role}
    letter: {{number: "800/78/2026", date: "2026-11-19"}}
    since: {since}
    until: {until}
"""


def delegated(office: Office, who: str, to: str, role: str) -> str:
    """For the two hours from this minute on, in the site's zone."""
    now = datetime.fromtimestamp(office.lab.get("/clock")["now"], ZONE)
    since, until = (f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (0, 2))
    return DELEGATED.format(who=who, to=to, role=role, since=since, until=until)


def test_a_stand_in_decides_for_quota_until_their_minute(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("people.yaml", PEOPLE + delegated(office, "dewi", "agus", "reviewer"))
    submit(office)
    assert approve(office, "agus") == (0, [])
    (given,) = shown(office)["chain"]["stages"][0]["decisions"]
    assert given["behalf"]["login"] == "dewi"
    assert "800/78/2026" in given["letter"]
    again = ["request.not-yours", "policy.decided-already"]
    assert approve(office, "agus") == (4, again), "nobody counts twice in one chain"
    assert office.run("request", "withdraw", KEY, actor="nina").code == 0
    office.lab.post("/advance", {"seconds": 2 * 3600})
    submit(office)
    assert approve(office, "agus") == (4, ["request.not-yours", "policy.not-awaited"])


def test_nobody_decides_their_own_as_a_stand_in(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("people.yaml", delegated(office, "dewi", "nina", "reviewer"))
    submit(office)
    assert approve(office, "nina") == (4, ["request.not-yours", "policy.own-request"])


@pytest.mark.parametrize("rule", ["void", "keep"])
def test_a_decider_who_lost_the_role_counts_by_the_sites_rule(
    office: Office, write: Callable[[str, str], None], rule: str
) -> None:
    write("site.yaml", f"\napprovals: {{removedApprover: {rule}}}\n")
    write("people.yaml", PEOPLE)
    before = limits(office)
    submit(office)
    assert approve(office, "dewi") == (0, [])
    people = office.directory / "people.yaml"
    people.write_text(people.read_text().replace("[{role: reviewer}]", "[{role: auditor}]"))
    if rule == "keep":
        assert approve(office, "hendra") == (0, [])
        assert limits(office)["vcpu"] == before["vcpu"] + 12
        return
    refused = office.run("request", "approve", KEY, actor="hendra")
    assert (refused.code, refused.codes) == (4, ["ledger.decider-removed"])
    assert "Dewi Lestari (dewi)" in refused.document["faults"][0]["message"]
    view = shown(office)
    assert (view["record"]["state"], view["chain"]["stages"][0]["decisions"]) == ("pending", [])
    assert limits(office) == before
    people.write_text(people.read_text().replace("[{role: approver}]", "[{role: reviewer}]", 1))
    assert approve(office, "hendra") == (0, []), "the chain goes on with who has the role now"


def test_what_nobody_decides_expires_and_can_be_asked_for_anew(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("site.yaml", "\napprovals: {pendingFor: 5d}\n")
    submit(office)
    assert approve(office, "dewi") == (0, [])
    office.lab.post("/advance", {"seconds": 5 * DAY})
    assert approve(office, "hendra") == (4, ["ledger.transition"])
    assert state(office) == "expired"
    again = office.run("request", "submit", str(office.directory / "requests" / "tambahan.yaml"))
    assert again.data[0]["submission"]["revision"] == 2
    assert shown(office)["chain"]["awaited"] == ["Dewi Lestari (dewi)"]
