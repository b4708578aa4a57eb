"""Runs that died: what they had done by then, and what PVE still does for them."""

from collections.abc import Collection

from cloudpemda.errors import Refused
from cloudpemda.ledger import (
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    SagaEvent,
)
from cloudpemda.proxmox import upid_works_on
from cloudpemda.usecases.desk import Desk

RETIRE, PURGE = "retire", "purge"  # kinds of sagas
_LEAVING = frozenset({RequestState.RETIRING, RequestState.RETIRED})
_AWAY = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})


def of_kind(desk: Desk, kind: str) -> frozenset[str]:
    """The numbers of the requests of which such a saga was begun, and not ended."""
    return frozenset(one.number for one in desk.ledger.journal.unfinished() if one.kind == kind)


def begun(desk: Desk, record: RequestRecord, kind: str) -> bool:
    """Whether a saga of a request was begun, and not ended."""
    return record.number in of_kind(desk, kind)


def finish(desk: Desk, record: RequestRecord, kind: str) -> None:
    """End a saga of which nothing is left to do: its run died before it could say so. Raises
    Refused `journal.busy` while a living process is at it."""
    if begun(desk, record, kind):
        with desk.ledger.journal.open_saga(record.number, kind) as journal:
            journal.close(SagaEvent.FINISH)


def was_cut_off(desk: Desk, record: RequestRecord, left: Collection[InstanceRecord]) -> bool:
    """Whether a purge has released all that it was to purge, and died before it could say so;
    `left` are the request's instances now."""
    if any(one.state in _AWAY for one in left):
        return False
    return (record.state in _LEAVING and not left) or begun(desk, record, PURGE)


def require_none_at_work(
    desk: Desk, record: RequestRecord, back: Collection[InstanceRecord]
) -> None:
    """Raises Refused where what a purge that died has asked for is still going on in PVE: the VM
    that is read now is gone a moment later."""
    if not begun(desk, record, PURGE):
        return
    for cluster in sorted({one.cluster for one in back}):
        running = [upid for upid, ended in desk.cluster(cluster).tasks().items() if ended is None]
        for one in back:
            if any(upid_works_on(upid, one.vmid) for upid in running):
                raise Refused("retire.at-work", key=record.key, vm=one.key, vmid=one.vmid)
