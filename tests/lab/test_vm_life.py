"""What a VM goes through: clones, templates, states kept, power, the agent, moves, the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.labs import Control

from .conftest import Client
from .test_main_sequence import create

VM = "/nodes/pve1/qemu/10000"
THERE = "/nodes/pve2/qemu/10000"


def finished(root: Client, method: str, path: str, **params: Any) -> tuple[str, str]:
    """A task's end, and the last line of its log before that."""
    upid = root(method, path, **params)
    status = root.finish(upid)
    log = root("GET", f"/nodes/{upid.split(':')[1]}/tasks/{upid}/log", limit=500)
    return status, log[-2]["t"] if len(log) > 1 else ""


def migrate(root: Client, **params: Any) -> tuple[str, str]:
    return finished(root, "POST", f"{VM}/migrate", **{"target": "pve2", **params})


def volumes(root: Client, node: str, storage: str = "local-zfs") -> list[str]:
    content = root("GET", f"/nodes/{node}/storage/{storage}/content")
    return sorted(volume["volid"] for volume in content)


# -- copies ----------------------------------------------------------------------------------------


def test_a_running_source_is_cloned_by_one_at_a_time(root: Client) -> None:
    create(root)
    assert root.task("POST", f"{VM}/status/start") == "OK"
    first = root("POST", f"{VM}/clone", newid=10001, full=1)
    second = root.send("POST", f"{VM}/clone", newid=10002, full=1)
    lock = "/var/lock/qemu-server/lock-10000.conf"
    assert second.reason == f"can't lock file '{lock}' - got timeout"
    assert root.finish(first) == "OK"


def test_a_clone_of_a_kept_state_has_its_settings(root: Client) -> None:
    create(root)
    assert root.task("POST", f"{VM}/snapshot", snapname="before") == "OK"
    root("PUT", f"{VM}/config", memory=4096)
    assert root.task("POST", f"{VM}/clone", newid=10001, full=1, snapname="before") == "OK"
    assert root("GET", "/nodes/pve1/qemu/10001/config")["memory"] == "2048"
    unknown = root.send("POST", f"{VM}/clone", newid=10002, full=1, snapname="after")
    assert unknown.reason == "snapshot 'after' does not exist"


def test_a_linked_clone_keeps_its_template_and_stays_on_its_node(root: Client) -> None:
    create(root)
    assert root.task("POST", f"{VM}/template") == "OK"
    assert root.task("POST", f"{VM}/clone", newid=10001) == "OK"
    disk = root("GET", "/nodes/pve1/qemu/10001/config")["scsi0"].split(",")[0]
    assert disk == "local-zfs:base-10000-disk-0/vm-10001-disk-0"
    gone = root.task("DELETE", VM)
    assert gone == "base volume 'local-zfs:base-10000-disk-0' is still in use by linked cloned"
    status, line = finished(root, "POST", "/nodes/pve1/qemu/10001/migrate", target="pve2")
    assert status == "migration aborted"
    assert line.endswith(f"can't migrate '{disk}' as it's a clone of 'base-10000-disk-0'")
    status, line = migrate(root)
    assert status == "migration aborted"
    assert line.endswith("scanning volumes - can't migrate VM - check log")
    assert "lock" not in root("GET", "/nodes/pve1/qemu/10001/config")


# -- states to go back to --------------------------------------------------------------------------


def test_zfs_goes_back_to_its_newest_state_alone(root: Client) -> None:
    create(root)
    for name in ("one", "two"):
        assert root.task("POST", f"{VM}/snapshot", snapname=name) == "OK"
    refused = root.task("POST", f"{VM}/snapshot/one/rollback")
    wanted = "'one' is not most recent snapshot on 'local-zfs:vm-10000-disk-0'"
    assert refused == f"can't rollback, {wanted}"
    assert root.task("POST", f"{VM}/snapshot/two/rollback") == "OK"
    config = root("GET", f"{VM}/config")
    assert config["parent"] == "two"
    assert "lock" not in config


@pytest.mark.parametrize("memory", [0, 1])
def test_a_state_with_memory_runs_again(root: Client, memory: int) -> None:
    create(root)
    assert root.task("POST", f"{VM}/status/start") == "OK"
    assert root.task("POST", f"{VM}/snapshot", snapname="alive", vmstate=memory) == "OK"
    assert root("GET", f"{VM}/snapshot")[0]["vmstate"] == memory
    state = "local-zfs:vm-10000-state-alive"
    assert (state in volumes(root, "pve1")) == bool(memory)
    assert root.task("POST", f"{VM}/snapshot/alive/rollback") == "OK"
    running = "running" if memory else "stopped"
    assert root("GET", f"{VM}/status/current")["status"] == running
    assert root.task("DELETE", f"{VM}/snapshot/alive") == "OK"
    assert state not in volumes(root, "pve1")


# -- power and the guest ---------------------------------------------------------------------------


def test_a_paused_vm_is_not_shut_down(root: Client) -> None:
    create(root)
    assert root.task("POST", f"{VM}/status/start") == "OK"
    assert root.task("POST", f"{VM}/status/suspend") == "OK"
    refused = root.send("POST", f"{VM}/status/shutdown")
    assert refused.reason == "VM is paused - cannot shutdown"
    assert root.task("POST", f"{VM}/status/resume") == "OK"
    assert root.task("POST", f"{VM}/status/shutdown") == "OK"


def test_a_vm_without_its_disk_does_not_start(root: Client) -> None:
    create(root)
    disk = "/nodes/pve1/storage/local-zfs/content/local-zfs:vm-10000-disk-0"
    assert root.task("DELETE", disk) == "OK"
    failed = root.task("POST", f"{VM}/status/start")
    assert failed == "volume 'local-zfs:vm-10000-disk-0' does not exist"


def test_starting_all_takes_those_that_start_with_the_node(root: Client) -> None:
    create(root, onboot=1)
    create(root, 10001)
    assert root.task("POST", "/nodes/pve1/startall") == "OK"
    status = {row["vmid"]: row["status"] for row in root("GET", "/nodes/pve1/qemu")}
    assert status == {10000: "running", 10001: "stopped"}
    assert root.task("POST", "/nodes/pve1/startall", force=1) == "OK"
    assert {row["status"] for row in root("GET", "/nodes/pve1/qemu")} == {"running"}


def test_the_agent_answers_when_the_guest_is_up(root: Client, control: Control) -> None:
    create(root)
    create(root, 10001, scsi0="local-zfs:1", agent="0")
    ping = f"{VM}/agent/ping"
    assert root.send("POST", ping).reason == "VM 10000 is not running"
    assert root.task("POST", f"{VM}/status/start") == "OK"
    assert root.send("POST", ping).reason == "QEMU guest agent is not running"
    control.wait(10)
    assert root("POST", ping) == {"result": {}}
    assert root("GET", f"{VM}/agent/get-host-name") == {"result": {"host-name": "vm10000"}}
    refused = root.send("POST", f"{VM}/agent/exec", command="id")
    assert refused.reason == "Agent error: Command guest-exec has been disabled"
    root("PUT", "/nodes/pve1/qemu/10001/config", delete="agent")
    none = root.send("POST", "/nodes/pve1/qemu/10001/agent/ping")
    assert none.reason == "No QEMU guest agent configured"


def test_the_monitor_tells_and_needs_more_to_change(root: Client) -> None:
    create(root)
    command = f"{VM}/monitor"
    assert root("POST", command, command="info status") == "ERROR: VM 10000 not running\n"
    assert root.task("POST", f"{VM}/status/start") == "OK"
    assert root("POST", command, command="info status") == "VM status: running\r\n"
    assert root("POST", command, command="nosuch") == "unknown command: 'nosuch'\r\n"


# -- moves -----------------------------------------------------------------------------------------


def test_a_stopped_vm_takes_its_local_disks_along(root: Client) -> None:
    create(root)
    before = volumes(root, "pve1")
    assert migrate(root)[0] == "OK"
    assert volumes(root, "pve1") == []
    assert volumes(root, "pve2") == before
    config = root("GET", f"{THERE}/config")
    assert config["scsi0"] == "local-zfs:vm-10000-disk-0,size=2G"
    assert "lock" not in config
    assert root.send("GET", f"{VM}/config").status_code == 500


def test_a_running_vm_moves_alive_when_all_is_said(root: Client) -> None:
    create(root)
    assert root.task("POST", f"{VM}/status/start") == "OK"
    refused = root.send("POST", f"{VM}/migrate", target="pve2")
    assert refused.reason == "can't migrate running VM without --online"
    status, line = migrate(root, online=1)
    assert status == "migration aborted"
    assert line.endswith("can't live migrate attached local disks without with-local-disks option")
    assert migrate(root, online=1, **{"with-local-disks": 1})[0] == "OK"
    assert root("GET", f"{THERE}/status/current")["status"] == "running"
    assert root.task("POST", f"{THERE}/status/stop") == "OK"


def test_a_node_is_emptied_of_what_can_go(root: Client, control: Control) -> None:
    create(root)
    create(root, 10001)
    assert root.task("POST", "/nodes/pve1/qemu/10001/status/start") == "OK"
    root("PUT", "/nodes/pve1/qemu/10001/config", lock="backup")
    away = "/nodes/pve1/migrateall"
    untold = "either 'max-workers' parameter or max_workers in datacenter.cfg must be set!"
    assert root.send("POST", away, target="pve2").reason == untold
    assert root.task("POST", away, target="pve2", maxworkers=2) == "WARNINGS: 1"
    control.wait(5)
    assert [row["vmid"] for row in root("GET", "/nodes/pve2/qemu")] == [10000]
    assert [row["vmid"] for row in root("GET", "/nodes/pve1/qemu")] == [10001]


def test_disks_go_to_the_storage_that_is_named(root: Client) -> None:
    create(root)
    assert migrate(root, targetstorage="tank-hdd")[0] == "OK"
    config = root("GET", f"{THERE}/config")
    assert config["scsi0"] == "tank-hdd:vm-10000-disk-0,size=2G"
    assert volumes(root, "pve1") == volumes(root, "pve2") == []
    assert "tank-hdd:vm-10000-disk-0" in volumes(root, "pve2", "tank-hdd")
    assert root.task("POST", f"{THERE}/status/start") == "OK"


def test_a_node_without_the_storage_is_no_target(root: Client) -> None:
    create(root)
    root("PUT", "/storage/local-zfs", nodes="pve1,pve3")
    found = root("GET", f"{VM}/migrate")
    assert found["allowed_nodes"] == ["pve3"]
    missing = {"unavailable_storages": ["local-zfs"]}
    assert found["not_allowed_nodes"] == {"pve2": missing, "pve3": {}}
    refused = root.send("POST", f"{VM}/migrate", target="pve2")
    assert refused.reason == "storage 'local-zfs' is not available on node 'pve2'"


def test_a_full_target_leaves_the_vm_where_it_was(root: Client, control: Control) -> None:
    create(root)
    control.arm({"at": "1s", "do": "storage-full", "storage": "local-zfs", "node": "pve2"})
    control.wait(2)
    before = volumes(root, "pve1")
    status, line = migrate(root)
    assert (status, "out of space" in line) == ("migration aborted", True)
    assert volumes(root, "pve1") == before
    assert volumes(root, "pve2") == []
    assert "lock" not in root("GET", f"{VM}/config")


def test_a_device_of_the_node_holds_the_vm(root: Client) -> None:
    create(root)
    root("PUT", f"{VM}/config", serial0="socket")
    assert root("GET", f"{VM}/migrate")["local_resources"] == []
    root("PUT", f"{VM}/config", serial1="/dev/ttyS0")
    assert root("GET", f"{VM}/migrate")["local_resources"] == ["serial1"]
    status, line = migrate(root)
    assert status == "migration aborted"
    assert line.endswith("can't migrate VM which uses local devices: serial1")
    assert migrate(root, force=1)[0] == "OK"


def test_replication_says_where_a_vm_may_go(root: Client, control: Control) -> None:
    create(root)
    root("POST", "/cluster/replication", id="10000-0", type="local", target="pve3")
    control.advance(120)
    assert root.task("POST", f"{VM}/status/start") == "OK"
    refused = root.send("POST", f"{VM}/migrate", target="pve2", online=1)
    text = "Cannot live-migrate replicated VM to node 'pve2' - not a replication target."
    assert refused.reason == f"{text} Use 'force' to override."
    assert root.task("POST", f"{VM}/status/stop") == "OK"
    root("DELETE", "/cluster/replication/10000-0")
    status, line = migrate(root, target="pve3")
    assert status == "migration aborted"
    assert line.endswith("replicated VM whose replication job is marked for removal")


def test_a_move_that_loses_its_node_stays_locked_and_half_done(
    root: Client, control: Control
) -> None:
    create(root)
    before = volumes(root, "pve1")
    upid = root("POST", f"{VM}/migrate", target="pve2")
    control.node("pve1", "down")
    control.node("pve1", "up")
    assert root.finish(upid) == "unexpected status"
    assert root("GET", f"{VM}/config")["lock"] == "migrate"
    assert volumes(root, "pve1") == volumes(root, "pve2") == before


def test_a_vm_that_left_ha_at_once_runs_on(root: Client, control: Control) -> None:
    """A stop is only asked for; nobody is left to do it once the resource is gone."""
    create(root)
    root("POST", "/cluster/ha/resources", sid="vm:10000", state="started")
    control.wait(60)
    assert root("GET", f"{VM}/status/current")["status"] == "running"
    root("PUT", "/cluster/ha/resources/vm:10000", state="stopped")
    root("DELETE", "/cluster/ha/resources/vm:10000")
    control.wait(60)
    refused = root.send("POST", f"{VM}/migrate", target="pve2")
    assert refused.reason == "can't migrate running VM without --online"
    missing = "Configuration file 'nodes/pve2/qemu-server/10000.conf' does not exist"
    assert root.send("GET", f"{THERE}/config").reason == missing


def test_ha_that_ignores_a_vm_has_no_say_in_it(root: Client) -> None:
    create(root)
    root("POST", "/cluster/ha/resources", sid="vm:10000", state="ignored")
    assert root("POST", f"{VM}/status/start").split(":")[5] == "qmstart"


def test_going_back_keeps_what_belongs_to_the_present(root: Client) -> None:
    """The description stays as it is now, and no disk is lost: what was not there is unused."""
    path = "/nodes/pve1/qemu/100"
    root.task("POST", "/nodes/pve1/qemu", vmid=100, scsi0="local-zfs:1", description="before")
    assert root.task("POST", f"{path}/snapshot", snapname="first") == "OK"
    assert "description" not in root("GET", f"{path}/snapshot/first/config")
    root("PUT", f"{path}/config", description="after", scsi1="local-zfs:1", cores=4)
    root("PUT", f"{path}/config", delete="scsi0")
    assert root.task("POST", f"{path}/snapshot/first/rollback") == "OK"
    config = root("GET", f"{path}/config")
    assert config["description"] == "after"
    assert config["scsi0"].startswith("local-zfs:vm-100-disk-0")
    assert [config[key] for key in config if key.startswith("unused")] == [
        "local-zfs:vm-100-disk-1"
    ]
    assert "cores" not in config
    assert "scsi1" not in config
