"""Emptying a node: who can goes where they may, and who cannot is named with the cause."""

from collections.abc import Callable
from dataclasses import replace

from cloudpemda.cluster import ClusterState, Disk, NodeStatus, Vm, VmConfig
from cloudpemda.placement import Evacuation, Hindrance, PlacementPolicy, evacuation
from cloudpemda.units import MiB
from tests.clusters.load import cluster
from tests.placement.values import POLICY, gib


def _with_disks(state: ClusterState, change: Callable[[Vm], Vm] = lambda vm: vm) -> ClusterState:
    """Every VM with one disk of 20 GiB on local-zfs."""
    return replace(state, vms={vmid: change(_configured(vm)) for vmid, vm in state.vms.items()})


def _configured(vm: Vm) -> Vm:
    disk = Disk("scsi0", "local-zfs", f"local-zfs:vm-{vm.vmid}-disk-0", gib(20))
    config = VmConfig(
        "d", vm.name, vm.cores, vm.memory, (disk,), (), frozenset(), "", False, False, {}
    )
    return replace(vm, config=config)


def _emptied(
    state: ClusterState, node: str, policy: PlacementPolicy = POLICY, own: set[int] | None = None
) -> Evacuation:
    return evacuation(state, node, policy, state.vms.keys() if own is None else own)


def _vm(state: ClusterState, vmid: int, node: str, memory: MiB) -> ClusterState:
    like = next(iter(cluster("one-in-maintenance-one-full-one-tight").vms.values()))
    vm = _configured(replace(like, vmid=vmid, name=f"vm-{vmid}", node=node, memory=memory))
    return replace(state, vms={**state.vms, vmid: vm})


def test_a_replicated_vm_goes_to_its_replica_and_copies_nothing() -> None:
    state = _with_disks(cluster("one-in-maintenance-one-full-one-tight"))
    found = _emptied(state, "pve2")
    targets = {move.vmid: (move.target, move.copies) for move in found.moves}
    assert targets[200] == ("pve1", ())
    assert targets.get(201, ("pve1", ("scsi0",))) == ("pve1", ("scsi0",))


def test_who_has_no_room_is_named_and_the_others_still_go() -> None:
    state = _with_disks(cluster("one-in-maintenance-one-full-one-tight"))
    state = _vm(state, 202, "pve2", gib(30))
    found = _emptied(state, "pve2")
    why = {one.vmid: one.why for one in found.hindered}
    assert set(why.values()) == {Hindrance.ROOM}
    assert {move.vmid for move in found.moves} | set(why) == {200, 201, 202}
    moved = sum(move.memory for move in found.moves)
    assert moved <= gib(64) - POLICY.reserve


def test_what_is_not_ours_is_listed_and_never_moved() -> None:
    state = _with_disks(cluster("one-in-maintenance-one-full-one-tight"))
    found = _emptied(state, "pve2", own={200})
    assert (found.foreign, [move.vmid for move in found.moves]) == ((201,), [200])


def test_a_vm_that_pve_works_on_or_that_was_not_read_stays() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    locked = _with_disks(state, lambda vm: replace(vm, lock="backup"))
    assert {one.why for one in _emptied(locked, "pve2").hindered} == {Hindrance.LOCKED}
    assert {one.why for one in _emptied(state, "pve2").hindered} == {Hindrance.UNREAD}


def test_a_vm_bound_to_a_node_that_is_away_cannot_leave() -> None:
    state = _with_disks(cluster("one-in-maintenance-one-full-one-tight"))
    away = replace(state.nodes["pve1"], status=NodeStatus.OFFLINE)
    found = _emptied(replace(state, nodes={**state.nodes, "pve1": away}), "pve2")
    assert {one.vmid: one.why for one in found.hindered}[200] is Hindrance.NOT_ALLOWED


def test_nodes_kept_empty_take_nothing() -> None:
    state = _vm(_with_disks(cluster("three-nodes-empty")), 300, "pve1", gib(4))
    assert [move.target for move in _emptied(state, "pve1").moves] in (["pve2"], ["pve3"])
    kept = replace(POLICY, excluded=frozenset({"pve2"}))
    assert [move.target for move in _emptied(state, "pve1", kept).moves] == ["pve3"]
    none = replace(POLICY, excluded=frozenset({"pve2", "pve3"}))
    assert [one.why for one in _emptied(state, "pve1", none).hindered] == [Hindrance.NOT_ALLOWED]


def test_copies_of_several_vms_share_what_a_storage_has_left() -> None:
    state = cluster("three-nodes-empty")
    for vmid in (300, 301, 302):
        state = _vm(state, vmid, "pve1", gib(4))
    small = tuple(
        replace(one, used=MiB(one.total - gib(25))) if one.node != "pve1" else one
        for one in state.storages
    )
    found = _emptied(replace(state, storages=small), "pve1")
    placed = [move.target for move in found.moves]
    assert len(placed) == len(set(placed))
    assert [one.why for one in found.hindered] == [Hindrance.STORAGE] * (3 - len(placed))
    assert placed


def test_n_plus_one_is_that_of_the_others() -> None:
    state = _with_disks(cluster("one-in-maintenance-one-full-one-tight"))
    found = _emptied(state, "pve2")
    assert [loss.node for loss in found.n_plus_one.losses] == ["pve1"]
