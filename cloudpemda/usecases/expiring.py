"""Expiring: what time itself ends, ended when it is looked at, and said before.

Holds and requests that wait are told within the site's `warnBefore`, grants and delegations within
the first of its `announceEnds`. Whoever looks sees all of it; the night announces each ending once
for each of these times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from typing import Literal

from cloudpemda.ledger import SYSTEM, Notice, QuotaRecord, QuotaState, RequestRecord, RequestState
from cloudpemda.rules.leases import lease_end
from cloudpemda.site.approvals import Delegation
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk, Scope

Ending = Literal["hold", "pending", "grant", "delegation", "lease"]


@dataclass(frozen=True)
class Expiring:
    """What ends soon: a hold, the waiting for a decision, more quota, a delegation, or the time
    for which VMs were asked."""

    opd: str | None  # None: a delegation of somebody who decides for all
    key: str  # of the request; of a delegation who stands in for whom
    number: str  # of the request; of a delegation its letter's
    what: Ending
    at: Instant
    over: bool = False  # it has ended, and nobody has looked since: what it held is held still


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
    """What ends soon by the site's times, soonest first; `scope` None is all."""
    now = desk.clock.now()
    found = [
        replace(one, over=one.at <= now)
        for one in _all_ends(desk)
        if _concerns(scope, one.opd)
        and one.at <= now + timedelta(seconds=max(_times(desk, one.what)))
    ]
    return tuple(sorted(found, key=lambda one: (one.at, one.key, one.opd or "")))


def announce(desk: Desk) -> tuple[Expiring, ...]:
    """What is to be said now and was not said yet, soonest first; from then on it was."""
    now = desk.clock.now()
    due: dict[Notice, Expiring] = {}
    for one in expiring(desk):
        reached = (
            before for before in _times(desk, one.what) if one.at <= now + timedelta(seconds=before)
        )
        subject = one.number if one.what != "delegation" else f"{one.key}: {one.opd or '*'}"
        due[Notice(one.what, one.opd, subject, one.at, min(reached))] = one
    fresh = desk.ledger.notices.give(tuple(due), SYSTEM)
    return tuple(due[notice] for notice in fresh)


def lease_until(record: RequestRecord) -> date:
    """The last day of a workload: a later one counts from when it is approved."""
    until = record.spec.until
    decided = record.change_approved or record.changing
    return max(until, record.as_proposed.spec.until) if decided else until


def _times(desk: Desk, what: Ending) -> tuple[int, ...]:
    """How many seconds before its end it is told of."""
    rules = desk.site.info.approvals
    if what == "lease":
        return (*desk.site.info.retirement.announce, 0)
    return rules.announce_ends if what in ("grant", "delegation") else (rules.warn_before,)


def _concerns(scope: Scope | None, opd: str | None) -> bool:
    if scope is None or scope.opds is None:
        return True
    return opd is not None and scope.covers(opd)


def _all_ends(desk: Desk) -> Iterator[Expiring]:
    for record in desk.ledger.requests.list():
        yield from _ends(desk, record)
        if record.state is RequestState.ACTIVE:
            at = lease_end(lease_until(record), desk.site.zone)
            yield Expiring(record.opd, record.key, record.number, "lease", at)
    for state in (QuotaState.PENDING, QuotaState.GRANTED):
        for asked in desk.ledger.grants.list(state=state):
            yield from _quota_ends(desk, asked)
    for delegation in desk.site.delegations:
        yield from _delegation_ends(desk, delegation)


def _ends(desk: Desk, record: RequestRecord) -> Iterator[Expiring]:
    asked = record.as_proposed
    if record.pending:
        at = _given_up(desk, asked.updated_at)
        yield Expiring(record.opd, record.key, record.number, "pending", at)
    elif asked.approval is not None and (record.state == "approved" or record.change_approved):
        at = asked.approval.hold_until
        yield Expiring(record.opd, record.key, record.number, "hold", at)


def _quota_ends(desk: Desk, record: QuotaRecord) -> Iterator[Expiring]:
    if record.pending:
        at = _given_up(desk, record.updated_at)
        yield Expiring(record.opd, record.key, record.number, "pending", at)
    elif record.state is QuotaState.GRANTED:
        # All amounts of one request are granted for the same time.
        end = record.grants[0].period.end
        if end is not None and end > desk.clock.now():
            yield Expiring(record.opd, record.key, record.number, "grant", end)


def _given_up(desk: Desk, since: Instant) -> Instant:
    return Instant(since + timedelta(seconds=desk.site.info.approvals.pending_for))


def _delegation_ends(desk: Desk, one: Delegation) -> Iterator[Expiring]:
    """Once for each OPD that it is for."""
    at = Instant(one.until.replace(tzinfo=desk.site.zone).astimezone(UTC))
    if at <= desk.clock.now():
        return
    person = next(person for person in desk.site.people if person.login == one.from_)
    own = [grant.opd for grant in person.roles if grant.role == one.role]
    opds = [one.opd] if one.opd is not None else own
    key = f"{one.to} ({one.as_.capitalize()} {one.from_})"
    for opd in (None,) if None in opds else sorted({opd for opd in opds if opd is not None}):
        yield Expiring(opd, key, one.letter.number, "delegation", at)
