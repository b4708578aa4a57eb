"""Shared nouns: what a cluster is, as an immutable value (`ClusterState`).

`proxmox` makes one by reading, placement and planning only look at it. A part that could not be
read is said so (`NodeStatus.UNKNOWN`, `VmStatus.UNKNOWN`), never left out: unknown is not absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from cloudpemda.units import Cores, Instant, MiB, Seconds


class NodeStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


class VmStatus(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class HaFlavour(StrEnum):
    """How a cluster says where HA may run a VM: groups up to 8, rules from 9; probed."""

    GROUPS = "groups"
    RULES = "rules"


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    status: NodeStatus
    cores: Cores  # physical threads, before overcommit
    memory: MiB
    memory_used: MiB

    @property
    def answers(self) -> bool:
        """Whether what runs there can be read."""
        return self.status in {NodeStatus.ONLINE, NodeStatus.MAINTENANCE}


@dataclass(frozen=True, slots=True)
class Storage:
    """One storage as one node sees it; a shared one appears once per node that sees it."""

    name: str
    node: str
    kind: str  # PVE's plugin type: dir, zfspool, nfs, pbs …
    shared: bool
    content: frozenset[str]
    total: MiB
    used: MiB
    active: bool

    @property
    def replicable(self) -> bool:
        """pvesr replicates zfspool volumes only."""
        return self.kind == "zfspool"


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk of a VM's configuration, e.g. scsi0 on local-zfs."""

    slot: str
    storage: str
    volume: str
    size: MiB
    backup: bool = True
    replicate: bool = True


@dataclass(frozen=True, slots=True)
class Nic:
    slot: str
    model: str
    mac: str
    bridge: str
    vlan: int | None
    firewall: bool


@dataclass(frozen=True, slots=True)
class VmConfig:
    """What `GET config` said of one VM, read at `digest`."""

    digest: str
    name: str
    cores: Cores
    memory: MiB
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    tags: frozenset[str]
    description: str
    onboot: bool
    protection: bool
    raw: Mapping[str, str]  # everything, as sent, for comparison of single keys


@dataclass(frozen=True, slots=True)
class PendingValue:
    """One value of a configuration that the VM's next start makes effective."""

    key: str
    now: str | None  # what it runs with
    next: str | None  # None: it goes


@dataclass(frozen=True, slots=True)
class VmSnapshot:
    """A state of a VM that PVE keeps to go back to."""

    name: str
    taken_at: Instant
    description: str
    parent: str | None
    memory: bool  # whether it has the memory of the running VM


@dataclass(frozen=True, slots=True)
class Vm:
    vmid: int
    node: str
    name: str
    status: VmStatus
    cores: Cores
    memory: MiB
    template: bool
    tags: frozenset[str]
    pool: str | None
    lock: str | None
    container: bool = False
    config: VmConfig | None = None  # only where it was asked for


@dataclass(frozen=True, slots=True)
class HaResource:
    sid: str  # "vm:10001"
    requested: str  # started, stopped, disabled, ignored
    state: str  # what the manager makes of it: started, starting, error, fence …
    node: str | None
    group: str | None = None  # 8 only


@dataclass(frozen=True, slots=True)
class HaRule:
    """A rule of 9, or a group of 8 as the node affinity that it amounts to (without resources)."""

    name: str
    kind: str  # node-affinity, resource-affinity, group
    resources: frozenset[str]
    nodes: Mapping[str, int]  # node → priority
    strict: bool
    positive: bool | None  # resource-affinity: keep together (True) or apart (False)
    enabled: bool
    digest: str | None = None
    errors: str | None = None  # why PVE disabled or refused it, where it says so


@dataclass(frozen=True, slots=True)
class ReplicationJob:
    id: str  # "10001-0"
    vmid: int
    target: str
    schedule: str
    enabled: bool
    removing: bool  # marked remove_job


@dataclass(frozen=True, slots=True)
class ReplicationRun:
    """What the source node says of one job: the proof of its last success."""

    id: str
    vmid: int
    source: str
    target: str
    last_sync: Instant | None  # None: never succeeded
    last_try: Instant | None
    duration: float  # seconds
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True)
class BackupJob:
    id: str
    enabled: bool
    storage: str
    schedule: str
    vmids: frozenset[int]
    all: bool
    pool: str | None
    comment: str
    prune: str = ""  # "keep-daily=14,keep-monthly=6", in the order of the alphabet
    mode: str = "snapshot"
    node: str | None = None  # only guests of this node are backed up
    exclude_path: str = ""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of one VM, listed by a storage: that, not a job's status, is evidence."""

    storage: str
    volume: str
    vmid: int
    taken_at: Instant
    size: int  # bytes
    verified: bool | None = None  # PBS verification; None: not verified yet or no PBS
    verified_at: Instant | None = None  # when that verification began


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One line of a firewall, in PVE's words; its place and digest are what it was read with."""

    kind: str  # in, out, forward, group
    action: str  # ACCEPT, DROP, REJECT, or the name of a security group
    enabled: bool
    options: frozenset[tuple[str, str]]  # proto, dport, source, dest, iface, macro …
    place: int = field(default=0, compare=False)
    digest: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class VmFirewall:
    enabled: bool
    policy_in: str
    policy_out: str
    rules: tuple[FirewallRule, ...]


@dataclass(frozen=True, slots=True)
class Firewall:
    """The firewall of a cluster and of the VMs and nodes that were asked for and answered."""

    enabled: bool  # the datacenter's switch: without it no other counts
    policy_in: str | None  # for the hosts; None: PVE's default, DROP but for the local network
    comments: Mapping[str, str]  # of every security group
    groups: Mapping[str, tuple[FirewallRule, ...]]
    vms: Mapping[int, VmFirewall]
    nodes: Mapping[str, bool]  # whether the service runs that carries the rules out


@dataclass(frozen=True, slots=True)
class PveUser:
    """A user of PVE's own pages."""

    userid: str  # siti@pve
    enabled: bool
    comment: str


@dataclass(frozen=True, slots=True)
class AclEntry:
    """What a user may do on a path."""

    path: str
    userid: str
    role: str


@dataclass(frozen=True)
class ClusterState:
    """One cluster at one moment: what planning reads."""

    name: str
    taken_at: Instant
    quorate: bool
    ha_flavour: HaFlavour
    nodes: Mapping[str, Node]
    storages: tuple[Storage, ...]
    vms: Mapping[int, Vm]  # by VMID, containers included
    pools: frozenset[str]
    ha_resources: Mapping[str, HaResource] = field(default_factory=lambda: MappingProxyType({}))
    ha_rules: tuple[HaRule, ...] = ()
    replication_jobs: tuple[ReplicationJob, ...] = ()
    backup_jobs: tuple[BackupJob, ...] = ()
    images: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Import volume id → nodes that see it; templates are VMs (`Vm.template`)."""
    firewall: Firewall | None = None  # only where it was asked for

    @cached_property
    def storage_at(self) -> Mapping[tuple[str, str], Storage]:
        """(node, storage id) → storage."""
        return {(s.node, s.name): s for s in self.storages}


@dataclass(frozen=True, slots=True)
class ServerJob:
    """A job of a backup server that has a schedule: it pulls copies, or verifies what is there."""

    id: str
    store: str
    namespace: str
    schedule: str  # empty: it runs only when somebody starts it
    remote: str  # of a sync job: the name of the other server there; empty: this one itself
    remote_store: str
    ended_at: Instant | None  # of its last run; None: never
    state: str  # how that ended: OK, or why not; empty: never


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old what protects a cluster's VMs is. What could not be read stands in `unread`."""

    replication: Mapping[str, ReplicationRun]  # by job id
    backups: Mapping[int, tuple[Backup, ...]]  # by VMID, newest first
    unread: tuple[str, ...] = ()  # "node/pve2", "storage/pbs-dc", "server/pbs-drc"
    away: Mapping[int, tuple[Backup, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """What lies at the recovery centre's backup server, by VMID, newest first."""


def age(now: Instant, then: Instant) -> Seconds:
    """Seconds from `then` to `now`; below zero where clocks disagree, which the caller reports."""
    return Seconds(int((now - then).total_seconds()))
