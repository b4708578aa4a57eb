"""The end of a workload: quarantine, the way back, purge, and what stays behind."""

import json
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import APPROVER, Office

KEY = "dinkes/simrs"
DAY = 86400
ZONE = ZoneInfo("Asia/Jakarta")


def _used(office: Office, opd: str = "dinkes") -> dict[str, int]:
    lines = office.run("quota", "show", opd).data
    return {one["dimension"]: one["committed"] + one["held"] for one in lines}


def _quarantined(office: Office) -> Any:
    office.built()
    answer = office.run("request", "retire", KEY, "--reason", "aplikasi pindah")
    assert answer.code == 0, answer.out
    return answer


def _built_alone(office: Office) -> None:
    """One replicated VM, so that another node can be lost without it."""

    def alone(document: dict[str, Any]) -> None:
        vms = document["spec"]["vms"]
        document["spec"]["vms"] = [one for one in vms if one["name"] == "db"]
        document["spec"]["vms"][0] |= {"count": 1, "keepApart": False}

    file = office.edited("simrs.yaml", alone)
    assert office.run("request", "submit", file, actor="siti").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run("apply", KEY).code == 0


def _ours(office: Office) -> dict[int, dict[str, Any]]:
    return {n: vm for n, vm in office.vms().items() if not vm.get("template")}


def test_in_quarantine_it_stands_still_is_charged_and_comes_back(office: Office) -> None:
    office.built()
    before, used = _ours(office), _used(office)
    state = office.lab.get("/state")["dc"]

    answer = office.run("request", "retire", KEY, "--reason", "aplikasi pindah")

    assert (answer.code, answer.data["record"]["state"]) == (0, "retired")
    assert {vm["status"] for vm in _ours(office).values()} == {"stopped"}
    assert _used(office) == used
    dc = office.lab.get("/state")["dc"]
    assert (dc["ha_resources"], dc["ha_rules"]) == ({}, {})
    assert sorted(dc["replication"]) == sorted(state["replication"])
    for vm in _ours(office).values():
        assert "cloudpemda-retired" in vm["config"]["tags"]
        assert vm["config"]["onboot"] == "0"

    seen = len(office.requests())
    again = office.run("request", "retire", KEY, "--reason", "aplikasi pindah")
    assert (again.code, office.writes_since(seen)) == (0, [])
    assert office.run("nightly").code in (0, 7)
    assert {vm["status"] for vm in _ours(office).values()} == {"stopped"}

    back = office.run("request", "restore", KEY)
    assert (back.code, back.data["record"]["state"]) == (0, "active"), back.out
    assert _ours(office).keys() == before.keys()
    assert {n: vm["config"]["tags"] for n, vm in _ours(office).items()} == {
        n: vm["config"]["tags"] for n, vm in before.items()
    }
    assert {vm["status"] for vm in _ours(office).values()} == {"running"}
    dc = office.lab.get("/state")["dc"]
    assert sorted(dc["ha_resources"]) == sorted(state["ha_resources"])
    assert sorted(dc["ha_rules"]) == sorted(state["ha_rules"])
    plan = office.run("plan", KEY)
    assert [one["settled"] for one in plan.data] == [True]
    assert office.run("audit", "verify").code == 0


def test_purged_it_leaves_nothing_and_its_vmids_rest(office: Office) -> None:
    office.built()
    numbers = set(_ours(office))
    office.run("request", "retire", KEY, "--reason", "selesai")
    early = office.run("request", "purge", KEY, "--confirm", KEY)
    assert (early.code, early.codes) == (4, ["retire.quarantine-lasts"])
    wrong = office.run("request", "purge", KEY, "--confirm", "dinkes/lain")
    assert (wrong.code, wrong.codes) == (4, ["retire.confirm"])
    office.lab.post("/advance", {"seconds": 14 * DAY + 60})

    done = office.run("request", "purge", KEY, "--confirm", KEY)

    assert (done.code, done.data["record"]["state"]) == (0, "ended"), done.out
    dc = office.lab.get("/state")["dc"]
    assert not numbers & set(map(int, dc["vms"]))
    assert (dc["ha_resources"], dc["ha_rules"], dc["replication"]) == ({}, {}, {})
    assert all(not job["options"].get("vmid") for job in dc["backup_jobs"].values())
    left = [one for one in dc["volumes"] if one["content"] == "images" and one["vmid"] in numbers]
    assert left == []
    assert set(_used(office).values()) == {0}
    assert office.run("orphans", "list").data == []
    assert office.run("quota", "verify").code == 0
    seen = len(office.requests())
    for verb in (["retire", KEY, "--reason", "x"], ["purge", KEY, "--confirm", KEY]):
        assert office.run("request", *verb).code == 0
    assert office.writes_since(seen) == []

    office.approved()
    assert office.run("apply", KEY).code == 0
    assert not numbers & set(_ours(office))


def test_what_a_node_that_is_off_keeps_is_charged_listed_and_cleaned_later(office: Office) -> None:
    _built_alone(office)
    numbers = set(_ours(office))
    office.lab.post("/advance", {"seconds": 3600})
    (job,) = office.lab.get("/state")["dc"]["replication"].values()
    off = job["options"]["target"]
    office.run("request", "retire", KEY, "--reason", "selesai")
    office.lab.post("/node", {"cluster": "dc", "node": off, "action": "down"})
    used = _used(office)
    try:
        office.lab.post("/advance", {"seconds": 120})
        done = office.run("request", "purge", KEY, "--confirm", KEY, "--now", "--reason", "segera")
        listed = office.run("orphans", "list").data
        charged = _used(office)
        assert f"left behind, charged: {len(listed)} " in office.text("status", "--offline").out
        clean = office.run("orphans", "clean")
    finally:
        office.lab.post("/node", {"cluster": "dc", "node": off, "action": "up"})
    assert (done.code, done.data["record"]["state"]) == (5, "ended"), done.out
    assert set(done.codes) == {"orphans.unread"}
    assert {one["node"] for one in listed} == {off}
    assert charged["disk.ssd"] == sum(
        one["size"] for one in listed if one["dimension"] == "disk.ssd"
    )
    assert 0 < charged["disk.ssd"] < used["disk.ssd"]
    assert (clean.code, set(clean.codes)) == (5, {"orphans.unread"})
    assert office.run("quota", "verify").code == 0
    office.lab.post("/advance", {"seconds": 120})

    clean = office.run("orphans", "clean")

    assert clean.code == 0, clean.out
    dc = office.lab.get("/state")["dc"]
    assert [
        one for one in dc["volumes"] if one["content"] == "images" and one["vmid"] in numbers
    ] == []
    assert set(_used(office).values()) == {0}
    assert office.run("quota", "verify").code == 0
    assert office.run("audit", "verify").code == 0


LEASE, LEASE_FILE = "bkad/simkeu", "simkeu.yaml"


def _lent(office: Office, until: str) -> None:
    """A workload that is asked for until a day."""

    def short(document: dict[str, Any]) -> None:
        document["spec"]["until"] = until

    file = office.edited(LEASE_FILE, short)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", LEASE, actor=APPROVER).code == 0
    assert office.run("apply", LEASE).code == 0


def _in_days(office: Office, count: int) -> str:
    """The day that is so far away, in the site's zone."""
    now = datetime.fromtimestamp(office.lab.get("/clock")["now"], ZONE)
    return (now.date() + timedelta(days=count)).isoformat()


def _days(office: Office, count: float) -> None:
    office.lab.post("/advance", {"seconds": int(count * DAY)})


def _to_end(office: Office, until: str, days: float) -> None:
    """Let time pass until so many days before the lease ends."""
    end = datetime.combine(date.fromisoformat(until) + timedelta(days=1), time(), ZONE)
    _days(office, (end.timestamp() - office.lab.get("/clock")["now"]) / DAY - days)


def _announced(office: Office) -> list[str]:
    return [one["what"] for one in office.run("leases", "run").data["announced"]]


def test_a_lease_is_announced_each_time_once_then_stopped_and_purged(office: Office) -> None:
    until = _in_days(office, 72)
    _lent(office, until)
    assert _announced(office) == []
    (one,) = office.run("leases").data
    assert (one["stage"], one["until"]) == ("running", until)
    for days in (29.9, 6.9, 0.9):
        _to_end(office, until, days)
        assert _announced(office) == ["lease"], days
        assert _announced(office) == []
    assert office.run("leases").data[0]["stage"] == "ends-soon"
    _days(office, 1)
    assert _announced(office) == ["lease"]  # that it is over
    assert office.run("leases").data[0]["stage"] == "grace"
    assert [vm["status"] for vm in _ours(office).values()] == ["running"]
    assert "grace" in office.text("leases").out

    _days(office, 7)
    seen = len(office.requests())
    stopped = office.run("leases", "run")
    assert (stopped.code, stopped.data["retired"]) == (0, [LEASE]), stopped.out
    assert [vm["status"] for vm in _ours(office).values()] == ["stopped"]
    assert office.writes_since(seen) != []
    seen = len(office.requests())
    again = office.run("leases", "run").data
    assert (again["retired"], again["ended"], office.writes_since(seen)) == ([], [], [])

    back = office.run("request", "restore", LEASE)
    assert back.code == 0, back.out
    assert office.run("leases", "run").data["retired"] == []  # a new grace to ask for more
    _days(office, 7.1)
    assert office.run("leases", "run").data["retired"] == [LEASE]
    _days(office, 14.1)
    night = office.run("nightly")
    assert night.data["leases"]["ended"] == [LEASE], night.out
    assert _ours(office) == {}
    assert set(_used(office, "bkad").values()) == {0}
    logged = {one["action"] for one in office.run("audit", "log").data}
    assert "notice.lease" in logged
    assert office.run("audit", "verify").code == 0


@pytest.mark.slow
def test_a_lease_that_was_extended_while_another_was_ended_goes_on(office: Office) -> None:
    until = _in_days(office, 10)

    def lent(document: dict[str, Any]) -> None:
        document["spec"]["until"] = until

    def longer(document: dict[str, Any]) -> None:
        document["spec"]["until"] = _in_days(office, 200)

    file = office.edited("simrs.yaml", lent)
    assert office.run("request", "submit", file, actor="siti").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run("apply", KEY).code == 0
    _lent(office, until)
    _to_end(office, until, -9)
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    run = start_command(office, "leases", "run")
    until_held(office, run)  # it looks at the first one
    file = office.edited(LEASE_FILE, longer)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", LEASE, actor=APPROVER).code == 0
    let_go(office)
    out, err = run.communicate()
    assert json.loads(out)["data"]["retired"] == [KEY], out + err
    assert [one["stage"] for one in office.run("leases").data if one["key"] == LEASE] == ["running"]


def test_a_longer_lease_ends_notices_and_grace(office: Office) -> None:
    until = _in_days(office, 10)
    _lent(office, until)
    _to_end(office, until, -1)
    assert office.run("leases").data[0]["stage"] == "grace"

    later = _in_days(office, 200)

    def longer(document: dict[str, Any]) -> None:
        document["spec"]["until"] = later

    file = office.edited(LEASE_FILE, longer)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", LEASE, actor=APPROVER).code == 0
    assert office.run("leases").data[0]["stage"] == "running"
    before = _ours(office)
    assert office.run("apply", LEASE).code == 0
    assert _ours(office) == before  # nothing is to do on the cluster
    _days(office, 8)
    assert office.run("leases", "run").data["retired"] == []


@pytest.mark.parametrize(
    ("role", "status", "code"),
    [
        ("primary", "stopped", "retire.second-copy"),
        ("dr", "running", "retire.in-recovery"),
        ("dr", "stopped", None),
    ],
)
def test_what_has_a_copy_that_may_stand_for_it_is_not_destroyed(
    office: Office, role: str, status: str, code: str | None
) -> None:
    office.built("simkeu.yaml", LEASE)
    (number,) = _ours(office)
    uid = office.run("request", "show", LEASE, "--offline").data["instances"][0]["uid"]
    said = f"cloudpemda uid={uid} role={role} instance={LEASE}/app-1"
    config = {"name": "copy", "description": said, "tags": "cloudpemda"}
    made = {"cluster": "drc", "action": "create-vm", "vmid": 777, "node": "drc1", "config": config}
    office.lab.post("/outside", made)
    turned = {"cluster": "drc", "action": "change-vm", "vmid": 777, "status": status}
    office.lab.post("/outside", turned)
    assert office.run("request", "retire", LEASE, "--reason", "selesai").code == 0

    done = office.run("request", "purge", LEASE, "--confirm", LEASE, "--now", "--reason", "segera")

    if code is None:
        assert (done.code, done.data["record"]["state"]) == (0, "ended"), done.out
        assert 777 in office.vms("drc")
        return
    assert done.code == 6
    assert code in done.codes
    assert number in _ours(office)
    assert set(_used(office, "bkad").values()) != {0}


def test_what_would_be_stopped_at_once_is_not_built(office: Office) -> None:
    until = _in_days(office, 3)

    def short(document: dict[str, Any]) -> None:
        document["spec"]["until"] = until

    file = office.edited(LEASE_FILE, short)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", LEASE, actor=APPROVER).code == 0
    _to_end(office, until, -0.01)

    plan, applied = office.run("plan", LEASE), office.run("apply", LEASE)

    assert (plan.code, plan.codes) == (4, ["plan.lease-ended"])
    assert (applied.code, applied.codes) == (4, ["plan.lease-ended"])
    assert _ours(office) == {}
    record = office.run("request", "show", LEASE, "--offline").data["record"]
    assert record["state"] == "approved", "it is begun by nobody"


def test_what_is_purged_in_part_does_not_come_back(office: Office) -> None:
    """One VM has PVE's protection, the others are gone: nothing is touched, and that is said."""
    _quarantined(office)
    kept = min(_ours(office))
    protected = {"cluster": "dc", "action": "change-vm", "vmid": kept}
    office.lab.post("/outside", {**protected, "set": {"protection": "1"}})
    office.run("request", "purge", KEY, "--confirm", KEY, "--now", "--reason", "segera")
    assert set(_ours(office)) == {kept}
    seen = len(office.requests())

    back = office.run("request", "restore", KEY)

    assert (back.code, back.codes) == (4, ["retire.purged-in-part"])
    assert office.writes_since(seen) == []
    assert office.run("request", "show", KEY, "--offline").data["record"]["state"] == "retired"
