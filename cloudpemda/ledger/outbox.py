"""What people are still to be told, by channel, until it was delivered or tried often enough."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, update

from cloudpemda.ledger.conditions import Condition
from cloudpemda.ledger.schema import outbox
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant

Event = Literal["begun", "over"]


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """That a condition began, or is over, for one channel."""

    channel: str
    event: Event
    condition: Condition
    tries: int = 0


class Outbox:
    """The letters of every channel. Every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def post(self, begun: Sequence[Letter], holding: Collection[Condition]) -> None:
        """Add letters of what began that are not there yet; and of what is over, for whoever was
        told of its beginning. What ended before anybody was told of it is dropped."""
        holds = {_of(one) for one in holding}
        with self._store.write() as connection:
            rows = connection.execute(select(outbox)).all()
            letters = {_letter(row): row.delivered_at is not None for row in rows}
            there = {(one.channel, one.event, _of(one.condition)) for one in letters}
            for one in begun:
                if (one.channel, one.event, _of(one.condition)) not in there:
                    connection.execute(insert(outbox).values(_values(one)))
            for one, delivered in letters.items():
                key = _of(one.condition)
                if one.event != "begun" or key in holds or (one.channel, "over", key) in there:
                    continue
                if delivered:
                    over = Letter(one.channel, "over", one.condition)
                    connection.execute(insert(outbox).values(_values(over)))
                else:
                    connection.execute(delete(outbox).where(_is(one)))

    def waiting(self, channel: str, most: int) -> tuple[Letter, ...]:
        """What was not delivered yet, and was tried fewer than `most` times; oldest first."""
        query = (
            select(outbox)
            .where(
                outbox.c.channel == channel, outbox.c.delivered_at.is_(None), outbox.c.tries < most
            )
            .order_by(outbox.c.since, outbox.c.code, outbox.c.opd, outbox.c.about)
        )
        with self._store.read() as connection:
            return tuple(_letter(row) for row in connection.execute(query))

    def given_up(self, most: int) -> Mapping[str, int]:
        """Channel → how many were tried `most` times in vain."""
        query = select(outbox.c.channel).where(
            outbox.c.delivered_at.is_(None), outbox.c.tries >= most
        )
        found: dict[str, int] = {}
        with self._store.read() as connection:
            for channel in connection.scalars(query):
                found[channel] = found.get(channel, 0) + 1
        return found

    def tried(self, letters: Collection[Letter], *, delivered: bool) -> None:
        """Note one try of each."""
        now = self._store.clock.now()
        with self._store.write() as connection:
            for one in letters:
                values: dict[str, object] = {"tries": one.tries + 1}
                if delivered:
                    values["delivered_at"] = now
                connection.execute(update(outbox).where(_is(one)).values(values))

    def forget(self, before: Instant, most: int) -> None:
        """Those that were delivered before this; and both letters of what is over, once the second
        was tried `most` times: no condition holds any more that would end it."""
        delivered = and_(outbox.c.delivered_at.is_not(None), outbox.c.delivered_at < before)
        vain = and_(
            outbox.c.event == "over", outbox.c.delivered_at.is_(None), outbox.c.tries >= most
        )
        with self._store.write() as connection:
            given_up = [_letter(row) for row in connection.execute(select(outbox).where(vain))]
            for one in given_up:
                begun = replace(one, event="begun")
                connection.execute(delete(outbox).where(or_(_is(one), _is(begun))))
            connection.execute(delete(outbox).where(delivered))


def _of(one: Condition) -> tuple[str, str | None, str, Instant]:
    return one.code, one.opd, one.about, one.since


def _values(one: Letter) -> dict[str, object]:
    return {
        "channel": one.channel,
        "event": one.event,
        "code": one.condition.code,
        "opd": one.condition.opd or "",
        "about": one.condition.about,
        "since": one.condition.since,
        "told": json.dumps(dict(one.condition.values), ensure_ascii=False),
        "tries": 0,
    }


def _is(one: Letter) -> ColumnElement[bool]:
    return and_(
        outbox.c.channel == one.channel,
        outbox.c.event == one.event,
        outbox.c.code == one.condition.code,
        outbox.c.opd == (one.condition.opd or ""),
        outbox.c.about == one.condition.about,
        outbox.c.since == one.condition.since,
    )


def _letter(row: Row[tuple[object, ...]]) -> Letter:
    condition = Condition(row.code, row.opd or None, row.about, row.since, json.loads(row.told))
    return Letter(row.channel, row.event, condition, row.tries)
