"""Request numbers: `R-2026-0001`, of requests for quota `Q-2026-0001`, counted within the year and
never given twice.

Letters name them. A restored older copy has given fewer than were given: what the ledger that it
replaced had reached is remembered, and counting goes on from there.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from cloudpemda.ledger.schema import meta, quota_requests, requests

_KEY = "numbers-"


def next_number(connection: Connection, year: int) -> str:
    """Of a request for VMs. The caller holds the write lock."""
    return _next(connection, f"R-{year}", requests.c.number)


def next_quota_number(connection: Connection, year: int) -> str:
    """Of a request for quota. The caller holds the write lock."""
    return _next(connection, f"Q-{year}", quota_requests.c.number)


def _next(connection: Connection, series: str, numbers: ColumnElement[str]) -> str:
    highest = connection.scalar(
        select(numbers)
        .where(numbers.startswith(f"{series}-", autoescape=True))
        .order_by(func.length(numbers).desc(), numbers.desc())  # 10000 comes after 9999
        .limit(1)
    )
    used = 0 if highest is None else int(highest.rpartition("-")[2])
    reached = max(used, _remembered(connection).get(series, 0))
    return f"{series}-{reached + 1:04d}"


def given(connection: Connection) -> Mapping[str, int]:
    """Series (`R-2026`) → the highest number that was given in it."""
    found = _remembered(connection)
    for column in (requests.c.number, quota_requests.c.number):
        for number in connection.scalars(select(column)):
            series, _, running = number.rpartition("-")
            found[series] = max(found.get(series, 0), int(running))
    return found


def never_again(connection: Connection, earlier: Mapping[str, int]) -> None:
    """Remember what another ledger in this place had given."""
    here = given(connection)
    for series, running in earlier.items():
        connection.execute(delete(meta).where(meta.c.key == f"{_KEY}{series}"))
        reached = max(running, here.get(series, 0))
        connection.execute(insert(meta).values(key=f"{_KEY}{series}", value=str(reached)))


def _remembered(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(meta).where(meta.c.key.startswith(_KEY)))
    return {row.key.removeprefix(_KEY): int(row.value) for row in rows}
