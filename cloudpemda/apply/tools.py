"""What the steps of all VMs of one apply share, and who is told how they get on."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cloudpemda.clock import Clock, Entropy
from cloudpemda.cluster import ClusterState
from cloudpemda.proxmox import Pve
from cloudpemda.saga import Journal
from cloudpemda.site.models import Limits


class Reclaim(Protocol):
    """Who gives out VMIDs: the ledger."""

    def __call__(self, uid: str, taken: Collection[int]) -> int:
        """Another VMID for an instance whose own was taken by somebody else before its creation.

        Durable when it returns. Raises Refused where the range has none left.
        """


class Progress(Protocol):
    """Who wants to see it happen. Called from several threads at once; must not raise."""

    def __call__(self, key: str, step: str, state: str, fraction: float) -> None:
        """`key` of the VM, its step, the step's state in the journal's words, and how much of
        the VM's work is done (0 to 1)."""


@dataclass(frozen=True)
class Tools:
    """What an apply works with, all of one cluster."""

    pve: Pve
    live: ClusterState  # what the plan was made from: hints that save requests, never proof
    established: frozenset[str]  # keys of VMs that were active once: put right, never made anew
    journal: Journal
    reclaim_vmid: Reclaim
    limits: Limits
    locks: Path  # a directory of this ledger's own, for what several applies write in turns
    clock: Clock
    entropy: Entropy
    progress: Progress
    halted: Callable[[], bool]
