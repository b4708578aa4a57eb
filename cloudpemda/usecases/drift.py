"""Drift: everything that differs from what was approved, whose it is, and who puts it right.

Each cluster is read once. Nothing on it is changed. Where an operator or the night asks, what a VM
uses beyond its approval is charged in the ledger, and the addresses of strangers are noted.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cloudpemda.apply.firewall import with_firewall
from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, Unreachable
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    Overgrown,
    RequestRecord,
    RequestState,
)
from cloudpemda.plan.diff import carries
from cloudpemda.plan.model import DesiredVm
from cloudpemda.plan.pve_config import backup_job_name
from cloudpemda.report.drift import (
    Deviation,
    DriftClass,
    InstanceDrift,
    blocks,
    compare,
    instance_drift,
    overage_of,
    pending,
)
from cloudpemda.report.nobodys import Known, Territory, Unowned, intruders, jobs, unowned
from cloudpemda.report.oddities import is_stray, oddities, owned, strangers
from cloudpemda.report.standing import Finding
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Balance, Usage, usage_of
from cloudpemda.units import Instant
from cloudpemda.usecases.addresses import conflicts, note_sightings
from cloudpemda.usecases.desk import Desk, Scope, require_opd
from cloudpemda.usecases.handover import open_fault, unfinished
from cloudpemda.usecases.noted import noted_of
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.plan import desired_of, keys_made
from cloudpemda.usecases.workload import (
    Workload,
    cluster_settings,
    kind_of,
    spec_in_force,
    standing_placement,
)

_BUILT = frozenset({InstanceState.ACTIVE, InstanceState.STUCK})
_RESTING = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


@dataclass(frozen=True)
class Drift:
    """What differs at one moment, and what could not be compared."""

    at: Instant
    instances: tuple[InstanceDrift, ...]  # those that differ, gravest first
    compared: int  # VMs that were compared
    underway: tuple[str, ...]  # workloads that `apply` is not through with: not compared
    unknown: tuple[str, ...]  # instances of which nobody can say how they are
    unowned: tuple[Unowned, ...]  # guests that stand in no ledger
    charged: tuple[str, ...]  # instances whose charge for growth by hand has changed by this look
    findings: tuple[Finding, ...]  # beside the instances
    unread: tuple[str, ...]  # clusters of which something could not be read

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What a person must know; what `apply` puts right stands with the instances alone."""
        by_hand = [
            deviation.fault
            for one in self.instances
            for deviation in one.deviations
            if deviation.fault is not None
        ]
        return (*by_hand, *(one.fault for one in self.findings))

    @property
    def code(self) -> ExitCode:
        if self.unread or self.unknown:
            return ExitCode.UNREACHABLE
        return ExitCode.FINDINGS if self.instances or self.findings else ExitCode.DONE


@dataclass(frozen=True)
class _Look:
    """One cluster, as far as it could be read."""

    instances: tuple[InstanceDrift, ...] = ()
    grown: tuple[Overgrown, ...] = ()
    compared: int = 0
    underway: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unowned: tuple[Unowned, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: bool = False


def drift(desk: Desk, keys: Sequence[str] = (), *, opd: str | None = None) -> Drift:
    """What differs of everything that the person may see, of one OPD, or of the named workloads
    (`dinkes/simrs`) and instances (`dinkes/simrs/db-1`).

    An operator's look charges growth by hand; others only read. Raises Refused `desk.scope`,
    `drift.no-key`, UsageError `look.opd`. A cluster that cannot be read makes its VMs unknown; it
    never raises for it.
    """
    scope = desk.scope()
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    for key in keys:
        scope.require(key.partition("/")[0])
        _require_key(desk, key)
    try:
        actor: Actor | None = desk.act("operator")
    except Refused:
        actor = None
    return _drift(desk, scope, keys, opd, actor)


def drift_of_site(desk: Desk, actor: Actor, pictures: Pictures) -> Drift:
    """The same of everything, whoever asks: for the night."""
    return _drift(desk, Scope(desk.login, None), (), None, actor, pictures)


def _require_key(desk: Desk, key: str) -> None:
    workload = "/".join(key.split("/")[:2])
    if not any(key in (workload, one.key) for one in desk.ledger.instances.list(workload=workload)):
        raise Refused("drift.no-key", key=key)


def _drift(
    desk: Desk,
    scope: Scope,
    keys: Sequence[str],
    opd: str | None,
    actor: Actor | None,
    pictures: Pictures | None = None,
) -> Drift:
    now = desk.clock.now()
    records = desk.ledger.instances.list() if pictures is None else pictures.records
    chosen = [
        record
        for record in records
        if scope.covers(record.opd)
        and opd in (None, record.opd)
        and (not keys or any(_names(key, record) for key in keys))
    ]
    everything = scope.opds is None and opd is None and not keys
    clusters = {record.cluster for record in chosen}
    clusters |= set(desk.site.info.clusters) if everything else set()
    looks = {
        cluster: _Reading(desk, cluster, records, chosen, everything, actor, pictures).look()
        for cluster in sorted(clusters)
    }
    grown = [one for look in looks.values() for one in look.grown]
    charged = () if actor is None else desk.ledger.overages.note(grown, actor)
    findings = [one for look in looks.values() for one in look.findings]
    findings += conflicts(desk) if not keys else []
    findings += _handed(desk, {record.number for record in chosen})
    return Drift(
        at=now,
        instances=tuple(sorted((i for look in looks.values() for i in look.instances), key=_order)),
        compared=sum(look.compared for look in looks.values()),
        underway=tuple(key for look in looks.values() for key in look.underway),
        unknown=tuple(sorted(key for look in looks.values() for key in look.unknown)),
        unowned=tuple(one for look in looks.values() for one in look.unowned),
        charged=charged,
        findings=tuple(
            one
            for one in findings
            if (scope.opds is None if one.opd is None else scope.covers(one.opd))
            and (opd is None or one.opd == opd)
        ),
        unread=tuple(cluster for cluster, look in looks.items() if look.unread),
    )


def _handed(desk: Desk, numbers: Collection[str]) -> Iterator[Finding]:
    """Workloads that have changed their OPD in the ledger, and not everywhere else."""
    for number in sorted(unfinished(desk) & set(numbers)):
        record = desk.ledger.requests.get(number)
        yield Finding(record.opd, open_fault(record))


def _names(key: str, record: InstanceRecord) -> bool:
    return key in (record.key, record.key.rpartition("/")[0])


_GRAVITY = {drift: place for place, drift in enumerate(DriftClass)}


def _order(one: InstanceDrift) -> tuple[int, str]:
    return -_GRAVITY[one.drift], one.key


class _Reading:
    """One cluster that is read once."""

    def __init__(
        self,
        desk: Desk,
        cluster: str,
        records: Sequence[InstanceRecord],
        chosen: Sequence[InstanceRecord],
        everything: bool,
        actor: Actor | None,
        pictures: Pictures | None,
    ) -> None:
        self._desk = desk
        self._pictures = pictures
        self._cluster = cluster
        self._everything = everything
        self._actor = actor
        self._before = records
        self._chosen = [r for r in chosen if r.cluster == cluster]
        self._requests = {r.number: r for r in desk.ledger.requests.list()}
        self._built = [
            r for r in records if r.cluster == cluster and r.state in _BUILT and r.node is not None
        ]

        self._resting = [r for r in self._chosen if r.state in _RESTING and r.node is not None]

    def look(self) -> _Look:
        built = [r for r in self._built if self._everything or self._of_chosen(r)]
        keys = {record.key for record in self._chosen}
        try:
            cluster_settings(self._desk, self._cluster)
            state = self._read(built)
        except CloudpemdaError as error:
            whole = Fault("survey.unread", {"cluster": self._cluster, "instances": len(built)})
            faults = (whole, *error.faults)
            return _Look(
                findings=tuple(Finding(None, one) for one in faults),
                unknown=tuple(record.key for record in built if record.key in keys),
                unread=True,
            )
        return self._judge(state, built, keys)

    def _of_chosen(self, record: InstanceRecord) -> bool:
        """Whole workloads are compared: the rules that keep VMs apart concern several."""
        return any(one.number == record.number for one in self._chosen)

    def _read(self, built: Collection[InstanceRecord]) -> ClusterState:
        if self._pictures is not None:
            return self._pictures.of(self._cluster)
        ours = owned(self._cluster, self._before)
        known = {r.vmid for r in self._before if r.cluster == self._cluster}

        def also(vm: Vm) -> bool:
            foreign = vm.vmid not in known and not vm.template and not vm.container
            return is_stray(vm, ours) or (self._everything and foreign)

        vmids = {record.vmid for record in (*built, *self._resting)}
        return self._desk.cluster(self._cluster).snapshot(vmids, also=also, images=False)

    def _judge(
        self, state: ClusterState, built: Collection[InstanceRecord], keys: Collection[str]
    ) -> _Look:
        desk = self._desk
        deviations: dict[str, list[Deviation]] = {}
        usages: dict[str, Usage] = {}
        grown: list[Overgrown] = []
        findings: list[Finding] = []
        unknown: list[str] = []
        judged: list[DesiredVm] = []
        underway: list[str] = []
        unread = False
        noted = noted_of(desk, built)
        for request, own in self._workloads(built):
            try:
                workload = Workload(desk, request, self._cluster)
                lives = request.state is RequestState.ACTIVE and not request.changing
                if not lives or len(own) < len(workload.usage):
                    underway.append(request.key)
                    continue
                placement = standing_placement(self._cluster, own, state)
                desired = desired_of(workload, state, own, placement, noted)
                if self._pictures is None:
                    guarded = with_firewall(desk.cluster(self._cluster), state, desired)
                else:
                    guarded = self._pictures.guarded(self._cluster, desired)
            except CloudpemdaError as error:
                values = {"key": request.key, "vms": ", ".join(record.key for record in own)}
                findings.append(Finding(request.opd, Fault("survey.not-judged", values)))
                findings.extend(Finding(request.opd, fault) for fault in error.faults)
                unknown.extend(record.key for record in own)
                continue
            seen = tuple(self._overgrown(state, request, own, workload, request.spec))
            usages |= {one.key: one.more for one in seen}
            grown.extend(seen)
            found, errors = compare(request.key, desired, guarded, keys_made(own), usages)
            for why in errors.values():
                findings.extend(Finding(request.opd, fault) for fault in why.faults)
                unread = unread or isinstance(why, Unreachable)
            unknown.extend(errors)
            judged.extend(vm for vm in desired if vm.key not in errors)
            deviations |= {key: list(several) for key, several in found.items()}
        grown.extend(self._overgrown_at_rest(state))
        for key, one in pending(state, [r for r in built if r.key in deviations]):
            deviations[key].append(one)
        known = self._known(judged)
        if self._everything:
            findings.extend(self._of_the_site(state, known))
        return _Look(
            instances=tuple(self._instances(state, deviations, usages, keys)),
            grown=tuple(one for one in grown if one.key in keys),
            compared=sum(key in keys for key in deviations),
            underway=tuple(underway),
            unknown=tuple(key for key in unknown if key in keys),
            unowned=unowned(state, known) if self._everything else (),
            findings=tuple(findings),
            unread=unread,
        )

    def _workloads(
        self, built: Collection[InstanceRecord]
    ) -> Iterator[tuple[RequestRecord, tuple[InstanceRecord, ...]]]:
        for number in sorted({record.number for record in built}):
            request = self._requests[number]
            mine = {member for vm in request.spec.vms for member in vm.members}
            own = tuple(one for one in built if one.number == number and one.member in mine)
            yield request, own

    @cached_property
    def _charges(self) -> Mapping[str, Mapping[str, Balance]]:
        """What each VM here is charged, as it was before this look charges anything."""
        return self._desk.ledger.quota.by_instance({one.opd for one in self._before})

    def _overgrown_at_rest(self, state: ClusterState) -> Iterator[Overgrown]:
        """The same of what is in quarantine: it is compared with nothing, and takes its room."""
        for record in self._resting:
            request = self._requests[record.number]
            try:
                workload = Workload(self._desk, request, self._cluster)
                by = spec_in_force(self._desk, request, record.member)
                yield from self._overgrown(state, request, [record], workload, by)
            except CloudpemdaError:  # the site has lost its class: its charge stays
                continue

    def _overgrown(
        self,
        state: ClusterState,
        request: RequestRecord,
        own: Collection[InstanceRecord],
        workload: Workload,
        by: WorkloadSpec,
    ) -> Iterator[Overgrown]:
        """What each VM of ours that was read uses beyond what was approved; nothing, too. What it
        is charged for until it is restarted, or holds for a change, is not charged once more."""
        charges = self._charges
        service_class = workload.setting.service_class(by.service_class)
        classes = workload.setting.settings.storages
        for record in own:
            live = state.vms.get(record.vmid)
            if live is None or live.config is None:
                continue
            if not carries(live.config, record.identity):
                continue
            spec = kind_of(by, record.member)
            more = overage_of(state, live, spec, service_class, classes)
            promised = usage_of(spec, service_class)
            beyond = {
                name: one.charged - promised.get(name, 0)
                for name, one in charges.get(record.key, {}).items()
            }
            yield Overgrown(
                uid=record.uid,
                key=record.key,
                opd=record.opd,
                number=record.number,
                revision=request.revision,
                more={
                    name: value - max(0, beyond.get(name, 0))
                    for name, value in more.items()
                    if value > beyond.get(name, 0)
                },
            )

    def _instances(
        self,
        state: ClusterState,
        deviations: Mapping[str, Sequence[Deviation]],
        usages: Mapping[str, Usage],
        keys: Collection[str],
    ) -> Iterator[InstanceDrift]:
        blocked = {
            key.rpartition("/")[0] for key, own in deviations.items() if any(map(blocks, own))
        }
        for record in self._chosen:
            own = deviations.get(record.key, ())
            if own and record.key in keys:
                yield instance_drift(
                    record,
                    own,
                    state.vms.get(record.vmid),
                    usages.get(record.key, {}),
                    blocked=record.key.rpartition("/")[0] in blocked,
                )

    def _known(self, judged: Sequence[DesiredVm]) -> Known:
        """What another apply has named since the first look is no stranger."""
        desk = self._desk
        places = {opd: Territory(f.opd.pool, f.opd.vmid_range) for opd, f in desk.site.opds.items()}
        return Known(
            records=(*self._before, *desk.ledger.instances.list(copies=True)),
            judged=tuple(judged),
            territories=places,
            jobs=frozenset(map(backup_job_name, desk.site.catalogue.service_classes)),
        )

    def _of_the_site(self, state: ClusterState, known: Known) -> Iterator[Finding]:
        if self._actor is not None:
            note_sightings(self._desk, state, self._actor)
        yield from oddities(state, ())
        yield from strangers(state, known.records)
        yield from intruders(state, known)
        yield from jobs(state, known)
