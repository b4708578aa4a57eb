"""A night's report: one value that is kept as JSON, and read as text or as a page.

What it holds are codes and values; the texts come with the reader's language. Everything in it that
people and servers wrote is data: shown harmless on a terminal, escaped on a page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from cloudpemda.messages import Lang, explain, harmless, say
from cloudpemda.units import Instant, show_duration, show_local


@dataclass(frozen=True)
class Told:
    """One finding, or a condition that is over."""

    opd: str | None
    code: str
    values: Mapping[str, str]
    since: Instant | None  # the first night that has found it


@dataclass(frozen=True)
class KnownReplica:
    """A replica as a night has read it: where its VM ran, and of when it was."""

    node: str
    at: Instant


@dataclass(frozen=True)
class ReportedVm:
    key: str
    opd: str
    service_class: str
    node: str | None
    running: str
    as_promised: bool
    guards: tuple[str, str, str]  # HA, replication, backup
    ages: tuple[int | None, int | None]  # seconds: replication, backup
    replica: KnownReplica | None = None  # of this night, or of the last that read one


@dataclass(frozen=True)
class ReportedPhase:
    phase: str
    result: str | None
    seconds: float | None


@dataclass(frozen=True)
class NightReport:
    site: str
    night: str
    at: Instant
    code: int
    names: Mapping[str, str]  # OPD → its name
    findings: tuple[Told, ...]
    over: tuple[Told, ...]  # conditions of earlier nights that have ended
    vms: tuple[ReportedVm, ...]
    phases: tuple[ReportedPhase, ...]
    retired: tuple[str, ...]
    purged: tuple[str, ...]
    cleaned: int
    expired: tuple[str, ...]
    copies: tuple[Told, ...] = ()  # that were missing: made tonight, or why not

    def of(self, opds: frozenset[str]) -> "NightReport":
        """What people of these OPDs may see of it."""
        return replace(
            self,
            findings=tuple(one for one in self.findings if one.opd in opds),
            over=tuple(one for one in self.over if one.opd in opds),
            copies=tuple(one for one in self.copies if one.opd in opds),
            vms=tuple(one for one in self.vms if one.opd in opds),
            names={opd: name for opd, name in self.names.items() if opd in opds},
            phases=(),
            retired=tuple(key for key in self.retired if key.partition("/")[0] in opds),
            purged=tuple(key for key in self.purged if key.partition("/")[0] in opds),
            cleaned=0,
            expired=(),
        )


def page_values(report: NightReport, lang: Lang, zone: ZoneInfo) -> dict[str, object]:
    """What the page's template is filled with."""
    return {
        "lang": lang,
        "title": _title(report, lang),
        "summary": _summary(report, lang, zone),
        "done": list(_done(report, lang)),
        "groups": [
            {
                "name": name,
                "findings": [
                    {
                        "code": one.code,
                        "since": _since(one, lang, zone),
                        "message": said,
                        "next": then,
                    }
                    for one in told
                    for said, then in (explain(one.code, lang, one.values),)
                ],
            }
            for name, told in _by_opd(report, lang)
        ],
        "over_title": say("night.over", lang),
        "over": [_ended(one, lang, zone) for one in report.over],
        "vms_title": say("night.vms", lang),
        "columns": say("night.columns", lang).split("|"),
        "vms": [
            {"good": vm.as_promised, "cells": [harmless(cell) for cell in _cells(vm)]}
            for vm in report.vms
        ],
        "phases_title": say("night.phases", lang),
        "phases": [_phase(one, lang) for one in report.phases],
    }


def text_lines(report: NightReport, lang: Lang, zone: ZoneInfo) -> Iterator[str]:
    """The report for a terminal or a mail."""
    yield _title(report, lang)
    yield _summary(report, lang, zone)
    yield from _done(report, lang)
    for name, told in _by_opd(report, lang):
        yield ""
        yield f"{name}:"
        for one in told:
            said, then = explain(one.code, lang, one.values)
            yield f"  {one.code} {said} ({_since(one, lang, zone)})"
            if then:
                yield f"    → {then}"
    if report.over:
        yield ""
        yield say("night.over", lang) + ":"
        yield from (f"  {_ended(one, lang, zone)}" for one in report.over)
    if report.phases:
        yield ""
        yield say("night.phases", lang) + ":"
        yield from ("  " + ", ".join(_phase(one, lang)) for one in report.phases)


def _title(report: NightReport, lang: Lang) -> str:
    return say("night.title", lang, {"site": report.site, "night": report.night})


def _summary(report: NightReport, lang: Lang, zone: ZoneInfo) -> str:
    values = {
        "at": show_local(report.at, zone),
        "vms": len(report.vms),
        "promised": sum(one.as_promised for one in report.vms),
        "findings": len(report.findings),
    }
    return say("night.summary", lang, values)


def _done(report: NightReport, lang: Lang) -> Iterator[str]:
    for code, keys in (
        ("night.retired", report.retired),
        ("night.purged", report.purged),
        ("night.expired", report.expired),
    ):
        if keys:
            yield say(code, lang, {"keys": ", ".join(keys)})
    if report.cleaned:
        yield say("night.cleaned", lang, {"count": report.cleaned})
    for one in report.copies:
        yield explain(one.code, lang, one.values)[0]


def _by_opd(report: NightReport, lang: Lang) -> Iterator[tuple[str, Sequence[Told]]]:
    """The site's own first."""
    for opd in sorted({one.opd for one in report.findings}, key=lambda one: one or ""):
        name = say("night.site", lang) if opd is None else f"{report.names.get(opd, '')} ({opd})"
        yield harmless(name).strip(), [one for one in report.findings if one.opd == opd]


def _since(one: Told, lang: Lang, zone: ZoneInfo) -> str:
    return "" if one.since is None else say(
        "night.since", lang, {"at": show_local(one.since, zone)}
    )  # fmt: skip


def _ended(one: Told, lang: Lang, zone: ZoneInfo) -> str:
    said, _ = explain(one.code, lang, one.values)
    return f"{one.opd or '-'}: {one.code} {said} ({_since(one, lang, zone)})"


def _cells(vm: ReportedVm) -> tuple[str, ...]:
    ages = ["-" if age is None else show_duration(age) for age in vm.ages]
    ha, replication, backup = vm.guards
    return (
        vm.key, vm.service_class, vm.node or "?", vm.running, ha,
        f"{replication} {ages[0]}", f"{backup} {ages[1]}",
    )  # fmt: skip


def _phase(one: ReportedPhase, lang: Lang) -> tuple[str, str, str]:
    took = "-" if one.seconds is None else show_duration(one.seconds)
    return say(f"night.phase-{one.phase}", lang), one.result or "-", took
