"""How each instance stands: what was promised, what was read back, how old its copies are."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cloudpemda.cluster import ClusterState, Disk, Storage, Vm, VmStatus
from cloudpemda.errors import Fault
from cloudpemda.ledger import InstanceRecord, InstanceState, Stop
from cloudpemda.plan.ha import Apartness, apartness, sid
from cloudpemda.plan.model import Aspect, PlannedVm
from cloudpemda.recovery import Judgement, Standing
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant


class Guard(StrEnum):
    """One protection of one instance, as a reader needs to know it."""

    OK = "ok"
    PENDING = "pending"  # set up, too new to have a copy
    LATE = "late"
    NEVER = "never"
    WRONG = "wrong"  # not as promised on the cluster: see `differences`
    UNKNOWN = "unknown"
    CLOCK_SKEW = "clock-skew"
    NONE = "none"  # the class promises none


@dataclass(frozen=True)
class Cover:
    """A guard with its evidence."""

    guard: Guard
    age: int | None = None  # seconds since the recovery point
    source: str | None = None  # replication job, backup, HA state


@dataclass(frozen=True)
class RoleView:
    """One role that its request asks for inside a VM."""

    role: str
    standing: str  # done, awaiting, failed, unreachable
    at: Instant | None  # when it was tried last, as it is asked for now; None: not yet
    person: str | None


@dataclass(frozen=True)
class InstanceView:
    """One VM: who has it, where it is, and whether it is protected as promised."""

    key: str
    opd: str
    number: str
    state: InstanceState
    cluster: str
    vmid: int
    name: str
    node: str | None  # as read; None: unknown
    running: str  # running, stopped, unknown, absent
    addresses: tuple[str, ...]
    public_addresses: tuple[str, ...]
    service_class: str
    ha: Cover
    replication: Cover
    backup: Cover
    away: Cover  # what is left when the site is lost
    apart: Apartness | None  # what keeps it from its keep-apart group; None: it has none
    unprotected_disks: tuple[str, ...]  # "scsi1 (nfs): replication", though the class promises it
    differences: tuple[str, ...]  # "ha: rule", "config: memory"
    bound: tuple[str, ...]  # disks on its node alone, though HA shall bring it back elsewhere
    restart: tuple[str, ...]  # what it runs without until it is started anew: cores, memory
    error: str | None
    stopped: Stop | None = None  # who stopped it on purpose, since when and why
    roles: tuple[RoleView, ...] = ()  # filled in where one VM is looked at alone

    @property
    def as_promised(self) -> bool:
        bad = {Guard.LATE, Guard.NEVER, Guard.WRONG, Guard.UNKNOWN, Guard.CLOCK_SKEW}
        covers = (self.ha, self.replication, self.backup, self.away)
        if self.differences or self.unprotected_disks:
            return False
        return not any(cover.guard in bad for cover in covers)


@dataclass(frozen=True)
class Finding:
    """One thing that somebody must look at, and whose it is; None: the site's."""

    opd: str | None
    fault: Fault


class Looked(ABC):
    """What a look at clusters has found, beside what it could not see."""

    others: tuple[Finding, ...]  # what could not be read or judged

    @property
    @abstractmethod
    def own_findings(self) -> tuple[Finding, ...]: ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Its own, and what is not known."""
        return (*self.own_findings, *self.others)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(one.fault for one in self.findings)


_BUILDING = frozenset({InstanceState.PLANNED, InstanceState.CREATING, InstanceState.FAILED})
_UNDER_WAY = _BUILDING | {InstanceState.CHANGING}


@dataclass(frozen=True)
class Reading:
    """What could be read of one cluster; a plan or judgement is absent where it could not."""

    state: ClusterState | None
    plans: Mapping[str, Sequence[PlannedVm]]  # what differs, by workload
    judgements: Mapping[str, Sequence[Judgement]]  # by instance key: node loss, site loss
    findings: tuple[Finding, ...]
    unread: bool  # something of it could not be read
    backups: Mapping[str, Judgement] = field(default_factory=dict)  # by instance key
    strays: tuple[Finding, ...] = ()  # VMs that call themselves ours and are not, or are copies


def view(
    record: InstanceRecord, workload: str, class_name: str, service_class: ServiceClass | None,
    reading: Reading, stopped: Stop | None = None,
) -> InstanceView:  # fmt: skip
    """One instance as it stands on what was read of its cluster.

    Without its class nobody knows what was promised: its covers are unknown.
    """
    live = reading.state.vms.get(record.vmid) if reading.state is not None else None
    together = reading.plans.get(workload, ())
    planned = _of(together, record.key)
    # what is still being made differs by nature: its state says that `apply` is not through
    building = record.state in _BUILDING
    under_way = record.state in _UNDER_WAY
    differing = planned.differences if planned is not None and not under_way else ()
    aspects = {difference.aspect for difference in differing}
    judged = reading.judgements.get(record.key, ())
    running = "unknown" if reading.state is None else "absent"
    covers: tuple[Cover, ...] = (
        _ha(record, service_class, reading, planned, aspects),
        _copies(
            service_class is None or service_class.replication is not None,
            Aspect.REPLICATION,
            planned,
            aspects,
            judged[:1],
        ),
        _copies(
            service_class is None or service_class.backup is not None,
            Aspect.BACKUP,
            planned,
            aspects,
            [reading.backups[record.key]] if record.key in reading.backups else (),
        ),
        _away(service_class, judged[1:]),
    )
    if building:
        covers = tuple(one if one.guard is Guard.NONE else Cover(Guard.PENDING) for one in covers)
    return InstanceView(
        key=record.key,
        opd=record.opd,
        number=record.number,
        state=record.state,
        cluster=record.cluster,
        vmid=record.vmid,
        name=record.name,
        node=live.node if live is not None else None,
        running=live.status.value if live is not None else running,
        addresses=tuple(nic.address for nic in record.nics if nic.address),
        public_addresses=tuple(
            nic.public_address for nic in record.nics if nic.public_address is not None
        ),
        service_class=class_name,
        ha=covers[0],
        replication=covers[1],
        backup=covers[2],
        away=covers[3],
        unprotected_disks=unprotected(live, planned, service_class, reading.state),
        bound=bound(live, service_class, reading.state),
        apart=_apart(together, planned, reading.state),
        differences=tuple(f"{one.aspect}: {one.key}" for one in differing),
        restart=() if live is None else _restart(live),
        error=record.error, stopped=stopped,
    )  # fmt: skip


def _restart(live: Vm) -> tuple[str, ...]:
    """In what the running VM is not as configured. Its list says how it runs, its configuration
    how it will: PVE keeps as pending what it cannot change in a running VM."""
    if live.config is None or live.status is not VmStatus.RUNNING:
        return ()
    sizes = (("cores", live.cores, live.config.cores), ("memory", live.memory, live.config.memory))
    return tuple(name for name, runs, configured in sizes if runs != configured)


def _of(vms: Sequence[PlannedVm], key: str) -> PlannedVm | None:
    return next((vm for vm in vms if vm.desired.key == key), None)


def _apart(
    together: Sequence[PlannedVm], planned: PlannedVm | None, state: ClusterState | None
) -> Apartness | None:
    if planned is None or state is None:
        return None
    group = planned.desired.protection.apart
    if group is None:
        return None
    return apartness([vm.desired for vm in together], state.ha_flavour)[group]


def _ha(
    record: InstanceRecord,
    service_class: ServiceClass | None,
    reading: Reading,
    planned: PlannedVm | None,
    aspects: Collection[Aspect],
) -> Cover:
    if service_class is not None and not service_class.ha:
        return Cover(Guard.NONE)
    if service_class is None or reading.state is None or planned is None:
        return Cover(Guard.UNKNOWN)
    resource = reading.state.ha_resources.get(sid(record.vmid))
    said = resource.state if resource is not None else None
    if Aspect.HA in aspects or said is None:
        return Cover(Guard.WRONG, source=said)
    at_rest = not planned.desired.running and said in {"stopped", "request_stop"}
    return Cover(Guard.OK if said == "started" or at_rest else Guard.PENDING, source=said)


_GUARDS: Mapping[Standing, Guard] = {
    Standing.OK: Guard.OK,
    Standing.PENDING: Guard.PENDING,
    Standing.LATE: Guard.LATE,
    Standing.NEVER: Guard.NEVER,
    Standing.UNKNOWN: Guard.UNKNOWN,
    Standing.CLOCK_SKEW: Guard.CLOCK_SKEW,
}


def _copies(
    promised: bool,
    aspect: Aspect,
    planned: PlannedVm | None,
    aspects: Collection[Aspect],
    judged: Sequence[Judgement],
) -> Cover:
    if not promised:
        return Cover(Guard.NONE)
    if planned is None or not judged:
        return Cover(Guard.UNKNOWN)
    one = judged[0]
    if aspect in aspects:
        return Cover(Guard.WRONG, one.attained, one.source)
    if one.standing is Standing.NOT_PROMISED:  # made, but no recovery point is promised
        return Cover(Guard.OK if one.last is not None else Guard.PENDING, one.attained, one.source)
    return Cover(_GUARDS[one.standing], one.attained, one.source)


def _away(service_class: ServiceClass | None, judged: Sequence[Judgement]) -> Cover:
    """What is left when the site is lost, against what the class promises for that."""
    if service_class is not None and service_class.rpo.site is None:
        return Cover(Guard.NONE)
    if not judged:
        return Cover(Guard.UNKNOWN)
    return Cover(_GUARDS[judged[0].standing], judged[0].attained, judged[0].source)


def unprotected(
    live: Vm | None,
    planned: PlannedVm | None,
    service_class: ServiceClass | None,
    state: ClusterState | None,
) -> tuple[str, ...]:
    """The disks that no replication or backup covers, whatever the jobs say: the storage cannot be
    replicated, or the disk is left out. What the request says `protect: false` of is left alone.

    Only what its configuration tells is judged: where that could not be read, all is unknown.
    """
    if live is None or live.config is None or service_class is None or state is None:
        return ()
    spared = {
        disk.slot
        for disk in (planned.desired.disks if planned is not None else ())
        if not disk.backup and not disk.replicate
    }
    return tuple(
        f"{disk.slot} ({disk.storage}): {lack}"
        for disk in live.config.disks
        if disk.slot not in spared
        for lack in _lacks(disk, state.storage_at.get((live.node, disk.storage)), service_class)
    )


def bound(
    live: Vm | None, service_class: ServiceClass | None, state: ClusterState | None
) -> tuple[str, ...]:
    """The disks that its node alone has, of a VM that HA shall bring back elsewhere: it will not
    start there. `protect: false` does not change that; who asked for it may not have known."""
    if live is None or live.config is None or service_class is None or state is None:
        return ()
    if not service_class.ha:
        return ()
    found = []
    for disk in live.config.disks:
        storage = state.storage_at.get((live.node, disk.storage))
        copied = service_class.replication is not None and disk.replicate
        if storage is not None and not storage.shared and not (copied and storage.replicable):
            found.append(f"{disk.slot} ({disk.storage})")
    return tuple(found)


def _lacks(disk: Disk, storage: Storage | None, service_class: ServiceClass) -> Iterator[str]:
    fit = disk.replicate and (storage is None or storage.replicable)
    if service_class.replication is not None and not fit:
        yield "replication"
    if service_class.backup is not None and not disk.backup:
        yield "backup"
