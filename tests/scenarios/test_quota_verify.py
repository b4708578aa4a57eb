"""Quota counted again from the clusters: each difference with its cause, unknown never zero."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.scenarios.conftest import Office

KEY = "dinkes/simrs"


def outside(office: Office, action: str, vmid: int, **more: Any) -> None:
    office.lab.post("/outside", {"cluster": "dc", "action": action, "vmid": vmid, **more})


@pytest.fixture
def built(office: Office) -> Office:
    office.built()
    return office


def test_what_was_built_is_what_is_charged(built: Office) -> None:
    answer = built.run("quota", "verify", actor="yanti")
    assert (answer.code, answer.codes) == (0, [])
    lines = {line["dimension"]: line for line in answer.data if line["opd"] == "dinkes"}
    assert lines["vcpu"] == {"opd": "dinkes", "dimension": "vcpu", "charged": 10, "found": 10}
    assert all(line["found"] == line["charged"] > 0 for line in lines.values())
    assert built.run("quota", "verify", actor="siti").codes == ["desk.role"]
    assert "the ledger charges exactly" in built.text("quota", "verify").out


def test_each_difference_has_its_cause(built: Office) -> None:
    first, second, third = sorted(built.vms())
    outside(built, "change-vm", first, set={"memory": "12288", "cores": "6"})
    outside(built, "change-vm", second, set={"scsi5": "local-zfs:vm-1-disk-9,size=10G"})
    outside(built, "delete-vm", third)
    assert "the ledger charges exactly" not in built.text("quota", "verify").out
    answer = built.run("quota", "verify", "dinkes", actor="yanti")
    assert answer.code == 7, answer.out
    causes = [fault["code"].removeprefix("quota.verify-") for fault in answer.document["faults"]]
    assert set(causes) == {"resized", "extra-disk", "missing"}
    resized = [one for one in answer.document["faults"] if one["code"].endswith("resized")]
    assert {(one["values"]["dimension"], one["values"]["found"]) for one in resized} == {
        ("memory", 12288),
        ("vcpu", 6),
    }
    assert all(one["next"] for one in answer.document["faults"])


def test_what_was_written_past_the_program_has_its_cause(built: Office) -> None:
    """A charge whose instance the ledger lost, and a hold of what is not approved."""
    first, *_ = sorted(built.vms())
    with closing(sqlite3.connect(built.directory / "var" / "ledger.sqlite3")) as ledger:
        ledger.execute("UPDATE instances SET state = 'purged' WHERE vmid = ?", (first,))
        ledger.execute(
            "INSERT INTO postings SELECT max(seq) + 1, at, opd, number, 'dinkes/simrs/db-9', "
            "'memory', 1024, 0 FROM postings"
        )
        ledger.commit()
    answer = built.run("quota", "verify", "dinkes", actor="yanti")
    assert answer.code == 7, answer.out
    told = {fault["code"]: fault["values"] for fault in answer.document["faults"]}
    assert set(told) == {"quota.verify-orphan", "quota.verify-foreign", "quota.verify-hold"}
    assert told["quota.verify-foreign"]["vmid"] == first
    assert told["quota.verify-hold"]["vm"] == "dinkes/simrs/db-9"
    lines = {line["dimension"]: line for line in answer.data}
    assert lines["vcpu"]["charged"] == lines["vcpu"]["found"]
    assert set(built.run("audit", "verify").codes) == {"audit.row-changed", "audit.row-forged"}


def test_a_cluster_that_does_not_answer_makes_its_lines_unknown(built: Office) -> None:
    for node in ("pve1", "pve2", "pve3"):
        built.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    answer = built.run("quota", "verify", "dinkes", actor="yanti")
    for node in ("pve1", "pve2", "pve3"):
        built.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert answer.code == 5
    assert "quota.verify-unread" in answer.codes
    assert {line["found"] for line in answer.data} == {None}
    assert "quota.verify-missing" not in answer.codes


def test_a_lost_node_hides_its_vms_alone(built: Office) -> None:
    node = built.run("status").data["instances"][0]["node"]
    built.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    answer = built.run("quota", "verify", "dinkes", actor="yanti")
    built.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert answer.code == 5
    assert set(answer.codes) == {"quota.verify-unknown"}
