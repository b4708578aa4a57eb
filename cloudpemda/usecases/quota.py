"""Quota: what each OPD may have, holds and uses, now and on a day of the past.

Limits are the site's, raised by the grants in force; one function of the ledger (`standings`) tells
them to whoever judges and to whoever looks. A balance above its limit (a limit was cut, a grant has
ended) is an overage: it is shown, takes no VM away, and refuses growth in that dimension alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cloudpemda.errors import Fault, UsageError
from cloudpemda.ledger import Actor, Grant
from cloudpemda.ledger.quota import REFUSED, refusal_faults
from cloudpemda.rules import Verdict
from cloudpemda.rules.quota import (
    Balance,
    Link,
    Standing,
    Usage,
    chain_of,
    judge,
    overage,
    reached,
    scope_of,
    total,
)
from cloudpemda.units import Instant, day_of, read_local, show_local
from cloudpemda.usecases.desk import Desk, require_opd


@dataclass(frozen=True)
class QuotaLine:
    """One dimension of one OPD: whole numbers, sizes in MiB; limit None is unlimited."""

    opd: str
    dimension: str
    limit: int | None  # grants included
    committed: int
    held: int
    warn: bool
    threshold: int | None = None  # the highest one reached, in percent of the limit
    over: int = 0  # by how much it stands above the limit
    overgrown: int = 0  # of what is committed: grown by hand, never approved; children included
    known: bool = True  # False: what the limit was then, no deed had seen yet

    @property
    def used(self) -> int:
        return self.committed + self.held


@dataclass(frozen=True)
class Refusal:
    """One refusal by quota, with the numbers of its moment."""

    at: Instant
    actor: Actor
    faults: tuple[Fault, ...]


def quota(desk: Desk, *opds: str, at: str | None = None) -> tuple[QuotaLine, ...]:
    """Limits and balances of these OPDs; of all that the person may see for none.

    With `at` (a day, which is its end, or a moment, in the site's zone) as they were then: the
    postings and grants up to it, under the limits that deeds had seen by then; the OPDs' tree is
    today's. Raises Refused `desk.scope` for another OPD, UsageError `look.opd` for one that does
    not exist, `quota.moment` or `quota.future`.
    """
    seen = _visible(desk, opds)
    if at is None:
        return quota_lines(desk, *seen)
    moment = moment_of(desk, at)
    past = desk.ledger.quota.standings_at(_links(desk, seen), moment)
    return tuple(line for one in past for line in _past_lines(desk, one))


def quota_lines(desk: Desk, *opds: str) -> tuple[QuotaLine, ...]:
    """Limits and balances of these OPDs now, their children's use included; all OPDs for none."""
    links = _links(desk, opds or tuple(sorted(desk.site.opds)))
    by_hand = desk.ledger.overages.by_opd()
    grown = {link.opd: total(by_hand.get(opd, {}) for opd in link.scope) for link in links}
    return tuple(
        replace(line, overgrown=grown[line.opd].get(line.dimension, 0))
        for one in desk.ledger.quota.standings(links)
        for line in _lines(desk, one)
    )


def grants(desk: Desk, *opds: str) -> tuple[Grant, ...]:
    """What was granted to these OPDs, or to all that the person may see, whenever it is in force.

    Raises like `quota`.
    """
    return desk.ledger.grants.of(_visible(desk, opds))


def quota_verdict(desk: Desk, opd: str, more: Usage) -> Verdict:
    """May `more` be added to what this OPD is charged now? Seen by it and by its parents."""
    chain = chain_of(opd, desk.site.opds, desk.site.effective_quota)
    return judge(desk.ledger.quota.standings(chain), more, desk.site.info.defaults.warn_at)


def note_limits(desk: Desk, actor: Actor) -> None:
    """Keep the limits of all OPDs as the site's files have them now, where they have changed."""
    seen = {opd: desk.site.effective_quota(opd) for opd in desk.site.opds}
    desk.ledger.quota.note_limits(seen, actor)


def refusals(desk: Desk, *subjects: str) -> tuple[Refusal, ...]:
    """What quota refused of a request (known by its number and its key), oldest first."""
    entries = (
        entry
        for subject in subjects
        for entry in desk.ledger.audit.log(subject=subject, action=REFUSED)
    )
    return tuple(
        Refusal(entry.at, entry.actor, refusal_faults(entry))
        for entry in sorted(entries, key=lambda one: one.seq)
    )


def moment_of(desk: Desk, text: str) -> Instant:
    """A moment of the past as people say it: `2026-12-31` is the end of that day (today: now),
    `2026-12-31 14:00` that minute in the site's zone; UTC where the text says so.

    Raises UsageError `quota.moment` for other text, `quota.future`.
    """
    now, zone = desk.clock.now(), desk.site.zone
    try:
        said = read_local(text, zone)
    except ValueError as error:
        raise UsageError("quota.moment", text=text) from error
    if isinstance(said, datetime):
        moment = said
    elif said == now.astimezone(zone).date():
        moment = now
    else:
        moment = Instant(day_of(said, zone)[1] - timedelta(microseconds=1))
    if moment > now:
        raise UsageError("quota.future", text=text, now=show_local(now, zone))
    return Instant(moment)


def _visible(desk: Desk, opds: Sequence[str]) -> tuple[str, ...]:
    scope = desk.scope()
    for opd in opds:
        scope.require(opd)
        require_opd(desk, opd)
    return tuple(opds) or tuple(opd for opd in sorted(desk.site.opds) if scope.covers(opd))


def _links(desk: Desk, opds: Sequence[str]) -> tuple[Link, ...]:
    site = desk.site
    return tuple(Link(opd, site.effective_quota(opd), scope_of(opd, site.opds)) for opd in opds)


def _lines(desk: Desk, standing: Standing) -> Iterator[QuotaLine]:
    warn_at = desk.site.info.defaults.warn_at
    for dimension, limit in standing.limits.items():
        balance = standing.balances.get(dimension, Balance())
        threshold = reached(balance.charged, limit, warn_at)
        yield QuotaLine(
            standing.opd,
            dimension,
            limit,
            balance.committed,
            balance.held,
            warn=threshold is not None,
            threshold=threshold,
            over=overage(balance.charged, limit),
        )


def _past_lines(desk: Desk, standing: Standing) -> Iterator[QuotaLine]:
    """As `_lines`, and every dimension of which the limit of then is not known; in the order in
    which the present is told, what it has no more behind it."""
    told = {line.dimension: line for line in _lines(desk, standing)}
    now = desk.site.effective_quota(standing.opd)
    for dimension in dict.fromkeys((*now, *sorted({*told, *standing.balances}))):
        balance = standing.balances.get(dimension, Balance())
        unknown = QuotaLine(
            standing.opd, dimension, None, balance.committed, balance.held, warn=False, known=False
        )
        yield told.get(dimension, unknown)
