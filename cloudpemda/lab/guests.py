"""Guests as lists show them; and containers, which are listed and counted, and run by nobody."""

from collections.abc import Mapping

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import found
from cloudpemda.lab.ha.manager import state_of
from cloudpemda.lab.qemu.config import boot_disk, cpus_of, memory_of, parse_drive
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import GIB, Cluster, Vm, Volume
from cloudpemda.lab.world import Call, World, digest_of

NO_LOAD = dict.fromkeys(("cpu", "mem", "disk", "netin", "netout"), 0)
PRESSURES = ("cpusome", "cpufull", "iosome", "iofull", "memorysome", "memoryfull")
NO_PRESSURE = {f"pressure{what}": 0 for what in PRESSURES}


def _figures(world: World, guest: Vm) -> Row:
    """What a node's statistics have of any guest."""
    container, running = guest.kind == "lxc", guest.status != "stopped"
    disk = parse_drive(guest.config.get("rootfs", "")) if container else boot_disk(guest.config)
    return {
        "vmid": guest.vmid,
        "name": guest.name,
        "status": "running" if running else "stopped",
        "uptime": int(world.now() - guest.started) if running else 0,
        "maxmem": memory_of(guest.config),
        "maxdisk": storages.parse_size(disk.options.get("size", "0")) if disk else 0,
        **NO_LOAD,
        **({} if world.cluster.release == "8" else {"memhost": 0}),
    }


def _marks(guest: Vm) -> Row:
    return {key: guest.config[key] for key in ("tags", "lock") if key in guest.config}


def vm_stats(world: World, guest: Vm) -> Row:
    """A row of `GET /nodes/N/qemu`, or of `lxc`."""
    row = _figures(world, guest) | _marks(guest) | {"cpus": cpus_of(guest.config)}
    if any(key.startswith("serial") for key in guest.config):
        row["serial"] = 1
    if guest.template:
        row["template"] = 1
    if guest.status != "stopped":
        row["pid"] = guest.pid
        row |= {} if world.cluster.release == "8" else NO_PRESSURE
    return row


def vm_resource(world: World, guest: Vm, pool: str = "") -> Row:
    """A row of `/cluster/resources`: nearly empty until the statistics have seen the guest."""
    row: Row = {"id": f"{guest.kind}/{guest.vmid}", "type": guest.kind, "vmid": guest.vmid}
    row |= {"node": guest.node, "status": "unknown", **_marks(guest)}
    if pool:
        row["pool"] = pool
    prefix = "ct" if guest.kind == "lxc" else "vm"
    managed = world.cluster.ha_resources.get(f"{prefix}:{guest.vmid}")
    if managed is not None:
        row["hastate"] = state_of(world.cluster, managed.name)
    if world.seen(guest):
        row |= _figures(world, guest) | {"maxcpu": cpus_of(guest.config), "diskread": 0}
        row |= {"diskwrite": 0, "template": int(guest.template)}
    return row


# -- containers ------------------------------------------------------------------------------------


def add_container(
    cluster: Cluster, vmid: int, node: str, config: Mapping[str, str], disk: int, now: float
) -> Vm:
    """Somebody else's container, with a root disk of so many GiB where root disks may be."""
    plain = {"arch": "amd64", "cores": "1", "hostname": f"CT{vmid}", "memory": "512"}
    plain |= {"ostype": "debian", "swap": "512", **config}
    for storage in cluster.storages.values():
        if "rootdir" in storage.content and storages.available_on(storage, node):
            volid, place = f"{storage.name}:subvol-{vmid}-disk-0", storages.place(storage, node)
            plain |= {"rootfs": f"{volid},size={disk}G"}
            cluster.volumes.append(Volume(volid, place, disk * GIB, "subvol", "rootdir", vmid, now))
            break
    guest = Vm(vmid, node, plain, created=now, kind="lxc")
    cluster.containers[vmid] = guest
    return guest


def _container(call: Call) -> Vm:
    vmid = call.whole("vmid")
    guest = call.cluster.containers.get(vmid)
    missing = f"Configuration file 'nodes/{call.node}/lxc/{vmid}.conf' does not exist"
    return found(guest if guest and guest.node == call.node else None, missing)


def _container_stats(call: Call, guest: Vm) -> Row:
    swap = int(guest.config["swap"]) * 1024**2
    more = {"type": "lxc", "swap": 0, "maxswap": swap, "diskread": 0, "diskwrite": 0}
    return vm_stats(call.world, guest) | more


@route("GET /nodes/{node}/lxc")
def list_containers(call: Call) -> list[Row]:
    seen = call.visible(call.cluster.containers.values())
    return [_container_stats(call, guest) for guest in seen if guest.node == call.node]


@route("GET /nodes/{node}/lxc/{vmid}/status/current")
def container_status(call: Call) -> Row:
    guest = _container(call)
    managed = int(f"ct:{guest.vmid}" in call.cluster.ha_resources)
    return _container_stats(call, guest) | {"ha": {"managed": managed}}


@route("GET /nodes/{node}/lxc/{vmid}/config")
def container_config(call: Call) -> Row:
    config = _container(call).config
    numbers = ("cores", "memory", "swap", "onboot", "protection", "template", "unprivileged")
    row: Row = {key: int(value) if key in numbers else value for key, value in config.items()}
    return row | {"digest": digest_of(config)}
