"""What SQLite and PostgreSQL do differently: engines, how a transaction begins, whose fault it is.

SQLite runs with WAL and `synchronous=FULL`; a writer takes the write lock before it reads (`BEGIN
IMMEDIATE`). On PostgreSQL a writer waits for one advisory lock of the database: READ COMMITTED
then shows each statement all that earlier writers committed, and nobody else can change it.
"""

import sqlite3
from collections import UserDict
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Dialect, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

WRITERS = 0x636C7064  # the advisory lock of those who write: "clpd"
CONNECTIONS = 4
_CUT_OFF = ("08", "57P")  # SQLSTATE: the connection failed, the server was stopped
_WATCH = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # ms; without it a server that vanished is waited for for hours
}


class Database(Protocol):
    """How one kind of database is driven."""

    WRITE: tuple[str, ...]  # statements that begin a transaction which is alone
    READ: tuple[str, ...]  # … and one that sees a single moment, from its first look on

    def engine(self, busy_seconds: float) -> Engine: ...

    def is_busy(self, error: BaseException | None) -> bool:
        """Whether another one's lock was in the way."""
        ...

    def is_lost(self, error: BaseException | None) -> bool:
        """Whether there was no answer, so that what was sent may have been done."""
        ...

    def cause(self, error: BaseException | None) -> str:
        """The name of what went wrong outside of us; empty for a fault of ours."""
        ...


class _Compiled(UserDict[tuple[object, ...], object]):
    """What statements compile to, for all engines of one kind: SQLAlchemy asks with an engine's
    own dialect, and each ledger that is opened has a new one. Compiling costs more than executing.
    """

    MOST = 2000

    def get(self, key: tuple[object, ...], default: object = None) -> object:
        return self.data.get(_alike(key), default)

    def __setitem__(self, key: tuple[object, ...], compiled: object) -> None:
        if len(self.data) >= self.MOST:
            self.data.clear()
        self.data[_alike(key)] = compiled


def _alike(key: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(type(part) if isinstance(part, Dialect) else part for part in key)


_SQLITE = _Compiled()


class Sqlite:
    """One file."""

    WRITE: tuple[str, ...] = ("BEGIN IMMEDIATE",)
    READ: tuple[str, ...] = ("BEGIN", "SELECT 1 FROM sqlite_schema LIMIT 1")

    def __init__(self, file: Path) -> None:
        self._file = file

    def engine(self, busy_seconds: float) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self._file)),
            connect_args={"timeout": busy_seconds},
            pool_size=CONNECTIONS,
            max_overflow=-1,  # a reader never waits for a connection
            hide_parameters=True,
            execution_options={"compiled_cache": _SQLITE},
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
            # The driver's own transaction control is off: who begins one says so, and how.
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

        return engine

    def is_busy(self, error: BaseException | None) -> bool:
        return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))

    def is_lost(self, error: BaseException | None) -> bool:
        return False  # it is in our own process

    def cause(self, error: BaseException | None) -> str:
        name = _name(error)  # the driver's own errors have none
        ours = ("SQLITE_CONSTRAINT", "SQLITE_ERROR", "SQLITE_MISUSE")
        return "" if name.startswith(ours) else name


def _name(error: BaseException | None) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


class Postgres:
    """A database on a server. Its password comes from PGPASSWORD, PGPASSFILE or ~/.pgpass."""

    WRITE: tuple[str, ...] = ("BEGIN", f"SELECT pg_advisory_xact_lock({WRITERS})")
    READ: tuple[str, ...] = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1")

    def __init__(self, url: URL) -> None:
        self._url = url

    def engine(self, busy_seconds: float) -> Engine:
        limit = f"-c lock_timeout={max(1, int(busy_seconds * 1000))} -c synchronous_commit=on"
        return create_engine(
            self._url.update_query_dict({"options": limit}),
            connect_args={"autocommit": True, "connect_timeout": 10, **_WATCH},
            pool_size=CONNECTIONS,
            max_overflow=-1,
            pool_pre_ping=True,  # a server may have been restarted since
            hide_parameters=True,
        )

    def is_busy(self, error: BaseException | None) -> bool:
        return getattr(error, "sqlstate", None) == "55P03"  # lock_not_available

    def is_lost(self, error: BaseException | None) -> bool:
        return str(getattr(error, "sqlstate", None) or "08").startswith(_CUT_OFF)

    def cause(self, error: BaseException | None) -> str:
        state = getattr(error, "sqlstate", None)
        if state is None:  # no answer at all: refused, cut off
            return type(error).__name__ if isinstance(error, Exception) else ""
        return "" if state[:2] in {"22", "23", "42", "P0"} else f"SQLSTATE {state}"
