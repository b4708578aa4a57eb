"""Changes of what lives: a proposal is begun, each VM takes it over, and the workload lives by it.

Identity comes first here, too: what the proposal adds (VMs, cards, addresses, the slots of disks)
is chosen and recorded in the transaction that begins it. What it takes away stays recorded, and is
charged, until PVE has confirmed that it is gone (`settle`): meanwhile a VM is charged the larger of
what it was and what it shall be.

Once begun, a change keeps what it holds until it is made or taken back, however long that takes: a
VM that grew half must not stand on quota that was given to somebody else.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import select

from cloudpemda.clock import Entropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import asides, quota, restores
from cloudpemda.ledger.addresses import release
from cloudpemda.ledger.audit import SYSTEM, Actor, Audit, Deed
from cloudpemda.ledger.matters import Matter, matter, move, require_hash, spec_of, void
from cloudpemda.ledger.naming import Naming, Pools, Wanted
from cloudpemda.ledger.records import RequestRecord, record
from cloudpemda.ledger.requests import Requests
from cloudpemda.ledger.schema import addresses, instances, nics, requests
from cloudpemda.ledger.states import (
    INSTANCE,
    REQUEST,
    InstanceEvent,
    InstanceState,
    ProposalState,
    RequestEvent,
    after,
)
from cloudpemda.ledger.store import Store
from cloudpemda.ledger.vm_records import (
    PUBLIC,
    InstanceRecord,
    instance_row,
    record_of,
    request_row,
    say,
)
from cloudpemda.plan.model import PRIMARY
from cloudpemda.request.spec import NicSpec, WorkloadSpec
from cloudpemda.rules.quota import Usage

_ENDED = frozenset({InstanceState.ACTIVE, InstanceState.RETIRING, InstanceState.RETIRED})
_DECIDED = frozenset({ProposalState.APPROVED, ProposalState.APPLYING})
_RESTING = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


class Changes:
    """The book of begun proposals. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit, requests_: Requests) -> None:
        self._store = store
        self._audit = audit
        self._requests = requests_

    def begin(
        self,
        key: str,
        *,
        spec_hash: str,
        offer_digest: str,
        wanted: Sequence[Wanted],
        vmid_range: range,
        pools: Pools,
        taken_vmids: Mapping[str, Collection[int]],
        actor: Actor,
    ) -> RequestRecord:
        """Enter `applying` of the approved proposal, with all that it adds: all of it, or nothing.

        One that is applying already goes on; the offer is compared only at the first entry. Raises
        Refused `ledger.transition`, `ledger.revision-moved`, `ledger.offer-changed` after the
        approval was voided and its hold returned, and what `Instances.claim` refuses.
        """
        self._requests.expire_holds(self._store.clock.now())
        with self._audit.deed(actor) as deed:
            row = request_row(deed.connection, key)
            about = matter(deed.connection, row)
            restores.require_none(deed.connection, about.number)
            after(REQUEST, about.state, RequestEvent.BEGIN, about.number)
            require_hash(deed.connection, about.number, about.revision, spec_hash)
            if about.proposal is None:
                raise Refused(
                    "ledger.transition", subject=about.number, state=about.state, event="change"
                )
            reached = about.next(RequestEvent.BEGIN)
            live = record(deed.connection, about.number).as_proposed.approval
            moved = about.proposal is ProposalState.APPROVED and (
                live is None or live.offer_digest != offer_digest
            )
            if moved:
                void(deed, about)
                move(deed, about, RequestEvent.VOID, reason="offer", offer_digest=offer_digest)
            else:
                if about.proposal is not reached:
                    move(deed, about, RequestEvent.BEGIN, spec_hash=spec_hash)
                naming = Naming(deed, self._store.entropy, vmid_range, pools)
                _name(naming, about, wanted, taken_vmids)
            found = record(deed.connection, about.number)
        if moved:
            raise Refused("ledger.offer-changed", number=found.number, key=found.key)
        return found

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
        """The instances as `begin` would leave them, with uids and MAC addresses from `dice`.

        Nothing is written. Raises like `begin`.
        """
        now = self._store.clock.now()
        with self._store.trial() as connection:
            row = request_row(connection, key)
            naming = Naming(Deed(connection, now, SYSTEM), dice, vmid_range, pools)
            return _name(naming, matter(connection, row), wanted, taken_vmids)

    def confirm(self, uid: str, *, actor: Actor) -> InstanceRecord:
        """It was read back as the change wants it: what it held becomes use. What it needs no
        longer stays charged until `settle`."""
        with self._audit.deed(actor) as deed:
            row = instance_row(deed.connection, uid)
            before = InstanceState(row.state)
            state = after(INSTANCE, before, InstanceEvent.ACTIVATE, row.key)
            quota.commit(deed, row.opd, row.number, row.key)
            deed.update(
                instances,
                instances.c.uid == uid,
                state=state.value,
                updated_at=deed.now,
                error=None,
            )
            say(deed, row, "changed", state=state.value)
            return record_of(deed.connection, instance_row(deed.connection, uid))

    def settle(
        self,
        uid: str,
        *,
        usage: Usage,
        networks: Iterable[NicSpec],
        actor: Actor,
        detached: Collection[str] = (),
    ) -> Usage | None:
        """PVE has confirmed that an instance runs with no more than `usage` and these networks:
        it is charged no more, and what else it had of addresses is free. The volumes `detached`
        from it rest, and stay charged (`asides`).

        Answers with what was given back; None, and nothing is done, while a change of its workload
        is approved or begun: that one was judged by what is charged now.
        """
        with self._audit.deed(actor) as deed:
            row = instance_row(deed.connection, uid)
            request = deed.connection.execute(
                select(requests).where(requests.c.number == row.number)
            ).one()
            about = matter(deed.connection, request)
            if about.proposal in _DECIDED or row.state != InstanceState.ACTIVE:
                return None
            less = quota.lower(deed, row.opd, row.number, row.key, usage)
            kept = asides.rest(deed, row, detached, less)
            one = record_of(deed.connection, row)
            freed = _release_nics(deed, one, {nic.network: nic.public_ip for nic in networks})
            given = {name: more for name, one in less.items() if (more := one - kept.get(name, 0))}
            if less or freed or detached:
                told = json.dumps(given, sort_keys=True)
                rests = {"rests": ", ".join(sorted(detached))} if detached else {}
                say(deed, row, "settle", freed=told, addresses=", ".join(freed), **rests)
            return given

    def finish(self, key: str, *, actor: Actor) -> None:
        """All its VMs have taken it over: the workload lives by it. Raises Refused
        `ledger.unfinished` while one has not, `ledger.transition`."""
        with self._audit.deed(actor) as deed:
            row = request_row(deed.connection, key)
            about = matter(deed.connection, row)
            waiting = {*quota.held_instances(deed.connection, about.number)}
            waiting |= {
                key for key, state in _states(deed, about.number).items() if state not in _ENDED
            }
            if waiting:
                listed = ", ".join(sorted(waiting))
                raise Refused("ledger.unfinished", number=about.number, instances=listed)
            deed.update(
                requests,
                requests.c.number == about.number,
                revision=about.revision,
                updated_at=deed.now,
            )
            move(deed, about, RequestEvent.FINISH)

    def fail(self, key: str, *, reason: str, actor: Actor) -> None:
        """All of it was taken back: the workload goes on by what it lived by, and what is still
        held returns; what came from quarantine rests again. Raises Refused `ledger.instances-left`
        while a VM that it added is not released or one that lives is not as it was,
        `ledger.transition`."""
        with self._audit.deed(actor) as deed:
            row = request_row(deed.connection, key)
            about = matter(deed.connection, row)
            applied = spec_of(deed.connection, about.number, about.applied)
            members = {f"{about.key}/{one}" for vm in applied.vms for one in vm.members}
            states = _states(deed, about.number)
            left = [
                one
                for one, state in states.items()
                if state is InstanceState.CHANGING or (one not in members and state not in _RESTING)
            ]
            if left:
                listed = ", ".join(sorted(left))
                raise Refused("ledger.instances-left", number=about.number, instances=listed)
            void(deed, about)
            _forget_disks(deed, about, applied)
            move(deed, about, RequestEvent.FAIL, reason=reason)


# -- what a proposal adds --------------------------------------------------------------------
def _name(
    naming: Naming,
    about: Matter,
    wanted: Sequence[Wanted],
    taken_vmids: Mapping[str, Collection[int]],
) -> tuple[InstanceRecord, ...]:
    """Identities for members without one; for the others cards, addresses and slots."""
    connection = naming.deed.connection
    applied = spec_of(connection, about.number, about.applied)
    proposed = spec_of(connection, about.number, about.revision)
    lived, asked = _disks_of(applied), _disks_of(proposed)
    named = naming.claim(request_row(connection, about.key), wanted, taken_vmids)
    for one, want in zip(named, wanted, strict=True):
        if one.member not in lived:
            continue  # it is made by this change, whole
        cards = _add_nics(naming, one, want.nics)
        disks = _add_disks(naming.deed, one, want, lived[one.member], asked[one.member])
        if cards or disks:
            more = {"networks": ", ".join(cards), "disks": ", ".join(disks)}
            say(naming.deed, instance_row(connection, one.uid), "extend", **more)
    return tuple(record_of(connection, instance_row(connection, one.uid)) for one in named)


def _disks_of(spec: WorkloadSpec) -> Mapping[str, tuple[str, ...]]:
    """Member → the names of its disks, in the order of the document."""
    return {
        member: tuple(disk.name for disk in vm.disks) for vm in spec.vms for member in vm.members
    }


def _add_nics(naming: Naming, one: InstanceRecord, wanted: Iterable[NicSpec]) -> list[str]:
    """Cards and public addresses that it has not; answers with their networks."""
    added: list[str] = []
    present = {nic.network: nic for nic in one.nics}
    used = {nic.slot for nic in one.nics}
    for want in wanted:
        there = present.get(want.network)
        if there is None:
            slot = next(number for number in range(len(used) + 1) if number not in used)
            used.add(slot)
            naming.give_nic(one.uid, slot, want)
        elif want.public_ip and there.public_address is None:
            naming.give_public(one.uid, there.slot)
        else:
            continue
        added.append(want.network)
    return added


def _add_disks(
    deed: Deed, one: InstanceRecord, want: Wanted, lived: Sequence[str], asked: Sequence[str]
) -> list[str]:
    """A disk keeps its slot for life: a new one never moves another to a place that has data, and
    one that goes leaves its slot empty while it rests.

    Answers with the disks that got one, and with a minus those that go.
    """
    new = [name for name in asked if name not in lived]
    gone = [f"-{name}" for name in lived if name not in asked]
    if not new and not gone:
        return []
    slots = dict(one.slots) or {name: number for number, name in enumerate(lived)}
    adopted = {slot for _, slot in one.found.disks} if one.found else set[str]()
    for name in new:
        if name not in slots:
            taken = {*slots.values(), *_numbers(adopted)}
            slots[name] = next(n for n in range(len(taken) + 1) if n not in taken)
    storages = {**one.storages, **{name: want.storages[name] for name in new}}
    if slots == one.slots and storages == one.storages:
        return []
    deed.update(
        instances,
        instances.c.uid == one.uid,
        slots=json.dumps(slots, sort_keys=True),
        storages=json.dumps(storages, sort_keys=True),
        updated_at=deed.now,
    )
    return [*new, *gone]


def _numbers(slots: Iterable[str]) -> Iterator[int]:
    """The numbers of SCSI slots: what we add is added there."""
    for slot in slots:
        number = slot.removeprefix("scsi")
        if number.isdecimal():
            yield int(number)


# -- what a change took away -----------------------------------------------------------------
def _release_nics(deed: Deed, one: InstanceRecord, kept: Mapping[str, bool]) -> list[str]:
    """Free the addresses of networks that are not `kept` (network → public address too)."""
    freed: list[str] = []
    for nic in one.nics:
        which = addresses.c.slot == nic.slot
        if nic.network in kept:
            if kept[nic.network]:
                continue
            which = which & (addresses.c.pool == PUBLIC)
        freed += release(deed, one.uid, one.opd, one.key, used=True, which=which)
        if nic.network not in kept:
            card = (nics.c.uid == one.uid) & (nics.c.slot == nic.slot)
            deed.delete(nics, card)
    return freed


def _forget_disks(deed: Deed, about: Matter, applied: WorkloadSpec) -> None:
    """The slots and storages of disks that were never made."""
    disks = _disks_of(applied)
    query = select(instances).where(
        instances.c.number == about.number, instances.c.state != InstanceState.PURGED.value
    )
    for row in deed.connection.execute(query).all():
        kept = disks.get(row.member)
        if kept is None:
            continue  # it rests, or is a copy: no document speaks of it
        values = {
            name: json.dumps({d: at for d, at in json.loads(text).items() if d in kept})
            for name, text in (("slots", row.slots), ("storages", row.storages))
            if text is not None
        }
        deed.update(instances, instances.c.uid == row.uid, **values)


def _states(deed: Deed, number: str) -> Mapping[str, InstanceState]:
    query = select(instances.c.key, instances.c.state).where(
        instances.c.number == number,
        instances.c.role == PRIMARY,
        instances.c.state != InstanceState.PURGED.value,
    )
    return {key: InstanceState(state) for key, state in deed.connection.execute(query)}
