"""Who may ask for more quota, and from when to when it is in force. Who decides on it stands in
`approvals`."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloudpemda.errors import Fault
from cloudpemda.request.quota_request import QuotaSpec
from cloudpemda.rules.quota import DISK
from cloudpemda.rules.verdict import Verdict
from cloudpemda.site import Site
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Period:
    """When a grant is in force: from `start` on, until before `end`; None is for good."""

    start: Instant
    end: Instant | None

    def covers(self, moment: Instant) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


def period_of(spec: QuotaSpec, zone: ZoneInfo, now: Instant) -> Period:
    """The days that the document names, whole and in the site's zone; never before `now`, when it
    is decided."""
    start = now if spec.start is None else max(now, _midnight(spec.start, zone))
    end = None if spec.until is None else _midnight(spec.until + timedelta(days=1), zone)
    return Period(start, end)


def may_ask_quota(spec: QuotaSpec, site: Site, *, now: Instant) -> Verdict:
    """May this OPD ask for this? All that speaks against it, at once."""
    opd = site.opds.get(spec.opd)
    if opd is None:
        return Verdict((_fault("policy.opd-unknown", "metadata.opd", opd=spec.opd),))
    faults: list[Fault] = []
    today = now.astimezone(site.zone).date()
    if spec.until is not None and spec.until < today:
        faults.append(
            _fault("policy.until-past", "spec.until", until=str(spec.until), today=str(today))
        )
    if spec.until is not None and spec.start is not None and spec.until < spec.start:
        faults.append(
            _fault(
                "quota-request.backwards",
                "spec.until",
                start=str(spec.start),
                until=str(spec.until),
            )
        )
    limits = site.effective_quota(spec.opd)
    for dimension in spec.amounts:
        path = f"spec.add.{dimension}"
        if dimension not in limits:
            faults.append(
                _fault(
                    "policy.storage-class",
                    path,
                    storage_class=dimension.removeprefix(DISK),
                    known=", ".join(site.info.storage_classes),
                )
            )
        elif limits[dimension] is None:
            faults.append(
                _fault("quota-request.unlimited", path, opd=spec.opd, dimension=dimension)
            )
    return Verdict(tuple(faults))


def _midnight(day: date, zone: ZoneInfo) -> Instant:
    return Instant(datetime.combine(day, time(), zone).astimezone(ZoneInfo("UTC")))


def _fault(code: str, path: str | None, **values: object) -> Fault:
    return Fault(code, MappingProxyType(values), path=path)
