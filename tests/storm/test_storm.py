"""Seeded storms: whatever happens to an apply, it ends with ledger = lab.

`CLOUDPEMDA_STORM` is the number of histories (60), `CLOUDPEMDA_STORM_SEED` the first seed (1): a
failure names its seed, which alone repeats that history.
"""

import os
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import labs
from tests.storm.history import ALSO, EVENTS, History

HISTORIES = int(os.environ.get("CLOUDPEMDA_STORM", "60"))
MOST = HISTORIES + 60  # so many are played where some kind of event has not come yet
FIRST_SEED = int(os.environ.get("CLOUDPEMDA_STORM_SEED", "1"))
SITE = Path(__file__).parents[2] / "inventories" / "lab"


def make_site(directory: Path) -> Path:
    """The lab's site without what a user's own lab has left in it."""
    shutil.copytree(SITE, directory, ignore=shutil.ignore_patterns("var"))
    return directory


def described(version: str) -> dict[str, Any]:
    layout = labs.layout()
    layout["clusters"]["dc"]["version"] = version
    return layout


@pytest.mark.timeout(1200)
def test_every_history_ends_with_ledger_equal_to_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tally: Counter[str] = Counter()
    played = 0
    with ExitStack() as stack:
        places: list[tuple[Path, labs.RunningLab]] = []
        for version in ("8.4", "9.2", "9.2"):  # every third history meets groups and not rules
            site = make_site(tmp_path / f"site-{len(places)}")
            lab = stack.enter_context(labs.running_lab(site / "var" / "lab", described(version)))
            places.append((site, lab))
        while played < HISTORIES or (HISTORIES >= 50 and _never(tally) and played < MOST):
            seed = FIRST_SEED + played
            site, lab = places[seed % len(places)]
            History(seed, site, lab, tally).play()
            played += 1
    with capsys.disabled():
        print(f"\nstorm: {played} histories from seed {FIRST_SEED}")
        for name in (*EVENTS, *ALSO):
            print(f"  {tally[name]:4}  {name}")
    if HISTORIES >= 50:
        assert _never(tally) == [], "never happened"


def _never(tally: Counter[str]) -> list[str]:
    return [name for name in (*EVENTS, *ALSO) if not tally[name]]
