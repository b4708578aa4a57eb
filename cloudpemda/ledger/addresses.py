"""Addresses beside those that instances have: what rests after its release, and what strangers use.

An address that was released rests for a while before it is given again: firewalls, name servers
and people still believe it to be the former VM's. An address that was seen on a VM of somebody
else is given to nobody, whoever is in the right.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.schema import addresses, instances, rests, sightings
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class GivenAddress:
    """An address that an instance has. `pool` is a network's name, or `PUBLIC`."""

    pool: str
    address: str
    opd: str
    key: str  # of the instance
    number: str  # of its request
    since: Instant | None  # when the instance was first read back; None: not yet


@dataclass(frozen=True, slots=True)
class RestingAddress:
    """An address that was released, and whose it was."""

    pool: str
    address: str
    opd: str
    key: str
    released_at: Instant


@dataclass(frozen=True, slots=True)
class Sighting:
    """An address of the site's own ranges on a VM that the ledger does not know."""

    cluster: str
    address: str
    vmid: int
    name: str  # in PVE: anybody may have written it


class AddressBook:
    """The addresses of a site. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def given(self) -> tuple[GivenAddress, ...]:
        """By pool and instance."""
        query = (
            select(addresses, instances.c.opd, instances.c.key, instances.c.number)
            .add_columns(instances.c.active_since)
            .join(instances, instances.c.uid == addresses.c.uid)
            .order_by(addresses.c.pool, instances.c.key, addresses.c.slot)
        )
        with self._store.read() as connection:
            return tuple(
                GivenAddress(r.pool, r.address, r.opd, r.key, r.number, r.active_since)
                for r in connection.execute(query)
            )

    def resting(self) -> tuple[RestingAddress, ...]:
        """Whose each address was last that was in use once; how long it rests says the site."""
        query = select(rests).order_by(rests.c.pool, rests.c.address)
        with self._store.read() as connection:
            return tuple(
                RestingAddress(r.pool, r.address, r.opd, r.key, r.released_at)
                for r in connection.execute(query)
            )

    def sightings(self) -> tuple[Sighting, ...]:
        """By cluster, VMID and address, as they were noted last."""
        with self._store.read() as connection:
            return _sightings(connection)

    def note(self, cluster: str, seen: Sequence[Sighting], actor: Actor) -> None:
        """What strangers on a cluster that was read whole use, in place of what was noted before.

        An audit entry names what came and went; the same again writes nothing.
        """
        before = {one for one in self.sightings() if one.cluster == cluster}
        now = set(seen)
        if before == now:
            return
        with self._audit.deed(actor) as deed:
            deed.connection.execute(delete(sightings).where(sightings.c.cluster == cluster))
            for one in sorted(now, key=_order):
                deed.connection.execute(
                    insert(sightings).values(
                        cluster=cluster, address=one.address, vmid=one.vmid, name=one.name,
                        noted_at=deed.now,
                    )
                )  # fmt: skip
            deed.record(
                "addresses.note",
                None,
                cluster,
                came=_listed(now - before),
                went=_listed(before - now),
            )


# -- asked by those who give and release, in their own transaction ----------------------------
def unavailable(connection: Connection, pool: str, rested_since: Instant) -> frozenset[str]:
    """What of a pool cannot be given: given already, released after `rested_since`, or seen on
    somebody else's VM."""
    given = select(addresses.c.address).where(addresses.c.pool == pool)
    resting = select(rests.c.address).where(
        rests.c.pool == pool, rests.c.released_at > rested_since
    )
    found = given.union(resting, select(sightings.c.address))
    return frozenset(connection.scalars(found))


def release(
    deed: Deed,
    uid: str,
    opd: str,
    key: str,
    *,
    used: bool,
    which: ColumnElement[bool] | None = None,
) -> tuple[str, ...]:
    """An instance's addresses, or those of them that are meant by `which`, are its own no more;
    those that were `used` rest. Answers with them."""
    own = addresses.c.uid == uid
    own = own if which is None else own & which
    found = deed.connection.execute(select(addresses).where(own)).all()
    for row in found if used else ():
        same = (rests.c.pool == row.pool) & (rests.c.address == row.address)
        deed.delete(rests, same)
        rest = {"pool": row.pool, "address": row.address, "opd": opd, "key": key}
        deed.insert(rests, {**rest, "released_at": deed.now})
    deed.delete(addresses, own)
    return tuple(row.address for row in found)


def rested_since(now: Instant, seconds: int) -> Instant:
    """Before when an address must have been released to be given again."""
    return Instant(now - timedelta(seconds=seconds))


def _sightings(connection: Connection) -> tuple[Sighting, ...]:
    query = select(sightings)
    found = (
        Sighting(row.cluster, row.address, row.vmid, row.name) for row in connection.execute(query)
    )
    return tuple(sorted(found, key=_order))


def _order(one: Sighting) -> tuple[str, int, str]:
    return one.cluster, one.vmid, one.address


def _listed(found: Collection[Sighting]) -> str:
    return ", ".join(_told(sorted(found, key=_order)))


def _told(found: Sequence[Sighting]) -> Iterator[str]:
    for one in found:
        yield f"{one.address} on {one.vmid}"
