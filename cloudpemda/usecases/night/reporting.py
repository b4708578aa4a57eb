"""The night's report, kept by date: written by the night, read by whoever may."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from cloudpemda.document.owner import give, make_directory
from cloudpemda.errors import ExitCode, Fault, Refused, Unreachable, UsageError
from cloudpemda.ledger import PhaseRecord, Tally
from cloudpemda.messages import Lang
from cloudpemda.render import render_html
from cloudpemda.report.night import (
    KnownReplica,
    NightReport,
    ReportedPhase,
    ReportedVm,
    Told,
    page_values,
)
from cloudpemda.report.standing import Finding, InstanceView
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.due import DueOutcome, DueRun
from cloudpemda.usecases.leases import LeasesRun
from cloudpemda.usecases.survey import Survey

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_ADAPTER = TypeAdapter(NightReport)


class Done(Protocol):
    """What a report needs of a night."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> ExitCode: ...
    @property
    def seen(self) -> Survey: ...
    @property
    def phases(self) -> Sequence[PhaseRecord]: ...
    @property
    def leases(self) -> LeasesRun: ...
    @property
    def expired(self) -> tuple[str, ...]: ...
    @property
    def due(self) -> DueRun: ...


def report_of(desk: Desk, findings: Sequence[Finding], night: Done, tally: Tally) -> NightReport:
    """The report of a night, with since when each of its findings is so."""

    def values(fault: Fault) -> dict[str, str]:
        return {name: str(value) for name, value in fault.values.items()}

    last = next(nights_before(desk), None)
    before = {vm.key: vm.replica for vm in last.vms} if last is not None else {}
    return NightReport(
        site=desk.site.info.site.name,
        night=night.name,
        at=night.seen.at,
        code=int(night.code),
        names={code: one.opd.name for code, one in desk.site.opds.items()},
        findings=tuple(
            Told(one.opd, one.fault.code, values(one.fault), tally.since(one.opd, one.fault))
            for one in findings
        ),
        over=tuple(Told(one.opd, one.code, one.values, one.since) for one in tally.over),
        vms=tuple(_vm(one, night.seen.at, before.get(one.key)) for one in night.seen.instances),
        phases=tuple(
            ReportedPhase(one.phase, one.result, one.seconds)
            for one in takewhile(lambda phase: phase.result is not None, night.phases)
        ),
        retired=night.leases.retired,
        purged=night.leases.ended,
        cleaned=night.leases.cleaned,
        expired=night.expired,
        copies=tuple(
            Told(one.opd, one.fault.code, values(one.fault), None)
            for one in night.due.copies
            if one.outcome is not DueOutcome.FAILED  # that is a finding
        ),
    )


def _vm(one: InstanceView, at: Instant, before: KnownReplica | None) -> ReportedVm:
    age = one.replication.age
    known = before
    if age is not None and one.node is not None:
        known = KnownReplica(one.node, Instant(at - timedelta(seconds=age)))
    return ReportedVm(
        key=one.key,
        opd=one.opd,
        service_class=one.service_class,
        node=one.node,
        running=one.running,
        as_promised=one.as_promised,
        guards=(one.ha.guard.value, one.replication.guard.value, one.backup.guard.value),
        ages=(one.replication.age, one.backup.age),
        replica=known,
    )


def keep_report(desk: Desk, report: NightReport) -> Path:
    """Write it as JSON and as a page, in place of what an earlier call of the same night wrote, and
    remove the oldest beyond the number that is kept; the page's file.

    Raises Unreachable `nightly.not-written`.
    """
    settings = desk.site.info.reports
    folder = desk.site.path(settings.directory)
    page = render_html(
        "report/night.html",
        page_values(report, desk.site.info.site.language, desk.site.zone),
    )
    file = folder / f"{report.night}.html"
    try:
        make_directory(folder, 0o750)
        _replace(folder / f"{report.night}.json", _ADAPTER.dump_json(report, indent=1).decode())
        _replace(file, page)
        nights = sorted({one.stem for one in folder.iterdir() if _DATED.fullmatch(one.stem)})
        for night in nights[: -settings.keep]:
            for ending in ("json", "html"):
                (folder / f"{night}.{ending}").unlink(missing_ok=True)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("nightly.not-written", file=str(folder), cause=cause) from error
    return file


def night_report(desk: Desk, day: str | None) -> NightReport:
    """The report of a night, the last one if nothing is said; people of an OPD see what is theirs.

    Raises Refused by role, `report.none`, UsageError `report.date`.
    """
    scope = desk.scope()
    folder = desk.site.path(desk.site.info.reports.directory)
    if day is None:
        kept = sorted(one.stem for one in folder.glob("*.json") if _DATED.fullmatch(one.stem))
        day = kept[-1] if kept else None
    elif not _is_day(day):
        raise UsageError("report.date", text=day)
    if day is None:
        raise Refused("report.none-yet", directory=str(folder))
    file = folder / f"{day}.json"
    if not file.is_file():
        raise Refused("report.none", night=day, directory=str(folder))
    try:
        report = _ADAPTER.validate_python(json.loads(file.read_text()))
    except (OSError, ValueError) as error:
        raise Unreachable("report.unreadable", file=str(file)) from error
    return report if scope.opds is None else report.of(scope.opds)


def nights_before(desk: Desk) -> Iterator[NightReport]:
    """The reports of former nights, the newest first; those that cannot be read are left out. What
    may be shown of them is for the caller to know."""
    folder = desk.site.path(desk.site.info.reports.directory)
    kept = (one for one in folder.glob("*.json") if _DATED.fullmatch(one.stem))
    for file in sorted(kept, reverse=True):
        with suppress(OSError, ValueError):
            yield _ADAPTER.validate_python(json.loads(file.read_text()))


def as_page(desk: Desk, report: NightReport, lang: Lang) -> str:
    """The page of a report, in the reader's language."""
    return render_html("report/night.html", page_values(report, lang, desk.site.zone))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _replace(file: Path, text: str) -> None:
    """In one rename, so that nobody reads half a file; 0640."""
    making = file.with_name(f".{file.name}")
    making.unlink(missing_ok=True)
    handle = os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o640)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        give(handle, file.parent)
        out.write(text)
    making.replace(file)
