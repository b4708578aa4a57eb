"""What becomes of a VM: copies (full and linked), a template, states it can go back to, its end.

File locks are held for as long as the copying takes; what must stay refused for longer, or after a
crash, is marked by the `lock` in the configuration.
"""

import re
from copy import deepcopy

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, found, refuse_if
from cloudpemda.lab.ha.config import forget
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu import drives as volumes
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.qemu.config import Drive, check_lock, disks, drives
from cloudpemda.lab.qemu.edit import check_bridges, check_pool
from cloudpemda.lab.qemu.machine import locate
from cloudpemda.lab.routes import Row, route, task
from cloudpemda.lab.state import Task, Vm, VmSnapshot, Volume
from cloudpemda.lab.work import Acquire, SlowCall, Work, config_lock
from cloudpemda.lab.world import Call, World

VM = "/nodes/{node}/qemu/{vmid}"
SNAPSHOT = f"{VM}/snapshot/{{snapname}}"
OF_THE_PRESENT = re.compile(r"description|unused\d+")  # no part of a state to go back to
UNIQUE = ("template", "lock", "digest", "parent", "snaptime", "vmstate")

# -- copies --------------------------------------------------------------------------------------


@route(f"POST {VM}/clone")
def clone_vm(call: Call) -> SlowCall:
    cluster, newid, target = call.cluster, call.whole("newid"), call.get("target", call.node)
    call.world.need_quorum()
    check_pool(call)
    refuse_if(target not in cluster.nodes, f"no such cluster node '{target}'")
    source, storage = locate(call), call.get("storage")
    if storage:
        storages.storage_of(cluster, storage)
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
        storages.usable_on(cluster, storage, target)
    check_lock(source)
    base, full = _base_config(call, source), call.flag("full", default=not source.template)
    _check_copy(call, base, target, full)
    check_bridges(call, base)
    for name in () if storage else {drive.storage for drive in disks(base).values()}:
        call.require(f"/storage/{name}", "Datastore.AllocateSpace")
    taken = f"unable to create VM {newid}: config file already exists"
    refuse_if(newid in cluster.vms, taken)
    refuse_if(newid in cluster.containers, call.world.taken(newid))
    yield from _locks(source, newid)
    refuse_if(newid in cluster.vms, taken)
    vm = Vm(newid, target, {"lock": "clone"}, created=call.world.now())
    cluster.vms[newid] = vm
    return call.start("qmclone", source.vmid, lambda task: _clone(call, source, vm, full, task))


def _locks(source: Vm, newid: int) -> list[Acquire]:
    """A stopped source may be read by many at once; the new id is the cloner's alone."""
    shared = source.status == "stopped"
    return [config_lock(source.vmid, shared=shared, seconds=1), config_lock(newid, seconds=1)]


def _base_config(call: Call, source: Vm) -> dict[str, str]:
    return snapshot_of(source, call["snapname"]).config if "snapname" in call else source.config


def _check_copy(call: Call, base: dict[str, str], target: str, full: bool) -> None:
    """Links go to base volumes beside them; other nodes are reached by shared storages alone."""
    for name in ("storage", "format") if not full else ():
        refuse_if(name in call, f"parameter '{name}' not allowed for linked clones")
    for key, drive in disks(base).items():
        unlinked = not full and "base-" not in drive.volid.rpartition("/")[2]
        text = f"Linked clone feature is not supported for '{drive.volid}' ({key})"
        refuse_if(unlinked, text)
    if target != call.node:
        own = {drive.storage for drive in drives(base).values() if drive.managed}
        local = any(not storages.storage_of(call.cluster, name).shared for name in own)
        refuse_if(local, f"can't clone VM to node '{target}' (VM uses local storage)")
        wanted = call.cluster.storages.get(call.get("storage"))
        private = wanted is not None and not wanted.shared
        refuse_if(private, f"can't clone to non-shared storage '{call.get('storage')}'")


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
            config[key] = str(_copy(call, vm, key, drive, full, task, made))
            if full and not drive.cdrom and drive.managed:
                yield world.duration("clone")
            # The new configuration can be read from the first finished disk on, still locked.
            vm.config = {**config, "lock": "clone"}
        if not full:
            yield world.duration("linked-clone")
        gone = f"Configuration file 'nodes/{vm.node}/qemu-server/{vm.vmid}.conf' does not exist"
        refuse_if(world.cluster.vms.get(vm.vmid) is not vm, gone)
        vm.config, firewalls = config, world.cluster.firewalls
        firewalls[f"vm/{vm.vmid}"] = deepcopy(firewalls.get(f"vm/{source.vmid}", {}))
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
    left_out = {*UNIQUE, *drives(base, unused=True)}
    kept = {key: value for key, value in base.items() if key not in left_out}
    config = {key: _own_identity(call.world, key, value) for key, value in kept.items()}
    config["name"] = call.get("name") or f"Copy-of-VM-{base.get('name', source.vmid)}"
    return config | ({"description": call["description"]} if "description" in call else {})


def _own_identity(world: World, key: str, value: str) -> str:
    """A setting of the source as the copy gets it: MAC address and UUIDs are new."""
    if cfg.kind_of(key) == "net":
        return re.sub(r"^([\w-]+)=[0-9A-Fa-f:]+", lambda m: f"{m[1]}={world.new_mac()}", value)
    if key == "smbios1":
        return re.sub(r"uuid=[0-9a-f-]+", f"uuid={world.new_uuid()}", value)
    return world.new_uuid() if key == "vmgenid" else value


def _copy(
    call: Call, vm: Vm, key: str, drive: Drive, full: bool, task: Task, made: list[str]
) -> Drive:
    """The copy's drive. CDs are shared; those of cloud-init and TPM states are always copied."""
    world = call.world
    if not drive.managed or (drive.cdrom and not drive.cloudinit):
        return drive
    origin = storages.find(world.cluster, drive.volid, call.node)
    origin = found(origin, f"volume '{drive.volid}' does not exist")
    linked = not full and not drive.cloudinit and not key.startswith("tpmstate")
    how = "linked" if linked else "full"
    task.log.append(f"create {how} clone of drive {key} ({drive.volid})")
    name = drive.storage if linked else call.get("storage", drive.storage)
    storage = storages.usable_on(world.cluster, name, vm.node)
    if linked:
        volume = _linked(world, origin, vm)
    else:
        form = call.get("format", origin.format)
        form = form if form in storages.formats(storage) else storages.default_format(storage)
        size = origin.virtual
        if drive.cloudinit:
            volume = volumes.make_cloudinit(world, storage, vm)
        else:
            volume = storages.allocate(world, storage, vm.node, vm.vmid, size, form)
        task.log += volumes.copying(world, storage, volume)
    volume.system = origin.system
    made.append(volume.volid)
    grown = volumes.size_option(volume.virtual) if "size" in drive.options else {}
    return Drive(volume.volid, drive.options | grown)


def _linked(world: World, base: Volume, vm: Vm) -> Volume:
    """A volume that holds its differences from the base only, and is named after it."""
    storage = storages.storage_of(world.cluster, storages.split(base.volid)[0])
    own = storages.new_name(world.cluster, storage, vm.node, vm.vmid, base.format)
    volid, size = f"{base.volid}/{storages.split(own)[1]}", base.virtual
    return storages.allocate(
        world, storage, vm.node, vm.vmid, size, base.format, volid=volid, parent=base.volid
    )


# -- templates -----------------------------------------------------------------------------------


def _check_template(call: Call) -> Vm:
    vm = call.vm()
    check_lock(vm)
    refuse_if(vm.snapshots, "unable to create template, because VM contains snapshots")
    twice = vm.template and "disk" not in call
    refuse_if(twice, "you can't convert a template to a template")
    running = vm.status != "stopped"
    refuse_if(running, "you can't convert a VM to template if VM is running")
    return vm


@task(f"POST {VM}/template", "qmtemplate", _check_template)
def to_template(call: Call, task: Task) -> Work:
    """Its disks' volumes become base volumes, that clones may share."""
    yield config_lock(call.whole("vmid"))
    _check_template(call)
    call.world.need_config(call.node, call["vmid"], task.pid)
    yield call.world.duration("default")
    vm = call.vm()
    for key, drive in disks(vm.config).items():
        if call.get("disk", key) == key:
            volume = volumes.volume_of(call.world, vm, drive)
            base = re.sub(rf"\bvm-({vm.vmid}-disk)", r"base-\1", volume.volid)
            call.cluster.volumes.carry(volume, volid=base)
            vm.config[key] = str(Drive(volume.volid, drive.options))
    vm.config["template"] = "1"
    call.world.note("template-made", vmid=vm.vmid)


# -- states to go back to ------------------------------------------------------------------------


def snapshot_of(vm: Vm, name: str) -> VmSnapshot:
    return found(vm.snapshots.get(name), f"snapshot '{name}' does not exist")


def able(world: World, vm: Vm) -> bool:
    """Raw files and plain LVM cannot keep a state, anything else can."""
    plain = {s.name for s in world.cluster.storages.values() if s.type in ("lvm", "iscsi")}
    own = disks(vm.config).values()
    return not any(d.volid.endswith((".raw", ".vmdk")) or d.storage in plain for d in own)


def described(snapshot: VmSnapshot) -> Row:
    texts = {"description": snapshot.description, "parent": snapshot.parent}
    return {"snaptime": int(snapshot.taken), **{key: text for key, text in texts.items() if text}}


@route(f"GET {VM}/snapshot")
def list_snapshots(call: Call) -> object:
    vm, you = call.vm(), "You are here!"
    rows: list[Row] = [
        {"name": one.name, "vmstate": int("vmstate" in one.config), "description": ""}
        | described(one)
        for one in vm.snapshots.values()
    ]
    current: Row = {"name": "current", "description": you, "digest": cfg.digest(vm)}
    current["running"] = int(vm.status != "stopped")
    return [*rows, current | ({"parent": vm.parent} if vm.parent else {})]


@route(f"GET {SNAPSHOT}")
def snapshot_index(call: Call) -> object:
    return [{"cmd": "rollback"}, {"cmd": "config"}]


@route(f"GET {SNAPSHOT}/config")
def snapshot_config(call: Call) -> object:
    snapshot = snapshot_of(call.vm(), call["snapname"])
    return cfg.shown(call.cluster.release, snapshot.config) | described(snapshot)


@route(f"PUT {SNAPSHOT}/config")
def describe(call: Call) -> None:
    snapshot = snapshot_of(call.vm(), call["snapname"])
    snapshot.description = call.get("description", snapshot.description)


def _check_name(call: Call) -> None:
    name = call["snapname"]
    reserved = call.vm() and name in ("current", "pending")
    refuse_if(reserved, f"unable to use snapshot name '{name}' (reserved name)")


def _marked(call: Call, vm: Vm, lock: str, task: Task) -> Work:
    """The change takes its time, and the VM is locked meanwhile."""
    check_lock(vm)
    call.world.need_config(vm.node, vm.vmid, task.pid)
    vm.config["lock"] = lock
    yield call.world.duration("snapshot")
    locate(call).config.pop("lock", None)


@task(f"POST {VM}/snapshot", "qmsnapshot", _check_name)
def take(call: Call, task: Task) -> Work:
    vm, name = locate(call), call["snapname"]
    refuse_if(vm.template, "you can't take a snapshot if it's a template")
    check_lock(vm)
    refuse_if(name in vm.snapshots, f"snapshot name '{name}' already used")
    refuse_if(not able(call.world, vm), "snapshot feature is not available")
    for key, drive in disks(vm.config).items():
        task.log.append(f"snapshotting 'drive-{key}' ({drive.volid})")
    memory = call.flag("vmstate") and vm.status != "stopped"
    call.world.need_config(vm.node, vm.vmid, task.pid)
    state = {"vmstate": _state_volume(call, vm, name)} if memory else {}
    yield from _marked(call, vm, "snapshot", task)
    kept = {key: value for key, value in vm.config.items() if not OF_THE_PRESENT.fullmatch(key)}
    now, text = call.world.now(), call.get("description")
    vm.snapshots[name] = VmSnapshot(name, kept | state, now, text, vm.parent)
    vm.parent = name


def _state_volume(call: Call, vm: Vm, name: str) -> str:
    """Room for the memory of a running VM, beside its first disk."""
    disk = found(next(iter(disks(vm.config).values()), None), "no storage for the VM's state")
    storage = storages.storage_of(call.cluster, disk.storage)
    volid = storages.full_name(storage, vm.vmid, f"vm-{vm.vmid}-state-{name}", "raw")
    size = cfg.memory_of(vm.config)
    storages.allocate(call.world, storage, vm.node, vm.vmid, size, "raw", volid=volid)
    return volid


@task(f"POST {SNAPSHOT}/rollback", "qmrollback", Call.vm)
def rollback(call: Call, task: Task) -> Work:
    vm = locate(call)
    snapshot = snapshot_of(vm, call["snapname"])
    for drive in disks(snapshot.config).values():
        storage = call.cluster.storages.get(drive.storage)
        newer = next(reversed(vm.snapshots)) != snapshot.name
        text = f"can't rollback, '{snapshot.name}' is not most recent snapshot on '{drive.volid}'"
        refuse_if(storage is not None and storage.type == "zfspool" and newer, text)
    yield from _marked(call, vm, "rollback", task)
    machine.halt(call.world, vm)
    back = {key: value for key, value in snapshot.config.items() if key != "vmstate"}
    now, used = vm.config, cfg.volumes(back)
    stays = {key: value for key, value in now.items() if OF_THE_PRESENT.fullmatch(key)}
    vm.config = {key: value for key, value in stays.items() if value not in used} | back
    for drive in disks(now).values():
        if drive.managed and drive.volid not in used:
            cfg.add_unused(vm, drive.volid)
    vm.parent = snapshot.name
    if "vmgenid" in vm.config:
        vm.config["vmgenid"] = call.world.new_uuid()
    if "vmstate" in snapshot.config or call.flag("start"):
        machine.run(call.world, vm)


@task(f"DELETE {SNAPSHOT}", "qmdelsnapshot", Call.vm)
def remove_snapshot(call: Call, task: Task) -> Work:
    vm = locate(call)
    snapshot = snapshot_of(vm, call["snapname"])
    yield from _marked(call, vm, "snapshot-delete", task)
    del vm.snapshots[snapshot.name]
    storages.free(call.world, snapshot.config.get("vmstate", ""), vm.node)
    children: list[Vm | VmSnapshot] = [vm, *vm.snapshots.values()]
    for one in children:
        if one.parent == snapshot.name:
            one.parent = snapshot.parent


# -- the end -------------------------------------------------------------------------------------


def _check_destroyable(call: Call) -> Vm:
    cfg.check_skiplock(call)
    vm, cluster, purge = call.vm(), call.cluster, call.flag("purge")
    cfg.check_protection(vm, f"VM {vm.vmid}")
    in_ha = f"unable to remove VM {vm.vmid} - used in HA resources and purge parameter not set."
    refuse_if(f"vm:{vm.vmid}" in cluster.ha_resources and not purge, in_ha)
    for job in cluster.replication.values():
        text = f"There is a replication job '{job.name}' for guest '{vm.vmid}'"
        refuse_if(job.guest == vm.vmid and not purge, f"{text} - Please remove that first.")
    refuse_if(vm.status != "stopped", f"VM {vm.vmid} is running - destroy failed")
    return vm


@task(f"DELETE {VM}", "qmdestroy", _check_destroyable)
def destroy_vm(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    _check_unused(call)
    call.world.need_config(call.node, call["vmid"], task.pid)
    yield call.world.duration("destroy")
    vm = _check_unused(call)
    _free_disks(call, vm)
    if call.flag("purge"):
        task.log.append(f"purging VM {vm.vmid} from related configurations..")
        _purge(call.world, vm.vmid, task)
    remove(call.world, vm)


def _check_unused(call: Call) -> Vm:
    vm = _check_destroyable(call)
    check_lock(vm, call)
    for volid in cfg.volumes(vm.config):
        clones = [v for v in call.cluster.volumes if v.parent == volid and v.node in ("", vm.node)]
        refuse_if(clones, f"base volume '{volid}' is still in use by linked cloned")
    return vm


def _free_disks(call: Call, vm: Vm) -> None:
    """Its own volumes; those that no configuration names only when that is asked for."""
    configs = [vm.config, *(snapshot.config for snapshot in vm.snapshots.values())]
    named = {volid for config in configs for volid in cfg.volumes(config)}
    volids = {volid for volid in named if cfg.owner_of(volid) == vm.vmid}
    volids |= {config["vmstate"] for config in configs if "vmstate" in config}
    if call.flag("destroy-unreferenced-disks"):
        own = [one for one in call.cluster.volumes if one.vmid == vm.vmid]
        volids |= {one.volid for one in own if one.content == "images"}
    for volid in sorted(volids):
        storages.free(call.world, volid, vm.node)


def remove(world: World, vm: Vm) -> None:
    """The configurations go, and with them pool membership and what was granted on the VM."""
    del world.cluster.vms[vm.vmid]
    world.cluster.firewalls.pop(f"vm/{vm.vmid}", None)
    for pool in world.cluster.pools.values():
        pool.vms = [vmid for vmid in pool.vms if vmid != vm.vmid]
    path = f"/vms/{vm.vmid}"
    world.cluster.access.acl = [a for a in world.cluster.access.acl if a.path != path]
    world.note("vm-destroyed", vmid=vm.vmid, node=vm.node)


def _purge(world: World, vmid: int, task: Task) -> None:
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
