"""Design 4.4: what cannot be read is unknown: nothing is released, made again or called green."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudpemda.apply import VmEnding
from cloudpemda.cluster import NodeStatus
from cloudpemda.proxmox import BadAnswer, nouns
from cloudpemda.proxmox.rows import Row
from tests.apply.rig import desired, rig
from tests.scenarios.conftest import Office


@contextmanager
def lost(office: Office, *nodes: str) -> Iterator[None]:
    for node in nodes:
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    try:
        yield
    finally:
        for node in nodes:
            office.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})


def gauges(office: Office) -> dict[str, float]:
    """VM → whether the night told the monitors that it is protected as promised."""
    lines = (office.directory / "var" / "cloudpemda.prom").read_text().splitlines()
    return {
        line.partition('vm="')[2].partition('"')[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("cloudpemda_vm_as_promised{")
    }


def committed(office: Office) -> int:
    lines = office.run("quota", "show", "dinkes").data
    return next(int(one["committed"]) for one in lines if one["dimension"] == "instances")


def test_a_lost_node_hides_its_vms_alone_and_nobody_takes_them_for_gone(office: Office) -> None:
    office.built()
    office.lab.post("/advance", {"seconds": 26 * 3600})
    assert office.run("nightly").code == 0
    assert set(gauges(office).values()) == {1.0}
    node = office.vms()[10001]["node"]
    there = {vmid for vmid, vm in office.vms().items() if vm["node"] == node}
    before = len(office.requests())
    with lost(office, node):
        status = office.run("status")
        plan = office.run("plan")
        night = office.run("nightly")
        apply = office.run("apply")
    seen = {one["vmid"]: one for one in status.data["instances"]}
    assert {vmid for vmid, one in seen.items() if one["running"] == "unknown"} == there
    assert all(seen[vmid]["ha"]["guard"] != "ok" for vmid in there)
    assert status.code == 5
    assert (plan.code, plan.codes) == (5, ["plan.unknown"])
    assert apply.code == 5
    assert night.code == 7
    told = {one["fault"]["values"].get("vm") for one in night.data["findings"]
            if one["fault"]["code"] == "nightly.vm-unknown"}  # fmt: skip
    assert told == {seen[vmid]["key"] for vmid in there}
    assert {gauges(office)[seen[vmid]["key"]] for vmid in there} == {0.0}
    assert office.writes_since(before) == []
    assert committed(office) == 3


def test_a_cluster_that_is_gone_makes_every_gauge_zero_and_releases_nothing(
    office: Office,
) -> None:
    office.built()
    office.lab.post("/advance", {"seconds": 26 * 3600})
    before = len(office.requests())
    with lost(office, "pve1", "pve2", "pve3"):
        night = office.run("nightly")
    assert night.code == 7
    assert "survey.unread" in night.codes
    assert "nightly.vm-absent" not in night.codes
    judged = {(one["loss"], one["standing"]) for one in night.data["survey"]["judgements"]}
    assert judged == {("node", "unknown"), ("site", "ok")}, "the recovery centre still answers"
    assert {one["running"] for one in night.data["survey"]["instances"]} == {"unknown"}
    assert set(gauges(office).values()) == {0.0}
    assert committed(office) == 3
    assert office.writes_since(before) == []


def test_nothing_new_is_offered_where_nothing_can_be_read(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    with lost(office, "pve1", "pve2", "pve3"):
        answer = office.run("request", "approve", "dinkes/simrs", actor="hendra")
    assert answer.code == 5
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "pending"
    lines = office.run("quota", "show", "dinkes").data
    assert {line["held"] for line in lines} == {0}


def test_an_unread_backup_storage_is_no_good_news(office: Office) -> None:
    """All replicas and jobs are green; only how old the backups are cannot be read."""
    office.built()
    office.lab.post("/advance", {"seconds": 26 * 3600})
    deny = {"on": {"method": "GET", "path": "*/storage/pbs-dc/content"}, "do": "error",
            "status": 500, "reason": "connection refused"}  # fmt: skip
    office.lab.post("/faults", {"faults": [deny]})
    night = office.run("nightly")
    office.lab.post("/faults", {"faults": []})
    assert night.code == 7
    assert "survey.storage-unread" in night.codes
    assert set(gauges(office).values()) == {0.0}


def test_what_stands_on_a_lost_node_is_neither_taken_back_nor_made_again(tmp_path: Path) -> None:
    """An undo that took `cannot be read` for `gone` would leave a VM that nobody knows."""
    with rig(tmp_path) as lab:
        vm = desired(2, plain=True)  # on pve2
        lab.apply(vm)
        lab.control.node("pve2", "down")
        (undone,) = lab.undo(vm).vms
        (applied,) = lab.apply(vm).vms
        assert undone.ending is VmEnding.UNFINISHED
        assert applied.ending is VmEnding.UNFINISHED
        assert sorted(lab.control.vms()) == [10002]
        lab.control.node("pve2", "up")
        assert [one.ending for one in lab.undo(vm).vms] == [VmEnding.FAILED]
        assert lab.control.vms() == {}


@pytest.mark.parametrize("said", [{}, {"status": "unknown"}, {"status": "Online"}, {"status": ""}])
def test_a_node_that_does_not_say_that_it_is_online_is_unknown(said: dict[str, str]) -> None:
    def complain(where: str, found: object) -> BadAnswer:
        raise AssertionError(f"{where}: {found}")

    row = Row("/cluster/resources[0]", {"type": "node", "node": "pve1", **said}, complain)
    assert nouns.node(row).status is NodeStatus.UNKNOWN
