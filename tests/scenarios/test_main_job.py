"""The main job through the command line against the lab: what each party relies on."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import APPROVER, REQUESTER, Office


def _uids(office: Office) -> dict[str, int]:
    """uid stamped into a VM → VMID, from the lab's own state."""
    found: dict[str, int] = {}
    for vmid, vm in office.vms().items():
        stamp = re.search(r"uid=([0-9a-f]{32})", str(vm))
        assert stamp, f"VM {vmid} carries no uid"
        assert stamp[1] not in found, "two VMs carry one uid"
        found[stamp[1]] = vmid
    return found


def _status(office: Office) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in office.run("status").data["instances"]}


def test_an_approved_request_becomes_protected_vms(office: Office) -> None:
    office.built()
    instances = _status(office)
    assert set(instances) == {"dinkes/simrs/app-1", "dinkes/simrs/db-1", "dinkes/simrs/db-2"}
    for one in instances.values():
        assert (one["state"], one["running"]) == ("active", "running")
        assert one["ha"]["guard"] == "ok"
        assert one["differences"] == []
    truth = office.lab.get("/state")["dc"]
    assert len(_uids(office)) == 3
    vmids = sorted(office.vms())
    assert sorted(truth["ha_resources"]) == [f"vm:{vmid}" for vmid in vmids]
    assert sorted(int(name.partition("-")[0]) for name in truth["replication"]) == vmids
    (job,) = truth["backup_jobs"].values()
    assert sorted(job["options"]["vmid"].split(",")) == [str(vmid) for vmid in vmids]


def test_keep_apart_members_live_on_different_nodes_under_a_rule(office: Office) -> None:
    office.built()
    instances = _status(office)
    assert instances["dinkes/simrs/db-1"]["node"] != instances["dinkes/simrs/db-2"]["node"]
    rules = office.lab.get("/state")["dc"]["ha_rules"]
    assert any("negative" in str(rule) for rule in rules.values())


def test_holds_become_commitments_and_nothing_is_charged_twice(office: Office) -> None:
    office.approved()
    held = _balance(office, "vcpu")
    assert held == (0, 10)
    assert office.run("apply").code == 0
    assert _balance(office, "vcpu") == (10, 0)
    assert office.run("apply").code == 0
    assert _balance(office, "vcpu") == (10, 0)


def _balance(office: Office, dimension: str) -> tuple[int, int]:
    lines = office.run("quota", "show", "dinkes").data
    (line,) = [one for one in lines if one["dimension"] == dimension]
    return line["committed"], line["held"]


def test_plan_writes_nothing_anywhere(office: Office) -> None:
    office.approved()
    ledger = office.run("audit", "log").data
    before = len(office.requests())
    first = office.run("plan")
    second = office.run("plan")
    assert first.code == 0
    assert first.data[0]["settled"] is False
    assert [one["digest"] for one in first.data] == [one["digest"] for one in second.data]
    assert office.writes_since(before) == []
    assert office.run("audit", "log").data == ledger


def test_apply_makes_what_the_plan_showed(office: Office) -> None:
    office.approved()
    planned = {one["vm"]: one for one in office.run("plan").data[0]["vms"]}
    assert office.run("apply").code == 0
    for key, one in _status(office).items():
        assert (one["node"], one["vmid"]) == (planned[key]["node"], planned[key]["vmid"])


def test_a_second_apply_sends_no_write(office: Office) -> None:
    office.built()
    before = len(office.requests())
    again = office.run("apply")
    assert again.code == 0
    assert again.data[0]["plan"]["settled"] is True
    assert office.writes_since(before) == []


def test_a_cluster_is_read_in_six_requests_and_one_per_vm(office: Office) -> None:
    office.built()
    assert office.run("plan").code == 0  # the version and the HA flavour are asked per process
    before = len(office.requests())
    assert office.run("plan").code == 0
    asked = [one["path"] for one in office.requests()[before:]]
    assert len(asked) <= 6 + 3 + 1, asked


def test_creating_takes_at_most_ten_requests_per_vm_beside_polls(office: Office) -> None:
    office.approved()
    before = len(office.requests())
    assert office.run("apply").code == 0
    writes = office.writes_since(before)
    assert len(writes) <= 10 * 3


# -- refusals --------------------------------------------------------------------------------
def test_a_faulty_document_shows_all_faults_with_their_places(office: Office) -> None:
    answer = office.run("request", "submit", office.file("faulty.yaml"), actor=REQUESTER)
    assert answer.code == 3
    faults = answer.document["faults"]
    assert len(faults) >= 8
    assert all(fault["line"] and fault["column"] and fault["next"] for fault in faults)
    assert office.run("request", "list").data == []


def test_over_quota_names_each_dimension_with_its_numbers(office: Office) -> None:
    answer = office.run("request", "submit", office.file("too-big.yaml"), actor="nina")
    assert answer.code == 4
    exceeded = {fault["path"]: fault for fault in answer.document["faults"] if fault["path"]}
    assert {"memory", "vcpu", "disk.ssd"} <= set(exceeded)
    values = exceeded["memory"]["values"]
    assert values["needed"] - values["left"] == values["short"]


def test_quota_is_judged_again_when_it_is_approved(office: Office) -> None:
    def grow(name: str) -> str:
        def change(document: dict[str, Any]) -> None:
            document["metadata"]["name"] = name
            document["spec"]["vms"][0].pop("flavor")
            document["spec"]["vms"][0] |= {"cpu": 12, "memory": "8 GiB"}

        return office.edited("simkeu.yaml", change)

    for name in ("satu", "dua"):
        assert office.run("request", "submit", grow(name), actor="nina").code == 0
    assert office.run("request", "approve", "bkad/satu", actor=APPROVER).code == 0
    refused = office.run("request", "approve", "bkad/dua", actor=APPROVER)
    assert refused.code == 4
    assert "quota.vcpu" in refused.codes
    assert office.run("request", "show", "bkad/dua").data["record"]["state"] == "pending"


@pytest.mark.parametrize("actor", ["siti", "rudi", "dewi", "yanti", "nobody"])
def test_only_an_approver_decides_and_never_the_requester(office: Office, actor: str) -> None:
    assert office.run("request", "submit", office.file("simrs.yaml"), actor=REQUESTER).code == 0
    assert office.run("request", "approve", "dinkes/simrs", actor=actor).code == 4
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "pending"


@pytest.mark.parametrize("actor", ["siti", "hendra", "yanti", "nobody"])
def test_only_an_operator_applies(office: Office, actor: str) -> None:
    office.approved()
    before = len(office.requests())
    assert office.run("apply", actor=actor).code == 4
    assert office.writes_since(before) == []


def test_a_denied_request_says_why_and_is_not_planned(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor=REQUESTER)
    reason = "Gabungkan dengan server yang ada"
    assert (
        office.run("request", "deny", "dinkes/simrs", "--reason", reason, actor=APPROVER).code == 0
    )
    assert office.run("request", "show", "dinkes/simrs").data["record"]["reason"] == reason
    assert office.run("plan", "dinkes/simrs").codes == ["plan.not-approved"]


def test_an_edit_voids_the_approval_and_returns_the_hold(office: Office) -> None:
    office.approved()

    def change(document: dict[str, Any]) -> None:
        document["spec"]["vms"][0]["memory"] = "12 GiB"

    answer = office.run("request", "submit", office.edited("simrs.yaml", change), actor=REQUESTER)
    assert answer.data[0]["submission"]["revision"] == 2
    assert _balance(office, "memory") == (0, 0)
    assert office.run("plan", "dinkes/simrs").code == 4


def test_formatting_alone_is_no_revision(office: Office) -> None:
    office.approved()
    same = office.edited("simrs.yaml", lambda document: None)
    answer = office.run("request", "submit", same, actor=REQUESTER)
    assert answer.data[0]["submission"]["changed"] is False
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "approved"


def test_another_offer_under_apply_voids_the_approval(office: Office) -> None:
    office.approved()
    office.lab.post("/node", {"cluster": "dc", "node": "pve3", "action": "down"})
    office.lab.post("/advance", {"seconds": 120})
    before = len(office.requests())
    answer = office.run("apply")
    office.lab.post("/node", {"cluster": "dc", "node": "pve3", "action": "up"})
    assert answer.code == 4
    assert office.writes_since(before) == []


# -- what cannot be seen ---------------------------------------------------------------------
def test_a_cluster_that_does_not_answer_is_unknown_never_absent(office: Office) -> None:
    office.built()
    for node in ("pve1", "pve2", "pve3"):
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    status = office.run("status")
    plan = office.run("plan")
    apply = office.run("apply")
    night = office.run("nightly")
    for node in ("pve1", "pve2", "pve3"):
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert status.code == 5
    assert {one["running"] for one in status.data["instances"]} == {"unknown"}
    assert {one["ha"]["guard"] for one in status.data["instances"]} == {"unknown"}
    assert plan.code == 5
    assert apply.code == 5
    assert night.code == 7
    assert _balance(office, "instances") == (3, 0)


def test_a_stranger_under_the_vmid_is_not_touched(office: Office) -> None:
    office.approved()
    taken = office.run("plan").data[0]["vms"][0]["vmid"]
    office.lab.post(
        "/outside", {"cluster": "dc", "action": "create-vm", "vmid": taken, "node": "pve1"}
    )
    stranger = office.vms()[taken]["config"]
    assert office.run("apply").code == 0
    assert office.vms()[taken]["config"] == stranger
    assert taken not in {one["vmid"] for one in _status(office).values()}


# -- the night -------------------------------------------------------------------------------
def test_a_night_after_a_good_day_is_quiet_and_a_stopped_replication_is_a_breach(
    office: Office,
) -> None:
    office.built()
    office.lab.post("/advance", {"seconds": 26 * 3600})
    quiet = office.run("nightly")
    assert (quiet.code, quiet.codes) == (0, [])
    metrics = (office.directory / "var" / "cloudpemda.prom").read_text()
    assert "cloudpemda_night_findings 0.0" in metrics
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": 10001})
    found = office.run("nightly")
    assert found.code == 7
    assert "nightly.vm-absent" in found.codes
    (absent,) = [one for one in found.data["findings"] if "absent" in one["fault"]["code"]]
    assert absent["opd"] == "dinkes"


def test_a_target_that_is_away_makes_replication_late_though_no_job_failed(
    office: Office,
) -> None:
    office.built()
    office.lab.post("/advance", {"seconds": 3600})
    target = next(iter(office.lab.get("/state")["dc"]["replication"].values()))["options"]["target"]
    office.lab.post("/node", {"cluster": "dc", "node": target, "action": "down"})
    office.lab.post("/advance", {"seconds": 7200})
    night = office.run("nightly")
    office.lab.post("/node", {"cluster": "dc", "node": target, "action": "up"})
    assert night.code == 7
    assert {"recovery.node-late", "recovery.node-unknown"} & set(night.codes)


# -- proof -----------------------------------------------------------------------------------
def test_the_audit_names_everybody_who_acted(office: Office) -> None:
    office.built()
    entries = office.run("audit", "log").data
    done = {(one["actor"]["login"], one["action"]) for one in entries}
    assert ("siti", "request.queue") in done
    assert ("hendra", "request.approve") in done
    assert ("rudi", "instance.activate") in done
    assert office.run("audit", "verify").code == 0


def test_a_changed_entry_is_found(office: Office) -> None:
    import sqlite3

    office.built()
    with sqlite3.connect(office.directory / "var" / "ledger.sqlite3") as ledger:
        for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            ledger.execute(f"DROP TRIGGER {name}")
        ledger.execute("UPDATE audit SET login = 'siti' WHERE login = 'hendra'")
    ledger.close()
    answer = office.run("audit", "verify")
    assert answer.code == 7
    assert "audit.edited" in answer.codes


def test_a_vm_that_vanished_is_never_made_anew(office: Office) -> None:
    """An empty VM under its name would be worse than none; and a token that lost its right to
    look sees the same."""
    office.built()
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": 10001})
    before = len(office.requests())
    for command in (["plan"], ["apply"]):
        refused = office.run(*command)
        assert (refused.code, refused.codes) == (4, ["plan.vanished"])
    assert office.writes_since(before) == []
    status = office.run("status")
    assert (status.code, status.codes) == (7, ["plan.vanished"])
    others = [one for one in status.data["instances"] if one["vmid"] != 10001]
    assert {one["ha"]["guard"] for one in others} <= {"ok", "wrong"}
    assert _balance(office, "instances") == (3, 0)


# -- half way --------------------------------------------------------------------------------
_THIRD_FAILS = {
    "on": {"method": "POST", "path": "*/qemu", "every": 3},
    "do": "error",
    "status": 400,
    "reason": "Parameter verification failed.",
}


def test_one_failing_vm_leaves_the_others_and_apply_goes_on(office: Office) -> None:
    office.approved()
    office.lab.post("/faults", {"faults": [_THIRD_FAILS]})
    partly = office.run("apply")
    office.lab.post("/faults", {"faults": []})
    endings = sorted(vm["ending"] for vm in partly.data[0]["vms"])
    assert endings == ["active", "active", "failed"]
    assert partly.data[0]["state"] == "applying"
    assert len(_uids(office)) == 2
    before = sorted(_uids(office))
    assert office.run("apply").code == 0
    assert len(_uids(office)) == 3
    assert set(before) <= set(_uids(office))
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "active"


def test_undo_after_a_partial_apply_takes_back_everything(office: Office) -> None:
    office.approved()
    office.lab.post("/faults", {"faults": [_THIRD_FAILS]})
    office.run("apply")
    office.lab.post("/faults", {"faults": []})
    undone = office.run("apply", "--undo", "dinkes/simrs")
    assert undone.code == 0, undone.out
    truth = office.lab.get("/state")["dc"]
    assert office.vms() == {}
    assert truth["ha_resources"] == {}
    assert truth["replication"] == {}
    assert all(not job["options"].get("vmid") for job in truth["backup_jobs"].values())
    assert _balance(office, "instances") == (0, 0)
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "failed"


def test_an_active_request_is_not_undone(office: Office) -> None:
    office.built()
    before = len(office.requests())
    assert office.run("apply", "--undo").code == 2
    assert office.run("apply", "--undo", "dinkes/simrs").codes == ["apply.undo-active"]
    assert office.writes_since(before) == []
    assert len(office.vms()) == 3


def test_a_vm_that_somebody_moved_to_another_pool_is_put_back(office: Office) -> None:
    office.built()
    password = (office.lab.directory / "dc.root-password").read_text().strip()
    url = next(iter(office.lab.clusters["dc"]["nodes"].values()))
    _as_root(url, password, "/pools", poolid="other", _method="POST")
    _as_root(url, password, "/pools", poolid="other", vms="10001", **{"allow-move": "1"})
    assert office.run("plan").data[0]["settled"] is False
    assert office.run("apply").code == 0
    assert office.run("plan").data[0]["settled"] is True


def _as_root(url: str, password: str, path: str, _method: str = "PUT", **form: str) -> None:
    """Another administrator's hand, through the API."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        session.verify = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            login = {"username": "root@pam", "password": password}
            ticket = session.post(f"{url}/api2/json/access/ticket", data=login, timeout=600)
            data = ticket.json()["data"]
            answer = session.request(
                _method,
                f"{url}/api2/json{path}",
                data=form,
                headers={"CSRFPreventionToken": data["CSRFPreventionToken"]},
                cookies={"PVEAuthCookie": data["ticket"]},
                timeout=600,
            )
    assert answer.status_code == 200, answer.reason


def test_what_policy_refuses_is_told_with_its_line(office: Office) -> None:
    def change(document: dict[str, Any]) -> None:
        document["spec"]["serviceClass"] = "platinum"
        document["spec"]["vms"][-1]["image"] = "windows-11"

    path = office.edited("simrs.yaml", change)
    for command in (["request", "check", path], ["request", "submit", path]):
        answer = office.run(*command, actor=REQUESTER)
        assert answer.code == 4
        places = {
            fault["code"]: (fault["file"], fault["line"])
            for fault in answer.document["faults"]
            if fault["code"].startswith("policy.")
        }
        text = Path(path).read_text().splitlines()
        for code, word in (
            ("policy.class-unknown", "platinum"),
            ("policy.image-unknown", "windows"),
        ):
            file, line = places[code]
            assert file == path
            assert word in text[line - 1]
