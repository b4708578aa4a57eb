"""By rule: what the site's automatic rules approve without a person, in an amount per OPD and day.

Everything is checked as it is for a person, offer, policy and quota; what a rule does not give
waits for people. Each such decision stands in the ledger under the rule's name, by `system`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from cloudpemda.errors import CloudpemdaError, Fault
from cloudpemda.ledger import SYSTEM, Ballot, DayLimit, RequestRecord
from cloudpemda.rules.approvals import automatic_for
from cloudpemda.site.approvals import AutomaticRule
from cloudpemda.units import Instant
from cloudpemda.usecases.approve import checked_offer, record_decision
from cloudpemda.usecases.desk import Desk


@dataclass(frozen=True)
class ByRule:
    """What became of one request that a rule is about."""

    key: str
    rule: str
    approved: bool
    faults: tuple[Fault, ...]  # why it waits for people


def decide_by_rule(desk: Desk, key: str) -> ByRule | None:
    """Approve a pending request where a rule says so; None where none is about it.

    Nothing is raised for what a person may decide yet: it waits, and the answer says why.
    """
    record = desk.ledger.requests.get(key).as_proposed
    rule = automatic_for(record.spec, desk.site) if record.pending else None
    if rule is None:
        return None
    try:
        _decide(desk, record, rule)
    except CloudpemdaError as error:
        return ByRule(record.key, rule.name, False, error.faults)
    return ByRule(record.key, rule.name, True, ())


def decide_all_by_rule(desk: Desk) -> tuple[ByRule, ...]:
    """The same for every request that waits, oldest first; for the timer's runs."""
    if not desk.site.info.approvals.automatic:
        return ()
    waiting = (record.key for record in desk.ledger.requests.list() if record.pending)
    found = (decide_by_rule(desk, key) for key in waiting)
    return tuple(one for one in found if one is not None)


def _decide(desk: Desk, record: RequestRecord, rule: AutomaticRule) -> None:
    limit = DayLimit(rule.name, rule.per_day, midnight(desk))
    ballot = Ballot(0, (1,), f"{rule.name}: automatic", "rule", automatic=limit)
    record_decision(desk, record, checked_offer(desk, record), SYSTEM, ballot)


def midnight(desk: Desk) -> Instant:
    """When the day began in the site's zone."""
    today = desk.clock.now().astimezone(desk.site.zone).date()
    return Instant(datetime.combine(today, time(), desk.site.zone).astimezone(UTC))
