"""The sagas of several workloads as the one journal that steps on all their VMs write."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, SagaJournal
from cloudpemda.saga import Event, StepRecord
from cloudpemda.usecases.cut_off import of_kind
from cloudpemda.usecases.desk import Desk


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


@contextmanager
def opened(
    desk: Desk, numbers: Iterable[str], kind: str
) -> Iterator[tuple[Mapping[str, SagaJournal], Mapping[str, Refused]]]:
    """A saga of each of these requests, and why others got none: somebody works on them."""
    sagas: dict[str, SagaJournal] = {}
    refused: dict[str, Refused] = {}
    with ExitStack() as stack:
        for number in numbers:
            try:
                sagas[number] = stack.enter_context(desk.ledger.journal.open_saga(number, kind))
            except Refused as error:
                refused[number] = error
        yield sagas, refused


def left_by_killed(desk: Desk, records: Iterable[InstanceRecord], kind: str) -> set[str]:
    """The requests of these instances of which a run that was killed has left a saga."""
    return set(of_kind(desk, kind) & {one.number for one in records})
