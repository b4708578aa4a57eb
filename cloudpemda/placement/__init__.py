"""Where does it go? A pure, deterministic function of demand, policy and one `ClusterState`.

`place` chooses for each VM of a set a node and its replication targets, or says by counted reasons
why no node fits (`NoFit`, a value: to be asked in vain is no error). The same question always gets
the same answer; ties are broken by the node's name.

What holds for every `Placement`:

- A node takes Σ cores of its VMs, stopped ones too, up to cores × overcommit, and Σ configured
  memory up to its memory without the host's reserve; a storage takes what is neither used nor
  promised. A replica lies on another node, on the same zfs storage id (pvesr can nothing else).
- Members of a keep-apart group never share a node. Neither does a member's replica with another
  member, as far as the nodes allow it; where they do not, the member is listed as `exposed`.
- N+1: after the loss of any one node its HA VMs fit on the nodes that HA may use for them. This is
  shown by a witness (who goes where), never by a sum; where no witness is found within the bound
  of the search, the answer is no, and says `undecided`.
  Exposed members of a keep-apart group have their room too; a VM that no other node could start
  whatever its room (a disk without replica) is listed, and counts for nothing there.
- A node that is not online takes nothing, but what lives there keeps its place in the sums.
- Nothing that already lives is moved, and it is not checked again unless it grows; moving is
  asked for by a person who empties a node (`evacuation`).

The room knows no quota, request, price or file, and writes nothing.
"""

from cloudpemda.placement.evacuation import (
    Evacuation,
    Hindered,
    Hindrance,
    Move,
    evacuation,
    n_plus_one,
)
from cloudpemda.placement.model import (
    DiskDemand,
    Exposed,
    Exposure,
    ImageDemand,
    Loss,
    NoFit,
    NPlusOne,
    Placed,
    Placement,
    PlacementPolicy,
    Promise,
    Reason,
    Rejection,
    Residence,
    Score,
    VmDemand,
)
from cloudpemda.placement.search import place

__all__ = [
    "DiskDemand",
    "Evacuation",
    "Exposed",
    "Exposure",
    "Hindered",
    "Hindrance",
    "ImageDemand",
    "Loss",
    "Move",
    "NPlusOne",
    "NoFit",
    "Placed",
    "Placement",
    "PlacementPolicy",
    "Promise",
    "Reason",
    "Rejection",
    "Residence",
    "Score",
    "VmDemand",
    "evacuation",
    "n_plus_one",
    "place",
]
