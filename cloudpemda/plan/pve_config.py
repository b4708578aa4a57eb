"""What one desired VM is called in PVE's own keys and values: apply sends it, diff compares it.

Nothing is left to the template: a clone copies tags, protection, onboot, hookscript and
description from its template, so each key of ours is sent with a value, and the keys that must not
stand in a VM of ours are named by `unwanted`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote

from cloudpemda.cluster import BackupJob, Disk
from cloudpemda.plan.model import AsFound, DesiredBackup, DesiredDisk, DesiredNic, DesiredVm
from cloudpemda.units import MiB

CLOUD_INIT_SLOT = "ide2"

_JOBS = "cloudpemda-"

_FIXED: Mapping[str, str] = MappingProxyType(
    {
        "sockets": "1",
        "cpu": "x86-64-v2-AES",  # the oldest CPU of a mixed cluster decides, not the newest
        "ostype": "l26",
        "scsihw": "virtio-scsi-single",
        "boot": "order=scsi0",
        "agent": "enabled=1",
        "serial0": "socket",
        "onboot": "1",
        "protection": "0",  # cloudpemda destroys by identity; PVE's flag would hinder the undo
    }
)

_UNWANTED = frozenset(
    {
        "balloon", "bootdisk", "cicustom", "cipassword", "citype", "cpulimit",
        "cpuunits", "hookscript", "hugepages", "nameserver", "searchdomain", "shares", "sshkeys",
        "startup", "vcpus",
    }
)  # fmt: skip

_CLOUD_INIT = frozenset({"ciuser", "name", "nameserver", "sshkeys"})

_NUMBERED = re.compile(r"(net|ipconfig)\d+")


def desired_config(vm: DesiredVm) -> Mapping[str, str]:
    """Every key of the VM's configuration that cloudpemda sets, but for its disks.

    `sshkeys` is quoted once, as PVE stores it; the form encoding of the request is the second
    quoting that PVE asks for. Values are text as PVE stores them, booleans `0` and `1`.
    """
    if vm.found is not None:
        return _of_adopted(vm, vm.found)
    config = dict(_FIXED)
    config |= {
        "name": vm.name,
        "description": vm.description,
        "tags": ";".join(sorted(vm.tags)),
        "cores": str(vm.cores),
        "memory": str(vm.memory),
        "ciuser": vm.user,
    }
    if vm.ssh_keys:
        config["sshkeys"] = _as_stored(vm.ssh_keys)
    if vm.nameservers:
        config["nameserver"] = " ".join(vm.nameservers)
    for nic in vm.nics:
        config[nic.slot] = _nic_value(nic)
        config[ip_slot(nic)] = _ip_value(nic)
    return MappingProxyType(config)


def _of_adopted(vm: DesiredVm, found: AsFound) -> Mapping[str, str]:
    """Who it is, how large it is, and what was asked of it since; all else is as it was found."""
    cores, sockets = vm.cores // found.sockets, found.sockets
    if cores * sockets != vm.cores:
        cores, sockets = vm.cores, 1
    config = {
        "description": vm.description,
        "tags": ";".join(sorted(vm.tags)),
        "cores": str(cores),
        "sockets": str(sockets),
        "memory": str(vm.memory),
    }
    if vm.ssh_keys:
        config["sshkeys"] = _as_stored(vm.ssh_keys)
    there = dict(found.nics)
    for nic in vm.nics:
        if nic.network not in there:
            config[nic.slot] = _nic_value(nic)
            config[ip_slot(nic)] = _ip_value(nic)
    return MappingProxyType(config)


@lru_cache(256)  # many VMs have the same, and each is asked for several times a night
def _as_stored(keys: tuple[str, ...]) -> str:
    return quote("\n".join(keys), safe="")


def creation_disks(vm: DesiredVm) -> Mapping[str, str]:
    """The disk keys of the call that creates the VM from an import volume.

    The root disk comes in the image's own size (`storage:0` with `import-from`) and is grown
    afterwards; the others are made in their full size; the cloud-init drive lies beside the root
    disk. Raises ValueError for an image that is a template: a clone brings its disks along.
    """
    if vm.image.import_volume is None:
        raise ValueError(f"{vm.key}: the image is no import volume")
    root, *_ = vm.disks
    imported = f"{root.storage}:0,import-from={vm.image.import_volume}{disk_flags(root)}"
    return MappingProxyType({root.slot: imported, **added_disks(vm)})


def added_disks(vm: DesiredVm) -> Mapping[str, str]:
    """The disk keys beside the root disk: what a clone is given after it was made, and what rests
    beside the VM and is put back."""
    root, *others = vm.disks
    disks = {
        disk.slot: f"{disk.kept or f'{disk.storage}:{_gib(disk.size)}'}{disk_flags(disk)}"
        for disk in others
    }
    if vm.found is None:
        disks[CLOUD_INIT_SLOT] = f"{root.storage}:cloudinit"
    return MappingProxyType(disks)


def flagged(vm: DesiredVm, disk: DesiredDisk, live: Disk, value: str) -> str:
    """A disk that is there (`value` is its key in the configuration) with the flags that it shall
    have. What was adopted keeps all its other options."""
    if vm.found is None:
        return f"{live.volume}{disk_flags(disk)},size={live.size}M"
    kept = [one for one in value.split(",") if one.partition("=")[0] not in {"backup", "replicate"}]
    kept += [] if disk.backup else ["backup=0"]
    return ",".join(kept + ([] if disk.replicate else ["replicate=0"]))


def flag_changes(
    vm: DesiredVm, disk: DesiredDisk, live: Disk
) -> tuple[tuple[str, bool, bool], ...]:
    """Which flags a disk has otherwise than it shall: name, live, desired. Of what was adopted
    only those count that its class makes use of."""
    adopted = vm.found is not None
    said = []
    if not adopted or vm.protection.backup is not None:
        said.append(("backup", live.backup, disk.backup))
    if not adopted or vm.protection.replication:
        said.append(("replicate", live.replicate, disk.replicate))
    return tuple(one for one in said if one[1] is not one[2])


def disk_flags(disk: DesiredDisk) -> str:
    """The options of a disk, with a leading comma, to be put behind its volume."""
    flags = ",discard=on,iothread=1"
    if not disk.backup:
        flags += ",backup=0"
    if not disk.replicate:
        flags += ",replicate=0"
    return flags


def ip_slot(nic: DesiredNic) -> str:
    """`ipconfig0` for `net0`."""
    return "ipconfig" + nic.slot.removeprefix("net")


def told_by_cloud_init(key: str) -> bool:
    """Whether the guest learns of this key from its cloud-init drive, when it starts."""
    return key in _CLOUD_INIT or _NUMBERED.fullmatch(key) is not None


def unwanted(vm: DesiredVm, raw: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of a live configuration that must go: leftovers of a template or of a hand, and
    the disks that a change takes away.

    Of what was adopted only those, and the cards of networks that it shall not have any more.
    """
    gone = {disk.slot for disk in vm.leaves}
    if vm.found is not None:
        kept = {nic.network for nic in vm.nics}
        gone |= {slot for network, slot in vm.found.nics if network not in kept}
        return tuple(sorted(gone & raw.keys()))
    desired = desired_config(vm)
    gone |= {
        key
        for key in raw
        if key not in desired and (key in _UNWANTED or _NUMBERED.fullmatch(key) is not None)
    }
    return tuple(sorted(gone & raw.keys()))


def same_value(key: str, live: str, desired: str) -> bool:
    """Whether PVE's text means what we want.

    Tags come back lower-cased and sorted, property strings in PVE's own order, MAC addresses in
    capitals, keys with or without a final line break, a description with one more.
    """
    return live == desired or _normal(key, live) == _normal(key, desired)


def backup_job_name(service_class: str) -> str:
    """Id of the backup job that the VMs of a class share."""
    return f"{_JOBS}{service_class}"


def is_own_job(job: str) -> bool:
    """Whether `backup_job_name` made it."""
    return job.startswith(_JOBS)


def backup_job_config(backup: DesiredBackup) -> Mapping[str, str]:
    """The keys of the backup job that a class shares, but for its `id` and `vmid` list."""
    return MappingProxyType(
        {
            "storage": backup.storage,
            "schedule": backup.schedule,
            "prune-backups": backup.prune,
            "mode": "snapshot",
            "compress": "zstd",
            "enabled": "1",
        }
    )


def backup_job_changes(live: BackupJob, wanted: DesiredBackup) -> tuple[tuple[str, str, str], ...]:
    """What a class's backup job has otherwise than it shall: key, live value, desired value.

    A key that must not stand there is desired to be empty: PVE wants it in `delete`.
    """
    desired = backup_job_config(wanted)
    said = {
        "enabled": str(int(live.enabled)),
        "storage": live.storage,
        "schedule": live.schedule,
        "prune-backups": live.prune,
        "mode": live.mode,
        "node": live.node or "",  # guests of other nodes would not be backed up
        "exclude-path": live.exclude_path,
    }
    return tuple(
        (key, there, desired.get(key, ""))
        for key, there in said.items()
        if not same_value(key, there, desired.get(key, ""))
    )


def next_replication_id(vmid: int, taken: Iterable[str]) -> str:
    """The id `VMID-N` for one more replication job of a VM, N the lowest that is free."""
    numbers = {int(job.partition("-")[2]) for job in taken if job.startswith(f"{vmid}-")}
    number = 0
    while number in numbers:
        number += 1
    return f"{vmid}-{number}"


def _nic_value(nic: DesiredNic) -> str:
    tag = "" if nic.vlan is None else f",tag={nic.vlan}"
    return f"virtio={nic.mac.upper()},bridge={nic.bridge},firewall=1{tag}"


def _ip_value(nic: DesiredNic) -> str:
    gateway = "" if nic.gateway is None else f",gw={nic.gateway}"
    return f"ip={nic.address}{gateway}"


def _gib(size: MiB) -> str:
    """PVE allocates in GiB and takes fractions: `0.5` for 512 MiB, exact in any case."""
    whole, rest = divmod(size, 1024)
    return str(whole) if rest == 0 else f"{size / 1024:.10f}".rstrip("0")


def _normal(key: str, value: str) -> object:
    if _NUMBERED.fullmatch(key):
        return frozenset(value.lower().split(","))
    meaning = _MEANINGS.get(key)
    return value if meaning is None else meaning(value)


def _tags(value: str) -> object:
    return frozenset(value.lower().replace(",", ";").replace(" ", ";").split(";")) - {""}


_MEANINGS: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        "tags": _tags,
        "sshkeys": lambda value: unquote(value).strip().splitlines(),
        "nameserver": lambda value: value.replace(",", " ").split(),
        "description": lambda value: value.rstrip("\n"),
        # PVE writes the default key of a property string with or without its name
        "agent": lambda value: value.removeprefix("enabled="),
        "cpu": lambda value: value.removeprefix("cputype="),
        "prune-backups": lambda value: frozenset(value.split(",")),
        "memory": lambda value: value.removeprefix("current=") or "512",
        "cores": lambda value: value or "1",
        "sockets": lambda value: value or "1",
    }
)
