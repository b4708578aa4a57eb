"""Deny and withdraw: the two ways a request ends before it is built."""

from cloudpemda.errors import Refused
from cloudpemda.ledger import RequestRecord
from cloudpemda.messages import harmless
from cloudpemda.usecases.approve import objection, require_open, require_pending
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.expiring import expire

LONGEST_REASON = 500
"""Characters. A reason is read in a table, in a letter and in the audit log."""


def deny(desk: Desk, key: str, reason: str) -> RequestRecord:
    """Decide against the current revision, or the open proposal, in any stage.

    Raises Refused by role, or without a proper reason.
    """
    expire(desk)
    record = desk.ledger.requests.get(key).as_proposed
    require_open(desk, record, "deny")
    actor, ballot = objection(desk, record)
    require_pending(record, "deny")
    require_reason(record.number, reason)
    desk.ledger.requests.deny(
        record.key, spec_hash=record.spec_hash, reason=reason, actor=actor, ballot=ballot
    )
    return desk.ledger.requests.get(record.key)


def withdraw(desk: Desk, key: str, reason: str | None) -> RequestRecord:
    """Take a request, or the open proposal for one that lives, back; its hold returns.

    For the OPD's requesters and for operators.
    """
    record = desk.ledger.requests.get(key)
    actor = desk.act("requester", "operator", opd=record.opd)
    if reason is not None:
        require_reason(record.number, reason)
    desk.ledger.requests.withdraw(record.key, actor=actor, reason=reason)
    return desk.ledger.requests.get(record.key)


def require_reason(number: str, reason: str) -> None:
    """A reason is one line of words: what does something on a terminal is not kept.

    Raises Refused `ledger.reason-missing`, `request.reason-long` or `request.reason-signs`.
    """
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject=number)
    if len(reason) > LONGEST_REASON:
        raise Refused("request.reason-long", length=len(reason), most=LONGEST_REASON)
    if harmless(reason) != reason:
        raise Refused("request.reason-signs", reason=reason)
