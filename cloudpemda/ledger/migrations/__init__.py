"""How a ledger came to its tables: numbered functions, each run once, all in one transaction.

A migration is never edited once it has been released, so it spells its tables out instead of
reading them from `schema`, which moves on. A ledger of a newer program is refused: an older one
would not know what the newer one relies on. A new migration is the next function of `later`.
"""

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.sql.functions import max as sql_max

from cloudpemda.errors import Refused
from cloudpemda.ledger import schema
from cloudpemda.ledger.migrations import first, later
from cloudpemda.ledger.migrations.first import SIGNED, STATES_BOUND
from cloudpemda.ledger.migrations.later import STANDING_BOUND
from cloudpemda.ledger.migrations.run import run
from cloudpemda.units import Instant

__all__ = ["NEWEST", "SIGNED", "STANDING_BOUND", "STATES_BOUND", "migrate", "version_of"]


def migrate(connection: Connection, now: Instant, until: int | None = None) -> None:
    """Bring the ledger to the newest version, or to `until`. Raises Refused `ledger.newer`.

    Runs inside the caller's write transaction: all of it happens, or none.
    """
    found = version_of(connection)
    if found > NEWEST:
        raise Refused("ledger.newer", found=found, known=NEWEST)
    if found == 0:
        run(connection, _VERSION_TABLE)
    for version, step in enumerate(_MIGRATIONS[found:until], start=found + 1):
        step(connection)
        connection.execute(insert(schema.schema_version).values(version=version, applied_at=now))


def version_of(connection: Connection) -> int:
    """The newest migration that was run; 0 for a database that is not a ledger yet."""
    if not inspect(connection).has_table("schema_version"):
        return 0
    return connection.scalar(select(sql_max(schema.schema_version.c.version))) or 0


_VERSION_TABLE = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)",
)

_MIGRATIONS: tuple[Callable[[Connection], None], ...] = (*first.STEPS, *later.STEPS)
NEWEST = len(_MIGRATIONS)
