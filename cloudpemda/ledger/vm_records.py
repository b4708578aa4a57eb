"""Instances as they are read: one VM with its cards, its addresses and how it was found.

The rows are asked for by whoever decides about them, in their own transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import Connection, Row, select

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Deed
from cloudpemda.ledger.kept import as_found, by_name, names
from cloudpemda.ledger.schema import addresses, adoptions, instances, nics, requests
from cloudpemda.ledger.states import InstanceState
from cloudpemda.plan.model import AsFound, Identity
from cloudpemda.units import Instant

PUBLIC = "@public"
"""The pool of public addresses; no network is called so."""

_Row = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class NicRecord:
    slot: int  # the number of net0, net1 …
    network: str
    mac: str
    address: str  # without prefix length: 10.10.110.21
    public_address: str | None


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One VM as cloudpemda knows it."""

    uid: str
    key: str  # dinkes/simrs/db-1
    opd: str
    number: str
    member: str
    name: str  # in PVE
    cluster: str
    vmid: int
    role: str
    state: InstanceState
    node: str | None
    storages: Mapping[str, str]  # disk name → PVE storage id
    targets: tuple[str, ...]
    error: str | None
    active_since: Instant | None  # when it was first read back as promised
    nics: tuple[NicRecord, ...]
    changed_at: Instant  # since when it is as the ledger says
    slots: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({})
    )  # disk name → number; {}: in document's order
    found: AsFound | None = None  # how it stood when it was adopted; None: we made it

    @property
    def identity(self) -> Identity:
        return Identity(self.uid, self.cluster, self.vmid, self.role)


def request_row(connection: Connection, key: str) -> _Row:
    opd, _, name = key.partition("/")
    row = connection.execute(
        select(requests).where(requests.c.opd == opd, requests.c.name == name)
    ).first()
    if row is None:
        raise Refused("ledger.no-request", key=key)
    return row


def say(deed: Deed, row: _Row, action: str, **details: str | int | None) -> None:
    deed.record(f"instance.{action}", row.opd, row.key, uid=row.uid, number=row.number, **details)


def find_instance(connection: Connection, key: str) -> _Row | None:
    return connection.execute(
        select(instances).where(
            instances.c.key == key, instances.c.state != InstanceState.PURGED.value
        )
    ).first()


def live_instance(connection: Connection, key: str) -> _Row:
    row = find_instance(connection, key)
    if row is None:
        raise Refused("ledger.no-instance", key=key)
    return row


def instance_row(connection: Connection, uid: str) -> _Row:
    row = connection.execute(select(instances).where(instances.c.uid == uid)).first()
    if row is None:
        raise Refused("ledger.no-instance", key=uid)
    return row


def record_of(connection: Connection, row: _Row) -> InstanceRecord:
    (found,) = records_of(connection, [row])
    return found


def records_of(connection: Connection, rows: Sequence[_Row]) -> tuple[InstanceRecord, ...]:
    """The same of several, in their order."""
    uids = [row.uid for row in rows]
    cards, facts = _cards_of(connection, uids), _facts_of(connection, uids)
    return tuple(_built(row, cards.get(row.uid, ()), facts.get(row.uid)) for row in rows)


def _cards_of(connection: Connection, uids: Sequence[str]) -> Mapping[str, tuple[NicRecord, ...]]:
    """uid → its NICs by slot; an instance that was released has NICs without addresses."""
    found: dict[str, dict[int, NicRecord]] = {}
    query = (
        select(nics, addresses.c.pool, addresses.c.address)
        .outerjoin(addresses, (addresses.c.uid == nics.c.uid) & (addresses.c.slot == nics.c.slot))
        .where(nics.c.uid.in_(uids))
        .order_by(nics.c.uid, nics.c.slot)
    )
    for row in connection.execute(query):
        own = found.setdefault(row.uid, {})
        nic = own.get(row.slot)
        address, public = (nic.address, nic.public_address) if nic is not None else ("", None)
        if row.pool == PUBLIC:
            public = row.address
        elif row.address is not None:
            address = row.address
        own[row.slot] = NicRecord(row.slot, row.network, row.mac, address, public)
    return {uid: tuple(own.values()) for uid, own in found.items()}


def _facts_of(connection: Connection, uids: Sequence[str]) -> Mapping[str, AsFound]:
    """uid → how it stood when it was adopted, of those that were."""
    query = select(adoptions).where(adoptions.c.uid.in_(uids))
    return {row.uid: as_found(row.facts) for row in connection.execute(query)}


def _built(row: _Row, cards: tuple[NicRecord, ...], facts: AsFound | None = None) -> InstanceRecord:
    return InstanceRecord(
        uid=row.uid,
        key=row.key,
        opd=row.opd,
        number=row.number,
        member=row.member,
        name=row.name,
        cluster=row.cluster,
        vmid=row.vmid,
        role=row.role,
        state=InstanceState(row.state),
        node=row.node,
        storages=by_name(row.storages),
        targets=names(row.targets),
        error=row.error,
        active_since=row.active_since,
        nics=cards,
        slots=by_name(row.slots or "{}"),
        changed_at=row.updated_at,
        found=facts,
    )
