"""The machine itself: running or not, and what a guest in it would do."""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed
from cloudpemda.lab.qemu.config import boot_disk, check_lock, drives
from cloudpemda.lab.qemu.edit import take_over_pending
from cloudpemda.lab.state import Vm
from cloudpemda.lab.world import World


def check_startable(world: World, vm: Vm, *, skiplock: bool) -> None:
    if vm.template:
        raise failed("you can't start a vm if it's a template")
    if not skiplock:
        check_lock(vm)
    if vm.status != "stopped":
        raise failed(f"VM {vm.vmid} already running")


def run(world: World, vm: Vm) -> None:
    take_over_pending(world, vm)
    vm.status, vm.started = "running", world.now()
    world.cluster.nodes[vm.node].next_pid += 3
    vm.pid = world.cluster.nodes[vm.node].next_pid
    write_cloudinit(vm)
    world.note("vm-started", vmid=vm.vmid, node=vm.node)


def halt(world: World, vm: Vm) -> None:
    if vm.status != "stopped":
        vm.status, vm.started, vm.pid = "stopped", 0.0, 0
        world.note("vm-stopped", vmid=vm.vmid, node=vm.node)
    take_over_pending(world, vm)


def write_cloudinit(vm: Vm) -> None:
    """What the guest will find on its cloud-init CD."""
    if any(drive.cloudinit for drive in drives(vm.config).values()):
        vm.cloudinit = {
            key: value
            for key, value in vm.config.items()
            if key.startswith(("ci", "ipconfig"))
            or key in ("sshkeys", "nameserver", "searchdomain", "name")
        }


def guest_alive(world: World, vm: Vm) -> bool:
    """Whether there is a guest to react: the VM runs from a disk with a system on it."""
    disk = boot_disk(vm.config)
    volume = storages.find(world.cluster, disk.volid, vm.node) if disk else None
    return vm.status == "running" and volume is not None and volume.system


def agent_enabled(vm: Vm) -> bool:
    return re.match(r"(enabled=)?1", vm.config.get("agent", "")) is not None
