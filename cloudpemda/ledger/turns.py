"""A lock file that processes take turns by.

SQLite's own waiting looks again after ever longer sleeps: whoever comes late gets the lock first,
and the last one waits for seconds. Here it is the other way round: the longer one has waited, the
sooner one looks again. The kernel could queue those who wait, but calling a sleeping process for
every turn costs more than the turn itself, and its queue knows no deadline.

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
_PAUSES = ((0.05, 0.0001), (0.02, 0.0003), (0.0, 0.0006))
"""Who has waited so long looks again after so long (seconds)."""


@contextmanager
def turn(file: Path, seconds: float) -> Iterator[bool]:
    """Whether one's turn came within `seconds`; the file (0600) is made where it is absent.

    Raises OSError where it cannot be made. A file system without locks has no turns: False.
    """
    handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield _taken(handle, seconds)
    finally:
        os.close(handle)


def _taken(handle: int, seconds: float) -> bool:
    begun = stopwatch()
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = stopwatch() - begun
            if waited >= seconds:
                return False
            _CLOCK.sleep(next(pause for after, pause in _PAUSES if waited >= after))
        except OSError:
            return False
        else:
            return True
