"""A site drafted from an existing cluster: what it can tell is filled in, the rest is marked."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.cluster import ClusterState, NodeStatus, Storage
from cloudpemda.proxmox import Pve
from cloudpemda.render import render
from cloudpemda.units import show_size

FIRST_VMID = 10_000
VMIDS_PER_OPD = 1_000
LONGEST_NAME = 32

_FAST = re.compile(r"ssd|nvme|fast|flash", re.IGNORECASE)
_SLOW = re.compile(r"hdd|tank|slow|sata|bulk", re.IGNORECASE)
_NO_STORAGE: Mapping[str, object] = MappingProxyType(
    {
        "storage_class": "ssd",
        "id": "local-zfs",
        "note": "<none was found that every node has, for content images>",
        "replicable": False,
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """How the cluster was reached, as the site is to say it: files relative to the site."""

    url: str
    token_id: str
    secret_file: str
    ca_file: str | None = None
    fingerprint: str | None = None


def draft(pve: Pve, origin: Origin, name: str, login: str) -> Mapping[str, str]:
    """The files of a site by path, drafted by reading the cluster; nothing is written.

    `name` is the site's, `login` becomes its first person. Pools become OPDs, storages classes,
    import volumes and templates images. What comes from the cluster is quoted as data. The
    secret itself is in no file.
    """
    state = pve.snapshot()
    online = [node.name for node in state.nodes.values() if node.status is NodeStatus.ONLINE]
    storages = _storages(state, online)
    bridges = [pve.bridges(node) for node in online]
    files = {
        "site.yaml": render(
            "draft/site.yaml.j2",
            {
                "name": name,
                "url": origin.url,
                "ca": origin.ca_file,
                "fingerprint": origin.fingerprint,
                "token_id": origin.token_id,
                "secret_file": origin.secret_file,
                "version": pve.version(),
                "flavour": state.ha_flavour.value,
                "nodes": [
                    {
                        "name": node.name,
                        "cores": node.cores,
                        "memory": show_size(node.memory),
                        "status": node.status.value,
                    }
                    for node in state.nodes.values()
                ],
                "storages": storages,
                "backup": _backup(state),
                "bridges": sorted(frozenset.intersection(*bridges)) if bridges else [],
            },
        ),
        "catalogue.yaml": render(
            "draft/catalogue.yaml.j2",
            {
                "images": list(_images(state)),
                "backup": _backup(state),
                "replicable": len(online) > 1 and any(one["replicable"] for one in storages),
            },
        ),
        "people.yaml": render("draft/people.yaml.j2", {"login": login}),
    }
    for opd in _opds(state):
        files[f"opd/{opd['code']}.yaml"] = render("draft/opd.yaml.j2", opd)
    return files


def _storages(state: ClusterState, online: Sequence[str]) -> list[dict[str, object]]:
    """Storages that every node can make VM disks on, with a class for each, ZFS first."""
    everywhere: list[Storage] = []
    for name in sorted({storage.name for storage in state.storages}):
        seen = [state.storage_at.get((node, name)) for node in online]
        usable = [one for one in seen if one and one.active and "images" in one.content]
        if usable and len(usable) == len(online):
            everywhere.append(usable[0])
    if not everywhere:
        return [dict(_NO_STORAGE)]
    everywhere.sort(key=lambda one: (not one.replicable, one.name))
    taken: set[str] = set()
    return [
        {
            "storage_class": _free(_class_of(storage.name), taken),
            "id": storage.name,
            "note": f"{storage.kind}, {show_size(storage.total)}"
            + ("" if storage.replicable else ", cannot be replicated"),
            "replicable": storage.replicable,
        }
        for storage in everywhere
    ]


def _class_of(storage: str) -> str:
    if _FAST.search(storage):
        return "ssd"
    return "hdd" if _SLOW.search(storage) else storage


def _backup(state: ClusterState) -> str | None:
    """Where backups would go: a backup server before a shared storage before none."""
    fit = [one for one in state.storages if one.shared and "backup" in one.content]
    fit.sort(key=lambda one: (one.kind != "pbs", one.name))
    return fit[0].name if fit else None


def _images(state: ClusterState) -> Iterator[dict[str, object]]:
    """Import volumes by file name, templates by VM name: one template per node."""
    taken: set[str] = set()
    for volume in sorted(state.images):
        file = volume.rpartition("/")[2]
        yield {"name": _free(file.rpartition(".")[0] or file, taken), "volume": volume}
    templates: dict[str, dict[str, int]] = {}
    for vm in sorted(state.vms.values(), key=lambda vm: vm.vmid):
        if vm.template and not vm.container:
            templates.setdefault(vm.name, {}).setdefault(vm.node, vm.vmid)
    for name, nodes in sorted(templates.items()):
        yield {"name": _free(name, taken), "volume": None, "templates": nodes}


def _opds(state: ClusterState) -> Iterator[dict[str, object]]:
    """One OPD per pool, each with a range of VMIDs in which no guest lives yet."""
    taken: set[str] = set()
    ranges = _free_ranges(state.vms)
    for pool in sorted(state.pools):
        if "/" in pool:
            continue  # a pool within a pool: pool backups would miss its members
        vmids = next(ranges)
        yield {
            "code": _free(pool.removeprefix("opd-"), taken),
            "pool": pool,
            "members": sum(vm.pool == pool for vm in state.vms.values()),
            "vmids": f"{vmids.start}-{vmids.stop - 1}",
        }


def _free_ranges(used: Iterable[int]) -> Iterator[range]:
    ids = frozenset(used)
    start = FIRST_VMID
    while True:
        vmids = range(start, start + VMIDS_PER_OPD)
        if ids.isdisjoint(vmids):
            yield vmids
        start += VMIDS_PER_OPD


def _free(text: str, taken: set[str]) -> str:
    """`text` as a name that is not taken yet; it is taken then."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"x-{plain}".rstrip("-")
    plain = plain[: LONGEST_NAME - 4].rstrip("-")
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    taken.add(name)
    return name
