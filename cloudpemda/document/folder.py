"""A directory that others write into: what is done there is done in that very directory.

It is held open, and every name is looked up in it, so that whoever renames it, or puts a link in
its place, changes nothing for us. No link is followed, neither for reading nor for writing; what
is no regular file is not opened at all, since opening a device may already do something. Between
two equal looks at a file nobody wrote to it.
"""

import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Self

from cloudpemda.document.files import read_regular
from cloudpemda.document.source import shown
from cloudpemda.errors import Fault, InvalidInput, Refused

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READABLE = 0o644
_DRAFT = ".cloudpemda.tmp"
"""What is being written, until it takes its name. One of a crash is replaced by the next."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a name stood for at one moment."""

    device: int
    inode: int
    mode: int
    links: int
    owner: int  # uid
    size: int  # bytes
    modified: int  # ns since the epoch, as the writer wants it
    changed: int  # ns since the epoch, as the kernel says: of content, name or mode


class Folder:
    """One directory, held open; a context manager that closes it."""

    def __init__(self, handle: int, name: str) -> None:
        self._handle = handle
        self.name = name

    @classmethod
    def open(cls, path: Path) -> Self:
        """A directory that an operator names; a link to it is theirs and is followed.

        Raises InvalidInput `document.no-folder`.
        """
        try:
            return cls(os.open(path, _DIRECTORY), str(path))
        except (OSError, ValueError) as error:
            raise InvalidInput([Fault("document.no-folder", file=str(path))]) from error

    def below(self, name: str) -> "Folder":
        """A directory in it. Raises InvalidInput `document.no-folder`, for a link too."""
        try:
            handle = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._handle)
        except OSError as error:
            raise InvalidInput([Fault("document.no-folder", file=name)]) from error
        return Folder(handle, name)

    def names(self, most: int) -> tuple[str, ...]:
        """What stands in it, sorted. Raises InvalidInput `document.crowded` for more than `most`,
        `document.unreadable`."""
        try:
            with os.scandir(self._handle) as entries:
                found = [entry.name for entry in islice(entries, most + 1)]
        except OSError as error:
            raise InvalidInput([Fault("document.unreadable", file=self.name)]) from error
        if len(found) > most:
            values = MappingProxyType({"most": most})
            raise InvalidInput([Fault("document.crowded", values, file=self.name)])
        return tuple(sorted(found))

    def look(self, name: str) -> Look | None:
        """What the name stands for, a link itself included; None where nothing is there."""
        try:
            return _look(os.stat(name, dir_fd=self._handle, follow_symlinks=False))
        except OSError:
            return None

    @property
    def itself(self) -> Look:
        """What the directory itself is."""
        return _look(os.fstat(self._handle))

    def is_folder(self, name: str) -> bool:
        """Whether a real directory stands there."""
        seen = self.look(name)
        return seen is not None and stat.S_ISDIR(seen.mode)

    def read(self, name: str, seen: Look, called: str) -> bytes | None:
        """The bytes of the file as it was `seen`; None where it moved since. `called` is what
        faults call it.

        Raises InvalidInput with one fault for what is no file of its own: a link, a directory, a
        pipe or device, a file with a second name somewhere else, more than 256 KiB.
        """
        code = _refusal(seen)
        if code is not None:
            raise InvalidInput([Fault(code, file=called)])
        if self.look(name) != seen:
            return None
        try:
            data = read_regular(Path(name), called, folder=self._handle)
        except InvalidInput:
            if self.look(name) != seen:  # it was taken away or replaced before our eyes
                return None
            raise
        if len(data) != seen.size or self.look(name) != seen:
            return None
        return data

    def write(self, name: str, text: str) -> bool:
        """Make a file with this text that everybody may read, whole or not at all; False where it
        stands there already. A link under the name is replaced, never followed.

        Raises Refused `document.not-written`.
        """
        data = text.encode()
        if self._holds(name, data):
            return False
        try:
            self._draft(data)
            os.rename(_DRAFT, name, src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except OSError as error:
            raise self._not_written(name, error) from error
        return True

    def remove(self, name: str, opening: str) -> None:
        """Remove a file of its own that begins with `opening`; leave anything else.

        Raises Refused `document.not-written`.
        """
        seen = self.look(name)
        if seen is None or _refusal(seen) is not None:
            return
        try:
            data = self.read(name, seen, name)
            if data is not None and data.startswith(opening.encode()):
                os.unlink(name, dir_fd=self._handle)
        except InvalidInput:
            return
        except OSError as error:
            raise self._not_written(name, error) from error

    def close(self) -> None:
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _not_written(self, name: str, error: OSError) -> Refused:
        cause = os.strerror(error.errno or 0)
        return Refused("document.not-written", file=f"{self.name}/{shown(name)}", cause=cause)

    def _holds(self, name: str, data: bytes) -> bool:
        seen = self.look(name)
        if seen is None or _refusal(seen) is not None:
            return False
        if seen.size != len(data) or stat.S_IMODE(seen.mode) != _READABLE:
            return False
        try:
            return self.read(name, seen, name) == data
        except InvalidInput:
            return False

    def _draft(self, data: bytes) -> None:
        """O_EXCL: what stands under the draft's name is removed, never opened."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        if self.look(_DRAFT) is not None:
            os.unlink(_DRAFT, dir_fd=self._handle)
        with os.fdopen(os.open(_DRAFT, flags, 0o600, dir_fd=self._handle), "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), _READABLE)


def _look(seen: os.stat_result) -> Look:
    return Look(
        seen.st_dev,
        seen.st_ino,
        seen.st_mode,
        seen.st_nlink,
        seen.st_uid,
        seen.st_size,
        seen.st_mtime_ns,
        seen.st_ctime_ns,
    )


def _refusal(seen: Look) -> str | None:
    """Why what was seen is no file of its own."""
    if stat.S_ISLNK(seen.mode):
        return "document.symlink"
    if stat.S_ISDIR(seen.mode):
        return "document.directory"
    if not stat.S_ISREG(seen.mode):
        return "document.not-a-file"
    return "document.second-name" if seen.links > 1 else None
