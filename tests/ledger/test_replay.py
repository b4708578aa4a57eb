"""The past, told from the book: balances of any moment, limits of their day, refusals' numbers."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger
from cloudpemda.ledger.quota import REFUSED, refusal_faults
from cloudpemda.ledger.schema import postings
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Balance, Limits, Link
from cloudpemda.units import Instant
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    START,
    ManualClock,
    approve,
    network,
    open_at,
    pools,
    vm,
    wanted,
    workload,
)
from tests.ledger.test_grants import grant, more

PARENTS = {"dinkes": None, "rsud": "dinkes", "puskesmas": "dinkes", "bkad": None}
SCOPES = {
    opd: frozenset({opd, *(child for child, parent in PARENTS.items() if parent == opd)})
    for opd in PARENTS
}
POOL = pools(network("10.0.0.0/16", gateway="10.0.0.1"))
Deeds = list[tuple[int, str, int, str]]


def link(opd: str, **limits: int | None) -> Link:
    return Link(opd, limits, SCOPES[opd])


deeds = st.lists(
    st.tuples(
        st.integers(0, 3),  # hours that pass before it
        st.sampled_from(sorted(PARENTS)),
        st.integers(0, 9),  # memory of each of one or two VMs
        st.sampled_from(["approve", "withdraw", "activate"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=deeds)
def test_balances_of_any_moment_are_the_sums_of_its_postings(
    tmp_path_factory: pytest.TempPathFactory, history: Deeds
) -> None:
    clock = ManualClock()
    with open_at(tmp_path_factory.mktemp("ledger"), clock) as ledger:
        told = _live(ledger, clock, history)
        with ledger._store.read() as connection:
            rows = connection.execute(select(postings)).all()
        for moment, balances in told:
            for opd, scope in SCOPES.items():
                past = ledger.quota.balances(scope, moment)
                assert _real(past) == _real(balances[opd]), "as it was told then"
                found = past.get("memory", Balance())
                mine = [row for row in rows if row.opd in scope and row.at <= moment]
                assert found.held == sum(row.held for row in mine)
                assert found.committed == sum(row.committed for row in mine)
                assert found.held >= 0
                assert found.committed >= 0
            parts = [
                ledger.quota.balances({opd}, moment).get("memory", Balance())
                for opd in SCOPES["dinkes"]
            ]
            whole = ledger.quota.balances(SCOPES["dinkes"], moment).get("memory", Balance())
            assert sum(part.charged for part in parts) == whole.charged


def _live(
    ledger: Ledger, clock: ManualClock, history: Deeds
) -> list[tuple[Instant, dict[str, Mapping[str, Balance]]]]:
    """Do it all, and say what was told after each deed, by OPD."""
    told = []
    for number, (hours, opd, memory, kind) in enumerate(history):
        clock.sleep(hours * 3600 + 1)
        spec = workload(opd, f"w{number}", vm("db", 1 + memory % 2))
        ledger.requests.submit(spec, "", SITI)
        amounts = {member: {"memory": memory} for member in spec.vms[0].members}
        approve(ledger, spec, amounts, (link(opd, memory=None),))
        if kind == "withdraw":
            clock.sleep(1)
            ledger.requests.withdraw(spec.key, actor=SITI)
        if kind == "activate":
            clock.sleep(1)
            _activate(ledger, spec)
        balances = {one: ledger.quota.balances(scope) for one, scope in SCOPES.items()}
        told.append((clock.now(), balances))
    return told


def _activate(ledger: Ledger, spec: WorkloadSpec) -> None:
    ledger.requests.begin(
        spec.key, spec_hash=spec.spec_hash, offer_digest="offer-1", actor=OPERATOR
    )
    for instance in ledger.instances.claim(
        spec.key, wanted(spec), vmid_range=range(100, 200), pools=POOL, taken_vmids={},
        actor=OPERATOR,
    ):  # fmt: skip
        ledger.instances.creating(instance.uid, actor=OPERATOR)
        ledger.instances.active(instance.uid, actor=OPERATOR)


def _real(balances: Mapping[str, Balance]) -> dict[str, Balance]:
    return {name: one for name, one in balances.items() if one != Balance()}


limits_seen = st.lists(
    st.tuples(st.integers(1, 5), st.none() | st.integers(0, 99), st.none() | st.integers(0, 9)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seen=limits_seen)
def test_limits_of_any_moment_are_those_that_were_seen_last(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[int, int | None, int | None]]
) -> None:
    clock = ManualClock()
    with open_at(tmp_path_factory.mktemp("ledger"), clock) as ledger:
        expected: list[tuple[Instant, Limits]] = []
        for hours, memory, vcpu in seen:
            clock.sleep(hours * 3600)
            ledger.quota.note_limits({"bkad": {"memory": memory, "vcpu": vcpu}}, BUDI)
            expected.append((clock.now(), {"memory": memory, "vcpu": vcpu}))
        before = Instant(expected[0][0] - timedelta(microseconds=1))
        for moment, limits in [(before, {}), *expected]:
            (past,) = ledger.quota.standings_at((link("bkad", memory=1),), moment)
            assert dict(past.limits) == limits


def test_a_changed_limit_is_told_once_and_the_first_sight_changes_nothing(
    ledger: Ledger,
) -> None:
    for memory in (5, 5, 7, 7, None):
        ledger.quota.note_limits({"bkad": {"memory": memory}}, BUDI)
    entries = ledger.audit.log(action="quota.limits")
    assert [entry.subject for entry in entries] == ["site", "bkad", "bkad"]
    assert [entry.details["memory"] for entry in entries[1:]] == ["5 → 7", "7 → unlimited"]


def test_a_dimension_that_a_file_says_no_more_is_none(ledger: Ledger) -> None:
    ledger.quota.note_limits({"bkad": {"memory": 5, "disk.hdd": 9}}, BUDI)
    ledger.quota.note_limits({"bkad": {"memory": 5}}, BUDI)
    (past,) = ledger.quota.standings_at((link("bkad"),), START)
    assert dict(past.limits) == {"memory": 5, "disk.hdd": 0}


def test_the_past_has_the_grants_of_its_day(ledger: Ledger, clock: ManualClock) -> None:
    ledger.quota.note_limits({"dinkes": {"memory": 100, "vcpu": None}}, BUDI)
    grant(ledger, more(memory=50, vcpu=1, backup=3), days=2, after=1)
    clock.sleep(30 * 86400)
    limits = [
        dict(ledger.quota.standings_at((link("dinkes"),), Instant(START + days))[0].limits)
        for days in (timedelta(0), timedelta(days=2), timedelta(days=3))
    ]
    assert [one["memory"] for one in limits] == [100, 150, 100]
    assert {one["vcpu"] for one in limits} == {None}
    assert all("backup" not in one for one in limits), "a limit that nobody saw is not known"


def test_an_approval_keeps_the_limits_that_it_was_judged_by(ledger: Ledger) -> None:
    spec = workload("rsud")
    ledger.requests.submit(spec, "", SITI)
    chain = (link("rsud", memory=10), link("dinkes", memory=20))
    approve(ledger, spec, {"db-1": {"memory": 10}}, chain)
    found = ledger.quota.standings_at((link("rsud"), link("dinkes")), START)
    assert [dict(one.limits) for one in found] == [{"memory": 10}, {"memory": 20}]


def test_a_refusal_is_kept_with_the_numbers_of_its_moment(
    ledger: Ledger, clock: ManualClock
) -> None:
    spec = workload("rsud")
    ledger.requests.submit(spec, "", SITI)
    chain = (link("rsud", memory=None), link("dinkes", memory=2048))
    with pytest.raises(Refused) as refusal:
        approve(ledger, spec, {"db-1": {"memory": 3072}}, chain)
    clock.sleep(86400)
    (entry,) = ledger.audit.log(action=REFUSED)
    assert (entry.at, entry.actor, entry.opd, entry.subject) == (START, BUDI, "rsud", "R-2026-0001")
    (kept,) = refusal_faults(entry)
    (told,) = refusal.value.faults[1:]
    assert (kept, f"{kept.values['short']}") == (told, "1 GiB")
    assert ledger.audit.verify() == ()


def test_the_same_refusal_with_the_same_numbers_is_not_told_twice(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    with pytest.raises(Refused) as refusal:
        approve(ledger, spec, {"db-1": {"memory": 2}}, (link("dinkes", memory=1),))
    faults = refusal.value.faults[1:]
    for _ in range(2):
        ledger.quota.refuse("dinkes", "dinkes/simrs", faults, SITI)
    assert len(ledger.audit.log(subject="dinkes/simrs", action=REFUSED)) == 1
    with pytest.raises(Refused) as refusal:
        approve(ledger, spec, {"db-1": {"memory": 3}}, (link("dinkes", memory=1),))
    ledger.quota.refuse("dinkes", "dinkes/simrs", refusal.value.faults[1:], SITI)
    assert len(ledger.audit.log(subject="dinkes/simrs", action=REFUSED)) == 2


def test_a_former_ledger_knows_its_balances_and_no_limits(tmp_path: Path) -> None:
    with open_at(tmp_path) as ledger:
        (past,) = ledger.quota.standings_at((link("dinkes"),), START)
        assert (dict(past.limits), dict(past.balances)) == ({}, {})
