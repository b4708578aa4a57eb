"""The search: the scarcest first, the best node first, and back a bounded number of times.

Four ways are tried in turn, each complete in itself: nodes kept evenly full, then nodes filled one
after the other; both first with keep-apart honoured after a loss too, then without. The refusal
told is that of the mildest way, at the first VM that found no node.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from cloudpemda.cluster import ClusterState, NodeStatus
from cloudpemda.placement.model import (
    Exposure,
    NoFit,
    Placed,
    Placement,
    PlacementPolicy,
    Reason,
    Rejection,
    Score,
    VmDemand,
)
from cloudpemda.placement.room import Room
from cloudpemda.placement.survival import Resident, Survival, Verdict

_BACKTRACKS = 1_000  # per way; a small set is searched to the end within it
_STEPS = 20_000  # VMs × backtracks per way: a large set is seldom mended by going back

_Undo = Callable[[], None]


def place(
    demands: Sequence[VmDemand], state: ClusterState, policy: PlacementPolicy
) -> Placement | NoFit:
    """Choose node and replication targets for every VM of the set, or say why it cannot be.

    Keys must be unique (ValueError). What lives already (`existing`) stays; it is refused only
    where it grows beyond what its node has. Nothing is placed while N+1 does not hold anyway.
    """
    if len({demand.key for demand in demands}) != len(demands):
        raise ValueError("two demands with one key")
    ways = [_Way(apart_after_loss=False, packed=False), _Way(apart_after_loss=False, packed=True)]
    if any(demand.apart is not None for demand in demands):
        ways = [_Way(True, False), _Way(True, True), *ways]
    refusal: NoFit | None = None
    for way in ways:
        search = _Search(demands, state, policy, way)
        outcome = search.run()
        if isinstance(outcome, Placement):
            return outcome
        if refusal is None or (not way.apart_after_loss and not way.packed):
            refusal = outcome
        if search.hopeless:
            break
    if refusal is None:
        raise AssertionError("no way was tried")
    return refusal


@dataclass(frozen=True)
class _Way:
    apart_after_loss: bool
    packed: bool


class _Search:
    def __init__(
        self,
        demands: Sequence[VmDemand],
        state: ClusterState,
        policy: PlacementPolicy,
        way: _Way,
    ) -> None:
        self._demands = demands
        self._state = state
        self._way = way
        self._room = Room(state, policy, demands)
        self._nodes = sorted(state.nodes)
        self._placed: dict[str, Placed] = {}
        self._members: dict[str, dict[str, Resident]] = {}  # keep-apart group → key → member
        for resident in self._room.residents:
            for group in resident.apart:
                self._members.setdefault(group, {})[resident.key] = resident
        self._refusal: NoFit | None = None
        self.hopeless = False  # no other way could do better

    def run(self) -> Placement | NoFit:
        """Existing VMs first, then the new ones with backtracking."""
        refused = self._settle_existing()
        self._survival = Survival(
            self._room.free,
            [node.name for node in self._state.nodes.values() if node.status is NodeStatus.ONLINE],
            [*self._room.residents, *self._existing_residents()],
        )
        refused = refused or self._refuse_if_broken()
        if refused is not None:
            self.hopeless = True
            return refused
        if not self._place_new(self._in_order()):
            if self._refusal is None:
                raise AssertionError("a failed search without a VM that found no node")
            return self._refusal
        return Placement(
            cluster=self._state.name,
            vms=tuple(self._placed[demand.key] for demand in self._demands),
            n_plus_one=self._survival.result(),
        )

    # -- what lives already ------------------------------------------------------------------
    def _settle_existing(self) -> NoFit | None:
        for demand in self._demands:
            if demand.existing is not None:
                lack = self._settle(demand, demand.existing.node)
                if lack is not None:
                    return NoFit(self._state.name, demand.key, (lack,))
        return None

    def _settle(self, demand: VmDemand, node: str) -> Rejection | None:
        residence = demand.existing
        if residence is None:
            raise AssertionError(f"{demand.key} does not exist")
        grown = self._room.growth(demand)
        cores, memory = self._room.grows(demand)
        self._room.take_node(node, demand.cores, demand.memory)
        kept = tuple(t for t in residence.targets if t != node)[: demand.replicas]
        fresh: tuple[str, ...] = ()
        if node in self._state.nodes:
            free_cores, free_memory = self._room.free[node]
            if cores and free_cores < 0:
                return Rejection(node, Reason.CPU, cores, max(int(free_cores) + cores, 0))
            if memory and free_memory < 0:
                return Rejection(node, Reason.MEMORY, memory, max(free_memory + memory, 0))
            for holder in (node, *kept):
                lack = self._room.short_disk(holder, grown)
                if lack is not None:
                    return lack
                self._room.take_disks(holder, grown, replicas_only=holder != node)
            missing = demand.replicas - len(kept)
            if missing and self._state.nodes[node].status is NodeStatus.ONLINE:
                found = next(self._target_sets(demand, node, missing, kept), None)
                if found is None:
                    return Rejection(node, Reason.TARGET)
                fresh = found
        for target in fresh:
            self._room.take_disks(target, demand.disks, replicas_only=True)
        self._note(demand, Placed(demand.key, node, (*kept, *fresh), self._score(node, 0)))
        return None

    def _existing_residents(self) -> Iterator[Resident]:
        for demand in self._demands:
            if demand.key in self._placed:
                placed = self._placed[demand.key]
                yield self._resident(demand, placed.node, placed.targets)

    def _refuse_if_broken(self) -> NoFit | None:
        """New VMs are refused while N+1 is broken; so is growth that may have broken it."""
        if self._survival.verdict is Verdict.HOLDS:
            return None
        for demand in self._demands:
            if demand.existing is None:
                already = Reason.N_PLUS_ONE_ALREADY
                why = tuple(
                    Rejection(node, self._room.blocked(node) or already) for node in self._nodes
                )
                return NoFit(self._state.name, demand.key, why)
            if any(self._room.grows(demand)):
                lack = Rejection(demand.existing.node, Reason.N_PLUS_ONE)
                return NoFit(self._state.name, demand.key, (lack,))
        return None

    # -- what is new -------------------------------------------------------------------------
    def _in_order(self) -> list[VmDemand]:
        """Groups and replicated VMs first, then by the share of the scarcest dimension."""
        new = [demand for demand in self._demands if demand.existing is None]
        cores = sum(size.cores for size in self._room.capacity.values()) or 1
        memory = sum(size.memory for size in self._room.capacity.values()) or 1

        def share(demand: VmDemand) -> float:
            return max(demand.cores / cores, demand.memory / memory)

        heaviest: dict[str, float] = {}
        for demand in new:
            if demand.apart is not None:
                heaviest[demand.apart] = max(heaviest.get(demand.apart, 0), share(demand))

        def order(demand: VmDemand) -> tuple[object, ...]:
            group = demand.apart or ""
            return (not group, -heaviest.get(group, 0), group, -share(demand), demand.key)

        return sorted(new, key=order)

    def _place_new(self, demands: Sequence[VmDemand]) -> bool:
        if not demands:
            return True
        frames = [self._attempts(demands[0])]
        undos: list[_Undo] = []
        backtracks = 0
        bound = min(_BACKTRACKS, _STEPS // len(demands))
        while frames:
            undo = next(frames[-1], None)
            if undo is not None:
                undos.append(undo)
                if len(undos) == len(demands):
                    return True
                frames.append(self._attempts(demands[len(undos)]))
                continue
            frames.pop()
            backtracks += 1
            if backtracks > bound:
                return False
            if undos:
                undos.pop()()
        return False

    def _attempts(self, demand: VmDemand) -> Iterator[_Undo]:
        """Every way to place one VM, the best first. Between two, the caller undoes the former."""
        rejections: dict[str, Rejection] = {}
        fitting: list[str] = []
        for node in self._nodes:
            lack = self._lacks(demand, node)
            if lack is None:
                fitting.append(node)
            else:
                rejections[node] = lack
        found = False
        for node in sorted(fitting, key=lambda node: self._node_rank(demand, node)):
            targets_found = False
            for targets in self._target_sets(demand, node, demand.replicas, ()):
                targets_found = True
                outcome = self._try(demand, node, targets, len(fitting))
                if not isinstance(outcome, Reason):
                    found = True
                    yield outcome
                else:
                    rejections[node] = Rejection(node, outcome)
            if not targets_found:
                rejections[node] = Rejection(node, Reason.TARGET)
        if not found and self._refusal is None:
            told = tuple(rejections[node] for node in self._nodes)
            self._refusal = NoFit(self._state.name, demand.key, told)

    def _lacks(self, demand: VmDemand, node: str) -> Rejection | None:
        blocked = self._room.blocked(node)
        if blocked is not None:
            return Rejection(node, blocked)
        if node in demand.away:
            return Rejection(node, Reason.OTHER_SITE)
        lack = self._room.lacks(demand, node)
        if lack is not None and lack.reason in (Reason.STORAGE, Reason.IMAGE):
            return lack
        if any(member.home == node for member in self._others(demand)):
            return Rejection(node, Reason.APART)
        return lack

    def _others(self, demand: VmDemand) -> list[Resident]:
        group = self._members.get(demand.apart, {}) if demand.apart is not None else {}
        return [member for key, member in group.items() if key != demand.key]

    def _node_rank(self, demand: VmDemand, node: str) -> tuple[float, float, float, str]:
        memory, cpu = self._shares(node, demand.cores, demand.memory)
        # a node that holds another member's replica would only be gone back from later
        crowd = sum(node in (member.refuges or ()) for member in self._others(demand))
        fullness = round(max(memory, cpu), 9)
        return (crowd, -fullness if self._way.packed else fullness, round(memory, 9), node)

    def _target_sets(
        self, demand: VmDemand, node: str, count: int, besides: Sequence[str]
    ) -> Iterator[tuple[str, ...]]:
        """Sets of `count` targets, the best first; one empty set if none are needed."""
        if count == 0:
            yield ()
            return
        if not self._room.can_replicate(demand, node):
            return
        replicas = self._room.replicas(demand, node)
        others = self._others(demand)
        ranked = sorted(
            (
                sum(t == m.home or t in (m.refuges or ()) for m in others),
                -self._room.free[t][1],
                -min((self._room.disk_left(t, disk.storage) for disk in replicas), default=0),
                t,
            )
            for t in self._nodes
            if t != node
            and t not in besides
            and self._room.blocked(t) is None
            and self._room.can_replicate(demand, t)
            and self._room.short_disk(t, replicas) is None
        )
        for targets in combinations([rank[-1] for rank in ranked], count):
            if not demand.stretched or _crosses(demand, node, (*besides, *targets)):
                yield targets

    def _try(
        self, demand: VmDemand, node: str, targets: tuple[str, ...], candidates: int
    ) -> _Undo | Reason:
        resident = self._resident(demand, node, targets)
        if demand.ha:
            exposure = self._survival.exposure(resident, node)
            if exposure is Exposure.NO_NODE or (
                exposure is Exposure.LOCAL_DISK and not demand.replicas
            ):
                return Reason.REFUGE
        self._room.take(demand, node, targets)
        verdict, undo_survival = self._survival.put(resident)

        def undo() -> None:
            undo_survival()
            self._room.give(demand, node, targets)
            self._placed.pop(demand.key, None)
            if demand.apart is not None:
                self._members.get(demand.apart, {}).pop(demand.key, None)

        if verdict is not Verdict.HOLDS:
            undo()
            broken = verdict is Verdict.BROKEN
            return Reason.N_PLUS_ONE if broken else Reason.N_PLUS_ONE_UNDECIDED
        self._note(demand, Placed(demand.key, node, targets, self._score(node, candidates)))
        if self._way.apart_after_loss and self._group_exposed(demand):
            undo()
            return Reason.APART
        return undo

    def _group_exposed(self, demand: VmDemand) -> bool:
        group = self._members.get(demand.apart, {}) if demand.apart is not None else {}
        return any(
            member.ha and self._survival.exposure(member, member.home) is Exposure.APART
            for member in group.values()
        )

    def _note(self, demand: VmDemand, placed: Placed) -> None:
        self._placed[demand.key] = placed
        if demand.apart is not None:
            resident = self._resident(demand, placed.node, placed.targets)
            self._members.setdefault(demand.apart, {})[demand.key] = resident

    def _resident(self, demand: VmDemand, node: str, targets: tuple[str, ...]) -> Resident:
        local = [disk for disk in demand.disks if not self._room.is_shared(disk.storage, node)]
        if demand.replicas:
            refuges = frozenset({node, *targets})
            bound = any(not disk.replicate for disk in local)
        else:
            refuges = frozenset(
                other
                for other in self._nodes
                if all(self._room.sees(disk.storage, other) for disk in demand.disks)
            )
            bound = bool(local)
        return Resident(
            key=demand.key,
            home=node,
            cores=demand.cores,
            memory=demand.memory,
            ha=demand.ha,
            refuges=refuges,
            apart=frozenset() if demand.apart is None else frozenset({demand.apart}),
            local_disk=bound,
        )

    def _shares(self, node: str, cores: float, memory: int) -> tuple[float, float]:
        """Memory and CPU promised on the node as shares of its capacity, with the given more."""
        size = self._room.capacity[node]
        free_cores, free_memory = self._room.free[node]
        return (
            (size.memory - free_memory + memory) / max(size.memory, 1),
            (size.cores - free_cores + cores) / max(size.cores, 1),
        )

    def _score(self, node: str, candidates: int) -> Score:
        if node not in self._room.capacity:
            return Score(0.0, 0.0, candidates)
        memory, cpu = self._shares(node, 0, 0)
        return Score(round(memory, 4), round(cpu, 4), candidates)


def _crosses(demand: VmDemand, node: str, targets: Sequence[str]) -> bool:
    """Whether a replica lies at the site where the VM does not live."""
    return any((target in demand.away) != (node in demand.away) for target in targets)
