"""Converge: make good what has come to differ in the protection of VMs that live, and nothing else.

Each cluster is read once. What differs in HA, replication or backup, or in which disks are left out
of both, whoever or whatever changed it, is put right by the steps that apply puts it right with:
identity proven first, journalled, bounded, read back. All VMs of a cluster together, so that a
shared job is written once. The rest of a VM is `apply`'s; what only a person may put right is left,
and said. One VM's failure stops no other.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cloudpemda.apply import Progress, Tools, VmEnding, VmResult, apply_workload
from cloudpemda.cluster import ClusterState, NodeStatus
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.ledger.journal import CONVERGE
from cloudpemda.plan.diff import examine
from cloudpemda.plan.ha import sid
from cloudpemda.plan.model import (
    PROTECTION,
    Aspect,
    DesiredVm,
    Difference,
    PlannedVm,
    bounded,
)
from cloudpemda.proxmox import Pve
from cloudpemda.report.standing import Finding, Looked
from cloudpemda.site.models import Limits
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.handover import unfinished
from cloudpemda.usecases.journals import Journals, left_by_killed, opened
from cloudpemda.usecases.noted import Noted, noted_of
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.plan import as_it_grew, desired_of, keys_made, members_of
from cloudpemda.usecases.workload import Workload, cluster_settings, standing_placement

_ERROR = "error"


class Convergence(StrEnum):
    """How the protection of one VM came out."""

    DONE = "done"  # read back as desired
    DUE = "due"  # differs, and nothing was to be written
    FAILED = "failed"  # tried, and not as desired
    LEFT = "left"  # differs, and is not put right by itself: `why`


@dataclass(frozen=True)
class ConvergedVm:
    """One VM whose protection differed."""

    key: str
    opd: str
    cluster: str
    outcome: Convergence
    what: tuple[str, ...]  # "ha: cloudpemda-10001 (disabled)"
    why: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Converged(Looked):
    """What one call found and did."""

    at: Instant
    compared: int  # VMs whose protection was compared
    vms: tuple[ConvergedVm, ...]  # those that differed
    others: tuple[Finding, ...] = ()  # what could not be read or judged
    unread: tuple[str, ...] = ()  # clusters
    interrupted: bool = False
    wrote: bool = False  # something was tried
    uncovered: tuple[Finding, ...] = ()  # VMs that PVE finds in no backup job

    @property
    def own_findings(self) -> tuple[Finding, ...]:
        """What is still not as promised."""
        told = [
            Finding(vm.opd, fault)
            for vm in self.vms
            if vm.outcome in (Convergence.FAILED, Convergence.LEFT)
            for fault in vm.why
        ]
        return (*told, *self.uncovered)

    @property
    def code(self) -> ExitCode:
        if self.interrupted:
            return ExitCode.INCOMPLETE
        if self.unread:
            return ExitCode.UNREACHABLE
        return ExitCode.FINDINGS if self.findings else ExitCode.DONE


@dataclass
class _Found:
    """One VM whose protection differs: what of it is put right, and what is not, and why."""

    vm: DesiredVm
    record: InstanceRecord
    what: tuple[str, ...]
    aspects: frozenset[Aspect]
    why: tuple[Fault, ...]

    def ended(self, outcome: Convergence, *why: Fault) -> ConvergedVm:
        return ConvergedVm(
            self.vm.key, self.record.opd, self.record.cluster, outcome, self.what,
            (*self.why, *why),
        )  # fmt: skip


def converge_now(
    desk: Desk,
    keys: Sequence[str],
    progress: Progress,
    halted: Callable[[], bool],
    *,
    write: bool = True,
) -> Converged:
    """Converge the protection of the named requests, or of all; without `write` only say what
    would be put right.

    For operators. Raises Refused by role, `pause.on`, after a restore that was not verified, and
    `ledger.no-request`.
    """
    actor = desk.act("operator")
    if write:
        require_running(desk)
        desk.ledger.found.require_reconciled()
    chosen = {desk.ledger.requests.get(key).number for key in keys}
    return _converge(desk, actor, progress, halted, chosen or None, None, write=write)


def converge(
    desk: Desk,
    actor: Actor,
    progress: Progress,
    halted: Callable[[], bool],
    pictures: Pictures,
) -> Converged:
    """The same of everything, for the night: while the site is paused, or the ledger not verified
    after a restore, nothing is done or said."""
    if desk.ledger.pause.current() is not None or desk.ledger.found.pending:
        return Converged(desk.clock.now(), 0, ())
    return _converge(desk, actor, progress, halted, None, pictures, write=True)


def _converge(
    desk: Desk,
    actor: Actor,
    progress: Progress,
    halted: Callable[[], bool],
    chosen: Collection[str] | None,
    pictures: Pictures | None,
    *,
    write: bool,
) -> Converged:
    now = desk.clock.now()
    handed = unfinished(desk)
    requests = {
        one.number: one
        for one in desk.ledger.requests.list()
        if one.state is RequestState.ACTIVE
        and not one.changing
        and one.number not in handed
        and (chosen is None or one.number in chosen)
    }
    by_cluster: dict[str, list[InstanceRecord]] = {}
    for one in desk.ledger.instances.list():
        if one.number in requests and one.state is InstanceState.ACTIVE:
            by_cluster.setdefault(one.cluster, []).append(one)
    whole = Converged(now, 0, ())
    for cluster, own in sorted(by_cluster.items()):
        if halted():
            return replace(whole, interrupted=True)
        part = _OfCluster(desk, actor, cluster, own, requests).run(
            pictures, progress, halting(desk, halted), write=write
        )
        whole = Converged(
            now,
            whole.compared + part.compared,
            (*whole.vms, *part.vms),
            (*whole.others, *part.others),
            (*whole.unread, *part.unread),
            whole.interrupted or part.interrupted,
            whole.wrote or part.wrote,
            (*whole.uncovered, *part.uncovered),
        )
    return whole


class _OfCluster:
    """The VMs of one cluster."""

    def __init__(
        self,
        desk: Desk,
        actor: Actor,
        cluster: str,
        records: Sequence[InstanceRecord],
        requests: Mapping[str, RequestRecord],
    ) -> None:
        self._desk = desk
        self._actor = actor
        self._cluster = cluster
        self._records = {one.key: one for one in records}
        self._requests = requests
        self._others: list[Finding] = []
        self._desired: list[DesiredVm] = []
        self._compared = 0

    def run(
        self,
        pictures: Pictures | None,
        progress: Progress,
        halted: Callable[[], bool],
        *,
        write: bool,
    ) -> Converged:
        desk = self._desk
        try:
            settings = cluster_settings(desk, self._cluster)
            pve = desk.cluster(self._cluster)
            vmids = {one.vmid for one in self._records.values()}
            state = (
                pve.snapshot(vmids, images=False)
                if pictures is None
                else pictures.of(self._cluster)
            )
        except CloudpemdaError as error:
            whole = {"cluster": self._cluster, "instances": len(self._records)}
            faults = (Fault("survey.unread", whole), *error.faults)
            others = tuple(Finding(None, one) for one in faults)
            return Converged(desk.clock.now(), 0, (), others, (self._cluster,))
        if not state.quorate:
            without = Finding(None, Fault("survey.no-quorum", {"cluster": self._cluster}))
            return Converged(desk.clock.now(), 0, (), (without,))
        found = tuple(self._found(state))
        todo = {one.vm.key: one for one in found if one.aspects}
        ended: dict[str, ConvergedVm] = {
            one.vm.key: one.ended(Convergence.LEFT) for one in found if not one.aspects
        }
        interrupted = False
        numbers = (
            left_by_killed(self._desk, self._records.values(), CONVERGE)
            | {one.record.number for one in todo.values()}
            if write
            else set()
        )
        if not write:
            ended |= {key: one.ended(Convergence.DUE) for key, one in todo.items()}
        elif numbers:
            tools = self._tools(state, settings.limits, progress, halted)
            results, interrupted = self._put_right(todo, sorted(numbers), tools)
            ended |= results
        differ = {one.vm.key for one in found if ended[one.vm.key].outcome is not Convergence.DONE}
        uncovered = tuple(self._not_backed_up(pve, differ))
        return Converged(
            desk.clock.now(),
            self._compared,
            tuple(ended[key] for key in sorted(ended)),
            tuple(self._others),
            interrupted=interrupted,
            wrote=write and bool(todo),
            uncovered=uncovered,
        )

    def _tools(
        self,
        state: ClusterState,
        limits: Limits,
        progress: Progress,
        halted: Callable[[], bool],
    ) -> Tools:
        desk = self._desk
        return Tools(
            pve=desk.cluster(self._cluster),
            live=state,
            established=keys_made(tuple(self._records.values())),
            journal=Journals({}),
            reclaim_vmid=_no_vmid,
            limits=limits,
            locks=desk.site.path("var/locks"),
            clock=desk.clock,
            entropy=desk.entropy,
            progress=progress,
            halted=halted,
        )

    # -- what differs ----------------------------------------------------------------------
    def _found(self, state: ClusterState) -> Iterator[_Found]:
        drained = {one.node for one in self._desk.ledger.drains.list(self._cluster)}
        noted = noted_of(self._desk, self._records.values())
        for number in sorted({one.number for one in self._records.values()}):
            for planned in self._plan(self._requests[number], state, noted):
                record = self._records[planned.desired.key]
                self._compared += 1
                differing = tuple(d for d in planned.differences if d.aspect in PROTECTION)
                if differing:
                    yield _judged(planned, differing, record, state, drained)

    def _plan(
        self, request: RequestRecord, state: ClusterState, noted: Noted
    ) -> tuple[PlannedVm, ...]:
        """The VMs of one workload that can be judged; none of one that `apply` is not through
        with."""
        desk = self._desk
        mine = members_of(request.spec)
        own = tuple(
            one for one in self._records.values()
            if one.number == request.number and one.member in mine
        )  # fmt: skip
        if len(own) < len(mine):
            return ()
        try:
            workload = Workload(desk, request, self._cluster)
            placement = standing_placement(self._cluster, own, state)
            # firewalls are `apply`'s, and would have to be read
            desired = tuple(
                replace(as_it_grew(vm, state), firewall=None)
                for vm in desired_of(workload, state, own, placement, noted)
            )
        except CloudpemdaError as error:
            values = {"key": request.key, "vms": ", ".join(one.key for one in own)}
            self._others.append(Finding(request.opd, Fault("survey.not-judged", values)))
            self._others += [Finding(request.opd, fault) for fault in error.faults]
            return ()
        planned, errors = examine(desired, state, keys_made(own))
        for why in errors.values():
            self._others += [Finding(request.opd, fault) for fault in why.faults]
        self._desired += [vm for vm in desired if vm.key not in errors]
        return planned

    # -- what is done ----------------------------------------------------------------------
    def _put_right(
        self, todo: Mapping[str, _Found], numbers: Sequence[str], tools: Tools
    ) -> tuple[dict[str, ConvergedVm], bool]:
        """How each of them came out, and whether it was interrupted; `numbers` are their requests,
        and those that a killed run has left."""
        ended: dict[str, ConvergedVm] = {}
        with opened(self._desk, numbers, CONVERGE) as (sagas, refused):
            for key, one in todo.items():
                if one.record.number in refused:
                    why = refused[one.record.number].faults
                    ended[key] = one.ended(Convergence.LEFT, *why)
            ready = {key: one for key, one in todo.items() if key not in ended}
            journals = {one.record.uid: sagas[one.record.number] for one in ready.values()}
            result = apply_workload(
                self._desired,
                replace(tools, journal=Journals(journals)),
                frozenset(ready),
                {key: one.aspects for key, one in ready.items()},
            )
            ended |= {one.vm.key: _ended(ready[one.vm.key], one) for one in result.vms}
            self._note(ready, ended, sagas)
            if not result.interrupted:
                for saga in sagas.values():
                    saga.close(SagaEvent.FINISH)
        return ended, result.interrupted

    def _note(
        self,
        ready: Mapping[str, _Found],
        ended: Mapping[str, ConvergedVm],
        sagas: Mapping[str, SagaJournal],
    ) -> None:
        """Per request, what was put right and by which tasks."""
        for number, saga in sagas.items():
            own = [key for key, one in ready.items() if one.record.number == number]
            if not own:
                continue
            request = self._requests[number]
            said = (f"{key} {ended[key].outcome}: {'; '.join(ended[key].what)}" for key in own)
            self._desk.ledger.audit.note(
                self._actor,
                "protect.converge",
                request.opd,
                number,
                key=request.key,
                saga=saga.id,
                vms=tuple(said),
                upids=self._desk.ledger.journal.tasks(saga.id),
            )

    def _not_backed_up(self, pve: Pve, told: Collection[str]) -> Iterator[Finding]:
        """PVE's own word on which VMs no job covers, after everything was put right."""
        promised = {
            vm.identity.vmid: vm
            for vm in self._desired
            if vm.protection.backup is not None and vm.key not in told
        }
        if not promised:
            return
        try:
            without = pve.not_backed_up() & promised.keys()
        except CloudpemdaError as error:
            self._others += [Finding(None, fault) for fault in error.faults]
            return
        for vmid in sorted(without):
            record = self._records[promised[vmid].key]
            values = {"vm": record.key, "vmid": vmid, "cluster": self._cluster}
            yield Finding(record.opd, Fault("converge.not-backed-up", values))


def _no_vmid(uid: str, taken: Collection[int]) -> int:
    raise ValueError(f"{uid} lives, and is given no other VMID than its own")


def _judged(
    planned: PlannedVm,
    differing: Sequence[Difference],
    record: InstanceRecord,
    state: ClusterState,
    drained: Collection[str],
) -> _Found:
    """What of the differences is put right now, and why the rest is not."""
    vm = planned.desired
    aspects = {one.aspect for one in differing}
    why: list[Fault] = []

    def leave(code: str, *these: Aspect, **values: object) -> None:
        if aspects & set(these):
            aspects.difference_update(these)
            why.append(Fault(code, {"vm": vm.key, **values}))

    there = state.vms[vm.identity.vmid]
    node = state.nodes.get(there.node)
    if any(one.aspect is Aspect.CREATE for one in planned.differences):
        leave("converge.left-locked", *PROTECTION, lock=bounded(there.lock or "-"))
    if there.node in drained or node is None or node.status is not NodeStatus.ONLINE:
        leave("converge.left-node", *PROTECTION, node=there.node)
    resource = state.ha_resources.get(sid(vm.identity.vmid))
    if resource is not None and resource.state == _ERROR:
        leave("converge.left-error", Aspect.HA, sid=resource.sid)
    homes = {record.node, *record.targets}
    if vm.protection.replication and there.node not in homes:
        # its jobs and its rule say where its disks are: what moved it away must be understood
        nodes = ", ".join(sorted(one for one in homes if one is not None))
        leave("drift.node", Aspect.HA, Aspect.REPLICATION, node=there.node, nodes=nodes)
    for job in vm.protection.replication:
        target = state.nodes.get(job.target)
        if target is None or not target.answers:
            leave("converge.left-node", Aspect.REPLICATION, node=job.target)
    what = tuple(f"{one.aspect}: {one.key} ({one.live or '-'})" for one in differing)
    return _Found(vm, record, what, frozenset(aspects), tuple(why))


def _ended(found: _Found, result: VmResult) -> ConvergedVm:
    if result.ending is VmEnding.ACTIVE:
        return found.ended(Convergence.LEFT if found.why else Convergence.DONE)
    failed = Fault("converge.failed", {"vm": found.vm.key, "step": result.step or "-"})
    error = () if result.error is None else result.error.faults
    return found.ended(Convergence.FAILED, failed, *error)
