"""What would be lost now against what may be lost: by age, and never a false ok."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.cluster import Backup, Freshness, ReplicationRun
from cloudpemda.messages import explain
from cloudpemda.recovery import Facts, Judgement, Loss, Standing, judge
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Instant, Seconds, instant

NOW = instant(1_800_000_000)
TOLERANCE = Seconds(30)
DAY = 86400
CRITICAL = ServiceClass.model_validate(
    {
        "weight": 100,
        "ha": True,
        "replication": {"targets": 1, "every": "15m"},
        "backup": {"every": "24h", "keep": {"daily": 14}, "factor": 1},
        "rpo": {"node": "30m", "site": "24h"},
    }
)
PLAIN = CRITICAL.model_copy(update={"replication": None})
NOTHING = ServiceClass.model_validate({"weight": 1})
FACTS = Facts(
    key="dinkes/simrs/db-1",
    opd="dinkes",
    vmid=10001,
    node="pve1",
    made_at=instant(1_800_000_000 - 30 * DAY),
    backup_storage="pbs-dc",
)


def ago(seconds: int) -> Instant:
    return Instant(NOW - timedelta(seconds=seconds))


def run(synced: int | None, target: str = "pve2", **changes: Any) -> ReplicationRun:
    number = int(target[-1])
    values: dict[str, Any] = {
        "id": f"10001-{number}",
        "vmid": 10001,
        "source": "pve1",
        "target": target,
        "last_sync": None if synced is None else ago(synced),
        "last_try": NOW,
        "duration": 3.0,
        "failures": 0,
        "error": None,
    }
    return ReplicationRun(**(values | changes))


def backup(taken: int, **changes: Any) -> Backup:
    made = Backup("pbs-dc", f"pbs-dc:backup/vm/10001/{taken}", 10001, ago(taken), 1 << 30)
    return replace(made, **changes)


def freshness(
    *runs: ReplicationRun, backups: tuple[Backup, ...] = (), unread: tuple[str, ...] = ()
) -> Freshness:
    return Freshness({one.id: one for one in runs}, {10001: backups} if backups else {}, unread)


def node(
    found: Freshness, service_class: ServiceClass = CRITICAL, facts: Facts = FACTS
) -> Judgement:
    return judge(facts, found, NOW, service_class, TOLERANCE)[0]


def site(
    found: Freshness, service_class: ServiceClass = CRITICAL, facts: Facts = FACTS
) -> Judgement:
    return judge(facts, found, NOW, service_class, TOLERANCE)[1]


def test_a_young_replica_and_a_young_backup_are_ok() -> None:
    found = freshness(run(600), backups=(backup(3600),))
    on_node, on_site = judge(FACTS, found, NOW, CRITICAL, TOLERANCE)
    assert (on_node.loss, on_node.standing, on_node.attained) == (Loss.NODE, Standing.OK, 600)
    assert (on_site.loss, on_site.standing, on_site.attained) == (Loss.SITE, Standing.OK, 3600)
    assert on_node.source == "10001-2"
    assert on_site.source == "pbs-dc:backup/vm/10001/3600"
    assert not on_node.breach
    assert not on_site.breach


@pytest.mark.parametrize(("seconds", "standing"), [(1800, Standing.OK), (1801, Standing.LATE)])
def test_the_promise_ends_at_its_last_second(seconds: int, standing: Standing) -> None:
    assert node(freshness(run(seconds))).standing is standing


def test_a_green_job_with_an_old_recovery_point_is_a_breach() -> None:
    judged = node(freshness(run(7200, failures=0, error=None)))
    assert (judged.standing, judged.breach, judged.attained) == (Standing.LATE, True, 7200)


def test_a_failing_job_with_a_young_recovery_point_is_none_yet() -> None:
    judged = node(freshness(run(60, failures=4, error="no route")))
    assert (judged.standing, judged.failures) == (Standing.OK, 4)


def test_of_several_replicas_the_oldest_decides_and_each_must_be_there() -> None:
    two = CRITICAL.model_copy(
        update={"replication": CRITICAL.replication.model_copy(update={"targets": 2})}  # type: ignore[union-attr]
    )
    both = freshness(run(60, "pve2"), run(900, "pve3"))
    assert (node(both, two).standing, node(both, two).attained) == (Standing.OK, 900)
    late = freshness(run(60, "pve2"), run(4000, "pve3"))
    assert node(late, two).standing is Standing.LATE
    missing = freshness(run(60, "pve2"), run(None, "pve3"))
    assert (node(missing, two).standing, node(missing, two).attained) == (Standing.NEVER, None)
    assert node(freshness(run(60, "pve2")), two).standing is Standing.NEVER


def test_without_replication_the_backup_is_what_is_left_after_a_node() -> None:
    found = freshness(backups=(backup(1200),))
    assert (node(found, PLAIN).standing, node(found, PLAIN).attained) == (Standing.OK, 1200)
    assert node(freshness(backups=(backup(3600),)), PLAIN).standing is Standing.LATE
    assert node(freshness(run(5)), PLAIN).standing is Standing.NEVER


def test_the_newest_backup_counts_and_one_that_failed_verification_does_not() -> None:
    found = freshness(backups=(backup(2 * DAY), backup(100), backup(10, verified=False)))
    assert site(found).attained == 100
    only_bad = freshness(backups=(backup(10, verified=False),))
    assert site(only_bad).standing is Standing.NEVER


def test_copies_of_a_vm_that_had_the_vmid_before_do_not_count() -> None:
    young = replace(FACTS, made_at=ago(600))
    found = freshness(run(5000), backups=(backup(5000),))
    assert node(found, facts=young).standing is Standing.PENDING
    assert site(found, facts=young).standing is Standing.PENDING
    assert site(found, facts=young).source is None


def test_clocks_may_disagree_about_the_making_by_the_tolerance_and_no_second_more() -> None:
    def standing(early: float) -> Standing:
        made = Instant(ago(3000) + timedelta(seconds=early))
        return site(freshness(backups=(backup(3000),)), facts=replace(FACTS, made_at=made)).standing

    assert standing(TOLERANCE) is Standing.OK
    assert standing(TOLERANCE + 0.1) is Standing.PENDING
    assert standing(TOLERANCE + 1) is Standing.PENDING


def test_what_was_not_read_is_unknown_whatever_else_was_found() -> None:
    good = freshness(run(60), backups=(backup(60),), unread=("node/pve1", "storage/pbs-dc"))
    on_node, on_site = judge(FACTS, good, NOW, CRITICAL, TOLERANCE)
    assert on_node.standing is on_site.standing is Standing.UNKNOWN
    assert on_node.attained is on_site.attained is None
    assert on_node.breach
    assert on_site.breach
    others = freshness(run(60), backups=(backup(60),), unread=("node/pve2", "storage/other"))
    assert node(others).standing is site(others).standing is Standing.OK
    assert node(freshness(run(60)), facts=replace(FACTS, node=None)).standing is Standing.UNKNOWN


def test_a_new_vm_is_pending_until_its_rpo_has_passed_once() -> None:
    new = replace(FACTS, made_at=ago(1800))
    old = replace(FACTS, made_at=ago(1801))
    assert node(freshness(), facts=new).standing is Standing.PENDING
    assert not node(freshness(), facts=new).breach
    assert node(freshness(), facts=old).standing is Standing.NEVER
    assert site(freshness(), facts=old).standing is Standing.PENDING


def test_a_copy_from_the_future_is_clock_skew_and_a_little_ahead_is_age_zero() -> None:
    skewed = node(freshness(run(-31)))
    assert (skewed.standing, skewed.breach, skewed.attained) == (Standing.CLOCK_SKEW, True, None)
    assert skewed.source == "10001-2"
    near = node(freshness(run(-30)))
    assert (near.standing, near.attained) == (Standing.OK, 0)
    assert site(freshness(backups=(backup(-3600),))).standing is Standing.CLOCK_SKEW


def test_one_skewed_replica_of_two_is_not_hidden_by_an_old_one() -> None:
    found = freshness(run(60, "pve2"), run(-900, "pve3"))
    assert node(found).standing is Standing.CLOCK_SKEW


def test_what_is_not_promised_is_no_breach_but_what_there_is_is_told() -> None:
    judged = node(freshness(backups=(backup(50 * 60),)), NOTHING)
    assert (judged.standing, judged.attained, judged.breach) == (
        Standing.NOT_PROMISED,
        3000,
        False,
    )
    assert node(freshness(), NOTHING).attained is None


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("standing", list(Standing))
def test_every_judgement_has_its_text(loss: Loss, standing: Standing) -> None:
    judged = replace(node(freshness(run(7200))), loss=loss, standing=standing, rpo=Seconds(1800))
    fault = judged.fault
    for what in (explain(fault.code, "en", fault.values), explain(fault.code, "id", fault.values)):
        assert "dinkes/simrs/db-1" in what[0]
        assert "?" not in what[0]
        assert bool(what[1]) == judged.breach


moments = st.integers(-5000, 3 * DAY)
found = st.builds(
    lambda runs, backups, unread: freshness(
        *(run(synced, target) for target, synced in runs.items()),
        backups=tuple(backup(taken, verified=verified) for taken, verified in backups),
        unread=tuple(unread),
    ),
    st.dictionaries(st.sampled_from(["pve2", "pve3"]), st.one_of(st.none(), moments)),
    st.lists(st.tuples(moments, st.sampled_from([None, True, False]))),
    st.sets(st.sampled_from(["node/pve1", "node/pve2", "storage/pbs-dc", "storage/x"])),
)
facts = st.builds(lambda made: replace(FACTS, made_at=ago(made)), st.integers(-100, 40 * DAY))
classes = st.sampled_from([CRITICAL, PLAIN, NOTHING])


@given(facts, found, classes)
def test_ok_means_that_a_recovery_point_within_the_rpo_was_read(
    facts: Facts, found: Freshness, service_class: ServiceClass
) -> None:
    for judged in judge(facts, found, NOW, service_class, TOLERANCE):
        assert judged.attained is None or judged.attained >= 0
        if judged.standing is Standing.OK:
            assert judged.rpo is not None
            assert judged.attained is not None
            assert judged.attained <= judged.rpo
            assert judged.last is not None
            assert not {"node/pve1", "storage/pbs-dc"} <= set(found.unread)
        if judged.standing is Standing.LATE:
            assert judged.rpo is not None
            assert judged.attained is not None
            assert judged.attained > judged.rpo
        if judged.standing in {Standing.NEVER, Standing.UNKNOWN, Standing.CLOCK_SKEW}:
            assert judged.breach
            assert judged.attained is None


@given(facts, found, classes, st.integers(0, 10 * DAY))
def test_waiting_never_makes_a_breach_of_age_good(
    facts: Facts, found: Freshness, service_class: ServiceClass, later: int
) -> None:
    """As long as nothing new is copied, late and never stay breaches."""
    then = Instant(NOW + timedelta(seconds=later))
    for now_judged, then_judged in zip(
        judge(facts, found, NOW, service_class, TOLERANCE),
        judge(facts, found, then, service_class, TOLERANCE),
        strict=True,
    ):
        if now_judged.standing in {Standing.LATE, Standing.NEVER}:
            assert then_judged.breach
