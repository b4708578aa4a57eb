"""Nightly: do what time has made due, judge everything by age, tell each breach by OPD.

On the clusters it makes good what has come to differ in the protection of what lives, has copies
made that VMs lack, and does what time has made due: workloads whose lease and grace are over are
stopped, those whose quarantine is over are purged, and what those left behind is cleaned. Of the
ledger it changes with that only what time itself ends, holds and requests that nobody decided, what
a rule of the site approves without a person, the charges of VMs that run smaller since a change,
and of those that were grown by hand; and it keeps the limits that it sees in the site's files, and
what it has announced. Before it tells what it found it makes a sealed copy of the ledger, and
one of ledger and site at the recovery centre, where site.yaml asks for them.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from cloudpemda.document.owner import make_directory, open_lock
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, Unreachable
from cloudpemda.ledger import SYSTEM, Condition, Drain, PhaseRecord, PhaseResult
from cloudpemda.notify.textfile import write
from cloudpemda.recovery import Standing
from cloudpemda.report.standing import Finding
from cloudpemda.units import Instant
from cloudpemda.usecases.by_rule import ByRule, decide_all_by_rule
from cloudpemda.usecases.converge import Converged, converge
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.drift import Drift, drift_of_site
from cloudpemda.usecases.due import DueRun, make_what_is_due
from cloudpemda.usecases.expiring import Expiring, announce, expire, expiring
from cloudpemda.usecases.keep import nights_copy
from cloudpemda.usecases.leases import LeasesRun, run_due
from cloudpemda.usecases.night import findings as find
from cloudpemda.usecases.night.metrics import gauges
from cloudpemda.usecases.night.notices import tell
from cloudpemda.usecases.night.reporting import keep_report, report_of
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.quota import note_limits
from cloudpemda.usecases.settling import settle
from cloudpemda.usecases.site_copy import to_drc
from cloudpemda.usecases.survey import Survey, survey
from cloudpemda.usecases.window import window


class Phase(StrEnum):
    """The phases of a night, in their order."""

    RULES = "rules"  # what time ends and rules decide
    PROTECT = "protect"  # what has come to differ in the protection of VMs is made good
    DUE = "due"  # copies that VMs lack are made, within the nightly window
    LEASES = "leases"  # what is due is stopped, purged and cleaned
    DRIFT = "drift"
    JUDGE = "judge"  # every cluster is read, every recovery point judged by its age
    WINDOW = "window"  # whether backups and replications fit into the night
    LEDGER = "ledger"  # limits, what was begun and not ended, the audit log
    ORPHANS = "orphans"
    JOURNALS = "journals"
    CAPACITY = "capacity"
    COPY = "copy"
    DRC_COPY = "drc-copy"
    REPORT = "report"
    METRICS = "metrics"
    NOTICES = "notices"


COSTLY = frozenset({Phase.LEASES})
"""Done phases that the call which goes on with a killed night does not repeat."""

_UNSURE = frozenset({Standing.UNKNOWN, Standing.CLOCK_SKEW})

_NOTHING_DUE = LeasesRun((), (), (), 0, (), ExitCode.DONE)


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
    drc_copy: str | None  # that of the copy at the recovery centre
    report: str | None  # the page
    drains: tuple[Drain, ...]  # nodes that are kept empty
    leases: LeasesRun  # what was stopped, purged and cleaned
    converged: Converged | None  # what of the protection was put right; None: that phase failed
    due: DueRun  # copies that were missing, and what became of them
    night: str  # its name: the day in whose morning it ends
    phases: tuple[PhaseRecord, ...]
    resumed: bool  # an earlier call of the same night was killed
    again: bool  # something was left half done: call it again
    code: ExitCode


def nightly(desk: Desk) -> Night:
    """The night. Raises Refused `nightly.running` while another one is at it, or by role for a
    person who is no operator; the timer's login is `system`. Whatever a phase runs into is a
    finding; a bug is raised once everything else is done and told."""
    desk.act_or_system("operator")
    with _alone(desk.site.path("var/locks")):
        work = _Work(desk, name_of_night(desk))
        rows = [phase for phase in _PHASES if not work.spares(phase)]
        desk.ledger.nights.enter(work.name, rows[0])
        for phase, then in zip(rows, (*rows[1:], None), strict=True):
            work.do(phase, then)
        night = work.outcome()
        desk.ledger.nights.prune()
        if work.bug is not None:
            raise work.bug
        return night


def name_of_night(desk: Desk) -> str:
    """From noon to noon in the site's zone, by the day in whose morning it ends."""
    local = desk.clock.now().astimezone(desk.site.zone)
    return (local.replace(tzinfo=None) + timedelta(hours=12)).date().isoformat()


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One night at a time; the lock goes with the process, however that ends."""
    file = directory / "nightly"
    try:
        make_directory(directory)
        handle = open_lock(file)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("nightly.not-written", file=str(file), cause=cause) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("nightly.running") from error
        yield
    finally:
        os.close(handle)


@dataclass
class _Work:
    """A night while it goes on: what its phases have found so far."""

    desk: Desk
    name: str
    expired: tuple[str, ...] = ()
    by_rule: tuple[ByRule, ...] = ()
    leases: LeasesRun = _NOTHING_DUE
    converged: Converged | None = None
    due: DueRun = field(default_factory=DueRun)
    drift: Drift | None = None
    survey: Survey | None = None
    announced: tuple[Expiring, ...] = ()
    files: dict[Phase, str] = field(default_factory=dict)
    failed: set[Phase] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    again: bool = False
    bug: Exception | None = None
    before: Mapping[str, PhaseRecord] = field(init=False)
    pictures: Pictures = field(init=False)  # taken anew once a cluster was written to

    def __post_init__(self) -> None:
        self.pictures = Pictures(self.desk)
        self.before = self.desk.ledger.nights.phases(self.name)

    @property
    def resumed(self) -> bool:
        """Whether an earlier call of this night never came to its end."""
        last = self.before.get(list(_PHASES)[-1])
        return bool(self.before) and (last is None or last.ended_at is None)

    def spares(self, phase: Phase) -> bool:
        """Whether a phase need not be done once more."""
        earlier = self.before.get(phase)
        done = earlier is not None and earlier.result is PhaseResult.DONE
        return self.resumed and phase in COSTLY and done

    def do(self, phase: Phase, then: Phase | None) -> None:
        """One phase, journalled, and that `then` begins; whatever it raises is a finding."""
        try:
            found = tuple(_PHASES[phase](self))
        except CloudpemdaError as error:
            whole = Fault("nightly.phase-failed", MappingProxyType({"phase": phase.value}))
            found = tuple(Finding(None, fault) for fault in (whole, *error.faults))
            self.failed.add(phase)
            self.again = self.again or error.exit_code is ExitCode.INCOMPLETE
        except Exception as error:  # noqa: BLE001 - a bug in one phase must not silence the others
            values = {"phase": phase.value, "kind": type(error).__name__}
            found = (Finding(None, Fault("nightly.phase-bug", MappingProxyType(values))),)
            self.failed.add(phase)
            self.bug = self.bug or error
        self.findings.extend(found)
        result = PhaseResult.FINDINGS if found else PhaseResult.DONE
        if phase in self.failed:
            result = PhaseResult.FAILED
        self.desk.ledger.nights.leave(self.name, phase, result, self.files.get(phase), then=then)

    @property
    def code(self) -> ExitCode:
        """By what is known so far."""
        if self.again:
            return ExitCode.INCOMPLETE
        return ExitCode.FINDINGS if self.findings else ExitCode.DONE

    @property
    def seen(self) -> Survey:
        """What was judged; where that failed everything is unknown."""
        if self.survey is None:
            self.survey = survey(self.desk, offline=True)
        return self.survey

    @property
    def phases(self) -> tuple[PhaseRecord, ...]:
        """The phases as far as they stand in the ledger, in their order."""
        known = self.desk.ledger.nights.phases(self.name)
        return tuple(known[phase] for phase in _PHASES if phase in known)

    def outcome(self) -> Night:
        return Night(
            at=self.seen.at,
            survey=self.seen,
            expired=self.expired,
            expiring=expiring(self.desk),
            announced=self.announced,
            by_rule=self.by_rule,
            findings=tuple(self.findings),
            copy=self.files.get(Phase.COPY),
            drc_copy=self.files.get(Phase.DRC_COPY),
            report=self.files.get(Phase.REPORT),
            drains=self.desk.ledger.drains.list(),
            leases=self.leases,
            converged=self.converged,
            due=self.due,
            night=self.name,
            phases=self.phases,
            resumed=self.resumed,
            again=self.again,
            code=self.code,
        )


# -- the phases ------------------------------------------------------------------------------
def _rules(work: _Work) -> Iterable[Finding]:
    note_limits(work.desk, SYSTEM)
    work.expired = expire(work.desk)
    work.by_rule = decide_all_by_rule(work.desk)
    settle(work.desk, SYSTEM)
    return ()


def _protect(work: _Work) -> Iterable[Finding]:
    """What could not be read or judged, the judgement says of the same clusters."""
    done = converge(work.desk, SYSTEM, lambda *_: None, lambda: False, work.pictures)
    work.converged = done
    work.again = work.again or done.interrupted
    if done.wrote:
        work.pictures = Pictures(work.desk)
    return done.own_findings


def _due(work: _Work) -> Iterable[Finding]:
    work.due = make_what_is_due(work.desk, SYSTEM, work.pictures)
    work.again = work.again or work.due.interrupted
    if work.due.wrote:
        work.pictures = Pictures(work.desk)
    return work.due.findings


def _leases(work: _Work) -> Iterable[Finding]:
    work.leases = run_due(work.desk, SYSTEM, lambda *_: None, lambda: False)
    work.again = work.again or work.leases.code is ExitCode.INCOMPLETE
    if work.leases != _NOTHING_DUE:
        work.pictures = Pictures(work.desk)  # from here on no cluster is written to
    return work.leases.findings


def _drift(work: _Work) -> Iterable[Finding]:
    """Before the judgement: what it charges for growth by hand shall stand in the quota."""
    work.drift = drift_of_site(work.desk, SYSTEM, work.pictures)
    return ()  # told beside what the judgement tells of the same VMs


def _judge(work: _Work) -> Iterable[Finding]:
    work.survey = survey(work.desk, everywhere=True, pictures=work.pictures)
    yield from find.judged(work.survey)
    if work.drift is not None:
        yield from find.drifted(work.survey, work.drift)


def _ledger(work: _Work) -> Iterable[Finding]:
    work.announced = announce(work.desk)
    return find.of_the_ledger(work.desk, work.seen, work.pictures)


def _kept(
    phase: Phase, missing: str, make: Callable[[Desk, str | None], str | None]
) -> Callable[[_Work], Iterable[Finding]]:
    """A phase that makes a copy; what an earlier call of the same night made is looked at again."""

    def do(work: _Work) -> Iterable[Finding]:
        earlier = work.before.get(phase)
        try:
            made = make(work.desk, earlier.detail if earlier else None)
        except CloudpemdaError as error:
            for fault in (Fault(missing), *error.faults):
                yield Finding(None, fault)
        else:
            work.files |= {phase: made} if made is not None else {}

    return do


def _report(work: _Work) -> Iterable[Finding]:
    tally = work.desk.ledger.conditions.night(
        [(one.opd, one.fault) for one in work.findings], work.seen.at, _may_end(work)
    )
    told = report_of(work.desk, work.findings, work, tally)
    work.files[Phase.REPORT] = str(keep_report(work.desk, told))
    return ()


def _may_end(work: _Work) -> Callable[[Condition], bool]:
    """Whether a condition that was not found is over: not where somebody could not look."""
    blind = bool(work.seen.unread or work.seen.offline or work.failed)
    unsure = {one.key for one in work.seen.instances if one.running == "unknown"}
    unsure |= {one.key for one in work.seen.judgements if one.standing in _UNSURE}
    return lambda one: not blind and one.values.get("vm") not in unsure


def _metrics(work: _Work) -> Iterable[Finding]:
    desk = work.desk
    file = desk.site.path(desk.site.info.textfile)
    try:
        whole = desk.ledger.nights.whole_until(Phase.METRICS)
        write(file, gauges(work.seen, work.findings, work.phases, whole))
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("nightly.not-written", file=str(file), cause=cause) from error
    return ()


_Do = Callable[[_Work], Iterable[Finding]]
_PHASES: Mapping[Phase, _Do] = {
    Phase.RULES: _rules,
    Phase.PROTECT: _protect,
    Phase.DUE: _due,
    Phase.LEASES: _leases,
    Phase.DRIFT: _drift,
    Phase.JUDGE: _judge,
    # what could not be read, the judgement says
    Phase.WINDOW: lambda work: window(work.desk, work.pictures).own_findings,
    Phase.LEDGER: _ledger,
    Phase.ORPHANS: lambda work: find.orphans_left(work.desk, work.findings),
    Phase.JOURNALS: lambda work: find.journals_left(work.desk),
    Phase.CAPACITY: lambda work: find.capacity(work.desk, work.seen.unread, work.pictures),
    Phase.COPY: _kept(Phase.COPY, "nightly.no-copy", nights_copy),
    Phase.DRC_COPY: _kept(Phase.DRC_COPY, "nightly.no-drc-copy", to_drc),
    Phase.REPORT: _report,
    Phase.METRICS: _metrics,
    Phase.NOTICES: lambda work: tell(work.desk),
}
