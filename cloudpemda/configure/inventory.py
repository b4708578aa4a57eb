"""An inventory read as data: every server with its variables, and all that is wrong with it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard
from urllib.parse import urlsplit

from cloudpemda.configure.reading import Read, read_beside, read_hosts
from cloudpemda.configure.roles import BACKUP_SERVERS, CLUSTERS, DESK, kind_of
from cloudpemda.configure.variables import NEEDED, NEEDED_BACKUP_SERVER, NEEDED_DESK
from cloudpemda.document import DocumentPath, Source
from cloudpemda.document.source import in_order
from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.site import Site

_NEEDED = MappingProxyType(
    {CLUSTERS: NEEDED, BACKUP_SERVERS: NEEDED_BACKUP_SERVER, DESK: NEEDED_DESK}
)
"""Kind of servers → the variables that each must have."""


@dataclass(frozen=True)
class _Said:
    """Variables said at one place."""

    source: Source
    at: DocumentPath
    values: Mapping[str, object]

    def fault(self, code: str, name: str | None = None, /, **values: str) -> Fault:
        at = self.at if name is None else (*self.at, name)
        return self.source.fault(code, at, at_key=False, **values)


@dataclass(frozen=True)
class Host:
    """One server; `said` from the farthest place to the nearest, which counts."""

    name: str
    group: str
    said: tuple[_Said, ...] = field(repr=False)

    def get(self, name: str) -> object:
        found = self.where(name)
        return found.values[name] if found else None

    def where(self, name: str) -> _Said | None:
        """The place that counts for a variable."""
        return next((one for one in reversed(self.said) if name in one.values), None)

    def text(self, name: str) -> str:
        found = self.get(name)
        return found if isinstance(found, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.get(name)
        return tuple(filter(_is_text, found)) if isinstance(found, tuple) else ()


@dataclass(frozen=True)
class Inventory:
    """`hosts` by group: the site's clusters (with `_` for `-`), `backup_servers` and `desk`, in
    the order in which they need each other."""

    directory: Path
    hosts: Mapping[str, tuple[Host, ...]]
    sealed: tuple[Path, ...] = ()  # files that only a vault's password opens

    @property
    def names(self) -> frozenset[str]:
        return frozenset(host.name for several in self.hosts.values() for host in several)


def group_of(cluster: str) -> str:
    """The group of a cluster: Ansible takes no `-` in a group's name."""
    return cluster.replace("-", "_")


def load_inventory(site: Site) -> Inventory:
    """The site's inventory. Raises InvalidInput with every fault of its files."""
    inventory, faults = check_inventory(site)
    if inventory is None or faults:
        raise InvalidInput(faults)
    return inventory


def check_inventory(site: Site) -> tuple[Inventory | None, tuple[Fault, ...]]:
    """Everything that is missing or wrong in `ansible/`, by file and place."""
    directory = site.directory / "ansible"
    file = directory / "hosts.yaml"
    if not file.is_file():
        return None, (Fault("configure.no-inventory", {"file": str(file)}),)
    faults: list[Fault] = []
    source, shaped = read_hosts(file, faults)
    beside = read_beside(directory, faults)
    if not isinstance(source.get("all", "children"), dict):
        return None, in_order(faults)  # no group of it can be read
    hosts = _hosts(source, beside)
    sealed = tuple(file for several in beside.sealed.values() for file in several)
    inventory = Inventory(directory, MappingProxyType(hosts), sealed)
    faults += _groups(site, source, inventory, beside)
    for cluster in site.info.clusters:
        faults += _judged(site, cluster, hosts.get(group_of(cluster), ()))
    faults += _apart(site, hosts)
    for group, several in hosts.items():
        if beside.sound:  # else what is missing may stand where nothing could be read
            faults += _missing(directory, group, several)
        if group == DESK:
            faults += [fault for host in several for fault in _program(directory, host)]
    return inventory if shaped else None, in_order(dict.fromkeys(faults))


def _hosts(source: Source, beside: Read) -> dict[str, tuple[Host, ...]]:
    """Each server with the places that speak of it, as Ansible weighs them."""

    def said_in(kind: str, name: str) -> Iterator[_Said | None]:
        return (_said(one, ()) for one in beside.said.get((kind, name), ()))

    found: dict[str, tuple[Host, ...]] = {}
    children = source.get("all", "children")
    for group, said in children.items() if isinstance(children, dict) else ():
        if not isinstance(group, str):
            continue  # told by its place
        several = []
        listed = said.get("hosts") if isinstance(said, dict) else None
        for name in filter(_is_text, listed if isinstance(listed, dict) else ()):
            places = [
                _said(source, ("all", "vars")),
                *said_in("group_vars", "all"),
                _said(source, ("all", "children", group, "vars")),
                *said_in("group_vars", group),
                _said(source, ("all", "children", group, "hosts", name)),
                *said_in("host_vars", name),
            ]
            several.append(Host(name, group, tuple(one for one in places if one is not None)))
        found[group] = tuple(several)
    order = (BACKUP_SERVERS, CLUSTERS, DESK)
    return {group: found[group] for group in sorted(found, key=lambda g: order.index(kind_of(g)))}


def _said(source: Source, at: DocumentPath) -> _Said | None:
    values = source.get(*at)
    if not isinstance(values, dict):
        return None
    return _Said(source, at, {key: value for key, value in values.items() if value is not None})


def _groups(site: Site, source: Source, inventory: Inventory, beside: Read) -> Iterator[Fault]:
    """A group per cluster and none that nobody plays; files of nobody."""
    wanted = {group_of(name): name for name in site.info.clusters}
    children: DocumentPath = ("all", "children")
    for group, cluster in wanted.items():
        if not inventory.hosts.get(group):
            yield source.fault("configure.no-group", children, group=group, cluster=cluster)
    for group in inventory.hosts:
        if group not in wanted and kind_of(group) == CLUSTERS:
            known = ", ".join((*wanted, BACKUP_SERVERS, DESK))
            at = (*children, group)
            yield source.fault("configure.group", at, at_key=True, group=group, known=known)
    for kind, name in sorted({*beside.said, *beside.sealed}):
        known_names = {"all", *inventory.hosts} if kind == "group_vars" else inventory.names
        if name not in known_names:
            for file in beside.said.get((kind, name), ()):
                yield file.fault("configure.file-of-nobody", (), name=name)
            for closed in beside.sealed.get((kind, name), ()):
                yield Fault("configure.file-of-nobody", {"name": name}, str(closed))


def _missing(directory: Path, group: str, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    """What has no default that could be right, at the place where it would be said: beside the
    host, or once for all of the group."""
    for name in _NEEDED[kind_of(group)]:
        without = [host for host in hosts if host.where(name) is None]
        if name == "ansible_host":
            without = [one for one in without if one.text("ansible_connection") != "local"]
        if not name.startswith(("node_", "ansible_")):
            if without:
                values = {"name": name, "host": ", ".join(host.name for host in without)}
                yield Fault("configure.missing", values, str(directory / _home(name, group)))
            continue
        for host in without:
            values = {"name": name, "host": host.name}
            own = next((one for one in host.said if host.name in one.at), None)
            if own is not None:
                yield own.fault("configure.missing", **values)
            else:
                yield Fault("configure.missing", values, str(directory / "hosts.yaml"))


def _program(directory: Path, host: Host) -> Iterator[Fault]:
    """Where the desk's machine gets the program from."""
    sources = ("cloudpemda_wheel", "cloudpemda_wheels", "cloudpemda_package")
    if not any(host.text(name) for name in sources):
        place = str(directory / f"group_vars/{DESK}.yaml")
        yield Fault("configure.no-program", {"host": host.name}, place)
    for name in ("cloudpemda_wheel", "cloudpemda_constraints"):
        said, at = host.text(name), host.where(name)
        if at is not None and said and "{{" not in said and not _is_file(said):
            yield at.fault("configure.no-file", name, name=name, file=said)


def _is_file(path: str) -> bool:
    """Relative paths would be looked for beside the playbooks."""
    return Path(path).is_absolute() and Path(path).is_file()


def _home(name: str, group: str) -> str:
    """Where a variable of a whole group is said: what differs by cluster, beside its group."""
    whole = name.startswith("site_") and name != "site_gateway"
    return "group_vars/all.yaml" if whole else f"group_vars/{group}.yaml"


def _apart(site: Site, hosts: Mapping[str, tuple[Host, ...]]) -> Iterator[Fault]:
    """One server stands in one group, and no two of the clusters at one address."""
    seen: dict[str, str] = {}
    reached: dict[str, str] = {}
    clusters = {group_of(cluster) for cluster in site.info.clusters}
    for group, several in hosts.items():
        for host in several:
            own = next((one for one in host.said if host.name in one.at), host.said[-1])
            if host.name in seen:
                groups = f"{seen[host.name]}, {group}"
                yield own.fault("configure.host-twice", host=host.name, groups=groups)
            seen.setdefault(host.name, group)
            address, at = host.text("ansible_host"), host.where("ansible_host")
            if group not in clusters or not address or at is None:
                continue
            if reached.setdefault(address, group) != group:
                yield at.fault("configure.taken", "ansible_host", value=address, host=host.name)


def _judged(site: Site, cluster: str, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    """What single values cannot say: that they fit each other and the site."""
    for host in hosts:
        yield from _of_host(site, host)
    for name in ("ansible_host", "node_address", "node_rings"):
        seen: Counter[str] = Counter()
        for host in hosts:
            own = host.texts(name) or ((host.text(name),) if host.text(name) else ())
            for value in own:
                seen[value] += 1
                where = host.where(name)
                if seen[value] == 2 and where is not None:
                    yield where.fault("configure.taken", name, value=value, host=host.name)
    counts = {len(host.texts("node_rings")) for host in hosts} - {0}
    if len(counts) > 1:
        where = hosts[0].where("node_rings")
        if where is not None:
            yield where.fault("configure.rings-differ", "node_rings", cluster=cluster)
    if len(hosts) > 2 and len(hosts) % 2 == 0 and not any(h.text("cluster_qdevice") for h in hosts):
        yield hosts[-1].said[-1].fault("configure.qdevice", cluster=cluster, count=str(len(hosts)))
    yield from _endpoints(site, cluster, hosts)


def _of_host(site: Site, host: Host) -> Iterator[Fault]:
    zone, at_zone = host.text("site_zone"), host.where("site_zone")
    if at_zone is not None and zone and zone != site.info.site.zone:
        values = {"zone": zone, "site": site.info.site.zone}
        yield at_zone.fault("configure.zone", "site_zone", **values)
    address, at_gateway = host.text("node_address"), host.where("site_gateway")
    if at_gateway is not None and _sound(address):
        gateway, network = host.text("site_gateway"), IPv4Interface(address).network
        if gateway and _is_address(gateway) and IPv4Address(gateway) not in network:
            values = {"gateway": gateway, "network": str(network), "host": host.name}
            yield at_gateway.fault("configure.gateway", "site_gateway", **values)
        if gateway == str(IPv4Interface(address).ip):
            yield at_gateway.fault("configure.gateway-own", "site_gateway", host=host.name)
    yield from _cards(host)
    links = host.get("node_links")
    own = {
        str(IPv4Interface(str(link.get("address"))).ip)
        for link in (links if isinstance(links, tuple) else ())
        if isinstance(link, dict) and _sound(str(link.get("address")))
    } | ({str(IPv4Interface(address).ip)} if _sound(address) else set())
    at_rings = host.where("node_rings")
    for ring in host.texts("node_rings"):
        if at_rings is not None and own and _is_address(ring) and ring not in own:
            yield at_rings.fault("configure.ring", "node_rings", ring=ring, host=host.name)


def _cards(host: Host) -> Iterator[Fault]:
    """Each card does one thing: it is below the bridge, or one link."""
    links, at = host.get("node_links"), host.where("node_links")
    ports = set(host.texts("node_ports"))
    for link in links if isinstance(links, tuple) else ():
        name = link.get("name") if isinstance(link, dict) else None
        if isinstance(name, str):
            if name in ports and at is not None:
                yield at.fault("configure.card-twice", "node_links", card=name, host=host.name)
            ports.add(name)


def _endpoints(site: Site, cluster: str, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    """Every endpoint of site.yaml is one of the cluster's servers."""
    endpoints = site.info.clusters[cluster].endpoints
    if isinstance(endpoints, str) or not hosts:
        return
    known = {host.name for host in hosts} | {host.text("ansible_host") for host in hosts}
    known |= {host.text("node_address").partition("/")[0] for host in hosts}
    for url in endpoints:
        name = urlsplit(url).hostname or ""
        if name not in known and name.partition(".")[0] not in known:
            values = {"endpoint": url, "cluster": cluster, "group": group_of(cluster)}
            yield Fault("configure.endpoint", values, str(site.directory / "site.yaml"))


def _sound(text: str) -> bool:
    try:
        return "/" in text and bool(IPv4Interface(text))
    except ValueError:
        return False


def _is_text(value: object) -> TypeGuard[str]:
    """What may stand there instead has been told by its place."""
    return isinstance(value, str)


def _is_address(text: str) -> bool:
    try:
        return bool(IPv4Address(text))
    except ValueError:
        return False
