"""The lab's replication engine against timelines of PVE's own scheduler, second by second.

CLOUDPEMDA_PVE_REFERENCE names the folder with the timelines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.lab.errors import failed
from cloudpemda.lab.replication import engine
from cloudpemda.lab.state import ReplicationJob, Volume

REFERENCE = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
pytestmark = pytest.mark.skipif(
    REFERENCE is None, reason="CLOUDPEMDA_PVE_REFERENCE does not name the timelines"
)
TICK, TICKS = 60, 120
Line = tuple[float, str, str]


def timeline(name: str) -> dict[str, Any]:
    told = json.loads((Path(str(REFERENCE)) / "replication-timelines.json").read_text())
    return next(one for one in told if one["name"] == name)


def expected(name: str) -> list[Line]:
    return [(at, job, text) for at, job, text in timeline(name)["log"]]


@dataclass
class Bench(engine.Ground):
    """VM 900 on node1 with its disks, a target that holds copies, and a log."""

    job: ReplicationJob
    node: str = "node1"
    clock: float = 1000
    disks: list[str] = field(default_factory=lambda: ["local-zfs:vm-900-disk-1"])
    here: dict[str, Volume] = field(default_factory=dict)
    there: dict[str, Volume] = field(default_factory=dict)
    log: list[Line] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self.make(self.disks[0])

    def make(self, volid: str) -> None:
        self.here[volid] = Volume(volid, self.node, 2**30, "raw", "images", 900, virtual=2**30)

    def now(self) -> float:
        return self.clock

    def write(self, line: str) -> None:
        if not line.startswith("successfully imported"):  # the timelines' transport says nothing
            self.log.append((self.clock, self.job.name, line))

    def guest(self) -> str:
        if self.broken:
            raise failed("faked replication error")
        return "VM 900, running => 0"

    def volumes(self, *, strict: bool) -> Sequence[str]:
        return self.disks

    def source(self, volid: str) -> Volume:
        if volid not in self.here:
            raise failed(f"no such volid '{volid}'")
        return self.here[volid]

    def copy(self, volid: str) -> Volume | None:
        return self.there.get(volid)

    def prepare(self, wanted: Sequence[str]) -> None:
        self.there = {volid: copy for volid, copy in self.there.items() if volid in wanted}

    def receive(self, source: Volume) -> Volume:
        return self.there.setdefault(source.volid, Volume(source.volid, "node2", 0, "raw", ""))

    def changed(self, volume: Volume, since: float) -> int:
        return 0

    def seconds(self, size: int, rate: float) -> float:
        return 0.0

    # -- the scheduler that looks once a minute, and tells what changed --------------------------

    def ticks(self, count: int = TICKS) -> Iterator[int]:
        """Run; the caller does what happens after each tick."""
        due = engine.next_sync(self.job, online=True)
        self.log.append((self.clock, self.job.name, f"new job next_sync => {due:.0f}"))
        for number in range(1, count + 1):
            if self.tick():
                self.log.append((self.clock, self.job.name, "vanished job"))
                return
            yield number
            self.clock += TICK

    def tick(self) -> bool:
        due, state = engine.next_sync(self.job, online=True), self.job.state
        local = self.job.target == self.node and "remove_job" not in self.job.options
        if due > self.clock or local:
            return False
        keys = ("last_node", "last_try", "last_sync", "fail_count", "error")
        before, stored = {key: getattr(state, key) for key in keys}, state.storages
        run = engine.run(self.job, self)
        try:
            while True:
                next(run)
        except StopIteration as done:
            if done.value:
                return True
        due = engine.next_sync(self.job, online=True)
        told = [f"changed config next_sync => {due:.0f}"]
        after = {key: getattr(state, key) for key in keys}
        changed = {key: value for key, value in after.items() if value != before[key]}
        shown = ", ".join(
            f"{key} => {value:.0f}" if isinstance(value, int | float) else f"{key} => {value}"
            for key, value in changed.items()
        )
        told.append(f"changed state {shown}")
        told += [f"changed storeid list {','.join(state.storages)}"] * (stored != state.storages)
        self.log += [(self.clock, self.job.name, line) for line in told]
        return False


def job(target: str, **options: str) -> ReplicationJob:
    return ReplicationJob(f"job_900_to_{target}", "local", {"target": target, **options})


def test_a_job_that_always_fails_is_tried_ever_more_rarely() -> None:
    bench = Bench(job("node2"), broken=True)
    for _ in bench.ticks():
        pass
    assert bench.log == expected("always failing")


def test_a_disk_that_appears_late_and_the_removal_of_the_job() -> None:
    bench = Bench(job("node2"))
    for number in bench.ticks():
        match number:
            case 15:
                bench.disks = [*bench.disks, "local-zfs:vm-900-disk-2"]
            case 30:
                bench.make("local-zfs:vm-900-disk-2")
            case 45:
                bench.job.options["remove_job"] = "full"
    assert bench.log == expected("disk appears late, then removal")
    assert bench.there == {}


def test_the_removal_of_a_job_to_the_local_node() -> None:
    bench = Bench(job("node1", remove_job="full"))
    for _ in bench.ticks():
        pass
    assert bench.log == expected("removal of a job to the local node")


def test_a_plain_schedule() -> None:
    bench, starts = Bench(job("node2", schedule="*/15"), clock=0), list[list[float]]()
    for _ in range(61):
        before = bench.job.state
        last = before.last_sync
        bench.tick()
        if before.last_try == bench.clock and bench.clock:
            starts.append([bench.clock, last])
        bench.clock += TICK
    assert starts == timeline("plain schedule")["starts"]
