"""Moving VMs off a node, each only after it was seen to be ours, and seen to have arrived.

It has no journal: what a move leaves is where the VM is and whether PVE still works on it, and
both are read before each step. Whoever runs it again goes on with what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cloudpemda.apply.failures import ApplyError, Foreign, Lasting, meaning
from cloudpemda.clock import Clock, Entropy
from cloudpemda.errors import CloudpemdaError, Incomplete
from cloudpemda.placement import Move
from cloudpemda.plan.diff import carries
from cloudpemda.plan.ha import sid
from cloudpemda.plan.model import Identity
from cloudpemda.proxmox import NotFound, Pve, TaskFailed, TaskWaiter
from cloudpemda.saga import Failure, Retry

_MOVE_SECONDS = 3600.0  # a copied disk over a busy network takes its time
_HA_IDLE_SECONDS = 120.0  # the manager works in rounds of ten seconds; then it does not want to
_POLL_SECONDS = 3.0


@dataclass(frozen=True)
class Moved:
    """How one move came out; `error` None: it was seen on its target."""

    move: Move
    error: CloudpemdaError | None


@dataclass(frozen=True)
class Movers:
    """What moving the VMs of one node needs. `at_once` is how many move at the same time."""

    pve: Pve
    node: str
    identities: Mapping[int, Identity]
    at_once: int
    clock: Clock
    entropy: Entropy
    progress: Callable[[str, str, str, float], None]
    halted: Callable[[], bool]

    def run(self, moves: Sequence[Move]) -> tuple[Moved, ...]:
        """Move them all; one that fails stops no other. In the order of `moves`."""
        tasks = TaskWaiter(self.pve, self.clock)
        with ThreadPoolExecutor(self.at_once, "drain") as threads:
            running = [threads.submit(self._one, move, tasks) for move in moves]
            return tuple(one.result() for one in running)

    def _one(self, move: Move, tasks: TaskWaiter) -> Moved:
        retry = Retry(meaning)
        failure: CloudpemdaError | None = None
        for attempt in range(retry.attempts):
            if self.halted():
                return Moved(move, Incomplete("nodes.halted", vm=move.name, node=self.node))
            try:
                self.progress(move.name, move.target, "started", 0.0)
                self._move(move, tasks)
            except CloudpemdaError as error:
                failure = error
                if meaning(error) is not Failure.TEMPORARY:
                    break
                self.clock.sleep(retry.pause(attempt, self.entropy.fraction()))
            else:
                self.progress(move.name, move.target, "done", 1.0)
                return Moved(move, None)
        self.progress(move.name, move.target, "failed", 0.0)
        return Moved(move, failure)

    def _move(self, move: Move, tasks: TaskWaiter) -> None:
        """Move it if it is still on the node. Raises Foreign where another VM stands there."""
        try:
            config = self.pve.config(self.node, move.vmid)
        except NotFound:
            if self.pve.locate(move.vmid) in {None, self.node}:
                raise
            return  # gone since: HA, or a former run of this command
        if not carries(config, self.identities[move.vmid]):
            raise Foreign("apply.foreign", key=move.name, vmid=move.vmid, node=self.node)
        if move.ha:
            self.pve.migrate_ha_resource(move.vmid, move.target)
            self._until_arrived(move)
            return
        upid = self.pve.migrate(self.node, move.vmid, move.target, online=move.running)
        try:
            tasks.wait(upid, _MOVE_SECONDS)
        except TaskFailed:
            if not self._left(move):  # however a task ends, where the VM is counts
                raise
        if not self._left(move):
            raise ApplyError("nodes.not-moved", vm=move.name, vmid=move.vmid, node=self.node)

    def _until_arrived(self, move: Move) -> None:
        """Wait while the manager moves it. Raises Lasting where it does not, or not in time."""
        begun = idle = self.clock.now()
        name = sid(move.vmid)
        while not self._left(move):
            now = self.clock.now()
            resource = self.pve.ha_resources().get(name)
            if resource is not None and resource.state not in {"started", "stopped"}:
                idle = now
            if (now - idle).total_seconds() > _HA_IDLE_SECONDS or (
                now - begun
            ).total_seconds() > _MOVE_SECONDS:
                raise Lasting("nodes.ha-stays", vm=move.name, vmid=move.vmid, node=self.node)
            if self.halted():
                raise Incomplete("nodes.halted", vm=move.name, node=self.node)
            self.clock.sleep(_POLL_SECONDS)

    def _left(self, move: Move) -> bool:
        return self.pve.locate(move.vmid) not in {None, self.node}
