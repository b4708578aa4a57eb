"""A lab's own life: stop and start, one at a time, reset; tasks and locks in lab time."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from cloudpemda.lab import process
from tests.labs import Control, RunningLab, layout, running_lab, start_lab

from .conftest import Client
from .test_main_sequence import create


def assert_same_ports(before: dict[str, Any], lab: RunningLab) -> None:
    """A port is the lab's again, unless somebody else was given it while the lab was down."""
    now = lab.endpoints["clusters"]
    assert now.keys() == before.keys()
    for name, told in before.items():
        assert {**now[name], "nodes": None} == {**told, "nodes": None}
        for node, url in told["nodes"].items():
            assert now[name]["nodes"][node] == url or _is_taken(url)


def _is_taken(url: str) -> bool:
    with suppress(OSError):
        socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))).close()
        return False
    return True


def test_a_lab_resumes_with_its_state_ports_tokens_and_clock(tmp_path: Path) -> None:
    first = start_lab(tmp_path / "lab")
    client = Client(first)
    create(client)
    first.control.advance(3600)
    upid = client("POST", "/nodes/pve1/qemu/10000/clone", newid=10001, full=1)
    before, now, token = first.endpoints["clusters"], first.control.now(), first.token()
    assert first.stop() == 0
    assert not (tmp_path / "lab" / "endpoints.json").exists()
    second = start_lab(tmp_path / "lab")
    try:
        assert_same_ports(before, second)
        assert second.token() == token
        assert second.control.now() == now
        again = Client(second)
        assert again("GET", "/nodes/pve1/qemu/10000/config")["name"] == "vm10000"
        status = again("GET", f"/nodes/pve1/tasks/{upid}/status")
        assert status["exitstatus"] == "unexpected status"
    finally:
        second.stop()


def _once_saved(lab: RunningLab, word: str) -> None:
    """Wait until its file of state has this word."""
    kept = lab.directory / "state.json"
    while not (kept.exists() and word in kept.read_text()):
        lab.control.now()


def test_a_lab_that_is_killed_goes_on_from_what_it_did(tmp_path: Path) -> None:
    first = start_lab(tmp_path / "lab")
    client = Client(first)
    create(client)
    upid = client("POST", "/nodes/pve1/qemu/10000/clone", newid=10001, full=1)
    _once_saved(first, upid)
    first.kill()
    with running_lab(tmp_path / "lab") as second:
        again = Client(second)
        assert_same_ports(first.endpoints["clusters"], second)
        assert again("GET", "/nodes/pve1/qemu/10000/config")["name"] == "vm10000"
        status = again("GET", f"/nodes/pve1/tasks/{upid}/status")
        assert (status["status"], status["exitstatus"]) == ("stopped", "unexpected status")
        vanished = [e["upid"] for e in second.control.events() if e["what"] == "task-vanished"]
        assert vanished == [upid]


@pytest.mark.parametrize("rate", ["auto", pytest.param(1, marks=pytest.mark.slow)])
def test_a_lab_that_is_killed_takes_back_no_moment_that_it_told(
    tmp_path: Path, rate: object
) -> None:
    clock = {"start": "2026-11-20T01:00:00Z", "rate": rate}
    first = start_lab(tmp_path / "lab", layout(clock=clock))
    client = Client(first)
    create(client)
    client("POST", "/cluster/ha/resources", sid="vm:10000")
    first.control.advance(30)
    _once_saved(first, '"running"')
    first.control.advance(4 * 3600)
    told = client("GET", "/nodes/pve1/time")["time"]
    now = first.control.now()
    first.kill()
    with running_lab(tmp_path / "lab") as second:
        assert second.control.now() >= now >= told
        assert Client(second)("GET", "/nodes/pve1/time")["time"] >= told
        second.control.advance(600)
        what = {event["what"] for event in second.control.events()}
        assert "ha-service" in what  # it went on all the time, and no node was lost meanwhile
        assert not what & {"ha-fence", "ha-watchdog", "node-down"}


def test_what_a_lab_told_before_it_kept_anything_holds_until_it_is_reset(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    first = start_lab(directory)
    first.control.wait(7 * 3600)
    now = first.control.now()
    first.kill()
    (directory / "state.json").unlink(missing_ok=True)
    again = start_lab(directory)
    assert again.control.now() == now
    again.kill()
    process.reset(directory)
    with running_lab(directory) as fresh:
        assert fresh.control.now() < now


def test_a_lab_that_is_killed_after_a_reset_knows_nothing_from_before(tmp_path: Path) -> None:
    first = start_lab(tmp_path / "lab")
    Client(first)("POST", "/pools", poolid="before")
    first.control.advance(3600)
    first.control.reset()
    now = first.control.now()
    first.kill()
    with running_lab(tmp_path / "lab") as second:
        assert second.control.state()["dc"]["pools"] == {}
        assert second.control.now() == now


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("state.json", "[]"),
        ("state.json", '{"clusters": {"dc": {"vms": 7}}}'),
        ("told", "nan"),
    ],
)
def test_a_state_that_cannot_be_read_is_told_and_can_be_reset(
    tmp_path: Path, name: str, kept: str
) -> None:
    directory = tmp_path / "lab"
    start_lab(directory).stop()
    (directory / name).write_text(kept)
    with pytest.raises(AssertionError) as told:
        start_lab(directory)
    assert name in str(told.value)
    assert "cloudpemda lab reset" in str(told.value)
    assert "Traceback" not in str(told.value)
    process.reset(directory)
    with running_lab(directory) as again:
        assert again.control.vms() == {}


def test_a_second_lab_in_the_same_directory_is_refused(lab: RunningLab) -> None:
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--directory", str(lab.directory)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert second.returncode == 3
    assert "already runs" in second.stderr or "sudah berjalan" in second.stderr


def test_a_port_that_is_taken_is_named(lab: RunningLab) -> None:
    taken = lab.url("pve1").removeprefix("https://")
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--state", "recorded"]
    refused = subprocess.run(
        [*command, "--listen", taken, "--root-password", "x"],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert refused.returncode == 3
    assert taken in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_directory_is_for_its_owner_alone(lab: RunningLab) -> None:
    assert lab.directory.stat().st_mode & 0o777 == 0o700
    for name in ("endpoints.json", "dc.token", "dc.root-password", "server.key"):
        assert (lab.directory / name).stat().st_mode & 0o777 == 0o600, name


def test_reset_empties_the_clusters_and_keeps_ports_and_tokens(
    lab: RunningLab, pve: Client, control: Control
) -> None:
    create(pve)
    control.reset()
    assert control.vms() == {}
    assert pve("GET", "/nodes/pve1/qemu") == []
    assert [r["path"] for r in control.requests()] == ["/nodes/pve1/qemu"]


def test_a_bad_layout_is_refused_by_place(tmp_path: Path) -> None:
    given = tmp_path / "layout.yaml"
    given.write_text("clusters:\n  dc:\n    nodes: {pve1: {memory: 64}}\n    colour: red\n")
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--directory", str(tmp_path / "x")]
    refused = subprocess.run(
        [*command, "--layout", str(given)], capture_output=True, text=True, timeout=600, check=False
    )
    assert refused.returncode == 3
    assert f"{given}:3:28 clusters.dc.nodes.pve1.memory" in refused.stderr
    assert f"{given}:4:5 clusters.dc.colour" in refused.stderr


def test_waiting_moves_virtual_time_and_runs_what_is_due_in_order(control: Control) -> None:
    control.arm(
        {"at": "20s", "do": "node-down", "node": "pve2"},
        {"at": "10s", "do": "node-down", "node": "pve3"},
    )
    start = control.now()
    control.wait(30)
    downs = [e for e in control.events() if e["what"] == "node-down"]
    assert [e["node"] for e in downs] == ["pve3", "pve2"]
    assert [e["at"] - start for e in downs] == [10, 20]


def test_a_new_vm_is_unknown_until_the_statistics_have_seen_it(
    pve: Client, control: Control
) -> None:
    pve("POST", "/nodes/pve1/qemu", vmid=500)
    row = pve("GET", "/cluster/resources", type="vm")[0]
    assert row["status"] == "unknown"
    assert "maxmem" not in row
    control.wait(10)
    assert pve("GET", "/cluster/resources", type="vm")[0]["status"] == "stopped"


def test_configuration_of_a_source_waits_for_its_clones_and_gives_up(
    pve: Client, tmp_path: Path
) -> None:
    durations = {**layout()["durations"], "clone": 30}
    slow = start_lab(tmp_path / "slow", layout(durations=durations))
    try:
        client = Client(slow)
        create(client, 9000)
        one = client("POST", "/nodes/pve1/qemu/9000/clone", newid=10001, full=1)
        two = client("POST", "/nodes/pve1/qemu/9000/clone", newid=10002, full=1)
        put = client.send("PUT", "/nodes/pve1/qemu/9000/config", name="x")
        assert put.reason == "can't lock file '/var/lock/qemu-server/lock-9000.conf' - got timeout"
        assert client.finish(one) == client.finish(two) == "OK"
    finally:
        slow.stop()


def test_starting_and_stopping_at_once_ends_stopped(pve: Client, control: Control) -> None:
    create(pve)
    start = pve("POST", "/nodes/pve1/qemu/10000/status/start")
    stop = pve("POST", "/nodes/pve1/qemu/10000/status/stop")
    assert pve.finish(start) == pve.finish(stop) == "OK"
    assert control.vms()[10000]["status"] == "stopped"


def test_a_guest_with_a_system_shuts_down_and_an_empty_one_does_not(pve: Client) -> None:
    create(pve)
    pve.task("POST", "/nodes/pve1/qemu", vmid=500, scsi0="local-zfs:1")
    for vmid, end in ((10000, "OK"), (500, "VM quit/powerdown failed - got timeout")):
        pve.task("POST", f"/nodes/pve1/qemu/{vmid}/status/start")
        assert pve.task("POST", f"/nodes/pve1/qemu/{vmid}/status/shutdown", timeout=5) == end


def test_a_lab_that_holds_a_request_stops_and_does_not_do_its_work(tmp_path: Path) -> None:
    lab = start_lab(tmp_path / "lab")
    lab.control.arm({"on": {"path": "/pools"}, "do": "hold"})
    lost: list[bool] = []

    def ask() -> None:
        try:
            Client(lab)("POST", "/pools", poolid="held")
        except requests.ConnectionError:
            lost.append(True)

    asker = threading.Thread(target=ask)
    asker.start()
    while not lab.control.holds():
        pass
    assert lab.stop() == 0
    asker.join()
    assert lost == [True]
    again = start_lab(tmp_path / "lab")
    try:
        assert again.control.state()["dc"]["pools"] == {}
    finally:
        again.stop()


def test_with_a_rate_lab_time_runs_by_itself(tmp_path: Path) -> None:
    clock = {"start": "2026-11-20T01:00:00Z", "rate": 200}
    with running_lab(tmp_path / "lab", layout(clock=clock)) as lab:
        pve = Client(lab)
        upid = pve("POST", "/nodes/pve1/qemu", vmid=500)
        before = lab.control.now()
        lab.control.wait(20)
        assert lab.control.now() - before >= 20
        assert pve("GET", f"/nodes/pve1/tasks/{upid}/status")["exitstatus"] == "OK"
        lab.control.advance(3600)
        assert lab.control.now() - before >= 3620


def test_the_same_seed_and_the_same_requests_make_the_same_history(tmp_path: Path) -> None:
    def history(name: str) -> tuple[object, object]:
        with running_lab(tmp_path / name) as lab:
            pve = Client(lab)
            create(pve)
            pve.task("POST", "/nodes/pve1/qemu/10000/status/start")
            pve("POST", "/cluster/ha/resources", sid="vm:10000")
            pve("POST", "/cluster/replication", id="10000-0", type="local", target="pve2")
            lab.control.arm({"at": "1h", "do": "node-down", "node": "pve1"})
            lab.control.advance(2 * 3600)
            return lab.control.events(), lab.control.vms()

    assert history("one") == history("two")
