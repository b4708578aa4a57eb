"""Quota: the one formula, and what an OPD and its parents allow."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.errors import Fault
from cloudpemda.messages import Lang, explain, texts
from cloudpemda.request.spec import DiskSpec, NicSpec
from cloudpemda.rules.quota import (
    Balance,
    Link,
    Standing,
    chain_of,
    code_of,
    growth,
    judge,
    scope_of,
    total,
    usage_of,
)
from cloudpemda.units import MiB
from tests.rules.makers import opd, service_class, vm


def test_a_replicated_protected_vm_pays_for_its_copies_and_its_backups() -> None:
    spec = replace(
        vm(cpu=4, memory=8192),
        disks=(
            DiskSpec("root", MiB(40960), "ssd", True),
            DiskSpec("data", MiB(204800), "ssd", True),
            DiskSpec("scratch", MiB(1000), "hdd", False),
        ),
        networks=(NicSpec("app", True), NicSpec("back", False)),
    )
    assert usage_of(spec, service_class(targets=1, factor=1.5)) == {
        "instances": 1,
        "vcpu": 4,
        "memory": 8192,
        "disk.ssd": 2 * 245760,
        "disk.hdd": 1000,  # not protected: it has no copy
        "backup": 368640,
        "public_ip": 1,
    }


def test_what_a_class_does_not_promise_costs_nothing() -> None:
    usage = usage_of(vm(cpu=2, memory=2048), service_class())
    assert usage == {"instances": 1, "vcpu": 2, "memory": 2048, "disk.ssd": 10240}


def test_count_does_not_matter_to_one_instance() -> None:
    assert usage_of(vm(count=7), service_class()) == usage_of(vm(count=1), service_class())


@pytest.mark.parametrize(
    ("size", "factor", "backup"), [(10, 1.1, 11), (30, 1.1, 33), (1, 0.1, 1), (3, 1.5, 5)]
)
def test_backup_is_exact_and_rounded_up(size: int, factor: float, backup: int) -> None:
    spec = replace(vm(), disks=(DiskSpec("root", MiB(size), "ssd", True),))
    assert usage_of(spec, service_class(factor=factor))["backup"] == backup


def standing(name: str = "dinkes", *, used: int = 0, limit: int | None = 100) -> Standing:
    return Standing(name, {"memory": limit}, {"memory": Balance(used, 0)})


def test_growth_up_to_the_limit_is_allowed_and_one_more_is_not() -> None:
    assert judge([standing(used=60)], {"memory": 40}, (101,)).allowed
    (fault,) = judge([standing(used=60)], {"memory": 41}, (101,)).faults
    assert fault.code == "quota.memory"
    assert dict(fault.values) == {
        "opd": "dinkes",
        "dimension": "memory",
        "storage_class": "memory",
        "needed": 41,
        "left": 40,
        "used": 60,
        "limit": 100,
        "short": 1,
    }


def test_holds_count_like_use() -> None:
    chain = [Standing("dinkes", {"memory": 100}, {"memory": Balance(committed=30, held=70)})]
    assert not judge(chain, {"memory": 1}, (80,)).allowed


def test_none_is_unlimited_zero_is_none_and_absent_is_none() -> None:
    assert judge([standing(used=10**9, limit=None)], {"memory": 10**9}, (80,)).allowed
    assert not judge([standing(limit=0)], {"memory": 1}, (80,)).allowed
    assert not judge([Standing("dinkes", {}, {})], {"memory": 1}, (80,)).allowed


def test_only_what_grows_is_judged() -> None:
    over = [standing(used=150)]
    assert judge(over, {"memory": 0}, (80,)).allowed
    assert judge(over, {"memory": -20}, (80,)).allowed
    (fault,) = judge(over, {"memory": 1}, (80,)).faults
    assert fault.values["left"] == 0
    assert fault.values["short"] == 51


def test_every_dimension_and_every_opd_of_the_chain_is_named_at_once() -> None:
    limits = {"memory": 10, "vcpu": 1, "disk.ssd": 5, "public_ip": None}
    chain = [Standing("rsud", limits, {}), Standing("dinkes", limits, {})]
    verdict = judge(chain, {"memory": 11, "vcpu": 2, "disk.ssd": 5, "public_ip": 99}, (101,))
    assert [(fault.values["opd"], fault.code) for fault in verdict.faults] == [
        ("rsud", "quota.memory"),
        ("rsud", "quota.vcpu"),
        ("dinkes", "quota.memory"),
        ("dinkes", "quota.vcpu"),
    ]


@pytest.mark.parametrize(("used", "warned"), [(69, False), (70, True), (90, True)])
def test_a_growth_that_ends_near_the_limit_warns(used: int, warned: bool) -> None:
    verdict = judge([standing(used=used)], {"memory": 10}, (80,))
    assert verdict.allowed
    assert [fault.code for fault in verdict.warnings] == (["quota.near"] if warned else [])


amounts = st.dictionaries(st.sampled_from(["memory", "vcpu", "disk.ssd"]), st.integers(0, 50))


@given(amounts, amounts)
def test_growth_is_what_total_needs_to_reach_the_new_use(
    before: dict[str, int], after: dict[str, int]
) -> None:
    more = growth(before, after)
    assert all(value > 0 for value in more.values())
    reached = total([before, more])
    for name in {*before, *after}:
        assert reached.get(name, 0) == max(before.get(name, 0), after.get(name, 0))


@given(
    st.lists(st.tuples(st.integers(0, 120), st.none() | st.integers(0, 120)), min_size=1),
    st.integers(-10, 120),
)
def test_allowed_means_nobody_in_the_chain_goes_over(
    states: list[tuple[int, int | None]], wanted: int
) -> None:
    chain = [standing(str(i), used=used, limit=limit) for i, (used, limit) in enumerate(states)]
    over = [
        str(i)
        for i, (used, limit) in enumerate(states)
        if wanted > 0 and limit is not None and used + wanted > limit
    ]
    assert [fault.values["opd"] for fault in judge(chain, {"memory": wanted}, (80,)).faults] == over


def test_a_chain_is_the_opd_and_its_parents_each_with_all_below_it() -> None:
    opds = {
        "dinkes": opd("dinkes"),
        "rsud": opd("rsud", parent="dinkes"),
        "lab": opd("lab", parent="rsud"),
        "bkad": opd("bkad"),
    }
    chain = chain_of("rsud", opds, lambda code: {"vcpu": len(code)})
    assert chain == (
        Link("rsud", {"vcpu": 4}, frozenset({"rsud", "lab"})),
        Link("dinkes", {"vcpu": 6}, frozenset({"dinkes", "rsud", "lab"})),
    )
    assert scope_of("bkad", opds) == {"bkad"}


def test_every_refusal_tells_the_numbers_readably_and_stays_a_number_in_json() -> None:
    for dimension in ("instances", "vcpu", "memory", "disk.ssd", "backup", "public_ip"):
        assert code_of(dimension) in texts()
        chain = [Standing("dinkes", {dimension: 2048}, {})]
        (fault,) = judge(chain, {dimension: 4096}, (80,)).faults
        for lang in get_args(Lang):
            what, then = explain(fault.code, lang, fault.values)
            sized = dimension in {"memory", "backup", "disk.ssd"}
            assert ("4 GiB" in what) is sized
            assert "dinkes" in what
            assert ("2 GiB" if sized else "2048") in then
        assert json.loads(json.dumps(dict(fault.values)))["needed"] == 4096


def test_a_warning_reads_well() -> None:
    (warning,) = judge([standing(used=80)], {"memory": 5}, (80,)).warnings
    assert isinstance(warning, Fault)
    what, _ = explain(warning.code, "en", warning.values)
    assert what == "memory of dinkes will be at 85 % of its limit: 85 MiB of 100 MiB"
