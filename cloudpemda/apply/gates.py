"""Bounds on what runs at once: PVE has few workers, and locks its storages while it clones.

First come, first served: a VM that waits for a busy storage does not hold up one whose storage is
free, and nobody is overtaken for ever.
"""

from collections import deque
from threading import Event, Lock
from types import TracebackType

from cloudpemda.site.models import Limits


class FairGate:
    """At most `width` threads inside at once, in the order of their coming. A context manager."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._queue: deque[Event] = deque()
        self._lock = Lock()

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        with self._lock:
            return len(self._queue)

    def __enter__(self) -> None:
        with self._lock:
            if self._free > 0 and not self._queue:
                self._free -= 1
                return
            turn = Event()
            self._queue.append(turn)
        turn.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()  # the place goes over, it is never free in between
            else:
                self._free += 1


class Gates:
    """The gates of one cluster: image copies per storage, synchronous writes per node."""

    def __init__(self, limits: Limits, shared_storages: frozenset[str]) -> None:
        self._limits = limits
        self._shared = shared_storages
        self._copies: dict[str, FairGate] = {}
        self._writes: dict[str, FairGate] = {}
        self._lock = Lock()

    def copy(self, node: str, storage: str) -> FairGate:
        """Held while an image is copied to a storage. A local storage is another one on each
        node, as PVE's own lock is."""
        key = storage if storage in self._shared else f"{node}:{storage}"
        with self._lock:
            return self._copies.setdefault(key, FairGate(self._limits.clones_per_storage))

    def write(self, node: str) -> FairGate:
        """Held during one writing request to a node."""
        with self._lock:
            return self._writes.setdefault(node, FairGate(self._limits.writes_per_node))
