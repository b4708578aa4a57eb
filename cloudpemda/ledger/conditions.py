"""What the nights find, over time: since when each thing is so, and whether it is over.

A condition is a finding without what changes from night to night: its code, whose it is, and what
it is about. It is told once and not every night. Like the phases of a night this is a journal: what
people do about it stands in the audit log.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

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
            for one in over:
                connection.execute(delete(conditions).where(*_is(one)))
            for key, one in seen.items():
                text = json.dumps(one.values, sort_keys=True, ensure_ascii=False)
                if key not in known:
                    connection.execute(
                        insert(conditions).values(
                            code=one.code, opd=one.opd or "", about=one.about, since=at, told=text
                        )
                    )
                elif one.values != known[key].values:
                    connection.execute(update(conditions).where(*_is(one)).values(told=text))
        return Tally(
            fresh=tuple(one for key, one in seen.items() if key not in known),
            standing=tuple(one for key, one in seen.items() if key in known),
            over=over,
        )


def about(fault: Fault) -> str:
    """What a fault is about, as text."""
    found = {name: str(fault.values[name]) for name in _ABOUT if name in fault.values}
    return json.dumps(found, sort_keys=True, ensure_ascii=False)


def _key(one: Condition) -> tuple[str, str | None, str]:
    return one.code, one.opd, one.about


def _is(one: Condition) -> tuple[ColumnElement[bool], ...]:
    return (
        conditions.c.code == one.code,
        conditions.c.opd == (one.opd or ""),
        conditions.c.about == one.about,
    )


def _all(connection: Connection) -> tuple[Condition, ...]:
    query = select(conditions).order_by(
        conditions.c.since, conditions.c.code, conditions.c.opd, conditions.c.about
    )
    return tuple(
        Condition(row.code, row.opd or None, row.about, row.since, json.loads(row.told))
        for row in connection.execute(query)
    )
