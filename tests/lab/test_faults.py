"""What goes wrong on command, and what is then really true."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.labs import Control, RunningLab, layout, running_lab

from .conftest import Client
from .test_main_sequence import create


def test_a_lost_answer_has_done_its_work(pve: Client, control: Control) -> None:
    control.arm({"on": {"method": "POST", "path": "*/qemu", "nth": 1}, "do": "lose-answer"})
    with pytest.raises(requests.ConnectionError):
        pve("POST", "/nodes/pve1/qemu", vmid=10000)
    assert 10000 in control.vms()
    assert control.faults()[0]["fired"] == 1


def test_an_error_before_the_work_leaves_nothing_done(pve: Client, control: Control) -> None:
    control.arm(
        {"on": {"method": "POST", "path": "/pools"}, "do": "error", "status": 500, "reason": "oops"}
    )
    answer = pve.send("POST", "/pools", poolid="x")
    assert (answer.status_code, answer.reason) == (500, "oops")
    assert control.state()["dc"]["pools"] == {}


def test_every_nth_request_is_struck_and_counted(pve: Client, control: Control) -> None:
    control.arm({"on": {"path": "/version", "every": 2}, "do": "error"})
    statuses = [pve.send("GET", "/version").status_code for _ in range(4)]
    assert statuses == [200, 500, 200, 500]


def test_a_script_in_the_layout_is_armed_at_the_first_start(tmp_path: Path) -> None:
    hand = {"do": "outside-change", "action": "create-vm", "vmid": 900, "set": {"name": "x"}}
    script = [{"at": "10s", **hand}, {"on": {"path": "/version"}, "do": "error", "reason": "oops"}]
    with running_lab(tmp_path / "lab", layout(faults=script)) as lab:
        assert Client(lab).send("GET", "/version").reason == "oops"
        lab.control.advance(10)
        assert lab.control.vms()[900]["config"]["name"] == "x"
        assert [fault["fired"] for fault in lab.control.faults()] == [1, 1]
    with running_lab(tmp_path / "lab") as again:
        assert again.control.faults() == []
        assert Client(again).send("GET", "/version").status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("answer", [True, False])
def test_a_held_request_waits_for_release(
    pve: Client, control: Control, when: str, *, answer: bool
) -> None:
    control.arm({"on": {"method": "POST", "path": "/pools"}, "do": "hold", "when": when})
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(pve.send("POST", "/pools", poolid="held").status_code)
        except requests.ConnectionError:
            outcome.append("lost")

    asker = threading.Thread(target=ask)
    asker.start()
    while asker.is_alive() and not control.holds():
        pass
    assert ("held" in control.state()["dc"]["pools"]) == (when == "after")
    assert control.release(answer=answer) == 1
    asker.join()
    assert outcome == [200 if answer else "lost"]
    assert ("held" in control.state()["dc"]["pools"]) == (when == "after" or answer)


def test_a_script_that_is_not_understood_changes_nothing(control: Control) -> None:
    control.arm({"on": {"path": "/version"}, "do": "error"})
    with pytest.raises(AssertionError, match=r"lab\.fault-invalid"):
        control.arm({"on": {"pth": "/version"}, "do": "error"})
    assert len(control.faults()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"on": {"path": "/version"}, "do": "node-down"},
        {"on": {"path": "/version", "every": 0}, "do": "error"},
        {"on": {"path": "/version"}, "do": "error", "when": "later"},
        {"at": "soon", "do": "node-down", "node": "pve2"},
        {"at": "1s", "do": "node-down"},
        {"at": "1s", "do": "delay", "seconds": 3},
        {"at": "1s", "do": "node-down", "node": "pve2", "cluster": "nowhere"},
        {"at": "1s", "do": "node-down", "node": "pve9"},
        {"at": "1s", "do": "node-dwn", "node": "pve2"},
        {"on": {"path": "/version", "probability": 7}, "do": "error"},
        {"do": "error"},
        {},
    ],
    ids=str,
)
def test_what_no_fault_looks_like_is_refused(control: Control, fault: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match=r": 400 .*lab\.(fault-invalid|no-such-\w+)"):
        control.arm({"at": "1s", "do": "node-down", "node": "pve3"}, fault)
    assert control.faults() == []
    control.advance(2)
    assert [e for e in control.events() if e["what"] == "fault"] == []


def test_a_fault_that_finds_nothing_to_strike_says_so_and_harms_nothing(control: Control) -> None:
    control.arm(
        {"at": "1s", "do": "outside-change", "action": "delete-vm", "vmid": 10000},
        {"at": "2s", "do": "storage-full", "storage": "nowhere"},
        {"at": "3s", "do": "node-down", "node": "pve3"},
    )
    control.advance(4)
    told = [e for e in control.events() if e["what"] == "fault"]
    assert ["failed" in e for e in told] == [True, True, False]
    assert [fault["fired"] for fault in control.faults()] == [1, 1, 1]


def test_a_node_knows_no_third_action(control: Control) -> None:
    with pytest.raises(AssertionError, match=r"lab\.no-such-fault"):
        control.node("pve2", "sideways")
    with pytest.raises(AssertionError, match=r"lab\.no-such-node"):
        control.node("pve9", "down")
    assert control.state()["dc"]["nodes"]["pve2"]["online"] is True


def test_a_node_that_is_down_answers_595_and_its_own_port_nothing(
    lab: RunningLab, pve: Client, control: Control
) -> None:
    control.arm({"at": "10s", "do": "node-down", "node": "pve2"})
    control.advance(11)
    answer = pve.send("GET", "/nodes/pve2/status")
    assert (answer.status_code, answer.text) == (595, "")
    with pytest.raises(requests.ConnectionError):
        Client(lab, "pve2")("GET", "/version")
    rows = {row["node"]: row["status"] for row in pve("GET", "/nodes")}
    assert rows == {"pve1": "online", "pve2": "offline", "pve3": "online"}
    control.node("pve2", "up")
    assert pve("GET", "/nodes/pve2/status")["uptime"] == 0


def test_without_quorum_vms_cannot_be_written(pve: Client, control: Control) -> None:
    create(pve)
    control.node("pve2", "down")
    control.node("pve3", "down")
    assert (
        pve.send("POST", "/nodes/pve1/qemu", vmid=1000).reason == "cluster not ready - no quorum?"
    )
    assert pve.send("POST", "/pools", poolid="x").reason.endswith("error: no quorum!")
    put = pve.send("PUT", "/nodes/pve1/qemu/10000/config", name="x")
    assert put.reason.startswith("unable to open file")
    assert pve("GET", "/nodes/pve1/qemu/10000/config")["name"] == "vm10000"


def test_a_node_crash_during_a_clone_leaves_lock_and_orphans(pve: Client, control: Control) -> None:
    create(pve, 9000)
    upid = pve("POST", "/nodes/pve1/qemu/9000/clone", newid=10001, full=1)
    control.node("pve1", "down")
    control.node("pve1", "up")
    status = pve("GET", f"/nodes/pve1/tasks/{upid}/status")
    assert (status["status"], status["exitstatus"]) == ("stopped", "unexpected status")
    assert control.vms()[10001]["config"] == {"lock": "clone"}
    volumes = [v["volid"] for v in control.state()["dc"]["volumes"]]
    assert "local-zfs:vm-10001-disk-0" in volumes


def test_a_full_storage_refuses_and_cleans_up(pve: Client, control: Control) -> None:
    control.arm({"at": "1s", "do": "storage-full", "storage": "local-zfs", "node": "pve1"})
    control.advance(2)
    assert "out of space" in create(pve)
    assert control.vms() == {}


def test_outside_hands_change_vms_past_every_check(pve: Client, control: Control) -> None:
    create(pve)
    digest = pve("GET", "/nodes/pve1/qemu/10000/config")["digest"]
    control.outside("change-vm", 10000, set={"memory": "4096"})
    stale = pve.send("PUT", "/nodes/pve1/qemu/10000/config", name="x", digest=digest)
    assert stale.reason == "checksum mismatch (file change by other user?)"
    control.outside("move-vm", 10000, node="pve2")
    assert pve("GET", "/nodes/pve2/qemu/10000/config")["memory"] == "4096"
    control.outside("delete-vm", 10000)
    assert pve.send("GET", "/nodes/pve2/qemu/10000/config").status_code == 500


def test_a_skewed_clock_shows_in_the_nodes_time_alone(pve: Client, control: Control) -> None:
    control.arm({"at": 0, "do": "clock-skew", "node": "pve3", "seconds": 300})
    times = [pve("GET", f"/nodes/{node}/time")["time"] for node in ("pve1", "pve3")]
    assert times[1] - times[0] == 300


def test_the_same_seed_meets_the_same_faults(tmp_path: Path) -> None:
    def struck(name: str) -> list[int]:
        with running_lab(tmp_path / name, layout(seed=11)) as lab:
            lab.control.arm({"on": {"path": "/version", "probability": 0.5}, "do": "error"})
            client = Client(lab)
            return [client.send("GET", "/version").status_code for _ in range(20)]

    first, second = struck("one"), struck("two")
    assert first == second
    assert set(first) == {200, 500}


@pytest.mark.parametrize(
    ("call", "body", "refusal"),
    [
        ("POST /cluster/replication", {"id": "100-0", "target": "pve2", "type": "local"},
         "cfs-lock 'file-replication_cfg' error: no quorum!"),
        ("POST /cluster/backup", {"schedule": "daily", "all": 1, "storage": "pbs-dc"},
         "cfs-lock 'file-jobs_cfg' error: no quorum!"),
        ("POST /cluster/metrics/server/m1", {"type": "graphite", "server": "a", "port": 1},
         "cfs-lock 'file-status_cfg' error: no quorum!"),
        ("POST /cluster/mapping/dir", {"id": "md", "map": "node=pve1,path=/srv"},
         "create hardware mapping failed: cfs-lock 'file-mapping_directory_cfg' error: no quorum!"),
        ("POST /cluster/sdn/zones", {"zone": "z1", "type": "simple"},
         "create sdn zone object failed: cfs-lock 'file-sdn__running-config' error: no quorum!"),
        ("POST /cluster/firewall/rules", {"type": "in", "action": "DROP"},
         "cfs-lock 'firewall-cluster' error: no quorum!"),
        ("PUT /nodes/pve1/qemu/100/firewall/options", {"enable": 1},
         "cfs-lock 'firewall-vm-100' error: no quorum!"),
    ],
)  # fmt: skip
def test_without_quorum_no_file_of_the_cluster_is_written(
    root: Client, control: Control, call: str, body: dict[str, Any], refusal: str
) -> None:
    root.task("POST", "/nodes/pve1/qemu", vmid=100, scsi0="local-zfs:1")
    for node in ("pve2", "pve3"):
        control.node(node, "down")
    assert root.send(*call.split(" "), **body).reason == refusal


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("POST /nodes/pve1/qemu/100/snapshot", {"snapname": "early"}),
        ("DELETE /nodes/pve1/qemu/100/snapshot/first", {}),
        ("PUT /nodes/pve1/qemu/100/resize", {"disk": "scsi0", "size": "2G"}),
        ("POST /nodes/pve1/qemu/100/move_disk", {"disk": "scsi0", "storage": "tank-hdd"}),
        ("POST /nodes/pve1/vzdump", {"vmid": 100, "storage": "pbs-dc"}),
    ],
)
def test_without_quorum_no_vms_configuration_is_written(
    root: Client, control: Control, call: str, body: dict[str, Any]
) -> None:
    root.task("POST", "/nodes/pve1/qemu", vmid=100, scsi0="local-zfs:1")
    assert root.task("POST", "/nodes/pve1/qemu/100/snapshot", snapname="first") == "OK"
    before = control.vms()[100]
    for node in ("pve2", "pve3"):
        control.node(node, "down")
    assert root.task(*call.split(" "), **body) != "OK"
    assert control.vms()[100] == before


def lab_command(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloudpemda", "--site", str(site), "--lang", "en", "lab"]
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=600, check=False
    )


def test_the_script_in_the_documentation_can_be_armed(tmp_path: Path) -> None:
    documented = Path("docs/lab.md").read_text().split("## Faults")[1]
    script = tmp_path / "faults.yaml"
    script.write_text(documented.split("```yaml\n")[1].split("```")[0])
    with running_lab(tmp_path / "var" / "lab", layout()):
        done = lab_command(tmp_path, "fault", str(script))
    assert done.returncode == 0, done.stderr
    assert "on: {method: POST, path: */clone, nth: 3}, do: lose-answer" in done.stdout
    assert done.stdout.count(" do: ") == script.read_text().count(" do: ")


def test_every_wrong_fault_of_a_script_is_told_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("faults:\n  - {at: 1s, do: node-dwn}\n  - {at: soon, do: clock-skew}\n")
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("faults: [{at: 1s, do: node-down, node: pve9}]\n")
    with running_lab(tmp_path / "var" / "lab", layout()):
        done = lab_command(tmp_path, "fault", str(script))
        refused = lab_command(tmp_path, "fault", str(elsewhere))
        far = lab_command(tmp_path, "advance", "99999d")
    assert done.returncode == 3
    assert "faults.yaml:2:" in done.stderr
    assert "faults.yaml:3:" in done.stderr
    assert "lab.no-such-fault" in done.stderr
    assert refused.stderr.startswith("lab.no-such-node")
    assert (far.returncode, "lab.too-far" in far.stderr) == (3, True)


def test_a_layout_that_is_wrong_is_told_by_line_and_starts_nothing(tmp_path: Path) -> None:
    clocks = "clock: {rate: -1}\ndurations: {clone: -2}\n"
    (tmp_path / "lab.yaml").write_text(
        f"clusters:\n  dc: {{nodes: {{pve1: {{cpus: 0}}}}}}\n{clocks}"
    )
    done = lab_command(tmp_path, "start")
    assert done.returncode == 3
    assert "lab.yaml:2:" in done.stderr
    assert "clock.rate lab.rate" in done.stderr
    assert "lab.yaml:4:" in done.stderr
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["serve", "--listen", "127.0.0.1:1"], "lab.state-missing"),
        (
            ["serve", "--state", "recorded", "--listen", "127.0.0.1:99999", "--root-password", "x"],
            "lab.cannot-listen",
        ),
    ],
)
def test_a_wrong_address_is_no_bug(tmp_path: Path, words: list[str], code: str) -> None:
    assert lab_command(tmp_path, *words).stderr.startswith(code)


def test_a_directory_that_cannot_be_is_no_bug(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    started = lab_command(tmp_path / "nowhere", "start")
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--directory", str(file)]
    served = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert started.stderr.startswith("lab.no-directory")
    assert (served.returncode, "Traceback" in served.stderr) == (3, False)
    (tmp_path / "var").touch()
    assert lab_command(tmp_path, "start").stderr.startswith("lab.directory-unusable")
