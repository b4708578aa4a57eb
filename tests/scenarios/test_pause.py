"""While the site is paused nothing changes a cluster, and everybody is told why."""

from tests.scenarios.beside import let_go, start_apply, until_held
from tests.scenarios.conftest import APPROVER, Office

REASON = "Ganti switch inti"


def _paused(office: Office) -> None:
    answer = office.run("pause", "--reason", REASON)
    assert answer.code == 0, answer.out


def test_nothing_is_written_while_paused_and_all_goes_on_afterwards(office: Office) -> None:
    office.approved()
    _paused(office)
    seen = len(office.requests())
    refused = office.run("apply", "dinkes/simrs")
    assert (refused.code, refused.codes) == (4, ["pause.on"])
    said = refused.document["faults"][0]["values"]
    assert said["why"] == REASON
    night = office.run("nightly")
    assert night.code == 7
    assert "pause.on" in night.codes
    shown = office.run("status")
    assert (shown.code, shown.codes) == (7, ["pause.on"])
    assert office.writes_since(seen) == []
    assert office.run("plan", "dinkes/simrs").code == 0

    assert office.run("resume").code == 0
    assert office.run("apply", "dinkes/simrs").code == 0
    assert office.run("status").code == 0


def test_an_apply_that_runs_stops_before_its_next_step(office: Office) -> None:
    office.approved()
    held = {"on": {"method": "POST", "path": "*/qemu", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    running = start_apply(office)
    until_held(office, running)
    _paused(office)
    let_go(office)
    out, err = running.communicate()
    assert running.returncode == 6, out + err
    started = [one for one in office.writes_since(0) if one[1].endswith("/status/start")]
    assert started == []
    assert office.run("apply").codes == ["pause.on"]
    assert office.run("resume").code == 0
    assert office.run("apply").code == 0
    assert {vm["status"] for vm in office.vms().values() if not vm.get("template")} == {"running"}


def test_a_second_pause_is_refused_and_a_second_end_changes_nothing(office: Office) -> None:
    _paused(office)
    second = office.run("pause", "--reason", "Uji UPS")
    assert (second.code, second.codes) == (4, ["pause.on-already"])
    assert REASON in second.err + str(second.document["faults"][0]["values"])
    assert "was paused since" in office.text("resume").out
    logged = office.run("audit", "log").data
    assert [one["action"] for one in logged] == ["pause.begin", "pause.end"]
    assert logged[0]["details"]["reason"] == REASON
    again = office.text("resume")
    assert again.code == 0
    assert "not paused" in again.out


def test_only_operators_pause_and_only_for_a_time_to_come(office: Office) -> None:
    assert office.run("pause", "--reason", "x", actor="siti").codes == ["desk.role"]
    assert office.run("resume", actor=APPROVER).codes == ["desk.role"]
    for until in ("2020-01-01", "besok", "2020-01-01T10:00"):
        late = office.run("pause", "--reason", "x", "--until", until)
        assert (late.code, late.codes) == (2, ["pause.moment"])
    assert office.run("apply").code == 0


def test_a_pause_ends_by_itself(office: Office) -> None:
    assert office.run("pause", "--reason", REASON, "--until", "2026-11-20").code == 0
    assert office.run("apply").codes == ["pause.on"]
    office.lab.post("/advance", {"seconds": 24 * 3600})
    assert office.run("apply").code == 0
