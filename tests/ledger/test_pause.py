"""The pause: one at a time, known to every process, over by a person or by its hour."""

from datetime import timedelta

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Actor, Ledger
from cloudpemda.units import Instant
from tests.ledger.makers import BUDI, START

RUDI = Actor("rudi", "Rudi Hartono", "operator")


def test_a_pause_holds_until_it_is_ended(ledger: Ledger) -> None:
    assert ledger.pause.current() is None
    begun, ours = ledger.pause.begin(" Ganti switch ", None, RUDI)
    assert ours
    assert ledger.pause.current() == begun
    assert (begun.reason, begun.person, begun.until) == ("Ganti switch", RUDI.name, None)
    assert ledger.pause.end(BUDI) == begun
    assert ledger.pause.current() is None
    assert ledger.pause.end(BUDI) is None
    actions = [(one.action, one.actor.login) for one in ledger.audit.log(subject="site")]
    assert sorted(actions) == [("pause.begin", RUDI.login), ("pause.end", BUDI.login)]
    assert ledger.audit.verify() == ()


def test_the_second_pause_leaves_the_first_as_it_is(ledger: Ledger) -> None:
    first, _ = ledger.pause.begin("Ganti switch", None, RUDI)
    assert ledger.pause.begin("Uji UPS", None, BUDI) == (first, False)
    assert ledger.pause.current() == first


def test_a_pause_with_an_hour_ends_at_it_to_the_minute(ledger: Ledger) -> None:
    now = ledger.pause.begin("x", None, RUDI)[0].since
    ledger.pause.end(RUDI)
    over = Instant(now + timedelta(seconds=0))
    ledger.pause.begin("Uji UPS", over, RUDI)  # its hour has come when it is looked at
    assert ledger.pause.current() is None
    assert ledger.pause.end(RUDI) is None
    later = Instant(START + timedelta(days=400))
    assert ledger.pause.begin("Ganti disk", later, RUDI)[1]
    held = ledger.pause.current()
    assert held is not None
    assert held.until == later


def test_a_pause_needs_a_reason(ledger: Ledger) -> None:
    with pytest.raises(Refused) as refusal:
        ledger.pause.begin("  ", None, RUDI)
    assert refusal.value.code == "ledger.reason-missing"
    assert ledger.pause.current() is None
