"""Where a service may run, and where best: rules first, then the load of the nodes.

Nodes are few and services some hundred: all is computed anew for each question.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

from cloudpemda.lab.ha.values import Load, NodeAffinity, Resource, Service

Preference = Literal["stay", "best", "another"]
LOADED = ("started", "request_stop", "fence", "freeze", "error", "recovery")
MOVING = ("migrate", "relocate", "request_start_balance")
# What counts against a node, and how much: the mean and the peak over all nodes, of CPU and memory.
WEIGHTS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Plan:
    """The rules that hold, by service."""

    nodes: Mapping[str, NodeAffinity] = field(default_factory=dict)
    together: Mapping[str, frozenset[str]] = field(default_factory=dict)
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ground:
    """The nodes that can take services, what they have, and where the services are."""

    online: Sequence[str]
    services: Mapping[str, Service]
    capacity: Mapping[str, Load]  # empty: services are counted, not weighed
    loads: Mapping[str, Load]


def occupied(service: Service, online: Iterable[str]) -> list[str]:
    """The nodes that a service weighs on: on its way it is on both."""
    if service.state in LOADED:
        found = [service.node]
    elif service.state not in MOVING:
        found = []
    elif service.state == "request_start_balance" and service.node in online:
        found = [service.target]
    else:
        found = [service.node, service.target]
    return [node for node in found if node in online]


def choose(
    plan: Plan, ground: Ground, resource: Resource, service: Service, preference: Preference
) -> str | None:
    """The node for a service; None where no node may take it."""
    sid, current = resource.sid, service.node
    allowed, first = by_affinity(plan.nodes.get(sid), ground.online)
    if not first:
        return None
    kin = plan.together.get(sid, ())  # who is on its way counts where it goes
    companions = Counter(node for other in kin for node in _places(other, ground)[-1:])
    avoided = {node for other in plan.apart.get(sid, ()) for node in _places(other, ground)}
    may_stay = current in allowed and (current in companions or current not in avoided)
    if preference == "stay" and not resource.failback and may_stay:
        return current
    if preference == "another":
        first -= set(service.failed_nodes)
    first -= avoided
    held = sorted((node for node in companions if node in first), key=lambda n: (-companions[n], n))
    if held:
        first = {held[0]}
    if service.maintenance_node in first:
        return service.maintenance_node
    if preference == "stay" and current in first:
        return current
    scores = score(ground, sid)
    ranked = sorted(first, key=lambda node: (scores[node], node))
    if preference == "another" and current in ranked[:-1]:
        return ranked[ranked.index(current) + 1]
    return ranked[0] if ranked else None


def by_affinity(rule: NodeAffinity | None, online: Sequence[str]) -> tuple[set[str], set[str]]:
    """The nodes that may take a service, and those of them that are to be preferred."""
    if rule is None:
        return set(online), set(online)
    priorities = {node: rule.nodes[node] for node in online if node in rule.nodes}
    if not rule.strict:
        priorities = dict.fromkeys(online, -1) | priorities
    best = max(priorities.values(), default=0)
    return set(priorities), {node for node, priority in priorities.items() if priority == best}


def _places(sid: str, ground: Ground) -> list[str]:
    service = ground.services.get(sid)
    return occupied(service, ground.online) if service is not None else []


def score(ground: Ground, sid: str) -> dict[str, float]:
    """How bad each node would be for the service: by number of services, or by their weight."""
    on_nodes = {other: occupied(one, ground.online) for other, one in ground.services.items()}
    if not ground.capacity:
        count = Counter(node for nodes in on_nodes.values() for node in nodes)
        return {node: float(count[node]) for node in ground.online}
    cpus, memory = dict.fromkeys(ground.online, 0.0), dict.fromkeys(ground.online, 0.0)
    for other, nodes in on_nodes.items():
        for node in nodes:
            cpus[node] += _cpus(ground, other, node)
            memory[node] += ground.loads.get(other, Load()).memory
    rows = []
    for target in ground.online:
        cpu = [
            (cpus[node] + (_cpus(ground, sid, node) if node == target else 0))
            / ground.capacity[node].cpus
            for node in ground.online
        ]
        mem = [
            (memory[node] + (ground.loads.get(sid, Load()).memory if node == target else 0))
            / ground.capacity[node].memory
            for node in ground.online
        ]
        # One is added so that small differences do not weigh as much as large ones.
        rows.append([1 + part for part in (_mean(cpu), max(cpu), _mean(mem), max(mem))])
    return dict(zip(ground.online, _distances(rows), strict=True))


def _cpus(ground: Ground, sid: str, node: str) -> float:
    """Without a limit a service may take the whole node."""
    return ground.loads.get(sid, Load()).cpus or ground.capacity[node].cpus


def _mean(values: Sequence[float]) -> float:
    return sqrt(sum(value**2 for value in values) / len(values))


def _distances(rows: Sequence[Sequence[float]]) -> list[float]:
    """TOPSIS: how near each row is to the best there could be, against the worst; small is good."""
    columns = list(zip(*rows, strict=True))
    total = sum(WEIGHTS)
    scale = [w / total / sqrt(sum(v**2 for v in c)) for w, c in zip(WEIGHTS, columns, strict=True)]
    best, worst = [min(column) for column in columns], [max(column) for column in columns]

    def far(row: Sequence[float], ideal: Sequence[float]) -> float:
        parts = zip(row, ideal, scale, strict=True)
        return sqrt(sum(((value - other) * by) ** 2 for value, other, by in parts))

    found = []
    for row in rows:
        to_best, to_worst = far(row, best), far(row, worst)
        found.append(-to_worst / (to_best + to_worst) if to_best + to_worst else 0.0)
    return found
