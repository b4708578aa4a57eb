"""Copies: nothing is destroyed that has a second copy which may stand for it.

A copy carries the uid of the original in its description. One with role primary may be the one that
people use; one in another role that runs is a recovery or a drill at work. What cannot be read may
be either.
"""

from collections.abc import Collection, Iterator, Mapping

from cloudpemda.cluster import ClusterState, Vm, VmStatus
from cloudpemda.errors import CloudpemdaError, Refused, Unreachable
from cloudpemda.ledger import InstanceRecord
from cloudpemda.plan.diff import stamp
from cloudpemda.plan.model import PRIMARY
from cloudpemda.report.oddities import is_stray, owned
from cloudpemda.usecases.desk import Desk


def refused_for_copies(
    desk: Desk, going: Collection[InstanceRecord], at_home: ClusterState
) -> Mapping[str, CloudpemdaError]:
    """By key why an instance may not be destroyed. Each cluster of the site is read once."""
    if not going:
        return {}
    by_uid = {one.uid: one for one in going}
    refused: dict[str, CloudpemdaError] = {}
    known = desk.ledger.instances.list(copies=True)
    for cluster in sorted({*desk.site.info.clusters, at_home.name}):
        ours = owned(cluster, known)
        try:
            state = desk.cluster(cluster).snapshot(
                also=lambda vm, ours=ours: is_stray(vm, ours),  # type: ignore[misc]
                images=False,
            )
        except CloudpemdaError:
            error = Unreachable("retire.copies-unread", cluster=cluster)
            return {one.key: error for one in going}
        for vm, uid, role in _copies(state, ours):
            one = by_uid.get(uid)
            if uid == "?":
                for other in going:
                    refused.setdefault(other.key, _unread(cluster, vm))
            elif one is not None and (one.cluster, one.vmid) != (cluster, vm.vmid):
                code = _speaks_against(vm, role)
                if code is not None:
                    values = {"vm": one.key, "cluster": cluster, "node": vm.node}
                    refused[one.key] = Refused(code, vmid=vm.vmid, role=role, **values)
    return refused


def _copies(state: ClusterState, ours: Collection[int]) -> Iterator[tuple[Vm, str, str]]:
    """VMs that call themselves ours where none of ours is, with uid (`?`: unread) and role."""
    for vm in state.vms.values():
        if vm.config is not None:
            said = stamp(vm.config)
            if "uid" in said:
                yield vm, said["uid"], said.get("role", "-")
        elif is_stray(vm, ours) and not vm.template:
            yield vm, "?", "-"


def _speaks_against(vm: Vm, role: str) -> str | None:
    if role == PRIMARY:
        return "retire.second-copy"
    return None if vm.status is VmStatus.STOPPED else "retire.in-recovery"


def _unread(cluster: str, vm: Vm) -> CloudpemdaError:
    return Unreachable("retire.copy-unread", cluster=cluster, vmid=vm.vmid, node=vm.node)
