"""The bytes of a file, taken without trusting its name: regular, bounded, no link followed."""

import errno
import os
import stat
from pathlib import Path

from cloudpemda.errors import Fault, InvalidInput

LARGEST = 256 * 1024
"""Bytes. A request has about 1 KiB, a site file some 20 KiB."""

_REFUSALS = {
    errno.ENOENT: "document.not-found",
    errno.ENOTDIR: "document.not-found",
    errno.ELOOP: "document.symlink",  # what O_NOFOLLOW answers for a link as last component
    errno.EACCES: "document.unreadable",
    errno.EPERM: "document.unreadable",
    errno.ENXIO: "document.not-a-file",  # sockets
    errno.ENAMETOOLONG: "document.not-found",
    errno.EINVAL: "document.not-found",
}


def read_regular(
    path: Path,
    name: str | None = None,
    *,
    private: bool = False,
    folder: int | None = None,
) -> bytes:
    """Return at most LARGEST bytes of a regular file; `name` is what faults call it.

    `private` also refuses a file that group or others may read; `folder` is the open directory
    that `path` is relative to. Raises InvalidInput with one fault. Opening never blocks (a FIFO)
    and never follows a link as last component.
    """
    shown = name if name is not None else str(path)
    try:
        handle = os.open(
            path,
            os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC,
            dir_fd=folder,
        )
    except OSError as error:
        code = _REFUSALS.get(error.errno or 0, "document.unreadable")
        raise InvalidInput([Fault(code, file=shown)]) from error
    except ValueError as error:  # a NUL in the name
        raise InvalidInput([Fault("document.not-found", file=shown)]) from error
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise InvalidInput([Fault("document.directory", file=shown)])
        if not stat.S_ISREG(mode):
            raise InvalidInput([Fault("document.not-a-file", file=shown)])
        if private and mode & 0o077:
            raise InvalidInput(
                [Fault("document.not-private", {"mode": f"{mode & 0o777:04o}"}, file=shown)]
            )
        data = _read(handle)
    except OSError as error:
        raise InvalidInput([Fault("document.unreadable", file=shown)]) from error
    finally:
        os.close(handle)
    if len(data) > LARGEST:
        raise InvalidInput([too_big(shown)])
    return data


def too_big(name: str) -> Fault:
    return Fault("document.too-large", {"largest_kib": LARGEST // 1024}, file=name)


def _read(handle: int) -> bytes:
    """All bytes, or more than LARGEST of them: a file's size as told by fstat is not trusted."""
    parts: list[bytes] = []
    length = 0
    while length <= LARGEST:
        part = os.read(handle, LARGEST + 1 - length)
        if not part:
            break
        parts.append(part)
        length += len(part)
    return b"".join(parts)
