"""Requests checked per second: bytes to `WorkloadSpec`, with all checks, in one process.

Run: python -m bench.documents [SECONDS]
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from cloudpemda.clock import stopwatch
from cloudpemda.errors import InvalidInput
from cloudpemda.request import read_any
from cloudpemda.site import load_site

LAB = Path(__file__).parents[1] / "inventories" / "lab"
AIM = 3000
ROUNDS = 5


def per_second(work: Callable[[], None], seconds: float) -> float:
    """The median of ROUNDS rounds of `seconds` / ROUNDS each."""
    rates = []
    for _ in range(ROUNDS):
        begun = stopwatch()
        done = 0
        while stopwatch() - begun < seconds / ROUNDS:
            for _ in range(50):
                work()
            done += 50
        rates.append(done / (stopwatch() - begun))
    return statistics.median(rates)


def main(seconds: float) -> None:
    flavors = load_site(LAB).catalogue.flavors
    valid = (LAB / "requests" / "siak.yaml").read_bytes()
    faulty = (LAB / "requests" / "faulty.yaml").read_bytes()
    lines = len(valid.splitlines())

    def check() -> None:
        read_any(valid, "siak.yaml", flavors)

    def check_and_hash() -> None:
        assert read_any(valid, "siak.yaml", flavors).spec_hash

    def refuse() -> None:
        try:
            read_any(faulty, "faulty.yaml", flavors)
        except InvalidInput:
            return
        raise AssertionError("the faulty example was accepted")

    def compose() -> None:
        assert yaml.compose(valid, Loader=yaml.CSafeLoader)

    bare = per_second(compose, seconds)
    print(f"a request of {lines} lines and {len(valid)} bytes, one process, median of {ROUNDS}:")
    for name, work in (
        ("check", check),
        ("check and hash", check_and_hash),
        ("refuse the faulty example", refuse),
    ):
        rate = per_second(work, seconds)
        print(f"  {name:<28}{rate:>8.0f} /s   {rate / AIM:.2f} of the aim of {AIM}")
    print(f"  {'(libyaml compose alone)':<28}{bare:>8.0f} /s")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
