"""Plan: what apply would do, for every approved request that is not as it shall be."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from cloudpemda.apply.firewall import with_firewall
from cloudpemda.clock import SeededEntropy
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, worst
from cloudpemda.ledger import (
    Aside,
    InstanceRecord,
    Pools,
    RequestRecord,
    RequestState,
    Wanted,
    Why,
)
from cloudpemda.placement import NoFit, Placement
from cloudpemda.plan.byhand import as_grown
from cloudpemda.plan.desire import InstanceIdentity, NicIdentity, desire
from cloudpemda.plan.diff import carries, diff
from cloudpemda.plan.model import DesiredVm, LeavingDisk, Plan
from cloudpemda.plan.restart import to_restart
from cloudpemda.request.change import refusals
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.leases import lease_end
from cloudpemda.units import show_local, show_size
from cloudpemda.usecases.chain import require_approvers
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.noted import Noted, noted_of
from cloudpemda.usecases.offer import offer_on
from cloudpemda.usecases.workload import Workload, approved_elsewhere, cluster_settings, opd_info

PLANNABLE = frozenset(
    {RequestState.APPROVED, RequestState.APPLYING, RequestState.ACTIVE, RequestState.STUCK}
)


@dataclass(frozen=True)
class Planned:
    """One request's plan. Identities of VMs that do not exist yet are proposals: `apply`
    chooses again, and records them, before it writes."""

    record: RequestRecord  # as it shall be
    desired: tuple[DesiredVm, ...]
    plan: Plan
    restart: Mapping[str, tuple[str, ...]]
    """VM → keys that it will take over only when it is started anew."""
    retires: tuple[str, ...] = ()  # VMs that go into quarantine


@dataclass(frozen=True)
class Plans:
    """The plans that could be made, and by key why the others could not."""

    planned: tuple[Planned, ...]
    errors: Mapping[str, CloudpemdaError]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for error in self.errors.values() for fault in error.faults)

    @property
    def code(self) -> ExitCode:
        return worst(error.exit_code for error in self.errors.values())


def plan(desk: Desk, keys: Sequence[str] = ()) -> Plans:
    """The plans of the named requests, or of all that are approved. Writes nothing anywhere.

    A request that cannot be planned (`plan.offer-changed` where another offer would come out than
    the approved one, or what `diff` refuses) hides no other. Raises Refused `plan.not-approved`
    for a named request that is not; Unreachable where a cluster cannot be read.
    """
    desk.act("operator", "reviewer", "approver", "auditor")
    records = chosen(desk, keys)
    states = read_clusters(desk, records)
    planned: list[Planned] = []
    errors: dict[str, CloudpemdaError] = {}
    for record in records:
        try:
            planned.append(_plan(desk, record, states[cluster_of(record)]))
        except CloudpemdaError as error:
            errors[record.key] = error
    return Plans(tuple(planned), errors)


def require_changeable(desk: Desk, record: RequestRecord, returning: Collection[str] = ()) -> None:
    """Raises Refused `request.change-refused` for what cannot be done to a VM that lives, and
    `plan.member-rests` for a VM that is asked for anew while its former self is in quarantine;
    those members that shall come back from there are `returning`."""
    after = record.as_proposed.spec
    faults = refusals(record.spec, after, allow_retire=True)
    if faults:
        raise Refused("request.change-refused", *faults, key=record.key, number=record.number)
    if record.changing:
        return
    new = members_of(after) - members_of(record.spec)
    for one in desk.ledger.instances.list(workload=record.key):
        if one.member in new and one.member not in returning:
            raise Refused("plan.member-rests", vm=one.key, key=record.key, state=one.state.value)
    _require_fitting(desk, record, after)


def _require_fitting(desk: Desk, record: RequestRecord, after: WorkloadSpec) -> None:
    """A disk that is asked for while one of its name rests beside its VM is that one, put back.
    Raises Refused `plan.disk-rests` where it is asked for otherwise than it is."""
    asked = {member: vm for vm in after.vms for member in vm.members}
    for one in desk.ledger.asides.list(workload=record.key):
        vm = asked.get(one.key.rpartition("/")[2])
        wanted = next((d for d in vm.disks if d.name == one.disk), None) if vm else None
        if wanted is None or one.why is not Why.REMOVED:
            continue
        storages = cluster_settings(desk, one.cluster).storages
        if storages.get(wanted.storage_class) != one.storage or wanted.size < one.size:
            raise Refused(
                "plan.disk-rests",
                vm=one.key,
                disk=one.disk,
                key=record.key,
                storage=one.storage,
                size=show_size(one.size),
            )


def require_lease(desk: Desk, record: RequestRecord) -> None:
    """Raises Refused `plan.lease-ended` for what is approved and not begun, and would be stopped
    for its lease as soon as it stood."""
    if record.state is not RequestState.APPROVED and not record.change_approved:
        return
    asked = record.as_proposed.spec
    if lease_end(asked.until, desk.site.zone) <= desk.clock.now():
        raise Refused("plan.lease-ended", key=record.key, until=asked.until)


def _require_hold(desk: Desk, record: RequestRecord) -> None:
    """Raises Refused `plan.hold-ended` where nothing is held any more; `apply` says so, too."""
    approval = record.as_proposed.approval
    waits = record.state is RequestState.APPROVED or record.change_approved
    if waits and approval is not None and approval.hold_until <= desk.clock.now():
        until = show_local(approval.hold_until, desk.site.zone)
        raise Refused("plan.hold-ended", key=record.key, until=until)


def members_of(spec: WorkloadSpec) -> frozenset[str]:
    """`db-1`, `db-2` …"""
    return frozenset(member for vm in spec.vms for member in vm.members)


def workload_of(desk: Desk, record: RequestRecord, cluster: str) -> Workload:
    """A request as it shall be: with its change, where one is approved or begun."""
    if record.change_approved or record.changing:
        return Workload(desk, record.as_proposed, cluster, lived=record.spec)
    return Workload(desk, record, cluster)


def _plan(desk: Desk, record: RequestRecord, state: ClusterState) -> Planned:
    workload = workload_of(desk, record, state.name)
    require_approvers(desk, record)
    _require_hold(desk, record)
    require_lease(desk, record)
    if workload.lived is not None:
        require_changeable(desk, record)
    if offer_digest(desk, workload.record, state) != approved_digest(workload.record):
        raise Refused("plan.offer-changed", key=record.key)
    return draw_up(workload, state, propose(workload, state))


def chosen(desk: Desk, keys: Sequence[str]) -> tuple[RequestRecord, ...]:
    """The named requests, or all approved ones. Raises Refused `plan.not-approved`."""
    if not keys:
        return tuple(r for r in desk.ledger.requests.list() if r.state in PLANNABLE)
    records = tuple(desk.ledger.requests.get(key) for key in dict.fromkeys(keys))
    for record in records:
        if record.state not in PLANNABLE:
            raise Refused("plan.not-approved", key=record.key, state=record.state.value)
    return records


def cluster_of(record: RequestRecord) -> str:
    """The cluster that the approved offer named."""
    assert record.approval is not None, f"{record.key} is {record.state}"  # noqa: S101
    return str(record.approval.offer["cluster"])


def approved_digest(record: RequestRecord) -> str:
    """What the live approval is bound to."""
    assert record.approval is not None, f"{record.key} is {record.state}"  # noqa: S101
    return record.approval.offer_digest


def read_clusters(desk: Desk, records: Collection[RequestRecord]) -> Mapping[str, ClusterState]:
    """Each cluster of the requests, read once, with the configurations of their instances.

    Raises Refused `plan.cluster` for one that the site has no more, Unreachable.
    """
    wanted: dict[str, set[int]] = {cluster_of(record): set() for record in records}
    for record in records:
        for instance in desk.ledger.instances.list(workload=record.key):
            wanted.setdefault(instance.cluster, set()).add(instance.vmid)
    for cluster in wanted:
        cluster_settings(desk, cluster)
    return {
        cluster: desk.cluster(cluster).snapshot(configs_for=vmids)
        for cluster, vmids in wanted.items()
    }


def offer_digest(desk: Desk, record: RequestRecord, state: ClusterState) -> str:
    """The digest of the offer as it comes out now; once it was begun, the approved one.

    Raises Refused where the request does not fit any more.
    """
    assert record.approval is not None, f"{record.key} is {record.state}"  # noqa: S101
    if record.state is not RequestState.APPROVED and not record.change_approved:
        return record.approval.offer_digest
    return offer_on(desk, record, state.name, state).digest


def wanted(workload: Workload) -> tuple[Wanted, ...]:
    """The members of a workload that shall have an identity."""
    return tuple(
        Wanted(
            member,
            workload.cluster,
            vm.networks,
            {disk.name: workload.setting.storage(disk.storage_class) for disk in vm.disks},
        )
        for vm in workload.spec.vms
        for member in vm.members
    )


def pools(desk: Desk) -> Pools:
    """Where addresses come from."""
    info = desk.site.info
    rest = int(info.defaults.address_rest)
    vmid_rest = int(info.retirement.vmid_rest)
    return Pools(info.networks, info.public_addresses, rest=rest, vmid_rest=vmid_rest)


def propose(workload: Workload, state: ClusterState) -> tuple[InstanceRecord, ...]:
    """What the ledger would choose now, by dice that the request itself loads."""
    desk, record = workload.desk, workload.record
    ledger = desk.ledger
    book = ledger.instances.propose if workload.lived is None else ledger.changes.propose
    return book(
        record.key,
        wanted(workload),
        vmid_range=opd_info(desk, record.opd).vmid_range,
        pools=pools(desk),
        taken_vmids={workload.cluster: state.vms.keys()},
        dice=SeededEntropy(int(record.spec_hash[:16], 16)),
    )


def draw_up(
    workload: Workload,
    state: ClusterState,
    instances: Collection[InstanceRecord],
    placement: Placement | None = None,
    *,
    grown_stay: bool = False,
    without: Collection[str] = (),
) -> Planned:
    """Desired against live, under a placement (a fresh one if none is given).

    With `grown_stay` a disk that somebody has made larger than approved stays so, as it does for
    every change: what has begun must be able to end. What it takes more is charged by `drift`.
    VMs `without` which (keys) it goes, too, are left out: they are gone.

    Raises Refused with the counted reasons where it does not fit.
    """
    place = placement or place_workload(workload, state, instances)
    desired = desired_of(workload, state, instances, place)
    desired = tuple(vm for vm in desired if vm.key not in without)
    if grown_stay or workload.lived is not None:
        desired = tuple(as_it_grew(vm, state) for vm in desired)
    state = with_firewall(workload.desk.cluster(workload.cluster), state, desired)
    scores = {vm.key: place.of(vm.key).score for vm in desired}
    # where it lived already nothing was chosen
    reasons = {key: score.words for key, score in scores.items() if score.candidates}
    made = keys_made(instances)
    plan_ = diff(workload.record.key, desired, state, reasons, made)
    restart = {
        vm.desired.key: keys
        for vm in plan_.vms
        if (keys := to_restart(vm, state.vms.get(vm.desired.identity.vmid)))
    }
    lived = frozenset() if workload.lived is None else members_of(workload.lived)
    gone = sorted(lived - members_of(workload.spec))
    retires = tuple(workload.record.instance_key(member) for member in gone)
    return Planned(workload.record, desired, plan_, restart, retires)


def as_it_grew(vm: DesiredVm, state: ClusterState) -> DesiredVm:
    """The VM with the sizes of the disks that somebody has made larger than approved."""
    live = state.vms.get(vm.identity.vmid)
    if live is None or live.config is None or not carries(live.config, vm.identity):
        return vm
    return as_grown(vm, live.config)


def desired_of(
    workload: Workload,
    state: ClusterState,
    instances: Collection[InstanceRecord],
    placement: Placement,
    noted: Noted | None = None,
) -> tuple[DesiredVm, ...]:
    """What shall be, with the identities that the ledger gave; what was stopped on purpose shall
    not run. Who looks at several workloads has read what is `noted` of them all."""
    mine = members_of(workload.spec)
    own = [record for record in instances if record.member in mine]
    noted = noted or noted_of(workload.desk, own)
    identities = {}
    for record in own:
        beside = noted.asides.get(record.uid, ())
        leaves = workload.leaves(record, beside)
        identities[record.key] = identity(record, workload.fresh(record.member), beside, leaves)
    return tuple(
        replace(vm, running=vm.identity.uid not in noted.stops)
        for vm in desire(workload.spec, workload.setting, identities, placement, state)
    )


def keys_made(instances: Collection[InstanceRecord]) -> frozenset[str]:
    """The instances that PVE is known to have had."""
    return frozenset(record.key for record in instances if record.active_since is not None)


def place_workload(
    workload: Workload, state: ClusterState, instances: Collection[InstanceRecord]
) -> Placement:
    """Raises Refused with the counted reasons where it does not fit."""
    others = approved_elsewhere(workload.desk, workload.record.key, workload.cluster)
    found = workload.placement(state, instances, others)
    if isinstance(found, NoFit):
        first, *more = found.faults
        raise Refused(first.code, *more, **first.values)
    return found


def identity(
    record: InstanceRecord,
    fresh: frozenset[str] = frozenset(),
    beside: Collection[Aside] = (),
    leaves: tuple[LeavingDisk, ...] = (),
) -> InstanceIdentity:
    """The ledger's record in the plan's words; `fresh` are disks that it may be without, `beside`
    what rests or comes to rest beside it, and `leaves` the disks that it shall not have."""
    return InstanceIdentity(
        uid=record.uid,
        vmid=record.vmid,
        name=record.name,
        nics={nic.network: NicIdentity(nic.mac, nic.address, nic.slot) for nic in record.nics},
        slots=record.slots,
        fresh=fresh,
        found=record.found,
        kept={one.disk: one.volume for one in beside if one.why is Why.REMOVED},
        leaves=leaves,
    )
