"""A process killed at any instant leaves whole deeds behind, or nothing of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudpemda.ledger import InstanceState, RequestState
from cloudpemda.rules.quota import Balance
from tests.ledger import workers
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    applying,
    approve,
    chain,
    open_at,
    pools,
    wanted,
    workload,
)

ROOT = Path(__file__).parents[2]


@contextmanager
def running(work: str, base: Path, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that does `work`; it is killed at the end, if it was not before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.workers", work, str(base), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    word = process.stdout.readline().strip()
    assert word, "the process ended by itself"
    return word


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_an_approval_that_dies_after_its_hold_was_written_holds_nothing(tmp_path: Path) -> None:
    spec = workload()
    with open_at(tmp_path) as ledger:
        ledger.requests.submit(spec, "", SITI)
        entries = ledger.audit.log()
        with running("hang_in_approval", tmp_path) as process:
            assert said(process) == "inside"
            assert ledger.quota.balances({"dinkes"}) == {}
            kill(process)

        assert ledger.requests.get(spec.key).state is RequestState.PENDING
        assert ledger.quota.balances({"dinkes"}) == {}
        assert ledger.audit.log() == entries
        approve(ledger, spec, {"db-1": {"memory": 100}}, chain(memory=100))
        assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, 100)
        assert ledger.audit.verify() == ()


def test_a_claim_that_dies_between_two_members_has_given_nothing(tmp_path: Path) -> None:
    spec = workload()
    with open_at(tmp_path) as ledger:
        applying(ledger, spec)
        with running("hang_in_claim", tmp_path) as process:
            assert said(process) == "inside"
            kill(process)
        assert ledger.instances.list() == ()
        claimed = ledger.instances.claim(
            spec.key,
            wanted(spec),
            vmid_range=range(100, 200),
            pools=pools(),
            taken_vmids={},
            actor=OPERATOR,
        )
        assert [(one.vmid, one.state) for one in claimed] == [
            (100, InstanceState.PLANNED),
            (101, InstanceState.PLANNED),
        ]
        assert ledger.audit.verify() == ()


def test_the_saga_of_a_killed_process_is_followed_at_once(tmp_path: Path) -> None:
    workers.prepare_applying(tmp_path)
    with open_at(tmp_path) as ledger:
        with running("hold_saga", tmp_path) as process:
            assert said(process) == "inside"
            with pytest.raises(Exception, match=r"journal\.busy"):
                ledger.journal.open_saga("R-2026-0001", "apply", "d")
            kill(process)
        with ledger.journal.open_saga("R-2026-0001", "apply", "d") as journal:
            assert journal.resumed


@pytest.mark.parametrize("deeds", [1, 2, 7, 12, 20])
def test_killed_processes_leave_every_deed_they_reported_and_no_half_one(
    tmp_path: Path, deeds: int
) -> None:
    """Three processes at once, each killed after so many deeds, wherever it is by then."""
    reported: dict[str, str] = {}
    open_at(tmp_path).close()
    with (
        running("live", tmp_path, "a") as first,
        running("live", tmp_path, "b") as second,
        running("live", tmp_path, "c") as third,
    ):
        for process in (first, second, third):
            for _ in range(deeds):
                key, _, state = said(process).partition(" ")
                reported[key] = state
            kill(process)

    with open_at(tmp_path) as ledger:
        records = {record.key: record for record in ledger.requests.list()}
        held = ledger.quota.balances({"dinkes"}).get("memory", Balance())
        approved = [one for one in records.values() if one.state is RequestState.APPROVED]
        assert reported.keys() <= records.keys()
        for process_name in "abc":
            # All but the last deed of each process are final: the last may have gone on.
            *earlier, _ = [key for key in reported if key.startswith(f"dinkes/{process_name}")]
            for key in earlier:
                assert records[key].state == reported[key]
        assert held == Balance(0, 15 * len(approved))
        assert all(one.approval is not None for one in approved)
        assert ledger.audit.verify() == ()
