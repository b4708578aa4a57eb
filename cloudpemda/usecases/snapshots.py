"""States of VMs to go back to (vm_snapshots): taken, listed, removed, gone back to.

Each is charged as disk of its class before PVE makes it, and free once PVE has confirmed that it
is gone. Those that somebody made in PVE by hand are listed, and left to them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.apply.failures import meaning
from cloudpemda.apply.snapshots import Keeper
from cloudpemda.cluster import VmSnapshot
from cloudpemda.errors import CloudpemdaError, Fault, Refused, UsageError
from cloudpemda.ledger import Allowed, InstanceRecord, InstanceState, SnapshotRecord
from cloudpemda.report.standing import Finding
from cloudpemda.rules.quota import DISK, Usage, chain_of, usage_of
from cloudpemda.saga import Failure
from cloudpemda.units import Instant, show_utc
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.power import Deed, may
from cloudpemda.usecases.workload import cluster_settings, kind_of

_VERB = "snapshot"
_AWAY = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_RESERVED = frozenset({"current", "pending"})


@dataclass(frozen=True)
class SnapshotView:
    """One state of a VM, as PVE and the ledger know it."""

    name: str
    there: bool  # whether PVE has it
    ours: bool  # whether the ledger has it: others were made by hand
    taken_at: Instant
    person: str | None
    reason: str
    until: Instant | None
    charged: Usage  # sizes in MiB


@dataclass(frozen=True)
class Taken:
    view: SnapshotView
    warnings: tuple[Fault, ...]  # of quota


def snapshots(desk: Desk, key: str) -> tuple[SnapshotView, ...]:
    """The states of a VM, oldest first. Raises Refused `desk.scope`, `ledger.no-instance`,
    ApplyError `apply.foreign`, `apply.gone`, Unreachable."""
    opd = key.partition("/")[0]
    desk.scope().require(opd)
    record = _record(desk, key)
    return _views(desk, record, _keeper(desk, record).list())


def take(desk: Desk, key: str, name: str, reason: str) -> Taken:
    """Keep the VM's disks as they are now, under a name; charged to its OPD.

    Said again, it goes on with what was begun. For operators, and for requesters where the site
    lets them. Raises as `power`, and UsageError `vm.snapshot-name`, Refused `quota.exceeded`,
    `vm.snapshots-full`.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError("vm.snapshot-name", name=name)
    (deed,) = may(desk, _VERB, [key])
    record, keeper = deed.record, _keeper(desk, deed.record)
    mine = {one.name for one in desk.ledger.snapshots.list(record.uid)}
    if name not in mine and any(one.name == name for one in keeper.list()):
        raise Refused("vm.snapshot-taken", vm=key, name=name)
    site = desk.site.info.vms
    warnings = desk.ledger.snapshots.begin(
        record.uid,
        name,
        reason=reason,
        until=Instant(desk.clock.now() + timedelta(seconds=site.snapshot_keep)),
        usage=_cost(desk, record),
        allowed=Allowed(
            chain_of(record.opd, desk.site.opds, desk.site.effective_quota),
            desk.site.info.defaults.warn_at,
            site.snapshots,
        ),
        actor=deed.actor,
    )
    try:
        keeper.take(name, f"cloudpemda: {reason.strip()}"[:200])
    except CloudpemdaError as error:
        _say(desk, deed, "vm.snapshot-taken", name, keeper, error)
        if name not in mine and meaning(error) is Failure.FINAL:
            desk.ledger.snapshots.end(record.uid, name, deed.actor)
        raise
    _say(desk, deed, "vm.snapshot-taken", name, keeper)
    return Taken(_one(desk, record, keeper, name), warnings)


def drop(desk: Desk, key: str, name: str) -> None:
    """Remove a state; it costs nothing any more once PVE has confirmed that it is gone.

    Of a VM in quarantine only one that PVE has lost: what is there can be gone back to yet.
    Raises as `power`, and Refused `vm.no-snapshot` for one that is not of ours.
    """
    own = desk.ledger.instances.list(opd=key.partition("/")[0])
    resting = {one.uid for one in own if one.key == key and one.state in _AWAY}
    (deed,) = may(desk, _VERB, [key], under_way=resting)
    _require_ours(desk, deed.record, name)
    keeper = _keeper(desk, deed.record)
    if resting and any(one.name == name for one in keeper.list()):
        raise Refused("vm.state", vm=key, state=deed.record.state.value)
    keeper.drop(name)
    desk.ledger.snapshots.end(deed.record.uid, name, deed.actor)
    _say(desk, deed, "vm.snapshot-removed", name, keeper)


def go_back(desk: Desk, key: str, name: str) -> None:
    """Make the VM as it was kept; what was written since is lost, what was set up inside since
    awaits `vm configure` again. One that ran runs again.

    Raises as `power`, and Refused `vm.no-snapshot`, `vm.snapshot-not-newest`.
    """
    (deed,) = may(desk, _VERB, [key])
    kept = _require_ours(desk, deed.record, name)
    keeper = _keeper(desk, deed.record)
    if not any(one.name == name for one in keeper.list()):
        raise Refused("vm.no-snapshot", vm=key, name=name)
    # before, since nobody would know it after a power cut; what is set up already stays so
    desk.ledger.vm_roles.undo_since(deed.record.uid, kept.taken_at, deed.actor)
    try:
        keeper.go_back(name)
    except CloudpemdaError as error:
        _say(desk, deed, "vm.rolled-back", name, keeper, error)
        raise
    _say(desk, deed, "vm.rolled-back", name, keeper)


def overdue(desk: Desk) -> Iterator[Finding]:
    """The states that are kept longer than the site wants."""
    now = desk.clock.now()
    for one in desk.ledger.snapshots.list():
        if one.until <= now:
            values = {"vm": one.key, "name": one.name, "until": show_utc(one.until)}
            yield Finding(one.opd, Fault("nightly.snapshot-old", {**values, "by": one.person}))


# -- the parts -------------------------------------------------------------------------------
def _record(desk: Desk, key: str) -> InstanceRecord:
    opd = key.partition("/")[0]
    found = next((one for one in desk.ledger.instances.list(opd=opd) if one.key == key), None)
    if found is None or found.node is None:
        raise Refused("ledger.no-instance", key=key)
    return found


def _keeper(desk: Desk, record: InstanceRecord) -> Keeper:
    assert record.node is not None, f"{record.key} has no node"  # noqa: S101
    cluster_settings(desk, record.cluster)
    pve = desk.cluster(record.cluster)
    return Keeper(pve, desk.clock, record.key, record.identity, record.node)


def _cost(desk: Desk, record: InstanceRecord) -> Usage:
    """As much disk as the VM itself has, in each class, with its copies: what a state may grow to
    before it is removed, and what replication carries along."""
    spec = desk.ledger.requests.get(record.key.rpartition("/")[0]).spec
    known = desk.site.catalogue.service_classes.get(spec.service_class)
    if known is None:
        raise Refused("plan.class", service_class=spec.service_class)
    usage = usage_of(kind_of(spec, record.member), known)
    return {name: value for name, value in usage.items() if name.startswith(DISK)}


def _require_ours(desk: Desk, record: InstanceRecord, name: str) -> SnapshotRecord:
    mine = desk.ledger.snapshots.list(record.uid)
    found = next((one for one in mine if one.name == name), None)
    if found is None:
        raise Refused("vm.no-snapshot", vm=record.key, name=name)
    return found


def _views(
    desk: Desk, record: InstanceRecord, there: Sequence[VmSnapshot]
) -> tuple[SnapshotView, ...]:
    known: Mapping[str, SnapshotRecord] = {
        one.name: one for one in desk.ledger.snapshots.list(record.uid)
    }
    listed = {one.name: one for one in there}
    charges = desk.ledger.quota.by_instance([record.opd])
    views = []
    for name in dict.fromkeys((*listed, *known)):
        own, live = known.get(name), listed.get(name)
        taken_at = [one.taken_at for one in (live, own) if one is not None]
        charge = {} if own is None else charges.get(own.subject, {})
        views.append(
            SnapshotView(
                name=name,
                there=live is not None,
                ours=own is not None,
                taken_at=taken_at[0],
                person=None if own is None else own.person,
                reason=own.reason if own is not None else (live.description if live else ""),
                until=None if own is None else own.until,
                charged={dim: one.committed for dim, one in charge.items() if one.committed},
            )
        )
    return tuple(sorted(views, key=lambda one: (one.taken_at, one.name)))


def _one(desk: Desk, record: InstanceRecord, keeper: Keeper, name: str) -> SnapshotView:
    return next(one for one in _views(desk, record, keeper.list()) if one.name == name)


def _say(
    desk: Desk, deed: Deed, action: str, name: str, keeper: Keeper,
    error: CloudpemdaError | None = None,
) -> None:  # fmt: skip
    said = {} if error is None else {"error": str(error)}
    if deed.actor.role != "requester":
        said["for"] = deed.record.opd
    desk.ledger.audit.note(
        deed.actor, action, deed.record.opd, deed.record.key,
        uid=deed.record.uid, name=name, upids=tuple(keeper.upids), **said,
    )  # fmt: skip
