"""What ends is announced once for each of the site's times, whoever announces."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from cloudpemda.ledger import SYSTEM, Ledger, Notice
from cloudpemda.units import Instant
from tests.ledger.makers import START

GRANT = Notice("grant", "dinkes", "Q-2026-0001", Instant(START + timedelta(days=3)), 3 * 86400)


def test_a_notice_is_given_once(ledger: Ledger) -> None:
    other = replace(GRANT, subject="Q-2026-0002", opd="bkad")
    assert ledger.notices.give((), SYSTEM) == ()
    assert ledger.notices.give((GRANT,), SYSTEM) == (GRANT,)
    assert ledger.notices.give((GRANT, other), SYSTEM) == (other,)
    before = len(ledger.audit.log())
    assert ledger.notices.give((other, GRANT), SYSTEM) == ()
    assert len(ledger.audit.log()) == before == 2
    (entry,) = ledger.audit.log(action="notice.grant", opds=["bkad"])
    assert (entry.subject, entry.details["ends"]) == ("Q-2026-0002", GRANT.ends_at.isoformat())
    assert ledger.audit.verify() == ()


def test_another_end_or_another_time_before_it_is_another_notice(ledger: Ledger) -> None:
    later = replace(GRANT, ends_at=Instant(GRANT.ends_at + timedelta(days=9)))
    earlier = replace(GRANT, before=14 * 86400)
    for one in (GRANT, later, earlier, replace(GRANT, what="pending")):
        assert ledger.notices.give((one,), SYSTEM) == (one,)


def test_of_two_who_announce_at_once_one_does(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda _: ledger.notices.give((GRANT,), SYSTEM), range(8)))
    assert sorted(map(len, given)) == [0] * 7 + [1]
