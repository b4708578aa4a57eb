"""The head file: the newest number and hash of every chain, signed, outside the database.

It has two slots, each with a digest of what it says, and the newer one is the head. The next one
is written over the older one, and reaches the disk before anything else is written: whatever a kill
or a power cut leaves of it, the other slot is whole. A file that says one head in plain is taken
too: an earlier release wrote it, or somebody put a kept one in its place.

Beside it the last head of each day is kept under its date. The copy is made after the head itself,
so it is never newer, whatever a power cut leaves: a head that is older than a copy was put back.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cloudpemda.document.owner import make_directory
from cloudpemda.ledger.audit.entries import ORIGIN, canonical, moment
from cloudpemda.ledger.audit.keys import PublicKey, Signer, write_private
from cloudpemda.ledger.schema import moment_text
from cloudpemda.ledger.turns import turn
from cloudpemda.units import Instant

HEAD_NAME = "audit.head"
_PATIENCE = 30  # seconds
_PAGE = 4096  # bytes: two slots never share a block of the disk
_DIGEST = 64  # hex digits before what a slot says
_SEQ = re.compile(rb'"seq":([0-9]+)')  # no name of an OPD looks like it: its quotes are escaped


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest entry of a chain: its number there, and its link's hash."""

    seq: int
    hash: str


START = Tip(0, ORIGIN)


class Link(NamedTuple):
    """What of an entry its chains are made of; an entry of the first release has no signature."""

    seq: int
    previous: str
    hash: str
    opd: str | None
    opd_seq: int | None
    opd_previous: str | None
    opd_hash: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """Where every chain ended at one moment."""

    seq: int
    hash: str
    at: Instant | None = None  # None: written by the first release, which signed nothing
    opds: Mapping[str, Tip] = field(default_factory=lambda: MappingProxyType({}))
    signature: str | None = None

    @property
    def content(self) -> str:
        """What is signed."""
        opds = {opd: [tip.seq, tip.hash] for opd, tip in self.opds.items()}
        at = None if self.at is None else moment_text(self.at)
        return canonical({"seq": self.seq, "hash": self.hash, "at": at, "opds": opds})

    def signed(self, signer: Signer) -> "Head":
        return replace(self, signature=signer.sign_head(self.content))

    def is_signed(self, key: PublicKey | None) -> bool:
        return key is not None and key.signed_head(self.content, self.signature)

    @property
    def text(self) -> str:
        """The whole of it, as JSON."""
        return f'{self.content[:-1]},"signature":{canonical(self.signature)}}}'


def head_of(raw: object) -> Head:
    """Raises ValueError, KeyError, TypeError or AttributeError for what is no head."""
    if not isinstance(raw, dict):
        raise TypeError("no head")
    opds = {str(opd): Tip(int(seq), str(hash_)) for opd, (seq, hash_) in raw["opds"].items()}
    return Head(int(raw["seq"]), str(raw["hash"]), moment(raw["at"]), opds, str(raw["signature"]))


def sealed_at(directory: Path) -> Instant | None:
    """When the head file of a ledger's directory was last moved on: the moment of its newest deed.
    None where there is none. Asks no database."""
    head = HeadFile(directory / HEAD_NAME, 0).read()
    return None if head is None else head.at


class _Seen(NamedTuple):
    """What was read or written last, and in which slot."""

    slot: int | None
    said: bytes
    head: Head


class HeadFile:
    """`audit.head` and the directory `audit.heads` of a site (0600, 0700)."""

    def __init__(self, file: Path, keep: int) -> None:
        self._file = file
        self._keep = keep
        self._lock = file.with_suffix(".lock")
        self._kept = file.with_suffix(".heads")
        self._last: _Seen | None = None

    @property
    def name(self) -> str:
        return str(self._file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone at the head, after those who came before. Raises OSError."""
        with turn(self._lock, _PATIENCE) as came:
            if not came:  # somebody was stopped in the midst of it, or nobody can lock here
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            yield

    def read(self) -> Head | None:
        """The head; None where the file is gone, cannot be read or is not one: a finding."""
        try:
            slot, said = _newest(self._file.read_bytes())
        except OSError:
            return None
        if self._last is not None and self._last.said == said:
            head: Head | None = self._last.head
        else:
            head = _parsed(said)
        self._last = None if head is None else _Seen(slot, said, head)
        return head

    def kept(self) -> Iterator[tuple[str, Head | None]]:
        """Name and content of each kept head, oldest first."""
        for file in self._copies():
            try:
                yield file.name, _parsed(file.read_bytes())
            except OSError:
                yield file.name, None

    def write(self, head: Head, *, anew: bool = False) -> None:
        """Make it the head, and its day's copy: behind the one that was read last, or `anew` in
        its place. Raises OSError."""
        said = head.text.encode()
        slot = None if anew else self._other_slot(said)
        if slot is None:
            self._write_file(said)
        self._last = _Seen(slot or 0, said, head)
        if head.at is not None and head.seq:
            self._keep_copy(said, moment_text(head.at)[:10])

    def _other_slot(self, said: bytes) -> int | None:
        """The slot beside the head that was read last, with this in it; None where there is none,
        or not of that size."""
        last = self._last
        if last is None or last.slot is None:
            return None
        handle = os.open(self._file, os.O_RDWR | os.O_NOFOLLOW)
        try:
            size = os.fstat(handle).st_size // 2
            if len(said) + _DIGEST > size:
                return None
            slot = 1 - last.slot
            os.pwrite(handle, _sealed(said, size), size * slot)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        return slot

    def _write_file(self, said: bytes) -> None:
        """A new file with this head in one slot, and room to grow, in the place of the former."""
        new = self._file.with_suffix(".new")
        size = _PAGE * (1 + 2 * (len(said) + _DIGEST) // _PAGE)
        write_private(new, _sealed(said, size) + b" " * size)
        new.replace(self._file)

    def _keep_copy(self, said: bytes, day: str) -> None:
        """One that is lost tells nothing wrong."""
        copy = self._kept / f"{day}.head"
        try:
            handle = os.open(copy, os.O_WRONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            make_directory(self._kept)
            write_private(copy, said, durably=False)
            for old in self._copies()[: -self._keep]:
                old.unlink()
            return
        try:
            os.pwrite(handle, said.ljust(os.fstat(handle).st_size), 0)
        finally:
            os.close(handle)

    def set_aside(self, name: str) -> None:
        """Put the kept heads into a directory of that name, where none is read, and the head beside
        them. That one also stays, until it is written over: who is killed leaves one behind."""
        aside = self._kept / name
        make_directory(aside)
        for file in self._copies():
            file.replace(aside / file.name)
        if self._file.exists():
            (aside / self._file.name).unlink(missing_ok=True)
            os.link(self._file, aside / self._file.name)

    def _copies(self) -> list[Path]:
        return sorted(self._kept.glob("*.head"))


def _newest(there: bytes) -> tuple[int | None, bytes]:
    """What the head file says, and in which slot; no slot where it says one head in plain."""
    size = len(there) // 2
    whole: dict[int, bytes] = {}
    for slot in (0, 1):
        part = there[slot * size : (slot + 1) * size]
        said = part[_DIGEST:].rstrip(b" ")
        if _digest(said) == part[:_DIGEST]:
            whole[slot] = said
    if not whole:
        return None, there
    newest = max(whole, key=lambda slot: _seq_of(whole[slot]))
    return newest, whole[newest]


def _seq_of(said: bytes) -> int:
    found = _SEQ.search(said)
    return int(found[1]) if found else -1


def _digest(said: bytes) -> bytes:
    return hashlib.sha256(said).hexdigest().encode()


def _sealed(said: bytes, size: int) -> bytes:
    """What a slot of that size holds."""
    return (_digest(said) + said).ljust(size)


def _parsed(said: bytes) -> Head | None:
    try:
        raw = json.loads(said)
        if isinstance(raw, dict) and raw.keys() == {"seq", "hash"}:
            return Head(int(raw["seq"]), str(raw["hash"]))
        return head_of(raw)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
