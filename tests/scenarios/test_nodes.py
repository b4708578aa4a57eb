"""Emptying a node for maintenance: all of ours, nothing of others, and back into use."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.lab.process import RunningLab
from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import Office, running_site

REASON = "Ganti RAM"


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def _site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, RunningLab]]:
    with running_site(tmp_path_factory.mktemp("site") / "lab", str(request.param)) as site:
        yield site


def _homes(office: Office) -> dict[int, str]:
    return {vmid: vm["node"] for vmid, vm in office.vms().items() if not vm.get("template")}


def _fullest(office: Office) -> str:
    return Counter(_homes(office).values()).most_common(1)[0][0]


def _drain(office: Office, node: str, *more: str) -> Any:
    return office.run("nodes", "drain", f"dc/{node}", "--reason", REASON, *more)


def test_a_node_is_emptied_kept_empty_and_taken_back(office: Office) -> None:
    office.built()
    node = _fullest(office)
    before = _homes(office)
    seen = len(office.requests())
    shown = _drain(office, node, "--preview")
    assert shown.code == 0, shown.out
    assert office.writes_since(seen) == []
    assert _homes(office) == before
    moves = {one["vmid"]: one["target"] for one in shown.data["evacuation"]["moves"]}
    assert set(moves) == {vmid for vmid, home in before.items() if home == node}

    done = _drain(office, node)
    assert done.code == 0, done.out
    after = _homes(office)
    assert after == before | moves
    assert all(vm["status"] == "running" for vmid, vm in office.vms().items() if vmid in before)

    again = _drain(office, node)
    assert (again.code, again.data["moved"]) == (0, [])
    settled = office.run("plan", "dinkes/simrs")
    assert [one["settled"] for one in settled.data] == [True]
    assert office.run("status").data["drains"][0]["node"] == node
    office.approved("simkeu.yaml", "bkad/simkeu")
    assert office.run("apply", "bkad/simkeu").code == 0
    assert node not in set(_homes(office).values())

    assert office.run("nodes", "return", f"dc/{node}").code == 0
    assert office.run("nodes", "return", f"dc/{node}").data is None
    assert office.run("status").data["drains"] == []


def test_guests_of_others_are_never_moved(office: Office) -> None:
    office.built()
    node = _fullest(office)
    mine = _homes(office)
    stranger = {"cluster": "dc", "action": "create-vm", "vmid": 777, "node": node}
    office.lab.post("/outside", stranger)
    refused = _drain(office, node)
    assert (refused.code, refused.codes) == (4, ["nodes.cannot-empty", "nodes.foreign"])
    assert _homes(office) == {**mine, 777: node}
    left = _drain(office, node, "--leave-foreign")
    assert left.code == 7
    assert left.data["left"] == [777]
    assert [vmid for vmid, home in _homes(office).items() if home == node] == [777]


def test_a_vm_whose_place_another_took_is_not_moved(office: Office) -> None:
    office.built()
    node = _fullest(office)
    vmid = min(vmid for vmid, home in _homes(office).items() if home == node)
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": vmid, "set": {"description": "mine now"}},
    )
    answer = _drain(office, node)
    assert "apply.foreign" in answer.codes
    assert _homes(office)[vmid] == node


def test_a_drain_that_was_killed_is_gone_on_with(office: Office) -> None:
    office.built()
    node = _fullest(office)
    held = {"on": {"method": "POST", "path": "*/migrate", "nth": 1}, "do": "hold", "when": "after"}
    office.lab.post("/faults", {"faults": [held]})
    running = start_command(office, "nodes", "drain", f"dc/{node}", "--reason", REASON)
    until_held(office, running)
    running.kill()
    running.communicate()
    let_go(office)
    assert office.run("nodes", "list").code == 0
    done = _drain(office, node)
    assert done.code == 0, done.out
    assert node not in set(_homes(office).values())


@pytest.mark.parametrize("name", ["pve1", "dc/", "nowhere/pve1", "dc/pve99"])
def test_a_node_must_be_one_of_the_sites(office: Office, name: str) -> None:
    answer = office.run("nodes", "drain", name, "--reason", REASON)
    assert answer.code == 2
    assert answer.codes[0] in ("nodes.name", "nodes.unknown")


def test_a_node_that_is_down_is_not_drained(office: Office) -> None:
    office.built()
    node = _fullest(office)
    office.lab.post("/faults", {"faults": [{"at": "1s", "do": "node-down", "node": node}]})
    office.lab.post("/advance", {"seconds": 60})
    answer = _drain(office, node)
    assert (answer.code, answer.codes) == (5, ["nodes.not-online"])
    assert office.run("status").data["drains"] == []


def test_only_operators_drain_and_never_while_paused(office: Office) -> None:
    assert office.run("nodes", "drain", "dc/pve1", actor="siti").codes == ["desk.role"]
    assert office.run("pause", "--reason", "x").code == 0
    assert _drain(office, "pve1").codes == ["pause.on"]
