"""Drift: how each VM differs from what was approved, how grave that is, and who puts it right.

A plan says what `apply` would do, and refuses a VM as soon as it meets what only a person may put
right. Here everything is told together, and each deviation has one class. A VM that HA moved inside
its rules, and a replication that turned round with it, differ in nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, Fault, Refused, Unreachable
from cloudpemda.ledger import InstanceRecord
from cloudpemda.plan.byhand import as_grown
from cloudpemda.plan.diff import differing, firewall_differences, silent_on_apartness
from cloudpemda.plan.ha import affinity_name
from cloudpemda.plan.model import Aspect, DesiredVm, Difference, PlannedVm
from cloudpemda.plan.pve_config import CLOUD_INIT_SLOT
from cloudpemda.report.oddities import oddities
from cloudpemda.report.recount import measured
from cloudpemda.request.spec import VmSpec
from cloudpemda.rules.quota import DISK, INSTANCES, MEMORY, PUBLIC_IP, VCPU, Usage, growth, usage_of
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import show_size


class DriftClass(StrEnum):
    """How grave a deviation is; the later, the graver."""

    HARMLESS = "harmless"  # it costs nobody anything
    OVER_QUOTA = "over-quota"  # it takes more than was approved
    UNPROTECTED = "unprotected"  # a failure would cost more than was promised
    SECURITY = "security"  # somebody may reach what is not theirs


class Remedy(StrEnum):
    APPLY = "apply"
    PERSON = "person"


@dataclass(frozen=True)
class Deviation:
    """One thing that is otherwise than approved."""

    drift: DriftClass
    what: str  # "config: memory"
    live: str
    desired: str
    remedy: Remedy
    fault: Fault | None = None  # what the person must know


@dataclass(frozen=True)
class InstanceDrift:
    """One VM that differs."""

    key: str
    opd: str
    number: str
    cluster: str
    vmid: int
    node: str | None  # as read; None: it is not there
    drift: DriftClass  # of its gravest deviation
    deviations: tuple[Deviation, ...]  # gravest first
    overage: Usage  # what it uses beyond what was approved, sizes in MiB
    blocked: bool  # `apply` refuses the workload until a person was at it


_GRAVITY = {drift: place for place, drift in enumerate(DriftClass)}

_BY_HAND: Mapping[str, DriftClass] = MappingProxyType(
    {
        "plan.disk-missing": DriftClass.UNPROTECTED,
        "plan.disk-foreign": DriftClass.SECURITY,
        "plan.disk-extra": DriftClass.OVER_QUOTA,
        "plan.roots-key": DriftClass.SECURITY,
        "plan.shrink": DriftClass.OVER_QUOTA,
        "plan.vanished": DriftClass.UNPROTECTED,
        "plan.identity": DriftClass.SECURITY,
        "plan.firewall-foreign": DriftClass.SECURITY,
        "plan.firewall-lockout": DriftClass.SECURITY,
        "plan.firewall-nic": DriftClass.SECURITY,
        "plan.firewall-node": DriftClass.SECURITY,
        "plan.firewall-off": DriftClass.SECURITY,
    }
)
_NOT_OURS = frozenset({"plan.vanished", "plan.identity"})
_SIZES = frozenset({"cores", "memory", "sockets"})
_ACCESS = frozenset(
    {
        "args", "cicustom", "cipassword", "ciuser", "hookscript", "nameserver", "protection",
        "searchdomain", "sshkeys",
    }
)  # fmt: skip
_NETWORK = ("net", "ipconfig")


def compare(
    workload: str,
    desired: Sequence[DesiredVm],
    live: ClusterState,
    made: Collection[str],
    overages: Mapping[str, Usage],
) -> tuple[Mapping[str, tuple[Deviation, ...]], Mapping[str, CloudpemdaError]]:
    """The deviations of a workload's VMs by key, and why others could not be judged.

    Every VM is in one of both. `overages` is what each was seen to use beyond what was approved.
    """
    found: dict[str, list[Deviation]] = {}
    errors: dict[str, CloudpemdaError] = {}
    judged: list[DesiredVm] = []
    walled = [_firewall(one, live) for one in desired]
    every = tuple(vm for vm, _ in walled)
    sound = _all_together(every, live, made)
    for vm, open_ in walled:
        try:
            if sound is None:
                differing((vm,), live, made)
        except Unreachable as error:
            errors[vm.key] = error
            continue
        except Refused as error:
            if error.code not in _BY_HAND:
                errors[vm.key] = error
                continue
            found[vm.key] = [_by_hand(one) for one in error.faults if one.code != "plan.shrink"]
            if error.code in _NOT_OURS:
                continue
        there = live.vms.get(vm.identity.vmid)
        own = found.setdefault(vm.key, [])
        own.extend(open_)
        own.extend(_grown_disks(vm, there))
        own.extend(_outside(vm, there, live))
        judged.append(_bearable(vm, there))
    # All together: the rules that keep VMs apart concern several. What only a person may put right
    # was told above, and is no reason to stop.
    unchanged = tuple(judged) == every
    together = sound if sound is not None and unchanged else differing(judged, live)
    if len(judged) < len(desired):
        together = silent_on_apartness(together)
    for planned in together:
        key = planned.desired.key
        more = overages.get(key, {})
        found[key].extend(_deviation(one, more) for one in planned.differences)
    graded = {key: tuple(sorted(own, key=_gravest_first)) for key, own in found.items()}
    return MappingProxyType(graded), MappingProxyType(errors)


def _all_together(
    desired: Sequence[DesiredVm], live: ClusterState, made: Collection[str]
) -> tuple[PlannedVm, ...] | None:
    """Most days no VM is refused, and none need be asked by itself; None where one is."""
    try:
        return differing(desired, live, made)
    except (Refused, Unreachable):
        return None


def pending(
    state: ClusterState, records: Collection[InstanceRecord]
) -> Iterator[tuple[str, Deviation]]:
    """Key and deviation: what is configured and not in effect."""
    keys = {record.key for record in records}
    for finding in oddities(state, records):
        values = finding.fault.values
        key = str(values.get("vm"))
        if finding.fault.code == "survey.pending" and key in keys:
            what = f"pending: {values['key']}"
            runs, shall = str(values["runs"]), str(values["shall"])
            yield (
                key,
                Deviation(DriftClass.HARMLESS, what, runs, shall, Remedy.PERSON, finding.fault),
            )


def instance_drift(
    record: InstanceRecord,
    deviations: Sequence[Deviation],
    live: Vm | None,
    overage: Usage,
    *,
    blocked: bool,
) -> InstanceDrift:
    """One VM with at least one deviation."""
    graded = tuple(sorted(deviations, key=_gravest_first))
    return InstanceDrift(
        key=record.key,
        opd=record.opd,
        number=record.number,
        cluster=record.cluster,
        vmid=record.vmid,
        node=None if live is None else live.node,
        drift=graded[0].drift,
        deviations=graded,
        overage=overage,
        blocked=blocked,
    )


def blocks(deviation: Deviation) -> bool:
    """Whether `apply` refuses the whole workload because of it."""
    return deviation.fault is not None and deviation.fault.code in _BY_HAND


def overage_of(
    state: ClusterState,
    live: Vm,
    spec: VmSpec,
    service_class: ServiceClass,
    classes: Mapping[str, str],
) -> Usage:
    """What a VM of ours uses beyond what was approved; `classes` is storage class → PVE storage.

    Classes that lie on one storage cannot be told apart there, and count as one.
    """
    by_storage = {storage: name for name, storage in classes.items()}
    promised: dict[str, int] = {}
    for dimension, value in usage_of(spec, service_class).items():
        storage = classes.get(dimension.removeprefix(DISK)) if dimension.startswith(DISK) else None
        known = dimension if storage is None else DISK + by_storage[storage]
        promised[known] = promised.get(known, 0) + value
    uses = measured(state, live, service_class, by_storage)
    more = growth(promised, uses)
    return MappingProxyType(
        {name: value for name, value in more.items() if name not in (INSTANCES, PUBLIC_IP)}
    )


def _gravest_first(one: Deviation) -> tuple[int, str]:
    return -_GRAVITY[one.drift], one.what


# -- what only a person may put right ----------------------------------------------------------
def _by_hand(fault: Fault) -> Deviation:
    values = fault.values
    what, live, desired = {
        "plan.disk-missing": (f"disks: {values.get('slot')}", "", str(values.get("disk"))),
        "plan.disk-foreign": (f"disks: {values.get('slot')}", str(values.get("volume")), ""),
        "plan.disk-extra": (
            f"disks: {values.get('slot')}",
            f"{values.get('volume')} {values.get('size')}",
            "",
        ),
        "plan.roots-key": (f"config: {values.get('key')}", str(values.get("value")), ""),
        "plan.vanished": ("vm", "", str(values.get("vmid"))),
        "plan.identity": ("vm: uid", str(values.get("found")), str(values.get("vm"))),
    }[fault.code]
    return Deviation(_BY_HAND[fault.code], what, live, desired, Remedy.PERSON, fault)


def _firewall(vm: DesiredVm, live: ClusterState) -> tuple[DesiredVm, tuple[Deviation, ...]]:
    """What of a VM's firewall only a person may put right; the VM without it then, so that all
    else can be compared."""
    try:
        list(firewall_differences(vm, live.vms.get(vm.identity.vmid), live))
    except Unreachable:
        pass  # `diff` says so
    except Refused as error:
        return replace(vm, firewall=None), tuple(
            Deviation(_BY_HAND[one.code], "firewall", "", "", Remedy.PERSON, one)
            for one in error.faults
        )
    return vm, ()


def _grown_disks(vm: DesiredVm, there: Vm | None) -> Iterator[Deviation]:
    """PVE cannot make a disk smaller."""
    config = None if there is None else there.config
    present = {} if config is None else {disk.slot: disk for disk in config.disks}
    for disk in vm.disks:
        own = present.get(disk.slot)
        if own is not None and own.size > disk.size:
            live, desired = show_size(own.size), show_size(disk.size)
            values = {"vm": vm.key, "disk": disk.name, "live": live, "desired": desired}
            yield Deviation(
                DriftClass.OVER_QUOTA, f"disks: {disk.slot}.size", live, desired, Remedy.PERSON,
                Fault("plan.shrink", MappingProxyType(values)),
            )  # fmt: skip


def _outside(vm: DesiredVm, there: Vm | None, live: ClusterState) -> Iterator[Deviation]:
    """A VM on a node that its own rule or group does not name: `apply` would have the protection
    follow it, where it should perhaps go back."""
    own = next((r for r in live.ha_rules if r.name == affinity_name(vm.identity.vmid)), None)
    if there is None or own is None or not own.nodes or there.node in own.nodes:
        return
    nodes = ", ".join(sorted(own.nodes))
    values = {"vm": vm.key, "node": there.node, "nodes": nodes}
    fault = Fault("drift.node", MappingProxyType(values))
    yield Deviation(DriftClass.HARMLESS, "node", there.node, nodes, Remedy.PERSON, fault)


def _bearable(vm: DesiredVm, there: Vm | None) -> DesiredVm:
    """The VM with the disks that a plan can compare: without those that are missing, in the size
    of those that have grown."""
    config = None if there is None else there.config
    if config is None:
        return vm
    present = {disk.slot for disk in config.disks}
    there_are = tuple(disk for disk in vm.disks if disk.slot in present)
    return as_grown(replace(vm, disks=there_are), config)


# -- what apply puts right ---------------------------------------------------------------------
def _deviation(one: Difference, overage: Usage) -> Deviation:
    what = f"{one.aspect}: {one.key}"
    return Deviation(_class(one, overage), what, one.live, one.desired, Remedy.APPLY)


def _class(one: Difference, overage: Usage) -> DriftClass:
    asked_for = bool(one.desired)
    match one.aspect:
        case Aspect.CONFIG:
            return _config_class(one.key, overage)
        case Aspect.DISKS:
            return _disk_class(one, overage)
        case Aspect.FLAGS:
            return DriftClass.UNPROTECTED if one.desired == "1" else DriftClass.OVER_QUOTA
        case Aspect.FIREWALL:
            return DriftClass.SECURITY
        case Aspect.POOL:
            # who may see and use a pool may see and use what is in it
            foreign = one.key == "member" and bool(one.live)
            return DriftClass.SECURITY if foreign else DriftClass.HARMLESS
        case Aspect.HA:
            return DriftClass.UNPROTECTED if asked_for else DriftClass.HARMLESS
        case Aspect.REPLICATION | Aspect.BACKUP:
            return DriftClass.UNPROTECTED if asked_for else DriftClass.OVER_QUOTA
        case Aspect.CREATE | Aspect.START:
            return DriftClass.UNPROTECTED


def _config_class(key: str, overage: Usage) -> DriftClass:
    if key in _ACCESS or key.rstrip("0123456789") in _NETWORK:
        return DriftClass.SECURITY
    if key in _SIZES and (MEMORY if key == "memory" else VCPU) in overage:
        return DriftClass.OVER_QUOTA
    return DriftClass.UNPROTECTED if key == "onboot" else DriftClass.HARMLESS


def _disk_class(one: Difference, overage: Usage) -> DriftClass:
    slot, _, part = one.key.partition(".")
    if slot == CLOUD_INIT_SLOT:  # something else in the place of what tells the guest its keys
        return DriftClass.SECURITY if one.live else DriftClass.HARMLESS
    more = part == "storage" and any(name.startswith(DISK) for name in overage)
    return DriftClass.OVER_QUOTA if more else DriftClass.HARMLESS
