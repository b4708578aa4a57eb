"""Leases: who has VMs until when, and doing what is due: stopped after the grace, then purged.

What is due is found from the ledger alone, so a run that is killed is continued by the next one,
and a second run finds nothing to do.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from cloudpemda.apply import Progress
from cloudpemda.errors import CloudpemdaError, ExitCode, worst
from cloudpemda.ledger import Actor, InstanceState, RequestRecord, RequestState
from cloudpemda.report.standing import Finding
from cloudpemda.rules.leases import lease_end, stop_at
from cloudpemda.units import Instant
from cloudpemda.usecases.asides import clear
from cloudpemda.usecases.cut_off import PURGE, of_kind, was_cut_off
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.expiring import Expiring, announce, lease_until
from cloudpemda.usecases.leaving import Retired, purge_at
from cloudpemda.usecases.orphans import clean_up
from cloudpemda.usecases.pause import require_running
from cloudpemda.usecases.purge import purge_due
from cloudpemda.usecases.retire import leave, quarantine


@dataclass(frozen=True)
class Lease:
    """One workload's time."""

    opd: str
    key: str
    number: str
    state: RequestState
    until: date  # the last day
    stop_at: Instant | None  # None: it is stopped already
    purge_at: Instant | None  # of what is in quarantine
    stage: Literal["running", "ends-soon", "grace", "retiring", "quarantine"]


@dataclass(frozen=True)
class LeasesRun:
    """What one run did."""

    announced: tuple[Expiring, ...]
    retired: tuple[str, ...]  # keys that are in quarantine now
    ended: tuple[str, ...]  # keys of which nothing is left
    cleaned: int  # orphans, and disks that were removed
    findings: tuple[Finding, ...]
    code: ExitCode


def leases(desk: Desk) -> tuple[Lease, ...]:
    """What the person may see, the soonest end first."""
    scope = desk.scope()
    found = [
        _lease(desk, record)
        for record in desk.ledger.requests.list()
        if scope.covers(record.opd) and record.state in _STANDING
    ]
    return tuple(sorted(found, key=lambda one: (one.until, one.key)))


def run(desk: Desk, progress: Progress, halted: Callable[[], bool]) -> LeasesRun:
    """Announce, stop, purge and clean what is due. For operators and the timer.

    Raises Refused by role, while the site is paused, or after a restore that was not verified.
    """
    actor = desk.act_or_system("operator")
    require_running(desk)
    desk.ledger.found.require_reconciled()
    done = run_due(desk, actor, progress, halted)
    return LeasesRun(
        announce(desk), done.retired, done.ended, done.cleaned, done.findings, done.code
    )


def run_due(desk: Desk, actor: Actor, progress: Progress, halted: Callable[[], bool]) -> LeasesRun:
    """The same without announcing, for whoever acts. While the site is paused nothing is due."""
    retired: list[str] = []
    ended: list[str] = []
    findings: list[Finding] = []
    codes: list[ExitCode] = []
    idle = desk.ledger.pause.current() is not None or desk.ledger.found.pending
    purging = of_kind(desk, PURGE)
    for listed in () if idle else desk.ledger.requests.list():
        if listed.state not in _STANDING:
            continue
        # as it is when its turn has come: the one before it may have taken long
        record = desk.ledger.requests.get(listed.number)
        for due in _due(desk, record, purging):
            if halted():
                break
            try:
                done = _do(desk, actor, due, record, progress, halted)
            except CloudpemdaError as error:
                findings.extend(Finding(record.opd, fault) for fault in error.faults)
                codes.append(error.exit_code)
                break
            findings.extend(Finding(record.opd, fault) for fault in done.faults)
            codes.append(done.code)
            if done.record.state is RequestState.ENDED:
                ended.append(record.key)
            elif done.record.state is RequestState.RETIRED:
                retired.append(record.key)
            record = done.record  # as far as it is now
    cleaned = 0
    if not idle and desk.ledger.orphans.list():
        left = clean_up(desk, actor, halted)
        cleaned = len(left.cleaned)
        told = {finding.fault for finding in findings}
        findings.extend(Finding(None, fault) for fault in left.faults if fault not in told)
        codes.append(left.code)
    if not idle and desk.ledger.asides.list():
        aside = clear(desk, actor, halted)
        cleaned += len(aside.cleared)
        findings.extend(Finding(None, fault) for fault in aside.faults)
        codes.append(aside.code)
    return LeasesRun((), tuple(retired), tuple(ended), cleaned, tuple(findings), worst(codes))


Due = Literal["leave", "quarantine", "purge"]
_STANDING = frozenset({RequestState.ACTIVE, RequestState.RETIRING, RequestState.RETIRED})


def _due(desk: Desk, record: RequestRecord, purging: Collection[str]) -> Iterator[Due]:
    """`purging`: the requests whose purge was begun and not ended, as this run found them."""
    if record.state not in _STANDING:
        return
    now = desk.clock.now()
    instances = desk.ledger.instances.list(workload=record.key)
    if record.state is RequestState.ACTIVE and _stop_at(desk, record) <= now:
        yield "leave"
    elif record.state is RequestState.RETIRING or any(
        one.state is InstanceState.RETIRING for one in instances
    ):
        yield "quarantine"
    away = [one for one in instances if one.state is InstanceState.RETIRED]
    maybe = record.state is not RequestState.ACTIVE or record.number in purging
    cut_off = maybe and was_cut_off(desk, record, instances)
    if cut_off or any(purge_at(desk, one) <= now for one in away):
        yield "purge"


def _do(
    desk: Desk,
    actor: Actor,
    due: Due,
    record: RequestRecord,
    progress: Progress,
    halted: Callable[[], bool],
) -> Retired:
    match due:
        case "leave":
            return leave(desk, actor, record, f"until {record.spec.until}", progress, halted)
        case "quarantine":
            return quarantine(desk, actor, record, progress, halted)
        case "purge":
            return purge_due(desk, actor, record, progress, halted)


def _stop_at(desk: Desk, record: RequestRecord) -> Instant:
    end = lease_end(lease_until(record), desk.site.zone)
    return stop_at(end, record.updated_at, desk.site.info.retirement.grace)


def _lease(desk: Desk, record: RequestRecord) -> Lease:
    until, now = lease_until(record), desk.clock.now()
    end = lease_end(until, desk.site.zone)
    stage: Literal["running", "ends-soon", "grace", "retiring", "quarantine"] = "running"
    soon = max(desk.site.info.retirement.announce)
    if record.state is RequestState.RETIRED:
        stage = "quarantine"
    elif record.state is RequestState.RETIRING:
        stage = "retiring"
    elif end <= now:
        stage = "grace"
    elif (end - now).total_seconds() <= soon:
        stage = "ends-soon"
    away = [
        purge_at(desk, one)
        for one in desk.ledger.instances.list(workload=record.key)
        if one.state is InstanceState.RETIRED
    ]
    return Lease(
        opd=record.opd,
        key=record.key,
        number=record.number,
        state=record.state,
        until=until,
        stop_at=_stop_at(desk, record) if record.state is RequestState.ACTIVE else None,
        purge_at=max(away, default=None),
        stage=stage,
    )
