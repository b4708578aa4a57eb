"""VMs that somebody has stopped on purpose: who, since when and why.

PVE shows that a VM does not run, and not whether that is meant. What stands here is no fault: HA
is asked to leave it stopped, `apply` does not start it, and the night does not call it broken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, select

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Audit
from cloudpemda.ledger.schema import instances, stops
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Stop:
    """One VM that shall not run."""

    uid: str
    person: str
    reason: str
    since: Instant


class StopBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def by_uid(self) -> Mapping[str, Stop]:
        with self._store.read() as connection:
            found = connection.execute(select(stops).order_by(stops.c.uid))
            return MappingProxyType(
                {row.uid: Stop(row.uid, row.person, row.reason, row.since) for row in found}
            )

    def begin(self, uid: str, reason: str, actor: Actor) -> tuple[Stop, bool]:
        """From now on it shall not run; and whether that is new. One that was stopped before
        stays as it was noted.

        Raises Refused `ledger.reason-missing`, `ledger.no-instance`.
        """
        with self._audit.deed(actor) as deed:
            opd, key = _whose(deed.connection, uid)
            found = _find(deed.connection, uid)
            if found is not None:
                return found, False
            if not reason.strip():
                raise Refused("ledger.reason-missing", subject=key)
            stop = Stop(uid, actor.name, reason.strip(), deed.now)
            row = {"uid": uid, "person": stop.person, "reason": stop.reason}
            deed.insert(stops, {**row, "since": stop.since})
            deed.record("vm.stop", opd, key, uid=uid, reason=stop.reason)
            return stop, True

    def end(self, uid: str, actor: Actor) -> Stop | None:
        """It may run again; answers with what was noted, None where nothing was."""
        with self._audit.deed(actor) as deed:
            found = _find(deed.connection, uid)
            if found is not None:
                opd, key = _whose(deed.connection, uid)
                deed.delete(stops, stops.c.uid == uid)
                deed.record("vm.may-run", opd, key, uid=uid)
            return found


def _find(connection: Connection, uid: str) -> Stop | None:
    row = connection.execute(select(stops).where(stops.c.uid == uid)).first()
    return None if row is None else Stop(row.uid, row.person, row.reason, row.since)


def _whose(connection: Connection, uid: str) -> tuple[str, str]:
    row = connection.execute(
        select(instances.c.opd, instances.c.key).where(instances.c.uid == uid)
    ).first()
    if row is None:
        raise Refused("ledger.no-instance", key=uid)
    return row.opd, row.key
