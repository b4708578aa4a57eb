"""Whether the ledger agrees with itself: the file, its references, the log, the books.

What a database promises by itself is asked where it can be asked (SQLite), since a file may have
been copied while it was written, or lie on a disk that forgets. What no constraint can say is
compared here: a purged instance is charged nothing, an active one is, no balance is below zero,
and what is kept as a sum of postings is their sum.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DatabaseError

from cloudpemda.errors import Fault
from cloudpemda.ledger import migrations
from cloudpemda.ledger.audit import Audit
from cloudpemda.ledger.owner import Owner, is_dead, owner_from_text
from cloudpemda.ledger.schema import balances, instances, postings, proposals, requests, sagas
from cloudpemda.ledger.states import InstanceState, ProposalState, RequestState, SagaState
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import INSTANCES
from cloudpemda.units import Instant

_SHOWN = 10  # of many faults of one file

_NOTHING_HELD = (
    RequestState.DENIED.value,
    RequestState.WITHDRAWN.value,
    RequestState.EXPIRED.value,
    RequestState.FAILED.value,
)
_CHARGED = (InstanceState.ACTIVE.value, InstanceState.RETIRED.value)


class Soundness:
    """Reads everything, changes nothing."""

    def __init__(self, store: Store, audit: Audit, owner: Owner) -> None:
        self._store = store
        self._audit = audit
        self._owner = owner

    @property
    def schema(self) -> int:
        """The version of its tables."""
        with self._store.read() as connection:
            return migrations.version_of(connection)

    def faults(self) -> tuple[Fault, ...]:
        """Everything that is wrong; nothing for a sound ledger.

        Codes: `ledger.damaged`, `ledger.reference`, those of `Audit.verify`, `ledger.negative`,
        `ledger.balance-other`, `ledger.charged-purged`, `ledger.uncharged`, `ledger.held-ended`,
        `ledger.saga-stuck`, `ledger.saga-left`.
        """
        with self._store.read() as connection:
            damaged = tuple(_file(connection))
        if damaged:  # what else it would say cannot be believed
            return damaged
        now = self._store.clock.now()
        with self._store.read() as connection:
            found = (*_negative(connection), *_totals(connection), *_charges(connection))
            found = (*found, *_held(connection))
            left = tuple(self._sagas(connection, now))
        return (*(one.fault for one in self._audit.verify()), *found, *left)

    def _sagas(self, connection: Connection, now: Instant) -> Iterator[Fault]:
        """Work that nobody is at."""
        query = (
            select(sagas, requests.c.opd, requests.c.name)
            .join(requests, requests.c.number == sagas.c.number)
            .where(sagas.c.state.in_((SagaState.OPEN.value, SagaState.STUCK.value)))
            .order_by(sagas.c.started_at, sagas.c.id)
        )
        for row in connection.execute(query):
            values = {"key": f"{row.opd}/{row.name}", "saga": row.id}
            if row.state == SagaState.STUCK:
                yield Fault("ledger.saga-stuck", values)
                continue
            silent = (now - row.heartbeat).total_seconds()
            if row.owner is None or is_dead(owner_from_text(row.owner), self._owner, silent):
                yield Fault("ledger.saga-left", values)


def _file(connection: Connection) -> Iterator[Fault]:
    if connection.dialect.name != "sqlite":
        return  # a server looks after its own files, and always keeps references
    try:
        told = list(connection.exec_driver_sql(f"PRAGMA quick_check({_SHOWN})").scalars())
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_SHOWN)
    except DatabaseError as error:
        told, broken = [getattr(error.orig, "sqlite_errorname", "?")], []
    for one in told:
        if one != "ok":
            yield Fault("ledger.damaged", {"told": " ".join(str(one).split())})
    for table, row, parent, _ in broken:
        yield Fault("ledger.reference", {"table": table, "row": row, "parent": parent})


def _negative(connection: Connection) -> Iterator[Fault]:
    held, committed = func.sum(postings.c.held), func.sum(postings.c.committed)
    query = (
        select(postings.c.instance, postings.c.dimension, held, committed)
        .group_by(postings.c.instance, postings.c.dimension)
        .having((held < 0) | (committed < 0))
        .order_by(postings.c.instance, postings.c.dimension)
    )
    for vm, dimension, held_sum, used in connection.execute(query):
        values = {"vm": vm, "dimension": dimension, "held": held_sum, "committed": used}
        yield Fault("ledger.negative", values)


def _totals(connection: Connection) -> Iterator[Fault]:
    """Running totals that are not the sums of their postings."""
    query = select(
        postings.c.opd, postings.c.dimension, func.sum(postings.c.committed),
        func.sum(postings.c.held),
    ).group_by(postings.c.opd, postings.c.dimension)  # fmt: skip
    summed = {(opd, name): (used, held) for opd, name, used, held in connection.execute(query)}
    kept = {(row.opd, row.dimension): row for row in connection.execute(select(balances))}
    for opd, dimension in sorted({*summed, *kept}):
        row, (used, held) = kept.get((opd, dimension)), summed.get((opd, dimension), (0, 0))
        if row is None or (row.committed, row.held) != (used, held):
            told = 0 if row is None else row.committed + row.held
            values = {"opd": opd, "dimension": dimension, "told": told, "posted": used + held}
            yield Fault("ledger.balance-other", values)


def _charges(connection: Connection) -> Iterator[Fault]:
    """Use of an instance that has no VM any more, and VMs without use."""
    query = (
        select(postings.c.instance, func.sum(postings.c.committed))
        .where(postings.c.dimension == INSTANCES)
        .group_by(postings.c.instance)
    )
    charged = {vm for vm, committed in connection.execute(query) if committed}
    states: dict[str, set[str]] = {}
    for vm, state in connection.execute(select(instances.c.key, instances.c.state)):
        states.setdefault(vm, set()).add(state)
    for vm in sorted(charged):
        if states.get(vm, set()) <= {InstanceState.PURGED.value}:
            yield Fault("ledger.charged-purged", {"vm": vm})
    for vm, found in sorted(states.items()):
        if found & set(_CHARGED) and vm not in charged:
            yield Fault("ledger.uncharged", {"vm": vm})


def _held(connection: Connection) -> Iterator[Fault]:
    """Holds of what has ended, or of what lives without an approved or begun change."""
    held = func.sum(postings.c.held)
    lives = requests.c.state == RequestState.ACTIVE.value
    changed = func.coalesce(proposals.c.state, "").in_(
        (ProposalState.APPROVED.value, ProposalState.APPLYING.value)
    )
    query = (
        select(requests.c.opd, requests.c.name, requests.c.state, postings.c.dimension, held)
        .join(requests, requests.c.number == postings.c.number)
        .outerjoin(proposals, proposals.c.number == requests.c.number)
        .where(requests.c.state.in_(_NOTHING_HELD) | (lives & ~changed))
        .group_by(requests.c.opd, requests.c.name, requests.c.state, postings.c.dimension)
        .having(held != 0)
        .order_by(requests.c.opd, requests.c.name, postings.c.dimension)
    )
    for opd, name, state, dimension, amount in connection.execute(query):
        values = {"key": f"{opd}/{name}", "state": state, "dimension": dimension, "held": amount}
        yield Fault("ledger.held-ended", values)
