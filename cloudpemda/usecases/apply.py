"""Apply: build what is approved, or continue where an earlier run stopped."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloudpemda.apply import (
    ApplyResult,
    Progress,
    Tools,
    VmEnding,
    VmResult,
    apply_workload,
    undo_workload,
)
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, UsageError
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.placement import Placed, Placement, Score
from cloudpemda.plan.diff import being_made, carries
from cloudpemda.plan.model import DesiredVm
from cloudpemda.usecases.chain import require_approvers
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.plan import (
    Planned,
    approved_digest,
    chosen,
    cluster_of,
    desired_of,
    draw_up,
    keys_made,
    offer_digest,
    place_workload,
    pools,
    read_clusters,
    require_no_change,
    wanted,
)
from cloudpemda.usecases.workload import Workload, kind_of, opd_info, standing_placement

_KIND = "apply"
_RETURNING = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


@dataclass(frozen=True)
class Applied:
    """How one request came out. `planned` is None where it was refused before any plan."""

    record: RequestRecord
    planned: Planned | None
    result: ApplyResult | None  # None: nothing was to do
    faults: tuple[Fault, ...]
    code: ExitCode


def apply(
    desk: Desk,
    keys: Sequence[str],
    progress: Progress,
    halted: Callable[[], bool],
    *,
    undo: bool = False,
) -> tuple[Applied, ...]:
    """Apply the named requests, or all approved ones, one after the other.

    A request that is refused or fails stops no other. With `undo` what an unfinished apply left
    is taken back, last step first; it must be named. Raises Refused by role, for one that is not
    approved, while the site is paused, or after a restore that was not verified yet; Unreachable
    where a cluster cannot be read; nothing was changed then.
    """
    actor = desk.act("operator")
    if undo and not keys:
        raise UsageError("apply.undo-names")
    require_running(desk)
    desk.ledger.found.require_reconciled()
    halted = halting(desk, halted)
    done: list[Applied] = []
    records = chosen(desk, keys)
    if undo:
        for record in records:
            if record.state is RequestState.ACTIVE:
                raise Refused("apply.undo-active", key=record.key)
    else:
        done += _doubted(desk, records)
        doubted = {one.record.key for one in done}
        records = tuple(one for one in records if one.key not in doubted)
    states = read_clusters(desk, records)
    for record in records:
        if halted():
            break
        state = states[cluster_of(record)]
        run = _Run(desk, actor, record, state, progress, halted)
        try:
            done.append(run.undo() if undo else run.forward())
        except CloudpemdaError as error:
            fresh = desk.ledger.requests.get(record.key)
            done.append(Applied(fresh, None, None, error.faults, error.exit_code))
        if done[-1].result is not None:  # what was built takes room: the next one must see it
            states = read_clusters(desk, records)
    return tuple(done)


def _doubted(desk: Desk, records: Sequence[RequestRecord]) -> Iterator[Applied]:
    """Those whose approval the audit log does not vouch for: nothing of them is built."""
    for record in records:
        try:
            desk.ledger.requests.require_vouched(record.key)
        except Refused as error:
            yield Applied(record, None, None, error.faults, error.exit_code)


class _Run:
    """One request on its cluster."""

    def __init__(
        self,
        desk: Desk,
        actor: Actor,
        record: RequestRecord,
        state: ClusterState,
        progress: Progress,
        halted: Callable[[], bool],
    ) -> None:
        self._desk = desk
        self._actor = actor
        self._record = record
        self._state = state
        self._progress = progress
        self._halted = halted
        self._workload = Workload(desk, record, state.name)

    # -- forward ---------------------------------------------------------------------------
    def forward(self) -> Applied:
        self._require_approvers()
        require_no_change(self._record)
        # Another offer than the approved one voids the approval, in the same transaction.
        self._desk.ledger.requests.begin(
            self._record.key,
            spec_hash=self._record.spec_hash,
            offer_digest=offer_digest(self._desk, self._record, self._state),
            actor=self._actor,
        )
        if self._record.state is RequestState.ACTIVE:
            planned = self._draw_up_standing()
            if planned.plan.settled:
                return Applied(self._fresh(), planned, None, (), ExitCode.DONE)
        with self._open() as journal:  # from here on no other apply writes for this request
            if self._was_done_by_another():
                journal.close(SagaEvent.FINISH)
                return Applied(self._fresh(), None, None, (), ExitCode.DONE)
            if any(one.state in _RETURNING for one in self._instances()):
                raise Refused("apply.undo-begun", key=self._record.key)
            planned = self._draw_up(self._claim())
            journal.note_plan(planned.plan.digest)
            for one in self._instances():
                if one.state is not InstanceState.ACTIVE:
                    self._desk.ledger.instances.creating(one.uid, actor=self._actor)
            result = apply_workload(planned.desired, self._tools(journal))
            self._say("request.apply", result, journal, plan=planned.plan.digest)
            self._record_result(result, journal)
        return Applied(self._fresh(), planned, result, _faults(result), result.exit_code)

    def _require_approvers(self) -> None:
        """Void an approval that somebody gave who has lost the role; raises Refused then."""
        try:
            require_approvers(self._desk, self._record)
        except Refused as error:
            requests = self._desk.ledger.requests
            requests.void(
                self._record.key,
                spec_hash=self._record.as_proposed.spec_hash,
                reason="approver",
                actor=self._actor,
            )
            raise Refused("ledger.approver-removed", **error.values) from error

    def _was_done_by_another(self) -> bool:
        """Whether another apply came to the end between our reading and our turn: what we read
        of the cluster is older than its VMs."""
        was_active = self._record.state is RequestState.ACTIVE
        return not was_active and self._fresh().state is RequestState.ACTIVE

    def _draw_up_standing(self) -> Planned:
        instances = self._instances()
        placement = standing_placement(self._state.name, instances, self._state)
        return draw_up(self._workload, self._state, instances, placement)

    def _claim(self) -> tuple[InstanceRecord, ...]:
        """The instances' identities; those of an active request are chosen long since."""
        if self._fresh().state is RequestState.ACTIVE:
            return self._instances()
        desk, opd = self._desk, self._record.opd
        return desk.ledger.instances.claim(
            self._record.key,
            wanted(self._workload),
            vmid_range=opd_info(desk, opd).vmid_range,
            pools=pools(desk),
            taken_vmids={self._state.name: self._state.vms.keys()},
            actor=self._actor,
        )

    def _draw_up(self, instances: tuple[InstanceRecord, ...]) -> Planned:
        placement = place_workload(self._workload, self._state, instances)
        for one in instances:
            place = placement.of(one.key)
            if one.state in (InstanceState.PLANNED, InstanceState.FAILED):
                self._desk.ledger.instances.place(
                    one.uid,
                    node=place.node,
                    storages=self._storages(one.member),
                    targets=place.targets,
                    actor=self._actor,
                )
        return draw_up(self._workload, self._state, self._reclaim_taken(instances), placement)

    def _reclaim_taken(self, instances: Collection[InstanceRecord]) -> tuple[InstanceRecord, ...]:
        """Another VMID for each instance that is not made yet and whose VMID shows somebody
        else's VM. What was made is left to the plan, which refuses; what is being made, perhaps
        by our own former run, is left to the steps, which wait until it shows whose it is."""
        made = keys_made(instances)
        found = []
        for one in instances:
            there = self._state.vms.get(one.vmid)
            foreign = (
                there is not None
                and there.config is not None
                and not carries(there.config, one.identity)
                and not being_made(there.config)
            )
            if foreign and one.key not in made:
                self._reclaim(one.uid, self._state.vms.keys())
            found.append(self._desk.ledger.instances.get(one.uid))
        return tuple(found)

    def _reclaim(self, uid: str, taken: Collection[int]) -> int:
        record = self._desk.ledger.instances.reclaim_vmid(
            uid,
            vmid_range=opd_info(self._desk, self._record.opd).vmid_range,
            taken=taken,
            actor=self._actor,
        )
        return record.vmid

    def _storages(self, member: str) -> Mapping[str, str]:
        """Disk name → PVE storage id."""
        vm = kind_of(self._record.spec, member)
        return {disk.name: self._workload.setting.storage(disk.storage_class) for disk in vm.disks}

    # -- backward --------------------------------------------------------------------------
    def undo(self) -> Applied:
        """Take back what an unfinished apply left; the request is `failed` once nothing is."""
        if self._record.state is RequestState.APPROVED:
            raise Refused("apply.nothing-to-undo", key=self._record.key)
        self._desk.ledger.requests.begin(
            self._record.key,
            spec_hash=self._record.spec_hash,
            offer_digest=approved_digest(self._record),
            actor=self._actor,
        )
        result: ApplyResult | None = None
        with self._open() as journal:
            if self._was_done_by_another():
                journal.close(SagaEvent.FINISH)
                raise Refused("apply.undo-active", key=self._record.key)
            begun = tuple(one for one in self._instances() if one.node is not None)
            for one in begun:
                if one.state is InstanceState.ACTIVE:
                    self._desk.ledger.instances.retiring(one.uid, actor=self._actor)
            if begun:
                result = undo_workload(self._desired(begun), self._tools(journal))
                self._say("request.undo", result, journal)
            if result is not None and {vm.ending for vm in result.vms} != {VmEnding.FAILED}:
                return Applied(self._fresh(), None, result, _faults(result), result.exit_code)
            for one in self._instances():
                self._desk.ledger.instances.release(one.uid, actor=self._actor)
            journal.close(SagaEvent.UNDO)
        self._desk.ledger.requests.fail(self._record.key, reason="undo", actor=self._actor)
        return Applied(self._fresh(), None, result, (), ExitCode.DONE)

    def _desired(self, begun: Collection[InstanceRecord]) -> tuple[DesiredVm, ...]:
        """The VMs of the instances that were begun; what was never placed has nothing to undo."""
        everything = self._instances()
        known = {one.key for one in begun}
        placement = standing_placement(self._state.name, begun, self._state)
        rest = tuple(
            Placed(one.key, "-", (), Score(0, 0, 0)) for one in everything if one.key not in known
        )
        whole = Placement(placement.cluster, (*placement.vms, *rest), placement.n_plus_one)
        desired = desired_of(self._workload, self._state, everything, whole)
        return tuple(vm for vm in desired if vm.key in known)

    # -- the record ------------------------------------------------------------------------
    def _open(self) -> SagaJournal:
        return self._desk.ledger.journal.open_saga(self._record.number, _KIND)

    def _tools(self, journal: SagaJournal) -> Tools:
        desk = self._desk
        return Tools(
            pve=desk.cluster(self._state.name),
            live=self._state,
            established=keys_made(self._instances()),
            journal=journal,
            reclaim_vmid=self._reclaim,
            limits=desk.site.info.clusters[self._state.name].limits,
            locks=desk.site.path("var/locks"),
            clock=desk.clock,
            entropy=desk.entropy,
            progress=self._progress,
            halted=self._halted,
        )

    def _record_result(self, result: ApplyResult, journal: SagaJournal) -> None:
        """Each VM's ending in the ledger, then the saga's and the request's."""
        instances = self._desk.ledger.instances
        for vm in result.vms:
            uid, error = vm.vm.identity.uid, _cause(vm)
            match vm.ending:
                case VmEnding.ACTIVE:
                    instances.active(uid, actor=self._actor)
                case VmEnding.FAILED:
                    instances.failed(uid, error=error, actor=self._actor)
                case VmEnding.STUCK:
                    instances.stuck(uid, error=error, actor=self._actor)
                case VmEnding.UNFINISHED:
                    pass  # the same saga goes on
        endings = {vm.ending for vm in result.vms}
        if VmEnding.UNFINISHED in endings:
            return
        if VmEnding.STUCK in endings:
            journal.close(SagaEvent.STICK)
            self._stick(result)
            return
        if endings == {VmEnding.ACTIVE}:
            journal.close(SagaEvent.FINISH)
            self._finish()
        # Where some failed the saga stays open: `apply` goes on, `--undo` takes back all.

    def _say(self, action: str, result: ApplyResult, journal: SagaJournal, **details: str) -> None:
        """What this run has done on the cluster: which revision led to which tasks."""
        endings = [vm.ending.value for vm in result.vms]
        self._desk.ledger.audit.note(
            self._actor,
            action,
            self._record.opd,
            self._record.number,
            key=self._record.key,
            revision=self._record.revision,
            saga=journal.id,
            ended=", ".join(f"{endings.count(name)} {name}" for name in dict.fromkeys(endings)),
            upids=self._desk.ledger.journal.tasks(journal.id),
            **details,
        )

    def _stick(self, result: ApplyResult) -> None:
        stuck = ", ".join(vm.vm.key for vm in result.vms if vm.ending is VmEnding.STUCK)
        if self._fresh().state is not RequestState.ACTIVE:
            self._desk.ledger.requests.stick(self._record.key, reason=stuck, actor=self._actor)

    def _finish(self) -> None:
        if self._fresh().state is RequestState.APPLYING:
            self._desk.ledger.requests.finish(self._record.key, actor=self._actor)

    def _instances(self) -> tuple[InstanceRecord, ...]:
        return self._desk.ledger.instances.list(workload=self._record.key)

    def _fresh(self) -> RequestRecord:
        return self._desk.ledger.requests.get(self._record.key)


def _cause(vm: VmResult) -> str:
    return str(vm.error) if vm.error is not None else (vm.step or vm.ending.value)


def _faults(result: ApplyResult) -> tuple[Fault, ...]:
    """What is to be told of the VMs that are not active, each with its way on."""
    faults: list[Fault] = []
    for vm in result.vms:
        if vm.ending is VmEnding.ACTIVE:
            continue
        commands = "\n".join(vm.commands)
        faults.append(
            Fault(
                f"apply.vm-{vm.ending.value}",
                {"vm": vm.vm.key, "step": vm.step or "-", "commands": commands},
                path=vm.vm.key,
            )
        )
        if vm.error is not None:
            faults.extend(vm.error.faults)
    return tuple(faults)
