"""Pictures: each cluster read once, for all that one night judges by it.

Drift, the survey and the recount of quotas want the same of a cluster: its state, with the
configuration of every VM that the ledger knows and of every stranger; the survey and the window,
how old the copies are; drift and the survey, the firewall of what exposes something. What they say
together is then of one moment, and costs one reading.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from cloudpemda.apply.firewall import with_firewall
from cloudpemda.cluster import ClusterState, Freshness, Vm
from cloudpemda.errors import CloudpemdaError
from cloudpemda.ledger import InstanceRecord, InstanceState
from cloudpemda.plan.desire import TAG
from cloudpemda.plan.model import PRIMARY, DesiredVm
from cloudpemda.usecases.desk import Desk

T = TypeVar("T")

BUILT = frozenset(
    {InstanceState.CREATING, InstanceState.ACTIVE, InstanceState.CHANGING, InstanceState.STUCK}
)
"""States in which a VM of ours may stand on a node."""


@dataclass
class Pictures:
    """A cluster as it was when it was first asked for, or why it could not be read."""

    desk: Desk
    _taken: dict[Hashable, object] = field(default_factory=dict)

    @cached_property
    def known(self) -> tuple[InstanceRecord, ...]:
        """The ledger's instances, copies included, from before the first picture: whatever is made
        after it stands in neither."""
        return self.desk.ledger.instances.list(copies=True)

    @property
    def records(self) -> tuple[InstanceRecord, ...]:
        """Those that are no copies."""
        return tuple(one for one in self.known if one.role == PRIMARY)

    def of(self, cluster: str) -> ClusterState:
        """Raises what reading it has raised, each time: nobody asks a second time in vain."""
        return self._once(cluster, lambda: self._take(cluster))

    def freshness(self, cluster: str) -> Freshness:
        """What protects our VMs there, here and not away. Raises as `of`."""
        state = self.of(cluster)
        built = tuple(
            one
            for one in self.records
            if one.cluster == cluster and one.state in BUILT and one.node is not None
        )
        return self._once(("freshness", cluster), lambda: freshness_of(self.desk, state, built))

    def guarded(self, cluster: str, desired: Sequence[DesiredVm]) -> ClusterState:
        """With the firewall of those of these VMs that expose something. Raises as `of`."""
        state, pve = self.of(cluster), self.desk.cluster(cluster)
        exposing = tuple(one for one in desired if one.firewall is not None)
        key = ("firewall", cluster, *((one.identity, one.node, one.firewall) for one in exposing))
        return self._once(key, lambda: with_firewall(pve, state, exposing))

    def _once(self, key: Hashable, take: Callable[[], T]) -> T:
        if key not in self._taken:
            try:
                self._taken[key] = take()
            except CloudpemdaError as error:
                self._taken[key] = error
        taken = self._taken[key]
        if isinstance(taken, CloudpemdaError):
            raise taken
        return cast(T, taken)

    def _take(self, cluster: str) -> ClusterState:
        vmids = {one.vmid for one in self.known if one.cluster == cluster}

        def guest(vm: Vm) -> bool:
            return not vm.container and (not vm.template or TAG in vm.tags)

        return self.desk.cluster(cluster).snapshot(vmids, also=guest, images=False)


def freshness_of(desk: Desk, state: ClusterState, records: Collection[InstanceRecord]) -> Freshness:
    """What protects these instances: asked of the nodes that they are on, and of any node that
    answers and has the backup storage."""
    backup = desk.site.info.clusters[state.name].backup
    sources = {state.vms[record.vmid].node for record in records if record.vmid in state.vms}
    there = answering(state)
    through = [node for node in there if backup and (node, backup) in state.storage_at]
    return desk.cluster(state.name).freshness(
        sources, [backup] if backup and records else [], through or there
    )


def answering(state: ClusterState | None) -> tuple[str, ...]:
    """The nodes that answer, in order."""
    return tuple(sorted(one.name for one in state.nodes.values() if one.answers)) if state else ()
