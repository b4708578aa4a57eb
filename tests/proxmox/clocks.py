"""A clock whose time passes only by sleeping on it."""

from datetime import timedelta
from threading import Lock

from cloudpemda.units import Instant, instant


class VirtualClock:
    def __init__(self, start: float = 1_795_000_000) -> None:
        self._now = instant(start)
        self._lock = Lock()
        self.slept: list[float] = []

    def now(self) -> Instant:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._now = Instant(self._now + timedelta(seconds=seconds))
