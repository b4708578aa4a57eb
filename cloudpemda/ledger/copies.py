"""Copies: VMs that were made from a backup beside the VM that the backup is of.

A copy is an instance of its own, with a role of its own: it has its uid, its VMID and its name, and
is charged to its OPD like any new VM, from before PVE makes it until PVE has confirmed that it is
gone. It belongs to no document, and has no address; who wants it, why and until when stands here.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Row, select

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import grounds, quota
from cloudpemda.ledger.addresses import rested_since
from cloudpemda.ledger.audit import Actor, Audit
from cloudpemda.ledger.free import free_name, lowest_vmid
from cloudpemda.ledger.orphans import resting_vmids
from cloudpemda.ledger.schema import copies, instances
from cloudpemda.ledger.snapshots import Allowed, require_as_read
from cloudpemda.ledger.states import InstanceState
from cloudpemda.ledger.store import Store
from cloudpemda.ledger.vm_records import InstanceRecord, instance_row, record_of
from cloudpemda.plan.model import COPY
from cloudpemda.rules.quota import Usage, judge
from cloudpemda.units import Instant, show_utc


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """One copy with its instance."""

    instance: InstanceRecord
    origin: str  # uid
    name: str
    backup: str
    taken_at: Instant
    person: str
    reason: str
    until: Instant  # from then on the night asks for its removal


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a copy will stand, and which VMIDs it may have."""

    node: str
    storages: Mapping[str, str]  # slot → PVE storage id
    vmid_range: range
    taken_vmids: Collection[int]
    vmid_rest: int


def copy_key(origin: str, name: str) -> str:
    """`dinkes/simrs/db-1@copy:check`; `@` stands in no key of another instance, `:` in no name of
    a snapshot."""
    return f"{origin}@copy:{name}"


class CopyBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(self, origin: str | None = None) -> tuple[CopyRecord, ...]:
        """Those that may be there, by key."""
        query = (
            select(copies, instances.c.key)
            .join(instances, instances.c.uid == copies.c.uid)
            .where(instances.c.state != InstanceState.PURGED.value)
            .order_by(instances.c.key)
        )
        if origin is not None:
            query = query.where(copies.c.origin == origin)
        with self._store.read() as connection:
            return tuple(
                _record(row, record_of(connection, instance_row(connection, row.uid)))
                for row in connection.execute(query).all()
            )

    def begin(
        self,
        origin: str,
        name: str,
        *,
        backup: str,
        taken_at: Instant,
        until: Instant,
        reason: str,
        usage: Usage,
        allowed: Allowed,
        ground: Ground,
        actor: Actor,
    ) -> tuple[CopyRecord, tuple[Fault, ...]]:
        """Give it an identity and charge it; answers with quota's warnings. One of that name that
        is there stays as it is.

        Raises Refused `ledger.reason-missing`, `ledger.no-instance`, `vm.state`,
        `vm.moved-on`, `vm.copies-full`, `ledger.vmids-exhausted`, or `quota.exceeded` with a fault
        per dimension and OPD.
        """
        known = next((one for one in self.list(origin) if one.name == name), None)
        if known is not None:
            return known, ()
        with quota.refusals_kept(self._audit, actor), self._audit.deed(actor) as deed:
            vm = instance_row(deed.connection, origin)
            key = copy_key(vm.key, name)
            if not reason.strip():
                raise Refused("ledger.reason-missing", subject=key)
            require_as_read(vm, allowed)
            grounds.require_free(deed.connection, [key])
            own = deed.connection.execute(
                select(instances.c.uid)
                .join(copies, copies.c.uid == instances.c.uid)
                .where(copies.c.origin == origin, instances.c.state != InstanceState.PURGED.value)
            ).all()
            if len(own) >= allowed.most:
                raise Refused("vm.copies-full", vm=vm.key, most=allowed.most)
            seen = quota.look(deed.connection, allowed.chain, deed.now, [key])
            seen.require_free()
            verdict = judge(seen.standings(allowed.chain), usage, allowed.warn_at)
            if not verdict.allowed:
                raise Refused("quota.exceeded", *verdict.faults, subject=key, opd=vm.opd)
            uid = self._store.entropy.uid()
            since = rested_since(deed.now, ground.vmid_rest)
            resting = resting_vmids(deed.connection, vm.cluster, since)
            away = resting | {*ground.taken_vmids}
            vmid = lowest_vmid(deed.connection, vm.cluster, ground.vmid_range, away)
            row = {
                "uid": uid, "key": key, "opd": vm.opd, "number": vm.number,
                "member": f"{vm.member}@copy:{name}",
                "name": free_name(deed.connection, f"{vm.name}-copy-{name}", uid),
                "cluster": vm.cluster, "vmid": vmid, "role": COPY,
                "state": InstanceState.CREATING.value, "node": ground.node,
                "storages": json.dumps(dict(ground.storages), sort_keys=True), "targets": "[]",
                "updated_at": deed.now,
            }  # fmt: skip
            deed.insert(instances, row)
            copy = {
                "uid": uid, "origin": origin, "name": name, "backup": backup, "taken_at": taken_at,
                "person": actor.name, "reason": reason.strip(), "until": until,
            }  # fmt: skip
            deed.insert(copies, copy)
            quota.take(deed, vm.opd, vm.number, {key: usage})
            deed.record(
                "vm.copy", vm.opd, key, uid=uid, number=vm.number, origin=origin, vmid=vmid,
                backup=backup, until=show_utc(until), reason=reason.strip(),
            )  # fmt: skip
        return next(one for one in self.list(origin) if one.name == name), verdict.warnings


def _record(row: Row[tuple[object, ...]], instance: InstanceRecord) -> CopyRecord:
    return CopyRecord(
        instance, row.origin, row.name, row.backup, row.taken_at, row.person, row.reason, row.until
    )
