"""Addresses: who has which, for what and by which letter; what rests, and what strangers use."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, UsageError, worst
from cloudpemda.ledger import Actor, RequestRecord, Sighting
from cloudpemda.ledger.vm_records import PUBLIC
from cloudpemda.report.standing import Finding
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk, require_opd

_ADDRESS = re.compile(r"(?:^|,)ip=(\d{1,3}(?:\.\d{1,3}){3})(?:/\d{1,2})?(?:,|$)")
_IPCONFIG = re.compile(r"ipconfig\d+")


@dataclass(frozen=True)
class AddressLine:
    """One address that somebody has or had. `pool` is a network's name or `@public`."""

    pool: str
    address: str
    state: Literal["given", "resting", "seen"]
    opd: str | None
    vm: str  # the instance; of a stranger, its name in PVE
    purpose: str | None = None
    letter: str | None = None
    since: Instant | None = None
    where: str | None = None  # of a stranger: cluster/VMID


@dataclass(frozen=True)
class PoolLine:
    """How many addresses of one pool are left. `reserved` includes gateway and name servers."""

    pool: str
    cidr: str
    hosts: int
    reserved: int
    given: int
    resting: int
    seen: int

    @property
    def free(self) -> int:
        return self.hosts - self.reserved - self.given - self.resting - self.seen


@dataclass(frozen=True)
class Addresses:
    """The addresses that the person may see, the pools, and addresses that two claim."""

    lines: tuple[AddressLine, ...]
    pools: tuple[PoolLine, ...]
    findings: tuple[Finding, ...]
    code: ExitCode

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(one.fault for one in self.findings)


def addresses(
    desk: Desk,
    *,
    pool: str | None = None,
    opd: str | None = None,
    check: bool = False,
) -> Addresses:
    """What the ledger knows of addresses; with `check`, after a look at the clusters (operators).

    Raises Refused `desk.scope`, UsageError `look.opd`, or `ip.pool` for a network that the site
    has not.
    """
    scope = desk.scope()
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    pools = _pools(desk)
    if pool is not None and pool not in pools:
        raise UsageError("ip.pool", pool=pool, known=", ".join(sorted(pools)))
    errors: tuple[CloudpemdaError, ...] = ()
    if check:
        errors = note_strangers(desk, desk.act("operator"))
    everything = tuple(_lines(desk, pools))
    found = tuple(conflicts(desk))
    return Addresses(
        lines=tuple(
            line
            for line in everything
            if pool in (None, line.pool)
            and (scope.opds is None if line.opd is None else scope.covers(line.opd))
            and (opd is None or line.opd == opd)
        ),
        pools=tuple(
            _pool_line(name, about, everything)
            for name, about in sorted(pools.items())
            if pool in (None, name) and scope.opds is None and opd is None
        ),
        findings=(
            *(one for one in found if one.opd is not None and scope.covers(one.opd)),
            *(Finding(None, fault) for error in errors for fault in error.faults),
        ),
        code=worst([*(e.exit_code for e in errors), *([ExitCode.FINDINGS] if found else [])]),
    )


def note_strangers(desk: Desk, actor: Actor) -> tuple[CloudpemdaError, ...]:
    """Note which of the site's addresses are configured in VMs that the ledger does not know.

    One request per such VM. A cluster that cannot be read whole keeps what was noted; answers
    with why. Addresses that a guest gave itself inside are not seen: PVE does not know them.
    """
    errors: list[CloudpemdaError] = []
    for cluster in desk.site.info.clusters:
        given = desk.ledger.instances.list(cluster=cluster, copies=True)
        own = {record.vmid for record in given}

        def foreign(vm: Vm, own: set[int] = own) -> bool:
            return vm.vmid not in own and not vm.template and not vm.container

        try:
            state = desk.cluster(cluster).snapshot(also=foreign, images=False)
        except CloudpemdaError as error:
            errors.append(error)
            continue
        note_sightings(desk, state, actor)
    return tuple(errors)


def note_sightings(desk: Desk, state: ClusterState, actor: Actor) -> None:
    """The same of a cluster that was read with the configurations of strangers."""
    if all(node.answers for node in state.nodes.values()):
        given = desk.ledger.instances.list(cluster=state.name, copies=True)
        own = {record.vmid for record in given}
        prefixes = [IPv4Network(about.cidr) for about in _pools(desk).values()]
        desk.ledger.addresses.note(state.name, tuple(_sightings(state, own, prefixes)), actor)


def conflicts(desk: Desk) -> Iterator[Finding]:
    """Addresses that an instance has and that were seen on somebody else's VM."""
    given = {one.address: one for one in desk.ledger.addresses.given()}
    for seen in desk.ledger.addresses.sightings():
        own = given.get(seen.address)
        if own is not None:
            values = {"address": seen.address, "vm": own.key, "cluster": seen.cluster}
            values |= {"vmid": str(seen.vmid), "name": seen.name}
            yield Finding(own.opd, Fault("ip.conflict", values))


@dataclass(frozen=True)
class _About:
    cidr: str
    opd: str | None
    barred: tuple[tuple[IPv4Address, IPv4Address], ...]


def _pools(desk: Desk) -> Mapping[str, _About]:
    info = desk.site.info
    found: dict[str, _About] = {}
    for name, network in info.networks.items():
        single = (network.gateway_address, *map(IPv4Address, network.nameservers))
        barred = (*network.reserved_ranges, *((one, one) for one in single))
        found[name] = _About(network.cidr, network.opd, barred)
    if info.public_addresses is not None:
        public = info.public_addresses
        found[PUBLIC] = _About(public.cidr, None, public.reserved_ranges)
    return found


def _pool_line(name: str, about: _About, lines: tuple[AddressLine, ...]) -> PoolLine:
    own = [line for line in lines if line.pool == name]
    hosts = list(IPv4Network(about.cidr).hosts())
    barred = {host for host in hosts if any(low <= host <= high for low, high in about.barred)}
    given = {line.address for line in own if line.state == "given"}
    resting = {line.address for line in own if line.state == "resting"} - given
    seen = {line.address for line in own if line.state == "seen"} - given - resting
    return PoolLine(
        pool=name,
        cidr=about.cidr,
        hosts=len(hosts),
        reserved=len(barred),
        given=len(given),
        resting=len(resting),
        seen=sum(IPv4Address(one) not in barred for one in seen),
    )


def _lines(desk: Desk, pools: Mapping[str, _About]) -> Iterator[AddressLine]:
    requests = {record.number: record for record in desk.ledger.requests.list()}
    for one in desk.ledger.addresses.given():
        request: RequestRecord = requests[one.number]
        letter = request.spec.letter
        yield AddressLine(
            one.pool, one.address, "given", one.opd, one.key,
            purpose=request.spec.purpose, letter=f"{letter.number} ({letter.date})",
            since=one.since,
        )  # fmt: skip
    taken = {(one.pool, one.address) for one in desk.ledger.addresses.given()}
    rest = desk.site.info.defaults.address_rest
    for old in desk.ledger.addresses.resting():
        over = (desk.clock.now() - old.released_at).total_seconds() >= rest
        if not over and (old.pool, old.address) not in taken:
            yield AddressLine(
                old.pool, old.address, "resting", old.opd, old.key, since=old.released_at
            )
    for seen in desk.ledger.addresses.sightings():
        for name, about in pools.items():
            if IPv4Address(seen.address) in IPv4Network(about.cidr):
                where = f"{seen.cluster}/{seen.vmid}"
                yield AddressLine(name, seen.address, "seen", about.opd, seen.name, where=where)


def _sightings(
    state: ClusterState, own: set[int], prefixes: list[IPv4Network]
) -> Iterator[Sighting]:
    for vm in state.vms.values():
        if vm.vmid in own or vm.config is None:
            continue
        texts = [text for key, text in vm.config.raw.items() if _IPCONFIG.fullmatch(key)]
        for text in sorted(set(texts)):
            found = _ADDRESS.search(text)
            try:
                address = IPv4Address(found[1]) if found else None
            except ValueError:
                continue
            if address is not None and any(address in prefix for prefix in prefixes):
                yield Sighting(state.name, str(address), vm.vmid, vm.name)
