"""The greatest amounts that documents and site files may say, on whichever database."""

from cloudpemda.document.fields import GREATEST_COUNT, GREATEST_SIZE
from cloudpemda.ledger import SYSTEM, Ledger
from cloudpemda.rules.quota import Balance
from tests.ledger.makers import SITI, approve, chain, workload
from tests.ledger.test_grants import grant, limit, more


def test_grants_of_the_greatest_size_add_up(ledger: Ledger) -> None:
    for name in ("satu", "dua", "tiga"):
        grant(ledger, more(name, memory=GREATEST_SIZE))
    assert limit(ledger, base=GREATEST_SIZE) == 4 * GREATEST_SIZE


def test_the_greatest_limits_are_kept_and_held_against(ledger: Ledger) -> None:
    greatest = {"instances": GREATEST_COUNT, "memory": GREATEST_SIZE}
    ledger.quota.note_limits({"dinkes": greatest}, SYSTEM)
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    limits = chain(instances=GREATEST_COUNT, memory=GREATEST_SIZE)
    approve(ledger, spec, {"db-1": greatest}, limits)
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance(0, GREATEST_SIZE)
