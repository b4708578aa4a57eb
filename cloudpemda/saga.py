"""Surviving crashes: steps that know their undo, a write-ahead journal, and the loop over both.

A saga is a number of chains, one per subject, that may run at the same time; a chain is a list of
steps in order. The room keeps five promises, whatever the steps do:

- A step stands `started` in the journal, durably, before its `do` runs; a task id (UPID) is noted
  as soon as there is one. After `kill -9` at any instant, `run` on the same journal continues.
- Whatever may have happened already is looked for (`verify`) before it is done again.
- A temporary failure is repeated, with a growing pause, through the clock that was handed in.
- What fails for good is taken back in reverse order; a chain that was going back when the process
  died goes on going back. One chain's failure leaves the others alone.
- An undo that fails is a named state, `stuck`, and carries the commands a human can run.

What cannot be reached is unknown, so it is neither done nor undone: the chain ends `unfinished`,
and the same call continues it later.

The room knows no VM, no cluster and no database: steps are callables, the journal is a protocol.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from cloudpemda.clock import Clock, Entropy
from cloudpemda.errors import CloudpemdaError, ExitCode, Incomplete


class StepState(StrEnum):
    PLANNED = "planned"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"  # for good; it may have had part of its effect, so it is undone as well
    UNDOING = "undoing"
    UNDONE = "undone"
    STUCK = "stuck"  # its undo failed: a human is needed


class Event(StrEnum):
    START = "start"
    FINISH = "finish"
    FAIL = "fail"
    UNDO = "undo"
    UNDID = "undid"
    STICK = "stick"
    AGAIN = "again"  # a step that was taken back, or is to be looked at anew, begins anew


TRANSITIONS: Mapping[tuple[StepState, Event], StepState] = MappingProxyType(
    {
        (StepState.PLANNED, Event.START): StepState.STARTED,
        (StepState.STARTED, Event.FINISH): StepState.DONE,
        (StepState.STARTED, Event.FAIL): StepState.FAILED,
        (StepState.STARTED, Event.UNDO): StepState.UNDOING,
        (StepState.DONE, Event.UNDO): StepState.UNDOING,
        (StepState.FAILED, Event.UNDO): StepState.UNDOING,
        (StepState.UNDOING, Event.UNDO): StepState.UNDOING,
        (StepState.UNDOING, Event.UNDID): StepState.UNDONE,
        (StepState.UNDOING, Event.STICK): StepState.STUCK,
        (StepState.STUCK, Event.UNDO): StepState.UNDOING,
        (StepState.UNDONE, Event.AGAIN): StepState.PLANNED,
        (StepState.DONE, Event.AGAIN): StepState.PLANNED,
    }
)


class TransitionUndefined(CloudpemdaError):
    """A pair that the table does not have: a bug of ours, never a matter of the outside."""


def next_state(state: StepState, event: Event) -> StepState:
    """Where `event` leads from `state`. Raises TransitionUndefined."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise TransitionUndefined("saga.transition", state=state, event=event) from None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What the journal holds of one step."""

    name: str
    seq: int
    state: StepState
    upid: str | None = None
    error: str | None = None  # of the last failure, for people


class Journal(Protocol):
    """The write-ahead record of one saga. Every write is durable when the call returns."""

    def steps(self, subject: str) -> Mapping[str, StepRecord]:
        """The chain's records by step name; a step without a record is `planned`."""

    def move(
        self, subject: str, seq: int, name: str, event: Event, error: str | None = None
    ) -> None:
        """Take the step through `next_state` and keep `error` in place of the former one.

        START and AGAIN forget an older task id. Raises TransitionUndefined.
        """

    def note_upid(self, subject: str, name: str, upid: str) -> None:
        """Keep the id of the task that is doing the step's work."""


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt at a step: what an earlier attempt left, and where to note a task id."""

    upid: str | None
    note_upid: Callable[[str], None]


def nothing(_: Work) -> None:
    """The undo of a step that leaves nothing to take back."""


def no_commands() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work.

    `do` has the whole effect or raises. `verify` looks whether the effect is there; it is asked
    before `do` is repeated, after a crash as after a temporary failure. `undo` takes the effect
    back, whole or partial, and does nothing where there is none. `commands` are what a human runs
    in place of an undo that failed (an outcome lists those of the steps before it, too).
    """

    name: str
    do: Callable[[Work], None]
    verify: Callable[[Work], bool]
    undo: Callable[[Work], None] = nothing
    commands: Callable[[], tuple[str, ...]] = no_commands


class Ending(StrEnum):
    DONE = "done"
    UNDONE = "undone"
    STUCK = "stuck"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a chain ended: at which step, by which error, and what a human can run."""

    ending: Ending
    step: str | None = None
    error: CloudpemdaError | None = None
    commands: tuple[str, ...] = ()


class Failure(StrEnum):
    """What an error means for the step that met it."""

    FINAL = "final"  # it is taken back
    TEMPORARY = "temporary"  # it is repeated; what lasts too long is taken back
    UNKNOWN = "unknown"  # it is repeated; what lasts too long is left for the next run


@dataclass(frozen=True, slots=True)
class Retry:
    """Which failures are repeated, how often, and after how many seconds."""

    meaning: Callable[[CloudpemdaError], Failure]
    attempts: int = 8
    first: float = 1.0
    longest: float = 30.0

    def pause(self, attempt: int, fraction: float) -> float:
        """Seconds after the attempt of that number (from 0): doubled each time, and spread by
        `fraction` over half of itself so that many chains do not come back at once."""
        return min(self.longest, self.first * 2.0**attempt) * (0.5 + fraction / 2)


class Observer(Protocol):
    """Who wants to see a chain move (a progress display)."""

    def __call__(self, subject: str, step: str, state: StepState) -> None: ...


def never() -> bool:
    return False


def nobody(subject: str, step: str, state: StepState) -> None:
    """An observer that looks away."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The steps of one subject with all that running them needs."""

    subject: str
    steps: Sequence[Step]
    journal: Journal
    clock: Clock
    entropy: Entropy
    retry: Retry
    halted: Callable[[], bool] = never
    observe: Observer = nobody

    def run(self, before: str | None = None) -> Outcome:
        """Go on from where the journal stands: forward, or back where the chain was going back.

        With `before`, the chain counts as done when that step is reached; a later call goes on.
        Raises ValueError for a `before` that the chain has not, Incomplete where it was halted or
        interrupted; the same call continues.
        """
        if before is not None and all(step.name != before for step in self.steps):
            raise ValueError(f"{self.subject} has no step {before}")
        states = self._states()
        active = [s for s in states if s not in {StepState.PLANNED, StepState.UNDONE}]
        if active and any(state in _GOING_BACK for state in states):
            return self._back(self._earlier_failure())
        for seq, step in enumerate(self.steps):
            if states[seq] is StepState.UNDONE:
                self._move(seq, step, Event.AGAIN)
        for seq, step in enumerate(self.steps):
            if step.name == before:
                break
            if states[seq] is StepState.DONE:
                continue
            error = self._forward(seq, step, again=states[seq] is StepState.STARTED)
            if self._unknown(error):
                return Outcome(Ending.UNFINISHED, step.name, error)
            if error is not None:
                self._move(seq, step, Event.FAIL, str(error))
                return self._back((step.name, error))
        return Outcome(Ending.DONE)

    def renew(self) -> None:
        """What is done counts as planned again: for chains that put right what has moved since.

        Their steps look before they act, and have nothing to take back.
        """
        states = self._states()
        for seq, step in enumerate(self.steps):
            if states[seq] is StepState.DONE:
                self._move(seq, step, Event.AGAIN)

    def undo(self) -> Outcome:
        """Take back whatever the journal says was begun. Raises Incomplete like `run`."""
        return self._back((None, None))

    # -- forward and back ------------------------------------------------------------------
    def _forward(self, seq: int, step: Step, *, again: bool) -> CloudpemdaError | None:
        self._check_halted(step)
        upid = self._records().get(step.name, _NO_RECORD).upid if again else None
        if not again:
            self._move(seq, step, Event.START)
        else:
            self.observe(self.subject, step.name, StepState.STARTED)
        error = self._attempt(step, step.do, upid, look_first=again)
        if error is None:
            self._move(seq, step, Event.FINISH)
        return error

    def _back(self, cause: tuple[str | None, CloudpemdaError | None]) -> Outcome:
        records = self._records()
        for seq, step in reversed(tuple(enumerate(self.steps))):
            record = records.get(step.name, _NO_RECORD)
            if record.state in {StepState.PLANNED, StepState.UNDONE}:
                continue
            self._check_halted(step)
            self._move(seq, step, Event.UNDO, record.error)
            error = self._attempt(step, step.undo, record.upid, look_first=False)
            if self._unknown(error):
                return Outcome(Ending.UNFINISHED, step.name, error)
            if error is not None:
                self._move(seq, step, Event.STICK, str(error))
                return Outcome(Ending.STUCK, step.name, error, self._commands(seq))
            self._move(seq, step, Event.UNDID, record.error)
        return Outcome(Ending.UNDONE, *cause)

    def _attempt(
        self, step: Step, deed: Callable[[Work], None], upid: str | None, *, look_first: bool
    ) -> CloudpemdaError | None:
        """Repeat `deed` until it is done (None), fails for good, or failed too often."""
        forward = deed is step.do
        known = upid

        def note(new: str) -> None:
            nonlocal known
            known = new
            self.journal.note_upid(self.subject, step.name, new)

        for attempt in range(self.retry.attempts):
            work = Work(known, note)
            try:
                if not (forward and (look_first or attempt) and step.verify(work)):
                    deed(work)
            except KeyboardInterrupt as interrupt:
                raise self._incomplete(step) from interrupt
            except Incomplete:
                raise
            except CloudpemdaError as error:
                if self.retry.meaning(error) is Failure.FINAL:
                    return error
                failure = error
            else:
                return None
            if attempt + 1 < self.retry.attempts:
                self._pause(step, attempt)
        return failure

    def _unknown(self, error: CloudpemdaError | None) -> bool:
        return error is not None and self.retry.meaning(error) is Failure.UNKNOWN

    def _pause(self, step: Step, attempt: int) -> None:
        self._check_halted(step)
        try:
            self.clock.sleep(self.retry.pause(attempt, self.entropy.fraction()))
        except KeyboardInterrupt as interrupt:
            raise self._incomplete(step) from interrupt
        self._check_halted(step)

    def _commands(self, last: int) -> tuple[str, ...]:
        """What a human runs in place of the undo of step `last` and of all begun before it."""
        states = self._states()
        return tuple(
            command
            for at in range(last, -1, -1)
            if states[at] not in {StepState.PLANNED, StepState.UNDONE}
            for command in self.steps[at].commands()
        )

    # -- the journal -----------------------------------------------------------------------
    def _records(self) -> Mapping[str, StepRecord]:
        return self.journal.steps(self.subject)

    def _states(self) -> list[StepState]:
        records = self._records()
        return [records.get(step.name, _NO_RECORD).state for step in self.steps]

    def _earlier_failure(self) -> tuple[str | None, CloudpemdaError | None]:
        for record in sorted(self._records().values(), key=lambda found: found.seq):
            if record.error is not None:
                return record.name, EarlierFailure(record.name, record.error)
        return None, None

    def _move(self, seq: int, step: Step, event: Event, error: str | None = None) -> None:
        self.journal.move(self.subject, seq, step.name, event, error)
        self.observe(self.subject, step.name, _AFTER[event])

    def _check_halted(self, step: Step) -> None:
        if self.halted():
            raise self._incomplete(step)

    def _incomplete(self, step: Step) -> Incomplete:
        return Incomplete("saga.interrupted", subject=self.subject, step=step.name)


class EarlierFailure(CloudpemdaError):
    """What the journal kept of a failure that a former process met."""

    exit_code = ExitCode.FINDINGS

    def __init__(self, step: str, text: str) -> None:
        super().__init__("saga.earlier-failure", step=step, error=text)


_NO_RECORD = StepRecord("", -1, StepState.PLANNED)
_GOING_BACK = frozenset({StepState.FAILED, StepState.UNDOING, StepState.UNDONE, StepState.STUCK})
_AFTER: Mapping[Event, StepState] = MappingProxyType(
    {event: state for (_, event), state in TRANSITIONS.items()}
)
