"""The copies that VMs lack, made now: a backup of one VM, or a run of one of its replication jobs.

Whose VM it is, and that nobody works on it, is read before each; that the copy is there is read
back after it: neither a task that says OK nor a job that was told to run is a copy. What a lane of
a node does, backups or replications, is done one after another, and nothing is begun that would
not end before `until`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event

from cloudpemda.apply.chains import chain_of
from cloudpemda.apply.failures import ApplyError, Foreign
from cloudpemda.apply.identity import Standing, look_for
from cloudpemda.apply.power import require_unlocked
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.tools import Tools
from cloudpemda.cluster import ReplicationRun
from cloudpemda.errors import CloudpemdaError, Incomplete
from cloudpemda.plan.model import Identity
from cloudpemda.proxmox import NotFound, TaskFailed, TaskUnknown, Upid, upid_works_on
from cloudpemda.recovery.due import Sized
from cloudpemda.recovery.window import Lane
from cloudpemda.saga import Chain, Ending, Step, Work
from cloudpemda.units import Instant

_GRACE = timedelta(minutes=15)  # for what was to end in time and did not; then nobody waits longer
_POLL_SECONDS = 20.0  # PVE's runner looks once a minute
_NOTES = "{{guestname}}"
_LOST = (NotFound, TaskFailed, TaskUnknown)


@dataclass(frozen=True)
class Making:
    """One copy that shall be made of one VM."""

    what: Sized
    identity: Identity
    storage: str  # where its backups go

    @property
    def subject(self) -> str:
        """What the journal knows it by."""
        return f"{self.identity.uid}:{self.what.due.job or self.what.due.lane}"


@dataclass(frozen=True)
class Made:
    """How one came out: the backup's volume or the job, or why there is none. Neither: it was not
    begun, since it would not have ended in time any more."""

    making: Making
    evidence: str | None = None
    error: CloudpemdaError | None = None
    unfinished: bool = False  # halted, or nobody can say: the next call goes on


def make_due(makings: Sequence[Making], tools: Tools, until: Instant) -> tuple[Made, ...]:
    """Make them, the lanes side by side; where it is halted or interrupted, what was begun is
    left unfinished."""
    lanes: dict[tuple[str, Lane], list[Making]] = {}
    for one in makings:
        lanes.setdefault((one.what.node, one.what.due.lane), []).append(one)
    if not lanes:
        return ()
    stop = Event()
    shop = Shop(replace(tools, halted=lambda: stop.is_set() or tools.halted()), ())
    with ThreadPoolExecutor(len(lanes), "due") as threads:
        running = [threads.submit(_lane, own, shop, until) for own in lanes.values()]
        try:
            wait(running)
        except KeyboardInterrupt:
            stop.set()
    return tuple(made for one in running for made in one.result())


def _lane(makings: Sequence[Making], shop: Shop, until: Instant) -> tuple[Made, ...]:
    made = []
    for one in makings:
        maker = _Maker(one, shop, until)
        begun = shop.tools.journal.steps(one.subject)
        ends = shop.clock.now() + timedelta(seconds=one.what.seconds)
        if ends > until and not begun:
            made.append(Made(one))
            continue
        try:
            made.append(
                maker.run(chain_of(one.what.due.key, one.subject, maker.steps(), shop.tools))
            )
        except Incomplete as error:
            made.append(Made(one, error=error, unfinished=True))
    return tuple(made)


class _Maker:
    """One copy on its way."""

    def __init__(self, making: Making, shop: Shop, until: Instant) -> None:
        self._due, self._node = making.what.due, making.what.node
        self._making = making
        self._shop = shop
        self._pve = shop.pve
        self._ends = until + _GRACE
        self._evidence: str | None = None

    def steps(self) -> tuple[Step, ...]:
        if self._due.lane is Lane.BACKUP:
            return (Step("backup", self._back_up, self._is_backed_up),)
        return (Step("replicate", self._replicate, self._is_replicated),)

    def run(self, chain: Chain) -> Made:
        outcome = chain.run()
        if outcome.ending is Ending.DONE:
            return Made(self._making, self._evidence or self._due.job or "-")
        left = outcome.ending is Ending.UNFINISHED
        return Made(self._making, error=outcome.error or self._unseen(), unfinished=left)

    # -- backup ----------------------------------------------------------------------------
    def _back_up(self, work: Work) -> None:
        self._prove()
        with self._shop.gates.write(self._node):
            upid = self._pve.back_up(
                self._node, self._making.identity.vmid, self._making.storage, _NOTES
            )
        work.note_upid(upid)
        self._shop.tasks.wait(upid, self._left())
        if not self._listed():
            raise self._unseen()

    def _is_backed_up(self, work: Work) -> bool:
        """Once nobody makes it any more: a process that died may have begun it, and not have
        heard of the task."""
        vmid = self._making.identity.vmid
        tasks = [Upid(work.upid)] if work.upid is not None else []
        tasks += [
            upid
            for upid, ended in self._pve.tasks().items()
            if ended is None and upid.split(":")[5] == "vzdump" and upid_works_on(upid, vmid)
        ]
        for upid in dict.fromkeys(tasks):
            with suppress(*_LOST):
                self._shop.tasks.wait(upid, self._left())
        return self._listed()

    def _listed(self) -> bool:
        storage, vmid = self._making.storage, self._making.identity.vmid
        found = self._pve.freshness((), [storage], [self._node])
        volumes = [
            one.volume
            for one in found.backups.get(vmid, ())
            if one.taken_at >= self._due.since and one.verified is not False
        ]
        self._evidence = volumes[0] if volumes else None
        return bool(volumes)

    # -- replication -----------------------------------------------------------------------
    def _replicate(self, _: Work) -> None:
        """Tell the job to run, and wait until it has. PVE answers the same whether it will or
        not; one that never ran is due without being told."""
        self._prove()
        job = self._due.job
        assert job is not None  # noqa: S101 - of a replication
        before = self._run()
        with self._shop.gates.write(self._node):
            self._pve.schedule_replication(self._node, job)
        while True:
            run = self._run()
            if self._is_good(run):
                self._evidence = job
                return
            if run is None:
                raise self._error("due.no-job", job=job, node=self._node)
            if before is not None and run.failures > before.failures:
                raise self._error("due.replica-failed", job=job, error=run.error or "-")
            if self._shop.clock.now() >= self._ends:
                raise self._error("due.replica-slow", job=job, node=self._node)
            self._shop.clock.sleep(_POLL_SECONDS)

    def _is_replicated(self, _: Work) -> bool:
        return self._is_good(self._run())

    def _is_good(self, run: ReplicationRun | None) -> bool:
        return run is not None and run.last_sync is not None and run.last_sync >= self._due.since

    def _run(self) -> ReplicationRun | None:
        runs = self._pve.replication_runs(self._node)
        return next((one for one in runs if one.id == self._due.job), None)

    # -- both ------------------------------------------------------------------------------
    def _prove(self) -> None:
        """Our VM stands there, and nobody works on it where that would be in the way."""
        key, identity = self._due.key, self._making.identity
        found = look_for(self._pve, identity, self._node)
        if found.standing is not Standing.OURS or found.config is None:
            code = "apply.gone" if found.standing is Standing.ABSENT else "apply.foreign"
            raise Foreign(code, key=key, vmid=identity.vmid, node=found.node)
        if found.node != self._node and self._due.lane is Lane.REPLICATION:
            raise self._error("due.no-job", job=self._due.job or "-", node=self._node)
        self._node = found.node
        if self._due.lane is Lane.BACKUP:
            require_unlocked(self._pve, key, identity.vmid, found.config)

    def _left(self) -> float:
        return max((self._ends - self._shop.clock.now()).total_seconds(), 1.0)

    def _unseen(self) -> ApplyError:
        return self._error("due.no-backup", node=self._node, storage=self._making.storage)

    def _error(self, code: str, **values: object) -> ApplyError:
        return ApplyError(code, vm=self._due.key, **values)
