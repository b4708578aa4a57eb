"""Quota counted again from what stands on a cluster, beside what the ledger charges.

Each VM is measured as it is: cores and memory as configured, each disk in its class with the copies
that replication makes of it, backup of what is backed up. PVE knows no public addresses: they are
the ledger's. What could not be read is unknown, and counts neither as there nor as gone.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from types import MappingProxyType

from cloudpemda.cluster import ClusterState, Vm, VmStatus
from cloudpemda.errors import Fault
from cloudpemda.ledger import InstanceRecord
from cloudpemda.plan.diff import carries
from cloudpemda.report.standing import Finding
from cloudpemda.request.spec import VmSpec
from cloudpemda.rules.quota import (
    BACKUP,
    DISK,
    INSTANCES,
    MEMORY,
    PUBLIC_IP,
    VCPU,
    Balance,
    Usage,
    amount,
    disk_dimension,
    usage_of,
)
from cloudpemda.site.models import ServiceClass


@dataclass(frozen=True)
class Charged:
    """One VM of ours that PVE is known to have had, with what it is charged and why."""

    record: InstanceRecord
    vm: VmSpec
    service_class: ServiceClass | None  # None: the catalogue has lost it
    charge: Usage  # committed
    held: Usage  # by a change that is being made: it may be there already, or not yet
    overage: Usage = field(default_factory=lambda: MappingProxyType({}))  # charged, grown by hand


@dataclass(frozen=True)
class Counted:
    """What one cluster showed of one VM; `usage` None: it could not be read."""

    opd: str
    usage: Usage | None
    findings: tuple[Finding, ...] = ()


def charged_of(balances: Mapping[str, Balance]) -> Usage:
    """What is committed, without what is only held."""
    return {name: one.committed for name, one in balances.items() if one.committed}


def held_of(balances: Mapping[str, Balance]) -> Usage:
    """What is only held."""
    return {name: one.held for name, one in balances.items() if one.held}


def unread(one: Charged) -> Counted:
    """A VM whose cluster could not be read."""
    return Counted(one.record.opd, None, (_finding("unknown", one),))


def recount(state: ClusterState, one: Charged, storages: Mapping[str, str]) -> Counted:
    """One VM as it stands; `storages` is PVE storage id → class. Each dimension that differs is a
    finding with its cause."""
    live = state.vms.get(one.record.vmid)
    if live is None:
        if not _whole(state):
            return unread(one)
        return Counted(one.record.opd, {}, (_finding("missing", one),))
    if live.config is None or live.status is VmStatus.UNKNOWN:
        return unread(one)
    if not carries(live.config, one.record.identity):
        return Counted(one.record.opd, {}, (_finding("replaced", one),))
    found = {**measured(state, live, one.service_class, storages)}
    found[PUBLIC_IP] = one.charge.get(PUBLIC_IP, 0)
    return Counted(one.record.opd, found, tuple(_differences(state, live, one, found)))


def recount_snapshots(
    one: Charged, found: Counted, charged: Mapping[str, Usage], there: Collection[str]
) -> Iterator[Counted]:
    """The states that are kept of one VM; `charged` is what each known one costs by name. One
    that somebody made by hand counts as much disk as the VM has."""
    for name in sorted({*charged, *there}):
        if name not in there:
            yield Counted(one.record.opd, {}, (_finding("snapshot", one, name=name),))
        elif name in charged:
            yield Counted(one.record.opd, charged[name])
        else:
            disks = {
                dimension: value
                for dimension, value in (found.usage or {}).items()
                if dimension.startswith(DISK)
            }
            finding = _finding("snapshot-foreign", one, name=name)
            yield Counted(one.record.opd, disks, (finding,))


def foreign(
    state: ClusterState,
    records: Collection[InstanceRecord],
    pools: Mapping[str, str],
    storages: Mapping[str, str],
    noted: Collection[int],
) -> Iterator[Counted]:
    """VMs in an OPD's pool that the ledger has no instance of; `pools` is pool → OPD. Those that
    were `noted` are ours: they were made after the copy that the ledger was restored from."""
    ours = {record.vmid for record in records if record.cluster == state.name}
    for vmid, vm in sorted(state.vms.items()):
        opd = pools.get(vm.pool or "")
        if opd is None or vmid in ours or vm.template:
            continue
        values = {"vmid": vmid, "name": vm.name, "cluster": state.name, "pool": vm.pool}
        code = "quota.verify-found" if vmid in noted else "quota.verify-foreign"
        fault = Fault(code, {**values, "opd": opd})
        usage = measured(state, vm, None, storages)
        yield Counted(opd, usage, (Finding(opd, fault),))


def orphaned(
    charges: Mapping[str, Mapping[str, Balance]], living: Collection[str], opd: str
) -> Iterator[tuple[Usage, Fault]]:
    """What is committed for instances of an OPD that the ledger has no more, by instance; `living`
    are the keys of those that it has."""
    for key, balances in sorted(charges.items()):
        charge = charged_of(balances)
        if charge and key not in living and key.startswith(f"{opd}/"):
            fault = Fault("quota.verify-orphan", {"vm": key, "charged": _listed(charge)})
            yield charge, fault


def baseless(
    charges: Mapping[str, Mapping[str, Balance]], promised: Mapping[str, bool]
) -> Iterator[Finding]:
    """What is held without an approval; `promised` is workload → whether one is in force."""
    for key, balances in sorted(charges.items()):
        held = {name: one.held for name, one in balances.items() if one.held}
        workload = key.rpartition("/")[0]
        if held and not promised.get(workload, False):
            values = {"vm": key, "workload": workload, "held": _listed(held)}
            yield Finding(key.partition("/")[0], Fault("quota.verify-hold", values))


def _listed(usage: Usage) -> str:
    return ", ".join(f"{name} {amount(name, value)}" for name, value in sorted(usage.items()))


def _whole(state: ClusterState) -> bool:
    return state.quorate and all(node.answers for node in state.nodes.values())


def measured(
    state: ClusterState, vm: Vm, service_class: ServiceClass | None, storages: Mapping[str, str]
) -> Usage:
    """What a VM uses as it stands, but for public addresses; without a class nothing is backed up.
    `storages` is PVE storage id → class."""
    backup = None if service_class is None else service_class.backup
    factor = Fraction(0) if backup is None else Fraction(str(backup.factor))
    config = vm.config
    usage = {
        INSTANCES: 1,
        # a running VM uses what it was started with until it is started anew
        VCPU: vm.cores if config is None else max(vm.cores, config.cores),
        MEMORY: vm.memory if config is None else max(vm.memory, config.memory),
    }
    disks = () if config is None else config.disks
    for disk in disks:
        dimension = disk_dimension(storages.get(disk.storage, disk.storage))
        copies = 1 + (_copies(state, vm) if disk.replicate else 0)
        usage[dimension] = usage.get(dimension, 0) + disk.size * copies
    usage[BACKUP] = ceil(sum(disk.size for disk in disks if disk.backup) * factor)
    return usage


def _copies(state: ClusterState, vm: Vm) -> int:
    return sum(job.vmid == vm.vmid and not job.removing for job in state.replication_jobs)


def _differences(state: ClusterState, live: Vm, one: Charged, found: Usage) -> Iterator[Finding]:
    for dimension in sorted({*found, *one.charge, *one.overage}):
        by_hand = one.overage.get(dimension, 0)
        charged, there = one.charge.get(dimension, 0) + by_hand, found.get(dimension, 0)
        as_charged = charged <= there <= charged + one.held.get(dimension, 0)
        if by_hand or not as_charged:
            cause = "overgrown" if as_charged else _cause(state, live, one, dimension, there)
            values = {
                "dimension": dimension,
                "charged": amount(dimension, charged),
                "found": amount(dimension, there),
            }
            yield _finding(cause, one, **values)


def _cause(state: ClusterState, live: Vm, one: Charged, dimension: str, found: int) -> str:
    """Why this dimension differs, as far as it can be told."""
    if not one.charge:
        return "uncharged"
    promised = {} if one.service_class is None else usage_of(one.vm, one.service_class)
    if promised.get(dimension, 0) == found < one.charge.get(dimension, 0):
        return "unsettled"  # a change made it smaller, and it was restarted since
    if promised.get(dimension, 0) != one.charge.get(dimension, 0):
        return "class"  # the catalogue's class has changed since it was charged, or is gone
    if dimension in (VCPU, MEMORY):
        return "resized"
    disks = () if live.config is None else live.config.disks
    if len(disks) > len(one.vm.disks):
        return "extra-disk"
    replication = None if one.service_class is None else one.service_class.replication
    if dimension.startswith(DISK) and _copies(state, live) != (
        0 if replication is None else replication.targets
    ):
        return "copies"
    return "disk"


def _finding(cause: str, one: Charged, **values: object) -> Finding:
    said = {"vm": one.record.key, "cluster": one.record.cluster, "vmid": one.record.vmid}
    return Finding(one.record.opd, Fault(f"quota.verify-{cause}", {**said, **values}))
