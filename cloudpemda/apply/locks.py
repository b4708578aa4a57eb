"""One writer at a time, among all processes of one host that share a ledger.

PVE's backup jobs have no digest: two writers who read the same list would each drop what the
other added. The lock is the kernel's, so it goes with the process that dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudpemda.document.owner import make_directory, open_lock


@contextmanager
def exclusive(directory: Path, name: str) -> Iterator[None]:
    """Hold `name` until the block ends; waits for whoever holds it.

    Each call opens the file anew, so it also keeps the threads of one process apart.
    """
    make_directory(directory)
    handle = open_lock(directory / f"{name}.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
