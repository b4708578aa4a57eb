"""Asides: disks that changes took from VMs that live, and what disks that moved left behind.

A disk that was taken away rests beside its VM (`unusedN` in PVE) until its quarantine is over, then
it is destroyed with its copies. Never by guess: only the volume that was noted, only while the VM
that it lies beside shows our stamp, and never one that a VM has in its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.cluster import ClusterState, VmConfig
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, Unreachable, worst
from cloudpemda.ledger import (
    Actor,
    Aside,
    InstanceRecord,
    InstanceState,
    LeavingVolume,
    RequestRecord,
    Why,
)
from cloudpemda.plan.diff import carries
from cloudpemda.plan.model import DesiredVm
from cloudpemda.proxmox import TaskWaiter
from cloudpemda.rules.quota import disk_dimension
from cloudpemda.units import Instant, MiB
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting
from cloudpemda.usecases.workload import cluster_settings

_TASK_SECONDS = 3600.0


@dataclass(frozen=True)
class AsideView:
    """One disk that rests, or is about to."""

    vm: str
    opd: str
    disk: str
    volume: str
    why: Why
    size: MiB
    since: Instant | None  # None: its VM may still have it
    purge_at: Instant | None


@dataclass(frozen=True)
class Cleared:
    """What is gone now, and why something else is not."""

    cleared: tuple[Aside, ...] = ()
    faults: tuple[Fault, ...] = ()
    code: ExitCode = ExitCode.DONE


def asides(desk: Desk) -> tuple[AsideView, ...]:
    """Those that the person may see."""
    scope = desk.scope()
    return tuple(
        AsideView(
            one.key, one.opd, one.disk, one.volume, one.why, one.size, one.since,
            purge_at(desk, one),
        )
        for one in desk.ledger.asides.list()
        if scope.covers(one.opd)
    )  # fmt: skip


def purge_at(desk: Desk, one: Aside) -> Instant | None:
    """When it is destroyed; None while that cannot be said. What a moved disk left has no data
    that is not elsewhere, and does not wait."""
    if one.why is Why.MOVED or one.since is None:
        return None
    return Instant(one.since + timedelta(seconds=desk.site.info.retirement.quarantine))


def leaving_of(
    desk: Desk, one: InstanceRecord, vm: DesiredVm, state: ClusterState
) -> tuple[LeavingVolume, ...]:
    """The volumes that leave their places when a VM that lives becomes as desired, as it was read:
    disks that go, and those that lie on another storage than they shall."""
    live = state.vms.get(one.vmid)
    if live is None or live.config is None:
        return ()
    names = {disk.slot: (disk.name, Why.REMOVED) for disk in vm.leaves}
    there = {disk.slot: disk for disk in live.config.disks}
    names |= {
        disk.slot: (disk.name, Why.MOVED)
        for disk in vm.disks
        if disk.slot in there and there[disk.slot].storage != disk.storage
    }
    classes = {
        storage: name for name, storage in cluster_settings(desk, one.cluster).storages.items()
    }
    return tuple(
        LeavingVolume(
            volume=disk.volume,
            disk=names[slot][0],
            slot=slot,
            why=names[slot][1],
            dimension=disk_dimension(classes.get(disk.storage, disk.storage)),
            size=disk.size,
            amount=MiB(disk.size * (1 + (len(one.targets) if disk.replicate else 0))),
        )
        for slot, disk in sorted(there.items())
        if slot in names
    )


def clear(
    desk: Desk, actor: Actor, halted: Callable[[], bool], workload: str | None = None
) -> Cleared:
    """Destroy what has rested for its time and what moved disks left, of one workload or of all.

    What cannot be destroyed now is left, with its reason in the faults. Raises only for bugs.
    """
    halted = halting(desk, halted)
    instances = {one.uid: one for one in desk.ledger.instances.list(workload=workload)}
    due = [one for one in desk.ledger.asides.list(workload=workload) if _may_go(desk, one)]
    due = [one for one in due if one.uid in instances]
    cleared: list[Aside] = []
    faults: list[Fault] = []
    codes: list[ExitCode] = []
    for cluster in sorted({one.cluster for one in due}):
        own = [one for one in due if one.cluster == cluster]
        try:
            cluster_settings(desk, cluster)
            vmids = {instances[one.uid].vmid for one in own}
            state = desk.cluster(cluster).snapshot(vmids, images=False)
        except CloudpemdaError as error:
            faults.extend(error.faults)
            codes.append(error.exit_code)
            continue
        for one in own:
            if halted():
                break
            try:
                if _settle_one(desk, actor, one, instances[one.uid], state):
                    cleared.append(one)
            except CloudpemdaError as error:
                faults.extend(error.faults)
                codes.append(error.exit_code)
    return Cleared(tuple(cleared), tuple(faults), worst(codes))


def _may_go(desk: Desk, one: Aside) -> bool:
    """Whether it is to be looked at now: never while its workload is being changed."""
    record = desk.ledger.requests.get(one.key.rpartition("/")[0])
    if record.changing:
        return False
    if one.why is Why.MOVED or _is_wanted(one, record):
        return True  # of one that is wanted: perhaps it is back in its place
    if one.disk in _disks_of(record.as_proposed, one):
        return False  # somebody asks for it: it is not destroyed before that is decided
    at = purge_at(desk, one)
    return at is not None and at <= desk.clock.now()


def _is_wanted(one: Aside, record: RequestRecord) -> bool:
    """Whether its VM shall have a disk of its name by what the workload lives by."""
    return one.why is Why.REMOVED and one.disk in _disks_of(record, one)


def _disks_of(record: RequestRecord, one: Aside) -> frozenset[str]:
    member = one.key.rpartition("/")[2]
    return frozenset(
        disk.name for vm in record.spec.vms if member in vm.members for disk in vm.disks
    )


def _settle_one(
    desk: Desk, actor: Actor, one: Aside, instance: InstanceRecord, state: ClusterState
) -> bool:
    """Whether the ledger can forget it. Raises Refused, Unreachable where it cannot be said."""
    if instance.state is not InstanceState.ACTIVE:
        return False  # in quarantine it stays with its VM, and goes with it
    values = {"vm": one.key, "disk": one.disk, "volume": one.volume, "cluster": one.cluster}
    live = state.vms.get(instance.vmid)
    if live is None or not state.quorate:
        raise Unreachable("disks.unread", **values)
    record = desk.ledger.requests.get(one.key.rpartition("/")[0])
    if not _may_go(desk, one):
        return False  # somebody has asked for it since, or changes its VM
    config = _own(desk, live.node, instance, values)
    held = _slots_of(one, config)
    if any(not _is_unused(slot) for slot in held):
        if one.why is Why.MOVED or _is_wanted(one, record):
            desk.ledger.asides.back(one, actor)
            return True
        raise Refused("disks.attached", **values)
    if _is_wanted(one, record):
        return False  # its VM lacks it: a plan says so
    elsewhere = _places_of_copies(one, live.node, instance, state, values)
    if held:
        _destroy(desk, one, live.node, instance, values)
    for node in elsewhere:
        _delete_copy(desk, one, node, instance, values)
    if one.volume in desk.cluster(one.cluster).volume_sizes(live.node, one.storage, instance.vmid):
        raise Refused("disks.stays", node=live.node, **values)
    desk.ledger.asides.gone(one, actor)
    return True


def _slots_of(one: Aside, config: VmConfig) -> list[str]:
    """Where a VM has the volume: `scsi1`, or `unused0` once it is detached."""
    return [key for key, text in config.raw.items() if text.partition(",")[0] == one.volume]


def _is_unused(slot: str) -> bool:
    return slot.startswith("unused")


def _places_of_copies(
    one: Aside,
    here: str,
    instance: InstanceRecord,
    state: ClusterState,
    values: dict[str, str],
) -> list[str]:
    """The other nodes on which replication may have left a copy of it. Raises Unreachable while
    one that may have it, or its VM's own, does not answer."""
    nodes = sorted({here, instance.node or here, *instance.targets})
    unread = [node for node in nodes if node not in state.nodes or not state.nodes[node].answers]
    if unread:
        raise Unreachable("disks.node-unread", node=", ".join(unread), **values)
    storages = {node: state.storage_at.get((node, one.storage)) for node in nodes if node != here}
    return [node for node, there in storages.items() if there is not None and not there.shared]


def _own(desk: Desk, node: str, instance: InstanceRecord, values: dict[str, str]) -> VmConfig:
    """The VM as it is at this moment. Raises Refused where it is not ours any more."""
    config = desk.cluster(instance.cluster).config(node, instance.vmid)
    if not carries(config, instance.identity):
        raise Refused("disks.foreign", vmid=instance.vmid, **values)
    return config


def _destroy(
    desk: Desk, one: Aside, node: str, instance: InstanceRecord, values: dict[str, str]
) -> None:
    """Through its VM's own configuration: PVE refuses what a vm_snapshot still needs."""
    pve = desk.cluster(one.cluster)
    config = _own(desk, node, instance, values)
    slots = [slot for slot in _slots_of(one, config) if _is_unused(slot)]
    if slots:
        upid = pve.set_config(node, instance.vmid, {}, delete=slots, digest=config.digest)
        TaskWaiter(pve, desk.clock).wait(upid, _TASK_SECONDS)
    again = _own(desk, node, instance, values)
    if _slots_of(one, again):
        raise Refused("disks.stays", node=node, **values)


def _delete_copy(
    desk: Desk, one: Aside, node: str, instance: InstanceRecord, values: dict[str, str]
) -> None:
    """What a replication has made of it on another node: its VM refers to it no more."""
    pve = desk.cluster(one.cluster)
    if one.volume not in pve.volume_sizes(node, one.storage, instance.vmid):
        return
    upid = pve.delete_volume(node, one.storage, one.volume)
    if upid is not None:
        TaskWaiter(pve, desk.clock).wait(upid, _TASK_SECONDS)
    if one.volume in pve.volume_sizes(node, one.storage, instance.vmid):
        raise Refused("disks.stays", node=node, **values)
