"""Who is told what: each condition once when it begins, once when it is over, by each channel.

A message holds all that is new for its channel. What could not be delivered is tried again by the
next nights, some times, and is a finding meanwhile; it never stops a night.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from cloudpemda.document.files import read_regular
from cloudpemda.errors import CloudpemdaError, Fault, InvalidInput
from cloudpemda.ledger import Condition, Letter
from cloudpemda.messages import explain, say
from cloudpemda.notify.people import deliver, known, to_addresses
from cloudpemda.report.standing import Finding
from cloudpemda.site.models import NotifyChannel
from cloudpemda.units import Instant, show_local
from cloudpemda.usecases.desk import Desk

MOST_TRIES = 5
"""Nights in which a message is tried."""
_KEPT = timedelta(days=400)
_BREACHES = (
    "recovery.", "survey.unread", "survey.copy", "nightly.vm-", "nightly.phase-",
    "nightly.n-plus-one", "nightly.exposed-", "nightly.no-", "nightly.request-stuck", "audit.",
)  # fmt: skip


def tell(desk: Desk) -> Iterator[Finding]:
    """Tell every channel what it waits for; what hinders it are findings."""
    book, holding = desk.ledger.outbox, desk.ledger.conditions.list()
    begun = [
        Letter(_post(channel, one), "begun", one)
        for channel in desk.site.info.notify
        for one in holding
        if _concerns(desk, channel, one)
    ]
    # first: what this night gives up is told by it, and was told when the next one forgets it
    book.forget(Instant(desk.clock.now() - _KEPT), MOST_TRIES)
    book.post(begun, holding)
    for channel in desk.site.info.notify:
        yield from _send(desk, channel)
    for name, count in book.given_up(MOST_TRIES).items():
        values = {"channel": name, "count": count, "tries": MOST_TRIES}
        yield Finding(None, Fault("notify.given-up", values))


def _post(channel: NotifyChannel, one: Condition) -> str:
    return f"{channel.name}/{one.opd}" if channel.contacts else channel.name


def _concerns(desk: Desk, channel: NotifyChannel, one: Condition) -> bool:
    if channel.contacts and (one.opd is None or not _addresses(desk, one.opd)):
        return False
    if channel.opds and one.opd not in channel.opds:
        return False
    return channel.min == "finding" or one.code.startswith(_BREACHES)


def _addresses(desk: Desk, opd: str) -> Sequence[str]:
    found = desk.site.opds.get(opd)
    return [str(one.email) for one in found.opd.contacts] if found else []


def _send(desk: Desk, channel: NotifyChannel) -> Iterator[Finding]:
    book = desk.ledger.outbox
    opds: list[str | None] = [*sorted(desk.site.opds)] if channel.contacts else [None]
    for opd in opds:
        post = channel.name if opd is None else f"{channel.name}/{opd}"
        letters = book.waiting(post, MOST_TRIES)
        if not letters:
            continue
        delivered = False
        faults: tuple[Fault, ...] = ()
        try:
            urls = _urls(desk, channel)
            if opd is not None:
                urls = [to_addresses(url, _addresses(desk, opd)) for url in urls]
            title, body = _message(desk, letters)
            delivered = deliver(urls, title, body)
        except CloudpemdaError as error:
            faults = error.faults
        book.tried(letters, delivered=delivered)
        if not delivered:
            tries = max(one.tries for one in letters) + 1
            values = {"channel": post, "count": len(letters), "tries": tries, "most": MOST_TRIES}
            yield Finding(None, Fault("notify.not-delivered", values))
            yield from (Finding(None, fault) for fault in faults)


def _urls(desk: Desk, channel: NotifyChannel) -> list[str]:
    """The channel's URLs. Raises InvalidInput where their file cannot be read, is not private, or
    holds one that leads nowhere: by its line, since the URL is a secret."""
    file = desk.site.path(channel.urls)
    lines = read_regular(file, private=True).decode("utf-8", "replace").splitlines()
    found = {
        number: line.strip()
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    }
    wrong = [number for number, url in found.items() if not known(url)]
    if wrong or not found:
        at = wrong[0] if wrong else None
        raise InvalidInput([Fault("notify.url", file=str(file), line=at)])
    return list(found.values())


def _message(desk: Desk, letters: Sequence[Letter]) -> tuple[str, str]:
    lang, zone = desk.site.info.site.language, desk.site.zone
    begun = [one for one in letters if one.event == "begun"]
    over = [one for one in letters if one.event == "over"]
    values = {"site": desk.site.info.site.name, "begun": len(begun), "over": len(over)}
    lines: list[str] = []
    for one in begun:
        said, then = explain(one.condition.code, lang, one.condition.values)
        lines += [f"{one.condition.opd or '-'}: {said} [{one.condition.code}]"]
        lines += [f"  → {then}"] if then else []
    for one in over:
        said, _ = explain(one.condition.code, lang, one.condition.values)
        since = show_local(one.condition.since, zone)
        lines.append(say("night.notice-over", lang, {"what": said, "since": since}))
    return say("night.notice-title", lang, values), "\n".join(lines)
