"""Storms of day 2: however VMs are changed, moved, ended and touched, ledger and PVE stay in step.

`CLOUDPEMDA_LIFE` is the number of histories of each part (3; 25 in the slow tier, where as many
parts are played as make `CLOUDPEMDA_LIVES`, 100), `CLOUDPEMDA_STORM_SEED` the first seed (1): a
failure names its seed, which alone repeats that history.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import labs
from tests.storm.life import Life, prepare
from tests.storm.test_storm import described, make_site

HISTORIES = os.environ.get("CLOUDPEMDA_LIFE", "")
FIRST_SEED = int(os.environ.get("CLOUDPEMDA_STORM_SEED", "1"))
EACH = 25  # lives of a part
LIVES = int(os.environ.get("CLOUDPEMDA_LIVES", "100"))
"""Three hundred take half an hour of two cores: where they are asked for."""


@pytest.mark.parametrize("part", range(2))
def test_every_life_ends_in_step(
    tmp_path: Path, part: int, record_property: Callable[[str, object], None]
) -> None:
    histories = int(HISTORIES or 3)
    record_property("told", storm(tmp_path, FIRST_SEED + part * histories, histories))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(LIVES // EACH))
def test_many_lives_end_so_too(
    tmp_path: Path, part: int, record_property: Callable[[str, object], None]
) -> None:
    histories = int(HISTORIES or EACH)
    record_property("told", storm(tmp_path, FIRST_SEED + 100 + part * histories, histories))


def storm(place: Path, first: int, histories: int) -> str:
    """Play that many histories, on 9.2 and 8.4 in turn; what happened how often."""
    tally: Counter[str] = Counter()
    with ExitStack() as stack:
        sites: list[tuple[Path, labs.RunningLab]] = []
        for version in ("9.2", "8.4"):
            site = make_site(place / f"site-{version}")
            prepare(site)
            lab = stack.enter_context(labs.running_lab(site / "var" / "lab", described(version)))
            sites.append((site, lab))
        for seed in range(first, first + histories):
            site, lab = sites[seed % len(sites)]
            Life(seed, site, lab, tally).play()
    told = [f"storm of day 2: {histories} histories from seed {first}"]
    return "\n".join(told + [f"  {often:4}  {name}" for name, often in sorted(tally.items())])
