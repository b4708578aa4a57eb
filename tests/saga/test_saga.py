"""The saga's promises, on a world of plain values."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import CloudpemdaError, Incomplete, Refused, Unreachable
from cloudpemda.messages import texts
from cloudpemda.saga import (
    TRANSITIONS,
    Chain,
    Ending,
    Event,
    Failure,
    Retry,
    Step,
    StepState,
    TransitionUndefined,
    Work,
    next_state,
)
from cloudpemda.units import Instant, instant
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import Killed, Sweeps


class Busy(CloudpemdaError):
    """Temporary."""


def meaning(error: CloudpemdaError) -> Failure:
    if isinstance(error, Busy):
        return Failure.TEMPORARY
    return Failure.UNKNOWN if isinstance(error, Unreachable) else Failure.FINAL


class StillClock:
    """Time that moves only by being slept through."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def now(self) -> Instant:
        return instant(1_790_000_000 + sum(self.pauses))

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@dataclass
class World:
    """Three things that a chain puts there; a second copy of any of them would show."""

    things: list[str] = field(default_factory=list)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    clock: StillClock = field(default_factory=StillClock)
    names: tuple[str, ...] = ("pool", "vm", "job")

    def show(self) -> list[str]:
        return list(self.things)

    def step(self, name: str) -> Step:
        def undo(_: Work) -> None:
            if name in self.things:
                self.things.remove(name)

        return Step(
            name,
            do=lambda _: self.things.append(name),
            verify=lambda _: name in self.things,
            undo=undo,
            commands=lambda: (f"remove {name}",),
        )

    def chain(self) -> Chain:
        return Chain(
            "dinkes/simrs/db-1",
            tuple(self.step(name) for name in self.names),
            self.journal,
            self.clock,
            SeededEntropy(1),
            Retry(meaning, attempts=4),
        )

    def states(self) -> list[str]:
        records = self.journal.steps("dinkes/simrs/db-1")
        return [records[name].state if name in records else "-" for name in self.names]


def with_deed(chain: Chain, name: str, deed: Callable[[Work], None]) -> Chain:
    return replace(
        chain, steps=tuple(replace(s, do=deed) if s.name == name else s for s in chain.steps)
    )


def with_undo(chain: Chain, name: str, deed: Callable[[Work], None]) -> Chain:
    return replace(
        chain, steps=tuple(replace(s, undo=deed) if s.name == name else s for s in chain.steps)
    )


def raising(error: BaseException) -> Callable[[Work], None]:
    def deed(_: Work) -> None:
        raise error

    return deed


@pytest.mark.parametrize("sweep", ["repeat_each_step", "fail_at_each_step", "undo_twice"])
def test_a_plain_world_survives_every_sweep(sweep: str) -> None:
    getattr(Sweeps(World), sweep)()


def test_started_is_in_the_journal_before_the_effect() -> None:
    world = World()
    seen: list[StepState] = []

    def deed(_: Work) -> None:
        seen.append(world.journal.steps("dinkes/simrs/db-1")["vm"].state)
        world.things.append("vm")

    assert with_deed(world.chain(), "vm", deed).run().ending is Ending.DONE
    assert seen == [StepState.STARTED]
    assert world.journal.log[2:4] == [
        ("dinkes/simrs/db-1", "vm", Event.START),
        ("dinkes/simrs/db-1", "vm", Event.FINISH),
    ]


def test_a_finished_chain_does_nothing_more() -> None:
    world = World()
    world.chain().run()
    log = list(world.journal.log)
    assert world.chain().run().ending is Ending.DONE
    assert world.journal.log == log
    assert world.things == ["pool", "vm", "job"]


def test_the_task_id_is_there_after_a_kill_and_forgotten_by_a_new_start() -> None:
    world = World()
    seen: list[str | None] = []

    def kill(work: Work) -> None:
        work.note_upid("UPID:pve1:1")
        raise Killed

    with pytest.raises(Killed):
        with_deed(world.chain(), "vm", kill).run()

    def look(work: Work) -> None:
        seen.append(work.upid)
        raise Refused("unit.size")

    assert with_deed(world.chain(), "vm", look).run().ending is Ending.UNDONE
    assert with_deed(world.chain(), "vm", look).run().ending is Ending.UNDONE
    assert seen == ["UPID:pve1:1", None]


def test_a_temporary_failure_is_repeated_with_growing_pauses() -> None:
    world = World()
    left = [Busy("unit.size"), Busy("unit.size"), Busy("unit.size")]

    def deed(_: Work) -> None:
        if left:
            raise left.pop()
        world.things.append("vm")

    assert with_deed(world.chain(), "vm", deed).run().ending is Ending.DONE
    assert world.things == ["pool", "vm", "job"]
    assert len(world.clock.pauses) == 3
    assert world.clock.pauses[0] <= 1.0 < world.clock.pauses[2] <= 4.0


def test_an_answer_that_was_lost_after_the_effect_makes_no_second_effect() -> None:
    world = World()

    def deed(_: Work) -> None:
        world.things.append("vm")
        raise Busy("unit.size")

    assert with_deed(world.chain(), "vm", deed).run().ending is Ending.DONE
    assert world.things == ["pool", "vm", "job"]


def test_temporary_for_too_long_is_taken_back() -> None:
    world = World()
    outcome = with_deed(world.chain(), "job", raising(Busy("unit.size"))).run()
    assert (outcome.ending, outcome.step) == (Ending.UNDONE, "job")
    assert world.things == []
    assert len(world.clock.pauses) == 3  # four attempts have three pauses between them


def test_what_cannot_be_reached_is_neither_undone_nor_done() -> None:
    world = World()
    outcome = with_deed(world.chain(), "job", raising(Unreachable("unit.size"))).run()
    assert outcome.ending is Ending.UNFINISHED
    assert world.things == ["pool", "vm"]
    assert world.states() == ["done", "done", "started"]
    assert world.chain().run().ending is Ending.DONE
    assert world.things == ["pool", "vm", "job"]


def test_an_undo_out_of_reach_goes_on_going_back_later() -> None:
    world = World()
    world.chain().run()
    outcome = with_undo(world.chain(), "vm", raising(Unreachable("unit.size"))).undo()
    assert outcome.ending is Ending.UNFINISHED
    assert world.states() == ["done", "undoing", "undone"]
    assert world.chain().run().ending is Ending.UNDONE
    assert world.things == []


def test_a_failed_undo_is_stuck_with_commands_and_the_first_error_is_kept() -> None:
    world = World()
    chain = with_deed(world.chain(), "job", raising(Refused("unit.size", text="full")))
    outcome = with_undo(chain, "vm", raising(Refused("unit.duration", text="no"))).run()
    assert (outcome.ending, outcome.step) == (Ending.STUCK, "vm")
    assert outcome.commands == ("remove vm", "remove pool"), "and what is left to undo below it"
    assert outcome.error is not None
    assert outcome.error.code == "unit.duration"
    assert world.states() == ["done", "stuck", "undone"]
    assert "full" in (world.journal.steps("dinkes/simrs/db-1")["job"].error or "")
    assert world.things == ["pool", "vm"], "what lies under a stuck step is left alone"


def test_a_stuck_chain_is_undone_once_its_undo_works_again() -> None:
    world = World()
    world.chain().run()
    with_undo(world.chain(), "vm", raising(Refused("unit.size", text="locked"))).undo()
    outcome = world.chain().run()
    assert outcome.ending is Ending.UNDONE
    assert outcome.error is not None
    assert "locked" in str(outcome.error)
    assert world.things == []
    assert world.chain().run().ending is Ending.DONE


@pytest.mark.parametrize("where", ["do", "pause"])
def test_ctrl_c_leaves_it_resumable(where: str) -> None:
    world = World()
    chain = world.chain()
    if where == "do":
        chain = with_deed(chain, "vm", raising(KeyboardInterrupt()))
    else:
        chain = with_deed(chain, "vm", raising(Busy("unit.size")))

        class Interrupted(StillClock):
            def sleep(self, seconds: float) -> None:
                raise KeyboardInterrupt

        chain = replace(chain, clock=Interrupted())
    with pytest.raises(Incomplete) as caught:
        chain.run()
    assert caught.value.code == "saga.interrupted"
    assert world.states() == ["done", "started", "-"]
    assert world.chain().run().ending is Ending.DONE
    assert world.things == ["pool", "vm", "job"]


def test_a_chain_can_stop_before_a_step_also_when_it_begins_anew() -> None:
    world = World()
    for _ in range(2):
        assert world.chain().run(before="job").ending is Ending.DONE
        assert world.things == ["pool", "vm"]
        assert world.chain().run().ending is Ending.DONE
        assert world.things == ["pool", "vm", "job"]
        world.chain().undo()


def test_a_step_that_the_chain_has_not_stops_nothing_and_is_a_bug() -> None:
    world = World()
    with pytest.raises(ValueError, match="no step"):
        world.chain().run(before="jobs")
    assert world.things == []


def test_a_halt_stops_between_steps() -> None:
    world = World()
    chain = replace(world.chain(), halted=lambda: world.things == ["pool"])
    with pytest.raises(Incomplete):
        chain.run()
    assert world.states() == ["done", "-", "-"]


def test_the_observer_sees_every_state_in_order() -> None:
    world = World(names=("vm",))
    seen: list[tuple[str, str, StepState]] = []
    chain = replace(
        world.chain(), observe=lambda subject, step, state: seen.append((subject, step, state))
    )
    chain.run()
    chain.undo()
    assert [state for _, _, state in seen] == ["started", "done", "undoing", "undone"]


def test_every_pair_outside_the_table_raises() -> None:
    for state, event in product(StepState, Event):
        if (state, event) in TRANSITIONS:
            assert next_state(state, event) is TRANSITIONS[state, event]
        else:
            with pytest.raises(TransitionUndefined) as caught:
                next_state(state, event)
            assert caught.value.exit_code == 1
    for code in ("saga.transition", "saga.interrupted", "saga.earlier-failure"):
        assert code in texts()


def test_every_state_can_be_left_or_is_an_end() -> None:
    left = {state for state, _ in TRANSITIONS}
    assert left == set(StepState)
    assert set(TRANSITIONS.values()) == set(StepState)


@given(
    fates=st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["kill", "kill-after", "fail", "busy", "away"])
        ),
        max_size=8,
    ),
    undo_fate=st.sampled_from(["none", "kill", "fail", "away"]),
)
def test_any_history_ends_with_everything_once_or_nothing(
    fates: list[tuple[int, str]], undo_fate: str
) -> None:
    """Kills, failures and outages in any order: after undisturbed runs the world is whole or
    empty, never in between and never double."""
    world = World()
    for at, fate in fates:
        step = world.step(world.names[at])

        def deed(work: Work, step: Step = step, fate: str = fate) -> None:
            if fate in {"kill-after", "busy"}:
                step.do(work)
            raise {
                "kill": Killed(),
                "kill-after": Killed(),
                "fail": Refused("unit.size"),
                "busy": Busy("unit.size"),
                "away": Unreachable("unit.size"),
            }[fate]

        chain = with_deed(world.chain(), step.name, deed)
        errors: dict[str, BaseException] = {
            "kill": Killed(),
            "fail": Refused("unit.size"),
            "away": Unreachable("unit.size"),
        }
        if undo_fate != "none":
            chain = with_undo(chain, "vm", raising(errors[undo_fate]))
        try:
            chain.run()
        except Killed:
            continue
        assert len(world.things) == len(set(world.things))
    ending = world.chain().run().ending
    assert ending in {Ending.DONE, Ending.UNDONE}
    assert world.things == (["pool", "vm", "job"] if ending is Ending.DONE else [])
    assert world.chain().run().ending is Ending.DONE
    assert sorted(world.things) == ["job", "pool", "vm"]
