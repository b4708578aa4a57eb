"""A night's report: what was found, for whom, and nothing that anybody wrote is obeyed."""

from zoneinfo import ZoneInfo

from cloudpemda.render import render_html
from cloudpemda.report.night import (
    NightReport,
    ReportedPhase,
    ReportedVm,
    Told,
    page_values,
    text_lines,
)
from cloudpemda.units import instant
from cloudpemda.usecases.nightly import Phase

WIB = ZoneInfo("Asia/Jakarta")
HOSTILE = "<script src=//evil>\x1b[2J{{7*7}}"
REPORT = NightReport(
    site="situs",
    night="2026-11-22",
    at=instant(1_795_300_000),
    code=7,
    names={"dinkes": HOSTILE},
    findings=(
        Told(None, "nightly.n-plus-one", {"node": HOSTILE, "cluster": "dc", "vms": "2"}, None),
        Told("dinkes", "nightly.vm-absent", {"vm": HOSTILE}, instant(1_795_200_000)),
        Told("bkad", "nightly.vm-stopped", {"vm": "bkad/simkeu/app-1"}, None),
    ),
    over=(Told("dinkes", "nightly.vm-differs", {"vm": HOSTILE, "differences": "x"}, None),),
    vms=(
        ReportedVm(
            HOSTILE, "dinkes", HOSTILE, None, "running", False, ("ok", "late", "ok"), (7200, None)
        ),
    ),
    phases=tuple(ReportedPhase(one, "done", 61.0) for one in Phase),
    retired=(HOSTILE,),
    purged=(),
    cleaned=1,
    expired=(),
)


def test_a_page_obeys_nobody() -> None:
    for lang in ("id", "en"):
        page = render_html("report/night.html", page_values(REPORT, lang, WIB))
        assert "<script" not in page
        assert "\x1b" not in page
        assert "{{7*7}}" in page
        assert page.count("&lt;script") >= 6
        assert "http" not in page.replace("http-equiv", "")


def test_a_text_says_whose_since_when_and_what_next() -> None:
    lines = list(text_lines(REPORT, "en", WIB))
    assert "\x1b" not in "".join(lines)
    own = next(line for line in lines if "nightly.vm-absent" in line)
    assert "since 2026-11-" in own
    assert "→" in lines[lines.index(own) + 1]
    assert next(line for line in lines if line.endswith(":")) == "Site:"


def test_people_of_an_opd_see_what_is_theirs() -> None:
    own = REPORT.of(frozenset({"bkad"}))
    assert [one.code for one in own.findings] == ["nightly.vm-stopped"]
    assert (own.over, own.vms, own.retired, own.names) == ((), (), (), {})
