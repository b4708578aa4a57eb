"""Taking a VM with its local disks to another node, however that came about."""

from cloudpemda.lab import storage as storages
from cloudpemda.lab.qemu.config import drives
from cloudpemda.lab.state import Vm
from cloudpemda.lab.world import World


def local_drives(world: World, vm: Vm) -> list[tuple[str, str]]:
    """Key and volume of drives on storages that are not shared."""
    found = []
    for key, drive in drives(vm.config, unused=True).items():
        name = storages.split(drive.volid)[0]
        storage = world.cluster.storages.get(name)
        if ":" in drive.volid and storage is not None and not storage.shared:
            found.append((key, drive.volid))
    return found


def move(world: World, vm: Vm, target: str) -> None:
    """Configuration and local volumes go over; replication jobs to the target turn round."""
    source = vm.node
    for _, volid in local_drives(world, vm):
        here = storages.find(world.cluster, volid, source)
        there = storages.find(world.cluster, volid, target)
        if here is None:
            continue
        if there is None:
            here.node = target
        else:  # a replicated copy: it becomes the VM's, and the old one the copy
            there.virtual, there.size = here.virtual, here.size
    vm.node = target
    for job in world.cluster.replication.values():
        if job.guest == vm.vmid and job.target == target:
            job.target = source
    world.note("vm-moved", vmid=vm.vmid, source=source, target=target)
