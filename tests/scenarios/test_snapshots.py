"""States of VMs to go back to: charged before they are, free when they are gone, ours alone."""

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
WHY = ("--reason", "sebelum pembaruan")


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def _site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, RunningLab]]:
    with running_site(tmp_path_factory.mktemp("site") / "lab", str(request.param)) as site:
        yield site


@pytest.fixture
def built(office: Office) -> Office:
    office.built("simkeu.yaml", KEY)
    return office


def _vm(office: Office) -> tuple[int, dict[str, Any]]:
    ((vmid, vm),) = ((i, one) for i, one in office.vms().items() if not one.get("template"))
    return vmid, vm


def _names(office: Office) -> set[str]:
    return set(_vm(office)[1]["snapshots"])


def _disk(office: Office) -> dict[str, int]:
    lines = office.run("quota", "show", "bkad").data
    return {
        line["dimension"]: line["committed"]
        for line in lines
        if line["dimension"].startswith("disk.")
    }


def _snapshot(office: Office, verb: str, *words: str, actor: str = "rudi") -> Any:
    return office.run("vm", "snapshot", verb, VM, *words, actor=actor)


def test_a_state_is_charged_kept_gone_back_to_and_given_back(built: Office) -> None:
    before = _disk(built)
    taken = _snapshot(built, "create", "before", *WHY)
    assert taken.code == 0, taken.out
    assert _names(built) == {"before"}
    assert _disk(built) == {name: 2 * size for name, size in before.items()}
    assert built.run("quota", "verify").code == 0
    (seen,) = _snapshot(built, "list", actor="nina").data
    assert (seen["name"], seen["there"], seen["ours"]) == ("before", True, True)
    assert (seen["person"], seen["reason"]) == ("Rudi Setiawan", WHY[1])
    assert seen["charged"] == before
    for lang in ("en", "id"):
        shown = built.text("vm", "snapshot", "list", VM, lang=lang)
        assert (shown.code, "before" in shown.out, WHY[1] in shown.out) == (0, True, True)

    built.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": _vm(built)[0], "set": {"cores": "1"}},
    )
    back = _snapshot(built, "rollback", "before", "--yes")
    assert back.code == 0, back.out
    assert _vm(built)[1]["config"]["cores"] != "1"
    built.lab.post("/advance", {"seconds": 120})
    assert _vm(built)[1]["status"] == "running"
    assert built.run("plan", KEY).data[0]["settled"]

    built.lab.post("/advance", {"seconds": 15 * 86400})
    assert "nightly.snapshot-old" in built.run("nightly").codes
    gone = _snapshot(built, "delete", "before")
    assert gone.code == 0, gone.out
    assert (_names(built), _disk(built)) == (set(), before)
    assert _snapshot(built, "list").data == []
    assert built.run("quota", "verify").code == 0
    assert _snapshot(built, "delete", "before").codes == ["vm.no-snapshot"]
    actions = {one["action"] for one in built.run("audit", "log").data}
    assert {"vm.snapshot-taken", "vm.rolled-back", "vm.snapshot-removed"} <= actions
    assert built.run("audit", "verify").code == 0


def test_what_there_is_no_quota_for_is_not_made(built: Office) -> None:
    before = _disk(built)
    codes = []
    for number in range(20):
        answer = _snapshot(built, "create", f"s{number}", *WHY)
        codes.append(answer.code)
        if answer.code:
            break
    assert answer.code == 4
    assert answer.codes[0] in ("quota.exceeded", "vm.snapshots-full")
    made = codes.count(0)
    assert len(_names(built)) == made
    assert _disk(built) == {name: (1 + made) * size for name, size in before.items()}


def test_only_the_newest_can_be_gone_back_to_on_zfs(built: Office) -> None:
    for name in ("first", "second"):
        answer = _snapshot(built, "create", name, *WHY)
        assert answer.code == 0, answer.out
    refused = _snapshot(built, "rollback", "first", "--yes")
    assert refused.codes == ["vm.snapshot-not-newest"]
    assert _vm(built)[1]["status"] == "running"


def test_one_that_was_made_by_hand_is_listed_and_left_alone(built: Office) -> None:
    vmid, vm = _vm(built)
    with open_desk(built.directory, asserted="rudi") as desk:
        desk.cluster("dc").take_snapshot(vm["node"], vmid, "mine", "by hand")
    built.lab.post("/advance", {"seconds": 30})
    (seen,) = _snapshot(built, "list").data
    assert (seen["name"], seen["ours"], seen["charged"]) == ("mine", False, {})
    assert _snapshot(built, "create", "mine", *WHY).codes == ["vm.snapshot-taken"]
    assert _snapshot(built, "delete", "mine").codes == ["vm.no-snapshot"]
    assert _snapshot(built, "rollback", "mine", "--yes").codes == ["vm.no-snapshot"]
    assert "quota.verify-snapshot-foreign" in built.run("quota", "verify").codes
    assert _names(built) == {"mine"}


def test_one_that_another_hand_removed_is_told_and_given_back(built: Office) -> None:
    before = _disk(built)
    assert _snapshot(built, "create", "before", *WHY).code == 0
    vmid, vm = _vm(built)
    with open_desk(built.directory, asserted="rudi") as desk:
        desk.cluster("dc").drop_snapshot(vm["node"], vmid, "before")
    built.lab.post("/advance", {"seconds": 30})
    assert [one["there"] for one in _snapshot(built, "list").data] == [False]
    assert "quota.verify-snapshot" in built.run("quota", "verify").codes
    assert _snapshot(built, "delete", "before").code == 0
    assert _disk(built) == before


def test_a_vm_whose_place_another_took_is_left_alone(built: Office) -> None:
    assert _snapshot(built, "create", "before", *WHY).code == 0
    change = {"description": "mine now"}
    vmid = _vm(built)[0]
    built.lab.post(
        "/outside", {"cluster": "dc", "action": "change-vm", "vmid": vmid, "set": change}
    )
    used = _disk(built)
    for words in (
        ("create", "other", *WHY), ("delete", "before"), ("rollback", "before", "--yes"),
        ("list",),
    ):  # fmt: skip
        seen = len(built.requests())
        answer = _snapshot(built, *words)
        assert "apply.foreign" in answer.codes, words
        assert built.writes_since(seen) == []
    assert (_names(built), _disk(built)) == ({"before"}, used)


def test_one_whose_making_was_killed_is_gone_on_with(built: Office) -> None:
    before = _disk(built)
    fault = {"on": {"method": "POST", "path": "*/snapshot", "nth": 1}, "do": "hold"}
    built.lab.post("/faults", {"faults": [fault | {"when": "after"}]})
    running = start_command(built, "vm", "snapshot", "create", VM, "before", *WHY)
    until_held(built, running)
    running.kill()
    running.communicate()
    let_go(built)
    built.lab.post("/advance", {"seconds": 60})
    assert _snapshot(built, "create", "before", *WHY).code == 0
    assert _names(built) == {"before"}
    assert _disk(built) == {name: 2 * size for name, size in before.items()}
    assert built.run("quota", "verify").code == 0


def test_who_may(built: Office) -> None:
    refused = _snapshot(built, "create", "before", *WHY, actor="nina")
    assert refused.codes == ["vm.not-for-requesters"]
    assert _snapshot(built, "create", "before", *WHY, actor="siti").codes == ["desk.role"]
    assert _snapshot(built, "list", actor="siti").codes == ["desk.scope"]
    for name in ("current", "1st", "a b", "x" * 41, "-x"):
        answer = built.run("vm", "snapshot", "create", VM, *WHY, "--", name)
        assert answer.code == 2, answer.out
    assert _snapshot(built, "create", "before", "--reason", " ").codes == ["ledger.reason-missing"]
    assert _names(built) == set()
