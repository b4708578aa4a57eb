"""Seeded storms: whatever happens to an apply, it ends with ledger = lab.

`CLOUDPEMDA_STORM` is the number of histories of each part (4; 60 in the slow tier), and
`CLOUDPEMDA_STORM_SEED` the first seed (1): a failure names its seed, which alone repeats that
history.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import labs
from tests.storm.history import ALSO, EVENTS, History

HISTORIES = os.environ.get("CLOUDPEMDA_STORM", "")
PARTS = range(4)  # played beside each other
MORE = 60  # so many are played beyond, where some kind of event has not come yet
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


@pytest.mark.parametrize("part", PARTS)
def test_every_history_ends_with_ledger_equal_to_lab(
    tmp_path: Path, part: int, record_property: Callable[[str, object], None]
) -> None:
    histories = int(HISTORIES or 4)
    record_property("told", storm(tmp_path, FIRST_SEED + part * histories, histories))


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS[:2])
def test_a_longer_storm_ends_so_too(
    tmp_path: Path, part: int, record_property: Callable[[str, object], None]
) -> None:
    histories = int(HISTORIES or 60)
    record_property("told", storm(tmp_path, FIRST_SEED + 1000 * (part + 1), histories))


def storm(place: Path, first: int, histories: int) -> str:
    """Play that many histories; what happened how often. Each must end with ledger = lab."""
    tally: Counter[str] = Counter()
    played = 0
    with ExitStack() as stack:
        sites: list[tuple[Path, labs.RunningLab]] = []
        for version in ("8.4", "9.2", "9.2"):  # every third history meets groups and not rules
            site = make_site(place / f"site-{len(sites)}")
            lab = stack.enter_context(labs.running_lab(site / "var" / "lab", described(version)))
            sites.append((site, lab))
        whole = histories >= 50  # few histories cannot meet everything
        while played < histories or (whole and _never(tally) and played < histories + MORE):
            seed = first + played
            site, lab = sites[seed % len(sites)]
            History(seed, site, lab, tally).play()
            played += 1
    if whole:
        assert _never(tally) == [], "never happened"
    told = [f"storm: {played} histories from seed {first}"]
    return "\n".join(told + [f"  {tally[name]:4}  {name}" for name in (*EVENTS, *ALSO)])


def _never(tally: Counter[str]) -> list[str]:
    return [name for name in (*EVENTS, *ALSO) if not tally[name]]
