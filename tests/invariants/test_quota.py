"""Design 4.1 and 4.2: nothing admitted goes over, and one formula is used everywhere."""

from datetime import timedelta
from typing import Any

from tests.scenarios.conftest import APPROVER, Office

# simrs by hand, sizes in MiB: two databases (4 vCPU, 8 GiB, 40 + 200 GiB) and one application
# server (2 vCPU, 4 GiB, 40 GiB, a public address); its class keeps one replica and backs up
# with factor 1.5.
SIMRS = {
    "instances": 3,
    "vcpu": 2 * 4 + 2,
    "memory": (2 * 8 + 4) * 1024,
    "disk.ssd": (2 * 240 + 40) * 1024 * 2,
    "backup": (2 * 240 + 40) * 1024 * 3 // 2,
    "public_ip": 1,
}


def balances(office: Office, opd: str, part: str) -> dict[str, int]:
    """Dimension → what is held or committed, without the dimensions that are nothing."""
    lines = office.run("quota", "show", opd).data
    return {line["dimension"]: line[part] for line in lines if line[part]}


def test_offer_hold_use_and_report_come_from_one_formula(office: Office) -> None:
    assert office.run("request", "submit", office.file("simrs.yaml"), actor="siti").code == 0
    shown = office.run("request", "show", "dinkes/simrs", actor="dewi").data["offer"]
    assert shown["quota_delta"] == SIMRS
    assert office.run("request", "approve", "dinkes/simrs", actor=APPROVER).code == 0
    assert balances(office, "dinkes", "held") == SIMRS
    assert office.run("apply").code == 0
    assert balances(office, "dinkes", "held") == {}
    assert balances(office, "dinkes", "committed") == SIMRS
    office.run("nightly")
    told = {
        line.partition('dimension="')[2].partition('"')[0]: float(line.rpartition(" ")[2])
        for line in (office.directory / "var" / "cloudpemda.prom").read_text().splitlines()
        if line.startswith("cloudpemda_quota_used{") and 'opd="dinkes"' in line
    }
    assert {dimension: used for dimension, used in told.items() if used} == SIMRS


def test_a_vm_that_was_stopped_stays_charged(office: Office) -> None:
    office.built()
    for vmid in office.vms():
        office.lab.post(
            "/outside",
            {"cluster": "dc", "action": "change-vm", "vmid": vmid, "status": "stopped"},
        )
    assert office.run("nightly").code == 7
    assert balances(office, "dinkes", "committed") == SIMRS


def test_a_upt_takes_from_its_dinas_which_refuses_what_would_be_too_much(office: Office) -> None:
    """rsud may have 16 vCPU of its own; dinkes, its parent, has 40 for itself and rsud."""

    def for_rsud(name: str, cpu: int) -> str:
        def change(document: dict[str, Any]) -> None:
            document["metadata"] |= {"opd": "rsud", "name": name}
            document["spec"]["vms"] = document["spec"]["vms"][1:]
            (vm,) = document["spec"]["vms"]
            vm.pop("flavor")
            vm |= {"cpu": cpu, "memory": "4 GiB", "networks": [{"name": "rsud-app"}]}

        return office.edited("simrs.yaml", change)

    def big(document: dict[str, Any]) -> None:
        document["spec"]["vms"][0] |= {"cpu": 13, "memory": "8 GiB"}

    waiting = office.run("request", "submit", for_rsud("poli", 13), actor="siti")
    assert waiting.code == 0, waiting.out
    assert office.run("request", "submit", office.edited("simrs.yaml", big), actor="siti").code == 0
    assert office.run("request", "approve", "dinkes/simrs", actor=APPROVER).code == 0  # 28 of 40
    refused = office.run("request", "approve", "rsud/poli", actor=APPROVER)
    assert (refused.code, set(refused.codes)) == (4, {"quota.exceeded", "quota.vcpu"})
    (fault,) = [one for one in refused.document["faults"] if one["code"] == "quota.vcpu"]
    assert (fault["values"]["opd"], fault["values"]["short"]) == ("dinkes", 1)
    again = office.run("request", "submit", for_rsud("kamar", 13), actor="siti")
    assert "quota.vcpu" in again.codes, "told as soon as it is handed in"
    assert office.run("request", "submit", for_rsud("poli", 12), actor="siti").code == 0
    assert office.run("request", "approve", "rsud/poli", actor=APPROVER).code == 0
    assert balances(office, "dinkes", "held")["vcpu"] == 40


def test_a_hold_that_ran_out_is_not_applied(office: Office) -> None:
    """What is held no longer may be somebody else's by now."""
    office.approved()
    office.lab.post("/advance", {"seconds": timedelta(days=14, seconds=1).total_seconds()})
    before = len(office.requests())
    refused = office.run("apply", "dinkes/simrs")
    assert refused.code == 4, refused.out
    assert office.writes_since(before) == []
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "expired"
    assert balances(office, "dinkes", "held") == {}


def test_the_night_gives_back_what_ran_out(office: Office) -> None:
    office.approved()
    office.lab.post("/advance", {"seconds": timedelta(days=14, seconds=1).total_seconds()})
    assert office.run("nightly", actor="timer-account").data["expired"] == ["R-2026-0001"]
    assert balances(office, "dinkes", "held") == {}
