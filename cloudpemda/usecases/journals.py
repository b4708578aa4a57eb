"""The sagas of several workloads as the one journal that steps on all their VMs write."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloudpemda.ledger import SagaJournal
from cloudpemda.saga import Event, StepRecord


@dataclass(frozen=True)
class Journals:
    """By the uid that a subject begins with."""

    sagas: Mapping[str, SagaJournal]

    def _of(self, subject: str) -> SagaJournal:
        return self.sagas[subject.partition(":")[0]]

    def steps(self, subject: str) -> Mapping[str, StepRecord]:
        return self._of(subject).steps(subject)

    def move(
        self, subject: str, seq: int, name: str, event: Event, error: str | None = None
    ) -> None:
        self._of(subject).move(subject, seq, name, event, error)

    def note_upid(self, subject: str, name: str, upid: str) -> None:
        self._of(subject).note_upid(subject, name, upid)
