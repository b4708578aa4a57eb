"""Nodes that are cut off, and run on: what their watchdogs do, and what may run twice."""

from __future__ import annotations

from typing import Any

from bench.lab_year import Cluster

MANAGED, OTHER, UNMANAGED = 10000, 10001, 10003  # on pve1, pve2, pve1


def cut_off() -> tuple[Cluster, float]:
    """A cluster whose first node, the master's, has just lost its network; and when."""
    cluster = Cluster(seed=7)
    cluster.people(4)
    for vmid in (MANAGED, OTHER):
        cluster.ask("POST", "/cluster/ha/resources", sid=f"vm:{vmid}", state="started")
    rule = {"resources": f"vm:{MANAGED}", "nodes": "pve1,pve2", "strict": 1}
    cluster.ask("POST", "/cluster/ha/rules", rule="copies", type="node-affinity", **rule)
    cluster.lab.clock.advance(4000)  # both have copies elsewhere
    cluster.strike("partition", node="pve1")
    cluster.here = "pve2"
    return cluster, cluster.lab.clock.now()


def running(cluster: Cluster) -> dict[int, str]:
    vms = cluster.world.cluster.vms.values()
    return {vm.vmid: vm.node for vm in vms if vm.status == "running"}


def one(cluster: Cluster, kind: str) -> dict[str, Any]:
    (event,) = cluster.told(kind)
    return event


def test_its_watchdog_resets_it_before_another_node_has_what_ha_ran_there() -> None:
    cluster, cut = cut_off()
    cluster.lab.clock.advance(50)
    assert running(cluster)[MANAGED] == "pve1"
    rows = cluster.ask("GET", "/cluster/status")
    assert {row["name"]: row["online"] for row in rows if row["type"] == "node"}["pve1"] == 0

    cluster.lab.clock.advance(600)
    reset, recovered = one(cluster, "ha-watchdog"), one(cluster, "vm-recovered")
    assert 50 < reset["at"] - cut < 75
    assert recovered["at"] > reset["at"] + 50
    assert running(cluster) == {MANAGED: "pve2", OTHER: "pve2", 10002: "pve3"}
    assert cluster.told("double-run") == []

    cluster.strike("partition-end", node="pve1")
    cluster.lab.clock.advance(60)
    assert cluster.ask("GET", f"/nodes/pve1/qemu/{UNMANAGED}/status/current")["status"] == "stopped"
    assert running(cluster)[MANAGED] == "pve2"


def test_a_node_that_is_back_before_its_watchdog_loses_nothing() -> None:
    cluster, _ = cut_off()
    cluster.lab.clock.advance(40)
    cluster.strike("partition-end", node="pve1")
    cluster.lab.clock.advance(600)
    assert cluster.told("ha-watchdog", "ha-fence", "vm-lost", "vm-recovered") == []
    assert running(cluster)[MANAGED] == "pve1"
    assert cluster.ask("GET", f"/nodes/pve1/qemu/{MANAGED}/status/current")["status"] == "running"


def test_what_ha_does_not_know_runs_on_and_twice_if_somebody_takes_it() -> None:
    """Where no service of HA's runs, no watchdog ends it."""
    cluster = Cluster(seed=7)
    cluster.people(4)
    cluster.lab.clock.advance(4000)
    cluster.strike("partition", node="pve1")
    cluster.here = "pve2"
    cluster.lab.clock.advance(600)
    assert running(cluster)[MANAGED] == "pve1"
    cluster.strike("outside-change", action="move-vm", vmid=MANAGED, node="pve2")
    assert cluster.told("double-run") == []
    cluster.ask("POST", f"/nodes/pve2/qemu/{MANAGED}/status/start")
    cluster.lab.clock.advance(10)
    twice = one(cluster, "double-run")
    assert (twice["vmid"], twice["nodes"]) == (MANAGED, ["pve1", "pve2"])
    assert running(cluster)[UNMANAGED] == "pve1"
