"""Replication jobs: copies of a guest's zfs volumes on another node, on a schedule.

A run copies everything at once when source and target are online; a failure waits 5, 10, 15, then
30 minutes; an offline target is waited for without counting. `schedule_now` does nothing for a job
that never ran. DELETE marks a job; it goes with the next run on its source.
"""

from datetime import UTC, datetime
from typing import cast

from cloudpemda.lab import storage as storages
from cloudpemda.lab.calendar import parse
from cloudpemda.lab.errors import Refused, failed, found, invalid, refuse_if
from cloudpemda.lab.qemu.config import Drive, disks
from cloudpemda.lab.routes import Page, Row, route
from cloudpemda.lab.sections import File
from cloudpemda.lab.state import ReplicationJob, Section, Vm
from cloudpemda.lab.world import Call, World

DEFAULT = "*/15"
BACKOFF = (300, 600, 900, 1800)


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
    return [volid for volid, able in drives if able]


def blocks(world: World, vm: Vm, drive: Drive) -> bool:
    """Whether a new drive would break the VM's replication jobs."""
    jobs = world.cluster.replication.values()
    return any(job.guest == vm.vmid for job in jobs) and _replicable(world, drive) is False


# -- the engine ----------------------------------------------------------------------------------


def run_due(world: World) -> None:
    """Start what is due. Jobs of one node run one after another."""
    for job in list(world.cluster.replication.values()):
        vm = world.cluster.vms.get(job.guest)
        if vm is None or not world.cluster.nodes[vm.node].online:
            continue
        if job.options.get("remove_job"):
            _remove(world, job, vm)
        elif job.options.get("disable") != "1" and _due(job) <= world.now():
            _run(world, job, vm)


def _due(job: ReplicationJob) -> float:
    """When a job is to run next: one that never did is as late as can be."""
    return 0.0 if job.state.scheduled_now else job.state.next_sync or _next(job, 0.0)


def _next(job: ReplicationJob, after: float) -> float:
    return parse(job.options.get("schedule", DEFAULT)).next_after(after) or float("inf")


def _run(world: World, job: ReplicationJob, vm: Vm) -> None:
    state, now = job.state, world.now()
    if not world.cluster.nodes[job.target].online:
        return
    state.last_try, state.scheduled_now, state.log = now, False, []
    _log(world, job, "start replication job", f"guest => VM {vm.vmid}, running => {vm.pid}",
         f"volumes => {','.join(replicated(world, vm, strict=False))}")  # fmt: skip
    try:
        for volid in replicated(world, vm, strict=True):
            _copy(world, job, vm, volid)
    except Refused as refused:
        state.error = refused.message
        state.next_sync = now + BACKOFF[min(state.fail_count, len(BACKOFF) - 1)]
        state.fail_count += 1
        _log(world, job, f"end replication job with error: {refused.message}")
        world.note("replication-failed", job=job.name, error=refused.message)
        return
    _log(world, job, "end replication job")
    state.fail_count, state.error = 0, ""
    state.last_sync, state.last_node = now, vm.node
    state.duration = world.duration("replication")
    state.next_sync = _next(job, now)
    world.note("replicated", job=job.name, vmid=vm.vmid, source=vm.node, target=job.target)


def _log(world: World, job: ReplicationJob, *lines: str) -> None:
    stamp = f"{datetime.fromtimestamp(world.now(), UTC):%Y-%m-%d %H:%M:%S} {job.name}:"
    job.state.log += [f"{stamp} {line}" for line in lines]


def _copy(world: World, job: ReplicationJob, vm: Vm, volid: str) -> None:
    """All of a volume the first time, and what has changed since then."""
    cluster, moment = world.cluster, int(world.now())
    storage = storages.usable_on(cluster, storages.split(volid)[0], job.target)
    source = found(storages.find(cluster, volid, vm.node), f"volume '{volid}' does not exist")
    copy = storages.find(cluster, volid, job.target)
    if copy is not None and not job.state.last_sync:
        raise failed(f"No common base snapshot on volume(s) {volid}.")
    if copy is None:
        storages.allocate(
            world, storage, job.target, vm.vmid, source.virtual, source.format, volid=volid
        )
    elif copy.virtual != source.virtual:
        storages.resize(world, copy, source.virtual, job.target)
    sync = "incremental" if copy else "full"
    _log(world, job, f"create snapshot '__replicate_{job.name}_{moment}__' on {volid}",
         f"{sync} sync '{volid}' (__replicate_{job.name}_{moment}__)",
         f"successfully imported '{volid}'")  # fmt: skip


def _remove(world: World, job: ReplicationJob, vm: Vm) -> None:
    if job.options["remove_job"] == "full":
        for volid in replicated(world, vm, strict=False):
            storages.free(world, volid, job.target)
    del world.cluster.replication[job.name]
    world.note("replication-removed", job=job.name)


# -- the API -------------------------------------------------------------------------------------


def _gate(call: Call, verb: str) -> None:
    """PVE's words for a job that is not there, and who may change one."""
    if verb in ("read", "update", "delete"):
        what = "no such replication job" if verb == "read" else "no such job"
        refuse_if(call["id"] not in call.cluster.replication, f"{what} '{call['id']}'")
    path = f"/vms/{call.get('id').partition('-')[0]}"
    if verb == "read":
        call.require(path, "VM.Audit")
    elif verb != "index" and call.cluster.release == "8":
        call.require("/storage", "Datastore.Allocate")
    elif verb != "index":
        call.require(path, "VM.Replicate")


def _check(call: Call, section: Section, verb: str) -> None:
    job, jobs = cast(ReplicationJob, section), call.cluster.replication
    if job.options.get("disable") == "0":
        del job.options["disable"]
    if verb == "update":
        if "schedule" in call:
            jobs[job.name].state.next_sync = 0.0
        return
    vm = found(call.cluster.vms.get(job.guest), f"Guest '{job.guest}' does not exist.")
    refuse_if(job.target == vm.node, "Source and target must not be identical")
    refuse_if(job.target not in call.cluster.nodes, f"Target '{job.target}' does not exist.")
    refuse_if(not replicated(call.world, vm, strict=True), "No replicatable volumes found")
    refuse_if(
        any((other.guest, other.target) == (job.guest, job.target) for other in jobs.values()),
        f"replication job for guest '{job.guest}' to target '{job.target}' already exists",
    )


def _shown(call: Call, job: Section) -> Row:
    guest, _, number = job.name.partition("-")
    vm, rate = call.cluster.vms.get(int(guest)), job.options.get("rate")
    row: Row = {"guest": int(guest), "jobnum": int(number)}
    row |= {"source": vm.node} if vm else {}
    return row | ({"rate": float(rate)} if rate else {})


def _visible(call: Call, job: Section) -> bool:
    return call.may(f"/vms/{job.name.partition('-')[0]}", "VM.Audit")


JOBS = File(
    path="/cluster/replication", key="id", make=ReplicationJob,
    sections=lambda cluster: cluster.replication,
    taken="replication job '{}' already exists", gate=_gate, check=_check, show=_shown,
    visible=_visible, signed=("get",), lock="file-replication_cfg",
    elsewhere=("DELETE /cluster/replication/{id}",),
).serve()  # fmt: skip


@route("DELETE /cluster/replication/{id}")
def delete_job(call: Call) -> object:
    if call.flag("force") and call.flag("keep"):
        raise invalid({"keep": "conflicts with parameter 'force'"})
    JOBS.open(call, "delete")
    if call.flag("force"):
        del call.cluster.replication[call["id"]]
    else:
        job = call.cluster.replication[call["id"]]
        job.options["remove_job"] = "local" if call.flag("keep") else "full"
    return None


def _status(call: Call, job: ReplicationJob) -> Row:
    state = job.state
    row = JOBS.row(call, job) | {
        "vmtype": "qemu", "last_sync": int(state.last_sync), "last_try": int(state.last_try),
        "fail_count": state.fail_count, "next_sync": int(state.next_sync or _next(job, 0.0)),
    }  # fmt: skip
    row |= {"duration": state.duration} if state.last_sync else {}
    return row | ({"error": state.error} if state.error else {})


@route("GET /nodes/{node}/replication")
def node_jobs(call: Call) -> object:
    vms = call.cluster.vms
    return [
        _status(call, job)
        for job in call.cluster.replication.values()
        if job.guest in vms
        and vms[job.guest].node == call.node
        and call.whole("guest", job.guest) == job.guest
        and _visible(call, job)
    ]


@route("GET /nodes/{node}/replication/{id}/status")
def job_status(call: Call) -> object:
    _gate(call, "read")
    return _status(call, call.cluster.replication[call["id"]])


@route("GET /nodes/{node}/replication/{id}/log")
def job_log(call: Call) -> object:
    JOBS.find(call)
    never = ["unable to open file - No such file or directory"]
    lines = call.cluster.replication[call["id"]].state.log or never
    first, last = call.whole("start"), call.whole("start") + call.whole("limit", 50)
    rows = [{"n": number, "t": line} for number, line in enumerate(lines, 1)]
    return Page(rows[first:last], len(rows))


@route("POST /nodes/{node}/replication/{id}/schedule_now")
def schedule_now(call: Call) -> object:
    job = call.cluster.replication.get(call["id"])
    state = found(job, f"no such replication job '{call['id']}'").state
    _gate(call, "update")
    state.scheduled_now = bool(state.last_try)
    return ""
