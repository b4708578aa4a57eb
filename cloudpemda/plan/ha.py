"""Where HA may run a VM, in the words of the cluster's flavour: rules (9) or groups (8).

HA knows nothing of replication: without a strict affinity over the source and its targets it
recovers a VM on a node that has none of its disks. Priorities are never used: the direction of a
replication turns with the VM, so no node is better than another, and on 9 a node affinity with
priorities excludes the resource affinity that keeps members apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloudpemda.cluster import HaFlavour, HaRule
from cloudpemda.plan.model import DesiredVm

NODE_AFFINITY = "node-affinity"
RESOURCE_AFFINITY = "resource-affinity"
GROUP = "group"

_APART = "cloudpemda-apart-"


@dataclass(frozen=True)
class WantedRule:
    """A rule of 9, or a group of 8 (`kind` GROUP: restricted, nofailback)."""

    name: str
    kind: str
    resources: frozenset[str]  # sids; of a group: the resources that must name it
    nodes: frozenset[str]  # empty for a resource affinity

    def met_by(self, live: HaRule) -> bool:
        """Whether a live rule does what this one asks: enabled, without errors, same extent."""
        if live.kind != self.kind or not live.enabled or live.errors is not None:
            return False
        if self.kind == RESOURCE_AFFINITY:
            return live.positive is False and live.resources == self.resources
        same_nodes = live.strict and frozenset(live.nodes) == self.nodes
        flat = len(set(live.nodes.values())) <= 1
        return same_nodes and flat and (self.kind == GROUP or live.resources == self.resources)


class Apartness(StrEnum):
    """What keeps the members of a keep-apart group on different nodes, once HA moves them."""

    RULE = "rule"  # 9: negative resource affinity
    DISJOINT = "disjoint"  # 8: their restricted groups share no node
    PLACEMENT_ONLY = "placement-only"  # nothing: apart as placed, HA may bring them together


def requested_states(vm: DesiredVm) -> tuple[str, ...]:
    """What the HA manager may be asked for of a VM that it shall manage, the first by us. One
    that was stopped on purpose and runs is left to people."""
    return ("started",) if vm.running else ("stopped", "started")


def sid(vmid: int) -> str:
    """The HA manager's name of a VM."""
    return f"vm:{vmid}"


def affinity_name(vmid: int) -> str:
    """Name of the node affinity rule (9) or group (8) of one VM."""
    return f"cloudpemda-{vmid}"


def apart_name(group: str) -> str:
    """Name of the rule that keeps a group's members apart (9)."""
    return f"{_APART}{group}"


def is_apart_name(name: str) -> bool:
    """Whether `apart_name` made it."""
    return name.startswith(_APART)


def ha_rules_for(vms: Sequence[DesiredVm], flavour: HaFlavour) -> tuple[WantedRule, ...]:
    """The rules or groups that the desired VMs of one workload need, in a stable order.

    A resource affinity needs two managed resources at least; a lone member gets none.
    """
    kind = GROUP if flavour is HaFlavour.GROUPS else NODE_AFFINITY
    managed = [vm for vm in vms if vm.protection.ha]
    rules = [
        WantedRule(
            name=affinity_name(vm.identity.vmid),
            kind=kind,
            resources=frozenset({sid(vm.identity.vmid)}),
            nodes=frozenset(vm.protection.ha_nodes),
        )
        for vm in managed
        if vm.protection.ha_nodes
    ]
    if flavour is HaFlavour.RULES:
        rules += [
            WantedRule(
                name=apart_name(group),
                kind=RESOURCE_AFFINITY,
                resources=frozenset(sid(vm.identity.vmid) for vm in members),
                nodes=frozenset(),
            )
            for group, members in apart_groups(managed).items()
            if len(members) > 1
        ]
    return tuple(rules)


def apart_groups(vms: Sequence[DesiredVm]) -> dict[str, list[DesiredVm]]:
    """Keep-apart group → its members, in order of their names."""
    groups: dict[str, list[DesiredVm]] = {}
    for vm in sorted(vms, key=lambda vm: vm.key):
        if vm.protection.apart is not None:
            groups.setdefault(vm.protection.apart, []).append(vm)
    return groups


def apartness(vms: Sequence[DesiredVm], flavour: HaFlavour) -> dict[str, Apartness]:
    """What keeps each keep-apart group apart. Members without HA stay where they were placed."""
    kept: dict[str, Apartness] = {}
    for group, members in apart_groups(vms).items():
        managed = [vm for vm in members if vm.protection.ha]
        if flavour is HaFlavour.RULES and len(managed) == len(members):
            kept[group] = Apartness.RULE
        elif _disjoint(members):
            kept[group] = Apartness.DISJOINT
        else:
            kept[group] = Apartness.PLACEMENT_ONLY
    return kept


def _disjoint(members: Sequence[DesiredVm]) -> bool:
    seen: set[str] = set()
    for vm in members:
        nodes = set(vm.protection.ha_nodes) if vm.protection.ha else {vm.node}
        if not nodes or nodes & seen:
            return False
        seen |= nodes
    return True
