"""What a night must not sleep through: each disturbance is a finding, and hides no other VM."""

import json
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from cloudpemda.wiring import open_desk
from tests.scenarios.conftest import OPERATOR, Answer, Office

_DAY = 26 * 3600  # a night with its backups lies within
_BKAD = ("simkeu.yaml", "bkad/simkeu")


def _outside(office: Office, action: str, vmid: int, **more: object) -> None:
    cluster = more.pop("cluster", "dc")
    office.lab.post("/outside", {"cluster": cluster, "action": action, "vmid": vmid, **more})


def _change(office: Office, vmid: int, **keys: str) -> None:
    _outside(office, "change-vm", vmid, set=keys)


def _rested(office: Office, *example: str) -> None:
    """Built, and a first quiet night behind it, which has asked nothing twice of a VM."""
    office.built(*example)
    office.lab.post("/advance", {"seconds": _DAY})
    before = len(office.requests())
    quiet = office.run("nightly")
    assert (quiet.code, quiet.codes) == (0, [])
    asked = [one["path"] for one in office.requests()[before:] if "/qemu/" in one["path"]]
    assert asked
    assert len(asked) == len(set(asked))


def _root(office: Office, method: str, path: str, **form: str) -> Any:
    """A call of the cluster's own administrator."""
    directory = office.directory / "var" / "lab"
    endpoints = json.loads((directory / "endpoints.json").read_text())
    url = next(iter(endpoints["clusters"]["dc"]["nodes"].values())) + "/api2/json"
    trust = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    door = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )

    def call(method: str, path: str, form: dict[str, str], **headers: str) -> Any:
        body = urllib.parse.urlencode(form).encode() if form else None
        asked = urllib.request.Request(url + path, body, headers, method=method)  # noqa: S310
        with door.open(asked, timeout=600) as answer:
            return json.loads(answer.read())["data"]

    password = (directory / "dc.root-password").read_text().strip()
    ticket = call("POST", "/access/ticket", {"username": "root@pam", "password": password})
    return call(
        method,
        path,
        form,
        Cookie=f"PVEAuthCookie={ticket['ticket']}",
        CSRFPreventionToken=ticket["CSRFPreventionToken"],
    )


def _finding(night: Answer, code: str) -> dict[str, Any]:
    """The one finding with this code: whose it is, and its fault."""
    (found,) = [one for one in night.data["findings"] if one["fault"]["code"] == code]
    return dict(found)


@pytest.fixture
def rewrite(office: Office) -> Any:
    """Write a file of the site anew; the old one comes back afterwards."""
    kept: dict[str, str] = {}

    def change(name: str, edit: Callable[[dict[str, Any]], object] | None) -> None:
        path = office.directory / name
        kept.setdefault(name, path.read_text())
        if edit is None:
            path.unlink()
            return
        document = yaml.safe_load(path.read_text())
        edit(document)
        path.write_text(json.dumps(document, default=str))

    yield change
    for name, text in kept.items():
        (office.directory / name).write_text(text)


# -- what cannot be seen ---------------------------------------------------------------------
def test_when_no_vm_of_ours_is_visible_the_backups_are_still_listed(office: Office) -> None:
    office.built(*_BKAD)
    (vmid,) = office.vms()
    _outside(office, "delete-vm", vmid)
    night = office.run("nightly")
    assert night.code == 7
    assert {"plan.vanished", "nightly.vm-absent"} <= set(night.codes)
    assert night.data["survey"]["unread"] == []
    assert office.run("status").codes == ["plan.vanished"]
    listed = office.run("vm", "list")
    assert [one["running"] for one in listed.data] == ["absent"]


def test_when_no_node_answers_the_backups_are_unread(office: Office) -> None:
    office.built(*_BKAD)
    nodes = ("pve1", "pve2", "pve3")
    for node in nodes:
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    try:
        night = office.run("nightly")
    finally:
        for node in nodes:
            office.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert night.code == 7
    assert night.data["survey"]["unread"] == ["dc"]


def test_a_cluster_without_quorum_is_a_finding_though_the_vm_runs(office: Office) -> None:
    _rested(office, *_BKAD)
    (home,) = {vm["node"] for vm in office.vms().values()}
    others = {"pve1", "pve2", "pve3"} - {home}
    for node in others:
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    try:
        night, status = office.run("nightly"), office.run("status")
    finally:
        for node in others:
            office.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert (night.code, status.code) == (7, 7)
    assert "survey.no-quorum" in night.codes
    assert "survey.no-quorum" in status.codes


# -- what the site's files have lost ---------------------------------------------------------
def test_a_class_taken_out_of_the_catalogue_hides_only_its_own_vms(
    office: Office, rewrite: Any
) -> None:
    office.built()
    office.built(*_BKAD)
    lost = yaml.safe_load((office.directory / "requests/simkeu.yaml").read_text())["spec"]
    gone = lost["serviceClass"]
    rewrite("catalogue.yaml", lambda file: file["serviceClasses"].pop(gone))
    for opd in (office.directory / "opd").glob("*.yaml"):
        rewrite(
            f"opd/{opd.name}",
            lambda file: file["allow"].update(
                serviceClasses=[c for c in file["allow"]["serviceClasses"] if c != gone]
            ),
        )
    night, status, plan = (office.run(word) for word in ("nightly", "status", "plan"))
    assert (night.code, status.code, plan.code) == (7, 7, 4)
    assert _finding(night, "survey.not-judged")["opd"] == "bkad"
    assert _finding(night, "plan.class")["fault"]["values"]["service_class"] == gone
    covers = {one["key"]: one["replication"]["guard"] for one in status.data["instances"]}
    assert covers.pop("bkad/simkeu/app-1") == "unknown"
    assert len(covers) == 3
    assert set(covers.values()) <= {"ok", "pending"}
    assert [one["workload"] for one in plan.data] == ["dinkes/simrs"]
    assert plan.codes == ["plan.class"]


def test_an_opd_taken_out_of_the_site_hides_only_its_own_vms(office: Office, rewrite: Any) -> None:
    office.built()
    office.built(*_BKAD)
    rewrite("opd/bkad.yaml", None)

    def without_networks(file: dict[str, Any]) -> None:
        kept = {k: v for k, v in file["networks"].items() if v["opd"] != "bkad"}
        file["networks"] = kept

    def without_people(file: dict[str, Any]) -> None:
        file["people"] = [
            one for one in file["people"] if all(r.get("opd") != "bkad" for r in one["roles"])
        ]

    rewrite("site.yaml", without_networks)
    rewrite("people.yaml", without_people)
    night, status, plan = (office.run(word) for word in ("nightly", "status", "plan"))
    assert (night.code, status.code, plan.code) == (7, 7, 4)
    assert _finding(night, "plan.opd")["opd"] == "bkad"
    assert {one["key"] for one in status.data["instances"]} >= {"bkad/simkeu/app-1"}
    assert [one["workload"] for one in plan.data] == ["dinkes/simrs"]
    assert office.run("request", "show", "bkad/simkeu").data["quota"] == []
    assert "bkad/simkeu/app-1" in office.text("vm", "show", "bkad/simkeu/app-1").out
    counted = office.run("quota", "verify")
    assert (counted.code, counted.codes) == (7, ["quota.verify-former"])


def test_an_image_that_the_catalogue_lost_is_named_and_copies_are_judged_all_the_same(
    office: Office, rewrite: Any
) -> None:
    office.built(*_BKAD)
    rewrite("catalogue.yaml", lambda file: file["images"].pop("debian-12"))
    night, plan = office.run("nightly"), office.run("plan")
    assert (night.code, plan.code) == (7, 4)
    assert {"survey.not-judged", "plan.image"} <= set(night.codes)
    assert plan.codes == ["plan.image"]
    office.lab.post("/advance", {"seconds": 50 * 3600})
    standings = {one["standing"] for one in office.run("nightly").data["survey"]["judgements"]}
    assert standings == {"ok"}


def test_a_cluster_taken_out_of_the_site_makes_its_vms_unknown(
    office: Office, rewrite: Any
) -> None:
    office.built(*_BKAD)

    def rename(file: dict[str, Any]) -> None:
        clusters = file["clusters"]
        clusters["other"] = clusters.pop("dc") | {"endpoints": ["https://127.0.0.1:1"]}

    rewrite("site.yaml", rename)
    rewrite(
        "catalogue.yaml",
        lambda file: file["images"]["debian-12"].update(
            other=file["images"]["debian-12"].pop("dc")
        ),
    )
    night, plan = office.run("nightly"), office.run("plan")
    assert (night.code, plan.code) == (7, 4)
    assert {"survey.unread", "plan.cluster"} <= set(night.codes)
    assert plan.codes == ["plan.cluster"]
    (one,) = night.data["survey"]["instances"]
    assert one["running"] == "unknown"


# -- disks -----------------------------------------------------------------------------------
def test_a_disk_that_nobody_approved_is_a_finding_and_is_not_touched(office: Office) -> None:
    _rested(office)
    _change(office, 10001, scsi5="tank-hdd:vm-10001-disk-9,backup=0,size=3000G")
    night, before = office.run("nightly"), len(office.requests())
    assert night.code == 7
    assert _finding(night, "plan.disk-extra")["opd"] == "dinkes"
    assert office.run("plan").codes == ["plan.disk-extra"]
    assert office.run("apply").code == 4
    assert office.writes_since(before) == []
    assert "scsi5" in office.vms()[10001]["config"]
    others = [one for one in night.data["survey"]["instances"] if one["vmid"] != 10001]
    assert {one["backup"]["guard"] for one in others} == {"ok"}


def test_a_data_disk_that_was_detached_is_never_replaced_by_an_empty_one(office: Office) -> None:
    _rested(office)
    there = office.vms()[10001]["config"]["scsi1"]
    _outside(office, "change-vm", 10001, delete=["scsi1"], set={"unused0": there.partition(",")[0]})
    night, before = office.run("nightly"), len(office.requests())
    assert night.code == 7
    assert _finding(night, "plan.disk-missing")["fault"]["values"]["slot"] == "scsi1"
    assert office.run("apply").codes == ["plan.disk-missing"]
    assert office.writes_since(before) == []
    assert "scsi1" not in office.vms()[10001]["config"]


def test_the_disk_of_another_vm_in_a_desired_slot_is_a_finding(office: Office) -> None:
    _rested(office)
    there = office.vms()[10001]["config"]["scsi1"]
    _change(office, 10001, scsi1=there.replace("vm-10001-disk-1", "vm-10002-disk-1"))
    assert "plan.disk-foreign" in office.run("nightly").codes
    assert office.run("plan").codes == ["plan.disk-foreign"]


@pytest.mark.parametrize("key", ["args", "hostpci0", "usb0"])
def test_what_only_root_may_give_a_vm_is_a_finding(office: Office, key: str) -> None:
    office.built(*_BKAD)
    (vmid,) = office.vms()
    _change(office, vmid, **{key: "x" * 5000})
    night = office.run("nightly")
    assert night.code == 7
    said = _finding(night, "plan.roots-key")["fault"]["values"]
    assert said["key"] == key
    assert len(said["value"]) == 200


# -- who is who ------------------------------------------------------------------------------
@pytest.mark.parametrize("cluster", ["dc", "drc"])
def test_a_second_copy_of_a_vm_is_found_on_any_cluster(office: Office, cluster: str) -> None:
    _rested(office)
    original = office.vms()[10001]["config"]
    copy = {"description": original["description"], "memory": "1024", "tags": "cloudpemda"}
    node = sorted(office.lab.get("/state")[cluster]["nodes"])[0]
    _outside(office, "create-vm", 99999, cluster=cluster, node=node, config=copy)
    night = office.run("nightly")
    assert night.code == 7
    found = _finding(night, "survey.copy")
    assert (found["opd"], found["fault"]["values"]["vm"]) == ("dinkes", "dinkes/simrs/db-1")


def test_a_vm_with_our_tag_that_no_ledger_knows_is_owned_by_nobody(office: Office) -> None:
    _rested(office, *_BKAD)
    _outside(
        office, "create-vm", 99998, node="pve1", config={"memory": "512", "tags": "cloudpemda"}
    )
    _outside(office, "create-vm", 99999, node="pve1", config={"memory": "512", "tags": "other"})
    night = office.run("nightly")
    assert (night.code, night.codes) == (7, ["survey.nobody"])
    assert _finding(night, "survey.nobody")["fault"]["values"]["vmid"] == 99998
    assert office.run("status").codes == ["survey.nobody"]
    assert office.run("status", "--opd", "bkad").codes == []

    # the report keeps it by date, with since when, and says once that it is over
    told = office.run("report", "night", "--date", night.data["night"])
    (kept,) = told.data["findings"]
    assert (told.code, kept["code"], kept["since"]) == (0, "survey.nobody", night.data["at"])
    page = office.text("report", "night", "--format", "html", lang="id")
    assert "survey.nobody" in page.out
    assert "<script" not in page.out
    assert office.run("report", "night", actor="siti").data["findings"] == []
    assert office.run("report", "night", "--date", "2020-01-01").codes == ["report.none"]
    _outside(office, "delete-vm", 99998)
    assert office.run("nightly").code == 0
    over = office.run("report", "night").data
    assert ([one["code"] for one in over["over"]], over["findings"]) == (["survey.nobody"], [])
    assert office.run("nightly").code == 0
    assert office.run("report", "night").data["over"] == []


# -- how it goes on ---------------------------------------------------------------------------
def test_a_night_that_was_killed_is_gone_on_with_and_a_phase_that_fails_stops_none(
    office: Office, rewrite: Any
) -> None:
    rewrite("site.yaml", lambda file: file.update(textfile="opd"))  # a directory
    failed = office.run("nightly")
    assert (failed.code, failed.codes) == (7, ["nightly.phase-failed", "nightly.not-written"])
    assert failed.document["faults"][0]["values"]["phase"] == "metrics"
    results = {one["phase"]: one["result"] for one in failed.data["phases"]}
    assert {name for name, result in results.items() if result != "done"} == {"metrics"}
    rewrite("site.yaml", lambda file: file.update(textfile="var/cloudpemda.prom"))
    again = office.run("nightly")
    assert (again.code, again.data["resumed"]) == (0, False)

    with open_desk(office.directory, asserted=OPERATOR) as desk:
        desk.ledger.nights.enter(again.data["night"], "capacity")
        desk.ledger.nights.enter(again.data["night"], "notices")
        leases = desk.ledger.nights.phases(again.data["night"])["leases"]
    resumed = office.run("nightly")
    assert (resumed.code, resumed.data["resumed"]) == (0, True)
    assert all(one["result"] == "done" for one in resumed.data["phases"])
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        assert desk.ledger.nights.phases(again.data["night"])["leases"] == leases
    assert office.run("nightly").data["resumed"] is False


# -- what protects ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"prune-backups": "keep-last=1"}, "prune-backups"),
        ({"mode": "stop"}, "mode"),
        ({"node": "pve1"}, "node"),
        ({"exclude-path": "/data"}, "exclude-path"),
        ({"schedule": "sun 03:00"}, "schedule"),
        ({"storage": "local"}, "storage"),
        ({"enabled": "0"}, "enabled"),
    ],
)
def test_a_backup_job_that_was_changed_is_put_right_and_told(
    office: Office, change: dict[str, str], key: str
) -> None:
    office.built(*_BKAD)
    (job,) = _root(office, "GET", "/cluster/backup")
    _root(office, "PUT", f"/cluster/backup/{job['id']}", **change)
    (planned,) = office.run("plan").data
    assert [one["key"] for one in planned["vms"][0]["differences"]] == [f"{job['id']}.{key}"]
    night = office.run("nightly")
    assert (night.code, night.codes) == (0, [])
    (mended_vm,) = night.data["converged"]["vms"]
    assert mended_vm["outcome"] == "done"
    assert mended_vm["what"][0].startswith(f"backup: {job['id']}.{key}")
    (mended,) = _root(office, "GET", "/cluster/backup")
    assert {k: v for k, v in mended.items() if k != "next-run"} == {
        k: v for k, v in job.items() if k != "next-run"
    }


def test_what_is_configured_but_not_in_effect_is_a_finding(office: Office) -> None:
    _rested(office)
    _change(office, 10001, cores="1")  # as it runs; what apply writes now waits for a restart
    assert office.run("apply").code == 0
    night = office.run("nightly")
    assert (night.code, night.codes) == (7, ["survey.pending"])
    said = _finding(night, "survey.pending")
    assert (said["opd"], said["fault"]["values"]["key"]) == ("dinkes", "cores")


def test_a_lock_that_no_task_holds_is_a_finding(office: Office) -> None:
    _rested(office, *_BKAD)
    (vmid,) = office.vms()
    _change(office, vmid, lock="backup")
    night = office.run("nightly")
    assert (night.code, night.codes) == (7, ["survey.locked"])


def test_a_lock_that_a_running_backup_holds_is_none(office: Office) -> None:
    office.built(*_BKAD)
    (vmid,) = office.vms()
    _root(office, "POST", f"/nodes/{office.vms()[vmid]['node']}/vzdump",
          vmid=str(vmid), storage="pbs-dc", mode="snapshot")  # fmt: skip
    assert office.vms()[vmid]["config"].get("lock") == "backup"
    assert "survey.locked" not in office.run("nightly").codes


def test_a_long_text_from_the_cluster_is_shown_short(office: Office) -> None:
    office.built(*_BKAD)
    (vmid,) = office.vms()
    original = office.vms()[vmid]["config"]["description"]
    _change(office, vmid, description=original + "x" * 7000)
    (planned,) = office.run("plan").data
    (found,) = planned["vms"][0]["differences"]
    assert (found["key"], len(found["live"])) == ("description", 200)
    _change(office, vmid, description="cloudpemda uid=" + "y" * 7000)
    refused = office.run("plan")
    assert refused.codes == ["plan.identity"]
    assert len(refused.document["faults"][0]["values"]["found"]) == 200


def test_the_backup_of_who_had_the_vmid_before_protects_nobody(office: Office) -> None:
    vmid = 13000  # the first of the OPD's range
    _outside(office, "create-vm", vmid, node="pve1", config={"memory": "512"})
    _root(office, "POST", "/nodes/pve1/vzdump",
          vmid=str(vmid), storage="pbs-dc", mode="snapshot")  # fmt: skip
    office.lab.post("/advance", {"seconds": 600})
    _outside(office, "delete-vm", vmid)
    office.built(*_BKAD)
    assert set(office.vms()) == {vmid}
    kept = _root(office, "GET", "/nodes/pve1/storage/pbs-dc/content?content=backup")
    assert [one["vmid"] for one in kept] == [vmid]
    (one,) = office.run("status").data["instances"]
    assert (one["backup"]["guard"], one["backup"]["source"]) == ("pending", None)
    office.lab.post("/advance", {"seconds": _DAY})
    (one,) = office.run("status").data["instances"]
    assert one["backup"]["guard"] == "ok"
