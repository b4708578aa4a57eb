"""Whatever is asked: a placement breaks no rule, and a refusal is right where all can be tried."""

from dataclasses import replace
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.cluster import ClusterState, Node, NodeStatus
from cloudpemda.placement import (
    DiskDemand,
    Placed,
    Placement,
    PlacementPolicy,
    Score,
    VmDemand,
    place,
)
from cloudpemda.units import Cores, MiB
from tests.clusters.load import cluster
from tests.placement.values import demand, gib

POLICY = PlacementPolicy(overcommit=1, reserve=gib(2))
NODES = ("pve1", "pve2", "pve3")

states = st.builds(
    lambda sizes, down: replace(
        cluster("three-nodes-empty"),
        nodes={
            name: Node(
                name,
                NodeStatus.OFFLINE if name == down else NodeStatus.ONLINE,
                Cores(cores),
                gib(memory),
                MiB(0),
            )
            for name, (cores, memory) in zip(NODES, sizes, strict=True)
        },
        storages=tuple(
            replace(storage, total=gib(60)) for storage in cluster("three-nodes-empty").storages
        ),
    ),
    st.lists(st.tuples(st.integers(4, 12), st.integers(8, 20)), min_size=3, max_size=3),
    st.sampled_from([None, None, None, "pve2"]),
)
demands = st.lists(
    st.builds(
        lambda cores, memory, disk, ha, group: demand(
            "",
            cores=Cores(cores),
            memory=gib(memory),
            disks=(DiskDemand("local-zfs", gib(disk)),),
            ha=ha,
            replicas=1 if ha else 0,
            apart=group,
        ),
        st.integers(1, 4),
        st.integers(1, 6),
        st.integers(5, 30),
        st.booleans(),
        st.sampled_from([None, None, "g"]),
    ),
    min_size=1,
    max_size=4,
).map(lambda found: [replace(vm, key=f"vm-{n}") for n, vm in enumerate(found)])


def broken(vms: list[VmDemand], placed: tuple[Placed, ...], state: ClusterState) -> str | None:
    """A rule that a placement breaks, checked from scratch and by trying everything."""
    at = {place.key: place for place in placed}
    for node in state.nodes.values():
        here = [vm for vm in vms if at[vm.key].node == node.name]
        replicas = [vm for vm in vms if node.name in at[vm.key].targets]
        room = state.storage_at[node.name, "local-zfs"].total
        groups = [vm.apart for vm in here if vm.apart]
        rules = {
            "status": node.status is NodeStatus.ONLINE or not (here or replicas),
            "size": _fits(here, node),
            "disk": sum(d.size for vm in (*here, *replicas) for d in vm.disks) <= room,
            "apart": len(groups) == len(set(groups)),
        }
        for rule, kept in rules.items():
            if not kept:
                return f"{rule} on {node.name}"
    for vm in vms:
        if len(set(at[vm.key].targets) - {at[vm.key].node}) != vm.replicas:
            return "targets"
    return None if all(_survives(vms, at, state, lost) for lost in state.nodes) else "n+1"


def _survives(vms: list[VmDemand], at: dict[str, Placed], state: ClusterState, lost: str) -> bool:
    if state.nodes[lost].status is not NodeStatus.ONLINE:
        return True
    movers = [vm for vm in vms if vm.ha and at[vm.key].node == lost]
    staying = [vm for vm in vms if at[vm.key].node != lost]
    for way in product(*(at[vm.key].targets for vm in movers)):
        new_homes = dict(zip((vm.key for vm in movers), way, strict=True))
        if all(
            _fits(
                [vm for vm in staying if at[vm.key].node == node.name]
                + [vm for vm in movers if new_homes[vm.key] == node.name],
                node,
            )
            for node in state.nodes.values()
        ):
            return True
    return False


def _fits(here: list[VmDemand], node: Node) -> bool:
    memory = sum(vm.memory for vm in here)
    cores = sum(vm.cores for vm in here)
    return cores <= node.cores and (not here or memory <= node.memory - POLICY.reserve)


@given(demands, states)
@settings(max_examples=300, deadline=None)
def test_a_placement_breaks_no_rule(vms: list[VmDemand], state: ClusterState) -> None:
    """N+1 is tried in full here, and without keep-apart: room is kept for exposed members too."""
    outcome = place(vms, state, POLICY)
    if isinstance(outcome, Placement):
        assert [vm.key for vm in outcome.vms] == [vm.key for vm in vms]
        assert broken(vms, outcome.vms, state) is None


@given(demands, states)
@settings(max_examples=150, deadline=None)
def test_a_refusal_is_right(vms: list[VmDemand], state: ClusterState) -> None:
    """Without keep-apart every way can be tried: none breaks no rule."""
    vms = [replace(vm, apart=None) for vm in vms[:3]]
    if isinstance(place(vms, state, POLICY), Placement):
        return
    places = [
        [
            Placed(vm.key, node, targets, Score(0, 0, 0))
            for node in NODES
            for targets in combinations([n for n in NODES if n != node], vm.replicas)
        ]
        for vm in vms
    ]
    assert all(broken(vms, way, state) is not None for way in product(*places))
