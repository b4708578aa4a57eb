"""Retire: a workload ends by a quarantine, from which it can come back, and a purge.

In quarantine its VMs stand still with all that they have, and are charged. Purged they are gone;
what a node that was off still keeps of them is an orphan (`orphans`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from cloudpemda.apply import Progress, Tools, VmEnding, apply_workload
from cloudpemda.apply import retire as steps
from cloudpemda.apply.gone import clear_gone
from cloudpemda.apply.retire import LeaveResult, Leaving
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, worst
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.ledger.transfers import TRANSFER
from cloudpemda.plan.diff import carries
from cloudpemda.plan.firewall import kind_of
from cloudpemda.rules.quota import disk_dimension
from cloudpemda.units import Instant, MiB, show_local
from cloudpemda.usecases.copies import refused_for_copies
from cloudpemda.usecases.cut_off import PURGE, RETIRE, finish, require_none_at_work, was_cut_off
from cloudpemda.usecases.decide import require_reason
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.orphans import clean_up
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.plan import draw_up, keys_made, members_of
from cloudpemda.usecases.workload import Workload, cluster_settings, standing_placement

_RESTORE = "restore"
_LEAVING = frozenset({RequestState.RETIRING, RequestState.RETIRED, RequestState.ENDED})
_BUILDING = frozenset({RequestState.APPROVED, RequestState.APPLYING, RequestState.STUCK})
_AWAY = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


@dataclass(frozen=True)
class Retired:
    """How far a workload is on its way out, or back."""

    record: RequestRecord
    instances: tuple[InstanceRecord, ...]  # those that are left
    purge_at: Instant | None  # when the quarantine of the last one ends
    faults: tuple[Fault, ...]
    code: ExitCode


def retire(
    desk: Desk,
    key: str,
    reason: str,
    progress: Progress,
    halted: Callable[[], bool],
    *,
    now: bool = False,
) -> Retired:
    """Bring a workload that lives into quarantine, or go on with that; with `now` purge it at
    once. Twice changes nothing.

    For operators and the OPD's approvers; `now` is the operators'. Raises Refused by role, while
    the site is paused, for one that does not live, or while it is being changed; Unreachable where
    its cluster cannot be read.
    """
    record = desk.ledger.requests.get(key)
    roles = ("operator",) if now else ("operator", "approver")
    actor = desk.act(*roles, opd=record.opd)
    if record.state not in _LEAVING or now:
        require_reason(record.number, reason)
    done = leave(desk, actor, record, reason, progress, halted)
    if now and done.record.state is RequestState.RETIRED:
        return _purged(desk, actor, done.record, progress, halted, at_once=reason)
    return done


def leave(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    reason: str,
    progress: Progress,
    halted: Callable[[], bool],
) -> Retired:
    """The same for whoever acts, the timer among them."""
    if record.state not in (*_LEAVING, RequestState.ACTIVE):
        raise Refused("retire.not-active", key=record.key, state=record.state.value)
    if record.state is RequestState.ENDED:
        return _standing(desk, record.key)
    _require_ready(desk, record)
    _give_up(desk, record, _RESTORE, "apply", TRANSFER)
    record = desk.ledger.retirements.begin(record.key, reason=reason, actor=actor)
    return quarantine(desk, actor, record, progress, halted)


def quarantine(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    progress: Progress,
    halted: Callable[[], bool],
) -> Retired:
    """Stop the instances of a request that are `retiring`, and keep them so: all of a workload
    that ends, or those that a change takes away.

    What could not be stopped stays `retiring`; the same call goes on.
    """
    going = [one for one in _instances(desk, record) if one.state is InstanceState.RETIRING]
    results: tuple[LeaveResult, ...] = ()
    if going:
        state = _read(desk, going)
        with desk.ledger.journal.open_saga(record.number, RETIRE) as journal:
            # what another has brought back until it was our turn lives
            going = _still(desk, going)
            tools = tools_for(desk, state, journal, progress, halted)
            results = steps.quarantine([leaving_of(desk, one) for one in going], tools)
            for one in results:
                if one.done:
                    uid = one.leaving.identity.uid
                    desk.ledger.instances.quarantined(uid, actor=actor)
            _say(desk, actor, record, RETIRE, results, journal)
            if all(one.done for one in results):
                journal.close(SagaEvent.FINISH)
    else:
        finish(desk, record, RETIRE)
    fresh = desk.ledger.requests.get(record.key)
    left = _instances(desk, record)
    if fresh.state is RequestState.RETIRING and all(
        one.state is InstanceState.RETIRED for one in left
    ):
        desk.ledger.retirements.quarantined(record.key, actor=actor)
    return _standing(desk, record.key, results)


def restore(desk: Desk, key: str, progress: Progress, halted: Callable[[], bool]) -> Retired:
    """Bring a workload back from quarantine: it runs, protected as its class promises.

    For operators and the OPD's approvers. Raises Refused by role, while the site is paused, for
    one that is not in retirement, while a purge that died is still at work in PVE, and where a VM
    is gone or is not ours (`plan.diff`); nothing was changed then. Unreachable where its cluster
    cannot be read.
    """
    record = desk.ledger.requests.get(key)
    actor = desk.act("operator", "approver", opd=record.opd)
    if record.state is RequestState.ACTIVE:
        return _standing(desk, record.key)
    if record.state not in (RequestState.RETIRING, RequestState.RETIRED):
        raise Refused("retire.not-retired", key=record.key, state=record.state.value)
    _require_ready(desk, record)
    back = _instances(desk, record)
    purged = sorted(members_of(record.spec) - {one.member for one in back})
    if purged:
        raise Refused("retire.purged-in-part", key=record.key, vms=", ".join(purged))
    require_none_at_work(desk, record, back)
    state = _read(desk, back)
    placement = standing_placement(state.name, back, state)
    planned = draw_up(Workload(desk, record, state.name), state, back, placement)
    _give_up(desk, record, RETIRE, PURGE)
    with desk.ledger.journal.open_saga(record.number, _RESTORE) as journal:
        for one in back:
            if one.state in _AWAY:
                desk.ledger.instances.restoring(one.uid, actor=actor)
        tools = tools_for(desk, state, journal, progress, halted, keys_made(back))
        steps.unmark([leaving_of(desk, one) for one in back], tools)
        result = apply_workload(planned.desired, tools)
        for vm in result.vms:
            if vm.ending is VmEnding.ACTIVE:
                desk.ledger.instances.active(vm.vm.identity.uid, actor=actor)
        if all(vm.ending is VmEnding.ACTIVE for vm in result.vms):
            journal.close(SagaEvent.FINISH)
            desk.ledger.retirements.restored(record.key, actor=actor)
    results = tuple(
        LeaveResult(leaving_of(desk, one), vm.ending is VmEnding.ACTIVE, vm.step, vm.error)
        for one, vm in zip(back, result.vms, strict=True)
    )
    return _standing(desk, record.key, results)


def purge(
    desk: Desk,
    key: str,
    progress: Progress,
    halted: Callable[[], bool],
    *,
    confirm: str,
    at_once: str | None = None,
    gone: bool = False,
) -> Retired:
    """Destroy what is in quarantine and has been for its time; `at_once` gives the reason why it
    has not. `gone` releases VMs that another hand has removed, and clears what they left.

    For operators, who `confirm` by naming the workload. Raises Refused by role, while the site is
    paused, `retire.confirm`, `retire.not-retired`, `retire.quarantine-lasts`; Unreachable where a
    cluster cannot be read. A VM that may not be destroyed stands in the faults.
    """
    record = desk.ledger.requests.get(key)
    actor = desk.act("operator")
    if confirm != record.key:
        raise Refused("retire.confirm", key=record.key, said=confirm)
    if at_once is not None:
        require_reason(record.number, at_once)
    return _purged(desk, actor, record, progress, halted, at_once=at_once, gone=gone)


def purge_due(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    progress: Progress,
    halted: Callable[[], bool],
) -> Retired:
    """The same without a person, for what has been in quarantine for its time."""
    return _purged(desk, actor, record, progress, halted)


def purge_at(desk: Desk, one: InstanceRecord) -> Instant:
    """When the quarantine of a retired instance ends."""
    return Instant(one.changed_at + timedelta(seconds=desk.site.info.retirement.quarantine))


def _purged(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    progress: Progress,
    halted: Callable[[], bool],
    *,
    at_once: str | None = None,
    gone: bool = False,
) -> Retired:
    if record.state is RequestState.ENDED:
        return _standing(desk, record.key)
    _require_ready(desk, record)
    if was_cut_off(desk, record):
        return _closed(desk, actor, record)
    going = _due(desk, record, at_once, gone=gone)
    state = _read(desk, going)
    away = [one for one in going if gone and _is_gone(one, state)]
    refused = dict(_still_there(going, away) if gone else ())
    going = [one for one in going if one.state is InstanceState.RETIRED and one not in away]
    refused |= refused_for_copies(desk, going, state)
    going = [one for one in going if one.key not in refused]
    _give_up(desk, record, RETIRE)
    results: tuple[LeaveResult, ...] = ()
    if going or away:
        with desk.ledger.journal.open_saga(record.number, PURGE) as journal:
            there = (*away, *going)
            if _still(desk, there) != list(there):
                journal.close(SagaEvent.UNDO)
                fresh = desk.ledger.requests.get(record.number)
                raise Refused("retire.moved-on", key=fresh.key, state=fresh.state.value)
            tools = tools_for(desk, state, journal, progress, halted)
            results = _end(desk, actor, away, tools, clear_gone, but=going)
            results += _end(desk, actor, going, tools, steps.purge)
            reason = {} if at_once is None else {"reason": at_once}
            _say(desk, actor, record, PURGE, results, journal, **reason)
            if all(one.done for one in results):
                journal.close(SagaEvent.FINISH)
    _end_if_over(desk, actor, record)
    uids = {one.leaving.identity.uid for one in results if one.done}
    left = clean_up(desk, actor, halted, uids=uids) if uids else None
    done = _standing(desk, record.key, results, refused)
    if left is None or not left.faults:
        return done
    return Retired(
        done.record, done.instances, done.purge_at, (*done.faults, *left.faults),
        worst([done.code, left.code]),
    )  # fmt: skip


def _closed(desk: Desk, actor: Actor, record: RequestRecord) -> Retired:
    """What a purge that was cut off has released already is at its end."""
    finish(desk, record, PURGE)
    _end_if_over(desk, actor, record)
    return _standing(desk, record.key)


def _end_if_over(desk: Desk, actor: Actor, record: RequestRecord) -> None:
    if not _instances(desk, record) and record.state in _LEAVING:
        _give_up(desk, record)
        desk.ledger.retirements.end(record.key, actor=actor)


class _Ends(Protocol):
    """`apply.retire.purge`, or `apply.gone.clear_gone`."""

    def __call__(
        self,
        leaving: Sequence[Leaving],
        tools: Tools,
        note: steps.NoteLeft,
        ending: Collection[str] = (),
    ) -> tuple[LeaveResult, ...]: ...


def _end(
    desk: Desk,
    actor: Actor,
    going: Sequence[InstanceRecord],
    tools: Tools,
    end: _Ends,
    but: Sequence[InstanceRecord] = (),
) -> tuple[LeaveResult, ...]:
    """Bring instances to their end, and release those that came there; `but` come later."""
    if not going:
        return ()
    settings = cluster_settings(desk, tools.live.name)
    classes = {storage: name for name, storage in settings.storages.items()}

    def note(uid: str, node: str, volumes: Mapping[str, MiB]) -> None:
        told = {}
        for volume, size in volumes.items():
            storage = volume.partition(":")[0]
            told[volume] = (disk_dimension(classes.get(storage, storage)), size)
        desk.ledger.orphans.note(uid, node, told, actor)

    others = [one for one in desk.ledger.instances.list(opd=going[0].opd) if one not in going]
    ending = {kind_of(one.key) for one in going} - {kind_of(one.key) for one in (*others, *but)}
    results = end([leaving_of(desk, one) for one in going], tools, note, ending)
    for one in results:
        if one.done:
            desk.ledger.instances.release(one.leaving.identity.uid, actor=actor)
    return results


def _still_there(
    going: Sequence[InstanceRecord], away: Collection[InstanceRecord]
) -> Iterator[tuple[str, CloudpemdaError]]:
    """Those that were said to be gone and of which that is not certain; what is in quarantine is
    purged like any other."""
    for one in going:
        if one not in away and one.state is not InstanceState.RETIRED:
            values = {"vmid": one.vmid, "node": one.node or "-"}
            yield one.key, Refused("retire.not-gone", key=one.key, **values)


def _due(
    desk: Desk, record: RequestRecord, at_once: str | None, *, gone: bool
) -> list[InstanceRecord]:
    """Raises Refused where there is nothing to purge, or not yet: of what is still being built
    `apply --undo` takes back all; what a purge released of it would be built anew uncharged."""
    fitting = _AWAY if gone and record.state not in _BUILDING else {InstanceState.RETIRED}
    retired = [one for one in _instances(desk, record) if one.state in fitting]
    if not retired:
        raise Refused("retire.not-retired", key=record.key, state=record.state.value)
    now = desk.clock.now()
    due = [one for one in retired if gone or at_once or purge_at(desk, one) <= now]
    if not due:
        until = show_local(max(purge_at(desk, one) for one in retired), desk.site.zone)
        raise Refused("retire.quarantine-lasts", key=record.key, until=until)
    return due


def _is_gone(one: InstanceRecord, state: ClusterState) -> bool:
    """Whether our VM is certainly not there: the cluster was read whole and has none under its
    VMID, or has somebody else's there."""
    live = state.vms.get(one.vmid)
    if live is None:
        return state.quorate and all(node.answers for node in state.nodes.values())
    return live.config is not None and not carries(live.config, one.identity)


# -- what all share --------------------------------------------------------------------------
def _require_ready(desk: Desk, record: RequestRecord) -> None:
    require_running(desk)
    desk.ledger.found.require_reconciled()
    for saga in desk.ledger.journal.unfinished():
        if saga.number == record.number and saga.kind == "change":
            raise Refused("retire.changing", key=record.key)


def _give_up(desk: Desk, record: RequestRecord, *kinds: str) -> None:
    """What was begun the other way is not gone on with; of what is at its end, nothing is (no
    `kinds`): its adoption, say. Raises Refused `journal.busy` while a living process is at it."""
    for saga in desk.ledger.journal.unfinished():
        if saga.number == record.number and (not kinds or saga.kind in kinds):
            with desk.ledger.journal.open_saga(record.number, saga.kind) as journal:
                journal.close(SagaEvent.UNDO)


def _instances(desk: Desk, record: RequestRecord) -> tuple[InstanceRecord, ...]:
    return desk.ledger.instances.list(workload=record.key)


def _still(desk: Desk, going: Sequence[InstanceRecord]) -> list[InstanceRecord]:
    """Those that are as they were read, now that nobody else writes to them."""
    now = [desk.ledger.instances.get(one.uid) for one in going]
    return [
        one
        for one, fresh in zip(going, now, strict=True)
        if fresh.state is one.state and fresh.changed_at == one.changed_at
    ]


def _read(desk: Desk, going: Collection[InstanceRecord]) -> ClusterState:
    (cluster,) = {one.cluster for one in going}
    cluster_settings(desk, cluster)
    return desk.cluster(cluster).snapshot({one.vmid for one in going})


def leaving_of(desk: Desk, one: InstanceRecord) -> Leaving:
    """An instance in the words of the steps that take it away."""
    nodes = {one.node, *one.targets} - {None}
    beside = desk.ledger.asides.list(uids=[one.uid])
    return Leaving(
        key=one.key,
        identity=one.identity,
        node=one.node or "-",
        storages=frozenset({*one.storages.values(), *(aside.storage for aside in beside)}),
        targets=frozenset(node for node in nodes if node is not None),
        beside={aside.volume: aside.size for aside in beside},
    )


def tools_for(
    desk: Desk,
    state: ClusterState,
    journal: SagaJournal,
    progress: Progress,
    halted: Callable[[], bool],
    established: frozenset[str] = frozenset(),
) -> Tools:
    """What the steps on instances that were made work with."""

    def none(uid: str, taken: Collection[int]) -> int:
        raise Refused("apply.gone", key=uid, vmid="-", node="-")

    return Tools(
        pve=desk.cluster(state.name),
        live=state,
        established=established,
        journal=journal,
        reclaim_vmid=none,
        limits=desk.site.info.clusters[state.name].limits,
        locks=desk.site.path("var/locks"),
        clock=desk.clock,
        entropy=desk.entropy,
        progress=progress,
        halted=halting(desk, halted),
    )


def _say(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    what: str,
    results: Sequence[LeaveResult],
    journal: SagaJournal,
    **details: str,
) -> None:
    """What this run has done on the cluster."""
    done = sum(one.done for one in results)
    desk.ledger.audit.note(
        actor,
        f"request.{what}-run",
        record.opd,
        record.number,
        key=record.key,
        saga=journal.id,
        ended=f"{done} of {len(results)}",
        upids=desk.ledger.journal.tasks(journal.id),
        **details,
    )


def _standing(
    desk: Desk,
    key: str,
    results: Sequence[LeaveResult] = (),
    refused: Mapping[str, CloudpemdaError] | None = None,
) -> Retired:
    record = desk.ledger.requests.get(key)
    left = _instances(desk, record)
    errors = dict(refused or {})
    unfinished = [one for one in results if not one.done]
    faults: list[Fault] = []
    for one in unfinished:
        values = {"vm": one.leaving.key, "step": one.step or "-", "key": record.key}
        faults.append(Fault("retire.vm-unfinished", values, path=one.leaving.key))
        faults.extend(one.error.faults if one.error is not None else ())
    for name, error in errors.items():
        values = {"vm": name, "step": "-", "key": record.key}
        faults.append(Fault("retire.vm-unfinished", values, path=name))
        faults.extend(error.faults)
    away = [one for one in left if one.state is InstanceState.RETIRED]
    return Retired(
        record=record,
        instances=left,
        purge_at=max((purge_at(desk, one) for one in away), default=None),
        faults=tuple(faults),
        code=ExitCode.INCOMPLETE if faults else ExitCode.DONE,
    )
