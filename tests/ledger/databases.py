"""On which database the ledger's tests run: a SQLite file each, or a database each on a server.

With `CLOUDPEMDA_TEST_POSTGRES` (the URL of a server's maintenance database) every test's ledger
is a database of its own there. Tests that look into SQLite's file are marked `sqlite`.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from cloudpemda.ledger.migrations import first
from cloudpemda.ledger.store import locate

SQLITE = "sqlite:///var/ledger.sqlite3"
SERVER = os.environ.get("CLOUDPEMDA_TEST_POSTGRES")
LATER_GUARDS = tuple(
    f"{table}_no_delete" + (f" ON {table}" if SERVER else "")
    for table in ("requests", "proposals", "instances", "quota_requests")
)
"""What version 10 of the tables brought."""
_MADE: set[str] = set()  # databases on the server, by this process or before it
GUARDS = LATER_GUARDS + (
    ("audit_no_change ON audit", "postings_no_change ON postings")
    if SERVER
    else (
        "audit_no_update", "audit_no_delete", "audit_no_replace",
        "postings_no_update", "postings_no_delete", "postings_no_replace",
    )
)  # fmt: skip


def ledger_url(base: Path) -> str:
    """The ledger of the site in `base`; on a server its database is made at first."""
    if SERVER is None:
        return SQLITE
    name = "t" + hashlib.sha256(str(base).encode()).hexdigest()[:20]
    try:
        if name not in _MADE:
            _told_the_server(f"CREATE DATABASE {name}")
    except (ProgrammingError, IntegrityError) as error:
        if getattr(error.orig, "sqlstate", None) not in {"42P04", "23505"}:  # it is there
            raise
    _MADE.add(name)
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def drop_all() -> None:
    """What this process has opened on the server: each database is ten megabytes."""
    while _MADE:
        _told_the_server(f"DROP DATABASE IF EXISTS {_MADE.pop()} WITH (FORCE)")


def _told_the_server(statement: str) -> None:
    assert SERVER is not None
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(statement))
    finally:
        server.dispose()


@contextmanager
def behind_its_back(base: Path) -> Iterator[Connection]:
    """A transaction on the ledger's database, past the program."""
    place = locate(ledger_url(base), base)
    url = place.url if place.file is None else f"sqlite:///{place.file}"
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def tamper(base: Path, *statements: str) -> None:
    """Do to the database what somebody with its password could do: the guards are taken off."""
    with behind_its_back(base) as connection:
        if SERVER is not None:  # SQLite asks for no references of whoever did not want that
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for guard in GUARDS:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {guard}"))
        for statement in statements:
            plain = statement.replace(":", r"\:")  # a value, not the name of one
            assert connection.execute(text(plain)).rowcount != 0, statement


def back_to_9(base: Path) -> None:
    """Take away what the tables got since version 9."""
    summed = f"postings_summed{' ON postings' if SERVER else ''}"
    with behind_its_back(base) as connection:
        for statement in (
            *(f"DROP TRIGGER IF EXISTS {guard}" for guard in (*LATER_GUARDS, summed)),
            *(["DROP FUNCTION sum_postings"] if SERVER else []),
            "DROP INDEX approvals_due",
            *(
                f"DROP TABLE {table}"
                for table in (
                    "drains",
                    "notices",
                    "rests",
                    "sightings",
                    "balances",
                    "stops",
                    "orphans",
                    "asides",
                    "vm_snapshots",
                    "restores",
                    "copies",
                    "adoptions",
                    "night_phases",
                    "conditions",
                    "outbox",
                    "vm_roles",
                    "vm_host_keys",
                )
            ),
            "ALTER TABLE instances DROP COLUMN slots",
            "ALTER TABLE decisions RENAME TO on_both",
            first._V6[0],
            "INSERT INTO decisions SELECT * FROM on_both",
            "DROP TABLE on_both",
            "DELETE FROM schema_version WHERE version > 9",
        ):
            connection.execute(text(statement))


def rows(base: Path, query: str) -> Sequence[Sequence[object]]:
    with behind_its_back(base) as connection:
        return [tuple(row) for row in connection.execute(text(query))]
