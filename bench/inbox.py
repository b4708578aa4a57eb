"""A thousand documents in the inbox: the run that takes them all, and the run without news.

Method: a copy of the lab's site with a ledger of its own on disk; N requests that differ by name,
spread over its OPDs. Beside the time stands the processor time of the same run, since what the
rest is waiting for is the disk. The settling time is left out.

Run: python -m bench.inbox [N]
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from cloudpemda.clock import stopwatch
from cloudpemda.usecases.inbox import Outcome, take_inbox
from cloudpemda.wiring import open_desk

LAB = Path(__file__).parents[1] / "inventories" / "lab"
EXAMPLES = {"bkad": "simkeu.yaml", "disdukcapil": "siak.yaml"}
BAR = 10.0
"""Seconds for a thousand documents."""


def prepare(base: Path, count: int) -> tuple[Path, Path]:
    """A site with the machine's clock, and an inbox with `count` documents."""
    site, box = base / "site", base / "inbox"
    shutil.copytree(LAB, site, ignore=shutil.ignore_patterns("var"))
    settings = (site / "site.yaml").read_text()
    (site / "site.yaml").write_text(settings.replace("clock: lab", "clock: system"))
    for number in range(count):
        opd = sorted(EXAMPLES)[number % len(EXAMPLES)]
        document = yaml.safe_load((LAB / "requests" / EXAMPLES[opd]).read_text())
        document["metadata"]["name"] = f"app{number}"
        (box / opd).mkdir(parents=True, exist_ok=True)
        (box / opd / f"app{number}.yaml").write_text(json.dumps(document, default=str, indent=1))
    return site, box


def run(site: Path, box: Path, outcome: Outcome) -> tuple[float, float]:
    """Seconds by the wall and by the processor; every document must come out as `outcome`."""
    begun, used = stopwatch(), sum(os.times()[:2])
    with open_desk(site, asserted="timer") as desk:
        found = take_inbox(desk, box, settle=0)
    taken = stopwatch() - begun, sum(os.times()[:2]) - used
    assert {one.outcome for one in found.files} == {outcome}, found.faults[:3]
    return taken


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        site, box = prepare(Path(directory), count)
        for name, outcome in (("all new", Outcome.TAKEN), ("no news", Outcome.KNOWN)):
            wall, processor = run(site, box, outcome)
            ratio = wall * 1000 / count / BAR
            print(
                f"{name}: {count} documents in {wall:.1f} s ({processor:.1f} s of processor), "
                f"{ratio:.2f} of the bar"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
