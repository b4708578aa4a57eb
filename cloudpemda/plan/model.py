"""What should be, as data: the desired VMs of a workload, and the plan that gets there."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property

from cloudpemda.cluster import FirewallRule
from cloudpemda.units import Cores, MiB

PRIMARY = "primary"
COPY = "copy"  # made from a backup, beside the VM that it is a copy of

STAMP_END = "Managed by cloudpemda. Do not edit this text."

_LONGEST_TEXT = 200


def bounded(text: str) -> str:
    """A text from PVE as it may stand in a plan or a message: at most 200 characters."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


@dataclass(frozen=True)
class Identity:
    """Who an instance is. Chosen and recorded before the first write, checked before each."""

    uid: str
    cluster: str
    vmid: int
    role: str = PRIMARY


@dataclass(frozen=True)
class ImageSource:
    """Where the root disk comes from: an import volume, or a template on the VM's own node."""

    import_volume: str | None = None  # "nfs:import/debian-12.qcow2"
    template: int | None = None  # VMID


@dataclass(frozen=True)
class DesiredDisk:
    name: str  # as the OPD calls it; the first is the root disk
    slot: str  # scsi0, scsi1 …
    storage: str
    size: MiB
    backup: bool
    replicate: bool
    fresh: bool = False  # new by an approved change: a VM that was made may be without it
    kept: str = ""  # the volume that rests beside the VM and is put back in its place


@dataclass(frozen=True)
class LeavingDisk:
    """A disk that a change takes away: its volume rests beside the VM with its data."""

    name: str
    slot: str


@dataclass(frozen=True)
class DesiredNic:
    slot: str  # net0 …
    network: str
    bridge: str
    vlan: int | None
    mac: str
    address: str  # "10.10.110.21/24"
    gateway: str | None  # of the lowest slot only: one default route


@dataclass(frozen=True)
class DesiredReplication:
    target: str
    schedule: str  # PVE calendar event, "*/15"


@dataclass(frozen=True)
class DesiredBackup:
    """Membership in the job that the VMs of one class and cluster share."""

    job: str  # id
    storage: str
    schedule: str
    prune: str  # "keep-daily=14,keep-monthly=6"


@dataclass(frozen=True)
class Protection:
    ha: bool
    ha_nodes: tuple[str, ...]  # strict affinity: the source, its replication targets; () = any
    apart: str | None  # keep-apart group: the name that its members share
    replication: tuple[DesiredReplication, ...]
    backup: DesiredBackup | None


@dataclass(frozen=True)
class AsFound:
    """How a VM stood when it was adopted. What is not named in its request stays as it is."""

    mark: str  # what told it from any other VM before it had our stamp
    sockets: int
    disks: tuple[tuple[str, str], ...]  # name → slot
    nics: tuple[tuple[str, str], ...]  # network → slot
    tags: tuple[str, ...]
    text: str  # of its description; it stays below our stamp

    def slot_of(self, disk: str) -> str | None:
        return dict(self.disks).get(disk)


@dataclass(frozen=True)
class DesiredFirewall:
    """What reaches a VM from outside: its kind's security group lets in, the rest stays out."""

    group: str
    comment: str  # says whose the group is
    rules: tuple[FirewallRule, ...]
    managed: bool  # whether the datacenter's switch may be turned on


@dataclass(frozen=True)
class DesiredVm:
    key: str  # "dinkes/simrs/db-1"
    name: str  # in PVE, "dinkes-simrs-db-1"
    identity: Identity
    node: str
    pool: str
    cores: Cores
    memory: MiB
    image: ImageSource
    disks: tuple[DesiredDisk, ...]
    nics: tuple[DesiredNic, ...]
    user: str
    ssh_keys: tuple[str, ...]
    nameservers: tuple[str, ...]
    tags: frozenset[str]
    protection: Protection
    running: bool = True  # False: somebody has stopped it on purpose, and nobody starts it
    found: AsFound | None = None  # None: cloudpemda made it
    firewall: DesiredFirewall | None = None  # None: left as it is
    leaves: tuple[LeavingDisk, ...] = ()

    @property
    def description(self) -> str:
        """Stamped into the VM in the very call that creates it, so that a lost answer can be
        decided by looking."""
        stamp = (
            f"cloudpemda uid={self.identity.uid} role={self.identity.role} instance={self.key}\n"
            f"{STAMP_END}"
        )
        return f"{stamp}\n\n{self.found.text}" if self.found and self.found.text else stamp


class Aspect(StrEnum):
    """What may differ between desired and live, in the order in which it is put right."""

    POOL = "pool"
    CREATE = "create"
    CONFIG = "config"
    DISKS = "disks"
    FLAGS = "flags"  # whether each disk is backed up and replicated
    FIREWALL = "firewall"
    START = "start"
    HA = "ha"
    REPLICATION = "replication"
    BACKUP = "backup"


PROTECTION = frozenset({Aspect.FLAGS, Aspect.HA, Aspect.REPLICATION, Aspect.BACKUP})


@dataclass(frozen=True)
class Difference:
    """One thing to do for one VM, with what was found (`live`) and what shall be (`desired`)."""

    aspect: Aspect
    key: str  # what exactly: "memory", "10001-0"
    live: str
    desired: str


@dataclass(frozen=True)
class PlannedVm:
    desired: DesiredVm
    differences: tuple[Difference, ...]
    reason: str  # why this node, in placement's words (data, not a sentence)

    @property
    def settled(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class Plan:
    """The way from live to desired for one workload, and the state it was made for."""

    workload: str  # "dinkes/simrs"
    cluster: str
    vms: tuple[PlannedVm, ...]
    basis: str  # digest of what was read: affected instances and the chosen nodes' eligibility

    @property
    def settled(self) -> bool:
        return all(vm.settled for vm in self.vms)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the plan and its basis: applied once, to the state it saw.

        Reasons are left out: they tell how full nodes are, which others may change.
        """
        bare = replace(self, vms=tuple(replace(vm, reason="") for vm in self.vms))
        shown = json.dumps(asdict(bare), sort_keys=True, default=_plain)
        return hashlib.sha256(shown.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value)
