"""Expiring: what time itself ends, ended when it is looked at, and said before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from cloudpemda.ledger import RequestRecord
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk, Scope


@dataclass(frozen=True)
class Expiring:
    """A hold, or the waiting for a decision, that ends soon."""

    opd: str
    key: str
    number: str
    what: Literal["hold", "pending"]
    at: Instant


def expire(desk: Desk) -> tuple[str, ...]:
    """End the holds that ran out and the requests that waited too long; their numbers."""
    now = desk.clock.now()
    waited = timedelta(seconds=desk.site.info.approvals.pending_for)
    since = Instant(now - waited)
    requests = desk.ledger.requests
    ended = requests.expire_holds(now) + requests.expire_pending(since)
    ended += desk.ledger.grants.expire_pending(since)
    return tuple(sorted(set(ended)))


def expiring(desk: Desk, scope: Scope | None = None) -> tuple[Expiring, ...]:
    """What ends within the site's `warnBefore`, soonest first; `scope` None is all."""
    soon = Instant(desk.clock.now() + timedelta(seconds=desk.site.info.approvals.warn_before))
    found = [
        one
        for record in desk.ledger.requests.list()
        if scope is None or scope.covers(record.opd)
        for one in _ends(desk, record)
        if one.at <= soon
    ]
    return tuple(sorted(found, key=lambda one: (one.at, one.key)))


def _ends(desk: Desk, record: RequestRecord) -> Iterator[Expiring]:
    asked = record.as_proposed
    if record.pending:
        waited = timedelta(seconds=desk.site.info.approvals.pending_for)
        at = Instant(asked.updated_at + waited)
        yield Expiring(record.opd, record.key, record.number, "pending", at)
    elif asked.approval is not None and (record.state == "approved" or record.change_approved):
        at = asked.approval.hold_until
        yield Expiring(record.opd, record.key, record.number, "hold", at)
