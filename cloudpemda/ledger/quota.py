"""Promises and use per OPD: postings that are only ever added, and the sums over them.

Each posting changes, for one instance and one dimension, what is held or what is committed:
a hold (+held), a commitment (−held, +committed) and a release (−held, −committed). Balances are
sums, so a balance of any day in the past is a sum over fewer rows.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.functions import coalesce
from sqlalchemy.sql.functions import max as sql_max

from cloudpemda.ledger import found
from cloudpemda.ledger.audit import Deed
from cloudpemda.ledger.schema import postings
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import Balance, Usage

_HELD = func.sum(postings.c.held)
_COMMITTED = func.sum(postings.c.committed)


class QuotaBook:
    """Reads balances. Postings are made by approvals and by the life of instances."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def balances(self, scope: Collection[str]) -> Mapping[str, Balance]:
        """Dimension → balance over the OPDs of `scope` (an OPD alone, or with all below it)."""
        with self._store.read() as connection:
            return balances(connection, scope)

    def of_instance(self, instance: str) -> Mapping[str, Balance]:
        """Dimension → what one instance (`dinkes/simrs/db-1`) is charged now."""
        with self._store.read() as connection:
            return charges(connection, instance)

    def held_for(self, number: str) -> Usage:
        """Dimension → what the instances of a request hold together now."""
        query = (
            select(postings.c.dimension, _HELD.label("held"))
            .where(postings.c.number == number)
            .group_by(postings.c.dimension)
            .having(_HELD != 0)
            .order_by(postings.c.dimension)
        )
        with self._store.read() as connection:
            return MappingProxyType({row.dimension: row.held for row in connection.execute(query)})


def balances(connection: Connection, scope: Collection[str]) -> Mapping[str, Balance]:
    """What the postings sum up to, and what own VMs use that the ledger does not know."""
    query = (
        select(postings.c.dimension, _COMMITTED, _HELD)
        .where(postings.c.opd.in_(sorted(scope)))
        .group_by(postings.c.dimension)
    )
    charged = {
        dimension: Balance(committed, held)
        for dimension, committed, held in connection.execute(query)
    }
    for dimension, amount in found.usage(connection, scope).items():
        balance = charged.get(dimension, Balance())
        charged[dimension] = Balance(balance.committed + amount, balance.held)
    return MappingProxyType(charged)


def charges(connection: Connection, instance: str) -> Mapping[str, Balance]:
    """What one instance is charged, without the dimensions in which it is nothing."""
    query = (
        select(postings.c.dimension, _COMMITTED, _HELD)
        .where(postings.c.instance == instance)
        .group_by(postings.c.dimension)
    )
    summed = {
        dimension: Balance(committed, held)
        for dimension, committed, held in connection.execute(query)
    }
    return MappingProxyType({name: value for name, value in summed.items() if value != Balance()})


def held_instances(connection: Connection, number: str) -> tuple[str, ...]:
    """The instances of a request that still hold anything, sorted."""
    query = (
        select(postings.c.instance)
        .where(postings.c.number == number)
        .group_by(postings.c.instance, postings.c.dimension)
        .having(_HELD != 0)
        .distinct()
        .order_by(postings.c.instance)
    )
    return tuple(connection.scalars(query))


def hold(deed: Deed, opd: str, number: str, instance: str, usage: Usage) -> None:
    """Promise `usage` to an instance. Whoever calls has judged it, and asked whether anything may
    be promised (`found.require_free`), in the same transaction."""
    changes = {dimension: Balance(0, value) for dimension, value in usage.items() if value}
    _post(deed, opd, number, instance, changes)


def commit(deed: Deed, opd: str, number: str, instance: str) -> None:
    """Turn all that an instance holds into use. Nothing held: nothing happens."""
    _post(
        deed,
        opd,
        number,
        instance,
        {
            dimension: Balance(charge.held, -charge.held)
            for dimension, charge in charges(deed.connection, instance).items()
            if charge.held
        },
    )


def release_holds(deed: Deed, opd: str, number: str) -> None:
    """Give back all that the request's instances hold; what is in use stays charged."""
    for instance in held_instances(deed.connection, number):
        held = {
            dimension: Balance(0, -charge.held)
            for dimension, charge in charges(deed.connection, instance).items()
            if charge.held
        }
        _post(deed, opd, number, instance, held)


def release(deed: Deed, opd: str, number: str, instance: str) -> None:
    """Give back all that an instance is charged, held and in use."""
    _post(
        deed,
        opd,
        number,
        instance,
        {
            dimension: Balance(-charge.committed, -charge.held)
            for dimension, charge in charges(deed.connection, instance).items()
        },
    )


def _post(deed: Deed, opd: str, number: str, instance: str, changes: Mapping[str, Balance]) -> None:
    if not changes:
        return
    last = deed.connection.scalar(select(coalesce(sql_max(postings.c.seq), 0))) or 0
    deed.insert(
        postings,
        *(
            {
                "seq": seq,
                "at": deed.now,
                "opd": opd,
                "number": number,
                "instance": instance,
                "dimension": dimension,
                "held": change.held,
                "committed": change.committed,
            }
            for seq, (dimension, change) in enumerate(sorted(changes.items()), start=last + 1)
        ),
    )
