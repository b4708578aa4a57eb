"""Status: what of a survey concerns the person who looks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cloudpemda.errors import ExitCode, Fault, Refused, worst
from cloudpemda.ledger import Drain, Why
from cloudpemda.recovery import Judgement
from cloudpemda.report.standing import InstanceView
from cloudpemda.rules.quota import scope_of
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk, Scope, require_opd
from cloudpemda.usecases.expiring import Expiring, expiring
from cloudpemda.usecases.pause import pause_fault
from cloudpemda.usecases.quota import QuotaLine
from cloudpemda.usecases.survey import Survey, survey
from cloudpemda.usecases.vm_roles import roles_of


@dataclass(frozen=True)
class Status:
    """Every instance and quota line that the person may see, and what could not be read."""

    at: Instant
    instances: tuple[InstanceView, ...]
    judgements: tuple[Judgement, ...]
    quota: tuple[QuotaLine, ...]
    expiring: tuple[Expiring, ...]  # holds and waiting requests that end soon
    faults: tuple[Fault, ...]
    unread: tuple[str, ...]  # clusters of which something could not be read
    code: ExitCode
    offline: bool  # no cluster was asked: what they would say is unknown
    drains: tuple[Drain, ...]  # nodes that are kept empty
    orphans: int  # volumes that purged VMs left behind
    resting: int  # disks that were removed from VMs and can be put back


def status(desk: Desk, *, opd: str | None = None, offline: bool = False) -> Status:
    """How everything stands that the person may see, or what of it is this OPD's; `offline`,
    from the ledger alone.

    Each OPD of somebody who may not see all is read by itself, so that nothing of another one
    comes into it. Raises Refused `desk.scope`, UsageError `look.opd`.
    """
    scope = desk.scope()
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
        own = Scope(scope.login, scope_of(opd, desk.site.opds))
        return _joined(desk, [survey(desk, opd=opd, offline=offline)], own)
    if scope.opds is None:
        return _joined(desk, [survey(desk, offline=offline)], scope)
    parts = [survey(desk, opd=one, offline=offline) for one in sorted(scope.opds)]
    return _joined(desk, parts, scope)


def instance(desk: Desk, key: str) -> tuple[InstanceView, Status]:
    """One instance, and what could not be read. Raises Refused `desk.scope`,
    `ledger.no-instance`."""
    opd = key.partition("/")[0]
    desk.scope().require(opd)
    if key not in desk.ledger.instances.keys(opd):
        raise Refused("ledger.no-instance", key=key)
    found = status(desk, opd=opd if opd in desk.site.opds else None)  # of former OPDs among all
    one = next((one for one in found.instances if one.key == key), None)
    if one is None:
        raise Refused("ledger.no-instance", key=key)
    return replace(one, roles=roles_of(desk, key)), found


def _joined(desk: Desk, parts: Sequence[Survey], scope: Scope) -> Status:
    """Several surveys as one; what concerns the whole site stands in each, and is said once."""
    faults = [*pause_fault(desk)]
    stands_still = [ExitCode.FINDINGS] if faults else []
    for fault in (fault for part in parts for fault in part.faults):
        if fault not in faults:
            faults.append(fault)
    return Status(
        at=max(part.at for part in parts),
        instances=tuple(one for part in parts for one in part.instances),
        judgements=tuple(one for part in parts for one in part.judgements),
        quota=tuple(line for part in parts for line in part.quota),
        expiring=expiring(desk, scope),
        faults=tuple(faults),
        unread=tuple(sorted({name for part in parts for name in part.unread})),
        code=worst([*stands_still, *(part.code for part in parts)]),
        offline=any(part.offline for part in parts),
        drains=desk.ledger.drains.list(),
        orphans=sum(scope.covers(one.opd) for one in desk.ledger.orphans.list()),
        resting=sum(
            scope.covers(one.opd) for one in desk.ledger.asides.list() if one.why is Why.REMOVED
        ),
    )
