"""The lives of requests, proposals, instances and sagas, as tables. Any other pair raises."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from cloudpemda.errors import Refused


class RequestState(StrEnum):
    SUBMITTED = "submitted"
    PENDING = "pending"  # waits for a decision; holds nothing
    APPROVED = "approved"  # holds quota until the hold expires
    APPLYING = "applying"
    ACTIVE = "active"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    FAILED = "failed"  # taken back whole; holds nothing
    STUCK = "stuck"  # a human is needed
    RETIRING = "retiring"  # its VMs are being stopped
    RETIRED = "retired"  # all in quarantine: stopped, restorable, still charged
    ENDED = "ended"  # its VMs are gone; what could not be removed is listed as orphans


class RequestEvent(StrEnum):
    QUEUE = "queue"
    ADOPT = "adopt"  # its VMs stood there before the ledger knew them
    REVISE = "revise"
    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    VOID = "void"  # the approval no longer covers what would be made
    BEGIN = "begin"
    FINISH = "finish"
    FAIL = "fail"
    STICK = "stick"
    RETIRE = "retire"
    QUARANTINE = "quarantine"
    RESTORE = "restore"
    TRANSFER = "transfer"  # to another OPD
    END = "end"


class ProposalState(StrEnum):
    """Of a changed document for a workload that lives; the workload stays `active` meanwhile."""

    PENDING = "pending"  # waits for a decision; holds nothing
    APPROVED = "approved"  # holds what grows until the hold expires
    APPLYING = "applying"  # its hold stays until it is made or taken back
    APPLIED = "applied"  # what the workload lives by now
    DENIED = "denied"
    WITHDRAWN = "withdrawn"  # also what `apply --undo` took back
    EXPIRED = "expired"


class ProposalEvent(StrEnum):
    REVISE = "revise"
    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    VOID = "void"  # the approval no longer covers what would be made, or who gave it lost the role
    BEGIN = "begin"
    FINISH = "finish"
    FAIL = "fail"  # taken back whole


class QuotaState(StrEnum):
    """Of a request for quota. A grant that ends by its date changes no state."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"  # nobody decided in time
    ENDED = "ended"  # its grants were taken back, or ran out before it was handed in anew


class QuotaEvent(StrEnum):
    REVISE = "revise"
    GRANT = "grant"
    DENY = "deny"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    VOID = "void"  # somebody who decided for it has lost the role
    END = "end"


class InstanceState(StrEnum):
    PLANNED = "planned"  # has its identity; nothing is there yet
    CREATING = "creating"
    ACTIVE = "active"
    CHANGING = "changing"
    RETIRING = "retiring"
    RETIRED = "retired"  # quarantine: stopped, restorable, still charged
    PURGED = "purged"  # gone, and confirmed gone; charges nothing
    FAILED = "failed"  # creation was taken back; identity and hold are kept for the next try
    STUCK = "stuck"


class InstanceEvent(StrEnum):
    ADOPT = "adopt"  # it stood there before the ledger knew it
    PLACE = "place"
    CREATE = "create"
    ACTIVATE = "activate"
    FAIL = "fail"
    STICK = "stick"
    CHANGE = "change"
    RETIRE = "retire"
    QUARANTINE = "quarantine"
    RESTORE = "restore"
    TRANSFER = "transfer"
    RELEASE = "release"


class SagaState(StrEnum):
    OPEN = "open"
    DONE = "done"
    UNDONE = "undone"
    STUCK = "stuck"


class SagaEvent(StrEnum):
    CONTINUE = "continue"
    FINISH = "finish"
    UNDO = "undo"
    STICK = "stick"


REQUEST: Mapping[tuple[RequestState, RequestEvent], RequestState] = MappingProxyType(
    {
        (RequestState.SUBMITTED, RequestEvent.QUEUE): RequestState.PENDING,
        (RequestState.SUBMITTED, RequestEvent.ADOPT): RequestState.ACTIVE,
        (RequestState.PENDING, RequestEvent.REVISE): RequestState.PENDING,
        (RequestState.PENDING, RequestEvent.APPROVE): RequestState.APPROVED,
        (RequestState.PENDING, RequestEvent.DENY): RequestState.DENIED,
        (RequestState.PENDING, RequestEvent.WITHDRAW): RequestState.WITHDRAWN,
        (RequestState.PENDING, RequestEvent.EXPIRE): RequestState.EXPIRED,
        (RequestState.PENDING, RequestEvent.VOID): RequestState.PENDING,
        (RequestState.APPROVED, RequestEvent.REVISE): RequestState.PENDING,
        (RequestState.APPROVED, RequestEvent.VOID): RequestState.PENDING,
        (RequestState.APPROVED, RequestEvent.WITHDRAW): RequestState.WITHDRAWN,
        (RequestState.APPROVED, RequestEvent.EXPIRE): RequestState.EXPIRED,
        (RequestState.APPROVED, RequestEvent.BEGIN): RequestState.APPLYING,
        (RequestState.APPLYING, RequestEvent.BEGIN): RequestState.APPLYING,
        (RequestState.APPLYING, RequestEvent.FINISH): RequestState.ACTIVE,
        (RequestState.APPLYING, RequestEvent.FAIL): RequestState.FAILED,
        (RequestState.APPLYING, RequestEvent.STICK): RequestState.STUCK,
        (RequestState.ACTIVE, RequestEvent.BEGIN): RequestState.ACTIVE,
        (RequestState.ACTIVE, RequestEvent.TRANSFER): RequestState.ACTIVE,
        (RequestState.STUCK, RequestEvent.BEGIN): RequestState.APPLYING,
        (RequestState.STUCK, RequestEvent.STICK): RequestState.STUCK,
        (RequestState.STUCK, RequestEvent.FAIL): RequestState.FAILED,
        (RequestState.DENIED, RequestEvent.REVISE): RequestState.PENDING,
        (RequestState.WITHDRAWN, RequestEvent.REVISE): RequestState.PENDING,
        (RequestState.EXPIRED, RequestEvent.REVISE): RequestState.PENDING,
        (RequestState.FAILED, RequestEvent.REVISE): RequestState.PENDING,
        (RequestState.ACTIVE, RequestEvent.RETIRE): RequestState.RETIRING,
        (RequestState.RETIRING, RequestEvent.QUARANTINE): RequestState.RETIRED,
        (RequestState.RETIRING, RequestEvent.RESTORE): RequestState.ACTIVE,
        (RequestState.RETIRING, RequestEvent.END): RequestState.ENDED,
        (RequestState.RETIRED, RequestEvent.RETIRE): RequestState.RETIRING,
        (RequestState.RETIRED, RequestEvent.RESTORE): RequestState.ACTIVE,
        (RequestState.RETIRED, RequestEvent.END): RequestState.ENDED,
        (RequestState.ENDED, RequestEvent.REVISE): RequestState.PENDING,
    }
)

PROPOSAL: Mapping[tuple[ProposalState, ProposalEvent], ProposalState] = MappingProxyType(
    {
        (ProposalState.PENDING, ProposalEvent.REVISE): ProposalState.PENDING,
        (ProposalState.PENDING, ProposalEvent.APPROVE): ProposalState.APPROVED,
        (ProposalState.PENDING, ProposalEvent.DENY): ProposalState.DENIED,
        (ProposalState.PENDING, ProposalEvent.WITHDRAW): ProposalState.WITHDRAWN,
        (ProposalState.PENDING, ProposalEvent.EXPIRE): ProposalState.EXPIRED,
        (ProposalState.PENDING, ProposalEvent.VOID): ProposalState.PENDING,
        (ProposalState.APPROVED, ProposalEvent.REVISE): ProposalState.PENDING,
        (ProposalState.APPROVED, ProposalEvent.VOID): ProposalState.PENDING,
        (ProposalState.APPROVED, ProposalEvent.WITHDRAW): ProposalState.WITHDRAWN,
        (ProposalState.APPROVED, ProposalEvent.EXPIRE): ProposalState.EXPIRED,
        (ProposalState.APPROVED, ProposalEvent.BEGIN): ProposalState.APPLYING,
        (ProposalState.APPLYING, ProposalEvent.BEGIN): ProposalState.APPLYING,
        (ProposalState.APPLYING, ProposalEvent.FINISH): ProposalState.APPLIED,
        (ProposalState.APPLYING, ProposalEvent.FAIL): ProposalState.WITHDRAWN,
        (ProposalState.APPLIED, ProposalEvent.REVISE): ProposalState.PENDING,
        (ProposalState.DENIED, ProposalEvent.REVISE): ProposalState.PENDING,
        (ProposalState.WITHDRAWN, ProposalEvent.REVISE): ProposalState.PENDING,
        (ProposalState.EXPIRED, ProposalEvent.REVISE): ProposalState.PENDING,
    }
)

QUOTA: Mapping[tuple[QuotaState, QuotaEvent], QuotaState] = MappingProxyType(
    {
        (QuotaState.PENDING, QuotaEvent.REVISE): QuotaState.PENDING,
        (QuotaState.PENDING, QuotaEvent.GRANT): QuotaState.GRANTED,
        (QuotaState.PENDING, QuotaEvent.DENY): QuotaState.DENIED,
        (QuotaState.PENDING, QuotaEvent.WITHDRAW): QuotaState.WITHDRAWN,
        (QuotaState.PENDING, QuotaEvent.EXPIRE): QuotaState.EXPIRED,
        (QuotaState.PENDING, QuotaEvent.VOID): QuotaState.PENDING,
        (QuotaState.GRANTED, QuotaEvent.END): QuotaState.ENDED,
        (QuotaState.DENIED, QuotaEvent.REVISE): QuotaState.PENDING,
        (QuotaState.WITHDRAWN, QuotaEvent.REVISE): QuotaState.PENDING,
        (QuotaState.EXPIRED, QuotaEvent.REVISE): QuotaState.PENDING,
        (QuotaState.ENDED, QuotaEvent.REVISE): QuotaState.PENDING,
    }
)

INSTANCE: Mapping[tuple[InstanceState, InstanceEvent], InstanceState] = MappingProxyType(
    {
        (InstanceState.PLANNED, InstanceEvent.ADOPT): InstanceState.ACTIVE,
        (InstanceState.PLANNED, InstanceEvent.PLACE): InstanceState.PLANNED,
        (InstanceState.PLANNED, InstanceEvent.CREATE): InstanceState.CREATING,
        (InstanceState.PLANNED, InstanceEvent.RELEASE): InstanceState.PURGED,
        (InstanceState.CREATING, InstanceEvent.CREATE): InstanceState.CREATING,
        (InstanceState.CREATING, InstanceEvent.ACTIVATE): InstanceState.ACTIVE,
        (InstanceState.CREATING, InstanceEvent.FAIL): InstanceState.FAILED,
        (InstanceState.CREATING, InstanceEvent.STICK): InstanceState.STUCK,
        (InstanceState.CREATING, InstanceEvent.RELEASE): InstanceState.PURGED,
        (InstanceState.ACTIVE, InstanceEvent.ACTIVATE): InstanceState.ACTIVE,
        (InstanceState.ACTIVE, InstanceEvent.CHANGE): InstanceState.CHANGING,
        (InstanceState.ACTIVE, InstanceEvent.TRANSFER): InstanceState.ACTIVE,
        (InstanceState.ACTIVE, InstanceEvent.STICK): InstanceState.STUCK,
        (InstanceState.ACTIVE, InstanceEvent.RETIRE): InstanceState.RETIRING,
        (InstanceState.CHANGING, InstanceEvent.ACTIVATE): InstanceState.ACTIVE,
        (InstanceState.CHANGING, InstanceEvent.CHANGE): InstanceState.CHANGING,
        (InstanceState.CHANGING, InstanceEvent.STICK): InstanceState.STUCK,
        (InstanceState.CHANGING, InstanceEvent.RETIRE): InstanceState.RETIRING,
        (InstanceState.RETIRING, InstanceEvent.RETIRE): InstanceState.RETIRING,
        (InstanceState.RETIRING, InstanceEvent.QUARANTINE): InstanceState.RETIRED,
        (InstanceState.RETIRING, InstanceEvent.STICK): InstanceState.STUCK,
        (InstanceState.RETIRING, InstanceEvent.RELEASE): InstanceState.PURGED,
        (InstanceState.RETIRING, InstanceEvent.RESTORE): InstanceState.CHANGING,
        (InstanceState.RETIRED, InstanceEvent.RESTORE): InstanceState.CHANGING,
        (InstanceState.RETIRED, InstanceEvent.RELEASE): InstanceState.PURGED,
        (InstanceState.FAILED, InstanceEvent.PLACE): InstanceState.PLANNED,
        (InstanceState.FAILED, InstanceEvent.CREATE): InstanceState.CREATING,
        (InstanceState.FAILED, InstanceEvent.FAIL): InstanceState.FAILED,
        (InstanceState.FAILED, InstanceEvent.RELEASE): InstanceState.PURGED,
        (InstanceState.STUCK, InstanceEvent.CREATE): InstanceState.CREATING,
        (InstanceState.STUCK, InstanceEvent.RETIRE): InstanceState.RETIRING,
        (InstanceState.STUCK, InstanceEvent.STICK): InstanceState.STUCK,
        (InstanceState.STUCK, InstanceEvent.RELEASE): InstanceState.PURGED,
        (InstanceState.PURGED, InstanceEvent.RELEASE): InstanceState.PURGED,
    }
)

SAGA: Mapping[tuple[SagaState, SagaEvent], SagaState] = MappingProxyType(
    {
        (SagaState.OPEN, SagaEvent.CONTINUE): SagaState.OPEN,
        (SagaState.OPEN, SagaEvent.FINISH): SagaState.DONE,
        (SagaState.OPEN, SagaEvent.UNDO): SagaState.UNDONE,
        (SagaState.OPEN, SagaEvent.STICK): SagaState.STUCK,
        (SagaState.STUCK, SagaEvent.CONTINUE): SagaState.OPEN,
    }
)

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


def after(
    table: Mapping[tuple[State, Event], State], state: State, event: Event, subject: str
) -> State:
    """Where `event` leads from `state`. Raises Refused `ledger.transition` for an undefined pair.

    It is a refusal and not a bug: two people decide at once, or a command comes too late.
    """
    try:
        return table[state, event]
    except KeyError:
        raise Refused(
            "ledger.transition", subject=subject, state=state.value, event=event.value
        ) from None
