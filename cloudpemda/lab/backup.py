"""Backup jobs, vzdump, pruning, and what is not backed up.

A job runs at its schedule on every online node for the guests that lie there, and adds a volume to
its storage. An offline node does nothing, and nobody says so.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import cast

from cloudpemda.lab import storage as storages
from cloudpemda.lab.calendar import next_event, parse, weekday_name
from cloudpemda.lab.errors import Refused, denied, failed, invalid, refuse_if
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.qemu.config import disks, drives, properties
from cloudpemda.lab.retention import marks
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.sections import File
from cloudpemda.lab.state import (
    Archive,
    BackupJob,
    Cluster,
    Node,
    Section,
    Storage,
    Task,
    Vm,
    Volume,
)
from cloudpemda.lab.work import Acquire, Work
from cloudpemda.lab.world import Call, World

SELECTIONS = ("all", "pool", "vmid")
CONFLICTS = (
    ("all", "vmid"), ("exclude", "vmid"), ("pool", "vmid"), ("prune-backups", "maxfiles"),
)  # fmt: skip
DEFAULTS: Row = {
    "all": 0, "bwlimit": 0, "compress": "0", "fleecing": {"enabled": 0}, "ionice": 7,
    "lockwait": 180, "mailnotification": "always", "mode": "snapshot", "notification-mode": "auto",
    "performance": {"max-workers": 16, "pbs-entries-max": 1048576}, "pigz": 0,
    "prune-backups": "keep-all=1", "quiet": 0, "remove": 1, "stdexcludes": 1, "stop": 0,
    "stopwait": 10, "zstd": 1,
}  # fmt: skip

# -- the engine ----------------------------------------------------------------------------------


def look(world: World) -> float:
    """Run the jobs that are due; answers when the next one is."""
    soonest = math.inf
    for job in list(world.cluster.backup_jobs.values()):
        due, nodes = _next_run(job, job.since), world.cluster.nodes.values()
        if due is not None and due <= world.now():
            job.since = world.now()
            for node in nodes:
                if node.online:
                    _run_on(world, job, node)
                else:
                    _miss(world, job, node)
            due = _next_run(job, job.since)
        for node in nodes:
            if node.online and node.name in job.missed:
                job.missed.remove(node.name)
                _run_on(world, job, node)
        soonest = min(soonest, math.inf if due is None else due)
    return soonest


def _enabled(job: BackupJob) -> bool:
    return job.options.get("enabled", "1") == "1"


def _next_run(job: BackupJob, after: float) -> float | None:
    return next_event(job.options["schedule"], after) if _enabled(job) else None


def _meant(world: World, job: BackupJob, node: Node) -> list[Vm]:
    """The guests that a job has the node back up."""
    if job.options.get("node", node.name) != node.name:
        return []
    return [vm for vm in _selected(world.cluster, job.options) if vm.node == node.name]


def _run_on(world: World, job: BackupJob, node: Node) -> None:
    here = _meant(world, job, node)
    if here:
        world.tasks.start(
            node, "vzdump", "", "root@pam", lambda task: _dump(world, job.options, here, node, task)
        )


def _miss(world: World, job: BackupJob, node: Node) -> None:
    """A node that is down does nothing, then and later, unless the job says `repeat-missed`."""
    for vm in _meant(world, job, node):
        world.note("backup-missed", job=job.name, vmid=vm.vmid, node=node.name)
    if job.options.get("repeat-missed") == "1" and node.name not in job.missed:
        job.missed.append(node.name)


def _selected(cluster: Cluster, options: dict[str, str]) -> list[Vm]:
    """The guests a job means: a list, a pool's direct members, or all but those excluded."""
    guests = cluster.guests
    ids: Iterable[int] = guests
    if "pool" in options:
        pool = cluster.pools.get(options["pool"])
        ids = pool.vms if pool else []
    elif "vmid" in options:
        ids = [int(text) for text in split_list(options["vmid"])]
    excluded = split_list(options.get("exclude", ""))
    return [guests[vmid] for vmid in ids if vmid in guests and str(vmid) not in excluded]


def _dump(world: World, options: dict[str, str], guests: list[Vm], node: Node, task: Task) -> Work:
    """Back up guests one after another; one failure stops no other, but fails the task."""
    try:
        storage = _usable(world.cluster, options.get("storage", "local"), node.name)
        yield _node_lock(node, options)
    except Refused as refused:
        for vm in guests:
            world.note("backup-failed", vmid=vm.vmid, node=node.name, error=refused.message)
        raise
    asked = split_list(options.get("vmid", ""))
    words = ["vzdump", *asked, "--node", node.name, "--storage", storage.name]
    task.log.append(f"INFO: starting new backup job: {' '.join(words)}")
    lost, bad = {int(text) for text in asked} - world.cluster.guests.keys(), False
    for vmid in [*sorted(lost), *(vm.vmid for vm in guests)]:
        try:
            yield from _back_up(world, options, vmid, storage, node.name, task)
        except Refused as refused:
            bad = True
            task.log.append(f"ERROR: Backup of VM {vmid} failed - {refused.message}")
            task.log.append(f"INFO: Failed at {_time(world)}")
            world.note("backup-failed", vmid=vmid, node=node.name, error=refused.message)
    task.log.append(f"INFO: Backup job finished {'with errors' if bad else 'successfully'}")
    refuse_if(bad, "job errors")


def _node_lock(node: Node, options: dict[str, str]) -> Acquire:
    """One vzdump at a time on a node; the others wait for `lockwait` minutes."""
    name = "/var/run/vzdump.lock"
    return Acquire(
        f"{node.name}:{name}", seconds=60.0 * int(options.get("lockwait", 180)),
        refusal=f"can't acquire lock '{name}' - got timeout",
        waiting="INFO: trying to get global lock - waiting...", got="INFO: got global lock",
    )  # fmt: skip


def _time(world: World) -> str:
    return f"{datetime.fromtimestamp(world.now(), UTC):%Y-%m-%d %H:%M:%S}"


def _usable(cluster: Cluster, name: str, node: str) -> Storage:
    """The storage for backups, or all that is wrong with it."""
    faults = []
    try:
        storages.usable_on(cluster, name, node)
    except Refused as refused:
        faults.append(f"could not activate storage '{name}': {refused.message}")
    storage, lead = cluster.storages.get(name), f"could not get storage information for '{name}'"
    if storage is None:
        faults.append(f"{lead}: storage '{name}' does not exist")
    elif "backup" not in storage.content:
        faults.append(f"{lead}: can't use storage '{name}' for backups - wrong content type")
    refuse_if(faults, "\n".join(faults))
    return cluster.storages[name]


def _back_up(
    world: World, options: dict[str, str], vmid: int, storage: Storage, node: str, task: Task
) -> Work:
    vm = world.cluster.guests.get(vmid)
    if vm is None or vm.node != node:
        raise failed(f"unable to find VM '{vmid}'")
    task.log.append(f"INFO: Starting Backup of VM {vmid} ({vm.kind})")
    task.log.append(f"INFO: Backup started at {_time(world)}")
    refuse_if("lock" in vm.config, f"VM is locked ({vm.config.get('lock')})")
    world.need_config(node, vmid, task.pid)
    began = world.now()
    vm.config["lock"] = "backup"
    try:
        archive = _kept(world, vm, began)
        speed = world.rates.get("backup", math.inf)
        yield world.duration("backup") + sum(archive.disks.values()) / speed
        storages.usable_on(world.cluster, storage.name, node)  # it may have gone meanwhile
    except Refused:
        vm.config.pop("lock", None)
        raise
    vm.config.pop("lock", None)
    volume = _store(world, options, storage, vm, archive)
    if options.get("remove", "1") == "1":
        _prune(world, storage, node, {**options, "vmid": str(vmid)})
    task.log.append(f"INFO: Finished Backup of VM {vmid}")
    facts = {"volid": volume.volid, "recovery_point": began, "disks": archive.disks}
    world.note("backed-up", vmid=vmid, node=node, **facts)


def _kept(world: World, vm: Vm, began: float) -> Archive:
    """The VM as its backup has it: no lock, nothing unused or pending, and not every disk."""
    left_out = {"lock", "parent", *(key for key in vm.config if key.startswith("unused"))}
    kept = Archive(began, {k: v for k, v in vm.config.items() if k not in left_out}, {})
    for key, drive in disks(vm.config).items():
        volume = storages.find(world.cluster, drive.volid, vm.node)
        if volume is not None and drive.options.get("backup") != "0":
            kept.disks[key] = volume.virtual or volume.size
            kept.systems += [key] if volume.system else []
    return kept


def _store(
    world: World, options: dict[str, str], storage: Storage, vm: Vm, archive: Archive
) -> Volume:
    moment = datetime.fromtimestamp(archive.taken, UTC)
    kind, form = ("vm", "vma.zst") if vm.kind == "qemu" else ("ct", "tar.zst")
    name = f"vzdump-{vm.kind}-{vm.vmid}-{moment:%Y_%m_%d-%H_%M_%S}.{form}"
    if storage.type == "pbs":
        name, form = f"{kind}/{vm.vmid}/{moment:%Y-%m-%dT%H:%M:%SZ}", f"pbs-{kind}"
    volume = storages.allocate(
        world, storage, vm.node, vm.vmid, sum(archive.disks.values()), form,
        volid=f"{storage.name}:backup/{name}", content="backup",
    )  # fmt: skip
    facts = {"guestname": vm.name, "vmid": vm.vmid, "node": vm.node, "cluster": world.cluster.name}
    volume.notes = options.get("notes-template", "{{guestname}}").replace("\\n", "\n")
    for word, value in facts.items():
        volume.notes = volume.notes.replace(f"{{{{{word}}}}}", str(value))
    volume.ctime, volume.protected = float(int(archive.taken)), options.get("protected") == "1"
    volume.archive = archive if vm.kind == "qemu" else None
    volume.virtual = volume.size
    world.backup_made(storage, volume)
    return volume


# -- pruning -------------------------------------------------------------------------------------


def _prunable(
    cluster: Cluster, storage: Storage, node: str, options: Mapping[str, str]
) -> list[Row]:
    """Backups, newest first, marked by the `prune-backups` of the call or of the storage."""
    text = options.get("prune-backups") or storage.options.get("prune-backups", "keep-all=1")
    held: dict[int, list[Volume]] = defaultdict(list)
    wanted = options.get("vmid")
    there = [
        volume for volume in storages.on(cluster, storage, node)
        if volume.content == "backup" and wanted in (None, str(volume.vmid))
    ]  # fmt: skip
    for volume in sorted(there, key=lambda volume: -volume.ctime):
        held[volume.vmid].append(volume)
    return [
        {"volid": volume.volid, "ctime": int(volume.ctime), "mark": mark, "vmid": volume.vmid,
         "type": "lxc" if "-lxc-" in volume.volid or "/ct/" in volume.volid else "qemu"}
        for backups in held.values()
        for volume, mark in zip(backups, marks(backups, properties(text)), strict=True)
    ]  # fmt: skip


def _prune(world: World, storage: Storage, node: str, options: Mapping[str, str]) -> None:
    for row in _prunable(world.cluster, storage, node, options):
        if row["mark"] == "remove":
            storages.free(world, str(row["volid"]), node)


@route("GET /nodes/{node}/storage/{storage}/prunebackups")
def would_prune(call: Call) -> object:
    storage = storages.usable_on(call.cluster, call["storage"], call.node)
    return _prunable(call.cluster, storage, call.node, call.params)


@route("DELETE /nodes/{node}/storage/{storage}/prunebackups")
def prune_now(call: Call) -> object:
    path, vmid = f"/storage/{call['storage']}", call.get("vmid")
    call.require(path, "Datastore.AllocateSpace" if vmid else "Datastore.Allocate")
    if vmid:
        call.require(f"/vms/{vmid}", "VM.Backup")

    def work(task: Task) -> Work:
        yield call.world.duration("default")
        storage = storages.usable_on(call.cluster, call["storage"], call.node)
        _prune(call.world, storage, call.node, call.params)

    return call.start(
        "prunebackups", f"{vmid}@{call['storage']}" if vmid else call["storage"], work
    )


# -- jobs ----------------------------------------------------------------------------------------


def _gate(call: Call, verb: str) -> None:
    """Who may, and PVE's words for a job that is not there."""
    if verb == "create":
        call.params.setdefault("id", call.world.new_uuid())
    elif verb != "index" and call["id"] not in call.cluster.backup_jobs:
        fault = f"No such job '{call['id']}'"
        if verb == "read":
            raise invalid({"id": fault})
        nested = f"400 Parameter verification failed.\nid: {fault}\n"
        raise failed("no such vzdump job" if verb == "update" else nested)
    pool = call.get("pool")
    if pool and pool not in call.cluster.pools:
        raise denied(f"pool '{pool}' does not exist")
    if pool:
        call.require(f"/pool/{pool}", "Pool.Audit")
    if "prune-backups" in call:
        call.require(f"/storage/{call.get('storage', 'local')}", "Datastore.Allocate")


def _faults(options: dict[str, str]) -> dict[str, str]:
    """What is wrong with a choice of guests; an exclusion means all the others."""
    given = {name for name in options if options[name] not in ("", "0")}
    for name, other in CONFLICTS:
        if {name, other} <= given:
            return {name: f"option conflicts with option '{other}'"}
    if "exclude" in given and "pool" not in given:
        options["all"] = "1"
    chosen = given & {*SELECTIONS, "exclude", "stop"}
    return {} if chosen else {"vmid": "property is missing"}


def _check(call: Call, job: Section, verb: str) -> None:
    options, old = job.options, call.cluster.backup_jobs.get(job.name)
    if "starttime" in call:  # from before there were calendar events
        if "schedule" in call:
            raise invalid({"starttime": "'starttime' and 'schedule' cannot both be set"})
        options["schedule"] = f"{call.get('dow')} {call['starttime']}".strip()
    if "schedule" not in options:
        raise invalid({"schedule": "neither 'starttime' nor 'schedule' were set"})
    chosen = [name for name in SELECTIONS if name in call]
    for name in SELECTIONS if verb == "update" and chosen else ():
        if name not in chosen:
            options.pop(name, None)
    wrong = "".join(f"{name}: {fault}\n" for name, fault in _faults(options).items())
    refuse_if(wrong, f"400 Parameter verification failed.\n{wrong}")
    options.setdefault("enabled", "1")
    if "maxfiles" in options:
        options["prune-backups"] = f"keep-last={options.pop('maxfiles')}"
    if old and "schedule" in call:
        old.since = call.world.now()
    if verb == "create":
        cast(BackupJob, job).since = call.world.now()


def _shown(call: Call, job: Section) -> Row:
    keep = properties(job.options.get("prune-backups", ""))
    return {"prune-backups": keep} if keep else {}


def _next_shown(call: Call, job: Section) -> Row:
    due = _next_run(cast(BackupJob, job), call.world.now())
    return {"next-run": int(due)} if due is not None else {}


JOBS = File(
    path="/cluster/backup", key="id", kind="vzdump", make=BackupJob, signed=(),
    sections=lambda cluster: cluster.backup_jobs,
    taken="Job '{}' already exists", fixed=frozenset({"starttime", "dow"}), gate=_gate,
    check=_check, show=_shown, listed=_next_shown, lock="file-jobs_cfg",
).serve()  # fmt: skip


@route("GET /cluster/backup/{id}/included_volumes")
def included_volumes(call: Call) -> object:
    _gate(call, "read")
    children: list[Row] = []
    for vm in sorted(_selected(call.cluster, JOBS.find(call).options), key=lambda vm: vm.vmid):
        volumes = [
            {"id": f"{vm.vmid}:{key}", "name": drive.volid, "leaf": 1, "included": int(kept),
             "reason": "backup=yes" if kept else "backup=no"}
            for key, drive in drives(vm.config).items()
            if not drive.cdrom and ":" in drive.volid
            for kept in [drive.options.get("backup") != "0"]
        ]  # fmt: skip
        children.append(
            {"id": vm.vmid, "name": vm.config.get("name"), "type": vm.kind, "children": volumes,
             "leaf": int(not volumes)}
        )  # fmt: skip
    return {"children": children}


@route("GET /cluster/backup-info/not-backed-up")
def not_backed_up(call: Call) -> object:
    jobs = [job for job in call.cluster.backup_jobs.values() if _enabled(job)]
    covered = {vm.vmid for job in jobs for vm in _selected(call.cluster, job.options)}
    return [
        {"vmid": vm.vmid, "type": vm.kind, "name": vm.name}
        for vm in call.visible(call.cluster.guests.values())
        if vm.vmid not in covered
    ]


@route("GET /cluster/jobs/schedule-analyze")
def analyze(call: Call) -> object:
    event, rows = parse(call["schedule"]), list[Row]()
    when: float | None = float(call.whole("starttime", int(call.world.now())))
    while len(rows) < call.whole("iterations", 10):
        when = event.next_after(when or 0.0)
        if when is None:
            break
        rows.append({"timestamp": int(when), "utc": weekday_name(when)})
    return rows


@route("GET /nodes/{node}/vzdump/defaults")
def defaults(call: Call) -> object:
    name = call.get("storage", "local")
    call.require(f"/storage/{name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True)
    storage = _usable(call.cluster, name, call.node)
    own: Row = {key: storage.options[key] for key in ("prune-backups",) if key in storage.options}
    if storage.type in storages.FILE_BASED:
        own["dumpdir"] = f"{storages.folder(storage)}/dump"
    hidden = () if call.may(f"/nodes/{call.node}", "Sys.Audit") else ("dumpdir", "ionice")
    row = DEFAULTS | {"storage": name} | own
    return {key: value for key, value in row.items() if key not in hidden}


@route("POST /nodes/{node}/vzdump")
def vzdump(call: Call) -> object:
    options, asked = dict(call.params), call.items_of("vmid")
    if faults := _faults(options):
        raise invalid(faults)
    for text in asked:
        call.require(f"/vms/{text}", "VM.Backup")
    call.require(f"/storage/{call.get('storage', 'local')}", "Datastore.AllocateSpace")
    chosen = _selected(call.cluster, options)
    here = [vm for vm in chosen if vm.node == call.node]
    if len(chosen) == len(asked) and asked and not here:
        return "OK"
    return call.start(
        "vzdump", asked[0] if len(asked) == 1 else "",
        lambda task: _dump(call.world, options, here, call.here, task),
    )  # fmt: skip
