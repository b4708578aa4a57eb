"""What clusters a lab has: a strict YAML file, read into values; and the state they start in."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from cloudpemda.document import load, load_bytes, validate
from cloudpemda.document.fields import Name, Size, Strict
from cloudpemda.lab import access, state
from cloudpemda.lab.errors import LabError
from cloudpemda.lab.guests import add_container
from cloudpemda.units import MiB

VERSIONS = {"9.2": "9.2.11", "8.4": "8.4.21"}
IMAGE_SIZE = 2 * state.GIB
TOKEN_USER, TOKEN_NAME, TOKEN_ROLE = "cloudpemda@pve", "apply", "CloudpemdaApply"
# What cloudpemda's own token may do, and no more.
LEAST = """
Datastore.Allocate Datastore.AllocateSpace Datastore.Audit Pool.Allocate Pool.Audit SDN.Use
Sys.Audit Sys.Console Sys.Modify VM.Allocate VM.Audit VM.Backup VM.Clone VM.Config.CDROM
VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network
VM.Config.Options VM.Migrate VM.PowerMgmt VM.Snapshot VM.Snapshot.Rollback
"""
LEAST_9 = " VM.Replicate"
# The options that a storage of a type has besides its content.
STORAGE_OPTIONS = {
    "dir": {"path": "/mnt/{name}"},
    "zfspool": {"pool": "{name}", "sparse": "1"},
    "nfs": {"server": "10.98.0.250", "export": "/export/{name}", "path": "/mnt/pve/{name}"},
    "pbs": {"server": "10.98.0.251", "datastore": "{name}", "username": "backup@pbs"},
}


class NodeLayout(Strict):
    cpus: int = Field(default=16, ge=1)
    memory: Size = MiB(64 * 1024)


class StorageLayout(Strict):
    type: Literal["dir", "zfspool", "lvmthin", "nfs", "cifs", "pbs"]
    size: Size
    content: tuple[str, ...]
    shared: bool = False


class ContainerLayout(Strict):
    """Somebody else's container: it runs, is listed, and counts."""

    vmid: int = Field(ge=100)
    node: Name
    name: str
    cores: int = Field(default=1, ge=1)
    memory: Size = MiB(512)
    disk: Size = MiB(8 * 1024)


class ClusterLayout(Strict):
    version: Literal["9.2", "8.4"] = "9.2"
    nodes: Mapping[Name, NodeLayout] = Field(min_length=1)
    storages: Mapping[str, StorageLayout] = {}
    images: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ("vmbr0",)
    containers: tuple[ContainerLayout, ...] = ()


def _instant(value: object) -> float:
    """Seconds since the epoch; UTC where no zone is named."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise PydanticCustomError("lab.instant", "", {"value": str(value)}) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _rate(value: object) -> object:
    """Time runs forward, or waits to be moved."""
    if value != "auto" and not (isinstance(value, int | float) and value > 0):
        raise PydanticCustomError("lab.rate", "", {"value": str(value)})
    return value


class ClockLayout(Strict):
    start: Annotated[float, BeforeValidator(_instant)] = _instant("2026-11-20T01:00:00Z")
    rate: Annotated[float | Literal["auto"], BeforeValidator(_rate)] = 1.0


class Layout(Strict):
    seed: int = 0
    clock: ClockLayout = ClockLayout()
    durations: Mapping[str, Annotated[float, Field(ge=0)]] = {}
    rates: Mapping[str, Size] = {}  # MiB by kind (docs/lab.md)
    clusters: Mapping[Name, ClusterLayout]
    faults: tuple[Mapping[str, object], ...] = ()


def read(path: Path | None) -> Layout:
    """The layout in a file, or the default one; raises InvalidInput with all its faults."""
    return validate(
        load(path) if path else load_bytes(_shipped("layout.yaml"), "layout.yaml"), Layout
    )


def _shipped(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()


# -- the state a cluster starts in ---------------------------------------------------------------


def build(
    name: str, layout: ClusterLayout, number: int, now: float, root_password: str
) -> state.Cluster:
    """A fresh cluster: empty but for its storages and images."""
    cluster = state.Cluster(name, VERSIONS[layout.version], access=_access(root_password))
    for index, (node, size) in enumerate(layout.nodes.items(), 1):
        cluster.nodes[node] = state.Node(
            node, index, size.cpus, size.memory * state.MIB, booted=now - 3600 * index,
            bridges=list(layout.bridges), address=f"10.{98 + number}.0.{index}",
        )  # fmt: skip
    for storage, described in layout.storages.items():
        cluster.storages[storage] = state.Storage(
            storage, described.type, _storage_options(storage, described)
        )
        cluster.capacities[storage] = state.Capacity(described.size * state.MIB)
    for volid in layout.images:
        known = cluster.storages.get(volid.partition(":")[0])
        if known is None:
            raise LabError("lab.layout-invalid", where=f"clusters.{name}.images", error=volid)
        for node in [""] if known.shared else cluster.nodes:
            cluster.volumes.append(image(volid, node, now))
    for here in layout.containers:
        if here.node not in cluster.nodes or here.vmid in cluster.containers:
            wrong = here.vmid if here.node in cluster.nodes else here.node
            raise LabError("lab.layout-invalid", where=f"clusters.{name}.containers", error=wrong)
        config = {"hostname": here.name, "cores": str(here.cores), "memory": str(here.memory)}
        guest = add_container(cluster, here.vmid, here.node, config, here.disk // 1024, now - 3600)
        guest.status, guest.started, guest.pid = "running", now - 3600, here.vmid
    return cluster


def _access(root_password: str) -> state.Access:
    root = state.User("root@pam", password=access.secret_digest(root_password, "root@pam"))
    comments = {
        "pam": "Linux PAM standard authentication",
        "pve": "Proxmox VE authentication server",
    }
    realms = {name: state.Section(name, name, {"comment": text}) for name, text in comments.items()}
    return state.Access(users={"root@pam": root}, realms=realms, key=secrets.token_hex(32))


def _storage_options(name: str, layout: StorageLayout) -> dict[str, str]:
    options = {"content": ",".join(layout.content)}
    for option, value in STORAGE_OPTIONS.get(layout.type, {}).items():
        options[option] = value.format(name=name)
    if layout.type == "dir":
        options |= {"path": "/var/lib/vz"} if name == "local" else {}
        options |= {"shared": "1"} if layout.shared else {}
    return options


def image(volid: str, node: str, now: float) -> state.Volume:
    """A disk image with a system on it."""
    return state.Volume(
        volid, node, 512 * state.MIB, "qcow2", "import", ctime=now, virtual=IMAGE_SIZE, system=True
    )


def grant_program(cluster: state.Cluster, secret: str) -> None:
    """The token cloudpemda works with: its own role with the least privileges, on `/`."""
    privileges = LEAST if cluster.release == "8" else LEAST + LEAST_9
    cluster.access.roles[TOKEN_ROLE] = sorted(privileges.split())
    full = f"{TOKEN_USER}!{TOKEN_NAME}"
    tokens = {TOKEN_NAME: state.Token(access.secret_digest(secret, full), privsep=True)}
    cluster.access.users[TOKEN_USER] = state.User(
        TOKEN_USER, expire=0, fields={"comment": "cloudpemda"}, tokens=tokens
    )
    for kind, who in (("user", TOKEN_USER), ("token", full)):
        cluster.access.acl.append(state.Acl("/", kind, who, TOKEN_ROLE))


def recorded(version: str, now: float, root_password: str) -> state.Cluster:
    """The state that PVE's recordings start from: three nodes and a directory storage."""
    cluster = state.restore_cluster(json.loads(_shipped("recorded.json")))
    cluster.version, cluster.access = VERSIONS[version], _access(root_password)
    for node in cluster.nodes.values():
        node.booted = now - 3000
    for volume in cluster.volumes:
        volume.ctime = now
    return cluster
