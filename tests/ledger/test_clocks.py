"""A clock that is set back: what ended by it does not come back, and the record stays in order."""

from datetime import timedelta
from pathlib import Path

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger, audit
from cloudpemda.ledger.audit.export import judge, read_json_lines
from cloudpemda.ledger.audit.keys import public_key
from cloudpemda.units import Instant
from tests.ledger.makers import OPERATOR, SITI, START, ManualClock, open_at, workload


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def at(clock: ManualClock, **ahead: float) -> None:
    clock.moment = Instant(START + timedelta(**ahead))


def asked(ledger: Ledger) -> list[str]:
    return [one.spec.name for one in ledger.requests.list()]


def test_nothing_is_done_by_a_clock_that_was_set_back(tmp_path: Path, clock: ManualClock) -> None:
    with open_at(tmp_path, clock) as ledger:
        at(clock, hours=5)
        ledger.requests.submit(workload(name="a"), "", SITI)
        at(clock, hours=5, seconds=-121)
        with pytest.raises(Refused, match=r"ledger\.clock-back") as refused:
            ledger.requests.submit(workload(name="b"), "", SITI)
        assert refused.value.values["newest"] == "2026-11-20T06:00:00Z"
        assert asked(ledger) == ["a"]
        assert [one.code for one in ledger.audit.verify()] == ["audit.clock-behind"]
        with pytest.raises(Refused, match=r"ledger\.clock-back"):
            ledger.audit.require_able()

        at(clock, hours=5, seconds=-119)  # as far as two hosts' clocks may lie apart
        ledger.audit.require_able()
        ledger.requests.submit(workload(name="b"), "", SITI)
        at(clock, hours=6)
        ledger.requests.submit(workload(name="c"), "", SITI)
        assert asked(ledger) == ["a", "b", "c"]
        assert ledger.audit.verify() == ()


def test_a_clock_that_was_ahead_is_accepted_by_somebody_who_says_why(
    tmp_path: Path, clock: ManualClock
) -> None:
    with open_at(tmp_path, clock) as ledger:
        with pytest.raises(Refused, match=r"ledger\.clock-not-back"):
            ledger.audit.accept_clock(OPERATOR, "nothing happened")
        at(clock, days=365)
        ledger.requests.submit(workload(name="a"), "", SITI)
        at(clock)
        ledger.audit.accept_clock(OPERATOR, "its battery was empty")
        ledger.requests.submit(workload(name="b"), "", SITI)
        (told,) = ledger.audit.log(action="audit.accept-clock")
        assert (told.actor, told.at) == (OPERATOR, START)
        assert told.details["newest"] == "2027-11-20T01:00:00.000000Z"
        assert ledger.audit.verify() == ()


def test_entries_in_the_wrong_order_are_found_until_somebody_says_why(
    tmp_path: Path, clock: ManualClock
) -> None:
    """As an earlier release let them be written."""
    with open_at(tmp_path, clock) as ledger:
        at(clock, days=1)
        ledger.audit.note(OPERATOR, "test.later", None, "-")
        at(clock)
        with ledger.audit.deed(OPERATOR, set_back=True) as deed:
            deed.record("test.earlier", "dinkes", "-")
        number = ledger.audit.log(action="test.earlier")[0].seq
        found = [audit.Finding("audit.clock-back", number, "2026-11-21T01:00:00.000000Z")]
        assert list(ledger.audit.verify()) == found
        ledger.audit.require_able()
        made = ledger.audit.export("lab", None)
        text = "\n".join(made.json_lines())
        assert list(judge(read_json_lines(text), public_key(made.key))) == found

        at(clock, days=2)  # it is told for good, however time goes on
        ledger.audit.note(OPERATOR, "test.after", None, "-")
        assert list(ledger.audit.verify()) == found
        ledger.audit.accept_clock(OPERATOR, "chrony was not running")
        assert ledger.audit.verify() == ()


def test_a_forged_word_about_the_clock_explains_nothing(tmp_path: Path, clock: ManualClock) -> None:
    with open_at(tmp_path, clock) as ledger:
        at(clock, days=1)
        ledger.audit.note(OPERATOR, "test.later", None, "-")
        at(clock)
        with ledger.audit.deed(OPERATOR, set_back=True) as deed:
            deed.record("audit.accept-clocK", None, "-")
        made = ledger.audit.export("lab", None)
    text = "\n".join(made.json_lines()).replace("accept-clocK", "accept-clock")
    codes = {one.code for one in judge(read_json_lines(text), public_key(made.key))}
    assert codes == {"audit.edited", "audit.clock-back"}


def test_the_head_file_tells_the_doctor_without_a_look_into_the_database(
    tmp_path: Path, clock: ManualClock
) -> None:
    assert audit.sealed_at(tmp_path / "var") is None
    with open_at(tmp_path, clock) as ledger:
        at(clock, hours=5)
        ledger.requests.submit(workload(name="a"), "", SITI)
    assert audit.sealed_at(tmp_path / "var") == START + timedelta(hours=5)
