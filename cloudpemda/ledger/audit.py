"""Who did what, when: entries that are only ever added, each chained to the one before.

An entry is written in the very transaction of the deed, so there is neither a deed without its
entry nor an entry without its deed. Its hash covers its content and its predecessor's hash. The
newest sequence number and hash also stand in a head file outside the database: without it a tail
could be cut off unseen. The head is written after the commit, so it may lag behind a crash, but
never runs ahead; it is moved on only from an entry that is still there as it was.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Connection, Row, Text, insert, select, type_coerce

from cloudpemda.errors import Fault, Incomplete, Unreachable
from cloudpemda.ledger.schema import audit, moment_text
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant

ORIGIN = "0" * 64
"""What the first entry calls its predecessor's hash."""

Detail = str | int | bool | None
Details = Mapping[str, Detail]
NOTHING: Details = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """The person (or `system`) who acts, and the role in which they do."""

    login: str
    name: str
    role: str


SYSTEM = Actor("system", "cloudpemda", "system")
"""Who acts when nobody does: the timer, and holds that run out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    seq: int
    at: Instant
    actor: Actor
    action: str  # request.approve, instance.activate …
    opd: str | None
    subject: str  # a request's number or an instance's key
    details: Details
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the log, and the sequence number at which it begins."""

    code: str
    seq: int

    @property
    def fault(self) -> Fault:
        return Fault(self.code, MappingProxyType({"seq": self.seq}), path=str(self.seq))


@dataclass(frozen=True, slots=True)
class Head:
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Deed:
    """A write transaction with the one who acts in it, and the moment."""

    connection: Connection
    now: Instant
    actor: Actor

    def record(self, action: str, opd: str | None, subject: str, **details: Detail) -> None:
        """Add an entry to the log, in this transaction."""
        last = self.connection.execute(_NEWEST).first()
        seq, previous = (last.seq + 1, last.hash) if last else (1, ORIGIN)
        content: dict[str, str | int | None] = {
            "seq": seq,
            "at": moment_text(self.now),
            "login": self.actor.login,
            "person": self.actor.name,
            "role": self.actor.role,
            "action": action,
            "opd": opd,
            "subject": subject,
            "details": json.dumps(details, sort_keys=True, ensure_ascii=False),
            "previous": previous,
        }
        self.connection.execute(
            insert(audit).values({**content, "at": self.now, "hash": _hash(content.values())})
        )


class Audit:
    """The log: `deed` writes, `log` and `verify` read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._head = HeadFile(store.place.directory / "audit.head")

    @contextmanager
    def deed(self, actor: Actor) -> Iterator[Deed]:
        """A durable write transaction whose entries are sealed into the head file after it.

        Raises Incomplete `audit.head-unwritable` where the deed is done but the head file cannot
        follow; the next deed tries again.
        """
        now = self._store.clock.now()  # before the lock: the lab's time is a network call away
        with self._store.write() as connection:
            yield Deed(connection, now, actor)
        try:
            self._seal()
        except OSError as error:
            raise Incomplete(
                "audit.head-unwritable", file=self._head.name, cause=os.strerror(error.errno or 0)
            ) from error

    def _seal(self) -> None:
        with self._head.locked():
            head = self._head.read()
            with self._store.read() as connection:
                newest = connection.execute(_NEWEST).first()
                if newest is None or head is None or newest.seq <= head.seq:
                    return
                if head.seq and _hash_at(connection, head.seq) != head.hash:
                    return  # a cut or rewritten log keeps its old head, for `verify` to find
            self._head.write(Head(newest.seq, newest.hash))

    def log(
        self,
        *,
        opds: Collection[str] | None = None,
        subject: str | None = None,
        login: str | None = None,
        action: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int | None = None,
    ) -> tuple[Entry, ...]:
        """The entries that match all that is given, oldest first; of more than `limit` the
        newest. `until` is excluded; `opds` None is all, those that concern no OPD included."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if opds is not None:
            query = query.where(audit.c.opd.in_(sorted(opds)))
        for column, value in (
            (audit.c.subject, subject),
            (audit.c.login, login),
            (audit.c.action, action),
        ):
            if value is not None:
                query = query.where(column == value)
        if since is not None:
            query = query.where(audit.c.at >= since)
        if until is not None:
            query = query.where(audit.c.at < until)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return tuple(_entry(row) for row in reversed(rows))

    def verify(self) -> tuple[Finding, ...]:
        """Every break of the chain, first one first; nothing found is a sound log.

        `audit.missing` names the first missing entry, `audit.edited` an entry that is not what
        was written or was not written after its predecessor, `audit.truncated` the newest entry
        that the head file knows and the log has lost, `audit.rewritten` an entry that the head
        file knows with another content, `audit.head-missing` a head file that is gone.
        """
        # The head first: entries may be added while we look, but only behind it.
        head = self._head.read()
        findings: list[Finding] = []
        expected, previous = 1, ORIGIN
        head_hash: str | None = None
        with self._store.read() as connection:
            for row in connection.execute(_RAW):
                sound = _hash_or_none(row) == row.hash
                if row.seq != expected:
                    findings.append(Finding("audit.missing", expected))
                elif row.previous != previous and sound and row.seq > 1:
                    # It is as it was written, so its predecessor is not.
                    findings.append(Finding("audit.edited", row.seq - 1))
                elif row.previous != previous:
                    findings.append(Finding("audit.edited", row.seq))
                if not sound:
                    findings.append(Finding("audit.edited", row.seq))
                if head is not None and row.seq == head.seq:
                    head_hash = row.hash
                expected, previous = row.seq + 1, row.hash
        if head is None:
            findings.append(Finding("audit.head-missing", expected - 1))
        elif head.seq >= expected:
            findings.append(Finding("audit.truncated", expected))
        elif head_hash is not None and head_hash != head.hash:
            findings.append(Finding("audit.rewritten", head.seq))
        return tuple(dict.fromkeys(findings))

    def head(self) -> Head | None:
        """What the head file says; None where it is gone or is not one."""
        return self._head.read()

    def reseal(self) -> None:
        """Let the head file follow a log that was put in the place of another one.

        Raises Incomplete `audit.head-unwritable`; until it can be written `verify` says so.
        """
        try:
            with self._head.locked():
                with self._store.read() as connection:
                    newest = newest_entry(connection)
                self._head.write(newest or Head(0, ORIGIN))
        except OSError as error:
            raise Incomplete(
                "audit.head-unwritable", file=self._head.name, cause=os.strerror(error.errno or 0)
            ) from error

    def begin(self) -> None:
        """Write the head of an empty log, before the first entry can be.

        Raises Unreachable `ledger.unavailable` where it cannot be written.
        """
        try:
            with self._head.locked():
                self._head.write(Head(0, ORIGIN))
        except OSError as error:
            raise Unreachable(
                "ledger.unavailable", file=self._head.name, cause=os.strerror(error.errno or 0)
            ) from error


class HeadFile:
    """Sequence number and hash of the newest entry, outside the database (0600)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = file.with_suffix(".lock")

    @contextmanager
    def locked(self) -> Iterator[None]:
        handle = os.open(self._lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @property
    def name(self) -> str:
        return str(self._file)

    def read(self) -> Head | None:
        """The head; None where the file is gone, cannot be read or is not one: a finding."""
        try:
            raw = json.loads(self._file.read_bytes())
            return Head(int(raw["seq"]), str(raw["hash"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, head: Head) -> None:
        """Replace the head. A rename lost with the power leaves an older head, which is sound."""
        new = self._file.with_suffix(".new")
        handle = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, json.dumps({"seq": head.seq, "hash": head.hash}).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        new.replace(self._file)


def newest_entry(connection: Connection) -> Head | None:
    """Sequence number and hash of the newest entry; None for an empty log."""
    row = connection.execute(_NEWEST).first()
    return None if row is None else Head(row.seq, row.hash)


def _hash_at(connection: Connection, seq: int) -> str | None:
    found: str | None = connection.scalar(select(audit.c.hash).where(audit.c.seq == seq))
    return found


def _hash(content: Iterable[object]) -> str:
    """SHA-256 over the columns as they are stored, in the table's order, without the hash."""
    text = json.dumps(list(content), separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_or_none(row: Row[tuple[object, ...]]) -> str | None:
    try:
        return _hash(tuple(row)[:-1])
    except (TypeError, UnicodeEncodeError):
        return None  # a value that no entry can have


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    return Entry(
        seq=row.seq,
        at=row.at,
        actor=Actor(row.login, row.person, row.role),
        action=row.action,
        opd=row.opd,
        subject=row.subject,
        details=MappingProxyType(json.loads(row.details)),
        previous=row.previous,
        hash=row.hash,
    )


_NEWEST = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
_RAW = select(
    *(type_coerce(column, Text) if column is audit.c.at else column for column in audit.c)
).order_by(audit.c.seq)
