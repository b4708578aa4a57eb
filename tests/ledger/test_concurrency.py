"""Twenty processes at once: what may happen once happens once, and nothing goes over a limit."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cloudpemda.ledger import RequestState, migrations
from cloudpemda.rules.quota import Balance
from cloudpemda.units import Instant
from tests.ledger import workers
from tests.ledger.databases import rows
from tests.ledger.makers import (
    SITI,
    START,
    ManualClock,
    applying,
    approve,
    chain,
    living,
    open_at,
    vm,
    workload,
)
from tests.ledger.workers import CROWD, DONE, at_once


@pytest.fixture(scope="module")
def crowd() -> Iterator[ProcessPoolExecutor]:
    with workers.crowd() as pool:
        yield pool


def sound(base: Path, now: Instant = START) -> None:
    with open_at(base, ManualClock(now)) as ledger:
        assert ledger.audit.verify() == ()


def test_a_new_ledger_is_made_once(crowd: ProcessPoolExecutor, tmp_path: Path) -> None:
    assert at_once(crowd, workers.open_only, tmp_path) == ["0"] * CROWD
    assert rows(tmp_path, "SELECT count(*) FROM schema_version") == [(migrations.NEWEST,)]
    sound(tmp_path)


def test_the_same_document_handed_in_by_all_is_one_request(
    crowd: ProcessPoolExecutor, tmp_path: Path
) -> None:
    answers = Counter(at_once(crowd, workers.submit_same, tmp_path))
    assert answers == {"True": 1, "False": CROWD - 1}
    with open_at(tmp_path) as ledger:
        (record,) = ledger.requests.list()
        assert record.revision == 1
    sound(tmp_path)


def test_one_of_twenty_approvers_decides(crowd: ProcessPoolExecutor, tmp_path: Path) -> None:
    with open_at(tmp_path) as ledger:
        ledger.requests.submit(workload(), "", SITI)
    answers = Counter(at_once(crowd, workers.approve_same, tmp_path))
    assert answers == {DONE: 1, "ledger.transition": CROWD - 1}
    with open_at(tmp_path) as ledger:
        assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, 100)
    sound(tmp_path)


@pytest.mark.parametrize("round_", range(3))
def test_a_change_that_all_meddle_with_holds_what_its_state_says(
    crowd: ProcessPoolExecutor, tmp_path: Path, round_: int
) -> None:
    with open_at(tmp_path) as ledger:
        before = living(ledger, workload())
        ledger.requests.submit(workload(purpose=f"first {round_}"), "", SITI)
    answers = Counter(at_once(crowd, workers.meddle_with_a_change, tmp_path))
    assert answers.keys() <= {"pending", DONE, "ledger.transition", "ledger.revision-moved"}
    assert answers["pending"] == CROWD // 4
    with open_at(tmp_path) as ledger:
        record = ledger.requests.get("dinkes/simrs")
        assert replace(record, proposal=None) == before
        held = 50 if record.change_approved else 0
        assert ledger.quota.balances({"dinkes"})["memory"] == Balance(200, held)
        assert record.proposal is not None
        assert (record.proposal.approval is not None) is record.change_approved
    sound(tmp_path)


def test_one_of_twenty_requests_gets_the_last_slot(
    crowd: ProcessPoolExecutor, tmp_path: Path
) -> None:
    with open_at(tmp_path) as ledger:
        for number in range(CROWD):
            ledger.requests.submit(workload(name=f"w{number}"), "", SITI)
    answers = Counter(at_once(crowd, workers.approve_own, tmp_path))
    assert answers == {DONE: 1, "quota.exceeded": CROWD - 1}
    with open_at(tmp_path) as ledger:
        assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, 100)
        assert len(ledger.requests.list(state=RequestState.APPROVED)) == 1
    sound(tmp_path)


@pytest.mark.parametrize(
    ("work", "winners"), [(workers.approve_child, 7), (workers.approve_alone, CROWD)]
)
def test_children_share_their_parents_limit_and_strangers_share_nothing(
    crowd: ProcessPoolExecutor, tmp_path: Path, work: Callable[[Path, int], str], winners: int
) -> None:
    with open_at(tmp_path) as ledger:
        for number in range(CROWD):
            ledger.requests.submit(workload(f"upt{number}"), "", SITI)
    answers = Counter(at_once(crowd, work, tmp_path))
    assert answers[DONE] == winners
    assert answers["quota.exceeded"] == CROWD - winners
    with open_at(tmp_path) as ledger:
        assert ledger.quota.balances(workers.CHILDREN)["memory"] == Balance(0, 100 * winners)
    sound(tmp_path)


def test_a_hold_runs_out_or_is_applied_but_never_both(
    crowd: ProcessPoolExecutor, tmp_path: Path
) -> None:
    with open_at(tmp_path) as ledger:
        ledger.requests.submit(workload(), "", SITI)
        approve(ledger, workload(), {"db-1": {"memory": 100}}, chain(memory=100))
    answers = Counter(at_once(crowd, workers.begin_or_expire, tmp_path))
    with open_at(tmp_path) as ledger:
        state = ledger.requests.get("dinkes/simrs").state
        held = ledger.quota.balances({"dinkes"})["memory"].held
    if state is RequestState.APPLYING:
        assert (answers["applying"], answers["expired"], held) == (CROWD // 2, 0, 100)
    else:
        assert state is RequestState.EXPIRED
        assert (answers["ledger.transition"], answers["expired"], held) == (CROWD // 2, 1, 0)
    sound(tmp_path)


def test_a_recount_during_approvals_sees_whole_deeds_in_one_order(
    crowd: ProcessPoolExecutor, tmp_path: Path
) -> None:
    with open_at(tmp_path) as ledger:
        for number in range(CROWD):
            ledger.requests.submit(workload(f"upt{number}"), "", SITI)
    answers = at_once(crowd, workers.approve_or_recount, tmp_path)
    assert answers.count(DONE) == CROWD // 2
    for answer in answers[::2]:
        seen = [tuple(map(int, one.split(":"))) for one in answer.split()]
        assert all(memory * 4 == vcpu * 100 for memory, vcpu in seen)
        assert seen == sorted(seen)
    with open_at(tmp_path) as ledger:
        assert ledger.quota.balances(workers.CHILDREN)["memory"] == Balance(0, 100 * CROWD // 2)
    sound(tmp_path)


def test_what_ran_out_makes_room_for_one_whoever_ends_it(
    crowd: ProcessPoolExecutor, tmp_path: Path
) -> None:
    with open_at(tmp_path) as ledger:
        ledger.requests.submit(workload(), "", SITI)
        approve(ledger, workload(), {"db-1": {"memory": 100}}, chain(memory=100))
        for number in range(0, CROWD, 2):
            ledger.requests.submit(workload(name=f"w{number}"), "", SITI)
    answers = Counter(at_once(crowd, workers.approve_or_expire, tmp_path))
    assert answers[DONE] == 1
    assert answers["quota.exceeded"] == CROWD // 2 - 1
    assert answers["expired"] <= 1
    with open_at(tmp_path) as ledger:
        assert ledger.requests.get("dinkes/simrs").state is RequestState.EXPIRED
        assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, 100)
    sound(tmp_path, workers.LATER)


def test_sixteen_addresses_go_to_sixteen_and_four_are_refused(
    crowd: ProcessPoolExecutor, tmp_path: Path
) -> None:
    with open_at(tmp_path) as ledger:
        for number in range(CROWD):
            applying(ledger, workload("dinkes", f"w{number}", vm("db", 1)))
    answers = at_once(crowd, workers.claim_one, tmp_path)
    given = [answer.split() for answer in answers if not answer.startswith("ledger.")]
    assert answers.count("ledger.addresses-exhausted") == 4
    assert len(given) == 16
    for kind in zip(*given, strict=True):
        assert len(set(kind)) == 16
    assert {vmid for vmid, _, _ in given} == {str(vmid) for vmid in range(100, 116)}
    with open_at(tmp_path) as ledger:
        assert len(ledger.instances.list()) == 16
    sound(tmp_path)


def test_one_of_twenty_runs_the_saga(crowd: ProcessPoolExecutor, tmp_path: Path) -> None:
    workers.prepare_applying(tmp_path)
    answers = Counter(at_once(crowd, workers.open_saga_and_wait, tmp_path))
    assert answers == {DONE: 1, "journal.busy": CROWD - 1}
