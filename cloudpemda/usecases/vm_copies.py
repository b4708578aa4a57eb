"""Copies of VMs from their backups: made beside the VM, charged like one, removed by name.

A copy is for looking into, and for taking from it what was lost. It is not started and is plugged
in nowhere, since it would speak with the addresses of the VM that it is a copy of.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.apply import Progress
from cloudpemda.apply import retire as steps
from cloudpemda.apply.copy import Copying, make_copy, unplugged
from cloudpemda.apply.identity import Standing, look_for
from cloudpemda.apply.restore import own_config, require_own
from cloudpemda.cluster import ClusterState, VmConfig
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, UsageError, worst
from cloudpemda.ledger import (
    Actor,
    Allowed,
    CopyRecord,
    Ground,
    InstanceRecord,
    InstanceState,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.plan.desire import TAG
from cloudpemda.plan.model import STAMP_END
from cloudpemda.report.standing import Finding
from cloudpemda.rules.quota import (
    INSTANCES,
    MEMORY,
    VCPU,
    Usage,
    chain_of,
    disk_dimension,
)
from cloudpemda.saga import Ending
from cloudpemda.units import Instant, MiB, show_size, show_utc
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.leaving import leaving_of, tools_for
from cloudpemda.usecases.pause import coming_moment
from cloudpemda.usecases.power import Deed, may
from cloudpemda.usecases.restore import choose
from cloudpemda.usecases.workload import cluster_settings, opd_info

COPY_TAG = "cloudpemda-copy"
_SAGA, _REMOVAL = "vm-copy", "vm-copy-removal"
_VERB = "restore"
_NAME = re.compile(r"[a-z][a-z0-9-]{1,19}")


@dataclass(frozen=True)
class CopyView:
    """One copy, as the ledger has it."""

    key: str
    name: str
    vmid: int
    cluster: str
    node: str | None
    state: InstanceState
    backup: str
    taken_at: Instant
    person: str
    reason: str
    until: Instant
    charged: Usage  # sizes in MiB


@dataclass(frozen=True)
class Copied:
    """How a copy came out."""

    view: CopyView | None  # None: it was taken back
    faults: tuple[Fault, ...]
    code: ExitCode


def copies(desk: Desk, key: str | None = None) -> tuple[CopyView, ...]:
    """The copies of one VM, or all that the person may read about."""
    scope = desk.scope()
    if key is not None:
        scope.require(key.partition("/")[0])
    found = [one for one in desk.ledger.copies.list() if scope.covers(one.instance.opd)]
    return tuple(
        _view(desk, one)
        for one in found
        if key is None or one.instance.key.partition("@")[0] == key
    )


def copy(
    desk: Desk,
    key: str,
    source: str,
    name: str,
    reason: str,
    progress: Progress,
    halted: Callable[[], bool],
    *,
    until: str | None = None,
) -> Copied:
    """Make a copy of a VM from a backup of it, or go on with that; charged before PVE makes it.
    `until` is a day (its end) or a moment to come in the site's zone.

    For operators, and for requesters where the site lets them. Raises UsageError `vm.copy-name`,
    `pause.moment`, Refused as `restore`, `quota.exceeded` with the numbers, `vm.copies-full`: then
    nothing was changed.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("vm.copy-name", name=name)
    end = _until(desk, until)
    (deed,) = may(desk, _VERB, [key])
    record, actor = deed.record, deed.actor
    state, archived, made, warnings = _begin(desk, deed, source, name, reason, end)
    with desk.ledger.journal.open_saga(record.number, _SAGA) as journal:
        _require_state(desk, journal, made, InstanceState.CREATING)
        tools = tools_for(desk, state, journal, progress, halted)
        outcome = make_copy(_copying(desk, made, archived), tools)
        _say(desk, actor, "vm.copied", made, journal, outcome.error)
        if outcome.ending is Ending.DONE:
            journal.close(SagaEvent.FINISH)  # first: killed here, the night tells of the copy
            desk.ledger.instances.active(made.instance.uid, actor=actor)
            return Copied(_view(desk, _fresh(desk, made)), warnings, ExitCode.DONE)
        causes = () if outcome.error is None else outcome.error.faults
        exits = [ExitCode.INCOMPLETE] if outcome.error is None else [outcome.error.exit_code]
        if outcome.ending is Ending.UNDONE:
            journal.close(SagaEvent.UNDO)
            desk.ledger.instances.release(made.instance.uid, actor=actor)
            told = Fault("vm.copy-undone", {"vm": key, "name": name})
            return Copied(None, (told, *causes), worst(exits))
    told = Fault("vm.copy-unfinished", {"vm": key, "name": name})
    view = _view(desk, _fresh(desk, made))
    return Copied(view, (told, *causes), worst([*exits, ExitCode.INCOMPLETE]))


def named(desk: Desk, key: str, name: str) -> CopyView:
    """The copy that `drop` would destroy, for a question before it. Raises what `drop` raises."""
    return _view(desk, _named(desk, key, name)[1])


def drop(desk: Desk, key: str, name: str, progress: Progress, halted: Callable[[], bool]) -> Copied:
    """Destroy a copy; it costs nothing any more once PVE has confirmed that it is gone.

    For whoever may make one. Raises Refused by role, while the site is paused, `vm.no-copy`. One
    that is protected, locked or runs, or in whose place another stands, is not touched.
    """
    deed, found = _named(desk, key, name)
    record, actor = found.instance, deed.actor
    if record.state is InstanceState.ACTIVE:
        desk.ledger.instances.retiring(record.uid, actor=actor)
    pve = desk.cluster(record.cluster)
    state = pve.snapshot(images=False)
    with desk.ledger.journal.open_saga(record.number, _REMOVAL) as journal:
        _require_state(desk, journal, found, InstanceState.CREATING, InstanceState.RETIRING)
        gone = look_for(pve, record.identity, record.node or "-").standing is Standing.ABSENT
        if not (gone and record.state is InstanceState.CREATING):

            def note(uid: str, node: str, volumes: Mapping[str, MiB]) -> None:
                """It was never replicated: nobody else has anything of it."""

            tools = tools_for(desk, state, journal, progress, halted)
            (result,) = steps.purge([leaving_of(desk, record)], tools, note)
            _say(desk, actor, "vm.copy-removed", found, journal, result.error)
            if not result.done:
                causes = () if result.error is None else result.error.faults
                told = Fault("vm.copy-stays", {"vm": key, "name": name})
                code = ExitCode.INCOMPLETE if result.error is None else result.error.exit_code
                return Copied(_view(desk, _fresh(desk, found)), (told, *causes), code)
        journal.close(SagaEvent.FINISH)
    _give_up_making(desk, record)
    desk.ledger.instances.release(record.uid, actor=actor)
    return Copied(None, (), ExitCode.DONE)


def overdue(desk: Desk) -> Iterator[Finding]:
    """The copies that are kept longer than was said, and those that are half made or half gone."""
    now = desk.clock.now()
    for one in desk.ledger.copies.list():
        values = {"vm": one.instance.key.partition("@")[0], "name": one.name, "by": one.person}
        if one.instance.state is not InstanceState.ACTIVE:
            yield Finding(one.instance.opd, Fault("nightly.copy-unfinished", values))
        elif one.until <= now:
            values["until"] = show_utc(one.until)
            yield Finding(one.instance.opd, Fault("nightly.copy-old", values))


def _begin(
    desk: Desk, deed: Deed, source: str, name: str, reason: str, end: Instant
) -> tuple[ClusterState, VmConfig, CopyRecord, tuple[Fault, ...]]:
    """The cluster, what the backup holds, and the copy with its identity, charged; or the one that
    was begun. With quota's warnings."""
    record, key = deed.record, deed.record.key
    site = desk.site.info.vms
    known = next((one for one in desk.ledger.copies.list(record.uid) if one.name == name), None)
    if known is not None and known.instance.state is not InstanceState.CREATING:
        raise Refused("vm.copy-taken", vm=key, name=name)
    backup, _ = choose(desk, key, known.backup if known is not None else source, None)
    cluster_settings(desk, record.cluster)
    pve = desk.cluster(record.cluster)
    state = pve.snapshot(images=False)
    node, _ = own_config(pve, leaving_of(desk, record))
    archived = require_own(pve, leaving_of(desk, record), node, backup)
    if known is None:
        _require_room(state, key, node, archived)
    made, warnings = desk.ledger.copies.begin(
        record.uid,
        name,
        backup=backup.volume,
        taken_at=backup.taken_at,
        until=end,
        reason=reason,
        usage=_cost(desk, record, archived),
        allowed=Allowed(
            chain_of(record.opd, desk.site.opds, desk.site.effective_quota),
            desk.site.info.defaults.warn_at,
            site.copies,
        ),
        ground=Ground(
            node=node,
            storages={disk.slot: disk.storage for disk in archived.disks if disk.backup},
            vmid_range=opd_info(desk, record.opd).vmid_range,
            taken_vmids=state.vms.keys(),
            vmid_rest=int(desk.site.info.retirement.vmid_rest),
        ),
        actor=deed.actor,
    )
    return state, archived, made, warnings


def _named(desk: Desk, key: str, name: str) -> tuple[Deed, CopyRecord]:
    """Whose deed it is, and the copy."""
    (deed,) = may(desk, _VERB, [key])
    found = next((o for o in desk.ledger.copies.list(deed.record.uid) if o.name == name), None)
    if found is None:
        raise Refused("vm.no-copy", vm=key, name=name)
    return deed, found


def _until(desk: Desk, text: str | None) -> Instant:
    if text is None:
        keep = desk.site.info.vms.copy_keep
        return Instant(desk.clock.now() + timedelta(seconds=keep))
    return coming_moment(desk, text)


# -- the parts -------------------------------------------------------------------------------
def _cost(desk: Desk, record: InstanceRecord, archived: VmConfig) -> Usage:
    """As a VM of that size without replicas, backups and public addresses."""
    classes = {
        storage: name for name, storage in cluster_settings(desk, record.cluster).storages.items()
    }
    usage: dict[str, int] = {VCPU: archived.cores, MEMORY: archived.memory, INSTANCES: 1}
    for disk in archived.disks:
        if disk.backup:
            dimension = disk_dimension(classes.get(disk.storage, disk.storage))
            usage[dimension] = usage.get(dimension, 0) + disk.size
    return usage


def _require_room(state: ClusterState, key: str, node: str, archived: VmConfig) -> None:
    """Raises Refused `vm.restore-no-storage`, `vm.restore-no-room`."""
    needed: dict[str, int] = {}
    for disk in archived.disks:
        if disk.backup:
            needed[disk.storage] = needed.get(disk.storage, 0) + disk.size
    for storage, size in needed.items():
        there = state.storage_at.get((node, storage))
        if there is None:
            raise Refused("vm.restore-no-storage", vm=key, storage=storage, node=node)
        if size > there.total - there.used:
            free = show_size(MiB(max(0, there.total - there.used)))
            raise Refused(
                "vm.restore-no-room", vm=key, storage=storage, node=node,
                needed=show_size(size), free=free,
            )  # fmt: skip


def _copying(desk: Desk, one: CopyRecord, archived: VmConfig) -> Copying:
    record = one.instance
    stamp = f"cloudpemda uid={record.uid} role={record.role} instance={record.key}\n{STAMP_END}"
    nics = {
        nic.slot: unplugged(archived.raw[nic.slot], desk.entropy.mac()) for nic in archived.nics
    }
    params = {
        "name": record.name, "description": stamp, "onboot": "0", "protection": "0",
        "tags": ";".join(sorted({TAG, f"opd-{record.opd}", COPY_TAG})),
        "pool": opd_info(desk, record.opd).pool, **nics,
    }  # fmt: skip
    return Copying(record.key, record.identity, record.node or "-", one.backup, params)


def _require_state(
    desk: Desk, journal: SagaJournal, one: CopyRecord, *fitting: InstanceState
) -> None:
    """Raises Refused `vm.no-copy` where another run was faster, now that it is our turn."""
    if desk.ledger.instances.get(one.instance.uid).state not in fitting:
        vm = one.instance.key.partition("@")[0]
        if not journal.resumed:
            journal.close(SagaEvent.UNDO)
        raise Refused("vm.no-copy", vm=vm, name=one.name)


def _give_up_making(desk: Desk, gone: InstanceRecord) -> None:
    """Its making, if that was cut off, is not gone on with; another's of the workload may be."""
    for one in desk.ledger.copies.list():
        record = one.instance
        half = record.number == gone.number and record.state is InstanceState.CREATING
        if half and record.uid != gone.uid:
            return
    for saga in desk.ledger.journal.unfinished():
        if (saga.number, saga.kind) == (gone.number, _SAGA):
            with desk.ledger.journal.open_saga(gone.number, _SAGA) as journal:
                journal.close(SagaEvent.UNDO)


def _fresh(desk: Desk, one: CopyRecord) -> CopyRecord:
    return next(
        found
        for found in desk.ledger.copies.list(one.origin)
        if found.instance.uid == one.instance.uid
    )


def _view(desk: Desk, one: CopyRecord) -> CopyView:
    charges = desk.ledger.quota.by_instance([one.instance.opd]).get(one.instance.key, {})
    return CopyView(
        key=one.instance.key,
        name=one.name,
        vmid=one.instance.vmid,
        cluster=one.instance.cluster,
        node=one.instance.node,
        state=one.instance.state,
        backup=one.backup,
        taken_at=one.taken_at,
        person=one.person,
        reason=one.reason,
        until=one.until,
        charged={name: it.committed for name, it in charges.items() if it.committed},
    )


def _say(
    desk: Desk,
    actor: Actor,
    action: str,
    one: CopyRecord,
    journal: SagaJournal,
    error: CloudpemdaError | None,
) -> None:
    said = {} if error is None else {"error": str(error)}
    if actor.role != "requester":
        said["for"] = one.instance.opd
    desk.ledger.audit.note(
        actor, action, one.instance.opd, one.instance.key, uid=one.instance.uid, saga=journal.id,
        upids=desk.ledger.journal.tasks(journal.id), **said,
    )  # fmt: skip
