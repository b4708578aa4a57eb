"""The pause: nobody changes a cluster while somebody works on it by hand.

One pause at a time for the whole site. It stands in the ledger, so that every host and the timer
know of it, and ends by a person, or by its own hour where it was given one. What was said and who
said it is in the audit log.
"""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit import Actor, Audit
from cloudpemda.ledger.audit.bound import PAUSE
from cloudpemda.ledger.schema import meta, moment_text
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant, parse_instant


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when nothing is changed, by whom, why, and until when (None: until it is ended)."""

    since: Instant
    until: Instant | None
    reason: str
    person: str


class PauseBook:
    """Whether the site is paused. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def current(self) -> Pause | None:
        """The pause that holds now; one whose hour has come does not."""
        with self._store.read() as connection:
            found = _read(connection)
        return None if found is None or _over(found, self._store.clock.now()) else found

    def begin(self, reason: str, until: Instant | None, actor: Actor) -> tuple[Pause, bool]:
        """The pause that holds from now on, and whether it is this one: whoever comes second ends
        nothing of the first. Raises Refused `ledger.reason-missing`."""
        if not reason.strip():
            raise Refused("ledger.reason-missing", subject="pause")
        with self._audit.deed(actor) as deed:
            found = _read(deed.connection)
            if found is not None and not _over(found, deed.now):
                return found, False
            pause = Pause(deed.now, until, reason.strip(), actor.name)
            kept = {
                "since": moment_text(pause.since),
                "until": None if until is None else moment_text(until),
                "reason": pause.reason,
                "person": pause.person,
            }
            deed.delete(meta, meta.c.key == PAUSE)
            deed.insert(meta, {"key": PAUSE, "value": json.dumps(kept, sort_keys=True)})
            deed.record("pause.begin", None, "site", reason=pause.reason, until=kept["until"])
            return pause, True

    def end(self, actor: Actor) -> Pause | None:
        """Work goes on; answers with the pause that held, None where none did."""
        if self.current() is None:
            return None
        with self._audit.deed(actor) as deed:
            found = _read(deed.connection)
            if found is None or _over(found, deed.now):
                return None
            deed.delete(meta, meta.c.key == PAUSE)
            deed.record("pause.end", None, "site", reason=found.reason)
            return found


def _read(connection: Connection) -> Pause | None:
    text = connection.scalar(select(meta.c.value).where(meta.c.key == PAUSE))
    if text is None:
        return None
    kept: dict[str, str | None] = json.loads(text)
    until = kept["until"]
    return Pause(
        parse_instant(str(kept["since"])),
        None if until is None else parse_instant(until),
        str(kept["reason"]),
        str(kept["person"]),
    )


def _over(pause: Pause, now: Instant) -> bool:
    return pause.until is not None and pause.until <= now
