"""Reconcile: the ledger beside what stands on the clusters, by uid.

Two directions: VMs that carry our stamp or tag and that the ledger does not know, and instances
that it believes in and that are not there. The first are noted in the ledger, so that they count;
about the second a person decides. A cluster that was not read whole proves nothing absent.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, Fault
from cloudpemda.ledger import Actor, FoundVm, InstanceRecord, InstanceState, RequestState
from cloudpemda.plan.diff import stamp
from cloudpemda.report.oddities import is_stray, owned
from cloudpemda.report.standing import Finding
from cloudpemda.rules.quota import INSTANCES, MEMORY, VCPU, Usage, disk_dimension
from cloudpemda.units import show_utc
from cloudpemda.usecases.desk import Desk

_KEY = re.compile(r"[a-z0-9-]+/[a-z0-9-]+/[a-z0-9-]+")
_NOT_YET = frozenset({InstanceState.PLANNED, InstanceState.FAILED})


@dataclass(frozen=True)
class Reconciled:
    """What was found, and which clusters were not read whole."""

    findings: tuple[Finding, ...]
    unread: tuple[str, ...]


def reconcile(desk: Desk, actor: Actor) -> Reconciled:
    """Compare every cluster of the site; note in the ledger what it does not know."""
    restored = desk.ledger.found.pending
    findings = list(_holds(desk)) if restored else []
    unread: list[str] = []
    for cluster in sorted(desk.site.info.clusters):
        try:
            state = _read(desk, cluster)
        except CloudpemdaError as error:
            unread.append(cluster)
            findings += [Finding(None, Fault("reconcile.unread", {"cluster": cluster}))]
            findings += [Finding(None, fault) for fault in error.faults]
            continue
        # what another apply has named since the first look is no stranger
        records = desk.ledger.instances.list(purged=True, copies=True)
        whole = _whole(state, records)
        if not whole:
            unread.append(cluster)
            findings.append(Finding(None, Fault("reconcile.unread", {"cluster": cluster})))
        seen = tuple(_unknown(desk, state, records))
        noted = {vm.vmid: vm for vm in desk.ledger.found.list() if vm.cluster == cluster}
        kept = (
            {} if whole else {v: vm for v, vm in noted.items() if v not in {s.vmid for s in seen}}
        )
        found = desk.ledger.found.note(cluster, (*seen, *kept.values()), actor)
        findings.extend(_told(vm, state) for vm in found)
        findings.extend(_missing(state, records, whole=whole))
    if not unread:
        desk.ledger.found.reconciled(actor)
    return Reconciled(tuple(findings), tuple(unread))


def _read(desk: Desk, cluster: str) -> ClusterState:
    records = desk.ledger.instances.list(copies=True)
    own = {record.vmid for record in records if record.cluster == cluster}
    ours = owned(cluster, records)
    return desk.cluster(cluster).snapshot(own, also=lambda vm: is_stray(vm, ours), images=False)


def _whole(state: ClusterState, records: Collection[InstanceRecord]) -> bool:
    """Whether nothing of ours can stand there unseen."""
    ours = owned(state.name, records)
    unseen = any(
        vm.config is None for vm in state.vms.values() if vm.vmid in ours or is_stray(vm, ours)
    )
    return state.quorate and all(node.answers for node in state.nodes.values()) and not unseen


def _unknown(
    desk: Desk, state: ClusterState, records: Collection[InstanceRecord]
) -> Iterator[FoundVm]:
    """VMs that say that they are ours under a uid that the ledger never gave."""
    uids = {record.uid for record in records}
    ours = owned(state.name, records)
    for vmid, vm in sorted(state.vms.items()):
        said = {} if vm.config is None else stamp(vm.config)
        uid = said.get("uid", "")
        stray = is_stray(vm, ours) and not vm.template
        if (uid and uid not in uids) or (not uid and stray):
            key = said.get("instance", "")
            key = key if _KEY.fullmatch(key) else ""
            yield FoundVm(
                cluster=state.name,
                vmid=vmid,
                uid=uid,
                key=key,
                opd=_opd(desk, vm, key),
                name=vm.name,
                usage=_usage(desk, state, vm),
            )


def _opd(desk: Desk, vm: Vm, key: str) -> str | None:
    """Whose it is: by what it says, else by its VMID, else by its pool."""
    said = key.partition("/")[0]
    if said in desk.site.opds:
        return said
    for code, file in sorted(desk.site.opds.items()):
        if vm.vmid in file.opd.vmid_range:
            return code
    return next((c for c, f in sorted(desk.site.opds.items()) if f.opd.pool == vm.pool), None)


def _usage(desk: Desk, state: ClusterState, vm: Vm) -> Usage:
    """What stands there: cores, memory, and each disk with its replicas in its class."""
    config = vm.config
    classes = {
        storage: name for name, storage in desk.site.info.clusters[state.name].storages.items()
    }
    copies = 1 + sum(job.vmid == vm.vmid and not job.removing for job in state.replication_jobs)
    usage: dict[str, int] = {
        INSTANCES: 1,
        VCPU: config.cores if config else vm.cores,
        MEMORY: config.memory if config else vm.memory,
    }
    for disk in config.disks if config else ():
        if disk.storage in classes:
            dimension = disk_dimension(classes[disk.storage])
            size = disk.size * (copies if disk.replicate else 1)
            usage[dimension] = usage.get(dimension, 0) + size
    return usage


def _told(vm: FoundVm, state: ClusterState) -> Finding:
    live = state.vms.get(vm.vmid)
    values = {
        "vmid": vm.vmid,
        "name": vm.name,
        "cluster": vm.cluster,
        "node": live.node if live else "-",
        "uid": vm.uid or "-",
        "vm": vm.key or "-",
        "opd": vm.opd or "-",
    }
    return Finding(vm.opd, Fault("reconcile.found", values))


def _missing(
    state: ClusterState, records: Collection[InstanceRecord], *, whole: bool
) -> Iterator[Finding]:
    for record in records:
        if record.cluster != state.name or record.state is InstanceState.PURGED:
            continue
        vm = state.vms.get(record.vmid)
        values = {
            "vm": record.key,
            "key": record.key.rpartition("/")[0],
            "cluster": state.name,
            "vmid": record.vmid,
            "state": record.state.value,
        }
        said = {} if vm is None or vm.config is None else stamp(vm.config)
        if record.state in _NOT_YET:
            if said.get("uid") == record.uid:
                yield Finding(record.opd, Fault("reconcile.ahead", values))
        elif record.state is InstanceState.CREATING:
            continue  # whether it is there yet, `apply` finds out
        elif vm is None and whole:
            yield Finding(record.opd, Fault("reconcile.absent", values))
        elif vm is not None and vm.config is not None and said.get("uid") != record.uid:
            values["found"] = said.get("uid", "-")
            yield Finding(record.opd, Fault("reconcile.other", values))


def _holds(desk: Desk) -> Iterator[Finding]:
    """Promises of the copy: whether they still hold, only the letters say."""
    for record in desk.ledger.requests.list(state=RequestState.APPROVED):
        if record.approval is not None:
            values = {"key": record.key, "until": show_utc(record.approval.hold_until)}
            yield Finding(record.opd, Fault("reconcile.hold", values))
