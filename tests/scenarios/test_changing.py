"""Approved changes of a workload that lives, made by `apply`, on both releases of PVE."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.scenarios.conftest import APPROVER, Office

RELEASES = ("9.2", "8.4")

KEY, FILE, OPD = "bkad/simkeu", "simkeu.yaml", "nina"
APP = f"{KEY}/app-1"
GIB = 1024


def _app(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["vms"][0]
    return found


def _larger(document: dict[str, Any]) -> None:
    """More of everything; the new disk stands before the others in the order of names."""
    app = _app(document)
    app["flavor"] = "l8"
    app["disks"][1]["size"] = "90 GiB"
    app["disks"].append({"name": "archive", "size": "10 GiB", "class": "hdd", "protect": False})


def _smaller(document: dict[str, Any]) -> None:
    _app(document)["flavor"] = "s2"


def _more_memory(document: dict[str, Any]) -> None:
    app = _app(document)
    del app["flavor"]
    app["cpu"], app["memory"] = 6, "12 GiB"


def _second(document: dict[str, Any]) -> None:
    _app(document).update(count=2, keepApart=True)


def _basic(document: dict[str, Any]) -> None:
    document["spec"]["serviceClass"] = "basic"


def _longer(document: dict[str, Any]) -> None:
    document["spec"]["until"] = "2028-06-30"


def quota(office: Office, opd: str = "bkad") -> dict[str, tuple[int, int]]:
    lines = office.run("quota", "show", opd).data
    return {line["dimension"]: (line["committed"], line["held"]) for line in lines}


def used(office: Office) -> dict[str, int]:
    """What is committed; nothing may be held."""
    found = quota(office)
    assert {name: held for name, (_, held) in found.items() if held} == {}
    return {name: committed for name, (committed, _) in found.items()}


def propose(office: Office, change: Any, *words: str) -> None:
    answer = office.run("request", "submit", *words, office.edited(FILE, change), actor=OPD)
    assert answer.code == 0, answer.out
    answer = office.run("request", "approve", KEY, actor=APPROVER)
    assert answer.code == 0, answer.out


def changed(office: Office, change: Any) -> dict[str, Any]:
    propose(office, change)
    answer = office.run("apply", KEY)
    assert answer.code == 0, answer.out
    found: dict[str, Any] = answer.data[0]
    return found


def settled(office: Office) -> None:
    """Nothing is left to do, nothing differs, and the ledger charges what stands there."""
    office.lab.post("/wait", {"seconds": 30})  # PVE's statistics have seen every VM
    plan = office.run("plan", KEY)
    assert (plan.code, [one["settled"] for one in plan.data]) == (0, [True]), plan.out
    verified = office.run("quota", "verify")
    assert verified.codes == [], verified.out
    assert office.run("ledger", "verify").code == 0


def restart(office: Office, vmid: int) -> None:
    """A hand restarts the VM, as PVE's own page would."""
    directory = office.lab.directory
    endpoints = json.loads((directory / "endpoints.json").read_text())
    vm = office.vms()[vmid]
    url = endpoints["clusters"]["dc"]["nodes"][vm["node"]]
    answer = requests.post(
        f"{url}/api2/json/nodes/{vm['node']}/qemu/{vmid}/status/reboot",
        headers={"Authorization": f"PVEAPIToken=cloudpemda@pve!apply={_token(office)}"},
        verify=str(directory / "ca.pem"),
        timeout=600,
    )
    assert answer.status_code == 200, answer.text
    office.lab.post("/wait", {"seconds": 60})
    assert office.vms()[vmid]["pending"] == {}


def _token(office: Office) -> str:
    return (office.lab.directory / "dc.token").read_text().strip()


def test_more_of_everything_is_made_and_told(office: Office) -> None:
    office.built(FILE, KEY)
    ((vmid, vm),) = office.vms().items()
    before, volumes = used(office), _volumes(vm)
    propose(office, _larger)
    requests_before = len(office.requests())

    plan = office.run("plan", KEY)

    assert office.writes_since(requests_before) == []
    (planned,) = plan.data[0]["vms"]
    assert {one["key"]: (one["live"], one["desired"]) for one in planned["differences"]} == {
        "cores": ("4", "8"),
        "memory": ("8192", "16384"),
        "scsi1.size": ("60 GiB", "90 GiB"),
        "scsi3": ("", "tank-hdd 10 GiB"),
    }
    assert plan.data[0]["restart"] == {APP: ["cores", "memory"]}

    answer = office.run("apply", KEY)

    assert answer.code == 0, answer.out
    (done,) = answer.data
    assert (done["revision"], done["restart"]) == (2, {APP: ["cores", "memory"]})
    made = office.vms()[vmid]
    assert {slot: made_ for slot, made_ in _volumes(made).items() if slot in volumes} == volumes
    assert made["config"]["scsi3"].startswith("tank-hdd:")
    assert made["pending"] == {"cores": "8", "memory": "16384"}
    after = used(office)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "vcpu": 4,
        "memory": 8 * GIB,
        "disk.ssd": 60 * GIB,
        "disk.hdd": 10 * GIB,
        "backup": 36 * GIB,
    }
    record = office.run("request", "show", KEY, "--offline").data["record"]
    assert (record["state"], record["revision"]) == ("active", 2)
    assert record["proposal"]["state"] == "applied"
    settled(office)
    assert office.run("status").data["instances"][0]["restart"] == ["cores", "memory"]
    assert "cores, memory" in office.text("status").out

    restart(office, vmid)

    assert office.run("status").data["instances"][0]["restart"] == []
    assert used(office) == after
    settled(office)


def _volumes(vm: dict[str, Any]) -> dict[str, str]:
    return {
        slot: str(value).partition(",")[0]
        for slot, value in vm["config"].items()
        if slot.startswith("scsi") and slot != "scsihw"
    }


def test_less_is_free_only_once_the_vm_runs_with_it(office: Office) -> None:
    office.built(FILE, KEY)
    (vmid,) = office.vms()
    before = used(office)

    assert changed(office, _smaller)["restart"] == {APP: ["cores", "memory"]}

    assert used(office) == before, "it still runs with what it had"
    settled(office)
    office.run("nightly")
    assert used(office) == before
    restart(office, vmid)
    told = office.run("quota", "verify")
    assert set(told.codes) == {"quota.verify-unsettled"}
    assert used(office) == before, "looking settles nothing"
    office.run("nightly")
    after = used(office)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "vcpu": -2,
        "memory": -4 * GIB,
    }
    settled(office)


def test_a_restart_by_command_settles_at_once(office: Office) -> None:
    office.built(FILE, KEY)
    office.lab.post("/wait", {"seconds": 30})
    changed(office, _smaller)

    answer = office.run("vm", "restart", APP)

    assert answer.code == 0, answer.out
    assert used(office)["memory"] == 4 * GIB
    assert office.run("status").data["instances"][0]["restart"] == []
    settled(office)


def test_less_for_one_that_is_asked_for_more_again_is_charged_once(office: Office) -> None:
    """While a change is approved nothing is settled: it was judged by what is charged."""
    office.built(FILE, KEY)
    (vmid,) = office.vms()
    changed(office, _smaller)
    propose(office, _more_memory)
    assert {name: held for name, (_, held) in quota(office).items() if held} == {
        "vcpu": 2,
        "memory": 4 * GIB,
    }
    restart(office, vmid)
    office.run("nightly")
    assert quota(office)["memory"] == (8 * GIB, 4 * GIB)

    assert office.run("apply", KEY).code == 0

    assert used(office)["memory"] == 12 * GIB
    restart(office, vmid)
    settled(office)


def test_a_second_vm_is_made_beside_the_first(office: Office) -> None:
    office.built(FILE, KEY)
    ((vmid, first),) = office.vms().items()

    done = changed(office, _second)

    vms = office.vms()
    assert vms[vmid] == first | {"cloudinit": vms[vmid]["cloudinit"]}
    assert {vm["vm"]: vm["ending"] for vm in done["vms"]} == {
        APP: "active",
        f"{KEY}/app-2": "active",
    }
    assert len({vm["node"] for vm in vms.values()}) == 2
    assert quota(office)["instances"] == (2, 0)
    settled(office)


def test_protection_follows_the_class(office: Office) -> None:
    """From HA, replication and its backup job to a class that has only another backup job."""
    office.built(FILE, KEY)
    ((vmid, vm),) = office.vms().items()

    done = changed(office, _basic)

    assert done["restart"] == {}
    dc = office.lab.get("/state")["dc"]
    assert dc["vms"][str(vmid)]["status"] == "running"
    assert dc["vms"][str(vmid)]["pid"] == vm["pid"], "it was never stopped"
    assert (dc["ha_resources"], dc["ha_rules"], dc["ha_groups"], dc["replication"]) == (
        {}, {}, {}, {},
    )  # fmt: skip
    assert {name: job["options"]["vmid"] for name, job in dc["backup_jobs"].items()} == {
        "cloudpemda-basic": str(vmid)
    }
    assert {one["node"] for one in dc["volumes"] if one["vmid"] == vmid} == {vm["node"]}
    assert used(office)["disk.ssd"] == 100 * GIB
    settled(office)

    changed(office, lambda document: None)

    dc = office.lab.get("/state")["dc"]
    assert dc["ha_resources"][f"vm:{vmid}"]["options"]["state"] == "started"
    assert [job["options"].get("remove_job") for job in dc["replication"].values()] == [None]
    assert set(dc["backup_jobs"]) == {"cloudpemda-normal"}
    assert used(office)["disk.ssd"] == 200 * GIB
    settled(office)


def test_only_the_lease_needs_nothing_of_pve(office: Office) -> None:
    office.built(FILE, KEY)
    propose(office, _longer)
    before = len(office.requests())

    answer = office.run("apply", KEY)

    assert answer.code == 0
    assert office.writes_since(before) == []
    record = office.run("request", "show", KEY, "--offline").data["record"]
    assert (record["revision"], record["spec"]["until"]) == (2, "2028-06-30")
    settled(office)


@pytest.fixture
def site_file(office: Office) -> Iterator[Callable[[str, str, str], None]]:
    """Replace a text in one of the site's files for one test."""
    before: dict[Path, str] = {}

    def change(name: str, old: str, new: str) -> None:
        file = office.directory / name
        text = before.setdefault(file, file.read_text())
        assert old in text
        file.write_text(text.replace(old, new))

    yield change
    for file, text in before.items():
        file.write_text(text)


@pytest.mark.parametrize(
    ("name", "old", "new", "planned", "code"),
    [
        ("catalogue.yaml", "factor: 1.2", "factor: 1.3", "plan.offer-changed",
         "ledger.offer-changed"),
        ("people.yaml", "[{role: approver}]", "[{role: auditor}]", "plan.approver-removed",
         "ledger.approver-removed"),
    ],
    ids=["another offer", "an approver without the role"],
)  # fmt: skip
def test_an_approval_that_holds_no_more_is_void(
    office: Office,
    site_file: Callable[[str, str, str], None],
    name: str,
    old: str,
    new: str,
    planned: str,
    code: str,
) -> None:
    office.built(FILE, KEY)
    before, vms = used(office), office.vms()
    propose(office, _larger)
    site_file(name, old, new)
    requests_before = len(office.requests())

    plan, apply = office.run("plan", KEY), office.run("apply", KEY)

    assert (plan.code, plan.codes) == (4, [planned])
    assert (apply.code, apply.codes) == (4, [code])
    assert office.writes_since(requests_before) == []
    assert (used(office), office.vms()) == (before, vms)
    record = office.run("request", "show", KEY, "--offline").data["record"]
    assert (record["state"], record["proposal"]["state"]) == ("active", "pending")
