"""How the lab speaks HTTP: the order of refusals, tickets that age, bodies and reasons as PVE's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.labs import Control, RunningLab, layout, running_lab

from .conftest import Client


def login(lab: RunningLab, password: str) -> requests.Response:
    return requests.post(
        lab.url("pve1") + "/api2/json/access/ticket",
        data={"username": "root@pam", "password": password},
        verify=str(lab.ca),
        timeout=600,
    )


def with_ticket(
    lab: RunningLab, ticket: str, method: str, path: str, csrf: str = "", **data: Any
) -> requests.Response:
    return requests.request(
        method,
        lab.url("pve1") + "/api2/json" + path,
        cookies={"PVEAuthCookie": ticket},
        headers={"CSRFPreventionToken": csrf} if csrf else {},
        data=data,
        verify=str(lab.ca),
        timeout=600,
    )


def test_a_refused_login_takes_three_seconds_of_lab_time(lab: RunningLab, control: Control) -> None:
    before = control.now()
    assert login(lab, "wrong").reason == "authentication failure"
    assert control.now() - before == 3


def test_tickets_need_a_csrf_token_for_writes_and_last_two_hours(
    lab: RunningLab, control: Control
) -> None:
    data = login(lab, lab.root_password()).json()["data"]
    ticket, csrf = data["ticket"], data["CSRFPreventionToken"]
    assert with_ticket(lab, ticket, "GET", "/version").status_code == 200
    refused = with_ticket(lab, ticket, "POST", "/pools", poolid="a")
    assert (refused.status_code, refused.reason) == (401, "Permission denied - invalid csrf token")
    assert refused.text == ""
    assert with_ticket(lab, ticket, "POST", "/pools", csrf, poolid="a").status_code == 200
    control.advance(2 * 3600)
    assert with_ticket(lab, ticket, "GET", "/version").reason == "Authentication failed!"


def test_the_programs_token_may_do_its_work_and_no_more(pve: Client) -> None:
    assert pve("GET", "/version")["release"] == "9.2"
    assert (
        pve.send("PUT", "/access/acl", path="/", users="root@pam", roles="NoAccess").status_code
        == 403
    )
    assert pve.send("POST", "/access/users", userid="x@pve").status_code == 403
    assert pve.send("POST", "/nodes/pve1/qemu", vmid=500, args="-foo").status_code == 500


def test_all_faults_of_the_parameters_come_at_once(pve: Client) -> None:
    answer = pve.send("POST", "/nodes/pve1/qemu", vmid=99, cores="no", net0="bridge=vmbr0", odd=1)
    assert answer.reason == "Parameter verification failed."
    assert set(answer.json()["errors"]) == {"vmid", "cores", "net0", "odd"}


def test_a_repeated_form_field_is_a_type_error(pve: Client) -> None:
    answer = requests.post(
        pve.base + "/pools",
        data="poolid=a&poolid=b",
        headers={**pve.headers, "Content-Type": "application/x-www-form-urlencoded"},
        verify=str(pve.lab.ca),
        timeout=600,
    )
    assert answer.json()["errors"] == {"poolid": "type check ('string') failed - got ARRAY"}


def test_a_path_that_is_not_served_is_not_implemented(pve: Client) -> None:
    answer = pve.send("GET", "/nodes/pve1/ceph/osd")
    assert (answer.status_code, answer.reason) == (
        501,
        "Method 'GET /nodes/pve1/ceph/osd' not implemented",
    )


def test_requests_are_recorded_without_their_secrets(pve: Client, control: Control) -> None:
    pve("POST", "/nodes/pve1/qemu", vmid=100, cipassword="geheim", ciuser="admin")
    entry = control.writes()[-1]
    assert entry["path"] == "/nodes/pve1/qemu"
    assert entry["params"]["cipassword"] == "<redacted>"
    assert entry["params"]["ciuser"] == "admin"
    assert entry["user"] == "cloudpemda@pve!apply"
    root_url = {"url": "https://me:geheim@example.org/a.iso", "otp": "geheim"}
    pve.send("POST", "/nodes/pve1/storage/nfs/download-url", **root_url)
    assert "geheim" not in str(control.requests())


def test_plain_http_gets_no_answer(lab: RunningLab) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(lab.url("pve1").replace("https", "http") + "/api2/json/version", timeout=600)


def test_a_node_that_hangs_costs_a_proxied_call_thirty_seconds(
    lab: RunningLab, pve: Client, control: Control
) -> None:
    control.arm({"at": 0, "do": "node-hang", "node": "pve2"})
    control.advance(1)
    before = control.now()
    answer = pve.send("GET", "/nodes/pve2/status")
    assert (answer.status_code, answer.reason, answer.text) == (596, "Connection timed out", "")
    assert control.now() - before == 30
    refused = requests.get(pve.base + "/nodes/pve2/status", verify=str(lab.ca), timeout=600)
    assert refused.reason == "No ticket"  # who one is, the node that was asked finds out itself
    nodes = {node["node"]: node["status"] for node in pve("GET", "/nodes")}
    assert nodes["pve2"] == "online"
    with pytest.raises(requests.ConnectionError):
        Client(lab, "pve2").send("GET", "/version")
    control.node("pve2", "up")
    assert pve("GET", "/nodes/pve2/status")["uptime"] > 0


def test_what_takes_longer_than_its_proxy_waits_goes_on_unseen(tmp_path: Path) -> None:
    with running_lab(tmp_path / "lab", layout(durations={"import": 45, "default": 0.2})) as lab:
        pve = Client(lab)
        assert pve.task("POST", "/nodes/pve1/qemu", vmid=10000) == "OK"
        before = lab.control.now()
        disk = "local-zfs:0,import-from=nfs:import/debian-12.qcow2"
        answer = pve.send("PUT", "/nodes/pve1/qemu/10000/config", scsi0=disk)
        assert (answer.status_code, answer.reason) == (596, "Connection timed out")
        assert lab.control.now() - before == 30
        assert "scsi0" not in pve("GET", "/nodes/pve1/qemu/10000/config")
        late = pve.send("PUT", "/nodes/pve1/qemu/10000/config", cores=2)  # waits 10 s in vain
        assert late.reason.startswith("can't lock file '/var/lock/qemu-server/lock-10000.conf'")
        lab.control.wait(5)
        assert pve("GET", "/nodes/pve1/qemu/10000/config")["scsi0"].startswith("local-zfs:vm-10000")


def raw(lab: RunningLab, method: str, path: str, **more: Any) -> requests.Response:
    return requests.request(
        method, lab.url("pve1") + path, verify=str(lab.ca), timeout=600, **more
    )  # fmt: skip


def test_what_the_front_door_refuses(lab: RunningLab, pve: Client) -> None:
    """Before anybody is asked who they are, or after, but before the call is looked at."""
    pools, version = "/api2/json/pools", "/api2/json/version"
    assert raw(lab, "OPTIONS", version).reason == "method 'OPTIONS' not available"
    chunked = raw(lab, "POST", pools, data=iter([b"poolid=a"]), headers=pve.headers)
    assert (chunked.status_code, chunked.reason) == (501, "chunked transfer encoding not supported")
    assert raw(lab, "DELETE", pools, data="x=1").reason == "No ticket"
    with_body = raw(lab, "GET", version, data="x=1", headers=pve.headers)
    assert with_body.reason == "Unexpected content for method 'GET'"
    large = raw(lab, "POST", pools, data={"comment": "x" * 600_000}, headers=pve.headers)
    assert (large.status_code, large.reason) == (501, "for data too large")
    file = {"filename": ("a.iso", b"x")}
    parts = raw(lab, "POST", pools, files=file, headers=pve.headers)
    assert (parts.status_code, parts.reason[:40]) == (
        506,
        "upload 'Content-Type 'multipart/form-dat",
    )


@pytest.mark.parametrize("body", ["{", "[1]", "[" * 100_000, '{"poolid":NaN,', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_told_so(lab: RunningLab, pve: Client, body: Any) -> None:
    headers = {**pve.headers, "Content-Type": "application/json"}
    answer = raw(lab, "POST", "/api2/json/pools", data=body, headers=headers)
    assert answer.status_code == 500
    assert answer.text == ""
    assert answer.reason.startswith(("malformed JSON string", "Not a HASH reference"))


def test_a_broken_upload_fails(lab: RunningLab, pve: Client) -> None:
    headers = {**pve.headers, "Content-Type": "multipart/form-data; boundary=b"}
    path = "/api2/json/nodes/pve1/storage/local/upload"
    answer = raw(lab, "POST", path, data=b"no part at all", headers=headers)
    assert (answer.status_code, answer.reason) == (501, "upload failed")


def test_fields_are_read_as_perl_reads_them(lab: RunningLab, pve: Client) -> None:
    pve.task("POST", "/nodes/pve1/qemu", vmid=100)
    path, form = "/nodes/pve1/qemu/100/config", "application/x-www-form-urlencoded"
    headers = {**pve.headers, "Content-Type": form}
    whole = raw(lab, "PUT", "/api2/json" + path, json={"cores": 2.0}, headers=pve.headers)
    assert whole.status_code == 200
    assert pve("GET", path)["cores"] == 2
    split = raw(lab, "PUT", "/api2/json" + path, data="cores=3;onboot=1", headers=headers)
    assert split.status_code == 200
    assert pve("GET", path)["onboot"] == 1
    both = raw(lab, "PUT", f"/api2/json{path}?cores=4&_dc=1", data="cores=5", headers=headers)
    assert both.status_code == 200
    assert pve("GET", path)["cores"] == 4
    twice = pve.send("PUT", path, vmid=100, cores=1)
    assert twice.json()["errors"] == {"vmid": "duplicate parameter (already defined in URI)"}


def test_a_ticket_goes_before_a_token(lab: RunningLab, pve: Client) -> None:
    ticket = login(lab, lab.root_password()).json()["data"]["ticket"]
    own = {"headers": pve.headers, "cookies": {"PVEAuthCookie": ticket}}
    refused = raw(lab, "POST", "/api2/json/pools", data={"poolid": "a"}, **own)
    assert refused.reason == "Permission denied - invalid csrf token"


def test_control_characters_do_not_break_the_status_line(lab: RunningLab, pve: Client) -> None:
    answer = raw(lab, "GET", "/api2/json/nodes/%00%0d/status", headers=pve.headers)
    assert answer.status_code in (403, 500, 501)
    assert "\0" not in answer.reason
    assert raw(lab, "GET", "/%0d%00").reason == "no such file '/  '"
