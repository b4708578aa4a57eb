"""What a changed document changes: one revision against another, as typed differences.

Every part of a request that counts (`spec_hash`) is compared, so two revisions without a
difference are one. A VM is known by its name, a disk by its name within its VM: whoever renames
one asks for another in its place.

Which change a running VM takes over follows PVE's default `hotplug: network,disk,usb`: disks come,
grow and go while it runs; vCPU and memory wait for a restart. Cloud-init tells the guest its
addresses and keys, and is read when the guest starts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.request.spec import DiskSpec, Letter, NicSpec, Requester, VmSpec, WorkloadSpec
from cloudpemda.units import MiB


class What(StrEnum):
    """What a change is about."""

    VM_ADDED = "vm-added"
    VM_REMOVED = "vm-removed"
    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    IMAGE = "image"
    CPU = "cpu"
    MEMORY = "memory"
    DISK_ADDED = "disk-added"
    DISK_REMOVED = "disk-removed"
    DISK_GROWN = "disk-grown"
    DISK_SHRUNK = "disk-shrunk"
    DISK_CLASS = "disk-class"
    DISK_PROTECTION = "disk-protection"
    NETWORK_ADDED = "network-added"
    NETWORK_REMOVED = "network-removed"
    PUBLIC_ADDRESS = "public-address"
    KEYS = "keys"
    EXPOSED = "exposed"
    UNEXPOSED = "unexposed"
    FIREWALL = "firewall"
    ROLES = "roles"
    APART = "apart"
    CLASS = "class"
    LEASE = "lease"
    PURPOSE = "purpose"
    LETTER = "letter"
    REQUESTER = "requester"


_RESTART = frozenset({What.IMAGE, What.CPU, What.MEMORY, What.NETWORK_ADDED, What.KEYS})
"""What a running VM takes over only when it is started anew."""

_REMOVES = frozenset({What.VM_REMOVED, What.MEMBER_REMOVED, What.DISK_REMOVED})
"""What takes data away with it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `subject` is the VM (`db`), its member (`db-2`), or its disk or network
    (`db/data`), and empty for the workload; sizes are texts as a document writes them."""

    what: What
    subject: str
    before: str | None = None
    after: str | None = None
    grows: bool = False  # more of something is asked for; how much quota that is says the formula
    restart: bool = field(init=False)  # whether VMs that run take it over only when started anew

    def __post_init__(self) -> None:
        # with the first role the VM learns the site's key, and learns keys when it starts
        first = self.what is What.ROLES and self.before is None
        object.__setattr__(self, "restart", first or self.what in _RESTART)


def changes(before: WorkloadSpec, after: WorkloadSpec) -> tuple[Change, ...]:
    """All that `after` changes of `before`, VMs first; empty only for an equal `spec_hash`.

    Both must be of one workload (ValueError).
    """
    if before.key != after.key:
        raise ValueError(f"{before.key} and {after.key} are two workloads")
    old, new = {vm.name: vm for vm in before.vms}, {vm.name: vm for vm in after.vms}
    found: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found.append(Change(What.VM_REMOVED, name, before=str(old[name].count)))
        elif name not in old:
            found.append(Change(What.VM_ADDED, name, after=str(new[name].count), grows=True))
        else:
            found.extend(_of_vm(old[name], new[name]))
    return (*found, *_of_workload(before, after))


def refusals(
    applied: WorkloadSpec, proposed: WorkloadSpec, *, allow_retire: bool
) -> tuple[Fault, ...]:
    """Why a workload that lives cannot be changed so: each with its place in the document.

    A disk never shrinks, a VM that lives keeps its image and its root disk, and what takes VMs or
    disks away is meant only where `allow_retire` says so.
    """
    found: list[Fault] = []
    gone: list[str] = []
    roots = {vm.name: vm.disks[0].name for vm in applied.vms}
    for one in changes(applied, proposed):
        vm, _, part = one.subject.partition("/")
        values = {"subject": one.subject, "before": one.before, "after": one.after}
        if one.what is What.DISK_SHRUNK:
            path = f"spec.vms[{vm}].disks[{part}].size"
            found.append(Fault("request.disk-shrinks", MappingProxyType(values), path=path))
        elif one.what is What.IMAGE:
            path = f"spec.vms[{vm}].image"
            found.append(Fault("request.image-changes", MappingProxyType(values), path=path))
        elif one.what is What.FIREWALL and one.after == "false":
            path = f"spec.vms[{vm}]"
            found.append(Fault("request.expose-stays", MappingProxyType(values), path=path))
        elif one.what is What.DISK_REMOVED and part == roots.get(vm):
            path = f"spec.vms[{vm}].disks[{part}]"
            told = MappingProxyType({**values, "vm": vm})
            found.append(Fault("request.root-disk-stays", told, path=path))
        elif one.what in _REMOVES:
            gone.append(one.subject)
    if gone and not allow_retire:
        listed = MappingProxyType({"gone": ", ".join(gone)})
        found.append(Fault("request.retires", listed, path="spec.vms"))
    return tuple(found)


# -- one VM ----------------------------------------------------------------------------------
def _of_vm(old: VmSpec, new: VmSpec) -> Iterator[Change]:
    name = new.name
    for member in new.members[old.count :]:
        yield Change(What.MEMBER_ADDED, member, grows=True)
    for member in old.members[new.count :]:
        yield Change(What.MEMBER_REMOVED, member)
    if old.image != new.image:
        yield Change(What.IMAGE, name, old.image, new.image)
    if old.cpu != new.cpu:
        yield Change(What.CPU, name, str(old.cpu), str(new.cpu), grows=new.cpu > old.cpu)
    if old.memory != new.memory:
        grows = new.memory > old.memory
        yield Change(What.MEMORY, name, _size(old.memory), _size(new.memory), grows)
    yield from _of_disks(old, new)
    yield from _of_networks(old, new)
    if old.ssh_keys != new.ssh_keys:
        # Only how many: a key is long, and its comment may be anybody's address.
        kept = len({*old.ssh_keys} & {*new.ssh_keys})
        more = f"{len(new.ssh_keys)} ({len(new.ssh_keys) - kept} new)"
        yield Change(What.KEYS, name, str(len(old.ssh_keys)), more)
    yield from _of_exposure(old, new)
    if old.roles != new.roles:
        grows = bool(set(new.roles) - set(old.roles))
        yield Change(What.ROLES, name, _roles(old), _roles(new), grows)
    if old.keep_apart != new.keep_apart:
        yield Change(What.APART, name, _word(old.keep_apart), _word(new.keep_apart))


def _of_disks(old: VmSpec, new: VmSpec) -> Iterator[Change]:
    before, after = {disk.name: disk for disk in old.disks}, {disk.name: disk for disk in new.disks}
    for name in sorted(before.keys() | after.keys()):
        subject = f"{new.name}/{name}"
        if name not in after:
            yield Change(What.DISK_REMOVED, subject, before=_disk(before[name]))
        elif name not in before:
            yield Change(What.DISK_ADDED, subject, after=_disk(after[name]), grows=True)
        else:
            yield from _of_disk(subject, before[name], after[name])


def _of_disk(subject: str, old: DiskSpec, new: DiskSpec) -> Iterator[Change]:
    if old.size != new.size:
        grows = new.size > old.size
        what = What.DISK_GROWN if grows else What.DISK_SHRUNK
        yield Change(what, subject, _size(old.size), _size(new.size), grows)
    if old.storage_class != new.storage_class:
        yield Change(What.DISK_CLASS, subject, old.storage_class, new.storage_class, grows=True)
    if old.protect != new.protect:
        yield Change(
            What.DISK_PROTECTION, subject, _word(old.protect), _word(new.protect), new.protect
        )


def _of_networks(old: VmSpec, new: VmSpec) -> Iterator[Change]:
    before = {nic.network: nic for nic in old.networks}
    after = {nic.network: nic for nic in new.networks}
    for name in sorted(before.keys() | after.keys()):
        subject = f"{new.name}/{name}"
        if name not in after:
            yield Change(What.NETWORK_REMOVED, subject, before=_nic(before[name]))
        elif name not in before:
            grows = after[name].public_ip
            yield Change(What.NETWORK_ADDED, subject, after=_nic(after[name]), grows=grows)
        elif before[name].public_ip != after[name].public_ip:
            grows = after[name].public_ip
            yield Change(What.PUBLIC_ADDRESS, subject, _word(not grows), _word(grows), grows)


def _of_exposure(old: VmSpec, new: VmSpec) -> Iterator[Change]:
    if (old.expose is None) != (new.expose is None):
        on = new.expose is not None
        yield Change(What.FIREWALL, new.name, _word(not on), _word(on), grows=not on)
    before, after = set(old.expose or ()), set(new.expose or ())
    for one in sorted(before - after):
        yield Change(What.UNEXPOSED, new.name, before=one.words)
    for one in sorted(after - before):
        yield Change(What.EXPOSED, new.name, after=one.words, grows=True)


# -- the workload ----------------------------------------------------------------------------
def _of_workload(old: WorkloadSpec, new: WorkloadSpec) -> Iterator[Change]:
    if old.service_class != new.service_class:
        yield Change(What.CLASS, "", old.service_class, new.service_class, grows=True)
    if old.until != new.until:
        yield Change(What.LEASE, "", str(old.until), str(new.until), grows=new.until > old.until)
    if old.purpose != new.purpose:
        yield Change(What.PURPOSE, "", old.purpose, new.purpose)
    if old.letter != new.letter:
        yield Change(What.LETTER, "", _letter(old.letter), _letter(new.letter))
    if old.requester != new.requester:
        yield Change(What.REQUESTER, "", _person(old.requester), _person(new.requester))


def _letter(letter: Letter) -> str:
    return f"{letter.number} ({letter.date})"


def _person(person: Requester) -> str:
    return f"{person.name}, {person.nip}, {person.position}, {person.email}"


def _size(size: MiB) -> str:
    """Exactly, in the unit that a document would use."""
    return f"{size // 1024} GiB" if size % 1024 == 0 else f"{size} MiB"


def _disk(disk: DiskSpec) -> str:
    return f"{_size(disk.size)} {disk.storage_class}"


def _nic(nic: NicSpec) -> str:
    return f"{nic.network} +public" if nic.public_ip else nic.network


def _roles(vm: VmSpec) -> str | None:
    return ", ".join(role.words for role in vm.roles) or None


def _word(value: bool) -> str:
    return "true" if value else "false"
