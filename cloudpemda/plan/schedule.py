"""Durations of the catalogue as PVE's calendar events and prune options.

PVE knows moments, not intervals: an interval becomes the nearest schedule that is due at least as
often, so that a class's promise is never undercut. Times of day are those of the nodes' clocks,
which the site sets to its own zone.
"""

from cloudpemda.site.models import Keep
from cloudpemda.units import Seconds

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WEEKDAY = "sun"  # when an interval of a week or more is due


def replication_schedule(every: Seconds) -> str:
    """`*/15`, `hourly`, `0/4:00`, `daily`: due at least every so many seconds.

    PVE replicates once a minute at most: whatever is shorter becomes `*/1`.
    """
    if every < _HOUR:
        return f"*/{_step(every // _MINUTE, 60)}"
    if every < 2 * _HOUR:
        return "hourly"
    if every < _DAY:
        return f"0/{_step(every // _HOUR, 24)}:00"
    return "daily"


def backup_schedule(every: Seconds, at: str) -> str:
    """`01:00`, `1,13:00`, `sun 01:00`: due at least every so many seconds, once at `at` (HH:MM).

    Backups oftener than hourly follow the clock's minutes and pass `at` by.
    """
    if every < 2 * _HOUR:
        return replication_schedule(every)
    hour, _, minute = at.partition(":")
    if every < _DAY:
        step = _step(every // _HOUR, 24)
        hours = sorted((int(hour) + number) % 24 for number in range(0, 24, step))
        return f"{','.join(map(str, hours))}:{minute}"
    return f"{_WEEKDAY} {at}" if every >= 7 * _DAY else at


def prune_options(keep: Keep) -> str:
    """`keep-daily=14,keep-monthly=6`; nothing kept by name keeps all, as PVE would."""
    kept = {
        "last": keep.last,
        "daily": keep.daily,
        "weekly": keep.weekly,
        "monthly": keep.monthly,
        "yearly": keep.yearly,
    }
    named = [f"keep-{name}={count}" for name, count in kept.items() if count]
    return ",".join(named) if named else "keep-all=1"


def _step(most: int, whole: int) -> int:
    """The largest divisor of `whole` up to `most`: steps that meet at the end of the round."""
    return max(step for step in range(1, max(most, 1) + 1) if whole % step == 0 and step < whole)
