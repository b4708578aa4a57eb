"""How many statements a hold costs: under the write lock everybody else waits for each."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cloudpemda.ledger import Ledger
from tests.ledger.databases import SERVER
from tests.ledger.makers import SITI, approve, chain, workload

UNDER_THE_LOCK = 9 if SERVER is None else 10
"""Its begin, two looks and where the chains of the log end; decision, postings and approval; the
request and the entry. Limits that were never seen cost two more. The end is none. Of a ledger on a
server each entry asks by which key it is signed: another host may have changed it."""


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """All that are executed; one that is for many rows is told once."""
    seen: list[str] = []

    def note(statement: str) -> None:
        words = " ".join(statement.split())
        if not seen or seen[-1][:40] != words[:40]:
            seen.append(words)

    class Noting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            note(str(query))
            return super().execute(query, *args, **options)

        def executemany(self, query: Any, *args: Any, **options: Any) -> None:
            note(str(query))
            super().executemany(query, *args, **options)

    def listen(connection: object, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(note)
        elif isinstance(connection, psycopg.Connection):
            connection.cursor_factory = Noting

    event.listen(Pool, "checkout", listen)
    yield seen
    event.remove(Pool, "checkout", listen)


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
