"""What the nights find, over time: since when each thing is so, and whether it is over.

A condition is a finding without what changes from night to night: its code, whose it is, and what
it is about. It is told once and not every night. Like the phases of a night this is a journal: what
people do about it stands in the audit log.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select, update

from cloudpemda.errors import Fault
from cloudpemda.ledger.schema import conditions
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant

_ABOUT = (
    "vm", "key", "opd", "cluster", "node", "vmid", "volume", "storage", "dimension", "phase",
    "file", "directory", "address", "name", "disk", "slot", "job", "number", "subject", "login",
    "kind", "channel", "server", "key_name", "rule",
)  # fmt: skip
"""The values that say what a fault is about. Ages, amounts and moments are none of them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is not as it should be."""

    code: str
    opd: str | None  # None: the site's
    about: str  # JSON of the values that say what it is about
    since: Instant  # the first night that has found it
    values: Mapping[str, str]  # of its text, as the latest night found it


@dataclass(frozen=True)
class Tally:
    """What one night's findings mean over time."""

    fresh: tuple[Condition, ...]
    standing: tuple[Condition, ...]
    over: tuple[Condition, ...]

    def since(self, opd: str | None, fault: Fault) -> Instant | None:
        """Since when a finding of this night is so."""
        return self._since.get((fault.code, opd, about(fault)))

    @cached_property
    def _since(self) -> Mapping[tuple[str, str | None, str], Instant]:
        return {_key(one): one.since for one in (*self.fresh, *self.standing)}


class ConditionBook:
    """The conditions that hold. Every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> tuple[Condition, ...]:
        """Those that hold, oldest first."""
        with self._store.read() as connection:
            return _all(connection)

    def night(
        self,
        found: Sequence[tuple[str | None, Fault]],
        at: Instant,
        may_end: Callable[[Condition], bool],
    ) -> Tally:
        """Note what a night has found. A condition that it has not found is over where `may_end`
        says that it would have been seen: what could not be looked at has not got better."""
        with self._store.write() as connection:
            known = {_key(one): one for one in _all(connection)}
            seen: dict[tuple[str, str | None, str], Condition] = {}
            for opd, fault in found:
                key = (fault.code, opd, about(fault))
                before = known.get(key)
                values = {name: str(value) for name, value in fault.values.items()}
                since = at if before is None else before.since
                seen[key] = Condition(fault.code, opd, key[2], since, values)
            over = tuple(one for key, one in known.items() if key not in seen and may_end(one))
            fresh = tuple(one for key, one in seen.items() if key not in known)
            told = [
                one for key, one in seen.items() if key in known and one.values != known[key].values
            ]
            _for_each(connection, _END, map(_of, over))
            _for_each(connection, _ADD, ({**_row(one), "since": at} for one in fresh))
            _for_each(connection, _TELL, ({**_of(one), "told": _told(one)} for one in told))
        return Tally(
            fresh=fresh,
            standing=tuple(one for key, one in seen.items() if key in known),
            over=over,
        )


def about(fault: Fault) -> str:
    """What a fault is about, as text."""
    found = {name: str(fault.values[name]) for name in _ABOUT if name in fault.values}
    return json.dumps(found, sort_keys=True, ensure_ascii=False)


def _key(one: Condition) -> tuple[str, str | None, str]:
    return one.code, one.opd, one.about


def _for_each(
    connection: Connection, statement: Executable, rows: Iterable[Mapping[str, object]]
) -> None:
    """One statement for all of them: a bad night has thousands, and others wait meanwhile."""
    if found := list(rows):
        connection.execute(statement, found)


def _of(one: Condition) -> Mapping[str, str]:
    return {"of_code": one.code, "of_opd": one.opd or "", "of_about": one.about}


def _row(one: Condition) -> Mapping[str, str]:
    return {"code": one.code, "opd": one.opd or "", "about": one.about, "told": _told(one)}


def _told(one: Condition) -> str:
    return json.dumps(one.values, sort_keys=True, ensure_ascii=False)


_IS = tuple(conditions.c[name] == bindparam(f"of_{name}") for name in ("code", "opd", "about"))
_END = delete(conditions).where(*_IS)
_ADD = insert(conditions)
_TELL = update(conditions).where(*_IS)


def _all(connection: Connection) -> tuple[Condition, ...]:
    query = select(conditions).order_by(
        conditions.c.since, conditions.c.code, conditions.c.opd, conditions.c.about
    )
    return tuple(
        Condition(row.code, row.opd or None, row.about, row.since, json.loads(row.told))
        for row in connection.execute(query)
    )
