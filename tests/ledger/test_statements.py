"""How many statements a hold costs: under the write lock everybody else waits for each."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from cloudpemda.ledger import Ledger
from tests.ledger.databases import SERVER
from tests.ledger.makers import SITI, approve, chain, workload

UNDER_THE_LOCK = 9 if SERVER is None else 10
"""Its begin, two looks and where the chains of the log end; decision, postings and approval; the
request and the entry. Limits that were never seen cost two more; on a server
the key in force is asked for, which another host may have changed. The end is none."""


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """All that are executed, on any database."""
    seen: list[str] = []

    def note(*told: object) -> None:
        seen.append(" ".join(str(told[2]).split()))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def test_a_hold_costs_few_statements_however_large_its_family_and_history(
    ledger: Ledger, statements: list[str]
) -> None:
    costs = []
    for name in ("first", "second", "third"):
        spec = workload(name=name)
        ledger.requests.submit(spec, "", SITI)
        statements.clear()
        approve(
            ledger,
            spec,
            {"db-1": {"memory": 1}, "db-2": {"memory": 1}},
            chain(instances=None, memory=None),
        )
        first = next(
            place for place, one in enumerate(statements) if "IMMEDIATE" in one or "advisory" in one
        )
        last = next(
            place for place, one in enumerate(statements) if one.startswith("INSERT INTO audit")
        )
        costs.append(last - first + 1)
    assert costs[1:] == [UNDER_THE_LOCK, UNDER_THE_LOCK]
    assert costs[0] <= UNDER_THE_LOCK + 2  # limits that were never seen
