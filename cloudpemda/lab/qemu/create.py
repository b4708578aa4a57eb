"""Making a VM: new disks, images imported, defaults filled in; and the list of the node's VMs."""

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, denied, failed
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.qemu.config import (
    DISK_KEY,
    NOT_SETTINGS,
    check_ssh_keys,
    default_boot,
    stored,
    tags_at_creation,
)
from cloudpemda.lab.qemu.drives import import_seconds, materialise, wanted
from cloudpemda.lab.qemu.machine import check_startable, run
from cloudpemda.lab.qemu.privileges import check_bridges, check_drives, check_settings
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World


def check_pool(call: Call) -> None:
    pool = call.params.get("pool")
    if pool is not None and pool not in call.cluster.pools:
        raise denied(f"pool '{pool}' does not exist")


def may_allocate(call: Call, vmid: int) -> bool:
    pool = call.params.get("pool")
    return call.may(f"/vms/{vmid}", "VM.Allocate") or bool(
        pool and call.may(f"/pool/{pool}", "VM.Allocate")
    )


@route("POST /nodes/{node}/qemu")
def create_vm(call: Call) -> object:
    params, world, cluster = call.params, call.world, call.cluster
    vmid = params.whole("vmid")
    world.need_quorum()
    check_pool(call)
    if not may_allocate(call, vmid):
        raise denied()
    if "archive" in params:
        raise failed("restoring an archive is not modelled by this lab")
    settings = {key: value for key, value in params.items() if key not in NOT_SETTINGS}
    if not call.is_root:
        check_settings(call, settings)
    check_drives(call, settings)
    check_bridges(call, settings)
    if "sshkeys" in settings:
        check_ssh_keys(settings["sshkeys"])
    if vmid in cluster.vms:
        where = cluster.vms[vmid].node
        raise failed(f"unable to create VM {vmid} - VM {vmid} already exists on node '{where}'")
    vm = Vm(vmid, call.node, {"lock": "create"}, created=world.now())
    cluster.vms[vmid] = vm
    return call.start("qmcreate", vmid, lambda task: _create(call, vm, settings, task))


def _create(call: Call, vm: Vm, settings: dict[str, str], task: Task) -> Work:
    world, made = call.world, list[str]()
    yield config_lock(vm.vmid)
    drives = wanted(settings, DISK_KEY)
    config = {key: value for key, value in settings.items() if not DISK_KEY.fullmatch(key)}
    try:
        for one in drives:
            config[one.key] = materialise(world, vm, one, task, made)
        yield world.duration("create") + import_seconds(world, drives)
        complete(world, config)
        if call.cluster.vms.get(vm.vmid) is not vm:
            raise failed(
                f"Configuration file 'nodes/{vm.node}/qemu-server/{vm.vmid}.conf' does not exist"
            )
        vm.config = config
    except Refused as refused:
        for volid in made:
            storages.free(world, volid, vm.node)
        if call.cluster.vms.get(vm.vmid) is vm:
            del call.cluster.vms[vm.vmid]
        text = refused.message
        prefix = f"unable to create VM {vm.vmid} - "
        raise failed(text if text.startswith(prefix) else prefix + text) from None
    world.note("vm-created", vmid=vm.vmid, node=vm.node, by=call.user)
    _join_pool(call, vm)
    if call.params.flag("ha-managed"):
        ha.manage(call.world, vm, started=call.params.flag("start"))
    if call.params.flag("start"):
        check_startable(world, vm, skiplock=False)
        yield world.duration("start")
        run(world, vm)


def _join_pool(call: Call, vm: Vm) -> None:
    """The last step, which does nothing when the pool has gone."""
    pool = call.cluster.pools.get(call.params.get("pool", ""))
    if pool is not None and vm.vmid not in pool.vms:
        pool.vms.append(vm.vmid)


def complete(world: World, config: dict[str, str]) -> None:
    """Fill in what PVE fills in: identities, MAC addresses, boot order, tags."""
    release = world.cluster.release
    for key in list(config):
        config[key] = stored(world, release, key, config[key])
    if release != "8" and "tags" in config:
        config["tags"] = tags_at_creation(config["tags"])
    config.setdefault("smbios1", f"uuid={world.new_uuid()}")
    if config.get("vmgenid") != "0":
        config.setdefault("vmgenid", world.new_uuid())
    qemu = "10.0.13" if release != "8" else "10.0.2"
    config["meta"] = f"creation-qemu={qemu},ctime={int(world.now())}"
    config.setdefault("boot", default_boot(config))
