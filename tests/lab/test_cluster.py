"""Nodes, containers, tasks and figures: what a client reads about a cluster as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.labs import Control, RunningLab, layout, running_lab

from .conftest import Client
from .test_main_sequence import create

NODE = "/nodes/pve1"


def by(rows: list[dict[str, object]], key: str) -> dict[object, dict[str, object]]:
    return {row[key]: row for row in rows}


@pytest.fixture
def container(control: Control) -> int:
    """Somebody's container on pve1."""
    config = {"hostname": "dns", "memory": "1024", "cores": "2", "tags": "infra"}
    control.outside("create-container", 100, node="pve1", config=config)
    control.wait(10)
    return 100


# -- containers ------------------------------------------------------------------------------------


def test_containers_are_listed_beside_vms_and_on_their_node_alone(
    pve: Client, container: int
) -> None:
    create(pve, 10000)
    pve.lab.control.wait(10)
    rows = by(pve("GET", "/cluster/resources", type="vm"), "vmid")
    found = rows[container]
    assert {key: found[key] for key in ("id", "type", "name", "status", "tags")} == {
        "id": "lxc/100", "type": "lxc", "name": "dns", "status": "stopped", "tags": "infra",
    }  # fmt: skip
    assert (found["maxcpu"], found["maxmem"], found["maxdisk"]) == (2, 2**30, 8 * 2**30)
    assert rows[10000]["type"] == "qemu"
    assert set(rows[10000]) == set(found) - {"tags"}
    assert [row["vmid"] for row in pve("GET", f"{NODE}/lxc")] == [container]
    assert pve("GET", "/nodes/pve2/lxc") == []
    assert [row["vmid"] for row in pve("GET", f"{NODE}/qemu")] == [10000]


def test_a_container_shows_its_status_and_configuration(pve: Client, container: int) -> None:
    status = pve("GET", f"{NODE}/lxc/{container}/status/current")
    assert (status["type"], status["cpus"], status["ha"]) == ("lxc", 2, {"managed": 0})
    config = pve("GET", f"{NODE}/lxc/{container}/config")
    assert (config["hostname"], config["memory"], config["cores"]) == ("dns", 1024, 2)
    assert config["rootfs"] == "local-zfs:subvol-100-disk-0,size=8G"
    answer = pve.send("GET", f"/nodes/pve2/lxc/{container}/config")
    missing = f"Configuration file 'nodes/pve2/lxc/{container}.conf' does not exist"
    assert (answer.status_code, answer.reason) == (500, missing)


def test_what_concerns_vms_does_not_touch_containers(pve: Client, container: int) -> None:
    missing = f"Configuration file 'nodes/pve1/qemu-server/{container}.conf' does not exist"
    for method, path in (("GET", "config"), ("PUT", "config"), ("DELETE", "")):
        settings = {"name": "mine"} if method == "PUT" else {}
        answer = pve.send(method, f"{NODE}/qemu/{container}/{path}", **settings)
        assert (answer.status_code, answer.reason) == (500, missing)
    assert pve.send("POST", f"{NODE}/lxc", vmid=101, ostemplate="x").status_code == 501


def test_the_id_of_a_container_is_taken(pve: Client, root: Client, container: int) -> None:
    assert pve("GET", "/cluster/nextid") == "101"
    answer = pve.send("GET", "/cluster/nextid", vmid=container)
    assert answer.json()["errors"] == {"vmid": f"VM {container} already exists"}
    answer = pve.send("POST", f"{NODE}/qemu", vmid=container)
    taken = f"CT {container} already exists on node 'pve1'"
    assert answer.reason == f"unable to create VM {container} - {taken}"
    create(root, 10000)
    answer = root.send("POST", f"{NODE}/qemu/10000/clone", newid=container)
    assert (answer.status_code, answer.reason) == (500, taken)


def test_a_container_belongs_to_a_pool_and_takes_memory_and_space(
    root: Client, control: Control, container: int
) -> None:
    root("POST", "/pools", poolid="infra")
    root("PUT", "/pools", poolid="infra", vms=container)
    (pool,) = root("GET", "/pools", poolid="infra")
    assert [member["id"] for member in pool["members"]] == ["lxc/100"]
    rows = by(root("GET", "/cluster/resources", type="vm"), "vmid")
    assert rows[container]["pool"] == "infra"
    before = root("GET", f"{NODE}/status")["memory"]["used"]
    control.outside("change-vm", container, status="running")
    assert root("GET", f"{NODE}/status")["memory"]["used"] - before == 2**30
    (volume,) = root("GET", f"{NODE}/storage/local-zfs/content", vmid=container)
    assert (volume["content"], volume["size"]) == ("rootdir", 8 * 2**30)


def test_a_container_without_a_backup_job_is_said_to_have_none(pve: Client, container: int) -> None:
    path = "/cluster/backup-info/not-backed-up"
    assert pve("GET", path) == [{"vmid": container, "type": "lxc", "name": "dns"}]
    pve("POST", "/cluster/backup", id="all", schedule="02:00", storage="pbs-dc", all=1)
    assert pve("GET", path) == []


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    described = layout()
    described["clusters"]["dc"]["containers"] = [
        {"vmid": 200, "node": "pve2", "name": "dns", "memory": "2 GiB", "cores": 4}
    ]
    with running_lab(tmp_path_factory.mktemp("peopled") / "lab", described) as lab:
        yield lab


def test_a_layout_may_have_containers_that_run(peopled: RunningLab) -> None:
    (row,) = Client(peopled)("GET", "/cluster/resources", type="vm")
    assert (row["id"], row["node"], row["name"]) == ("lxc/200", "pve2", "dns")
    assert (row["status"], row["maxmem"], row["maxcpu"]) == ("running", 2 * 2**30, 4)
    assert peopled.control.call("GET", "/status")["clusters"]["dc"]["containers"] == 1


# -- a node ----------------------------------------------------------------------------------------


def test_network_changes_wait_until_they_are_applied(root: Client) -> None:
    root("POST", f"{NODE}/network", iface="vmbr5", type="bridge", cidr="192.168.5.1/24")
    again = root.send("POST", f"{NODE}/network", iface="vmbr5", type="bridge")
    assert again.json()["errors"] == {"iface": "interface already exists"}
    planned = root("GET", f"{NODE}/network/vmbr5")
    assert (planned["method"], planned["address"]) == ("static", "192.168.5.1")
    assert "active" not in planned
    root("DELETE", f"{NODE}/network")
    gone = root.send("GET", f"{NODE}/network/vmbr5")
    assert gone.json()["errors"] == {"iface": "interface does not exist"}
    root("POST", f"{NODE}/network", iface="vmbr6", type="bridge")
    assert root.task("PUT", f"{NODE}/network") == "OK"
    assert root("GET", f"{NODE}/network/vmbr6")["active"] == 1
    root("DELETE", f"{NODE}/network/vmbr6")
    assert root.task("PUT", f"{NODE}/network") == "OK"
    names = by(root("GET", f"{NODE}/network", type="any_bridge"), "iface")
    assert set(names) == {"vmbr0"}


def test_metrics_are_the_figures_of_the_resources(root: Client, container: int) -> None:
    rows = root("GET", "/cluster/metrics/export")["data"]
    found = {(row["id"], row["metric"]): row["value"] for row in rows}
    assert found["lxc/100", "mem_total"] == 2**30
    assert found["node/pve1", "cpu_max"] == 16
    assert {row["type"] for row in rows if row["metric"] == "net_in"} == {"derive"}
    assert {row["timestamp"] for row in rows} == {int(root.lab.control.now())}


def test_charts_have_points_up_to_now_and_figures_since_the_beginning(
    root: Client, control: Control
) -> None:
    create(root, 10000)
    control.advance(600)
    rows = root("GET", f"{NODE}/qemu/10000/rrddata", timeframe="hour")
    assert len(rows) == 60
    assert 0 <= control.now() - rows[-1]["time"] < 60
    assert {after["time"] - row["time"] for row, after in pairwise(rows)} == {60}
    assert "maxmem" not in rows[0]
    assert "maxmem" in rows[-1]
    assert root("GET", f"{NODE}/rrddata", timeframe="day")[-1]["maxcpu"] == 16
    stored = root("GET", f"{NODE}/storage/local-zfs/rrddata", timeframe="hour")
    assert stored[-1]["total"] == 2**40


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("services", "service"), ("apt/versions", "Package"), ("disks/list", "devpath"),
        ("capabilities/qemu/cpu", "name"), ("capabilities/qemu/machines", "id"),
        ("certificates/info", "fingerprint"),
    ],
)  # fmt: skip
def test_a_node_answers_as_a_plain_machine(root: Client, path: str, key: str) -> None:
    rows = root("GET", f"{NODE}/{path}")
    assert rows
    assert len(by(rows, key)) == len(rows)


def test_a_cpu_model_of_ones_own_is_offered_by_the_nodes(root: Client) -> None:
    path = "/cluster/qemu/custom-cpu-models"
    model = {"cputype": "custom-plain", "reported-model": "EPYC", "flags": "+aes"}
    root("POST", path, **model)
    (row,) = root("GET", path)
    assert {key: row[key] for key in model} == model
    offered = by(root("GET", f"{NODE}/capabilities/qemu/cpu"), "name")
    assert (offered["custom-plain"]["custom"], offered["EPYC"]["custom"]) == (1, 0)
    assert offered["custom-plain"]["vendor"] == offered["EPYC"]["vendor"]
    root("DELETE", f"{path}/custom-plain")
    assert root("GET", path) == []


# -- tasks -----------------------------------------------------------------------------------------


def test_task_lists_tell_what_runs_from_what_has_ended(pve: Client) -> None:
    create(pve, 10000)
    upid = pve("POST", f"{NODE}/qemu/10000/status/start")
    lists = {
        source: [row["upid"] for row in pve("GET", f"{NODE}/tasks", source=source)]
        for source in ("active", "archive", "all")
    }
    assert lists["active"] == [upid]
    assert upid not in lists["archive"]
    assert lists["all"] == [upid, *lists["archive"]]
    running = by(pve("GET", "/cluster/tasks"), "upid")[upid]
    assert "status" not in running
    assert pve.finish(upid) == "OK"
    assert pve("GET", f"{NODE}/tasks", source="active") == []
    assert by(pve("GET", "/cluster/tasks"), "upid")[upid]["status"] == "OK"


def test_task_lists_are_filtered_and_paged(pve: Client) -> None:
    create(pve, 10000)
    create(pve, 10001)
    assert pve.task("POST", f"{NODE}/qemu/10000/status/start") == "OK"
    assert pve.task("POST", f"{NODE}/qemu/10000/status/start") == "VM 10000 already running"

    def listed(**filters: object) -> list[tuple[str, str]]:
        return [(row["type"], row["id"]) for row in pve("GET", f"{NODE}/tasks", **filters)]

    every = listed()
    assert listed(errors=1) == listed(statusfilter="error") == [("qmstart", "10000")]
    assert listed(typefilter="qmcreate") == [("qmcreate", "10001"), ("qmcreate", "10000")]
    assert listed(vmid=10001) == [("qmcreate", "10001")]
    assert listed(userfilter="nobody") == []
    assert listed(since=int(pve.lab.control.now()) + 1) == []
    assert listed(until=int(pve.lab.control.now()) - 3600) == []
    assert listed(start=1, limit=2) == every[1:3]
    answer = pve.send("GET", f"{NODE}/tasks", limit=1)
    assert (len(answer.json()["data"]), answer.json()["total"]) == (1, len(every))


def test_a_stopped_task_ends_with_the_interrupt_it_received(pve: Client) -> None:
    create(pve, 10000)
    upid = pve("POST", f"{NODE}/qemu/10000/status/start")
    pve("DELETE", f"{NODE}/tasks/{upid}")
    assert pve.finish(upid) == "received interrupt"
    assert pve("GET", f"{NODE}/qemu/10000/status/current")["status"] == "stopped"
    answer = pve.send("GET", f"/nodes/pve2/tasks/{upid}/status")
    assert answer.json()["errors"] == {"upid": "no such task"}


def test_state_is_kept_over_a_stop_with_all_that_was_changed(tmp_path: Path) -> None:
    where = tmp_path / "lab"
    with running_lab(where) as lab:
        lab.control.outside("create-container", 100, node="pve1")
        before = lab.control.state()
    with running_lab(where) as lab:
        assert lab.control.state() == before
