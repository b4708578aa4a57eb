"""What is left when the site is lost, by the way that a class's copies come to the other one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cloudpemda.cluster import Backup, Freshness
from cloudpemda.recovery import Judgement, Standing, judge, judge_backup
from cloudpemda.site.models import ServiceClass
from tests.recovery.test_rpo import CRITICAL, DAY, FACTS, NOW, TOLERANCE, ago, backup, run

SYNCED = CRITICAL.model_copy(
    update={"drc": ServiceClass.model_validate({"weight": 1, "drc": {"method": "backup-sync"}}).drc}
)
STRETCHED = CRITICAL.model_copy(
    update={"drc": ServiceClass.model_validate({"weight": 1, "drc": {"method": "stretched"}}).drc}
)
HERE = replace(FACTS, recovery_server="pbs-drc")
WIDE = replace(FACTS, recovery_nodes=frozenset({"drc8", "drc9"}))
HOUR = 3600


def copy(taken: int, **changes: Any) -> Backup:
    return replace(backup(taken), storage="pbs-drc", volume=f"pbs-drc:vm/10001/{taken}", **changes)


def found(*away: Backup, here: tuple[Backup, ...] = (), unread: tuple[str, ...] = ()) -> Freshness:
    copies: Mapping[int, tuple[Backup, ...]] = {10001: away} if away else {}
    return Freshness({}, {10001: here} if here else {}, unread, copies)


def site(told: Freshness, service_class: ServiceClass = SYNCED, facts: Any = HERE) -> Judgement:
    return judge(facts, told, NOW, service_class, TOLERANCE)[1]


def test_what_lies_there_counts_by_when_it_was_taken_not_by_what_is_here() -> None:
    judged = site(found(copy(20 * HOUR), copy(44 * HOUR), here=(backup(HOUR),)))
    assert (judged.standing, judged.attained) == (Standing.OK, 20 * HOUR)
    assert judged.source == f"pbs-drc:vm/10001/{20 * HOUR}"
    late = site(found(copy(30 * HOUR), here=(backup(HOUR),)))
    assert (late.standing, late.attained) == (Standing.LATE, 30 * HOUR)
    assert late.breach


def test_a_backup_that_no_sync_has_brought_there_is_no_copy() -> None:
    told = found(here=(backup(HOUR),))
    assert site(told).standing is Standing.NEVER
    assert site(told, CRITICAL).standing is Standing.NEVER  # a server pulls, so it would be there
    assert site(told, facts=FACTS).standing is Standing.NEVER  # promised, and nothing pulls
    assert site(told, CRITICAL, FACTS).standing is Standing.OK  # nobody knows where they lie
    assert judge_backup(HERE, told, NOW, SYNCED, TOLERANCE).standing is Standing.OK


@pytest.mark.parametrize(
    ("newest", "standing", "age"),
    [(True, Standing.OK, HOUR), (None, Standing.OK, HOUR), (False, Standing.LATE, 30 * HOUR)],
)
def test_a_copy_that_failed_its_verification_there_is_none(
    newest: bool | None, standing: Standing, age: int
) -> None:
    judged = site(found(copy(HOUR, verified=newest), copy(30 * HOUR, verified=True)))
    assert (judged.standing, judged.attained) == (standing, age)


def test_a_server_that_does_not_answer_is_unknown_and_a_storage_here_is_not_its_matter() -> None:
    assert site(found(unread=("server/pbs-drc",))).standing is Standing.UNKNOWN
    here_unread = found(copy(HOUR), unread=("storage/pbs-dc", "server/other", "node/pve1"))
    assert site(here_unread).standing is Standing.OK


def test_what_is_there_of_the_vmids_former_owner_is_not_counted() -> None:
    young = replace(HERE, made_at=ago(HOUR))
    assert site(found(copy(2 * HOUR)), facts=young).standing is Standing.PENDING
    old = replace(HERE, made_at=ago(3 * DAY))
    assert site(found(copy(4 * DAY)), facts=old).standing is Standing.NEVER


def test_a_copy_from_the_future_has_no_age() -> None:
    judged = site(found(copy(-HOUR)))
    assert (judged.standing, judged.attained) == (Standing.CLOCK_SKEW, None)


def test_in_a_stretched_cluster_the_replica_on_the_other_side_counts() -> None:
    def replicas(*runs: Any) -> Freshness:
        return Freshness({one.id: one for one in runs}, {10001: (backup(60),)})

    far, near = run(600, "drc9"), run(60, "pve2")
    judged = site(replicas(far, near), STRETCHED, WIDE)
    assert (judged.standing, judged.attained, judged.source) == (Standing.OK, 600, far.id)
    assert site(replicas(near), STRETCHED, WIDE).standing is Standing.NEVER
    there = replace(WIDE, node="drc8")
    judged = site(replicas(far, near), STRETCHED, there)
    assert (judged.standing, judged.source) == (Standing.OK, near.id)
    newer = replace(run(30, "drc8"), failures=2)
    assert site(replicas(far, newer), STRETCHED, WIDE).attained == 30
    lost = Freshness({}, {}, ("node/pve1",))
    assert site(lost, STRETCHED, WIDE).standing is Standing.UNKNOWN
