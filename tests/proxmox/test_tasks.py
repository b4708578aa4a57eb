"""Waiting for tasks: few requests, honest results, and every wait has an end."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import pytest

from cloudpemda.clock import Clock
from cloudpemda.proxmox import (
    Locked,
    TaskFailed,
    TaskTimeout,
    TaskUnknown,
    TaskWaiter,
    Trust,
    Upid,
    connect,
    upid_node,
)
from cloudpemda.units import Instant
from tests.labs import running_lab
from tests.proxmox.bench import NODES, Bench, described
from tests.proxmox.clocks import VirtualClock
from tests.proxmox.servers import Answer, Asked, serving


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Bench]:
    """A cluster whose creations take 100 s."""
    with running_lab(tmp_path / "lab", described("9.2", create=100, default=100)) as lab:
        yield Bench(lab, "9.2")


class Together:
    """The lab's clock, which stands until so many have begun to wait: a thread that comes late on
    a busy machine must not be late in the lab's time."""

    def __init__(self, clock: Clock, many: int) -> None:
        self._clock, self._left = clock, many
        self._lock, self._all = Lock(), Event()

    def now(self) -> Instant:
        found = self._clock.now()
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self._all.set()
        return found

    def sleep(self, seconds: float) -> None:
        self._all.wait()
        self._clock.sleep(seconds)


def test_many_tasks_are_followed_by_one_request_per_round(slow: Bench) -> None:
    """Twenty threads wait for twenty tasks on three nodes; no task is asked for singly."""
    upids = [
        slow.pve.create_vm(NODES[vmid % 3], vmid, {"scsi0": "local-zfs:1"})
        for vmid in range(10001, 10021)
    ]
    before, begun = slow.mark, slow.clock.now()
    waiter = TaskWaiter(slow.pve, Together(slow.clock, len(upids)))
    with ThreadPoolExecutor(len(upids)) as threads:
        results = list(threads.map(lambda upid: waiter.wait(upid, 600), upids))
    waited = (slow.clock.now() - begun).total_seconds()
    assert [result.upid for result in results] == upids
    asked = Counter(slow.asked(before))
    polls = asked.pop("GET /cluster/tasks")
    assert not asked
    # a round each two seconds, and one more whenever the polling thread hands over
    assert polls <= waited / 2 + len(upids), f"{polls} polls in {waited} s"


def test_tasks_that_left_the_list_cost_one_request_per_node_and_one_each(slow: Bench) -> None:
    """Ninety tasks end together; a cluster lists only some dozens of those that have ended."""
    upids = [
        slow.pve.create_vm(NODES[vmid % 3], vmid, {"scsi0": "local-zfs:1"})
        for vmid in range(10001, 10091)
    ]
    before = slow.mark
    waiter = TaskWaiter(slow.pve, Together(slow.clock, len(upids)))
    with ThreadPoolExecutor(len(upids)) as threads:
        results = list(threads.map(lambda upid: waiter.wait(upid, 600), upids))
    assert len(results) == len(upids)
    asked = Counter(slow.asked(before))
    rounds = asked.pop("GET /cluster/tasks")
    for node in NODES:
        assert asked.pop(f"GET /nodes/{node}/tasks", 0) <= rounds
    assert 0 < sum(asked.values()) <= len(upids)
    assert set(asked.values()) == {1}


def test_running_tasks_that_the_list_leaves_out_are_followed_by_node(tmp_path: Path) -> None:
    """The list is cut at its size in bytes; then each node is asked for what it runs, once."""
    upids = [Upid(f"UPID:{node}:{number:08X}:00000001:6AFF9B90:qmclone:100:a@pve!b:")
             for node in ("pve1", "pve2") for number in range(10)]  # fmt: skip
    rounds = 0

    def answer(asked: Asked) -> Answer:
        nonlocal rounds
        path = asked.path.removeprefix("/api2/json").partition("?")[0]
        if path == "/cluster/tasks":
            rounds += 1
            return _data([])
        node = path.split("/")[2]
        if path.endswith("/tasks"):
            running = [upid for upid in upids if upid_node(upid) == node and rounds < 4]
            return _data([{"upid": upid, "status": "RUNNING"} for upid in running])
        return _data({"status": "stopped", "exitstatus": "OK"})

    clock = VirtualClock()
    with serving(tmp_path / "server", answer) as server:
        trust = Trust(fingerprint=server.fingerprint)
        pve = connect("dc", [server.url], "a@pve!b", "s3cret", trust, clock)
        waiter = TaskWaiter(pve, clock)
        with ThreadPoolExecutor(len(upids)) as threads:
            done = list(threads.map(lambda upid: waiter.wait(upid, 600), upids))
    assert [result.upid for result in done] == upids
    singly = [asked.path for asked in server.asked if asked.path.endswith("/status")]
    assert len(singly) == len(set(singly)) == len(upids)
    by_node = sum(asked.path.count("/tasks?") for asked in server.asked)
    assert by_node <= 2 * rounds


def test_the_deadline_reaches_the_wait(slow: Bench) -> None:
    upid = slow.pve.create_vm("pve1", 10001, {"scsi0": "local-zfs:1"})
    begun = slow.clock.now()
    with pytest.raises(TaskTimeout) as caught:
        slow.waiter.wait(upid, 10)
    waited = (slow.clock.now() - begun).total_seconds()
    assert 10 <= waited <= 13
    assert caught.value.values["upid"] == upid
    assert slow.waiter.wait(upid, 600).warnings == 0  # it can be waited for again


def test_each_waiter_has_its_own_deadline(slow: Bench) -> None:
    upid = slow.pve.create_vm("pve1", 10001, {"scsi0": "local-zfs:1"})
    waiter = TaskWaiter(slow.pve, Together(slow.clock, 4))

    def wait(deadline: int) -> str:
        try:
            waiter.wait(upid, deadline)
        except TaskTimeout:
            return "timeout"
        return "done"

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(wait, [5, 600, 20, 600])) == ["timeout", "done", "timeout", "done"]


def test_a_vanished_worker_is_unknown_not_failed(slow: Bench) -> None:
    upid = slow.pve.create_vm("pve1", 10001, {"scsi0": "local-zfs:1"})
    since_start = slow.lab.control.now() - _lab_start()
    slow.lab.control.arm({"at": f"{since_start + 5:.0f}s", "do": "task-crash", "cluster": "dc"})
    with pytest.raises(TaskUnknown):
        slow.waiter.wait(upid, 600)


def _lab_start() -> float:
    from datetime import datetime

    return datetime.fromisoformat("2026-11-20T01:00:00+00:00").timestamp()


def test_a_task_nobody_knows_is_unknown(fresh: Bench) -> None:
    upid = Upid("UPID:pve1:00000001:00000001:60000000:qmstart:100:cloudpemda@pve!apply:")
    with pytest.raises(TaskUnknown):
        fresh.waiter.wait(upid, 60)


def test_a_failure_carries_its_kind_and_the_end_of_its_log(fresh: Bench) -> None:
    fresh.create(10001)
    fresh.lab.control.outside("change-vm", 10001, config={"lock": "backup"})
    with pytest.raises(TaskFailed) as caught:
        fresh.done(fresh.pve.start("pve1", 10001))
    assert caught.value.kind is Locked
    assert caught.value.temporary
    assert caught.value.values["text"] == "VM is locked (backup)"
    assert caught.value.log[-1] == "TASK ERROR: VM is locked (backup)"


def test_an_old_task_that_left_the_list_is_asked_for_at_its_node(fresh: Bench) -> None:
    """The list of recent tasks is short; one that ended long ago is still found."""
    first = fresh.pve.create_vm("pve1", 10001, {"scsi0": "local-zfs:1"})
    fresh.done(first)
    for _ in range(60):
        fresh.done(fresh.pve.set_config("pve1", 10001, {"memory": 512}))
    assert first not in fresh.pve.tasks(), "the lab lists all tasks for ever"
    assert fresh.waiter.wait(first, 60).warnings == 0


def test_a_node_that_goes_down_ends_the_wait_at_its_deadline(slow: Bench) -> None:
    upid = slow.pve.create_vm("pve3", 10001, {"scsi0": "local-zfs:1"})
    slow.lab.control.node("pve3", "down")
    with pytest.raises((TaskTimeout, TaskUnknown)):
        slow.waiter.wait(upid, 30)


def _data(value: object) -> Answer:
    return Answer(body=json.dumps({"data": value}).encode())
