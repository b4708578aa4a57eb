"""Whose the files are that the program makes, where root runs it for another account.

On the desk's machine the site's var/ is the services' account's, and people come by sudo, so that
it is known who they are: what root made there for itself would lock the night out.
"""

import os
import stat
from pathlib import Path


def give(handle: int, directory: Path) -> None:
    """What root just made in a directory is that directory's owner's. Raises OSError.

    Never of a file that has another name too: whoever owns the directory could have put one of
    root's own there.
    """
    if os.geteuid() != 0:
        return
    made, around = os.fstat(handle), directory.stat()
    if made.st_uid != 0 or around.st_uid == 0:
        return
    if stat.S_ISDIR(made.st_mode) or (stat.S_ISREG(made.st_mode) and made.st_nlink < 2):
        os.fchown(handle, around.st_uid, around.st_gid)


def give_path(path: Path) -> None:
    """As `give`, of what lies at a path. Raises OSError."""
    if os.geteuid() != 0:
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        give(handle, path.parent)
    finally:
        os.close(handle)


def open_lock(file: Path) -> int:
    """A file to hold a lock on, made 0600 where it is absent; never through a link.

    Raises OSError.
    """
    handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        give(handle, file.parent)
    except OSError:
        os.close(handle)
        raise
    return handle


def make_directory(path: Path, mode: int = 0o700) -> None:
    """With its parents, where it is absent; the owner's of the one around it. Raises OSError."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    if os.geteuid() == 0 and not path.is_symlink():
        give_path(path)
