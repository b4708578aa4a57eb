"""`expose`, from a request to the firewall, through the command line, on both releases of PVE."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.scenarios.conftest import APPROVER, Answer, Office, running_site

KEY = "dinkes/simrs"
OFFICES = ["10.20.4.0/24"]


def _edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = yaml.safe_load(file.read_text())
    change(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(params=["9.2", "8.4"])
def office(
    request: pytest.FixtureRequest, tmp_path: Path, call: Callable[..., Answer]
) -> Iterator[Office]:
    """A site whose OPD has an office, on a cluster whose firewall is off."""
    with running_site(tmp_path / "lab", request.param) as (directory, lab):
        _edit(directory / "opd/dinkes.yaml", lambda d: d["opd"].update(offices=OFFICES))
        yield Office(directory, lab, call)


def manage(office: Office) -> None:
    managed = {"datacenter": "managed", "pemda": ["10.30.0.0/16"]}
    _edit(office.directory / "site.yaml", lambda d: d.update(firewall=managed))


def _exposing(document: dict[str, Any]) -> None:
    db, app = document["spec"]["vms"]
    db["expose"] = [{"port": 5432, "from": "opd"}]
    app["expose"] = [
        {"port": 443, "from": "internet"},
        {"port": 22, "from": "opd"},
        {"port": 53, "protocol": "udp", "from": "pemda"},
    ]


def asked(office: Office, change: Callable[[dict[str, Any]], None] = _exposing) -> None:
    file = office.edited("simrs.yaml", change)
    submitted = office.run("request", "submit", file, actor="siti")
    assert submitted.code == 0, submitted.out
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0


def firewalls(office: Office) -> dict[str, Any]:
    found: dict[str, Any] = office.lab.get("/state")["dc"]["firewalls"]
    return found


def groups(office: Office) -> dict[str, set[tuple[str, ...]]]:
    """Kind → its rules: protocol, port, source."""
    cluster = firewalls(office).get("cluster", {})
    return {
        one["comment"].rpartition("/")[2]: {
            (rule["proto"], rule["dport"], rule.get("source", "any"))
            for rule in cluster[f"groups/{one['group']}"]
        }
        for one in cluster.get("groups", ())
    }


def as_root(office: Office, method: str, path: str, cluster: str = "dc", /, **form: object) -> None:
    """What an administrator does to a cluster."""
    url = next(iter(office.lab.clusters[cluster]["nodes"].values())) + "/api2/json"
    verify = str(office.lab.directory / "ca.pem")
    password = (office.lab.directory / f"{cluster}.root-password").read_text().strip()
    login = {"username": "root@pam", "password": password}
    ticket = requests.post(f"{url}/access/ticket", data=login, verify=verify, timeout=600).json()
    answer = requests.request(
        method,
        url + path,
        data=form,
        verify=verify,
        timeout=600,
        cookies={"PVEAuthCookie": ticket["data"]["ticket"]},
        headers={"CSRFPreventionToken": ticket["data"]["CSRFPreventionToken"]},
    )
    assert answer.status_code == 200, answer.reason


APP = {
    ("tcp", "443", "any"),
    ("tcp", "22", "10.10.110.0/24,10.20.4.0/24"),
    ("udp", "53", "10.10.110.0/23,10.10.120.0/24,10.10.130.0/24,10.20.4.0/24,10.30.0.0/16"),
}


def test_from_request_to_firewall_and_back(office: Office) -> None:
    asked(office)
    shown = office.text("request", "show", KEY, actor=APPROVER)
    assert "app is reached at: 22/tcp opd, 53/udp pemda, 443/tcp internet" in shown.out

    before = len(office.requests())
    refused = office.run("apply", KEY)
    assert (refused.code, refused.codes) == (4, ["plan.firewall-off"])
    assert office.writes_since(before) == []
    assert office.run("plan", KEY).codes == ["plan.firewall-off"]

    manage(office)
    planned = office.run("plan", KEY)
    assert planned.code == 0, planned.out
    aspects = {d["aspect"] for vm in planned.data[0]["vms"] for d in vm["differences"]}
    assert "firewall" in aspects
    applied = office.run("apply", KEY)
    assert applied.code == 0, applied.out
    assert groups(office) == {"db": {("tcp", "5432", "10.10.110.0/24,10.20.4.0/24")}, "app": APP}
    for vmid in office.vms():
        if 10000 <= vmid < 11000:
            (options,) = firewalls(office)[f"vm/{vmid}"]["options"]
            assert (options["enable"], options["policy_in"]) == ("1", "DROP")
    assert office.run("plan", KEY).data[0]["settled"]
    assert office.run("status").code == 0


def test_what_another_hand_opened_is_found_and_closed(office: Office) -> None:
    manage(office)
    asked(office)
    assert office.run("apply", KEY).code == 0
    (vmid,) = [n for n, one in office.vms().items() if "simrs-app-1" in str(one["config"])]
    vm = office.vms()[vmid]
    path = f"/nodes/{vm['node']}/qemu/{vmid}/firewall/rules"
    as_root(office, "POST", path, type="in", action="ACCEPT", enable=1)
    found = office.run("status")
    (view,) = [one for one in found.data["instances"] if one["differences"]]
    assert (view["key"], view["differences"]) == (f"{KEY}/app-1", ["firewall: vm.rule"])
    (drifted,) = office.run("drift").data["instances"]
    assert (drifted["key"], drifted["drift"]) == (f"{KEY}/app-1", "security")
    assert office.run("apply", KEY).code == 0
    assert len(firewalls(office)[f"vm/{vmid}"]["rules"]) == 1
    assert office.run("drift").code == 0
    as_root(office, "PUT", "/cluster/firewall/options", enable=0, policy_in="DROP")
    drifted = office.run("drift")
    assert drifted.code == 7
    assert {one["drift"] for one in drifted.data["instances"]} == {"security"}
    assert "plan.firewall-lockout" in drifted.out
    as_root(office, "PUT", "/cluster/firewall/options", enable=1)
    assert office.run("plan", KEY).data[0]["settled"]


def test_what_is_reached_changes_by_a_request(office: Office) -> None:
    manage(office)
    asked(office)
    assert office.run("apply", KEY).code == 0

    def less(document: dict[str, Any]) -> None:
        _exposing(document)
        document["spec"]["vms"][1]["expose"] = [{"port": 8443, "from": "internet"}]

    asked(office, less)
    shown = office.run("request", "show", KEY, actor=APPROVER).out
    assert "8443/tcp internet" in shown
    applied = office.run("apply", KEY)
    assert applied.code == 0, applied.out
    assert groups(office)["app"] == {("tcp", "8443", "any")}
    assert office.run("plan", KEY).data[0]["settled"]

    def silent(document: dict[str, Any]) -> None:
        _exposing(document)
        del document["spec"]["vms"][1]["expose"]

    file = office.edited("simrs.yaml", silent)
    refused = office.run("request", "submit", file, actor="siti")
    assert refused.code == 4
    assert "request.expose-stays" in refused.codes


def test_a_firewall_comes_to_a_workload_that_lives_without(office: Office) -> None:
    manage(office)
    office.built()
    assert "cluster" not in firewalls(office) or not groups(office)
    asked(office)
    applied = office.run("apply", KEY)
    assert applied.code == 0, applied.out
    assert groups(office)["app"] == APP
    assert office.run("plan", KEY).data[0]["settled"]


def test_undone_nothing_is_left_of_it(office: Office) -> None:
    manage(office)
    asked(office)
    fault = {"on": {"method": "POST", "path": "*/status/start"}, "do": "error",
             "status": 599, "reason": "Too many redirects"}  # fmt: skip
    office.lab.post("/faults", {"faults": [fault]})
    assert office.run("apply", KEY).code == 6
    office.lab.post("/faults", {"faults": []})
    undone = office.run("apply", "--undo", KEY)
    assert undone.code == 0, undone.out
    assert groups(office) == {}
    assert not [name for name in firewalls(office) if name.startswith("vm/10")]


def test_with_the_last_vm_of_a_kind_goes_its_group_and_no_other(office: Office) -> None:
    manage(office)
    asked(office)
    assert office.run("apply", KEY).code == 0
    as_root(office, "POST", "/cluster/firewall/groups", group="web", comment="lain")
    assert office.run("request", "retire", KEY, "--reason", "pindah").code == 0
    assert sorted(groups(office)) == ["app", "db", "lain"], "it may come back"
    purged = office.run("request", "purge", KEY, "--confirm", KEY, "--now", "--reason", "segera")
    assert purged.code == 0, purged.out
    assert sorted(groups(office)) == ["lain"]
    assert not [name for name in firewalls(office) if name.startswith("vm/10")]


def test_a_vnet_is_a_network(office: Office) -> None:
    def on_vnet(document: dict[str, Any]) -> None:
        network = document["networks"]["dinkes-app"]
        del network["bridge"], network["vlan"]
        network["vnet"] = "dinkes"

    _edit(office.directory / "site.yaml", on_vnet)
    looked = office.run("doctor")
    assert looked.code == 7
    assert "doctor.bridge-missing" in looked.out
    as_root(office, "POST", "/cluster/sdn/zones", zone="pemda", type="simple")
    as_root(office, "POST", "/cluster/sdn/vnets", vnet="dinkes", zone="pemda")
    assert "doctor.bridge-missing" in office.run("doctor").out, "asked for, and not applied yet"
    as_root(office, "PUT", "/cluster/sdn")
    office.lab.post("/wait", {"seconds": 30})
    looked = office.run("doctor")
    lacks = {one["values"]["privileges"] for one in looked.data["findings"]
             if one["code"] == "doctor.rights-missing"}  # fmt: skip
    assert lacks == {"SDN.Audit"}, looked.out
    for cluster, (role, *_) in looked.data["commands"].items():
        privileges = role.partition("--privs ")[2].partition(" ")[0]
        as_root(office, "PUT", "/access/roles/CloudpemdaApply", cluster, privs=privileges)
    looked = office.run("doctor")
    assert looked.code == 0, looked.out
    office.built()
    nets = [vm["config"]["net0"] for n, vm in office.vms().items() if 10000 <= n < 11000]
    assert len(nets) == 3
    assert all("bridge=dinkes" in net and "tag=" not in net for net in nets)
    assert office.run("plan", KEY).data[0]["settled"]
