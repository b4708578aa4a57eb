"""A lock file that processes take turns by.

SQLite's own waiting looks again after ever longer sleeps: whoever comes late gets the lock first,
and the last one waits for seconds. Here one of those who wait stands before the door and looks
often; the others wait for that place and look seldom, sooner the longer they have waited. So few
looks are spent on a turn that takes long, and none is lost between two that are short. The kernel
could queue those who wait, but calling a sleeping process for every turn costs more than the turn
itself, and its queue knows no deadline.

Who comes back at once may go on (`Turns`): to hand over costs as much as a deed, for the next one
has to be woken and to read anew what was changed. So who came back at once before leaves word in
the file for how long to leave it the next turn, until its row of turns has taken long enough.

What a process held that has died, the kernel gives back. The file orders those who wait, and
protects nothing by itself: word that is left there by nobody is over in a moment.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cloudpemda.clock import SystemClock, stopwatch

_CLOCK = SystemClock()  # a lock is waited for in the machine's own time
_Pauses = tuple[tuple[float, float], ...]
_OFTEN: _Pauses = ((0.005, 0.0005), (0.001, 0.0003), (0.0, 0.0001))
_SELDOM: _Pauses = ((0.1, 0.0005), (0.02, 0.001), (0.0, 0.002))
"""Who has waited so long for a place looks again after so long (seconds)."""

_AT_ONCE = 0.001
"""Within so many seconds after a turn is at once."""

_ROW = 0.012
"""A row of turns hands over after so many seconds."""

_WORD = struct.Struct("<qd")  # whose the next turn is, and until when


@contextmanager
def turn(file: Path, seconds: float) -> Iterator[bool]:
    """Whether one's turn came within `seconds`; the file (0600), and one beside it for the place
    before the door, are made where they are absent.

    Raises OSError where they cannot be made. A file system without locks has no turns: False.
    """
    with Turns(file).turn(seconds) as came:
        yield came


class Turns:
    """The turns of one process, several in a row where it comes back at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begun = 0.0  # the row of turns
        self._left = 0.0  # the last turn
        self._until = 0.0  # the next turn is this one's

    @contextmanager
    def turn(self, seconds: float) -> Iterator[bool]:
        """As `turn`."""
        handle = _opened(self._file)
        try:
            back = stopwatch() - self._left < _AT_ONCE
            came = _came(handle, self._file, seconds)
            now = stopwatch()
            if now > self._until:
                self._begun = now
            try:
                yield came
            finally:
                self._left = stopwatch()
                if came and back and self._left - self._begun < _ROW:
                    self._until = self._left + _AT_ONCE
                    with suppress(OSError):  # a full disk, say: what was done is done all the same
                        os.pwrite(handle, _WORD.pack(os.getpid(), self._until), 0)
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
    """Whether it is ours now; None where it is another's."""
    if _is_promised(handle):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True


def _is_promised(handle: int) -> bool:
    """Whether somebody else may come back first."""
    word = os.pread(handle, _WORD.size, 0)
    if len(word) < _WORD.size:
        return False
    whose, until = _WORD.unpack(word)
    return bool(whose != os.getpid() and 0 < until - stopwatch() <= _AT_ONCE)
