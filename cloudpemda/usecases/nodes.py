"""Nodes: what each carries, emptying one for maintenance, and taking it back into use.

PVE's own maintenance mode can be set by a command on a node alone, not through its API: a node
that is drained here is known to the ledger, gets nothing new, and is empty when it was read back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cloudpemda.apply.drain import Moved, Movers
from cloudpemda.cluster import ClusterState, NodeStatus, VmStatus
from cloudpemda.errors import (
    CloudpemdaError,
    ExitCode,
    Fault,
    Refused,
    Unreachable,
    UsageError,
    worst,
)
from cloudpemda.ledger import Drain, InstanceRecord
from cloudpemda.placement import Evacuation, Loss, evacuation, n_plus_one
from cloudpemda.units import MiB
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.workload import cluster_settings, policy


@dataclass(frozen=True)
class NodeView:
    """One node as it was read. `loss` is what N+1 says of losing it."""

    cluster: str
    node: str
    status: NodeStatus
    own: int  # VMs that cloudpemda looks after
    others: int  # guests of others, templates aside
    running: int
    memory: MiB
    promised: MiB  # configured for the guests there
    loss: Loss | None  # None for a node that is not online
    drain: Drain | None


@dataclass(frozen=True)
class Drained:
    """What a drain would do, or did (`moved`), and what is left on the node."""

    cluster: str
    evacuation: Evacuation
    votes: tuple[int, int]  # nodes online without this one, and how many quorum needs
    moved: tuple[Moved, ...] = ()
    left: tuple[int, ...] = ()  # VMIDs still there, read back after the moves
    done: bool = False  # whether anything was done at all
    copies: tuple[tuple[int, str], ...] = ()  # VMID and key of our own copies of VMs there

    @property
    def faults(self) -> tuple[Fault, ...]:
        where = {"node": self.evacuation.node, "cluster": self.cluster}
        found = [
            Fault(f"nodes.{one.why.value}", {"vm": one.name, "vmid": one.vmid, **where})
            for one in self.evacuation.hindered
        ]
        if self.copies:
            listed = ", ".join(f"{key} ({vmid})" for vmid, key in self.copies)
            found.append(Fault("nodes.copies", {"copies": listed, **where}))
        foreign = set(self.evacuation.foreign) - {vmid for vmid, _ in self.copies}
        if foreign:
            listed = ", ".join(map(str, sorted(foreign)))
            found.append(Fault("nodes.foreign", {"vmids": listed, **where}))
        if self.votes[0] < self.votes[1]:
            online, needed = self.votes
            found.append(Fault("nodes.quorum", {"online": online, "needed": needed, **where}))
        for one in self.moved:
            if one.error is not None:
                found.append(Fault("nodes.move-failed", {"vm": one.move.name, **where}))
                found.extend(one.error.faults)
        return tuple(found)

    @property
    def code(self) -> ExitCode:
        failed = [one.error.exit_code for one in self.moved if one.error is not None]
        if not self.done:
            return ExitCode.FINDINGS if self.faults else ExitCode.DONE
        if self.left and not failed:
            return ExitCode.FINDINGS
        return worst(failed)


def nodes(desk: Desk) -> tuple[tuple[NodeView, ...], tuple[Fault, ...]]:
    """Every node of every cluster, and why a cluster could not be read.

    For operators, reviewers, approvers and auditors.
    """
    desk.act("operator", "reviewer", "approver", "auditor")
    views: list[NodeView] = []
    faults: list[Fault] = []
    for cluster in desk.site.info.clusters:
        try:
            state = desk.cluster(cluster).snapshot(images=False)
        except CloudpemdaError as error:
            faults.extend(error.faults)
            continue
        views.extend(_views(desk, cluster, state))
    return tuple(views), tuple(faults)


def preview(desk: Desk, name: str) -> Drained:
    """What draining `cluster/node` would do. Changes nothing. Raises as `drain` does."""
    desk.act("operator", "reviewer", "approver", "auditor")
    cluster, node = _named(desk, name)
    return _look(desk, cluster, node)


def drain(
    desk: Desk,
    name: str,
    reason: str,
    progress: Callable[[str, str, str, float], None],
    halted: Callable[[], bool],
    *,
    leave_foreign: bool = False,
) -> Drained:
    """Move every VM of ours off `cluster/node` and keep the node out of use until it returns.

    Called again, it goes on with what is left. Guests of others are never moved: with
    `leave_foreign` the rest is moved all the same. For operators. Raises Refused `pause.on`,
    `nodes.cannot-empty` with each VM's hindrance (nothing was changed then), `nodes.not-online`,
    Unreachable where the cluster cannot be read, UsageError `nodes.name`.
    """
    actor = desk.act("operator")
    require_running(desk)
    cluster, node = _named(desk, name)
    found = _look(desk, cluster, node)
    hindering = [fault for fault in found.faults if fault.code not in _LET_PASS]
    if found.evacuation.foreign and not leave_foreign:
        hindering += [fault for fault in found.faults if fault.code in _STAYING]
    if hindering:
        raise Refused("nodes.cannot-empty", *hindering, node=node, cluster=cluster)
    desk.ledger.drains.begin(cluster, node, reason, actor)
    own = _own(desk, cluster)
    movers = Movers(
        pve=desk.cluster(cluster),
        node=node,
        identities={vmid: record.identity for vmid, record in own.items()},
        at_once=cluster_settings(desk, cluster).limits.writes_per_node,
        clock=desk.clock,
        entropy=desk.entropy,
        progress=progress,
        halted=halting(desk, halted),
    )
    moved = movers.run(found.evacuation.moves)
    after = desk.cluster(cluster).snapshot(images=False)
    left = tuple(
        sorted(vm.vmid for vm in after.vms.values() if vm.node == node and not vm.template)
    )
    desk.ledger.audit.note(
        actor,
        "node.moved",
        None,
        f"{cluster}/{node}",
        moved=", ".join(f"{one.move.vmid}>{one.move.target}" for one in moved if not one.error),
        failed=", ".join(str(one.move.vmid) for one in moved if one.error),
        left=", ".join(map(str, left)),
    )
    return Drained(cluster, found.evacuation, found.votes, moved, left, True, found.copies)


def take_back(desk: Desk, name: str) -> Drain | None:
    """`cluster/node` is of use again: placement may choose it. What lives elsewhere stays there.

    Answers with what was noted, None where the node was not out. For operators. Raises Refused
    `nodes.not-online` for a node that does not answer yet.
    """
    actor = desk.act("operator")
    cluster, node = _named(desk, name)
    if all((one.cluster, one.node) != (cluster, node) for one in desk.ledger.drains.list()):
        return None
    _require_online(desk.cluster(cluster).snapshot(images=False), node)
    return desk.ledger.drains.end(cluster, node, actor)


_STAYING = frozenset({"nodes.foreign", "nodes.copies"})
_LET_PASS = _STAYING | {"nodes.quorum"}


def _named(desk: Desk, name: str) -> tuple[str, str]:
    cluster, slash, node = name.partition("/")
    if not slash or not node or cluster not in desk.site.info.clusters:
        known = ", ".join(desk.site.info.clusters)
        raise UsageError("nodes.name", name=name, known=known)
    return cluster, node


def _look(desk: Desk, cluster: str, node: str) -> Drained:
    own = _own(desk, cluster)
    state = desk.cluster(cluster).snapshot(own.keys(), images=False)
    _require_online(state, node)
    keeping = policy(desk, cluster)
    online = [one for one in state.nodes.values() if one.answers and one.name != node]
    votes = (len(online), len(state.nodes) // 2 + 1)
    made = evacuation(state, node, keeping, own.keys())
    every = desk.ledger.instances.list(cluster=cluster, copies=True)
    copies = tuple((one.vmid, one.key) for one in every if one.vmid in made.foreign)
    return Drained(cluster, made, votes, copies=copies)


def _own(desk: Desk, cluster: str) -> Mapping[int, InstanceRecord]:
    return {record.vmid: record for record in desk.ledger.instances.list(cluster=cluster)}


def _require_online(state: ClusterState, node: str) -> None:
    found = state.nodes.get(node)
    if found is None:
        known = ", ".join(sorted(state.nodes))
        raise UsageError("nodes.unknown", node=node, cluster=state.name, known=known)
    if not found.answers or not state.quorate:
        raise Unreachable("nodes.not-online", node=node, cluster=state.name)


def _views(desk: Desk, cluster: str, state: ClusterState) -> tuple[NodeView, ...]:
    own = _own(desk, cluster)
    drains = {one.node: one for one in desk.ledger.drains.list(cluster)}
    losses = {one.node: one for one in n_plus_one(state, policy(desk, cluster)).losses}
    return tuple(
        NodeView(
            cluster=cluster,
            node=node.name,
            status=node.status,
            own=sum(vm.vmid in own for vm in here),
            others=sum(vm.vmid not in own for vm in here),
            running=sum(vm.status is VmStatus.RUNNING for vm in here),
            memory=node.memory,
            promised=MiB(sum(vm.memory for vm in here)),
            loss=losses.get(node.name),
            drain=drains.get(node.name),
        )
        for node in sorted(state.nodes.values(), key=lambda one: one.name)
        for here in ([vm for vm in state.vms.values() if vm.node == node.name and not vm.template],)
    )
