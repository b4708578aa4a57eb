"""Pictures: each cluster read once, for all that one night judges by it.

Drift, the survey and the recount of quotas want the same of a cluster: its state, with the
configuration of every VM that the ledger knows and of every stranger. What they say together is
then of one moment, and costs one reading.
"""

from dataclasses import dataclass, field
from functools import cached_property

from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError
from cloudpemda.ledger import InstanceRecord
from cloudpemda.plan.desire import TAG
from cloudpemda.plan.model import PRIMARY
from cloudpemda.usecases.desk import Desk


@dataclass
class Pictures:
    """A cluster as it was when it was first asked for, or why it could not be read."""

    desk: Desk
    _taken: dict[str, ClusterState | CloudpemdaError] = field(default_factory=dict)

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
        if cluster not in self._taken:
            try:
                self._taken[cluster] = self._take(cluster)
            except CloudpemdaError as error:
                self._taken[cluster] = error
        taken = self._taken[cluster]
        if isinstance(taken, CloudpemdaError):
            raise taken
        return taken

    def _take(self, cluster: str) -> ClusterState:
        vmids = {one.vmid for one in self.known if one.cluster == cluster}

        def guest(vm: Vm) -> bool:
            return not vm.container and (not vm.template or TAG in vm.tags)

        return self.desk.cluster(cluster).snapshot(vmids, also=guest, images=False)
