"""The lab's one clock, and all that falls due on it.

Lab time runs at `rate` lab seconds per real second, or stands still (`rate` None: virtual time) and
moves only when somebody waits or advances it. Nothing else in the lab reads real time. What falls
due runs in order of time, then of arrival, and sees as `now()` the very instant it was due at. What
looks around in rounds is told apart: rounds in which it could find nothing are not run.
"""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

DAY = 86400.0


@dataclass(order=True)
class Event:
    when: float
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    def __init__(self, start: float, rate: float | None, per_request: float = 0.0) -> None:
        """`start` in seconds since the epoch; `rate` in lab seconds per real one, or None."""
        self.start, self.rate = start, rate
        self.per_request = per_request  # lab seconds that every request takes
        self._real_base, self._lab_base = time.monotonic(), start
        self._instant: float | None = None
        self._heap: list[Event] = []
        self._order = itertools.count()
        self._woken = asyncio.Event()

    def now(self) -> float:
        if self._instant is not None:
            return self._instant
        if self.rate is None:
            return self._lab_base
        return self._lab_base + (time.monotonic() - self._real_base) * self.rate

    @property
    def hurries(self) -> bool:
        """Whether waiting moves the clock: where requests are what makes time pass."""
        return self.rate is None or self.per_request > 0

    def at(self, when: float, action: Callable[[], None]) -> Event:
        event = Event(max(when, self.now()), next(self._order), action)
        heapq.heappush(self._heap, event)
        self._woken.set()
        return event

    def after(self, seconds: float, action: Callable[[], None]) -> Event:
        return self.at(self.now() + seconds, action)

    def run_due(self) -> None:
        """Run what is due up to now."""
        if self._instant is None:
            self._run_until(self.now())

    async def advance_in_steps(self, seconds: float) -> None:
        """Move the clock a day at a time: others, and the end, get their turn in between."""
        while seconds > 0:
            step = min(seconds, DAY)
            self.advance(step)
            seconds -= step
            await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move the clock; all that falls due on the way runs at its own instant."""
        until = self.now() + seconds
        self._run_until(until)
        self._lab_base, self._real_base = until, time.monotonic()
        self._woken.set()

    def _run_until(self, until: float) -> None:
        while self._heap and self._heap[0].when <= until:
            event = heapq.heappop(self._heap)
            if event.cancelled:
                continue
            self._instant = event.when
            try:
                event.action()
            finally:
                self._instant = None

    def _next(self) -> float | None:
        """Lab seconds until the next thing falls due."""
        while self._heap and self._heap[0].cancelled:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0].when - self.now()) if self._heap else None

    def step(self) -> bool:
        """Move to the next thing that falls due; False when there is nothing."""
        seconds = self._next()
        if seconds is not None:
            self.advance(seconds)
        return seconds is not None

    async def pause(self, seconds: float) -> None:
        """Let lab time pass."""
        if self.hurries:
            self.advance(seconds)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        event = self.after(seconds, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            event.cancel()

    async def drive(self) -> None:
        """Run what falls due as real time passes; in virtual time there is nothing to do."""
        while True:
            self._woken.clear()
            self.run_due()
            seconds = self._next()
            timeout = seconds / self.rate if self.rate and seconds is not None else None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), timeout)


class Rounds:
    """A daemon that looks around every so many seconds, for as long as there is something to see.

    `look` does what is due and answers when it could next find something, None for not before
    somebody stirs it. Rounds lie on whole multiples of `every`, as if all of them were run.
    """

    def __init__(
        self, clock: Clock, every: float, look: Callable[[], float | None], *,
        sees_tasks: bool = True,
    ) -> None:  # fmt: skip
        self.clock, self.every, self.look = clock, every, look
        self.sees_tasks = sees_tasks  # the end of any task stirs it
        self._next: Event | None = None
        self._last = -math.inf

    def stir(self) -> None:
        """Something has changed: look at the next round."""
        self._at(self.clock.now())

    def _at(self, when: float) -> None:
        when = math.ceil(when / self.every) * self.every
        when = max(when, self._last + self.every)
        if self._next is not None:
            if self._next.when <= when:
                return
            self._next.cancel()
        self._next = self.clock.at(when, self._round)

    def _round(self) -> None:
        self._next, self._last = None, self.clock.now()
        when = self.look()
        if when is not None and when < math.inf:
            self._at(when)
