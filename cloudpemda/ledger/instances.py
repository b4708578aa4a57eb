"""Instances: who each VM is, where it was put, and how far it is in its life.

Identity comes before action: uid, VMID, MAC and IP addresses and the name in PVE are chosen and
recorded in one transaction, before anything is written to a cluster, and stay the same however
often they are asked for. Two instances never share a VMID on a cluster, an address or a name.
What an instance owns is given back only when PVE has confirmed that it is gone (`release`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from types import MappingProxyType

from sqlalchemy import Connection, Row, select

from cloudpemda.clock import Entropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import asides, grounds, quota, snapshots, vm_roles
from cloudpemda.ledger.addresses import release as release_addresses
from cloudpemda.ledger.addresses import rested_since, unavailable
from cloudpemda.ledger.audit import SYSTEM, Actor, Audit, Deed
from cloudpemda.ledger.free import bounds_of, free_mac, free_name, lowest_vmid
from cloudpemda.ledger.kept import as_found, by_name, names
from cloudpemda.ledger.orphans import charges_left, resting_vmids
from cloudpemda.ledger.schema import addresses, adoptions, instances, nics, requests
from cloudpemda.ledger.states import INSTANCE, InstanceEvent, InstanceState, RequestState, after
from cloudpemda.ledger.store import Store
from cloudpemda.plan.model import PRIMARY, AsFound, Identity
from cloudpemda.request.spec import NicSpec
from cloudpemda.site.models import Network, PublicAddresses
from cloudpemda.units import Instant

PUBLIC = "@public"
"""The pool of public addresses; no network is called so."""

_Row = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instance that shall have an identity."""

    member: str  # db-1
    cluster: str
    nics: tuple[NicSpec, ...]
    storages: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # disk name → PVE storage id, for a change


@dataclass(frozen=True, slots=True)
class Pools:
    """Where addresses come from. `taken` are addresses seen in use by somebody else, `rest` for
    how many seconds one that was released is not given again, `vmid_rest` the same of VMIDs."""

    networks: Mapping[str, Network]
    public: PublicAddresses | None
    taken: frozenset[str] = frozenset()
    rest: int = 0
    vmid_rest: int = 0


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


class Instances:
    """The book of instances. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    # -- identity ------------------------------------------------------------------------------
    def claim(
        self,
        key: str,
        wanted: Sequence[Wanted],
        *,
        vmid_range: range,
        pools: Pools,
        taken_vmids: Mapping[str, Collection[int]],
        actor: Actor,
    ) -> tuple[InstanceRecord, ...]:
        """Identities for the members of a request that is being applied, in the order asked.

        A member that has one keeps it; only where it is still `planned` and wanted on another
        cluster does it get a VMID there. `taken_vmids` are seen in use, per cluster. All members
        get theirs, or none does. Raises Refused `ledger.vmids-exhausted`,
        `ledger.addresses-exhausted`, `ledger.no-network`, `ledger.transition`.
        """
        with self._audit.deed(actor) as deed:
            request = request_row(deed.connection, key)
            if request.state != RequestState.APPLYING:
                raise Refused(
                    "ledger.transition", subject=request.number, state=request.state, event="claim"
                )
            naming = Naming(deed, self._store.entropy, vmid_range, pools)
            return naming.claim(request, wanted, taken_vmids)

    def propose(
        self,
        key: str,
        wanted: Sequence[Wanted],
        *,
        vmid_range: range,
        pools: Pools,
        taken_vmids: Mapping[str, Collection[int]],
        dice: Entropy,
    ) -> tuple[InstanceRecord, ...]:
        """What `claim` would answer now, with uids and MAC addresses from `dice`.

        Nothing is written, and the request may be in any state. Raises like `claim`.
        """
        now = self._store.clock.now()
        with self._store.trial() as connection:
            naming = Naming(Deed(connection, now, SYSTEM), dice, vmid_range, pools)
            return naming.claim(request_row(connection, key), wanted, taken_vmids)

    def reclaim_vmid(
        self,
        uid: str,
        *,
        vmid_range: range,
        taken: Collection[int],
        actor: Actor,
        rest: int = 0,
    ) -> InstanceRecord:
        """Another VMID, because somebody took it before our VM was there; `rest` as in `Pools`.

        Raises Refused `ledger.vmids-exhausted`, and `ledger.transition` for an instance that may
        already be in PVE under its VMID.
        """
        with self._audit.deed(actor) as deed:
            row = instance_row(deed.connection, uid)
            state = InstanceState(row.state)
            if state not in {InstanceState.PLANNED, InstanceState.CREATING, InstanceState.FAILED}:
                raise Refused(
                    "ledger.transition", subject=row.key, state=state.value, event="reclaim"
                )
            resting = resting_vmids(deed.connection, row.cluster, rested_since(deed.now, rest))
            _give_vmid(deed, row, row.cluster, vmid_range, resting | {*taken, row.vmid})
            return record_of(deed.connection, instance_row(deed.connection, uid))

    def place(
        self,
        uid: str,
        *,
        node: str,
        storages: Mapping[str, str],
        targets: Sequence[str],
        actor: Actor,
    ) -> InstanceRecord:
        """Record where it will be made: node, storage per disk, replication targets."""
        return self._move(
            uid,
            InstanceEvent.PLACE,
            actor,
            node=node,
            storages=json.dumps(dict(storages), sort_keys=True),
            targets=json.dumps(list(targets)),
            error=None,
        )

    # -- life ----------------------------------------------------------------------------------
    def creating(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """From now on it may be in PVE."""
        return self._move(uid, InstanceEvent.CREATE, actor, error=None)

    def active(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """It was read back as promised: what it held becomes use."""
        return self._move(uid, InstanceEvent.ACTIVATE, actor, error=None)

    def changing(
        self,
        uid: str,
        *,
        targets: Sequence[str],
        storages: Mapping[str, str] | None = None,
        actor: Actor,
    ) -> InstanceRecord:
        """From now on it may be other than it was; `targets` are its replicas' nodes, `storages`
        where these disks lie from now."""
        lie = json.dumps({**self.get(uid).storages, **(storages or {})}, sort_keys=True)
        nodes = json.dumps(list(targets))
        return self._move(uid, InstanceEvent.CHANGE, actor, targets=nodes, storages=lie, error=None)

    def failed(self, uid: str, *, error: str, actor: Actor) -> InstanceRecord:
        """Its creation was taken back. Identity and hold stay for the next try."""
        return self._move(uid, InstanceEvent.FAIL, actor, error=error)

    def stuck(self, uid: str, *, error: str, actor: Actor) -> InstanceRecord:
        """Neither there as promised nor gone: a human is needed. It stays charged."""
        return self._move(uid, InstanceEvent.STICK, actor, error=error)

    def retiring(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """From now on it is being taken away; it stays charged until `release`."""
        return self._move(uid, InstanceEvent.RETIRE, actor)

    def quarantined(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """It was read back as stopped: from now on it rests, restorable and charged."""
        return self._move(uid, InstanceEvent.QUARANTINE, actor, error=None)

    def restoring(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """From now on it may run again."""
        return self._move(uid, InstanceEvent.RESTORE, actor, error=None)

    def release(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """PVE has confirmed that it is gone, or it never was there: everything it had is free, but
        for the charge of what is noted as its orphans."""
        return self._move(uid, InstanceEvent.RELEASE, actor)

    def _move(
        self, uid: str, event: InstanceEvent, actor: Actor, **values: str | None
    ) -> InstanceRecord:
        with self._audit.deed(actor) as deed:
            row = instance_row(deed.connection, uid)
            before = InstanceState(row.state)
            state = after(INSTANCE, before, event, row.key)
            since = row.active_since
            if event is InstanceEvent.ACTIVATE and since is None:
                # Later holds are those of a proposal, which repairing what lives does not use.
                quota.commit(deed, row.opd, row.number, row.key)
                since = deed.now
            elif event is InstanceEvent.RELEASE and before is not state:
                left = charges_left(deed.connection, uid)
                quota.transfer(deed, row.opd, row.number, row.key, left)
                snapshots.forget(deed, row)
                asides.forget(deed, row)
                vm_roles.forget(deed, uid)
                release_addresses(deed, uid, row.opd, row.key, used=since is not None)
            changed = {name: value for name, value in values.items() if value != getattr(row, name)}
            if state is not before or changed:
                deed.update(
                    instances,
                    instances.c.uid == uid,
                    state=state.value,
                    updated_at=deed.now,
                    active_since=since,
                    **changed,
                )
                say(deed, row, event.value, state=state.value, **changed)
            return record_of(deed.connection, instance_row(deed.connection, uid))

    # -- reading -------------------------------------------------------------------------------
    def get(self, uid: str) -> InstanceRecord:
        """By uid, purged ones included. Raises Refused `ledger.no-instance`."""
        with self._store.read() as connection:
            return record_of(connection, instance_row(connection, uid))

    def list(
        self,
        *,
        workload: str | None = None,
        opd: str | None = None,
        cluster: str | None = None,
        purged: bool = False,
        copies: bool = False,
    ) -> tuple[InstanceRecord, ...]:
        """By key. Purged ones, and copies of VMs, are left out unless they are asked for."""
        query = select(instances).order_by(instances.c.key, instances.c.updated_at)
        if not copies:
            query = query.where(instances.c.role == PRIMARY)
        if workload is not None:
            owner, _, name = workload.partition("/")
            query = query.join(requests, requests.c.number == instances.c.number).where(
                requests.c.opd == owner, requests.c.name == name
            )
        if opd is not None:
            query = query.where(instances.c.opd == opd)
        if cluster is not None:
            query = query.where(instances.c.cluster == cluster)
        if not purged:
            query = query.where(instances.c.state != InstanceState.PURGED.value)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
            uids = [row.uid for row in rows]
            cards, facts = _nics(connection, uids), facts_of(connection, uids)
        return tuple(_build(row, cards.get(row.uid, ()), facts.get(row.uid)) for row in rows)

    def keys(self, opd: str) -> tuple[str, ...]:
        """The keys of an OPD's instances, purged ones aside: what `list` would name, in a third
        of its time."""
        query = (
            select(instances.c.key)
            .where(
                instances.c.opd == opd,
                instances.c.role == PRIMARY,
                instances.c.state != InstanceState.PURGED.value,
            )
            .order_by(instances.c.key)
        )
        with self._store.read() as connection:
            return tuple(connection.scalars(query))


# -- identity --------------------------------------------------------------------------------
def request_row(connection: Connection, key: str) -> _Row:
    opd, _, name = key.partition("/")
    row = connection.execute(
        select(requests).where(requests.c.opd == opd, requests.c.name == name)
    ).first()
    if row is None:
        raise Refused("ledger.no-request", key=key)
    return row


@dataclass(frozen=True, slots=True)
class Naming:
    """What giving an identity needs: the transaction, the dice, and what is free."""

    deed: Deed
    entropy: Entropy
    vmid_range: range
    pools: Pools

    def claim(
        self, request: _Row, wanted: Sequence[Wanted], taken_vmids: Mapping[str, Collection[int]]
    ) -> tuple[InstanceRecord, ...]:
        connection, workload = self.deed.connection, f"{request.opd}/{request.name}"
        grounds.require_free(connection, [])
        for want in wanted:
            own = _find(connection, f"{workload}/{want.member}")
            since = rested_since(self.deed.now, self.pools.vmid_rest)
            taken = frozenset(taken_vmids.get(want.cluster, ())) | resting_vmids(
                connection, want.cluster, since
            )
            if own is None:
                grounds.require_free(connection, [f"{workload}/{want.member}"])
                self._create(request, want, taken)
            elif own.cluster != want.cluster and own.state == InstanceState.PLANNED:
                _give_vmid(self.deed, own, want.cluster, self.vmid_range, taken)
        return tuple(
            record_of(connection, _live(connection, f"{workload}/{want.member}")) for want in wanted
        )

    def _create(self, request: _Row, want: Wanted, taken: frozenset[int]) -> None:
        connection = self.deed.connection
        uid = self.entropy.uid()
        name = free_name(connection, f"{request.opd}-{request.name}-{want.member}", uid)
        vmid = lowest_vmid(connection, want.cluster, self.vmid_range, taken)
        self.deed.insert(
            instances,
            {
                "uid": uid,
                "key": f"{request.opd}/{request.name}/{want.member}",
                "opd": request.opd,
                "number": request.number,
                "member": want.member,
                "name": name,
                "cluster": want.cluster,
                "vmid": vmid,
                "role": PRIMARY,
                "state": InstanceState.PLANNED.value,
                "storages": "{}",
                "targets": "[]",
                "updated_at": self.deed.now,
            },
        )
        for slot, nic in enumerate(want.nics):
            self.give_nic(uid, slot, nic)
        say(
            self.deed,
            instance_row(connection, uid),
            "claim",
            cluster=want.cluster,
            vmid=vmid,
            name=name,
        )

    def give_nic(self, uid: str, slot: int, nic: NicSpec) -> None:
        mac = free_mac(self.deed.connection, self.entropy)
        self.deed.insert(nics, {"uid": uid, "slot": slot, "network": nic.network, "mac": mac})
        network = self.pools.networks.get(nic.network)
        if network is None:  # taken out of the site's file since the request was approved
            raise Refused("ledger.no-network", network=nic.network)
        barred = (*network.reserved, network.gateway, *network.nameservers)
        self._give(uid, slot, nic.network, self._free(nic.network, network.cidr, barred))
        if nic.public_ip:
            self.give_public(uid, slot)

    def give_public(self, uid: str, slot: int) -> None:
        """Raises Refused `ledger.addresses-exhausted`."""
        public = self.pools.public
        if public is None:
            raise Refused("ledger.addresses-exhausted", pool=PUBLIC)
        self._give(uid, slot, PUBLIC, self._free(PUBLIC, public.cidr, public.reserved))

    def _give(self, uid: str, slot: int, pool: str, address: str) -> None:
        given = {"pool": pool, "address": address, "uid": uid, "slot": slot}
        self.deed.insert(addresses, given)

    def _free(self, pool: str, cidr: str, barred: Sequence[str]) -> str:
        """The lowest address that is a host's, not barred, not seen elsewhere, not given, and
        rested since it was."""
        since = rested_since(self.deed.now, self.pools.rest)
        gone = unavailable(self.deed.connection, pool, since)
        bounds = [bounds_of(text) for text in barred]
        for host in IPv4Network(cidr).hosts():
            address = str(host)
            if address in gone or address in self.pools.taken:
                continue
            if not any(low <= host <= high for low, high in bounds):
                return address
        raise Refused("ledger.addresses-exhausted", pool=pool)


def _give_vmid(
    deed: Deed, row: _Row, cluster: str, vmid_range: range, taken: frozenset[int]
) -> None:
    vmid = lowest_vmid(deed.connection, cluster, vmid_range, taken)
    deed.update(
        instances, instances.c.uid == row.uid, cluster=cluster, vmid=vmid, updated_at=deed.now
    )
    say(deed, row, "reclaim", cluster=cluster, vmid=vmid, instead_of=row.vmid)


# -- rows ------------------------------------------------------------------------------------
def say(deed: Deed, row: _Row, action: str, **details: str | int | None) -> None:
    deed.record(f"instance.{action}", row.opd, row.key, uid=row.uid, number=row.number, **details)


def _find(connection: Connection, key: str) -> _Row | None:
    return connection.execute(
        select(instances).where(
            instances.c.key == key, instances.c.state != InstanceState.PURGED.value
        )
    ).first()


def _live(connection: Connection, key: str) -> _Row:
    row = _find(connection, key)
    if row is None:
        raise Refused("ledger.no-instance", key=key)
    return row


def instance_row(connection: Connection, uid: str) -> _Row:
    row = connection.execute(select(instances).where(instances.c.uid == uid)).first()
    if row is None:
        raise Refused("ledger.no-instance", key=uid)
    return row


def record_of(connection: Connection, row: _Row) -> InstanceRecord:
    cards, facts = _nics(connection, [row.uid]), facts_of(connection, [row.uid])
    return _build(row, cards.get(row.uid, ()), facts.get(row.uid))


def _nics(connection: Connection, uids: Sequence[str]) -> Mapping[str, tuple[NicRecord, ...]]:
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


def facts_of(connection: Connection, uids: Sequence[str]) -> Mapping[str, AsFound]:
    """uid → how it stood when it was adopted, of those that were."""
    query = select(adoptions).where(adoptions.c.uid.in_(uids))
    return {row.uid: as_found(row.facts) for row in connection.execute(query)}


def _build(row: _Row, cards: tuple[NicRecord, ...], facts: AsFound | None = None) -> InstanceRecord:
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
