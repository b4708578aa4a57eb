"""How long it takes to say what the ledger knows of 500 instances.

    .venv/bin/python -m bench.reads [--instances N] [--rounds R]

A copy of the lab's site, without a lab, gets N instances in workloads of two, handed in, approved,
made and active in its ledger, and each with the entries of that in the audit log. Then each command
runs R times in this process, from its words to the end of its text (to a file): opening the site
and the ledger included, starting Python and importing not. The median of the
processor's time is wanted under 300 ms.
"""

import argparse
import contextlib
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudpemda.cli import main as command_line
from cloudpemda.clock import SystemClock, SystemEntropy
from cloudpemda.demo import inventory
from cloudpemda.ledger import Ledger, open_ledger
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from tests.ledger.makers import BUDI, OPERATOR, SITI, network, pools, vm, wanted, workload

COMMANDS = (
    ("status", "--offline"),
    ("quota", "show"),
    ("request", "list"),
)
OPDS = ("dinkes", "disdukcapil", "bkad")
USAGE = {"instances": 1, "vcpu": 4, "memory": 8192, "disk.ssd": 40960, "backup": 40960}


def site(base: Path) -> Path:
    directory = base / "site"
    shutil.copytree(inventory("lab"), directory, ignore=shutil.ignore_patterns("var"))
    file = directory / "site.yaml"
    file.write_text(file.read_text().replace("clock: lab ", "clock: system "))
    (directory / "var").mkdir(mode=0o700)
    return directory


def live(ledger: Ledger, number: int) -> None:
    """A workload of two VMs, from hand to life."""
    opd = OPDS[number % len(OPDS)]
    spec = workload(opd, f"w{number}", vm("db", 2))
    ledger.requests.submit(spec, "", SITI)
    ledger.requests.approve(
        spec.key, spec_hash=spec.spec_hash, offer_digest="offer", offer_json="{}",
        amounts={"db-1": USAGE, "db-2": USAGE},
        chain=(Link(opd, dict.fromkeys(USAGE), frozenset({opd})),),
        warn_at=(80,), actor=BUDI, hold_until=Instant(datetime.now(UTC) + timedelta(days=14)),
    )  # fmt: skip
    ledger.requests.begin(spec.key, spec_hash=spec.spec_hash, offer_digest="offer", actor=OPERATOR)
    for one in ledger.instances.claim(
        spec.key, wanted(spec), vmid_range=range(100, 100000),
        pools=pools(network("10.0.0.0/16", gateway="10.0.0.1")), taken_vmids={}, actor=OPERATOR,
    ):  # fmt: skip
        ledger.instances.creating(one.uid, actor=OPERATOR)
        ledger.instances.active(one.uid, actor=OPERATOR)
    ledger.requests.finish(spec.key, actor=OPERATOR)


def taken(directory: Path, words: tuple[str, ...], output: str) -> float:
    """Milliseconds of one command: those of the processor, which others cannot lengthen."""
    line = ["--site", str(directory), "--actor", "rudi", "--output", output, *words]
    begun = time.process_time()
    with (
        open(directory / "var" / "told", "w", encoding="utf-8") as told,
        contextlib.redirect_stdout(told),
    ):
        try:
            command_line(line)
        except SystemExit as ended:
            if ended.code:
                raise
    return (time.process_time() - begun) * 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = site(Path(folder))
        with open_ledger(
            "sqlite:///var/ledger.sqlite3", directory, SystemClock(), SystemEntropy(),
            identity="asserted",
        ) as ledger:  # fmt: skip
            for number in range(args.instances // 2):
                live(ledger, number)
        for words in COMMANDS:
            for output in ("text", "json"):
                runs = [taken(directory, words, output) for _ in range(args.rounds)]
                print(
                    f"{' '.join(words):>16} {output:>5}: median {statistics.median(runs):6.0f} ms,"
                    f" best {min(runs):6.0f} ms (under 300 is wanted)"
                )


if __name__ == "__main__":
    main()
