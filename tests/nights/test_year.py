"""A hundred VMs, a year of nights, and all that can befall them: every breach that the lab's log
contains is in that night's report, and nothing else is."""

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from cloudpemda.wiring import open_desk
from tests.nights.oracle import Breach
from tests.nights.promises import WORKLOADS
from tests.nights.regency import OPERATOR, people, regency
from tests.nights.trouble import HOURS, NODES
from tests.nights.year import Report, Year

SEED = int(os.environ.get("CLOUDPEMDA_NIGHTS_SEED", "7"))
DAYS = int(os.environ.get("CLOUDPEMDA_NIGHTS", "100"))  # 365 are the year
DEATHS = max(
    2, DAYS // 15
)  # some come too late: in the dark a night is over before it has asked so much
SEASON = 90  # nights in which every kind of trouble has come at least once


def _unexplained(report: Report, year: Year) -> list[tuple[str, str]]:
    """What a night has said beside the breaches and nothing in the log accounts for, or has not
    said though the log asks for it."""
    oracle, others = year.oracle, set(report.others)
    lost = {one.key for one in oracle.machines.values() if ("dc", one.node) in oracle.down}
    dark = all(("dc", node) in oracle.down for node in NODES)
    asked = {("nightly.vm-unknown", vm) for vm in lost}
    asked |= {("survey.clock-skew", where) for where in oracle.wrong_clocks if not dark}
    asked |= (
        {("survey.server-unread", "pbs-drc")} if ("pbs-drc", "pbs-drc") in oracle.down else set()
    )
    asked |= {("survey.unread", "")} if dark else set()
    fitting = {("plan.unknown", vm) for vm in lost}
    left = ("nightly.vm-differs", "converge.left-node", "converge.not-backed-up")
    fitting |= {(code, vm) for code in left for vm in year.struck}
    if ("pbs-dc", "pbs-dc") in oracle.down:
        fitting.add(("survey.storage-unread", "pbs-dc"))
    if oracle.down:
        fitting |= {("pve.unreachable", ""), ("pbs.unreachable", "")}
    return sorted((asked - others) | (others - asked - fitting))


def _aged(report: Report, due: dict[Breach, float | None]) -> Collection[Breach]:
    """The breaches whose age the report has by more than a second wrong."""
    wrong = []
    for one, age in due.items():
        said = report.breaches.get(one)
        if (said is None) != (age is None) or abs((said or 0) - (age or 0)) > 1:
            wrong.append(one)
    return wrong


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_breach_of_a_year_is_in_its_nights_report_and_nothing_else(tmp_path: Path) -> None:
    kinds: Counter[str] = Counter()
    right = due_in_all = said_in_all = nights = calm = 0
    with regency(tmp_path / "site", SEED) as lab:
        people(tmp_path / "site")
        with open_desk(tmp_path / "site", asserted=OPERATOR) as desk:
            year = Year(tmp_path / "site", lab, desk, SEED, DAYS, DEATHS)
            assert len(year.oracle.vms) == sum(count for _, count in WORKLOADS.values()) == 100
            for nights, (report, going) in enumerate(year.nights(), 1):
                where = f"night {nights} of seed {SEED}, with {[one.kind for one in going]}"
                due = year.oracle.breaches(report.at, NODES)
                said = report.breaches.keys()
                assert due.keys() - said == set(), f"not said: {where}"
                assert said - due.keys() == set(), f"said without cause: {where}"
                assert _aged(report, due) == [], where
                assert _unexplained(report, year) == [], where
                assert report.code == (7 if due or report.others else 0), where
                kinds.update(f"{one.loss}-{one.standing}" for one in due)
                right += len(due.keys() & said)
                due_in_all, said_in_all = due_in_all + len(due), said_in_all + len(said)
                calm += report.code == 0
    print(f"seed {SEED}: {nights} nights, {calm} of them quiet; breaches {dict(kinds)}")
    print(f"troubles {dict(year.counted)}; events {dict(year.oracle.counted)}")
    assert right == due_in_all == said_in_all > 0
    assert nights == DAYS
    assert calm > DAYS / 4
    assert year.counted["killed"] >= DAYS // 18
    assert {"node-late", "site-late"} <= kinds.keys()
    if DAYS >= SEASON:
        assert year.counted.keys() >= HOURS.keys()
        assert {"node-never", "node-unknown"} <= kinds.keys()
