"""Commands that take things away, killed as real processes at each of their writes in turn."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.beside import is_held, start_command
from tests.scenarios.conftest import OPERATOR, Office
from tests.scenarios.test_changing import FILE, KEY, _app, propose, settled, used

WHY = ("--reason", "selesai")
_MOST = 80


def _killed(office: Office, when: str, path: str, *words: str, answer: bool) -> bool:
    """Whether the command was killed at its next such write; what it asked for was done by then
    (`after`), or never is."""
    hold = {"on": {"method": "[PD]*", "path": path, "nth": 1}, "do": "hold", "when": when}
    office.lab.post("/faults", {"faults": [hold]})
    process = start_command(office, *words)
    try:
        held = is_held(office, process)
    finally:
        process.kill()
        out, err = process.communicate()
        office.lab.post("/release", {"all": True, "answer": answer})
        office.lab.post("/faults", {"faults": []})
    assert held or process.returncode == 0, out + err
    return held


def _at_each_write(office: Office, *words: str) -> Iterator[str]:
    """Kill the command at each of its writes: once before it is done, once after it. Somebody
    needs a moment to begin it anew; what PVE was asked for is done by then."""
    for _ in range(_MOST):
        if not _killed(office, "before", "*", *words, answer=False):
            return
        yield "before"
        if not _killed(office, "after", "*", *words, answer=False):
            return
        office.lab.post("/wait", {"seconds": 30})
        yield "after"
    raise AssertionError(f"it does not come to its end: {words}")


def _nothing_is_left(office: Office) -> None:
    truth = office.lab.get("/state")["dc"]
    assert truth["vms"] == {}
    assert [one for one in truth["volumes"] if one["content"] == "images"] == []
    assert (truth["ha_resources"], truth["replication"], truth["ha_rules"]) == ({}, {}, {})
    assert set(used(office).values()) == {0}
    assert office.run("orphans", "list").data == []


@pytest.mark.parametrize(
    ("during", "path"), [("retire", "/cluster/ha/resources/*"), ("purge", "*/qemu/*")]
)
def test_an_end_that_was_killed_is_gone_on_with(office: Office, during: str, path: str) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})
    retire = ("request", "retire", KEY, *WHY)
    purge = ("request", "purge", KEY, "--confirm", KEY, "--now", *WHY)
    if during == "purge":
        assert office.run(*retire).code == 0
    assert _killed(office, "after", path, *(retire if during == "retire" else purge), answer=False)

    if during == "retire":
        assert office.run(*retire).code == 0
    done = office.run(*purge)

    assert (done.code, done.data["record"]["state"]) == (0, "ended"), done.out
    _nothing_is_left(office)


@pytest.mark.slow
def test_what_is_being_destroyed_for_a_dead_purge_does_not_come_back(office: Office) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})
    assert office.run("request", "retire", KEY, *WHY).code == 0
    purge = ("request", "purge", KEY, "--confirm", KEY, "--now", *WHY)
    assert _killed(office, "before", "*/qemu/*", *purge, answer=True)
    assert len(office.vms()) == 1, "PVE is at it"

    assert office.run("request", "restore", KEY).codes == ["retire.at-work"]

    office.lab.post("/wait", {"seconds": 30})
    assert office.run("request", "restore", KEY).codes == ["plan.vanished"]
    assert office.run(*purge).data["record"]["state"] == "ended"
    _nothing_is_left(office)


@pytest.mark.slow
def test_retire_and_purge_are_killed_at_each_write_and_end_whole(office: Office) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})

    deaths = list(_at_each_write(office, "request", "retire", KEY, *WHY))
    assert len(deaths) >= 6
    record = office.run("request", "show", KEY, "--offline").data["record"]
    assert record["state"] == "retired"
    assert [vm["status"] for vm in office.vms().values()] == ["stopped"]

    purge = ("request", "purge", KEY, "--confirm", KEY, "--now", *WHY)
    deaths = list(_at_each_write(office, *purge))
    assert len(deaths) >= 4
    _nothing_is_left(office)
    assert office.run("audit", "verify").code == 0


def _rearranged(document: dict[str, Any]) -> None:
    """Without its disk `data`, its exports on the fast storage."""
    disks = _app(document)["disks"]
    disks.pop(1)
    disks[1].update({"class": "ssd", "size": "120 GiB"})


@pytest.mark.slow
def test_disks_that_move_and_go_are_killed_at_each_write_and_end_whole(office: Office) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 1200})
    ((vmid, vm),) = office.vms().items()
    propose(office, _rearranged, "--allow-retire")

    deaths = list(_at_each_write(office, "apply", KEY))

    assert len(deaths) >= 4
    now = office.vms()[vmid]
    assert now["pid"] == vm["pid"], "it was never stopped"
    assert now["config"]["scsi2"].startswith("local-zfs:")
    assert [key for key in now["config"] if key.startswith("unused")] == ["unused0"]
    settled(office)
    office.lab.post("/advance", {"seconds": 15 * 86400})
    deaths = list(_at_each_write(office, "leases", "run"))
    assert len(deaths) >= 2
    assert [one["disk"] for one in office.run("vm", "disks", actor=OPERATOR).data] == []
    settled(office)
    volumes = office.lab.get("/state")["dc"]["volumes"]
    ssd = [one for one in volumes if one["vmid"] == vmid and "disk" in one["volid"]]
    assert sorted(str(one["volid"]) for one in ssd if one["node"] == now["node"]) == sorted(
        str(now["config"][slot]).partition(",")[0] for slot in ("scsi0", "scsi2")
    )
