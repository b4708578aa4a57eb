"""Approval chains through the command line: rules, delegations, who is awaited, what voids."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.scenarios.conftest import Office

KEY = "dinkes/simrs"

HEADS = """\
  - {login: head, name: Kepala Dinkes, roles: [{role: approver, opd: dinkes}]}
  - {login: agus, name: Agus Permana, roles: [{role: approver}]}
"""
RULES = """
approvals:
  rules:
    - name: hospital
      when: {opd: [dinkes]}
      stages: [{who: opd-head}, {who: diskominfo}, {who: executive, of: 2}]
"""


@pytest.fixture
def write(office: Office) -> Iterator[Callable[[str, str], None]]:
    """Add to the site's files for one test."""
    before: dict[Path, str] = {}

    def add(name: str, more: str) -> None:
        file = office.directory / name
        before.setdefault(file, file.read_text())
        file.write_text(file.read_text() + more)

    yield add
    for file, text in before.items():
        file.write_text(text)


@pytest.fixture
def chained(office: Office, write: Callable[[str, str], None]) -> Office:
    write("people.yaml", HEADS)
    write("site.yaml", RULES)
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    return office


def approve(office: Office, actor: str) -> tuple[int, list[str]]:
    answer = office.run("request", "approve", KEY, actor=actor)
    return answer.code, answer.codes


def state(office: Office) -> str:
    return str(office.run("request", "show", "--offline", KEY).data["record"]["state"])


def held(office: Office) -> set[int]:
    return {line["held"] for line in office.run("quota", "show", "dinkes").data}


def test_a_chain_decides_in_its_order_and_the_last_one_takes_the_hold(chained: Office) -> None:
    first = chained.text("request", "approve", KEY, actor="head")
    assert first.code == 0
    assert "1 of 4 decided; awaited: Dewi Lestari (dewi)" in first.out
    assert approve(chained, "dewi")[0] == 0
    assert approve(chained, "hendra")[0] == 0
    assert held(chained) == {0}
    assert state(chained) == "pending"
    assert approve(chained, "agus")[0] == 0
    assert state(chained) == "approved"
    assert held(chained) != {0}
    assert chained.run("apply", KEY).code == 0


def test_refusals_name_the_people_who_could(chained: Office) -> None:
    answer = chained.run("request", "approve", KEY, actor="hendra")
    assert (answer.code, answer.codes) == (4, ["request.not-yours", "policy.not-awaited"])
    assert "Kepala Dinkes (head)" in answer.document["faults"][1]["next"]
    assert approve(chained, "head")[0] == 0
    answer = chained.run("request", "approve", KEY, actor="rudi")
    assert answer.codes == ["request.not-yours", "policy.no-role"]
    assert "Dewi Lestari (dewi)" in answer.document["faults"][1]["next"]


def test_show_prints_the_chain(chained: Office) -> None:
    approve(chained, "head")
    page = chained.text("request", "show", KEY, actor="dewi").out
    assert "Decision by hospital: 1 of 4" in page
    assert "approved by Kepala Dinkes (approver)" in page
    assert "awaited: Dewi Lestari (dewi)" in page
    told = chained.run("request", "show", "--offline", KEY).data["chain"]
    assert [len(stage["decisions"]) for stage in told["stages"]] == [1, 0, 0]
    assert told["awaited"] == ["Dewi Lestari (dewi)"]


def test_whose_stage_comes_later_may_deny_with_a_reason(chained: Office) -> None:
    approve(chained, "head")
    assert chained.run("request", "deny", KEY, "--reason", " ", actor="hendra").code == 4
    assert chained.run("request", "deny", KEY, "--reason", "ganda", actor="rudi").code == 4
    assert chained.run("request", "deny", KEY, "--reason", "ganda", actor="hendra").code == 0
    assert state(chained) == "denied"


def test_another_policy_between_stages_begins_anew(
    chained: Office, write: Callable[[str, str], None]
) -> None:
    approve(chained, "head")
    file = chained.directory / "site.yaml"
    write("site.yaml", "")
    file.write_text(file.read_text().replace(", of: 2}", "}"))
    answer = chained.run("request", "approve", KEY, actor="dewi")
    assert answer.codes == ["request.not-yours", "policy.not-awaited"]
    assert approve(chained, "head")[0] == 0
    assert approve(chained, "dewi")[0] == 0
    assert approve(chained, "hendra")[0] == 0
    assert state(chained) == "approved"


def test_an_edit_between_stages_begins_anew(chained: Office) -> None:
    approve(chained, "head")

    def more(document: dict[str, dict[str, object]]) -> None:
        document["spec"]["purpose"] = "Sistem lain"

    file = chained.edited("simrs.yaml", more)
    assert chained.run("request", "submit", file, actor="siti").code == 0
    told = chained.run("request", "show", "--offline", KEY).data["chain"]
    assert told["awaited"] == ["Kepala Dinkes (head)"]
    assert len(told["earlier"]) == 1


DELEGATED = """
delegations:
  - from: hendra
    to: {to}
    as: plh
    role: approver
    letter: {{number: "800/77/2026", date: "2026-11-19"}}
    since: {since}
    until: {until}
"""


def delegated(office: Office, to: str) -> str:
    """For the two hours from this minute on, which the site's zone has seven hours ahead of UTC."""
    now = datetime.fromtimestamp(office.lab.get("/clock")["now"], ZoneInfo("Asia/Jakarta"))
    since, until = (f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (0, 2))
    return DELEGATED.format(to=to, since=since, until=until)


def test_a_stand_in_decides_by_letter_until_its_minute(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("people.yaml", delegated(office, "dewi"))
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    assert approve(office, "dewi")[0] == 0
    told = office.run("request", "show", "--offline", KEY).data["chain"]
    (decision,) = told["stages"][0]["decisions"]
    assert decision["behalf"]["login"] == "hendra"
    assert "800/77/2026" in decision["letter"]
    office.lab.post("/advance", {"seconds": 2 * 3600})
    assert office.run("request", "withdraw", KEY, actor="siti").code == 0
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    assert approve(office, "dewi") == (4, ["request.not-yours", "policy.no-role"])


def test_nobody_decides_their_own_request_as_a_stand_in(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("people.yaml", delegated(office, "siti"))
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    assert approve(office, "siti") == (4, ["request.not-yours", "policy.own-request"])
    assert approve(office, "hendra")[0] == 0


@pytest.mark.parametrize("rule", ["void", "keep"])
def test_an_approver_who_lost_the_role_before_apply_follows_the_rule(
    office: Office, write: Callable[[str, str], None], rule: str
) -> None:
    write("site.yaml", f"\napprovals: {{removedApprover: {rule}}}\n")
    office.approved()
    write("people.yaml", "")
    people = office.directory / "people.yaml"
    people.write_text(people.read_text().replace("[{role: approver}]", "[{role: auditor}]"))
    if rule == "keep":
        assert office.run("apply", KEY).code == 0
        return
    planned = office.run("plan", KEY)
    assert (planned.code, planned.codes) == (4, ["plan.approver-removed"])
    before = len(office.requests())
    applied = office.run("apply", KEY)
    assert (applied.code, applied.codes) == (4, ["ledger.approver-removed"])
    assert "Hendra Gunawan (hendra)" in applied.document["faults"][0]["message"]
    assert office.writes_since(before) == []
    assert state(office) == "pending"
    assert held(office) == {0}


def test_one_person_under_two_logins_is_not_two(
    chained: Office, write: Callable[[str, str], None]
) -> None:
    """Agus decides, is given another account and his degree in his name, and decides again."""
    assert [approve(chained, one)[0] for one in ("head", "dewi", "agus")] == [0, 0, 0]
    people = chained.directory / "people.yaml"
    write("people.yaml", "")
    renamed = "login: agus.p, name: 'Agus Permana, S.Kom.'"
    people.write_text(people.read_text().replace("login: agus, name: Agus Permana", renamed))
    refused = chained.run("request", "approve", KEY, actor="agus.p")
    assert (refused.code, refused.codes) == (4, ["ledger.decider-removed"])
    assert "Agus Permana (agus)" in refused.document["faults"][0]["message"]
    assert (state(chained), held(chained)) == ("pending", {0})
    shown = chained.run("request", "show", "--offline", KEY).data["chain"]
    assert [len(stage["decisions"]) for stage in shown["stages"]] == [0, 0, 0]
    assert approve(chained, "head")[0] == 0, "it goes on with who has the role now"


def test_what_was_handed_in_since_it_was_read_is_not_decided_on(chained: Office) -> None:
    longer = chained.edited("simrs.yaml", lambda doc: doc["spec"].update(until="2028-01-31"))
    assert chained.run("request", "submit", longer, actor="siti").code == 0
    stale = chained.run("request", "approve", KEY, "--revision", "1", actor="head")
    assert (stale.code, stale.codes) == (4, ["request.other-revision"])
    fresh = chained.text("request", "approve", KEY, "--revision", "2", actor="head")
    assert (fresh.code, "revision 2" in fresh.out) == (0, True)


DAY = 86400


def test_a_request_that_nobody_decides_expires_and_says_so_before(office: Office) -> None:
    """By default after thirty days, and for three days it is told."""
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    office.lab.post("/advance", {"seconds": 26 * DAY})
    assert office.run("status").data["expiring"] == []
    office.lab.post("/advance", {"seconds": 2 * DAY})
    (told,) = office.run("status").data["expiring"]
    assert (told["key"], told["what"]) == (KEY, "pending")
    assert office.run("status", actor="asep").data["expiring"] == []  # another OPD's
    assert "waits for a decision and expires" in office.text("status").out
    night = office.run("nightly").data
    assert ([one["what"] for one in night["expiring"]], night["expired"]) == (["pending"], [])
    office.lab.post("/advance", {"seconds": 2 * DAY})
    assert approve(office, "hendra") == (4, ["ledger.transition"])
    assert state(office) == "expired"


def test_a_hold_that_ends_soon_is_told(office: Office) -> None:
    office.approved()
    assert office.run("status").data["expiring"] == []
    office.lab.post("/advance", {"seconds": 12 * DAY})
    (told,) = office.run("status").data["expiring"]
    assert (told["key"], told["what"], told["over"]) == (KEY, "hold", False)
    office.lab.post("/advance", {"seconds": 2 * DAY})
    assert [one["over"] for one in office.run("status").data["expiring"]] == [True]
    assert f"the hold of {KEY}" in (ended := office.text("status").out)
    assert "the next `cloudpemda nightly` gives it back" in ended
    assert f"`cloudpemda apply {KEY}` before" not in ended
    assert office.run("plan", KEY).codes == ["plan.hold-ended"]
    assert len(office.run("nightly").data["expired"]) == 1
    assert office.run("status").data["expiring"] == []


AUTOMATIC = """
approvals:
  automatic:
    - name: small
      when: {{serviceClass: [critical], upTo: {{vcpu: 64}}}}
      perDay: {{instances: {instances}, vcpu: 64, memory: 256 GiB, disk: 8 TiB, publicIp: 4}}
"""


def test_a_rule_approves_by_itself_what_it_names(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("site.yaml", AUTOMATIC.format(instances=9))
    done = office.text("request", "submit", office.file("simrs.yaml"), actor="siti")
    assert done.code == 0
    assert "dinkes/simrs is approved by rule small" in done.out
    shown = office.run("request", "show", "--offline", KEY).data
    assert shown["record"]["state"] == "approved"
    assert shown["record"]["approval"]["actor"]["login"] == "system"
    (entry,) = [one for one in shown["history"] if one["action"] == "request.approve"]
    assert entry["details"]["rule"] == "small"
    page = office.text("request", "show", "--offline", KEY)
    assert (page.code, "1. a rule: 1 of 1" in page.out) == (0, True), page.err
    assert office.run("apply", KEY).code == 0


def test_what_a_rule_does_not_give_waits_for_people(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("site.yaml", AUTOMATIC.format(instances=1))
    done = office.text("request", "submit", office.file("simrs.yaml"), actor="siti")
    assert done.code == 0
    told = " ".join(done.out.split())
    assert "rule small did not decide: R-" in told
    assert "would take dinkes over what rule small allows" in told
    assert state(office) == "pending"
    assert held(office) == {0}
    assert approve(office, "hendra")[0] == 0


def test_the_night_decides_by_rule_what_could_not_be_decided_at_once(
    office: Office, write: Callable[[str, str], None]
) -> None:
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    write("site.yaml", AUTOMATIC.format(instances=9))
    night = office.run("nightly", actor="timer-account")
    assert [(one["key"], one["approved"]) for one in night.data["by_rule"]] == [(KEY, True)]
    assert state(office) == "approved"


def test_a_stage_that_nobody_can_decide_is_told(
    office: Office, write: Callable[[str, str], None]
) -> None:
    write("site.yaml", RULES)
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    assert "nobody in people.yaml can decide now" in office.text("request", "show", KEY).out
    answer = office.run("request", "approve", KEY, actor="hendra")
    assert answer.codes == ["request.not-yours", "policy.not-awaited", "policy.nobody-left"]


def test_who_comes_too_late_is_told_the_way_on(office: Office) -> None:
    def refused(*words: str, actor: str = "hendra") -> str:
        answer = office.run("request", *words, actor=actor)
        assert (answer.code, answer.codes) == (4, ["ledger.transition"]), answer.out
        return str(answer.document["faults"][0]["next"])

    office.approved()
    assert "`cloudpemda request withdraw R-" in refused("deny", KEY, "--reason", "late")
    assert office.run("request", "withdraw", KEY, actor="siti").code == 0
    assert "Hand the document in again" in refused("withdraw", KEY, actor="siti")
    office.approved()
    assert office.run("apply", KEY).code == 0
    assert "the OPD hands in the changed document" in refused("approve", KEY)

    bigger = office.edited("simrs.yaml", lambda made: made["spec"]["vms"][0].update(cpu=8))
    assert office.run("request", "submit", bigger, actor="siti").code == 0
    assert office.run("request", "withdraw", KEY, actor="siti").code == 0
    assert "the OPD hands in the changed document" in refused("deny", KEY, "--reason", "late")
    assert "Hand the document in again" in refused("withdraw", KEY, actor="siti")


def test_the_page_of_a_request_is_in_indonesian(office: Office) -> None:
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    page = office.text("request", "show", KEY, lang="id").out
    found = {
        one for one in ("2 terpisah", "+publik", "\ntawaran ", " apart", "+public ") if one in page
    }
    assert found == {"2 terpisah", "+publik", "\ntawaran "}


def test_everybody_sees_what_waits_for_them(chained: Office) -> None:
    def waits(actor: str) -> list[tuple[str, int]]:
        answer = chained.run("request", "list", "--waiting", actor=actor)
        return [(one["key"], one["decided"]) for one in answer.data]

    assert {who: waits(who) for who in ("head", "dewi", "siti")} == {
        "head": [(KEY, 0)], "dewi": [], "siti": [],
    }  # fmt: skip
    assert approve(chained, "head")[0] == 0
    quota = str(chained.directory / "quota" / "tambahan-bkad.yaml")
    assert chained.run("request", "submit", quota, actor="nina").code == 0
    assert (waits("head"), waits("dewi")) == ([], [(KEY, 1), ("bkad/tambahan-gudang-data", 0)])
    list_ = ("request", "list", "--waiting")
    assert "`cloudpemda request show R-" in chained.text(*list_, actor="dewi").out
    assert "nothing waits" in chained.text(*list_, actor="head").out
    assert chained.run(*list_, "--opd", "bkad").codes == ["look.waiting-alone"]
    assert chained.run(*list_, actor="stranger").codes == ["desk.unknown-person"]
