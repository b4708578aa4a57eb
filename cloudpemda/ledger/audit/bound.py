"""Which rows an entry is bound to: those that its deed wrote into the tables of `BOUND`.

An entry's `bound` names rows with their digests: `approvals:R-2026-0001/1`, or for postings, which
are numbered and never change, `postings:12-29`. Of several entries that name a row the newest one
says what the row is, or that it is gone (`GONE`).

Bound is what says who may have what: what was asked, decided and promised, how far it is, what each
instance has (cards, addresses, states to go back to, copies), and what stands of people's words
(stopped, drained, paused). Why the other tables are not stands in
docs/decisions/0010-what-entries-are-bound-to.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, Text, select, type_coerce
from sqlalchemy.sql.roles import ColumnsClauseRole

from cloudpemda.ledger.audit.entries import Raw, row_digest, rows_digest
from cloudpemda.ledger.migrations import SIGNED, STANDING_BOUND, STATES_BOUND
from cloudpemda.ledger.schema import (
    Moment,
    addresses,
    adoptions,
    approvals,
    copies,
    decisions,
    drains,
    grants,
    instances,
    limits,
    meta,
    nics,
    postings,
    proposals,
    quota_requests,
    quota_revisions,
    requests,
    rests,
    revisions,
    stops,
    vm_snapshots,
)

BOUND_SINCE: Mapping[int, tuple[Table, ...]] = MappingProxyType(
    {
        SIGNED: (revisions, decisions, approvals, postings, quota_revisions, grants, limits),
        STATES_BOUND: (requests, proposals, instances, quota_requests),
        STANDING_BOUND: (
            nics, addresses, rests, adoptions, vm_snapshots, copies, stops, drains, meta,
        ),
    }
)  # fmt: skip
"""From which version of the tables on. Rows of these tables are written through a `Deed`."""

BOUND: tuple[Table, ...] = tuple(table for tables in BOUND_SINCE.values() for table in tables)

PAUSE = "pause"
"""The one row of `meta` that is bound: the others are the program's own, and proven elsewhere."""

GONE = ""
"""In place of the digest of a row that was deleted."""

RUNS = frozenset({"postings", "limits"})
"""Tables that are only ever added to: consecutive rows have one digest together."""

Key = tuple[object, ...]
Claims = Mapping[str, tuple[str, int]]  # label → digest, and the newest entry that says so


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of one table with their digests."""

    table: Table
    digests: Mapping[Key, str]

    def labels(self) -> Iterator[tuple[str, str]]:
        """Each label with its digest."""
        run: list[Key] = []
        for key in self.digests:
            if run and not (self.table.name in RUNS and key[0] == _number(run[-1]) + 1):
                yield self._label(run)
                run = []
            run.append(key)
        if run:
            yield self._label(run)

    def _label(self, run: Sequence[Key]) -> tuple[str, str]:
        first = "/".join(map(str, run[0]))
        rows = first if len(run) == 1 else f"{first}-{run[-1][0]}"
        return f"{self.table.name}:{rows}", rows_digest([self.digests[key] for key in run])


def bound_after(version: int) -> tuple[Table, ...]:
    """The tables that a ledger of that version does not bind yet."""
    return tuple(
        table for since, tables in BOUND_SINCE.items() if since > version for table in tables
    )


@cache
def stored(table: Table) -> Sequence[ColumnsClauseRole]:
    """The table's columns as they are stored: moments are texts."""
    return tuple(
        type_coerce(column, Text) if isinstance(column.type, Moment) else column
        for column in table.c
    )


def raw(table: Table) -> Select[tuple[object, ...]]:
    """The table's rows as they are stored, by key; of `meta` the one that is bound."""
    query = select(*stored(table)).order_by(*table.primary_key.columns)
    return query.where(meta.c.key == PAUSE) if table is meta else query


def key_of(table: Table, row: Raw) -> Key:
    return tuple([row[name] for name in _key_names(table)])


@cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key.columns)


def read(connection: Connection, table: Table) -> Written:
    """All rows of a table, by key."""
    found = (as_raw(row) for row in connection.execute(raw(table)))
    return Written(table, {key_of(table, one): row_digest(one) for one in found})


def read_of(connection: Connection, table: Table, number: str) -> Written:
    """Those of one request."""
    return read_where(connection, table, table.c.number == number)


def read_where(connection: Connection, table: Table, where: ColumnElement[bool]) -> Written:
    """Those that match."""
    found = map(as_raw, connection.execute(raw(table).where(where)))
    return Written(table, {key_of(table, one): row_digest(one) for one in found})


def as_raw(row: Row[tuple[object, ...]]) -> Raw:
    return dict(row._mapping)


def may_change(label: str) -> bool:
    """Whether a later entry can say of the same row that it is another."""
    return label.partition(":")[0] not in RUNS


def compare(
    connection: Connection, claims: Claims, tables: Sequence[Table] = BOUND
) -> Iterator[tuple[str, int | None]]:
    """The label of everything that is not as its entry says, with that entry; None for rows that
    no entry speaks of."""
    for table in tables:
        there = _digests(read(connection, table))
        spoken: set[str] = set()
        for label, (digest, seq) in claims.items():
            name, _, rows = label.partition(":")
            if name != table.name:
                continue
            keys = _keys(name, rows, there)
            spoken.update(keys)
            if not keys or rows_digest([there.get(key, "") for key in keys]) != digest:
                yield label, seq
        for key in there:
            if key not in spoken:
                yield f"{table.name}:{key}", None


def _digests(written: Written) -> Mapping[str, str]:
    return {"/".join(map(str, key)): digest for key, digest in written.digests.items()}


def _keys(table: str, rows: str, there: Mapping[str, str]) -> Sequence[str]:
    """The rows that a label means; none where there are not as many."""
    first, _, last = rows.partition("-")
    if table not in RUNS or not last:
        return [rows]
    if not (first.isdecimal() and last.isdecimal()) or int(last) - int(first) >= len(there):
        return []
    return [str(number) for number in range(int(first), int(last) + 1)]


def _number(key: Key) -> int:
    return key[0] if isinstance(key[0], int) else -1
