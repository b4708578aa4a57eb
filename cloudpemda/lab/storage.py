"""Storages and the volumes on them: names, visibility per node, space.

Two traits tell the types apart: file-based (`dir`, `nfs`, `cifs`, …: any image format, in a folder
per VM) or block-based (`zfspool`, `lvmthin`: raw only); shared or a copy per node. Space is
accounted by the size given at allocation, thin or not: a storage that promises more than it has is
full.
"""

import json
import re
from importlib import resources

from cloudpemda.lab.errors import Refused, failed, found, refuse_if
from cloudpemda.lab.state import GIB, Capacity, Cluster, Storage, Volume
from cloudpemda.lab.work import Acquire
from cloudpemda.lab.world import World

# Which options every type has, file-based ones have, and each type has of its own or must have.
TABLE = json.loads(resources.files("cloudpemda.lab.tables").joinpath("storage.json").read_text())
FILE_BASED = tuple(kind for kind, traits in TABLE["types"].items() if traits.get("files"))
SUFFIXES = (("T", 1024**4), ("G", GIB), ("M", 1024**2), ("K", 1024))


def required_options(kind: str) -> set[str]:
    return set(TABLE["types"][kind]["required"])


def known_options(kind: str) -> set[str]:
    traits = TABLE["types"][kind]
    files = TABLE["files"] if traits.get("files") else []
    return {*TABLE["common"], *files, *traits["required"], *traits["own"]}


def storage_of(cluster: Cluster, name: str) -> Storage:
    return found(cluster.storages.get(name), f"storage '{name}' does not exist")


def usable_on(cluster: Cluster, name: str, node: str) -> Storage:
    storage = storage_of(cluster, name)
    refuse_if(storage.flag("disable"), f"storage '{name}' is disabled")
    lost = storage.type == "pbs" and storage.options.get("server") in cluster.lost_servers
    where = f"{storage.options.get('server')}:8007 (No route to host)"
    refuse_if(lost, f"{name}: error fetching datastores - 500 Can't connect to {where}")
    refuse_if(
        not available_on(storage, node), f"storage '{name}' is not available on node '{node}'"
    )
    return storage


def available_on(storage: Storage, node: str) -> bool:
    return not storage.flag("disable") and (not storage.nodes or node in storage.nodes)


def lock(storage: Storage, node: str) -> Acquire:
    """The lock that a storage's volumes are made and removed under, one at a time."""
    if storage.shared:
        name = f"storage-{storage.name}"
        return Acquire(name, refusal=f"cfs-lock '{name}' error: got lock request timeout")
    name = f"/var/lock/pve-manager/pve-storage-{storage.name}"
    return Acquire(f"{node}:{name}", refusal=f"can't lock file '{name}' - got timeout")


# -- names ---------------------------------------------------------------------------------------


def split(volid: str) -> tuple[str, str]:
    """Storage and name of a volume id."""
    storage, _, name = volid.partition(":")
    return storage, name


def folder(storage: Storage) -> str:
    return storage.options.get("path") or f"/mnt/pve/{storage.name}"


def path_of(storage: Storage, volid: str) -> str:
    """Where a volume lies on its node."""
    kind, _, name = split(volid)[1].rpartition("/")
    if storage.type == "zfspool":
        return f"/dev/zvol/{storage.options['pool']}/{name}"
    places = {"iso": "template/iso", "vztmpl": "template/cache", "backup": "dump"}
    kept = kind in ("import", "snippets")
    return f"{folder(storage)}/{places.get(kind, kind if kept else f'images/{kind}')}/{name}"


def new_name(cluster: Cluster, storage: Storage, node: str, vmid: int, form: str) -> str:
    disk = re.compile(rf"(?:vm|base)-{vmid}-disk-(\d+)")
    taken = {int(m[1]) for v in on(cluster, storage, node) if (m := disk.search(v.volid))}
    number = next(number for number in range(1000) if number not in taken)
    return full_name(storage, vmid, f"vm-{vmid}-disk-{number}", form)


def full_name(storage: Storage, vmid: int, stem: str, form: str) -> str:
    inside = f"{vmid}/{stem}.{form}" if storage.type in FILE_BASED else stem
    return f"{storage.name}:{inside}"


def default_format(storage: Storage) -> str:
    return "raw"


def formats(storage: Storage) -> tuple[str, ...]:
    return ("raw", "qcow2", "vmdk", "subvol") if storage.type in FILE_BASED else ("raw", "subvol")


def refuse_path(cluster: Cluster) -> Refused:
    return failed(
        "Only root can pass arbitrary filesystem paths. "
        f"at /usr/share/perl5/PVE/Storage.pm line {581 if cluster.release == '8' else 651}."
    )


# -- sizes ---------------------------------------------------------------------------------------


def parse_size(text: str) -> int:
    """Bytes of `32G`, `512M`, `1024` (bytes)."""
    number = found(
        re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT])?", text), f"unable to parse size '{text}'"
    )
    return int(float(number[1]) * dict(SUFFIXES).get(number[2] or "", 1))


def format_size(size: int) -> str:
    fits = (f"{size // factor}{suffix}" for suffix, factor in SUFFIXES if size % factor == 0)
    return next(fits, str(size))


def size_in_gib(text: str) -> int:
    """Bytes of the `N` in `storage:N`, rounded up to whole KiB as PVE does."""
    return -int(-(float(text) * 1024**2) // 1) * 1024


def capacity(cluster: Cluster, storage: Storage, node: str) -> Capacity:
    for key in (f"{storage.name}@{node}", storage.name, f"*{storage.type}", "*"):
        if key in cluster.capacities:
            return cluster.capacities[key]
    return Capacity(100 * GIB)


def space(cluster: Cluster, storage: Storage, node: str) -> tuple[int, int, int]:
    """Total, used and available bytes."""
    has = capacity(cluster, storage, node)
    used = min(has.total, has.foreign + sum(v.size for v in on(cluster, storage, node)))
    return has.total, used, has.total - used


# -- volumes -------------------------------------------------------------------------------------


def place(storage: Storage, node: str) -> str:
    return "" if storage.shared else node


def find(cluster: Cluster, volid: str, node: str) -> Volume | None:
    name = split(volid)[0]
    storage = cluster.storages.get(name)
    return cluster.volumes.on(name, place(storage, node) if storage else node).get(volid)


def on(cluster: Cluster, storage: Storage, node: str) -> list[Volume]:
    return list(cluster.volumes.on(storage.name, place(storage, node)).values())


def allocate(
    world: World, storage: Storage, node: str, vmid: int, size: int, form: str = "raw", *,
    volid: str = "", content: str = "images", parent: str = "",
) -> Volume:  # fmt: skip
    """Make a volume, or fail as a full storage does."""
    cluster = world.cluster
    volid = volid or new_name(cluster, storage, node, vmid, form)
    taken = find(cluster, volid, node)
    refuse_if(taken, f"disk image '{path_of(storage, volid)}' already exists")
    if not parent and size > space(cluster, storage, node)[2]:
        if storage.type == "zfspool":
            name = f"{storage.options.get('pool', storage.name)}/{split(volid)[1]}"
            raise failed(f"zfs error: cannot create '{name}': out of space")
        raise failed(f"unable to create image: No space left on device ('{volid}')")
    volume = Volume(
        volid, place(storage, node), 0 if parent else size, form, content, vmid, world.now(),
        used=4096, parent=parent, virtual=size,
    )  # fmt: skip
    cluster.volumes.append(volume)
    world.note("volume-made", volid=volid, node=volume.node, size=size, vmid=vmid)
    return volume


def free(world: World, volid: str, node: str) -> None:
    volume = find(world.cluster, volid, node)
    if volume is not None:
        world.cluster.volumes.remove(volume)
        world.backup_gone(volume)
        world.note("volume-gone", volid=volid, node=volume.node)


def resize(world: World, volume: Volume, size: int, node: str) -> None:
    storage = storage_of(world.cluster, split(volume.volid)[0])
    full = size - volume.size > space(world.cluster, storage, node)[2]
    refuse_if(full and not volume.parent, f"No space left on device ('{volume.volid}')")
    volume.virtual = size
    if not volume.parent:
        volume.size = size
