"""Tasks: PVE's workers. Each belongs to a node, runs in lab time, and ends with a status.

A worker's work is a generator: what it does at once, then the lab seconds it takes (`yield 2.0`),
then what it does when they are over; it may fail with `Refused`, whose text becomes the exit
status. A worker that vanishes (node down, lab stopped, a scripted crash) leaves the world as it
stood: nothing is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from .clock import Clock, Event
from .errors import Refused
from .state import Cluster, Node, Task

Work = Generator[float, None, None]
VANISHED = "unexpected status"


@dataclass
class Running:
    task: Task
    work: Work
    wake: Event | None = None
    warnings: int = 0


class Tasks:
    def __init__(self, cluster: Cluster, clock: Clock, note: Callable[..., None]) -> None:
        self.cluster = cluster
        self.clock = clock
        self.note = note
        self.running: dict[str, Running] = {}

    def start(
        self, node: Node, kind: str, subject: str, user: str, work: Callable[[Task], Work]
    ) -> Task:
        now = self.clock.now()
        node.next_pid += 7
        uptime = int((now - node.booted) * 100)
        userid, _, token = user.partition("!")
        upid = (
            f"UPID:{node.name}:{node.next_pid:08X}:{uptime & 0xFFFFFFFF:08X}:{int(now):08X}"
            f":{kind}:{subject}:{user}:"
        )
        task = Task(upid, node.name, node.next_pid, uptime, now, kind, subject, userid, token)
        self.cluster.tasks.append(task)
        self.running[upid] = Running(task, work(task))
        self._step(upid)
        return task

    def find(self, upid: str) -> Task | None:
        return next((t for t in reversed(self.cluster.tasks) if t.upid == upid), None)

    def warn(self, task: Task, text: str) -> None:
        task.log.append(f"WARN: {text}")
        if task.upid in self.running:
            self.running[task.upid].warnings += 1

    def stop(self, upid: str) -> None:
        """Interrupt a worker, as DELETE on a task does: it may clean up behind itself."""
        run = self.running.get(upid)
        if run is None:
            return
        if run.wake:
            run.wake.cancel()
        self._step(upid, Refused(500, "received interrupt"))

    def vanish(self, upid: str) -> None:
        """The worker is gone without a word: what it had begun stays begun."""
        run = self.running.pop(upid, None)
        if run is None:
            return
        if run.wake:
            run.wake.cancel()
        run.task.endtime = self.clock.now()
        run.task.status = VANISHED
        self.note("task-vanished", upid=upid)

    def vanish_on(self, node: str | None = None) -> None:
        for upid, run in list(self.running.items()):
            if node is None or run.task.node == node:
                self.vanish(upid)

    def _step(self, upid: str, error: Refused | None = None) -> None:
        run = self.running.get(upid)
        if run is None:
            return
        try:
            seconds = run.work.throw(error) if error else next(run.work)
        except StopIteration:
            self._end(run, "OK")
        except Refused as refused:
            self._end(run, refused.message.rstrip("\n"))
        else:
            run.wake = self.clock.after(seconds, lambda: self._step(upid))

    def _end(self, run: Running, status: str) -> None:
        self.running.pop(run.task.upid, None)
        if status == "OK" and run.warnings:
            status = f"WARNINGS: {run.warnings}"
        run.task.endtime = self.clock.now()
        run.task.status = (
            status.split("\n")[0] if status.startswith("WARN") else " ".join(status.split("\n"))
        )
        if status == "OK":
            run.task.log.append("TASK OK")
        elif status.startswith("WARNINGS:"):
            run.task.log.append(f"TASK {status}")
        else:
            run.task.log.append(f"TASK ERROR: {status}")
        self.note("task-ended", upid=run.task.upid, status=run.task.status)
