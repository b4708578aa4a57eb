"""Replication jobs: copies of a guest's zfs volumes on another node, on a schedule.

A run copies everything at once when source and target are online; a failure waits 5, 10, 15, then
30 minutes; an offline target is waited for without counting. `schedule_now` does nothing for a job
that never ran. DELETE marks a job; it goes with the next run on its source.
"""

from datetime import UTC, datetime

from cloudpemda.lab import storage as storages
from cloudpemda.lab.calendar import parse
from cloudpemda.lab.errors import Refused, failed, invalid
from cloudpemda.lab.qemu.config import Drive, disks
from cloudpemda.lab.routes import Page, route
from cloudpemda.lab.state import ReplicationJob, Vm
from cloudpemda.lab.world import Call, World, check_digest, digest_of

TICK = 60.0
DEFAULT = "*/15"
BACKOFF = (300, 600, 900, 1800)


def _digest(call: Call) -> str:
    return digest_of([[j.id, j.target, j.options] for j in call.cluster.replication.values()])


def replicated(world: World, vm: Vm, *, strict: bool) -> list[str]:
    """Volumes to copy. A local disk that cannot be copied blocks the job, unless it opts out."""
    found = []
    for drive in disks(vm.config).values():
        if drive.options.get("replicate") == "0":
            continue
        name = storages.split(drive.volid)[0]
        storage = world.cluster.storages.get(name)
        if storage is None or storage.shared:
            continue
        if storage.type == "zfspool":
            found.append(drive.volid)
        elif strict:
            raise failed(f"missing replicate feature on volume '{drive.volid}'")
    return found


def blocks(world: World, vm: Vm, drive: Drive) -> bool:
    """Whether a new drive would break the VM's replication jobs."""
    if not any(job.guest == vm.vmid for job in world.cluster.replication.values()):
        return False
    storage = world.cluster.storages.get(storages.split(drive.volid)[0])
    return (
        storage is not None
        and not storage.shared
        and storage.type != "zfspool"
        and drive.options.get("replicate") != "0"
    )


# -- the engine ----------------------------------------------------------------------------------


def tick(world: World) -> None:
    """Once a minute: start what is due. Jobs of one node run one after another."""
    for job in list(world.cluster.replication.values()):
        vm = world.cluster.vms.get(job.guest)
        if vm is None or not world.cluster.nodes[vm.node].online:
            continue
        if job.options.get("remove_job"):
            _remove(world, job, vm)
        elif job.options.get("disable") != "1" and _due(job) <= world.now():
            run(world, job, vm)
    world.clock.after(TICK, lambda: tick(world))


def _due(job: ReplicationJob) -> float:
    """When a job is to run next: one that never did is as late as can be."""
    if job.state.scheduled_now:
        return 0.0
    return job.state.next_sync or _next(job, 0.0)


def _next(job: ReplicationJob, after: float) -> float:
    return parse(job.options.get("schedule", DEFAULT)).next_after(after) or float("inf")


def run(world: World, job: ReplicationJob, vm: Vm) -> None:
    state, now = job.state, world.now()
    if not world.cluster.nodes[job.target].online:
        return
    state.last_try, state.scheduled_now = now, False
    state.log = _log_head(world, job, vm)
    try:
        volumes = replicated(world, vm, strict=True)
        for volid in volumes:
            _copy(world, job, vm, volid)
    except Refused as refused:
        state.fail_count += 1
        state.error = refused.message
        wait = BACKOFF[min(state.fail_count, len(BACKOFF)) - 1]
        state.next_sync = now + wait
        world.note("replication-failed", job=job.id, error=refused.message)
        return
    state.fail_count, state.error = 0, ""
    state.last_sync, state.last_node = now, vm.node
    state.duration = world.duration("replication")
    state.next_sync = _next(job, now)
    world.note("replicated", job=job.id, vmid=vm.vmid, source=vm.node, target=job.target)


def _log_head(world: World, job: ReplicationJob, vm: Vm) -> list[str]:
    stamp = f"{datetime.fromtimestamp(world.now(), UTC):%Y-%m-%d %H:%M:%S} {job.id}:"
    return [
        f"{stamp} start replication job",
        f"{stamp} guest => VM {vm.vmid}, running => {vm.pid}",
        f"{stamp} volumes => {','.join(replicated(world, vm, strict=False))}",
    ]


def _copy(world: World, job: ReplicationJob, vm: Vm, volid: str) -> None:
    storage = storages.usable_on(world.cluster, storages.split(volid)[0], job.target)
    source = storages.find(world.cluster, volid, vm.node)
    if source is None:
        raise failed(f"volume '{volid}' does not exist")
    copy = storages.find(world.cluster, volid, job.target)
    if copy is not None and not job.state.last_sync:
        raise failed(f"No common base snapshot on volume(s) {volid}.")
    if copy is None:
        storages.allocate(
            world, storage, job.target, vm.vmid, source.virtual, source.format, volid=volid
        )
    elif copy.virtual != source.virtual:
        storages.resize(world, copy, source.virtual, job.target)


def _remove(world: World, job: ReplicationJob, vm: Vm) -> None:
    if job.options["remove_job"] == "full":
        for volid in replicated(world, vm, strict=False):
            storages.free(world, volid, job.target)
    del world.cluster.replication[job.id]
    world.note("replication-removed", job=job.id)


# -- the API -------------------------------------------------------------------------------------


def _shown(call: Call, job: ReplicationJob) -> dict[str, object]:
    vm = call.cluster.vms.get(job.guest)
    row: dict[str, object] = {
        "id": job.id,
        "type": "local",
        "guest": job.guest,
        "jobnum": job.number,
        "target": job.target,
    }
    if vm is not None:
        row["source"] = vm.node
    for key, value in job.options.items():
        if (key, value) != ("disable", "0"):
            row[key] = float(value) if key == "rate" and "." in value else _plain(key, value)
    return row


def _plain(key: str, value: str) -> object:
    return int(value) if key in ("rate", "disable") else value


def _audit(call: Call, job: ReplicationJob) -> bool:
    return call.may(f"/vms/{job.guest}", "VM.Audit")


def _may_change(call: Call, guest: int) -> None:
    if call.cluster.release == "8":
        call.require("/storage", "Datastore.Allocate")
    else:
        call.require(f"/vms/{guest}", "VM.Replicate")


def _job(call: Call, text: str) -> ReplicationJob:
    job = call.cluster.replication.get(call.params["id"])
    if job is None:
        raise failed(f"{text} '{call.params['id']}'")
    return job


@route("GET /cluster/replication")
def list_jobs(call: Call) -> object:
    return [_shown(call, job) for job in call.cluster.replication.values() if _audit(call, job)]


@route("GET /cluster/replication/{id}")
def get_job(call: Call) -> object:
    job = _job(call, "no such replication job")
    call.require(f"/vms/{job.guest}", "VM.Audit")
    return {**_shown(call, job), "digest": _digest(call)}


@route("POST /cluster/replication")
def create_job(call: Call) -> object:
    params, cluster = call.params, call.cluster
    guest, number = (int(part) for part in params["id"].split("-"))
    _may_change(call, guest)
    vm = cluster.vms.get(guest)
    if vm is None:
        raise failed(f"Guest '{guest}' does not exist.")
    target = params["target"]
    if params["id"] in cluster.replication:
        raise failed(f"replication job '{params['id']}' already exists")
    if target == vm.node:
        raise failed("Source and target must not be identical")
    if target not in cluster.nodes:
        raise failed(f"Target '{target}' does not exist.")
    if not replicated(call.world, vm, strict=True):
        raise failed("No replicatable volumes found")
    if any(j.guest == guest and j.target == target for j in cluster.replication.values()):
        raise failed(f"replication job for guest '{guest}' to target '{target}' already exists")
    options = {k: v for k, v in params.items() if k not in ("id", "type", "target")}
    cluster.replication[params["id"]] = ReplicationJob(params["id"], guest, number, target, options)
    return None


@route("PUT /cluster/replication/{id}")
def update_job(call: Call) -> object:
    job = _job(call, "no such job")
    _may_change(call, job.guest)
    check_digest(call.params, _digest(call))
    for key in call.params.items_of("delete"):
        job.options.pop(key, None)
    for key, value in call.params.items():
        if key not in ("id", "delete", "digest"):
            job.options[key] = value
    if "schedule" in call.params:
        job.state.next_sync = 0.0
    return None


@route("DELETE /cluster/replication/{id}")
def delete_job(call: Call) -> object:
    if call.params.flag("force") and call.params.flag("keep"):
        raise invalid({"keep": "conflicts with parameter 'force'"})
    job = _job(call, "no such job")
    _may_change(call, job.guest)
    if call.params.flag("force"):
        del call.cluster.replication[job.id]
    else:
        job.options["remove_job"] = "local" if call.params.flag("keep") else "full"
    return None


def _status(call: Call, job: ReplicationJob) -> dict[str, object]:
    state = job.state
    row = _shown(call, job)
    row |= {
        "vmtype": "qemu",
        "last_sync": int(state.last_sync),
        "last_try": int(state.last_try),
        "fail_count": state.fail_count,
        "next_sync": int(job.state.next_sync or _next(job, 0.0)),
    }
    if state.last_sync:
        row["duration"] = state.duration
    if state.error:
        row["error"] = state.error
    return row


@route("GET /nodes/{node}/replication")
def node_jobs(call: Call) -> object:
    guest = call.params.whole("guest")
    rows = []
    for job in call.cluster.replication.values():
        vm = call.cluster.vms.get(job.guest)
        if (
            vm is None
            or vm.node != call.node
            or guest not in (0, job.guest)
            or not _audit(call, job)
        ):
            continue
        rows.append(_status(call, job))
    return rows


@route("GET /nodes/{node}/replication/{id}/status")
def job_status(call: Call) -> object:
    job = _job(call, "no such replication job")
    call.require(f"/vms/{job.guest}", "VM.Audit")
    return _status(call, job)


@route("GET /nodes/{node}/replication/{id}/log")
def job_log(call: Call) -> object:
    job = _job(call, "no such replication job")
    rows = [{"n": n, "t": line} for n, line in enumerate(job.state.log, 1)]
    return Page(rows, len(rows))


@route("POST /nodes/{node}/replication/{id}/schedule_now")
def schedule_now(call: Call) -> object:
    job = _job(call, "no such replication job")
    _may_change(call, job.guest)
    if job.state.last_try:
        job.state.scheduled_now = True
    return ""
