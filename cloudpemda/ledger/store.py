"""The ledger's database: one engine, two kinds of transaction, and faults in our own words.

A write transaction is alone before it reads, so that what it read is still true when it writes; it
is durable when it returns. A read transaction sees one moment and blocks nobody. What SQLite and
PostgreSQL do differently for that stands in `databases`.
"""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, RootTransaction, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from cloudpemda.clock import Clock, Entropy
from cloudpemda.document.owner import give, make_directory
from cloudpemda.errors import Incomplete, Refused, Unreachable, UsageError
from cloudpemda.ledger.databases import Database, Postgres, Sqlite
from cloudpemda.ledger.prepared import execute
from cloudpemda.ledger.turns import Turns

BUSY_SECONDS = 30
"""How long a transaction waits for another process's write lock."""

T = TypeVar("T")

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger is: its database, and the directory (0700) of what lies beside it."""

    url: URL
    directory: Path

    @property
    def file(self) -> Path | None:
        """The database's file; None for one on a server."""
        if self.url.get_backend_name() != "sqlite":
            return None
        return self.directory / Path(str(self.url.database)).name

    @property
    def name(self) -> str:
        """For people."""
        return str(self.file or self.url.render_as_string(hide_password=True))


class Store:
    """The engine with the clock and the dice that the ledger's parts use."""

    def __init__(self, place: Place, clock: Clock, entropy: Entropy) -> None:
        self.place = place
        self.clock = clock
        self.entropy = entropy
        self._database: Database = Postgres(place.url) if place.file is None else Sqlite(place.file)
        self._engine = self._database.engine(BUSY_SECONDS)
        # Threads of one process queue here, and processes at a file: SQLite's own waiting polls,
        # and is not fair. A server has a queue of its own.
        self._turn = threading.Lock()
        file = place.file
        self._turns = None if file is None else Turns(file.with_name(f"{file.name}-queue"))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing, alone. Raises Unreachable `ledger.busy`, `ledger.unavailable` or
        `ledger.damaged`, and Incomplete `ledger.unsure` where a server's answer to the end was
        lost: which of the two it was, a look tells."""
        with self._turn, self._transaction(self._database.WRITE, self._in_turn) as connection:
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One's turn among the processes, or none where it cannot be had: SQLite asks again."""
        with ExitStack() as queued:
            if self._turns is not None:
                with suppress(OSError):
                    queued.enter_context(self._turns.turn(BUSY_SECONDS))
            yield

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment's view."""
        with self._transaction(self._database.READ) as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A look by a single statement, which sees one moment by itself."""
        with self._transaction(()) as connection:
            yield connection

    @contextmanager
    def trial(self) -> Iterator[Connection]:
        """A write transaction that never happened: to ask what a deed would choose."""
        with self.write() as connection:
            yield connection
            connection.rollback()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(
        self,
        begin: tuple[str, ...],
        alone: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Iterator[Connection]:
        """With a connection that is there before others have to wait, and goes after them."""
        committing = False
        try:
            with (
                self._patiently(self._engine.connect) as connection,
                alone(),
                self._patiently(lambda: _begun(connection, begin)),
            ):
                yield connection
                committing = begin == self._database.WRITE
        except DBAPIError as error:
            if committing and self._database.is_lost(error.orig):
                raise Incomplete("ledger.unsure", file=self.place.name) from error
            raise self._translated(error) from error

    def _patiently(self, ask: Callable[[], T]) -> T:
        """SQLite's own waiting leaves out some short locks (recovery after a crash, the change to
        WAL, the last one's closing): they are met here, before anything was read or written."""
        try:
            return ask()
        except DBAPIError as error:
            if not self._is_busy(error):
                raise
        for attempt in Retrying(
            retry=retry_if_exception(self._is_busy),
            stop=stop_after_delay(BUSY_SECONDS),
            wait=wait_random(0.005, 0.1),
            reraise=True,
        ):
            with attempt:
                met = ask()
        return met

    def _is_busy(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        return self._database.is_busy(cause)

    def _translated(self, error: DBAPIError) -> Exception:
        """What the caller is told. A broken rule of the schema is our bug and stays what it is."""
        cause = self._database.cause(error.orig)
        if self._is_busy(error):
            return Unreachable("ledger.busy", file=self.place.name, cause=cause)
        if not cause:
            return error
        if cause.startswith(_DAMAGED):
            return Unreachable("ledger.damaged", told=f"{self.place.name}: {cause}")
        return Unreachable("ledger.unavailable", file=self.place.name, cause=cause)


def _begun(connection: Connection, begin: tuple[str, ...]) -> RootTransaction:
    """A transaction that has its lock, and its view of the data."""
    transaction = connection.begin()
    try:
        for statement in begin:
            execute(connection, statement)
    except BaseException:
        transaction.close()
        raise
    return transaction


def locate(url: str, base: Path) -> Place:
    """The place that a site's `ledger:` names; a relative file is relative to the site.

    A ledger on a server keeps its head file and its lock in the site's `var`. Raises UsageError
    `ledger.url`, or `ledger.url-password` for a secret in a file that is no secret.
    """
    try:
        parsed: URL = make_url(url)
    except ArgumentError:
        raise UsageError("ledger.url", url="…") from None
    # A query may hold secrets too (`?sslpassword=`), and nothing hides those.
    shown = parsed.set(query={}).render_as_string(hide_password=True)
    if parsed.drivername == "postgresql+psycopg" and parsed.database:
        if parsed.password is not None or any("password" in name.lower() for name in parsed.query):
            raise UsageError("ledger.url-password", url=shown)
        return Place(parsed, base / "var")
    if parsed.drivername != "sqlite" or not parsed.database or ":" in parsed.database:
        raise UsageError("ledger.url", url=shown)
    return Place(parsed, (base / parsed.database).parent)


def prepare(place: Place) -> None:
    """Make the ledger's file (0600) and directory (0700) where they are absent.

    Raises Refused `ledger.exposed` for what others may read or replace, Unreachable
    `ledger.unavailable` where it cannot be made.
    """
    try:
        make_directory(place.directory)
        if place.file is not None:
            _make(place.file)
            _refuse_exposed(place.file, stat.S_IRWXG | stat.S_IRWXO)
        _refuse_exposed(place.directory, stat.S_IWGRP | stat.S_IWOTH)
    except OSError as error:
        raise Unreachable(
            "ledger.unavailable", file=place.name, cause=os.strerror(error.errno or 0)
        ) from error


def _make(file: Path) -> None:
    """Make the file where it is absent, and never open one that is there: POSIX drops all locks of
    a process on a file as soon as it closes any of its descriptors, those of an open ledger too.

    Raises OSError for a link, for what is no file, and for what may not be written.
    """
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            give(handle, file.parent)
        finally:
            os.close(handle)
    except FileExistsError:
        mode = file.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        if not os.access(file, os.R_OK | os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES)) from None


def _refuse_exposed(path: Path, forbidden: int) -> None:
    mode = path.stat().st_mode
    if mode & forbidden:
        raise Refused(
            "ledger.exposed", path=str(path), mode=oct(stat.S_IMODE(mode)), less=oct(forbidden)
        )
