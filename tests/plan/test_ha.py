"""Where HA may run VMs, in rules of 9 and groups of 8."""

from dataclasses import replace

import pytest

from cloudpemda.cluster import HaFlavour, HaRule
from cloudpemda.plan.ha import (
    GROUP,
    NODE_AFFINITY,
    RESOURCE_AFFINITY,
    Apartness,
    WantedRule,
    apartness,
    ha_rules_for,
)
from cloudpemda.plan.model import DesiredVm
from tests.plan.values import desired


def nodes(vm: DesiredVm, *names: str) -> DesiredVm:
    return replace(vm, protection=replace(vm.protection, ha_nodes=names))


def test_on_9_each_replicated_vm_is_bound_to_its_copies_and_members_are_kept_apart() -> None:
    rules = ha_rules_for([desired(1), desired(2)], HaFlavour.RULES)
    assert rules == (
        WantedRule(
            "cloudpemda-10001", NODE_AFFINITY, frozenset({"vm:10001"}), frozenset({"pve1", "pve3"})
        ),
        WantedRule(
            "cloudpemda-10002", NODE_AFFINITY, frozenset({"vm:10002"}), frozenset({"pve2", "pve3"})
        ),
        WantedRule(
            "cloudpemda-apart-dinkes_simrs_db",
            RESOURCE_AFFINITY,
            frozenset({"vm:10001", "vm:10002"}),
            frozenset(),
        ),
    )


def test_on_8_there_are_groups_and_nothing_that_keeps_members_apart() -> None:
    rules = ha_rules_for([desired(1), desired(2)], HaFlavour.GROUPS)
    assert [(rule.name, rule.kind) for rule in rules] == [
        ("cloudpemda-10001", GROUP),
        ("cloudpemda-10002", GROUP),
    ]


def test_a_lone_member_and_a_vm_without_ha_need_no_rule() -> None:
    lone = nodes(desired(1))
    assert ha_rules_for([lone], HaFlavour.RULES) == ()
    off = replace(desired(2), protection=replace(desired(2).protection, ha=False))
    assert ha_rules_for([off], HaFlavour.RULES) == ()


@pytest.mark.parametrize(
    ("one", "two", "flavour", "kept"),
    [
        (("pve1", "pve3"), ("pve2", "pve3"), HaFlavour.RULES, Apartness.RULE),
        (("pve1", "pve3"), ("pve2", "pve3"), HaFlavour.GROUPS, Apartness.PLACEMENT_ONLY),
        (("pve1", "pve3"), ("pve2", "pve4"), HaFlavour.GROUPS, Apartness.DISJOINT),
        ((), (), HaFlavour.GROUPS, Apartness.PLACEMENT_ONLY),
    ],
)
def test_what_keeps_members_apart_is_told_as_it_is(
    one: tuple[str, ...], two: tuple[str, ...], flavour: HaFlavour, kept: Apartness
) -> None:
    members = [nodes(desired(1), *one), nodes(desired(2), *two)]
    assert apartness(members, flavour) == {"dinkes_simrs_db": kept}


def live(**changes: object) -> HaRule:
    rule = HaRule(
        name="cloudpemda-10001",
        kind=NODE_AFFINITY,
        resources=frozenset({"vm:10001"}),
        nodes={"pve1": 0, "pve3": 0},
        strict=True,
        positive=None,
        enabled=True,
    )
    return replace(rule, **changes)  # type: ignore[arg-type]


def test_a_rule_is_met_only_by_one_that_does_the_same() -> None:
    wanted, *_ = ha_rules_for([desired(1)], HaFlavour.RULES)
    assert wanted.met_by(live())
    assert not wanted.met_by(live(enabled=False))
    assert not wanted.met_by(live(errors="conflict"))
    assert not wanted.met_by(live(strict=False))
    assert not wanted.met_by(live(nodes={"pve1": 0}))
    assert not wanted.met_by(live(nodes={"pve1": 2, "pve3": 1}))
    assert not wanted.met_by(live(resources=frozenset({"vm:1"})))


def test_members_kept_together_are_not_apart() -> None:
    *_, apart = ha_rules_for([desired(1), desired(2)], HaFlavour.RULES)
    both = live(kind=RESOURCE_AFFINITY, resources=apart.resources, nodes={}, strict=False)
    assert apart.met_by(replace(both, positive=False))
    assert not apart.met_by(replace(both, positive=True))
    assert not apart.met_by(replace(both, positive=False, resources=frozenset({"vm:10001"})))
