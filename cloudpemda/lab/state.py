"""What a simulated cluster knows: plain values that go to `state.json` and come back.

Nothing here acts. A VM's configuration is kept as PVE keeps it: texts by key. Sizes are bytes,
instants seconds since the epoch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from cloudpemda.lab.ha.values import Ha

GIB = 1024**3
MIB = 1024**2
SHARED = ("nfs", "cifs", "glusterfs", "cephfs", "rbd", "pbs", "iscsi", "iscsidirect", "zfs", "esxi")


@dataclass
class Node:
    name: str
    number: int
    cpus: int = 2
    memory: int = 24 * GIB
    online: bool = True
    leaving: str = ""  # reboot or shutdown, once it was asked to in good order
    cut: str = ""  # its network is gone, and it is not `online`: `up` while it runs on, or `down`
    strays: list[int] = field(default_factory=list)  # VMs that run here, and are another node's
    hung: bool = False  # takes connections, and answers none
    booted: float = 0.0
    clock_skew: float = 0.0
    bridges: list[str] = field(default_factory=lambda: ["vmbr0"])
    network: dict[str, dict[str, str]] = field(default_factory=dict)  # once changed
    network_planned: dict[str, dict[str, str]] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    next_pid: int = 1000
    address: str = ""


@dataclass
class Capacity:
    """The space behind a storage (on each node, or shared): bytes in all, and used by others."""

    total: int
    foreign: int = 0


@dataclass
class Archive:
    """What a backup holds: a VM as it was at one moment, its recovery point."""

    taken: float
    config: dict[str, str]
    disks: dict[str, int]  # bytes of each drive whose data it has
    systems: list[str] = field(default_factory=list)  # those with an operating system on them


@dataclass
class Volume:
    volid: str
    node: str  # empty when the storage is shared
    size: int
    format: str
    content: str
    vmid: int = 0
    ctime: float = 0.0
    used: int = 0
    parent: str = ""
    notes: str = ""
    protected: bool = False
    virtual: int = 0  # of a disk image: the size of the disk it holds
    system: bool = False  # an operating system is installed on it
    archive: Archive | None = None  # of a VM's backup
    holds: float = 0.0  # of a copy, and a disk made from one: the recovery point of its data
    marks: dict[str, float] = field(default_factory=dict)  # replication snapshots on it, by job


class Volumes:
    """All volumes of a cluster; asked for by node and storage, of which there may be years."""

    def __init__(self, held: Iterable[Volume] = ()) -> None:
        self._places: dict[tuple[str, str], dict[str, Volume]] = {}
        for volume in held:
            self.append(volume)

    def __iter__(self) -> Iterator[Volume]:
        return (volume for place in self._places.values() for volume in place.values())

    def on(self, storage: str, node: str) -> dict[str, Volume]:
        """Those on a storage by their names; `node` is empty when it is shared."""
        return self._places.setdefault((node, storage), {})

    def append(self, volume: Volume) -> None:
        self.on(volume.volid.partition(":")[0], volume.node)[volume.volid] = volume

    def remove(self, volume: Volume) -> None:
        del self.on(volume.volid.partition(":")[0], volume.node)[volume.volid]

    def carry(self, volume: Volume, *, node: str = "", volid: str = "") -> None:
        """It lies on another node now, or has another name."""
        self.remove(volume)
        volume.node, volume.volid = node or volume.node, volid or volume.volid
        self.append(volume)


_HELD = TypeAdapter(list[Volume])
KeptVolumes = Annotated[
    Volumes,
    PlainValidator(lambda raw: Volumes(_HELD.validate_python(raw))),
    PlainSerializer(lambda held: _HELD.dump_python(list(held), mode="json")),
]


@dataclass
class VmSnapshot:
    name: str
    config: dict[str, str]
    taken: float
    description: str = ""
    parent: str = ""


@dataclass
class Vm:
    """A guest: a virtual machine, or a container, which is listed and counted only."""

    vmid: int
    node: str
    config: dict[str, str] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    pending_delete: list[str] = field(default_factory=list)
    snapshots: dict[str, VmSnapshot] = field(default_factory=dict)
    parent: str = ""
    status: str = "stopped"  # stopped, running, paused
    started: float = 0.0
    pid: int = 0
    created: float = 0.0
    cloudinit: dict[str, str] = field(default_factory=dict)  # as last written to the CD
    kind: str = "qemu"  # qemu, lxc

    @property
    def name(self) -> str:
        if self.kind == "lxc":
            return self.config.get("hostname", f"CT{self.vmid}")
        return self.config.get("name", f"VM {self.vmid}")

    @property
    def template(self) -> bool:
        return self.config.get("template") == "1"


@dataclass
class Token:
    digest: str
    privsep: bool = True
    expire: int = 0
    comment: str = ""


@dataclass
class User:
    userid: str
    enable: bool = True
    expire: int | None = None
    fields: dict[str, str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    password: str = ""  # salted digest


@dataclass
class Acl:
    path: str
    kind: str  # user, group, token
    who: str
    role: str
    propagate: bool = True


@dataclass
class Section:
    """A section of a configuration file (HA rule, backup job, realm, …): texts by option."""

    name: str
    type: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass
class Access:
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Section] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    acl: list[Acl] = field(default_factory=list)
    realms: dict[str, Section] = field(default_factory=dict)
    key: str = ""  # signs tickets


@dataclass
class Pool:
    name: str
    comment: str | None = None
    vms: list[int] = field(default_factory=list)
    storages: list[str] = field(default_factory=list)


@dataclass
class Task:
    upid: str
    node: str
    pid: int
    pstart: int
    starttime: float
    type: str
    id: str
    user: str
    token: str = ""
    endtime: float | None = None
    status: str = ""
    log: list[str] = field(default_factory=list)


@dataclass
class Storage(Section):
    """One entry of `storage.cfg`."""

    @property
    def shared(self) -> bool:
        return self.type in SHARED or self.flag("shared")

    @property
    def content(self) -> list[str]:
        return [part for part in self.options.get("content", "").split(",") if part]

    @property
    def nodes(self) -> list[str]:
        return [part for part in self.options.get("nodes", "").split(",") if part]

    def flag(self, name: str) -> bool:
        return self.options.get(name) == "1"


@dataclass
class ReplicationState:
    last_sync: float = 0.0
    last_try: float = 0.0
    last_node: str = ""
    duration: float = 0.0
    fail_count: int = 0
    error: str = ""
    pid: int = 0  # of the run that is under way
    log: list[str] = field(default_factory=list)
    storages: list[str] = field(default_factory=list)  # that hold copies


@dataclass
class ReplicationJob(Section):
    """A job `VMID-N`: a guest's local volumes go to the target node."""

    state: ReplicationState = field(default_factory=ReplicationState)
    source: str = ""  # the node it last ran on: an HA manager may have taken the guest away

    @property
    def guest(self) -> int:
        return int(self.name.partition("-")[0])

    @property
    def target(self) -> str:
        return self.options["target"]

    @target.setter
    def target(self, node: str) -> None:
        self.options["target"] = node


@dataclass
class BackupJob(Section):
    since: float = 0.0  # when it last ran, or got its schedule
    missed: list[str] = field(default_factory=list)  # nodes that will make up for a missed run


@dataclass
class BackupSnapshot:
    """One backup on a backup server: a guest at one moment, in a group of its kind."""

    kind: str  # vm, ct, host
    id: str
    time: int
    ns: str = ""
    owner: str = ""
    size: int = 0
    fresh: int = 0  # bytes that no older snapshot of its group has
    comment: str = ""
    protected: bool = False
    verified: str = ""  # ok, failed
    verified_by: str = ""  # the task
    verified_at: float = 0.0
    corrupt: bool = False
    origin: str = ""  # the cluster whose guest it is of
    archive: Archive | None = None

    @property
    def ctime(self) -> float:
        return float(self.time)

    @property
    def group(self) -> str:
        return f"{self.kind}/{self.id}"

    @cached_property
    def name(self) -> str:
        return f"{self.group}/{datetime.fromtimestamp(self.time, UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Run:
    """When something with a schedule last ran, or got its schedule, and how that ended."""

    since: float = 0.0
    upid: str = ""
    ended: int = 0
    state: str = ""


@dataclass
class ServerJob(Section):
    run: Run = field(default_factory=Run)


@dataclass
class Datastore:
    name: str
    total: int
    options: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, BackupSnapshot] = field(default_factory=dict)  # by namespace and name
    namespaces: list[str] = field(default_factory=list)
    pending: int = 0  # bytes that nothing needs, until garbage is collected
    removed: int = 0  # bytes that the last collection freed
    gc: Run = field(default_factory=Run)


@dataclass
class BackupServer:
    stores: dict[str, Datastore] = field(default_factory=dict)
    remotes: dict[str, Section] = field(default_factory=dict)
    sync: dict[str, ServerJob] = field(default_factory=dict)
    verify: dict[str, ServerJob] = field(default_factory=dict)
    prune: dict[str, ServerJob] = field(default_factory=dict)


@dataclass
class Cluster:
    """A cluster; or the one node of a backup server, which has users and tasks as well."""

    name: str
    version: str
    nodes: dict[str, Node] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    capacities: dict[str, Capacity] = field(default_factory=dict)  # by storage, `*` for any other
    volumes: KeptVolumes = field(default_factory=Volumes)
    vms: dict[int, Vm] = field(default_factory=dict)
    containers: dict[int, Vm] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    pools: dict[str, Pool] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    ha_resources: dict[str, Section] = field(default_factory=dict)
    ha_rules: dict[str, Section] = field(default_factory=dict)
    ha_groups: dict[str, Section] = field(default_factory=dict)
    replication: dict[str, ReplicationJob] = field(default_factory=dict)
    backup_jobs: dict[str, BackupJob] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    ha: Ha = field(default_factory=Ha)
    ha_used: bool = False
    firewalls: dict[str, dict[str, list[dict[str, str]]]] = field(default_factory=dict)
    files: dict[str, dict[str, Section]] = field(default_factory=dict)  # further ones, by path
    sdn_running: dict[str, dict[str, Section]] = field(default_factory=dict)
    backups: BackupServer | None = None
    lost_servers: list[str] = field(default_factory=list)  # addresses that do not answer
    ha_disarm: str = ""  # what is asked for: freeze, ignore, or to be armed
    ha_armed: str = "armed"  # what the manager has made of it, round by round

    @property
    def release(self) -> str:
        """`8` or `9`: which API it speaks."""
        return self.version.split(".", 1)[0]

    @property
    def guests(self) -> dict[int, Vm]:
        """All that has a VMID."""
        return self.vms | self.containers

    @property
    def pool_of(self) -> dict[int, str]:
        """The pool of each guest that is in one."""
        return {vmid: pool.name for pool in self.pools.values() for vmid in pool.vms}

    @property
    def online(self) -> list[str]:
        return [node.name for node in self.nodes.values() if node.online]

    @property
    def quorate(self) -> bool:
        return len(self.online) * 2 > len(self.nodes)


# -- as JSON, and back -------------------------------------------------------------------------

_CLUSTER = TypeAdapter(Cluster)


def dump(cluster: Cluster) -> object:
    return _CLUSTER.dump_python(cluster, mode="json")


def restore_cluster(raw: object) -> Cluster:
    """The inverse of `dump`; raises pydantic's ValidationError for what no lab of ours wrote."""
    return _CLUSTER.validate_python(raw)
