"""The end of a VM, and its turning into a template."""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed
from cloudpemda.lab.ha.config import forget
from cloudpemda.lab.qemu.config import (
    Drive,
    check_lock,
    check_skiplock,
    disks,
    parse_drive,
    volumes,
)
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm, Volume
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World


@route("DELETE /nodes/{node}/qemu/{vmid}")
def destroy_vm(call: Call) -> object:
    check_skiplock(call)
    vm = call.vm()
    cluster, purge = call.cluster, call.params.flag("purge")
    if vm.config.get("protection") == "1":
        raise failed(f"can't remove VM {vm.vmid} - protection mode enabled")
    if f"vm:{vm.vmid}" in cluster.ha_resources and not purge:
        raise failed(
            f"unable to remove VM {vm.vmid} - used in HA resources and purge parameter not set."
        )
    if not purge:
        _check_replication(call, vm)
    if vm.status != "stopped":
        raise failed(f"VM {vm.vmid} is running - destroy failed")
    return call.start("qmdestroy", vm.vmid, lambda task: _destroy(call, task))


def _check_replication(call: Call, vm: Vm) -> None:
    for job in call.cluster.replication.values():
        if job.guest == vm.vmid:
            raise failed(
                f"There is a replication job '{job.id}' for guest '{vm.vmid}' - "
                "Please remove that first."
            )


def _destroy(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm = call.vm()
    _check_destroyable(call, vm)
    if not call.cluster.quorate:
        raise failed(
            f"unable to open file '/etc/pve/nodes/{call.node}/qemu-server/{vm.vmid}.conf.tmp."
            f"{task.pid}' - Permission denied"
        )
    yield call.world.duration("destroy")
    vm = call.vm()
    _check_destroyable(call, vm)
    if call.params.flag("purge"):
        task.log.append(f"purging VM {vm.vmid} from related configurations..")
        purge(call.world, vm.vmid, task)
    for volid in {
        *volumes(vm.config),
        *(v for s in vm.snapshots.values() for v in volumes(s.config)),
    }:
        if owned(volid, vm.vmid):
            storages.free(call.world, volid, vm.node)
    if call.params.flag("destroy-unreferenced-disks"):
        for volume in list(call.cluster.volumes):
            if (
                volume.vmid == vm.vmid
                and volume.node in ("", vm.node)
                and volume.content == "images"
            ):
                storages.free(call.world, volume.volid, vm.node)
    remove(call.world, vm)


def remove(world: World, vm: Vm) -> None:
    """The configuration goes, and with it pool membership and what was granted on the VM."""
    del world.cluster.vms[vm.vmid]
    for pool in world.cluster.pools.values():
        if vm.vmid in pool.vms:
            pool.vms.remove(vm.vmid)
    path = f"/vms/{vm.vmid}"
    world.cluster.access.acl = [a for a in world.cluster.access.acl if a.path != path]
    world.note("vm-destroyed", vmid=vm.vmid, node=vm.node)


def owned(volid: str, vmid: int) -> bool:
    return bool(re.search(rf"(vm|base)-{vmid}-[^/]*$", volid))


def _check_destroyable(call: Call, vm: Vm) -> None:
    check_lock(vm, call)
    for volid in volumes(vm.config):
        if clones_of(call.cluster.volumes, volid, vm.node):
            raise failed(f"base volume '{volid}' is still in use by linked cloned")


def clones_of(volumes_: list[Volume], volid: str, node: str) -> list[Volume]:
    return [v for v in volumes_ if v.parent == volid and v.node in ("", node)]


def purge(world: World, vmid: int, task: Task) -> None:
    """Take the VM out of HA, replication and backup jobs; copies on replication targets stay."""
    cluster = world.cluster
    if cluster.ha_resources.pop(f"vm:{vmid}", None) is not None:
        forget(cluster, f"vm:{vmid}")
        task.log.append(f"NOTE: removed VM {vmid} from HA resource configuration.")
    for job in [job for job in cluster.replication.values() if job.guest == vmid]:
        del cluster.replication[job.id]
    for section in list(cluster.backup_jobs.values()):
        members = section.options.get("vmid", "").split(",")
        if str(vmid) in members:
            members.remove(str(vmid))
            section.options["vmid"] = ",".join(members)
            if not members:
                del cluster.backup_jobs[section.name]


@route("POST /nodes/{node}/qemu/{vmid}/template")
def to_template(call: Call) -> object:
    vm = call.vm()
    check_lock(vm)
    if vm.snapshots:
        raise failed("unable to create template, because VM contains snapshots")
    if vm.template and "disk" not in call.params:
        raise failed("you can't convert a template to a template")
    if vm.status != "stopped":
        raise failed("you can't convert a VM to template if VM is running")
    return call.start("qmtemplate", vm.vmid, lambda task: _template(call, task))


def _template(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    yield call.world.duration("default")
    vm = call.vm()
    for key, drive in disks(vm.config).items():
        vm.config[key] = str(_base(call.world, vm, drive))
    vm.config["template"] = "1"
    call.world.note("template-made", vmid=vm.vmid)


def _base(world: World, vm: Vm, drive: Drive) -> Drive:
    """The disk's volume becomes a base volume, that clones may share."""
    volume = storages.find(world.cluster, drive.volid, vm.node)
    if volume is None:
        raise failed(f"volume '{drive.volid}' does not exist")
    volume.volid = volume.volid.replace(f"vm-{vm.vmid}-disk", f"base-{vm.vmid}-disk")
    return Drive(volume.volid, parse_drive(str(drive)).options)
