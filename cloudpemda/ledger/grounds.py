"""What a judgement over quota rests on, read in one statement.

Whoever decides has the ledger's write lock while they read, and everybody else waits. So all of it
(what is charged and granted, which limits were seen, what stands in the way) comes with one look,
by a statement that is made once for each size of family and request.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.sql.functions import max as sql_max

from cloudpemda.errors import Refused
from cloudpemda.ledger.prepared import Prepared
from cloudpemda.ledger.schema import balances, found, grants, limits, meta, moment_text, postings
from cloudpemda.rules.quota import Balance, Link, Standing, Usage, raised
from cloudpemda.units import Instant

RECONCILE = "reconcile"
"""The key in `meta` of a restore that was not followed yet by a look at the clusters."""

Sums = dict[str, dict[str, tuple[int, int]]]
"""OPD or instance → dimension → what is committed and held."""


@dataclass(slots=True)
class Grounds:
    """One look."""

    sums: Sums = field(default_factory=dict)  # by OPD, VMs that the ledger does not know included
    charged: Sums = field(default_factory=dict)  # by instance
    granted: dict[str, dict[str, int]] = field(default_factory=dict)  # in force
    limits: dict[str, dict[str, int | None]] = field(default_factory=dict)  # as seen last
    made: list[tuple[str, str, int]] = field(default_factory=list)  # key, cluster and VMID
    unreconciled: bool = False
    last_posting: int = 0  # its number; read with instances alone

    def standings(self, chain: Sequence[Link]) -> tuple[Standing, ...]:
        """Each OPD of the chain: its limits raised by what is granted, and what its scope is
        charged."""
        return tuple(
            Standing(
                link.opd,
                raised(link.limits, self.granted.get(link.opd, {})),
                self.balances(link.scope),
            )
            for link in chain
        )

    def balances(self, scope: Collection[str]) -> Mapping[str, Balance]:
        """Dimension → what these OPDs are charged together."""
        committed: dict[str, int] = {}
        held: dict[str, int] = {}
        for opd in scope:
            for dimension, (used, promised) in self.sums.get(opd, {}).items():
                committed[dimension] = committed.get(dimension, 0) + used
                held[dimension] = held.get(dimension, 0) + promised
        return {dimension: Balance(used, held[dimension]) for dimension, used in committed.items()}

    def charge(self, instance: str) -> Usage:
        """Dimension → what an instance is charged in all."""
        return {name: sum(one) for name, one in self.charged.get(instance, {}).items()}

    def require_free(self) -> None:
        """Whether the instances of the look may be promised or made.

        Raises Refused `ledger.unreconciled` after a restore whose clusters were not read yet,
        `ledger.made-already` where a VM that the ledger does not know says that it is one of them.
        """
        if self.unreconciled:
            raise Refused("ledger.unreconciled")
        for key, cluster, vmid in self.made:
            raise Refused("ledger.made-already", vm=key, cluster=cluster, vmid=vmid)


def look(
    connection: Connection,
    moment: Instant | None = None,
    *,
    scope: Collection[str] = (),
    opds: Collection[str] = (),
    instances: Collection[str] = (),
) -> Grounds:
    """What the OPDs of `scope` are charged; the limits of `opds`, and their grants in force at
    `moment`; charges and obstacles of `instances`."""
    names = {"scope": sorted(scope), "opd": sorted(opds), "vm": sorted(instances)}
    at = None if moment is None else moment_text(moment)
    values: dict[str, object] = {"moment": at, "reconcile": RECONCILE}
    for kind, several in names.items():
        values.update((f"{kind}{place}", name) for place, name in enumerate(several))
    grounds = Grounds()
    newest: dict[tuple[str, str], int] = {}
    query = _statement(len(names["scope"]), len(names["opd"]), len(names["vm"]))
    for kind, name, about, first, second, text in query.rows(connection, values):
        match kind:
            case "balance":
                own = grounds.sums.setdefault(name, {})
                used, held = own.get(about, (0, 0))  # by what was found
                own[about] = first + used, second + held
            case "charge":
                if first or second:
                    grounds.charged.setdefault(name, {})[about] = (first, second)
            case "grant":
                grounds.granted.setdefault(name, {})[about] = int(first)
            case "limit":
                if second > newest.get((name, about), 0):
                    newest[name, about] = second
                    grounds.limits.setdefault(name, {})[about] = first
            case "found":
                _add(grounds.sums, name, {of: (use, 0) for of, use in json.loads(text).items()})
            case "made":
                grounds.made.append((name, about, first))
            case "last":
                grounds.last_posting = first
            case _:
                grounds.unreconciled = True
    return grounds


def _add(sums: Sums, opd: str, more: Mapping[str, tuple[int, int]]) -> None:
    own = sums.setdefault(opd, {})
    for dimension, (used, held) in more.items():
        before = own.get(dimension, (0, 0))
        own[dimension] = (before[0] + used, before[1] + held)


def require_free(connection: Connection, instances: Collection[str]) -> None:
    """Whether these instances may be promised or made. Raises as `Grounds.require_free`."""
    look(connection, instances=instances).require_free()


@lru_cache(maxsize=256)
def _statement(scope: int, opds: int, instances: int) -> Prepared:
    """For so many names of each kind. Every part has kind, name, about, two numbers and a text."""
    zero: ColumnElement[int] = literal_column("0")
    empty: ColumnElement[str] = literal_column("''")
    parts: list[Select[str, str, str, int, int, str]] = [
        select(_kind("reconcile"), meta.c.key, meta.c.value, zero, zero, empty).where(
            meta.c.key == bindparam("reconcile")
        )
    ]
    if scope:
        parts += [
            select(
                _kind("balance"), balances.c.opd, balances.c.dimension, balances.c.committed,
                balances.c.held, empty,
            ).where(_among(balances.c.opd, "scope", scope)),
            select(_kind("found"), found.c.opd, found.c.key, zero, zero, found.c.usage).where(
                _among(found.c.opd, "scope", scope)
            ),
        ]  # fmt: skip
    if opds:
        moment = bindparam("moment", type_=grants.c.starts_at.type)
        parts += [
            select(
                _kind("grant"), grants.c.opd, grants.c.dimension, func.sum(grants.c.amount), zero,
                empty,
            )
            .where(
                _among(grants.c.opd, "opd", opds),
                grants.c.starts_at <= moment,
                grants.c.ends_at.is_(None) | (grants.c.ends_at > moment),
                grants.c.ended_at.is_(None) | (grants.c.ended_at > moment),
            )
            .group_by(grants.c.opd, grants.c.dimension),
            select(
                _kind("limit"), limits.c.opd, limits.c.dimension, limits.c.amount, limits.c.seq,
                empty,
            ).where(_among(limits.c.opd, "opd", opds)),
        ]  # fmt: skip
    if instances:
        charged = func.sum(postings.c.committed), func.sum(postings.c.held)
        last = func.coalesce(sql_max(postings.c.seq), 0)
        parts += [
            select(_kind("last"), empty, empty, last, zero, empty),
            select(
                _kind("charge"), postings.c.instance, postings.c.dimension, *charged, empty
            )
            .where(_among(postings.c.instance, "vm", instances))
            .group_by(postings.c.instance, postings.c.dimension),
            select(_kind("made"), found.c.key, found.c.cluster, found.c.vmid, zero, empty).where(
                _among(found.c.key, "vm", instances)
            ),
        ]  # fmt: skip
    return Prepared(union_all(*parts))


def _kind(kind: str) -> ColumnElement[str]:
    return literal_column(f"'{kind}'")


def _among(column: Column[str], prefix: str, count: int) -> ColumnElement[bool]:
    """Named one by one: a list is spelt out anew at every execution."""
    return column.in_([bindparam(f"{prefix}{place}") for place in range(count)])
