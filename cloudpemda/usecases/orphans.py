"""Orphans: what purged VMs left behind, and cleaning it once its node answers.

Never by guess: a volume is deleted only where its name says the VMID of the purged instance, where
nobody else has got that VMID since, and where no VM that its node shows refers to it.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, Unreachable, worst
from cloudpemda.ledger import Actor, Orphan
from cloudpemda.proxmox import TaskWaiter
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.workload import cluster_settings

_VOLUME = re.compile(r"[^:]+:(?:[^/]+/)*(?:vm|base)-(\d+)-[^/]+")
_TASK_SECONDS = 3600.0


@dataclass(frozen=True)
class Cleaned:
    """What is gone now, what is left, and why."""

    cleaned: tuple[Orphan, ...]
    left: tuple[Orphan, ...]
    faults: tuple[Fault, ...]
    code: ExitCode


def orphans(desk: Desk) -> tuple[Orphan, ...]:
    """Those that the person may see."""
    scope = desk.scope()
    return tuple(one for one in desk.ledger.orphans.list() if scope.covers(one.opd))


def clean(desk: Desk, halted: Callable[[], bool]) -> Cleaned:
    """Delete all that can be. For operators. Raises Refused by role or while the site is paused."""
    actor = desk.act("operator")
    require_running(desk)
    return clean_up(desk, actor, halted)


def clean_up(
    desk: Desk,
    actor: Actor,
    halted: Callable[[], bool],
    uids: Collection[str] | None = None,
) -> Cleaned:
    """The same for whoever acts; of these instances alone where some are given."""
    halted = halting(desk, halted)
    known = [one for one in desk.ledger.orphans.list() if uids is None or one.uid in uids]
    cleaned: list[Orphan] = []
    faults: list[Fault] = []
    codes: list[ExitCode] = []
    for cluster in sorted({one.cluster for one in known}):
        own = [one for one in known if one.cluster == cluster]
        nodes = {one.node for one in own}
        try:
            cluster_settings(desk, cluster)
            state = desk.cluster(cluster).snapshot(
                also=lambda vm, nodes=nodes: vm.node in nodes,  # type: ignore[misc]
                images=False,
            )
        except CloudpemdaError as error:
            faults.extend(error.faults)
            codes.append(error.exit_code)
            continue
        for one in own:
            if halted():
                break
            try:
                _require_nobodys(desk, one, state)
                _delete(desk, one)
                desk.ledger.orphans.gone(one, actor)
                cleaned.append(one)
            except CloudpemdaError as error:
                faults.extend(error.faults)
                codes.append(error.exit_code)
    left = tuple(one for one in known if one not in cleaned)
    return Cleaned(tuple(cleaned), left, tuple(faults), worst(codes))


def _require_nobodys(desk: Desk, one: Orphan, state: ClusterState) -> None:
    """Raises Refused or Unreachable for a volume of which it is not certain that nobody has it."""
    values = {"volume": one.volume, "node": one.node, "cluster": one.cluster, "vmid": one.vmid}
    node = state.nodes.get(one.node)
    if not state.quorate or node is None or not node.answers:
        raise Unreachable("orphans.unread", **values)
    named = _VOLUME.fullmatch(one.volume)
    if named is None or int(named[1]) != one.vmid:
        raise Refused("orphans.name", **values)
    given = desk.ledger.instances.list(cluster=one.cluster, copies=True)
    if one.vmid in state.vms or any(record.vmid == one.vmid for record in given):
        raise Refused("orphans.vmid-used", **values)
    for vm in state.vms.values():
        if vm.node != one.node or vm.container:
            continue
        if vm.config is None:
            raise Unreachable("orphans.unread", **values)
        if any(one.volume in value for value in vm.config.raw.values()):
            raise Refused("orphans.referred", vm=vm.vmid, **values)


def _delete(desk: Desk, one: Orphan) -> None:
    """Delete it, and see that it is gone."""
    pve = desk.cluster(one.cluster)
    storage = one.volume.partition(":")[0]
    if one.volume not in pve.volume_sizes(one.node, storage, one.vmid):
        return
    upid = pve.delete_volume(one.node, storage, one.volume)
    if upid is not None:
        TaskWaiter(pve, desk.clock).wait(upid, _TASK_SECONDS)
    if one.volume in pve.volume_sizes(one.node, storage, one.vmid):
        raise Refused("orphans.stays", volume=one.volume, node=one.node, cluster=one.cluster)
