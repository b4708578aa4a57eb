"""Moving a VM to another node of its cluster, with its local disks where it has any.

What is refused at once and what only the task's log tells follows PVE; whatever goes wrong in the
task, it ends with `migration aborted` and the VM stays.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, invalid, refuse_if
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.params import Params
from cloudpemda.lab.qemu.config import Drive, check_lock, drives, volumes
from cloudpemda.lab.qemu.drives import volume_of
from cloudpemda.lab.qemu.machine import local_drives, locate, move
from cloudpemda.lab.qemu.power import chosen, managed
from cloudpemda.lab.routes import Row, route, task
from cloudpemda.lab.state import Task, Vm, Volume
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

MIGRATE = "/nodes/{node}/qemu/{vmid}/migrate"
MOVABLE = ("dir", "btrfs", "zfspool", "lvmthin", "lvm")
ROOT_ONLY = ("force", "migration_type", "migration_network")
SCANNING = "Problem found while scanning volumes -"
# Devices of this very machine, and those of the same keys that are mapped or emulated.
DEVICE, ANYWHERE = re.compile(r"(usb|hostpci|serial|parallel)\d+"), re.compile("spice|socket|mapp")


def _devices(vm: Vm) -> list[str]:
    found = {key: text for key, text in vm.config.items() if DEVICE.fullmatch(key)}
    return [key for key, text in found.items() if not ANYWHERE.search(text)]


@route(f"GET {MIGRATE}")
def preconditions(call: Call) -> object:
    vm, stores = call.vm(), call.cluster.storages
    names = {storages.split(volid)[0] for volid in volumes(vm.config)} & set(stores)
    others: dict[str, Row] = {name: {} for name in call.cluster.nodes if name != call.node}
    for node in others:
        missing = [name for name in names if not storages.available_on(stores[name], node)]
        others[node] = {"unavailable_storages": sorted(missing)} if missing else {}
    found: Row = {
        "running": int(vm.status != "stopped"),
        "local_disks": [_local_disk(call.world, vm, *one) for one in local_drives(call.world, vm)],
        "local_resources": _devices(vm),
        "mapped-resources": [],
        "mapped-resource-info": {},
        "allowed_nodes": [name for name, row in others.items() if not row],
        "not_allowed_nodes": others,
    }
    return found | ({"has-dbus-vmstate": 1} if call.cluster.release != "8" else {})


def _local_disk(world: World, vm: Vm, key: str, volid: str) -> Row:
    volume, drive = (
        storages.find(world.cluster, volid, vm.node),
        drives(vm.config, unused=True)[key],
    )
    flags = {
        "cdrom": drive.cdrom, "replicate": drive.options.get("replicate") != "0",
        "is_attached": not key.startswith("unused"), "is_unused": key.startswith("unused"),
        "is_tpmstate": key.startswith("tpmstate"), "is_vmstate": False, "shared": False,
    }  # fmt: skip
    if world.cluster.release != "8":
        flags["is_cloudinit"] = drive.cloudinit
    row: Row = {"volid": volid, "drivename": key, "size": volume.virtual if volume else 0}
    return row | {name: int(value) for name, value in flags.items()}


def _check_target(call: Call) -> None:
    if call["target"] == call.node:
        raise invalid({"target": "target is local node."})
    call.world.need_quorum()
    unknown = call["target"] not in call.cluster.nodes
    refuse_if(unknown, f"no such cluster node '{call['target']}'")


def _check_call(call: Call) -> object:
    target, cluster = call["target"], call.cluster
    _check_target(call)
    forbidden = [name for name in ROOT_ONLY if name in call and not call.is_root]
    if forbidden:
        raise invalid({forbidden[0]: "Only root may use this option."})
    vm = call.vm()
    check_lock(vm)
    _check_running(call, vm)
    wanted = call.get("targetstorage", "1")
    if wanted != "1":
        call.require(f"/storage/{wanted}", "Datastore.AllocateSpace")
        content = storages.usable_on(cluster, wanted, target).content
        refuse_if("images" not in content, f"storage '{wanted}' does not support vm images")
    for name in {storages.split(volid)[0] for volid in volumes(vm.config)}:
        shared = storages.storage_of(cluster, name).shared
        storages.usable_on(cluster, name if shared or wanted == "1" else wanted, target)
    return ha.request_migration(call, target) if managed(call.world, vm.vmid) else None


def _check_running(call: Call, vm: Vm) -> None:
    """A running VM moves when asked to do so alive, and to where its replication goes."""
    if vm.status == "stopped":
        return
    refuse_if(not call.flag("online"), "can't migrate running VM without --online")
    targets = [job.target for job in call.cluster.replication.values() if job.guest == vm.vmid]
    lost = targets and call["target"] not in targets and not call.flag("force")
    text = f"Cannot live-migrate replicated VM to node '{call['target']}' - not a replication"
    refuse_if(lost, f"{text} target. Use 'force' to override.")


@task(f"POST {MIGRATE}", "qmigrate", _check_call)
def migrate(call: Call, task: Task) -> Work:
    world, begun = call.world, call.world.now()

    def log(text: str) -> None:
        task.log.append(f"{datetime.fromtimestamp(world.now(), UTC):%Y-%m-%d %H:%M:%S} {text}")

    def duration() -> str:
        return f"(duration {datetime.fromtimestamp(world.now() - begun, UTC):%H:%M:%S})"

    try:
        yield config_lock(call.whole("vmid"))
        vm = locate(call)
        check_lock(vm)
        _check_way(call, vm)
        to = f"node '{call['target']}' ({call.cluster.nodes[call['target']].address})"
        log(f"starting migration of VM {vm.vmid} to {to}")
        yield from _carry_over(call, vm, log)
    except Refused as refused:
        log(f"ERROR: migration aborted {duration()}: {refused.message}")
        raise failed("migration aborted") from None
    log(f"migration finished successfully {duration()}")


@route("POST /nodes/{node}/migrateall")
def migrate_all(call: Call) -> object:
    """A task for each guest of the node; one that cannot go is warned of."""
    for vmid in () if call.may("/", "VM.Migrate") else call.items_of("vms") or ("",):
        call.require(f"/vms/{vmid}" if vmid else "/", "VM.Migrate")
    _check_target(call)
    name = "maxworkers" if call.cluster.release == "8" else "max-workers"
    told = name in call or "maxworkers" in call or "max_workers" in call.cluster.options
    text = f"either '{name}' parameter or max_workers in datacenter.cfg must be set!"
    refuse_if(not told, text)

    def work(task: Task) -> Work:
        for vm in chosen(call, call.node):
            params = Params({**call.params, "vmid": str(vm.vmid), "online": "1"})
            own = Call(call.world, call.node, call.user, params)
            task.log.append(f"Migrating VM {vm.vmid}")
            try:
                begun = _check_call(own) or own.start("qmigrate", vm.vmid, partial(migrate, own))
            except Refused as refused:
                task.log.append(f"WARN: VM {vm.vmid}: {refused.message}")
                continue
            task.log.append(str(begun))
            yield call.world.duration("migrate")

    return call.start("migrateall", "", work)


def _check_way(call: Call, vm: Vm) -> None:
    """What the task looks at before it begins."""
    for job in call.cluster.replication.values():
        leaving = (job.guest, job.target) == (vm.vmid, call["target"])
        text = "refusing to migrate replicated VM whose replication job is marked for removal"
        refuse_if(leaving and "remove_job" in job.options, text)
    _check_running(call, vm)
    devices = ", ".join(_devices(vm))
    blocked = devices and (vm.status != "stopped" or not call.flag("force"))
    refuse_if(blocked, f"can't migrate VM which uses local devices: {devices}")
    _check_connection(call)


def _check_connection(call: Call) -> None:
    lost = not call.cluster.nodes[call["target"]].online
    refuse_if(lost, "Can't connect to destination address using public key")


def _carry_over(call: Call, vm: Vm, log: Callable[[str], None]) -> Work:
    world, target, made = call.world, call["target"], list[tuple[Volume, Volume]]()
    vm.config["lock"] = "migrate"
    try:
        for volume in _to_copy(call, vm, log):
            copy = _allocate(call, volume)
            made.append((volume, copy))
        yield world.duration("migrate")
        _check_connection(call)
    except Refused:
        for _, copy in made:
            storages.free(world, copy.volid, target)
        vm.config.pop("lock", None)
        raise
    vm.config.pop("lock", None)
    for volume, copy in made:
        copy.system = volume.system
        for config in (vm.config, *(snapshot.config for snapshot in vm.snapshots.values())):
            for key, drive in drives(config, unused=True).items():
                if drive.volid == volume.volid:
                    config[key] = str(Drive(copy.volid, drive.options))
        storages.free(world, volume.volid, vm.node)
    move(world, vm, target)


def _to_copy(call: Call, vm: Vm, log: Callable[[str], None]) -> list[Volume]:
    """Local volumes that the target has no copy of; those that cannot go stop the whole."""
    copied, stuck = list[Volume](), False
    for key, volid in local_drives(call.world, vm):
        drive = drives(vm.config, unused=True)[key]
        volume = volume_of(call.world, vm, drive)
        replicated = storages.find(call.cluster, volid, call["target"]) is not None
        attached = not key.startswith("unused")
        place = "(attached)" if attached else "(not attached / unused?)"
        log(f"found local{', replicated' if replicated else ''} disk '{volid}' {place}")
        fault = "local cdrom image" if drive.cdrom and not drive.cloudinit else ""
        if any((one.parent, one.node) == (volid, vm.node) for one in call.cluster.volumes):
            fault = "referenced by linked clone(s)"
        if fault:
            log(f"can't migrate local disk '{volid}': {fault}")
            stuck = True
        base = re.split(r"[:/]", volume.parent)[-1]
        refuse_if(base, f"{SCANNING} can't migrate '{volid}' as it's a clone of '{base}'")
        kind = call.cluster.storages[drive.storage].type
        text = f"{SCANNING} can't migrate '{volid}' - storage type '{kind}' not supported"
        refuse_if(kind not in MOVABLE, text)
        live = vm.status != "stopped" and attached and not drive.cloudinit
        text = "can't live migrate attached local disks without with-local-disks option"
        refuse_if(live and not call.flag("with-local-disks"), f"{SCANNING} {text}")
        copied += [] if replicated else [volume]
    refuse_if(stuck, f"{SCANNING} can't migrate VM - check log")
    return copied


def _allocate(call: Call, volume: Volume) -> Volume:
    """Room for the copy: under the same name, or on the storage that was asked for."""
    name, wanted = storages.split(volume.volid)[0], call.get("targetstorage", "1")
    storage = storages.usable_on(call.cluster, name if wanted == "1" else wanted, call["target"])
    volid = volume.volid if storage.name == name else ""
    form = volume.format if volume.format in storages.formats(storage) else "raw"
    size, vmid = volume.virtual, volume.vmid
    return storages.allocate(call.world, storage, call["target"], vmid, size, form, volid=volid)
