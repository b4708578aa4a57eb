"""Request numbers: `R-2026-0001`, counted within the year, never given twice.

Letters name them. A restored older copy has given fewer than were given: what the ledger that it
replaced had reached is remembered, and counting goes on from there.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, insert, select

from cloudpemda.ledger.schema import meta, requests

_KEY = "numbers-"


def next_number(connection: Connection, year: int) -> str:
    """The caller holds the write lock."""
    used = connection.scalar(
        select(func.count()).where(requests.c.number.startswith(f"R-{year}-", autoescape=True))
    )
    reached = max(used or 0, _remembered(connection).get(str(year), 0))
    return f"R-{year}-{reached + 1:04d}"


def given(connection: Connection) -> Mapping[str, int]:
    """Year → the highest number that was given in it."""
    found = _remembered(connection)
    for number in connection.scalars(select(requests.c.number)):
        _, year, running = number.split("-")
        found[year] = max(found.get(year, 0), int(running))
    return found


def never_again(connection: Connection, earlier: Mapping[str, int]) -> None:
    """Remember what another ledger in this place had given."""
    here = given(connection)
    for year, running in earlier.items():
        connection.execute(delete(meta).where(meta.c.key == f"{_KEY}{year}"))
        reached = max(running, here.get(year, 0))
        connection.execute(insert(meta).values(key=f"{_KEY}{year}", value=str(reached)))


def _remembered(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(meta).where(meta.c.key.startswith(_KEY)))
    return {row.key.removeprefix(_KEY): int(row.value) for row in rows}
