"""The night names who stands above a limit, whether the ledger knows why or not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.proxmox import Pve
from tests.scenarios.conftest import Answer, Office


@pytest.fixture
def limited(office: Office) -> Iterator[Callable[[str, str, Any], None]]:
    """Set an OPD's limit for one test."""
    before: dict[Path, str] = {}

    def limit(opd: str, dimension: str, value: Any) -> None:
        file = office.directory / "opd" / f"{opd}.yaml"
        before.setdefault(file, file.read_text())
        document = yaml.safe_load(file.read_text())
        document["quota"][dimension] = value
        file.write_text(json.dumps(document))

    yield limit
    for file, text in before.items():
        file.write_text(text)


def told(night: Answer) -> list[tuple[str, str, str, str]]:
    """Code, OPD, dimension and excess of what is told of quota."""
    return [
        (
            one["code"],
            one["values"]["opd"],
            one["values"]["dimension"],
            str(one["values"]["short"]),
        )
        for one in night.document["faults"]
        if one["code"] in ("nightly.overage", "nightly.overgrown")
    ]


def grown(office: Office, **settings: str) -> None:
    """Somebody changes the first VM by hand."""
    post = {"cluster": "dc", "action": "change-vm", "vmid": min(office.vms()), "set": settings}
    office.lab.post("/outside", post)


def test_what_was_grown_by_hand_above_the_limit_is_told(
    office: Office, limited: Callable[[str, str, Any], None]
) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    assert told(office.run("nightly")) == []
    grown(office, cores="12")
    assert told(office.run("nightly")) == [], "within the limit it is a difference alone"
    grown(office, cores="14")
    night = office.run("nightly")
    assert told(night) == [("nightly.overage", "bkad", "vcpu", "2")], "it is charged, too"
    assert "nightly.overgrown-vm" in night.codes
    limited("bkad", "vcpu", 1)
    lines = office.run("quota", "show", "bkad").data
    (excess,) = (str(line["committed"] - 1) for line in lines if line["dimension"] == "vcpu")
    assert told(office.run("nightly")) == [("nightly.overage", "bkad", "vcpu", excess)]


def test_what_stands_in_a_pool_and_in_no_ledger_is_told_and_charged_to_nobody(
    office: Office, cluster: Pve
) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    made = {"cluster": "dc", "action": "create-vm", "vmid": 777, "node": "pve1"}
    office.lab.post("/outside", {**made, "config": {"cores": "10", "memory": "1024"}})
    cluster.move_to_pool("opd-bkad", [777])
    office.lab.post("/advance", {"seconds": 60})  # PVE's statistics have seen them
    night = office.run("nightly")
    assert told(night) == [("nightly.overgrown", "bkad", "vcpu", "2")]
    assert "drift.pool-stranger" in night.codes


def test_what_cannot_be_read_is_not_judged(office: Office) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    grown(office, cores="14")
    office.lab.post("/faults", {"faults": [{"on": {"path": "*"}, "do": "error"}]})
    try:
        night = office.run("nightly")
    finally:
        office.lab.post("/faults", {"faults": []})
    assert "survey.unread" in night.codes
    assert told(night) == []
