"""How the people who act are known, as the ledger remembers it.

A ledger that was ever written for a site where logins count is not opened for one that believes
asserted names: otherwise whoever can run the program could bring a site directory of their own,
name this ledger in it, and act as anybody. The other way round a ledger becomes the stricter one.
"""

from typing import Literal

from sqlalchemy import Connection, insert, select, update

from cloudpemda.errors import Refused
from cloudpemda.ledger.schema import meta
from cloudpemda.ledger.store import Store

Identity = Literal["login", "asserted"]
_KEY = "identity"


def settle(store: Store, identity: Identity) -> None:
    """Remember how people are known here. Raises Refused `ledger.identity`."""
    with store.read() as connection:
        if _remembered(connection) == identity:
            return
    with store.write() as connection:
        settle_in(connection, identity, store.place.name)


def settle_in(connection: Connection, identity: Identity, name: str) -> None:
    """The same inside the caller's write transaction; `name` is what a refusal calls the ledger."""
    match _remembered(connection):
        case None:
            connection.execute(insert(meta).values(key=_KEY, value=identity))
        case "asserted":
            connection.execute(update(meta).where(meta.c.key == _KEY).values(value=identity))
        case "login" if identity == "asserted":
            raise Refused("ledger.identity", file=name)


def _remembered(connection: Connection) -> str | None:
    found: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == _KEY))
    return found
