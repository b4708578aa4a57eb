"""What a row keeps as JSON, read: many rows keep the same, which is parsed once."""

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from cloudpemda.plan.model import AsFound

_MOST = 4096  # different texts that are remembered


@lru_cache(_MOST)
def by_name(text: str) -> Mapping[str, Any]:
    """Disk name → where it is."""
    return MappingProxyType(json.loads(text))


@lru_cache(_MOST)
def names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def as_found(text: str) -> AsFound:
    """How a VM stood when it was adopted."""
    raw = json.loads(text)
    return AsFound(
        mark=raw["mark"],
        sockets=raw["sockets"],
        disks=tuple((name, slot) for name, slot in raw["disks"]),
        nics=tuple((network, slot) for network, slot in raw["nics"]),
        tags=tuple(raw["tags"]),
        text=raw["text"],
    )
