"""A journal in memory, as strict about transitions as the ledger's."""

from collections.abc import Mapping
from dataclasses import replace

from cloudpemda.saga import Event, StepRecord, StepState, next_state


class MemoryJournal:
    """Keeps every event in `log`, in order, for assertions about write-ahead."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, StepRecord]] = {}
        self.log: list[tuple[str, str, Event]] = []

    def steps(self, subject: str) -> Mapping[str, StepRecord]:
        return dict(self._records.get(subject, {}))

    def move(
        self, subject: str, seq: int, name: str, event: Event, error: str | None = None
    ) -> None:
        chain = self._records.setdefault(subject, {})
        record = chain.get(name, StepRecord(name, seq, StepState.PLANNED))
        upid = None if event in {Event.START, Event.AGAIN} else record.upid
        chain[name] = replace(
            record, seq=seq, state=next_state(record.state, event), upid=upid, error=error
        )
        self.log.append((subject, name, event))

    def note_upid(self, subject: str, name: str, upid: str) -> None:
        chain = self._records[subject]
        chain[name] = replace(chain[name], upid=upid)
