"""Stamping VMs that were adopted: our mark in description and tags, and nothing else.

The VM must be the one that was looked at: what tells it from any other (`plan.adoption.mark_of`)
is compared, and PVE writes only over the very configuration that was compared (its digest).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from cloudpemda.apply.failures import Foreign, NotAsDesired, meaning
from cloudpemda.apply.gates import Gates
from cloudpemda.clock import Clock, Entropy
from cloudpemda.cluster import VmConfig
from cloudpemda.errors import CloudpemdaError
from cloudpemda.plan.adoption import mark_of
from cloudpemda.plan.diff import carries
from cloudpemda.plan.model import DesiredVm
from cloudpemda.plan.pve_config import desired_config, same_value
from cloudpemda.proxmox import NotFound, Pve, TaskFailed, TaskUnknown, TaskWaiter, Upid
from cloudpemda.saga import Chain, Ending, Journal, Outcome, Retry, Step, Work
from cloudpemda.site.models import Limits

_TASK_SECONDS = 300.0
_MOVES_MET = 3
_KEYS = ("description", "tags")


@dataclass(frozen=True)
class Stamped:
    """How one VM came out; `error` None: it was read back with our stamp."""

    vm: DesiredVm
    error: CloudpemdaError | None


@dataclass(frozen=True)
class Stampers:
    """What stamping the VMs of one cluster needs. `journals` are by instance key."""

    pve: Pve
    journals: Mapping[str, Journal]
    limits: Limits
    clock: Clock
    entropy: Entropy
    progress: Callable[[str, int], None]  # a key that is done, and how many are
    halted: Callable[[], bool]

    def run(self, vms: Sequence[DesiredVm]) -> tuple[Stamped, ...]:
        """Stamp them all; one that fails stops no other. In the order of `vms`."""
        gates, tasks = Gates(self.limits, frozenset()), TaskWaiter(self.pve, self.clock)
        nodes = len({vm.node for vm in vms}) or 1
        done: list[Stamped] = []
        with ThreadPoolExecutor(self.limits.writes_per_node * nodes, "stamp") as threads:
            running = [threads.submit(self._one, _Stamp(vm, self.pve, gates, tasks)) for vm in vms]
            for future in running:
                done.append(future.result())
                self.progress(done[-1].vm.key, len(done))
        return tuple(done)

    def _one(self, stamp: "_Stamp") -> Stamped:
        vm = stamp.vm
        chain = Chain(
            subject=vm.identity.uid,
            steps=(Step("stamp", stamp.do, stamp.is_done),),
            journal=self.journals[vm.key],
            clock=self.clock,
            entropy=self.entropy,
            retry=Retry(meaning),
            halted=self.halted,
        )
        try:
            chain.renew()  # one that lost its stamp since is stamped anew
            outcome = chain.run()
        except CloudpemdaError as error:
            return Stamped(vm, error)
        return Stamped(vm, _error(outcome))


def _error(outcome: Outcome) -> CloudpemdaError | None:
    if outcome.ending is Ending.DONE:
        return None
    return outcome.error or NotAsDesired("apply.not-as-desired", key="-", what="stamp")


@dataclass(frozen=True)
class _Stamp:
    vm: DesiredVm
    pve: Pve
    gates: Gates
    tasks: TaskWaiter

    def do(self, work: Work) -> None:
        node, config = self._read()
        if self._complete(config):
            return
        found = self.vm.found
        if not carries(config, self.vm.identity) and (
            found is None or mark_of(config) != found.mark or "uid=" in _first_line(config)
        ):
            raise self._foreign("apply.foreign", node)
        wanted = desired_config(self.vm)
        with self.gates.write(node):
            upid = self.pve.set_config(
                node,
                self.vm.identity.vmid,
                {key: wanted[key] for key in _KEYS},
                digest=config.digest,
            )
        work.note_upid(upid)
        self.tasks.wait(upid, _TASK_SECONDS)
        if not self._complete(self._read()[1]):
            raise NotAsDesired("apply.not-as-desired", key=self.vm.key, what="description, tags")

    def is_done(self, work: Work) -> bool:
        if work.upid is not None:
            with suppress(NotFound, TaskFailed, TaskUnknown):
                self.tasks.wait(Upid(work.upid), _TASK_SECONDS)
        return self._complete(self._read()[1])

    def _complete(self, config: VmConfig) -> bool:
        same = same_value("description", config.description, self.vm.description)
        return carries(config, self.vm.identity) and same and self.vm.tags <= config.tags

    def _read(self) -> tuple[str, VmConfig]:
        """Its configuration where it is now. Raises Foreign where it is gone."""
        node, vmid = self.vm.node, self.vm.identity.vmid
        for _ in range(_MOVES_MET):
            try:
                return node, self.pve.config(node, vmid)
            except NotFound:
                elsewhere = self.pve.locate(vmid)
                if elsewhere is None:
                    break
                node = elsewhere
        raise self._foreign("apply.gone", node)

    def _foreign(self, code: str, node: str) -> Foreign:
        return Foreign(code, key=self.vm.key, vmid=self.vm.identity.vmid, node=node)


def _first_line(config: VmConfig) -> str:
    """What a stamp would stand in: another's is never written over."""
    line = config.description.partition("\n")[0]
    return line if line.startswith("cloudpemda ") else ""
