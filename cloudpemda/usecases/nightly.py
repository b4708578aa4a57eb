"""Nightly: read everything, judge by age, report each breach by OPD, tell the monitors.

On the clusters it does what time has made due: workloads whose lease and grace are over are
stopped, those whose quarantine is over are purged, and what those left behind is cleaned. Of the
ledger it changes with that only what time itself ends, holds and requests that nobody decided, what
a rule of the site approves without a person, the charges of VMs that run smaller since a change,
and of those that were grown by hand; and it keeps the limits that it sees in the site's files, and
what it has announced. Its last step is a sealed copy of the ledger, where site.yaml asks for
copies.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused
from cloudpemda.ledger import SYSTEM, Drain, InstanceState, RequestState
from cloudpemda.notify.textfile import Gauge, write
from cloudpemda.report.standing import Finding, Guard, InstanceView
from cloudpemda.rules.quota import amount
from cloudpemda.units import Instant
from cloudpemda.usecases.by_rule import ByRule, decide_all_by_rule
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.drift import Drift, drift_of_site
from cloudpemda.usecases.expiring import Expiring, announce, expire, expiring
from cloudpemda.usecases.keep import backup
from cloudpemda.usecases.leases import LeasesRun, run_due
from cloudpemda.usecases.overage import overages
from cloudpemda.usecases.pause import pause_fault
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.pools import users_left
from cloudpemda.usecases.quota import note_limits
from cloudpemda.usecases.restore import unfinished as unfinished_restores
from cloudpemda.usecases.settling import settle
from cloudpemda.usecases.snapshots import overdue
from cloudpemda.usecases.survey import Survey, survey
from cloudpemda.usecases.vm_copies import overdue as overdue_copies

_OF_BOTH = frozenset({"survey.unread", "survey.not-judged"})


@dataclass(frozen=True)
class Night:
    """What one night found."""

    at: Instant
    survey: Survey
    expired: tuple[str, ...]  # requests whose hold or time of waiting ran out
    expiring: tuple[Expiring, ...]  # what will, soon: no finding
    announced: tuple[Expiring, ...]  # what of it no night has said before
    by_rule: tuple[ByRule, ...]  # what the site's automatic rules decided, or left to people
    findings: tuple[Finding, ...]
    copy: str | None  # the file of the night's copy of the ledger
    drains: tuple[Drain, ...]  # nodes that are kept empty
    leases: LeasesRun  # what was stopped, purged and cleaned

    @property
    def code(self) -> ExitCode:
        return ExitCode.FINDINGS if self.findings else ExitCode.DONE


def nightly(desk: Desk) -> Night:
    """The night. Raises Refused `nightly.running` while another one is at it, or by role for a
    person who is no operator; the timer's login is `system`."""
    desk.act_or_system("operator")
    with _alone(desk.site.path("var/locks")):
        note_limits(desk, SYSTEM)
        expired = expire(desk)
        by_rule = decide_all_by_rule(desk)
        settle(desk, SYSTEM)
        due = run_due(desk, SYSTEM, lambda *_: None, lambda: False)
        pictures = Pictures(desk)  # from here on no cluster is written to
        # before quota is read: it charges growth by hand
        drifted = drift_of_site(desk, SYSTEM, pictures)
        found = survey(desk, everywhere=True, pictures=pictures)
        copy, failed = _copy(desk)
        findings = (*_findings(desk, found, drifted, pictures), *due.findings, *failed)
        write(desk.site.path(desk.site.info.textfile), _gauges(found, findings))
        return Night(
            at=found.at,
            survey=found,
            expired=expired,
            expiring=expiring(desk),
            announced=announce(desk),
            by_rule=by_rule,
            findings=findings,
            copy=copy,
            drains=desk.ledger.drains.list(),
            leases=due,
        )


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One night at a time; the lock goes with the process, however that ends."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "nightly").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("nightly.running") from error
        yield


def _copy(desk: Desk) -> tuple[str | None, tuple[Finding, ...]]:
    """The night's copy of the ledger; what hinders it hinders nothing else."""
    if desk.site.info.ledger_backup is None:
        return None, ()
    try:
        return str(backup(desk, lambda *_: None).file), ()
    except CloudpemdaError as error:
        faults = (Fault("nightly.no-copy"), *error.faults)
        return None, tuple(Finding(None, fault) for fault in faults)


def _findings(desk: Desk, found: Survey, drifted: Drift, pictures: Pictures) -> Iterator[Finding]:
    yield from found.findings
    yield from _drifted(found, drifted)
    for judgement in found.judgements:
        if judgement.breach:
            yield Finding(judgement.opd, judgement.fault)
    for each in found.instances:
        yield from _instance_findings(each)
    yield from overages(desk, found.quota, found.unread, pictures)
    for request in desk.ledger.requests.list():
        if request.state in (RequestState.STUCK, RequestState.APPLYING):
            code = f"nightly.request-{request.state.value}"
            yield Finding(request.opd, Fault(code, {"key": request.key}))
        if request.changing:
            yield Finding(request.opd, Fault("nightly.request-changing", {"key": request.key}))
    for broken in desk.ledger.audit.verify():
        yield Finding(None, broken.fault)
    for fault in pause_fault(desk):
        yield Finding(None, fault)
    yield from overdue(desk)
    yield from users_left(desk)
    yield from overdue_copies(desk)
    yield from unfinished_restores(desk)
    if desk.ledger.found.pending:
        yield Finding(None, Fault("ledger.unreconciled"))


def _drifted(found: Survey, drifted: Drift) -> Iterator[Finding]:
    """What the survey has not told: it judges the same VMs, but not what they use unasked."""
    for one in drifted.findings:
        if one.fault.code not in _OF_BOTH and one not in found.findings:
            yield one
    for grown in drifted.instances:
        if grown.overage:
            listed = [f"{name} {amount(name, more)}" for name, more in grown.overage.items()]
            values = {"vm": grown.key, "more": ", ".join(listed)}
            yield Finding(grown.opd, Fault("nightly.overgrown-vm", values))


def _instance_findings(one: InstanceView) -> Iterator[Finding]:
    meant = one.stopped is not None and one.running == "stopped"
    if one.stopped is not None and one.running == "running":
        yield Finding(one.opd, Fault("nightly.vm-runs", {"vm": one.key, "by": one.stopped.person}))
    if one.state is InstanceState.ACTIVE and one.running in ("absent", "stopped") and not meant:
        yield Finding(one.opd, Fault(f"nightly.vm-{one.running}", {"vm": one.key}))
    if one.state is InstanceState.ACTIVE and one.running == "unknown":
        yield Finding(one.opd, Fault("nightly.vm-unknown", {"vm": one.key}))
    if one.state is InstanceState.ACTIVE and one.differences:
        listed = ", ".join(one.differences)
        yield Finding(one.opd, Fault("nightly.vm-differs", {"vm": one.key, "differences": listed}))


def _gauges(found: Survey, findings: tuple[Finding, ...]) -> Iterator[Gauge]:
    yield Gauge("cloudpemda_night_timestamp_seconds", "When the night ended", found.at.timestamp())
    yield Gauge("cloudpemda_night_findings", "Findings of the last night", len(findings))
    yield Gauge("cloudpemda_night_unread", "Clusters not read whole", len(found.unread))
    for one in found.instances:
        labels = {"vm": one.key, "opd": one.opd, "cluster": one.cluster}
        yield Gauge(
            "cloudpemda_vm_as_promised",
            "1 where the VM is protected as its class promises, 0 where not or unknown",
            float(one.as_promised and one.state is InstanceState.ACTIVE),
            labels,
        )
        for kind, cover in (("replication", one.replication), ("backup", one.backup)):
            if cover.guard is not Guard.NONE and cover.age is not None:
                yield Gauge(
                    "cloudpemda_recovery_point_age_seconds",
                    "Age of the newest usable recovery point",
                    cover.age,
                    {**labels, "kind": kind},
                )
    for line in found.quota:
        labels = {"opd": line.opd, "dimension": line.dimension}
        yield Gauge("cloudpemda_quota_used", "Committed and held, sizes in MiB", line.used, labels)
        if line.limit is not None:
            yield Gauge("cloudpemda_quota_limit", "Limit, sizes in MiB", line.limit, labels)
