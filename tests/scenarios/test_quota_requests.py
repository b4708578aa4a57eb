"""More quota, from an OPD's document to the day on which it ends, through the command line."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.scenarios.conftest import APPROVER, Office

REVIEWER = "dewi"

ZONE = ZoneInfo("Asia/Jakarta")


def now(office: Office) -> datetime:
    """The site's time, in its zone. The lab's clock only runs forward."""
    return datetime.fromtimestamp(office.lab.get("/clock")["now"], UTC).astimezone(ZONE)


def day(office: Office, after: int = 0) -> str:
    return str(now(office).date() + timedelta(days=after))


def to_midnight_after(office: Office, last: str) -> float:
    """Seconds until the day after `last` begins."""
    end = datetime.combine(date.fromisoformat(last) + timedelta(days=1), time(), ZONE)
    return (end - now(office)).total_seconds()


def more(office: Office, name: str = "tambahan", **changed: Any) -> str:
    """A request of bkad's for what its too big request lacks; its path."""
    document = {
        "apiVersion": "cloudpemda/v1",
        "kind": "QuotaRequest",
        "metadata": {
            "name": name,
            "opd": "bkad",
            "letter": {"number": "900/760/BKAD/2026", "date": "2026-11-19"},
            "requester": {
                "name": "Nina Marlina",
                "nip": "199002202014022005",
                "position": "Kasubid Akuntansi",
                "email": "nina@bkad.example.go.id",
            },
        },
        "spec": {
            "purpose": "Gudang data keuangan",
            "add": {"vcpu": 12, "memory": "40 GiB", "disk": {"ssd": "2 TiB"}, "backup": "2 TiB"},
            "until": day(office, 40),
            **changed,
        },
    }
    target = office.directory / "requests" / f"{name}.yaml"
    target.write_text(json.dumps(document, ensure_ascii=False, indent=1))
    return str(target)


def limits(office: Office, *words: str) -> dict[str, Any]:
    lines = office.run("quota", "show", "bkad", *words, actor="yanti").data
    return {line["dimension"]: line["limit"] for line in lines}


def approve(office: Office, *actors: str) -> None:
    """Decide for bkad's request, one after the other; by default the whole default chain."""
    for actor in actors or (REVIEWER, APPROVER):
        answer = office.run("request", "approve", "bkad/tambahan", actor=actor)
        assert answer.code == 0, answer.out


def granted(office: Office, **changed: Any) -> None:
    assert office.run("request", "submit", more(office, **changed), actor="nina").code == 0
    approve(office)


def test_a_decided_request_for_quota_admits_what_was_refused(office: Office) -> None:
    big = office.file("too-big.yaml")
    refused = office.run("request", "submit", big, actor="nina")
    assert (refused.code, refused.codes[0]) == (4, "quota.exceeded")
    assert "QuotaRequest" in refused.document["faults"][1]["next"]
    assert office.run("request", "check", more(office)).code == 0
    before = limits(office)
    handed_in = office.run("request", "submit", more(office), actor="nina")
    assert handed_in.data[0]["submission"]["number"] == "Q-2026-0001"
    assert limits(office) == before, "nothing is granted by asking"
    shown = office.run("request", "show", "Q-2026-0001", actor="nina").data
    assert shown["record"]["state"] == "pending"
    assert {line["dimension"]: line["limit"] for line in shown["quota"]} == {
        name: before[name] for name in ("vcpu", "memory", "disk.ssd", "backup")
    }
    approve(office, REVIEWER)
    assert limits(office) == before, "half a chain grants nothing"
    approve(office, APPROVER)
    after = limits(office)
    assert after["vcpu"] == before["vcpu"] + 12
    assert after["memory"] == before["memory"] + 40 * 1024
    assert after["disk.ssd"] == before["disk.ssd"] + 2 * 1024 * 1024
    assert after["disk.hdd"] == before["disk.hdd"]
    assert office.run("request", "submit", big, actor="nina").code == 0
    page = office.text("request", "show", "bkad/gudang-data", "--offline", actor="nina")
    assert "vCPU quota of bkad: 24 needed, 12 left of 12" in page.out, "the denial is explained"
    (line,) = {one["number"] for one in office.run("quota", "grants", "bkad").data}
    assert line == "Q-2026-0001"


def test_who_may_ask_decide_and_see(office: Office) -> None:
    file = more(office)
    assert office.run("request", "submit", file, actor="siti").codes == ["desk.role"]
    assert office.run("request", "submit", file, actor="nina").code == 0
    for somebody, code in ((APPROVER, "policy.not-awaited"), ("rudi", "policy.no-role")):
        refused = office.run("request", "approve", "bkad/tambahan", actor=somebody)
        assert (refused.code, refused.codes) == (4, ["request.not-yours", code])
        assert "Dewi Lestari (dewi)" in refused.document["faults"][1]["next"]
    nobody = office.run("request", "approve", "bkad/tambahan", actor="timer-account")
    assert nobody.codes == ["desk.unknown-person"]
    assert office.run("request", "show", "Q-2026-0001", actor="asep").codes == ["desk.scope"]
    assert office.run("quota", "requests", actor="asep").data == []
    denied = office.run("request", "deny", "Q-2026-0001", "--reason", "belum perlu", actor=APPROVER)
    assert (denied.code, denied.data["state"], denied.data["reason"]) == (
        0,
        "denied",
        "belum perlu",
    )
    (listed,) = office.run("quota", "requests", "--state", "denied", actor="nina").data
    assert listed["record"]["number"] == "Q-2026-0001"


def test_nobody_grants_what_they_asked_for(office: Office) -> None:
    people = office.directory / "people.yaml"
    kept = people.read_text()
    document = yaml.safe_load(kept)
    for person in document["people"]:
        if person["login"] == "nina":
            person["roles"] += [{"role": "reviewer"}, {"role": "approver"}]
    people.write_text(json.dumps(document))
    try:
        assert office.run("request", "submit", more(office), actor="rudi").code == 0
        refused = office.run("request", "approve", "bkad/tambahan", actor="nina")
        assert refused.codes == ["request.not-yours", "policy.own-request"]
    finally:
        people.write_text(kept)


def test_what_cannot_be_asked_is_refused_with_its_place(office: Office) -> None:
    file = more(office, add={"disk": {"nvme": "1 TiB"}, "vcpu": 2}, until=day(office, -20))
    answer = office.run("request", "submit", file, actor="nina")
    assert answer.code == 4
    assert answer.codes == ["request.not-allowed", "policy.storage-class", "policy.until-past"]
    assert all(fault["line"] for fault in answer.document["faults"][1:])
    none = office.run("request", "check", more(office, add={}))
    assert (none.code, none.codes) == (3, ["quota-request.nothing"])


def test_it_ends_with_its_last_day_in_the_sites_zone_and_leaves_an_overage(
    office: Office,
) -> None:
    before, last = limits(office), day(office, 1)
    granted(office, until=last)
    assert office.run("request", "submit", office.file("too-big.yaml"), actor="nina").code == 0
    assert office.run("request", "approve", "bkad/gudang-data", actor=APPROVER).code == 0
    office.lab.post("/advance", {"seconds": to_midnight_after(office, last) - 60})
    assert limits(office)["vcpu"] == before["vcpu"] + 12
    office.lab.post("/advance", {"seconds": 120})
    assert limits(office) == before
    lines = {
        line["dimension"]: line for line in office.run("quota", "show", "bkad", actor="nina").data
    }
    assert (lines["vcpu"]["held"], lines["vcpu"]["over"]) == (24, 12)
    assert lines["instances"]["over"] == 0
    told = office.text("quota", "show", "bkad", actor="nina").out
    assert "bkad stands 12 above its limit of vcpu" in told
    applied = office.run("plan", "bkad/gudang-data")
    assert applied.code == 0, "what is held is a promise"


def test_the_past_is_told_with_the_numbers_of_its_day(office: Office) -> None:
    first = day(office)
    granted(office, until="permanent")
    assert office.run("request", "submit", office.file("simkeu.yaml"), actor="nina").code == 0
    assert office.run("request", "approve", "bkad/simkeu", actor=APPROVER).code == 0
    held = {
        line["dimension"]: line["held"]
        for line in office.run("quota", "show", "bkad", actor="nina").data
    }
    raised = limits(office)
    office.lab.post("/advance", {"seconds": timedelta(days=20).total_seconds()})
    ended = office.run("request", "withdraw", "Q-2026-0001", "--reason", "selesai", actor="nina")
    assert (ended.code, ended.data["state"]) == (0, "ended")
    office.run("nightly", actor="timer-account")
    past = office.run("quota", "show", "bkad", "--at", first, actor="nina").data
    assert {line["dimension"]: line["held"] for line in past} == held
    assert {line["dimension"]: line["limit"] for line in past} == raised
    assert [line["dimension"] for line in past] == list(held), "line by line as the present is"
    today = office.run("quota", "show", "bkad", "--at", day(office), actor="nina").data
    assert not any(line["held"] for line in today), "the hold ran out since"
    assert {line["limit"] for line in today} != {line["limit"] for line in past}
    unknown = office.run("quota", "show", "bkad", "--at", "2026-10-01", actor="nina").data
    assert not any(line["known"] or line["held"] for line in unknown)
    for text, code in (("2099-01-01", "quota.future"), ("kemarin", "quota.moment")):
        answer = office.run("quota", "show", "--at", text)
        assert (answer.code, answer.codes) == (2, [code])


def test_a_limit_that_was_cut_is_told_and_takes_nothing_away(office: Office) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    file = office.directory / "opd" / "bkad.yaml"
    kept = file.read_text()
    document = yaml.safe_load(kept)
    document["quota"]["vcpu"] = 1
    file.write_text(json.dumps(document))
    try:
        night = office.run("nightly", actor="timer-account")
        assert (night.code, night.codes) == (7, ["nightly.overage"])
        assert "bkad stands" in night.document["faults"][0]["message"]
        (entry,) = office.run(
            "audit", "log", "--action", "quota.limits", "--opd", "bkad", actor="yanti"
        ).data
        assert entry["details"] == {"vcpu": "12 → 1"}
        lines = office.run("quota", "show", "bkad", actor="nina").data
        (vcpu,) = [line for line in lines if line["over"]]
        assert (vcpu["dimension"], vcpu["threshold"]) == ("vcpu", 95)
        assert office.run("apply", "bkad/simkeu").code == 0
    finally:
        file.write_text(kept)


def test_a_narrow_terminal_shows_grants_with_their_last_day_and_letter(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted(office)
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("quota", "grants", "bkad"), ("quota", "requests", "--opd", "bkad")):
        shown = office.text(*words, actor="yanti").out
        assert "…" not in shown
        assert day(office, 40) in shown, "the last day, as the document says it"
    assert "letter 900/760/BKAD/2026 of 2026-11-19" in office.text("quota", "grants").out
