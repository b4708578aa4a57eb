"""Nodes that are kept empty for maintenance: since when, by whom and why.

It stands in the ledger, because PVE has no such mark that its API could set: placement gives such
a node nothing new, and whoever looks is told. What happened is in the audit log.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Audit
from cloudpemda.ledger.schema import drains
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Drain:
    """One node that is out of use."""

    cluster: str
    node: str
    reason: str
    person: str
    since: Instant


class DrainBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(self, cluster: str | None = None) -> tuple[Drain, ...]:
        """By cluster and node."""
        query = select(drains).order_by(drains.c.cluster, drains.c.node)
        if cluster is not None:
            query = query.where(drains.c.cluster == cluster)
        with self._store.read() as connection:
            return tuple(
                Drain(row.cluster, row.node, row.reason, row.person, row.since)
                for row in connection.execute(query)
            )

    def begin(self, cluster: str, node: str, reason: str, actor: Actor) -> Drain:
        """From now on the node gets nothing new. One that is out already stays as it was noted.

        Raises Refused `ledger.reason-missing` without a reason for one that is not out yet.
        """
        with self._audit.deed(actor) as deed:
            found = _find(deed.connection, cluster, node)
            if found is not None:
                return found
            if not reason.strip():
                raise Refused("ledger.reason-missing", subject=f"{cluster}/{node}")
            drain = Drain(cluster, node, reason.strip(), actor.name, deed.now)
            row = {"cluster": cluster, "node": node, "reason": drain.reason}
            deed.insert(drains, {**row, "person": drain.person, "since": drain.since})
            deed.record("node.drain", None, f"{cluster}/{node}", reason=drain.reason)
            return drain

    def end(self, cluster: str, node: str, actor: Actor) -> Drain | None:
        """The node is of use again; answers with what was noted, None where nothing was."""
        with self._audit.deed(actor) as deed:
            found = _find(deed.connection, cluster, node)
            if found is not None:
                deed.delete(drains, (drains.c.cluster == cluster) & (drains.c.node == node))
                deed.record("node.return", None, f"{cluster}/{node}")
            return found


def _find(connection: Connection, cluster: str, node: str) -> Drain | None:
    row = connection.execute(
        select(drains).where(drains.c.cluster == cluster, drains.c.node == node)
    ).first()
    return None if row is None else Drain(cluster, node, row.reason, row.person, row.since)
