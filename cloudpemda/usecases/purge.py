"""Purge: what has been in quarantine for its time is destroyed, and charged no longer.

What a node that was off still keeps of it is an orphan (`orphans`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

from cloudpemda.apply import Progress, Tools
from cloudpemda.apply import retire as steps
from cloudpemda.apply.gone import clear_gone
from cloudpemda.apply.retire import LeaveResult, Leaving
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, Refused, worst
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
)
from cloudpemda.plan.diff import carries
from cloudpemda.plan.firewall import kind_of
from cloudpemda.rules.quota import disk_dimension
from cloudpemda.units import MiB, show_local
from cloudpemda.usecases.copies import refused_for_copies
from cloudpemda.usecases.cut_off import PURGE, RETIRE, finish, was_cut_off
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
    purge_at,
    read_cluster,
    require_ready,
    standing,
    still_as_read,
    tools_for,
)
from cloudpemda.usecases.orphans import clean_up
from cloudpemda.usecases.workload import cluster_settings

_BUILDING = frozenset({RequestState.APPROVED, RequestState.APPLYING, RequestState.STUCK})


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
    return bring_to_end(desk, actor, record, progress, halted, at_once=at_once, gone=gone)


def purge_due(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    progress: Progress,
    halted: Callable[[], bool],
) -> Retired:
    """The same without a person, for what has been in quarantine for its time."""
    return bring_to_end(desk, actor, record, progress, halted)


def bring_to_end(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    progress: Progress,
    halted: Callable[[], bool],
    *,
    at_once: str | None = None,
    gone: bool = False,
) -> Retired:
    """The same for whoever may: `purge` has asked, and what it raises is raised here."""
    if record.state is RequestState.ENDED:
        return standing(desk, record.key)
    require_ready(desk, record)
    if was_cut_off(desk, record, instances_of(desk, record)):
        return _closed(desk, actor, record)
    going = _due(desk, record, at_once, gone=gone)
    state = read_cluster(desk, going)
    away = [one for one in going if gone and _is_gone(one, state)]
    refused = dict(_still_there(going, away) if gone else ())
    going = [one for one in going if one.state is InstanceState.RETIRED and one not in away]
    refused |= refused_for_copies(desk, going, state)
    going = [one for one in going if one.key not in refused]
    give_up(desk, record, RETIRE)
    results: tuple[LeaveResult, ...] = ()
    if going or away:
        with desk.ledger.journal.open_saga(record.number, PURGE) as journal:
            there = (*away, *going)
            if still_as_read(desk, there) != list(there):
                journal.close(SagaEvent.UNDO)
                fresh = desk.ledger.requests.get(record.number)
                raise Refused("retire.moved-on", key=fresh.key, state=fresh.state.value)
            tools = tools_for(desk, state, journal, progress, halted)
            results = _end(desk, actor, away, tools, clear_gone, but=going)
            results += _end(desk, actor, going, tools, steps.purge)
            reason = {} if at_once is None else {"reason": at_once}
            note_run(desk, actor, record, PURGE, results, journal, **reason)
            if all(one.done for one in results):
                journal.close(SagaEvent.FINISH)
    _end_if_over(desk, actor, record)
    uids = {one.leaving.identity.uid for one in results if one.done}
    left = clean_up(desk, actor, halted, uids=uids) if uids else None
    done = standing(desk, record.key, results, refused)
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
    return standing(desk, record.key)


def _end_if_over(desk: Desk, actor: Actor, record: RequestRecord) -> None:
    if not instances_of(desk, record) and record.state in LEAVING:
        give_up(desk, record)
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
    fitting = AWAY if gone and record.state not in _BUILDING else {InstanceState.RETIRED}
    retired = [one for one in instances_of(desk, record) if one.state in fitting]
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
