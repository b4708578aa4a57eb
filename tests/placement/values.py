"""Demands to place; each test says what is special about its own."""

from typing import Any

from cloudpemda.messages import Lang, say
from cloudpemda.placement import (
    DiskDemand,
    ImageDemand,
    NoFit,
    Placement,
    PlacementPolicy,
    VmDemand,
    place,
)
from cloudpemda.units import Cores, MiB

POLICY = PlacementPolicy(overcommit=3, reserve=MiB(8192))
IMAGE = ImageDemand(import_volume="nfs:import/debian-12.qcow2")


def gib(amount: float) -> MiB:
    return MiB(int(amount * 1024))


def demand(key: str, **changes: Any) -> VmDemand:
    """2 cores, 4 GiB, 40 GiB on local-zfs, from the import image."""
    values: dict[str, Any] = {
        "cores": Cores(2),
        "memory": gib(4),
        "disks": (DiskDemand("local-zfs", gib(40)),),
        "image": IMAGE,
    }
    return VmDemand(key=key, **(values | changes))


def protected(key: str, **changes: Any) -> VmDemand:
    """A demand under HA with one replica."""
    return demand(key, **({"ha": True, "replicas": 1} | changes))


def placed(outcome: Placement | NoFit) -> Placement:
    assert isinstance(outcome, Placement), sentence(outcome, "en")
    return outcome


def sentence(refusal: NoFit, lang: Lang) -> str:
    """The refusal as it reads in one breath."""
    what, *reasons = (say(fault.code, lang, fault.values) for fault in refusal.faults)
    return f"{what}: {', '.join(reasons)}"


def refused(outcome: Placement | NoFit) -> NoFit:
    assert isinstance(outcome, NoFit), outcome
    return outcome


__all__ = [
    "IMAGE",
    "POLICY",
    "demand",
    "gib",
    "place",
    "placed",
    "protected",
    "refused",
    "sentence",
]
