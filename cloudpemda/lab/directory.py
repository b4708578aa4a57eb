"""A lab's directory: held by one lab at a time, its files written whole or not at all, and readable
by their owner alone.
"""

import fcntl
import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudpemda.lab.errors import LabError


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Make the directory and hold it, or say that another lab does."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        opened = (directory / "lock").open("w")
    except OSError as error:
        where, told = str(directory), error.strerror
        raise LabError("lab.directory-unusable", directory=where, error=told) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("lab.already-running", directory=str(directory)) from None
        yield


def write_secret(path: Path, text: str) -> None:
    """Replace a file atomically, mode 0600."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)  # or a power cut may leave the new name without its text
    temporary.replace(path)


def keep_secret(path: Path, fresh: str) -> str:
    """The secret in a file; a fresh one where there is none."""
    if not path.exists():
        write_secret(path, fresh)
    return path.read_text("utf-8").strip()


def certified(directory: Path) -> tuple[ssl.SSLContext, str]:
    """What the ports present, and its fingerprint (SHA-256, `AA:BB:…`).

    The authority and its one certificate are made when they are missing, and outlast any lab clock.
    """
    authority, server, key = (directory / name for name in ("ca.pem", "server.pem", "server.key"))
    if not (authority.exists() and server.exists() and key.exists()):
        import trustme  # and with it a large library, which later starts do without

        ca = trustme.CA(organization_name="cloudpemda lab")
        made = ca.issue_cert("localhost", "127.0.0.1", organization_name="cloudpemda lab")
        pems = {key: made.private_key_pem, server: made.cert_chain_pems[0], authority: ca.cert_pem}
        for path, pem in pems.items():
            write_secret(path, pem.bytes().decode())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server, key)
    der = ssl.PEM_cert_to_DER_cert(server.read_text("ascii"))
    return context, hashlib.sha256(der).digest().hex(":").upper()
