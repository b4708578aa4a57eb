"""What retiring, restoring and purging a workload share: how far it is, and what its steps need."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.apply import Progress, Tools
from cloudpemda.apply.retire import LeaveResult, Leaving
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.workload import cluster_settings

LEAVING = frozenset({RequestState.RETIRING, RequestState.RETIRED, RequestState.ENDED})
"""Requests on their way out, or there."""

AWAY = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})
"""Instances on their way into quarantine, or in it."""


@dataclass(frozen=True)
class Retired:
    """How far a workload is on its way out, or back."""

    record: RequestRecord
    instances: tuple[InstanceRecord, ...]  # those that are left
    purge_at: Instant | None  # when the quarantine of the last one ends
    faults: tuple[Fault, ...]
    code: ExitCode


def purge_at(desk: Desk, one: InstanceRecord) -> Instant:
    """When the quarantine of a retired instance ends."""
    return Instant(one.changed_at + timedelta(seconds=desk.site.info.retirement.quarantine))


def require_ready(desk: Desk, record: RequestRecord) -> None:
    """Raises Refused while the site is paused, while the ledger is not reconciled with the
    clusters, and `retire.changing` while a change of this workload is under way."""
    require_running(desk)
    desk.ledger.found.require_reconciled()
    for saga in desk.ledger.journal.unfinished():
        if saga.number == record.number and saga.kind == "change":
            raise Refused("retire.changing", key=record.key)


def give_up(desk: Desk, record: RequestRecord, *kinds: str) -> None:
    """What was begun the other way is not gone on with; of what is at its end, nothing is (no
    `kinds`): its adoption, say. Raises Refused `journal.busy` while a living process is at it."""
    for saga in desk.ledger.journal.unfinished():
        if saga.number == record.number and (not kinds or saga.kind in kinds):
            with desk.ledger.journal.open_saga(record.number, saga.kind) as journal:
                journal.close(SagaEvent.UNDO)


def instances_of(desk: Desk, record: RequestRecord) -> tuple[InstanceRecord, ...]:
    """All of a workload that the ledger still charges."""
    return desk.ledger.instances.list(workload=record.key)


def still_as_read(desk: Desk, going: Sequence[InstanceRecord]) -> list[InstanceRecord]:
    """Those that are as they were read, now that nobody else writes to them."""
    now = [desk.ledger.instances.get(one.uid) for one in going]
    return [
        one
        for one, fresh in zip(going, now, strict=True)
        if fresh.state is one.state and fresh.changed_at == one.changed_at
    ]


def read_cluster(desk: Desk, going: Collection[InstanceRecord]) -> ClusterState:
    """The one cluster that they are on. Raises Unreachable."""
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


def note_run(
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


def standing(
    desk: Desk,
    key: str,
    results: Sequence[LeaveResult] = (),
    refused: Mapping[str, CloudpemdaError] | None = None,
) -> Retired:
    """How far it is now; a run's `results` and what was `refused`, by VM, are told as faults."""
    record = desk.ledger.requests.get(key)
    left = instances_of(desk, record)
    stopped = [
        (one.leaving.key, one.step or "-", one.error.faults if one.error is not None else ())
        for one in results
        if not one.done
    ]
    stopped += [(vm, "-", error.faults) for vm, error in (refused or {}).items()]
    faults: list[Fault] = []
    for vm, step, why in stopped:
        values = {"vm": vm, "step": step, "key": record.key}
        faults += (Fault("retire.vm-unfinished", values, path=vm), *why)
    away = [one for one in left if one.state is InstanceState.RETIRED]
    return Retired(
        record=record,
        instances=left,
        purge_at=max((purge_at(desk, one) for one in away), default=None),
        faults=tuple(faults),
        code=ExitCode.INCOMPLETE if faults else ExitCode.DONE,
    )
