"""Look: what the ledger says of requests, without changing anything."""

from dataclasses import dataclass

from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, UsageError
from cloudpemda.ledger import Entry, InstanceRecord, RequestRecord, RequestState
from cloudpemda.plan.offer import Offer
from cloudpemda.rules.quota import Limits
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.offer import offer


@dataclass(frozen=True)
class QuotaLine:
    """One dimension of one OPD: whole numbers, sizes in MiB; limit None is unlimited."""

    opd: str
    dimension: str
    limit: int | None
    committed: int
    held: int
    warn: bool

    @property
    def used(self) -> int:
        return self.committed + self.held


@dataclass(frozen=True)
class RequestView:
    """A request as a reviewer reads it."""

    record: RequestRecord
    instances: tuple[InstanceRecord, ...]
    history: tuple[Entry, ...]
    offer: Offer | None
    quota: tuple[QuotaLine, ...]
    faults: tuple[Fault, ...]  # why there is no offer
    code: ExitCode


def requests(
    desk: Desk, *, opd: str | None = None, state: str | None = None
) -> tuple[RequestRecord, ...]:
    """Requests by number. Raises UsageError `look.state` for a state that does not exist."""
    try:
        wanted = RequestState(state) if state else None
    except ValueError as error:
        known = ", ".join(one.value for one in RequestState)
        raise UsageError("look.state", state=state, known=known) from error
    return desk.ledger.requests.list(opd=opd, state=wanted)


def request_view(desk: Desk, key: str, *, offline: bool) -> RequestView:
    """One request; while it is pending, with the offer as it would be made now.

    Where no offer can be made the view says why, and `code` is that reason's exit code.
    """
    record = desk.ledger.requests.get(key)
    made: Offer | None = None
    faults: tuple[Fault, ...] = ()
    code = ExitCode.DONE
    if record.state is RequestState.PENDING and not offline:
        try:
            made = offer(desk, record)
        except CloudpemdaError as error:
            faults, code = error.faults, error.exit_code
    return RequestView(
        record=record,
        instances=desk.ledger.instances.list(workload=record.key),
        history=desk.ledger.audit.log(subject=record.number),
        offer=made,
        quota=quota_lines(desk, record.opd),
        faults=faults,
        code=code,
    )


def quota_lines(desk: Desk, *opds: str) -> tuple[QuotaLine, ...]:
    """Limits and balances of these OPDs, their children's use included; all OPDs for none."""
    return tuple(
        line
        for opd in (opds or tuple(sorted(desk.site.opds)))
        for line in _lines(desk, opd, desk.site.effective_quota(opd))
    )


def _lines(desk: Desk, opd: str, limits: Limits) -> tuple[QuotaLine, ...]:
    from cloudpemda.rules.quota import Balance, scope_of

    balances = desk.ledger.quota.balances(scope_of(opd, desk.site.opds))
    lines = []
    for dimension, limit in limits.items():
        balance = balances.get(dimension, Balance())
        warn = (
            limit is not None and balance.charged * 100 >= limit * desk.site.info.defaults.warn_at
        )
        lines.append(
            QuotaLine(
                opd, dimension, limit, balance.committed, balance.held, warn and balance.charged > 0
            )
        )
    return tuple(lines)
