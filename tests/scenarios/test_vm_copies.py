"""Copies of VMs from backups: charged first, nobody's neighbour, known to all who count."""

from typing import Any

import pytest

from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import Office

KEY = "bkad/simkeu"
VM = f"{KEY}/app-1"
WHY = ("--reason", "mencari berkas")


@pytest.fixture
def kept(office: Office) -> Office:
    office.built("simkeu.yaml", KEY)
    office.lab.post("/advance", {"seconds": 86400})
    return office


def _made(office: Office) -> tuple[int, dict[str, Any]]:
    vms = office.vms().items()
    return next((i, vm) for i, vm in vms if "copy" in vm["config"].get("name", ""))


def _charged(office: Office) -> dict[str, int]:
    lines = office.run("quota", "show", "bkad").data
    return {line["dimension"]: line["committed"] for line in lines}


def test_a_copy_is_charged_off_unplugged_known_and_given_back(kept: Office) -> None:
    before = _charged(kept)
    origin = next(
        vm for vm in kept.vms().values() if vm["config"].get("name") == "bkad-simkeu-app-1"
    )
    done = kept.run("vm", "restore", VM, "--as-copy", "cek", *WHY)
    assert done.code == 0, done.out
    vmid, copy = _made(kept)
    assert (copy["status"], copy["config"].get("onboot", "0")) == ("stopped", "0")
    assert f"role=copy instance={VM}@copy:cek" in copy["config"]["description"]
    kept.lab.post("/advance", {"seconds": 30})
    nics = [value for key, value in copy["config"].items() if key.startswith("net")]
    assert nics
    assert all("link_down=1" in nic for nic in nics)
    own = origin["config"]["net0"].partition("=")[2].partition(",")[0]
    assert own not in "".join(nics)
    after = _charged(kept)
    assert after["instances"] == before["instances"] + 1
    assert after["vcpu"] > before["vcpu"]
    assert after["disk.ssd"] > before["disk.ssd"]
    assert after.get("backup") == before.get("backup")
    assert kept.run("quota", "verify").code == 0
    drift = kept.run("drift")
    assert drift.code == 0, drift.out
    assert kept.run("plan", KEY).data[0]["settled"]
    assert kept.run("apply", KEY).code == 0
    node = kept.run("vm", "show", VM).data["node"]
    assert kept.run("nodes", "drain", f"dc/{node}", "--preview").codes == ["nodes.copies"]
    assert kept.run("vm", "restore", VM, "--as-copy", "cek", *WHY).codes == ["vm.copy-taken"]
    (seen,) = kept.run("vm", "copy", "list", VM, actor="nina").data
    assert (seen["vmid"], seen["name"]) == (vmid, "cek")
    assert kept.run("vm", "copy", "list", VM, actor="siti").codes == ["desk.scope"]
    kept.lab.post("/advance", {"seconds": 8 * 86400})
    assert "nightly.copy-old" in kept.run("nightly").codes
    # Refused before anything is asked.
    assert kept.run("vm", "copy", "delete", VM, "lain").codes == ["vm.no-copy"]
    assert kept.run("vm", "copy", "delete", VM, "cek", actor="siti").codes == ["desk.role"]
    gone = kept.run("vm", "copy", "delete", VM, "cek", "--yes")
    assert gone.code == 0, gone.out
    assert vmid not in kept.vms()
    assert _charged(kept) == before
    assert kept.run("vm", "copy", "list").data == []
    assert kept.run("quota", "verify").code == 0
    assert kept.run("audit", "verify").code == 0


def test_without_quota_or_room_nothing_is_made(kept: Office) -> None:
    before, there = _charged(kept), set(kept.vms())
    assert kept.run("vm", "restore", VM, "--as-copy", "Cek!", *WHY).codes == ["vm.copy-name"]
    assert kept.run("vm", "restore", VM, "--as-copy", "cek").codes == ["ledger.reason-missing"]
    assert kept.run("vm", "restore", VM, "--as-copy", "cek", *WHY, actor="siti").codes == [
        "desk.role"
    ]
    for name in ("aa", "bb"):
        assert kept.run("vm", "restore", VM, "--as-copy", name, *WHY).code in (0, 4)
    more = kept.run("vm", "restore", VM, "--as-copy", "cc", *WHY)
    assert more.code == 4
    assert more.codes[0] in ("vm.copies-full", "quota.exceeded")
    for name in ("aa", "bb"):
        kept.run("vm", "copy", "delete", VM, name, "--yes")
    assert (_charged(kept), set(kept.vms())) == (before, there)


def test_one_that_fails_is_taken_back_and_one_in_whose_place_another_stands_is_left(
    kept: Office,
) -> None:
    before, there = _charged(kept), set(kept.vms())
    fault = {"on": {"method": "POST", "path": "*/qemu", "nth": 1}, "do": "error"}
    kept.lab.post("/faults", {"faults": [fault]})
    failed = kept.run("vm", "restore", VM, "--as-copy", "cek", *WHY)
    assert failed.codes[0] == "vm.copy-undone"
    assert (_charged(kept), set(kept.vms())) == (before, there)
    kept.lab.post("/faults", {"faults": []})
    assert kept.run("vm", "restore", VM, "--as-copy", "cek", *WHY).code == 0
    vmid, _ = _made(kept)
    change = {"description": "mine now"}
    kept.lab.post("/outside", {"cluster": "dc", "action": "change-vm", "vmid": vmid, "set": change})
    seen = len(kept.requests())
    refused = kept.run("vm", "copy", "delete", VM, "cek", "--yes")
    assert refused.codes == ["vm.copy-stays", "retire.foreign"]
    assert kept.writes_since(seen) == []
    assert vmid in kept.vms()


@pytest.mark.slow
def test_one_whose_making_and_whose_removal_were_cut_off_is_removed_and_leaves_no_work(
    kept: Office,
) -> None:
    before, there = _charged(kept), set(kept.vms())
    _cut_off(kept, {"method": "POST", "path": "*/qemu"}, "vm", "restore", VM, "--as-copy", "cek")
    assert "nightly.copy-unfinished" in kept.run("nightly").codes
    _cut_off(kept, {"method": "DELETE", "path": "*/qemu/*"}, "vm", "copy", "delete", VM, "cek")
    assert set(kept.vms()) == there
    assert _charged(kept) != before
    assert kept.run("vm", "copy", "delete", VM, "cek", "--yes").code == 0
    assert _charged(kept) == before
    left = kept.run("ledger", "verify")
    assert left.code == 0, left.out


def _cut_off(office: Office, on: dict[str, object], *words: str) -> None:
    """The command dies when PVE has done what was asked, and has not answered yet."""
    more = ("--yes",) if "delete" in words else WHY
    fault = {"on": {**on, "nth": 1}, "do": "hold", "when": "after"}
    office.lab.post("/faults", {"faults": [fault]})
    running = start_command(office, *words, *more)
    until_held(office, running)
    running.kill()
    running.communicate()
    let_go(office)
    office.lab.post("/faults", {"faults": []})
    office.lab.post("/advance", {"seconds": 60})
