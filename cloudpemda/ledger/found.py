"""VMs of ours that stand on a cluster and that the ledger does not know.

An older copy of the ledger knows nothing of what was made after it. What stands there is noted
here, so that nobody promises or gives it a second time: its use counts for its OPD, its VMID and
name are taken, and no other VM is made in its place. Between a restore and the first complete look
at the clusters nobody knows what stands there, and nothing is promised at all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, delete, func, insert, select

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Audit
from cloudpemda.ledger.grounds import RECONCILE
from cloudpemda.ledger.schema import found, instances, meta, moment_text
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import Usage
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class FoundVm:
    """One such VM as it was read."""

    cluster: str
    vmid: int
    uid: str
    key: str  # the instance that it says it is; empty: it says none
    opd: str | None  # whom it is charged to; None: nobody knows
    name: str
    usage: Usage


class FoundBook:
    """The list of them."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def list(self) -> tuple[FoundVm, ...]:
        """By cluster and VMID."""
        query = select(found).order_by(found.c.cluster, found.c.vmid)
        with self._store.read() as connection:
            return tuple(
                FoundVm(
                    row.cluster, row.vmid, row.uid, row.key, row.opd, row.name,
                    MappingProxyType(json.loads(row.usage)),
                )
                for row in connection.execute(query)
            )  # fmt: skip

    def note(self, cluster: str, seen: Sequence[FoundVm], actor: Actor) -> tuple[FoundVm, ...]:
        """What stands on a cluster that was read whole, in place of what was noted before.

        Whatever the ledger has come to know meanwhile is left out. An audit entry says what came
        and went; the same again writes nothing.
        """
        before = tuple(vm for vm in self.list() if vm.cluster == cluster)
        if set(_names(before)) == set(_names(seen)) and len(before) == len(seen):
            return before
        with self._audit.deed(actor) as deed:
            known = set(deed.connection.scalars(select(instances.c.uid)))
            kept = tuple(vm for vm in seen if vm.uid not in known)
            deed.connection.execute(delete(found).where(found.c.cluster == cluster))
            for vm in kept:
                deed.connection.execute(
                    insert(found).values(
                        cluster=cluster,
                        vmid=vm.vmid,
                        uid=vm.uid,
                        key=vm.key,
                        opd=vm.opd,
                        name=vm.name,
                        usage=json.dumps(dict(vm.usage), sort_keys=True),
                        noted_at=deed.now,
                    )
                )
            for vm in (one for one in kept if one not in before):
                deed.record("found.note", vm.opd, vm.key or vm.name, **_details(vm))
            for vm in (one for one in before if one not in kept):
                deed.record("found.gone", vm.opd, vm.key or vm.name, **_details(vm))
        return kept

    @property
    def pending(self) -> bool:
        """Whether a restore was not followed yet by a complete look at the clusters."""
        with self._store.read() as connection:
            return _pending(connection)

    def require_reconciled(self) -> None:
        """Raises Refused `ledger.unreconciled` while it is pending."""
        if self.pending:
            raise Refused("ledger.unreconciled")

    def reconciled(self, actor: Actor) -> None:
        """Every cluster was read whole, and what stands there is noted."""
        if not self.pending:
            return
        with self._audit.deed(actor) as deed:
            if _pending(deed.connection):
                deed.connection.execute(delete(meta).where(meta.c.key == RECONCILE))
                deed.record("ledger.reconcile", None, "ledger")


def _names(vms: Sequence[FoundVm]) -> list[str]:
    return [
        json.dumps([vm.vmid, vm.uid, vm.key, vm.opd, vm.name, *sorted(vm.usage.items())])
        for vm in vms
    ]


def _details(vm: FoundVm) -> dict[str, str | int]:
    return {"cluster": vm.cluster, "vmid": vm.vmid, "uid": vm.uid, "name": vm.name}


# -- asked by those who promise and give, in their own transaction ---------------------------
def begin_reconciling(connection: Connection, now: Instant) -> None:
    """From now on nothing is promised until the clusters were read."""
    connection.execute(delete(found))
    connection.execute(delete(meta).where(meta.c.key == RECONCILE))
    connection.execute(insert(meta).values(key=RECONCILE, value=moment_text(now)))


def vmids(connection: Connection, cluster: str) -> frozenset[int]:
    return frozenset(connection.scalars(select(found.c.vmid).where(found.c.cluster == cluster)))


def has_name(connection: Connection, name: str) -> bool:
    query = select(func.count()).select_from(found).where(found.c.name == name)
    return bool(connection.scalar(query))


def require_reconciled(connection: Connection) -> None:
    """Raises Refused `ledger.unreconciled` after a restore whose clusters were not read yet."""
    if _pending(connection):
        raise Refused("ledger.unreconciled")


def _pending(connection: Connection) -> bool:
    return connection.scalar(select(meta.c.value).where(meta.c.key == RECONCILE)) is not None
