"""A sealed file: compressed, encrypted, and worth nothing without its key or with one bit changed.

`MAGIC`, the mark of the key (8 bytes), a salt (32 bytes), then chunks of AES-256-GCM. Each file
has a key of its own, derived from the site's key and its salt, so that chunk numbers can be the
nonces; the last chunk is numbered as the last, so that a file that ends early, goes on, or has two
chunks exchanged is not opened. What comes before the chunks is sealed with each of them.
"""

import errno
import fcntl
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cloudpemda.document.owner import give
from cloudpemda.errors import Fault, InvalidInput, Refused, Unreachable

MAGIC = b"cloudpemda ledger backup 1\n"
KEY_BYTES = 32
_MARK_BYTES = 8
_SALT_BYTES = 32
_PREFIX = len(MAGIC) + _MARK_BYTES + _SALT_BYTES
_CHUNK = 256 * 1024
_TAG = 16
_MAKING = ".making"
_NO_NAMELESS = frozenset({errno.EOPNOTSUPP, errno.EISDIR})  # a file system, or kernel, without


def new_key() -> str:
    """A key as its file holds it: 64 hex digits. It is never made of dice that can be loaded."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM.generate_key(bit_length=8 * KEY_BYTES).hex()


def key_of(text: str, file: str) -> bytes:
    """The key that a file holds. Raises InvalidInput `backup.key`."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidInput([Fault("backup.key", file=file)])
    return key


def seal(out: BinaryIO, lines: Iterable[bytes], key: bytes, salt: bytes) -> None:
    """Write the lines. The salt (32 bytes) must never be used twice with the same key."""
    cipher = _Cipher(key, salt)
    out.write(cipher.prefix)
    waiting = bytearray()
    number = 0
    for packed in _packed(lines):
        waiting += packed
        while len(waiting) > _CHUNK:  # the last one is never empty-handed: it is kept back
            out.write(cipher.sealed(number, bytes(waiting[:_CHUNK]), last=False))
            del waiting[:_CHUNK]
            number += 1
    out.write(cipher.sealed(number, bytes(waiting), last=True))


def write_new(file: Path, lines: Iterable[bytes], key: bytes, salt: bytes) -> None:
    """A new sealed file (0600), there at once and whole, on the disk before it is believed.

    Whoever is killed in the midst leaves nothing: until it is whole the file has no name. Where a
    file system cannot do that (NFS) it has a hidden one, and the next call takes that away.
    Raises Refused `backup.exists`, Unreachable `backup.not-written`.
    """
    try:
        with _nameless(file, salt.hex()[:8]) as (handle, path):
            with os.fdopen(os.dup(handle), "wb") as out:
                seal(out, lines, key, salt)
                out.flush()
                os.fsync(out.fileno())
            # Unlike a rename, never over what is there. Python follows the descriptor's path only
            # where a directory is named too, which means nothing to an absolute path.
            os.link(path, file, src_dir_fd=handle, follow_symlinks=True)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError as error:
        raise Refused("backup.exists", file=str(file)) from error
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("backup.not-written", file=str(file), cause=cause) from error


@contextmanager
def _nameless(file: Path, mark: str) -> Iterator[tuple[int, str]]:
    """A file without a name beside that one, open, and a path to link it from. Raises OSError."""
    named = file.absolute().with_name(f".{file.name}.{mark}{_MAKING}")
    for left in named.parent.glob(f".*{_MAKING}"):
        _take_away(left)
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        handle = os.open(named.parent, os.O_TMPFILE | flags, 0o600)
        path = f"/proc/self/fd/{handle}"
    except OSError as error:
        if error.errno not in _NO_NAMELESS:
            raise
        handle = os.open(named, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | flags, 0o600)
        path = str(named)
    try:
        give(handle, named.parent)
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield handle, path
    finally:
        if path == str(named):
            named.unlink(missing_ok=True)
        os.close(handle)


def _take_away(left: Path) -> None:
    """What somebody left who was killed: nobody holds its lock, and it is one of ours."""
    with suppress(OSError), left.open("rb") as source:
        fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if source.read(len(MAGIC)) in {MAGIC, b""}:
            left.unlink()


def unseal(file: Path, key: bytes) -> Iterator[bytes]:
    """The lines of a sealed file, each without its line break, as far as they are proved.

    Only after the last one is it known that nothing is missing. Raises InvalidInput
    `backup.unreadable`, `backup.not-one`, `backup.wrong-key`, `backup.damaged`.
    """
    name = str(file)
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as source:
            yield from _lines(source, key, name)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise InvalidInput([Fault("backup.unreadable", {"cause": cause}, file=name)]) from error


def _lines(source: BinaryIO, key: bytes, name: str) -> Iterator[bytes]:
    prefix = source.read(_PREFIX)
    if len(prefix) < _PREFIX or not prefix.startswith(MAGIC):
        raise InvalidInput([Fault("backup.not-one", file=name)])
    cipher = _Cipher(key, prefix[-_SALT_BYTES:])
    if cipher.prefix != prefix:
        raise InvalidInput([Fault("backup.wrong-key", file=name)])
    unpack = zlib.decompressobj()
    rest = b""
    try:
        for packed in _chunks(source, cipher):
            *whole, rest = (rest + unpack.decompress(packed)).split(b"\n")
            yield from whole
        if rest + unpack.flush() or not unpack.eof:
            raise ValueError("ends within a line")
    except (ValueError, zlib.error) as error:
        raise InvalidInput([Fault("backup.damaged", file=name)]) from error


def _chunks(source: BinaryIO, cipher: "_Cipher") -> Iterator[bytes]:
    """Raises ValueError for what is not as it was sealed."""
    chunk, number = source.read(_CHUNK + _TAG), 0
    while True:
        following = source.read(_CHUNK + _TAG)
        yield cipher.opened(number, chunk, last=not following)
        if not following:
            return
        chunk, number = following, number + 1


def _packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    pack = zlib.compressobj(6)
    for line in lines:
        yield pack.compress(line + b"\n")
    yield pack.flush()


class _Cipher:
    """AES-256-GCM under the key of one file."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        def derived(length: int, use: bytes) -> bytes:
            return HKDF(SHA256(), length, salt, b"cloudpemda ledger backup: " + use).derive(key)

        self.prefix = MAGIC + derived(_MARK_BYTES, b"mark") + salt
        self._gcm = AESGCM(derived(KEY_BYTES, b"file"))
        self._invalid = InvalidTag

    def sealed(self, number: int, data: bytes, *, last: bool) -> bytes:
        return self._gcm.encrypt(_nonce(number, last), data, self.prefix)

    def opened(self, number: int, data: bytes, *, last: bool) -> bytes:
        try:
            return self._gcm.decrypt(_nonce(number, last), data, self.prefix)
        except (self._invalid, ValueError) as error:
            raise ValueError(f"chunk {number}") from error


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
