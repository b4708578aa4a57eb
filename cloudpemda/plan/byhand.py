"""What stands in a VM that was made and that no plan may put right: a person must.

A disk that is missing would be made empty in the place of one with data; a disk that nobody
approved may hold somebody's data; some keys only root@pam may remove.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from cloudpemda.cluster import VmConfig
from cloudpemda.errors import Fault, Refused
from cloudpemda.plan.model import DesiredVm, bounded
from cloudpemda.units import MiB, show_size

_DISK_SLOT = re.compile(r"(?:scsi|virtio|sata|ide)\d+")
_GUESTS = re.compile(r"(?:vm|base|subvol)-\d+-")
_ROOTS_KEY = re.compile(r"args|(?:hostpci|usb)\d+")


def check_by_hand(vm: DesiredVm, config: VmConfig) -> None:
    """Raises Refused with all that was found (`plan.disk-missing`, `plan.disk-foreign`,
    `plan.disk-extra`, `plan.roots-key`)."""
    found = [*_disks(vm, config), *_keys(vm, config)]
    if found:
        first, *more = found
        raise Refused(first.code, *more, **first.values)


def as_grown(vm: DesiredVm, config: VmConfig) -> DesiredVm:
    """The VM with each of its disks in the size that somebody has grown it to: PVE shrinks none."""
    present = {disk.slot: disk.size for disk in config.disks}
    disks = tuple(
        replace(disk, size=MiB(max(disk.size, present.get(disk.slot, disk.size))))
        for disk in vm.disks
    )
    return replace(vm, disks=disks)


def _disks(vm: DesiredVm, config: VmConfig) -> Iterator[Fault]:
    present = {disk.slot: disk for disk in config.disks}
    desired = {disk.slot: disk for disk in vm.disks}
    leaves = {disk.slot for disk in vm.leaves}
    for slot, disk in desired.items():
        if slot not in present and not disk.fresh and not disk.kept:
            yield Fault("plan.disk-missing", {"vm": vm.key, "disk": disk.name, "slot": slot})
    for slot, there in present.items():
        values = {"vm": vm.key, "slot": slot, "volume": bounded(there.volume)}
        if not _owned(there.volume, vm.identity.vmid):
            yield Fault("plan.disk-foreign", values | {"vmid": vm.identity.vmid})
        elif slot not in desired and slot not in leaves and _DISK_SLOT.fullmatch(slot):
            yield Fault("plan.disk-extra", values | {"size": show_size(there.size)})

    for slot, value in config.raw.items():
        volume = value.partition(",")[0].removeprefix("file=")
        lent = _DISK_SLOT.fullmatch(slot) and slot not in present and _GUESTS.match(_base(volume))
        if lent and not _owned(volume, vm.identity.vmid):  # as a CD-ROM: it can be read from here
            values = {"vm": vm.key, "slot": slot, "volume": bounded(volume)}
            yield Fault("plan.disk-foreign", values | {"vmid": vm.identity.vmid})


def _owned(volume: str, vmid: int) -> bool:
    """PVE names a volume after the VM that it belongs to."""
    return _base(volume).startswith(f"vm-{vmid}-")


def _base(volume: str) -> str:
    """A volume's own name: before it may stand its base (`zfs:base-9000-disk-0/vm-101-disk-0`) or
    its folder (`dir:101/vm-101-disk-0.qcow2`)."""
    return volume.partition(":")[2].rpartition("/")[2]


def _keys(vm: DesiredVm, config: VmConfig) -> Iterator[Fault]:
    for key in sorted(config.raw):
        if _ROOTS_KEY.fullmatch(key):
            value = bounded(config.raw[key])
            yield Fault("plan.roots-key", {"vm": vm.key, "key": key, "value": value})
