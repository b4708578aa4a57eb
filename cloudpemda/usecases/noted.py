"""What the ledger notes of VMs beside their records: what rests beside them, which shall not run.

A look at many workloads reads it once, after it has read their cluster: a VM that is stopped in
between is still seen as running, and not told to be broken.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.ledger import Aside, InstanceRecord, Stop
from cloudpemda.usecases.desk import Desk


@dataclass(frozen=True)
class Noted:
    """By uid."""

    asides: Mapping[str, tuple[Aside, ...]]
    stops: Mapping[str, Stop]


def noted_of(desk: Desk, records: Collection[InstanceRecord]) -> Noted:
    """What is noted of these VMs now."""
    asides: dict[str, tuple[Aside, ...]] = {}
    for one in desk.ledger.asides.list(uids=[record.uid for record in records]):
        asides[one.uid] = (*asides.get(one.uid, ()), one)
    return Noted(MappingProxyType(asides), desk.ledger.stops.by_uid())
