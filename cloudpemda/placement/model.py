"""What is asked of placement and what it answers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.units import Cores, MiB, show_size


# -- the question ----------------------------------------------------------------------------
@dataclass(frozen=True)
class DiskDemand:
    storage: str  # PVE storage id
    size: MiB
    replicate: bool = True  # False: the OPD does not want this disk protected


@dataclass(frozen=True)
class ImageDemand:
    """Where the root disk comes from: an import volume, or a template per node."""

    import_volume: str | None = None  # "nfs:import/debian-12.qcow2"
    templates: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Residence:
    """Where a VM lives already. It stays there."""

    vmid: int
    node: str
    targets: tuple[str, ...] = ()  # nodes that hold its replicas


@dataclass(frozen=True)
class VmDemand:
    """One VM to be placed, or one that lives and is asked about together with the new ones."""

    key: str  # "dinkes/simrs/db-1"
    cores: Cores
    memory: MiB
    disks: tuple[DiskDemand, ...]
    image: ImageDemand
    ha: bool = False
    replicas: int = 0  # how many other nodes hold a replica
    apart: str | None = None  # keep-apart group
    existing: Residence | None = None
    away: frozenset[str] = frozenset()  # nodes at the other site: no new VM lives on one of them
    stretched: bool = False  # at least one replica lies at the other site, seen from its node


@dataclass(frozen=True)
class Promise:
    """Capacity that the ledger has given to an instance, whether the cluster shows it yet or not.

    Until its VMID is seen it counts in full; afterwards with the larger of promised and seen,
    because PVE shows a new VM without sizes for some seconds.
    """

    key: str
    vmid: int
    node: str
    cores: Cores
    memory: MiB
    disks: tuple[DiskDemand, ...]
    targets: tuple[str, ...] = ()
    ha: bool = False
    apart: str | None = None


@dataclass(frozen=True)
class PlacementPolicy:
    overcommit: float  # of CPU: cores promised per core that is there
    reserve: MiB  # memory per node, for the host
    excluded: frozenset[str] = frozenset()  # nodes that shall get nothing new
    promised: tuple[Promise, ...] = ()


# -- the answer ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Score:
    """Why this node: how full it is with this VM, and out of how many nodes it was chosen."""

    memory: float  # share of the node's memory (without reserve) that is then promised, 0 … 1
    cpu: float
    candidates: int  # nodes that could have taken it; 0: it lived there already

    @property
    def words(self) -> str:
        """The parts as one stable text of data: `memory=41% cpu=25% candidates=3`."""
        return f"memory={self.memory:.0%} cpu={self.cpu:.0%} candidates={self.candidates}"


@dataclass(frozen=True)
class Placed:
    key: str
    node: str
    targets: tuple[str, ...]
    score: Score


class Exposure(StrEnum):
    """Why HA cannot bring a VM back after the loss of its node, however much room there is."""

    APART = "apart"  # each node that it may use has another member of its group
    LOCAL_DISK = "local-disk"  # a disk on local storage has no replica
    NO_NODE = "no-node"  # no other node is there or allowed


@dataclass(frozen=True)
class Exposed:
    key: str  # the demand's or promise's key; "vm:101" of a VM that is not ours
    why: Exposure


@dataclass(frozen=True)
class Loss:
    """What the loss of one node would mean. `undecided`: no way was found within the bound."""

    node: str
    movers: int  # HA VMs to be recovered
    fits: bool
    undecided: bool = False


@dataclass(frozen=True)
class NPlusOne:
    losses: tuple[Loss, ...]  # by node
    exposed: tuple[Exposed, ...]

    @property
    def holds(self) -> bool:
        return all(loss.fits for loss in self.losses)


@dataclass(frozen=True)
class Placement:
    cluster: str
    vms: tuple[Placed, ...]  # in the order of the demands
    n_plus_one: NPlusOne

    def of(self, key: str) -> Placed:
        """The place of one VM. Raises KeyError for a key that was not asked."""
        for vm in self.vms:
            if vm.key == key:
                return vm
        raise KeyError(key)


class Reason(StrEnum):
    """Why a node does not take a VM: the first that applies, in this order."""

    NO_QUORUM = "no-quorum"
    UNKNOWN = "unknown"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"
    EXCLUDED = "excluded"
    OTHER_SITE = "other-site"
    STORAGE = "storage"
    IMAGE = "image"
    APART = "apart"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    TARGET = "target"
    REFUGE = "refuge"
    N_PLUS_ONE_ALREADY = "n-plus-one-already"
    N_PLUS_ONE = "n-plus-one"
    N_PLUS_ONE_UNDECIDED = "n-plus-one-undecided"


@dataclass(frozen=True)
class Rejection:
    """Why one node does not take the VM; for cpu, memory and disk with the figures."""

    node: str
    reason: Reason
    needed: int | None = None  # cores or MiB
    left: int | None = None


@dataclass(frozen=True)
class NoFit:
    """No node takes the VM `key`, the others of the set being placed as far as they were."""

    cluster: str
    key: str
    rejections: tuple[Rejection, ...]  # by node

    @property
    def counts(self) -> Mapping[Reason, int]:
        """How many nodes each reason keeps away, in the order of `Reason`."""
        found = Counter(rejection.reason for rejection in self.rejections)
        return MappingProxyType({reason: found[reason] for reason in Reason if found[reason]})

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The refusal: which VM, then each reason with its count and nodes."""
        head = Fault(
            "placement.no-fit",
            {"vm": self.key, "cluster": self.cluster, "nodes": len(self.rejections)},
        )
        return (head, *(self._fault(reason, count) for reason, count in self.counts.items()))

    def _fault(self, reason: Reason, count: int) -> Fault:
        of_reason = [r for r in self.rejections if r.reason is reason]
        values: dict[str, object] = {
            "count": count,
            "nodes": ", ".join(rejection.node for rejection in of_reason),
        }
        figures = [r for r in of_reason if r.needed is not None and r.left is not None]
        if figures:
            best = max(figures, key=lambda rejection: rejection.left or 0)
            shown = str if reason is Reason.CPU else show_size
            values |= {
                "needed": shown(best.needed or 0),
                "left": shown(best.left or 0),
                "best": best.node,
            }
        return Fault(f"placement.{reason}", values)
