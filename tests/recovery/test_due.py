"""Which copies are due, and which of them a night has time and leave for."""

from datetime import timedelta

import pytest

from cloudpemda.cluster import Backup, Freshness, ReplicationRun
from cloudpemda.recovery import Facts
from cloudpemda.recovery.due import Due, Sized, due, shared_out
from cloudpemda.recovery.window import Lane
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant, Seconds, instant

NOW = instant(1_800_000_000)
HOUR = 3600
CLASS = ServiceClass.model_validate(
    {
        "weight": 1,
        "replication": {"targets": 1, "every": "15m"},
        "backup": {"every": "24h", "at": "01:00", "keep": {"daily": 7}, "factor": 1},
        "rpo": {"node": "30m", "site": "48h"},
    }
)


def _ago(hours: float) -> Instant:
    return Instant(NOW - timedelta(hours=hours))


def _due(
    backup: float | None, replica: float | None, made: float = 1000, unread: tuple[str, ...] = ()
) -> dict[Lane, int | None]:
    facts = Facts("dinkes/a/b-1", "dinkes", 100, "pve1", _ago(made), "pbs")
    last = None if replica is None else _ago(replica)
    run = ReplicationRun("100-0", 100, "pve1", "pve2", last, NOW, 3.0, 0, None)
    kept = [] if backup is None else [Backup("pbs", "v", 100, _ago(backup), 1)]
    fresh = Freshness({"100-0": run}, {100: tuple(kept)}, unread)
    return {one.lane: one.age for one in due(facts, fresh, NOW, CLASS, Seconds(60))}


@pytest.mark.parametrize(
    ("backup", "replica", "lacking"),
    [
        (20, 0.4, {}),
        (None, None, {Lane.BACKUP: None, Lane.REPLICATION: None}),
        (49, 0.4, {Lane.BACKUP: 49 * HOUR}),
        (20, 1, {Lane.REPLICATION: HOUR}),
        (-1, -1, {}),  # a clock is wrong: nobody knows
    ],
)
def test_what_is_missing_or_too_old_is_due(
    backup: float | None, replica: float | None, lacking: dict[Lane, int | None]
) -> None:
    assert _due(backup, replica) == lacking


def test_a_copy_of_who_had_the_vmid_before_is_none_and_what_was_not_read_is_not_known() -> None:
    assert _due(20, 0.4, made=0.1) == {Lane.BACKUP: None, Lane.REPLICATION: None}
    assert _due(None, None, unread=("node/pve1", "storage/pbs")) == {}


def _sized(name: str, node: str, seconds: int, age: int | None = None) -> Sized:
    known = None if age is None else Seconds(age)
    return Sized(Due(name, Lane.BACKUP, NOW, known), node, seconds)


def test_who_has_nothing_is_first_and_nothing_is_begun_that_would_not_end() -> None:
    wanted = [
        _sized("old", "n1", 500, 100),
        _sized("older", "n1", 500, 200),
        _sized("none", "n1", 500),
        _sized("long", "n2", 1600),
        _sized("other", "n2", 400, 50),
    ]
    share = shared_out(wanted, 1500, per_night=3, per_node=2)
    assert [one.due.key for one in share.begin] == ["none", "older", "other"]
    assert [one.due.key for one in share.late] == ["long"]
    assert [one.due.key for one in share.over] == ["old"]
    assert shared_out(wanted[:3], 999, per_night=9, per_node=9).late == tuple(wanted[:2][::-1])
