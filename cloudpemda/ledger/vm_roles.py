"""What was set up inside VMs: each role's last outcome, and the host key by which a VM is known.

What is inside a VM shows in no picture of a cluster: what stands here is all that is known of it.
An outcome belongs to a digest of what was asked; for another one the role is still to be set up. A
host key is taken down the first time it is seen, and stays until somebody says that it is another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import delete, insert, select

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.schema import instances, vm_host_keys, vm_roles
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant


class RoleResult(StrEnum):
    DONE = "done"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class RoleOutcome:
    """How setting up one role ended; `changed` is how many things were not as they shall be."""

    role: str
    digest: str
    result: RoleResult
    changed: int = 0


@dataclass(frozen=True, slots=True)
class RoleRecord:
    """The last outcome of one role of one VM."""

    uid: str
    role: str
    digest: str
    result: RoleResult
    at: Instant
    person: str


class VmRoleBook:
    """The list of them. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def by_vm(self) -> Mapping[tuple[str, str], RoleRecord]:
        """By uid and role."""
        with self._store.read() as connection:
            rows = connection.execute(select(vm_roles).order_by(vm_roles.c.uid, vm_roles.c.role))
            return MappingProxyType(
                {
                    (row.uid, row.role): RoleRecord(
                        row.uid, row.role, row.digest, RoleResult(row.result), row.at, row.person
                    )
                    for row in rows
                }
            )

    def host_keys(self) -> Mapping[str, str]:
        """By uid: `ssh-ed25519 AAAA…`."""
        with self._store.read() as connection:
            rows = connection.execute(select(vm_host_keys)).all()
        return MappingProxyType({row.uid: row.host_key for row in rows})

    def note(
        self, uid: str, outcomes: Sequence[RoleOutcome], host_key: str | None, actor: Actor
    ) -> None:
        """What came of a run on one VM. One that was not reached keeps what was done there before;
        `host_key` was seen for the first time: where one is known already, that one stays.

        Raises Refused `ledger.no-instance`.
        """
        with self._audit.deed(actor) as deed:
            opd, key = _whose(deed, uid)
            details = {}
            if host_key is not None and _pin(deed, uid, host_key):
                details["host_key"] = host_key
            for one in outcomes:
                details[one.role] = f"{one.result.value}, {one.changed} changed"
                _write(deed, uid, one)
            deed.record("vm.configured", opd, key, uid=uid, **details)

    def forget_host_key(self, uid: str, actor: Actor) -> bool:
        """The next host key that is seen is taken; False where none was known. Raises Refused
        `ledger.no-instance`."""
        with self._audit.deed(actor) as deed:
            opd, key = _whose(deed, uid)
            mine = vm_host_keys.c.uid == uid
            known = deed.connection.scalar(select(vm_host_keys.c.host_key).where(mine))
            if known is None:
                return False
            deed.connection.execute(delete(vm_host_keys).where(mine))
            deed.record("vm.host-key-forgotten", opd, key, uid=uid, host_key=known)
            return True

    def undo_since(self, uid: str, since: Instant, actor: Actor) -> tuple[str, ...]:
        """The VM's disks become as they were then: what was done inside afterwards awaits again.
        Answers with those roles. Raises Refused `ledger.no-instance`."""
        with self._audit.deed(actor) as deed:
            opd, key = _whose(deed, uid)
            later = (vm_roles.c.uid == uid) & (vm_roles.c.at >= since)
            rows = deed.connection.execute(select(vm_roles.c.role).where(later))
            roles = tuple(sorted(row.role for row in rows))
            if roles:
                deed.connection.execute(delete(vm_roles).where(later))
                deed.record("vm.roles-await", opd, key, uid=uid, roles=", ".join(roles))
            return roles


def forget(deed: Deed, uid: str) -> None:
    """The VM is gone, and what was inside it."""
    deed.connection.execute(delete(vm_roles).where(vm_roles.c.uid == uid))
    deed.connection.execute(delete(vm_host_keys).where(vm_host_keys.c.uid == uid))


def _pin(deed: Deed, uid: str, host_key: str) -> bool:
    known = select(vm_host_keys.c.uid).where(vm_host_keys.c.uid == uid)
    if deed.connection.scalar(known) is not None:
        return False
    deed.connection.execute(
        insert(vm_host_keys).values(uid=uid, host_key=host_key, seen_at=deed.now)
    )
    return True


def _write(deed: Deed, uid: str, one: RoleOutcome) -> None:
    mine = (vm_roles.c.uid == uid) & (vm_roles.c.role == one.role)
    found = deed.connection.execute(select(vm_roles).where(mine)).first()
    kept = found is not None and (found.digest, found.result) == (one.digest, RoleResult.DONE)
    if one.result is RoleResult.UNREACHABLE and kept:
        return
    deed.connection.execute(delete(vm_roles).where(mine))
    deed.connection.execute(
        insert(vm_roles).values(
            uid=uid, role=one.role, digest=one.digest, result=one.result.value, at=deed.now,
            person=deed.actor.name,
        )
    )  # fmt: skip


def _whose(deed: Deed, uid: str) -> tuple[str, str]:
    row = deed.connection.execute(
        select(instances.c.opd, instances.c.key).where(instances.c.uid == uid)
    ).first()
    if row is None:
        raise Refused("ledger.no-instance", key=uid)
    return row.opd, row.key
