"""The end of a workload: quarantine, the way back, purge, and what stays behind."""

from typing import Any

import pytest

from tests.scenarios.conftest import APPROVER, Office

KEY = "dinkes/simrs"
DAY = 86400


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


@pytest.mark.timeout(240)
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


@pytest.mark.timeout(240)
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


@pytest.mark.timeout(240)
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
