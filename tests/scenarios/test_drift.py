"""`drift`: each thing that differs with its class, its owner, and who puts it right."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.proxmox import Pve
from tests.scenarios.conftest import Answer, Office, running_site

KEY = "dinkes/simrs"


def outside(office: Office, action: str, vmid: int, **more: Any) -> None:
    office.lab.post("/outside", {"cluster": "dc", "action": action, "vmid": vmid, **more})


def changed(office: Office, vmid: int, **settings: str) -> None:
    outside(office, "change-vm", vmid, set=settings)


def kinds(answer: Answer) -> dict[str, tuple[str, str]]:
    """What differs → its class and who puts it right, of all instances."""
    return {
        each["what"]: (each["drift"], each["remedy"])
        for one in answer.data["instances"]
        for each in one["deviations"]
    }


@pytest.fixture(scope="module")
def _old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_site(tmp_path_factory.mktemp("site8") / "lab", "8.4") as site:
        yield site


@pytest.fixture(params=["9.2", "8.4"])
def built(request: pytest.FixtureRequest, office: Office, call: Callable[..., Answer]) -> Office:
    """Three VMs in HA, replicated and backed up, on either version."""
    found = office
    if request.param == "8.4":
        directory, lab = request.getfixturevalue("_old")
        found = Office(Path(directory), lab, call)
        assert found.run("lab", "reset").code == 0
    found.built()
    return found


def test_after_apply_nothing_differs_and_nothing_is_planned(built: Office) -> None:
    found = built.run("drift")
    assert (found.code, found.codes, found.data["instances"]) == (0, [], []), found.out
    assert found.data["compared"] == 3
    (plan,) = built.run("plan").data
    assert plan["settled"]
    assert "3 VMs are as they were approved" in built.text("drift").out


def test_each_deviation_has_its_class_and_its_remedy(built: Office) -> None:
    first, second, third = sorted(built.vms())
    config = built.vms()[first]["config"]
    changed(built, first, cores="12", tags="mine", name="renamed", onboot="0")
    changed(built, second, net0=config["net0"], ciuser="root", protection="1")
    changed(built, third, memory="12288", scsi0=built.vms()[third]["config"]["scsi0"] + ",backup=0")
    found = built.run("drift")
    assert found.code == 7, found.out
    told = kinds(found)
    assert told["config: cores"] == ("over-quota", "apply")
    assert told["config: tags"] == told["config: name"] == ("harmless", "apply")
    assert told["config: onboot"] == ("unprotected", "apply")
    assert told["config: net0"] == told["config: ciuser"] == ("security", "apply")
    assert told["config: protection"] == ("security", "apply")
    assert told["flags: scsi0.backup"] == ("unprotected", "apply")
    assert {one["opd"] for one in found.data["instances"]} == {"dinkes"}
    assert found.data["instances"][0]["drift"] == "security", "the gravest first"
    assert built.run("apply", KEY).code == 0
    again = built.run("drift")
    left = {what for what in kinds(again) if not what.startswith("pending: ")}
    assert left == set(), again.out
    assert built.run("plan").data[0]["settled"]


def test_what_only_a_person_may_put_right_hides_nothing_else(built: Office) -> None:
    first, second, third = sorted(built.vms())
    root = built.vms()[first]["config"]["scsi0"]
    changed(built, first, scsi7=root.replace("disk-0", "disk-7"), tags="mine")
    changed(built, second, args="-S", ciuser="root")
    changed(built, third, scsi0=root)
    found = built.run("drift")
    told = kinds(found)
    assert told["disks: scsi7"] == ("over-quota", "person")
    assert told["config: args"] == ("security", "person")
    assert told["disks: scsi0"] == ("security", "person")
    assert told["config: tags"] == ("harmless", "apply")
    assert told["config: ciuser"] == ("security", "apply")
    assert {"plan.disk-extra", "plan.roots-key", "plan.disk-foreign"} <= set(found.codes)
    assert all(one["blocked"] for one in found.data["instances"])
    assert built.run("apply", KEY).code == 4, "what is said to be refused is refused"


def test_a_vm_of_somebody_else_under_the_vmid_is_not_compared(built: Office) -> None:
    first, second, _ = sorted(built.vms())
    outside(built, "delete-vm", first)
    outside(built, "delete-vm", second)
    outside(built, "create-vm", first, node="pve1")
    found = built.run("drift")
    assert kinds(found)["vm: uid"] == ("security", "person")
    assert kinds(found)["vm"] == ("unprotected", "person")
    assert {"plan.identity", "plan.vanished"} <= set(found.codes)
    before = built.vms()[first]
    assert built.run("apply", KEY).code == 4
    assert built.vms()[first] == before


def test_who_was_moved_to_its_replica_is_no_drift(built: Office) -> None:
    """HA moved it inside its rules, and the replication turned round with it."""
    built.built("simkeu.yaml", "bkad/simkeu")
    built.lab.post("/advance", {"seconds": 3600})

    def home() -> str:
        (one,) = built.run("vm", "list", "--opd", "bkad").data
        return str(one["node"])

    def direction() -> tuple[str, str]:
        jobs = built.lab.get("/state")["dc"]["replication"].values()
        (own,) = [job["options"] for job in jobs if job["name"].startswith("13000-")]
        return str(own.get("source")), str(own["target"])

    first, before = home(), direction()
    assert built.run("nodes", "drain", f"dc/{first}", "--reason", "memory").code == 0
    assert home() != first
    moved = built.run("drift", "bkad/simkeu")
    assert (moved.code, moved.data["instances"]) == (0, []), moved.out
    built.lab.post("/advance", {"seconds": 7200})
    assert direction() != before
    found = built.run("drift")
    assert (found.code, found.data["instances"]) == (0, []), found.out
    assert all(plan["settled"] for plan in built.run("plan").data)
    built.run("nodes", "return", f"dc/{first}")


def test_what_cannot_be_read_is_unknown_and_never_without_drift(built: Office) -> None:
    first = min(built.vms())
    changed(built, first, ciuser="root")
    for node in ("pve1", "pve2", "pve3"):
        built.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    found = built.run("drift", KEY)
    shown = built.text("drift", KEY)
    for node in ("pve1", "pve2", "pve3"):
        built.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert (found.code, found.data["compared"]) == (5, 0)
    assert len(found.data["unknown"]) == 3
    assert "survey.unread" in found.codes
    assert shown.code == 5
    assert "as they were approved" not in shown.out


def test_what_was_grown_by_hand_is_charged_until_it_is_gone(office: Office) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    office.lab.post("/advance", {"seconds": 60})  # PVE's statistics have seen it

    def vcpu() -> dict[str, Any]:
        lines = office.run("quota", "show", "bkad").data
        return dict(next(line for line in lines if line["dimension"] == "vcpu"))

    before, first = vcpu(), min(office.vms())
    own = int(office.vms()[first]["config"]["cores"])
    changed(office, first, cores=str(own + 6))
    assert office.run("drift", actor="yanti").data["charged"] == [], "an auditor only reads"
    assert vcpu() == before
    found = office.run("drift")
    (one,) = found.data["instances"]
    assert (one["overage"], found.data["charged"]) == ({"vcpu": 6}, [one["key"]])
    assert (vcpu()["committed"], vcpu()["overgrown"]) == (before["committed"] + 6, 6)
    assert "grown by hand" in office.text("quota", "show", "bkad").out
    assert office.run("drift").data["charged"] == [], "the same again charges nothing more"
    verified = office.run("quota", "verify", "bkad")
    assert verified.codes == ["quota.verify-overgrown"], verified.out
    assert all(line["charged"] == line["found"] for line in verified.data)
    assert office.run("ledger", "verify").code == 0
    assert office.run("audit", "verify").code == 0
    changed(office, first, cores=str(own))
    assert office.run("drift").data["charged"] == [one["key"]]
    assert vcpu() == before


def test_overage_blocks_growth(office: Office) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    changed(office, min(office.vms()), cores="11")
    assert office.run("drift").code == 7

    def more(document: dict[str, Any]) -> None:
        document["spec"]["vms"][0]["count"] = document["spec"]["vms"][0].get("count", 1) + 1

    answer = office.run("request", "submit", office.edited("simkeu.yaml", more), actor="nina")
    assert answer.code == 4, answer.out
    assert "quota.vcpu" in answer.codes


def test_what_belongs_to_nobody_is_listed(office: Office) -> None:
    office.built()
    (own, *_) = office.run("ip", "list").data["lines"]
    ours = sorted(office.vms())
    for vmid in (700, 10900):
        outside(office, "create-vm", vmid, node="pve1")
    changed(office, 700, ipconfig0=f"ip={own['address']}/24")
    found = office.run("drift")
    assert found.code == 7
    assert {one["vmid"] for one in found.data["unowned"]} == {700, 10900}
    told = {one["code"]: one["values"] for one in found.document["faults"]}
    assert told["drift.vmid-stranger"]["vmid"] == 10900
    assert told["ip.conflict"]["vm"] == own["vm"]
    assert found.data["instances"] == []
    page = office.text("drift", lang="id").out
    assert "10900" in page
    assert "sesuai dengan yang disetujui" in page
    assert sorted(ours)[0] not in {one["vmid"] for one in found.data["unowned"]}


def test_jobs_and_rules_that_nobody_made_are_listed(office: Office, cluster: Pve) -> None:
    office.built()
    first = min(office.vms())
    (own,) = cluster.backup_jobs()
    asked = {"storage": "pbs-dc", "schedule": "04:00"}
    cluster.create_backup_job("nightly-all", [first, 999], asked)
    cluster.create_backup_job("cloudpemda-gold", [999], asked)
    cluster.update_backup_job(own.id, [*own.vmids, 998], {})
    found = office.run("drift")
    told = {one["code"]: one["values"] for one in found.document["faults"]}
    assert told["drift.backup-job"]["what"] == str(first)
    assert told["drift.backup-stranger"]["vmids"] == "998"
    assert told["drift.backup-leftover"]["job"] == "cloudpemda-gold"
    owners = {one["fault"]["code"]: one["opd"] for one in found.data["findings"]}
    assert owners["drift.backup-job"] == "dinkes"
    assert found.data["instances"] == []


def test_staff_see_their_own(office: Office) -> None:
    office.built()
    office.built("simkeu.yaml", "bkad/simkeu")
    outside(office, "create-vm", 700, node="pve1")
    for vmid in office.vms():
        changed(office, vmid, ciuser="root")
    mine = office.run("drift", actor="siti")
    assert {one["opd"] for one in mine.data["instances"]} == {"dinkes"}
    assert mine.data["unowned"] == []
    assert office.run("drift", "--opd", "bkad", actor="siti").codes == ["desk.scope"]
    assert office.run("drift", "bkad/simkeu", actor="siti").codes == ["desk.scope"]
    assert office.run("drift", "dinkes/nothing").codes == ["drift.no-key"]
    (only,) = office.run("drift", f"{KEY}/db-1").data["instances"]
    assert only["key"] == f"{KEY}/db-1"
    assert {one["opd"] for one in office.run("drift", "--opd", "bkad").data["instances"]} == {
        "bkad"
    }


def test_a_look_costs_one_request_per_vm_and_none_per_pool(office: Office) -> None:
    office.built()
    office.built("simkeu.yaml", "bkad/simkeu")
    office.built("siak.yaml", "disdukcapil/siak")
    vms, asked = len(office.vms()), len(office.requests())
    assert office.run("drift").code == 0
    made = [one for one in office.requests()[asked:] if one["cluster"] == "dc"]
    assert {one["method"] for one in made} == {"GET"}
    assert len(made) <= vms + 20
    assert [one["path"] for one in made if "/pools" in one["path"]] == []


def test_a_page_fits_eighty_columns(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    office.built()
    first, second, _ = sorted(office.vms())
    changed(office, first, tags="mine;" + ";".join(f"tag-{n}" for n in range(40)), cores="9")
    changed(office, second, args="-S " * 40)
    outside(office, "create-vm", 700, node="pve1")
    for lang in ("en", "id"):
        page = office.text("drift", lang=lang).out
        assert max(map(len, page.splitlines())) <= 80, page
