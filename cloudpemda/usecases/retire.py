"""Retire: a workload ends by a quarantine, from which it can come back, and a purge (`purge`).

In quarantine its VMs stand still with all that they have, and are charged.
"""

from collections.abc import Callable

from cloudpemda.apply import Progress, VmEnding, apply_workload
from cloudpemda.apply import retire as steps
from cloudpemda.apply.retire import LeaveResult
from cloudpemda.errors import Refused
from cloudpemda.ledger import (
    Actor,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
)
from cloudpemda.ledger.transfers import TRANSFER
from cloudpemda.usecases.cut_off import PURGE, RETIRE, finish, require_none_at_work
from cloudpemda.usecases.decide import require_reason
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.leaving import (
    AWAY,
    LEAVING,
    Retired,
    give_up,
    instances_of,
    leaving_of,
    note_run,
    read_cluster,
    require_ready,
    standing,
    still_as_read,
    tools_for,
)
from cloudpemda.usecases.plan import draw_up, keys_made, members_of
from cloudpemda.usecases.purge import bring_to_end
from cloudpemda.usecases.workload import Workload, standing_placement

_RESTORE = "restore"


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
    if record.state not in LEAVING or now:
        require_reason(record.number, reason)
    done = leave(desk, actor, record, reason, progress, halted)
    if now and done.record.state is RequestState.RETIRED:
        return bring_to_end(desk, actor, done.record, progress, halted, at_once=reason)
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
    if record.state not in (*LEAVING, RequestState.ACTIVE):
        raise Refused("retire.not-active", key=record.key, state=record.state.value)
    if record.state is RequestState.ENDED:
        return standing(desk, record.key)
    require_ready(desk, record)
    give_up(desk, record, _RESTORE, "apply", TRANSFER)
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
    going = [one for one in instances_of(desk, record) if one.state is InstanceState.RETIRING]
    results: tuple[LeaveResult, ...] = ()
    if going:
        state = read_cluster(desk, going)
        with desk.ledger.journal.open_saga(record.number, RETIRE) as journal:
            # what another has brought back until it was our turn lives
            going = still_as_read(desk, going)
            tools = tools_for(desk, state, journal, progress, halted)
            results = steps.quarantine([leaving_of(desk, one) for one in going], tools)
            for one in results:
                if one.done:
                    uid = one.leaving.identity.uid
                    desk.ledger.instances.quarantined(uid, actor=actor)
            note_run(desk, actor, record, RETIRE, results, journal)
            if all(one.done for one in results):
                journal.close(SagaEvent.FINISH)
    else:
        finish(desk, record, RETIRE)
    fresh = desk.ledger.requests.get(record.key)
    left = instances_of(desk, record)
    if fresh.state is RequestState.RETIRING and all(
        one.state is InstanceState.RETIRED for one in left
    ):
        desk.ledger.retirements.quarantined(record.key, actor=actor)
    return standing(desk, record.key, results)


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
        return standing(desk, record.key)
    if record.state not in (RequestState.RETIRING, RequestState.RETIRED):
        raise Refused("retire.not-retired", key=record.key, state=record.state.value)
    require_ready(desk, record)
    back = instances_of(desk, record)
    purged = sorted(members_of(record.spec) - {one.member for one in back})
    if purged:
        raise Refused("retire.purged-in-part", key=record.key, vms=", ".join(purged))
    require_none_at_work(desk, record, back)
    state = read_cluster(desk, back)
    placement = standing_placement(state.name, back, state)
    planned = draw_up(Workload(desk, record, state.name), state, back, placement)
    give_up(desk, record, RETIRE, PURGE)
    with desk.ledger.journal.open_saga(record.number, _RESTORE) as journal:
        for one in back:
            if one.state in AWAY:
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
    return standing(desk, record.key, results)
