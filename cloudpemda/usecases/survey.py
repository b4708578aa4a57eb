"""Survey: read all clusters once and say how every instance stands."""

from collections.abc import Collection
from dataclasses import dataclass

from cloudpemda.cluster import ClusterState, Freshness
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Unreachable
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestRecord
from cloudpemda.plan.diff import examine
from cloudpemda.plan.model import Plan
from cloudpemda.recovery import Facts, Judgement, judge
from cloudpemda.report.standing import InstanceView, Reading, view
from cloudpemda.units import Instant, Seconds
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.look import QuotaLine, quota_lines
from cloudpemda.usecases.plan import desired_of, keys_made
from cloudpemda.usecases.workload import Workload, standing_placement

TOLERANCE = Seconds(60)
"""By how much the clocks of site and nodes may disagree before an age is not believed."""

_BUILT = frozenset(
    {InstanceState.CREATING, InstanceState.ACTIVE, InstanceState.CHANGING, InstanceState.STUCK}
)


@dataclass(frozen=True)
class Survey:
    """Every instance and quota line at one moment, and what could not be read."""

    at: Instant
    instances: tuple[InstanceView, ...]
    judgements: tuple[Judgement, ...]
    quota: tuple[QuotaLine, ...]
    faults: tuple[Fault, ...]
    unread: tuple[str, ...]  # clusters of which something could not be read

    @property
    def code(self) -> ExitCode:
        """Unreachable where something was not read, findings where something is not as it was
        made; a protection that is late is the night's to judge."""
        if self.unread:
            return ExitCode.UNREACHABLE
        return ExitCode.FINDINGS if self.faults else ExitCode.DONE


def survey(desk: Desk, *, opd: str | None = None) -> Survey:
    """Read everything and change nothing. A cluster that cannot be read makes its instances
    `unknown` and stands in `faults`; it never raises for it."""
    now = desk.clock.now()
    requests = {record.number: record for record in desk.ledger.requests.list(opd=opd)}
    records = desk.ledger.instances.list(opd=opd)
    views: list[InstanceView] = []
    judgements: list[Judgement] = []
    faults: list[Fault] = []
    unread: list[str] = []
    for cluster in sorted({record.cluster for record in records}):
        own = tuple(record for record in records if record.cluster == cluster)
        reading = _read(desk, cluster, own, requests, now)
        faults.extend(reading.faults)
        unread += [cluster] if reading.unread else []
        judgements.extend(one for judged in reading.judgements.values() for one in judged)
        views.extend(_view(desk, record, requests[record.number], reading) for record in own)
    return Survey(
        at=now,
        instances=tuple(sorted(views, key=lambda one: one.key)),
        judgements=tuple(judgements),
        quota=quota_lines(desk, *([opd] if opd else [])),
        faults=tuple(faults),
        unread=tuple(unread),
    )


def _view(
    desk: Desk, record: InstanceRecord, request: RequestRecord, reading: Reading
) -> InstanceView:
    name = request.spec.service_class
    return view(record, request.key, name, desk.site.catalogue.service_classes[name], reading)


def _read(
    desk: Desk,
    cluster: str,
    records: Collection[InstanceRecord],
    requests: dict[str, RequestRecord],
    now: Instant,
) -> Reading:
    """One cluster: its state with our configurations, the age of our copies."""
    built = [record for record in records if record.state in _BUILT and record.node is not None]
    settings = desk.site.info.clusters[cluster]
    try:
        pve = desk.cluster(cluster)
        state = pve.snapshot(configs_for={record.vmid for record in built}, images=False)
        storages = [settings.backup] if settings.backup else []
        freshness = pve.freshness(_source_nodes(state, built), storages)
    except CloudpemdaError as error:
        whole = Fault("survey.unread", {"cluster": cluster, "instances": len(built)})
        return Reading(None, {}, {}, (whole, *error.faults), unread=True)
    plans, errors = _plans(desk, cluster, built, requests, state)
    judged = {
        record.key: _judge(desk, record, requests[record.number], state, freshness, now)
        for record in built
        if record.state is InstanceState.ACTIVE
    }
    faults = tuple(fault for error in errors for fault in error.faults)
    unread = any(isinstance(error, Unreachable) for error in errors)
    return Reading(state, plans, judged, faults, unread=unread or bool(freshness.unread))


def _source_nodes(state: ClusterState, records: Collection[InstanceRecord]) -> frozenset[str]:
    return frozenset(state.vms[record.vmid].node for record in records if record.vmid in state.vms)


def _plans(
    desk: Desk,
    cluster: str,
    built: Collection[InstanceRecord],
    requests: dict[str, RequestRecord],
    state: ClusterState,
) -> tuple[dict[str, Plan], list[CloudpemdaError]]:
    """What differs from what was approved, per workload whose instances are all built."""
    plans: dict[str, Plan] = {}
    errors: list[CloudpemdaError] = []
    for number in sorted({record.number for record in built}):
        workload = Workload(desk, requests[number], cluster)
        own = tuple(record for record in built if record.number == number)
        if len(own) < len(workload.usage):
            continue  # `apply` is not through: its state says so
        try:
            placement = standing_placement(cluster, own, state)
            desired = desired_of(workload, state, own, placement)
        except CloudpemdaError as error:
            errors.append(error)
            continue
        plan, unjudged = examine(workload.spec.key, desired, state, keys_made(own))
        plans[workload.spec.key] = plan
        errors.extend(unjudged.values())
    return plans, errors


def _judge(
    desk: Desk,
    record: InstanceRecord,
    request: RequestRecord,
    state: ClusterState,
    freshness: Freshness,
    now: Instant,
) -> tuple[Judgement, Judgement]:
    live = state.vms.get(record.vmid)
    facts = Facts(
        key=record.key,
        opd=record.opd,
        vmid=record.vmid,
        node=live.node if live is not None else None,
        made_at=record.active_since or now,
        backup_storage=desk.site.info.clusters[record.cluster].backup,
    )
    service_class = desk.site.catalogue.service_classes[request.spec.service_class]
    return judge(facts, freshness, now, service_class, TOLERANCE)
