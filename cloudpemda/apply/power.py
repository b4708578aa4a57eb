"""Starting, stopping and restarting VMs that live, each only after it was seen to be ours.

It has no journal: whether a VM runs, and what HA was asked for, is read before each deed, and
whoever runs it again goes on from there. That a VM is meant to be stopped stands in the ledger
before anything is sent. Under HA the manager is asked, and its effect awaited: a start or stop of
its VM by another way would only file the same request, or be undone by it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from cloudpemda.apply.failures import Foreign, Lasting, meaning
from cloudpemda.apply.identity import Standing, look_for
from cloudpemda.clock import Clock, Entropy
from cloudpemda.cluster import HaResource, PendingValue, VmConfig, VmStatus
from cloudpemda.errors import CloudpemdaError, ExitCode, Incomplete, Refused
from cloudpemda.plan.ha import sid
from cloudpemda.plan.model import Identity
from cloudpemda.proxmox import Pve, TaskFailed, TaskWaiter, Upid, upid_works_on
from cloudpemda.saga import Failure, Retry
from cloudpemda.units import instant, show_utc

GUEST_SECONDS = 180
"""How long a guest has to shut itself down, as PVE's own bulk shutdown gives it."""

_TASK_SECONDS = 900.0
_HA_SECONDS = 600.0  # fencing of a lost node included
_POLL_SECONDS = 2.0
_AT_REST = frozenset({"stopped", "disabled", "ignored"})
_UNMANAGED = "ignored"  # HA leaves it alone


class GuestSilent(CloudpemdaError):
    """The guest was asked to shut down and did not: it runs on, and a person decides."""

    exit_code = ExitCode.FINDINGS


class Verb(StrEnum):
    START = "start"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with one VM; `node` is where it was last."""

    key: str
    identity: Identity
    node: str
    verb: Verb
    hard: bool = False  # power off in place of asking the guest


@dataclass(frozen=True, slots=True)
class Powered:
    """How one job came out; `error` None: read back as wanted."""

    job: Job
    error: CloudpemdaError | None = None
    already: bool = False  # it was so before, nothing was sent
    ha: bool = False  # by way of the HA manager
    effective: tuple[PendingValue, ...] = ()  # what was pending and holds now
    upids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Power:
    """What working on the VMs of one cluster needs. `at_once` is how many at the same time."""

    pve: Pve
    at_once: int
    clock: Clock
    entropy: Entropy
    progress: Callable[[str, str, str, float], None]
    halted: Callable[[], bool]

    def run(self, jobs: Sequence[Job]) -> tuple[Powered, ...]:
        """Do them all; one that fails stops no other. In the order of `jobs`."""
        tasks = TaskWaiter(self.pve, self.clock)
        with ThreadPoolExecutor(self.at_once, "power") as threads:
            running = [threads.submit(self._one, job, tasks) for job in jobs]
            return tuple(one.result() for one in running)

    def _one(self, job: Job, tasks: TaskWaiter) -> Powered:
        retry = Retry(meaning)
        upids: list[str] = []
        failure: CloudpemdaError | None = None
        for attempt in range(retry.attempts):
            if self.halted():
                failure = Incomplete("vm.halted", vm=job.key, verb=job.verb.value)
                break
            self.progress(job.key, job.verb.value, "started", 0.0)
            try:
                done = _Hand(self, job, tasks, upids).work()
            except CloudpemdaError as error:
                failure = error
                if isinstance(error, Incomplete) or meaning(error) is not Failure.TEMPORARY:
                    break
                self.clock.sleep(retry.pause(attempt, self.entropy.fraction()))
            else:
                self.progress(job.key, job.verb.value, "done", 1.0)
                return done
        self.progress(job.key, job.verb.value, "failed", 0.0)
        return Powered(job, failure, upids=tuple(upids))


class _Hand:
    """One attempt at one job."""

    def __init__(self, power: Power, job: Job, tasks: TaskWaiter, upids: list[str]) -> None:
        self._power = power
        self._pve = power.pve
        self._job = job
        self._tasks = tasks
        self._upids = upids
        self._vmid = job.identity.vmid
        self._node = job.node

    def work(self) -> Powered:
        config = self._own()
        running = self._runs()
        resource = self._resource()
        managed = resource is not None and resource.requested != _UNMANAGED
        waiting = self._pve.pending(self._node, self._vmid)
        match self._job.verb:
            case Verb.START if running and not (managed and _is_off(resource)):
                return Powered(self._job, already=True)
            case Verb.STOP if not running and (not managed or _is_off(resource)):
                return Powered(self._job, already=True)
            case Verb.RESTART if not running:
                raise Refused("vm.not-running", vm=self._job.key)
        self._require_unlocked(config)
        match self._job.verb:
            case Verb.START:
                self._start(resource if managed else None)
            case Verb.STOP:
                self._stop(resource if managed else None)
            case Verb.RESTART:
                self._restart(resource if managed else None)
        return self._done(managed=managed, waiting=waiting)

    def _done(self, *, managed: bool, waiting: Sequence[PendingValue]) -> Powered:
        """Read back; HA may have started it on another node."""
        self._own()
        left = {one.key for one in self._pve.pending(self._node, self._vmid)}
        return Powered(
            self._job,
            ha=managed,
            effective=tuple(one for one in waiting if one.key not in left),
            upids=tuple(self._upids),
        )

    # -- the verbs -------------------------------------------------------------------------
    def _start(self, resource: HaResource | None) -> None:
        if resource is None:
            try:
                self._wait(self._pve.start(self._node, self._vmid))
            except TaskFailed:
                if not self._runs():  # the task of one that runs already fails
                    raise
            self._until(self._runs, _TASK_SECONDS, "vm.does-not-start")
            return
        if resource.state == "error":  # it is left through `disabled` alone
            self._pve.set_ha_resource(self._vmid, state="disabled")
            self._until(lambda: self._ha_state() in _AT_REST, _HA_SECONDS, "apply.ha-stays")
        self._pve.set_ha_resource(self._vmid, state="started")
        self._until(
            lambda: self._ha_state() == "started" and self._runs(),
            _HA_SECONDS,
            "vm.does-not-start",
        )

    def _stop(self, resource: HaResource | None) -> None:
        if resource is not None:
            self._ask_ha_to_stop()
            return
        if self._job.hard:
            self._wait(self._pve.stop(self._node, self._vmid))
        else:
            self._ask_guest(self._pve.shutdown(self._node, self._vmid, GUEST_SECONDS), running=True)
        self._until(lambda: not self._runs(), _TASK_SECONDS, "vm.does-not-stop")

    def _restart(self, resource: HaResource | None) -> None:
        if not self._job.hard:
            # HA's manager lets a reboot be: it looks whether the VM runs, once the task has ended
            self._ask_guest(self._pve.reboot(self._node, self._vmid, GUEST_SECONDS), running=None)
            self._until(self._runs, _TASK_SECONDS, "vm.does-not-start")
            return
        if resource is not None:
            self._ask_ha_to_stop()
        else:
            self._wait(self._pve.stop(self._node, self._vmid))
        self._start(self._resource() if resource is not None else None)

    def _ask_ha_to_stop(self) -> None:
        """The manager shuts the guest down, and switches it off where it does not in a minute."""
        if self._job.hard:
            self._wait(self._pve.stop(self._node, self._vmid))
        self._pve.set_ha_resource(self._vmid, state="stopped")
        self._until(
            lambda: self._ha_state() in {None, *_AT_REST} and not self._runs(),
            _HA_SECONDS,
            "apply.ha-keeps-running",
        )

    def _ask_guest(self, upid: Upid, *, running: bool | None) -> None:
        """However the task ends, what the VM does counts; a guest that did nothing is told so."""
        try:
            self._wait(upid)
        except TaskFailed as error:
            if running is None or self._runs() is running:
                raise GuestSilent("vm.guest-silent", vm=self._job.key, text=str(error)) from error

    # -- looking ---------------------------------------------------------------------------
    def _own(self) -> VmConfig:
        """The configuration of our VM. Raises Foreign where it is gone or somebody else's."""
        found = look_for(self._pve, self._job.identity, self._node)
        if found.standing is not Standing.OURS or found.config is None:
            code = "apply.gone" if found.standing is Standing.ABSENT else "apply.foreign"
            raise Foreign(code, key=self._job.key, vmid=self._vmid, node=found.node)
        self._node = found.node
        return found.config

    def _require_unlocked(self, config: VmConfig) -> None:
        require_unlocked(self._pve, self._job.key, self._vmid, config)

    def _runs(self) -> bool:
        node = self._pve.locate(self._vmid) if self._resource() is not None else self._node
        return self._pve.vm_status(node or self._node, self._vmid) is not VmStatus.STOPPED

    def _resource(self) -> HaResource | None:
        return self._pve.ha_resources().get(sid(self._vmid))

    def _ha_state(self) -> str | None:
        resource = self._resource()
        return None if resource is None else resource.state

    def _wait(self, upid: Upid) -> None:
        self._upids.append(upid)
        self._tasks.wait(upid, _TASK_SECONDS)

    def _until(self, reached: Callable[[], bool], seconds: float, code: str) -> None:
        """Read until it is so. Raises Lasting at the deadline, Incomplete where it was halted."""
        begun = self._power.clock.now()
        while not reached():
            if (self._power.clock.now() - begun).total_seconds() > seconds:
                raise Lasting(code, key=self._job.key, vmid=self._vmid)
            if self._power.halted():
                raise Incomplete("vm.halted", vm=self._job.key, verb=self._job.verb.value)
            self._power.clock.sleep(_POLL_SECONDS)


def require_unlocked(pve: Pve, key: str, vmid: int, config: VmConfig) -> None:
    """Raises Refused `vm.locked` with who works on the VM and since when, or `vm.lock-left` where
    nobody does any more."""
    lock = config.raw.get("lock")
    if lock is None:
        return
    at_work = [upid for upid, ended in pve.tasks().items() if ended is None]
    for upid in at_work:
        if upid_works_on(upid, vmid):
            _, node, _, _, since, kind, _, user, *_ = upid.split(":")
            raise Refused(
                "vm.locked", vm=key, lock=lock, task=kind, user=user, node=node,
                since=show_utc(instant(int(since, 16))),
            )  # fmt: skip
    raise Refused("vm.lock-left", vm=key, vmid=vmid, lock=lock)


def _is_off(resource: HaResource | None) -> bool:
    return resource is not None and resource.requested in {"stopped", "disabled"}
