"""Waiting for tasks: one request per cluster and round, however many threads wait.

One of the waiting threads leads a round: it sleeps on the site's clock, asks for the tasks of the
whole cluster, and publishes; the others wait for it. That list is short (PVE keeps a few dozen
tasks per node in it): where tasks are missing, their node is asked for all that it runs, and only
what it does not run, and so has ended, is asked for singly, once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Condition

from cloudpemda.clock import Clock
from cloudpemda.proxmox.client import Pve
from cloudpemda.proxmox.errors import (
    PveError,
    TaskFailed,
    TaskTimeout,
    TaskUnknown,
    bounded,
    by_text,
    make,
)
from cloudpemda.proxmox.paths import Upid, upid_node
from cloudpemda.units import Instant, instant

FIRST_PAUSE = 0.25  # seconds; then half of the youngest task's age
LAST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task that did its work, as far as PVE says; the effect is read back by the caller."""

    upid: Upid
    warnings: int


@dataclass(slots=True)
class _Watched:
    since: Instant
    waiters: int = 0
    ended: str | None = None  # its exit status
    lost: PveError | None = None  # why nobody can say any more


class TaskWaiter:
    """The waiter of one cluster, shared by all threads that work on it."""

    def __init__(self, pve: Pve, clock: Clock) -> None:
        self._pve = pve
        self._clock = clock
        self._turn = Condition()
        self._watched: dict[Upid, _Watched] = {}
        self._leading = False
        self._now = instant(0)  # of the last round

    def wait(self, upid: Upid, deadline_seconds: float) -> TaskResult:
        """Return when the task ended well (`OK` or warnings).

        Raises TaskFailed with the end of its log, TaskUnknown if its worker vanished or its node
        cannot say, TaskTimeout if it still runs after `deadline_seconds`.
        """
        begun = self._clock.now()
        with self._turn:
            watched = self._watched.setdefault(upid, _Watched(since=begun))
            watched.waiters += 1
        try:
            self._until_settled(watched, begun, deadline_seconds)
        finally:
            with self._turn:
                watched.waiters -= 1
                if watched.waiters == 0:
                    self._watched.pop(upid, None)
        return self._judge(upid, watched)

    def _until_settled(self, watched: _Watched, begun: Instant, deadline: float) -> None:
        """Lead or follow rounds until the task has ended, is lost, or the deadline is over."""
        now = begun
        while True:
            with self._turn:
                while self._leading and not _settled(watched):
                    self._turn.wait()
                    now = max(now, self._now)
                    if (now - begun).total_seconds() >= deadline:
                        return
                if _settled(watched):
                    return
                self._leading = True
                pause = self._pause(max(now, begun))
            try:
                self._clock.sleep(pause)
                now = self._round()
            finally:
                with self._turn:
                    self._leading = False
                    self._turn.notify_all()
            if not _settled(watched) and (now - begun).total_seconds() >= deadline:
                return

    def _pause(self, now: Instant) -> float:
        """Long for old tasks, short while a young one is awaited. Called with the lock held."""
        youngest = min(
            (now - one.since).total_seconds() for one in self._watched.values() if one.waiters
        )
        return min(max(FIRST_PAUSE, youngest / 2), LAST_PAUSE)

    def _round(self) -> Instant:
        """Ask once for all that is awaited, and publish. Returns the time of the answer."""
        with self._turn:
            open_tasks = [upid for upid, one in self._watched.items() if not _settled(one)]
        found: dict[Upid, str | PveError | None] = {}
        try:
            listed = self._pve.tasks()
        except PveError as error:
            # All of them are unreadable for now; only a lasting failure ends the wait.
            if not error.temporary:
                found = dict.fromkeys(open_tasks, error)
        else:
            found.update({upid: listed[upid] for upid in open_tasks if upid in listed})
            found.update(self._missing([upid for upid in open_tasks if upid not in listed]))
        now = self._clock.now()
        with self._turn:
            self._now = now
            for upid, status in found.items():
                one = self._watched.get(upid)
                if one is None:
                    continue
                if isinstance(status, PveError):
                    one.lost = status
                else:
                    one.ended = status
        return now

    def _missing(self, upids: Iterable[Upid]) -> dict[Upid, str | PveError | None]:
        """What the nodes say of tasks that the cluster's list does not show."""
        found: dict[Upid, str | PveError | None] = {}
        running: dict[str, frozenset[Upid]] = {}
        for upid in upids:
            node = upid_node(upid)
            try:
                if node not in running:
                    running[node] = self._pve.running_tasks(node)
                found[upid] = None if upid in running[node] else self._pve.task_status(upid)
            except PveError as error:
                found[upid] = None if error.temporary else error
        return found

    def _judge(self, upid: Upid, watched: _Watched) -> TaskResult:
        values = {"cluster": self._pve.name, "upid": upid}
        if watched.lost is not None:
            raise make(TaskUnknown, **values, text=str(watched.lost.values.get("text", "")))
        status = watched.ended
        if status is None:
            raise make(TaskTimeout, **values)
        if status == "OK":
            return TaskResult(upid, 0)
        if status.startswith("WARNINGS:"):
            count = status.partition(":")[2].strip()
            return TaskResult(upid, int(count) if count.isdigit() else 1)
        if status in {"unexpected status", "unknown"}:
            raise make(TaskUnknown, **values, text=status)
        raise TaskFailed(by_text(status), self._log(upid), **values, text=bounded(status))

    def _log(self, upid: Upid) -> tuple[str, ...]:
        try:
            return self._pve.task_log(upid)
        except PveError:
            return ()  # the failure itself is known; its log is a courtesy


def _settled(watched: _Watched) -> bool:
    return watched.ended is not None or watched.lost is not None
