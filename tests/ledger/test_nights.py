"""How far a night came stands in the ledger, whoever was killed."""

from datetime import timedelta

from cloudpemda.ledger import Ledger, PhaseResult
from cloudpemda.ledger.nights import KEPT_NIGHTS
from tests.ledger.makers import START


def test_a_phase_that_was_never_left_is_seen_to_be_open(ledger: Ledger) -> None:
    nights = ledger.nights
    assert nights.phases("2026-11-21") == {}
    nights.enter("2026-11-21", "rules")
    nights.leave("2026-11-21", "rules", PhaseResult.FINDINGS, "a file", then="leases")
    found = nights.phases("2026-11-21")
    assert (found["rules"].result, found["rules"].detail) == (PhaseResult.FINDINGS, "a file")
    assert found["rules"].seconds is not None
    assert (found["leases"].ended_at, found["leases"].seconds) == (None, None)
    assert found["leases"].began_at == found["rules"].ended_at
    nights.enter("2026-11-21", "rules")
    assert nights.phases("2026-11-21")["rules"].result is None
    assert nights.phases("2026-11-22") == {}


def test_the_oldest_nights_are_forgotten(ledger: Ledger) -> None:
    first = START.date()
    names = [(first + timedelta(days=day)).isoformat() for day in range(KEPT_NIGHTS + 2)]
    for name in names:
        ledger.nights.enter(name, "rules")
    ledger.nights.prune()
    kept = [name for name in names if ledger.nights.phases(name)]
    assert kept == names[2:]
