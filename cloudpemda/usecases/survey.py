"""Survey: read all clusters once and say how every instance stands."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloudpemda.apply.firewall import with_firewall
from cloudpemda.cluster import ClusterState, Freshness, Vm
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Unreachable
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestRecord, Stop
from cloudpemda.plan.diff import HALF_MADE, examine
from cloudpemda.plan.model import PlannedVm, bounded
from cloudpemda.proxmox import NotFound, Pve, upid_works_on
from cloudpemda.recovery import Facts, Judgement, judge, judge_backup
from cloudpemda.report.oddities import is_stray, oddities, owned, strangers
from cloudpemda.report.standing import Finding, InstanceView, Reading, view
from cloudpemda.units import Instant
from cloudpemda.usecases.away import TOLERANCE, Away, skews
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.noted import noted_of
from cloudpemda.usecases.pictures import BUILT, Pictures, answering, freshness_of
from cloudpemda.usecases.plan import desired_of, keys_made, members_of
from cloudpemda.usecases.quota import QuotaLine, quota_lines
from cloudpemda.usecases.vm_roles import findings as role_findings
from cloudpemda.usecases.workload import Workload, cluster_settings, standing_placement

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

    The clusters that instances are on are read; `everywhere`, all of the site, and every clock: a
    copy of a VM may stand where none of ours shall be.
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
    away, nodes = Away(desk), dict[str, tuple[str, ...]]()
    for cluster in sorted(clusters):
        own = tuple(record for record in records if record.cluster == cluster)
        reading = _UNASKED
        if not offline:
            reading = _read(desk, cluster, own, requests, now, away, pictures)
        nodes[cluster] = answering(reading.state)
        findings.extend(one for one in reading.strays if opd in (None, one.opd))
        findings.extend(reading.findings)
        unread += [cluster] if reading.unread else []
        judgements.extend(one for judged in reading.judgements.values() for one in judged)
        views.extend(
            _view(desk, record, requests[record.number], reading, stops.get(record.uid))
            for record in own
        )
    findings.extend(role_findings(desk, records, requests))
    findings.extend(away.findings)
    findings.extend(skews(desk, nodes) if everywhere and not offline else ())
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
    away: Away,
    pictures: Pictures | None,
) -> Reading:
    """One cluster: its state with our configurations, the age of our copies, here and away."""
    built = [record for record in records if record.state in BUILT and record.node is not None]
    known = desk.ledger.instances.list(copies=True) if pictures is None else pictures.known
    ours = owned(cluster, known)

    def stray(vm: Vm) -> bool:
        return is_stray(vm, ours)

    try:
        cluster_settings(desk, cluster)
        pve = desk.cluster(cluster)
        if pictures is not None:
            state, freshness = pictures.of(cluster), pictures.freshness(cluster)
        else:
            state = pve.snapshot({record.vmid for record in built}, also=stray, images=False)
            freshness = freshness_of(desk, state, built)
        freshness = away.added(freshness, cluster) if built else freshness
        locked = tuple(_stale_locks(pve, state, built))
    except CloudpemdaError as error:
        whole = Fault("survey.unread", {"cluster": cluster, "instances": len(built)})
        told = tuple(Finding(None, one) for one in (whole, *error.faults))
        if cluster not in desk.site.info.clusters:
            return Reading(None, {}, {}, told, unread=True)
        blind = away.added(_nothing_read(desk, cluster), cluster)
        judged, backups = _judged(desk, built, requests, None, blind, now)
        return Reading(None, {}, judged, told, unread=True, backups=backups)
    plans, findings, unread = _plans(desk, built, requests, state, pictures)
    judged, backups = _judged(desk, built, requests, state, freshness, now)
    # what another apply has named since the first look is not a stranger
    known = (*known, *desk.ledger.instances.list(copies=True))
    strays = tuple(strangers(state, known))
    return Reading(
        state,
        plans,
        judged,
        (*oddities(state, built), *locked, *_unread(cluster, freshness), *findings),
        unread=unread or bool(freshness.unread),
        strays=strays,
        backups=backups,
    )


def _nothing_read(desk: Desk, cluster: str) -> Freshness:
    return Freshness({}, {}, (f"storage/{desk.site.info.clusters[cluster].backup}",))


def _unread(cluster: str, freshness: Freshness) -> Iterator[Finding]:
    """Storages whose backups nobody could list; a node is told by what it hides, a server once."""
    for what in freshness.unread:
        kind, _, name = what.partition("/")
        if kind == "storage":
            yield Finding(
                None, Fault("survey.storage-unread", {"cluster": cluster, "storage": name})
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
    built: Collection[InstanceRecord],
    requests: Mapping[str, RequestRecord],
    state: ClusterState,
    pictures: Pictures | None,
) -> tuple[Mapping[str, Sequence[PlannedVm]], Sequence[Finding], bool]:
    """What differs from what was approved, per workload whose instances are all built; why others
    cannot be judged, and whether that is because something was not read."""
    cluster = state.name
    plans: dict[str, Sequence[PlannedVm]] = {}
    errors: list[tuple[RequestRecord, CloudpemdaError]] = []
    findings: list[Finding] = []
    noted = noted_of(desk, built)
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
            desired = desired_of(workload, state, own, placement, noted)
            if pictures is None:
                seen = with_firewall(desk.cluster(cluster), state, desired)
            else:
                seen = pictures.guarded(cluster, desired)
        except CloudpemdaError as error:
            values = {"key": request.key, "vms": ", ".join(record.key for record in own)}
            findings.append(Finding(request.opd, Fault("survey.not-judged", values)))
            errors.append((request, error))
            continue
        plans[request.key], unjudged = examine(desired, seen, keys_made(own))
        errors.extend((request, error) for error in unjudged.values())
    findings.extend(_told(errors))
    return plans, findings, any(isinstance(error, Unreachable) for _, error in errors)


def _told(errors: Collection[tuple[RequestRecord, CloudpemdaError]]) -> Iterator[Finding]:
    for request, error in errors:
        for fault in error.faults:
            yield Finding(request.opd, fault)


def _judged(
    desk: Desk,
    built: Collection[InstanceRecord],
    requests: Mapping[str, RequestRecord],
    state: ClusterState | None,
    freshness: Freshness,
    now: Instant,
) -> tuple[Mapping[str, Sequence[Judgement]], Mapping[str, Judgement]]:
    """By instance: node and site loss, and its backups where they are made. Of a cluster that could
    not be read nobody knows its replicas; what lies at the recovery centre is judged all the same.
    """
    judged, backups = dict[str, Sequence[Judgement]](), dict[str, Judgement]()
    for record in built:
        name = requests[record.number].spec.service_class
        known_class = desk.site.catalogue.service_classes.get(name)
        if record.state not in _LIVING or known_class is None:
            continue  # nobody knows what a class promises that is no more
        facts = facts_of(desk, record, state, now)
        judged[record.key] = judge(facts, freshness, now, known_class, TOLERANCE)
        backups[record.key] = judge_backup(facts, freshness, now, known_class, TOLERANCE)
    return judged, backups


def facts_of(desk: Desk, record: InstanceRecord, state: ClusterState | None, now: Instant) -> Facts:
    """What the judgement of its recovery points needs of an instance."""
    live = state.vms.get(record.vmid) if state is not None else None
    info = desk.site.info
    return Facts(
        key=record.key,
        opd=record.opd,
        vmid=record.vmid,
        node=live.node if live is not None else None,
        made_at=record.active_since or now,
        backup_storage=info.clusters[record.cluster].backup,
        recovery_server=info.recovery_server_of(record.cluster),
        recovery_nodes=frozenset(info.clusters[record.cluster].drc_nodes),
    )
