"""The VM steps: do, undo and verify, so that a workload stands as desired or not at all.

Why a room: PVE makes a VM in a dozen calls, each of which can fail, be lost, or be overtaken by
somebody else. Here each call belongs to a step of a saga (`saga`), and the steps of a VM to a
chain; chains of one workload run at the same time, and fail alone. By the same rules single VMs are
switched, snapshotted, restored and copied (`power`, `snapshots`, `restore`, `copy`), nodes are
emptied (`drain`), copies that VMs lack are made (`due`), and pools are kept in step (`pools`).

What always holds:

- Identity first. The uid is in the very call that creates the VM. What stands under a VMID is
  changed or destroyed only after that uid was read back; if it is somebody else's, the ledger
  gives another VMID, and the stranger is not touched.
- Looking before repeating. After a kill or a lost answer, a deed is done again only where its
  effect is not found.
- What this saga made it may destroy; what stood there before it only puts right.
- Bounded: image copies per storage, writing requests per node; first come, first served.
- Few requests: the creating call carries the whole configuration; membership of a shared backup
  job is written once for all who wait; one picture of the cluster proves the whole workload.
- Nothing counts as done that was not read back (`verify`).

What it refuses to know: requests, quota, approvals, placement; who may; where a journal is kept;
how progress is shown.
"""

from cloudpemda.apply.stamp import Stamped, Stampers
from cloudpemda.apply.tools import Progress, Reclaim, Tools
from cloudpemda.apply.workload import (
    ApplyResult,
    VmEnding,
    VmResult,
    apply_workload,
    undo_workload,
)

__all__ = [
    "ApplyResult",
    "Progress",
    "Reclaim",
    "Stamped",
    "Stampers",
    "Tools",
    "VmEnding",
    "VmResult",
    "apply_workload",
    "undo_workload",
]
