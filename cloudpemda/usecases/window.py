"""The nightly window: whether backups and replications fit into it, by what they took last time.

Reads task lists, replication states and the backups' own times, and writes nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.cluster import ClusterState, Freshness
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestRecord
from cloudpemda.recovery.window import (
    DAY,
    Duty,
    Lane,
    Load,
    Window,
    bounded_below,
    durations,
    loads,
    runs_within,
)
from cloudpemda.report.standing import Finding, Looked
from cloudpemda.site.models import BackupPolicy
from cloudpemda.units import Instant, show_duration
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.workload import cluster_settings, kind_of, spec_in_force

_HOUR = 3600
_LOOK_BACK = timedelta(days=8)  # a weekly backup has run in it
_MIB = 1024 * 1024


@dataclass(frozen=True)
class ClusterLoad:
    """One node's work in the window."""

    cluster: str
    load: Load


@dataclass(frozen=True)
class Windows(Looked):
    """All nodes' work, and what could not be read."""

    at: Instant
    opens: str  # HH:MM in the site's zone
    closes: str
    loads: tuple[ClusterLoad, ...]
    outside: tuple[str, ...]  # VMs whose backups all begin outside of the window
    others: tuple[Finding, ...] = ()

    @property
    def own_findings(self) -> tuple[Finding, ...]:
        """What does not fit, with what would; what nobody has measured yet is no finding."""
        over = (one for one in self.loads if one.load.spread is not None)
        return tuple(Finding(None, _fault(one)) for one in over)

    @property
    def code(self) -> ExitCode:
        if self.others:
            return ExitCode.UNREACHABLE
        return ExitCode.FINDINGS if self.findings else ExitCode.DONE


def window_now(desk: Desk) -> Windows:
    """Whether the night fits. For everybody who looks after the whole site; raises Refused by
    role."""
    desk.act("operator", "reviewer", "approver", "auditor")
    return window(desk, Pictures(desk))


def window(desk: Desk, pictures: Pictures) -> Windows:
    """The same for whoever asks. A cluster that cannot be read is told, and hides no other."""
    settings = desk.site.info.window
    span = window_of(settings.from_, settings.until)
    found: list[ClusterLoad] = []
    outside: list[str] = []
    others: list[Finding] = []
    requests = {one.number: one for one in desk.ledger.requests.list()}
    by_cluster: dict[str, list[InstanceRecord]] = {}
    for record in pictures.records:
        if record.state is InstanceState.ACTIVE:
            by_cluster.setdefault(record.cluster, []).append(record)
    for cluster, own in sorted(by_cluster.items()):
        reckoning = _Reckoning(desk, cluster, own, requests, span)
        try:
            cluster_settings(desk, cluster)
            duties = reckoning.duties(pictures.of(cluster), pictures.freshness(cluster))
        except CloudpemdaError as error:
            whole = Fault("survey.unread", {"cluster": cluster, "instances": len(own)})
            others += [Finding(None, fault) for fault in (whole, *error.faults)]
            continue
        found += [ClusterLoad(cluster, one) for one in loads(duties, span)]
        outside += reckoning.outside
    return Windows(
        at=desk.clock.now(),
        opens=settings.from_,
        closes=settings.until,
        loads=tuple(found),
        outside=tuple(sorted(outside)),
        others=tuple(others),
    )


def window_of(opens: str, closes: str) -> Window:
    """The window from one time of day to another."""
    first, last = _seconds(opens), _seconds(closes)
    return Window(first, (last - first) % DAY)


class _Reckoning:
    """What the nodes of one cluster have to do."""

    def __init__(
        self,
        desk: Desk,
        cluster: str,
        records: Sequence[InstanceRecord],
        requests: Mapping[str, RequestRecord],
        span: Window,
    ) -> None:
        self._desk = desk
        self._cluster = cluster
        self._records = records
        self._span = span
        self._requests = requests
        self.outside: list[str] = []

    def duties(self, state: ClusterState, fresh: Freshness) -> tuple[Duty, ...]:
        homes = {
            one.vmid: state.vms[one.vmid].node for one in self._records if one.vmid in state.vms
        }
        sources = {node for node in homes.values() if state.nodes[node].answers}
        took = last_took(self._desk, self._cluster, fresh, homes, sources)
        return tuple(
            duty
            for record in self._records
            if homes.get(record.vmid) in sources
            for duty in (*self._backup(record, homes, took), *self._replications(record, fresh))
        )

    def _backup(
        self, record: InstanceRecord, homes: Mapping[int, str], took: Mapping[int, int]
    ) -> Iterator[Duty]:
        spec = spec_in_force(self._desk, self._requests[record.number], record.member)
        known = self._desk.site.catalogue.service_classes.get(spec.service_class)
        if known is None or known.backup is None:
            return
        starts = starts_within(known.backup, self._span)
        if not starts:
            self.outside.append(record.key)
            return
        disks = kind_of(spec, record.member).disks
        size = sum(disk.size for disk in disks if disk.protect) * _MIB
        bandwidth = self._desk.site.info.window.bandwidth
        # a first backup sends everything; of a later one only its own time is known
        measured = took.get(record.vmid)
        each = bounded_below(
            measured, size if measured is None else None, bandwidth and bandwidth * _MIB
        )
        yield Duty(
            record.key,
            homes[record.vmid],
            Lane.BACKUP,
            None if each is None else each * len(starts),
            min(starts),
        )

    def _replications(self, record: InstanceRecord, fresh: Freshness) -> Iterator[Duty]:
        spec = spec_in_force(self._desk, self._requests[record.number], record.member)
        known = self._desk.site.catalogue.service_classes.get(spec.service_class)
        if known is None or known.replication is None:
            return
        runs = runs_within(known.replication.every, self._span.length)
        for run in fresh.replication.values():
            if run.vmid == record.vmid:
                measured = None if run.last_sync is None else run.duration
                each = bounded_below(measured, None, None)
                seconds = None if each is None else each * runs
                yield Duty(f"{record.key} ({run.id})", run.source, Lane.REPLICATION, seconds)


def last_took(
    desk: Desk,
    cluster: str,
    fresh: Freshness,
    homes: Mapping[int, str],
    sources: Collection[str],
) -> Mapping[int, int]:
    """How long the last backup of each VM took, by VMID, of VMs whose homes are given."""
    pve, since = desk.cluster(cluster), desk.clock.now() - _LOOK_BACK
    found: dict[int, int] = {}
    for node in sorted(sources):
        try:
            listed = pve.backup_tasks(node, Instant(since))
        except CloudpemdaError:  # the survey says so; here it has not been measured
            continue
        tasks = [(int(first.timestamp()), int(last.timestamp())) for first, last in listed]
        begun = {
            str(vmid): [int(one.taken_at.timestamp()) for one in fresh.backups.get(vmid, ())]
            for vmid, home in homes.items()
            if home == node
        }
        found |= {int(vmid): seconds for vmid, seconds in durations(tasks, begun).items()}
    return found


def starts_within(policy: BackupPolicy, span: Window) -> tuple[int, ...]:
    """When the backups of one night begin, as `plan.schedule` has PVE begin them."""
    first = _seconds(policy.at)
    if policy.every >= DAY:
        moments = [first]
    elif policy.every >= 2 * _HOUR:
        moments = [(first + n) % DAY for n in range(0, DAY, policy.every // _HOUR * _HOUR)]
    else:
        return tuple(range(0, span.length, policy.every))
    offsets = (span.offset(moment) for moment in moments)
    return tuple(sorted(one for one in offsets if one is not None))


def _seconds(time_of_day: str) -> int:
    hours, _, minutes = time_of_day.partition(":")
    return int(hours) * _HOUR + int(minutes) * 60


def _fault(one: ClusterLoad) -> Fault:
    """What would fit, in the words of the finding."""
    load, spread = one.load, one.load.spread
    assert spread is not None  # noqa: S101 - only of what does not fit
    values: dict[str, object] = {
        "node": f"{one.cluster}/{load.node}",
        "lane": load.lane.value,
        "duties": load.duties,
        "needs": show_duration(load.ends),
        "window": show_duration(load.length),
        "hours": f"{spread.hours:g}",
        "longest": show_duration(load.longest),
    }
    if spread.start is not None:
        return Fault("window.late", values | {"start": spread.start})
    if spread.nodes is None:
        return Fault("window.too-long", values)
    parts = " + ".join(map(str, spread.nodes))
    return Fault("window.full", values | {"nodes": len(spread.nodes), "parts": parts})
