"""The ledger's database: one engine, two kinds of transaction, and faults in our own words.

A write transaction takes the write lock before it reads (`BEGIN IMMEDIATE`), so that what it read
is still true when it writes. It is durable when it returns: SQLite runs with WAL and
`synchronous=FULL`. A read transaction sees one moment and blocks nobody.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, RootTransaction, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from cloudpemda.clock import Clock, Entropy
from cloudpemda.errors import Refused, Unreachable, UsageError

BUSY_SECONDS = 30
"""How long a transaction waits for another process's write lock."""


class Store:
    """The engine with the clock and the dice that the ledger's parts use."""

    def __init__(self, file: Path, clock: Clock, entropy: Entropy) -> None:
        self.file = file
        self.clock = clock
        self.entropy = entropy
        self._engine = _engine(file)
        # Threads of one process queue here: SQLite's own waiting polls, and is not fair.
        self._turn = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing, alone. Raises Unreachable `ledger.busy` or `ledger.unavailable`."""
        with self._turn, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment's view."""
        with self._transaction("BEGIN") as connection:
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
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            connection, transaction = self._begun(begin)
            with connection, transaction:
                yield connection
        except DBAPIError as error:
            raise _translated(error, self.file) from error

    def _begun(self, begin: str) -> tuple[Connection, RootTransaction]:
        """A transaction that has its lock, and its view of the data.

        SQLite's own waiting leaves out some short locks (recovery after a crash, the change to
        WAL, the last one's closing): they are met here, before anything was read or written.
        """
        for attempt in Retrying(
            retry=retry_if_exception(_is_busy),
            stop=stop_after_delay(BUSY_SECONDS),
            wait=wait_random(0.005, 0.1),
            reraise=True,
        ):
            with attempt:
                connection = self._engine.connect()
                try:
                    connection.execution_options(ledger_begin=begin)
                    transaction = connection.begin()
                    connection.exec_driver_sql("SELECT 1 FROM sqlite_schema LIMIT 1")
                except BaseException:
                    connection.close()
                    raise
        return connection, transaction


def _is_busy(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    name: str = getattr(cause, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _translated(error: DBAPIError, file: Path) -> Exception:
    """What the caller is told. A broken rule of the schema is our bug and stays what it is."""
    cause = error.orig
    name: str = getattr(cause, "sqlite_errorname", "")  # the driver's own errors have none
    if _is_busy(error):
        return Unreachable("ledger.busy", file=str(file), cause=name)
    if not name or name.startswith(("SQLITE_CONSTRAINT", "SQLITE_ERROR", "SQLITE_MISUSE")):
        return error
    return Unreachable("ledger.unavailable", file=str(file), cause=name)


def database_file(url: str, base: Path) -> Path:
    """The file that a site's `ledger:` names, relative to the site. Raises UsageError."""
    try:
        parsed: URL = make_url(url)
    except ArgumentError:
        raise UsageError("ledger.url", url="…") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or ":" in parsed.database:
        raise UsageError("ledger.url", url=parsed.render_as_string(hide_password=True))
    return base / parsed.database


def prepare(file: Path) -> None:
    """Make the ledger's file (0600) and directory (0700) where they are absent.

    Raises Refused `ledger.exposed` for what others may read or replace, Unreachable
    `ledger.unavailable` where it cannot be made.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        _refuse_exposed(file.parent, stat.S_IWGRP | stat.S_IWOTH)
        _refuse_exposed(file, stat.S_IRWXG | stat.S_IRWXO)
    except OSError as error:
        raise Unreachable(
            "ledger.unavailable", file=str(file), cause=os.strerror(error.errno or 0)
        ) from error


def _refuse_exposed(path: Path, forbidden: int) -> None:
    mode = path.stat().st_mode
    if mode & forbidden:
        raise Refused(
            "ledger.exposed", path=str(path), mode=oct(stat.S_IMODE(mode)), less=oct(forbidden)
        )


def _engine(file: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": BUSY_SECONDS},
        pool_size=4,
        max_overflow=-1,  # a reader never waits for a connection
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction control is off: `_begin` says when one starts, and how.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options()["ledger_begin"])

    return engine
