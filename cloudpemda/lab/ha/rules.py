"""Rules as they are obeyed: those that contradict each other are not, and what follows is added."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from cloudpemda.lab.ha.placement import Plan
from cloudpemda.lab.ha.values import NodeAffinity, ResourceAffinity, Rule


def plan_of(rules: Iterable[Rule], nodes: Sequence[str]) -> Plan:
    """What holds for each service."""
    sound = _feasible(list(rules), nodes)
    positive = _merged([r for r in sound if isinstance(r, ResourceAffinity) and r.positive])
    together = {sid: group - {sid} for group in positive for sid in group}
    apart: dict[str, frozenset[str]] = {}
    for rule in sound:
        if isinstance(rule, ResourceAffinity) and not rule.positive:
            for one, other in combinations(sorted(rule.resources), 2):
                # Whoever is kept together with one of them is kept apart from the other too.
                ones, others = _with(one, together), _with(other, together)
                for left, right in ((ones, others), (others, ones)):
                    for sid in left:
                        apart[sid] = apart.get(sid, frozenset()) | right
    on_nodes = dict[str, NodeAffinity]()
    for rule in sound:
        if isinstance(rule, NodeAffinity):
            for sid in rule.resources:
                on_nodes |= dict.fromkeys(_with(sid, together), rule)
    return Plan(on_nodes, together, apart)


def _with(sid: str, together: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return together.get(sid, frozenset()) | {sid}


def _merged(rules: Iterable[ResourceAffinity]) -> list[frozenset[str]]:
    """Rules that share a service are one."""
    groups: list[frozenset[str]] = []
    for rule in rules:
        touching = [group for group in groups if group & rule.resources]
        groups = [group for group in groups if group not in touching]
        groups.append(rule.resources.union(*touching))
    return groups


def _feasible(rules: list[Rule], nodes: Sequence[str]) -> list[Rule]:
    """Without those that contradict others. All are judged before any is left out, step by step."""
    for infeasible in (_ill_formed, _at_odds):
        wrong = infeasible(rules, nodes)
        rules = [rule for rule in rules if rule.name not in wrong]
    return rules


def _ill_formed(rules: list[Rule], nodes: Sequence[str]) -> set[str]:
    """Of their own kind alone."""
    wrong = set[str]()
    on_nodes = [rule for rule in rules if isinstance(rule, NodeAffinity)]
    for one, other in combinations(on_nodes, 2):
        if one.resources & other.resources:
            wrong |= {one.name, other.name}
    for rule in rules:
        if isinstance(rule, ResourceAffinity):
            crowded = not rule.positive and len(rule.resources) > len(nodes)
            if len(rule.resources) < 2 or crowded:
                wrong.add(rule.name)
    positive, negative = _by_sign(rules)
    for group in _merged(positive):
        for apart in negative:
            if len(group & apart.resources) > 1:
                wrong |= {apart.name} | {r.name for r in positive if r.resources <= group}
    return wrong


def _by_sign(rules: list[Rule]) -> tuple[list[ResourceAffinity], list[ResourceAffinity]]:
    kin = [rule for rule in rules if isinstance(rule, ResourceAffinity)]
    return [rule for rule in kin if rule.positive], [rule for rule in kin if not rule.positive]


def _at_odds(rules: list[Rule], nodes: Sequence[str]) -> set[str]:
    """Rules on nodes, with rules on companions."""
    wrong = set[str]()
    on_nodes = [rule for rule in rules if isinstance(rule, NodeAffinity)]
    positive, negative = _by_sign(rules)
    groups = [(group, [r for r in positive if r.resources <= group]) for group in _merged(positive)]
    groups += [(rule.resources, [rule]) for rule in negative]
    for group, kin in groups:
        touching = [rule for rule in on_nodes if rule.resources & group]
        prioritised = [rule for rule in touching if len(set(rule.nodes.values())) > 1]
        names = {rule.name for rule in kin}
        if prioritised:
            wrong |= names | {rule.name for rule in prioritised}
        elif kin[0].positive:
            common = set(nodes).intersection(*(rule.nodes for rule in touching))
            if len(touching) > 1 and not common:
                wrong |= names | {rule.name for rule in touching}
        else:
            bound = {sid: set(rule.nodes) for rule in touching for sid in rule.resources & group}
            reachable = set().union(*bound.values())
            if len(reachable) < len(bound):
                wrong |= names | {rule.name for rule in touching}
    return wrong


def of_group(name: str, sids: Iterable[str], nodes: Mapping[str, int], strict: bool) -> Rule:
    """A group of PVE 8, as the upgrade to 9 turns it into a rule."""
    return replace(NodeAffinity(f"ha-group-{name}", frozenset(sids), nodes), strict=strict)
