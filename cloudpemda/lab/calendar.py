"""PVE's calendar events: when is a schedule due next? Times are UTC seconds since the epoch.

The grammar is that of `proxmox-time`, which follows systemd's: `mon..fri 8..17,22:0/15`, `*-*-01
03:00`, `*/15`, `daily`. Weekdays count from Monday. An event is a set of allowed values per field.
"""

import calendar as months
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NAMED = {
    "minutely": "*:*", "hourly": "*:00", "daily": "00:00", "weekly": "mon 00:00",
    "monthly": "*-*-01 00:00", "yearly": "*-01-01 00:00", "annually": "*-01-01 00:00",
    "quarterly": "*-01,04,07,10-01 00:00", "semiannually": "*-01,07-01 00:00",
    "semi-annually": "*-01,07-01 00:00",
}  # fmt: skip
BOUNDS = ((0, 6), (1970, 2199), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))
ITEM = re.compile(r"(\d+)(?:\.\.(\d+)|/0*([1-9]\d*))?")
HORIZON_DAYS = 366 * 8

Bounds = tuple[int, int]
Values = frozenset[int]
ANY = tuple(frozenset(range(low, high + 1)) for low, high in BOUNDS)
MIDNIGHT = (frozenset({0}),) * 3


class CalendarError(Exception):
    """Not a calendar event; the text is the parser's."""


@dataclass(frozen=True)
class CalendarEvent:
    """Allowed weekdays, years, months, days of the month, hours, minutes and seconds."""

    fields: tuple[Values, ...]

    def next_after(self, now: float) -> float | None:
        """The first instant later than `now`, None when there is none within eight years."""
        first = datetime.fromtimestamp(int(now) + 1, UTC)
        for ahead in range(HORIZON_DAYS):
            day = first.date() + timedelta(days=ahead)
            parts = (day.weekday(), day.year, day.month, day.day)
            if all(part in allowed for part, allowed in zip(parts, self.fields, strict=False)):
                found = self._from(time.min if ahead else first.time())
                if found is not None:
                    return datetime.combine(day, found, UTC).timestamp()
        return None

    def _from(self, earliest: time) -> time | None:
        hours, minutes, seconds = (sorted(values) for values in self.fields[4:])
        moments = (
            time(hour, minute, second)
            for hour in hours
            if hour >= earliest.hour
            for minute in minutes
            for second in seconds
        )
        return next((moment for moment in moments if moment >= earliest), None)


@lru_cache(4096)
def next_event(text: str, after: float) -> float | None:
    """The first instant after another that a schedule means."""
    return parse(text).next_after(after)


@lru_cache(1024)
def parse(text: str) -> CalendarEvent:
    """The event a schedule means; raises `CalendarError` with the parser's own words."""
    if not text:
        raise CalendarError("unable to parse calendar event - event is empty")
    rest = NAMED.get(text, re.sub(r"\s+UTC$", "", text, flags=re.IGNORECASE))
    days = None
    if rest[0].isalpha():
        word, _, rest = rest.partition(" ")
        days = _days(word)
    date, rest = _date(rest.lstrip())
    clock, rest = _clock(rest.lstrip())
    if not (days or date or clock):
        raise _bad(rest, 'Context("date or time specification")')
    if rest:
        raise _bad(rest)
    return CalendarEvent((days or ANY[0], *(date or ANY[1:4]), *(clock or MIDNIGHT)))


def _bad(at: str, why: str = "Nom(Eof)") -> CalendarError:
    return CalendarError(f"unable to parse calendar event at '{at}' - {why}")


def _days(text: str) -> Values:
    found: set[int] = set()
    for part in text.split(","):
        ends = [_weekday(end) for end in part.split("..")]
        found.update((ends[0] + step) % 7 for step in range((ends[-1] - ends[0]) % 7 + 1))
    return frozenset(found)


def _weekday(text: str) -> int:
    for number, day in enumerate(DAYS):
        if text.lower() in (day, day[:3]):
            return number
    raise _bad(text, 'Context("weekday")')


def _date(text: str) -> tuple[list[Values], str]:
    """`year-month-day` or `month-day`."""
    found, rest = _sequence(text, "-", BOUNDS[1:4])
    if not found and (short := _sequence(text, "-", BOUNDS[2:4]))[0]:
        found, rest = [ANY[1], *short[0]], short[1]
    return found, rest


def _clock(text: str) -> tuple[list[Values], str]:
    """`hours:minutes:seconds`; a lone list is of minutes."""
    hours, rest = _list(text, BOUNDS[4])
    if not (hours and rest.startswith(":")):
        hours, rest = ANY[4], ":" + text
    for count in (2, 1):
        found, after = _sequence(rest.removeprefix(":"), ":", BOUNDS[5 : 5 + count])
        if found:
            return [hours, *found, *MIDNIGHT][:3], after
    return [], text


def _sequence(text: str, separator: str, fields: tuple[Bounds, ...]) -> tuple[list[Values], str]:
    """One list per field, with a separator between them, and what follows; or nothing."""
    found: list[Values] = []
    rest = separator + text
    for bounds in fields:
        values, after = _list(rest.removeprefix(separator), bounds)
        if not (values and rest.startswith(separator)):
            return [], text
        found, rest = [*found, values], after
    return found, rest


def _list(text: str, bounds: Bounds) -> tuple[Values, str]:
    """The values of `*`, `*/5` or `1,3..5,0/10` at the head of a text, and what follows them."""
    low, high = bounds
    if star := re.match(r"\*(?:/0*([1-9]\d*))?", text):
        return frozenset(range(low, high + 1, int(star[1] or 1))), text[star.end() :]
    values: set[int] = set()
    rest, item = text, ITEM.match(text)
    while item:
        first, last = int(item[1]), int(item[2] or (high if item[3] else item[1]))
        if not first <= last <= high:
            break
        values.update(range(first, last + 1, int(item[3] or 1)))
        rest = text[item.end() :]
        item = ITEM.match(text, item.end() + 1) if rest.startswith(",") else None
    return frozenset(values), rest


def weekday_name(when: float) -> str:
    """`Sat Nov 21 20:30:00 2026`, as PVE prints an instant."""
    moment = datetime.fromtimestamp(when, UTC)
    day = months.day_abbr[moment.weekday()]
    return f"{day} {months.month_abbr[moment.month]} {moment.day:2d} {moment:%H:%M:%S %Y}"
