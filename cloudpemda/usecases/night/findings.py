"""What a night must tell of what it has read: of VMs, of the site, and of what was left behind."""

from collections.abc import Collection, Iterator

from cloudpemda.errors import CloudpemdaError, Fault
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestState, SagaRecord
from cloudpemda.placement import n_plus_one
from cloudpemda.report.standing import Finding, InstanceView
from cloudpemda.rules.quota import amount
from cloudpemda.units import show_utc
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.drift import Drift
from cloudpemda.usecases.overage import overages
from cloudpemda.usecases.pause import pause_fault
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.pools import users_left
from cloudpemda.usecases.restore import unfinished as unfinished_restores
from cloudpemda.usecases.snapshots import overdue
from cloudpemda.usecases.survey import Survey
from cloudpemda.usecases.vm_copies import overdue as overdue_copies
from cloudpemda.usecases.workload import policy

_OF_BOTH = frozenset({"survey.unread", "survey.not-judged"})


def judged(found: Survey) -> Iterator[Finding]:
    """What the survey says of the clusters and of each VM's recovery points."""
    yield from found.findings
    for judgement in found.judgements:
        if judgement.breach:
            yield Finding(judgement.opd, judgement.fault)
    for each in found.instances:
        yield from _instance_findings(each)


def drifted(found: Survey, drift: Drift) -> Iterator[Finding]:
    """What the survey has not told: it judges the same VMs, but not what they use unasked."""
    for one in drift.findings:
        if one.fault.code not in _OF_BOTH and one not in found.findings:
            yield one
    for grown in drift.instances:
        if grown.overage:
            listed = [f"{name} {amount(name, more)}" for name, more in grown.overage.items()]
            values = {"vm": grown.key, "more": ", ".join(listed)}
            yield Finding(grown.opd, Fault("nightly.overgrown-vm", values))


def of_the_ledger(desk: Desk, found: Survey, pictures: Pictures) -> Iterator[Finding]:
    """What is over its limit or its time, what was begun and not ended, a log that is not whole."""
    yield from overages(desk, found.quota, found.unread, pictures)
    for request in desk.ledger.requests.list():
        if request.state in (RequestState.STUCK, RequestState.APPLYING):
            code = f"nightly.request-{request.state.value}"
            yield Finding(request.opd, Fault(code, {"key": request.key}))
        if request.changing:
            yield Finding(request.opd, Fault("nightly.request-changing", {"key": request.key}))
    for broken in desk.ledger.audit.verify():
        yield Finding(None, broken.fault)
    for fault in pause_fault(desk):
        yield Finding(None, fault)
    yield from overdue(desk)
    yield from users_left(desk)
    yield from overdue_copies(desk)
    yield from unfinished_restores(desk)
    if desk.ledger.found.pending:
        yield Finding(None, Fault("ledger.unreconciled"))


_RESUMED_BY = {
    "retire": "request retire {key} --reason …",
    "restore": "request restore {key}",
    "purge": "request purge {key} --confirm {key}",
    "adopt": "adopt",
}
"""Kind of saga → the command that goes on with it. The others are told by the state of what they
work on: requests, restores, copies, transfers."""
_RESUMED_BY_APPLY = frozenset({"apply", "retire"})
"""Of a workload that lives: to retire it would end it whole, and not what a change took away."""


def journals_left(desk: Desk) -> Iterator[Finding]:
    """Sagas that no living process runs and nothing else tells of, with the command that goes
    on."""
    for saga in desk.ledger.journal.unfinished():
        record = desk.ledger.requests.get(saga.number)
        command = _RESUMED_BY.get(saga.kind)
        if record.state is RequestState.ACTIVE and saga.kind in _RESUMED_BY_APPLY:
            command = "apply {key}"
        if command is None or _runs(desk, saga):
            continue
        values = {
            "key": record.key,
            "kind": saga.kind,
            "since": show_utc(saga.started_at),
            "command": f"cloudpemda {command.format(key=record.key)}",
        }
        yield Finding(record.opd, Fault("nightly.saga-left", values))


def _runs(desk: Desk, saga: SagaRecord) -> bool:
    try:
        desk.ledger.journal.require_idle(saga.number)
    except CloudpemdaError:
        return True
    return False


def orphans_left(desk: Desk, told: Collection[Finding]) -> Iterator[Finding]:
    """Volumes of purged VMs that still stand, where what hinders their cleaning has not told."""
    volumes = {(one.fault.values.get("node"), one.fault.values.get("volume")) for one in told}
    for one in desk.ledger.orphans.list():
        if (one.node, one.volume) not in volumes:
            values = {
                "volume": one.volume,
                "node": one.node,
                "cluster": one.cluster,
                "vm": one.key,
                "since": show_utc(one.since),
            }
            yield Finding(one.opd, Fault("nightly.orphan", values))


def capacity(desk: Desk, unread: Collection[str], pictures: Pictures) -> Iterator[Finding]:
    """What would be left without a home by the death of one node; clusters that could not be read
    have been told."""
    records = pictures.records
    for cluster in sorted({one.cluster for one in records} & set(desk.site.info.clusters)):
        if cluster not in unread:
            yield from _homeless(desk, cluster, records, pictures)


def _homeless(
    desk: Desk, cluster: str, records: Collection[InstanceRecord], pictures: Pictures
) -> Iterator[Finding]:
    state = pictures.of(cluster)
    opds = {one.key: one.opd for one in records}
    found = n_plus_one(state, policy(desk, cluster))
    for loss in found.losses:
        if not loss.fits:
            values = {"cluster": cluster, "node": loss.node, "vms": loss.movers}
            code = "nightly.n-plus-one-undecided" if loss.undecided else "nightly.n-plus-one"
            yield Finding(None, Fault(code, values))
    for one in found.exposed:
        if one.key in opds:
            values = {"vm": one.key, "cluster": cluster}
            yield Finding(opds[one.key], Fault(f"nightly.exposed-{one.why.value}", values))


def _instance_findings(one: InstanceView) -> Iterator[Finding]:
    meant = one.stopped is not None and one.running == "stopped"
    if one.stopped is not None and one.running == "running":
        yield Finding(one.opd, Fault("nightly.vm-runs", {"vm": one.key, "by": one.stopped.person}))
    if one.state is InstanceState.ACTIVE and one.running in ("absent", "stopped") and not meant:
        yield Finding(one.opd, Fault(f"nightly.vm-{one.running}", {"vm": one.key}))
    if one.state is InstanceState.ACTIVE and one.running == "unknown":
        yield Finding(one.opd, Fault("nightly.vm-unknown", {"vm": one.key}))
    if one.state is InstanceState.ACTIVE and one.unprotected_disks:
        disks = ", ".join(one.unprotected_disks)
        yield Finding(one.opd, Fault("protect.disks", {"vm": one.key, "disks": disks}))
    if one.state is InstanceState.ACTIVE and one.differences:
        listed = ", ".join(one.differences)
        yield Finding(one.opd, Fault("nightly.vm-differs", {"vm": one.key, "differences": listed}))
