"""What clusters a lab has: a strict YAML file, read into values; and the state they start in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import yaml

from . import access
from .errors import LabError
from .state import (
    GIB,
    MIB,
    Access,
    Acl,
    Capacity,
    Cluster,
    Node,
    Realm,
    Storage,
    Token,
    User,
    Volume,
)

VERSIONS = {"9.2": "9.2.11", "8.4": "8.4.21"}
UNITS = {"KiB": 1024, "MiB": MIB, "GiB": GIB, "TiB": 1024 * GIB}
IMAGE_SIZE = 2 * GIB
TOKEN_USER, TOKEN_NAME, TOKEN_ROLE = "cloudpemda@pve", "apply", "CloudpemdaApply"
# What cloudpemda's own token may do, and no more.
_LEAST = """
Datastore.Allocate Datastore.AllocateSpace Datastore.Audit Pool.Allocate Pool.Audit SDN.Use
Sys.Audit Sys.Console Sys.Modify VM.Allocate VM.Audit VM.Clone VM.Config.CDROM VM.Config.CPU
VM.Config.Cloudinit VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network
VM.Config.Options VM.PowerMgmt
"""
LEAST = frozenset(_LEAST.split())
LEAST_9 = frozenset({"VM.Replicate"})


@dataclass(frozen=True)
class NodeLayout:
    cpus: int
    memory: int  # bytes


@dataclass(frozen=True)
class StorageLayout:
    type: str
    size: int  # bytes
    content: tuple[str, ...]
    shared: bool


@dataclass(frozen=True)
class ClusterLayout:
    version: str
    nodes: dict[str, NodeLayout]
    storages: dict[str, StorageLayout]
    images: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ("vmbr0",)


@dataclass(frozen=True)
class Layout:
    seed: int
    start: float
    rate: float | None
    durations: dict[str, float]
    clusters: dict[str, ClusterLayout]
    faults: tuple[Mapping[str, object], ...] = field(default=())


def read(path: Path | None) -> Layout:
    """The layout in a file, or the default one; raises `LabError` for anything it does not know."""
    if path is None:
        text = resources.files(__package__).joinpath("layout.yaml").read_text("utf-8")
    else:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LabError("lab.layout-unreadable", file=str(path), error=str(error)) from error
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LabError("lab.layout-invalid", where="", error=str(error)) from error
    return parse(raw)


def _table(raw: object, where: str, known: str | None = None) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise LabError("lab.layout-invalid", where=where, error="not a table")
    for key in raw:
        if not isinstance(key, str) or (known is not None and key not in known.split()):
            raise LabError("lab.layout-invalid", where=f"{where}.{key}", error="unknown key")
    return raw


def _names(raw: object, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise LabError("lab.layout-invalid", where=where, error="not a list of names")
    return tuple(raw)


def size_of(raw: object, where: str) -> int:
    """Bytes of `64 GiB`."""
    found = re.fullmatch(r"(\d+) (KiB|MiB|GiB|TiB)", str(raw))
    if not found:
        raise LabError("lab.layout-invalid", where=where, error=f"not a size with a unit: {raw}")
    return int(found[1]) * UNITS[found[2]]


def _number(raw: object, where: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise LabError("lab.layout-invalid", where=where, error=f"not a number: {raw}")
    return float(raw)


def parse(raw: object) -> Layout:
    top = _table(raw, "layout", "seed clock durations clusters faults")
    clock = _table(top.get("clock", {}), "clock", "start rate")
    start = clock.get("start", datetime(2026, 11, 20, 1, tzinfo=UTC))
    if isinstance(start, str):
        start = datetime.fromisoformat(start)
    if not isinstance(start, datetime):
        raise LabError("lab.layout-invalid", where="clock.start", error="not an instant")
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    rate = clock.get("rate", 1)
    durations = _table(top.get("durations", {}), "durations")
    faults = top.get("faults", [])
    if not isinstance(faults, list):
        raise LabError("lab.layout-invalid", where="faults", error="not a list")
    return Layout(
        seed=int(_number(top.get("seed", 0), "seed")),
        start=start.timestamp(),
        rate=None if rate == "auto" else _number(rate, "clock.rate"),
        durations={name: _number(value, f"durations.{name}") for name, value in durations.items()},
        clusters={
            name: _cluster(item, f"clusters.{name}")
            for name, item in _table(top.get("clusters"), "clusters").items()
        },
        faults=tuple(_table(item, "faults") for item in faults),
    )


def _cluster(raw: object, where: str) -> ClusterLayout:
    table = _table(raw, where, "version nodes storages images bridges")
    version = table.get("version", "9.2")
    if version not in VERSIONS:
        raise LabError(
            "lab.layout-invalid", where=f"{where}.version", error=f"not one of {[*VERSIONS]}"
        )
    return ClusterLayout(
        version=str(version),
        nodes={
            name: _node(item, f"{where}.nodes.{name}")
            for name, item in _table(table.get("nodes"), f"{where}.nodes").items()
        },
        storages={
            name: _storage(item, f"{where}.storages.{name}")
            for name, item in _table(table.get("storages", {}), f"{where}.storages").items()
        },
        images=_names(table.get("images", []), f"{where}.images"),
        bridges=_names(table.get("bridges", ["vmbr0"]), f"{where}.bridges"),
    )


def _node(raw: object, where: str) -> NodeLayout:
    table = _table(raw or {}, where, "cpus memory")
    cpus = int(_number(table.get("cpus", 16), f"{where}.cpus"))
    return NodeLayout(cpus, size_of(table.get("memory", "64 GiB"), f"{where}.memory"))


def _storage(raw: object, where: str) -> StorageLayout:
    table = _table(raw, where, "type size shared content")
    return StorageLayout(
        type=str(table.get("type", "dir")),
        size=size_of(table.get("size", "100 GiB"), f"{where}.size"),
        content=_names(table.get("content", ["images"]), f"{where}.content"),
        shared=table.get("shared") is True,
    )


# -- the state a cluster starts in ---------------------------------------------------------------


def _access(root_password: str) -> Access:
    root = User("root@pam", password=access.secret_digest(root_password, "root@pam"))
    return Access(
        users={"root@pam": root},
        realms={
            "pam": Realm("pam", "pam", {"comment": "Linux PAM standard authentication"}),
            "pve": Realm("pve", "pve", {"comment": "Proxmox VE authentication server"}),
        },
        key=secrets.token_hex(32),
    )


def build(name: str, layout: ClusterLayout, number: int, now: float, root_password: str) -> Cluster:
    """A fresh cluster: empty but for its storages and images."""
    cluster = Cluster(name, VERSIONS[layout.version], access=_access(root_password))
    for index, (node, size) in enumerate(layout.nodes.items(), 1):
        cluster.nodes[node] = Node(
            node, index, size.cpus, size.memory, booted=now - 3600 * index,
            bridges=list(layout.bridges), address=f"10.{98 + number}.0.{index}",
        )  # fmt: skip
    for storage_name, storage in layout.storages.items():
        cluster.storages[storage_name] = Storage(
            storage_name, storage.type, _storage_options(storage_name, storage)
        )
        cluster.capacities[storage_name] = Capacity(storage.size)
    for volid in layout.images:
        storage_name = volid.partition(":")[0]
        if storage_name not in cluster.storages:
            raise LabError("lab.layout-invalid", where=f"clusters.{name}.images", error=volid)
        shared = cluster.storages[storage_name].shared
        for node in [""] if shared else cluster.nodes:
            cluster.volumes.append(image(volid, node, now))
    return cluster


def image(volid: str, node: str, now: float) -> Volume:
    return Volume(
        volid, node, 512 * MIB, "qcow2", "import", ctime=now, virtual=IMAGE_SIZE, system=True
    )


def _storage_options(name: str, layout: StorageLayout) -> dict[str, str]:
    options = {"content": ",".join(layout.content)}
    if layout.type == "dir":
        options["path"] = "/var/lib/vz" if name == "local" else f"/mnt/{name}"
    elif layout.type == "zfspool":
        options |= {"pool": name, "sparse": "1"}
    elif layout.type == "nfs":
        options |= {
            "server": "10.98.0.250",
            "export": f"/export/{name}",
            "path": f"/mnt/pve/{name}",
        }
    elif layout.type == "pbs":
        options |= {"server": "10.98.0.251", "datastore": name, "username": "backup@pbs"}
    if layout.shared and layout.type == "dir":
        options["shared"] = "1"
    return options


def grant_program(cluster: Cluster, secret: str) -> None:
    """The token cloudpemda works with: its own role with the least privileges, on `/`."""
    extra = frozenset() if cluster.release == "8" else LEAST_9
    cluster.access.roles[TOKEN_ROLE] = sorted(LEAST | extra)
    full = f"{TOKEN_USER}!{TOKEN_NAME}"
    user = User(TOKEN_USER, expire=0, fields={"comment": "cloudpemda"})
    user.tokens[TOKEN_NAME] = Token(access.secret_digest(secret, full), privsep=True)
    cluster.access.users[TOKEN_USER] = user
    cluster.access.acl += [
        Acl("/", "user", TOKEN_USER, TOKEN_ROLE),
        Acl("/", "token", full, TOKEN_ROLE),
    ]


def recorded(version: str, now: float, root_password: str) -> Cluster:
    """The state that PVE's recordings start from: three nodes and a directory storage."""
    cluster = Cluster("lab", VERSIONS[version], access=_access(root_password))
    for number in (1, 2, 3):
        name = f"pve{number}"
        cluster.nodes[name] = Node(
            name, number, 2, 25276510208, booted=now - 3000, address=f"10.99.0.{number}"
        )
    cluster.storages["local"] = Storage(
        "local",
        "dir",
        {
            "path": "/var/lib/vz",
            "content": "iso,vztmpl,snippets,backup,rootdir,images",
            "prune-backups": "keep-all=1",
            "priority": "0",
        },
    )
    cluster.capacities["*"] = Capacity(270553174016, 195015450624)
    volume = Volume("shared:import/tiny.qcow2", "", 196616, "qcow2", "import", ctime=now)
    volume.virtual = 16 * MIB
    cluster.volumes.append(volume)
    return cluster
