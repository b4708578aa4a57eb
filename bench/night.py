"""What a night over 500 VMs costs: requests per cluster, CPU seconds, seconds.

    .venv/bin/python -m bench.night [--instances N] [--opds M]

The lab and ledger of `bench.drift`: N VMs on `dc`, none made by `apply`, so that every one is a
finding: the longest report there is. A first night puts their protection right, the one a day later
is measured. The bar is 6 + 1.2 × N requests to each cluster. CPU time is
that of the night's own process; the lab runs in another.
"""

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.drift import live, opds, people
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
            nightly(desk)  # makes good what protects the VMs, as far as it can
        lab.post("/advance", {"seconds": 86400})
        with open_desk(directory, asserted="rudi") as desk:
            before = len(lab.get("/requests"))
            began, cpu = time.perf_counter(), time.process_time()
            night = nightly(desk)
            cpu, took = time.process_time() - cpu, time.perf_counter() - began
        if chosen.paths:
            shown = Counter(
                f"{one['method']} {re.sub(r'[0-9]+', 'N', one['path'])}"
                for one in lab.get("/requests")[before:]
            )
            print("\n".join(f"{count:6} {path}" for path, count in shown.most_common(15)))
        asked = Counter(one["cluster"] for one in lab.get("/requests")[before:])
        bar = int(6 + 1.2 * chosen.instances)
        print(json.dumps({
            "instances": chosen.instances, "findings": len(night.findings),
            "requests": dict(asked), "bar": bar, "cpu_seconds": round(cpu, 1),
            "seconds": round(took, 1),
        }, indent=1))  # fmt: skip
        assert all(count <= bar for count in asked.values()), asked


if __name__ == "__main__":
    main()
