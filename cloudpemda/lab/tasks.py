"""Tasks: PVE's workers. Each belongs to a node, runs in lab time, and ends with a status.

What a worker fails with (`Refused`) becomes its exit status. A worker that vanishes (node down, lab
stopped, a scripted crash) leaves the world as it stood: nothing is undone.
"""

from collections.abc import Callable

from cloudpemda.lab.errors import Refused
from cloudpemda.lab.state import Cluster, Node, Task
from cloudpemda.lab.work import Process, Scheduler, Work

VANISHED = "unexpected status"


class Tasks:
    def __init__(self, cluster: Cluster, scheduler: Scheduler, note: Callable[..., None]) -> None:
        self.cluster, self.scheduler, self.note = cluster, scheduler, note
        self.running: dict[str, tuple[Task, Process | None]] = {}

    def start(
        self, node: Node, kind: str, subject: str, user: str, work: Callable[[Task], Work]
    ) -> Task:
        now = self.scheduler.clock.now()
        node.next_pid += 7
        uptime = int((now - node.booted) * 100)
        userid, _, token = user.partition("!")
        upid = (
            f"UPID:{node.name}:{node.next_pid:08X}:{uptime & 0xFFFFFFFF:08X}:{int(now):08X}"
            f":{kind}:{subject}:{user}:"
        )
        task = Task(upid, node.name, node.next_pid, uptime, now, kind, subject, userid, token)
        self.cluster.tasks.append(task)
        self.running[upid] = (task, None)
        process = self.scheduler.run(work(task), lambda _, error: self._end(task, error), task.log)
        if upid in self.running:
            self.running[upid] = (task, process)
        return task

    def find(self, upid: str) -> Task | None:
        return next((t for t in reversed(self.cluster.tasks) if t.upid == upid), None)

    def stop(self, upid: str) -> None:
        """Interrupt a worker, as DELETE on a task does."""
        _, process = self.running.get(upid, (None, None))
        if process is not None:
            self.scheduler.interrupt(process, Refused(500, "received interrupt"))

    def vanish(self, upid: str) -> None:
        """The worker is gone without a word: what it had begun stays begun."""
        task, process = self.running.pop(upid, (None, None))
        if task is None:
            return
        if process is not None:
            self.scheduler.drop(process)
        task.endtime, task.status = self.scheduler.clock.now(), VANISHED
        self.note("task-vanished", upid=upid)

    def vanish_on(self, node: str | None = None) -> None:
        for upid, (task, _) in list(self.running.items()):
            if node is None or task.node == node:
                self.vanish(upid)

    def _end(self, task: Task, error: Refused | None) -> None:
        self.running.pop(task.upid, None)
        warnings = sum(line.startswith("WARN: ") for line in task.log)
        if error is not None:
            task.status = " ".join(error.message.split("\n")).strip()
            task.log.append(f"TASK ERROR: {task.status}")
        else:
            task.status = f"WARNINGS: {warnings}" if warnings else "OK"
            task.log.append(f"TASK {task.status}")
        task.endtime = self.scheduler.clock.now()
        self.note("task-ended", upid=task.upid, status=task.status)
