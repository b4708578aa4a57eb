"""Intervals as PVE's calendar events: due at least as often as promised."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.lab import calendar
from cloudpemda.plan.schedule import backup_schedule, prune_options, replication_schedule
from cloudpemda.site.models import Keep
from cloudpemda.units import Seconds

START = 1_795_290_000


@pytest.mark.parametrize(
    ("every", "schedule"),
    [
        (60, "*/1"),
        (900, "*/15"),
        (25 * 60, "*/20"),
        (1800, "*/30"),
        (3600, "hourly"),
        (5400, "hourly"),
        (4 * 3600, "0/4:00"),
        (5 * 3600, "0/4:00"),
        (12 * 3600, "0/12:00"),
        (86400, "daily"),
        (7 * 86400, "daily"),
    ],
)
def test_replication_schedules(every: int, schedule: str) -> None:
    assert replication_schedule(Seconds(every)) == schedule


@pytest.mark.parametrize(
    ("every", "at", "schedule"),
    [
        (86400, "01:00", "01:00"),
        (2 * 86400, "22:30", "22:30"),
        (7 * 86400, "03:00", "sun 03:00"),
        (12 * 3600, "01:30", "1,13:30"),
        (8 * 3600, "22:00", "6,14,22:00"),
        (3600, "01:00", "hourly"),
        (1800, "01:00", "*/30"),
    ],
)
def test_backup_schedules(every: int, at: str, schedule: str) -> None:
    assert backup_schedule(Seconds(every), at) == schedule


@given(st.integers(60, 20 * 86400), st.integers(0, 23), st.integers(0, 59))
def test_every_schedule_is_one_that_pve_reads_and_is_due_at_least_so_often(
    every: int, hour: int, minute: int
) -> None:
    """Measured with the calendar of the lab, which is measured against recordings of PVE."""
    for schedule in (
        replication_schedule(Seconds(every)),
        backup_schedule(Seconds(every), f"{hour:02}:{minute:02}"),
    ):
        event = calendar.parse(schedule)
        moments = [float(START)]
        for _ in range(30):
            following = event.next_after(moments[-1])
            assert following is not None
            moments.append(following)
        assert max(late - early for early, late in pairwise(moments[1:])) <= max(every, 60)


@pytest.mark.parametrize(
    ("keep", "options"),
    [
        (Keep(daily=14, monthly=6), "keep-daily=14,keep-monthly=6"),
        (Keep(yearly=1, last=3, weekly=4), "keep-last=3,keep-weekly=4,keep-yearly=1"),
        (Keep(), "keep-all=1"),
    ],
)
def test_prune_options(keep: Keep, options: str) -> None:
    assert prune_options(keep) == options
