"""Waiting: what somebody is awaited for, requests for VMs, changes and requests for quota alike."""

from dataclasses import dataclass

from cloudpemda.ledger import QuotaRecord, RequestRecord
from cloudpemda.rules.approvals import chosen
from cloudpemda.usecases.approve import decider
from cloudpemda.usecases.chain import chain_view, matter_of
from cloudpemda.usecases.desk import Desk


@dataclass(frozen=True)
class Waiting:
    """One thing to decide on: `request show NUMBER` has the rest."""

    number: str
    key: str
    revision: int
    purpose: str
    decided: int  # of `demanded` decisions, by others before
    demanded: int


def waiting(desk: Desk) -> tuple[Waiting, ...]:
    """What the person who asks may decide now, by their own role or as a stand-in; oldest first.

    Raises Refused `desk.unknown-person`.
    """
    person = decider(desk)
    open_: list[RequestRecord | QuotaRecord] = [
        *(record.as_proposed for record in desk.ledger.requests.list()),
        *desk.ledger.grants.list(),
    ]
    found = []
    for record in open_:
        if record.pending and chosen(person, matter_of(desk, record, None)) is not None:
            chain = chain_view(desk, record, None)
            found.append(
                Waiting(
                    number=record.number,
                    key=record.key,
                    revision=record.revision,
                    purpose=record.spec.purpose,
                    decided=chain.decided,
                    demanded=chain.demanded,
                )
            )
    return tuple(found)
