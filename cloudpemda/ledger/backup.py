"""Copies of a whole ledger, in one form for every database, and the way back.

A copy is what one read transaction saw: a header (program, version of the tables, site, moment,
rows per table, newest audit entry, head file), every table's rows as JSON lines, and a digest of
it all, in a sealed file. It is poured into tables that the migrations of its own version make, and
these are then brought to today's: so a copy of an older release, or of the other database, is
restored like one of this morning.

A restore is rehearsed first, in a ledger beside this one that is thrown away: whatever is wrong
with the copy is found there. The real one is a single transaction, in which what is there now is
itself kept as a copy, so that no deed can fall between the two. The audit log then goes on behind
the copy's last entry with one that says what was set aside; the head file follows.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, MetaData, delete, func, insert, inspect, make_url, select, text

from cloudpemda.document.owner import open_lock
from cloudpemda.errors import Fault, Incomplete, InvalidInput, Refused
from cloudpemda.ledger import found, migrations, numbers, sealed
from cloudpemda.ledger.audit import Actor, Audit, Tip, newest_entry
from cloudpemda.ledger.identity import Identity, settle_in
from cloudpemda.ledger.schema import DERIVED, metadata, moment_text, schema_version
from cloudpemda.ledger.store import Place, Store
from cloudpemda.units import Instant, parse_instant

Tell = Callable[[int, int, str], None]
"""Rows done, of how many, of which table."""

_BATCH = 500
_REHEARSAL = "rehearsal-"
_Value = str | int | None


@dataclass(frozen=True, slots=True)
class Header:
    """What a copy says of itself."""

    program: str  # version
    schema: int
    site: str
    at: Instant
    rows: Mapping[str, int]  # by table
    newest: Tip  # the last audit entry in it
    head: Tip | None  # the head file beside it; None: it had none

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    header: Header
    kept: Path | None  # the copy of what was there before; None: nothing was
    lost: int  # audit entries of what was there before that the copy has not


@dataclass(frozen=True, slots=True)
class _Target:
    """A copy to be made."""

    file: Path
    key: bytes = field(repr=False)
    site: str
    program: str
    at: Instant
    log_key: str | None = field(repr=False)  # what the audit log is signed with


class Backups:
    """Makes copies of the ledger, and puts one in its place."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def write(self, file: Path, key: bytes, *, site: str, program: str, tell: Tell) -> Header:
        """A copy of this moment, whole or not at all (mode 0600), and read again before it counts.

        Raises Refused `backup.exists` rather than write over a file, Unreachable
        `backup.not-written` where it cannot be written.
        """
        now = self._store.clock.now()
        target = _Target(file, key, site, program, now, self._audit.signing.copied())
        with self._store.read() as connection:
            header = self._export(connection, target, tell)
        if self.read(file, key) != header:
            raise InvalidInput([Fault("backup.damaged", file=str(file))])
        return header

    def read(self, file: Path, key: bytes) -> Header:
        """A copy's header, once all of it is proved to be as it was written.

        Raises InvalidInput `backup.not-one`, `backup.wrong-key`, `backup.damaged`,
        `backup.unreadable`.
        """
        reading = _Reading(file, key)
        for _ in reading.rows():
            pass
        return reading.header

    def restore(
        self,
        file: Path,
        key: bytes,
        *,
        site: str,
        program: str,
        identity: Identity,
        keep: Path,
        actor: Actor,
        tell: Tell,
    ) -> Restored:
        """Put a copy in the place of what is there, which is kept in the file `keep` first.

        Raises what `read` raises; Refused `backup.other-site`, `backup.newer` (a copy of tables
        that this program does not know), `backup.audit` (its log is not whole),
        `ledger.identity`; what `write` raises. Nothing was changed then. Raises Incomplete
        `backup.head-behind` where all is done but the head file could not follow.
        """
        header, digest, log_key = self._rehearse(file, key, site, identity)
        before = self._audit.head()
        now = self._store.clock.now()
        present = _Target(keep, key, site, program, now, self._audit.signing.copied())
        kept: Path | None = None
        try:
            with self._store.write() as connection, self._audit.signing.under(log_key):
                gone = newest_entry(connection)
                given = numbers.given(connection)
                if gone is not None:
                    kept = keep
                    self._export(connection, present, lambda *_: None)
                _drop(connection)
                if _pour(connection, _Reading(file, key), now, tell) != digest:
                    raise InvalidInput([Fault("backup.damaged", file=str(file))])
                settle_in(connection, identity, self._store.place.name)
                last = max(gone.seq if gone else 0, before.seq if before else 0)
                lost = max(0, last - header.newest.seq)
                if header.schema < migrations.SIGNED:
                    self._audit.adopt(connection, now, head=None)
                else:
                    self._audit.bind_later(connection, now, header.schema)
                if header.schema < migrations.STATES_BOUND:
                    self._audit.signing.name(connection)
                self._audit.within(connection, now, actor).record(
                    "ledger.restore",
                    None,
                    file.name,
                    taken_at=moment_text(header.at),
                    last_entry=header.newest.seq,
                    set_aside_entry=gone.seq if gone else 0,
                    set_aside_hash=gone.hash if gone else "",
                    set_aside_head=before.seq if before else None,
                    kept=kept.name if kept else None,
                )
                found.begin_reconciling(connection, now)
                numbers.never_again(connection, given)
        except BaseException:
            if kept is not None:
                kept.unlink(missing_ok=True)
            raise
        try:
            self._audit.reseal(now)
        except Incomplete as error:
            raise Incomplete("backup.head-behind", **error.values) from error
        return Restored(header, kept, lost)

    def _rehearse(
        self, file: Path, key: bytes, site: str, identity: Identity
    ) -> tuple[Header, str, str | None]:
        """Pour the copy into a ledger that nobody keeps, and verify it there; answers also with
        its digest and the key of its audit log."""
        reading = _Reading(file, key)
        header = reading.header
        if header.site != site:
            raise Refused("backup.other-site", file=str(file), found=header.site, site=site)
        if header.schema > migrations.NEWEST:
            raise Refused(
                "backup.newer", file=str(file), found=header.schema, known=migrations.NEWEST
            )
        directory = self._store.place.directory
        with (
            _alone(directory),
            tempfile.TemporaryDirectory(prefix=_REHEARSAL, dir=directory) as name,
        ):
            url = make_url(f"sqlite:///{name}/ledger.sqlite3")
            scratch = Store(Place(url, Path(name)), self._store.clock, self._store.entropy)
            try:
                with scratch.write() as connection:
                    digest = _pour(connection, reading, self._store.clock.now(), lambda *_: None)
                    settle_in(connection, identity, str(file))
                    whole = newest_entry(connection) in {header.newest, None}
                    log_key = reading.log_key
                    found_wrong = self._audit.examine(connection, log_key, header.schema)
            finally:
                scratch.close()
        if found_wrong or not whole:
            faults = [one.fault for one in found_wrong]
            raise Refused("backup.audit", *faults, file=str(file))
        return header, digest, log_key

    def _export(self, connection: Connection, target: _Target, tell: Tell) -> Header:
        version = migrations.version_of(connection)
        if version != migrations.NEWEST:  # migrated by a newer program since it was opened
            raise Refused("ledger.newer", found=version, known=migrations.NEWEST)
        tables = _tables(connection, derived=False)
        header = Header(
            program=target.program,
            schema=version,
            site=target.site,
            at=target.at,
            rows={
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in tables.sorted_tables
            },
            newest=newest_entry(connection) or Tip(0, ""),
            head=self._audit.head(),
        )
        # uids are what this program has of randomness that nobody can foresee
        salt = bytes.fromhex(self._store.entropy.uid() + self._store.entropy.uid())
        lines = _lines(connection, tables, header, target.log_key, tell)
        sealed.write_new(target.file, lines, target.key, salt)
        return header


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One rehearsal at a time; what one left that was killed is not left lying about open.

    Raises Refused `backup.restoring`.
    """
    handle = open_lock(directory / "restore.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in directory.glob(f"{_REHEARSAL}*"):
            shutil.rmtree(left)
        yield
    except BlockingIOError as error:
        raise Refused("backup.restoring") from error
    finally:
        os.close(handle)


def _tables(connection: Connection, *, derived: bool = True) -> MetaData:
    """The ledger's tables as they are in this database, moments as the text that they are; with
    those that are derived from others, or without."""
    tables = MetaData()
    known = set(inspect(connection).get_table_names()) & set(metadata.tables)
    known -= frozenset() if derived else DERIVED
    tables.reflect(connection, only=sorted(known))
    return tables


# -- writing ---------------------------------------------------------------------------------
def _lines(
    connection: Connection, tables: MetaData, header: Header, log_key: str | None, tell: Tell
) -> Iterator[bytes]:
    digest = hashlib.sha256()

    def line(value: object) -> bytes:
        made = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        digest.update(made + b"\n")
        return made

    yield line(
        {
            "program": header.program,
            "schema": header.schema,
            "site": header.site,
            "at": moment_text(header.at),
            "rows": dict(header.rows),
            "newest": [header.newest.seq, header.newest.hash],
            "head": [header.head.seq, header.head.hash] if header.head else None,
            "logKey": log_key,  # without it a restored log could neither be proven nor go on
        }
    )
    done = 0
    for table in tables.sorted_tables:
        yield line({"table": table.name, "columns": [column.name for column in table.columns]})
        for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
            yield line(list(row))
            done += 1
            if done % _BATCH == 0:
                tell(done, header.total, table.name)
    tell(done, header.total, "")
    yield json.dumps({"end": digest.hexdigest()}).encode()


# -- reading ---------------------------------------------------------------------------------
class _Reading:
    """One pass through a copy."""

    def __init__(self, file: Path, key: bytes) -> None:
        self._name = str(file)
        self._digest = hashlib.sha256()
        self._source = sealed.unseal(file, key)
        with self._sound():
            raw = json.loads(self._line())
            self.header = _header(raw)
            self.log_key: str | None = raw.get("logKey")

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def rows(self) -> Iterator[tuple[str, dict[str, _Value]]]:
        """Table and row, in an order in which they can be inserted."""
        left = dict(self.header.rows)
        table = ""
        columns: list[str] = []
        with self._sound():
            while True:
                before = self._digest.copy()
                value = json.loads(self._line())
                if isinstance(value, list):
                    left[table] -= 1
                    yield table, dict(zip(columns, value, strict=True))
                elif "end" in value:
                    if value["end"] != before.hexdigest() or any(left.values()):
                        raise ValueError("another digest, or rows are missing")
                    if next(self._source, None) is not None:
                        raise ValueError("goes on behind its end")
                    return
                else:
                    table, columns = str(value["table"]), [str(one) for one in value["columns"]]

    def _line(self) -> bytes:
        line = next(self._source, b"")
        self._digest.update(line + b"\n")
        return line

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput([Fault("backup.damaged", file=self._name)]) from error


def _header(raw: dict[str, object]) -> Header:
    """Raises ValueError, KeyError or TypeError for what is none."""
    rows, version = raw["rows"], raw["schema"]
    if not isinstance(rows, dict) or not isinstance(version, int) or version < 1:
        raise ValueError("no header")
    head = raw["head"]
    return Header(
        program=str(raw["program"]),
        schema=version,
        site=str(raw["site"]),
        at=parse_instant(str(raw["at"])),
        rows={str(name): int(count) for name, count in rows.items()},
        newest=_head(raw["newest"]),
        head=None if head is None else _head(head),
    )


def _head(raw: object) -> Tip:
    if not isinstance(raw, list):
        raise TypeError("no head")
    seq, value = raw
    return Tip(int(seq), str(value))


# -- pouring ---------------------------------------------------------------------------------
def _drop(connection: Connection) -> None:
    """Take the ledger's tables away, with the functions that guard them on a server."""
    tables = _tables(connection)
    guards: set[str] = set()
    if connection.dialect.name == "postgresql":
        guards = set(connection.scalars(text(_GUARDS), {"tables": sorted(tables.tables)}))
    tables.drop_all(connection)
    for guard in sorted(guards):
        connection.execute(text(f"DROP FUNCTION {guard}"))


_GUARDS = """SELECT DISTINCT tgfoid::regprocedure::text FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
    AND relname = ANY(:tables)"""


def _pour(connection: Connection, reading: _Reading, now: Instant, tell: Tell) -> str:
    """Make the copy's tables, fill them, bring them to today's; answers with its digest."""
    header = reading.header
    migrations.migrate(connection, now, until=header.schema)
    connection.execute(delete(schema_version))
    tables = _tables(connection).tables
    done = 0
    waiting: list[dict[str, _Value]] = []
    name = ""

    def flush() -> None:
        if waiting:
            connection.execute(insert(tables[name]), waiting)
            tell(done, header.total, name)
            waiting.clear()

    for table, row in reading.rows():
        if table != name or len(waiting) == _BATCH:
            flush()
            name = table
        waiting.append(row)
        done += 1
    flush()
    migrations.migrate(connection, now)
    return reading.digest
