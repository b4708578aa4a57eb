"""A lock file that processes take turns by.

SQLite's own waiting looks again after ever longer sleeps: whoever comes late gets the lock first,
and the last one waits for seconds. Here one of those who wait stands before the door and looks
often; the others wait for that place and look seldom, sooner the longer they have waited. So few
looks are spent on a turn that takes long, and none is lost between two that are short. The kernel
could queue those who wait, but calling a sleeping process for every turn costs more than the turn
itself, and its queue knows no deadline.

Who comes back at once (`Turns`) may go on past the door: to hand over to one who has slept costs as
much as a deed. It claims the next turn in the file and looks without a pause, for the turn of the
other one who is awake is soon over. So two go on by turns, each doing beside the other's turn what
needs none, as to seal what it wrote; and their rows end at different times, when those before the
door follow.

What a process held that has died, the kernel gives back. The file orders those who wait, and
protects nothing by itself: word that is left there by nobody is over in a moment.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from cloudpemda.clock import SystemClock, stopwatch
from cloudpemda.document.owner import open_lock

_CLOCK = SystemClock()  # a lock is waited for in the machine's own time
_Pauses = tuple[tuple[float, float], ...]
_OFTEN: _Pauses = ((0.02, 0.0005), (0.0, 0.0001))
_SELDOM: _Pauses = ((0.1, 0.0005), (0.02, 0.001), (0.0, 0.002))
"""Who has waited so long for a place looks again after so long (seconds)."""

_AT_ONCE = 0.02
"""Within so many seconds after a turn is at once."""

_CLAIM = 0.01
"""A claim is over after so many seconds, whoever made it."""

_ROW = 0.024
"""A row of turns ends after so many seconds."""

_WORD = struct.Struct("<qd")  # who claims the next turn, and until when
_NUMBERS = count()  # of those within one process


@contextmanager
def turn(file: Path, seconds: float) -> Iterator[bool]:
    """Whether one's turn came within `seconds`; the file (0600), and one beside it for the place
    before the door, are made where they are absent.

    Raises OSError where they cannot be made. A file system without locks has no turns: False.
    """
    with Turns(file).turn(seconds) as came:
        yield came


class Turns:
    """One's turns at a file, several in a row where one comes back at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._name = os.getpid() << 20 | next(_NUMBERS) % (1 << 20)
        self._begun = 0.0  # the row of turns
        self._left = 0.0  # the last turn

    @contextmanager
    def turn(self, seconds: float) -> Iterator[bool]:
        """As `turn`."""
        handle = open_lock(self._file)
        try:
            yield self._came(handle, seconds)
            self._left = stopwatch()
        finally:
            os.close(handle)

    def _came(self, handle: int, seconds: float) -> bool:
        begun = stopwatch()
        back = begun - self._left < _AT_ONCE
        if not back:
            self._begun = begun
        found = self._taken(handle)
        if found is None and back and begun - self._begun < _ROW:
            found = self._claimed(handle, begun + min(seconds, _CLAIM))
        if found is not None:
            return found
        door = open_lock(self._file.with_name(f"{self._file.name}-next"))
        try:
            return self._awaited(door, _SELDOM, begun + seconds) and self._awaited(
                handle, _OFTEN, begun + seconds
            )
        finally:
            os.close(door)
            self._begun = stopwatch()

    def _claimed(self, handle: int, until: float) -> bool | None:
        """Whether the next turn is ours, who claim it; None where another does, or the one before
        takes long."""
        if self._is_anothers(handle):
            return None
        with suppress(OSError):  # a full disk, say: others may come first then
            os.pwrite(handle, _WORD.pack(self._name, until), 0)
        while (found := self._taken(handle)) is None:
            if stopwatch() >= until or self._is_anothers(handle):
                return None
            os.sched_yield()
        with suppress(OSError):
            os.pwrite(handle, _WORD.pack(self._name, 0.0), 0)
        return found

    def _awaited(self, handle: int, pauses: _Pauses, until: float) -> bool:
        begun = now = stopwatch()
        while (found := self._taken(handle)) is None:
            if now >= until:
                return False
            _CLOCK.sleep(next(pause for after, pause in pauses if now - begun >= after))
            now = stopwatch()
        return found

    def _taken(self, handle: int) -> bool | None:
        """Whether it is ours now; None where it is another's."""
        if self._is_anothers(handle):
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError:
            return False
        return True

    def _is_anothers(self, handle: int) -> bool:
        """Whether somebody else claims the next turn."""
        word = os.pread(handle, _WORD.size, 0)
        if len(word) < _WORD.size:
            return False
        whose, until = _WORD.unpack(word)
        return bool(whose != self._name and 0 < until - stopwatch() <= _CLAIM)
