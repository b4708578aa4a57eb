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
PBS_VERSION, PBS_USER = "pbs.4.1", "cloudpemda@pbs"
PBS_RIGHTS = {"/": "Audit", "/datastore": "DatastoreAdmin", "/remote": "RemoteAdmin"}
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
    server: str = ""  # of a pbs storage: address, datastore (else its own name), namespace
    datastore: str = ""
    namespace: str = ""


class SyncLayout(Strict):
    """A job that pulls from another backup server of the lab."""

    source: Name
    datastore: str
    into: str
    schedule: str = "hourly"


class BackupServerLayout(Strict):
    """A Proxmox Backup Server, that storages of type `pbs` with its address write to."""

    address: str
    datastores: Mapping[str, Size] = Field(min_length=1)
    sync: Mapping[str, SyncLayout] = {}
    verify: str = ""  # the schedule of a job for each datastore


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
    backup_servers: Mapping[Name, BackupServerLayout] = {}
    faults: tuple[Mapping[str, object], ...] = ()


def read(path: Path | None) -> Layout:
    """The layout in a file, or the default one; raises InvalidInput with all its faults."""
    found = validate(
        load(path) if path else load_bytes(_shipped("layout.yaml"), "layout.yaml"), Layout
    )
    for name, server in found.backup_servers.items():
        unknown = [one.source for one in server.sync.values()
                   if one.source not in found.backup_servers]  # fmt: skip
        if unknown or name in found.clusters:
            wrong = unknown[0] if unknown else name
            raise LabError("lab.layout-invalid", where=f"backupServers.{name}", error=wrong)
    return found


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


def build_server(
    name: str, layout: BackupServerLayout, now: float, root_password: str, token: str
) -> state.Cluster:
    """A backup server with empty datastores, and the program's token, which sees all of it."""
    cluster = state.Cluster(name, PBS_VERSION, access=_access(root_password))
    cluster.nodes[name] = state.Node(name, 1, booted=now - 3600, address=layout.address)
    stores = {
        store: state.Datastore(store, size * state.MIB, {"gc-schedule": "daily"})
        for store, size in layout.datastores.items()
    }
    for store in stores.values():
        store.gc.since = now
    cluster.backups = state.BackupServer(stores)
    for each in layout.datastores if layout.verify else ():
        job = state.ServerJob(f"v-{each}", "verify", {"store": each, "schedule": layout.verify})
        job.run.since = now
        cluster.backups.verify[job.name] = job
    grant_token(cluster, f"{PBS_USER}!{TOKEN_NAME}", token, PBS_RIGHTS)
    return cluster


def grant_token(cluster: state.Cluster, full: str, secret: str, rights: Mapping[str, str]) -> None:
    userid, _, name = full.partition("!")
    user = cluster.access.users.setdefault(userid, state.User(userid))
    user.tokens[name] = state.Token(access.secret_digest(secret, full))
    for path, role in rights.items():
        for kind, who in (("user", userid), ("token", full)):
            cluster.access.acl.append(state.Acl(path, kind, who, role))


def add_sync(name: str, job: SyncLayout, here: state.Cluster, there: state.Cluster) -> None:
    """A sync job with its remote, and the token at the other end that it signs in with."""
    if here.backups is None or there.backups is None:
        return
    full, secret = f"sync@pbs!{here.name}", secrets.token_hex(16)
    (node,) = there.nodes.values()
    if there.name not in here.backups.remotes:
        grant_token(there, full, secret, {"/datastore": "DatastoreReader"})
        here.backups.remotes[there.name] = state.Section(
            there.name, "remote", {"host": node.address, "auth-id": full, "password": secret}
        )
    options = {
        "remote": there.name, "remote-store": job.datastore, "store": job.into,
        "schedule": job.schedule, "owner": "root@pam",
    }  # fmt: skip
    made = state.ServerJob(name, "sync", options)
    made.run.since = node.booted + 3600
    here.backups.sync[name] = made


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
    for option in ("server", "datastore", "namespace") if layout.type == "pbs" else ():
        if value := getattr(layout, option):
            options[option] = value
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


def upgrade(cluster: state.Cluster, version: str) -> None:
    """Bring all nodes to another version. What its roles name and it has no more, they lose."""
    if cluster.backups is not None:
        raise LabError("lab.no-such-cluster", cluster=cluster.name)
    cluster.version = VERSIONS[version]
    known, roles = access.all_privileges(cluster.release), cluster.access.roles
    for name, privileges in roles.items():
        roles[name] = [one for one in privileges if one in known]


def recorded(version: str, now: float, root_password: str) -> state.Cluster:
    """The state that PVE's recordings start from: three nodes and a directory storage."""
    cluster = state.restore_cluster(json.loads(_shipped("recorded.json")))
    cluster.version, cluster.access = VERSIONS[version], _access(root_password)
    for node in cluster.nodes.values():
        node.booted = now - 3000
    for volume in cluster.volumes:
        volume.ctime = now
    return cluster
