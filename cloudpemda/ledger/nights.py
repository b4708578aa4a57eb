"""Nights and their phases: how far each came, so that one that was killed is gone on with.

A night is named after the day in whose morning it ends. This is a journal and no record of deeds:
what a phase did stands in the audit log, under the deed itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, delete, insert, select, update

from cloudpemda.ledger.schema import night_phases
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant

KEPT_NIGHTS = 400
"""Of how many nights the phases are kept."""


class PhaseResult(StrEnum):
    DONE = "done"  # nothing was found
    FINDINGS = "findings"
    FAILED = "failed"  # it could not be done


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase of a night. `ended_at` is None while it runs, and after it was killed."""

    night: str  # 2026-11-22
    phase: str
    began_at: Instant
    ended_at: Instant | None
    result: PhaseResult | None
    detail: str | None  # what the next call of the same night needs to know: a file

    @property
    def seconds(self) -> float | None:
        """How long it took by the site's clock."""
        return None if self.ended_at is None else (self.ended_at - self.began_at).total_seconds()


class NightBook:
    """The phases of each night, the latest call's. Every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def enter(self, night: str, phase: str) -> None:
        """Note that a phase begins, for the first time or once more."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            _begin(connection, night, phase, now)

    def leave(
        self, night: str, phase: str, result: PhaseResult, detail: str | None = None,
        *, then: str | None = None,
    ) -> None:  # fmt: skip
        """Note how the phase ended, and which one begins at that moment."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            connection.execute(
                update(night_phases)
                .where(night_phases.c.night == night, night_phases.c.phase == phase)
                .values(ended_at=now, result=result.value, detail=detail)
            )
            if then is not None:
                _begin(connection, night, then, now)

    def phases(self, night: str) -> Mapping[str, PhaseRecord]:
        """Phase → its record, as they began."""
        query = (
            select(night_phases)
            .where(night_phases.c.night == night)
            .order_by(night_phases.c.began_at, night_phases.c.phase)
        )
        with self._store.read() as connection:
            return {row.phase: _record(row) for row in connection.execute(query)}

    def whole_until(self, phase: str) -> Instant | None:
        """When the last night in which no phase has failed came to this phase."""
        failed = select(night_phases.c.night).where(
            night_phases.c.result == PhaseResult.FAILED.value
        )
        query = (
            select(night_phases.c.began_at)
            .where(night_phases.c.phase == phase, night_phases.c.night.not_in(failed))
            .order_by(night_phases.c.began_at.desc())
            .limit(1)
        )
        with self._store.read() as connection:
            return connection.scalar(query)

    def prune(self) -> None:
        """Forget the oldest nights beyond `KEPT_NIGHTS`."""
        nights = select(night_phases.c.night).distinct().order_by(night_phases.c.night.desc())
        with self._store.read() as connection:
            over = connection.scalars(nights.offset(KEPT_NIGHTS)).all()
        if over:
            with self._store.write() as connection:
                connection.execute(delete(night_phases).where(night_phases.c.night.in_(over)))


def _begin(connection: Connection, night: str, phase: str, now: Instant) -> None:
    connection.execute(
        delete(night_phases).where(night_phases.c.night == night, night_phases.c.phase == phase)
    )
    connection.execute(insert(night_phases).values(night=night, phase=phase, began_at=now))


def _record(row: Row[tuple[object, ...]]) -> PhaseRecord:
    return PhaseRecord(
        night=row.night,
        phase=row.phase,
        began_at=row.began_at,
        ended_at=row.ended_at,
        result=None if row.result is None else PhaseResult(row.result),
        detail=row.detail,
    )
