"""Apply: build what is approved, or continue where an earlier run stopped."""

from collections.abc import Callable, Collection, Iterator, Sequence

from cloudpemda.apply import (
    ApplyResult,
    Progress,
    VmEnding,
    apply_workload,
    undo_workload,
)
from cloudpemda.errors import CloudpemdaError, ExitCode, Incomplete, Refused, UsageError
from cloudpemda.ledger import (
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.plan.model import DesiredVm
from cloudpemda.usecases.change import Change
from cloudpemda.usecases.cut_off import RETIRE, begun, finish
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.handover import Handover, unfinished
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.plan import (
    Planned,
    approved_digest,
    chosen,
    cluster_of,
    draw_up,
    members_of,
    offer_digest,
    pools,
    read_clusters,
    require_lease,
    wanted,
)
from cloudpemda.usecases.retire import quarantine
from cloudpemda.usecases.run import Applied, Run, faults_of
from cloudpemda.usecases.settling import settle
from cloudpemda.usecases.workload import opd_info, standing_placement

_KIND = "apply"
_RETURNING = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


def apply(
    desk: Desk,
    keys: Sequence[str],
    progress: Progress,
    halted: Callable[[], bool],
    *,
    undo: bool = False,
    returning: Collection[str] = (),
) -> tuple[Applied, ...]:
    """Apply the named requests, or all approved ones, one after the other. Members `returning`
    come back from quarantine where a change asks for them again.

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
        _require_unfinished(records)
    else:
        done += _doubted(desk, records)
        doubted = {one.record.key for one in done}
        records = tuple(one for one in records if one.key not in doubted)
    states = read_clusters(desk, records)
    handed = unfinished(desk)
    for record in records:
        if halted():
            break
        state = states[cluster_of(record)]
        run = _kind(record, handed)(desk, actor, record, state, progress, halted)
        if isinstance(run, Change):
            run.returning = frozenset(returning)
        try:
            done.append(run.undo() if undo and not isinstance(run, Handover) else run.forward())
        except CloudpemdaError as error:
            fresh = desk.ledger.requests.get(record.key)
            done.append(Applied(fresh, None, None, error.faults, error.exit_code))
        if done[-1].result is not None:  # what was built takes room: the next one must see it
            states = read_clusters(desk, records)
    return tuple(done)


def _require_unfinished(records: Collection[RequestRecord]) -> None:
    """What lives is not taken back: it is changed, or retired."""
    for record in records:
        if record.state is RequestState.ACTIVE and not record.changing:
            code = "apply.nothing-to-undo" if record.change_approved else "apply.undo-active"
            raise Refused(code, key=record.key)


def _kind(record: RequestRecord, handed: Collection[str]) -> "type[Change | Handover | _Build]":
    if record.change_approved or record.changing:
        return Change
    return Handover if record.number in handed else _Build


def _doubted(desk: Desk, records: Sequence[RequestRecord]) -> Iterator[Applied]:
    """Those whose approval the audit log does not vouch for: nothing of them is built."""
    for record in records:
        try:
            desk.ledger.requests.require_vouched(record.key)
        except Refused as error:
            yield Applied(record, None, None, error.faults, error.exit_code)


class _Build(Run):
    """A request that is made for the first time, or put right where it lives."""

    def forward(self) -> Applied:
        self._require_approvers()
        require_lease(self._desk, self._record)
        # Another offer than the approved one voids the approval, in the same transaction.
        self._desk.ledger.requests.begin(
            self._record.key,
            spec_hash=self._record.spec_hash,
            offer_digest=offer_digest(self._desk, self._record, self._state),
            actor=self._actor,
        )
        if self._record.state is RequestState.ACTIVE:
            self._go_on_taking_away()
            planned = self._draw_up_standing()
            if planned.plan.settled:
                finish(self._desk, self._record, _KIND)
                settle(self._desk, self._actor, {self._record.key})
                return Applied(self._fresh(), planned, None, (), ExitCode.DONE)
        with self._open(_KIND) as journal:  # from here on no other apply writes for this request
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
        return Applied(self._fresh(), planned, result, faults_of(result), result.exit_code)

    def _go_on_taking_away(self) -> None:
        """What a change has taken away, and that is not at rest yet. Raises what hinders it."""
        going = any(one.state is InstanceState.RETIRING for one in self._everything())
        if going or begun(self._desk, self._record, RETIRE):
            gone = quarantine(self._desk, self._actor, self._record, self._progress, self._halted)
            if gone.faults:
                first, *more = gone.faults
                raise Incomplete(first.code, *more, **first.values)

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
        with self._open(_KIND) as journal:
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
                return Applied(self._fresh(), None, result, faults_of(result), result.exit_code)
            for one in self._instances():
                self._desk.ledger.instances.release(one.uid, actor=self._actor)
            journal.close(SagaEvent.UNDO)
        self._desk.ledger.requests.fail(self._record.key, reason="undo", actor=self._actor)
        return Applied(self._fresh(), None, result, (), ExitCode.DONE)

    def _desired(self, begun: Collection[InstanceRecord]) -> tuple[DesiredVm, ...]:
        """The VMs of the instances that were begun; what was never placed has nothing to undo."""
        known = {one.key for one in begun}
        return tuple(vm for vm in self._where_placed(self._instances()) if vm.key in known)

    # -- the record ------------------------------------------------------------------------
    def _record_result(self, result: ApplyResult, journal: SagaJournal) -> None:
        """Each VM's ending in the ledger, then the saga's and the request's."""
        for vm in result.vms:
            if vm.ending is VmEnding.ACTIVE:
                self._desk.ledger.instances.active(vm.vm.identity.uid, actor=self._actor)
            else:
                self._note_trouble(vm)
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

    def _stick(self, result: ApplyResult) -> None:
        stuck = ", ".join(vm.vm.key for vm in result.vms if vm.ending is VmEnding.STUCK)
        if self._fresh().state is not RequestState.ACTIVE:
            self._desk.ledger.requests.stick(self._record.key, reason=stuck, actor=self._actor)

    def _finish(self) -> None:
        if self._fresh().state is RequestState.APPLYING:
            self._desk.ledger.requests.finish(self._record.key, actor=self._actor)


def bring_back(
    desk: Desk, key: str, member: str, progress: Progress, halted: Callable[[], bool]
) -> Applied:
    """Apply the approved change that asks again for a member in quarantine: it comes back with its
    data, as the change wants it.

    For operators. Raises as `apply`, and Refused `retire.no-member`,
    `retire.member-not-resting`, `retire.member-not-asked`.
    """
    record = desk.ledger.requests.get(key)
    desk.act("operator")
    every = desk.ledger.instances.list(workload=record.key)
    one = next((one for one in every if one.member == member), None)
    if one is None:
        raise Refused("retire.no-member", key=record.key, member=member)
    if one.state not in _RETURNING:
        state = one.state.value
        raise Refused("retire.member-not-resting", key=record.key, member=member, state=state)
    asked = record.change_approved or record.changing
    if not asked or member not in members_of(record.as_proposed.spec):
        raise Refused("retire.member-not-asked", key=record.key, member=member)
    (done,) = apply(desk, [key], progress, halted, returning=[member])
    return done
