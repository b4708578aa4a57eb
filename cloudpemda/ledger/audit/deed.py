"""A deed: a write transaction whose rows and entry stand or fall together."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import TypedDict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.sql.functions import max as sql_max

from cloudpemda.ledger.audit import bound
from cloudpemda.ledger.audit.bound import BOUND, GONE, Key, Written
from cloudpemda.ledger.audit.clocks import require_order
from cloudpemda.ledger.audit.entries import (
    Actor,
    Detail,
    Raw,
    as_stored,
    canonical,
    hash_of,
    opd_link,
    row_digest,
)
from cloudpemda.ledger.audit.heads import START, Link, Tip
from cloudpemda.ledger.audit.keys import Signer
from cloudpemda.ledger.prepared import Prepared
from cloudpemda.ledger.schema import audit, moment_text
from cloudpemda.units import Instant

_KEY = "row_key"
_DETAILS = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


class Deed:
    """A write transaction with the one who acts in it, and the moment.

    Rows of the tables in `BOUND` are written through it, and stand with their digests in the next
    entry that it records.
    """

    def __init__(
        self,
        connection: Connection,
        now: Instant,
        actor: Actor,
        signer: Callable[[Connection], Signer] | None = None,
        *,
        set_back: bool = False,
    ) -> None:
        self.connection = connection
        self.now = now
        self.actor = actor
        self.links: list[Link] = []  # of its entries
        self._set_back = set_back  # it may be dated before the newest entry
        self._signer = signer  # None: a rehearsal, which is never committed
        self._written: dict[Table, dict[Key, str]] = {}

    @property
    def recorded(self) -> bool:
        """Whether it has an entry."""
        return bool(self.links)

    def insert(self, table: Table, *rows: Raw) -> None:
        """Add rows of texts, whole numbers and moments to a table of `BOUND`."""
        written = [as_stored(row) for row in rows]
        _insert(table, tuple(rows[0])).run(self.connection, *written)
        self._bind(table, written)

    def update(
        self, table: Table, where: ColumnElement[bool], **values: str | int | datetime | None
    ) -> None:
        """Change the rows of a table of `BOUND` that match."""
        change = update(table).where(where).values(**values).returning(*bound.stored(table))
        self._bind(table, map(bound.as_raw, self.connection.execute(change).all()))

    def delete(self, table: Table, where: ColumnElement[bool]) -> int:
        """Take the rows of a table of `BOUND` away that match; answers with how many."""
        gone = delete(table).where(where).returning(*bound.stored(table))
        rows = list(map(bound.as_raw, self.connection.execute(gone).all()))
        self._bind(table, rows, gone=True)
        return len(rows)

    def change(self, table: Table, key: str, **values: str | int | datetime | None) -> None:
        """Change the row with this key: `update` for a table that is known by one text, by a
        statement that is made once."""
        query, names = _change(table, tuple(values)), _names(table)
        changed = query.rows(self.connection, {**as_stored(values), _KEY: key})
        self._bind(table, [dict(zip(names, row, strict=True)) for row in changed])

    def _bind(self, table: Table, rows: Iterable[Raw], *, gone: bool = False) -> None:
        if table not in BOUND:
            raise ValueError(f"no entry is bound to rows of {table.name}")
        for row in rows:
            digest = GONE if gone else row_digest(row)
            self._written.setdefault(table, {})[bound.key_of(table, row)] = digest

    def record(self, action: str, opd: str | None, subject: str, **details: Detail) -> None:
        """Add an entry to the log, in this transaction. Raises Refused `audit.key-…`, and
        `ledger.clock-back` where the newest one is of a later moment.

        The detail `behalf` is for whom the actor did it, where that is not themselves.
        """
        behalf = details.pop("behalf", self.actor.behalf)
        before, of_opd, newest = _tips(self.connection, opd)
        if newest is not None and not self._set_back:
            require_order(self.now, newest)
        seq = before.seq + 1
        content: dict[str, str | int | None] = {
            "seq": seq,
            "at": moment_text(self.now),
            "login": self.actor.login,
            "person": self.actor.name,
            "role": self.actor.role,
            "action": action,
            "opd": opd,
            "subject": subject,
            "details": _DETAILS(details),
            "previous": before.hash,
            "behalf": None if behalf is None else str(behalf),
            "bound": canonical(dict(self._labels())),
        }
        hash_ = hash_of(content)
        signer = None if self._signer is None else self._signer(self.connection)
        link = Link(
            seq=seq,
            previous=before.hash,
            hash=hash_,
            opd=opd,
            **_place(opd, of_opd, hash_),
            signature=None if signer is None else signer.sign_entry(hash_),
        )
        _insert(audit, _names(audit)).run(self.connection, {**content, **link._asdict()})
        self.links.append(link)
        self._written.clear()

    def finish(self) -> None:
        """Say in general terms what was written and is in no entry yet."""
        if self._written:
            self.record("ledger.write", None, "-")

    def _labels(self) -> Iterator[tuple[str, str]]:
        for table, digests in self._written.items():
            yield from Written(table, digests).labels()

    def bind_present(self, tables: Iterable[Table]) -> None:
        """Bind the next entry to every row that these tables have."""
        for table in tables:
            self._written[table] = dict(bound.read(self.connection, table).digests)


def newest_entry(connection: Connection) -> Tip | None:
    """Sequence number and hash of the newest entry; None for an empty log."""
    row = connection.execute(NEWEST_ENTRY).first()
    return None if row is None else Tip(row.seq, row.hash)


def _tips(connection: Connection, opd: str | None) -> tuple[Tip, Tip, str | None]:
    """Where the site's chain ends, and the OPD's; and the moment of the newest entry."""
    found, newest = {}, None
    for seq, hash_, of, at in _TIPS.rows(connection, {"opd": opd}):
        found[of] = Tip(seq, hash_)
        newest = at if of is None else newest
    return found.get(None, START), found.get(opd, START), newest


class _Place(TypedDict):
    opd_seq: int | None
    opd_previous: str | None
    opd_hash: str | None


def _place(opd: str | None, before: Tip, hash_: str) -> _Place:
    """The entry's place in its OPD's chain, behind `before`."""
    if opd is None:
        return {"opd_seq": None, "opd_previous": None, "opd_hash": None}
    seq = before.seq + 1
    link = opd_link(opd, seq, before.hash, hash_)
    return {"opd_seq": seq, "opd_previous": before.hash, "opd_hash": link}


NEWEST_ENTRY = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
_of_opd = audit.alias("of_opd")
_TIPS = Prepared(
    select(audit.c.seq, audit.c.hash, cast(null(), Text).label("opd"), audit.c.at)
    .where(audit.c.seq == select(sql_max(audit.c.seq)).scalar_subquery())
    .union_all(
        select(audit.c.opd_seq, audit.c.opd_hash, audit.c.opd, audit.c.at).where(
            audit.c.opd == bindparam("opd"),
            audit.c.opd_seq
            == select(sql_max(_of_opd.c.opd_seq))
            .where(_of_opd.c.opd == bindparam("opd"))
            .scalar_subquery(),
        )
    )
)


@cache
def _insert(table: Table, names: tuple[str, ...]) -> Prepared:
    """Adds a row with these columns."""
    return Prepared(insert(table).values({name: bindparam(name) for name in names}))


@cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(table.c.keys())


@cache
def _change(table: Table, names: tuple[str, ...]) -> Prepared:
    """Sets the columns of these names in the row of one key."""
    (key,) = table.primary_key.columns
    change = update(table).where(key == bindparam(_KEY))
    change = change.values({name: bindparam(name) for name in names})
    return Prepared(change.returning(*bound.stored(table)))
