"""Storms of governance: whoever asks, decides, cuts, ends or dies, nothing is promised twice.

`CLOUDPEMDA_GOVERNANCE` is the number of histories in the fast tier (40; five times as many in the
slow one), `CLOUDPEMDA_STORM_SEED` the first seed (1): a failure names its seed, which alone repeats
that history.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests import labs
from tests.ledger.servers import postgres
from tests.storm.governance import APPLY_EVENTS, Governance
from tests.storm.office import Office
from tests.storm.test_storm import described, make_site

HISTORIES = int(os.environ.get("CLOUDPEMDA_GOVERNANCE", "40"))
MORE = 100  # so many are played beyond, where some kind of deed has not come yet
FIRST_SEED = int(os.environ.get("CLOUDPEMDA_STORM_SEED", "1"))
SQLITE = "sqlite:///var/ledger.sqlite3"

DEEDS = (
    "submit",
    "revise: pending",
    "revise: approved",
    "revise: active",
    "unchanged",
    "same again",
    "approve: request",
    "approve: a stage",
    "approve: change",
    "approve: by rule",
    "approve: for another",
    "deny",
    "withdraw",
    "expire: pending",
    "expire: approved",
    "ask for quota",
    "grant quota",
    "deny quota",
    "withdraw quota",
    "end a grant",
    "change a limit",
    "cut below use",
    "delegate",
    "change approvers",
    "change the policy",
    "apply",
    *APPLY_EVENTS,
    "two at once: one request",
    "two at once: two requests",
    "killed: submit",
    "killed: approve",
    "killed: deny",
    "killed: withdraw",
    "killed: grant",
    "killed: night",
    "killed: apply",
    "night",
    "recount",
    "refused: quota.exceeded",
    "refused: request.not-yours",
    "refused: ledger.transition",
    "ended: active",
    "ended: pending",
)
"""What may happen. A storm of many histories fails if one never did."""


@pytest.mark.timeout(1200)
def test_every_history_of_governance_ends_with_books_that_agree(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("told", storm(tmp_path, FIRST_SEED, HISTORIES))


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_two_hundred_histories_of_governance_end_so_too(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("told", storm(tmp_path, FIRST_SEED + 1000, 5 * HISTORIES))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_histories_of_governance_end_so_on_postgresql(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with postgres() as server:
        ledgers = (f"history{number}" for number in range(1000))

        def new_ledger() -> str:
            name = next(ledgers)
            engine = create_engine(server, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return make_url(server).set(database=name).render_as_string(hide_password=False)

        record_property("told", storm(tmp_path, FIRST_SEED + 2000, 20, new_ledger))


def storm(
    place: Path, first: int, histories: int, new_ledger: Callable[[], str] = lambda: SQLITE
) -> str:
    """Play that many histories; what happened how often. Each must end in order."""
    tally: Counter[str] = Counter()
    played = 0
    whole = histories >= 100  # fewer cannot meet everything
    with ExitStack() as stack:
        sites: list[tuple[Office, labs.RunningLab]] = []
        for version in ("9.2", "8.4"):
            site = make_site(place / f"site-{version}")
            lab = stack.enter_context(labs.running_lab(site / "var" / "lab", described(version)))
            sites.append((Office(site, SQLITE), lab))
        while played < histories or (whole and _never(tally) and played < histories + MORE):
            seed = first + played
            office, lab = sites[seed % len(sites)]
            Governance(
                seed, office.directory, lab, tally, office=office, new_ledger=new_ledger
            ).play()
            played += 1
    if whole:
        assert _never(tally) == [], f"never happened in {tally}"
    told = [f"storm of governance: {played} histories from seed {first}"]
    return "\n".join(told + [f"  {often:4}  {name}" for name, often in sorted(tally.items())])


def _never(tally: Counter[str]) -> list[str]:
    return [name for name in DEEDS if not tally[name]]
