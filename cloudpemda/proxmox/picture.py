"""One picture of a cluster in few requests, and the age of what protects it.

A picture costs six requests and one per configuration; the first of a cluster of 8 that never used
HA costs one more, a vain question for rules. What a node or storage does not answer is marked
unknown, never left out.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from cloudpemda.cluster import (
    Backup,
    BackupJob,
    ClusterState,
    Freshness,
    HaFlavour,
    HaResource,
    HaRule,
    Node,
    ReplicationJob,
    ReplicationRun,
    Storage,
    Vm,
    VmConfig,
    VmStatus,
)
from cloudpemda.proxmox import nouns
from cloudpemda.proxmox.errors import BadAnswer, NodeOffline, NotFound, PveError, Unsupported
from cloudpemda.proxmox.rows import Row, row, rows
from cloudpemda.proxmox.transport import Transport
from cloudpemda.units import Instant

READERS = 4  # threads per picture: few enough for a node's three workers and its other users

_Asked = TypeVar("_Asked")
_Found = TypeVar("_Found")


def read_rows(
    transport: Transport, template: str, query: Mapping[str, str] | None = None, **parts: str | int
) -> list[Row]:
    answer = transport.get(template, query, **parts)
    return rows(template, answer, transport.bad_answer)


def read_config(transport: Transport, node: str, vmid: int, *, current: bool) -> VmConfig:
    template = "/nodes/{node}/qemu/{vmid}/config"
    query = {"current": "1"} if current else {}
    answer = transport.get(template, query, node=node, vmid=vmid)
    return nouns.vm_config(row(template, answer, transport.bad_answer))


def read_ha_rules(
    transport: Transport, flavour: HaFlavour | None, *, rules_first: bool
) -> tuple[HaFlavour, tuple[HaRule, ...]]:
    """The rules or groups, and which of both the cluster has: `flavour` if known, else probed.

    `rules_first` only decides what is asked first; a half-upgraded cluster answers for itself.
    """
    order = [HaFlavour.RULES, HaFlavour.GROUPS]
    if flavour is not None:
        order = [flavour]
    elif not rules_first:
        order.reverse()
    for found in order[:-1]:
        try:
            return found, _ha_rules(transport, found)
        except Unsupported:
            continue
    return order[-1], _ha_rules(transport, order[-1])


def _ha_rules(transport: Transport, flavour: HaFlavour) -> tuple[HaRule, ...]:
    if flavour is HaFlavour.RULES:
        return tuple(map(nouns.ha_rule, read_rows(transport, "/cluster/ha/rules")))
    return tuple(map(nouns.ha_group, read_rows(transport, "/cluster/ha/groups")))


def read_vnets(transport: Transport, node: str) -> frozenset[str]:
    """The SDN networks that are up on a node.

    The cluster lists what was asked for even where a node could not apply it and the task said OK
    (recorded on 8.4 and 9.2): the node's own word counts.
    """
    up = "available"
    found: set[str] = set()
    for zone in read_rows(transport, "/nodes/{node}/sdn/zones", node=node):
        if zone.text("status", "") == up:
            path = "/nodes/{node}/sdn/zones/{zone}/content"
            content = read_rows(transport, path, node=node, zone=zone.text("zone"))
            found |= {one.text("vnet") for one in content if one.text("status", "") == up}
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class HaStatus:
    """What the HA stack says of itself."""

    quorate: bool
    resources: Mapping[str, HaResource]  # by sid
    likely: HaFlavour  # a master that tells of fencing came with 9; no master tells nothing


def read_ha_status(transport: Transport) -> HaStatus:
    """Whether the cluster is quorate, and its managed resources."""
    found = read_rows(transport, "/cluster/ha/status/current")
    resources = [nouns.ha_resource(one) for one in _of(found, "service")]
    return HaStatus(
        quorate=any(one.flag("quorate") for one in _of(found, "quorum")),
        resources=MappingProxyType({one.sid: one for one in resources}),
        likely=HaFlavour.RULES
        if _of(found, "fencing") or not _of(found, "master")
        else HaFlavour.GROUPS,
    )


def read_replication_jobs(transport: Transport) -> tuple[ReplicationJob, ...]:
    return tuple(map(nouns.replication_job, read_rows(transport, "/cluster/replication")))


def read_backup_jobs(transport: Transport) -> tuple[BackupJob, ...]:
    found = read_rows(transport, "/cluster/backup")
    return tuple(
        map(nouns.backup_job, (job for job in found if job.text("type", "vzdump") == "vzdump"))
    )


def read_picture(
    transport: Transport,
    flavour: HaFlavour | None,
    taken_at: Instant,
    wanted: Callable[[Vm], bool],
    *,
    images: bool,
) -> ClusterState:
    """The cluster as it is now, with the configurations of the VMs that are `wanted`.

    Raises PveError where a part of the cluster as a whole fails.
    """
    with ThreadPoolExecutor(READERS) as readers:
        listing = readers.submit(read_rows, transport, "/cluster/resources")
        status = readers.submit(read_ha_status, transport)
        replication = readers.submit(read_replication_jobs, transport)
        backups = readers.submit(read_backup_jobs, transport)
        found = listing.result()
        nodes = {node.name: node for node in map(nouns.node, _of(found, "node"))}
        storages = tuple(map(nouns.storage, _of(found, "storage")))
        vms = _vms(transport, found, nodes, wanted, readers)
        known = _images(transport, nodes, storages, readers) if images else {}
        ha = status.result()
        flavour, ha_rules = read_ha_rules(
            transport, flavour, rules_first=ha.likely is HaFlavour.RULES
        )
        return ClusterState(
            name=transport.cluster,
            taken_at=taken_at,
            quorate=ha.quorate,
            ha_flavour=flavour,
            nodes=MappingProxyType(nodes),
            storages=storages,
            vms=MappingProxyType(vms),
            pools=frozenset(row.text("pool") for row in _of(found, "pool")),
            ha_resources=ha.resources,
            ha_rules=ha_rules,
            replication_jobs=replication.result(),
            backup_jobs=backups.result(),
            images=MappingProxyType(known),
        )


def _of(found: Iterable[Row], *kinds: str) -> list[Row]:
    return [row for row in found if row.text("type") in kinds]


def _answering(nodes: Mapping[str, Node], name: str) -> bool:
    node = nodes.get(name)
    return node is not None and node.answers


def _vms(
    transport: Transport,
    found: Iterable[Row],
    nodes: Mapping[str, Node],
    wanted: Callable[[Vm], bool],
    readers: ThreadPoolExecutor,
) -> dict[int, Vm]:
    """All guests, with the configurations asked for.

    A guest that PVE's statistics have not seen yet shows no sizes; its configuration is read too,
    so that nobody plans with a VM of 0 MiB.
    """
    vms = {vm.vmid: vm for vm in map(nouns.vm, _of(found, "qemu", "lxc"))}
    for vmid, vm in vms.items():
        if not _answering(nodes, vm.node):
            vms[vmid] = replace(vm, status=VmStatus.UNKNOWN)
    to_read = [
        vm
        for vm in vms.values()
        if not vm.container and (vm.memory == 0 or wanted(vm)) and _answering(nodes, vm.node)
    ]
    missing: list[Vm] = []
    for vm, config in zip(to_read, _each(readers, to_read, _config_reader(transport)), strict=True):
        if isinstance(config, NotFound):
            missing.append(vm)
        else:
            vms[vm.vmid] = _with_config(vm, config)
    if missing:
        vms.update(_moved(transport, missing, vms))
    return vms


def _config_reader(transport: Transport) -> Callable[[Vm], VmConfig]:
    return lambda vm: read_config(transport, vm.node, vm.vmid, current=False)


def _with_config(vm: Vm, config: VmConfig | PveError) -> Vm:
    if isinstance(config, PveError):
        return replace(vm, status=VmStatus.UNKNOWN)
    if vm.memory:
        return replace(vm, config=config)
    template = config.raw.get("template") == "1"
    return replace(
        vm,
        config=config,
        name=config.name,
        cores=config.cores,
        memory=config.memory,
        template=template,
    )


def _moved(transport: Transport, missing: Iterable[Vm], vms: dict[int, Vm]) -> dict[int, Vm]:
    """Guests that moved or went between the list and the read: located again, once."""
    again = {
        vm.vmid: vm
        for vm in map(
            nouns.vm, _of(read_rows(transport, "/cluster/resources", {"type": "vm"}), "qemu")
        )
    }
    found: dict[int, Vm] = {}
    for old in missing:
        vm = again.get(old.vmid)
        if vm is None:
            del vms[old.vmid]
            continue
        try:
            found[vm.vmid] = _with_config(
                vm, read_config(transport, vm.node, vm.vmid, current=False)
            )
        except PveError:
            found[vm.vmid] = replace(vm, status=VmStatus.UNKNOWN)
    return found


def _each(
    readers: ThreadPoolExecutor, asked: Iterable[_Asked], read: Callable[[_Asked], _Found]
) -> list[_Found | PveError]:
    """What each read found, or why not: one dead node must not break the loop over all."""

    def one(item: _Asked) -> _Found | PveError:
        try:
            return read(item)
        except PveError as error:
            return error

    return list(readers.map(one, asked))


def _images(
    transport: Transport,
    nodes: Mapping[str, Node],
    storages: Iterable[Storage],
    readers: ThreadPoolExecutor,
) -> dict[str, frozenset[str]]:
    """Import volumes on shared storages → the nodes that see them; one request per storage.

    Images on node-local storages are not listed: an import that only one node can do is no image
    of the catalogue.
    """
    seen_by: dict[str, list[str]] = defaultdict(list)
    for storage in storages:
        offers = storage.shared and storage.active and "import" in storage.content
        if offers and _answering(nodes, storage.node):
            seen_by[storage.name].append(storage.node)
    names = sorted(seen_by)
    listed = _each(
        readers,
        names,
        lambda name: _content(transport, sorted(seen_by[name]), name, "import"),
    )
    images: dict[str, frozenset[str]] = {}
    for name, volumes in zip(names, listed, strict=True):
        if isinstance(volumes, PveError):
            continue  # unread storage offers no image: placement refuses, nothing is destroyed
        for volume in volumes:
            images[volume.text("volid")] = frozenset(seen_by[name])
    return images


def _content(transport: Transport, nodes: Iterable[str], storage: str, content: str) -> list[Row]:
    """The volumes of a shared storage, from the first of the nodes that answers."""
    failed: PveError | None = None
    for node in nodes:
        try:
            return read_rows(
                transport,
                "/nodes/{node}/storage/{storage}/content",
                {"content": content},
                node=node,
                storage=storage,
            )
        except BadAnswer:
            raise
        except NodeOffline as error:
            failed = error
    if failed is None:
        raise ValueError(f"no node to ask for storage {storage}")
    raise failed


def read_freshness(
    transport: Transport,
    nodes: Collection[str],
    storages: Collection[str],
    through: Sequence[str] | None = None,
) -> Freshness:
    """Replication as each source node tells it, backups as each storage lists them.

    One request per node and one per backup storage, which must be shared (doctor says so).
    `through` are the nodes to ask for the storages, the first that answers counts; `nodes` if
    nothing is said. A storage for which there is nobody to ask is unread.
    """
    names = sorted(nodes)
    asked = names if through is None else through
    places = sorted(storages) if asked else []
    unread = [] if asked else [f"storage/{place}" for place in sorted(storages)]
    runs: dict[str, ReplicationRun] = {}
    backups: dict[int, list[Backup]] = defaultdict(list)
    with ThreadPoolExecutor(READERS) as readers:
        told = _each(readers, names, lambda node: read_runs(transport, node))
        listed = _each(readers, places, lambda place: _backups(transport, asked, place))
    for name, found in zip(names, told, strict=True):
        if isinstance(found, PveError):
            unread.append(f"node/{name}")
        else:
            runs.update({run.id: run for run in found})
    for place, volumes in zip(places, listed, strict=True):
        if isinstance(volumes, PveError):
            unread.append(f"storage/{place}")
            continue
        for backup in volumes:
            backups[backup.vmid].append(backup)
    newest_first = {
        vmid: tuple(sorted(found_for, key=lambda one: one.taken_at, reverse=True))
        for vmid, found_for in backups.items()
    }
    return Freshness(MappingProxyType(runs), MappingProxyType(newest_first), tuple(unread))


def read_runs(transport: Transport, node: str) -> tuple[ReplicationRun, ...]:
    """The jobs whose source is this node; it lists those of others too, without their state."""
    found = read_rows(transport, "/nodes/{node}/replication", node=node)
    told = (nouns.replication_run(one, node) for one in found)
    return tuple(run for run in told if run.source == node)


def _backups(transport: Transport, nodes: Iterable[str], storage: str) -> list[Backup]:
    found = _content(transport, nodes, storage, "backup")
    return [one for one in (nouns.backup(volume, storage) for volume in found) if one is not None]
