"""RPO arithmetic: the age of each instance's recovery points against its class's promise."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloudpemda.cluster import Backup, Freshness, ReplicationRun, age
from cloudpemda.errors import Fault
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant, Seconds, show_duration


class Loss(StrEnum):
    NODE = "node"
    SITE = "site"


class Standing(StrEnum):
    OK = "ok"
    PENDING = "pending"  # too new to have a copy
    LATE = "late"
    NEVER = "never"
    UNKNOWN = "unknown"
    CLOCK_SKEW = "clock-skew"
    NOT_PROMISED = "not-promised"


_BREACHES = frozenset({Standing.LATE, Standing.NEVER, Standing.UNKNOWN, Standing.CLOCK_SKEW})


@dataclass(frozen=True)
class Facts:
    """What is known of one instance without asking for its copies."""

    key: str
    opd: str
    vmid: int
    node: str | None  # where it is now; None: could not be read
    made_at: Instant
    backup_storage: str | None  # where its backups go; None: its cluster has no such place
    recovery_server: str | None = None  # the backup server at the recovery centre, if one pulls
    recovery_nodes: frozenset[str] = frozenset()  # nodes of its own cluster that stand there


@dataclass(frozen=True)
class Judgement:
    """One instance, one kind of loss: what would be lost now against what may be lost."""

    key: str
    opd: str
    loss: Loss
    standing: Standing
    rpo: Seconds | None  # promised
    attained: Seconds | None  # age of the recovery point that would be used; None: there is none
    last: Instant | None  # when it was made
    source: str | None  # evidence: replication job id or backup volume
    failures: int = 0  # of the replication since it last succeeded
    verified: bool | None = None  # whether that backup was found whole; None: nobody has looked yet
    verified_at: Instant | None = None

    @property
    def breach(self) -> bool:
        """Whether somebody must look: not known counts, or the night would lie."""
        return self.standing in _BREACHES

    @property
    def fault(self) -> Fault:
        """The judgement as a message (`recovery.node-late` …)."""
        return Fault(
            f"recovery.{self.loss}-{self.standing}",
            {
                "vm": self.key,
                "opd": self.opd,
                "rpo": "-" if self.rpo is None else show_duration(self.rpo),
                "age": "-" if self.attained is None else show_duration(self.attained),
                "source": self.source or "-",
            },
        )


@dataclass(frozen=True)
class _Copy:
    made_at: Instant
    source: str
    verified: bool | None = None
    verified_at: Instant | None = None


@dataclass(frozen=True)
class _Copies:
    """The recovery points for one loss; `enough` says whether all that should be there are."""

    found: tuple[_Copy, ...]
    read: bool
    enough: bool
    failures: int = 0


def judge(
    facts: Facts,
    freshness: Freshness,
    now: Instant,
    service_class: ServiceClass,
    tolerance: Seconds,
) -> tuple[Judgement, Judgement]:
    """The judgements for node loss and site loss, in this order.

    `tolerance` is by how many seconds clocks may disagree: a recovery point that is less far in the
    future has the age 0, any other is reported as clock skew.
    """
    on_node = _backups(facts, freshness, tolerance)
    if service_class.replication is not None:
        on_node = _replicas(facts, freshness, service_class.replication.targets, tolerance)
    away = _away(facts, freshness, service_class, tolerance)
    rpo = service_class.rpo
    return (
        _judged(facts, Loss.NODE, rpo.node, on_node, now=now, tolerance=tolerance),
        _judged(facts, Loss.SITE, rpo.site, away, now=now, tolerance=tolerance),
    )


def judge_backup(
    facts: Facts,
    freshness: Freshness,
    now: Instant,
    service_class: ServiceClass,
    tolerance: Seconds,
) -> Judgement:
    """The backup as its own storage has it, against what may be lost with the site: what the
    recovery centre gets cannot be younger."""
    backups = _backups(facts, freshness, tolerance)
    return _judged(facts, Loss.SITE, service_class.rpo.site, backups, now=now, tolerance=tolerance)


def _away(
    facts: Facts, freshness: Freshness, service_class: ServiceClass, tolerance: Seconds
) -> _Copies:
    """What is left when the site is lost, by the class's method.

    Where the files name no way to a recovery centre and the class promises none, nobody knows
    where the backup storage stands: its backups count.
    """
    method = service_class.drc.method if service_class.drc is not None else None
    if method == "stretched":
        return _across(facts, freshness, tolerance)
    if facts.recovery_server is not None:
        read = f"server/{facts.recovery_server}" not in freshness.unread
        return _newest(facts, freshness.away.get(facts.vmid, ()), tolerance, read=read)
    if method is not None:
        return _Copies((), read=True, enough=False)  # promised, and nothing copies it
    return _backups(facts, freshness, tolerance)


def _across(facts: Facts, freshness: Freshness, tolerance: Seconds) -> _Copies:
    """The replicas on the other side of a stretched cluster; people choose the newest."""
    here = facts.node in facts.recovery_nodes
    runs = [
        run
        for run in freshness.replication.values()
        if run.vmid == facts.vmid and (run.target in facts.recovery_nodes) != here
    ]
    newest = max(_synced(facts, runs, tolerance), key=lambda copy: copy.made_at, default=None)
    return _Copies(
        found=() if newest is None else (newest,),
        read=_readable(facts, freshness),
        enough=newest is not None,
        failures=max((run.failures for run in runs), default=0),
    )


def _replicas(facts: Facts, freshness: Freshness, targets: int, tolerance: Seconds) -> _Copies:
    """HA may choose any target, so that the oldest replica decides, and each must be there."""
    runs = [run for run in freshness.replication.values() if run.vmid == facts.vmid]
    synced = _synced(facts, runs, tolerance)
    return _Copies(
        found=tuple(sorted(synced, key=lambda copy: copy.made_at)),
        read=_readable(facts, freshness),
        enough=len({_target(runs, copy) for copy in synced}) >= targets,
        failures=max((run.failures for run in runs), default=0),
    )


def _synced(facts: Facts, runs: Sequence[ReplicationRun], tolerance: Seconds) -> list[_Copy]:
    return [
        _Copy(run.last_sync, run.id)
        for run in runs
        if run.last_sync is not None and is_of(facts, run.last_sync, tolerance)
    ]


def _readable(facts: Facts, freshness: Freshness) -> bool:
    return facts.node is not None and f"node/{facts.node}" not in freshness.unread


def _target(runs: Sequence[ReplicationRun], copy: _Copy) -> str:
    return next(run.target for run in runs if run.id == copy.source)


def _backups(facts: Facts, freshness: Freshness, tolerance: Seconds) -> _Copies:
    read = f"storage/{facts.backup_storage}" not in freshness.unread
    return _newest(facts, freshness.backups.get(facts.vmid, ()), tolerance, read=read)


def _newest(facts: Facts, backups: Sequence[Backup], tolerance: Seconds, *, read: bool) -> _Copies:
    newest = newest_good(facts, backups, tolerance)
    return _Copies(
        found=() if newest is None else (_as_copy(newest),),
        read=read,
        enough=newest is not None,
    )


def _as_copy(backup: Backup) -> _Copy:
    return _Copy(backup.taken_at, backup.volume, backup.verified, backup.verified_at)


def newest_good(facts: Facts, backups: Sequence[Backup], tolerance: Seconds) -> Backup | None:
    """The newest backup that is of this instance and did not fail its verification."""
    usable = (
        backup
        for backup in backups
        if backup.verified is not False and is_of(facts, backup.taken_at, tolerance)
    )
    return max(usable, key=lambda backup: backup.taken_at, default=None)


def is_of(facts: Facts, made_at: Instant, tolerance: Seconds) -> bool:
    """Whether a copy of that moment is of this instance: an older one is of who had its VMID."""
    return (facts.made_at - made_at).total_seconds() <= tolerance  # `age` cuts fractions off


def _judged(
    facts: Facts,
    loss: Loss,
    rpo: Seconds | None,
    copies: _Copies,
    *,
    now: Instant,
    tolerance: Seconds,
) -> Judgement:
    decisive = copies.found[0] if copies.found else None
    newest = copies.found[-1] if copies.found else None
    attained = None if decisive is None else Seconds(max(age(now, decisive.made_at), 0))
    ahead = newest is not None and age(now, newest.made_at) < -tolerance
    young = rpo is not None and age(now, facts.made_at) <= rpo
    if rpo is None:
        standing = Standing.NOT_PROMISED
    elif not copies.read:
        standing = Standing.UNKNOWN
    elif ahead:
        standing = Standing.CLOCK_SKEW
    elif attained is None or not copies.enough:
        standing = Standing.PENDING if young else Standing.NEVER
    else:
        standing = Standing.OK if attained <= rpo else Standing.LATE
    evidence = newest if ahead else decisive
    usable = copies.read and copies.enough and not ahead
    return Judgement(
        key=facts.key,
        opd=facts.opd,
        loss=loss,
        standing=standing,
        rpo=rpo,
        attained=attained if usable else None,
        last=evidence.made_at if evidence is not None else None,
        source=evidence.source if evidence is not None else None,
        failures=copies.failures,
        verified=evidence.verified if evidence is not None else None,
        verified_at=evidence.verified_at if evidence is not None else None,
    )
