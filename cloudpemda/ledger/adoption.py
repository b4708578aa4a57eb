"""Adoption: VMs that stood there before the ledger knew them become instances, in one deed.

Their requests are active and their instances too, at once: there is nothing to make. Nothing is
judged by quota, since nothing grows: what they use already is charged, and what stands above a
limit by it is an overage. How each VM stood is kept (`plan.model.AsFound`), so that no plan
reconfigures what nobody asked for.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, select

from cloudpemda.errors import Refused
from cloudpemda.ledger import found, numbers, quota
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.decisions import Ballot
from cloudpemda.ledger.decisions import note as note_decision
from cloudpemda.ledger.grants import refuse_taken_name
from cloudpemda.ledger.matters import itself, write_revision
from cloudpemda.ledger.requests import write_approval
from cloudpemda.ledger.schema import (
    addresses,
    adoptions,
    instances,
    nics,
    requests,
    sightings,
    stops,
)
from cloudpemda.ledger.schema import found as found_table
from cloudpemda.ledger.states import (
    INSTANCE,
    REQUEST,
    InstanceEvent,
    InstanceState,
    RequestEvent,
    RequestState,
    after,
)
from cloudpemda.ledger.store import Store
from cloudpemda.plan.model import PRIMARY, AsFound
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Usage

_STOPPED = "adopted while it was stopped"
_ELSEWHERE = 1000
"""From here on stand disks that are on no scsi slot: what a change adds takes none of them."""


@dataclass(frozen=True, slots=True)
class AdoptedNic:
    slot: int  # the number of net0, net1 …
    network: str
    mac: str
    address: str | None  # None: nobody knows it


@dataclass(frozen=True, slots=True)
class AdoptedVm:
    """One VM as it stands. `uid` is the one that it already has, of a ledger that was lost."""

    member: str
    name: str  # in PVE
    uid: str | None
    vmid: int
    node: str
    storages: Mapping[str, str]  # disk name → PVE storage id
    targets: tuple[str, ...]
    nics: tuple[AdoptedNic, ...]
    usage: Usage
    facts: AsFound
    running: bool = True


@dataclass(frozen=True, slots=True)
class Adoption:
    """One workload with the VMs that it has already, and the decision to take it in."""

    spec: WorkloadSpec
    source_text: str
    cluster: str
    offer_digest: str
    offer_json: str
    ballot: Ballot
    vms: tuple[AdoptedVm, ...]


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a workload became."""

    key: str
    number: str


class Adoptions:
    """Taking in what stands there."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def adopt(self, wanted: Sequence[Adoption], actor: Actor) -> tuple[Adopted, ...]:
        """All of them, or none, in order.

        Raises Refused: `ledger.unreconciled` after a restore, `ledger.name-taken`,
        `ledger.vmid-known`, `ledger.uid-known`, `ledger.address-given`, `ledger.mac-given` where
        somebody else was faster, or has it since.
        """
        with self._audit.deed(actor) as deed:
            found.require_reconciled(deed.connection)
            return tuple(self._one(deed, one) for one in wanted)

    def _one(self, deed: Deed, one: Adoption) -> Adopted:
        spec, connection = one.spec, deed.connection
        refuse_taken_name(connection, spec.opd, spec.name)
        same = (requests.c.opd == spec.opd) & (requests.c.name == spec.name)
        if connection.scalar(select(requests.c.number).where(same)) is not None:
            raise Refused("ledger.name-taken", key=spec.key)
        number = numbers.next_number(connection, deed.now.year)
        state = after(REQUEST, RequestState.SUBMITTED, RequestEvent.ADOPT, number)
        deed.insert(
            requests,
            {
                "number": number,
                "opd": spec.opd,
                "name": spec.name,
                "revision": 1,
                "state": state.value,
                "updated_at": deed.now,
            },
        )
        write_revision(deed, number, spec, one.source_text)
        about = itself(
            connection.execute(select(requests).where(requests.c.number == number)).one()
        )
        note_decision(deed, about, one.offer_digest, one.ballot, {})
        write_approval(deed, about, one.offer_digest, one.offer_json, deed.now)
        quota.take(deed, spec.opd, number, {f"{spec.key}/{vm.member}": vm.usage for vm in one.vms})
        deed.record(
            "request.adopt",
            spec.opd,
            number,
            key=spec.key,
            revision=1,
            state=state.value,
            spec_hash=spec.spec_hash,
            offer_digest=one.offer_digest,
            cluster=one.cluster,
            **one.ballot.details,
        )
        for vm in one.vms:
            self._vm(deed, one, number, vm)
        return Adopted(spec.key, number)

    def _vm(self, deed: Deed, one: Adoption, number: str, vm: AdoptedVm) -> None:
        connection, key = deed.connection, f"{one.spec.key}/{vm.member}"
        _require_new(deed, one.cluster, vm)
        uid = vm.uid or self._store.entropy.uid()
        state = after(INSTANCE, InstanceState.PLANNED, InstanceEvent.ADOPT, key)
        name = vm.name or f"{one.spec.opd}-{one.spec.name}-{vm.member}"
        deed.insert(
            instances,
            {
                "uid": uid,
                "key": key,
                "opd": one.spec.opd,
                "number": number,
                "member": vm.member,
                "name": _free_name(deed, name, uid),
                "cluster": one.cluster,
                "vmid": vm.vmid,
                "role": PRIMARY,
                "state": state.value,
                "node": vm.node,
                "storages": json.dumps(dict(vm.storages), sort_keys=True),
                "targets": json.dumps(list(vm.targets)),
                "slots": json.dumps(_slots(vm.facts), sort_keys=True),
                "active_since": deed.now,
                "updated_at": deed.now,
            },
        )
        deed.insert(adoptions, {"uid": uid, "facts": _text(vm.facts), "at": deed.now})
        for nic in vm.nics:
            if connection.scalar(select(func.count()).where(nics.c.mac == nic.mac)):
                raise Refused("ledger.mac-given", mac=nic.mac, vmid=vm.vmid, cluster=one.cluster)
            card = {"uid": uid, "slot": nic.slot, "network": nic.network, "mac": nic.mac}
            deed.insert(nics, card)
            if nic.address is not None:
                _give(deed, uid, nic, nic.address)
        if not vm.running:  # as it was found; `vm start` ends it
            stop = {"uid": uid, "person": deed.actor.name, "reason": _STOPPED}
            deed.insert(stops, {**stop, "since": deed.now})
        here = (found_table.c.cluster == one.cluster) & (found_table.c.vmid == vm.vmid)
        connection.execute(delete(found_table).where(here))
        seen = (sightings.c.cluster == one.cluster) & (sightings.c.vmid == vm.vmid)
        connection.execute(delete(sightings).where(seen))
        deed.record(
            "instance.adopt",
            one.spec.opd,
            key,
            uid=uid,
            number=number,
            cluster=one.cluster,
            vmid=vm.vmid,
            name=vm.name,
        )


def _require_new(deed: Deed, cluster: str, vm: AdoptedVm) -> None:
    there = (instances.c.cluster == cluster) & (instances.c.vmid == vm.vmid)
    lives = instances.c.state != InstanceState.PURGED.value
    if deed.connection.scalar(select(func.count()).where(there, lives)):
        raise Refused("ledger.vmid-known", vmid=vm.vmid, cluster=cluster)
    if vm.uid and deed.connection.scalar(select(func.count()).where(instances.c.uid == vm.uid)):
        raise Refused("ledger.uid-known", vmid=vm.vmid, cluster=cluster, uid=vm.uid)


def _give(deed: Deed, uid: str, nic: AdoptedNic, address: str) -> None:
    same = (addresses.c.pool == nic.network) & (addresses.c.address == address)
    if deed.connection.scalar(select(func.count()).where(same)):
        raise Refused("ledger.address-given", address=address, network=nic.network)
    given = {"pool": nic.network, "address": address, "uid": uid, "slot": nic.slot}
    deed.insert(addresses, given)


def _free_name(deed: Deed, name: str, uid: str) -> str:
    """PVE does not mind two VMs of one name; a reader of ours would."""
    lives = instances.c.state != InstanceState.PURGED.value
    used = select(func.count()).where(lives)
    if not deed.connection.scalar(used.where(instances.c.name == name)):
        return name
    return f"{name}-{uid[:8]}"


def _slots(facts: AsFound) -> Mapping[str, int]:
    """Disk name → the number of its scsi slot, so that a new disk gets one that is free."""
    return {
        name: int(slot.removeprefix("scsi")) if slot.startswith("scsi") else _ELSEWHERE + number
        for number, (name, slot) in enumerate(facts.disks)
    }


def _text(facts: AsFound) -> str:
    return json.dumps(asdict(facts), sort_keys=True, ensure_ascii=False)
