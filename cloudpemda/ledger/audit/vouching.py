"""Whether the log vouches for single rows: asked before something is built that they allow.

`verify` proves everything, and is asked by people and by the night. What an approval leads to
cannot wait for the night: whoever writes into the database alone must not get a VM by it.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Table, select

from cloudpemda.ledger.audit import bound
from cloudpemda.ledger.audit.entries import hash_or_none
from cloudpemda.ledger.audit.ring import Ring
from cloudpemda.ledger.audit.verify import bound_in
from cloudpemda.ledger.schema import audit


def unvouched(
    connection: Connection, keys: Ring, number: str, tables: Sequence[Table]
) -> Iterator[str]:
    """The labels of a request's rows that are not what the newest genuine entry says of them.

    Entries of other subjects speak of them only where they speak of everything (`-`).
    """
    claims: dict[str, str] = {}
    entries = select(*bound.stored(audit)).where(
        audit.c.subject.in_((number, "-")), audit.c.bound.is_not(None)
    )
    for raw in map(bound.as_raw, connection.execute(entries.order_by(audit.c.seq))):
        said = tuple(bound_in(raw["bound"]))
        if not said or hash_or_none(raw) != raw["hash"]:
            continue
        if keys.signed_entry(int(str(raw["seq"])), raw["hash"], raw["signature"]):
            claims |= said
    for table in tables:
        for label, digest in bound.read_of(connection, table, number).labels():
            if claims.get(label) != digest:
                yield label
