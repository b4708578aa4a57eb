"""How long VMs are lent: until the end of the day that was asked for, and a grace after it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cloudpemda.units import Instant


def lease_end(until: date, zone: ZoneInfo) -> Instant:
    """The moment after the last of the day `until` in the site's zone."""
    return Instant(datetime.combine(until + timedelta(days=1), time(), zone).astimezone(UTC))


def stop_at(end: Instant, standing_since: Instant, grace: int) -> Instant:
    """When the VMs of a lease are stopped: `grace` seconds after its end, and not before they have
    lived as long since they were made or brought back."""
    return Instant(max(end, standing_since) + timedelta(seconds=grace))
