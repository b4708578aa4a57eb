"""Keeping pools and their readers in step: each step by itself, looked at before it is done.

It has no journal: what is left to do is what differs, and both are read again. A step that fails
stops no other; whoever runs it again goes on with what is left.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from cloudpemda.apply.failures import Foreign
from cloudpemda.apply.identity import Standing, look_for
from cloudpemda.errors import CloudpemdaError, Incomplete
from cloudpemda.plan.pools import Deed, Home, PoolStep, entry
from cloudpemda.proxmox import Exists, Pve


@dataclass(frozen=True)
class Kept:
    """How one step came out; `error` None: PVE has done it."""

    step: PoolStep
    error: CloudpemdaError | None


@dataclass(frozen=True)
class PoolKeeper:
    """What keeping the pools of one cluster needs; `nodes` is where each VM was seen."""

    pve: Pve
    homes: Mapping[int, Home]
    nodes: Mapping[int, str]
    halted: Callable[[], bool]

    def run(self, steps: Iterable[PoolStep]) -> tuple[Kept, ...]:
        """In their order, since a pool is made before it is filled."""
        return tuple(self._one(step) for step in steps)

    def _one(self, step: PoolStep) -> Kept:
        if self.halted():
            return Kept(step, Incomplete("apply.halted"))
        try:
            self._do(step)
        except CloudpemdaError as error:
            return Kept(step, error)
        return Kept(step, None)

    def _do(self, step: PoolStep) -> None:
        access = self.pve.access
        match step.deed:
            case Deed.MAKE:
                with suppress(Exists):
                    self.pve.create_pool(step.subject, step.what)
            case Deed.COMMENT:
                access.comment_pool(step.subject, step.what)
            case Deed.MOVE:
                for vmid in step.vmids:
                    self._move(step.subject, vmid)
            case Deed.USER:
                access.create_user(step.subject, step.what)
            case Deed.ENABLE | Deed.DISABLE:
                access.enable_user(step.subject, enabled=step.deed is Deed.ENABLE)
            case Deed.GRANT | Deed.REVOKE:
                access.grant(entry(step.subject, step.what), away=step.deed is Deed.REVOKE)

    def _move(self, pool: str, vmid: int) -> None:
        """PVE cannot be told to move a VM only while it is ours: it is asked just before."""
        home = self.homes[vmid]
        found = look_for(self.pve, home.identity, self.nodes[vmid])
        if found.standing is not Standing.OURS:
            raise Foreign("apply.foreign", key=home.key, vmid=vmid, node=found.node)
        with suppress(Exists):
            self.pve.move_to_pool(pool, [vmid])
