"""Making a VM: from settings, or (`restore`) from what a backup holds."""

from cloudpemda.lab.errors import Refused, denied, failed, refuse_if
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu import drives as volumes
from cloudpemda.lab.qemu import restore
from cloudpemda.lab.qemu.edit import check_bridges, check_pool, check_settings, settings_of
from cloudpemda.lab.qemu.machine import check_startable, run
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World


@route(cfg.CREATE)
def create_vm(call: Call) -> object:
    vmid, pool, settings = call.whole("vmid"), call.get("pool"), settings_of(call)
    call.world.need_quorum()
    check_pool(call)
    if "archive" in call and "storage" in call:
        call.require(f"/storage/{call['storage']}", "Datastore.AllocateSpace")
    in_pool = pool and call.may(f"/pool/{pool}", "VM.Allocate")
    if not (in_pool or call.may(f"/vms/{vmid}", "VM.Allocate") or restore.may_overwrite(call)):
        raise denied()
    if "archive" in call:
        restore.check_archive(call, settings)
    volumes.check_drives(call, settings)
    check_settings(call, settings)
    check_bridges(call, settings)
    if "archive" in call:
        vm = restore.begin(call)
        work = restore.Restore(call, vm, settings)
        return call.start("qmrestore", vmid, lambda task: _restore(call, work, task))
    taken = call.world.taken(vmid)
    refuse_if(taken, f"unable to create VM {vmid} - {taken}")
    vm = Vm(vmid, call.node, {"lock": "create"}, created=call.world.now())
    call.cluster.vms[vmid] = vm
    return call.start("qmcreate", vmid, lambda task: _create(call, vm, settings, task))


def _create(call: Call, vm: Vm, settings: dict[str, str], task: Task) -> Work:
    world, prefix = call.world, f"unable to create VM {vm.vmid} - "
    yield config_lock(vm.vmid)
    try:
        with volumes.freed_on_failure(world, vm) as made:
            config = settings | volumes.make_drives(world, vm, settings, made, task.log)
            yield world.duration("create") + volumes.import_seconds(world, settings)
            complete(world, config)
            world.vm_on(vm.node, vm.vmid).config = config
    except Refused as refused:
        call.cluster.vms.pop(vm.vmid, None)
        raise failed(prefix + refused.message.removeprefix(prefix)) from None
    world.note("vm-created", vmid=vm.vmid, node=vm.node, by=call.user)
    _into_pool(call, vm)
    if call.flag("ha-managed"):
        ha.manage(call.world, vm, started=call.flag("start"))
    yield from _autostart(call, vm, task)


def _restore(call: Call, work: restore.Restore, task: Task) -> Work:
    yield from work.run(task)
    _into_pool(call, work.vm)
    yield from _autostart(call, work.vm, task)


def _into_pool(call: Call, vm: Vm) -> None:
    pool = call.cluster.pools.get(call.get("pool"))
    if pool is not None and vm.vmid not in pool.vms:
        pool.vms.append(vm.vmid)


def _autostart(call: Call, vm: Vm, task: Task) -> Work:
    if call.flag("start"):
        task.log.append("Execute autostart")
        check_startable(call.world, vm, skiplock=False)
        yield call.world.duration("start")
        run(call.world, vm)


def complete(world: World, config: dict[str, str]) -> None:
    """Fill in what PVE fills in: identities, MAC addresses, boot order, tags."""
    nine = world.cluster.release != "8"
    config |= {key: cfg.stored(world, key, value) for key, value in config.items()}
    if nine and "tags" in config:
        config["tags"] = cfg.normal_tags(config["tags"], in_order=True)
    config.setdefault("smbios1", f"uuid={world.new_uuid()}")
    config.setdefault("vmgenid", world.new_uuid())
    qemu = "10.0.13" if nine else "10.0.2"
    config["meta"] = f"creation-qemu={qemu},ctime={int(world.now())}"
    config.setdefault("boot", cfg.default_boot(config))
