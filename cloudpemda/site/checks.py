"""What the files of a site say of each other: names that must exist, ranges that must not meet.

Each check compares only files that are sound by themselves, so that one broken file does not
make the names it would have given look unknown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Generic, TypeVar

from cloudpemda.document import DocumentPath, Source
from cloudpemda.document.fields import Strict
from cloudpemda.errors import Fault
from cloudpemda.site.approvals import ApprovalRule, AutomaticRule, Delegation, QuotaRule
from cloudpemda.site.away import of_classes, of_servers
from cloudpemda.site.models import (
    Catalogue,
    Network,
    OpdFile,
    PeopleFile,
    Person,
    Quota,
    SiteFile,
)

M = TypeVar("M", bound=Strict)


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """One file: its text with positions, and its model unless it has faults."""

    source: Source
    model: M | None

    @property
    def sound(self) -> M:
        assert self.model is not None  # noqa: S101 - asked for only after no fault was found
        return self.model


@dataclass(frozen=True, slots=True)
class Files:
    """A whole site directory as read; `opds` by file stem."""

    site: Read[SiteFile]
    catalogue: Read[Catalogue]
    people: Read[PeopleFile]
    opds: Mapping[str, Read[OpdFile]]

    @property
    def sound_opds(self) -> dict[str, tuple[Source, OpdFile]]:
        return {
            stem: (read.source, read.model)
            for stem, read in self.opds.items()
            if read.model is not None
        }


def compare(files: Files) -> Iterator[Fault]:
    """Every fault that shows only when files are laid side by side."""
    yield from _opds(files)
    yield from _people(files)
    if files.site.model is None:
        return
    source, site = files.site.source, files.site.model
    yield from _clusters(source, site)
    yield from of_servers(source, site)
    yield from _channels(source, site)
    yield from _approvals(source, site, files)
    yield from _pve_users(source, site, files)
    yield from _quotas(files, source, site)
    yield from _networks(source, site, files)
    if files.catalogue.model is not None:
        yield from _catalogue(files.catalogue.source, files.catalogue.model, site)
        yield from of_classes(files.catalogue.source, files.catalogue.model, site)


def _channels(source: Source, site: SiteFile) -> Iterator[Fault]:
    """What was told is kept by a channel's name: two of one name would each be told half."""
    first: dict[str, int] = {}
    for number, channel in enumerate(site.notify):
        at = first.setdefault(channel.name, number)
        if at != number:
            line, _ = source.place(("notify", at, "name"))
            yield source.fault(
                "site.channel-twice", ("notify", number, "name"), name=channel.name, line=line
            )


# -- OPDs ------------------------------------------------------------------------------------
def _opds(files: Files) -> Iterator[Fault]:
    opds = files.sound_opds
    for stem, (source, file) in opds.items():
        if file.opd.code != stem:
            yield source.fault("site.opd-file-name", ("opd", "code"), code=file.opd.code)
        parent = file.opd.parent
        if parent is not None and parent not in files.opds:
            yield _unknown(source, ("opd", "parent"), "opd", parent, files.opds)
        elif parent is not None and _is_own_ancestor(stem, opds):
            yield source.fault("site.parent-cycle", ("opd", "parent"), code=stem)
        yield from _allowed(files, source, file)
    for (_, (_, one)), (_, (source, other)) in combinations(opds.items(), 2):
        mine, its = one.opd.vmid_range, other.opd.vmid_range
        if mine.start < its.stop and its.start < mine.stop:
            yield source.fault(
                "site.vmids-overlap",
                ("opd", "vmids"),
                vmids=other.opd.vmids,
                other=one.opd.code,
                others=one.opd.vmids,
            )
        if one.opd.pool == other.opd.pool:
            yield source.fault(
                "site.equal-pools", ("opd", "pool"), pool=other.opd.pool, other=one.opd.code
            )


def _is_own_ancestor(code: str, opds: Mapping[str, tuple[Source, OpdFile]]) -> bool:
    seen: set[str] = set()
    above = opds[code][1].opd.parent
    while above is not None and above in opds and above not in seen:
        if above == code:
            return True
        seen.add(above)
        above = opds[above][1].opd.parent
    return False


def _allowed(files: Files, source: Source, file: OpdFile) -> Iterator[Fault]:
    if files.catalogue.model is not None:
        known = files.catalogue.model.service_classes
        for index, name in enumerate(file.allow.service_classes):
            if name not in known:
                place: DocumentPath = ("allow", "serviceClasses", index)
                yield _unknown(source, place, "service-class", name, known)
    if files.site.model is not None:
        networks = files.site.model.networks
        for index, name in enumerate(file.allow.networks):
            if name not in networks:
                yield _unknown(source, ("allow", "networks", index), "network", name, networks)


# -- people ----------------------------------------------------------------------------------
def _people(files: Files) -> Iterator[Fault]:
    if files.people.model is None:
        return
    source = files.people.source
    logins: dict[str, int] = {}
    nips: dict[str, int] = {}
    for index, person in enumerate(files.people.model.people):
        if person.login in logins:
            line = source.place(("people", logins[person.login], "login"))[0]
            yield source.fault(
                "site.equal-logins", ("people", index, "login"), login=person.login, line=line
            )
        elif person.nip in nips:
            line = source.place(("people", nips[person.nip], "nip"))[0]
            yield source.fault(
                "site.equal-nips", ("people", index, "nip"), login=person.login, line=line
            )
        logins.setdefault(person.login, index)
        if person.nip is not None:
            nips.setdefault(person.nip, index)
        for number, grant in enumerate(person.roles):
            if grant.opd is not None and grant.opd not in files.opds:
                place = ("people", index, "roles", number, "opd")
                yield _unknown(source, place, "opd", grant.opd, files.opds)
    yield from _delegations(source, files.people.model, files.opds)


def _delegations(source: Source, file: PeopleFile, opds: Iterable[str]) -> Iterator[Fault]:
    people = {person.login: person for person in file.people}
    for index, one in enumerate(file.delegations):
        here: DocumentPath = ("delegations", index)
        for key, login in (("from", one.from_), ("to", one.to)):
            if login not in people:
                yield _unknown(source, (*here, key), "login", login, people)
        if one.opd is not None and one.opd not in opds:
            yield _unknown(source, (*here, "opd"), "opd", one.opd, opds)
        if one.from_ == one.to:
            yield source.fault("site.delegation-self", (*here, "to"), login=one.to)
        elif one.from_ in people and not _holds(people[one.from_], one):
            # Whoever only stands in for somebody cannot pass that on.
            passed_on = any(
                (other.to, other.role) == (one.from_, one.role) for other in file.delegations
            )
            yield source.fault(
                "site.delegation-passed-on" if passed_on else "site.delegation-role",
                (*here, "from"),
                login=one.from_,
                role=one.role,
                opd=one.opd or "*",
            )


def _holds(person: Person, delegation: Delegation) -> bool:
    """Whether the person has, in their own right, the role that is passed on."""
    return any(
        grant.role == delegation.role and (grant.opd is None or delegation.opd in (None, grant.opd))
        for grant in person.roles
    )


# -- approvals -------------------------------------------------------------------------------
def _approvals(source: Source, site: SiteFile, files: Files) -> Iterator[Fault]:
    approvals, seen = site.approvals, set[str]()
    named: Mapping[str, Iterable[ApprovalRule | AutomaticRule | QuotaRule]] = {
        "rules": approvals.rules,
        "automatic": approvals.automatic,
        "quota": approvals.quota,
    }
    for kind, rules in named.items():
        for index, rule in enumerate(rules):
            here: DocumentPath = ("approvals", kind, index)
            if rule.name in seen:
                yield source.fault("site.equal-rules", (*here, "name"), name=rule.name)
            seen.add(rule.name)
            for number, opd in enumerate(rule.when.opd or ()):
                if opd not in files.opds:
                    yield _unknown(source, (*here, "when", "opd", number), "opd", opd, files.opds)
            if isinstance(rule, QuotaRule):
                continue
            known = files.catalogue.model.service_classes if files.catalogue.model else None
            for number, name in enumerate(rule.when.service_class or ()):
                if known is not None and name not in known:
                    place = (*here, "when", "serviceClass", number)
                    yield _unknown(source, place, "service-class", name, known)


# -- clusters and quotas ---------------------------------------------------------------------
def _clusters(source: Source, site: SiteFile) -> Iterator[Fault]:
    if all(cluster.role != "production" for cluster in site.clusters.values()):
        yield source.fault("site.no-production", ("clusters",))
    for name, cluster in site.clusters.items():
        if cluster.tls.ca is not None and cluster.tls.fingerprint is not None:
            yield source.fault("site.tls", ("clusters", name, "tls"))


def _pve_users(source: Source, site: SiteFile, files: Files) -> Iterator[Fault]:
    for login, opds in site.pve_users.users.items():
        for number, opd in enumerate(opds):
            if opd not in files.opds:
                place = ("pveUsers", "users", login, number)
                yield _unknown(source, place, "opd", opd, files.opds)


def _quotas(files: Files, source: Source, site: SiteFile) -> Iterator[Fault]:
    default = site.defaults.quota
    for dimension in ("instances", "vcpu", "memory", "backup", "public_ip"):
        if getattr(default, dimension) is None:
            yield source.fault("site.no-default", ("defaults", "quota"), dimension=dimension)
    for name in site.storage_classes:
        if name not in default.disk:
            place: DocumentPath = ("defaults", "quota", "disk")
            yield source.fault("site.no-default", place, dimension=f"disk.{name}")
    quotas: list[tuple[Source, DocumentPath, Quota]] = [
        (source, ("defaults", "quota", "disk"), default)
    ]
    quotas += [(text, ("quota", "disk"), file.quota) for text, file in files.sound_opds.values()]
    for text, place, quota in quotas:
        for name in quota.disk:
            if name not in site.storage_classes:
                yield _unknown(text, (*place, name), "storage-class", name, site.storage_classes)


# -- networks --------------------------------------------------------------------------------
def _networks(source: Source, site: SiteFile, files: Files) -> Iterator[Fault]:
    for name, network in site.networks.items():
        here: DocumentPath = ("networks", name)
        if network.opd not in files.opds:
            yield _unknown(source, (*here, "opd"), "opd", network.opd, files.opds)
        if network.recovery is not None and network.recovery not in site.networks:
            yield _unknown(source, (*here, "recovery"), "network", network.recovery, site.networks)
        if not _usable(network.gateway_address, network.prefix):
            yield source.fault(
                "site.gateway", (*here, "gateway"), gateway=network.gateway, cidr=network.cidr
            )
        yield from _reserved(source, here, network.reserved, network.reserved_ranges, network.cidr)
    public = site.public_addresses
    if public is not None:
        here = ("publicAddresses",)
        yield from _reserved(source, here, public.reserved, public.reserved_ranges, public.cidr)
        for name, network in site.networks.items():
            if network.prefix.overlaps(public.prefix):
                yield source.fault(
                    "site.cidr-overlap",
                    ("networks", name, "cidr"),
                    cidr=network.cidr,
                    other="publicAddresses",
                    others=public.cidr,
                )
    for (first, one), (second, other) in combinations(site.networks.items(), 2):
        if first != other.recovery and second != one.recovery:
            yield from _collision(source, (first, one), (second, other))


def _usable(address: IPv4Address, prefix: IPv4Network) -> bool:
    ends = (prefix.network_address, prefix.broadcast_address)
    return address in prefix and (prefix.num_addresses <= 2 or address not in ends)


def _reserved(
    source: Source,
    here: DocumentPath,
    texts: tuple[str, ...],
    ranges: tuple[tuple[IPv4Address, IPv4Address], ...],
    cidr: str,
) -> Iterator[Fault]:
    prefix = IPv4Network(cidr)
    for index, (text, ends) in enumerate(zip(texts, ranges, strict=True)):
        if any(end not in prefix for end in ends):
            place = (*here, "reserved", index)
            yield source.fault("site.reserved-outside", place, range=text, cidr=cidr)


def _collision(
    source: Source, first: tuple[str, Network], second: tuple[str, Network]
) -> Iterator[Fault]:
    """Two networks share nothing, except one and the network that stands in for it elsewhere."""
    (name, one), (here, other) = first, second
    if one.prefix.overlaps(other.prefix):
        yield source.fault(
            "site.cidr-overlap",
            ("networks", here, "cidr"),
            cidr=other.cidr,
            other=name,
            others=one.cidr,
        )
    if (one.attach, one.vlan) == (other.attach, other.vlan):
        key = "vlan" if other.vlan is not None else "bridge" if other.bridge else "vnet"
        yield source.fault(
            "site.vlan-overlap",
            ("networks", here, key),
            vlan=other.vlan if other.vlan is not None else "-",
            bridge=other.attach,
            other=name,
        )


# -- catalogue -------------------------------------------------------------------------------
def _catalogue(source: Source, catalogue: Catalogue, site: SiteFile) -> Iterator[Fault]:
    for image, places in catalogue.images.items():
        for cluster in places:
            if cluster not in site.clusters:
                place = ("images", image, cluster)
                yield _unknown(source, place, "cluster", cluster, site.clusters)
    backs_up = any(cluster.backup is not None for cluster in site.clusters.values())
    for name, service_class in catalogue.service_classes.items():
        if service_class.backup is not None and not backs_up:
            yield source.fault(
                "site.no-backup-storage", ("serviceClasses", name, "backup"), name=name
            )


def _unknown(
    source: Source, path: DocumentPath, kind: str, name: str, known: Iterable[str]
) -> Fault:
    """A name that nothing bears; `kind` picks the text."""
    at_key = kind in ("cluster", "storage-class")
    return source.fault(
        f"site.unknown-{kind}",
        path,
        at_key=at_key,
        name=name,
        known=", ".join(sorted(known)) or "-",
    )
