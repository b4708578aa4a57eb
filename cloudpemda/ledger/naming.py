"""Naming: uid, VMID, MAC and IP addresses and the name in PVE, chosen and recorded at once.

They are given in the transaction of whoever gives them, to members that have none; what a member
has it keeps. Two instances never share a VMID on a cluster, an address or a name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from types import MappingProxyType

from sqlalchemy import Row

from cloudpemda.clock import Entropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import grounds
from cloudpemda.ledger.addresses import rested_since, unavailable
from cloudpemda.ledger.audit import Deed
from cloudpemda.ledger.free import bounds_of, free_mac, free_name, lowest_vmid
from cloudpemda.ledger.orphans import resting_vmids
from cloudpemda.ledger.schema import addresses, instances, nics
from cloudpemda.ledger.states import InstanceState
from cloudpemda.ledger.vm_records import (
    PUBLIC,
    InstanceRecord,
    find_instance,
    instance_row,
    live_instance,
    record_of,
    say,
)
from cloudpemda.plan.model import PRIMARY
from cloudpemda.request.spec import NicSpec
from cloudpemda.site.models import Network, PublicAddresses

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
            own = find_instance(connection, f"{workload}/{want.member}")
            since = rested_since(self.deed.now, self.pools.vmid_rest)
            taken = frozenset(taken_vmids.get(want.cluster, ())) | resting_vmids(
                connection, want.cluster, since
            )
            if own is None:
                grounds.require_free(connection, [f"{workload}/{want.member}"])
                self._create(request, want, taken)
            elif own.cluster != want.cluster and own.state == InstanceState.PLANNED:
                give_vmid(self.deed, own, want.cluster, self.vmid_range, taken)
        return tuple(
            record_of(connection, live_instance(connection, f"{workload}/{want.member}"))
            for want in wanted
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


def give_vmid(
    deed: Deed, row: _Row, cluster: str, vmid_range: range, taken: frozenset[int]
) -> None:
    vmid = lowest_vmid(deed.connection, cluster, vmid_range, taken)
    deed.update(
        instances, instances.c.uid == row.uid, cluster=cluster, vmid=vmid, updated_at=deed.now
    )
    say(deed, row, "reclaim", cluster=cluster, vmid=vmid, instead_of=row.vmid)
