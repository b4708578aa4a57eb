"""Whatever is asked: a placement breaks no rule, and a refusal is right where all can be tried."""

from dataclasses import replace
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.cluster import (
    ClusterState,
    HaResource,
    HaRule,
    Node,
    NodeStatus,
    ReplicationJob,
    Vm,
    VmStatus,
)
from cloudpemda.placement import (
    DiskDemand,
    Placed,
    Placement,
    PlacementPolicy,
    Promise,
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


def lived_in(state: ClusterState, vms: list[VmDemand], placement: Placement) -> ClusterState:
    """The cluster once the VMs are made there and protected, as PVE would show it."""
    numbered = list(enumerate(vms, 500))
    used: dict[str, int] = {}
    for vm in vms:
        place = placement.of(vm.key)
        for node in (place.node, *place.targets):
            used[node] = used.get(node, 0) + sum(disk.size for disk in vm.disks)
    at = {vmid: placement.of(vm.key) for vmid, vm in numbered}
    managed = {
        vmid: place for (vmid, vm), place in zip(numbered, at.values(), strict=True) if vm.ha
    }
    return replace(
        state,
        vms={
            vmid: Vm(
                vmid, at[vmid].node, vm.key, VmStatus.RUNNING, vm.cores, vm.memory,
                template=False, tags=frozenset(), pool=None, lock=None,
            )
            for vmid, vm in numbered
        },
        storages=tuple(
            replace(storage, used=MiB(used.get(storage.node, 0))) for storage in state.storages
        ),
        ha_resources={
            f"vm:{vmid}": HaResource(f"vm:{vmid}", "started", "started", place.node)
            for vmid, place in managed.items()
        },
        ha_rules=tuple(
            HaRule(
                f"na-{vmid}", "node-affinity", frozenset({f"vm:{vmid}"}),
                dict.fromkeys((place.node, *place.targets), 0), True, None, True,
            )
            for vmid, place in managed.items()
        ),
        replication_jobs=tuple(
            ReplicationJob(f"{vmid}-0", vmid, target, "*/15", True, False)
            for vmid, place in at.items()
            for target in place.targets
        ),
    )  # fmt: skip


def promised(vms: list[VmDemand], placement: Placement) -> tuple[Promise, ...]:
    """The same VMs while the ledger alone knows them."""
    return tuple(
        Promise(
            vm.key, vmid, place.node, vm.cores, vm.memory, vm.disks, place.targets, vm.ha, vm.apart
        )
        for vmid, vm in enumerate(vms, 500)
        for place in [placement.of(vm.key)]
    )


@given(demands, demands, states, st.sampled_from(["seen", "promised", "both"]))
@settings(max_examples=300, deadline=None)
def test_what_is_placed_in_two_goes_breaks_no_rule_together(
    first: list[VmDemand], second: list[VmDemand], state: ClusterState, known: str
) -> None:
    """Whether the first ones are seen in the cluster, or promised only, or both."""
    before = place(first, state, POLICY)
    if not isinstance(before, Placement):
        return
    second = [replace(vm, key=f"late-{vm.key}", apart="h" if vm.apart else None) for vm in second]
    policy = POLICY
    now = state
    if known in {"seen", "both"}:
        now = lived_in(state, first, before)
    if known in {"promised", "both"}:
        policy = replace(POLICY, promised=promised(first, before))
    after = place(second, now, policy)
    if isinstance(after, Placement):
        assert broken([*first, *second], (*before.vms, *after.vms), state) is None


@given(demands, states)
@settings(max_examples=60, deadline=None)
def test_a_member_whose_only_copy_lies_with_another_is_listed(
    vms: list[VmDemand], state: ClusterState
) -> None:
    """After the loss of its node, HA would bring it to where it must not be, or nowhere."""
    outcome = place(vms, state, POLICY)
    if not isinstance(outcome, Placement):
        return
    listed = {one.key for one in outcome.n_plus_one.exposed}
    homes = {(vm.apart, outcome.of(vm.key).node): vm.key for vm in vms if vm.apart}
    for vm in vms:
        if vm.ha and vm.apart and vm.replicas:
            targets = outcome.of(vm.key).targets
            if all((vm.apart, target) in homes for target in targets):
                assert vm.key in listed


@given(st.integers(3, 6), st.data())
@settings(max_examples=20, deadline=None)
def test_where_a_node_is_left_over_no_copy_lies_with_another_member(
    count: int, data: st.DataObject
) -> None:
    members = data.draw(st.integers(2, count - 1))
    names = [f"pve{number}" for number in range(1, count + 1)]
    sizes = data.draw(st.lists(st.integers(64, 256), min_size=count, max_size=count))
    small = cluster("three-nodes-empty")
    storage = replace(small.storage_at["pve1", "local-zfs"], total=gib(4000))
    state = replace(
        small,
        nodes={
            name: Node(name, NodeStatus.ONLINE, Cores(64), gib(size), MiB(0))
            for name, size in zip(names, sizes, strict=True)
        },
        storages=tuple(replace(storage, node=name) for name in names),
        images=dict.fromkeys(small.images, frozenset(names)),
    )
    vms = [
        demand(f"vm-{n}", disks=(DiskDemand("local-zfs", gib(10)),), ha=True, replicas=1, apart="g")
        for n in range(members)
    ]
    outcome = place(vms, state, POLICY)
    assert isinstance(outcome, Placement)
    homes = [one.node for one in outcome.vms]
    assert len(set(homes)) == members
    assert not {target for one in outcome.vms for target in one.targets} & set(homes)
    assert outcome.n_plus_one.exposed == ()
