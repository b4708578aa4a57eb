"""Evacuation after the loss of a node: never wrongly yes, never wrongly proved no."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.placement.survival import Free, Resident, Survival, Verdict, evacuate

NODES = ("a", "b", "c")

movers = st.lists(
    st.builds(
        Resident,
        key=st.just(""),
        home=st.just("lost"),
        cores=st.integers(1, 4),
        memory=st.integers(1, 8),
        ha=st.just(True),
        refuges=st.one_of(st.none(), st.frozensets(st.sampled_from(NODES), min_size=1)),
        apart=st.frozensets(st.sampled_from(["g", "h"]), max_size=1),
    ),
    max_size=6,
).map(lambda found: [_named(vm, number) for number, vm in enumerate(found)])
frees = st.fixed_dictionaries(
    {node: st.tuples(st.integers(-2, 9), st.integers(-2, 16)) for node in NODES}
)
stays = st.dictionaries(st.sampled_from(NODES), st.frozensets(st.sampled_from(["g", "h"])))


def _named(vm: Resident, number: int) -> Resident:
    return Resident(
        f"vm-{number}", vm.home, vm.cores, vm.memory, vm.ha, vm.refuges, vm.apart, vm.local_disk
    )


def _valid(
    vms: list[Resident],
    plan: dict[str, str],
    free: dict[str, Free],
    apart: dict[str, frozenset[str]],
) -> bool:
    for node in free:
        here = [vm for vm in vms if plan[vm.key] == node]
        if any(vm.refuges is not None and node not in vm.refuges for vm in here):
            return False
        if here and sum(vm.cores for vm in here) > free[node][0]:
            return False
        if here and sum(vm.memory for vm in here) > free[node][1]:
            return False
        groups = [group for vm in here for group in vm.apart] + list(apart.get(node, ()))
        if len(groups) != len(set(groups)):
            return False
    return True


@given(movers, frees, stays)
@settings(max_examples=300, deadline=None)
def test_the_verdict_is_that_of_trying_everything(
    vms: list[Resident], free: dict[str, Free], apart: dict[str, frozenset[str]]
) -> None:
    verdict, plan = evacuate(vms, free, apart)
    possible = any(
        _valid(vms, {vm.key: node for vm, node in zip(vms, way, strict=True)}, free, apart)
        for way in product(NODES, repeat=len(vms))
    )
    assert verdict is (Verdict.HOLDS if possible else Verdict.BROKEN)
    if possible:
        assert _valid(vms, plan, free, apart)


def test_best_fit_alone_would_fail_here_and_the_exact_search_does_not() -> None:
    """Largest first into the tightest: 6 → 9, 5 → 10, 4 → 10 and 3, 2 do not fit any more … but
    6 + 3 and 5 + 4 … do: sums are equal, so there is no slack at all."""
    sizes = (6, 5, 5, 4, 3, 2, 2)
    vms = [Resident(f"{n}", "lost", 1, size, True, None) for n, size in enumerate(sizes)]
    free: dict[str, Free] = {"a": (99, 9), "b": (99, 9), "c": (99, 9)}
    verdict, plan = evacuate(vms, free, {})
    assert verdict is Verdict.HOLDS
    assert _valid(vms, plan, free, {})


def test_what_cannot_be_decided_within_the_bound_is_said_to_be_undecided() -> None:
    """Sizes that are multiples of three cannot fill nodes of 1000, though the sums would do: only
    trying all ways proves it, and there are too many."""
    sizes = [3 * (25 + number) for number in range(22)]
    sizes.append(3000 - sum(sizes))
    assert sizes[-1] % 3 == 0
    assert sizes[-1] > 0
    free: dict[str, Free] = dict.fromkeys(NODES, (99, 1000))
    vms = [Resident(f"{n}", "lost", 1, size, True, None) for n, size in enumerate(sizes)]
    assert evacuate(vms, free, {}) == (Verdict.UNDECIDED, {})


def test_too_much_for_the_nodes_that_may_be_used_is_proved_at_once() -> None:
    """One MiB too much on two of three nodes: no search of that size would end."""
    sizes = [61 + 2 * number for number in range(24)]
    two = frozenset({"a", "b"})
    vms = [Resident(f"{n}", "lost", 1, size, True, two) for n, size in enumerate(sizes)]
    half = sum(sizes) // 2
    free: dict[str, Free] = {"a": (99, half), "b": (99, sum(sizes) - half - 1), "c": (99, 9999)}
    assert evacuate(vms, free, {}) == (Verdict.BROKEN, {})


homes = st.lists(
    st.builds(
        Resident,
        key=st.just(""),
        home=st.sampled_from((*NODES, "down")),
        cores=st.integers(1, 3),
        memory=st.integers(1, 6),
        ha=st.booleans(),
        refuges=st.one_of(st.none(), st.frozensets(st.sampled_from(NODES), min_size=1)),
        apart=st.frozensets(st.sampled_from(["g"]), max_size=1),
        local_disk=st.booleans(),
    ),
    max_size=9,
).map(lambda found: [_named(vm, number) for number, vm in enumerate(found)])


@given(homes, st.integers(0, 9), st.integers(10, 22))
@settings(max_examples=200, deadline=None)
def test_putting_one_by_one_tells_what_looking_at_all_at_once_tells(
    vms: list[Resident], kept: int, memory: int
) -> None:
    """And what was put and undone leaves nothing behind."""
    size = (14.0, memory)
    before = dict.fromkeys(NODES, size)
    for vm in vms[:kept]:
        _take(before, vm)
    survival = Survival(before, NODES, vms[:kept])
    if survival.verdict is not Verdict.HOLDS:
        return
    told = survival.result()
    undos = []
    verdict = Verdict.HOLDS
    for vm in vms[kept:]:
        _take(before, vm)
        verdict, undo = survival.put(vm)
        undos.append((undo, vm))
        if verdict is not Verdict.HOLDS:
            break
    else:
        assert Survival(dict(before), NODES, vms).result() == survival.result()
    if verdict is not Verdict.HOLDS:
        present = vms[: kept + len(undos)]
        assert Survival(dict(before), NODES, present).verdict is not Verdict.HOLDS
    for undo, vm in reversed(undos):
        undo()
        _take(before, vm, sign=-1)
    assert survival.result() == told


def _take(free: dict[str, Free], vm: Resident, sign: int = 1) -> None:
    if vm.home in free:
        cores, memory = free[vm.home]
        free[vm.home] = (cores - sign * vm.cores, memory - sign * vm.memory)
