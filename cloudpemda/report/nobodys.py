"""What stands on a cluster and belongs to nobody that the ledger knows: guests, members, jobs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.cluster import BackupJob, ClusterState, HaRule, Vm
from cloudpemda.errors import Fault
from cloudpemda.ledger import InstanceRecord
from cloudpemda.plan.ha import affinity_name, apart_name, ha_rules_for, is_apart_name, sid
from cloudpemda.plan.model import DesiredVm, bounded
from cloudpemda.plan.pve_config import is_own_job
from cloudpemda.report.oddities import owned
from cloudpemda.report.standing import Finding

_OURS = "cloudpemda-"


@dataclass(frozen=True)
class Unowned:
    """A guest that the ledger does not know. Templates are left out."""

    cluster: str
    vmid: int
    name: str
    node: str
    pool: str | None
    container: bool


@dataclass(frozen=True)
class Territory:
    """Where an OPD's VMs stand."""

    pool: str
    vmids: range


@dataclass(frozen=True)
class Known:
    """What the ledger and the site's files say about one cluster."""

    records: tuple[InstanceRecord, ...]  # all that the ledger has, of every cluster
    judged: tuple[DesiredVm, ...]  # what was compared
    territories: Mapping[str, Territory]  # by OPD
    jobs: frozenset[str]  # the ids of the classes' backup jobs


def unowned(state: ClusterState, known: Known) -> tuple[Unowned, ...]:
    """All guests that stand in no ledger, by VMID."""
    ours = owned(state.name, known.records)
    return tuple(
        Unowned(state.name, vmid, bounded(vm.name), vm.node, vm.pool, vm.container)
        for vmid, vm in sorted(state.vms.items())
        if vmid not in ours and not vm.template
    )


def intruders(state: ClusterState, known: Known) -> Iterator[Finding]:
    """Of those guests the ones in an OPD's pool, or under a VMID of its range."""
    ours = owned(state.name, known.records)
    for vmid, vm in sorted(state.vms.items()):
        if vmid in ours or vm.template:
            continue
        for opd, place in sorted(known.territories.items()):
            code = _intrusion(vm, place)
            if code is not None:
                values = {"vmid": vmid, "name": bounded(vm.name), "cluster": state.name}
                values |= {"node": vm.node, "pool": place.pool, "opd": opd}
                yield Finding(opd, Fault(code, MappingProxyType(values)))


def _intrusion(vm: Vm, place: Territory) -> str | None:
    if vm.pool == place.pool:
        return "drift.pool-stranger"
    return "drift.vmid-stranger" if vm.vmid in place.vmids else None


def jobs(state: ClusterState, known: Known) -> Iterator[Finding]:
    """Jobs and rules that no approved workload asks for, and that name VMs or names of ours."""
    yield from _backup_jobs(state, known)
    yield from _ha_rules(state, known)
    if state.quorate and all(node.answers for node in state.nodes.values()):
        yield from _without_guest(state)


def _backup_jobs(state: ClusterState, known: Known) -> Iterator[Finding]:
    owners = _owners(state, known)
    pools = {place.pool: opd for opd, place in known.territories.items()}
    for job in state.backup_jobs:
        values = {"job": bounded(job.id), "cluster": state.name}
        if job.id in known.jobs:
            others = sorted(job.vmids - owners.keys())
            if others:
                listed = ", ".join(map(str, others))
                yield _finding(None, "drift.backup-stranger", values, vmids=listed)
            continue
        if is_own_job(job.id):
            yield _finding(None, "drift.backup-leftover", values)
        for opd, vmids in sorted(_named(job, owners).items()):
            yield _finding(opd, "drift.backup-job", values, what=", ".join(map(str, vmids)))
        if job.pool in pools:
            yield _finding(pools[job.pool], "drift.backup-job", values, what=job.pool)


def _named(job: BackupJob, owners: Mapping[int, str]) -> Mapping[str, list[int]]:
    named: dict[str, list[int]] = {}
    for vmid in sorted(job.vmids & owners.keys()):
        named.setdefault(owners[vmid], []).append(vmid)
    return named


def _ha_rules(state: ClusterState, known: Known) -> Iterator[Finding]:
    """Of VMs that were not compared nobody knows which rules they need."""
    owners = {sid(vmid): opd for vmid, opd in _owners(state, known).items()}
    judged = {vm.identity.vmid for vm in known.judged}
    wanted = {rule.name for rule in ha_rules_for(known.judged, state.ha_flavour)}
    open_ = [r for r in known.records if r.cluster == state.name and r.vmid not in judged]
    # what compares a VM tells of the VM's own rule
    own = {affinity_name(vmid) for vmid in {*judged, *(record.vmid for record in open_)}}
    open_groups = tuple(_group_prefix(record) for record in open_)
    for rule in state.ha_rules:
        if rule.name in wanted | own or rule.name.startswith(open_groups):
            continue
        if is_apart_name(rule.name) and rule.resources & {sid(vmid) for vmid in judged}:
            continue  # told with its VMs, too
        whose = {owners[one] for one in rule.resources if one in owners}
        if whose or rule.name.startswith(_OURS):
            opd = next(iter(whose)) if len(whose) == 1 else None
            values = {"rule": bounded(rule.name), "cluster": state.name, "kind": rule.kind}
            yield _finding(opd, "drift.ha-rule", values, what=_extent(rule))


def _group_prefix(record: InstanceRecord) -> str:
    opd, name, _ = record.key.split("/")
    return apart_name(f"{opd}_{name}_")


def _extent(rule: HaRule) -> str:
    return bounded(", ".join(sorted(rule.resources)) or ", ".join(sorted(rule.nodes)))


def _without_guest(state: ClusterState) -> Iterator[Finding]:
    """HA resources and replication jobs of guests that are not there."""
    there = {kind + str(vmid) for vmid in state.vms for kind in ("vm:", "ct:")}
    for name in sorted(state.ha_resources.keys() - there):
        values = {"what": bounded(name), "cluster": state.name}
        yield _finding(None, "drift.ha-leftover", values)
    for job in state.replication_jobs:
        if job.vmid not in state.vms and not job.removing:
            values = {"what": bounded(job.id), "cluster": state.name}
            yield _finding(None, "drift.replication-leftover", values, target=job.target)


def _owners(state: ClusterState, known: Known) -> Mapping[int, str]:
    ours = owned(state.name, known.records)
    return {r.vmid: r.opd for r in known.records if r.cluster == state.name and r.vmid in ours}


def _finding(opd: str | None, code: str, values: Mapping[str, object], **more: object) -> Finding:
    return Finding(opd, Fault(code, MappingProxyType({**values, **more})))
