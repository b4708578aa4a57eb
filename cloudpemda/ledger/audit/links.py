"""How a head follows the log: link by link, as far as each was signed here."""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, Select, bindparam, select

from cloudpemda.ledger.audit.heads import START, Head, Tip
from cloudpemda.ledger.audit.ring import Ring
from cloudpemda.ledger.schema import audit

LINKS: Select[tuple[object, ...]] = (
    select(
        audit.c.seq, audit.c.previous, audit.c.hash, audit.c.opd, audit.c.opd_seq,
        audit.c.opd_previous, audit.c.opd_hash, audit.c.signature,
    )
    .where(audit.c.seq > bindparam("after"))
    .order_by(audit.c.seq)
)  # fmt: skip

_HASH = select(audit.c.hash).where(audit.c.seq == bindparam("seq"))


def agrees(connection: Connection, head: Head) -> bool:
    """Whether the entry that the head names is there as it was."""
    if not head.seq:
        return True
    return bool(connection.scalar(_HASH, {"seq": head.seq}) == head.hash)


def followed(
    head: Head, links: Sequence[Row[tuple[object, ...]]], keys: Ring, *, unsigned_until: int
) -> Head | None:
    """The head moved on along the links, up to the first that was not signed here."""
    seq, hash_, opds = head.seq, head.hash, dict(head.opds)
    for link in links:
        signed = link.signature is None and link.seq <= unsigned_until
        signed = signed or keys.signed_entry(link.seq, link.hash, link.signature)
        if link.seq != seq + 1 or link.previous != hash_ or not signed:
            break
        if link.opd is not None:
            tip = opds.get(link.opd, START)
            if (link.opd_seq, link.opd_previous) != (tip.seq + 1, tip.hash):
                break
            opds[link.opd] = Tip(link.opd_seq, link.opd_hash)
        seq, hash_ = link.seq, link.hash
    return Head(seq, hash_, head.at, opds) if seq > head.seq else None
