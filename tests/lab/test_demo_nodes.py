"""Each node of the demo's site is killed in turn: what a real cluster would make of it."""

from __future__ import annotations

import pytest

from bench.lab_year import Cluster
from cloudpemda.lab.layout import read

MANAGED, PLAIN = 10000, 10100  # and the node's place: under HA with a copy next door; alone


def furnished(name: str) -> tuple[Cluster, list[str]]:
    layout = read(None)
    virtual = layout.clock.model_copy(update={"rate": "auto"})
    cluster = Cluster(7, layout=layout.model_copy(update={"clock": virtual}), name=name)
    nodes = sorted(cluster.world.cluster.nodes)
    for place, node in enumerate(nodes):
        beside = nodes[(place + 1) % len(nodes)]
        for vmid in (MANAGED + place, PLAIN + place):
            disk = {"scsi0": "local-zfs:8", "boot": "order=scsi0", "onboot": 1}
            cluster.ask("POST", f"/nodes/{node}/qemu", vmid=vmid, memory=2048, **disk)
            cluster.lab.clock.advance(2)
            cluster.ask("POST", f"/nodes/{node}/qemu/{vmid}/status/start")
        sid = f"vm:{MANAGED + place}"
        cluster.ask("POST", "/cluster/replication", id=f"{sid[3:]}-0", type="local", target=beside)
        cluster.ask("POST", "/cluster/ha/resources", sid=sid, state="started")
        rule = {"type": "node-affinity", "nodes": f"{node},{beside}", "resources": sid, "strict": 1}
        cluster.ask("POST", "/cluster/ha/rules", rule=f"copies-{place}", **rule)
    cluster.lab.clock.advance(1800)
    return cluster, nodes


def running(cluster: Cluster) -> dict[int, str]:
    vms = cluster.world.cluster.vms.values()
    return {vm.vmid: vm.node for vm in vms if vm.status == "running"}


def seen(cluster: Cluster) -> tuple[int, dict[str, int], dict[str, str]]:
    """Quorum, who is online, and what the HA manager takes the nodes for."""
    rows = cluster.ask("GET", "/cluster/status")
    online = {row["name"]: row["online"] for row in rows if row["type"] == "node"}
    (head,) = [row for row in rows if row["type"] == "cluster"]
    manager = cluster.ask("GET", "/cluster/ha/status/manager_status")["manager_status"]
    return head["quorate"], online, manager["node_status"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_the_data_centre_any_node_may_die(place: int) -> None:
    cluster, nodes = furnished("dc")
    dead, beside = nodes[place], nodes[(place + 1) % 3]
    before = running(cluster)
    assert before == {vmid + at: node for at, node in enumerate(nodes) for vmid in (MANAGED, PLAIN)}
    cluster.strike("node-down", node=dead)
    cluster.here = beside
    cluster.lab.clock.advance(600)

    alive = {vmid: node for vmid, node in before.items() if node != dead}
    assert running(cluster) == alive | {MANAGED + place: beside}
    quorate, online, taken_for = seen(cluster)
    assert (quorate, online[dead], taken_for[dead]) == (1, 0, "unknown")
    assert [event["node"] for event in cluster.told("ha-fence")] == [dead]
    assert {event["vmid"] for event in cluster.told("vm-lost")} == {MANAGED + place, PLAIN + place}

    cluster.strike("node-up", node=dead)
    cluster.lab.clock.advance(300)
    assert running(cluster) == before | {MANAGED + place: beside}
    assert seen(cluster)[2] == dict.fromkeys(nodes, "online")


@pytest.mark.parametrize("place", [0, 1])
def test_of_the_recovery_centre_no_node_may_die_for_two_have_no_majority_of_one(place: int) -> None:
    """What is left has no quorum: its watchdog resets it, and nothing is recovered or started."""
    cluster, nodes = furnished("drc")
    dead, left = nodes[place], nodes[1 - place]
    before = running(cluster)
    cluster.strike("node-down", node=dead)
    cluster.here = left
    cluster.lab.clock.advance(600)

    assert running(cluster) == {}
    assert seen(cluster)[:2] == (0, {dead: 0, left: 1})
    assert [event["node"] for event in cluster.told("ha-watchdog")] == [left]
    assert cluster.told("ha-fence", "vm-recovered") == []
    plain = PLAIN + 1 - place
    refused = cluster.reply("POST", f"/nodes/{left}/qemu/{plain}/status/start")
    assert refused.reason == "cluster not ready - no quorum?"

    cluster.strike("node-up", node=dead)
    cluster.lab.clock.advance(300)
    # What was to start with the node that is left, has waited for quorum a minute and no longer.
    assert running(cluster) == {vmid: node for vmid, node in before.items() if vmid != plain}
    assert seen(cluster)[::2] == (1, dict.fromkeys(nodes, "online"))
