"""How a backup server is asked about its datastores and what is in them."""

from typing import cast

from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.pbs import vault
from cloudpemda.lab.pbs.routes import pbs_route
from cloudpemda.lab.routes import Row
from cloudpemda.lab.state import BackupSnapshot, Datastore, Task
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call

STORE = "/admin/datastore/{store}"


def _store(call: Call, *rights: str) -> Datastore:
    """The datastore of a call; one of the rights is needed there, or on the namespace."""
    name, ns = call["store"], call.get("ns")
    call.require(f"/datastore/{name}{'/' + ns if ns else ''}", *rights, any_of=True)
    store = vault.store_of(call.world, name)
    refuse_if(ns and ns not in store.namespaces, f"namespace '{ns}' does not exist")
    return store


# -- datastores ----------------------------------------------------------------------------------


@pbs_route("GET /version")
def version(call: Call) -> object:
    number = call.cluster.version.removeprefix("pbs.")
    return {"version": number, "release": "1", "repoid": "cloudpemda-lab"}


@pbs_route("GET /ping")
def ping(call: Call) -> object:
    return {"pong": True}


@pbs_route("GET /admin/datastore")
def datastores(call: Call) -> object:
    return [{"store": one.name, **_comment(one.options)} for one in vault.seen(call)]


def _comment(options: dict[str, str]) -> Row:
    return {"comment": options["comment"]} if options.get("comment") else {}


def _space(store: Datastore) -> Row:
    used = min(vault.used(store), store.total)
    return {"total": store.total, "used": used, "avail": store.total - used}


@pbs_route("GET /status/datastore-usage")
def usage(call: Call) -> object:
    return [
        {"store": one.name, **_space(one), "gc-status": _garbage(one), "history": []}
        for one in vault.seen(call)
    ]


@pbs_route(f"GET {STORE}/status")
def status(call: Call) -> object:
    store = _store(call, "Datastore.Audit", "Datastore.Backup")
    row = _space(store)
    if call.flag("verbose"):
        kinds: Row = {}
        for kind in ("vm", "ct", "host"):
            held = [one for one in store.snapshots.values() if one.kind == kind]
            kinds[kind] = {"groups": len({(h.ns, h.id) for h in held}), "snapshots": len(held)}
        row |= {"counts": kinds, "gc-status": _garbage(store)}
    return row


def _garbage(store: Datastore) -> Row:
    held = store.snapshots.values()
    row: Row = {
        "index-file-count": len(held), "index-data-bytes": sum(one.size for one in held),
        "disk-bytes": vault.used(store), "pending-bytes": store.pending,
        "removed-bytes": store.removed, "still-bad": 0, "removed-bad": 0,
    }  # fmt: skip
    return row | ({"upid": store.gc.upid} if store.gc.upid else {})


def _gc_row(store: Datastore) -> Row:
    schedule, run = store.options.get("gc-schedule", ""), store.gc
    further: Row = {
        "schedule": schedule, "next-run": vault.next_run(run, schedule),
        "last-run-state": run.state, "last-run-endtime": run.ended,
    }  # fmt: skip
    return {"store": store.name, **_garbage(store), **{k: v for k, v in further.items() if v}}


@pbs_route("GET /admin/gc")
def all_gc(call: Call) -> object:
    return [_gc_row(one) for one in vault.seen(call) if call.get("store", one.name) == one.name]


@pbs_route(f"GET {STORE}/gc")
def gc_status(call: Call) -> object:
    return _gc_row(_store(call, "Datastore.Audit"))


@pbs_route(f"POST {STORE}/gc")
def start_gc(call: Call) -> object:
    return vault.run_gc(call.world, _store(call, "Datastore.Modify"), call.user)


# -- what is in them -----------------------------------------------------------------------------


def _wanted(call: Call, store: Datastore) -> list[BackupSnapshot]:
    ns, kind, number = call.get("ns"), call.get("backup-type"), call.get("backup-id")
    whole = call.may(f"/datastore/{store.name}{'/' + ns if ns else ''}", "Datastore.Audit")
    return [
        one for one in store.snapshots.values()
        if one.ns == ns and kind in ("", one.kind) and number in ("", one.id)
        and (whole or one.owner in (call.user, call.user.partition("!")[0]))
    ]  # fmt: skip


def _of(snapshot: BackupSnapshot) -> Row:
    return {"backup-type": snapshot.kind, "backup-id": snapshot.id}


def _snapshot_row(snapshot: BackupSnapshot) -> Row:
    drives = snapshot.archive.disks if snapshot.archive else {}
    files: list[Row] = [
        {"filename": f"drive-{key}.img.fidx", "size": size, "crypt-mode": "none"}
        for key, size in drives.items()
    ]
    files.append({"filename": "index.json.blob", "size": 500, "crypt-mode": "none"})
    row = _of(snapshot) | {
        "backup-time": snapshot.time, "owner": snapshot.owner, "size": snapshot.size,
        "protected": snapshot.protected, "files": files,
    }  # fmt: skip
    if snapshot.verified:
        row["verification"] = {"state": snapshot.verified, "upid": snapshot.verified_by}
    return row | ({"comment": snapshot.comment} if snapshot.comment else {})


@pbs_route(f"GET {STORE}/snapshots")
def snapshots(call: Call) -> object:
    store = _store(call, "Datastore.Audit", "Datastore.Backup")
    return [_snapshot_row(one) for one in _wanted(call, store)]


def _one(call: Call, store: Datastore) -> BackupSnapshot:
    held = (one for one in _wanted(call, store) if one.time == call.whole("backup-time"))
    return found(next(held, None), "unable to find snapshot")


@pbs_route(f"DELETE {STORE}/snapshots")
def delete_snapshot(call: Call) -> object:
    store = _store(call, "Datastore.Modify", "Datastore.Prune")
    vault.forget(call.world, store, _one(call, store))
    return None


@pbs_route(f"GET {STORE}/protected")
def is_protected(call: Call) -> object:
    return _one(call, _store(call, "Datastore.Audit", "Datastore.Backup")).protected


@pbs_route(f"PUT {STORE}/protected")
def protect(call: Call) -> object:
    snapshot = _one(call, _store(call, "Datastore.Modify", "Datastore.Backup"))
    snapshot.protected = call.flag("protected")
    return None


@pbs_route(f"GET {STORE}/groups")
def groups(call: Call) -> object:
    store, rows = _store(call, "Datastore.Audit", "Datastore.Backup"), list[Row]()
    seen = _wanted(call, store)
    for group in sorted({one.group for one in seen}):
        held = sorted((one for one in seen if one.group == group), key=lambda one: -one.time)
        files = cast(list[Row], _snapshot_row(held[0])["files"])
        rows.append(
            _of(held[0]) | {
                "last-backup": held[0].time, "backup-count": len(held), "owner": held[0].owner,
                "files": [file["filename"] for file in files],
            }
        )  # fmt: skip
    return rows


@pbs_route(f"DELETE {STORE}/groups")
def delete_group(call: Call) -> object:
    store = _store(call, "Datastore.Modify", "Datastore.Prune")
    held = _wanted(call, store)
    spared = [one for one in held if one.protected]
    for one in held:
        if not one.protected:
            vault.forget(call.world, store, one)
    text = f"group only partially deleted due to {len(spared)} protected snapshots"
    refuse_if(spared and call.flag("error-on-protected", True), text)
    gone = len(held) - len(spared)
    return {"removed-groups": int(bool(held) and not spared), "removed-snapshots": gone,
            "protected-snapshots": len(spared)}  # fmt: skip


@pbs_route(f"GET {STORE}/namespace")
def namespaces(call: Call) -> object:
    store = _store(call, "Datastore.Audit", "Datastore.Backup")
    parent, deepest = call.get("parent"), call.whole("max-depth", 7)
    inside = [ns for ns in ["", *store.namespaces] if f"{ns}/".startswith(f"{parent}/" if parent
              else "")]  # fmt: skip
    start = parent.count("/") + 1 if parent else 0
    depth = {ns: (ns.count("/") + 1 if ns else 0) - start for ns in inside}
    return [{"ns": ns} for ns in sorted(inside) if depth[ns] <= deepest]


@pbs_route(f"POST {STORE}/namespace")
def make_namespace(call: Call) -> object:
    store, parent = _store(call, "Datastore.Modify"), call.get("parent")
    refuse_if(parent and parent not in store.namespaces, f"parent '{parent}' does not exist")
    name = f"{parent}/{call['name']}" if parent else call["name"]
    refuse_if(name in store.namespaces, f"namespace '{name}' already exists")
    store.namespaces.append(name)
    return name


@pbs_route(f"DELETE {STORE}/namespace")
def delete_namespace(call: Call) -> object:
    store, ns = _store(call, "Datastore.Modify"), call["ns"]
    below = [name for name in store.namespaces if f"{name}/".startswith(f"{ns}/")]
    held = [one for one in store.snapshots.values() if one.ns in below]
    refuse_if(held and not call.flag("delete-groups"), f"namespace '{ns}' is not empty")
    for one in held:
        vault.forget(call.world, store, one)
    store.namespaces = [name for name in store.namespaces if name not in below]
    return None


@pbs_route(f"POST {STORE}/prune")
def prune(call: Call) -> object:
    store, ns = _store(call, "Datastore.Modify", "Datastore.Prune"), call.get("ns")
    group = f"{call['backup-type']}/{call['backup-id']}"
    made = vault.prune(
        call.world, store, ns, group, dict(call.params), [], dry=call.flag("dry-run")
    )
    return [_of(one) | {"backup-time": one.time, "keep": kept} for one, kept in made]


@pbs_route(f"POST {STORE}/verify")
def verify(call: Call) -> object:
    store = _store(call, "Datastore.Verify", "Datastore.Backup")
    moment, again = call.whole("backup-time"), not call.flag("ignore-verified", True)

    def work(task: Task) -> Work:
        some = [
            one for one in _wanted(call, store)
            if moment in (0, one.time) and (again or not one.verified)
        ]  # fmt: skip
        yield from vault.verify(call.world, store, some, task)

    return vault.launch(call.world, "verify", store.name, call.user, work)
