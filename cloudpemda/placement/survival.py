"""N+1: does everything that HA has to recover still fit, whichever one node is lost?

For each node a witness is kept: who would go where. A new VM most often leaves the witnesses
valid; only those that it breaks are looked for again, by best fit, then by a bounded exact search.
Nodes that are not online count as lost already: their HA VMs need room in every case.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from cloudpemda.placement.model import Exposed, Exposure, Loss, NPlusOne

_BOUND = 4_000  # tries of the exact search: some milliseconds

Free = tuple[float, int]  # cores, MiB


class Verdict(Enum):
    HOLDS = "holds"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Resident:
    """A VM as N+1 sees it."""

    key: str
    home: str
    cores: float
    memory: int
    ha: bool
    refuges: frozenset[str] | None  # nodes where HA may recover it; None: any
    apart: frozenset[str] = frozenset()  # keep-apart groups
    local_disk: bool = False  # has a disk that only its home has


def evacuate(
    movers: Sequence[Resident], free: dict[str, Free], apart_at: dict[str, frozenset[str]]
) -> tuple[Verdict, dict[str, str]]:
    """Find a place for each mover on the nodes of `free`: the verdict, and mover → node.

    `apart_at` names the keep-apart groups with members that stay on a node. BROKEN is proved:
    by a sum that is too large, or because the whole space was searched.
    """
    ordered = sorted(movers, key=lambda m: (_reach(m, free), -m.memory, -m.cores, m.key))
    first = _best_fit(ordered, dict(free), dict(apart_at))
    if first is not None:
        return Verdict.HOLDS, first
    if _too_much(ordered, free):
        return Verdict.BROKEN, {}
    return _Exact(ordered, dict(free), dict(apart_at)).search()


def _reach(mover: Resident, free: dict[str, Free]) -> int:
    return len(free) if mover.refuges is None else len(mover.refuges & free.keys())


def _fits(mover: Resident, node: str, free: Free, apart: frozenset[str]) -> bool:
    return (
        (mover.refuges is None or node in mover.refuges)
        and mover.memory <= free[1]
        and mover.cores <= free[0]
        and not (mover.apart & apart)
    )


def _best_fit(
    movers: Sequence[Resident], free: dict[str, Free], apart: dict[str, frozenset[str]]
) -> dict[str, str] | None:
    plan: dict[str, str] = {}
    for mover in movers:
        fitting = [node for node in free if _fits(mover, node, free[node], _at(apart, node))]
        if not fitting:
            return None
        node = min(fitting, key=lambda node: (free[node][1], node))
        _take(mover, node, free, apart)
        plan[mover.key] = node
    return plan


def _take(
    mover: Resident, node: str, free: dict[str, Free], apart: dict[str, frozenset[str]]
) -> None:
    cores, memory = free[node]
    free[node] = (cores - mover.cores, memory - mover.memory)
    if mover.apart:
        apart[node] = _at(apart, node) | mover.apart


def _at(apart: dict[str, frozenset[str]], node: str) -> frozenset[str]:
    return apart.get(node, frozenset())


def _too_much(movers: Sequence[Resident], free: dict[str, Free]) -> bool:
    """Whether some set of refuges is asked for more than it has: a proof that nothing fits."""
    everywhere = frozenset(free)
    reach = [everywhere if m.refuges is None else m.refuges & everywhere for m in movers]
    for nodes in {everywhere, *reach}:
        bound = [mover for mover, its in zip(movers, reach, strict=True) if its <= nodes]
        cores = sum(max(free[node][0], 0) for node in nodes)
        memory = sum(max(free[node][1], 0) for node in nodes)
        if sum(m.memory for m in bound) > memory or sum(m.cores for m in bound) > cores:
            return True
    return False


class _Exact:
    """Depth-first search over all ways but those that are alike, for up to `_BOUND` tries."""

    def __init__(
        self,
        movers: Sequence[Resident],
        free: dict[str, Free],
        apart: dict[str, frozenset[str]],
    ) -> None:
        self._movers = movers
        self._free = free
        self._apart = apart
        self._tries = 0
        self._plan: dict[str, str] = {}

    def search(self) -> tuple[Verdict, dict[str, str]]:
        if self._place(0):
            return Verdict.HOLDS, self._plan
        return (Verdict.UNDECIDED if self._tries >= _BOUND else Verdict.BROKEN), {}

    def _place(self, position: int) -> bool:
        if position == len(self._movers):
            return True
        mover = self._movers[position]
        tried: set[tuple[Free, frozenset[str], frozenset[int]]] = set()
        for node in sorted(self._free, key=lambda node: (self._free[node][1], node)):
            free, apart = self._free[node], _at(self._apart, node)
            # nodes that look alike to all who are still to come need be tried once only
            alike = (free, apart, self._welcome(node, position))
            if alike in tried or not _fits(mover, node, free, apart):
                continue
            if self._tries >= _BOUND:
                return False
            tried.add(alike)
            self._tries += 1
            _take(mover, node, self._free, self._apart)
            self._plan[mover.key] = node
            if self._place(position + 1):
                return True
            self._free[node], self._apart[node] = free, apart
        return False

    def _welcome(self, node: str, position: int) -> frozenset[int]:
        return frozenset(
            number
            for number in range(position, len(self._movers))
            if (refuges := self._movers[number].refuges) is None or node in refuges
        )


@dataclass
class _Case:
    """The loss of one node: the witness, and what is left on the others if it comes true."""

    verdict: Verdict
    plan: dict[str, str]
    left: dict[str, Free]


class Survival:
    """The witnesses for every node of one cluster, kept up while VMs are put and taken back."""

    def __init__(
        self, free: Mapping[str, Free], online: Iterable[str], residents: Iterable[Resident]
    ) -> None:
        """`free` is shared and read again: whoever puts a VM takes its size there first."""
        self._free = free
        self._online = tuple(sorted(online))
        self._homes: dict[str, list[Resident]] = {}
        for resident in residents:
            self._homes.setdefault(resident.home, []).append(resident)
        self._cases = {node: self._solve(node) for node in self._online}

    @property
    def verdict(self) -> Verdict:
        verdicts = {case.verdict for case in self._cases.values()}
        for worst in (Verdict.BROKEN, Verdict.UNDECIDED):
            if worst in verdicts:
                return worst
        return Verdict.HOLDS

    def put(self, vm: Resident) -> tuple[Verdict, Callable[[], None]]:
        """Add a VM whose size is already taken from `free`; the verdict, and how to undo it.

        Looking stops at the first node whose loss it would make fatal.
        """
        self._homes.setdefault(vm.home, []).append(vm)
        former: list[tuple[str, _Case]] = []
        shrunk: list[tuple[_Case, Free]] = []

        def undo() -> None:
            for case, left in shrunk:
                case.left[vm.home] = left
            for node, case in former:
                self._cases[node] = case
            self._homes[vm.home].remove(vm)

        for node, case in self._cases.items():
            if node != vm.home and vm.home in case.left and self._keeps(case, vm):
                cores, memory = case.left[vm.home]
                shrunk.append((case, (cores, memory)))
                case.left[vm.home] = (cores - vm.cores, memory - vm.memory)
            elif node != vm.home or vm.ha:
                former.append((node, case))
                self._cases[node] = self._solve(node)
                if self._cases[node].verdict is not Verdict.HOLDS:
                    return self._cases[node].verdict, undo
        return Verdict.HOLDS, undo

    def result(self) -> NPlusOne:
        losses = tuple(
            Loss(
                node=node,
                movers=len(self._movers(node)),
                fits=case.verdict is Verdict.HOLDS,
                undecided=case.verdict is Verdict.UNDECIDED,
            )
            for node, case in sorted(self._cases.items())
        )
        exposed = {
            Exposed(vm.key, why)
            for node in self._cases
            for vm in self._movers(node)
            if (why := self.exposure(vm, node)) is not None
        }
        return NPlusOne(losses, tuple(sorted(exposed, key=lambda e: (e.key, e.why))))

    def exposure(self, vm: Resident, lost: str) -> Exposure | None:
        """Why no node at all could take the VM if `lost` is lost; None if one could, given room."""
        if vm.local_disk:
            return Exposure.LOCAL_DISK
        others = [node for node in self._online if node != lost]
        refuges = [node for node in others if vm.refuges is None or node in vm.refuges]
        if not refuges:
            return Exposure.NO_NODE
        if vm.apart and all(vm.apart & self._staying(node) for node in refuges):
            return Exposure.APART
        return None

    def _keeps(self, case: _Case, vm: Resident) -> bool:
        """Whether a witness stays one when `vm` comes to live on a node that is not lost."""
        if case.verdict is not Verdict.HOLDS:
            return False
        cores, memory = case.left[vm.home]
        return vm.memory <= memory and vm.cores <= cores and not vm.apart

    def _movers(self, lost: str) -> list[Resident]:
        stranded = [vms for home, vms in self._homes.items() if home not in self._online]
        return [vm for vms in (self._homes.get(lost, []), *stranded) for vm in vms if vm.ha]

    def _staying(self, node: str) -> frozenset[str]:
        return frozenset().union(*(vm.apart for vm in self._homes.get(node, ())))

    def _solve(self, lost: str) -> _Case:
        left = {node: self._free[node] for node in self._online if node != lost}
        movers = []
        for vm in self._movers(lost):
            why = self.exposure(vm, lost)
            if why is Exposure.APART:
                # groups of 8 do not keep it down, and on 9 somebody may lift the rule
                movers.append(replace(vm, apart=frozenset()))
            elif why is None:
                movers.append(vm)
        if not movers:
            return _Case(Verdict.HOLDS, {}, left)
        apart = {node: staying for node in left if (staying := self._staying(node))}
        verdict, plan = evacuate(movers, left, apart)
        by_key = {vm.key: vm for vm in movers}
        for key, node in plan.items():
            cores, memory = left[node]
            left[node] = (cores - by_key[key].cores, memory - by_key[key].memory)
        return _Case(verdict, plan, left)
