"""Requests as they are read: each with its revision, its live approval and its proposal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, select

from cloudpemda.ledger.audit import Actor
from cloudpemda.ledger.schema import approvals, proposals, requests, revisions
from cloudpemda.ledger.states import ProposalState, RequestState
from cloudpemda.request.spec import WorkloadSpec, from_canonical_json
from cloudpemda.units import Instant

OPEN_PROPOSALS = frozenset({ProposalState.PENDING, ProposalState.APPROVED, ProposalState.APPLYING})


@dataclass(frozen=True, slots=True)
class Approval:
    """The live decision on a revision."""

    revision: int
    offer_digest: str
    offer: Mapping[str, object]
    actor: Actor
    at: Instant
    hold_until: Instant


@dataclass(frozen=True, slots=True)
class Proposal:
    """A changed document for a workload that lives, until it is decided and after."""

    revision: int
    spec: WorkloadSpec
    state: ProposalState
    submitted_by: Actor
    submitted_at: Instant
    updated_at: Instant
    reason: str | None  # of the last denial or withdrawal
    approval: Approval | None

    @property
    def open(self) -> bool:
        """Whether it waits for a decision, or for being applied to its end."""
        return self.state in OPEN_PROPOSALS


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as it stands. Of a workload that lives, `revision` and `spec` are what it lives
    by; what is asked of it beside that is the proposal."""

    number: str
    key: str
    state: RequestState
    revision: int
    spec: WorkloadSpec
    submitted_by: Actor  # who handed in the current revision
    submitted_at: Instant
    updated_at: Instant
    reason: str | None  # of the last denial, failure or voiding
    approval: Approval | None
    proposal: Proposal | None = None

    @property
    def opd(self) -> str:
        return self.spec.opd

    @property
    def spec_hash(self) -> str:
        return self.spec.spec_hash

    @property
    def pending(self) -> bool:
        """Whether a decision is awaited, on the request or on its proposal."""
        if self.proposal is not None and self.proposal.open:
            return self.proposal.state is ProposalState.PENDING
        return self.state is RequestState.PENDING

    @property
    def change_approved(self) -> bool:
        """Whether it lives, and a change to it is approved."""
        return self.proposal is not None and self.proposal.state is ProposalState.APPROVED

    @property
    def changing(self) -> bool:
        """Whether it lives, and a change to it was begun and is not through."""
        return self.proposal is not None and self.proposal.state is ProposalState.APPLYING

    @property
    def as_begun(self) -> "RequestRecord":
        """What its VMs are made by now: the proposal once it was begun."""
        return self.as_proposed if self.changing else self

    @property
    def as_proposed(self) -> "RequestRecord":
        """What a decision is about: the request with its open proposal put in the place of what
        it lives by, or itself where there is none."""
        proposal = self.proposal
        if proposal is None or not proposal.open:
            return self
        return replace(
            self,
            revision=proposal.revision,
            spec=proposal.spec,
            submitted_by=proposal.submitted_by,
            submitted_at=proposal.submitted_at,
            updated_at=proposal.updated_at,
            reason=proposal.reason,
            approval=proposal.approval,
        )

    def instance_key(self, member: str) -> str:
        return f"{self.key}/{member}"


_asked = revisions.alias("asked")
_agreed = approvals.alias("agreed")

RECORDS = (
    select(
        requests,
        *(
            column.label(f"{part}_{column.name}")
            for part, table in (
                ("live", revisions),
                ("approved", approvals),
                ("proposal", proposals),
                ("asked", _asked),
                ("agreed", _agreed),
            )
            for column in table.c
            if column.name not in {"source", "spec_hash"}
        ),
    )
    .join(
        revisions,
        (revisions.c.number == requests.c.number) & (revisions.c.revision == requests.c.revision),
    )
    .outerjoin(
        approvals,
        (approvals.c.number == requests.c.number)
        & (approvals.c.revision == requests.c.revision)
        & approvals.c.voided_at.is_(None),
    )
    .outerjoin(proposals, proposals.c.number == requests.c.number)
    .outerjoin(
        _asked,
        (_asked.c.number == proposals.c.number) & (_asked.c.revision == proposals.c.revision),
    )
    .outerjoin(
        _agreed,
        (_agreed.c.number == proposals.c.number)
        & (_agreed.c.revision == proposals.c.revision)
        & _agreed.c.voided_at.is_(None),
    )
    .order_by(requests.c.number)
)
"""Requests, each with its current revision, its proposal, and the live approvals of both."""


def record(connection: Connection, number: str) -> RequestRecord:
    """One request, which must be there."""
    return built(connection.execute(RECORDS.where(requests.c.number == number)).one())


def built(row: Row[tuple[object, ...]]) -> RequestRecord:
    """The record of a row of `RECORDS`."""
    return RequestRecord(
        number=row.number,
        key=f"{row.opd}/{row.name}",
        state=RequestState(row.state),
        revision=row.revision,
        spec=from_canonical_json(row.live_spec),
        submitted_by=Actor(row.live_login, row.live_person, row.live_role),
        submitted_at=row.live_at,
        updated_at=row.updated_at,
        reason=row.reason,
        approval=_approval(row, "approved"),
        proposal=None if row.proposal_state is None else _proposal(row),
    )


def _proposal(row: Row[tuple[object, ...]]) -> Proposal:
    return Proposal(
        revision=row.proposal_revision,
        spec=from_canonical_json(row.asked_spec),
        state=ProposalState(row.proposal_state),
        submitted_by=Actor(row.asked_login, row.asked_person, row.asked_role),
        submitted_at=row.asked_at,
        updated_at=row.proposal_updated_at,
        reason=row.proposal_reason,
        approval=_approval(row, "agreed"),
    )


def _approval(row: Row[tuple[object, ...]], part: str) -> Approval | None:
    at, login, person, role, revision, digest, offer, until = (
        getattr(row, f"{part}_{name}")
        for name in (
            "at", "login", "person", "role", "revision", "offer_digest", "offer", "hold_until",
        )
    )  # fmt: skip
    if at is None:
        return None
    return Approval(
        revision=revision,
        offer_digest=digest,
        offer=json.loads(offer),
        actor=Actor(login, person, role),
        at=at,
        hold_until=until,
    )
