"""Requests for quota and their grants: what raises a limit, from when to when, and by whom."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger, QuotaState
from cloudpemda.request import QuotaSpec
from cloudpemda.request.spec import Letter
from cloudpemda.rules.granting import Period
from cloudpemda.rules.quota import Balance, Link
from cloudpemda.units import Instant
from tests.ledger.makers import BUDI, SITI, START, ManualClock, approve, chain, workload

DAY = timedelta(days=1)
TWO = {"db-1": {"memory": 100}, "db-2": {"memory": 100}}


def more(name: str = "tambahan", opd: str = "dinkes", **add: int) -> QuotaSpec:
    return QuotaSpec(
        opd=opd,
        name=name,
        purpose="Masa pendaftaran",
        add=tuple(sorted((add or {"memory": 50}).items())),
        start=None,
        until=date(2026, 12, 31),
        letter=Letter("500.12.3/9/Dinkes/2026", date(2026, 11, 20)),
        requester=workload().requester,
    )


def grant(ledger: Ledger, spec: QuotaSpec, days: int | None = 10, after: int = 0) -> None:
    """Hand in and grant from `after` days on, for `days`."""
    ledger.grants.submit(spec, "", SITI)
    start = Instant(START + after * DAY)
    end = None if days is None else Instant(start + days * DAY)
    ledger.grants.approve(spec.key, spec_hash=spec.spec_hash, period=Period(start, end), actor=BUDI)


def limit(ledger: Ledger, opd: str = "dinkes", base: int | None = 150) -> int | None:
    """The limit of memory as whoever judges now sees it."""
    (standing,) = ledger.quota.standings((Link(opd, {"memory": base}, frozenset({opd})),))
    return standing.limits["memory"]


def test_a_request_for_quota_changes_nothing_until_it_is_decided(ledger: Ledger) -> None:
    submission = ledger.grants.submit(more(), "the text", SITI)
    assert (submission.number, submission.changed) == ("Q-2026-0001", True)
    assert submission.state is QuotaState.PENDING
    assert limit(ledger) == 150
    again = ledger.grants.submit(more(), "# a comment", SITI)
    assert (again.number, again.revision, again.changed) == ("Q-2026-0001", 1, False)
    record = ledger.grants.get("dinkes/tambahan")
    assert (record.spec, record.submitted_by, record.grants) == (more(), SITI, ())


def test_a_grant_admits_what_the_limit_alone_would_refuse(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    with pytest.raises(Refused, match=r"quota\.exceeded"):
        approve(ledger, spec, TWO, chain(memory=150))
    grant(ledger, more())
    approve(ledger, spec, TWO, chain(memory=150))
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, 200)


def test_it_holds_from_its_first_moment_until_before_its_last(
    ledger: Ledger, clock: ManualClock
) -> None:
    grant(ledger, more(), days=2, after=1)
    seen = []
    for moment in (START, START + DAY, START + 3 * DAY - timedelta(microseconds=1)):
        clock.moment = Instant(moment)
        seen.append(limit(ledger))
    clock.moment = Instant(START + 3 * DAY)
    assert [*seen, limit(ledger)] == [150, 200, 200, 150]


def test_grants_add_up_per_dimension_and_opd_and_never_reach_a_parent(ledger: Ledger) -> None:
    grant(ledger, more())
    grant(ledger, more("lagi", memory=5, vcpu=3), days=None)
    grant(ledger, more(opd="rsud", memory=7))
    links = (
        Link("rsud", {"memory": 1, "vcpu": None}, frozenset({"rsud"})),
        Link("dinkes", {"memory": 2, "vcpu": None}, frozenset({"dinkes", "rsud"})),
    )
    found = ledger.quota.standings(links)
    assert [dict(one.limits) for one in found] == [
        {"memory": 8, "vcpu": None},
        {"memory": 57, "vcpu": None},
    ]


def test_a_grant_that_ends_leaves_what_is_held_and_refuses_growth_there_alone(
    ledger: Ledger, clock: ManualClock
) -> None:
    grant(ledger, more())
    first, second = workload(), workload(name="portal")
    ledger.requests.submit(first, "", SITI)
    approve(ledger, first, TWO, chain(memory=150, vcpu=9))
    clock.sleep(10 * 86400)
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, 200)
    ledger.requests.submit(second, "", SITI)
    with pytest.raises(Refused) as refusal:
        approve(ledger, second, {"db-1": {"memory": 1, "vcpu": 1}}, chain(memory=150, vcpu=9))
    (fault,) = refusal.value.faults[1:]
    assert (fault.code, fault.values["left"], fault.values["short"]) == ("quota.memory", 0, 51)
    approve(ledger, second, {"db-1": {"vcpu": 9}}, chain(memory=150, vcpu=9))


def test_what_was_granted_can_be_taken_back_with_a_reason(
    ledger: Ledger, clock: ManualClock
) -> None:
    grant(ledger, more(), days=None)
    clock.sleep(86400)
    with pytest.raises(Refused, match=r"ledger\.reason-missing"):
        ledger.grants.end("Q-2026-0001", reason=" ", actor=BUDI)
    assert limit(ledger) == 200
    ledger.grants.end("Q-2026-0001", reason="selesai lebih awal", actor=BUDI)
    assert limit(ledger) == 150
    record = ledger.grants.get("Q-2026-0001")
    assert (record.state, record.reason) == (QuotaState.ENDED, "selesai lebih awal")
    (kept,) = ledger.grants.of({"dinkes"})
    assert kept.ended_at == clock.now()
    assert kept.covers(START)
    assert not kept.covers(clock.now())
    assert ledger.grants.submit(more(), "", SITI).revision == 2, "asked for anew"


def test_what_is_in_force_takes_no_change_and_what_ran_out_does(
    ledger: Ledger, clock: ManualClock
) -> None:
    grant(ledger, more())
    assert ledger.grants.submit(more(), "", SITI).changed is False
    with pytest.raises(Refused, match=r"quota-request\.granted"):
        ledger.grants.submit(more(memory=60), "", SITI)
    clock.sleep(10 * 86400)
    again = ledger.grants.submit(more(memory=60), "", SITI)
    assert (again.revision, again.state) == (2, QuotaState.PENDING)
    assert limit(ledger) == 150


def test_a_decision_is_for_the_revision_that_was_seen_and_happens_once(ledger: Ledger) -> None:
    seen = more()
    ledger.grants.submit(seen, "", SITI)
    ledger.grants.submit(more(memory=60), "", SITI)
    period = Period(START, None)
    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        ledger.grants.approve(seen.key, spec_hash=seen.spec_hash, period=period, actor=BUDI)
    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        ledger.grants.deny(seen.key, spec_hash=seen.spec_hash, reason="no", actor=BUDI)
    digest = more(memory=60).spec_hash
    ledger.grants.approve(seen.key, spec_hash=digest, period=period, actor=BUDI)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.grants.approve(seen.key, spec_hash=digest, period=period, actor=BUDI)
    assert limit(ledger) == 210


def test_a_denial_needs_a_reason_and_a_withdrawal_none(ledger: Ledger) -> None:
    for name in ("a", "b"):
        ledger.grants.submit(more(name), "", SITI)
    digest = more("a").spec_hash
    with pytest.raises(Refused, match=r"ledger\.reason-missing"):
        ledger.grants.deny("dinkes/a", spec_hash=digest, reason="", actor=BUDI)
    ledger.grants.deny("dinkes/a", spec_hash=digest, reason="belum perlu", actor=BUDI)
    ledger.grants.withdraw("dinkes/b", actor=SITI)
    states = [(one.state, one.reason) for one in ledger.grants.list(opd="dinkes")]
    assert states == [(QuotaState.DENIED, "belum perlu"), (QuotaState.WITHDRAWN, None)]
    assert [one.key for one in ledger.grants.list(state=QuotaState.DENIED)] == ["dinkes/a"]
    assert limit(ledger) == 150


def test_a_name_is_of_one_kind_of_request(ledger: Ledger) -> None:
    ledger.requests.submit(workload(name="a"), "", SITI)
    ledger.grants.submit(more("b"), "", SITI)
    with pytest.raises(Refused, match=r"quota-request\.name-taken"):
        ledger.grants.submit(more("a"), "", SITI)
    with pytest.raises(Refused, match=r"quota-request\.name-taken"):
        ledger.requests.submit(workload(name="b"), "", SITI)


def test_every_step_is_in_the_log(ledger: Ledger) -> None:
    grant(ledger, more())
    ledger.grants.end("dinkes/tambahan", reason="cukup", actor=BUDI)
    entries = ledger.audit.log(subject="Q-2026-0001")
    assert [entry.action for entry in entries] == ["quota.submit", "quota.grant", "quota.end"]
    assert entries[1].details["memory"] == 50
    assert entries[1].details["letter"] == "500.12.3/9/Dinkes/2026"
    assert ledger.audit.verify() == ()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM grants", "DELETE FROM limits", "UPDATE limits SET amount = 9"]
)
def test_the_database_itself_keeps_what_was_granted_and_seen(
    ledger: Ledger, statement: str
) -> None:
    grant(ledger, more())
    ledger.quota.note_limits({"dinkes": {"memory": 5}}, BUDI)
    with pytest.raises(Exception, match=r"append-only|kept"), ledger._store.write() as connection:
        connection.execute(text(statement))
    assert limit(ledger) == 200
