"""Restore: a VM becomes what a backup of it holds, in its own place.

What its data were since is lost to it; they are backed up first, unless that is waived. Its sizes,
addresses and protection are those that were approved, whatever the backup says: the ordinary steps
put them right before it runs again. A restore that was interrupted is gone on with by the same
command, and nothing else writes to its workload meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cloudpemda.apply import Progress, VmEnding, apply_workload
from cloudpemda.apply.power import require_unlocked
from cloudpemda.apply.restore import (
    Restoring,
    has_destroyed,
    own_config,
    require_free,
    require_own,
    restore_in_place,
)
from cloudpemda.cluster import Backup, ClusterState, VmConfig, VmStatus
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, worst
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    RequestRecord,
    RequestState,
    RestoreOutcome,
    RestoreRecord,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.ledger.journal import VM_RESTORE
from cloudpemda.plan.model import DesiredVm
from cloudpemda.report.standing import Finding
from cloudpemda.saga import Ending, Outcome
from cloudpemda.units import MiB, Seconds, show_size, show_utc
from cloudpemda.usecases.backups import backups
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.leaving import leaving_of, tools_for
from cloudpemda.usecases.plan import Planned, draw_up, keys_made
from cloudpemda.usecases.power import Deed, may
from cloudpemda.usecases.quota import moment_of
from cloudpemda.usecases.workload import Workload, cluster_settings, standing_placement

LATEST = "latest"
_VERB = "restore"


@dataclass(frozen=True)
class Preview:
    """What a restore would do, as it was seen now."""

    vm: str
    backup: Backup
    age: Seconds
    runs: bool  # it would be shut down
    others: tuple[str, ...]  # what differs in the backup, and is put right: "memory 4 GiB (8 GiB)"
    kept: Mapping[str, str]  # slot → drive that the backup is without: it keeps its data
    under_way: bool  # it was begun, and would be gone on with


@dataclass(frozen=True)
class Restored:
    """How it came out."""

    vm: str
    backup: str
    saved: str | None  # the backup of what stood there before
    done: bool
    faults: tuple[Fault, ...]
    code: ExitCode


@dataclass(frozen=True)
class _Seen:
    """One VM, the backup of it, and what stands there."""

    deed: Deed
    request: RequestRecord
    state: ClusterState
    backup: Backup
    age: Seconds
    config: VmConfig
    archived: VmConfig
    planned: Planned
    begun: RestoreRecord | None

    @property
    def record(self) -> InstanceRecord:
        return self.deed.record

    @property
    def desired(self) -> DesiredVm:
        return next(vm for vm in self.planned.desired if vm.key == self.record.key)

    @property
    def kept(self) -> Mapping[str, str]:
        """Drives that go on, since the backup has no data of them."""
        held = {disk.slot for disk in self.archived.disks if disk.backup}
        here = [disk.slot for disk in self.config.disks if disk.slot not in held]
        return {slot: self.config.raw[slot] for slot in here}


def preview(desk: Desk, key: str, source: str | None) -> Preview:
    """What `restore` would do now. Changes nothing. Raises as `restore`."""
    seen = _look(desk, key, source)
    live = seen.state.vms[seen.record.vmid]
    return Preview(
        vm=key,
        backup=seen.backup,
        age=seen.age,
        runs=live.status is not VmStatus.STOPPED,
        others=_others(seen),
        kept=seen.kept if seen.begun is None else seen.begun.kept,
        under_way=seen.begun is not None,
    )


def restore(
    desk: Desk,
    key: str,
    source: str | None,
    reason: str,
    progress: Progress,
    halted: Callable[[], bool],
    *,
    safety: bool = True,
) -> Restored:
    """Make a VM as a backup of it holds it, or go on with that.

    `source` is `latest`, a volume of `vm backups`, or a moment: the newest one up to then; None
    goes on with what was begun. `safety`: what stands there is backed up first. For operators, and
    for requesters where the site lets them. Raises Refused by role, while the site is paused, for a
    VM that is not active or not ours, for a backup that is not of this VM, where PVE's protection,
    snapshots, a change under way, or room speak against it: nothing was changed then. Unreachable
    where something cannot be read.
    """
    seen = _look(desk, key, source)
    actor = seen.deed.actor
    begun = seen.begun
    if begun is None:
        _require_room(seen)
        begun = _begin(desk, seen, None, reason, safety=safety)
    with desk.ledger.journal.open_saga(seen.record.number, VM_RESTORE) as journal:
        try:  # now that nobody else is at it: another backup only in the place of what was seen
            begun = _begin(desk, seen, begun, reason, safety=safety)
        except Refused:
            if not journal.resumed:
                journal.close(SagaEvent.UNDO)
            raise
        one = _restoring(desk, seen, begun, actor)
        tools = tools_for(desk, seen.state, journal, progress, halted, keys_made([seen.record]))
        outcome = restore_in_place(one, tools)
        saved = desk.ledger.restores.list(seen.record.uid)[-1].saved
        if outcome.ending is Ending.DONE:
            ended = RestoreOutcome.RESTORED
        elif outcome.ending is Ending.UNFINISHED or has_destroyed(one, tools):
            _say(desk, seen.deed, begun, journal, outcome.error)
            return _unfinished(begun, saved, outcome)
        else:
            ended = RestoreOutcome.LEFT
        left = _back_to_work(desk, seen.deed, begun, journal, ended, progress, halted)
    faults = list(left)
    if ended is RestoreOutcome.LEFT:
        faults = [Fault("vm.restore-not-begun", {"vm": key}), *_faults(outcome), *left]
    code = worst([*_codes(outcome), ExitCode.INCOMPLETE if left else ExitCode.DONE])
    done = ended is RestoreOutcome.RESTORED and not left
    return Restored(key, begun.backup, saved, done, tuple(faults), code)


def give_up(desk: Desk, key: str, progress: Progress, halted: Callable[[], bool]) -> Restored:
    """End a restore that was begun: what stands there goes back to work as it is. Where somebody
    else's VM stands there by now it is not touched, and the answer says so: the restore is over
    all the same, or nothing could end what is left of ours.

    Raises as `restore`, and Refused `vm.restore-none`.
    """
    deed, begun = _deed(desk, key)
    if begun is None:
        raise Refused("vm.restore-none", vm=key)
    with desk.ledger.journal.open_saga(deed.record.number, VM_RESTORE) as journal:
        if begun.seq not in [one.seq for one in desk.ledger.restores.open(begun.uid)]:
            if not journal.resumed:
                journal.close(SagaEvent.UNDO)
            raise Refused("vm.restore-none", vm=key)
        taken = _taken(desk, deed.record)
        if taken:
            desk.ledger.restores.end(begun, RestoreOutcome.LEFT, deed.actor)
            journal.close(SagaEvent.FINISH)
            return Restored(key, begun.backup, begun.saved, True, taken, ExitCode.FINDINGS)
        left = _back_to_work(desk, deed, begun, journal, RestoreOutcome.LEFT, progress, halted)
    code = ExitCode.INCOMPLETE if left else ExitCode.DONE
    return Restored(key, begun.backup, begun.saved, not left, left, code)


def unfinished(desk: Desk) -> tuple[Finding, ...]:
    """The restores that somebody must finish."""
    return tuple(
        Finding(
            one.opd,
            Fault("nightly.restore-unfinished", {
                "vm": one.key, "backup": one.backup, "by": one.person,
                "since": show_utc(one.begun_at), "saved": one.saved or "-",
            }),
        )
        for one in desk.ledger.restores.open()
    )  # fmt: skip


# -- looking ---------------------------------------------------------------------------------
def _deed(desk: Desk, key: str) -> tuple[Deed, RestoreRecord | None]:
    begun = {one.uid: one for one in desk.ledger.restores.open()}
    (deed,) = may(desk, _VERB, [key], under_way=begun.keys())
    return deed, begun.get(deed.record.uid)


def _look(desk: Desk, key: str, source: str | None) -> _Seen:
    deed, begun = _deed(desk, key)
    record = deed.record
    request = desk.ledger.requests.get(record.number)
    if begun is None and (request.state is not RequestState.ACTIVE or request.changing):
        raise Refused("vm.restore-changing", vm=key, key=request.key)
    backup, age = choose(desk, key, source, begun)
    state = _read(desk, record)
    planned = _planned(desk, request, state)
    pve, leaving = desk.cluster(record.cluster), leaving_of(desk, record)
    node, config = own_config(pve, leaving)
    archived = require_own(pve, leaving, node, backup)
    if begun is None:
        require_unlocked(pve, key, record.vmid, config)
        require_free(pve, leaving, node, config)
        for job in state.replication_jobs:
            there = state.nodes.get(job.target)
            if job.vmid == record.vmid and (there is None or not there.answers):
                raise Refused("vm.restore-target-away", vm=key, node=job.target)
    seen = _Seen(deed, request, state, backup, age, config, archived, planned, begun)
    if begun is None:
        _require_known_disks(seen)
    return seen


def choose(
    desk: Desk, key: str, source: str | None, begun: RestoreRecord | None
) -> tuple[Backup, Seconds]:
    """The backup that is meant, with its age. Raises Refused `vm.restore-none`,
    `vm.restore-broken`, `vm.restore-no-backup`, UsageError for no moment."""
    found = backups(desk, key)
    if source is None or (source == LATEST and begun is not None):
        if begun is None:
            raise Refused("vm.restore-none", vm=key)
        source = begun.backup
    good = [one for one in found if one.backup.verified is not False]
    if source == LATEST:
        fitting = good
    elif "/" in source:
        fitting = [one for one in found if one.backup.volume == source]
        if fitting and fitting[0] not in good:
            raise Refused("vm.restore-broken", vm=key, volume=source)
    else:
        moment = moment_of(desk, source)
        fitting = [one for one in good if one.backup.taken_at <= moment]
    if not fitting:
        raise Refused("vm.restore-no-backup", vm=key, source=source)
    return fitting[0].backup, fitting[0].age


def _read(desk: Desk, record: InstanceRecord) -> ClusterState:
    cluster_settings(desk, record.cluster)
    every = desk.ledger.instances.list(workload=record.key.rpartition("/")[0])
    return desk.cluster(record.cluster).snapshot({one.vmid for one in every})


def _planned(desk: Desk, request: RequestRecord, state: ClusterState) -> Planned:
    every = [
        one for one in desk.ledger.instances.list(workload=request.key) if one.node is not None
    ]
    placement = standing_placement(state.name, every, state)
    return draw_up(Workload(desk, request, state.name), state, every, placement)


def _require_known_disks(seen: _Seen) -> None:
    """Raises Refused `vm.restore-extra-disk` for a backup from before a disk was taken away: it
    would come back, and no plan lets a VM run with a disk that nobody asks for."""
    wanted = {one.slot for one in seen.desired.disks} | {one.slot for one in seen.config.disks}
    extra = [one for one in seen.archived.disks if one.backup and one.slot not in wanted]
    if extra:
        told = ", ".join(f"{one.slot} ({show_size(one.size)})" for one in extra)
        volume = seen.backup.volume
        raise Refused("vm.restore-extra-disk", vm=seen.record.key, volume=volume, disks=told)


def _others(seen: _Seen) -> tuple[str, ...]:
    """In what the backup is other than what was approved."""
    vm, held = seen.desired, seen.archived
    found = []
    if held.cores != vm.cores:
        found.append(f"vcpu {held.cores} ({vm.cores})")
    if held.memory != vm.memory:
        found.append(f"memory {show_size(held.memory)} ({show_size(vm.memory)})")
    sizes = {disk.slot: disk.size for disk in held.disks if disk.backup}
    for disk in vm.disks:
        size = sizes.pop(disk.slot, None)
        if size is not None and size != disk.size:
            found.append(f"{disk.name} {show_size(size)} ({show_size(disk.size)})")
    found += [f"{slot} {show_size(size)} (-)" for slot, size in sizes.items()]
    return tuple(found)


# -- what the cluster must have --------------------------------------------------------------
def _home(seen: _Seen) -> Mapping[str, str]:
    """Where its disks go: to where they came from, or all to the one storage where they are now.

    Raises Refused `vm.restore-no-storage`.
    """
    held = [disk for disk in seen.archived.disks if disk.backup]
    now = {disk.slot: disk.storage for disk in seen.config.disks}
    present = {now.get(disk.slot, disk.storage) for disk in held}
    moved = any(now.get(disk.slot, disk.storage) != disk.storage for disk in held)
    if moved and len(present) == 1:
        return {"storage": present.pop()}
    node = seen.state.vms[seen.record.vmid].node
    for disk in held:
        if (node, disk.storage) not in seen.state.storage_at:
            raise Refused(
                "vm.restore-no-storage", vm=seen.record.key, storage=disk.storage, node=node
            )
    return {}


def _require_room(seen: _Seen) -> None:
    """PVE destroys first: what does not fit then is lost. Raises Refused `vm.restore-no-room`."""
    home, node = _home(seen).get("storage"), seen.state.vms[seen.record.vmid].node
    needed: dict[str, int] = {}
    slots = set()
    for disk in seen.archived.disks:
        if disk.backup:
            slots.add(disk.slot)
            storage = home or disk.storage
            needed[storage] = needed.get(storage, 0) + disk.size
    for disk in seen.config.disks:
        if disk.slot in slots and disk.storage in needed:
            needed[disk.storage] -= disk.size
    for storage, size in needed.items():
        there = seen.state.storage_at[node, storage]
        if size > there.total - there.used:
            free = show_size(MiB(max(0, there.total - there.used)))
            raise Refused(
                "vm.restore-no-room", vm=seen.record.key, storage=storage, node=node,
                needed=show_size(size), free=free,
            )  # fmt: skip


# -- doing -----------------------------------------------------------------------------------
def _begin(
    desk: Desk, seen: _Seen, begun: RestoreRecord | None, reason: str, *, safety: bool
) -> RestoreRecord:
    return desk.ledger.restores.begin(
        seen.record.uid,
        begun,
        backup=seen.backup.volume,
        taken_at=seen.backup.taken_at,
        kept=seen.kept,
        safety=safety,
        reason=reason if begun is None or reason else begun.reason,
        actor=seen.deed.actor,
    )


def _restoring(desk: Desk, seen: _Seen, begun: RestoreRecord, actor: Actor) -> Restoring:
    return Restoring(
        subject=f"{begun.uid}:{begun.seq}",
        leaving=leaving_of(desk, seen.record),
        backup=seen.backup,
        description=seen.desired.description,
        kept=begun.kept,
        safety=begun.safety,
        noted=lambda volume: desk.ledger.restores.saved(begun, volume, actor),
        saved=begun.saved,
        home=_home(seen),
    )


def _taken(desk: Desk, record: InstanceRecord) -> tuple[Fault, ...]:
    """That somebody else's VM stands under its VMID, or under that of a VM beside it, so that
    nothing of the workload can be put back to work; nothing where it is not so, or not known."""
    request = desk.ledger.requests.get(record.number)
    try:
        _planned(desk, request, _read(desk, record))
    except Refused as refused:
        return tuple(one for one in refused.faults if one.code == "plan.identity")
    return ()


def _back_to_work(
    desk: Desk,
    deed: Deed,
    begun: RestoreRecord,
    journal: SagaJournal,
    ended: RestoreOutcome,
    progress: Progress,
    halted: Callable[[], bool],
) -> tuple[Fault, ...]:
    """By the ordinary steps it becomes what was approved, runs, and is protected; what is left to
    do of that."""
    request = desk.ledger.requests.get(deed.record.number)
    state = _read(desk, deed.record)
    planned = _planned(desk, request, state)
    every = desk.ledger.instances.list(workload=request.key)
    tools = tools_for(desk, state, journal, progress, halted, keys_made(every))
    (vm,) = apply_workload(planned.desired, tools, only={deed.record.key}).vms
    _say(desk, deed, begun, journal, vm.error)
    if vm.ending is VmEnding.ACTIVE:
        desk.ledger.restores.end(begun, ended, deed.actor)
        journal.close(SagaEvent.FINISH)
        return ()
    causes = () if vm.error is None else vm.error.faults
    return (Fault("vm.restore-not-back", {"vm": deed.record.key, "step": vm.step or "-"}), *causes)


def _unfinished(begun: RestoreRecord, saved: str | None, outcome: Outcome) -> Restored:
    code = "vm.restore-broken-off" if outcome.ending is Ending.UNDONE else "vm.restore-unfinished"
    told = Fault(code, {"vm": begun.key, "step": outcome.step or "-", "saved": saved or "-"})
    faults = (told, *_faults(outcome))
    return Restored(
        begun.key,
        begun.backup,
        saved,
        False,
        faults,
        worst([*_codes(outcome), ExitCode.INCOMPLETE]),
    )


def _faults(outcome: Outcome) -> tuple[Fault, ...]:
    return () if outcome.error is None else outcome.error.faults


def _codes(outcome: Outcome) -> tuple[ExitCode, ...]:
    return () if outcome.error is None else (outcome.error.exit_code,)


def _say(
    desk: Desk,
    deed: Deed,
    begun: RestoreRecord,
    journal: SagaJournal,
    error: CloudpemdaError | None,
) -> None:
    said = {} if error is None else {"error": str(error)}
    if deed.actor.role != "requester":
        said["for"] = deed.record.opd
    desk.ledger.audit.note(
        deed.actor, "vm.restore-run", deed.record.opd, deed.record.key, uid=begun.uid,
        backup=begun.backup, saga=journal.id, upids=desk.ledger.journal.tasks(journal.id), **said,
    )  # fmt: skip
