"""The life of a request: revisions, decisions, holds that come and go with them."""

from datetime import timedelta

import pytest

from cloudpemda.errors import ExitCode, Refused
from cloudpemda.ledger import Ledger, RequestState
from cloudpemda.rules.quota import Balance, Link
from cloudpemda.units import Instant
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    START,
    ManualClock,
    applying,
    approve,
    chain,
    open_at,
    pools,
    revised,
    wanted,
    workload,
)

TWO = {"db-1": {"memory": 100}, "db-2": {"memory": 100}}


def test_first_document_waits_for_a_decision_and_holds_nothing(ledger: Ledger) -> None:
    submission = ledger.requests.submit(workload(), "the text", SITI)

    assert (submission.number, submission.revision, submission.changed) == ("R-2026-0001", 1, True)
    record = ledger.requests.get("dinkes/simrs")
    assert record == ledger.requests.get("R-2026-0001")
    assert record.state is RequestState.PENDING
    assert record.spec == workload()
    assert record.submitted_by == SITI
    assert ledger.requests.source("R-2026-0001") == "the text"
    assert ledger.quota.balances({"dinkes"}) == {}


def test_the_same_content_twice_is_one_request(ledger: Ledger) -> None:
    ledger.requests.submit(workload(), "first", SITI)
    again = ledger.requests.submit(workload(), "# only a comment more\nfirst", SITI)

    assert (again.number, again.revision, again.changed) == ("R-2026-0001", 1, False)
    assert len(ledger.requests.list()) == 1
    assert len(ledger.audit.log(subject="R-2026-0001")) == 1


def test_numbers_run_on_within_a_year_and_begin_anew_with_it(
    ledger: Ledger, clock: ManualClock
) -> None:
    assert ledger.requests.submit(workload(name="a"), "", SITI).number == "R-2026-0001"
    assert ledger.requests.submit(workload(name="b"), "", SITI).number == "R-2026-0002"
    clock.sleep(60 * 86400)
    assert ledger.requests.submit(workload(name="c"), "", SITI).number == "R-2027-0001"


def test_an_edit_voids_the_approval_and_returns_the_hold(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    approve(ledger, spec, TWO, chain(memory=200))
    assert ledger.quota.balances({"dinkes"}) == {"memory": Balance(committed=0, held=200)}

    edited = ledger.requests.submit(revised(spec), "edited", SITI)

    assert (edited.revision, edited.changed, edited.state) == (2, True, RequestState.PENDING)
    record = ledger.requests.get(spec.key)
    assert record.approval is None
    assert record.spec == revised(spec)
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance()
    assert ledger.requests.source(spec.key, 1) == ""


@pytest.mark.parametrize("stage", ["applying", "stuck"])
def test_a_workload_that_is_being_made_takes_no_change(ledger: Ledger, stage: str) -> None:
    spec = workload()
    applying(ledger, spec)
    if stage == "stuck":
        ledger.requests.stick(spec.key, reason="pve2 is gone", actor=OPERATOR)

    with pytest.raises(Refused, match=r"request\.change-not-yet") as refusal:
        ledger.requests.submit(revised(spec), "", SITI)

    assert refusal.value.exit_code is ExitCode.REFUSED
    assert ledger.requests.submit(spec, "", SITI).changed is False
    assert ledger.requests.get(spec.key).revision == 1


def test_an_approval_binds_person_revision_and_offer(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    approve(ledger, spec, TWO, chain(memory=200))

    approval = ledger.requests.get(spec.key).approval
    assert approval is not None
    assert (approval.actor, approval.revision, approval.offer_digest) == (BUDI, 1, "offer-1")
    assert approval.offer == {"cluster": "dc"}


def test_a_decision_on_an_older_revision_is_refused(ledger: Ledger) -> None:
    seen = workload()
    ledger.requests.submit(seen, "", SITI)
    ledger.requests.submit(revised(seen), "", SITI)

    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        approve(ledger, seen, TWO, chain(memory=None))
    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        ledger.requests.deny(seen.key, spec_hash=seen.spec_hash, reason="no", actor=BUDI)
    assert ledger.requests.get(seen.key).state is RequestState.PENDING


def test_over_quota_is_refused_with_the_numbers_and_changes_nothing(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)

    with pytest.raises(Refused) as refusal:
        approve(ledger, spec, TWO, chain(memory=150))

    assert refusal.value.code == "quota.exceeded"
    (fault,) = refusal.value.faults[1:]
    assert fault.code == "quota.memory"
    assert {name: fault.values[name] for name in ("needed", "left", "limit", "short")} == {
        "needed": 200,
        "left": 150,
        "limit": 150,
        "short": 50,
    }
    assert ledger.requests.get(spec.key).state is RequestState.PENDING
    assert ledger.quota.balances({"dinkes"}) == {}


def test_a_parent_refuses_what_its_child_may(ledger: Ledger) -> None:
    child = workload("rsud", "simrs")
    ledger.requests.submit(workload("dinkes", "portal"), "", SITI)
    approve(ledger, workload("dinkes", "portal"), {"db-1": {"memory": 60}}, chain(memory=100))
    ledger.requests.submit(child, "", SITI)
    links = (
        Link("rsud", {"memory": 100}, frozenset({"rsud"})),
        Link("dinkes", {"memory": 100}, frozenset({"dinkes", "rsud"})),
    )

    with pytest.raises(Refused) as refusal:
        approve(ledger, child, {"db-1": {"memory": 50}}, links)
    assert [fault.values["opd"] for fault in refusal.value.faults[1:]] == ["dinkes"]

    approve(ledger, child, {"db-1": {"memory": 40}}, links)
    assert ledger.quota.balances({"dinkes", "rsud"})["memory"].held == 100
    assert ledger.quota.balances({"rsud"})["memory"].held == 40


def test_a_denial_needs_a_reason_and_keeps_it(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    with pytest.raises(Refused, match=r"ledger\.reason-missing"):
        ledger.requests.deny(spec.key, spec_hash=spec.spec_hash, reason="  ", actor=BUDI)

    ledger.requests.deny(spec.key, spec_hash=spec.spec_hash, reason="surat kurang", actor=BUDI)

    record = ledger.requests.get(spec.key)
    assert (record.state, record.reason) == (RequestState.DENIED, "surat kurang")
    assert ledger.requests.submit(spec, "", SITI).changed is False
    assert ledger.requests.submit(revised(spec), "", SITI).state is RequestState.PENDING


def test_a_withdrawn_request_returns_its_hold_and_can_come_back(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    approve(ledger, spec, TWO, chain(memory=200))

    ledger.requests.withdraw(spec.key, actor=SITI)

    assert ledger.requests.get(spec.key).state is RequestState.WITHDRAWN
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance()
    back = ledger.requests.submit(spec, "", SITI)
    assert (back.revision, back.state) == (2, RequestState.PENDING)


def test_a_hold_ends_when_its_time_has_come_and_not_before(
    ledger: Ledger, clock: ManualClock
) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    until = Instant(START + timedelta(hours=1))
    approve(ledger, spec, TWO, chain(memory=200), hold_until=until)

    assert ledger.requests.expire_holds(Instant(until - timedelta(microseconds=1))) == ()
    assert ledger.requests.get(spec.key).state is RequestState.APPROVED
    assert ledger.requests.expire_holds(until) == ("R-2026-0001",)
    assert ledger.requests.get(spec.key).state is RequestState.EXPIRED
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance()
    assert ledger.requests.expire_holds(until) == ()
    assert ledger.requests.submit(spec, "", SITI).state is RequestState.PENDING


def test_an_expired_hold_makes_room_without_being_asked(ledger: Ledger, clock: ManualClock) -> None:
    first, second = workload(name="first"), workload(name="second")
    for spec in (first, second):
        ledger.requests.submit(spec, "", SITI)
    approve(ledger, first, TWO, chain(memory=200), hold_until=Instant(START + timedelta(hours=1)))
    with pytest.raises(Refused):
        approve(ledger, second, TWO, chain(memory=200))

    clock.sleep(3600)

    approve(ledger, second, TWO, chain(memory=200))
    assert ledger.requests.get(first.key).state is RequestState.EXPIRED
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.requests.begin(
            first.key, spec_hash=first.spec_hash, offer_digest="offer-1", actor=OPERATOR
        )


def test_another_offer_under_apply_voids_the_approval(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    approve(ledger, spec, TWO, chain(memory=200))

    with pytest.raises(Refused, match=r"ledger\.offer-changed"):
        ledger.requests.begin(
            spec.key, spec_hash=spec.spec_hash, offer_digest="offer-2", actor=OPERATOR
        )

    record = ledger.requests.get(spec.key)
    assert (record.state, record.approval) == (RequestState.PENDING, None)
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance()


def test_another_revision_than_the_one_read_is_not_begun(ledger: Ledger) -> None:
    """Approved again meanwhile, with an equal offer: what was read is still not what is allowed."""
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    approve(ledger, spec, TWO, chain(memory=200))
    ledger.requests.submit(revised(spec), "", SITI)
    approve(ledger, revised(spec), TWO, chain(memory=200))

    with pytest.raises(Refused, match=r"ledger\.revision-moved"):
        ledger.requests.begin(
            spec.key, spec_hash=spec.spec_hash, offer_digest="offer-1", actor=OPERATOR
        )

    record = ledger.requests.get(spec.key)
    assert (record.state, record.revision) == (RequestState.APPROVED, 2)
    assert record.approval is not None


def test_beginning_again_goes_on_whatever_the_offer_is_by_now(ledger: Ledger) -> None:
    spec = workload()
    record = applying(ledger, spec)
    assert record.state is RequestState.APPLYING

    again = ledger.requests.begin(
        spec.key, spec_hash=spec.spec_hash, offer_digest="other", actor=OPERATOR
    )
    assert again == record

    ledger.requests.stick(spec.key, reason="pve2 is gone", actor=OPERATOR)
    assert ledger.requests.get(spec.key).state is RequestState.STUCK
    resumed = ledger.requests.begin(
        spec.key, spec_hash=spec.spec_hash, offer_digest="other", actor=OPERATOR
    )
    assert resumed.state is RequestState.APPLYING


def test_what_is_being_applied_cannot_be_withdrawn_denied_or_expire(
    ledger: Ledger, clock: ManualClock
) -> None:
    spec = workload()
    applying(ledger, spec)
    clock.sleep(365 * 86400)

    assert ledger.requests.expire_holds(clock.now()) == ()
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.requests.withdraw(spec.key, actor=SITI)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.requests.deny(spec.key, spec_hash=spec.spec_hash, reason="late", actor=BUDI)
    assert ledger.quota.balances({"dinkes"})["memory"].held == 200


def test_a_request_is_finished_when_no_instance_waits(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    with pytest.raises(Refused, match=r"ledger\.unfinished") as refusal:
        ledger.requests.finish(spec.key, actor=OPERATOR)
    assert refusal.value.values["instances"] == "dinkes/simrs/db-1, dinkes/simrs/db-2"


def test_a_request_fails_only_when_nothing_of_it_is_left(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    claimed = ledger.instances.claim(
        spec.key,
        wanted(spec),
        vmid_range=range(100, 200),
        pools=pools(),
        taken_vmids={},
        actor=OPERATOR,
    )
    with pytest.raises(Refused, match=r"ledger\.instances-left"):
        ledger.requests.fail(spec.key, reason="undone", actor=OPERATOR)

    for instance in claimed:
        ledger.instances.release(instance.uid, actor=OPERATOR)
    ledger.requests.fail(spec.key, reason="undone", actor=OPERATOR)

    assert ledger.requests.get(spec.key).state is RequestState.FAILED
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance()
    assert ledger.requests.submit(spec, "", SITI).revision == 2


def test_lists_filter_by_opd_and_state(ledger: Ledger) -> None:
    for spec in (workload("dinkes", "a"), workload("dinkes", "b"), workload("bkad", "a")):
        ledger.requests.submit(spec, "", SITI)
    ledger.requests.withdraw("dinkes/b", actor=SITI)

    keys = [record.key for record in ledger.requests.list(opd="dinkes")]
    assert keys == ["dinkes/a", "dinkes/b"]
    pending = ledger.requests.list(state=RequestState.PENDING)
    assert [record.key for record in pending] == ["dinkes/a", "bkad/a"]


def test_unknown_names_are_said_so(ledger: Ledger) -> None:
    for key in ("R-2026-9999", "dinkes/nothing", "%"):
        with pytest.raises(Refused, match=r"ledger\.no-request"):
            ledger.requests.get(key)


def test_what_was_written_is_there_after_reopening(
    ledger: Ledger, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("site")
    with open_at(base) as first:
        applying(first, workload())
        before = first.requests.get("dinkes/simrs")
    with open_at(base) as second:
        assert second.requests.get("dinkes/simrs") == before
        assert second.quota.balances({"dinkes"})["memory"] == Balance(0, 200)
