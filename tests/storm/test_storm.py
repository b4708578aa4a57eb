"""Seeded storms: whatever happens to an apply, it ends with ledger = lab.

`CLOUDPEMDA_STORM` is the number of histories (60), `CLOUDPEMDA_STORM_SEED` the first seed (1): a
failure names its seed, which alone repeats that history.
"""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import labs
from tests.storm.history import ALSO, EVENTS, History

HISTORIES = int(os.environ.get("CLOUDPEMDA_STORM", "60"))
FIRST_SEED = int(os.environ.get("CLOUDPEMDA_STORM_SEED", "1"))
SITE = Path(__file__).parents[2] / "inventories" / "lab"


def make_site(directory: Path) -> Path:
    """The lab's site without what a user's own lab has left in it."""
    shutil.copytree(SITE, directory, ignore=shutil.ignore_patterns("var"))
    return directory


def described() -> dict[str, Any]:
    return labs.layout()


@pytest.mark.timeout(900)
def test_every_history_ends_with_ledger_equal_to_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = make_site(tmp_path / "site")
    tally: Counter[str] = Counter()
    with labs.running_lab(site / "var" / "lab", described()) as lab:
        for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
            History(seed, site, lab, tally).play()
    with capsys.disabled():
        print(f"\nstorm: {HISTORIES} histories from seed {FIRST_SEED}")
        for name in (*EVENTS, *ALSO):
            print(f"  {tally[name]:4}  {name}")
    if HISTORIES >= 50:
        never = [name for name in (*EVENTS, *ALSO) if not tally[name]]
        assert never == [], f"never happened: {never}"
