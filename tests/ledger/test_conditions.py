"""Since when a finding is so, and when it is over."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import Engine, event

from cloudpemda.errors import Fault
from cloudpemda.ledger import Condition, Ledger
from cloudpemda.units import Instant
from tests.ledger.makers import START


def late(vm: str, age: str) -> tuple[str, Fault]:
    return "dinkes", Fault("recovery.site-late", {"vm": vm, "age": age})


def always(_: Condition) -> bool:
    return True


def test_a_bad_night_says_no_more_to_the_ledger_than_another(ledger: Ledger) -> None:
    """Of those that it finds a third is new, and half of the others are older; a third is over."""
    said: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    def night(many: int, age: str, vms: Iterable[int]) -> int:
        said.clear()
        found = [late(f"{many}-{vm}", age if vm % 2 else "-") for vm in vms]
        ledger.conditions.night(found, START, always)
        return len(said)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        costs = []
        for many in (4, 40):
            night(many, "1d", range(many * 3))
            costs.append(night(many, "2d", range(many, many * 4)))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert costs[0] == costs[1]
    told = {vm: one.values["age"] for one in ledger.conditions.list() for vm in [one.values["vm"]]}
    assert told == {f"40-{vm}": "2d" if vm % 2 else "-" for vm in range(40, 160)}


def test_a_condition_is_fresh_once_stands_while_it_is_found_and_is_over_once(
    ledger: Ledger,
) -> None:
    book = ledger.conditions
    nights = [Instant(START + timedelta(days=day)) for day in range(5)]
    first = book.night([late("a", "49h"), late("a", "49h"), late("b", "50h")], nights[0], always)
    assert [one.values["vm"] for one in first.fresh] == ["a", "b"]
    second = book.night([late("a", "73h")], nights[1], always)
    assert (second.fresh, [one.values["age"] for one in second.standing]) == ((), ["73h"])
    assert second.since(*late("a", "?")) == nights[0]
    assert [one.values["vm"] for one in second.over] == ["b"]
    assert book.night([late("a", "97h")], nights[2], always).over == ()
    unseen = book.night([], nights[3], lambda one: one.values["vm"] != "a")
    assert unseen.over == (), "what could not be looked at has not got better"
    assert [one.since for one in book.list()] == [nights[0]]
    (over,) = book.night([], nights[4], always).over
    assert (over.since, over.values["age"]) == (nights[0], "97h")
    again = book.night([late("a", "49h")], nights[4], always)
    assert [one.since for one in again.fresh] == [nights[4]]
