"""Replication on a simulated cluster: which jobs run, one after another on each node.

The scheduler looks once a minute. A guest that HA took away to the target turns its job round: what
the lost node still has of it is overwritten when it comes back.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, found, refuse_if
from cloudpemda.lab.qemu.config import Drive, disks
from cloudpemda.lab.replication import engine
from cloudpemda.lab.state import Node, ReplicationJob, ReplicationState, Vm, Volume
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import World


def _replicable(world: World, drive: Drive) -> bool | None:
    """Whether a drive can be copied; None for one that need not be."""
    storage = world.cluster.storages.get(storages.split(drive.volid)[0])
    if storage is None or storage.shared or drive.options.get("replicate") == "0":
        return None
    return storage.type == "zfspool"


def replicated(world: World, vm: Vm, *, strict: bool) -> list[str]:
    """Volumes to copy. A local disk that cannot be copied blocks the job, unless it opts out."""
    drives = [(drive.volid, _replicable(world, drive)) for drive in disks(vm.config).values()]
    for volid, able in drives:
        refuse_if(strict and able is False, f"missing replicate feature on volume '{volid}'")
    return sorted(volid for volid, able in drives if able)


def blocks(world: World, vm: Vm, drive: Drive) -> bool:
    """Whether a new drive would break the VM's replication jobs."""
    jobs = world.cluster.replication.values()
    return any(job.guest == vm.vmid for job in jobs) and _replicable(world, drive) is False


class ClusterGround(engine.Ground):
    def __init__(self, world: World, job: ReplicationJob, vm: Vm) -> None:
        self.world, self.job, self.vm, self.node = world, job, vm, vm.node
        self.sent = 0  # bytes

    def now(self) -> float:
        return self.world.now()

    def write(self, line: str) -> None:
        stamp = f"{datetime.fromtimestamp(self.now(), UTC):%Y-%m-%d %H:%M:%S}"
        self.job.state.log.append(f"{stamp} {self.job.name}: {line}")

    def guest(self) -> str:
        here = self.world.cluster.vms.get(self.vm.vmid) is self.vm and self.vm.node == self.node
        refuse_if(not here, f"guest '{self.vm.vmid}' is not on node '{self.node}'")
        return f"VM {self.vm.vmid}, running => {self.vm.pid}"

    def volumes(self, *, strict: bool) -> Sequence[str]:
        return replicated(self.world, self.vm, strict=strict)

    def source(self, volid: str) -> Volume:
        return found(
            storages.find(self.world.cluster, volid, self.node), f"no such volid '{volid}'"
        )

    def copy(self, volid: str) -> Volume | None:
        return storages.find(self.world.cluster, volid, self.job.target)

    def prepare(self, wanted: Sequence[str]) -> None:
        cluster, target = self.world.cluster, self.job.target
        if target not in cluster.nodes or not cluster.nodes[target].online:
            raise failed(f"command 'ssh -o 'HostKeyAlias={target}' root@{target}' failed: exit 255")
        for name in self.job.state.storages or {storages.split(volid)[0] for volid in wanted}:
            for volume in list(cluster.volumes.on(name, target).values()):
                if self.job.name in volume.marks and volume.volid not in wanted:
                    storages.free(self.world, volume.volid, target)

    def receive(self, source: Volume) -> Volume:
        target, volid = self.job.target, source.volid
        storage = storages.usable_on(self.world.cluster, storages.split(volid)[0], target)
        copy = self.copy(volid)
        if copy is None:
            return storages.allocate(
                self.world, storage, target, self.vm.vmid, source.virtual, source.format,
                volid=volid,
            )  # fmt: skip
        if copy.virtual != source.virtual:
            storages.resize(self.world, copy, source.virtual, target)
        copy.system = source.system
        return copy

    def changed(self, volume: Volume, since: float) -> int:
        if self.vm.status == "stopped":
            return 0
        hours = (self.now() - max(since, self.vm.started)) / 3600
        busy = 0.5 + self.world.share(volume.volid)
        return int(hours * busy * self.world.rates.get("change", 0))

    def seconds(self, size: int, rate: float) -> float:
        self.sent += size
        network = self.world.rates.get("replication", math.inf)
        return self.world.duration("replication") + size / min(network, rate or math.inf)


# -- when ----------------------------------------------------------------------------------------


def begin(world: World) -> None:
    """No run outlives the lab."""
    for job in world.cluster.replication.values():
        job.state.pid = 0


def look(world: World) -> float:
    """Start what is due on every node; answers when the next job falls due."""
    soonest, now = math.inf, world.now()
    due: dict[str, Node] = {}
    for job in world.cluster.replication.values():
        when, vm = _due(world, job), world.cluster.vms.get(job.guest)
        if vm is not None and when <= now:
            due[vm.node] = world.cluster.nodes[vm.node]
        else:
            soonest = min(soonest, when)
    for node in due.values():
        world.tasks.employ(
            node, "pvesr", _serve(world, node)
        )  # who is at it looks again at its end
    return soonest


def _due(world: World, job: ReplicationJob) -> float:
    """When a job is due on its guest's node, infinite while nobody there would run it."""
    vm, nodes = world.cluster.vms.get(job.guest), world.cluster.nodes
    if vm is None or not nodes[vm.node].online:
        return math.inf
    if job.source != vm.node:
        _follow(world, job, vm)
    idle = job.options.get("disable") == "1" or job.target == vm.node
    if idle and "remove_job" not in job.options:
        return math.inf
    target = nodes.get(job.target)
    return engine.next_sync(job, online=target is not None and target.online)


def _follow(world: World, job: ReplicationJob, vm: Vm) -> None:
    """The guest is on a node that knows nothing of earlier runs: HA put it there."""
    if job.source:
        job.state = ReplicationState()
        if job.target == vm.node:
            job.target = job.source
            world.note("replication-turned", job=job.name, vmid=vm.vmid, target=job.target)
    job.source = vm.node


def _serve(world: World, node: Node) -> Work:
    """One job after another, each once; those that fall due meanwhile too."""
    tried: set[str] = set()
    while (job := _next(world, node, tried)) is not None:
        tried.add(job.name)
        yield from _run(world, job, node)


def _next(world: World, node: Node, tried: set[str]) -> ReplicationJob | None:
    now, jobs = world.now(), world.cluster.replication.values()
    own = [job for job in jobs if job.source == node.name and job.name not in tried]
    waiting = [job for job in own if _due(world, job) <= now and job.source == node.name]
    return min(waiting, key=lambda job: (job.state.last_try, job.guest, job.name), default=None)


def _run(world: World, job: ReplicationJob, node: Node) -> Work:
    state, vm = job.state, world.cluster.vms[job.guest]
    node.next_pid += 3
    state.pid, state.log = node.next_pid, []
    ground, told = ClusterGround(world, job, vm), state.error
    over = yield from engine.run(job, ground)
    state.pid = 0
    facts: dict[str, object] = {"job": job.name, "vmid": vm.vmid, "source": node.name}
    facts["target"] = job.target
    if over:
        world.cluster.replication.pop(job.name, None)
        world.note("replication-removed", **facts)
    elif not state.error:
        at = state.last_sync
        world.note("replicated", **facts, recovery_point=at, bytes=ground.sent)
    elif "remove_job" not in job.options or told != state.error:  # that is tried every minute
        world.note("replication-failed", **facts, error=state.error)


def moved(world: World, vm: Vm, source: str) -> None:
    """After a migration: what the guest left behind is the copy now, as of this very moment."""
    for job in world.cluster.replication.values():
        if job.guest != vm.vmid:
            continue
        job.source = vm.node
        if job.target != vm.node:
            continue
        job.target, now = source, world.now()
        job.state.last_node, job.state.last_try, job.state.last_sync = source, now, now
        for volid in replicated(world, vm, strict=False):
            pair = [storages.find(world.cluster, volid, node) for node in (source, vm.node)]
            for volume in pair:
                if volume is not None:
                    volume.marks[job.name] = now
            if pair[0] is not None:
                pair[0].holds = now
        facts = {"vmid": vm.vmid, "source": vm.node, "target": source}
        world.note("replicated", job=job.name, **facts, recovery_point=now, bytes=0)
