"""Protection: what protects each VM really, per VM and OPD, against what its class promises."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from cloudpemda.errors import ExitCode, Fault, Refused, worst
from cloudpemda.report.protection import (
    OpdProtection,
    Protection,
    by_opd,
    faults,
    protections,
    runs_on_replica,
)
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.night.reporting import nights_before
from cloudpemda.usecases.status import Status, status


@dataclass(frozen=True)
class Protections:
    """How the VMs are protected that the person may see."""

    at: Instant
    vms: tuple[Protection, ...]
    opds: tuple[OpdProtection, ...]
    faults: tuple[Fault, ...]
    unread: tuple[str, ...]
    code: ExitCode


def protect_status(desk: Desk, *, opd: str | None = None, key: str | None = None) -> Protections:
    """Of all VMs that live, of one OPD's, of one workload's or one VM's (`key`). Changes nothing.

    Its code is FINDINGS where one of them is in breach, UNREACHABLE where something could not be
    read. Raises Refused `desk.scope`, `ledger.no-instance`, UsageError `look.opd`.
    """
    if key is not None:
        owner = key.partition("/")[0]
        desk.scope().require(owner)
        if owner not in desk.site.opds or opd not in (None, owner):
            raise Refused("ledger.no-instance", key=key)
        opd = owner
    found = status(desk, opd=opd)
    last = next(nights_before(desk), None)
    known = {vm.key: vm.replica for vm in last.vms} if last is not None else {}
    vms = tuple(
        replace(one, promoted=runs_on_replica(one, known.get(one.key)))
        for one in protections(
            found.instances, found.judgements, desk.site.catalogue.service_classes
        )
        if key is None or one.key == key or one.key.startswith(f"{key}/")
    )
    if key is not None and not vms:
        raise Refused("ledger.no-instance", key=key)
    breach = any(not one.green and not one.pending for one in vms)
    unread = [ExitCode.UNREACHABLE] if found.unread else []
    return Protections(
        at=found.at,
        vms=vms,
        opds=by_opd(vms),
        faults=_told(found, vms, desk.site.zone),
        unread=found.unread,
        code=worst([ExitCode.FINDINGS if breach else ExitCode.DONE, *unread]),
    )


def _told(found: Status, vms: tuple[Protection, ...], zone: ZoneInfo) -> tuple[Fault, ...]:
    """What hinders the look, then why each VM is not green."""
    told = [fault for fault in found.faults if fault.code.startswith(("survey.", "pve."))]
    for one in vms:
        told += faults(one, [each for each in found.judgements if each.key == one.key], zone)
    return tuple(dict.fromkeys(told))
