"""A VM becomes what a backup of it holds: its own backup, nothing lost unsaid, protected after."""

from typing import Any

import pytest

from cloudpemda.wiring import open_desk
from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import Office

KEY = "dinkes/simrs"
VM = f"{KEY}/db-1"
WHY = ("--reason", "data rusak")


@pytest.fixture
def kept(office: Office) -> Office:
    """Two VMs with HA and replication, and backups of two nights."""
    office.built()
    office.lab.post("/advance", {"seconds": 2 * 86400})
    return office


def _vm(office: Office) -> tuple[int, dict[str, Any]]:
    return next(
        (i, vm) for i, vm in office.vms().items() if vm["config"].get("name") == "dinkes-simrs-db-1"
    )


def _restored(office: Office) -> list[dict[str, Any]]:
    return [one for one in office.lab.get("/events") if one["what"] == "restored"]


def _backups(office: Office) -> list[dict[str, Any]]:
    return [one["backup"] for one in office.run("vm", "backups", VM).data]


def _settled(office: Office) -> bool:
    return bool(office.run("plan", KEY).data[0]["settled"])


@pytest.mark.slow
@pytest.mark.parametrize("_site", ["8.4"], indirect=True)
def test_on_8_too(kept: Office) -> None:
    test_it_is_saved_first_restored_and_protected_again(kept)


def test_it_is_saved_first_restored_and_protected_again(kept: Office) -> None:
    vmid, before = _vm(kept)
    newest = _backups(kept)[0]
    seen = len(kept.requests())
    told = kept.run("vm", "restore", VM, "--from", "latest", "--preview").data
    assert (told["backup"]["volume"], told["runs"]) == (newest["volume"], True)
    assert kept.writes_since(seen) == []

    kept.lab.post("/advance", {"seconds": 3600})
    done = kept.run("vm", "restore", VM, "--from", "latest", "--yes", *WHY)
    assert done.code == 0, done.out
    (event,) = _restored(kept)
    assert (event["vmid"], event["volid"]) == (vmid, newest["volume"])
    saved = _backups(kept)[0]
    assert saved["volume"] == done.data["saved"] != newest["volume"]
    state = kept.lab.get("/state")["dc"]
    disks = [one for one in state["volumes"] if one["vmid"] == vmid and one["content"] == "images"]
    _, vm = _vm(kept)
    at_home = [
        one for one in disks if one["node"] == vm["node"] and "cloudinit" not in one["volid"]
    ]
    assert {one["holds"] for one in at_home} == {event["recovery_point"]}
    assert vm["status"] == "running"
    same = ("net0", "memory", "cores", "description", "tags")
    assert {key: vm["config"][key] for key in same} == {key: before["config"][key] for key in same}
    assert _settled(kept)
    kept.lab.post("/advance", {"seconds": 3600})
    assert [one["running"] for one in kept.run("status").data["instances"] if one["key"] == VM] == [
        "running"
    ]
    assert kept.run("quota", "verify").code == 0
    assert kept.run("audit", "verify").code == 0
    actions = {one["action"] for one in kept.run("audit", "log").data}
    assert {"vm.restore", "vm.restore-saved", "vm.restore-restored"} <= actions


def test_nothing_is_done_where_something_speaks_against_it(kept: Office) -> None:
    vmid, _ = _vm(kept)

    def refused(*words: str, actor: str = "rudi") -> list[str]:
        seen = len(kept.requests())
        answer = kept.run("vm", "restore", VM, "--yes", *WHY, *words, actor=actor)
        assert answer.code != 0
        assert kept.writes_since(seen) == []
        return answer.codes

    def outside(**change: object) -> None:
        wanted = {"cluster": "dc", "action": "change-vm", "vmid": vmid, "set": change}
        kept.lab.post("/outside", wanted)

    latest = ("--from", "latest")
    assert refused() == ["vm.restore-none"]
    assert refused("--from", "2026-11-01") == ["vm.restore-no-backup"]
    assert refused("--from", "pbs-dc:backup/vm/1/x") == ["vm.restore-no-backup"]
    assert refused("--from", "yesterday") == ["quota.moment"]
    assert refused(*latest, actor="siti") == ["vm.not-for-requesters"]
    assert refused(*latest, actor="nina") == ["desk.role"]
    outside(protection="1")
    assert refused(*latest) == ["vm.restore-protected"]
    outside(protection="0", lock="migrate")
    assert refused(*latest) == ["vm.lock-left"]
    outside(description="mine")
    assert refused(*latest) == ["plan.identity"]
    assert _vm(kept)[1]["config"]["description"] == "mine"
    assert _restored(kept) == []


def test_the_backup_of_another_vm_that_had_the_number_is_refused(kept: Office) -> None:
    vmid, _ = _vm(kept)
    with open_desk(kept.directory, asserted="rudi") as desk:
        pve = desk.cluster("dc")
        node = _vm(kept)[1]["node"]
        foreign = {"description": "cloudpemda uid=" + "0" * 32 + " role=primary instance=a/b/c"}
        own = pve.config(node, vmid).raw["description"]
        pve.set_config(node, vmid, foreign)
        kept.lab.post("/advance", {"seconds": 60})
        pve.back_up(node, vmid, "pbs-dc", "theirs")
        kept.lab.post("/advance", {"seconds": 600})
        pve.set_config(node, vmid, {"description": own})
        kept.lab.post("/advance", {"seconds": 60})
    seen = len(kept.requests())
    answer = kept.run("vm", "restore", VM, "--from", "latest", "--yes", *WHY)
    assert answer.codes == ["vm.restore-not-its-backup"]
    assert kept.writes_since(seen) == []
    older = _backups(kept)[1]
    assert kept.run("vm", "restore", VM, "--from", older["taken_at"], "--yes", *WHY).code == 0
    assert _restored(kept)[0]["volid"] == older["volume"]


def _kill_midway(kept: Office) -> None:
    """A restore whose process died while PVE was at it."""
    fault = {"on": {"method": "POST", "path": "*/qemu", "nth": 1}, "do": "hold"}
    kept.lab.post("/faults", {"faults": [fault | {"when": "after"}]})
    volume = _backups(kept)[0]["volume"]
    running = start_command(kept, "vm", "restore", VM, "--from", volume, "--yes", *WHY)
    until_held(kept, running)
    running.kill()
    running.communicate()
    let_go(kept)
    kept.lab.post("/advance", {"seconds": 60})


@pytest.mark.slow
def test_one_whose_vm_somebody_replaced_meanwhile_is_ended_without_touching_his(
    kept: Office,
) -> None:
    _kill_midway(kept)
    vmid, _ = _vm(kept)
    hand = {"cluster": "dc", "vmid": vmid}
    kept.lab.post("/outside", {**hand, "action": "delete-vm"})
    kept.lab.post("/outside", {**hand, "action": "create-vm", "set": {"description": "mine"}})
    kept.lab.post("/advance", {"seconds": 60})
    assert kept.run("vm", "restore", VM, "--yes").codes == ["plan.identity"]
    seen = len(kept.requests())
    ended = kept.run("vm", "restore", VM, "--give-up")
    assert (ended.code, ended.codes) == (7, ["plan.identity"])
    assert kept.writes_since(seen) == []
    assert kept.run("vm", "restore", VM, "--give-up").codes == ["vm.restore-none"]
    assert "vm.restore-unfinished" not in kept.run("request", "retire", KEY, *WHY).codes
    assert kept.vms()[vmid]["config"]["description"] == "mine"


@pytest.mark.slow
def test_killed_while_pve_restores_it_is_gone_on_with_and_nobody_else_writes(kept: Office) -> None:
    _kill_midway(kept)
    assert "vm.restore-unfinished" in kept.run("request", "retire", KEY, *WHY).codes
    assert kept.run("vm", "start", VM).codes == ["vm.state"]
    assert "nightly.restore-unfinished" in kept.run("nightly").codes
    done = kept.run("vm", "restore", VM, "--yes")
    assert done.code == 0, done.out
    assert done.data["saved"] is not None
    assert _vm(kept)[1]["status"] == "running"
    assert _settled(kept)
    assert kept.run("vm", "restore", VM, "--give-up").codes == ["vm.restore-none"]
