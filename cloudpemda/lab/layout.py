"""What clusters a lab has: a strict YAML file, read into values; and the state they start in."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from cloudpemda.document import load, load_bytes, validate
from cloudpemda.document.fields import Name, Size, Strict
from cloudpemda.lab import access
from cloudpemda.lab.errors import LabError
from cloudpemda.lab.state import (
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
from cloudpemda.units import MiB

VERSIONS = {"9.2": "9.2.11", "8.4": "8.4.21"}
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


class NodeLayout(Strict):
    cpus: int = Field(default=16, ge=1)
    memory: Size = MiB(64 * 1024)


class StorageLayout(Strict):
    type: Literal["dir", "zfspool", "lvmthin", "nfs", "cifs", "pbs"]
    size: Size
    content: tuple[str, ...]
    shared: bool = False


class ClusterLayout(Strict):
    version: Literal["9.2", "8.4"] = "9.2"
    nodes: Mapping[Name, NodeLayout] = Field(min_length=1)
    storages: Mapping[str, StorageLayout] = {}
    images: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ("vmbr0",)


class ClockLayout(Strict):
    start: str = "2026-11-20T01:00:00Z"
    rate: float | Literal["auto"] = 1.0

    @field_validator("start")
    @classmethod
    def _is_an_instant(cls, value: str) -> str:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("lab.instant", "", {"value": value}) from None
        return value


class Layout(Strict):
    seed: int = 0
    clock: ClockLayout = ClockLayout()
    durations: Mapping[str, float] = {}
    clusters: Mapping[Name, ClusterLayout]
    faults: tuple[Mapping[str, object], ...] = ()

    @property
    def start(self) -> float:
        """Seconds since the epoch; UTC where the layout names no zone."""
        moment = datetime.fromisoformat(self.clock.start)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    @property
    def rate(self) -> float | None:
        """Lab seconds per real second; None for virtual time."""
        return None if self.clock.rate == "auto" else self.clock.rate


def read(path: Path | None) -> Layout:
    """The layout in a file, or the default one; raises InvalidInput with all its faults."""
    if path is not None:
        return validate(load(path), Layout)
    default = resources.files(__package__).joinpath("layout.yaml").read_bytes()
    return validate(load_bytes(default, "layout.yaml"), Layout)


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
            node, index, size.cpus, size.memory * MIB, booted=now - 3600 * index,
            bridges=list(layout.bridges), address=f"10.{98 + number}.0.{index}",
        )  # fmt: skip
    for storage_name, storage in layout.storages.items():
        cluster.storages[storage_name] = Storage(
            storage_name, storage.type, _storage_options(storage_name, storage)
        )
        cluster.capacities[storage_name] = Capacity(storage.size * MIB)
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
