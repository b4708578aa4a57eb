"""What a VM that somebody else made would be as a VM of ours: measured, never changed.

Each VM either can be said whole in the words of a request, or is left with every reason why not:
half of a VM is not adopted. What a request has no word for (CPU type, controllers, cloud-init,
boot order) stays as it is, and is no part of any plan (`model.AsFound`).
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from types import MappingProxyType

from cloudpemda.cluster import ClusterState, Disk, Nic, NodeStatus, Vm, VmConfig, VmStatus
from cloudpemda.errors import Fault
from cloudpemda.plan.desire import TAG
from cloudpemda.plan.diff import HALF_MADE, stamp
from cloudpemda.plan.model import STAMP_END, AsFound, bounded
from cloudpemda.request.spec import ADOPTED, DiskSpec, NicSpec, VmSpec
from cloudpemda.site.models import Network, ServiceClass

MOST_KINDS = 20
"""Kinds of VM in one request (`request.schema`)."""

LONGEST_DESCRIPTION = 8192
"""Characters that PVE keeps of a description (its API schema)."""

_LONGEST_STAMP = 300
_BUS = re.compile(r"(scsi|virtio|sata|ide)(\d+)")
_LONGEST_NAME = 32
_LONGEST_PVE_NAME = 63


@dataclass(frozen=True)
class Listed:
    """What a list says of one VM beyond what PVE knows."""

    workload: str | None = None
    name: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)  # network → address


@dataclass(frozen=True)
class Ground:
    """What the site says about the OPD and the class that VMs are adopted into."""

    storages: Mapping[str, str]  # PVE storage id → class
    networks: Mapping[str, Network]  # that the OPD may use, by name
    service_class: ServiceClass
    away: Collection[str] = ()  # nodes that no copy may be sent to


@dataclass(frozen=True)
class FoundNic:
    slot: str
    network: str
    mac: str
    address: str | None


@dataclass(frozen=True)
class Takeable:
    """A VM that can be adopted. Its kind has the VM's own name until it is given another."""

    vmid: int
    node: str
    pve_name: str
    uid: str | None  # of a ledger that was lost
    kind: VmSpec
    nics: tuple[FoundNic, ...]
    storages: Mapping[str, str]  # disk name → PVE storage id
    targets: tuple[str, ...]
    facts: AsFound
    workload: str | None  # that the list names
    running: bool


@dataclass(frozen=True)
class Left:
    """A VM that is not adopted, with every reason."""

    vmid: int
    name: str
    node: str
    faults: tuple[Fault, ...]


def mark_of(config: VmConfig) -> str:
    """What tells a VM from any other that may stand under its VMID later: its UUID, which PVE
    makes anew for each VM; without one its cards."""
    for part in config.raw.get("smbios1", "").split(","):
        if part.startswith("uuid="):
            return part.lower()
    return "macs=" + ",".join(sorted(nic.mac.upper() for nic in config.nics))


def measure(vm: Vm, state: ClusterState, ground: Ground, said: Listed) -> Takeable | Left:
    """The VM in a request's words, or why it cannot be said in them."""
    whole = tuple(_whole(vm))
    if whole or vm.config is None:
        return Left(vm.vmid, bounded(vm.name), vm.node, whole)
    config = vm.config
    faults = [
        *_storage_faults(vm, config, ground),
        *_nic_faults(vm, config, ground, said),
    ]
    if len(config.description) + _LONGEST_STAMP > LONGEST_DESCRIPTION:
        faults.append(_fault("adopt.description", vm, length=len(config.description)))
    targets = _targets(vm, config, state, ground)
    if targets is None:
        faults.append(_fault("adopt.replicas", vm))
    if faults:
        return Left(vm.vmid, bounded(vm.name), vm.node, tuple(faults))
    disks = _disks(config)
    nics = tuple(_nics(vm, config, ground, said))
    kind = VmSpec(
        name=schema_name(said.name or vm.name, f"vm-{vm.vmid}"),
        count=1,
        keep_apart=False,
        image=ADOPTED,
        cpu=config.cores,
        memory=config.memory,
        disks=tuple(
            DiskSpec(name, disk.size, ground.storages[disk.storage], disk.backup)
            for name, disk in _root_first(disks)
        ),
        networks=tuple(
            NicSpec(nic.network, public_ip=False)
            for nic in sorted(nics, key=lambda nic: nic.network)
        ),
        ssh_keys=(),
    )
    return Takeable(
        vmid=vm.vmid,
        node=vm.node,
        pve_name=vm.name,
        uid=stamp(config).get("uid") or None,
        kind=kind,
        nics=nics,
        storages=MappingProxyType({name: disk.storage for name, disk in disks.items()}),
        targets=targets or (),
        facts=AsFound(
            mark=mark_of(config),
            sockets=_sockets(config),
            disks=tuple((name, disk.slot) for name, disk in disks.items()),
            nics=tuple((nic.network, nic.slot) for nic in nics),
            tags=_tags(config),
            text=_text(config),
        ),
        workload=said.workload,
        running=vm.status is not VmStatus.STOPPED,
    )


def schema_name(text: str, otherwise: str, longest: int = _LONGEST_NAME) -> str:
    """A name as a request may have it: lower case, digits and dashes, beginning with a letter."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        return otherwise
    name = name if name[0].isalpha() else f"vm-{name}"
    return name[:longest].rstrip("-")


def group(
    takeable: Sequence[Takeable], opd: str, name: str | None, used: Collection[str]
) -> tuple[tuple[str, tuple[Takeable, ...]], ...]:
    """Workloads of at most MOST_KINDS VMs, in the order of VMIDs, each VM with its own kind.

    Together under `name`, or what the list says; else a workload for each VM. `used` are names of
    the OPD's workloads: none is named twice.
    """
    taken = set(used)
    wanted: dict[str, list[Takeable]] = {}
    for one in sorted(takeable, key=lambda one: one.vmid):
        said = one.workload or name
        base = schema_name(said, "") if said else f"\0{one.vmid}"
        wanted.setdefault(base, []).append(one)
    found: list[tuple[str, tuple[Takeable, ...]]] = []
    for base, members in wanted.items():
        for start in range(0, len(members), MOST_KINDS):
            some = members[start : start + MOST_KINDS]
            alone = base.startswith("\0")
            free = _free(some[0].kind.name if alone else base, taken)
            taken.add(free)
            found.append((free, tuple(_named(some, opd, free, alone=alone))))
    return tuple(found)


def _free(name: str, taken: Collection[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        end = f"-{number}"
        found = name[: _LONGEST_NAME - len(end)].rstrip("-") + end
    return found


def _named(
    members: Sequence[Takeable], opd: str, workload: str, *, alone: bool
) -> Iterator[Takeable]:
    room = min(_LONGEST_NAME, _LONGEST_PVE_NAME - len(f"{opd}-{workload}--1"))
    taken: set[str] = set()
    for one in members:
        name = "vm" if alone else one.kind.name[:room].rstrip("-")
        if name in taken:
            end = f"-{one.vmid}"
            name = name[: room - len(end)].rstrip("-") + end
        taken.add(name)
        yield replace(one, kind=replace(one.kind, name=name))


# -- what hinders ----------------------------------------------------------------------------
def _whole(vm: Vm) -> Iterator[Fault]:
    """What makes it no VM to be adopted at all."""
    if vm.container:
        yield _fault("adopt.container", vm)
    elif vm.template:
        yield _fault("adopt.template", vm)
    elif vm.config is None:
        yield _fault("adopt.unread", vm)
    elif vm.lock in HALF_MADE:
        yield _fault("adopt.being-made", vm)


def _storage_faults(vm: Vm, config: VmConfig, ground: Ground) -> Iterator[Fault]:
    if not _disks(config):
        yield _fault("adopt.no-disk", vm)
    unknown = {disk.storage for disk in _disks(config).values()} - ground.storages.keys()
    for storage in sorted(unknown):
        yield _fault("adopt.storage", vm, storage=bounded(storage))


def _nic_faults(vm: Vm, config: VmConfig, ground: Ground, said: Listed) -> Iterator[Fault]:
    if not config.nics:
        yield _fault("adopt.no-network", vm)
    seen: dict[str, str] = {}
    for nic in config.nics:
        name = _network(nic, ground)
        where = f"{nic.bridge}" if nic.vlan is None else f"{nic.bridge} VLAN {nic.vlan}"
        if name is None:
            yield _fault("adopt.nic", vm, slot=nic.slot, where=bounded(where))
        elif name in seen:
            yield _fault("adopt.nic-twice", vm, slot=nic.slot, network=name, other=seen[name])
        else:
            seen[name] = nic.slot
    for name, address in said.addresses.items():
        if name not in seen:
            yield _fault("adopt.address-network", vm, network=name, address=address)
    for one in _nics(vm, config, ground, said):
        if one.address is not None and not _may_have(one.address, ground.networks[one.network]):
            network = ground.networks[one.network]
            values = {"address": bounded(one.address), "network": one.network}
            yield _fault("adopt.address", vm, cidr=network.cidr, **values)


def _may_have(text: str, network: Network) -> bool:
    """A host's address of the network; those that are reserved are often what stood there first."""
    try:
        address = IPv4Address(text)
    except ValueError:
        return False
    prefix = network.prefix
    ends = {prefix.network_address, prefix.broadcast_address, network.gateway_address}
    return address in prefix and address not in ends


def _fault(code: str, vm: Vm, **values: object) -> Fault:
    said = {"vmid": vm.vmid, "name": bounded(vm.name), "node": vm.node, **values}
    return Fault(code, MappingProxyType(said), path=str(vm.vmid))


# -- what it is ------------------------------------------------------------------------------
def _disks(config: VmConfig) -> Mapping[str, Disk]:
    """Its disks by the name that a request gives them: `root`, the others by their slot."""
    own = {disk.slot: disk for disk in config.disks if _BUS.fullmatch(disk.slot)}
    if not own:
        return {}
    order = re.findall(r"[a-z]+\d+", config.raw.get("boot", "").partition("order=")[2])
    first = next((slot for slot in (*order, config.raw.get("bootdisk", "")) if slot in own), None)
    root = first or min(own, key=_slot_order)
    return {"root": own[root], **{slot: disk for slot, disk in own.items() if slot != root}}


def _slot_order(slot: str) -> tuple[int, int]:
    found = _BUS.fullmatch(slot)
    assert found is not None, slot  # noqa: S101 - only such slots are asked about
    return ("scsi", "virtio", "sata", "ide").index(found[1]), int(found[2])


def _root_first(disks: Mapping[str, Disk]) -> Sequence[tuple[str, Disk]]:
    return sorted(disks.items(), key=lambda one: (one[0] != "root", one[0]))


def _network(nic: Nic, ground: Ground) -> str | None:
    for name, network in sorted(ground.networks.items()):
        if (network.bridge, network.vlan) == (nic.bridge, nic.vlan):
            return name
    return None


def _nics(vm: Vm, config: VmConfig, ground: Ground, said: Listed) -> Iterator[FoundNic]:
    for nic in config.nics:
        name = _network(nic, ground)
        if name is not None:
            address = said.addresses.get(name) or _configured(config, nic.slot)
            yield FoundNic(nic.slot, name, nic.mac.lower(), address)


def _configured(config: VmConfig, slot: str) -> str | None:
    """The address that cloud-init gives the guest; nobody asks the guest itself."""
    value = config.raw.get("ipconfig" + slot.removeprefix("net"), "")
    for part in value.split(","):
        key, _, address = part.partition("=")
        if key == "ip" and address not in {"dhcp", ""}:
            return address.partition("/")[0]
    return None


def _targets(
    vm: Vm, config: VmConfig, state: ClusterState, ground: Ground
) -> tuple[str, ...] | None:
    """Where its copies are or shall go: present jobs first, then the nodes with most room."""
    policy = ground.service_class.replication
    if policy is None:
        return ()
    storages = {disk.storage for disk in _disks(config).values() if disk.backup}
    present = [job.target for job in state.replication_jobs if job.vmid == vm.vmid]

    def free(node: str) -> int:
        return min((state.storage_at[node, one].total - state.storage_at[node, one].used)
                   for one in storages) if storages else 0  # fmt: skip

    able = [
        node.name
        for node in state.nodes.values()
        if node.name != vm.node
        and node.status is NodeStatus.ONLINE
        and node.name not in ground.away
        and all(
            (found := state.storage_at.get((node.name, one))) is not None
            and found.replicable
            and found.active
            for one in storages
        )
    ]
    ordered = sorted(able, key=lambda node: (node not in present, -free(node), node))
    return tuple(ordered[: policy.targets]) if len(ordered) >= policy.targets else None


def _sockets(config: VmConfig) -> int:
    text = config.raw.get("sockets", "1")
    return int(text) if text.isdigit() and int(text) else 1


def _tags(config: VmConfig) -> tuple[str, ...]:
    """Its own tags; what a former stamp of ours put there is not its own."""
    ours = bool(stamp(config))
    return tuple(
        sorted(
            tag
            for tag in config.tags
            if not (ours and (tag == TAG or tag.startswith(("opd-", "class-"))))
        )
    )


def _text(config: VmConfig) -> str:
    """Its own description: below a former stamp of ours, if it has one."""
    text = config.description.rstrip("\n")
    if not stamp(config):
        return text
    below = text.partition("\n")[2]
    return below.removeprefix(STAMP_END).lstrip("\n")
