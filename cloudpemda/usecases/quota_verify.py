"""Quota verify: what the ledger charges beside what the clusters show, per OPD and dimension."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestState
from cloudpemda.plan.model import COPY
from cloudpemda.report.recount import (
    Charged,
    Counted,
    baseless,
    charged_of,
    foreign,
    held_of,
    orphaned,
    recount,
    recount_snapshots,
    unread,
)
from cloudpemda.rules.quota import Balance, Usage, total
from cloudpemda.site.models import Role
from cloudpemda.usecases.desk import Desk, require_opd
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.workload import cluster_settings, kind_of, spec_in_force

_READERS: tuple[Role, ...] = ("auditor", "operator", "reviewer", "approver")
_PROMISED = frozenset({RequestState.APPROVED, RequestState.APPLYING, RequestState.STUCK})


@dataclass(frozen=True)
class RecountLine:
    """One dimension of one OPD, its children not included; sizes in MiB."""

    opd: str
    dimension: str
    charged: int  # committed in the ledger
    found: int | None  # None: something of it could not be read


@dataclass(frozen=True)
class QuotaVerified:
    """Every line, and each difference with its cause."""

    lines: tuple[RecountLine, ...]
    faults: tuple[Fault, ...]
    code: ExitCode


def verify_quota(desk: Desk, *opds: str) -> QuotaVerified:
    """Count again from the clusters, each read once. Changes nothing.

    A cluster that cannot be read makes its lines unknown, never zero; what is charged to OPDs that
    the site has no file of is a finding. Raises Refused by role or scope, UsageError `look.opd`.
    """
    scope = desk.scope(*_READERS)
    for opd in opds:
        scope.require(opd)
        require_opd(desk, opd)
    seen = opds or tuple(opd for opd in sorted(desk.site.opds) if scope.covers(opd))
    done = recounted(desk, seen)
    former = () if opds or scope.opds is not None else tuple(_former(desk))
    if not former:
        return done
    code = ExitCode.FINDINGS if done.code is ExitCode.DONE else done.code
    return replace(done, faults=(*done.faults, *former), code=code)


def _former(desk: Desk) -> Iterator[Fault]:
    """OPDs that have VMs, and no file that says what they may have."""
    has = Counter(one.opd for one in desk.ledger.instances.list())
    for opd in sorted(has.keys() - desk.site.opds.keys()):
        yield Fault("quota.verify-former", {"opd": opd, "vms": has[opd]})


def recounted(
    desk: Desk,
    seen: tuple[str, ...],
    known_unread: Collection[str] = (),
    pictures: Pictures | None = None,
) -> QuotaVerified:
    """The same of these OPDs, whoever asks. The clusters of `known_unread` are not asked, and what
    `pictures` has is not read again."""
    charges = desk.ledger.quota.by_instance(seen)
    records = desk.ledger.instances.list(copies=True) if pictures is None else pictures.known
    ours = tuple(_charged(desk, records, charges, seen))
    gone = _overages_left(desk, records, seen)
    counted: list[Counted] = []
    faults: list[Fault] = []
    clusters = {one.record.cluster for one in ours} | set(desk.site.info.clusters)
    for cluster in sorted(clusters):
        own = tuple(one for one in ours if one.record.cluster == cluster)
        if cluster in known_unread:
            faults.append(Fault("quota.verify-unread", {"cluster": cluster}))
            counted.extend(unread(one) for one in own)
            continue
        try:
            state, storages = _read(desk, cluster, own, records, seen, pictures)
            shown = tuple((one, recount(state, one, storages)) for one in own)
            kept = tuple(_kept(desk, state, shown, charges))
        except CloudpemdaError as error:
            faults.append(Fault("quota.verify-unread", {"cluster": cluster}))
            faults.extend(error.faults)
            counted.extend(unread(one) for one in own)
            continue
        counted.extend(one for _, one in shown)
        counted.extend(kept)
        known = {vm.vmid for vm in desk.ledger.found.list() if vm.cluster == cluster}
        counted.extend(foreign(state, records, _pools(desk, seen), storages, known))
    states = desk.ledger.snapshots.list()
    living = {record.key for record in records} | {one.subject for one in states}
    left = tuple(_left(desk, charges))
    living |= {name for name, _, _ in left}
    counted.extend(Counted(opd, charge) for _, opd, charge in left)
    lost = [(opd, *one) for opd in seen for one in orphaned(charges, living, opd)]
    findings = [finding.fault for one in counted for finding in one.findings]
    findings += [fault for _, _, fault in lost]
    findings += [finding.fault for finding in baseless(charges, _promised(desk))]
    unknown = faults or any(one.usage is None for one in counted)
    code = ExitCode.FINDINGS if findings else ExitCode.DONE
    return QuotaVerified(
        tuple(
            _lines(
                seen,
                [
                    *_amounts(ours),
                    *gone,
                    *((opd, charge) for opd, charge, _ in lost),
                    *((opd, charge) for _, opd, charge in left),
                    *((one.opd, charged_of(charges.get(one.subject, {}))) for one in states),
                ],
                counted,
            )
        ),
        (*faults, *findings),
        ExitCode.UNREACHABLE if unknown else code,
    )


def _left(
    desk: Desk, charges: Mapping[str, Mapping[str, Balance]]
) -> Iterator[tuple[str, str, Usage]]:
    """What stays charged for volumes that purged VMs left behind, and for disks that rest beside
    VMs that live: they are believed to be there until they were seen gone."""
    left = [(one.charged_as, one.opd) for one in desk.ledger.orphans.list()]
    left += [(one.charged_as, one.opd) for one in desk.ledger.asides.list()]
    for name, opd in left:
        if name in charges:
            yield name, opd, charged_of(charges[name])


def _kept(
    desk: Desk,
    state: ClusterState,
    shown: Sequence[tuple[Charged, Counted]],
    charges: Mapping[str, Mapping[str, Balance]],
) -> Iterator[Counted]:
    """The states that are kept of VMs (vm_snapshots): asked for where the ledger or the VM's
    configuration knows of any."""
    known: dict[str, dict[str, Usage]] = {}
    for row in desk.ledger.snapshots.list():
        known.setdefault(row.uid, {})[row.name] = charged_of(charges.get(row.subject, {}))
    for one, found in shown:
        live = state.vms.get(one.record.vmid)
        if not found.usage or live is None or live.config is None:
            continue
        own = known.get(one.record.uid, {})
        if own or "parent" in live.config.raw:
            there = desk.cluster(state.name).vm_snapshots(live.node, live.vmid)
            yield from recount_snapshots(one, found, own, [row.name for row in there])


def _charged(
    desk: Desk,
    records: tuple[InstanceRecord, ...],
    charges: Mapping[str, Mapping[str, Balance]],
    opds: tuple[str, ...],
) -> Iterator[Charged]:
    """The instances that PVE is known to have had."""
    requests = {record.number: record for record in desk.ledger.requests.list()}
    overages = desk.ledger.overages.by_instance(opds)
    for record in records:
        if record.opd in opds and record.active_since is not None:
            member = record.member.partition("@")[0]  # of a copy, that of the VM
            spec = spec_in_force(desk, requests[record.number], member)
            balances = charges.get(record.key, {})
            known = desk.site.catalogue.service_classes.get(spec.service_class)
            yield Charged(
                record,
                kind_of(spec, member),
                None if record.role == COPY else known,
                charged_of(balances),
                held_of(balances) if record.state is InstanceState.CHANGING else {},
                overages.get(record.key, {}),
            )


def _amounts(ours: tuple[Charged, ...]) -> Iterator[tuple[str, Usage]]:
    return ((one.record.opd, total([one.charge, one.overage])) for one in ours)


def _overages_left(
    desk: Desk, records: tuple[InstanceRecord, ...], opds: tuple[str, ...]
) -> Sequence[tuple[str, Usage]]:
    """Growth by hand that is charged for instances which PVE is not known to have: the next look
    (`drift`, the night) takes it back."""
    known = {record.key for record in records if record.active_since is not None}
    found = desk.ledger.overages.by_instance(opds)
    return [(key.partition("/")[0], usage) for key, usage in found.items() if key not in known]


def _promised(desk: Desk) -> Mapping[str, bool]:
    """Workload → whether something of it is approved and not used yet."""
    return {
        record.key: record.state in _PROMISED or record.change_approved or record.changing
        for record in desk.ledger.requests.list()
    }


def _read(
    desk: Desk,
    cluster: str,
    own: tuple[Charged, ...],
    records: tuple[InstanceRecord, ...],
    opds: tuple[str, ...],
    pictures: Pictures | None,
) -> tuple[ClusterState, Mapping[str, str]]:
    classes = cluster_settings(desk, cluster).storages
    ours = {record.vmid for record in records if record.cluster == cluster}
    pools = _pools(desk, opds)

    def stranger(vm: Vm) -> bool:
        return vm.pool in pools and vm.vmid not in ours

    vmids = {one.record.vmid for one in own}
    state = (
        desk.cluster(cluster).snapshot(vmids, also=stranger, images=False)
        if pictures is None
        else pictures.of(cluster)
    )
    return state, {storage: name for name, storage in classes.items()}


def _pools(desk: Desk, opds: tuple[str, ...]) -> Mapping[str, str]:
    return {desk.site.opds[opd].opd.pool: opd for opd in opds}


def _lines(
    opds: tuple[str, ...], charges: Sequence[tuple[str, Usage]], counted: list[Counted]
) -> Iterator[RecountLine]:
    for opd in opds:
        charged = total(charge for owner, charge in charges if owner == opd)
        own = [one.usage for one in counted if one.opd == opd]
        found = total(usage for usage in own if usage is not None)
        for dimension in sorted({*charged, *(name for name, value in found.items() if value)}):
            there = None if None in own else found.get(dimension, 0)
            yield RecountLine(opd, dimension, charged.get(dimension, 0), there)
