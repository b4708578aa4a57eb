"""Transfers: a workload that lives changes its OPD, in one transaction.

Everything that is charged for it (its VMs, what they have grown by hand, states that are kept of
them, what purged ones left behind) moves from one OPD to the other, judged by the limits of the
one that takes it and of its parents; what a parent of both is charged stays as it is. Identities
stay: uid, VMID, name in PVE, MAC and IP addresses. What a VM says of itself in PVE follows by a
saga that this transaction begins, so that nobody forgets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sqlalchemy import Connection, select, update

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import quota
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.decisions import Ballot
from cloudpemda.ledger.decisions import note as note_decision
from cloudpemda.ledger.grants import refuse_taken_name
from cloudpemda.ledger.journal import COPYING, DUE, begin_row, unfinished_kinds
from cloudpemda.ledger.matters import Matter, docket, matter, require_hash, write_revision
from cloudpemda.ledger.records import OPEN_PROPOSALS
from cloudpemda.ledger.requests import write_approval
from cloudpemda.ledger.schema import instances, orphans, requests
from cloudpemda.ledger.states import (
    INSTANCE,
    REQUEST,
    InstanceEvent,
    InstanceState,
    RequestEvent,
    after,
)
from cloudpemda.ledger.store import Store
from cloudpemda.ledger.vm_records import request_row
from cloudpemda.plan.model import COPY
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Link, Thresholds, Usage, judge, total

TRANSFER = "transfer"
"""The kind of the saga that makes the clusters say what the ledger says since."""

GIVEN, TAKEN = "request.transfer", "request.receive"
"""The audit actions, in the chain of the OPD that had it and of the one that has it."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a workload becomes, and the decision on it."""

    spec: WorkloadSpec  # with its new OPD, name, letter and requester
    source_text: str
    offer_digest: str
    offer_json: str
    ballot: Ballot
    chain: Sequence[Link]  # the new OPD and its parents
    warn_at: Thresholds
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Transferred:
    """What was done."""

    number: str
    former: str  # key
    key: str
    moved: Usage  # what was charged to the one, and is charged to the other
    warnings: tuple[Fault, ...]


class Transfers:
    """Changes of a workload's OPD. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def transfer(self, key: str, spec_hash: str, become: Takeover, actor: Actor) -> Transferred:
        """Give a workload that lives, and whose revision has this hash, to another OPD.

        Raises Refused: `ledger.no-request`, `ledger.transition`, `ledger.revision-moved`,
        `transfer.changing`, `transfer.working`, `transfer.copies`, `transfer.instances`,
        `ledger.name-taken`,
        `quota-request.name-taken`, `quota.exceeded` with a fault per dimension and OPD, and what
        `Grounds.require_free` refuses.
        """
        with quota.refusals_kept(self._audit, actor), self._audit.deed(actor) as deed:
            return self._transfer(deed, key, spec_hash, become)

    def _transfer(self, deed: Deed, key: str, spec_hash: str, become: Takeover) -> Transferred:
        connection, spec = deed.connection, become.spec
        about = matter(connection, request_row(connection, key))
        state = after(REQUEST, about.state, RequestEvent.TRANSFER, about.number)
        require_hash(connection, about.number, about.applied, spec_hash)
        _require_idle(connection, about)
        _require_free_name(connection, spec)
        moved, warnings = _judge(deed, about, become)
        names = quota.hand_over(deed, about.number, (about.opd, about.key), (spec.opd, spec.key))
        revision = write_revision(deed, about.number, spec, become.source_text)
        deed.change(
            requests,
            about.number,
            opd=spec.opd,
            name=spec.name,
            state=state.value,
            revision=revision,
            reason=None,
            updated_at=deed.now,
        )
        counted = docket(connection, about.number, deed.now)
        fresh = replace(counted, revision=revision, applied=revision, proposal=None)
        note_decision(deed, fresh, become.offer_digest, become.ballot, moved)
        write_approval(deed, fresh, become.offer_digest, become.offer_json, deed.now)
        said = {
            "letter": f"{spec.letter.number} ({spec.letter.date})",
            "reason": become.reason,
            "charges": len(names),
            **become.ballot.details,
        }
        deed.record(GIVEN, about.opd, about.number, key=about.key, to=spec.key, **said)
        deed.record(
            TAKEN, spec.opd, about.number, key=spec.key, former=about.key, revision=revision,
            spec_hash=spec.spec_hash, offer_digest=become.offer_digest, **said,
        )  # fmt: skip
        _move_instances(deed, about, spec)
        begin_row(connection, about.number, TRANSFER, deed.now, owner=None)
        return Transferred(about.number, about.key, spec.key, moved, warnings)

    def charged(self, number: str) -> Usage:
        """Dimension → all that a request is charged as used: what a transfer would move."""
        with self._store.read() as connection:
            return _all_of(quota.charged_to(connection, number))

    def given(self, key: str, to: str) -> str | None:
        """The number of the request that was called so, until it was given to this OPD, which has
        it still."""
        opd = key.partition("/")[0]
        for entry in reversed(self._audit.log(opds=[opd], action=GIVEN)):
            if entry.details["key"] == key:
                query = select(requests.c.opd).where(requests.c.number == entry.subject)
                with self._store.read() as connection:
                    return entry.subject if connection.scalar(query) == to else None
        return None


def _require_idle(connection: Connection, about: Matter) -> None:
    """Whether nobody decides on, or works at, what is to be given away."""
    if about.proposal in OPEN_PROPOSALS:
        raise Refused("transfer.changing", key=about.key, state=about.standing)
    copies = _copies(connection, about.number)
    if copies:
        raise Refused("transfer.copies", key=about.key, copies=", ".join(copies))
    # of copies none is there: what was killed while it made or removed one has nothing left to do,
    # and a night that was killed while a copy was made goes on with that by itself
    kinds = [
        one for one in unfinished_kinds(connection, about.number) if one not in COPYING | {DUE}
    ]
    if kinds:
        raise Refused("transfer.working", key=about.key, kinds=", ".join(kinds))
    other = [
        f"{key} ({state})"
        for key, state in connection.execute(
            select(instances.c.key, instances.c.state)
            .where(
                instances.c.number == about.number,
                instances.c.state.not_in([InstanceState.PURGED.value, InstanceState.ACTIVE.value]),
            )
            .order_by(instances.c.key)
        )
    ]
    if other:
        raise Refused("transfer.instances", key=about.key, instances=", ".join(other))


def _copies(connection: Connection, number: str) -> tuple[str, ...]:
    """Copies of its VMs that stand beside them: what they are for, the giving OPD knows."""
    return tuple(
        connection.scalars(
            select(instances.c.key)
            .where(
                instances.c.number == number,
                instances.c.role == COPY,
                instances.c.state != InstanceState.PURGED.value,
            )
            .order_by(instances.c.key)
        )
    )


def _require_free_name(connection: Connection, spec: WorkloadSpec) -> None:
    refuse_taken_name(connection, spec.opd, spec.name)
    same = (requests.c.opd == spec.opd) & (requests.c.name == spec.name)
    if connection.scalar(select(requests.c.number).where(same)) is not None:
        raise Refused("ledger.name-taken", key=spec.key)


def _judge(deed: Deed, about: Matter, become: Takeover) -> tuple[Usage, tuple[Fault, ...]]:
    """What moves, and quota's warnings. A parent of both is charged for it already."""
    spec = become.spec
    charged = quota.charged_to(deed.connection, about.number)
    moved = _all_of(charged)
    names = [quota.renamed(name, about.key, spec.key) for name in charged]
    seen = quota.look(deed.connection, become.chain, deed.now, names)
    seen.require_free()
    links = [link for link in become.chain if about.opd not in link.scope]
    verdict = judge(seen.standings(links), moved, become.warn_at)
    if not verdict.allowed:
        raise Refused("quota.exceeded", *verdict.faults, subject=about.number, opd=spec.opd)
    quota.note_limits(deed, {link.opd: link.limits for link in become.chain}, seen.limits)
    return moved, verdict.warnings


def _move_instances(deed: Deed, about: Matter, spec: WorkloadSpec) -> None:
    """Those that are there, and what purged ones left behind; the purged themselves are history."""
    there = (instances.c.number == about.number) & (instances.c.state != InstanceState.PURGED.value)
    for row in deed.connection.execute(select(instances).where(there)).all():
        state = after(INSTANCE, InstanceState(row.state), InstanceEvent.TRANSFER, row.key)
        key = quota.renamed(row.key, about.key, spec.key)
        deed.update(
            instances,
            instances.c.uid == row.uid,
            key=key,
            opd=spec.opd,
            state=state.value,
            updated_at=deed.now,
        )
        deed.record(
            "instance.transfer", spec.opd, key, uid=row.uid, number=row.number, former=row.key
        )
    for left in deed.connection.execute(
        select(orphans).where(orphans.c.number == about.number)
    ).all():
        same = (
            (orphans.c.cluster == left.cluster)
            & (orphans.c.node == left.node)
            & (orphans.c.volume == left.volume)
        )
        key = quota.renamed(left.key, about.key, spec.key)
        deed.connection.execute(update(orphans).where(same).values(key=key, opd=spec.opd))


def _all_of(charged: Mapping[str, Usage]) -> Usage:
    return MappingProxyType({name: one for name, one in total(charged.values()).items() if one})
