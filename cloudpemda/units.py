"""Units as types, parsed once at the edge.

Sizes are whole mebibytes, durations whole seconds, moments aware UTC datetimes. Text without a
unit is refused: "16" for memory could be anything.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NewType
from zoneinfo import ZoneInfo

MiB = NewType("MiB", int)
Cores = NewType("Cores", int)
Seconds = NewType("Seconds", int)
Instant = NewType("Instant", datetime)

_SIZE = re.compile(r"([0-9]{1,9}) ?(MiB|GiB|TiB)")
_SIZE_FACTORS = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_DURATION_FACTORS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class UnitError(ValueError):
    """Text that is no value of the unit; `code` names the message to show."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text!r}")
        self.code = code
        self.text = text


def parse_size(text: str) -> MiB:
    """Read `"8 GiB"`, `"512 MiB"` or `"2 TiB"`; the unit is obligatory. Raises UnitError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UnitError("unit.size", text)
    return MiB(int(found[1]) * _SIZE_FACTORS[found[2]])


def parse_duration(text: str) -> Seconds:
    """Read `"15m"`, `"24h"`, `"30d"` or `"90s"`. Raises UnitError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise UnitError("unit.duration", text)
    return Seconds(int(found[1]) * _DURATION_FACTORS[found[2]])


def show_size(size: int) -> str:
    """Show MiB in the largest unit that loses nothing or reads well: `8 GiB`, `1.5 TiB`."""
    for name, factor in (("TiB", 1024 * 1024), ("GiB", 1024)):
        if abs(size) >= factor:
            amount = f"{size / factor:.2f}".rstrip("0").rstrip(".")
            return f"{amount} {name}"
    return f"{size} MiB"


def show_duration(seconds: float) -> str:
    """Show seconds as people say them: `45s`, `12m`, `3h 20m`, `2d 4h`."""
    whole = int(seconds)
    if whole < 0:
        return "-" + show_duration(-whole)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{rest}s"


def instant(epoch_seconds: float) -> Instant:
    """The moment that PVE's epoch seconds name."""
    return Instant(datetime.fromtimestamp(epoch_seconds, UTC))


def parse_instant(text: str) -> Instant:
    """Read what `show_utc` wrote. Raises UnitError for text without a UTC offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnitError("unit.instant", text) from error
    if moment.tzinfo is None:
        raise UnitError("unit.instant", text)
    return Instant(moment.astimezone(UTC))


def show_utc(moment: Instant) -> str:
    """The one machine form of a moment: `2026-11-20T01:02:03Z` (microseconds kept if any)."""
    return moment.isoformat().replace("+00:00", "Z")


def show_local(moment: Instant, zone: ZoneInfo) -> str:
    """The form for people, in the site's zone: `2026-11-20 08:02 WIB`."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def read_local(text: str, zone: ZoneInfo) -> date | Instant:
    """What people say of time in that zone: a day (`2026-12-31`), or a moment
    (`2026-12-31 14:00`; of another zone where the text says so). Raises ValueError, also for days
    in other forms (`20261231`, `2026-W53-4`): without a time they would be read as midnight."""
    said = datetime.fromisoformat(text)
    if not 1970 <= said.year < 9999:  # what no calendar can add a day to is no time to speak of
        raise ValueError(text)
    if _DAY.match(text) is None:
        raise ValueError(text)
    if _DAY.fullmatch(text):
        return said.date()
    return Instant((said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC))


def day_of(day: date, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """A day's first moment in the zone and the next day's, which is not in it any more."""
    first, end = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    return Instant(first.astimezone(UTC)), Instant(end.astimezone(UTC))
