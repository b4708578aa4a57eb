"""From when to when more quota is in force: whole days, in the site's zone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.request import QuotaSpec
from cloudpemda.request.spec import Letter, Requester
from cloudpemda.rules.granting import period_of
from cloudpemda.rules.quota import overage, raised, reached
from cloudpemda.units import Instant

ZONE = ZoneInfo("Asia/Jakarta")
NOW = Instant(datetime(2026, 11, 20, 1, tzinfo=UTC))
SPEC = QuotaSpec(
    "dinkes", "tambahan", "", (("vcpu", 1),), None, date(2026, 12, 31),
    Letter("1", date(2026, 11, 20)), Requester("Siti", "198501012010012001", "Kasubag", "s@x.id"),
)  # fmt: skip


def test_it_lasts_to_the_end_of_its_last_day_in_the_sites_zone() -> None:
    period = period_of(SPEC, ZONE, NOW)
    assert period.end == datetime(2027, 1, 1, tzinfo=ZONE)
    assert period.end is not None
    assert period.covers(Instant(period.end - timedelta(microseconds=1)))
    assert not period.covers(period.end)


@given(st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_it_never_begins_before_it_is_decided(start: date | None) -> None:
    period = period_of(replace(SPEC, start=start, until=None), ZONE, NOW)
    assert period.start >= NOW
    assert period.end is None
    if start is not None and start > NOW.astimezone(ZONE).date():
        assert period.start.astimezone(ZONE).date() == start


def test_grants_raise_limits_and_leave_unlimited_alone() -> None:
    limits = {"vcpu": 4, "memory": None}
    assert raised(limits, {"vcpu": 2, "memory": 9, "backup": 3}) == {
        "vcpu": 6, "memory": None, "backup": 3,
    }  # fmt: skip


@given(st.integers(0, 200), st.integers(1, 100))
def test_the_highest_threshold_that_is_reached_is_told(charged: int, limit: int) -> None:
    found = reached(charged, limit, (80, 95))
    share = charged * 100 / limit
    assert found == (95 if share >= 95 else 80 if share >= 80 else None)
    assert overage(charged, limit) == max(0, charged - limit)
    assert overage(charged, None) == 0
