"""What a night over 500 VMs costs: requests per cluster, statements to the ledger, CPU seconds,
seconds.

    .venv/bin/python -m bench.night [--instances N] [--opds M]

The lab and ledger of `bench.drift`: N VMs on `dc`, none made by `apply`, so that every one is a
finding: the longest report there is. A first night puts their protection right; the one a day later
has nothing left to do, and its bar is 6 + 1.2 × N requests to each cluster. Three of them are asked
of each node, however few VMs it has (its clock, its replication, its backup tasks): below 15 VMs a
node the bar is 6 + N and these. CPU time is that of the night's own process; the lab runs in
another.
"""

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event

from bench.drift import live, opds, people
from cloudpemda.lab.process import RunningLab
from cloudpemda.usecases.nightly import nightly
from cloudpemda.wiring import open_desk
from tests.scenarios.conftest import running_site


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--opds", type=int, default=40)
    parser.add_argument("--paths", action="store_true", help="what was asked for most")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        running_site(Path(place) / "site") as (directory, lab),
    ):
        codes = opds(directory, chosen.opds)
        with open_desk(directory, asserted="rudi") as desk:
            for number in range(chosen.instances):
                row = number % chosen.opds
                live(desk.ledger, desk.clock.now(), codes[row], number, 20000 + row * 100)
            people(desk, lab)
        nodes = max(len(one["nodes"]) for one in lab.get("/status")["clusters"].values())
        bar = int(6 + max(1.2 * chosen.instances, chosen.instances + 3 * nodes))
        # the first makes good what protects the VMs, as far as it can
        first, _ = measured(directory, lab, paths=chosen.paths)
        lab.post("/advance", {"seconds": 86400})
        then, asked = measured(directory, lab, paths=chosen.paths)
        told = {"instances": chosen.instances, "bar": bar, "first": first, "then": then}
        print(json.dumps(told, indent=1))
        assert all(count <= bar for count in asked.values()), asked


def measured(
    directory: Path, lab: RunningLab, *, paths: bool
) -> tuple[dict[str, object], Mapping[str, int]]:
    """What a night has cost, and its requests by cluster."""
    with open_desk(directory, asserted="rudi") as desk:
        before = len(lab.get("/requests"))
        began, cpu = time.perf_counter(), time.process_time()
        with statements() as said:
            night = nightly(desk)
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
    requests = lab.get("/requests")[before:]
    if paths:
        shown = Counter(
            f"{one['cluster']} {one['method']} {re.sub(r'[0-9]+', 'N', one['path'])}"
            for one in requests
        )
        print("\n".join(f"{count:6} {path}" for path, count in shown.most_common(15)))
    asked = Counter(one["cluster"] for one in requests)
    told: dict[str, object] = {
        "findings": len(night.findings), "requests": dict(asked), "statements": said.total(),
        "cpu_seconds": round(cpu, 1), "seconds": round(took, 1),
    }  # fmt: skip
    return told, asked


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """How often each was said to the ledger meanwhile."""
    said = Counter[str]()

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said[statement] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", count)


if __name__ == "__main__":
    main()
