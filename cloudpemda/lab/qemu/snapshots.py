"""VM snapshots: taken, rolled back to, removed."""

from cloudpemda.lab.errors import failed
from cloudpemda.lab.qemu.config import check_lock, digest, disks, shown
from cloudpemda.lab.qemu.lookup import locate
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm, VmSnapshot
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call

RESERVED = ("current", "pending")


def _able(vm: Vm) -> bool:
    """Raw files cannot, anything else can."""
    return not any(d.volid.endswith(".raw") for d in disks(vm.config).values())


def _snapshot(vm: Vm, name: str) -> VmSnapshot:
    found = vm.snapshots.get(name)
    if found is None:
        raise failed(f"snapshot '{name}' does not exist")
    return found


@route("GET /nodes/{node}/qemu/{vmid}/snapshot")
def list_snapshots(call: Call) -> object:
    vm = call.vm()
    rows: list[dict[str, object]] = []
    for snapshot in vm.snapshots.values():
        row: dict[str, object] = {
            "name": snapshot.name,
            "snaptime": int(snapshot.taken),
            "vmstate": 0,
            "description": snapshot.description,
        }
        if snapshot.parent:
            row["parent"] = snapshot.parent
        rows.append(row)
    current: dict[str, object] = {
        "name": "current",
        "description": "You are here!",
        "digest": digest(vm),
        "running": int(vm.status != "stopped"),
    }
    if vm.parent:
        current["parent"] = vm.parent
    return [*rows, current]


@route("POST /nodes/{node}/qemu/{vmid}/snapshot")
def take(call: Call) -> object:
    call.vm()
    name = call.params["snapname"]
    if name in RESERVED:
        raise failed(f"unable to use snapshot name '{name}' (reserved name)")
    return call.start("qmsnapshot", call.params["vmid"], lambda task: _take(call, name, task))


def _take(call: Call, name: str, task: Task) -> Work:
    vm = locate(call)
    if vm.template:
        raise failed("you can't take a snapshot if it's a template")
    check_lock(vm)
    if name in vm.snapshots:
        raise failed(f"snapshot name '{name}' already used")
    if not _able(vm):
        raise failed("snapshot feature is not available")
    vm.config["lock"] = "snapshot"
    for key, drive in disks(vm.config).items():
        task.log.append(f"snapshotting 'drive-{key}' ({drive.volid})")
    yield call.world.duration("snapshot")
    vm = locate(call)
    vm.config.pop("lock", None)
    vm.snapshots[name] = VmSnapshot(
        name, dict(vm.config), call.world.now(), call.params.get("description", ""), vm.parent
    )
    vm.parent = name


@route("GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}")
def snapshot_index(call: Call) -> object:
    return [{"cmd": "rollback"}, {"cmd": "config"}]


@route("GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config")
def snapshot_config(call: Call) -> object:
    snapshot = _snapshot(call.vm(), call.params["snapname"])
    found = shown(call.cluster.release, snapshot.config)
    found["snaptime"] = int(snapshot.taken)
    if snapshot.description:
        found["description"] = snapshot.description
    if snapshot.parent:
        found["parent"] = snapshot.parent
    return found


@route("PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config")
def describe(call: Call) -> object:
    snapshot = _snapshot(call.vm(), call.params["snapname"])
    if "description" in call.params:
        snapshot.description = call.params["description"]
    return None


@route("POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback")
def rollback(call: Call) -> object:
    call.vm()
    return call.start("qmrollback", call.params["vmid"], lambda task: _rollback(call))


def _rollback(call: Call) -> Work:
    vm = locate(call)
    snapshot = _snapshot(vm, call.params["snapname"])
    check_lock(vm)
    vm.config["lock"] = "rollback"
    yield call.world.duration("snapshot")
    vm = locate(call)
    vm.config = dict(snapshot.config)
    if "vmgenid" in vm.config:
        vm.config["vmgenid"] = call.world.new_uuid()
    vm.parent = snapshot.name
    vm.status, vm.started = "stopped", 0.0


@route("DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}")
def remove(call: Call) -> object:
    call.vm()
    return call.start("qmdelsnapshot", call.params["vmid"], lambda task: _remove(call))


def _remove(call: Call) -> Work:
    vm = locate(call)
    snapshot = _snapshot(vm, call.params["snapname"])
    check_lock(vm)
    vm.config["lock"] = "snapshot-delete"
    yield call.world.duration("snapshot")
    vm = locate(call)
    vm.config.pop("lock", None)
    del vm.snapshots[snapshot.name]
    for other in vm.snapshots.values():
        if other.parent == snapshot.name:
            other.parent = snapshot.parent
    if vm.parent == snapshot.name:
        vm.parent = snapshot.parent
