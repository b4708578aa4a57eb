"""Emptying a node for maintenance: who goes where, who cannot go and why, and what N+1 is then.

A running VM goes where PVE moves it alive: within HA's strict affinity, and where it is replicated
only to a replica. A disk that no replica holds is copied to the storage of the same id. Templates
stay: they never run, and their clones are made on other nodes meanwhile.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from cloudpemda.cluster import ClusterState, Disk, NodeStatus, Vm, VmStatus
from cloudpemda.placement.model import NPlusOne, PlacementPolicy
from cloudpemda.placement.room import Room
from cloudpemda.placement.survival import Free, Resident, Survival, Verdict, evacuate
from cloudpemda.units import MiB


class Hindrance(StrEnum):
    """Why a VM cannot leave its node."""

    LOCKED = "locked"  # PVE is at work on it: a backup, a snapshot, another migration
    UNREAD = "unread"  # its configuration could not be read
    NOT_ALLOWED = "not-allowed"  # HA's affinity or its replicas allow no other node that is there
    STORAGE = "storage"  # no allowed node has its storages, or room on them
    ROOM = "room"  # the allowed nodes have no room beside the others that move
    APART = "apart"  # each allowed node has another member of its keep-apart group


@dataclass(frozen=True)
class Move:
    vmid: int
    name: str
    target: str
    memory: MiB
    running: bool
    ha: bool  # the HA manager moves it, when it is asked to
    copies: tuple[str, ...]  # slots of disks that are copied, since no replica is there


@dataclass(frozen=True)
class Hindered:
    vmid: int
    name: str
    why: Hindrance


@dataclass(frozen=True)
class Evacuation:
    """What emptying a node would mean. `foreign` are guests that are nobody's to move here."""

    node: str
    moves: tuple[Move, ...]  # the smallest first: a way that fails is known early
    hindered: tuple[Hindered, ...]
    foreign: tuple[int, ...]
    templates: tuple[int, ...]
    n_plus_one: NPlusOne  # of what is left, the node being away

    @property
    def possible(self) -> bool:
        """Whether everything that is ours can leave."""
        return not self.hindered


def evacuation(
    state: ClusterState, node: str, policy: PlacementPolicy, own: Collection[int]
) -> Evacuation:
    """How `node` would be emptied of the VMs in `own`, of which `state` has the configurations.

    Raises KeyError for a node that the cluster has not.
    """
    here = [vm for vm in state.vms.values() if vm.node == state.nodes[node].name]
    room = Room(state, policy, ())
    keys = {promise.vmid: promise.key for promise in policy.promised}
    residents = {one.key: one for one in room.residents if one.home == node}
    search = _Search(state, node, room, policy)
    movers: dict[str, tuple[Vm, Resident]] = {}
    hindered = []
    for vm in sorted(here, key=lambda one: (one.memory, one.vmid)):
        if vm.template or vm.vmid not in own:
            continue
        key = keys.get(vm.vmid, f"vm:{vm.vmid}")
        allowed = search.allowed(vm, residents[key])
        if isinstance(allowed, Hindrance):
            hindered.append(Hindered(vm.vmid, vm.name, allowed))
        else:
            movers[key] = (vm, replace(residents[key], refuges=allowed))
    ways, left_out = search.ways({key: mover for key, (_, mover) in movers.items()})
    moves = []
    for key, (vm, _) in movers.items():
        if key in ways and search.copy(vm, ways[key]):
            moves.append(search.move(vm, ways[key]))
        else:
            why = left_out.get(key, Hindrance.STORAGE)
            hindered.append(Hindered(vm.vmid, vm.name, why))
    return Evacuation(
        node=node,
        moves=tuple(moves),
        hindered=tuple(sorted(hindered, key=lambda one: one.vmid)),
        foreign=tuple(sorted(vm.vmid for vm in here if not vm.template and vm.vmid not in own)),
        templates=tuple(sorted(vm.vmid for vm in here if vm.template)),
        n_plus_one=n_plus_one(_moved(state, node, moves), policy),
    )


class _Search:
    """The ways out of one node."""

    def __init__(self, state: ClusterState, node: str, room: Room, policy: PlacementPolicy) -> None:
        self._state = state
        self._node = node
        self._room = room
        self._online = frozenset(
            one.name
            for one in state.nodes.values()
            if one.status is NodeStatus.ONLINE
            and one.name != node
            and one.name not in policy.excluded
        )
        self._copied: dict[tuple[str, str], int] = {}  # (target, storage) → MiB of the copies

    def allowed(self, vm: Vm, resident: Resident) -> frozenset[str] | Hindrance:
        """The nodes that may take the VM, whatever their room."""
        if vm.lock is not None:
            return Hindrance.LOCKED
        if vm.config is None:
            return Hindrance.UNREAD
        refuges = resident.refuges
        allowed = self._online if refuges is None else self._online & refuges
        if not allowed:
            return Hindrance.NOT_ALLOWED
        able = frozenset(node for node in allowed if self._can_hold(vm, node))
        return able or Hindrance.STORAGE

    def ways(
        self, movers: Mapping[str, Resident]
    ) -> tuple[Mapping[str, str], Mapping[str, Hindrance]]:
        """Mover → node, for as many as find room together; why the others do not."""
        free = {node: self._room.free[node] for node in sorted(self._online)}
        apart = {
            node: frozenset[str]().union(
                *(one.apart for one in self._room.residents if one.home == node)
            )
            for node in free
        }
        verdict, plan = evacuate(tuple(movers.values()), dict(free), dict(apart))
        if verdict is Verdict.HOLDS:
            return plan, {}
        kept: dict[str, Resident] = {}
        left_out: dict[str, Hindrance] = {}
        plan = {}
        for key, mover in movers.items():
            verdict, tried = evacuate([*kept.values(), mover], dict(free), dict(apart))
            if verdict is Verdict.HOLDS:
                kept[key], plan = mover, tried
            else:
                left_out[key] = _why(mover, free, apart)
        return plan, left_out

    def copy(self, vm: Vm, target: str) -> bool:
        """Take the room that its copies need there; False where those before it took it."""
        wanted = dict(self._copied)
        for disk in self._to_copy(vm, target):
            place = (target, disk.storage)
            wanted[place] = wanted.get(place, 0) + disk.size
            if wanted[place] > self._room.disk_left(*place):
                return False
        self._copied = wanted
        return True

    def move(self, vm: Vm, target: str) -> Move:
        resource = self._state.ha_resources.get(f"vm:{vm.vmid}")
        return Move(
            vmid=vm.vmid,
            name=vm.name,
            target=target,
            memory=vm.memory,
            running=vm.status is not VmStatus.STOPPED,
            ha=resource is not None and resource.requested != "ignored",
            copies=tuple(disk.slot for disk in self._to_copy(vm, target)),
        )

    def _can_hold(self, vm: Vm, target: str) -> bool:
        config = vm.config
        if config is None or any(not self._room.sees(d.storage, target) for d in config.disks):
            return False
        needed: dict[str, int] = {}
        for disk in self._to_copy(vm, target):
            needed[disk.storage] = needed.get(disk.storage, 0) + disk.size
        return all(
            size <= self._room.disk_left(target, storage) for storage, size in needed.items()
        )

    def _to_copy(self, vm: Vm, target: str) -> Iterator[Disk]:
        """The disks that a move to `target` would have to copy."""
        replicated = any(
            job.vmid == vm.vmid and job.target == target and not job.removing
            for job in self._state.replication_jobs
        )
        for disk in vm.config.disks if vm.config is not None else ():
            has_replica = replicated and disk.replicate
            if not has_replica and not self._room.is_shared(disk.storage, self._node):
                yield disk


def _why(
    mover: Resident, free: Mapping[str, Free], apart: Mapping[str, frozenset[str]]
) -> Hindrance:
    nodes = free if mover.refuges is None else mover.refuges
    if mover.apart and all(mover.apart & apart.get(node, frozenset()) for node in nodes):
        return Hindrance.APART
    return Hindrance.ROOM


def _moved(state: ClusterState, node: str, moves: Collection[Move]) -> ClusterState:
    """The cluster with the moves made and the node away; replications are turned round."""
    targets = {move.vmid: move.target for move in moves}
    return replace(
        state,
        nodes={**state.nodes, node: replace(state.nodes[node], status=NodeStatus.MAINTENANCE)},
        vms={
            vmid: replace(vm, node=targets[vmid]) if vmid in targets else vm
            for vmid, vm in state.vms.items()
        },
        replication_jobs=tuple(
            replace(job, target=node) if targets.get(job.vmid) == job.target else job
            for job in state.replication_jobs
        ),
    )


def n_plus_one(state: ClusterState, policy: PlacementPolicy) -> NPlusOne:
    """What the loss of each node that is online would mean for what lives there now."""
    room = Room(state, policy, ())
    online = [one.name for one in state.nodes.values() if one.status is NodeStatus.ONLINE]
    return Survival(room.free, online, room.residents).result()
