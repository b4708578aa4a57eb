"""Storms of governance: whoever asks, decides, cuts, ends or dies, nothing is promised twice.

`CLOUDPEMDA_GOVERNANCE` is the number of histories (24), `CLOUDPEMDA_STORM_SEED` the first seed
(1): a failure names its seed, which alone repeats that history. From 100 on each kind of deed must
have happened.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import labs
from tests.storm.governance import APPLY_EVENTS, Governance
from tests.storm.office import Office
from tests.storm.test_storm import described, make_site

HISTORIES = int(os.environ.get("CLOUDPEMDA_GOVERNANCE", "24"))
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
