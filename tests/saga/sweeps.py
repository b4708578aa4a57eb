"""The three sweeps that every saga gets: repeat each step, fail at each step, undo twice.

A case builds a fresh world with a chain over it, and shows the world as a value. The sweeps know
nothing else, so they serve a list of numbers and a cluster alike.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from cloudpemda.errors import Refused
from cloudpemda.saga import Chain, Ending, Outcome, Step, StepState, Work


class Killed(BaseException):
    """The process ends here: nothing below may catch it."""


class Case(Protocol):
    """One world with one chain. `chain()` may be called again: a new process, the same journal."""

    def chain(self) -> Chain: ...

    def show(self) -> object: ...


@dataclass(frozen=True)
class Sweeps:
    """`fresh` opens a world of its own each time it is called."""

    fresh: Callable[[], Case]

    def count(self) -> int:
        return len(self.fresh().chain().steps)

    def done(self) -> object:
        """The world after an undisturbed run."""
        case = self.fresh()
        assert case.chain().run().ending is Ending.DONE
        return case.show()

    def repeat_each_step(self) -> None:
        """Killed before or after the effect of any step, the next run ends as if nothing was."""
        expected = self.done()
        for index in range(self.count()):
            for effect in (False, True):
                case = self.fresh()
                with _expect_kill():
                    _disturbed(case.chain(), index, _killing(effect=effect)).run()
                outcome = case.chain().run()
                where = f"killed at step {index}, effect {effect}"
                assert outcome.ending is Ending.DONE, f"{where}: {outcome}"
                assert case.show() == expected, where

    def fail_at_each_step(self) -> None:
        """Failed for good before or after the effect of any step, nothing is left of the chain."""
        for index in range(self.count()):
            for effect in (False, True):
                case = self.fresh()
                before = case.show()
                outcome = _disturbed(case.chain(), index, _failing(effect=effect)).run()
                where = f"failed at step {index}, effect {effect}"
                assert outcome.ending is Ending.UNDONE, f"{where}: {outcome}"
                assert outcome.step == case.chain().steps[index].name, where
                assert case.show() == before, where
                assert _states(case.chain()) <= {StepState.UNDONE, StepState.PLANNED}, where
                self._ends_well(case)

    def undo_twice(self) -> None:
        """Killed after the effect of any undo, the undo is taken up again and finds its work done;
        an undo of what was never done changes nothing."""
        for index in range(self.count()):
            case = self.fresh()
            before = case.show()
            assert case.chain().undo().ending is Ending.UNDONE
            assert case.show() == before, "undo of nothing changed something"
            assert case.chain().run().ending is Ending.DONE
            with _expect_kill():
                _disturbed(case.chain(), index, _killing_undo).undo()
            outcome = case.chain().run()
            assert outcome.ending is Ending.UNDONE, f"a chain going back went on: {outcome}"
            assert case.show() == before, f"undone twice at step {index}"
            self._ends_well(case)

    def all(self) -> None:
        self.repeat_each_step()
        self.fail_at_each_step()
        self.undo_twice()

    def _ends_well(self, case: Case) -> None:
        """What was taken back whole can be done again."""
        outcome: Outcome = case.chain().run()
        assert outcome.ending is Ending.DONE, outcome


def _states(chain: Chain) -> set[StepState]:
    return {record.state for record in chain.journal.steps(chain.subject).values()}


def _disturbed(chain: Chain, index: int, how: Callable[[Step], Step]) -> Chain:
    steps = [how(step) if at == index else step for at, step in enumerate(chain.steps)]
    return replace(chain, steps=tuple(steps))


def _killing(*, effect: bool) -> Callable[[Step], Step]:
    def how(step: Step) -> Step:
        def deed(work: Work) -> None:
            if effect:
                step.do(work)
            raise Killed

        return replace(step, do=deed)

    return how


def _killing_undo(step: Step) -> Step:
    def deed(work: Work) -> None:
        step.undo(work)
        raise Killed

    return replace(step, undo=deed)


def _failing(*, effect: bool) -> Callable[[Step], Step]:
    def how(step: Step) -> Step:
        def deed(work: Work) -> None:
            if effect:
                step.do(work)
            raise Refused("unit.size", text="no")

        return replace(step, do=deed)

    return how


@contextmanager
def _expect_kill() -> Iterator[None]:
    try:
        yield
    except Killed:
        return
    raise AssertionError("the kill never happened")
