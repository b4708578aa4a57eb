"""Survey: read all clusters once and say how every instance stands."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloudpemda.apply.firewall import with_firewall
from cloudpemda.cluster import ClusterState, Freshness, Vm
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Unreachable
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestRecord, Stop
from cloudpemda.plan.diff import HALF_MADE, examine
from cloudpemda.plan.model import Plan, bounded
from cloudpemda.proxmox import NotFound, Pve, upid_works_on
from cloudpemda.recovery import Facts, Judgement, judge
from cloudpemda.report.oddities import is_stray, oddities, owned, strangers
from cloudpemda.report.standing import Finding, InstanceView, Reading, view
from cloudpemda.units import Instant, Seconds
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.plan import desired_of, keys_made, members_of
from cloudpemda.usecases.quota import QuotaLine, quota_lines
from cloudpemda.usecases.workload import Workload, cluster_settings, standing_placement

TOLERANCE = Seconds(60)
"""By how much the clocks of site and nodes may disagree before an age is not believed."""

_BUILT = frozenset(
    {InstanceState.CREATING, InstanceState.ACTIVE, InstanceState.CHANGING, InstanceState.STUCK}
)


_LIVING = frozenset({InstanceState.ACTIVE, InstanceState.CHANGING})


_UNASKED = Reading(None, {}, {}, (), unread=False)


@dataclass(frozen=True)
class Survey:
    """Every instance and quota line at one moment, and what could not be read."""

    at: Instant
    instances: tuple[InstanceView, ...]
    judgements: tuple[Judgement, ...]
    quota: tuple[QuotaLine, ...]
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]  # clusters of which something could not be read
    offline: bool = False  # no cluster was asked

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(one.fault for one in self.findings)

    @property
    def code(self) -> ExitCode:
        """Unreachable where something was not read, findings where something is not as it was
        made; a protection that is late is the night's to judge."""
        if self.unread:
            return ExitCode.UNREACHABLE
        return ExitCode.FINDINGS if self.findings else ExitCode.DONE


def survey(
    desk: Desk,
    *,
    opd: str | None = None,
    everywhere: bool = False,
    offline: bool = False,
    pictures: Pictures | None = None,
) -> Survey:
    """Read everything and change nothing. A cluster that cannot be read makes its instances
    `unknown` and stands in `findings`; it never raises for it. `offline` asks no cluster: all
    that they would say is unknown, and that is no finding. What `pictures` has is not read again.

    The clusters that instances are on are read; `everywhere`, all of the site: a copy of a VM may
    stand where none of ours shall be.
    """
    now = desk.clock.now()
    requests = {record.number: record for record in desk.ledger.requests.list(opd=opd)}
    records = desk.ledger.instances.list(opd=opd) if pictures is None else pictures.records
    stops = desk.ledger.stops.by_uid()
    clusters = {record.cluster for record in records}
    clusters |= set(desk.site.info.clusters) if everywhere else set()
    views: list[InstanceView] = []
    judgements: list[Judgement] = []
    findings: list[Finding] = []
    unread: list[str] = []
    for cluster in sorted(clusters):
        own = tuple(record for record in records if record.cluster == cluster)
        reading = _UNASKED if offline else _read(desk, cluster, own, requests, now, pictures)
        findings.extend(one for one in reading.strays if opd in (None, one.opd))
        findings.extend(reading.findings)
        unread += [cluster] if reading.unread else []
        judgements.extend(one for judged in reading.judgements.values() for one in judged)
        views.extend(
            _view(desk, record, requests[record.number], reading, stops.get(record.uid))
            for record in own
        )
    shown = [one for one in sorted(desk.site.opds) if opd in (None, one)]
    return Survey(
        at=now,
        instances=tuple(sorted(views, key=lambda one: one.key)),
        judgements=tuple(judgements),
        quota=quota_lines(desk, *shown),
        findings=tuple(findings),
        unread=tuple(unread),
        offline=offline,
    )


def _view(
    desk: Desk, record: InstanceRecord, request: RequestRecord, reading: Reading,
    stopped: Stop | None,
) -> InstanceView:  # fmt: skip
    name = request.spec.service_class
    known = desk.site.catalogue.service_classes.get(name)
    return view(record, request.key, name, known, reading, stopped)


def _read(
    desk: Desk,
    cluster: str,
    records: Collection[InstanceRecord],
    requests: Mapping[str, RequestRecord],
    now: Instant,
    pictures: Pictures | None,
) -> Reading:
    """One cluster: its state with our configurations, the age of our copies."""
    built = [record for record in records if record.state in _BUILT and record.node is not None]
    known = desk.ledger.instances.list(copies=True)
    ours = owned(cluster, known)

    def stray(vm: Vm) -> bool:
        return is_stray(vm, ours)

    try:
        cluster_settings(desk, cluster)
        pve = desk.cluster(cluster)
        if pictures is not None:
            state = pictures.of(cluster)
        else:
            state = pve.snapshot({record.vmid for record in built}, also=stray, images=False)
        freshness = _freshness(desk, state, built)
        locked = tuple(_stale_locks(pve, state, built))
    except CloudpemdaError as error:
        whole = Fault("survey.unread", {"cluster": cluster, "instances": len(built)})
        faults = (whole, *error.faults)
        return Reading(None, {}, {}, tuple(Finding(None, one) for one in faults), unread=True)
    plans, findings, unread = _plans(desk, cluster, built, requests, state)
    judged = {
        record.key: judgements
        for record in built
        if record.state in _LIVING
        and (judgements := _judge(desk, record, requests[record.number], state, freshness, now))
    }
    # what another apply has named since the first look is not a stranger
    known = (*known, *desk.ledger.instances.list(copies=True))
    strays = tuple(strangers(state, known))
    return Reading(
        state,
        plans,
        judged,
        (*oddities(state, built), *locked, *findings),
        unread=unread or bool(freshness.unread),
        strays=strays,
    )


def _freshness(desk: Desk, state: ClusterState, records: Collection[InstanceRecord]) -> Freshness:
    """What protects these instances: asked of the nodes that they are on, and of any node that
    answers and has the backup storage."""
    backup = desk.site.info.clusters[state.name].backup
    sources = {state.vms[record.vmid].node for record in records if record.vmid in state.vms}
    answering = sorted(node.name for node in state.nodes.values() if node.answers)
    through = [node for node in answering if backup and (node, backup) in state.storage_at]
    return desk.cluster(state.name).freshness(
        sources, [backup] if backup and records else [], through or answering
    )


def _stale_locks(
    pve: Pve, state: ClusterState, records: Collection[InstanceRecord]
) -> Iterator[Finding]:
    """Locks that nobody holds any more: no task of the node is at work on the VM, and it is still
    locked afterwards. A VM that is being made (`create`, `clone`) is the plan's to judge."""
    locked = {
        vm.vmid: vm
        for vm in (state.vms.get(record.vmid) for record in records)
        if vm is not None and vm.config is not None and vm.config.raw.get("lock")
    }
    running = {node: pve.running_tasks(node) for node in sorted({v.node for v in locked.values()})}
    for record in records:
        vm = locked.get(record.vmid)
        if vm is None or any(upid_works_on(one, vm.vmid) for one in running[vm.node]):
            continue
        try:
            lock = pve.config(vm.node, vm.vmid).raw.get("lock")
        except NotFound:  # moved since: whoever moved it was at work
            continue
        if lock and lock not in HALF_MADE:
            values = {"vm": record.key, "lock": bounded(lock), "node": vm.node, "vmid": vm.vmid}
            yield Finding(record.opd, Fault("survey.locked", values))


def _plans(
    desk: Desk,
    cluster: str,
    built: Collection[InstanceRecord],
    requests: Mapping[str, RequestRecord],
    state: ClusterState,
) -> tuple[Mapping[str, Plan], Sequence[Finding], bool]:
    """What differs from what was approved, per workload whose instances are all built; why others
    cannot be judged, and whether that is because something was not read."""
    plans: dict[str, Plan] = {}
    errors: list[tuple[RequestRecord, CloudpemdaError]] = []
    findings: list[Finding] = []
    for number in sorted({record.number for record in built}):
        request = requests[number]
        lived = request.spec if request.changing else None
        workload = Workload(desk, request.as_begun, cluster, lived)
        mine = members_of(workload.spec)
        own = tuple(one for one in built if one.number == number and one.member in mine)
        try:
            if len(own) < len(workload.usage):
                continue  # `apply` is not through: its state says so
            placement = standing_placement(cluster, own, state)
            desired = desired_of(workload, state, own, placement)
            seen = with_firewall(desk.cluster(cluster), state, desired)
        except CloudpemdaError as error:
            values = {"key": request.key, "vms": ", ".join(record.key for record in own)}
            findings.append(Finding(request.opd, Fault("survey.not-judged", values)))
            errors.append((request, error))
            continue
        plans[request.key], unjudged = examine(request.key, desired, seen, keys_made(own))
        errors.extend((request, error) for error in unjudged.values())
    findings.extend(_told(errors))
    return plans, findings, any(isinstance(error, Unreachable) for _, error in errors)


def _told(errors: Collection[tuple[RequestRecord, CloudpemdaError]]) -> Iterator[Finding]:
    for request, error in errors:
        for fault in error.faults:
            yield Finding(request.opd, fault)


def _judge(
    desk: Desk,
    record: InstanceRecord,
    request: RequestRecord,
    state: ClusterState,
    freshness: Freshness,
    now: Instant,
) -> tuple[Judgement, ...]:
    """The judgements of one instance; none where nobody knows what its class promises."""
    service_class = desk.site.catalogue.service_classes.get(request.spec.service_class)
    if service_class is None:
        return ()
    live = state.vms.get(record.vmid)
    facts = Facts(
        key=record.key,
        opd=record.opd,
        vmid=record.vmid,
        node=live.node if live is not None else None,
        made_at=record.active_since or now,
        backup_storage=desk.site.info.clusters[record.cluster].backup,
    )
    return judge(facts, freshness, now, service_class, TOLERANCE)
