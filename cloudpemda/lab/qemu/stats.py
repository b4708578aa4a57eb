"""Figures of a VM, as the node's statistics have them."""

from cloudpemda.lab.qemu.config import boot_disk, cpus_of, memory_of
from cloudpemda.lab.state import Vm
from cloudpemda.lab.storage import parse_size
from cloudpemda.lab.world import World


def disk_size(config: dict[str, str]) -> int:
    disk = boot_disk(config)
    return parse_size(disk.options.get("size", "0")) if disk else 0


def pressure() -> dict[str, object]:
    return {
        f"pressure{what}": 0
        for what in ("cpusome", "cpufull", "iosome", "iofull", "memorysome", "memoryfull")
    }


def uptime(world: World, vm: Vm) -> int:
    return int(world.now() - vm.started) if vm.status != "stopped" else 0


def vm_stats(world: World, vm: Vm) -> dict[str, object]:
    """A row of `GET /nodes/N/qemu`."""
    nine = world.cluster.release != "8"
    row: dict[str, object] = {
        "vmid": vm.vmid,
        "name": vm.name,
        "status": "stopped" if vm.status == "stopped" else "running",
        "uptime": uptime(world, vm),
        "cpu": 0,
        "cpus": cpus_of(vm.config),
        "mem": 0,
        "maxmem": memory_of(vm.config),
        "disk": 0,
        "maxdisk": disk_size(vm.config),
        "netin": 0,
        "netout": 0,
    }
    if nine:
        row["memhost"] = 0
    for key in ("tags", "lock"):
        if key in vm.config:
            row[key] = vm.config[key]
    if any(key.startswith("serial") for key in vm.config):
        row["serial"] = 1
    if vm.template:
        row["template"] = 1
    if vm.status != "stopped":
        row["pid"] = vm.pid
        if nine:
            row |= pressure()
    return row
