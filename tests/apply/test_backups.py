"""Shared backup jobs: nobody's entry is lost, whoever writes at the same time."""

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.apply.membership import BackupMembership
from cloudpemda.apply.readback import Readback
from cloudpemda.apply.shop import Shop
from cloudpemda.clock import LabClock
from tests import labs
from tests.apply.rig import BACKUP, Rig, client, desired, rig
from tests.saga.memory import MemoryJournal


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found


def members(lab: Rig) -> set[int]:
    jobs = lab.control.state()["dc"]["backup_jobs"]
    listed = jobs[BACKUP.job]["options"]["vmid"] if BACKUP.job in jobs else ""
    return {int(vmid) for vmid in listed.split(",") if vmid}


def test_threads_that_join_and_leave_at_once_lose_nobody(lab: Rig) -> None:
    jobs = BackupMembership(lab.pve, lab.locks)
    for vmid in range(100, 104):
        jobs.join(BACKUP, vmid)
    before = len(lab.control.requests())
    threads = [Thread(target=jobs.join, args=(BACKUP, vmid)) for vmid in range(104, 124)]
    threads += [Thread(target=jobs.leave, args=(BACKUP, vmid)) for vmid in range(100, 104)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert members(lab) == set(range(104, 124))
    assert len(lab.control.writes(before)) < len(threads), "many changes, few writes"


def test_the_last_member_takes_the_job_with_it(lab: Rig) -> None:
    jobs = BackupMembership(lab.pve, lab.locks)
    assert jobs.join(BACKUP, 100) == ()
    (seen,) = jobs.join(BACKUP, 101)
    assert (seen.id, seen.vmids) == (BACKUP.job, frozenset({100})), "as it was before"
    for vmid in (101, 100, 100):
        jobs.leave(BACKUP, vmid)
    assert BACKUP.job not in lab.control.state()["dc"]["backup_jobs"]


def _join_some(directory: Path, locks: Path, vmids: range) -> None:
    endpoints = json.loads((directory / "endpoints.json").read_text())
    found = labs.RunningLab(directory, endpoints, None)  # type: ignore[arg-type]
    clock = LabClock(found.control.url, found.control.token)
    jobs = BackupMembership(client(found, clock), locks)
    for vmid in vmids:
        jobs.join(BACKUP, vmid)


def test_processes_that_join_at_once_lose_nobody(tmp_path: Path) -> None:
    with rig(tmp_path) as lab:
        processes = [
            multiprocessing.get_context("spawn").Process(
                target=_join_some,
                args=(tmp_path / "lab", lab.locks, range(first, first + 5)),
            )
            for first in range(100, 120, 5)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 4
        assert members(lab) == set(range(100, 120))


def test_a_list_overwritten_by_another_hand_is_put_right_by_the_reading_back(lab: Rig) -> None:
    vms = [desired(1), desired(2)]
    lab.apply(*vms)
    lab.pve.update_backup_job(BACKUP.job, [10002], {})  # a writer who knows no lock
    assert members(lab) == {10002}
    reading = Readback(Shop(lab.tools(vms), vms)).settle(vms)
    assert not reading.unmet
    assert members(lab) == {10001, 10002}


def test_a_job_that_somebody_switched_off_is_switched_on_again(lab: Rig) -> None:
    lab.apply(desired(1))
    lab.pve.update_backup_job(BACKUP.job, [10001], {"enabled": False})
    lab.journal = MemoryJournal()
    assert [one.ending for one in lab.apply(desired(1)).vms] == [VmEnding.ACTIVE]
    assert lab.differences(desired(1)) == []


def test_two_applies_at_once_keep_all_their_vms_in_the_job(tmp_path: Path) -> None:
    with rig(tmp_path) as lab:
        halves = [[desired(n, apart=None) for n in range(1, 7)]]
        halves.append([desired(n, apart=None) for n in range(7, 13)])
        rigs = [replace(lab, journal=MemoryJournal(), told=[]) for _ in halves]
        endings: list[VmEnding] = []

        def run(own: Rig, vms: list[object]) -> None:
            result = apply_workload(vms, own.tools(vms))  # type: ignore[arg-type]
            endings.extend(one.ending for one in result.vms)

        threads = [Thread(target=run, args=pair) for pair in zip(rigs, halves, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert endings == [VmEnding.ACTIVE] * 12
        assert members(lab) == set(range(10001, 10013))
