"""Which copies a VM should have and has not, and which of them fit into what is left of a night.

A copy is due where there is none of this VM, or where the newest is older than the class's promise
allows. What cannot be judged (not read, taken in the future) is not due: nobody knows.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cloudpemda.cluster import Freshness, age
from cloudpemda.recovery.rpo import Facts, is_of, newest_good
from cloudpemda.recovery.window import Lane
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant, Seconds


@dataclass(frozen=True)
class Due:
    """One copy that should be made now."""

    key: str
    lane: Lane
    since: Instant  # one taken from here on is what is missing
    age: Seconds | None  # of what there is; None: nothing
    job: str | None = None  # the replication's


@dataclass(frozen=True)
class Sized:
    """One of them with where it would be made, and how long that takes at least."""

    due: Due
    node: str
    seconds: int


@dataclass(frozen=True)
class Share:
    """What of the due is begun; `late` would not end in time, `over` is beyond the number."""

    begin: tuple[Sized, ...]
    late: tuple[Sized, ...]
    over: tuple[Sized, ...]


def due(
    facts: Facts,
    freshness: Freshness,
    now: Instant,
    service_class: ServiceClass,
    tolerance: Seconds,
) -> Iterator[Due]:
    """The copies that this instance lacks; `tolerance` as in `judge`."""
    if service_class.replication is not None and f"node/{facts.node}" not in freshness.unread:
        for run in sorted(freshness.replication.values(), key=lambda one: one.id):
            if run.vmid == facts.vmid:
                last, limit = run.last_sync, service_class.rpo.node
                yield from _lacking(facts, Lane.REPLICATION, last, limit, now, tolerance, run.id)
    unread = f"storage/{facts.backup_storage}" in freshness.unread
    if service_class.backup is None or facts.backup_storage is None or unread:
        return
    newest = newest_good(facts, freshness.backups.get(facts.vmid, ()), tolerance)
    last = None if newest is None else newest.taken_at
    yield from _lacking(facts, Lane.BACKUP, last, _limit(service_class), now, tolerance)


def shared_out(wanted: Sequence[Sized], left: int, *, per_night: int, per_node: int) -> Share:
    """What is begun with `left` seconds to go: who has nothing first, then the oldest.

    Each lane of a node does one after another, so what is behind another ends after it.
    """
    ends, counted = Counter[tuple[str, Lane]](), Counter[str]()
    begin, late, over = list[Sized](), list[Sized](), list[Sized]()
    for one in sorted(wanted, key=_order):
        lane = (one.node, one.due.lane)
        if ends[lane] + one.seconds > left:
            late.append(one)
        elif len(begin) >= per_night or counted[one.node] >= per_node:
            over.append(one)
        else:
            ends[lane] += one.seconds
            counted[one.node] += 1
            begin.append(one)
    return Share(tuple(begin), tuple(late), tuple(over))


def _lacking(
    facts: Facts,
    lane: Lane,
    last: Instant | None,
    limit: Seconds | None,
    now: Instant,
    tolerance: Seconds,
    job: str | None = None,
) -> Iterator[Due]:
    if last is None or not is_of(facts, last, tolerance):
        since = Instant(facts.made_at - timedelta(seconds=tolerance))
        yield Due(facts.key, lane, since, None, job)
    elif limit is not None and age(now, last) > limit:
        since = Instant(now - timedelta(seconds=limit))
        yield Due(facts.key, lane, since, age(now, last), job)


def _limit(service_class: ServiceClass) -> Seconds | None:
    """How old a backup may be: by whatever loss it is the copy for."""
    promised = service_class.rpo
    of_node = promised.node if service_class.replication is None else None
    drc = service_class.drc
    stretched = drc is not None and drc.method == "stretched"  # there replicas are
    limits = [one for one in (of_node, None if stretched else promised.site) if one is not None]
    return min(limits, default=None)


def _order(one: Sized) -> tuple[bool, int, str, str]:
    return one.due.age is not None, -(one.due.age or 0), one.due.key, one.due.job or ""
