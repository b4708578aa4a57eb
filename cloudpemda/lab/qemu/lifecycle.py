"""What becomes of a VM: copies (full and linked), a template, states it can go back to, its end.

File locks are held for as long as the copying takes; what must stay refused for longer, or after a
crash, is marked by the `lock` in the configuration.
"""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, found, refuse_if
from cloudpemda.lab.ha.config import forget
from cloudpemda.lab.qemu.config import (
    Drive,
    check_lock,
    check_skiplock,
    digest,
    disks,
    drives,
    shown,
    volumes,
)
from cloudpemda.lab.qemu.drives import CLOUDINIT_SIZE, transferred
from cloudpemda.lab.qemu.edit import check_bridges, check_pool
from cloudpemda.lab.qemu.machine import halt, local_drives, locate, run
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import Storage, Task, Vm, VmSnapshot, Volume
from cloudpemda.lab.work import Acquire, SlowCall, Work, config_lock
from cloudpemda.lab.world import Call, World

VM = "/nodes/{node}/qemu/{vmid}"
SNAPSHOT = f"{VM}/snapshot/{{snapname}}"
UNIQUE = ("template", "lock", "digest", "parent", "snaptime", "vmstate")
RESERVED = ("current", "pending")

# -- copies --------------------------------------------------------------------------------------


@route(f"POST {VM}/clone")
def clone_vm(call: Call) -> object:
    cluster, newid = call.cluster, call.whole("newid")
    call.world.need_quorum()
    check_pool(call)
    target = call.get("target", call.node)
    refuse_if(target not in cluster.nodes, f"no such cluster node '{target}'")
    source = locate(call)
    if "storage" in call:
        storages.storage_of(cluster, call["storage"])
        call.require(f"/storage/{call['storage']}", "Datastore.AllocateSpace")
        storages.usable_on(cluster, call["storage"], target)
    check_lock(source)
    full = call.flag("full", default=not source.template)
    base = _base_config(call, source)
    if not full:
        _check_linked(call, base)
    if target != call.node:
        _check_target(call, source, target, full)
    check_bridges(call, base)
    for drive in disks(base).values() if "storage" not in call else ():
        call.require(f"/storage/{storages.split(drive.volid)[0]}", "Datastore.AllocateSpace")
    vm = Vm(newid, target, {"lock": "clone"}, created=call.world.now())
    refuse_if(newid in cluster.vms, f"unable to create VM {newid}: config file already exists")
    refuse_if(newid in cluster.containers, call.world.taken(newid))
    return _begin_clone(call, source, vm, full)


def _locks(source: Vm, newid: int) -> list[Acquire]:
    """A stopped source may be read by many at once; the new id is the cloner's alone."""
    shared = source.status == "stopped"
    return [config_lock(source.vmid, shared=shared, seconds=1), config_lock(newid, seconds=1)]


def _begin_clone(call: Call, source: Vm, vm: Vm, full: bool) -> SlowCall:
    yield from _locks(source, vm.vmid)
    taken = vm.vmid in call.cluster.vms
    refuse_if(taken, f"unable to create VM {vm.vmid}: config file already exists")
    call.cluster.vms[vm.vmid] = vm
    return call.start("qmclone", source.vmid, lambda task: _clone(call, source, vm, full, task))


def _base_config(call: Call, source: Vm) -> dict[str, str]:
    return snapshot_of(source, call["snapname"]).config if "snapname" in call else source.config


def _check_linked(call: Call, base: dict[str, str]) -> None:
    for name in ("storage", "format"):
        refuse_if(name in call, f"parameter '{name}' not allowed for linked clones")
    for key, drive in disks(base).items():
        text = f"Linked clone feature is not supported for '{drive.volid}' ({key})"
        refuse_if("base-" not in drive.volid.rpartition("/")[2], text)


def _check_target(call: Call, source: Vm, target: str, full: bool) -> None:
    local = any(not key.startswith("unused") for key, _ in local_drives(call.world, source))
    refuse_if(local, f"can't clone VM to node '{target}' (VM uses local storage)")
    if full and "storage" in call:
        shared = storages.storage_of(call.cluster, call["storage"]).shared
        refuse_if(not shared, f"can't clone to non-shared storage '{call['storage']}'")


def _clone(call: Call, source: Vm, vm: Vm, full: bool, task: Task) -> Work:
    yield from _locks(source, vm.vmid)
    task.log.clear()
    world, made = call.world, list[str]()
    if world.cluster.release != "8":
        task.log.append(f"creating a clone of VM {source.vmid} with ID {vm.vmid}")
    try:
        base = _base_config(call, source)
        config = _copied_settings(call, source, base)
        for key, drive in drives(base).items():
            config[key] = _copy(call, vm, key, drive, full, task, made)
            if full and not drive.cdrom and ":" in drive.volid:
                yield world.duration("clone")
            # The new configuration can be read from the first finished disk on, still locked.
            vm.config = {**config, "lock": "clone"}
        if not full:
            yield world.duration("linked-clone")
        gone = f"Configuration file 'nodes/{vm.node}/qemu-server/{vm.vmid}.conf' does not exist"
        refuse_if(world.cluster.vms.get(vm.vmid) is not vm, gone)
        vm.config = config
    except Refused:
        for volid in made:
            storages.free(world, volid, vm.node)
        if world.cluster.vms.get(vm.vmid) is vm:
            del world.cluster.vms[vm.vmid]
        raise
    world.note("vm-created", vmid=vm.vmid, node=vm.node, by=call.user)
    pool = world.cluster.pools.get(call.get("pool"))
    if pool is not None and vm.vmid not in pool.vms:
        pool.vms.append(vm.vmid)


def _copied_settings(call: Call, source: Vm, base: dict[str, str]) -> dict[str, str]:
    """All settings but what makes the source unique; drives come later."""
    config = {
        key: _own_identity(call.world, key, value)
        for key, value in base.items()
        if key not in UNIQUE and not key.startswith("unused") and key not in drives(base)
    }
    config["name"] = call.get("name") or f"Copy-of-VM-{base.get('name', source.vmid)}"
    return config | ({"description": call["description"]} if "description" in call else {})


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
    """The copy's drive. CDs are shared; those of cloud-init and TPM states are always copied."""
    world, own = call.world, drive.cloudinit or key.startswith("tpmstate")
    if ":" not in drive.volid or (drive.cdrom and not drive.cloudinit):
        return str(drive)
    origin = storages.find(world.cluster, drive.volid, call.node)
    origin = found(origin, f"volume '{drive.volid}' does not exist")
    name = storages.split(drive.volid)[0]
    linked = not full and not own
    task.log.append(f"create {'linked' if linked else 'full'} clone of drive {key} ({drive.volid})")
    if linked:
        storage = storages.usable_on(world.cluster, name, vm.node)
        volume = _linked(world, storage, origin, vm)
    else:
        storage = storages.usable_on(world.cluster, call.get("storage", name), vm.node)
        form = call.get("format", origin.format)
        if form not in storages.formats(storage):
            form = storages.default_format(storage)
        volume = _copied(world, storage, origin, vm, form, cloudinit=drive.cloudinit)
        task.log += _copy_log(world, storage, volume)
    volume.system = origin.system
    made.append(volume.volid)
    options = dict(drive.options)
    if "size" in options:
        options["size"] = storages.format_size(volume.virtual)
    return str(Drive(volume.volid, options))


def _linked(world: World, storage: Storage, base: Volume, vm: Vm) -> Volume:
    """A volume that holds its differences from the base only, and is named after it."""
    own = storages.new_name(world.cluster, storage, vm.node, vm.vmid, base.format)
    volid = f"{base.volid}/{storages.split(own)[1]}"
    return storages.allocate(
        world, storage, vm.node, vm.vmid, base.virtual, base.format, volid=volid, parent=base.volid
    )


def _copied(
    world: World, storage: Storage, origin: Volume, vm: Vm, form: str, *, cloudinit: bool
) -> Volume:
    if not cloudinit:
        return storages.allocate(world, storage, vm.node, vm.vmid, origin.virtual, form)
    form = "qcow2" if storage.type in storages.FILE_BASED else "raw"
    volid = storages.full_name(storage, vm.vmid, f"vm-{vm.vmid}-cloudinit", form)
    return storages.allocate(world, storage, vm.node, vm.vmid, CLOUDINIT_SIZE, form, volid=volid)


def _copy_log(world: World, storage: Storage, volume: Volume) -> list[str]:
    lines = transferred(volume.virtual)
    if world.cluster.release != "8":
        lines.insert(0, f"allocated target volume '{volume.volid}'")
    if storage.type in storages.FILE_BASED:
        path = storages.path_of(storage, volume.volid)
        lines.insert(0, f"Formatting '{path}', fmt={volume.format} size={volume.virtual}")
    return lines


# -- templates -----------------------------------------------------------------------------------


@route(f"POST {VM}/template")
def to_template(call: Call) -> object:
    vm = _check_template(call)
    return call.start("qmtemplate", vm.vmid, lambda task: _to_template(call))


def _check_template(call: Call) -> Vm:
    vm = call.vm()
    check_lock(vm)
    refuse_if(vm.snapshots, "unable to create template, because VM contains snapshots")
    twice = vm.template and "disk" not in call
    refuse_if(twice, "you can't convert a template to a template")
    running = vm.status != "stopped"
    refuse_if(running, "you can't convert a VM to template if VM is running")
    return vm


def _to_template(call: Call) -> Work:
    """Its disks' volumes become base volumes, that clones may share."""
    yield config_lock(call.whole("vmid"))
    _check_template(call)
    yield call.world.duration("default")
    vm = call.vm()
    for key, drive in disks(vm.config).items():
        if call.get("disk", key) == key:
            volume = storages.find(call.cluster, drive.volid, vm.node)
            volume = found(volume, f"volume '{drive.volid}' does not exist")
            volume.volid = re.sub(rf"\bvm-({vm.vmid}-disk)", r"base-\1", volume.volid)
            vm.config[key] = str(Drive(volume.volid, drive.options))
    vm.config["template"] = "1"
    call.world.note("template-made", vmid=vm.vmid)


# -- states to go back to ------------------------------------------------------------------------


def snapshot_of(vm: Vm, name: str) -> VmSnapshot:
    return found(vm.snapshots.get(name), f"snapshot '{name}' does not exist")


def able(world: World, vm: Vm) -> bool:
    """Raw files and plain LVM cannot keep a state, anything else can."""
    plain = {s.name for s in world.cluster.storages.values() if s.type in ("lvm", "iscsi")}
    return not any(
        drive.volid.endswith((".raw", ".vmdk")) or storages.split(drive.volid)[0] in plain
        for drive in disks(vm.config).values()
    )


def described(snapshot: VmSnapshot) -> Row:
    texts = {"description": snapshot.description, "parent": snapshot.parent}
    return {"snaptime": int(snapshot.taken), **{key: text for key, text in texts.items() if text}}


@route(f"GET {VM}/snapshot")
def list_snapshots(call: Call) -> object:
    vm = call.vm()
    rows: list[Row] = [
        {"name": one.name, "vmstate": int("vmstate" in one.config), "description": ""}
        | described(one)
        for one in vm.snapshots.values()
    ]
    current: Row = {"name": "current", "description": "You are here!", "digest": digest(vm)}
    current["running"] = int(vm.status != "stopped")
    return [*rows, current | ({"parent": vm.parent} if vm.parent else {})]


@route(f"GET {SNAPSHOT}")
def snapshot_index(call: Call) -> object:
    return [{"cmd": "rollback"}, {"cmd": "config"}]


@route(f"GET {SNAPSHOT}/config")
def snapshot_config(call: Call) -> object:
    snapshot = snapshot_of(call.vm(), call["snapname"])
    return shown(call.cluster.release, snapshot.config) | described(snapshot)


@route(f"PUT {SNAPSHOT}/config")
def describe(call: Call) -> object:
    snapshot = snapshot_of(call.vm(), call["snapname"])
    snapshot.description = call.get("description", snapshot.description)
    return None


@route(f"POST {VM}/snapshot")
def take(call: Call) -> object:
    call.vm()
    name = call["snapname"]
    refuse_if(name in RESERVED, f"unable to use snapshot name '{name}' (reserved name)")
    return call.start("qmsnapshot", call["vmid"], lambda task: _take(call, name, task))


def _take(call: Call, name: str, task: Task) -> Work:
    vm = locate(call)
    refuse_if(vm.template, "you can't take a snapshot if it's a template")
    check_lock(vm)
    refuse_if(name in vm.snapshots, f"snapshot name '{name}' already used")
    refuse_if(not able(call.world, vm), "snapshot feature is not available")
    vm.config["lock"] = "snapshot"
    for key, drive in disks(vm.config).items():
        task.log.append(f"snapshotting 'drive-{key}' ({drive.volid})")
    yield call.world.duration("snapshot")
    vm = locate(call)
    vm.config.pop("lock", None)
    config, memory = dict(vm.config), call.flag("vmstate") and vm.status != "stopped"
    if memory:
        config["vmstate"] = f"vm-{vm.vmid}-state-{name}"
    now, text = call.world.now(), call.get("description")
    vm.snapshots[name], vm.parent = VmSnapshot(name, config, now, text, vm.parent), name


@route(f"POST {SNAPSHOT}/rollback")
def rollback(call: Call) -> object:
    call.vm()
    return call.start("qmrollback", call["vmid"], lambda task: _rollback(call))


def _rollback(call: Call) -> Work:
    vm = locate(call)
    snapshot = snapshot_of(vm, call["snapname"])
    check_lock(vm)
    for drive in disks(snapshot.config).values():
        storage = call.cluster.storages.get(storages.split(drive.volid)[0])
        newer = next(reversed(vm.snapshots)) != snapshot.name
        text = f"can't rollback, '{snapshot.name}' is not most recent snapshot on '{drive.volid}'"
        refuse_if(storage is not None and storage.type == "zfspool" and newer, text)
    vm.config["lock"] = "rollback"
    yield call.world.duration("snapshot")
    vm = locate(call)
    halt(call.world, vm)
    vm.config = {key: value for key, value in snapshot.config.items() if key != "vmstate"}
    vm.parent = snapshot.name
    if "vmgenid" in vm.config:
        vm.config["vmgenid"] = call.world.new_uuid()
    if "vmstate" in snapshot.config or call.flag("start"):
        run(call.world, vm)


@route(f"DELETE {SNAPSHOT}")
def remove_snapshot(call: Call) -> object:
    call.vm()
    return call.start("qmdelsnapshot", call["vmid"], lambda task: _remove_snapshot(call))


def _remove_snapshot(call: Call) -> Work:
    vm = locate(call)
    snapshot = snapshot_of(vm, call["snapname"])
    check_lock(vm)
    vm.config["lock"] = "snapshot-delete"
    yield call.world.duration("snapshot")
    vm = locate(call)
    vm.config.pop("lock", None)
    del vm.snapshots[snapshot.name]
    children: list[Vm | VmSnapshot] = [vm, *vm.snapshots.values()]
    for one in children:
        if one.parent == snapshot.name:
            one.parent = snapshot.parent


# -- the end -------------------------------------------------------------------------------------


@route(f"DELETE {VM}")
def destroy_vm(call: Call) -> object:
    check_skiplock(call)
    vm = _check_destroyable(call)
    return call.start("qmdestroy", vm.vmid, lambda task: _destroy(call, task))


def _check_destroyable(call: Call) -> Vm:
    vm, cluster, purge = call.vm(), call.cluster, call.flag("purge")
    protected = vm.config.get("protection") == "1"
    refuse_if(protected, f"can't remove VM {vm.vmid} - protection mode enabled")
    in_ha = f"unable to remove VM {vm.vmid} - used in HA resources and purge parameter not set."
    refuse_if(f"vm:{vm.vmid}" in cluster.ha_resources and not purge, in_ha)
    for job in cluster.replication.values():
        text = f"There is a replication job '{job.id}' for guest '{vm.vmid}'"
        refuse_if(job.guest == vm.vmid and not purge, f"{text} - Please remove that first.")
    refuse_if(vm.status != "stopped", f"VM {vm.vmid} is running - destroy failed")
    return vm


def _destroy(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    _check_unused(call, _check_destroyable(call))
    temporary = f"/etc/pve/nodes/{call.node}/qemu-server/{call['vmid']}.conf.tmp.{task.pid}"
    refuse_if(not call.cluster.quorate, f"unable to open file '{temporary}' - Permission denied")
    yield call.world.duration("destroy")
    vm = _check_destroyable(call)
    _check_unused(call, vm)
    _free_disks(call, vm)
    if call.flag("purge"):
        task.log.append(f"purging VM {vm.vmid} from related configurations..")
        purge(call.world, vm.vmid, task)
    remove(call.world, vm)


def _check_unused(call: Call, vm: Vm) -> None:
    check_lock(vm, call)
    for volid in volumes(vm.config):
        clones = [v for v in call.cluster.volumes if v.parent == volid and v.node in ("", vm.node)]
        refuse_if(clones, f"base volume '{volid}' is still in use by linked cloned")


def _free_disks(call: Call, vm: Vm) -> None:
    """Its own volumes; those that no configuration names only when that is asked for."""
    configs = [vm.config, *(snapshot.config for snapshot in vm.snapshots.values())]
    volids = {volid for config in configs for volid in volumes(config) if owned(volid, vm.vmid)}
    if call.flag("destroy-unreferenced-disks"):
        volids |= {
            volume.volid
            for volume in call.cluster.volumes
            if (volume.vmid, volume.content) == (vm.vmid, "images")
        }
    for volid in sorted(volids):
        storages.free(call.world, volid, vm.node)


def owned(volid: str, vmid: int) -> bool:
    return bool(re.search(rf"(vm|base)-{vmid}-[^/]*$", volid))


def remove(world: World, vm: Vm) -> None:
    """The configuration goes, and with it pool membership and what was granted on the VM."""
    del world.cluster.vms[vm.vmid]
    for pool in world.cluster.pools.values():
        if vm.vmid in pool.vms:
            pool.vms.remove(vm.vmid)
    path = f"/vms/{vm.vmid}"
    world.cluster.access.acl = [a for a in world.cluster.access.acl if a.path != path]
    world.note("vm-destroyed", vmid=vm.vmid, node=vm.node)


def purge(world: World, vmid: int, task: Task) -> None:
    """Take the VM out of HA, replication and backup jobs; copies on replication targets stay."""
    cluster = world.cluster
    if cluster.ha_resources.pop(f"vm:{vmid}", None) is not None:
        forget(cluster, f"vm:{vmid}")
        task.log.append(f"NOTE: removed VM {vmid} from HA resource configuration.")
    cluster.replication = {k: job for k, job in cluster.replication.items() if job.guest != vmid}
    for section in list(cluster.backup_jobs.values()):
        members = section.options.get("vmid", "").split(",")
        if str(vmid) in members:
            members.remove(str(vmid))
            section.options["vmid"] = ",".join(members)
            if not members:
                del cluster.backup_jobs[section.name]
