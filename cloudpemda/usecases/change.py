"""Change: make of a workload that lives what its approved proposal says, or take that back.

Its VMs are put right one by one: nothing that runs is destroyed for a change, and where PVE says
no the VM stays as far as it came, with what it holds, until `apply` goes on or `--undo` takes back
what can be taken back. VMs that the change adds are made like any others.
"""

from collections.abc import Collection, Iterator, Mapping

from cloudpemda.apply import ApplyResult, VmEnding, apply_workload, undo_workload
from cloudpemda.apply import retire as steps
from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import (
    CloudpemdaError,
    ExitCode,
    Fault,
    Incomplete,
    Refused,
    Unreachable,
    worst,
)
from cloudpemda.ledger import InstanceRecord, InstanceState, SagaEvent, SagaJournal
from cloudpemda.plan.diff import standing
from cloudpemda.plan.model import DesiredVm, PlannedVm
from cloudpemda.plan.restart import told_at_start
from cloudpemda.proxmox import upid_kind, upid_node, upid_works_on
from cloudpemda.units import show_size
from cloudpemda.usecases.asides import Cleared, clear, leaving_of
from cloudpemda.usecases.leaving import Retired
from cloudpemda.usecases.leaving import leaving_of as leaving_as_it_is
from cloudpemda.usecases.plan import (
    Planned,
    desired_of,
    draw_up,
    keys_made,
    members_of,
    offer_digest,
    place_workload,
    pools,
    propose,
    read_clusters,
    require_changeable,
    require_lease,
    wanted,
)
from cloudpemda.usecases.retire import quarantine
from cloudpemda.usecases.run import Applied, Run, faults_of
from cloudpemda.usecases.settling import running_behind, settle
from cloudpemda.usecases.workload import Workload, opd_info, standing_placement

_KIND = "change"
_CHANGING = frozenset({"resize", "qmmove", "qmconfig"})
"""What PVE calls the tasks that a change has started."""

_RETURNING = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


class Change(Run):
    """The approved or begun proposal of one request."""

    returning: frozenset[str] = frozenset()
    """Members that come back from quarantine: they are asked for again, and a person said so."""

    # -- forward ---------------------------------------------------------------------------
    def forward(self) -> Applied:
        require_changeable(self._desk, self._record, self.returning)
        self._require_approvers()
        require_lease(self._desk, self._record)
        if self._record.change_approved:
            self._require_there()
        self._begin()
        with self._open(_KIND) as journal:  # from here on no other apply writes for this request
            if not self._fresh().changing:
                journal.close(SagaEvent.FINISH)
                return Applied(self._fresh(), None, None, (), ExitCode.DONE)
            self._bring_back(journal)
            if any(one.state in _RETURNING for one in self._instances()):
                raise Refused("apply.undo-begun", key=self._record.key)
            planned = self._draw_up(self._instances())
            journal.note_plan(planned.plan.digest)
            self._enter(planned)
            result = apply_workload(planned.desired, self._tools(journal))
            self._say("request.change", result, journal, plan=planned.plan.digest)
            through = self._record_result(result, journal)
        restart: Mapping[str, tuple[str, ...]] = {}
        faults, code = faults_of(result), result.exit_code
        if through:
            gone = self._take_away()
            faults, code = (*faults, *gone.faults), worst([code, gone.code])
            settle(self._desk, self._actor, {self._record.key})
            left = self._clear()
            faults, code = (*faults, *left.faults), worst([code, left.code])
            restart = self._restart(planned)
        return Applied(self._fresh(), planned, result, faults, code, restart, made_change=through)

    def _require_there(self) -> None:
        """Raises, before anything is begun, where a VM that lives is gone or somebody else's: such
        a change could neither go on nor be taken back."""
        kept = tuple(one for one in self._everything() if self._lived(one))
        for vm in self._as_it_lives(kept):
            standing(vm, self._state, keys_made(kept))

    def _as_it_lives(self, kept: tuple[InstanceRecord, ...]) -> tuple[DesiredVm, ...]:
        """These VMs as the workload lives by, where they are."""
        before = Workload(self._desk, self._record, self._state.name)
        placement = standing_placement(self._state.name, kept, self._state)
        return desired_of(before, self._state, kept, placement)

    def _take_away(self) -> Retired:
        """What the change takes away goes into quarantine; where that does not come to its end,
        `apply` goes on with it."""
        desk, fresh = self._desk, self._fresh()
        return quarantine(desk, self._actor, fresh, self._progress, self._halted)

    def _clear(self) -> Cleared:
        """What moved disks have left behind; what cannot be cleared now the night tries again."""
        return clear(self._desk, self._actor, self._halted, self._record.key)

    def _begin(self) -> None:
        """Another offer than the approved one voids the approval, in the same transaction."""
        desk, record = self._desk, self._workload.record
        desk.ledger.changes.begin(
            record.key,
            spec_hash=record.spec_hash,
            offer_digest=offer_digest(desk, record, self._state),
            wanted=wanted(self._workload),
            vmid_range=opd_info(desk, record.opd).vmid_range,
            pools=pools(desk),
            taken_vmids={self._state.name: self._state.vms.keys()},
            actor=self._actor,
        )

    def _bring_back(self, journal: SagaJournal) -> None:
        """Those who return rest no more: from here on they are put right like what lives."""
        resting = [one for one in self._instances() if one.state in _RETURNING]
        back = [one for one in resting if one.member in self.returning and self._returns(one)]
        for one in back:
            self._desk.ledger.instances.restoring(one.uid, actor=self._actor)
        if back:
            found = [leaving_as_it_is(self._desk, one) for one in back]
            steps.unmark(found, self._tools(journal))

    def _lived(self, one: InstanceRecord) -> bool:
        return one.member in members_of(self._record.spec) or self._returns(one)

    def _returns(self, one: InstanceRecord) -> bool:
        """Whether it lived before this change was approved, which asks for it again: it has data,
        and is never destroyed for taking the change back."""
        approval, since = self._record.as_proposed.approval, one.active_since
        asked = one.member in self._workload.usage
        if not asked or one.member in members_of(self._record.spec):
            return False
        return approval is not None and since is not None and since < approval.at

    def _is_added(self, one: InstanceRecord) -> bool:
        return not self._lived(one) and one.member in self._workload.usage

    def _enter(self, planned: Planned) -> None:
        """The ledger knows, before the first write, which VMs may be other than they were."""
        instances = {one.key: one for one in self._instances()}
        for vm in planned.plan.vms:
            one = instances[vm.desired.key]
            if not self._lived(one) or one.state is InstanceState.STUCK:
                if one.state is not InstanceState.ACTIVE:
                    self._desk.ledger.instances.creating(one.uid, actor=self._actor)
            else:
                self._changes(one, vm)

    def _changes(self, one: InstanceRecord, vm: PlannedVm) -> None:
        """A VM that lives is about to become otherwise: what leaves its place is noted first."""
        ledger = self._desk.ledger
        targets = tuple(job.target for job in vm.desired.protection.replication)
        leaving = leaving_of(self._desk, one, vm.desired, self._state)
        ledger.asides.note(one.uid, leaving, self._actor)
        if not vm.settled or set(targets) != set(one.targets):
            storages = {disk.name: disk.storage for disk in vm.desired.disks}
            ledger.instances.changing(
                one.uid, targets=targets, storages=storages, actor=self._actor
            )

    def _record_result(self, result: ApplyResult, journal: SagaJournal) -> bool:
        """Each VM's ending in the ledger, then the saga's and the proposal's; whether the change
        is through."""
        ledger = self._desk.ledger
        instances = {one.uid: one for one in self._instances()}
        for vm in result.vms:
            uid = vm.vm.identity.uid
            match vm.ending:
                case VmEnding.ACTIVE if self._lived(instances[uid]):
                    ledger.changes.confirm(uid, actor=self._actor)
                case VmEnding.ACTIVE:
                    ledger.instances.active(uid, actor=self._actor)
                case _:
                    self._note_trouble(vm)
        endings = {vm.ending for vm in result.vms}
        if endings == {VmEnding.ACTIVE}:
            for one in self._everything():
                if one.member not in self._workload.usage and one.state not in _RETURNING:
                    ledger.instances.retiring(one.uid, actor=self._actor)
            journal.close(SagaEvent.FINISH)
            ledger.changes.finish(self._record.key, actor=self._actor)
            return True
        if VmEnding.STUCK in endings and VmEnding.UNFINISHED not in endings:
            journal.close(SagaEvent.STICK)
        return False

    def _restart(self, planned: Planned) -> Mapping[str, tuple[str, ...]]:
        """What each VM takes over only when it is started anew, as PVE says now."""
        found: dict[str, tuple[str, ...]] = {}
        for vm in planned.desired:
            expected = planned.restart.get(vm.key, ())
            if not expected and not vm.leaves:
                continue
            try:
                waiting = running_behind(self._desk, vm, vm.node)
            except CloudpemdaError:  # it moved, or cannot be asked now: what was planned is said
                waiting = expected
            keys = tuple(dict.fromkeys((*waiting, *told_at_start(expected))))
            if keys:
                found[vm.key] = keys
        return found

    # -- backward --------------------------------------------------------------------------
    def undo(self) -> Applied:
        """Take back what a begun change has done: VMs that it added go, the others are as the
        workload lives by. Refused whole where that would destroy data."""
        if not self._record.changing:
            raise Refused("apply.nothing-to-undo", key=self._record.key)
        with self._open(_KIND) as journal:
            if not self._fresh().changing:
                journal.close(SagaEvent.FINISH)
                raise Refused("apply.undo-active", key=self._record.key)
            kept = tuple(one for one in self._everything() if self._lived(one))
            self._look_anew(kept)
            lost = self._lost(kept)
            there = tuple(one for one in kept if one.key not in lost)
            self._require_no_loss(kept, lost)
            for one in there:
                if one.state in _RETURNING:
                    self._desk.ledger.instances.restoring(one.uid, actor=self._actor)
            gone = self._undo_added(journal)
            if gone is not None:
                return gone
            planned = self._draw_up_as_it_was(kept, lost)
            for vm in planned.plan.vms:
                self._changes(next(one for one in kept if one.key == vm.desired.key), vm)
            result = self._put_back(planned, journal)
            if result is not None and {vm.ending for vm in result.vms} != {VmEnding.ACTIVE}:
                faults = faults_of(result)
                return Applied(self._fresh(), planned, result, faults, result.exit_code)
            gone_faults = self._give_up_lost(kept, lost)
            for one in there:
                if self._returns(one):  # to where it came from
                    self._desk.ledger.instances.retiring(one.uid, actor=self._actor)
            journal.close(SagaEvent.UNDO)
        self._desk.ledger.changes.fail(self._record.key, reason="undo", actor=self._actor)
        settle(self._desk, self._actor, {self._record.key})
        left, rested = self._clear(), self._take_away()
        faults = (*gone_faults, *left.faults, *rested.faults)
        codes = [left.code, rested.code, *(ExitCode.INCOMPLETE for _ in gone_faults)]
        return Applied(self._fresh(), planned, result, faults, worst(codes), taken_back=True)

    def _look_anew(self, kept: Collection[InstanceRecord]) -> None:
        """What was read is older than our turn, and whoever was killed may have left a task at
        work, whose effect is yet to come: a disk that grows once its hold is returned.

        Raises Incomplete `apply.undo-running`, Unreachable.
        """
        pve, there = self._desk.cluster(self._state.name), self._state.vms
        nodes = {there[one.vmid].node for one in kept if one.vmid in there}
        running = [upid for node in sorted(nodes) for upid in pve.running_tasks(node)]
        for one in kept:
            for upid in running:
                kind, node = upid_kind(upid), upid_node(upid)
                if kind in _CHANGING and upid_works_on(upid, one.vmid):
                    values = {"vm": one.key, "vmid": one.vmid, "node": node, "kind": kind}
                    raise Incomplete("apply.undo-running", **values)
        self._state = read_clusters(self._desk, [self._record])[self._state.name]

    def _lost(self, kept: tuple[InstanceRecord, ...]) -> Mapping[str, Refused]:
        """Key and why of VMs that another hand has removed since: nothing of the change is left
        to take back there. Raises Unreachable where that cannot be said."""
        lost: dict[str, Refused] = {}
        for vm in self._as_it_lives(kept):
            try:
                standing(vm, self._state, keys_made(kept))
            except Refused as error:
                lost[vm.key] = error
        return lost

    def _put_back(self, planned: Planned, journal: SagaJournal) -> ApplyResult | None:
        """Those that are there as the workload lives by; None where none is there."""
        if not planned.desired:
            return None
        result = apply_workload(planned.desired, self._tools(journal))
        self._say("request.undo", result, journal)
        for done in result.vms:
            if done.ending is VmEnding.ACTIVE:
                self._desk.ledger.instances.active(done.vm.identity.uid, actor=self._actor)
        return result

    def _give_up_lost(
        self, kept: tuple[InstanceRecord, ...], lost: Mapping[str, Refused]
    ) -> tuple[Fault, ...]:
        """They stay charged as they lived, until a person has restored or released them."""
        faults: list[Fault] = []
        for one in kept:
            if one.key not in lost:
                continue
            error = lost[one.key]
            if one.state not in _RETURNING:
                book = self._desk.ledger.instances
                book.stuck(one.uid, error=str(error), actor=self._actor)
            values = {"vm": one.key, "vmid": one.vmid, "key": self._record.key}
            faults += [*error.faults, Fault("apply.undo-lost", values, path=one.key)]
        return tuple(faults)

    def _undo_added(self, journal: SagaJournal) -> Applied | None:
        """Destroy and release what the change added; None once nothing of it is left."""
        ledger = self._desk.ledger
        added = [one for one in self._everything() if self._is_added(one)]
        begun = [one for one in added if one.node is not None]
        for one in begun:
            if one.state is InstanceState.ACTIVE:
                ledger.instances.retiring(one.uid, actor=self._actor)
        if begun:
            known = {one.key for one in begun}
            desired = tuple(vm for vm in self._desired_of_all() if vm.key in known)
            result = undo_workload(desired, self._tools(journal))
            self._say("request.undo", result, journal)
            if {vm.ending for vm in result.vms} != {VmEnding.FAILED}:
                return Applied(self._fresh(), None, result, faults_of(result), result.exit_code)
        for one in added:
            ledger.instances.release(one.uid, actor=self._actor)
        return None

    def _desired_of_all(self) -> tuple[DesiredVm, ...]:
        """As the change wants them; what was never placed, or is released, has nothing to undo."""
        return self._where_placed(propose(self._workload, self._state))

    def _draw_up_as_it_was(
        self, kept: tuple[InstanceRecord, ...], lost: Collection[str]
    ) -> Planned:
        before = Workload(self._desk, self._record, self._state.name)
        placement = place_workload(before, self._state, kept)
        return draw_up(before, self._state, kept, placement, grown_stay=True, without=lost)

    def _require_no_loss(self, kept: tuple[InstanceRecord, ...], gone: Collection[str]) -> None:
        """Raises Refused `apply.undo-disks` where the change has grown or added a disk: neither can
        be taken back with its data. What another hand has grown stays as it is."""
        records = {one.key: one for one in kept}
        lost = [
            disk
            for vm in self._as_it_lives(kept)
            if vm.key not in gone
            for disk in self._would_lose(vm, records[vm.key])
        ]
        if lost:
            raise Refused("apply.undo-disks", key=self._record.key, disks="; ".join(lost))

    def _would_lose(self, vm: DesiredVm, record: InstanceRecord) -> Iterator[str]:
        """The disks that the change has grown or added, each with its sizes, in words."""
        live = _read(vm, self._state)
        present = {} if live.config is None else {disk.slot: disk for disk in live.config.disks}
        asked = {
            disk.name: disk.size
            for kind in self._workload.spec.vms
            if record.member in kind.members
            for disk in kind.disks
        }
        for disk in vm.disks:
            there = present.get(disk.slot)
            grown = there is not None and there.size > disk.size
            if there is not None and grown and asked.get(disk.name, disk.size) > disk.size:
                yield f"{vm.key} {disk.name} {show_size(disk.size)} → {show_size(there.size)}"
        for name in sorted(self._workload.fresh(record.member)):
            there = present.get(f"scsi{record.slots[name]}")
            if there is not None:
                yield f"{vm.key} {name} + {show_size(there.size)}"


def _read(vm: DesiredVm, state: ClusterState) -> Vm:
    """Raises Unreachable where its disks could not be read: unknown is not absent."""
    live = state.vms.get(vm.identity.vmid)
    if live is None or live.config is None:
        raise Unreachable(
            "plan.unknown", vm=vm.key, vmid=vm.identity.vmid, cluster=state.name, what="config"
        )
    return live
