"""The head file: the newest number and hash of every chain, signed, outside the database.

Beside it the last head of each day is kept under its date. The copy is made after the head itself,
so it is never newer, whatever a power cut leaves: a head that is older than a copy was put back.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cloudpemda.ledger.audit.entries import ORIGIN, canonical, moment
from cloudpemda.ledger.audit.keys import PublicKey, Signer, write_private
from cloudpemda.ledger.schema import moment_text
from cloudpemda.ledger.turns import turn
from cloudpemda.units import Instant

_PATIENCE = 30  # seconds


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

    def to_json(self) -> dict[str, object]:
        return {**json.loads(self.content), "signature": self.signature}


def head_of(raw: object) -> Head:
    """Raises ValueError, KeyError, TypeError or AttributeError for what is no head."""
    if not isinstance(raw, dict):
        raise TypeError("no head")
    opds = {str(opd): Tip(int(seq), str(hash_)) for opd, (seq, hash_) in raw["opds"].items()}
    return Head(int(raw["seq"]), str(raw["hash"]), moment(raw["at"]), opds, str(raw["signature"]))


class HeadFile:
    """`audit.head` and the directory `audit.heads` of a site (0600, 0700)."""

    def __init__(self, file: Path, keep: int) -> None:
        self._file = file
        self._keep = keep
        self._lock = file.with_suffix(".lock")
        self._kept = file.with_suffix(".heads")

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
        return _read(self._file)

    def kept(self) -> Iterator[tuple[str, Head | None]]:
        """Name and content of each kept head, oldest first."""
        for file in self._copies():
            yield file.name, _read(file)

    def write(self, head: Head) -> None:
        """Replace the head, and its day's copy. A rename lost with the power leaves an older
        head, which is sound. Raises OSError."""
        new = self._file.with_suffix(".new")
        written = json.dumps(head.to_json(), sort_keys=True).encode()
        write_private(new, written)
        new.replace(self._file)
        if head.at is None or head.seq == 0:
            return
        self._kept.mkdir(mode=0o700, exist_ok=True)
        copy = self._kept / f"{moment_text(head.at)[:10]}.head"
        first_of_day = not copy.exists()
        write_private(new, written, durably=False)  # a copy that is lost tells nothing wrong
        new.replace(copy)
        if first_of_day:
            for old in self._copies()[: -self._keep]:
                old.unlink()

    def set_aside(self, name: str) -> None:
        """Put the kept heads into a directory of that name, where none is read, and the head beside
        them. That one also stays, until it is written over: who is killed leaves one behind."""
        aside = self._kept / name
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in self._copies():
            file.replace(aside / file.name)
        if self._file.exists():
            (aside / self._file.name).unlink(missing_ok=True)
            os.link(self._file, aside / self._file.name)

    def _copies(self) -> list[Path]:
        return sorted(self._kept.glob("*.head"))


def _read(file: Path) -> Head | None:
    try:
        raw = json.loads(file.read_bytes())
        if isinstance(raw, dict) and raw.keys() == {"seq", "hash"}:
            return Head(int(raw["seq"]), str(raw["hash"]))
        return head_of(raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
