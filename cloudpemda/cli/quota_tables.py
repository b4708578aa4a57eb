"""Quota as text for people: balances, grants, refusals."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cloudpemda.cli.chain import chain_page
from cloudpemda.cli.history import history
from cloudpemda.cli.tables import print_or, shown_amount, table
from cloudpemda.messages import harmless
from cloudpemda.units import Instant, show_local
from cloudpemda.usecases.quota import QuotaLine, Refusal

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Grant
    from cloudpemda.usecases.quota_requests import QuotaStanding, QuotaView
    from cloudpemda.usecases.quota_verify import RecountLine


def quota_table(out: Console, frame: "Frame", lines: Sequence[QuotaLine]) -> None:
    """Balances beside their limits, and what stands above its limit."""
    shown = table(frame, "OPD", "dimension", "committed", "held", "limit", "used")
    for line in lines:
        share = "-" if not line.limit else f"{line.used * 100 // line.limit} %"
        shown.add_row(
            line.opd,
            line.dimension,
            shown_amount(line.dimension, line.committed),
            shown_amount(line.dimension, line.held),
            limit_of(line),
            Text(share, style="red" if line.over else "yellow" if line.warn else ""),
        )
    print_or(out, shown, frame.say("show.no-quota"))
    for line in lines:
        if line.over:
            more = shown_amount(line.dimension, line.over)
            told = frame.say("show.overage", opd=line.opd, dimension=line.dimension, more=more)
            out.print(Text(told), style="red", soft_wrap=True)
        if line.overgrown:
            more = shown_amount(line.dimension, line.overgrown)
            told = frame.say("show.overgrown", opd=line.opd, dimension=line.dimension, more=more)
            out.print(Text(told), style="yellow", soft_wrap=True)
    if not all(line.known for line in lines):
        out.print(Text(frame.say("show.limit-unknown")), style="dim", soft_wrap=True)


def recount_table(
    out: Console, frame: "Frame", lines: "Sequence[RecountLine]", *, sound: bool
) -> None:
    """What is charged beside what stands there; unknown is a question mark. `sound`: all was read,
    and nothing found."""
    shown = table(frame, "OPD", "dimension", "charged", "found")
    for line in lines:
        found = "?" if line.found is None else shown_amount(line.dimension, line.found)
        shown.add_row(
            line.opd,
            line.dimension,
            shown_amount(line.dimension, line.charged),
            Text(found, style="" if line.found == line.charged else "yellow"),
        )
    if lines:
        out.print(shown)
    if sound:
        out.print(frame.say("show.recount-sound"))


def grants_table(
    out: Console, frame: "Frame", found: "Sequence[Grant]", zone: "ZoneInfo", now: Instant
) -> None:
    """Each grant with its time, then the letters; what is not in force now is dim."""
    shown = table(frame, "number", "OPD", "dimension", "adds", "from", "until")
    letters: dict[str, str] = {}
    for one in found:
        shown.add_row(
            one.number,
            one.opd,
            one.dimension,
            shown_amount(one.dimension, one.amount),
            f"{one.period.start.astimezone(zone):%Y-%m-%d}",
            _last_day(one, zone) or frame.say("show.permanent"),
            style="" if one.covers(now) else "dim",
        )
        letters[one.number] = frame.say(
            "show.grant-letter",
            number=one.number,
            letter=one.letter.number,
            date=one.letter.date,
            name=one.actor.name,
        )
    print_or(out, shown, frame.say("show.no-grants"))
    for told in letters.values():
        out.print(Text(told), soft_wrap=True)


def _last_day(grant: "Grant", zone: "ZoneInfo") -> str | None:
    """The last day of a grant as its letter says it, or the moment at which it was ended."""
    if grant.ended_at is not None:
        return show_local(grant.ended_at, zone)
    if grant.period.end is None:
        return None
    return f"{grant.period.end.astimezone(zone) - timedelta(microseconds=1):%Y-%m-%d}"


def quota_request_list(out: Console, frame: "Frame", found: "Sequence[QuotaStanding]") -> None:
    """The requests, and below them who is awaited."""
    shown = table(frame, "number", "request", "state", "until", "adds")
    for one in found:
        record = one.record
        spec = record.spec
        adds = (f"{name} {shown_amount(name, value)}" for name, value in spec.add)
        shown.add_row(
            record.number,
            record.key,
            record.state.value,
            str(spec.until or frame.say("show.permanent")),
            ", ".join(adds),
        )
    print_or(out, shown, frame.say("show.no-requests"))
    for one in found:
        if one.record.pending:
            _awaited(out, frame, one)


def quota_approval(
    out: Console, frame: "Frame", done: "QuotaStanding", zone: "ZoneInfo", now: Instant
) -> None:
    """What is granted now, or who is awaited."""
    if done.record.pending:
        _awaited(out, frame, done)
    else:
        grants_table(out, frame, done.record.grants, zone, now)


def _awaited(out: Console, frame: "Frame", one: "QuotaStanding") -> None:
    record, chain = one.record, one.chain
    told = frame.say(
        "show.decided",
        key=record.key,
        number=record.number,
        revision=record.revision,
        decided=chain.decided,
        demanded=chain.demanded,
        who=", ".join(chain.awaited) or frame.say("show.chain-nobody"),
    )
    out.print(told, soft_wrap=True)


def quota_request_page(out: Console, frame: "Frame", view: "QuotaView", zone: "ZoneInfo") -> None:
    """What who decides needs: who asks for how much on top of what, for how long."""
    record, spec = view.record, view.record.spec
    out.print(Text(f"{record.key}  {record.number}  ", style="bold"), record.state.value)
    out.print(harmless(spec.purpose), soft_wrap=True)
    out.print(frame.say("show.letter", number=spec.letter.number, date=spec.letter.date))
    who = spec.requester
    out.print(frame.say("show.requester", name=who.name, nip=who.nip, position=who.position))
    if record.reason:
        out.print(frame.say("show.reason", reason=record.reason))
    until = spec.until or frame.say("show.permanent")
    out.print(frame.say("show.quota-period", start=spec.start or "-", until=until))
    out.print()
    by_dimension = {line.dimension: line for line in view.quota}
    shown = table(frame, "dimension", "adds", "used", "limit")
    for dimension, more in spec.add:
        line = by_dimension.get(dimension)
        shown.add_row(
            dimension,
            shown_amount(dimension, more),
            "-" if line is None else shown_amount(dimension, line.used),
            "-" if line is None else limit_of(line),
        )
    out.print(shown)
    chain_page(out, frame, view.chain, zone, "show.chain-quota")
    out.print()
    history(out, frame, view.history, zone)


def quota_refusals(
    out: Console, frame: "Frame", found: Sequence[Refusal], zone: "ZoneInfo"
) -> None:
    """What quota refused, with the numbers of that moment."""
    for one in found:
        out.print()
        told = frame.say("show.refused-by-quota", at=show_local(one.at, zone), name=one.actor.name)
        out.print(Text(told, style="bold"), soft_wrap=True)
        frame.faults(one.faults, out)


def limit_of(line: QuotaLine) -> str:
    """The limit in readable units; a question mark where nobody knows what it was."""
    if not line.known:
        return "?"
    return "unlimited" if line.limit is None else shown_amount(line.dimension, line.limit)
