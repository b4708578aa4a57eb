"""States of one VM to go back to (vm_snapshots): taken, removed, gone back to, and read back.

It has no journal: what PVE lists is looked at before each deed and after it. The VM's identity is
read before each, and a VM that PVE works on is left alone.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cloudpemda.apply.failures import ApplyError, Foreign
from cloudpemda.apply.identity import Standing, look_for
from cloudpemda.apply.power import require_unlocked
from cloudpemda.clock import Clock
from cloudpemda.cluster import VmSnapshot, VmStatus
from cloudpemda.errors import Refused
from cloudpemda.plan.model import Identity
from cloudpemda.proxmox import NotFound, Pve, TaskFailed, TaskWaiter, Upid

_TASK_SECONDS = 3600.0
_NOT_NEWEST = "not most recent snapshot"


@dataclass
class Keeper:
    """The states of one VM. `node` is where it was last; `upids` are the tasks it has begun."""

    pve: Pve
    clock: Clock
    key: str
    identity: Identity
    node: str

    def __post_init__(self) -> None:
        self.upids: list[str] = []

    @property
    def _vmid(self) -> int:
        return self.identity.vmid

    def list(self) -> tuple[VmSnapshot, ...]:
        """Oldest first. Raises Foreign where the VM is gone or somebody else's."""
        self._own(work=False)
        return self.pve.vm_snapshots(self.node, self._vmid)

    def take(self, name: str, description: str) -> None:
        """Keep its disks as they are now, not its memory; one of that name is enough."""
        self._own()
        if self._has(name):
            return
        self._do(
            lambda: self.pve.take_snapshot(self.node, self._vmid, name, description),
            lambda: self._has(name),
        )

    def drop(self, name: str) -> None:
        self._own()
        if not self._has(name):
            return
        with suppress(NotFound):
            self._do(
                lambda: self.pve.drop_snapshot(self.node, self._vmid, name),
                lambda: not self._has(name),
            )

    def go_back(self, name: str) -> None:
        """Its disks and configuration as they were; what was written since is lost. One that ran
        is started again. Raises Refused `vm.snapshot-not-newest` where its storage knows no way
        past a newer one."""
        self._own()
        running = self.pve.vm_status(self.node, self._vmid) is VmStatus.RUNNING
        try:
            self._do(
                lambda: self.pve.go_back(self.node, self._vmid, name, start=running),
                lambda: True,
            )
        except TaskFailed as error:
            if _NOT_NEWEST in str(error.values.get("text", "")):
                raise Refused("vm.snapshot-not-newest", vm=self.key, name=name) from error
            raise
        self._own(work=False)

    def _do(self, begin: Callable[[], Upid], reached: Callable[[], bool]) -> None:
        upid = begin()
        self.upids.append(upid)
        TaskWaiter(self.pve, self.clock).wait(upid, _TASK_SECONDS)
        if not reached():
            raise ApplyError("vm.snapshot-unseen", vm=self.key)

    def _has(self, name: str) -> bool:
        return any(one.name == name for one in self.pve.vm_snapshots(self.node, self._vmid))

    def _own(self, *, work: bool = True) -> None:
        found = look_for(self.pve, self.identity, self.node)
        if found.standing is not Standing.OURS or found.config is None:
            code = "apply.gone" if found.standing is Standing.ABSENT else "apply.foreign"
            raise Foreign(code, key=self.key, vmid=self._vmid, node=found.node)
        self.node = found.node
        if work:
            require_unlocked(self.pve, self.key, self._vmid, found.config)
