"""Rules of HA, and the groups of 8 that an upgrade turns into them: in one process, for speed."""

from __future__ import annotations

from bench.lab_year import Cluster

FIRST, SECOND, THIRD = "vm:10000", "vm:10001", "vm:10002"  # on pve1, pve2, pve3


def managed(version: str = "9.2", vms: int = 3) -> Cluster:
    cluster = Cluster(seed=7, version=version)
    for number, sid in enumerate((FIRST, SECOND, THIRD)[:vms]):
        node = f"/nodes/pve{number + 1}/qemu"
        cluster.ask("POST", node, vmid=10000 + number, scsi0="local-zfs:8", memory=2048)
        cluster.ask("POST", "/cluster/ha/resources", sid=sid, state="started")
    cluster.lab.clock.advance(60)
    return cluster


def test_an_upgraded_cluster_turns_its_groups_into_rules_once_all_its_nodes_are_there() -> None:
    cluster = managed("8.4", vms=2)
    group = {"group": "two", "nodes": "pve1:2,pve2", "restricted": 1, "nofailback": 1}
    cluster.ask("POST", "/cluster/ha/groups", **group)
    cluster.ask("POST", "/cluster/ha/groups", group="nobody", nodes="pve3")
    cluster.ask("PUT", f"/cluster/ha/resources/{FIRST}", group="two")
    cluster.strike("node-down", node="pve3")
    cluster.strike("upgrade")
    cluster.lab.clock.advance(600)

    assert cluster.ask("GET", "/version")["release"] == "9.2"
    assert {one["group"] for one in cluster.ask("GET", "/cluster/ha/groups")} == {"two", "nobody"}
    rule = {"rule": "own", "type": "node-affinity", "nodes": "pve1", "resources": SECOND}
    assert cluster.reply("POST", "/cluster/ha/rules", **rule).status == 500
    (stays,) = cluster.told("ha-groups-stay")
    assert stays["reason"] == "node 'pve3' is not online"

    cluster.strike("node-up", node="pve3")
    cluster.lab.clock.advance(180)
    (made,) = cluster.ask("GET", "/cluster/ha/rules")
    assert (made["rule"], made["type"]) == ("ha-group-two", "node-affinity")
    assert (made["nodes"], made["strict"], made["resources"]) == ("pve1:2,pve2", 1, FIRST)
    resource = cluster.ask("GET", f"/cluster/ha/resources/{FIRST}")
    assert (resource["failback"], "group" in resource) == (0, False)
    gone = cluster.reply("GET", "/cluster/ha/groups")
    assert gone.reason == "cannot index groups: ha groups have been migrated to rules"
    cluster.ask("POST", "/cluster/ha/rules", **rule)


def test_a_move_tells_who_comes_along_and_who_is_in_the_way() -> None:
    cluster = managed()
    rules = {
        "together": ("positive", f"{FIRST},{SECOND}"),
        "apart": ("negative", f"{FIRST},{THIRD}"),
    }
    for name, (affinity, resources) in rules.items():
        how = {"type": "resource-affinity", "affinity": affinity, "resources": resources}
        cluster.ask("POST", "/cluster/ha/rules", rule=name, **how)
    cluster.lab.clock.advance(120)
    home = {sid: cluster.world.cluster.ha.services[sid].node for sid in (FIRST, SECOND, THIRD)}
    assert home[FIRST] == home[SECOND] != home[THIRD]

    path = f"/cluster/ha/resources/{FIRST}/migrate"
    (other,) = {"pve1", "pve2", "pve3"} - set(home.values())
    refused = cluster.ask("POST", path, node=home[THIRD])
    assert refused["blocking-resources"] == [{"sid": THIRD, "cause": "resource-affinity"}]
    assert cluster.ask("POST", path, node=other)["comigrated-resources"] == [SECOND]
    cluster.lab.clock.advance(120)
    services = cluster.world.cluster.ha.services
    assert {sid: services[sid].node for sid in home} == home | {FIRST: other, SECOND: other}
