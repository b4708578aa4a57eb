"""The machine itself: where it is, whether it runs, its NICs, and whether a guest would react."""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.qemu.config import boot_disk, check_lock, drives, kind_of, properties
from cloudpemda.lab.qemu.drives import take_over_pending, volume_of
from cloudpemda.lab.replication.daemon import moved
from cloudpemda.lab.state import MIB, Vm
from cloudpemda.lab.world import Call, World

ON_CD = re.compile(r"ci.*|ipconfig\d+|sshkeys|nameserver|searchdomain|name")


def locate(call: Call) -> Vm:
    """The VM a worker is about, once more, when its time has come."""
    vm = call.cluster.vms.get(call.whole("vmid"))
    text = f"unable to find configuration file for VM {call['vmid']} on node '{call.node}'"
    return found(vm if vm is not None and vm.node == call.node else None, text)


def nics(config: dict[str, str]) -> dict[int, dict[str, str]]:
    """NICs by number, in order: their properties, and their `mac`."""
    keys = sorted((key for key in config if kind_of(key) == "net"), key=lambda key: int(key[3:]))
    macs = {key: config[key].partition("=")[2].partition(",")[0].lower() for key in keys}
    return {int(key[3:]): properties(config[key]) | {"mac": macs[key]} for key in keys}


def check_startable(world: World, vm: Vm, *, skiplock: bool) -> None:
    refuse_if(vm.template, "you can't start a vm if it's a template")
    if not skiplock:
        check_lock(vm)
    refuse_if(vm.status != "stopped", f"VM {vm.vmid} already running")
    for drive in drives(vm.config).values():
        if drive.managed:
            storages.usable_on(world.cluster, drive.storage, vm.node)
            if not drive.cloudinit:  # that one is made anew where it is missing
                volume_of(world, vm, drive)


def run(world: World, vm: Vm) -> None:
    take_over_pending(world, vm)
    for drive in drives(vm.config).values():
        if drive.cloudinit and storages.find(world.cluster, drive.volid, vm.node) is None:
            storage = storages.storage_of(world.cluster, drive.storage)
            size, form = 4 * MIB, storages.formats(storage)[0]
            storages.allocate(world, storage, vm.node, vm.vmid, size, form, volid=drive.volid)
    _begin_process(world, vm)
    write_cloudinit(vm)
    world.note("vm-started", vmid=vm.vmid, node=vm.node)
    for node in world.cluster.nodes.values():
        if vm.vmid in node.strays:
            world.note("double-run", vmid=vm.vmid, nodes=sorted({node.name, vm.node}))


def _begin_process(world: World, vm: Vm) -> None:
    vm.status, vm.started = "running", world.now()
    world.cluster.nodes[vm.node].next_pid += 3
    vm.pid = world.cluster.nodes[vm.node].next_pid


def halt(world: World, vm: Vm) -> None:
    if vm.status != "stopped":
        vm.status, vm.started, vm.pid = "stopped", 0.0, 0
        world.note("vm-stopped", vmid=vm.vmid, node=vm.node)
    take_over_pending(world, vm)


def write_cloudinit(vm: Vm) -> None:
    """What the guest will find on its cloud-init CD."""
    if any(drive.cloudinit for drive in drives(vm.config).values()):
        vm.cloudinit = {key: text for key, text in vm.config.items() if ON_CD.fullmatch(key)}


def guest_alive(world: World, vm: Vm) -> bool:
    """Whether there is a guest to react: the VM runs from a disk with a system on it."""
    disk = boot_disk(vm.config)
    volume = storages.find(world.cluster, disk.volid, vm.node) if disk else None
    return vm.status == "running" and volume is not None and volume.system


def agent_enabled(vm: Vm) -> bool:
    return properties(vm.config.get("agent", "0"), "enabled").get("enabled") == "1"


def local_drives(world: World, vm: Vm) -> list[tuple[str, str]]:
    """Key and volume of drives on storages that are not shared."""
    shared = {storage.name for storage in world.cluster.storages.values() if storage.shared}
    every = drives(vm.config, unused=True).items()
    return [(key, d.volid) for key, d in every if d.managed and d.storage not in shared]


def move(world: World, vm: Vm, target: str) -> None:
    """Configuration and local volumes go over; replication jobs to the target turn round."""
    source = vm.node
    for _, volid in local_drives(world, vm):
        here = storages.find(world.cluster, volid, source)
        there = storages.find(world.cluster, volid, target)
        if here is not None and there is None:
            world.cluster.volumes.carry(here, node=target)
        elif here is not None and there is not None:
            # A replicated copy: it becomes the VM's, and the old one the copy.
            there.virtual, there.size, there.system = here.virtual, here.size, here.system
            there.holds, there.marks = here.holds, dict(here.marks)
    vm.node = target
    if vm.status != "stopped":
        _begin_process(world, vm)
    world.note("vm-moved", vmid=vm.vmid, source=source, target=target)
    moved(world, vm, source)


def steal(world: World, vm: Vm, target: str) -> None:
    """HA takes a lost node's configuration; the disks stay, and there are copies or there are not.

    What the guest wrote since its copies were made is lost from this moment on.
    """
    source, held = vm.node, dict[str, float | None]()
    for key, volid in local_drives(world, vm):
        copy = storages.find(world.cluster, volid, target)
        held[key] = copy.holds if copy else None
    take(world, vm, target)
    facts = {"vmid": vm.vmid, "source": source, "target": target}
    world.note("vm-recovered", **facts, recovery_points=held)


def take(world: World, vm: Vm, target: str) -> None:
    """Its configuration goes to another node; its process, if it has one, stays where it is."""
    nodes = world.cluster.nodes
    if vm.status != "stopped" and target != vm.node:
        nodes[vm.node].strays.append(vm.vmid)
        vm.status, vm.started, vm.pid = "stopped", 0.0, 0
    vm.node = target
    if vm.vmid in nodes[target].strays:
        nodes[target].strays.remove(vm.vmid)
        _begin_process(world, vm)
