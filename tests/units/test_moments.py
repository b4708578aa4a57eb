"""What people say of time, read in the site's zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from cloudpemda.units import day_of, read_local

JAKARTA = ZoneInfo("Asia/Jakarta")


def test_a_day_and_a_moment_are_told_apart() -> None:
    assert read_local("2026-12-31", JAKARTA) == date(2026, 12, 31)
    at = datetime(2026, 12, 31, 7, tzinfo=UTC)
    assert read_local("2026-12-31 14:00", JAKARTA) == at
    assert read_local("2026-12-31T07:00:00+00:00", JAKARTA) == at


def test_a_day_has_the_hours_of_its_zone() -> None:
    first, end = day_of(date(2026, 12, 31), JAKARTA)
    assert first == datetime(2026, 12, 30, 17, tzinfo=UTC)
    assert end == datetime(2026, 12, 31, 17, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    first, end = day_of(date(2026, 10, 25), berlin)
    assert (end - first).total_seconds() == 25 * 3600, "the clock goes back that day"


@pytest.mark.parametrize(
    "text",
    [
        *("kemarin", "", "2026-02-30", "9999-12-31", "0001-01-01 00:00"),
        *("20261231", "2026-W53-4", "2026-W53"),  # midnight to a computer, a day to a person
    ],
)
def test_what_is_no_time_to_speak_of_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_local(text, JAKARTA)
