"""VMs that live are started, stopped and restarted: by role, under HA and without, told to all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.lab.process import RunningLab
from cloudpemda.wiring import open_desk
from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import Office, running_site

KEY = "bkad/simkeu"
VM = f"{KEY}/app-1"
WHY = ("--reason", "Ganti versi aplikasi")


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def _site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, RunningLab]]:
    with running_site(tmp_path_factory.mktemp("site") / "lab", str(request.param)) as site:
        yield site


def _basic(document: dict[str, Any]) -> None:
    document["spec"]["serviceClass"] = "basic"


@pytest.fixture(params=["ha", "alone"])
def built(request: pytest.FixtureRequest, office: Office) -> Office:
    """One VM that lives, with HA or without."""
    if request.param == "alone":
        office.edited("simkeu.yaml", _basic)
        office.built("edited-simkeu.yaml", KEY)
    else:
        office.built("simkeu.yaml", KEY)
    return office


def _vm(office: Office) -> tuple[int, dict[str, Any]]:
    ((vmid, vm),) = ((i, one) for i, one in office.vms().items() if not one.get("template"))
    return vmid, vm


def _status(office: Office) -> str:
    return str(_vm(office)[1]["status"])


def _change(office: Office, **settings: str) -> None:
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": _vm(office)[0], "set": settings},
    )


def _audit(office: Office, action: str) -> list[dict[str, Any]]:
    return [one for one in office.run("audit", "log").data if one["action"] == action]


def test_a_stop_is_meant_until_the_vm_is_started(built: Office) -> None:
    stopped = built.run("vm", "stop", VM, *WHY)
    assert stopped.code == 0, stopped.out
    assert _status(built) == "stopped"
    assert built.run("vm", "stop", VM, *WHY).data[0]["already"]

    built.lab.post("/advance", {"seconds": 30})  # PVE's statistics are of every ten seconds
    status = built.run("status")
    assert status.code == 0, status.out
    (seen,) = status.data["instances"]
    assert (seen["running"], seen["differences"]) == ("stopped", [])
    assert (seen["stopped"]["person"], seen["stopped"]["reason"]) == ("Rudi Setiawan", WHY[1])
    assert WHY[1] in built.text("vm", "list").out
    assert "nightly.vm-stopped" not in built.run("nightly").codes

    assert built.run("plan", KEY).data[0]["settled"]
    assert built.run("apply", KEY).code == 0
    built.lab.post("/advance", {"seconds": 120})
    assert _status(built) == "stopped"

    started = built.run("vm", "start", VM, actor="nina")
    assert started.code == 0, started.out
    assert _status(built) == "running"
    assert built.run("vm", "start", VM).data[0]["already"]
    assert built.run("status").data["instances"][0]["stopped"] is None
    built.lab.post("/advance", {"seconds": 120})
    assert _status(built) == "running"
    (one,) = _audit(built, "vm.stopped")
    assert (one["actor"]["login"], one["opd"], one["details"]["for"]) == ("rudi", "bkad", "bkad")
    (other,) = _audit(built, "vm.started")
    assert (other["actor"]["login"], other["actor"]["role"]) == ("nina", "requester")
    assert built.run("audit", "verify").code == 0


def test_what_else_differs_is_put_right_without_a_start(built: Office) -> None:
    assert built.run("vm", "stop", VM, *WHY).code == 0
    _change(built, memory="512")
    assert built.run("apply", KEY).code == 0
    built.lab.post("/advance", {"seconds": 60})
    assert _status(built) == "stopped"
    assert _vm(built)[1]["config"]["memory"] != "512"


def test_a_restart_makes_effective_what_waits(built: Office) -> None:
    vmid, before = _vm(built)
    answer = built.run("vm", "restart", VM)
    assert (answer.code, answer.data[0]["effective"]) == (0, [])
    assert _vm(built)[1]["started"] > before["started"]
    with open_desk(built.directory, asserted="rudi") as desk:
        pve = desk.cluster("dc")
        pve.set_config(before["node"], vmid, {"memory": "2048"})
    built.lab.post("/advance", {"seconds": 30})
    assert _vm(built)[1]["config"]["memory"] != "2048"
    answer = built.run("vm", "restart", VM, "--hard", "--yes", actor="nina")
    (value,) = answer.data[0]["effective"]
    assert (answer.code, value["key"], value["next"]) == (0, "memory", "2048")
    assert (_status(built), _vm(built)[1]["config"]["memory"]) == ("running", "2048")
    assert "memory" in _audit(built, "vm.restarted")[-1]["details"]["effective"]
    assert built.run("vm", "stop", VM, *WHY, "--hard", "--yes").code == 0
    refused = built.run("vm", "restart", VM)
    assert "vm.not-running" in refused.codes


def test_one_that_runs_against_a_stop_is_told_and_left_alone(built: Office) -> None:
    assert built.run("vm", "stop", VM, *WHY).code == 0
    change = {"cluster": "dc", "action": "change-vm", "vmid": _vm(built)[0], "status": "running"}
    with open_desk(built.directory, asserted="rudi") as desk:
        if desk.cluster("dc").ha_resources():
            desk.cluster("dc").set_ha_resource(_vm(built)[0], state="started")
    built.lab.post("/outside", change)
    built.lab.post("/advance", {"seconds": 60})
    assert built.run("apply", KEY).code == 0
    assert _status(built) == "running"
    assert "nightly.vm-runs" in built.run("nightly").codes
    assert built.run("vm", "start", VM).data[0]["already"]
    assert "nightly.vm-runs" not in built.run("nightly").codes


def test_a_vm_whose_place_another_took_is_left_alone(built: Office) -> None:
    _change(built, description="mine now")
    for verb in (("stop", VM, *WHY), ("restart", VM), ("start", VM)):
        seen = len(built.requests())
        answer = built.run("vm", *verb)
        assert "apply.foreign" in answer.codes
        assert built.writes_since(seen) == []
    assert _status(built) == "running"
    assert built.run("vm", "list").data[0]["stopped"] is None


def test_a_locked_vm_is_left_alone(built: Office) -> None:
    _change(built, lock="backup")
    seen = len(built.requests())
    answer = built.run("vm", "stop", VM, *WHY)
    assert "vm.lock-left" in answer.codes
    assert built.writes_since(seen) == []


def test_a_stop_that_was_killed_is_gone_on_with(built: Office) -> None:
    alone = built.run("vm", "list").data[0]["ha"]["guard"] == "none"
    method, path = ("POST", "*/status/shutdown") if alone else ("PUT", "*/ha/resources/*")
    held = {"on": {"method": method, "path": path, "nth": 1}, "do": "hold", "when": "after"}
    built.lab.post("/faults", {"faults": [held]})
    running = start_command(built, "vm", "stop", VM, *WHY)
    until_held(built, running)
    running.kill()
    running.communicate()
    let_go(built)
    assert built.run("vm", "stop", VM, *WHY).code == 0
    assert _status(built) == "stopped"
    assert built.run("status").data["instances"][0]["stopped"]["reason"] == WHY[1]


def test_who_may_and_when(office: Office) -> None:
    office.built("simkeu.yaml", KEY)
    assert office.run("vm", "stop", VM, *WHY, actor="siti").codes == ["desk.role"]
    assert office.run("vm", "stop", VM, *WHY, actor="yanti").codes == ["desk.role"]
    assert office.run("vm", "stop", f"{KEY}/app-9", *WHY).codes == ["ledger.no-instance"]
    assert office.run("vm", "stop", VM, "--reason", " ").codes == ["ledger.reason-missing"]
    site = office.directory / "site.yaml"
    before = site.read_text()
    site.write_text(before.replace("[start, stop, restart]", "[start]"))
    try:
        assert office.run("vm", "stop", VM, *WHY, actor="nina").codes == ["vm.not-for-requesters"]
        assert office.run("vm", "start", VM, actor="nina").code == 0
    finally:
        site.write_text(before)
    assert office.run("pause", "--reason", "x").code == 0
    assert office.run("vm", "stop", VM, *WHY).codes == ["pause.on"]
    assert _status(office) == "running"


def test_a_guest_that_does_not_listen_runs_on_and_is_told(office: Office) -> None:
    office.edited("simkeu.yaml", _basic)
    office.built("edited-simkeu.yaml", KEY)
    _change(office, agent="0", boot="order=net0")
    for verb in (("stop", VM, *WHY), ("restart", VM)):
        answer = office.run("vm", *verb)
        assert (answer.code, "vm.guest-silent" in answer.codes) == (7, True), answer.out
    assert _status(office) == "running"
    assert office.run("vm", "list").data[0]["stopped"] is None
    assert office.run("vm", "stop", VM, *WHY, "--hard", "--yes").code == 0
    assert _status(office) == "stopped"
