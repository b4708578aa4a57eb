"""Time that goes back: deeds in the order of the log, by a clock that says otherwise.

What ends, ends by the clock: holds, delegations, grants. Whoever sets it back has them again, and
the record says so in the wrong order. So no deed is done that would be dated before the newest
entry by more than `TOLERANCE`, and entries that are (an earlier release, a copy from the future)
are a finding until somebody says why: a clock that was ahead and was put right.
"""

from datetime import timedelta

from cloudpemda.errors import Refused
from cloudpemda.ledger.audit.entries import moment
from cloudpemda.ledger.schema import moment_text
from cloudpemda.units import Instant, parse_instant, show_utc

ACCEPTED = "audit.accept-clock"
"""The entry that says why time went back: of all that came before it, too."""

TOLERANCE = timedelta(minutes=2)
"""A deed reads the clock before it waits for its turn, and the hosts of one ledger have a clock
each: so far entries may stand in another order than their moments."""


def require_order(now: Instant, newest: str) -> None:
    """Raises Refused `ledger.clock-back` where an entry of this moment may not follow one of that,
    as it is stored."""
    if moment_text(now + TOLERANCE) < newest:
        raise Refused(
            "ledger.clock-back",
            now=show_utc(Instant(now.replace(microsecond=0))),
            newest=show_utc(Instant(parse_instant(newest).replace(microsecond=0))),
        )


def steps_back(before: Instant, at: Instant) -> bool:
    """Whether `at` is too early for a deed behind one of `before`."""
    return before - at > TOLERANCE


def entries_step_back(before: object, at: object) -> bool:
    """The same of entries' moments, as they are stored."""
    if str(at) >= str(before):
        return False
    try:
        return steps_back(moment(before), moment(at))
    except ValueError:
        return False  # an edited entry, told by its hash
