"""What becomes of services when nodes go: fenced, recovered, moved, and what is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.lab_year import Cluster
from cloudpemda.lab.nodes import set_node
from tests.lab.conftest import Client
from tests.labs import Control

IMAGE = "nfs:import/debian-12.qcow2"
REPLICATED, ALONE, UNMANAGED = 10000, 10001, 10002


def create(root: Client, vmid: int, node: str) -> None:
    drives = {"scsi0": f"local-zfs:0,import-from={IMAGE}", "ide2": "local-zfs:cloudinit"}
    made = root.task("POST", f"/nodes/{node}/qemu", vmid=vmid, boot="order=scsi0", **drives)
    assert made == "OK"


def manage(root: Client, vmid: int) -> None:
    root("POST", "/cluster/ha/resources", sid=f"vm:{vmid}", state="started")


def services(root: Client) -> dict[int, tuple[str, str]]:
    rows = root("GET", "/cluster/ha/status/current")
    found = [row for row in rows if row["type"] == "service"]
    return {int(row["sid"].partition(":")[2]): (row["node"], row["state"]) for row in found}


def running(control: Control) -> dict[int, str]:
    return {vmid: vm["node"] for vmid, vm in control.vms().items() if vm["status"] == "running"}


def told(control: Control, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in control.events() if event["what"] in kinds]


def furnish(root: Client, control: Control) -> None:
    """One VM with a copy on pve2 and a rule that says so, one with neither, one without HA."""
    for vmid, node in ((REPLICATED, "pve1"), (ALONE, "pve2"), (UNMANAGED, "pve3")):
        create(root, vmid, node)
    root.task("POST", f"/nodes/pve3/qemu/{UNMANAGED}/status/start")
    manage(root, REPLICATED)
    manage(root, ALONE)
    root("POST", "/cluster/replication", id=f"{REPLICATED}-0", type="local", target="pve2")
    root("POST", "/cluster/ha/rules", rule="where-its-disks-are", type="node-affinity",
         resources=f"vm:{REPLICATED}", nodes="pve1,pve2", strict=1)  # fmt: skip
    control.advance(3600)
    assert running(control) == {REPLICATED: "pve1", ALONE: "pve2", UNMANAGED: "pve3"}


@pytest.fixture
def three(root: Client, control: Control) -> Client:
    furnish(root, control)
    return root


def test_a_node_that_dies_is_fenced_and_its_vm_goes_to_its_copy(
    three: Client, control: Control
) -> None:
    """The master died with it: until its lock is two minutes old nobody does anything."""
    control.node("pve1", "down")
    three = Client(three.lab, "pve2")
    control.advance(115)
    assert services(three)[REPLICATED] == ("pve1", "started")
    assert told(control, "ha-fence") == []
    control.advance(120)
    assert services(three) == {REPLICATED: ("pve2", "started"), ALONE: ("pve2", "started")}
    assert running(control) == {REPLICATED: "pve2", ALONE: "pve2", UNMANAGED: "pve3"}
    (recovered,) = told(control, "vm-recovered")
    (lost,) = told(control, "vm-lost")
    assert 0 < lost["at"] - recovered["recovery_points"]["scsi0"] < 15 * 60 + 10
    control.node("pve1", "up")
    control.advance(120)
    assert services(three)[REPLICATED] == ("pve2", "started")


def test_a_vm_without_a_copy_ends_in_error_where_it_was_recovered_to(
    three: Client, control: Control
) -> None:
    control.node("pve2", "down")
    control.advance(600)
    node, state = services(three)[ALONE]
    assert (node in ("pve1", "pve3"), state) == (True, "error")
    assert running(control) == {REPLICATED: "pve1", UNMANAGED: "pve3"}
    failures = three("GET", f"/nodes/{node}/tasks", vmid=ALONE, typefilter="qmstart")
    assert failures
    assert all("does not exist" in failure["status"] for failure in failures)
    three("PUT", f"/cluster/ha/resources/vm:{ALONE}", state="disabled")
    control.advance(30)
    assert services(three)[ALONE] == (node, "disabled")


def test_a_node_without_services_is_not_fenced(three: Client, control: Control) -> None:
    control.node("pve3", "down")
    control.advance(600)
    assert running(control) == {REPLICATED: "pve1", ALONE: "pve2"}
    assert told(control, "ha-fence", "vm-recovered") == []
    states = three("GET", "/cluster/ha/status/manager_status")["manager_status"]["node_status"]
    assert states == {"pve1": "online", "pve2": "online", "pve3": "unknown"}


def test_a_node_that_loses_quorum_is_reset_before_another_may_have_its_services(
    three: Client, control: Control
) -> None:
    """Two of three are gone: the third one's watchdog does not wait for anybody."""
    control.wait(65 - control.now() % 60)  # just when the local managers have their turn
    control.node("pve2", "down")
    control.node("pve3", "down")
    control.advance(50)
    assert running(control) == {REPLICATED: "pve1"}
    control.advance(30)
    assert running(control) == {}
    assert [event["node"] for event in told(control, "ha-watchdog")] == ["pve1"]
    control.node("pve2", "up")
    control.advance(300)
    assert running(control) == {REPLICATED: "pve1", ALONE: "pve2"}
    assert told(control, "vm-recovered") == []


def test_maintenance_empties_a_node_and_gives_it_its_services_back(
    three: Client, control: Control
) -> None:
    control.node("pve1", "maintenance")
    control.advance(60)
    assert running(control)[REPLICATED] == "pve2"
    control.node("pve1", "maintenance-end")
    control.advance(60)
    assert running(control)[REPLICATED] == "pve1"


@pytest.mark.parametrize(("policy", "moves"), [("migrate", ["pve2", "pve1"]), ("conditional", [])])
def test_an_ordered_reboot_does_what_the_policy_says(
    three: Client, control: Control, policy: str, moves: list[str]
) -> None:
    """Moved away and back, or frozen until the node is there again: never fenced."""
    three("PUT", "/cluster/options", ha=f"shutdown_policy={policy}")
    control.node("pve1", "reboot")
    control.advance(300)
    assert running(control) == {REPLICATED: "pve1", ALONE: "pve2", UNMANAGED: "pve3"}
    assert [event["target"] for event in told(control, "vm-moved")] == moves
    assert told(control, "ha-fence") == []


def test_many_short_steps_of_the_clock_and_one_long_one_see_the_same(
    pve: Client, control: Control
) -> None:
    """Turns in which nothing can change are not played, and yet nothing is late."""
    seen = []
    for steps in (1, 60):
        control.reset()
        furnish(pve, control)
        control.wait(60 - control.now() % 60)
        begun = control.now()
        control.node("pve2", "down")
        for _ in range(steps):
            control.advance(600 / steps)
        control.node("pve2", "up")
        control.advance(60)
        kinds = ("ha-node", "ha-crm", "ha-lrm", "ha-fence", "ha-service", "ha-start-failed")
        events = [event for event in told(control, *kinds) if event["at"] >= begun]
        seen.append([{**event, "at": event["at"] - begun} for event in events])
    assert len(seen[0]) > 10
    assert seen[0] == seen[1]


@pytest.mark.parametrize(("node", "least", "most"), [("pve1", 180, 200), ("pve2", 120, 130)])
def test_at_whatever_second_a_node_dies_its_vms_are_elsewhere_in_time(
    node: str, least: int, most: int
) -> None:
    """Two minutes for its lock; with the master (on pve1) gone too, three."""
    for second in range(10):
        cluster = Cluster(seed=7)
        cluster.people(2)
        for vmid in (10000, 10001):
            cluster.ask("POST", "/cluster/ha/resources", sid=f"vm:{vmid}", state="started")
        clock = cluster.lab.clock
        clock.advance(610 + second - clock.now() % 10)
        died = clock.now()
        set_node(cluster.world, node, online=False)
        for seconds in (110, 4, 60, 9, 400):
            clock.advance(seconds)
            cluster.world.stir()  # who looks in between makes no difference
        events = map(json.loads, cluster.lab.events.lines())
        (after,) = [one["at"] - died for one in events if one["what"] == "vm-recovered"]
        assert least <= after <= most, second
