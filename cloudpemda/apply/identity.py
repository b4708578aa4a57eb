"""Is the VM that stands under our VMID ours? Asked before anything is changed or destroyed.

The uid is in the description since the call that created the VM. PVE shows the description only
when the creating task has come that far: until then a locked, nameless configuration stands there,
and whose it is cannot be said yet.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cloudpemda.cluster import VmConfig
from cloudpemda.plan.diff import being_made, carries
from cloudpemda.plan.model import Identity
from cloudpemda.proxmox import NodeOffline, NotFound, Pve

_MOVES_MET = 2


class Standing(StrEnum):
    ABSENT = "absent"
    OURS = "ours"
    FOREIGN = "foreign"
    PENDING = "pending"  # being made, by us or by somebody else


class Identified(Protocol):
    """A desired VM, or one that goes."""

    @property
    def identity(self) -> Identity: ...


@dataclass(frozen=True, slots=True)
class Found:
    standing: Standing
    node: str
    config: VmConfig | None


def look(pve: Pve, vm: Identified, node: str) -> Found:
    """Read the VM's configuration, first on `node`, else where the cluster says it is.

    Raises PveError where that cannot be found out: unknown is not absent.
    """
    return look_for(pve, vm.identity, node)


def look_for(pve: Pve, identity: Identity, node: str) -> Found:
    """The same, of whom only the identity is known."""
    vmid = identity.vmid
    for _ in range(_MOVES_MET):
        try:
            return _found(identity, node, pve.config(node, vmid))
        except (NotFound, NodeOffline) as error:
            elsewhere = pve.locate(vmid)
            if isinstance(error, NodeOffline) and elsewhere in {None, node}:
                raise
        if elsewhere is None:
            return Found(Standing.ABSENT, node, None)
        node = elsewhere  # HA or a migration may move it once more before it is read there
    return _found(identity, node, pve.config(node, vmid))


def _found(identity: Identity, node: str, config: VmConfig) -> Found:
    standing = Standing.FOREIGN
    if carries(config, identity):
        standing = Standing.OURS
    elif being_made(config):
        standing = Standing.PENDING
    return Found(standing, node, config)
