"""What ends is said before: to whom it concerns, and by the night once for each of the times."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.scenarios.conftest import Office
from tests.scenarios.test_quota_requests import ZONE, day, granted, more, to_midnight_after

DAY = 86400


@pytest.fixture
def write(office: Office) -> Iterator[Callable[[str, str], None]]:
    """Add to the site's files for one test."""
    before: dict[Path, str] = {}

    def add(name: str, text: str) -> None:
        file = office.directory / name
        before.setdefault(file, file.read_text())
        file.write_text(file.read_text() + text)

    yield add
    for file, text in before.items():
        file.write_text(text)


def endings(office: Office, actor: str = "rudi") -> list[tuple[str, str]]:
    found = office.run("status", "--offline", actor=actor).data["expiring"]
    return [(one["what"], one["key"]) for one in found]


def announced(office: Office) -> list[str]:
    return [one["what"] for one in office.run("nightly").data["announced"]]


def test_more_quota_that_runs_out_is_announced_twice_and_once_each(office: Office) -> None:
    last = day(office, 20)
    granted(office, until=last)
    assert (endings(office), announced(office)) == ([], [])
    office.lab.post("/advance", {"seconds": to_midnight_after(office, last) - 14 * DAY})
    assert endings(office) == [("grant", "bkad/tambahan")]
    assert endings(office, "nina") == [("grant", "bkad/tambahan")]
    assert endings(office, "asep") == [], "another OPD's"
    told = office.text("nightly").out
    assert "the additional quota of bkad/tambahan (Q-2026-0001) ends at" in told
    assert announced(office) == [], "twice a day is once"
    assert endings(office) == [("grant", "bkad/tambahan")]
    office.lab.post("/advance", {"seconds": 8 * DAY})
    assert announced(office) == []
    office.lab.post("/advance", {"seconds": 4 * DAY})
    assert (announced(office), announced(office)) == (["grant"], [])
    entries = office.run("audit", "log", "--subject", "Q-2026-0001", actor="yanti").data
    assert [one["action"] for one in entries][-2:] == ["notice.grant", "notice.grant"]
    office.lab.post("/advance", {"seconds": 2 * DAY})
    assert (endings(office), announced(office)) == ([], [])


def test_the_site_says_how_long_before(office: Office, write: Callable[[str, str], None]) -> None:
    write("site.yaml", "\napprovals: {announceEnds: [40d]}\n")
    granted(office, until=day(office, 30))
    assert (announced(office), announced(office)) == (["grant"], [])


def test_what_is_granted_for_good_or_taken_back_is_not_announced(office: Office) -> None:
    granted(office, until=day(office, 5))
    assert endings(office) == [("grant", "bkad/tambahan")]
    ended = office.run("request", "withdraw", "Q-2026-0001", "--reason", "selesai", actor="nina")
    assert ended.code == 0
    assert endings(office) == []
    granted(office, until="permanent")
    assert endings(office) == []


DELEGATIONS = """\
  - {{login: head, name: Kepala BKAD, roles: [{{role: approver, opd: bkad}}]}}
delegations:
  - {{from: hendra, to: dewi, as: plh, role: approver, since: {since}, until: {until},
     letter: {{number: "800/77/2026", date: "2026-11-19"}}}}
  - {{from: head, to: rudi, as: plt, role: approver, since: {since}, until: {until},
     letter: {{number: "800/78/2026", date: "2026-11-19"}}}}
"""


def delegations(office: Office, days: int) -> str:
    now = datetime.fromtimestamp(office.lab.get("/clock")["now"], ZONE)
    since, until = (f"{now + timedelta(days=after):%Y-%m-%d %H:%M}" for after in (0, days))
    return DELEGATIONS.format(since=since, until=until)


def test_a_delegation_that_ends_is_told_to_whom_it_concerns(
    office: Office, write: Callable[[str, str], None], tmp_path: Path
) -> None:
    write("people.yaml", delegations(office, 10))
    site = [("delegation", "dewi (Plh hendra)"), ("delegation", "rudi (Plt head)")]
    assert sorted(endings(office)) == site
    assert endings(office, "nina") == site[1:], "an OPD hears of its own head's"
    assert endings(office, "asep") == []
    assert (announced(office), announced(office)) == (["delegation"] * 2, [])
    (tmp_path / "bkad").mkdir()
    (tmp_path / "dinkes").mkdir()
    assert office.run("request", "inbox", str(tmp_path)).code == 0
    index = (tmp_path / "bkad" / "DAFTAR.txt").read_text()
    assert "rudi (Plt head) memutus untuk OPD Anda sampai" in index
    assert "hendra" not in index
    assert "memutus untuk OPD Anda" not in (tmp_path / "dinkes" / "DAFTAR.txt").read_text()
    office.lab.post("/advance", {"seconds": 10 * DAY})
    assert endings(office) == []


def test_a_hold_is_announced_once_and_quota_that_waits_as_well(office: Office) -> None:
    office.approved()
    assert office.run("request", "submit", more(office), actor="nina").code == 0
    office.lab.post("/advance", {"seconds": 12 * DAY})
    assert (announced(office), announced(office)) == (["hold"], [])
    office.lab.post("/advance", {"seconds": 16 * DAY})
    assert (announced(office), announced(office)) == (["pending"], [])
    assert endings(office, "nina") == [("pending", "bkad/tambahan")]
    office.lab.post("/advance", {"seconds": 3 * DAY})
    assert office.run("nightly").data["expired"] == ["Q-2026-0001"]
