"""Growing a disk, and moving it: to another storage, or as it is to another VM."""

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, found, invalid, refuse_any, refuse_if, reject_if
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu import drives as volumes
from cloudpemda.lab.qemu.config import Drive, drives
from cloudpemda.lab.routes import route, task
from cloudpemda.lab.state import Task, Vm, Volume
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, check_digest


@task("PUT /nodes/{node}/qemu/{vmid}/resize", "resize", cfg.check_skiplock)
def resize(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    vm, key, text = call.vm(), call["disk"], call["size"]
    cfg.check_digest(call, vm)
    cfg.check_lock(vm, call)
    drive = found(drives(vm.config).get(key), f"disk '{key}' does not exist")
    refuse_if(drive.cdrom, "you can't resize a cdrom")
    call.require(f"/storage/{drive.storage}", "Datastore.AllocateSpace")
    volume = volumes.volume_of(call.world, vm, drive)
    size = storages.parse_size(text.removeprefix("+")) + text.startswith("+") * volume.virtual
    size = -(-size // 1024) * 1024
    refuse_if(size < volume.virtual, "shrinking disks is not supported")
    if size > volume.virtual:
        call.world.need_config(call.node, vm.vmid, task.pid)
        yield call.world.duration("resize")
        vm = call.vm()
        storages.resize(call.world, volume, size, vm.node)
        vm.config[key] = str(Drive(drive.volid, drive.options | volumes.size_option(size)))
        task.log += ["Image resized."] * (vm.status == "stopped")
        call.world.note("disk-resized", vmid=vm.vmid, disk=key, size=size)


@route("POST /nodes/{node}/qemu/{vmid}/move_disk")
def move_disk(call: Call) -> object:
    """To another storage, or as it is to another VM."""
    storage, target = call.get("storage"), call.get("target-vmid")
    if bool(storage) == bool(target):
        wrong = "both 'storage' and 'target-vmid' missing, either needs to be set"
        wrong = "either set 'storage' or 'target-vmid', but not both" if storage else wrong
        raise invalid({"target-vmid": wrong, "storage": wrong})
    if storage:
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
        _movable(call)
        return call.start("qmmove", call["vmid"], lambda task: _move(call, task))
    call.require(f"/vms/{target}", "VM.Config.Disk")
    wrong = "must be different than source VMID to reassign disk"
    reject_if(target == call["vmid"], "target-vmid", wrong)
    _, drive = _reassignable(call)
    call.require(f"/storage/{drive.storage}", "Datastore.AllocateSpace")
    subject = f"{call['vmid']}-{call['disk']}>{target}-{call.get('target-disk', call['disk'])}"
    return call.start("qmmove", subject, lambda task: _reassign(call, task))


def _movable(call: Call) -> tuple[Vm, Drive, Volume]:
    vm, key, target = call.vm(), call["disk"], call["storage"]
    cfg.check_lock(vm)
    check_digest(call.params, cfg.digest(vm))
    drive = drives(vm.config, unused=True).get(key)
    drive = found(drive, f"disk '{key}' does not exist")
    refuse_if(drive.cdrom and not drive.cloudinit, "you can't move a cdrom")
    volume = volumes.volume_of(call.world, vm, drive)
    same = drive.storage == target and call.get("format", volume.format) == volume.format
    refuse_if(same, "you can't move to the same storage with same format")
    volumes.check_content(storages.usable_on(call.cluster, target, call.node))
    needed = call.flag("delete") and cfg.in_snapshot(vm, drive.volid)
    refuse_if(needed, "you can't move a disk with snapshots and delete the source")
    return vm, drive, volume


def _move(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    (vm, drive, volume), key, world = _movable(call), call["disk"], call.world
    world.need_config(vm.node, vm.vmid, task.pid)
    target = storages.storage_of(call.cluster, call["storage"])
    places = f"from current storage '{drive.storage}' to target storage '{target.name}'"
    task.log.append(f"copying volume '{drive.volid}' {places}")
    task.log.append(f"create full clone of drive {key} ({drive.volid})")
    form = volumes.usable_format(target, call.get("format", volume.format))
    try:
        with volumes.freed_on_failure(world, vm) as made:
            copy = storages.allocate(world, target, vm.node, vm.vmid, volume.virtual, form)
            made.append(copy.volid)
            yield world.duration("clone")
            vm = call.vm()
    except Refused as refused:
        raise failed(f"storage migration failed: {refused.nested}") from None
    copy.system = volume.system
    task.log += volumes.copying(world, target, copy)
    vm.config[key] = str(Drive(copy.volid, drive.options))
    if call.flag("delete"):
        task.log.append(f"removing source volume '{drive.volid}' after successful copy")
        storages.free(world, drive.volid, vm.node)
    else:
        kept = cfg.add_unused(vm, drive.volid)
        task.log.append(f"adding source volume '{drive.volid}' as '{kept}' to config")
    world.note("disk-moved", vmid=vm.vmid, disk=key, to=target.name)


def _reassignable(call: Call) -> tuple[Vm, Drive]:
    """The other VM, and the drive that it can have."""
    vm, key, number = call.vm(), call["disk"], call.whole("target-vmid")
    other = found(call.cluster.vms.get(number), f"could not find target VM {number}")
    cfg.check_lock(vm)
    cfg.check_lock(other)
    check_digest(call.params, cfg.digest(vm), f"VM {vm.vmid}: ")
    drive = drives(vm.config, unused=True).get(key)
    drive = found(drive, f"Disk '{key}' for VM '{vm.vmid}' does not exist")
    slot, in_use = call.get("target-disk", key), vm.status != "stopped" and "unused" not in key
    refuse_any(
        {
            f"Both VMs need to be on the same node ({vm.node} != {other.node})": vm.node
            != other.node,
            "Can't move disks from or to template VMs": vm.template or other.template,
            f"Target disk key '{slot}' is already in use for VM '{number}'": slot in other.config,
            "CD drive contents can't be moved to another VM": drive.cdrom and not drive.cloudinit,
            "Can't move disk used by a snapshot to another VM": cfg.in_snapshot(vm, drive.volid),
            "Cannot move disk to another VM while the source VM is running - detach first": in_use,
        }
    )
    return other, drive


def _reassign(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    yield config_lock(call.whole("target-vmid"))
    (other, drive), vm, key = _reassignable(call), call.vm(), call["disk"]
    call.world.need_config(vm.node, vm.vmid, task.pid)
    slot, volume = call.get("target-disk", key), volumes.volume_of(call.world, vm, drive)
    storage = storages.storage_of(call.cluster, drive.storage)
    task.log.append(f"reassign disk '{key}' from VM '{vm.vmid}' as '{slot}' to VM '{other.vmid}'")
    name = storages.new_name(call.cluster, storage, vm.node, other.vmid, volume.format)
    volume.volid, volume.vmid = name, other.vmid
    order = cfg.boot_order(vm.config)
    if key in order:
        task.log.append(f"removing disk '{key}' from boot order config")
        vm.config["boot"] = cfg.boot_text([device for device in order if device != key])
    task.log.append(f"removing disk '{key}' from VM '{vm.vmid}' config")
    del vm.config[key]
    options = {} if slot.startswith("unused") else drive.options
    other.pending[slot] = str(Drive(name, options))
    volumes.take_over_pending(call.world, other, plugged=other.status != "stopped")
    call.world.note("disk-reassigned", vmid=vm.vmid, disk=key, to=other.vmid)
