"""How each VM is protected, and how that stands against its class: per VM and per OPD."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cloudpemda.errors import Fault
from cloudpemda.ledger import InstanceState
from cloudpemda.plan.model import Aspect
from cloudpemda.recovery import Judgement, Loss, Standing
from cloudpemda.report.night import KnownReplica
from cloudpemda.report.standing import Cover, Guard, InstanceView
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant, Seconds, show_local

_LIVING = frozenset({InstanceState.ACTIVE, InstanceState.CHANGING, InstanceState.STUCK})
_ASPECTS = (Aspect.FLAGS, Aspect.HA, Aspect.REPLICATION, Aspect.BACKUP)


@dataclass(frozen=True)
class LossView:
    """What one kind of loss would cost now, against what it may cost."""

    standing: Standing
    promised: Seconds | None  # RPO
    attained: Seconds | None  # age of what would be left; None: nothing, or it is not known
    left_from: Instant | None  # when that was taken
    source: str | None
    verified: bool | None
    verified_at: Instant | None


@dataclass(frozen=True)
class Protection:
    """One VM: what protects it really, and what its loss would cost."""

    key: str
    opd: str
    service_class: str
    node: str | None
    ha: Cover
    replication: Cover
    backup: Cover
    away: Cover  # the copy that is left when the site is lost
    node_loss: LossView | None  # None: its class is no more, or nothing of it could be read
    site_loss: LossView | None
    rto: Seconds | None  # promised; only a drill can show what is attained
    unprotected_disks: tuple[str, ...]
    bound: tuple[str, ...]  # disks on its node alone: HA cannot start it on another
    differences: tuple[str, ...]  # of its protection from what its class asks for
    green: bool
    pending: bool  # not green yet, and no breach: it is new
    promoted: KnownReplica | None = None  # what it runs on: PVE does not say of when it is


@dataclass(frozen=True)
class OpdProtection:
    """All of one OPD."""

    opd: str
    vms: int
    green: int
    pending: int
    node_attained: Seconds | None  # the oldest of its VMs'; None: of none, or of one unknown
    site_attained: Seconds | None


def protection(
    view: InstanceView, judged: Collection[Judgement], service_class: ServiceClass | None
) -> Protection:
    """What is known of one VM, put side by side. Without its class nothing of it is green."""
    losses = {one.loss: _loss(one) for one in judged}
    differences = tuple(
        one for one in view.differences if any(one.startswith(f"{kind}:") for kind in _ASPECTS)
    )
    breach = any(one.breach for one in judged) or not view.as_promised
    covers = (view.ha, view.replication, view.backup, view.away)
    waits = any(one.guard is Guard.PENDING for one in covers)
    return Protection(
        key=view.key,
        opd=view.opd,
        service_class=view.service_class,
        node=view.node,
        ha=view.ha,
        replication=view.replication,
        backup=view.backup,
        away=view.away,
        node_loss=losses.get(Loss.NODE),
        site_loss=losses.get(Loss.SITE),
        rto=service_class.rto if service_class is not None else None,
        unprotected_disks=view.unprotected_disks,
        bound=view.bound,
        differences=differences,
        green=service_class is not None and not breach and not waits,
        pending=service_class is not None and not breach and waits,
    )


def _loss(one: Judgement) -> LossView:
    return LossView(
        standing=one.standing,
        promised=one.rpo,
        attained=one.attained,
        left_from=one.last,
        source=one.source,
        verified=one.verified,
        verified_at=one.verified_at,
    )


def protections(
    views: Iterable[InstanceView],
    judgements: Iterable[Judgement],
    classes: Mapping[str, ServiceClass],
) -> tuple[Protection, ...]:
    """Of every VM that lives, by key."""
    judged: dict[str, list[Judgement]] = {}
    for one in judgements:
        judged.setdefault(one.key, []).append(one)
    living = (view for view in views if view.state in _LIVING)
    return tuple(
        protection(view, judged.get(view.key, ()), classes.get(view.service_class))
        for view in sorted(living, key=lambda view: view.key)
    )


def runs_on_replica(one: Protection, known: KnownReplica | None) -> KnownReplica | None:
    """The replica that a night last read of the VM (`known`), where it runs on it now.

    It does where it stands elsewhere than it did then, and no replica has been made since: then
    it was recovered, since whatever moves a VM that runs takes along when it was replicated. What
    it runs on may be younger: that node did more runs than nights have seen."""
    loss = one.node_loss
    if one.replication.guard is Guard.NONE or loss is None or one.node is None:
        return None
    if loss.left_from is not None or loss.standing is Standing.UNKNOWN:
        return None
    return known if known is not None and known.node != one.node else None


def by_opd(found: Iterable[Protection]) -> tuple[OpdProtection, ...]:
    """One line per OPD that has VMs."""
    own: dict[str, list[Protection]] = {}
    for one in found:
        own.setdefault(one.opd, []).append(one)
    return tuple(
        OpdProtection(
            opd=opd,
            vms=len(some),
            green=sum(one.green for one in some),
            pending=sum(one.pending for one in some),
            node_attained=_oldest(one.node_loss for one in some),
            site_attained=_oldest(one.site_loss for one in some),
        )
        for opd, some in sorted(own.items())
    )


def _oldest(losses: Iterable[LossView | None]) -> Seconds | None:
    """The age that all of them keep; None where one of those that promise something has none."""
    ages: list[Seconds] = []
    for one in losses:
        if one is not None and one.standing is Standing.NOT_PROMISED:
            continue
        if one is None or one.attained is None:
            return None
        ages.append(one.attained)
    return max(ages, default=None)


def faults(one: Protection, judged: Collection[Judgement], zone: ZoneInfo) -> Iterator[Fault]:
    """Why a VM is not green, with what to do."""
    for judgement in judged:
        if judgement.breach:
            yield judgement.fault
    if one.ha.guard in (Guard.WRONG, Guard.UNKNOWN):
        values = {"vm": one.key, "state": one.ha.source or "-"}
        yield Fault(f"protect.ha-{one.ha.guard}", values)
    if one.promoted is not None:
        at = show_local(one.promoted.at, zone)
        values = {"vm": one.key, "node": one.node or "-", "lost": one.promoted.node, "at": at}
        yield Fault("protect.promoted", values)
    if one.differences:
        listed = "; ".join(one.differences)
        yield Fault("protect.differs", {"vm": one.key, "differences": listed})
    if one.unprotected_disks:
        listed = ", ".join(one.unprotected_disks)
        yield Fault("protect.disks", {"vm": one.key, "disks": listed})
