"""Deny and withdraw: the two ways a request ends before it is built."""

from cloudpemda.errors import Refused
from cloudpemda.ledger import RequestRecord
from cloudpemda.usecases.approve import deciding_actor
from cloudpemda.usecases.desk import Desk


def deny(desk: Desk, key: str, reason: str) -> RequestRecord:
    """Decide against the current revision. Raises Refused by role, or without a reason."""
    record = desk.ledger.requests.get(key)
    actor = deciding_actor(desk, record)
    desk.ledger.requests.deny(record.key, spec_hash=record.spec_hash, reason=reason, actor=actor)
    return desk.ledger.requests.get(record.key)


def withdraw(desk: Desk, key: str, reason: str | None) -> RequestRecord:
    """Take a request back; its hold returns. For the OPD's requesters and for operators."""
    record = desk.ledger.requests.get(key)
    actor = desk.act("requester", "operator", opd=record.opd)
    if reason is not None and not reason.strip():
        raise Refused("ledger.reason-missing", subject=record.number)
    desk.ledger.requests.withdraw(record.key, actor=actor, reason=reason)
    return desk.ledger.requests.get(record.key)
