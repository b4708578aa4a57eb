"""What is due: VMs that have no good copy, or one that is older than promised, are given one now.

It is the night's, within the nightly window alone: a copy is begun only if it will end before the
window closes, as far as anybody has measured, and only so many a night and a node (`catchUp` in
site.yaml). What its own job will still do tonight is left to that job. What was asked for is proved
by reading the copy back. One VM's failure stops no other; what a killed night has begun is awaited
and not begun a second time.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from cloudpemda.apply import Tools
from cloudpemda.apply.due import Made, Making, make_due
from cloudpemda.cluster import ClusterState, Freshness, NodeStatus
from cloudpemda.errors import CloudpemdaError, Fault
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.ledger.journal import DUE
from cloudpemda.plan.diff import carries
from cloudpemda.proxmox import upid_node, upid_works_on
from cloudpemda.recovery.due import Due, Share, Sized, due, shared_out
from cloudpemda.recovery.window import Lane, Window, bounded_below
from cloudpemda.report.standing import Finding
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant
from cloudpemda.usecases.away import TOLERANCE
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.handover import unfinished
from cloudpemda.usecases.journals import Journals, left_by_killed, opened
from cloudpemda.usecases.pause import halting
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.survey import facts_of
from cloudpemda.usecases.window import last_took, starts_within, window_of
from cloudpemda.usecases.workload import kind_of, spec_in_force

_MIB = 1024 * 1024
_WEEK = 7 * 86400


class DueOutcome(StrEnum):
    MADE = "made"  # read back
    FAILED = "failed"
    LATE = "late"  # it would not end in this night's window
    OVER = "over"  # more than the site lets one night make
    BUSY = "busy"  # its node is at its own backups


@dataclass(frozen=True)
class DueCopy:
    """One copy that was due."""

    key: str
    opd: str
    lane: Lane
    outcome: DueOutcome
    evidence: str | None = None  # the backup's volume, the replication's job
    why: tuple[Fault, ...] = ()

    @property
    def fault(self) -> Fault:
        """It as a message."""
        values = {"vm": self.key, "what": self.evidence or "-"}
        room = "night" if self.outcome is DueOutcome.MADE else "due"
        return Fault(f"{room}.{self.lane}-{self.outcome}", values)


@dataclass(frozen=True)
class DueRun:
    """What one call found due and did."""

    copies: tuple[DueCopy, ...] = ()
    interrupted: bool = False
    wrote: bool = False  # something was tried

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was tried in vain, and why. What is late besides is said by its age."""
        return tuple(
            Finding(one.opd, fault)
            for one in self.copies
            if one.outcome is DueOutcome.FAILED
            for fault in (one.fault, *one.why)
        )


def make_what_is_due(desk: Desk, actor: Actor, pictures: Pictures) -> DueRun:
    """Give each VM the copies that it lacks. While the site is paused, the ledger not verified
    after a restore, or the window closed, nothing is done; clusters that cannot be read are told
    by the judgement."""
    settings = desk.site.info.window
    closes = _closes(desk, window_of(settings.from_, settings.until))
    idle = desk.ledger.pause.current() is not None or desk.ledger.found.pending
    if closes is None or idle or not settings.catch_up.per_night:
        return DueRun()
    requests = _sound(desk)
    by_cluster: dict[str, list[InstanceRecord]] = {}
    for one in pictures.records:
        if one.number in requests and one.state is InstanceState.ACTIVE:
            by_cluster.setdefault(one.cluster, []).append(one)
    whole = DueRun()
    for cluster, own in sorted(by_cluster.items()):
        try:
            state, fresh = pictures.of(cluster), pictures.freshness(cluster)
        except CloudpemdaError:
            continue
        if state.quorate:
            part = _OfCluster(desk, actor, state, fresh, own, requests, closes).run()
            whole = DueRun(
                (*whole.copies, *part.copies),
                whole.interrupted or part.interrupted,
                whole.wrote or part.wrote,
            )
    return whole


def _closes(desk: Desk, span: Window) -> Instant | None:
    """When the window that is open closes; None where none is."""
    now = desk.clock.now()
    local = now.astimezone(desk.site.zone)
    offset = span.offset(local.hour * 3600 + local.minute * 60 + local.second)
    return None if offset is None else Instant(now + timedelta(seconds=span.length - offset))


def _sound(desk: Desk) -> Mapping[str, RequestRecord]:
    """Requests that live, and that nothing else is at work on."""
    handed = unfinished(desk)
    return {
        one.number: one
        for one in desk.ledger.requests.list()
        if one.state is RequestState.ACTIVE and not one.changing and one.number not in handed
    }


class _OfCluster:
    """The VMs of one cluster."""

    def __init__(
        self,
        desk: Desk,
        actor: Actor,
        state: ClusterState,
        fresh: Freshness,
        records: Sequence[InstanceRecord],
        requests: Mapping[str, RequestRecord],
        closes: Instant,
    ) -> None:
        self._desk = desk
        self._actor = actor
        self._state = state
        self._fresh = fresh
        self._records = {one.key: one for one in records}
        self._requests = requests
        self._closes = closes
        self._pve = desk.cluster(state.name)
        self._settings = desk.site.info.window

    def run(self) -> DueRun:
        wanted = tuple(self._wanted())
        numbers = {self._records[one.key].number for one in wanted} | left_by_killed(
            self._desk, self._records.values(), DUE
        )
        if not numbers:
            return DueRun()
        free, busy = self._not_busy(wanted)
        share = self._share(free)
        makings = [self._making(one) for one in share.begin]
        copies = [
            *(self._told(one.due, DueOutcome.LATE) for one in share.late),
            *(self._told(one.due, DueOutcome.OVER) for one in share.over),
            *(self._told(one, DueOutcome.BUSY) for one in busy),
        ]
        made, refused = self._make(makings, sorted(numbers))
        copies += [self._came_out(one) for one in made] + refused
        return DueRun(
            tuple(sorted(copies, key=lambda one: (one.key, one.lane))),
            interrupted=any(one.unfinished for one in made) and self._halted(),
            wrote=bool(made),
        )

    @property
    def _storage(self) -> str:
        return self._desk.site.info.clusters[self._state.name].backup or ""

    def _halted(self) -> bool:
        return self._desk.ledger.pause.current() is not None

    # -- what is due -----------------------------------------------------------------------
    def _wanted(self) -> Iterator[Due]:
        now = self._desk.clock.now()
        drained = {one.node for one in self._desk.ledger.drains.list(self._state.name)}
        for record in self._records.values():
            node = self._home(record)
            known = self._class(record)
            if node is None or node in drained or known is None:
                continue
            facts = facts_of(self._desk, record, self._state, now)
            for one in due(facts, self._fresh, now, known, TOLERANCE):
                if self._can_be_made(one, known):
                    yield one

    def _home(self, record: InstanceRecord) -> str | None:
        """The node that it was seen on; None where it was not seen, or is not ours."""
        vm = self._state.vms.get(record.vmid)
        if vm is None or vm.config is None or not carries(vm.config, record.identity):
            return None
        node = self._state.nodes.get(vm.node)
        return vm.node if node is not None and node.status is NodeStatus.ONLINE else None

    def _class(self, record: InstanceRecord) -> ServiceClass | None:
        spec = spec_in_force(self._desk, self._requests[record.number], record.member)
        return self._desk.site.catalogue.service_classes.get(spec.service_class)

    def _can_be_made(self, one: Due, known: ServiceClass) -> bool:
        if one.lane is Lane.REPLICATION:
            jobs = {job.id: job for job in self._state.replication_jobs}
            job = jobs.get(one.job or "")
            target = None if job is None else self._state.nodes.get(job.target)
            usable = job is not None and job.enabled and not job.removing
            return usable and target is not None and target.answers
        policy = known.backup
        if policy is None:
            return False
        span = window_of(self._settings.from_, self._settings.until)
        passed = span.length - int((self._closes - self._desk.clock.now()).total_seconds())
        comes = policy.every < _WEEK and any(
            start >= passed for start in starts_within(policy, span)
        )
        return not comes

    def _not_busy(self, wanted: Sequence[Due]) -> tuple[tuple[Due, ...], tuple[Due, ...]]:
        """Those whose node is not at a backup of somebody else's, and those whose node is."""
        ours = [one.vmid for one in self._records.values()]
        try:
            tasks = self._pve.tasks()
        except CloudpemdaError:
            return (), tuple(wanted)
        nodes = {
            upid_node(upid)
            for upid, ended in tasks.items()
            if ended is None
            and upid.split(":")[5] == "vzdump"
            and not any(upid_works_on(upid, vmid) for vmid in ours)
        }
        busy = tuple(one for one in wanted if one.lane is Lane.BACKUP and self._at(one) in nodes)
        return tuple(one for one in wanted if one not in busy), busy

    def _at(self, one: Due) -> str:
        return self._state.vms[self._records[one.key].vmid].node

    # -- what fits -------------------------------------------------------------------------
    def _share(self, wanted: Sequence[Due]) -> Share:
        """What a killed night has begun is gone on with, whatever else fits."""
        journal, limits = self._desk.ledger.journal, self._settings.catch_up
        left = {
            subject
            for one in journal.unfinished()
            if one.kind == DUE
            for subject in journal.steps(one.id)
        }
        sized = [Sized(one, self._at(one), self._seconds(one)) for one in wanted]
        resumed = [one for one in sized if self._making(one).subject in left]
        span = window_of(self._settings.from_, self._settings.until)
        opened = Instant(self._closes - timedelta(seconds=span.length))
        share = shared_out(
            [one for one in sized if one not in resumed],
            int((self._closes - self._desk.clock.now()).total_seconds()),
            per_night=max(0, limits.per_night - journal.begun(DUE, opened)),
            per_node=limits.per_node,
        )
        return replace(share, begin=(*resumed, *share.begin))

    def _making(self, one: Sized) -> Making:
        return Making(one, self._records[one.due.key].identity, self._storage)

    def _seconds(self, one: Due) -> int:
        """As long as the last took, or as its bytes need where there was none."""
        record = self._records[one.key]
        if one.lane is Lane.BACKUP:
            measured: float | None = self._took.get(record.vmid)
        else:
            run = self._fresh.replication[one.job or ""]
            measured = run.duration if run.last_sync is not None else None
        paces = (self._settings.catch_up.pace, self._settings.bandwidth)
        pace = min(one for one in paces if one is not None)
        size = None if measured is not None else self._size(record)
        return bounded_below(measured, size, pace * _MIB) or 0

    @cached_property
    def _took(self) -> Mapping[int, int]:
        homes = {
            one.vmid: node
            for one in self._records.values()
            if (node := self._home(one)) is not None
        }
        desk, name = self._desk, self._state.name
        return last_took(desk, name, self._fresh, homes, set(homes.values()))

    def _size(self, record: InstanceRecord) -> int:
        spec = spec_in_force(self._desk, self._requests[record.number], record.member)
        disks = kind_of(spec, record.member).disks
        return sum(disk.size for disk in disks if disk.protect) * _MIB

    # -- what is done ----------------------------------------------------------------------
    def _make(
        self, makings: Sequence[Making], numbers: Sequence[str]
    ) -> tuple[tuple[Made, ...], list[DueCopy]]:
        """How each came out, and what was refused because somebody works on its workload."""
        refused: list[DueCopy] = []
        with opened(self._desk, numbers, DUE) as (sagas, busy):
            ready: list[Making] = []
            for one in makings:
                number = self._number(one.what.due)
                if number in busy:
                    told = self._told(one.what.due, DueOutcome.FAILED)
                    refused.append(replace(told, why=busy[number].faults))
                else:
                    ready.append(one)
            journals = {one.identity.uid: sagas[self._number(one.what.due)] for one in ready}
            made = make_due(ready, self._tools(Journals(journals)), self._closes)
            self._note(made, sagas)
            open_still = {self._number(one.making.what.due) for one in made if one.unfinished}
            for number, saga in sagas.items():
                if number not in open_still:
                    saga.close(SagaEvent.FINISH)
        return made, refused

    def _number(self, one: Due) -> str:
        return self._records[one.key].number

    def _tools(self, journals: Journals) -> Tools:
        desk = self._desk

        def no_vmid(uid: str, taken: Collection[int]) -> int:
            raise ValueError(f"{uid} lives, and is given no other VMID than its own")

        return Tools(
            pve=self._pve,
            live=self._state,
            established=frozenset(self._records),
            journal=journals,
            reclaim_vmid=no_vmid,
            limits=desk.site.info.clusters[self._state.name].limits,
            locks=desk.site.path("var/locks"),
            clock=desk.clock,
            entropy=desk.entropy,
            progress=lambda *_: None,
            halted=halting(desk, lambda: False),
        )

    def _note(self, made: Sequence[Made], sagas: Mapping[str, SagaJournal]) -> None:
        """Per request, what was made and by which tasks."""
        for number, saga in sagas.items():
            own = [one for one in made if self._number(one.making.what.due) == number]
            said = [self._came_out(one) for one in own]
            if said:
                request = self._requests[number]
                self._desk.ledger.audit.note(
                    self._actor,
                    "protect.due",
                    request.opd,
                    number,
                    key=request.key,
                    saga=saga.id,
                    vms=tuple(f"{c.key} {c.lane} {c.outcome}: {c.evidence or '-'}" for c in said),
                    upids=self._desk.ledger.journal.tasks(saga.id),
                )

    # -- what is said ----------------------------------------------------------------------
    def _told(self, one: Due, outcome: DueOutcome, evidence: str | None = None) -> DueCopy:
        record = self._records[one.key]
        return DueCopy(record.key, record.opd, one.lane, outcome, evidence or one.job)

    def _came_out(self, one: Made) -> DueCopy:
        wanted = one.making.what.due
        if one.error is not None:
            return replace(self._told(wanted, DueOutcome.FAILED), why=one.error.faults)
        if one.evidence is None:
            return self._told(wanted, DueOutcome.LATE)
        return self._told(wanted, DueOutcome.MADE, one.evidence)
