"""What a backup server does: it takes backups in, copies, verifies and prunes them, and cleans up.

A snapshot is seen through every cluster's storage of type `pbs` that names the server's address,
its datastore and namespace. Pulling copies what is newer than the newest that is here; with
`remove-vanished` it lets go of what the other side has no longer. Verification finds what a fault
has corrupted. Pruned data is freed by the next garbage collection.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator

from cloudpemda.lab import access
from cloudpemda.lab.calendar import next_event
from cloudpemda.lab.errors import Refused, failed, found, refuse_if
from cloudpemda.lab.retention import PERIODS, marks
from cloudpemda.lab.state import (
    BackupServer,
    BackupSnapshot,
    Datastore,
    Run,
    ServerJob,
    Storage,
    Task,
    Volume,
)
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call, World

DAY = 86400
Jobs = Callable[[Task], Work]
Starter = Callable[[World, Run], str]


def server(world: World) -> BackupServer:
    return found(world.cluster.backups, "this is no backup server")


def store_of(world: World, name: str) -> Datastore:
    return found(server(world).stores.get(name), f"datastore '{name}' does not exist")


def seen(call: Call) -> list[Datastore]:
    """The datastores that a user may know of."""
    rights = ("Datastore.Audit", "Datastore.Backup")
    stores = server(call.world).stores.values()
    return [one for one in stores if call.may(f"/datastore/{one.name}", *rights, any_of=True)]


def at_address(world: World, address: str) -> World | None:
    """The backup server with this address, if it answers."""
    return next(
        (
            other
            for other in world.neighbours.values()
            if other.cluster.backups is not None
            for node in other.cluster.nodes.values()
            if node.address == address and node.online
        ),
        None,
    )


# -- clusters' storages --------------------------------------------------------------------------


def behind(world: World, storage: Storage) -> tuple[World, Datastore] | None:
    """The server and datastore that a cluster's storage writes to; None where the lab has none."""
    if storage.type != "pbs":
        return None
    other = at_address(world, storage.options.get("server", ""))
    store = server(other).stores.get(storage.options.get("datastore", "")) if other else None
    return (other, store) if other and store else None


def _storages(world: World, store: Datastore, ns: str) -> Iterator[tuple[World, Storage]]:
    """The storages through which a datastore's namespace is seen."""
    for other in world.neighbours.values():
        for storage in other.cluster.storages.values():
            there = behind(other, storage)
            if there and there[1] is store and storage.options.get("namespace", "") == ns:
                yield other, storage


def _volid(storage: Storage, snapshot: BackupSnapshot) -> str:
    return f"{storage.name}:backup/{snapshot.name}"


def _as_volume(storage: Storage, snapshot: BackupSnapshot) -> Volume:
    volume = Volume(
        _volid(storage, snapshot), "", snapshot.fresh, f"pbs-{snapshot.kind}",
        "backup", int(snapshot.id), snapshot.ctime, virtual=snapshot.size,
    )  # fmt: skip
    volume.notes, volume.protected = snapshot.comment, snapshot.protected
    volume.archive = snapshot.archive
    return volume


def reflect(world: World) -> None:
    """Show every storage what lies behind it: one may be new."""
    for other in world.neighbours.values():
        for storage in other.cluster.storages.values():
            there, ns = behind(other, storage), storage.options.get("namespace", "")
            if there is None or there[0] is not world:
                continue
            shown = other.cluster.volumes.on(storage.name, "")
            for snapshot in there[1].snapshots.values():
                if snapshot.ns == ns and _volid(storage, snapshot) not in shown:
                    other.cluster.volumes.append(_as_volume(storage, snapshot))


def _show(world: World, store: Datastore, snapshot: BackupSnapshot) -> None:
    for other, storage in _storages(world, store, snapshot.ns):
        if _volid(storage, snapshot) not in other.cluster.volumes.on(storage.name, ""):
            other.cluster.volumes.append(_as_volume(storage, snapshot))


def take_in(world: World, storage: Storage, volume: Volume) -> None:
    """A cluster has made a backup on a storage of ours."""
    there = behind(world, storage)
    if there is None:
        return
    other, store = there
    kind, number, _ = volume.volid.partition(":backup/")[2].split("/")
    snapshot = BackupSnapshot(
        kind, number, int(volume.ctime), storage.options.get("namespace", ""),
        storage.options.get("username", "root@pam"), volume.virtual,
        comment=volume.notes, protected=volume.protected, origin=world.cluster.name,
        archive=volume.archive,
    )  # fmt: skip
    older = newest(store, snapshot)
    rate = world.rates.get("change", 0) / 3600
    since = snapshot.time - older.time if older else 0
    snapshot.fresh = min(int(since * rate), snapshot.size) if older else snapshot.size
    volume.size = snapshot.fresh
    add(other, store, snapshot)


def let_go(world: World, volume: Volume) -> None:
    """A cluster has removed a backup from a storage of ours."""
    name, _, inside = volume.volid.partition(":backup/")
    storage = world.cluster.storages.get(name)
    there = behind(world, storage) if storage else None
    if there is not None and storage is not None:
        key = f"{storage.options.get('namespace', '')}:{inside}"
        if key in there[1].snapshots:
            forget(*there, there[1].snapshots[key])


# -- snapshots -----------------------------------------------------------------------------------


def key_of(snapshot: BackupSnapshot) -> str:
    return f"{snapshot.ns}:{snapshot.name}"


def group_of(store: Datastore, ns: str, group: str) -> list[BackupSnapshot]:
    """A group's snapshots, newest first."""
    kind, _, number = group.partition("/")
    held = [
        one for one in store.snapshots.values()
        if one.id == number and one.kind == kind and one.ns == ns
    ]  # fmt: skip
    return sorted(held, key=lambda one: -one.time)


def groups(store: Datastore, ns: str) -> list[str]:
    return sorted({one.group for one in store.snapshots.values() if one.ns == ns})


def newest(store: Datastore, like: BackupSnapshot) -> BackupSnapshot | None:
    return next(iter(group_of(store, like.ns, like.group)), None)


def used(store: Datastore) -> int:
    return sum(one.fresh for one in store.snapshots.values()) + store.pending


def _told(world: World, store: Datastore, snapshot: BackupSnapshot) -> dict[str, object]:
    return {
        "store": store.name, "ns": snapshot.ns, "backup": snapshot.group,
        "recovery_point": snapshot.time, "origin": snapshot.origin,
    }  # fmt: skip


def add(world: World, store: Datastore, snapshot: BackupSnapshot) -> None:
    store.snapshots[key_of(snapshot)] = snapshot
    _show(world, store, snapshot)
    world.note("backup-stored", **_told(world, store, snapshot), bytes=snapshot.fresh)


def forget(world: World, store: Datastore, snapshot: BackupSnapshot) -> None:
    """Remove it; what only it had waits for the garbage collection, the rest others need."""
    refuse_if(snapshot.protected, f"cannot remove protected snapshot {snapshot.name}")
    del store.snapshots[key_of(snapshot)]
    younger = [one for one in group_of(store, snapshot.ns, snapshot.group)
               if one.time > snapshot.time]  # fmt: skip
    if younger:
        heir = younger[-1]
        store.pending += min(heir.fresh, snapshot.fresh)
        heir.fresh = max(heir.fresh, snapshot.fresh)
    else:
        store.pending += snapshot.fresh
    for other, storage in _storages(world, store, snapshot.ns):
        place = other.cluster.volumes.on(storage.name, "")
        place.pop(_volid(storage, snapshot), None)
    world.note("backup-removed", **_told(world, store, snapshot))


# -- jobs ----------------------------------------------------------------------------------------


def look(world: World) -> float:
    """Start what is due; when the next falls due."""
    reflect(world)
    due = [_due(world, run, schedule, start) for run, schedule, start in _scheduled(server(world))]
    return min(due, default=math.inf)


def _scheduled(here: BackupServer) -> Iterator[tuple[Run, str, Starter]]:
    for jobs, start in ((here.sync, run_sync), (here.verify, run_verify), (here.prune, run_prune)):
        for job in jobs.values():
            if job.options.get("disable") != "1":
                yield job.run, job.options.get("schedule", ""), _of_job(start, job)
    for store in here.stores.values():
        yield store.gc, store.options.get("gc-schedule", ""), _of_store(store)


def _of_job(start: Callable[[World, ServerJob], str], job: ServerJob) -> Starter:
    return lambda world, _: start(world, job)


def _of_store(store: Datastore) -> Starter:
    return lambda world, _: run_gc(world, store)


def _due(world: World, run: Run, schedule: str, start: Starter) -> float:
    when = next_event(schedule, run.since) if schedule else None
    if when is not None and when <= world.now():
        run.since = world.now()
        if run.upid not in world.tasks.running and world.cluster.online:
            start(world, run)
        when = next_event(schedule, run.since)
    return math.inf if when is None else when


def next_run(run: Run, schedule: str) -> int | None:
    when = next_event(schedule, run.since) if schedule else None
    return int(when) if when is not None else None


def launch(
    world: World, kind: str, subject: str, user: str, work: Jobs, run: Run | None = None
) -> str:
    """Start a task; `run` keeps how it ended."""
    (node,) = world.cluster.nodes.values()

    def kept(task: Task) -> Work:
        state = "OK"
        try:
            yield from work(task)
        except Refused as refused:
            state = refused.message
            raise
        finally:
            if run is not None:
                run.ended, run.state = int(world.now()), state

    task = world.tasks.start(node, kind, subject, user, kept)
    if run is not None:
        run.upid = task.upid
    return task.upid


def run_sync(world: World, job: ServerJob, user: str = "root@pam") -> str:
    told = [job.options.get(name, "") for name in ("remote", "remote-store", "store", "ns")]
    subject = ":".join([*told, job.name])
    return launch(world, "syncjob", subject, user, lambda task: _pull(world, job, task), job.run)


def _pull(world: World, job: ServerJob, task: Task) -> Work:
    options, store = job.options, store_of(world, job.options["store"])
    ns, remote_ns = options.get("ns", ""), options.get("remote-ns", "")
    task.log.append(f"Starting datastore sync job '{job.name}'")
    try:
        yield world.duration("sync")
        theirs = _remote_store(world, options)
        for group in groups(theirs, remote_ns):
            if _chosen(group, options.get("group-filter", "")):
                yield from _pull_group(world, job, theirs, store, group)
        vanished = {one.name for one in store.snapshots.values() if one.ns == ns}
        vanished -= {one.name for one in theirs.snapshots.values() if one.ns == remote_ns}
        for name in sorted(vanished) if options.get("remove-vanished") == "1" else ():
            snapshot = store.snapshots[f"{ns}:{name}"]
            if not snapshot.protected and _chosen(snapshot.group, options.get("group-filter", "")):
                task.log.append(f"delete vanished snapshot {name}")
                forget(world, store, snapshot)
    except Refused as refused:
        world.note("sync-failed", job=job.name, store=store.name, error=refused.message)
        raise
    task.log.append(f"sync job '{job.name}' end")
    world.note("synced", job=job.name, store=store.name, remote=options.get("remote", ""))


def _remote_store(world: World, options: dict[str, str]) -> Datastore:
    """The datastore at the other end, for as long as it answers and knows us."""
    name = options.get("remote", "")
    if not name:
        return store_of(world, options["remote-store"])
    remote = found(server(world).remotes.get(name), f"no such remote '{name}'")
    there = at_address(world, remote.options["host"])
    if there is None:
        raise failed("error trying to connect: tcp connect error: No route to host (os error 113)")
    sign_in(there, remote.options["auth-id"], remote.options.get("password", ""))
    return store_of(there, options["remote-store"])


def sign_in(there: World, auth_id: str, secret: str) -> None:
    keys, user = there.cluster.access, there.cluster.access.users.get(auth_id.partition("!")[0])
    token = user.tokens.get(auth_id.partition("!")[2]) if user else None
    kept = token.digest if token else user.password if user else ""
    good = kept and kept == access.secret_digest(secret, auth_id) and keys
    refuse_if(not good, "authentication failed")


def _chosen(group: str, filters: str) -> bool:
    """Whether filters let a group through: any that includes it, and none that excludes it."""
    includes, excludes = list[bool](), list[bool]()
    for text in filter(None, filters.split("\0")):
        excluding = text.startswith("exclude:")
        kind, _, what = text.removeprefix("exclude:").removeprefix("include:").partition(":")
        matches = {
            "group": group == what, "type": group.partition("/")[0] == what,
            "regex": kind == "regex" and re.search(what, group) is not None,
        }.get(kind, False)  # fmt: skip
        (excludes if excluding else includes).append(matches)
    return (not includes or any(includes)) and not any(excludes)


def _pull_group(
    world: World, job: ServerJob, theirs: Datastore, store: Datastore, group: str
) -> Work:
    options = job.options
    source = group_of(theirs, options.get("remote-ns", ""), group)
    here = group_of(store, options.get("ns", ""), group)
    last = here[0].time if here else 0
    wanted = [one for one in source if one.time > last]
    if "transfer-last" in options:
        wanted = wanted[: int(options["transfer-last"])]
    if options.get("verified-only") == "1":
        wanted = [one for one in wanted if one.verified == "ok"]
    for one in reversed(wanted):
        fresh = one.fresh if here else one.size
        yield world.duration("sync-snapshot") + fresh / world.rates.get("sync", math.inf)
        theirs = _remote_store(world, options)
        if key_of(one) not in theirs.snapshots:
            continue  # pruned meanwhile
        refuse_if(used(store) + fresh > store.total, "No space left on device (os error 28)")
        copy = BackupSnapshot(
            one.kind, one.id, one.time, options.get("ns", ""), options.get("owner", "root@pam"),
            one.size, fresh, one.comment, corrupt=one.corrupt, origin=one.origin,
            archive=one.archive,
        )  # fmt: skip
        add(world, store, copy)
        here = [copy]


def run_verify(world: World, job: ServerJob, user: str = "root@pam") -> str:
    store, days = job.options["store"], int(job.options.get("outdated-after", 0))

    def wanted(snapshot: BackupSnapshot) -> bool:
        if job.options.get("ignore-verified", "1") != "1" or not snapshot.verified:
            return True
        return bool(days) and world.now() - snapshot.verified_at > days * DAY

    def work(task: Task) -> Work:
        held, ns = store_of(world, store), job.options.get("ns")
        every = [one for one in held.snapshots.values() if ns in (None, one.ns) and wanted(one)]
        yield from verify(world, held, every, task)

    return launch(world, "verificationjob", f"{store}:{job.name}", user, work, job.run)


def verify(world: World, store: Datastore, some: Iterable[BackupSnapshot], task: Task) -> Work:
    bad = False
    for snapshot in some:
        seconds = snapshot.size / world.rates.get("verify", math.inf)
        yield world.duration("verify") + seconds
        if key_of(snapshot) not in store.snapshots:
            continue
        snapshot.verified = "failed" if snapshot.corrupt else "ok"
        snapshot.verified_by, snapshot.verified_at = task.upid, world.now()
        bad = bad or snapshot.corrupt
        task.log.append(f"verify {store.name}:{snapshot.name}: {snapshot.verified}")
        world.note("verified", **_told(world, store, snapshot), state=snapshot.verified)
    refuse_if(bad, "verification failed - please check the log for details")


def run_prune(world: World, job: ServerJob, user: str = "root@pam") -> str:
    def work(task: Task) -> Work:
        yield world.duration("prune")
        store, ns = store_of(world, job.options["store"]), job.options.get("ns", "")
        for group in groups(store, ns):
            prune(world, store, ns, group, job.options, task.log)

    return launch(world, "prunejob", f"{job.options['store']}:{job.name}", user, work, job.run)


def prune(
    world: World, store: Datastore, ns: str, group: str, keep: dict[str, str], log: list[str],
    *, dry: bool = False,
) -> list[tuple[BackupSnapshot, bool]]:  # fmt: skip
    """A group's snapshots, newest first, and whether each is kept."""
    held = group_of(store, ns, group)
    kept = marks(held, {name: value for name, value in keep.items() if name in PERIODS})
    for snapshot, mark in zip(held, kept, strict=True):
        log.append(f"{mark} {snapshot.name}")
        if mark == "remove" and not dry:
            forget(world, store, snapshot)
    return [(one, mark != "remove") for one, mark in zip(held, kept, strict=True)]


def run_gc(world: World, store: Datastore, user: str = "root@pam") -> str:
    def work(task: Task) -> Work:
        task.log.append(f"starting garbage collection on store {store.name}")
        yield world.duration("gc")
        store.removed, store.pending = store.pending, 0
        task.log.append(f"Removed garbage: {store.removed} B")

    return launch(world, "garbage_collection", store.name, user, work, store.gc)
