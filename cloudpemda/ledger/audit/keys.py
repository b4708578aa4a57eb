"""The key that entries and heads are signed with (Ed25519), in a file outside the database.

It is made at first use, and replaced only by one that the log names (`ring`): any other key in its
place is refused, and would make every entry look forged. The public key lies beside it, for whoever
has to verify without being able to sign.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cloudpemda.document.files import read_regular
from cloudpemda.document.owner import give
from cloudpemda.errors import InvalidInput, Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_ENTRY = b"cloudpemda audit entry\n"
_HEAD = b"cloudpemda audit head\n"
_KEY = b"cloudpemda audit key\n"


class PublicKey:
    """Tells whether the site signed something."""

    def __init__(self, key: "Ed25519PublicKey") -> None:
        self._key = key

    @property
    def pem(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        made = self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return made.decode("ascii")

    @property
    def raw(self) -> str:
        """The key itself, 64 hex digits."""
        return self._key.public_bytes_raw().hex()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the raw key: what is compared by telephone."""
        return hashlib.sha256(self._key.public_bytes_raw()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PublicKey) and other.raw == self.raw)

    def __hash__(self) -> int:
        return hash(self.raw)

    def vouched_for(self, old: "PublicKey", word: object) -> bool:
        """Whether this key says that the old one was its predecessor."""
        return self._signed(_KEY, old.raw, word)

    def signed_entry(self, hash_: object, signature: object) -> bool:
        return self._signed(_ENTRY, hash_, signature)

    def signed_head(self, content: str, signature: object) -> bool:
        return self._signed(_HEAD, content, signature)

    def _signed(self, kind: bytes, content: object, signature: object) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(bytes.fromhex(str(signature)), kind + str(content).encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(PublicKey):
    """Signs as the site."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        super().__init__(key.public_key())
        self._private = key
        self._last = "", ""  # the entry that was signed last: its hash and signature

    @property
    def private_pem(self) -> str:
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        made = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return made.decode("ascii")

    def _signed(self, kind: bytes, content: object, signature: object) -> bool:
        # Ed25519 gives a key and a text one signature: making it anew is three times as fast as
        # verifying it, and the last one is known.
        if kind is _ENTRY and self._last == (content, signature):
            return True
        try:
            return self._private.sign(kind + str(content).encode()).hex() == signature
        except ValueError:
            return False

    def sign_entry(self, hash_: str) -> str:
        signature = self._private.sign(_ENTRY + hash_.encode()).hex()
        self._last = hash_, signature
        return signature

    def vouch_for(self, old: PublicKey) -> str:
        return self._private.sign(_KEY + old.raw.encode()).hex()

    def sign_head(self, content: str) -> str:
        return self._private.sign(_HEAD + content.encode()).hex()


class KeyFile:
    """The private key (0600) and the public one beside it (`.pub`)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.public_file = file.with_suffix(".pub")
        self._ready: tuple[tuple[int, int] | None, Signer] | None = None

    def exists(self) -> bool:
        return self.file.exists()

    def signer(self) -> Signer:
        """The key of the file. Raises Refused `audit.key-unusable`."""
        ready, self._ready = self._ready, None
        if ready is not None and ready[0] == self.mark():
            return ready[1]
        try:
            return private_key(read_regular(self.file, private=True).decode("ascii"))
        except (InvalidInput, ValueError) as error:
            raise Refused("audit.key-unusable", file=str(self.file)) from error

    def load(self) -> None:
        """Have at hand what signs, for who asks next: to load it takes longer than most deeds."""
        with suppress(Refused):  # whoever signs tells
            if (mark := self.mark()) is not None:
                self._ready = mark, self.signer()

    def mark(self) -> tuple[int, int] | None:
        """What changes when the file does; None where it is gone."""
        try:
            found = self.file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def holding(self, fingerprint: str) -> Signer | None:
        """The signer with this fingerprint, from the key's file; None where it is another's.

        A process that was killed while it exchanged keys may have left it set aside: then it is
        put back, and what stands in its place is set aside.
        """
        if self.exists() and (found := self.signer()).fingerprint == fingerprint:
            return found
        aside = self._aside(fingerprint)
        if not aside.exists():
            return None
        signer = private_key(read_regular(aside, private=True).decode("ascii"))
        if self.exists():
            self.file.replace(self._aside(self.signer().fingerprint))
        aside.replace(self.file)
        self._write_public(signer)
        return signer

    def destroy_aside(self, fingerprint: str) -> None:
        """Overwrite and remove a key that was set aside."""
        aside = self._aside(fingerprint)
        write_private(aside, bytes(aside.stat().st_size))
        aside.unlink()

    def _aside(self, fingerprint: str) -> Path:
        return self.file.with_suffix(f".until-{fingerprint[:8]}")

    def _write_public(self, key: PublicKey) -> None:
        new = self.public_file.with_suffix(f".{os.getpid()}.new")
        write_private(new, key.pem.encode())
        new.replace(self.public_file)

    def make(self) -> Signer:
        """A new key, unless another process made one just now. Raises OSError."""
        made = new_signer()
        new = self.file.with_suffix(f".{os.getpid()}.new")
        write_private(new, made.private_pem.encode())
        try:
            os.link(new, self.file)  # never over a key that is there
        except FileExistsError:
            pass
        finally:
            new.unlink()
        signer = self.signer()
        self._write_public(signer)
        return signer

    @contextmanager
    def replaced_by(self, pem: str | None) -> Iterator[None]:
        """Another key in its place, unless what is done then fails; None: leave it.

        The former key is set aside under its fingerprint. Raises Refused `audit.key-unusable`.
        """
        former = self.signer() if self.exists() else None
        if pem is None or (former is not None and former.private_pem == pem):
            yield
            return
        coming = self._usable(pem)
        aside = self._aside(coming.fingerprint)
        write_private(aside, pem.encode())  # on the disk before anything is moved
        if former is not None:
            self.file.replace(self._aside(former.fingerprint))
        try:
            aside.replace(self.file)
            self._write_public(coming)
            yield
        except BaseException:
            self.file.unlink(missing_ok=True)
            if former is not None:
                self._aside(former.fingerprint).replace(self.file)
                self._write_public(former)
            raise

    def _usable(self, pem: str) -> Signer:
        try:
            return private_key(pem)
        except ValueError as error:
            raise Refused("audit.key-unusable", file=str(self.file)) from error

    def public(self) -> PublicKey | None:
        """The public key, from whichever of the two files can be read; None for neither."""
        try:
            return self.signer()
        except Refused:
            return self.public_alone()

    def public_alone(self) -> PublicKey | None:
        """The public key from its own file; None where that cannot be read."""
        try:
            return public_key(read_regular(self.public_file).decode("ascii"))
        except (InvalidInput, ValueError):
            return None


def new_signer() -> Signer:
    """A secret is no dice of a simulated world: it must not repeat, whatever the seed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(Ed25519PrivateKey.generate())


def raw_key(digits: object) -> PublicKey:
    """Raises ValueError for what is no public key in hex digits."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return PublicKey(Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(digits))))


def private_key(pem: str) -> Signer:
    """Raises ValueError for what is no Ed25519 private key in PEM."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError("no Ed25519 key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("no Ed25519 key")
    return Signer(key)


def public_key(pem: str) -> PublicKey:
    """Raises ValueError for what is no Ed25519 public key in PEM."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError("no Ed25519 key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return PublicKey(key)


def write_private(file: Path, data: bytes, *, durably: bool = True) -> None:
    """Write, and reach the disk; 0600, and no link is followed."""
    handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        give(handle, file.parent)
        os.write(handle, data)
        if durably:
            os.fsync(handle)
    finally:
        os.close(handle)
