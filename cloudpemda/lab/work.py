"""Work that takes lab time: generators that sleep (`yield 2.0`) and lock (`yield Acquire(…)`).

PVE's workers (tasks) and slow API calls are both work. A task belongs to a node and ends with a
status: what its worker failed with (`Refused`) becomes that. A worker that vanishes (node down, lab
stopped, a scripted crash) leaves the world as it stood: nothing is undone.

The locks are PVE's file locks: whoever cannot have one in time fails with PVE's words; they are
free again when the work ends, however it ends. (The `lock` in a VM's configuration is another
thing: a mark that stays.)
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from cloudpemda.lab.clock import Clock, Event
from cloudpemda.lab.errors import Refused, failed
from cloudpemda.lab.state import Cluster, Node, Task

CONFIG_LOCK_SECONDS = 10.0
INDEX = 1000  # ended tasks of a node, after which its list is begun anew; one older list is kept
VANISHED = "unexpected status"


@dataclass(frozen=True)
class Acquire:
    """A file lock that is wanted: alone or with other readers, within `seconds` of lab time."""

    name: str
    shared: bool = False
    seconds: float = CONFIG_LOCK_SECONDS
    refusal: str = ""  # what whoever does not get it is told
    waiting: str = "trying to acquire lock..."  # what the log says meanwhile, and then
    got: str = " OK"


Work = Generator[float | Acquire, None, None]
SlowCall = Generator[float | Acquire, None, object]
End = Callable[[object, Refused | None], None]


def config_lock(
    vmid: int, *, shared: bool = False, seconds: float = CONFIG_LOCK_SECONDS
) -> Acquire:
    return Acquire(f"/var/lock/qemu-server/lock-{vmid}.conf", shared, seconds)


@dataclass(eq=False)
class Process:
    work: SlowCall
    end: End
    log: list[str]
    held: list[Acquire] = field(default_factory=list)
    wanted: Acquire | None = None
    wake: Event | None = None


class Scheduler:
    """Runs work on the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._holders: dict[str, list[tuple[Process, bool]]] = {}
        self._waiting: list[Process] = []

    def run(self, work: SlowCall, end: End, log: list[str]) -> Process:
        """Begin at once; `end` is called with the result, or with what it failed of."""
        process = Process(work, end, log)
        self.go_on(process)
        return process

    def interrupt(self, process: Process, why: Refused) -> None:
        """Let it clean up behind itself, and fail."""
        self._forget(process)
        self.go_on(process, why)

    def drop(self, process: Process) -> None:
        """It is gone without a word: nothing is undone but the locks, which the kernel frees."""
        self._forget(process)
        self._release(process)

    def _forget(self, process: Process) -> None:
        if process.wake is not None:
            process.wake.cancel()
        if process in self._waiting:
            self._waiting.remove(process)

    def go_on(self, process: Process, error: Refused | None = None) -> None:
        """Let it work until it waits for something, or ends."""
        try:
            step = process.work.throw(error) if error else next(process.work)
            while isinstance(step, Acquire):
                if not self._take(process, step):
                    self._wait(process, step)
                    return
                step = next(process.work)
        except StopIteration as done:
            self._release(process)
            process.end(done.value, None)
        except Refused as refused:
            self._release(process)
            process.end(None, refused)
        else:
            process.wake = self.clock.after(step, lambda: self.go_on(process))

    def _take(self, process: Process, wanted: Acquire) -> bool:
        holders = self._holders.setdefault(wanted.name, [])
        if holders and not (wanted.shared and all(shared for _, shared in holders)):
            return False
        holders.append((process, wanted.shared))
        process.held.append(wanted)
        return True

    def _wait(self, process: Process, wanted: Acquire) -> None:
        def give_up() -> None:
            self._waiting.remove(process)
            refusal = wanted.refusal or f"can't lock file '{wanted.name}' - got timeout"
            self.go_on(process, failed(refusal))

        process.wanted = wanted
        process.log.append(wanted.waiting)
        process.wake = self.clock.after(wanted.seconds, give_up)
        self._waiting.append(process)

    def _release(self, process: Process) -> None:
        for lock in process.held:
            holders = self._holders[lock.name]
            holders[:] = [(holder, shared) for holder, shared in holders if holder is not process]
        process.held.clear()
        for waiting in list(self._waiting):
            if waiting.wanted is not None and self._take(waiting, waiting.wanted):
                self._forget(waiting)
                waiting.log.append(waiting.wanted.got)
                self.go_on(waiting)


class Tasks:
    """The workers of a cluster, by UPID."""

    def __init__(self, cluster: Cluster, scheduler: Scheduler, note: Callable[..., None]) -> None:
        self.cluster, self.scheduler, self.note = cluster, scheduler, note
        self.running: dict[str, tuple[Task, Process | None]] = {}
        self.stir: Callable[[], None] = lambda: None  # whoever waits for a worker's end
        self._indexed: dict[str, tuple[int, float]] = {}  # by node: how many since when
        self._daemons: dict[tuple[str, str], Process] = {}

    def start(
        self, node: Node, kind: str, subject: str, user: str, work: Callable[[Task], Work]
    ) -> Task:
        now = self.scheduler.clock.now()
        node.next_pid += 7
        uptime = int((now - node.booted) * 100)
        userid, _, token = user.partition("!")
        number = f":{node.next_pid:08X}" if self.cluster.backups else ""  # PBS counts its tasks
        upid = (
            f"UPID:{node.name}:{node.next_pid:08X}:{uptime & 0xFFFFFFFF:08X}{number}:{int(now):08X}"
            f":{kind}:{subject}:{user}:"
        )
        task = Task(upid, node.name, node.next_pid, uptime, now, kind, subject, userid, token)
        self.cluster.tasks.append(task)
        self.running[upid] = (task, None)
        process = self.scheduler.run(work(task), lambda _, error: self._end(task, error), task.log)
        if upid in self.running:
            self.running[upid] = (task, process)
        return task

    def employ(self, node: Node, kind: str, work: Work) -> None:
        """A daemon's own worker, which is no task; one of a kind at a time on a node."""
        key = (node.name, kind)
        if key in self._daemons:
            work.close()
            return

        def end(_: object, error: Refused | None) -> None:
            self._daemons.pop(key, None)
            self.stir()

        self._daemons[key] = Process(work, end, [])
        self.scheduler.go_on(self._daemons[key])

    def find(self, upid: str) -> Task | None:
        return next((t for t in reversed(self.cluster.tasks) if t.upid == upid), None)

    def stop(self, upid: str) -> None:
        """Interrupt a worker, as DELETE on a task does."""
        _, process = self.running.get(upid, (None, None))
        if process is not None:
            self.scheduler.interrupt(process, failed("received interrupt"))

    def vanish(self, upid: str) -> None:
        """The worker is gone without a word: what it had begun stays begun."""
        task, process = self.running.pop(upid, (None, None))
        if process is not None:
            self.scheduler.drop(process)
        if task is not None:
            task.endtime, task.status = self.scheduler.clock.now(), VANISHED
            self.note("task-vanished", upid=upid)
            self.stir()

    def vanish_on(self, node: str | None = None) -> None:
        for upid, (task, _) in list(self.running.items()):
            if node in (None, task.node):
                self.vanish(upid)
        for key in [key for key in self._daemons if node in (None, key[0])]:
            self.scheduler.drop(self._daemons.pop(key))

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
        self._index(task)
        self.stir()

    def _index(self, ended: Task) -> None:
        """A node forgets its oldest tasks, with their logs."""
        count, begun = self._indexed.get(ended.node, (0, 0.0))
        self._indexed[ended.node] = count + 1, begun
        if count + 1 < INDEX:
            return
        self._indexed[ended.node] = 0, self.scheduler.clock.now()
        self.cluster.tasks = [
            task for task in self.cluster.tasks
            if task.node != ended.node or task.endtime is None or task.endtime >= begun
        ]  # fmt: skip
