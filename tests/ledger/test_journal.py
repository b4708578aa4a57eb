"""The journal: written before the deed, by one process at a time, and never by a former owner."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Incomplete, Refused
from cloudpemda.ledger import Ledger, Owner, SagaEvent, SagaState, open_ledger
from cloudpemda.ledger.owner import LEASE_SECONDS, this_process
from cloudpemda.saga import (
    Chain,
    Ending,
    Event,
    Failure,
    Retry,
    Step,
    StepState,
    TransitionUndefined,
    Work,
)
from tests.ledger.databases import ledger_url
from tests.ledger.makers import ManualClock, applying, workload

ELSEWHERE = Owner("another-host", "boot", 1, 1)


def opened(base: Path, clock: ManualClock, owner: Owner, seed: int = 7) -> Ledger:
    return open_ledger(
        ledger_url(base), base, clock, SeededEntropy(seed), identity="login", owner=owner
    )


@pytest.fixture
def number(ledger: Ledger) -> str:
    return applying(ledger, workload()).number


def test_a_step_is_started_before_it_is_done_and_keeps_its_task(
    ledger: Ledger, number: str
) -> None:
    with ledger.journal.open_saga(number, "apply", "digest-1") as journal:
        assert dict(journal.steps("uid-1")) == {}
        journal.move("uid-1", 0, "create", Event.START)
        journal.note_upid("uid-1", "create", "UPID:pve1:1")
        journal.move("uid-1", 1, "start", Event.START)
        journal.move("uid-1", 1, "start", Event.FAIL, "no memory")

        found = journal.steps("uid-1")
        assert list(found) == ["create", "start"]
        assert (found["create"].state, found["create"].upid) == (
            StepState.STARTED,
            "UPID:pve1:1",
        )
        assert (found["start"].state, found["start"].error) == (StepState.FAILED, "no memory")
        assert dict(journal.steps("uid-2")) == {}
        journal.move("uid-1", 0, "create", Event.FINISH)
        assert journal.steps("uid-1")["create"].upid == "UPID:pve1:1"
        saga = journal.id
    assert [step.name for step in ledger.journal.steps(saga)["uid-1"]] == ["create", "start"]


def test_starting_anew_forgets_the_older_task_and_error(ledger: Ledger, number: str) -> None:
    with ledger.journal.open_saga(number, "apply", "d") as journal:
        journal.move("uid-1", 0, "create", Event.START)
        journal.note_upid("uid-1", "create", "UPID:old")
        for event in (Event.FAIL, Event.UNDO, Event.UNDID):
            journal.move("uid-1", 0, "create", event, "it broke")
        undone = journal.steps("uid-1")["create"]
        assert (undone.upid, undone.error) == ("UPID:old", "it broke")
        journal.move("uid-1", 0, "create", Event.AGAIN)
        anew = journal.steps("uid-1")["create"]
        assert (anew.state, anew.upid, anew.error) == (StepState.PLANNED, None, None)


def test_an_undefined_move_changes_nothing(ledger: Ledger, number: str) -> None:
    with ledger.journal.open_saga(number, "apply", "d") as journal:
        with pytest.raises(TransitionUndefined):
            journal.move("uid-1", 0, "create", Event.FINISH)
        with pytest.raises(TransitionUndefined):
            journal.note_upid("uid-1", "create", "UPID:early")
        assert dict(journal.steps("uid-1")) == {}


def test_the_next_run_goes_on_with_what_is_not_finished(ledger: Ledger, number: str) -> None:
    with ledger.journal.open_saga(number, "apply", "d1") as first:
        first.move("uid-1", 0, "create", Event.START)
        assert not first.resumed

    with ledger.journal.open_saga(number, "apply", "d2") as second:
        assert (second.id, second.resumed) == (first.id, True)
        assert second.steps("uid-1")["create"].state is StepState.STARTED
        (record,) = ledger.journal.of_request(number)
        assert (record.plan_digest, record.state) == ("d2", SagaState.OPEN)
        second.close(SagaEvent.FINISH)

    assert ledger.journal.unfinished() == ()
    with ledger.journal.open_saga(number, "apply", "d3") as third:
        assert third.id != first.id
    assert [saga.state for saga in ledger.journal.of_request(number)] == [
        SagaState.DONE,
        SagaState.OPEN,
    ]


def test_a_stuck_saga_is_listed_and_goes_on(ledger: Ledger, number: str) -> None:
    with ledger.journal.open_saga(number, "apply", "d") as journal:
        journal.close(SagaEvent.STICK)
    (stuck,) = ledger.journal.unfinished()
    assert (stuck.state, stuck.owner) == (SagaState.STUCK, None)
    with ledger.journal.open_saga(number, "apply", "d") as again:
        assert again.id == journal.id


def test_two_runs_never_write_the_same_saga(ledger: Ledger, number: str) -> None:
    with ledger.journal.open_saga(number, "apply", "d"):
        with pytest.raises(Refused) as refusal:
            ledger.journal.open_saga(number, "apply", "d")
        assert refusal.value.code == "journal.busy"
        assert refusal.value.values["pid"] == this_process().pid
        for rival in ("change", "retire", "restore", "purge"):
            with pytest.raises(Refused, match=r"journal\.busy"):
                ledger.journal.open_saga(number, rival, "d")
        with ledger.journal.open_saga(number, "look", "d"):
            pass
    with ledger.journal.open_saga(number, "vm-copy"), pytest.raises(Refused) as refusal:
        ledger.journal.open_saga(number, "vm-copy-removal")
    assert refusal.value.code == "journal.busy"
    with ledger.journal.open_saga(number, "apply", "d"):
        pass


def test_an_exception_leaves_the_saga_for_the_next_run(ledger: Ledger, number: str) -> None:
    with pytest.raises(KeyboardInterrupt), ledger.journal.open_saga(number, "apply", "d"):
        raise KeyboardInterrupt
    with ledger.journal.open_saga(number, "apply", "d") as again:
        assert again.resumed


@pytest.mark.parametrize(
    "change",
    [
        lambda owner: replace(owner, pid=2**22 + 1),  # no such process
        lambda owner: replace(owner, started=owner.started - 1),  # its number was used again
        lambda owner: replace(owner, boot="an earlier boot"),
    ],
)
def test_a_process_that_died_here_is_followed_at_once(
    tmp_path: Path,
    ledger: Ledger,
    clock: ManualClock,
    number: str,
    change: Callable[[Owner], Owner],
) -> None:
    with opened(tmp_path, clock, change(this_process())) as dead:
        lost = dead.journal.open_saga(number, "apply", "d")
        lost.move("uid-1", 0, "create", Event.START)
        with ledger.journal.open_saga(number, "apply", "d") as taken:
            assert taken.steps("uid-1")["create"].state is StepState.STARTED
            with pytest.raises(Incomplete, match=r"journal\.lost"):
                lost.move("uid-1", 0, "create", Event.FINISH)
            with pytest.raises(Incomplete, match=r"journal\.lost"):
                lost.note_upid("uid-1", "create", "UPID:late")
            lost.step_out()
            assert taken.steps("uid-1")["create"].upid is None
            taken.move("uid-1", 0, "create", Event.FINISH)


def test_a_living_process_here_is_not_followed_however_far_the_clock_moves(
    ledger: Ledger, clock: ManualClock, number: str
) -> None:
    with ledger.journal.open_saga(number, "apply", "d"):
        clock.sleep(365 * 86400)
        with pytest.raises(Refused, match=r"journal\.busy"):
            ledger.journal.open_saga(number, "apply", "d")


def test_a_process_elsewhere_is_followed_when_it_has_been_silent_for_the_lease(
    tmp_path: Path, ledger: Ledger, clock: ManualClock, number: str
) -> None:
    with opened(tmp_path, clock, ELSEWHERE) as other:
        theirs = other.journal.open_saga(number, "apply", "d")
        clock.sleep(LEASE_SECONDS)
        with pytest.raises(Refused, match=r"journal\.busy"):
            ledger.journal.open_saga(number, "apply", "d")
        theirs.move("uid-1", 0, "create", Event.START)
        clock.sleep(LEASE_SECONDS)
        with pytest.raises(Refused, match=r"journal\.busy"):
            ledger.journal.open_saga(number, "apply", "d")
        clock.sleep(1)
        ledger.journal.open_saga(number, "apply", "d").step_out()
        with pytest.raises(Incomplete, match=r"journal\.lost"):
            theirs.move("uid-1", 0, "create", Event.FINISH)


def test_a_request_that_does_not_exist_has_no_saga(ledger: Ledger) -> None:
    with pytest.raises(Refused, match=r"ledger\.no-request"):
        ledger.journal.open_saga("R-2026-0404", "apply", "d")


def test_a_chain_runs_on_it_and_goes_on_after_an_interruption(
    ledger: Ledger, clock: ManualClock, number: str
) -> None:
    """The real loop on the real journal: what `saga` asks for is what the ledger keeps."""
    there: set[str] = set()
    interrupted = True

    def create(work: Work) -> None:
        there.add("vm")
        work.note_upid("UPID:pve1:7")
        if interrupted:
            raise KeyboardInterrupt

    steps = [
        Step("create", create, lambda work: work.upid == "UPID:pve1:7" and "vm" in there),
        Step("start", lambda _: there.add("running"), lambda _: "running" in there),
    ]

    def run() -> Ending:
        with ledger.journal.open_saga(number, "apply", "d") as journal:
            chain = Chain(
                "uid-1", steps, journal, clock, SeededEntropy(1), Retry(lambda _: Failure.FINAL)
            )
            return chain.run().ending

    with pytest.raises(Incomplete):
        run()
    interrupted = False
    assert run() is Ending.DONE
    assert there == {"vm", "running"}
