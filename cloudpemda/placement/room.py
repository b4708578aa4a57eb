"""How much room each node and storage has left, while a set is being placed.

Room is what the state shows less what is promised. VMs count with their configured size whether
they run or not: a stopped VM may be started by its owner at any moment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloudpemda.cluster import ClusterState, HaFlavour, NodeStatus, Storage, Vm
from cloudpemda.placement.model import (
    DiskDemand,
    PlacementPolicy,
    Promise,
    Reason,
    Rejection,
    VmDemand,
)
from cloudpemda.placement.survival import Free, Resident
from cloudpemda.units import MiB

_NOT_ONLINE: Mapping[NodeStatus, Reason] = {
    NodeStatus.UNKNOWN: Reason.UNKNOWN,
    NodeStatus.OFFLINE: Reason.OFFLINE,
    NodeStatus.MAINTENANCE: Reason.MAINTENANCE,
}
# HA manager's requested states in which a resource is not recovered elsewhere
_NOT_RECOVERED = frozenset({"ignored", "disabled"})

StorageKey = tuple[str, str]  # node ("" for a shared one), storage id


@dataclass(frozen=True)
class Size:
    """Cores and MiB of a node."""

    cores: float
    memory: int


class Room:
    """What is left, changed by `take` and `give`; what cannot change is answered from the state."""

    def __init__(
        self, state: ClusterState, policy: PlacementPolicy, demands: Iterable[VmDemand]
    ) -> None:
        self.state = state
        self._policy = policy
        asked = {demand.key: demand for demand in demands}
        here = {d.existing.vmid: d for d in asked.values() if d.existing is not None}
        promises = [p for p in policy.promised if p.key not in asked and p.vmid not in here]
        self.capacity = {
            node.name: Size(node.cores * policy.overcommit, node.memory - policy.reserve)
            for node in state.nodes.values()
        }
        self.free: dict[str, Free] = {
            name: (size.cores, size.memory) for name, size in sorted(self.capacity.items())
        }
        self._disk: dict[StorageKey, int] = {}
        for storage in state.storages:
            self._disk[_storage_key(storage)] = storage.total - storage.used
        self.residents = tuple(_residents(state, promises, frozenset(here)))
        for resident in self.residents:
            self.take_node(resident.home, resident.cores, resident.memory)
        for promise in promises:
            if promise.vmid not in state.vms:
                for node in (promise.node, *promise.targets):
                    self._take_disks(node, promise.disks, replicas_only=node != promise.node)

    def blocked(self, node: str) -> Reason | None:
        """Why the node takes nothing new at all."""
        if not self.state.quorate:
            return Reason.NO_QUORUM
        status = self.state.nodes[node].status
        if status is not NodeStatus.ONLINE:
            return _NOT_ONLINE[status]
        return Reason.EXCLUDED if node in self._policy.excluded else None

    def lacks(self, demand: VmDemand, node: str) -> Rejection | None:
        """What a node that is not blocked lacks for the VM itself (not for its replicas)."""
        if any(not self.sees(disk.storage, node) for disk in demand.disks):
            return Rejection(node, Reason.STORAGE)
        if not self._has_image(demand, node):
            return Rejection(node, Reason.IMAGE)
        cores, memory = self.free[node]
        if demand.cores > cores:
            return Rejection(node, Reason.CPU, demand.cores, max(int(cores), 0))
        if demand.memory > memory:
            return Rejection(node, Reason.MEMORY, demand.memory, max(memory, 0))
        return self.short_disk(node, demand.disks)

    def short_disk(self, node: str, disks: Iterable[DiskDemand]) -> Rejection | None:
        """The first storage of the node that is too small for the disks together."""
        needed: dict[StorageKey, int] = {}
        for disk in disks:
            key = self._key(node, disk.storage)
            needed[key] = needed.get(key, 0) + disk.size
        for key, size in needed.items():
            left = self._disk.get(key, 0)
            if size > left:
                return Rejection(node, Reason.DISK, size, max(left, 0))
        return None

    def sees(self, storage: str, node: str) -> bool:
        """Whether VM disks can lie on the storage there."""
        found = self.state.storage_at.get((node, storage))
        return found is not None and found.active and "images" in found.content

    def is_shared(self, storage: str, node: str) -> bool:
        found = self.state.storage_at.get((node, storage))
        return found is not None and found.shared

    def replicas(self, demand: VmDemand, node: str) -> tuple[DiskDemand, ...]:
        """The disks of a VM on `node` of which replicas are made: pvesr passes shared ones by."""
        return tuple(
            disk
            for disk in demand.disks
            if disk.replicate and not self.is_shared(disk.storage, node)
        )

    def can_replicate(self, demand: VmDemand, node: str) -> bool:
        """Whether the node can hold the VM's disks as source or target: zfs for each replica, on
        the same storage id, and every other disk's storage in sight."""
        return all(
            self.sees(disk.storage, node) for disk in demand.disks if disk.replicate
        ) and all(
            self.state.storage_at[node, disk.storage].replicable
            for disk in self.replicas(demand, node)
        )

    def disk_left(self, node: str, storage: str) -> int:
        return self._disk.get(self._key(node, storage), 0)

    def take_node(self, node: str, cores: float, memory: int) -> None:
        """Take cores and memory; negative figures give back. Unknown nodes have nothing to take."""
        if node in self.free:
            free_cores, free_memory = self.free[node]
            self.free[node] = (free_cores - cores, free_memory - memory)

    def take(self, demand: VmDemand, node: str, targets: Iterable[str]) -> None:
        self.take_node(node, demand.cores, demand.memory)
        self._take_disks(node, demand.disks, replicas_only=False)
        for target in targets:
            self._take_disks(target, demand.disks, replicas_only=True)

    def give(self, demand: VmDemand, node: str, targets: Iterable[str]) -> None:
        """Undo `take`."""
        self.take_node(node, -demand.cores, -demand.memory)
        self._take_disks(node, demand.disks, replicas_only=False, sign=-1)
        for target in targets:
            self._take_disks(target, demand.disks, replicas_only=True, sign=-1)

    def take_disks(self, node: str, disks: Iterable[DiskDemand], *, replicas_only: bool) -> None:
        self._take_disks(node, disks, replicas_only=replicas_only)

    def growth(self, demand: VmDemand) -> tuple[DiskDemand, ...]:
        """What an existing VM's disks are to grow by, per storage; its present size is in `used`.

        Without its configuration in the state the disks count as they are.
        """
        vm = self._vm_of(demand)
        if vm is None or vm.config is None:
            return ()
        present: dict[str, int] = {}
        for disk in vm.config.disks:
            present[disk.storage] = present.get(disk.storage, 0) + disk.size
        wanted: dict[str, int] = {}
        for wish in demand.disks:
            wanted[wish.storage] = wanted.get(wish.storage, 0) + wish.size
        return tuple(
            DiskDemand(storage, MiB(size - present.get(storage, 0)))
            for storage, size in wanted.items()
            if size > present.get(storage, 0)
        )

    def grows(self, demand: VmDemand) -> tuple[int, int]:
        """By how many cores and MiB an existing VM is to grow; (0, 0) where it shrinks."""
        vm = self._vm_of(demand)
        if vm is None:
            return demand.cores, demand.memory
        if vm.memory == 0:  # created seconds ago: PVE shows no sizes yet
            return 0, 0
        return max(demand.cores - vm.cores, 0), max(demand.memory - vm.memory, 0)

    def _vm_of(self, demand: VmDemand) -> Vm | None:
        return None if demand.existing is None else self.state.vms.get(demand.existing.vmid)

    def _has_image(self, demand: VmDemand, node: str) -> bool:
        image = demand.image
        if image.import_volume is not None:
            return node in self.state.images.get(image.import_volume, frozenset())
        template = self.state.vms.get(image.templates.get(node, -1))
        return template is not None and template.template and template.node == node

    def _key(self, node: str, storage: str) -> StorageKey:
        return ("", storage) if self.is_shared(storage, node) else (node, storage)

    def _take_disks(
        self, node: str, disks: Iterable[DiskDemand], *, replicas_only: bool, sign: int = 1
    ) -> None:
        for disk in disks:
            if replicas_only and (not disk.replicate or self.is_shared(disk.storage, node)):
                continue
            key = self._key(node, disk.storage)
            if key in self._disk:
                self._disk[key] -= sign * disk.size


def _storage_key(storage: Storage) -> StorageKey:
    return ("" if storage.shared else storage.node, storage.name)


def _residents(
    state: ClusterState, promises: Iterable[Promise], leave_out: frozenset[int]
) -> Iterator[Resident]:
    """Everybody who lives there or is promised to, but for the demands' own VMs.

    Templates never run and count for nothing but the disk they use.
    """
    by_vmid = {promise.vmid: promise for promise in promises}
    bonds = _Bonds(state)
    for vm in state.vms.values():
        if vm.template or vm.vmid in leave_out:
            continue
        promise = by_vmid.get(vm.vmid)
        yield Resident(
            key=f"vm:{vm.vmid}" if promise is None else promise.key,
            home=vm.node,
            cores=max(vm.cores, 0 if promise is None else promise.cores),
            memory=max(vm.memory, 0 if promise is None else promise.memory),
            ha=bonds.recovered(vm) or (promise is not None and promise.ha),
            refuges=bonds.refuges(vm, promise),
            apart=bonds.apart(vm) | _group(promise),
        )
    for promise in by_vmid.values():
        if promise.vmid not in state.vms:
            yield Resident(
                key=promise.key,
                home=promise.node,
                cores=promise.cores,
                memory=promise.memory,
                ha=promise.ha,
                refuges=_promised_refuges(promise),
                apart=_group(promise),
            )


class _Bonds:
    """What HA and replication say of each VM of one state, looked up once for all."""

    def __init__(self, state: ClusterState) -> None:
        self._resources = state.ha_resources
        self._groups: dict[str, frozenset[str]] = {}  # 8: restricted group → nodes
        self._strict: dict[str, list[frozenset[str]]] = {}  # 9: sid → nodes of its strict rules
        self._apart: dict[str, set[str]] = {}  # 9: sid → names of the rules that keep it apart
        for rule in state.ha_rules:
            if not rule.enabled:
                continue
            if rule.strict and rule.nodes and state.ha_flavour is HaFlavour.GROUPS:
                self._groups[rule.name] = frozenset(rule.nodes)
            for sid in rule.resources:
                if rule.strict and rule.nodes:
                    self._strict.setdefault(sid, []).append(frozenset(rule.nodes))
                if rule.positive is False:
                    self._apart.setdefault(sid, set()).add(f"rule:{rule.name}")
        self._targets: dict[int, set[str]] = {}
        for job in state.replication_jobs:
            if not job.removing:
                self._targets.setdefault(job.vmid, set()).add(job.target)

    def recovered(self, vm: Vm) -> bool:
        """Whether HA brings the VM back after the loss of its node."""
        resource = self._resources.get(_sid(vm))
        return resource is not None and resource.requested not in _NOT_RECOVERED

    def refuges(self, vm: Vm, promise: Promise | None) -> frozenset[str] | None:
        """Where HA may recover it: its strict affinity, narrowed to the nodes with its disks."""
        resource = self._resources.get(_sid(vm))
        group = None if resource is None else resource.group
        allowed = [*self._strict.get(_sid(vm), ())]
        if group is not None and group in self._groups:
            allowed.append(self._groups[group])
        # a job that points at the VM's own node is about to be turned round, and tells nothing yet
        targets = self._targets.get(vm.vmid, set()) - {vm.node}
        if targets:
            allowed.append(frozenset({vm.node, *targets}))
        elif promise is not None and (promised := _promised_refuges(promise)) is not None:
            allowed.append(promised)
        return frozenset.intersection(*allowed) if allowed else None

    def apart(self, vm: Vm) -> frozenset[str]:
        return frozenset(self._apart.get(_sid(vm), ()))


def _sid(vm: Vm) -> str:
    return f"{'ct' if vm.container else 'vm'}:{vm.vmid}"


def _promised_refuges(promise: Promise) -> frozenset[str] | None:
    return frozenset({promise.node, *promise.targets}) if promise.targets else None


def _group(promise: Promise | None) -> frozenset[str]:
    return frozenset() if promise is None or promise.apart is None else frozenset({promise.apart})
