"""What was said before it ended: each ending once for each time at which the site wants to know."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from cloudpemda.ledger.audit import Actor, Audit
from cloudpemda.ledger.schema import notices
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Notice:
    """That something ends. Where its end moves it is another notice."""

    what: str  # hold, pending, grant, delegation
    opd: str | None
    subject: str  # a request's number, or the delegation
    ends_at: Instant
    before: int  # seconds: which of the site's times before the end this is


class NoticeBook:
    """The notices that were given."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def give(self, due: Sequence[Notice], actor: Actor) -> tuple[Notice, ...]:
        """Record those that were not given yet, and answer with them: of two who give the same
        one, one does. Where all were given nothing is written."""
        with self._store.read() as connection:
            if all(one in _given(connection, due) for one in due):
                return ()
        with self._audit.deed(actor) as deed:
            given = _given(deed.connection, due)
            fresh = tuple(one for one in due if one not in given)
            for one in fresh:
                deed.connection.execute(
                    insert(notices).values(
                        what=one.what,
                        subject=one.subject,
                        ends_at=one.ends_at,
                        before=one.before,
                        at=deed.now,
                    )
                )
                ends = one.ends_at.isoformat()
                deed.record(f"notice.{one.what}", one.opd, one.subject, ends=ends)
        return fresh


def _given(connection: Connection, due: Sequence[Notice]) -> frozenset[Notice]:
    subjects = sorted({one.subject for one in due})
    rows = connection.execute(
        select(notices.c.what, notices.c.subject, notices.c.ends_at, notices.c.before).where(
            notices.c.subject.in_(subjects)
        )
    )
    given = {(row.what, row.subject, row.ends_at, row.before) for row in rows}
    return frozenset(
        one for one in due if (one.what, one.subject, one.ends_at, one.before) in given
    )
