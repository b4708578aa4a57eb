"""Which process runs a saga, so that two never run the same one and a dead one can be followed.

On the same machine the kernel knows whether the process lives, at once and for certain; of a
process on another machine only its heartbeat is known.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

LEASE_SECONDS = 900
"""After how long without a heartbeat a process on another machine counts as dead."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process for as long as it lives: a number alone would be used again."""

    host: str
    boot: str  # the machine's boot, since process numbers and start times begin anew with it
    pid: int
    started: int  # clock ticks since that boot

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}"

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def owner_from_text(text: str) -> Owner:
    return Owner(**json.loads(text))


def this_process() -> Owner:
    pid = os.getpid()
    return Owner(socket.gethostname(), _boot(), pid, _started(pid) or 0)


def is_dead(owner: Owner, seen_from: Owner, silent_seconds: float) -> bool:
    """Whether `owner` no longer runs, as far as can be known from here."""
    if owner.host != seen_from.host:
        return silent_seconds > LEASE_SECONDS
    return owner.boot != seen_from.boot or _started(owner.pid) != owner.started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    """Start time of a living process; None for one that has ended, a zombie included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])
