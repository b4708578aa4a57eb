"""Moving a VM to another node of its cluster, with its local disks where it has any."""

from datetime import UTC, datetime

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, invalid
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.qemu.config import check_lock, disks
from cloudpemda.lab.qemu.lookup import locate
from cloudpemda.lab.qemu.relocate import local_drives, move
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call, World


@route("GET /nodes/{node}/qemu/{vmid}/migrate")
def preconditions(call: Call) -> object:
    vm = call.vm()
    others = [name for name in call.cluster.nodes if name != call.node]
    local = []
    for key, volid in local_drives(call.world, vm):
        volume = storages.find(call.cluster, volid, vm.node)
        local.append(
            {
                "volid": volid,
                "size": volume.virtual if volume else 0,
                "drivename": key,
                "cdrom": int(key not in disks(vm.config)),
                "shared": 0,
                "replicate": 1,
                "is_attached": int(not key.startswith("unused")),
                "is_unused": int(key.startswith("unused")),
                "is_vmstate": 0,
                "is_cloudinit": int("cloudinit" in volid),
                "is_tpmstate": int(key.startswith("tpmstate")),
            }
        )
    found: dict[str, object] = {
        "running": int(vm.status != "stopped"),
        "local_disks": local,
        "local_resources": [],
        "mapped-resources": [],
    }
    if call.cluster.release != "8":
        found |= {"has-dbus-vmstate": 1}
    found["mapped-resource-info"] = {}
    found["allowed_nodes"] = others
    found["not_allowed_nodes"] = {name: {} for name in others}
    return found


@route("POST /nodes/{node}/qemu/{vmid}/migrate")
def migrate(call: Call) -> object:
    target = call.params["target"]
    managed = f"vm:{call.params['vmid']}" in call.cluster.ha_resources
    if target == call.node:
        raise invalid({"target": "target is local node."})
    if target not in call.cluster.nodes:
        raise failed(f"no such cluster node '{target}'")
    vm = call.vm()
    check_lock(vm)
    if vm.status != "stopped" and not call.params.flag("online"):
        raise failed("can't migrate running VM without --online")
    if managed:
        return ha.request_migration(call, target)
    return call.start("qmigrate", vm.vmid, lambda task: _migrate(call, target, task))


def _migrate(call: Call, target: str, task: Task) -> Work:
    vm, world = locate(call), call.world
    stamp = _stamp(world)
    if not call.cluster.nodes[target].online:
        task.log.append(f"{stamp} ERROR: migration aborted: Can't connect to destination address")
        raise failed("migration aborted")
    address = call.cluster.nodes[target].address
    task.log.append(f"{stamp} starting migration of VM {vm.vmid} to node '{target}' ({address})")
    for _, volid in local_drives(world, vm):
        task.log.append(f"{stamp} found local disk '{volid}' (attached)")
    vm.config["lock"] = "migrate"
    yield world.duration("migrate")
    vm = locate(call)
    vm.config.pop("lock", None)
    if not call.cluster.nodes[target].online:
        raise failed("migration aborted")
    move(world, vm, target)
    task.log.append(f"{_stamp(world)} migration finished successfully (duration 00:00:01)")


def _stamp(world: World) -> str:
    return f"{datetime.fromtimestamp(world.now(), UTC):%Y-%m-%d %H:%M:%S}"
