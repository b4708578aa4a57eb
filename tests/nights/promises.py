"""What this regency's service classes promise, and its hundred VMs: written down once, for the site
that keeps it and for the oracle that judges it."""

from dataclasses import dataclass

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Promise:
    """A service class: how old the data may be that is left after a loss, in hours."""

    node: int | None  # loss of the node it runs on
    site: int | None  # loss of all nodes of the data centre
    copies: int = 0  # nodes that hold a replica
    every: int | None = None  # hours between replications


CLASSES = {
    "critical": Promise(node=5, site=30, copies=1, every=2),
    "normal": Promise(node=14, site=54, copies=1, every=6),
    "basic": Promise(node=None, site=30),
}

WORKLOADS = {  # key → class, VMs
    "dinkes/simrs": ("critical", 10),
    "disdukcapil/siak": ("normal", 15),
    "bkad/simkeu": ("normal", 15),
    "dinkes/trial": ("basic", 30),
    "bkad/trial": ("basic", 30),
}
