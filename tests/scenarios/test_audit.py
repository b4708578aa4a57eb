"""Proof for somebody outside: what was done, exported and checked through the command line."""

import json
import stat
from pathlib import Path

import pytest

from tests.scenarios.conftest import Office


def test_apply_says_which_revision_led_to_which_tasks(office: Office) -> None:
    office.built()
    (entry,) = office.run("audit", "log", "--action", "request.apply").data
    assert (entry["subject"], entry["opd"], entry["actor"]["login"]) == (
        "R-2026-0001", "dinkes", "rudi",
    )  # fmt: skip
    details = entry["details"]
    assert (details["revision"], details["ended"]) == (1, "3 active")
    lab = office.lab.get("/state")["dc"]["vms"]
    assert {upid.split(":")[6] for upid in details["upids"] if "qmcreate" in upid} == set(lab)
    upid = details["upids"][0]
    assert office.run("audit", "log", "--upid", upid).data == [entry]
    assert office.run("audit", "log", "--upid", upid[:-1]).data == []
    of_it = office.run("audit", "log", "--workload", "dinkes/simrs").data
    assert {one["action"].partition(".")[0] for one in of_it} == {"request", "instance"}
    assert office.run("audit", "log", "--workload", "dinkes/simr").data == []
    (begun,) = office.run("audit", "log", "--action", "request.begin").data
    assert begun["details"]["revision"] == 1


def test_the_log_is_filtered_by_role_and_by_the_sites_dates(office: Office) -> None:
    office.approved()
    log = ("audit", "log")
    assert [one["action"] for one in office.run(*log, "--role", "approver").data] == [
        "request.approve"
    ]
    assert office.run(*log, "--until", "2026-11-20").data == []
    since = office.run(*log, "--since", "2026-11-20", "--subject", "R-2026-0001").data
    assert [one["action"] for one in since] == ["request.queue", "request.approve"]
    assert office.run(*log, "--since", "2027-11-20T08:00").data == []
    assert office.run(*log, "--at", since[0]["at"][:10]).data == office.run(*log).data
    assert office.run(*log, "--at", "2026-11-18").data == []
    assert office.run(*log, "--at", "2026-11-20", "--until", "2026-11-20").codes == [
        "audit.at-alone"
    ]
    wrong = office.run(*log, "--since", "yesterday")
    assert (wrong.code, wrong.codes) == (2, ["audit.moment"])


def test_a_narrow_terminal_cuts_nothing_that_proves_something(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.built()
    assert office.run("request", "submit", office.file("too-big.yaml"), actor="nina").code == 4
    monkeypatch.setenv("COLUMNS", "80")
    entries = office.run("audit", "log").data
    (begun,) = [one for one in entries if one["action"] == "request.begin"]
    (done,) = [one for one in entries if one["action"] == "request.apply"]
    shown = office.text("audit", "log").out
    assert "…" not in shown
    for whole in (begun["details"]["spec_hash"], *done["details"]["upids"], "request.approve"):
        assert whole in shown
    assert "hold=[backup 780 GiB, disk.ssd 1.02 TiB, instances 3, memory 20 GiB," in shown
    assert "memory quota of bkad: 72 GiB needed, 32 GiB left of 32 GiB" in shown
    page = office.text("request", "show", "--offline", "dinkes/simrs").out
    assert "request.approve  hendra (approver)" in page
    assert begun["details"]["spec_hash"] not in page
    assert max(len(line) for line in page.splitlines()) <= 80


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_is_checked_without_the_site(office: Office, tmp_path: Path, form: str) -> None:
    office.approved()
    file = tmp_path / f"dinkes.{form}"
    made = office.run("audit", "export", str(file), "--opd", "dinkes", actor="yanti")
    assert (made.code, made.data["entries"], made.data["files"][0]) == (0, 2, str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = office.run("audit", "export", str(file), actor="yanti")
    assert (again.code, again.codes) == (4, ["audit.export-exists"])

    elsewhere = ("--site", str(tmp_path), "--output", "json", "audit", "verify", "--export")
    public = office.directory / "var" / "audit.pub"
    sound = office.call(*elsewhere, str(file), "--key", str(public))
    assert (sound.code, sound.data["fingerprint"]) == (0, made.data["fingerprint"])
    assert not sound.data["own_key"]
    assert office.call(*elsewhere, str(file)).data["own_key"]

    file.write_text(file.read_text().replace("hendra", "rudi"))
    forged = office.call(*elsewhere, str(file))
    assert (forged.code, forged.codes) == (7, ["audit.edited"])
    file.write_text("")
    assert office.call(*elsewhere, str(file)).code == 3


def test_an_export_to_the_terminal_is_nothing_but_the_export(office: Office) -> None:
    office.approved()
    lines = office.text("audit", "export", "-", actor="yanti").out.splitlines()
    assert json.loads(lines[0])["kind"] == "cloudpemda-audit"
    told = [json.loads(line)["action"] for line in lines[1:]]
    assert told == [one["action"] for one in office.run("audit", "log").data]
    assert told[-1] == "request.approve"


def test_requesters_export_nothing(office: Office, tmp_path: Path) -> None:
    refused = office.run("audit", "export", str(tmp_path / "x.jsonl"), actor="siti")
    assert (refused.code, refused.codes) == (4, ["desk.role"])
    assert not (tmp_path / "x.jsonl").exists()


def test_a_lost_head_is_begun_anew_by_an_operator_who_says_why(office: Office) -> None:
    office.approved()
    (office.directory / "var" / "audit.head").unlink()
    assert office.run("audit", "verify").codes == ["audit.head-missing"]
    asked = ("audit", "reanchor", "--reason", "disk of the desk was replaced")
    assert office.run(*asked, actor="yanti").codes == ["desk.role"]
    assert office.run("audit", "reanchor", "--reason", " ").codes == ["ledger.reason-missing"]
    assert office.run(*asked).code == 0
    assert office.run("audit", "verify").code == 0
    (entry,) = office.run("audit", "log", "--action", "audit.reanchor").data
    assert entry["details"]["reason"] == "disk of the desk was replaced"


def test_an_operator_changes_the_key_and_says_why(office: Office, tmp_path: Path) -> None:
    office.approved()
    public = (office.directory / "var" / "audit.pub").read_text()
    (tmp_path / "old.pub").write_text(public)
    asked = ("audit", "rotate-key", "--reason", "rudi moves to another office")
    assert office.run(*asked, actor="yanti").codes == ["desk.role"]
    assert office.run("audit", "rotate-key", "--reason", " ").codes == ["ledger.reason-missing"]
    assert office.run(*asked, "--lost").codes == ["audit.key-there"]
    done = office.run(*asked)
    assert done.code == 0
    assert (office.directory / "var" / "audit.pub").read_text() != public
    assert office.run("audit", "verify").code == 0
    file = tmp_path / "all.jsonl"
    assert office.run("audit", "export", str(file), actor="yanti").code == 0
    elsewhere = ("--site", str(tmp_path), "--output", "json", "audit", "verify", "--export")
    assert office.call(*elsewhere, str(file), "--key", str(tmp_path / "old.pub")).code == 0
