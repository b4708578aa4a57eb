"""Growing a disk, and moving one to another storage."""

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, invalid
from cloudpemda.lab.qemu.config import (
    Drive,
    check_digest,
    check_lock,
    check_skiplock,
    drives,
    parse_drive,
)
from cloudpemda.lab.qemu.drives import transferred
from cloudpemda.lab.qemu.edit import add_unused
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call


@route("PUT /nodes/{node}/qemu/{vmid}/resize")
def resize(call: Call) -> object:
    check_skiplock(call)
    vm = call.vm()
    check_digest(call, vm)
    return call.start("resize", vm.vmid, lambda task: _resize(call, task))


def _resize(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm, key, text = call.vm(), call.params["disk"], call.params["size"]
    check_lock(vm, call)
    found = drives(vm.config).get(key)
    if found is None:
        raise failed(f"disk '{key}' does not exist")
    if found.cdrom:
        raise failed("you can't resize a cdrom")
    volume = storages.find(call.cluster, found.volid, vm.node)
    if volume is None:
        raise failed(f"volume '{found.volid}' does not exist")
    size = storages.parse_size(text.removeprefix("+"))
    if text.startswith("+"):
        size += volume.virtual
    size = -(-size // 1024) * 1024
    if size < volume.virtual:
        raise failed("shrinking disks is not supported")
    yield call.world.duration("resize")
    vm = call.vm()
    check_lock(vm, call)
    storages.resize(call.world, volume, size, vm.node)
    drive = parse_drive(vm.config[key])
    drive.options["size"] = storages.format_size(size)
    vm.config[key] = str(drive)
    task.log.append("Image resized.")
    call.world.note("disk-resized", vmid=vm.vmid, disk=key, size=size)


@route("POST /nodes/{node}/qemu/{vmid}/move_disk")
def move_disk(call: Call) -> object:
    check_skiplock(call)
    vm, key = call.vm(), call.params["disk"]
    target = call.params.get("storage")
    if target is None:
        raise invalid({"storage": "property is missing and it is not optional"})
    call.require(f"/storage/{target}", "Datastore.AllocateSpace")
    check_lock(vm)
    check_digest(call, vm)
    drive = drives(vm.config).get(key)
    if drive is None:
        raise failed(f"disk '{key}' does not exist")
    if drive.cdrom:
        raise failed("you can't move a cdrom")
    storages.usable_on(call.cluster, target, call.node)
    volume = storages.find(call.cluster, drive.volid, vm.node)
    same = storages.split(drive.volid)[0] == target
    if same and volume and call.params.get("format", volume.format) == volume.format:
        raise failed("you can't move to the same storage with same format")
    return call.start("qmmove", vm.vmid, lambda task: _move(call, key, target, task))


def _move(call: Call, key: str, target_name: str, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm, world = call.vm(), call.world
    drive = drives(vm.config)[key]
    volume = storages.find(call.cluster, drive.volid, vm.node)
    if volume is None:
        raise failed(f"volume '{drive.volid}' does not exist")
    target = storages.usable_on(call.cluster, target_name, vm.node)
    source_name = storages.split(drive.volid)[0]
    task.log.append(
        f"copying volume '{drive.volid}' from current storage '{source_name}' to target storage "
        f"'{target_name}'"
    )
    task.log.append(f"create full clone of drive {key} ({drive.volid})")
    form = call.params.get("format", volume.format)
    if form not in storages.formats(target):
        form = storages.default_format(target)
    copy = storages.allocate(world, target, vm.node, vm.vmid, volume.virtual, form)
    copy.system = volume.system
    task.log.append(f"allocated target volume '{copy.volid}'")
    yield world.duration("clone")
    task.log += transferred(volume.virtual)
    vm = call.vm()
    vm.config[key] = str(Drive(copy.volid, drive.options))
    if call.params.flag("delete"):
        storages.free(world, drive.volid, vm.node)
    else:
        add_unused(vm, drive.volid)
    world.note("disk-moved", vmid=vm.vmid, disk=key, to=target_name)
