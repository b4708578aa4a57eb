"""What happens in a cluster that nobody asks anything of, over days: by its event log alone."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from bench.lab_year import DAY, Cluster
from cloudpemda.lab.nodes import set_node
from cloudpemda.lab.qemu import machine

HOUR = 3600.0


def events(cluster: Cluster, *what: str) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in cluster.lab.events.lines()]
    return [row for row in told if row["what"] in what]


def peopled(count: int, seed: int = 7) -> Cluster:
    cluster = Cluster(seed)
    cluster.people(count)
    return cluster


def power(cluster: Cluster, node: str, *, online: bool) -> None:
    set_node(cluster.world, node, online=online)
    cluster.world.stir()


def test_the_same_seed_has_the_same_days_and_another_one_has_others() -> None:
    digests = []
    for seed in (7, 7, 8):
        cluster = peopled(10, seed)
        cluster.lab.clock.advance(3 * DAY)
        digests.append(cluster.digest())
    assert digests[0] == digests[1] != digests[2]


def test_copies_and_backups_are_made_when_they_are_due() -> None:
    cluster = peopled(10)
    began = cluster.lab.clock.now()
    cluster.lab.clock.advance(12 * DAY)
    copied = events(cluster, "replicated")
    for job, longest in (("10000-0", HOUR), ("10009-0", DAY)):
        points = [row["recovery_point"] for row in copied if row["job"] == job][1:]
        assert len(points) >= 12 * DAY / longest - 1
        assert max(later - one for one, later in pairwise(points)) < longest + 15 * 60
    taken = [row for row in events(cluster, "backed-up") if row["vmid"] == 10003]
    assert [row["recovery_point"] // DAY - began // DAY for row in taken] == list(range(12))
    kept = cluster.ask("GET", "/nodes/pve1/storage/vault/content", vmid=10003)
    assert len(kept) == 8  # of seven days, and of the week before them


@pytest.mark.slow
def test_a_year_of_a_hundred_vms_is_the_same_twice() -> None:
    digests = []
    for _ in range(2):
        cluster = peopled(100)
        cluster.lab.clock.advance(365 * DAY)
        digests.append(cluster.digest())
        assert len(events(cluster, "backed-up")) == 365 * 100
        assert events(cluster, "backup-failed", "replication-failed") == []
    assert digests[0] == digests[1]


def test_jobs_of_a_node_run_one_after_another() -> None:
    cluster = peopled(9)
    cluster.lab.clock.advance(DAY)
    # The first run copies all of 8 GiB: at 200 MiB a second 41 s, and half a second of its own.
    starts: dict[str, list[float]] = {}
    for row in events(cluster, "replicated"):
        if row["bytes"] == 8 * 1024**3:
            starts.setdefault(row["source"], []).append(row["at"])
    assert sorted(starts) == ["pve1", "pve2", "pve3"]
    for ends in starts.values():
        assert all(later - one >= 41.4 for one, later in pairwise(ends))


def test_what_ha_takes_from_a_lost_node_has_the_data_of_the_last_copy() -> None:
    cluster = peopled(5)
    vm = cluster.world.cluster.vms[10000]
    cluster.lab.clock.advance(2.5 * HOUR)
    last = events(cluster, "replicated")[-1]
    assert last["source"] == "pve1"
    power(cluster, "pve1", online=False)
    cluster.lab.clock.advance(120)
    machine.steal(cluster.world, vm, "pve2")
    (told,) = events(cluster, "vm-recovered")
    assert told["recovery_points"] == {"scsi0": last["recovery_point"]}
    cluster.world.stir()
    cluster.lab.clock.advance(HOUR)
    (turned,) = events(cluster, "replication-turned")
    assert (turned["job"], turned["target"]) == ("10000-0", "pve1")
    power(cluster, "pve1", online=True)
    cluster.lab.clock.advance(2 * HOUR)
    row = events(cluster, "replicated")[-1]
    assert (row["job"], row["source"], row["target"]) == ("10000-0", "pve2", "pve1")
    assert row["bytes"] < 8 * 1024**3  # both sides still have a snapshot in common


@pytest.mark.parametrize("second", range(0, 20, 3))
def test_ha_acts_in_whatever_second_a_node_is_lost(second: int) -> None:
    cluster = peopled(2)
    cluster.ask("POST", "/cluster/ha/resources", sid="vm:10000")
    cluster.lab.clock.advance(HOUR + second + 0.5)
    power(cluster, "pve1", online=False)
    lost = cluster.lab.clock.now()
    cluster.lab.clock.advance(600)
    (told,) = events(cluster, "vm-recovered")
    assert 120 < told["at"] - lost < 240


def test_a_guest_that_is_recovered_where_it_has_no_copy_has_no_disk() -> None:
    cluster = peopled(1)
    cluster.lab.clock.advance(HOUR)
    power(cluster, "pve1", online=False)
    machine.steal(cluster.world, cluster.world.cluster.vms[10000], "pve3")
    (told,) = events(cluster, "vm-recovered")
    assert told["recovery_points"] == {"scsi0": None}


def test_a_target_that_is_lost_half_way_has_its_old_copy() -> None:
    cluster = peopled(5)
    cluster.lab.clock.advance(2.5 * HOUR)
    due = cluster.lab.clock.now() // HOUR * HOUR + HOUR
    before = events(cluster, "replicated")[-1]["recovery_point"]
    cluster.lab.clock.advance(due - cluster.lab.clock.now() + 0.1)
    power(cluster, "pve2", online=False)
    cluster.lab.clock.advance(600)
    (lost,) = events(cluster, "replication-failed")
    assert (lost["job"], lost["target"]) == ("10000-0", "pve2")
    assert events(cluster, "replicated")[-1]["recovery_point"] == before


def test_one_vzdump_runs_on_a_node_at_a_time() -> None:
    cluster = peopled(6)
    upids = [
        cluster.ask("POST", "/nodes/pve1/vzdump", vmid=vmid, storage="vault")
        for vmid in (10000, 10003)
    ]
    cluster.lab.clock.advance(300)
    made = events(cluster, "backed-up")
    assert made[1]["recovery_point"] >= made[0]["at"]
    log = cluster.ask("GET", f"/nodes/pve1/tasks/{upids[1]}/log")
    assert "INFO: trying to get global lock - waiting..." in [row["t"] for row in log]


@pytest.mark.parametrize("repeat", ["0", "1"])
def test_a_node_that_was_down_makes_up_for_its_backups_only_when_it_is_told_to(repeat: str) -> None:
    cluster = peopled(3)
    (job,) = cluster.ask("GET", "/cluster/backup")
    cluster.ask("PUT", f"/cluster/backup/{job['id']}", repeat_missed=repeat)
    power(cluster, "pve2", online=False)
    cluster.lab.clock.advance(DAY)
    assert [row["vmid"] for row in events(cluster, "backup-missed")] == [10001]
    power(cluster, "pve2", online=True)
    cluster.lab.clock.advance(HOUR)
    made = [row["vmid"] for row in events(cluster, "backed-up")]
    assert made.count(10001) == int(repeat)


def test_a_node_forgets_its_oldest_tasks() -> None:
    cluster = peopled(1)
    first = cluster.ask("POST", "/nodes/pve1/vzdump", vmid=10000, storage="vault", remove=0)
    for _ in range(2100):
        cluster.ask("POST", "/nodes/pve1/vzdump", vmid=99999, storage="vault")
        cluster.lab.clock.advance(60)
    ended = [task for task in cluster.world.cluster.tasks if task.node == "pve1"]
    assert 1000 <= len(ended) <= 2000
    assert first not in {task.upid for task in ended}
