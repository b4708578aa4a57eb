"""Backup jobs, vzdump, and what is not backed up.

A job runs at its schedule on every online node for the guests that lie there, and adds a volume to
its storage. An offline node does nothing, and nobody says so.
"""

from datetime import UTC, datetime

from cloudpemda.lab import storage as storages
from cloudpemda.lab.calendar import parse, weekday_name
from cloudpemda.lab.errors import Refused, denied, failed, invalid
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.qemu.config import disks, drives
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Node, Section, Storage, Task, Vm, Volume
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call, World

TICK = 60.0


# -- the engine ----------------------------------------------------------------------------------


def tick(world: World) -> None:
    """Once a minute: start the jobs that are due."""
    now = world.now()
    for job in list(world.cluster.backup_jobs.values()):
        due = next_run(job, float(job.options.get("last-run", job.options.get("created", now))))
        if job.options.get("enabled", "1") == "1" and due is not None and due <= now:
            job.options["last-run"] = str(int(now))
            for node in world.cluster.nodes.values():
                if node.online:
                    _run_on(world, job, node)
    world.clock.after(TICK, lambda: tick(world))


def next_run(job: Section, after: float) -> float | None:
    return parse(job.options["schedule"]).next_after(after)


def selected(world: World, options: dict[str, str]) -> list[Vm]:
    """The guests a job means: a list, a pool's direct members, or all but those excluded."""
    cluster = world.cluster
    if "pool" in options:
        pool = cluster.pools.get(options["pool"])
        ids = pool.vms if pool else []
    elif "vmid" in options:
        ids = [int(text) for text in split_list(options["vmid"])]
    else:
        excluded = split_list(options.get("exclude", ""))
        ids = [vmid for vmid in cluster.vms if str(vmid) not in excluded]
    return [cluster.vms[vmid] for vmid in ids if vmid in cluster.vms]


def _run_on(world: World, job: Section, node: Node) -> None:
    here = [vm for vm in selected(world, job.options) if vm.node == node.name]
    if here:
        world.tasks.start(
            node, "vzdump", "", "root@pam", lambda task: dump(world, job.options, here, node, task)
        )


def dump(world: World, options: dict[str, str], guests: list[Vm], node: Node, task: Task) -> Work:
    """Back up guests one after another; one failure stops no other, but fails the task."""
    name = options.get("storage", "local")
    bad = False
    task.log.append(f"INFO: starting new backup job: vzdump --storage {name}")
    for vm in guests:
        task.log.append(f"INFO: Starting Backup of VM {vm.vmid} (qemu)")
        try:
            if world.cluster.vms.get(vm.vmid) is not vm or vm.node != node.name:
                raise failed(f"unable to find VM '{vm.vmid}'")
            if vm.config.get("lock"):
                raise failed(f"VM is locked ({vm.config['lock']})")
            storage = storages.usable_on(world.cluster, name, node.name)
            vm.config["lock"] = "backup"
            began = world.now()
            yield world.duration("backup")
            vm.config.pop("lock", None)
            volume = _store(world, storage, vm, node.name, began)
            prune(world, storage, vm.vmid, node.name, options)
            task.log.append(f"INFO: Finished Backup of VM {vm.vmid}")
            world.note("backed-up", vmid=vm.vmid, volid=volume.volid)
        except Refused as refused:
            bad = True
            task.log.append(f"ERROR: Backup of VM {vm.vmid} failed - {refused.message}")
            world.note("backup-failed", vmid=vm.vmid, error=refused.message)
    if bad:
        task.log.append("INFO: Backup job finished with errors")
        raise failed("job errors")
    task.log.append("INFO: Backup job finished successfully")


def _store(world: World, storage: Storage, vm: Vm, node: str, began: float) -> Volume:
    moment = datetime.fromtimestamp(began, UTC)
    size = sum(
        volume.virtual
        for drive in disks(vm.config).values()
        if drive.options.get("backup") != "0"
        and (volume := storages.find(world.cluster, drive.volid, node))
    )
    if storage.type == "pbs":
        volid = f"{storage.name}:backup/vm/{vm.vmid}/{moment:%Y-%m-%dT%H:%M:%SZ}"
        form = "pbs-vm"
    else:
        volid = f"{storage.name}:backup/vzdump-qemu-{vm.vmid}-{moment:%Y_%m_%d-%H_%M_%S}.vma.zst"
        form = "vma.zst"
    volume = storages.allocate(
        world, storage, node, vm.vmid, size, form, volid=volid, content="backup"
    )
    volume.ctime, volume.notes = float(int(began)), vm.name
    return volume


def prune(world: World, storage: Storage, vmid: int, node: str, options: dict[str, str]) -> None:
    """Keep what `prune-backups` says; without it, all."""
    text = options.get("prune-backups") or storage.options.get("prune-backups", "keep-all=1")
    keep = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    if keep.get("keep-all") == "1":
        return
    found = sorted(
        (
            v
            for v in storages.on(world.cluster, storage, node)
            if v.content == "backup" and v.vmid == vmid
        ),
        key=lambda volume: -volume.ctime,
    )
    kept: set[str] = {v.volid for v in found if v.protected}
    periods = {
        "keep-last": "%s", "keep-hourly": "%Y-%m-%d %H", "keep-daily": "%Y-%m-%d",
        "keep-weekly": "%G-%V", "keep-monthly": "%Y-%m", "keep-yearly": "%Y",
    }  # fmt: skip
    for name, form in periods.items():
        _keep(found, kept, int(keep.get(name, 0)), form if name != "keep-last" else "")
    for volume in found:
        if volume.volid not in kept:
            storages.free(world, volume.volid, node)


def _keep(found: list[Volume], kept: set[str], count: int, form: str) -> None:
    """Mark the newest of each of `count` periods, not counting periods that are kept already."""

    def period(volume: Volume) -> str:
        return datetime.fromtimestamp(volume.ctime, UTC).strftime(form) if form else volume.volid

    covered = {period(v) for v in found if v.volid in kept}
    for volume in found:
        if count and period(volume) not in covered:
            covered.add(period(volume))
            kept.add(volume.volid)
            count -= 1


# -- jobs ----------------------------------------------------------------------------------------


def _shown(job: Section, *, now: float | None = None) -> dict[str, object]:
    row: dict[str, object] = {"id": job.name, "type": "vzdump"}
    for key, value in job.options.items():
        if key in ("created", "last-run"):
            continue
        if key == "prune-backups":
            row[key] = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
        else:
            row[key] = int(value) if key in ("enabled", "all", "remove", "zstd", "pigz") else value
    if now is not None and job.options.get("enabled", "1") == "1":
        due = next_run(job, now)
        if due is not None:
            row["next-run"] = int(due)
    return row


def _selection_faults(options: dict[str, str]) -> None:
    chosen = [key for key in ("all", "vmid", "pool") if options.get(key, "0") != "0"]
    if options.get("exclude") and not chosen:
        chosen = ["all"]
    if len(chosen) > 1:
        raise Refused(
            500,
            "400 Parameter verification failed.\n"
            f"{chosen[0]}: option conflicts with option '{chosen[1]}'\n",
        )
    if not chosen:
        raise Refused(500, "400 Parameter verification failed.\nvmid: property is missing\n")


def _rights(call: Call, options: dict[str, str]) -> None:
    pool = options.get("pool")
    if pool is not None:
        if pool not in call.cluster.pools:
            raise denied(f"pool '{pool}' does not exist")
        call.require(f"/pool/{pool}", "Pool.Audit")
    if "prune-backups" in options:
        call.require(f"/storage/{options.get('storage', 'local')}", "Datastore.Allocate")


@route("GET /cluster/backup")
def list_jobs(call: Call) -> object:
    now = call.world.now()
    return [_shown(job, now=now) for job in call.cluster.backup_jobs.values()]


@route("POST /cluster/backup")
def create_job(call: Call) -> object:
    options = {k: v for k, v in call.params.items() if k not in ("id", "starttime", "dow")}
    _legacy_schedule(call, options)
    name = call.params.get("id") or call.world.new_uuid()
    if name in call.cluster.backup_jobs:
        raise failed(f"Job '{name}' already exists")
    _selection_faults(options)
    _rights(call, options)
    options.setdefault("enabled", "1")
    if "maxfiles" in options:
        options["prune-backups"] = f"keep-last={options.pop('maxfiles')}"
    options["created"] = str(int(call.world.now()))
    call.cluster.backup_jobs[name] = Section(name, "vzdump", options)
    return None


def _legacy_schedule(call: Call, options: dict[str, str]) -> None:
    """`starttime` and `dow`, from before there were calendar events."""
    start = call.params.get("starttime")
    if start is not None and "schedule" in options:
        raise invalid({"starttime": "'starttime' and 'schedule' cannot both be set"})
    if start is not None:
        options["schedule"] = f"{call.params['dow']} {start}" if "dow" in call.params else start
    if "schedule" not in options:
        raise invalid({"schedule": "neither 'starttime' nor 'schedule' were set"})


@route("GET /cluster/backup/{id}")
def get_job(call: Call) -> object:
    job = call.cluster.backup_jobs.get(call.params["id"])
    if job is None:
        raise invalid({"id": f"No such job '{call.params['id']}'"})
    return _shown(job)


@route("PUT /cluster/backup/{id}")
def update_job(call: Call) -> object:
    job = call.cluster.backup_jobs.get(call.params["id"])
    if job is None:
        raise failed("no such vzdump job")
    options = dict(job.options)
    for key in call.params.items_of("delete"):
        options.pop(key, None)
    fixed = ("id", "delete", "starttime", "dow")
    options |= {key: value for key, value in call.params.items() if key not in fixed}
    if "schedule" in call.params:
        options["created"] = str(int(call.world.now()))
        options.pop("last-run", None)
    _selection_faults(options)
    _rights(call, dict(call.params))
    job.options = options
    return None


@route("DELETE /cluster/backup/{id}")
def delete_job(call: Call) -> object:
    if call.params["id"] not in call.cluster.backup_jobs:
        text = f"id: No such job '{call.params['id']}'"
        raise Refused(500, f"400 Parameter verification failed.\n{text}\n")
    del call.cluster.backup_jobs[call.params["id"]]
    return None


@route("GET /cluster/backup/{id}/included_volumes")
def included_volumes(call: Call) -> object:
    job = call.cluster.backup_jobs.get(call.params["id"])
    if job is None:
        raise invalid({"id": f"No such job '{call.params['id']}'"})
    children = []
    for vm in sorted(selected(call.world, job.options), key=lambda vm: vm.vmid):
        found = [
            {
                "id": f"{vm.vmid}:{key}",
                "name": drive.volid,
                "included": int(drive.options.get("backup") != "0"),
                "reason": "backup=no" if drive.options.get("backup") == "0" else "backup=yes",
                "leaf": 1,
            }
            for key, drive in drives(vm.config).items()
            if not drive.cdrom and ":" in drive.volid
        ]
        children.append(
            {"id": vm.vmid, "name": vm.config.get("name"), "type": "qemu", "leaf": int(not found),
             "children": found}
        )  # fmt: skip
    return {"children": children}


@route("GET /cluster/backup-info/not-backed-up")
def not_backed_up(call: Call) -> object:
    covered: set[int] = set()
    for job in call.cluster.backup_jobs.values():
        if job.options.get("enabled", "1") == "1":
            covered |= {vm.vmid for vm in selected(call.world, job.options)}
    return [
        {"vmid": vm.vmid, "type": "qemu", "name": vm.name}
        for vm in call.cluster.vms.values()
        if vm.vmid not in covered and call.may(f"/vms/{vm.vmid}", "VM.Audit")
    ]


@route("GET /cluster/jobs/schedule-analyze")
def analyze(call: Call) -> object:
    event = parse(call.params["schedule"])
    when: float | None = float(call.params.whole("starttime", int(call.world.now())))
    rows: list[object] = []
    for _ in range(call.params.whole("iterations", 10)):
        when = event.next_after(when) if when is not None else None
        if when is None:
            break
        rows.append({"timestamp": int(when), "utc": weekday_name(when)})
    return rows


@route("POST /nodes/{node}/vzdump")
def vzdump(call: Call) -> object:
    options = dict(call.params)
    if not any(options.get(key) for key in ("all", "vmid", "pool")):
        raise invalid({"vmid": "property is missing"})
    for text in split_list(options.get("vmid", "")):
        call.require(f"/vms/{text}", "VM.Backup")
    call.require(f"/storage/{options.get('storage', 'local')}", "Datastore.AllocateSpace")
    here = [vm for vm in selected(call.world, options) if vm.node == call.node]
    asked = split_list(options.get("vmid", ""))
    if asked and all(int(text) in call.cluster.vms for text in asked) and not here:
        return "OK"

    def work(task: Task) -> Work:
        missing = [text for text in asked if int(text) not in call.cluster.vms]
        for text in missing:
            task.log.append(f"ERROR: Backup of VM {text} failed - unable to find VM '{text}'")
        yield from dump(call.world, options, here, call.here, task)
        if missing:
            raise failed("job errors")

    return call.start("vzdump", asked[0] if len(asked) == 1 else "", work)
