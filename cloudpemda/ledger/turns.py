"""A lock file that processes take turns by.

SQLite's own waiting looks again after ever longer sleeps: whoever comes late gets the lock first,
and the last one waits for seconds. Here one of those who wait stands before the door and looks
often; the others wait for that place and look seldom, sooner the longer they have waited. So few
looks are spent on a turn that takes long, and none is lost between two that are short. The kernel
could queue those who wait, but calling a sleeping process for every turn costs more than the turn
itself, and its queue knows no deadline.

What a process held that has died, the kernel gives back. The file orders those who wait, and
protects nothing by itself.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudpemda.clock import SystemClock, stopwatch

_CLOCK = SystemClock()  # a lock is waited for in the machine's own time
_Pauses = tuple[tuple[float, float], ...]
_OFTEN: _Pauses = ((0.005, 0.001), (0.001, 0.0003), (0.0, 0.0001))
_SELDOM: _Pauses = ((0.1, 0.0005), (0.02, 0.001), (0.0, 0.002))
"""Who has waited so long for a place looks again after so long (seconds)."""


@contextmanager
def turn(file: Path, seconds: float) -> Iterator[bool]:
    """Whether one's turn came within `seconds`; the file (0600), and one beside it for the place
    before the door, are made where they are absent.

    Raises OSError where they cannot be made. A file system without locks has no turns: False.
    """
    handle = _opened(file)
    try:
        yield _came(handle, file, seconds)
    finally:
        os.close(handle)


def _came(handle: int, file: Path, seconds: float) -> bool:
    begun = stopwatch()
    found = _taken(handle)
    if found is not None:
        return found
    door = _opened(file.with_name(f"{file.name}-next"))
    try:
        return _awaited(door, _SELDOM, begun + seconds) and _awaited(
            handle, _OFTEN, begun + seconds
        )
    finally:
        os.close(door)


def _opened(file: Path) -> int:
    return os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _awaited(handle: int, pauses: _Pauses, until: float) -> bool:
    begun = now = stopwatch()
    while (found := _taken(handle)) is None:
        if now >= until:
            return False
        _CLOCK.sleep(next(pause for after, pause in pauses if now - begun >= after))
        now = stopwatch()
    return found


def _taken(handle: int) -> bool | None:
    """Whether it is ours now; None where somebody else has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True
