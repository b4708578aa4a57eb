"""Clones: full copies and linked ones. Locks are held for as long as the copying takes."""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed
from cloudpemda.lab.qemu.config import Drive, check_lock, disks, drives, net_use, parse_drive
from cloudpemda.lab.qemu.create import check_pool
from cloudpemda.lab.qemu.drives import CLOUDINIT_SIZE, transferred
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Storage, Task, Vm
from cloudpemda.lab.work import Acquire, SlowCall, Work, config_lock
from cloudpemda.lab.world import Call, World


@route("POST /nodes/{node}/qemu/{vmid}/clone")
def clone_vm(call: Call) -> object:
    params, cluster = call.params, call.cluster
    vmid, newid = params.whole("vmid"), params.whole("newid")
    call.world.need_quorum()
    check_pool(call)
    target = params.get("target", call.node)
    if target not in cluster.nodes:
        raise failed(f"no such cluster node '{target}'")
    source = cluster.vms.get(vmid)
    if source is None or source.node != call.node:
        raise failed(f"unable to find configuration file for VM {vmid} on node '{call.node}'")
    storage = params.get("storage")
    if storage is not None:
        storages.storage_of(cluster, storage)
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
        storages.usable_on(cluster, storage, target)
    check_lock(source)
    full = params.flag("full", default=not source.template)
    _check_linked(call, source, full)
    _check_target(call, source, target, full)
    _check_bridges(call, source)
    _check_space_rights(call, source, full)
    if newid in cluster.vms:
        raise failed(f"unable to create VM {newid}: config file already exists")
    return _begin(
        call, source, Vm(newid, target, {"lock": "clone"}, created=call.world.now()), full
    )


def _locks(source: Vm, newid: int) -> list[Acquire]:
    """A stopped source may be read by many at once; the new id is the cloner's alone."""
    shared = source.status == "stopped"
    return [config_lock(source.vmid, shared=shared, seconds=1), config_lock(newid, seconds=1)]


def _begin(call: Call, source: Vm, vm: Vm, full: bool) -> SlowCall:
    yield from _locks(source, vm.vmid)
    if vm.vmid in call.cluster.vms:
        raise failed(f"unable to create VM {vm.vmid}: config file already exists")
    call.cluster.vms[vm.vmid] = vm
    return call.start("qmclone", source.vmid, lambda task: _clone(call, source, vm, full, task))


def _check_linked(call: Call, source: Vm, full: bool) -> None:
    if full:
        return
    for name in ("storage", "format"):
        if name in call.params:
            raise failed(f"parameter '{name}' not allowed for linked clones")
    for key, drive in disks(source.config).items():
        if "base-" not in drive.volid.rpartition("/")[2] and "base-" not in drive.volid:
            raise failed(f"Linked clone feature is not supported for '{drive.volid}' ({key})")


def _check_target(call: Call, source: Vm, target: str, full: bool) -> None:
    if target == call.node:
        return
    for drive in drives(source.config).values():
        if ":" in drive.volid and not _storage(call, drive.volid).shared:
            raise failed(f"can't clone VM to node '{target}' (VM uses local storage)")
    wanted = call.params.get("storage")
    if full and wanted and not storages.storage_of(call.cluster, wanted).shared:
        raise failed(f"can't clone to non-shared storage '{wanted}'")


def _check_bridges(call: Call, source: Vm) -> None:
    for key, value in source.config.items():
        bridge, tag = net_use(value) if re.fullmatch(r"net\d+", key) else ("", "")
        if bridge:
            path = f"/sdn/zones/localnetwork/{bridge}"
            if not call.may(path, "SDN.Use"):
                call.require(f"{path}/{tag}" if tag else path, "SDN.Use")


def _check_space_rights(call: Call, source: Vm, full: bool) -> None:
    if "storage" in call.params:
        return
    for drive in disks(source.config).values():
        call.require(f"/storage/{storages.split(drive.volid)[0]}", "Datastore.AllocateSpace")


def _storage(call: Call, volid: str) -> Storage:
    return storages.storage_of(call.cluster, storages.split(volid)[0])


def _clone(call: Call, source: Vm, vm: Vm, full: bool, task: Task) -> Work:
    yield from _locks(source, vm.vmid)
    task.log.clear()
    world, made = call.world, list[str]()
    task.log.append(f"creating a clone of VM {source.vmid} with ID {vm.vmid}")
    try:
        config = _copied_settings(call, source)
        for key, drive in drives(source.config).items():
            config[key] = _copy(call, vm, key, drive, full, task, made)
            if full and not drive.cdrom and ":" in drive.volid:
                yield world.duration("clone")
            # The new configuration can be read from the first finished disk on, still locked.
            vm.config = {**config, "lock": "clone"}
        if not full:
            yield world.duration("linked-clone")
        if world.cluster.vms.get(vm.vmid) is not vm:
            raise failed(
                f"Configuration file 'nodes/{vm.node}/qemu-server/{vm.vmid}.conf' does not exist"
            )
        vm.config = config
    except Refused:
        for volid in made:
            storages.free(world, volid, vm.node)
        if world.cluster.vms.get(vm.vmid) is vm:
            del world.cluster.vms[vm.vmid]
        raise
    world.note("vm-created", vmid=vm.vmid, node=vm.node, by=call.user)
    pool = world.cluster.pools.get(call.params.get("pool", ""))
    if pool is not None and vm.vmid not in pool.vms:
        pool.vms.append(vm.vmid)


def _copied_settings(call: Call, source: Vm) -> dict[str, str]:
    """All settings but what makes the source unique; drives come later."""
    world, params = call.world, call.params
    left_out = {"template", "lock", "digest", "parent", "snaptime", "vmstate"}
    base = source.config
    if "snapname" in params:
        if params["snapname"] not in source.snapshots:
            raise failed(f"snapshot '{params['snapname']}' does not exist")
        base = source.snapshots[params["snapname"]].config
    config: dict[str, str] = {}
    for key, value in base.items():
        if key in left_out or key.startswith("unused") or key in drives(base):
            continue
        config[key] = _own_identity(world, key, value)
    config["name"] = params.get("name") or f"Copy-of-VM-{base.get('name', source.vmid)}"
    if "description" in params:
        config["description"] = params["description"]
    return config


def _own_identity(world: World, key: str, value: str) -> str:
    """A setting of the source as the copy gets it: MAC address and UUIDs are new."""
    if re.fullmatch(r"net\d+", key):
        return re.sub(r"^([\w-]+)=[0-9A-Fa-f:]+", lambda m: f"{m[1]}={world.new_mac()}", value)
    if key == "smbios1":
        return re.sub(r"uuid=[0-9a-f-]+", f"uuid={world.new_uuid()}", value)
    return world.new_uuid() if key == "vmgenid" else value


def _copy(
    call: Call, vm: Vm, key: str, drive: Drive, full: bool, task: Task, made: list[str]
) -> str:
    world = call.world
    if ":" not in drive.volid or (drive.cdrom and not drive.cloudinit):
        return str(drive)
    origin = storages.find(world.cluster, drive.volid, call.node)
    if origin is None:
        raise failed(f"volume '{drive.volid}' does not exist")
    storage = _storage(call, drive.volid)
    if not full and not drive.cloudinit and not key.startswith("tpmstate"):
        task.log.append(f"create linked clone of drive {key} ({drive.volid})")
        volid = _linked_name(call, storage, drive.volid, vm)
        copy = storages.allocate(
            world, storage, vm.node, vm.vmid, origin.virtual, origin.format, volid=volid,
            parent=drive.volid,
        )  # fmt: skip
        copy.system = origin.system
        made.append(volid)
        return str(Drive(volid, drive.options))
    target = storages.usable_on(world.cluster, call.params.get("storage", storage.name), vm.node)
    task.log.append(f"create full clone of drive {key} ({drive.volid})")
    form = call.params.get("format", origin.format)
    if form not in storages.formats(target):
        form = storages.default_format(target)
    volid, size = "", origin.virtual
    if drive.cloudinit:
        form = "qcow2" if target.type in storages.FILE_BASED else "raw"
        volid, size = (
            storages.full_name(target, vm.vmid, f"vm-{vm.vmid}-cloudinit", form),
            CLOUDINIT_SIZE,
        )
    volume = storages.allocate(world, target, vm.node, vm.vmid, size, form, volid=volid)
    volume.system = origin.system
    made.append(volume.volid)
    if target.type in storages.FILE_BASED:
        task.log.append(
            f"Formatting '{storages.path_of(target, volume.volid)}', fmt={form} size={size}"
        )
    task.log.append(f"allocated target volume '{volume.volid}'")
    task.log += transferred(size)
    options = parse_drive(str(drive)).options
    if "size" in options:
        options["size"] = storages.format_size(size)
    return str(Drive(volume.volid, options))


def _linked_name(call: Call, storage: Storage, base: str, vm: Vm) -> str:
    own = storages.new_name(call.cluster, storage, vm.node, vm.vmid, base.rpartition(".")[2])
    return f"{base}/{storages.split(own)[1]}"
