"""Instances: who each VM is, where it was put, and how far it is in its life.

Identity comes before action: uid, VMID, MAC and IP addresses and the name in PVE are chosen and
recorded in one transaction (`naming`), before anything is written to a cluster, and stay the same
however often they are asked for.
What an instance owns is given back only when PVE has confirmed that it is gone (`release`).
"""

import json
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from cloudpemda.clock import Entropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import asides, quota, snapshots, vm_roles
from cloudpemda.ledger.addresses import release as release_addresses
from cloudpemda.ledger.addresses import rested_since
from cloudpemda.ledger.audit import SYSTEM, Actor, Audit, Deed
from cloudpemda.ledger.naming import Naming, Pools, Wanted, give_vmid
from cloudpemda.ledger.orphans import charges_left, resting_vmids
from cloudpemda.ledger.schema import instances, requests
from cloudpemda.ledger.states import INSTANCE, InstanceEvent, InstanceState, RequestState, after
from cloudpemda.ledger.store import Store
from cloudpemda.ledger.vm_records import (
    InstanceRecord,
    instance_row,
    record_of,
    records_of,
    request_row,
    say,
)
from cloudpemda.plan.model import PRIMARY


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
            give_vmid(deed, row, row.cluster, vmid_range, resting | {*taken, row.vmid})
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
            return records_of(connection, connection.execute(query).all())

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
