"""How a head follows the log: link by link, as far as each was signed here."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from cloudpemda.ledger.audit.heads import START, Head, Link, Tip
from cloudpemda.ledger.audit.ring import Ring
from cloudpemda.ledger.schema import audit

_LINKS = (
    select(*(audit.c[name] for name in Link._fields))
    .where(audit.c.seq > bindparam("after"))
    .order_by(audit.c.seq)
)

_HASH = select(audit.c.hash).where(audit.c.seq == bindparam("seq"))


def links_after(connection: Connection, seq: int) -> tuple[Link, ...]:
    """The links of all entries behind that number, in order."""
    return tuple(Link(*row) for row in connection.execute(_LINKS, {"after": seq}))


def agrees(connection: Connection, head: Head) -> bool:
    """Whether the entry that the head names is there as it was."""
    if not head.seq:
        return True
    return bool(connection.scalar(_HASH, {"seq": head.seq}) == head.hash)


def followed(
    head: Head, links: Sequence[Link], keys: Ring, *, unsigned_until: int = 0
) -> Head | None:
    """The head moved on along the links, up to the first that was not signed here."""
    seq, hash_, opds = head.seq, head.hash, dict(head.opds)
    for link in links:
        signed = link.signature is None and link.seq <= unsigned_until
        signed = signed or keys.signed_entry(link.seq, link.hash, link.signature)
        if link.seq != seq + 1 or link.previous != hash_ or not signed:
            break
        if link.opd is not None and link.opd_seq is not None and link.opd_hash is not None:
            tip = opds.get(link.opd, START)
            if (link.opd_seq, link.opd_previous) != (tip.seq + 1, tip.hash):
                break
            opds[link.opd] = Tip(link.opd_seq, link.opd_hash)
        seq, hash_ = link.seq, link.hash
    return Head(seq, hash_, head.at, opds) if seq > head.seq else None
