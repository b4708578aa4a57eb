"""What was granted on top of an OPD's limits, and the requests for quota as they are read."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Row, select

from cloudpemda.ledger.audit import Actor
from cloudpemda.ledger.schema import grants, quota_requests, quota_revisions
from cloudpemda.ledger.states import QuotaState
from cloudpemda.request.quota_request import QuotaSpec, quota_from_json
from cloudpemda.request.spec import Letter
from cloudpemda.rules.granting import Period
from cloudpemda.units import Instant

_Row = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Grant:
    """One limit of one OPD, raised by `amount` (MiB for sizes) for a period."""

    number: str  # of the request that it was decided on
    opd: str
    dimension: str
    amount: int
    period: Period
    ended_at: Instant | None  # taken back before its time
    letter: Letter
    actor: Actor  # who decided
    at: Instant

    def covers(self, moment: Instant) -> bool:
        """Whether it is in force at that moment."""
        return self.period.covers(moment) and (self.ended_at is None or moment < self.ended_at)


@dataclass(frozen=True, slots=True)
class QuotaRecord:
    """A request for quota as it stands."""

    number: str
    state: QuotaState
    revision: int
    spec: QuotaSpec
    submitted_by: Actor  # who handed in the current revision
    submitted_at: Instant
    updated_at: Instant
    reason: str | None
    grants: tuple[Grant, ...]  # of the current revision

    @property
    def pending(self) -> bool:
        """Whether a decision is awaited."""
        return self.state is QuotaState.PENDING

    @property
    def decided(self) -> bool:
        """Whether its chain was completed, and what it led to is known by it."""
        return self.state in (QuotaState.GRANTED, QuotaState.ENDED)

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def opd(self) -> str:
        return self.spec.opd


def quota_record(connection: Connection, number: str) -> QuotaRecord:
    row = connection.execute(
        select(
            quota_requests,
            quota_revisions.c.spec,
            quota_revisions.c.login,
            quota_revisions.c.person,
            quota_revisions.c.role,
            quota_revisions.c.at,
        )
        .join(
            quota_revisions,
            (quota_revisions.c.number == quota_requests.c.number)
            & (quota_revisions.c.revision == quota_requests.c.revision),
        )
        .where(quota_requests.c.number == number)
    ).one()
    return QuotaRecord(
        number=row.number,
        state=QuotaState(row.state),
        revision=row.revision,
        spec=quota_from_json(row.spec),
        submitted_by=Actor(row.login, row.person, row.role),
        submitted_at=row.at,
        updated_at=row.updated_at,
        reason=row.reason,
        grants=grants_on(connection, number, row.revision),
    )


def grants_on(connection: Connection, number: str, revision: int) -> tuple[Grant, ...]:
    query = (
        select(grants)
        .where(grants.c.number == number, grants.c.revision == revision)
        .order_by(grants.c.dimension)
    )
    return tuple(grant_of(row) for row in connection.execute(query))


def grant_of(row: _Row) -> Grant:
    return Grant(
        number=row.number,
        opd=row.opd,
        dimension=row.dimension,
        amount=row.amount,
        period=Period(row.starts_at, row.ends_at),
        ended_at=row.ended_at,
        letter=Letter(row.letter_number, date.fromisoformat(row.letter_date)),
        actor=Actor(row.login, row.person, row.role),
        at=row.at,
    )
