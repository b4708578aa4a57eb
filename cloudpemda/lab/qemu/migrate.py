"""Moving a VM to another node of its cluster, with its local disks where it has any.

What is refused at once and what only the task's log tells follows PVE; whatever goes wrong in the
task, it ends with `migration aborted` and the VM stays.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, invalid, refuse_if
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.qemu.config import Drive, check_lock, drives, volumes
from cloudpemda.lab.qemu.machine import local_drives, locate, move
from cloudpemda.lab.qemu.power import managed
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import ReplicationJob, Task, Vm, Volume
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

MIGRATE = "/nodes/{node}/qemu/{vmid}/migrate"
MOVABLE = ("dir", "btrfs", "zfspool", "lvmthin", "lvm")
SCANNING = "Problem found while scanning volumes -"
REMOVED = "remove_job"
ROOT_ONLY = ("force", "migration_type", "migration_network")


@route(f"GET {MIGRATE}")
def preconditions(call: Call) -> object:
    vm, nine = call.vm(), call.cluster.release != "8"
    others: dict[str, Row] = {name: {} for name in call.cluster.nodes if name != call.node}
    for name, row in others.items():
        missing = _unavailable(call.world, vm, name)
        if missing:
            row["unavailable_storages"] = missing
    found: Row = {
        "running": int(vm.status != "stopped"),
        "local_disks": [_local_disk(call.world, vm, *one) for one in local_drives(call.world, vm)],
        "local_resources": _devices(vm),
        "mapped-resources": [],
        "mapped-resource-info": {},
        "allowed_nodes": [name for name, row in others.items() if not row],
        "not_allowed_nodes": others,
    }
    return found | ({"has-dbus-vmstate": 1} if nine else {})


def _local_disk(world: World, vm: Vm, key: str, volid: str) -> Row:
    volume = storages.find(world.cluster, volid, vm.node)
    unused, drive = key.startswith("unused"), drives(vm.config, unused=True)[key]
    row: Row = {
        "volid": volid, "size": volume.virtual if volume else 0, "drivename": key, "shared": 0,
        "cdrom": int(drive.cdrom), "replicate": int(drive.options.get("replicate") != "0"),
        "is_attached": int(not unused), "is_unused": int(unused), "is_vmstate": 0,
        "is_tpmstate": int(key.startswith("tpmstate")),
    }  # fmt: skip
    return row if world.cluster.release == "8" else {**row, "is_cloudinit": int(drive.cloudinit)}


def _unavailable(world: World, vm: Vm, node: str) -> list[str]:
    names = {storages.split(volid)[0] for volid in volumes(vm.config)} & set(world.cluster.storages)
    here = world.cluster.storages
    return sorted(name for name in names if not storages.available_on(here[name], node))


def _devices(vm: Vm) -> list[str]:
    """What ties the VM to this very machine: devices that are neither mapped nor emulated."""
    local = re.compile(r"(usb|hostpci|serial|parallel)\d+")
    free = re.compile(r"(host=)?(spice|socket)\b|mapping=")
    return [key for key, text in vm.config.items() if local.fullmatch(key) and not free.match(text)]


@route(f"POST {MIGRATE}")
def migrate(call: Call) -> object:
    target, cluster = call["target"], call.cluster
    if target == call.node:
        raise invalid({"target": "target is local node."})
    call.world.need_quorum()
    refuse_if(target not in cluster.nodes, f"no such cluster node '{target}'")
    for name in ROOT_ONLY if not call.is_root else ():
        if name in call:
            raise invalid({name: "Only root may use this option."})
    vm = call.vm()
    check_lock(vm)
    online = vm.status != "stopped"
    refuse_if(online and not call.flag("online"), "can't migrate running VM without --online")
    if online:
        _check_replicated(call, vm, target)
    wanted = call.get("targetstorage")
    for name in {storages.split(volid)[0] for volid in volumes(vm.config)}:
        storages.usable_on(cluster, name, target)
    if wanted not in ("", "1"):
        call.require(f"/storage/{wanted}", "Datastore.AllocateSpace")
        storage = storages.usable_on(cluster, wanted, target)
        no_images = f"storage '{wanted}' does not support vm images"
        refuse_if("images" not in storage.content, no_images)
    if managed(call.world, vm.vmid):
        return ha.request_migration(call, target)
    return call.start("qmigrate", vm.vmid, lambda task: _migrate(call, target, task))


def _jobs(world: World, vm: Vm) -> list[ReplicationJob]:
    return [job for job in world.cluster.replication.values() if job.guest == vm.vmid]


def _check_replicated(call: Call, vm: Vm, target: str) -> None:
    jobs = _jobs(call.world, vm)
    text = f"Cannot live-migrate replicated VM to node '{target}' - not a replication target."
    elsewhere = jobs and all(job.target != target for job in jobs)
    refuse_if(elsewhere and not call.flag("force"), f"{text} Use 'force' to override.")


def _migrate(call: Call, target: str, task: Task) -> Work:
    world, begun = call.world, call.world.now()

    def log(text: str) -> None:
        task.log.append(f"{datetime.fromtimestamp(world.now(), UTC):%Y-%m-%d %H:%M:%S} {text}")

    try:
        yield config_lock(call.whole("vmid"))
        vm = locate(call)
        check_lock(vm)
        _check_way(call, vm, target)
        address = call.cluster.nodes[target].address
        log(f"starting migration of VM {vm.vmid} to node '{target}' ({address})")
        yield from _carry_over(call, vm, target, log)
    except Refused as refused:
        log(f"ERROR: migration aborted (duration {_clock(world, begun)}): {refused.message}")
        raise failed("migration aborted") from None
    log(f"migration finished successfully (duration {_clock(world, begun)})")


def _clock(world: World, begun: float) -> str:
    seconds = int(world.now() - begun)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _check_way(call: Call, vm: Vm, target: str) -> None:
    """What the task looks at before it begins."""
    leaving = any(job.target == target and REMOVED in job.options for job in _jobs(call.world, vm))
    text = "refusing to migrate replicated VM whose replication job is marked for removal"
    refuse_if(leaving, text)
    if vm.status != "stopped":
        refuse_if(not call.flag("online"), "can't migrate running VM without --online")
        _check_replicated(call, vm, target)
    devices = ", ".join(_devices(vm))
    blocked = devices and not (call.flag("force") and vm.status == "stopped")
    refuse_if(blocked, f"can't migrate VM which uses local devices: {devices}")
    online = call.cluster.nodes[target].online
    refuse_if(not online, "Can't connect to destination address using public key")


def _carry_over(call: Call, vm: Vm, target: str, log: Callable[[str], None]) -> Work:
    world = call.world
    vm.config["lock"] = "migrate"
    made: list[tuple[Volume, Volume]] = []
    try:
        for volume in _to_copy(call, vm, target, log):
            copy = _allocate(call, volume, target)
            made.append((volume, copy))
        yield world.duration("migrate")
        refuse_if(not call.cluster.nodes[target].online, "Can't connect to destination address")
    except Refused:
        for _, copy in made:
            storages.free(world, copy.volid, target)
        raise
    finally:
        vm.config.pop("lock", None)
    for volume, copy in made:
        copy.system = volume.system
        _rename(vm, volume.volid, copy.volid)
        storages.free(world, volume.volid, vm.node)
    move(world, vm, target)


def _to_copy(call: Call, vm: Vm, target: str, log: Callable[[str], None]) -> list[Volume]:
    """Local volumes that the target has no copy of; those that cannot go stop the whole."""
    cluster, copied, stuck = call.cluster, list[Volume](), False
    for key, volid in local_drives(call.world, vm):
        volume = storages.find(cluster, volid, vm.node)
        if volume is None:
            raise failed(f"{SCANNING} volume '{volid}' does not exist")
        replicated = storages.find(cluster, volid, target) is not None
        attached = not key.startswith("unused")
        place = "attached" if attached else "not attached / unused?"
        log(f"found local{', replicated' if replicated else ''} disk '{volid}' ({place})")
        drive = drives(vm.config, unused=True)[key]
        fault = "local cdrom image" if drive.cdrom and not drive.cloudinit else ""
        if any(other.parent == volid and other.node == vm.node for other in cluster.volumes):
            fault = "referenced by linked clone(s)"
        if fault:
            log(f"can't migrate local disk '{volid}': {fault}")
            stuck = True
        parent = volume.parent.rpartition("/")[2].rpartition(":")[2]
        refuse_if(parent, f"{SCANNING} can't migrate '{volid}' as it's a clone of '{parent}'")
        type_ = cluster.storages[storages.split(volid)[0]].type
        unable = f"{SCANNING} can't migrate '{volid}' - storage type '{type_}' not supported"
        refuse_if(type_ not in MOVABLE, unable)
        live = vm.status != "stopped" and attached and not drive.cloudinit
        text = "can't live migrate attached local disks without with-local-disks option"
        refuse_if(live and not call.flag("with-local-disks"), f"{SCANNING} {text}")
        if not replicated:
            copied.append(volume)
    refuse_if(stuck, f"{SCANNING} can't migrate VM - check log")
    return copied


def _allocate(call: Call, volume: Volume, target: str) -> Volume:
    """Room for the copy: under the same name, or on the storage that was asked for."""
    name = storages.split(volume.volid)[0]
    wanted = call.get("targetstorage", "1")
    storage = storages.usable_on(call.cluster, name if wanted == "1" else wanted, target)
    same = storage.name == name
    form = volume.format if volume.format in storages.formats(storage) else "raw"
    return storages.allocate(
        call.world, storage, target, volume.vmid, volume.virtual, form,
        volid=volume.volid if same else "",
    )  # fmt: skip


def _rename(vm: Vm, old: str, new: str) -> None:
    for config in (vm.config, *(snapshot.config for snapshot in vm.snapshots.values())):
        for key, drive in drives(config, unused=True).items():
            if drive.volid == old:
                config[key] = str(Drive(new, drive.options))
