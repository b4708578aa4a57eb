"""PVE's calendar events: when is a schedule due next? Times are UTC seconds since the epoch.

The grammar is that of `proxmox-time`, which follows systemd's: `mon..fri 8..17,22:0/15`, `*-*-01
03:00`, `*/15`, `daily`. Weekdays count from Monday.
"""

import calendar as months
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NAMED = {
    "minutely": "*:*",
    "hourly": "*:00",
    "daily": "00:00",
    "weekly": "mon 00:00",
    "monthly": "*-*-01 00:00",
    "yearly": "*-01-01 00:00",
    "annually": "*-01-01 00:00",
    "quarterly": "*-01,04,07,10-01 00:00",
    "semiannually": "*-01,07-01 00:00",
    "semi-annually": "*-01,07-01 00:00",
}
HORIZON_DAYS = 366 * 8


class CalendarError(Exception):
    """Not a calendar event; the text is the parser's."""


@dataclass(frozen=True)
class CalendarEvent:
    """Allowed values per field; None is any."""

    days: frozenset[int] | None
    years: frozenset[int] | None
    months: frozenset[int] | None
    dates: frozenset[int] | None
    hours: frozenset[int] | None
    minutes: frozenset[int] | None
    seconds: frozenset[int] | None

    def next_after(self, now: float) -> float | None:
        """The first instant later than `now`, None when there is none within eight years."""
        moment = datetime.fromtimestamp(int(now) + 1, UTC)
        day = moment.replace(hour=0, minute=0, second=0)
        for _ in range(HORIZON_DAYS):
            if self._on(day):
                found = self._within(day, moment)
                if found is not None:
                    return found.timestamp()
            day += timedelta(days=1)
        return None

    def _on(self, day: datetime) -> bool:
        return (
            (self.days is None or day.weekday() in self.days)
            and (self.years is None or day.year in self.years)
            and (self.months is None or day.month in self.months)
            and (self.dates is None or day.day in self.dates)
        )

    def _within(self, day: datetime, earliest: datetime) -> datetime | None:
        for hour in sorted(self.hours if self.hours is not None else range(24)):
            if day.replace(hour=hour, minute=59, second=59) < earliest:
                continue
            for minute in sorted(self.minutes if self.minutes is not None else range(60)):
                if day.replace(hour=hour, minute=minute, second=59) < earliest:
                    continue
                for second in sorted(self.seconds if self.seconds is not None else range(60)):
                    found = day.replace(hour=hour, minute=minute, second=second)
                    if found >= earliest:
                        return found
        return None


def _bad(at: str, why: str = "Nom(Eof)") -> CalendarError:
    return CalendarError(f"unable to parse calendar event at '{at}' - {why}")


def _values(text: str, low: int, high: int, whole: str) -> frozenset[int] | None:
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|\d+)(?:\.\.(\d+))?(?:/(\d+))?", part)
        if not match:
            raise _bad(whole)
        first, last, step = match.groups()
        if step == "0":
            raise _bad("/0")
        if first == "*" and step is None:
            return None
        start = low if first == "*" else int(first)
        end = int(last) if last else (high if step else start)
        if start > high or end > high or start < low:
            raise CalendarError(f"value out of range ({start if start > high else end})")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _weekday(text: str) -> int | None:
    matches = [i for i, day in enumerate(DAYS) if day.startswith(text.lower())]
    return matches[0] if len(matches) == 1 and len(text) >= 3 else None


def _days(text: str) -> frozenset[int] | None:
    found: set[int] = set()
    for part in text.split(","):
        ends = [_weekday(end) for end in part.split("..")]
        if len(ends) > 2 or None in ends:
            raise _bad(text, 'Context("weekday")')
        first, last = ends[0] or 0, ends[-1] or 0
        found.update((first + i) % 7 for i in range((last - first) % 7 + 1))
    return frozenset(found)


def parse(text: str) -> CalendarEvent:
    """The event a schedule means; raises `CalendarError` with the parser's own words."""
    words = text.split()
    if not words:
        raise CalendarError("unable to parse calendar event - event is empty")
    if words[-1].upper() == "UTC" and len(words) > 1:
        words = words[:-1]
    if len(words) == 1 and words[0].lower() in NAMED:
        words = NAMED[words[0].lower()].split()
    days = date = clock = None
    rest = list(words)
    if rest and rest[0][0].isalpha():
        days = _days(rest.pop(0))
    if rest and "-" in rest[0]:
        date = rest.pop(0)
    if rest:
        clock = rest.pop(0)
    if rest:
        raise _bad(text[text.index(clock or "") + len(clock or "") :])
    if clock is not None and not re.match(r"[\d*]", clock):
        raise _bad(clock, 'Context("date or time specification")')
    return CalendarEvent(days, *_date(date), *_clock(clock))


def _date(
    text: str | None,
) -> tuple[frozenset[int] | None, frozenset[int] | None, frozenset[int] | None]:
    if text is None:
        return None, None, None
    parts = text.split("-")
    if len(parts) == 2:
        parts = ["*", *parts]
    if len(parts) != 3:
        raise _bad(text)
    return (
        _values(parts[0], 1970, 2200, text),
        _values(parts[1], 1, 12, text),
        _values(parts[2], 1, 31, text),
    )


def _clock(
    text: str | None,
) -> tuple[frozenset[int] | None, frozenset[int] | None, frozenset[int] | None]:
    zero = frozenset({0})
    if text is None:
        return zero, zero, zero
    parts = text.split(":")
    if len(parts) == 1:
        return None, _values(parts[0], 0, 59, text), zero
    if len(parts) == 2 and parts[0].isdigit() and int(parts[0]) > 23:
        return None, _values(parts[0], 0, 59, text), _values(parts[1], 0, 59, text)
    if len(parts) > 3:
        raise _bad(text)
    seconds = _values(parts[2], 0, 59, text) if len(parts) == 3 else zero
    return _values(parts[0], 0, 23, text), _values(parts[1], 0, 59, text), seconds


def weekday_name(when: float) -> str:
    """`Sat Nov 21 20:30:00 2026`, as PVE prints an instant."""
    moment = datetime.fromtimestamp(when, UTC)
    day = months.day_abbr[moment.weekday()]
    return f"{day} {months.month_abbr[moment.month]} {moment.day:2d} {moment:%H:%M:%S %Y}"
