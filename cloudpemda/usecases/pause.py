"""Pause: nothing changes a cluster while people work on it by hand; the night only reads."""

from collections.abc import Callable
from datetime import datetime

from cloudpemda.errors import Fault, Refused, UsageError
from cloudpemda.ledger import Pause
from cloudpemda.units import Instant, day_of, read_local, show_local
from cloudpemda.usecases.desk import Desk


def pause(desk: Desk, reason: str, until: str | None) -> Pause:
    """From now on no command changes a cluster. What is being applied stops before its next step
    and can be continued afterwards.

    For operators. `until` is a day (its end) or a moment in the site's zone. Raises Refused
    `pause.on-already`, `ledger.reason-missing`, UsageError `pause.moment`.
    """
    actor = desk.act("operator")
    moment = None if until is None else coming_moment(desk, until)
    holding, begun = desk.ledger.pause.begin(reason, moment, actor)
    if not begun:
        raise Refused("pause.on-already", **_values(desk, holding))
    return holding


def resume(desk: Desk) -> Pause | None:
    """End the pause; answers with it, or None where none held. For operators."""
    return desk.ledger.pause.end(desk.act("operator"))


def require_running(desk: Desk) -> None:
    """Raises Refused `pause.on` while the site is paused."""
    holding = desk.ledger.pause.current()
    if holding is not None:
        raise Refused("pause.on", **_values(desk, holding))


def halting(desk: Desk, halted: Callable[[], bool]) -> Callable[[], bool]:
    """Whether work must stop before its next step: because it was asked to, or for a pause."""
    return lambda: halted() or desk.ledger.pause.current() is not None


def pause_fault(desk: Desk) -> tuple[Fault, ...]:
    """`pause.on` while the site is paused, for those who must be told."""
    holding = desk.ledger.pause.current()
    return () if holding is None else (Fault("pause.on", _values(desk, holding)),)


def _values(desk: Desk, holding: Pause) -> dict[str, object]:
    zone = desk.site.zone
    until = "`resume`" if holding.until is None else show_local(holding.until, zone)
    since = show_local(holding.since, zone)
    return {"since": since, "until": until, "person": holding.person, "why": holding.reason}


def coming_moment(desk: Desk, text: str) -> Instant:
    """A day (its end) or a moment to come, in the site's zone. Raises UsageError `pause.moment`."""
    zone = desk.site.zone
    try:
        said = read_local(text, zone)
    except ValueError as error:
        raise UsageError("pause.moment", text=text) from error
    moment = said if isinstance(said, datetime) else day_of(said, zone)[1]
    if moment <= desk.clock.now():
        raise UsageError("pause.moment", text=text)
    return Instant(moment)
