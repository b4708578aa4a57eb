"""The tables: what they draw is documented, what they do not draw is refused."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from pathlib import Path

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger.__main__ import as_markdown
from cloudpemda.ledger.states import (
    INSTANCE,
    PROPOSAL,
    QUOTA,
    REQUEST,
    SAGA,
    InstanceEvent,
    InstanceState,
    ProposalEvent,
    ProposalState,
    QuotaEvent,
    QuotaState,
    RequestEvent,
    RequestState,
    SagaEvent,
    SagaState,
    after,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "states.md"

Table = Mapping[tuple[StrEnum, StrEnum], StrEnum]


TABLES = (
    (
        dict[tuple[StrEnum, StrEnum], StrEnum](REQUEST.items()),
        RequestState,
        RequestEvent,
        "submitted",
    ),
    (
        dict[tuple[StrEnum, StrEnum], StrEnum](PROPOSAL.items()),
        ProposalState,
        ProposalEvent,
        "pending",
    ),
    (
        dict[tuple[StrEnum, StrEnum], StrEnum](INSTANCE.items()),
        InstanceState,
        InstanceEvent,
        "planned",
    ),
    (dict[tuple[StrEnum, StrEnum], StrEnum](QUOTA.items()), QuotaState, QuotaEvent, "pending"),
    (dict[tuple[StrEnum, StrEnum], StrEnum](SAGA.items()), SagaState, SagaEvent, "open"),
)


def test_the_diagrams_are_those_of_the_tables() -> None:
    assert DOCUMENT.read_text() == as_markdown(), (
        "run: python -m cloudpemda.ledger > docs/states.md"
    )


@pytest.mark.parametrize(
    ("table", "kinds", "events", "first"), TABLES, ids=["r", "p", "i", "q", "s"]
)
def test_a_pair_outside_of_the_table_is_refused_by_name(
    table: Table,
    kinds: type[StrEnum],
    events: type[StrEnum],
    first: str,
) -> None:
    refused = 0
    for state, event in product(kinds, events):
        if (state, event) in table:
            assert after(table, state, event, "x") is table[state, event]
            continue
        with pytest.raises(Refused) as refusal:
            after(table, state, event, "R-2026-0001")
        assert refusal.value.code == "ledger.transition"
        assert refusal.value.values == {
            "subject": "R-2026-0001",
            "state": state.value,
            "event": event.value,
        }
        refused += 1
    assert refused


@pytest.mark.parametrize(
    ("table", "kinds", "events", "first"), TABLES, ids=["r", "p", "i", "q", "s"]
)
def test_every_state_can_be_reached_and_every_event_leads_somewhere(
    table: Table,
    kinds: type[StrEnum],
    events: type[StrEnum],
    first: str,
) -> None:
    reached = {first}
    for _ in kinds:
        reached |= {end for (start, _), end in table.items() if start in reached}
    assert reached == {state.value for state in kinds}
    assert {event for _, event in table} == set(events)


def test_nothing_that_may_be_in_pve_is_forgotten_without_a_confirmation() -> None:
    """Only `release`, which PVE's confirmation causes, leads to `purged`."""
    ways = {event for (_, event), end in INSTANCE.items() if end is InstanceState.PURGED}
    assert ways == {InstanceEvent.RELEASE}
    assert (InstanceState.ACTIVE, InstanceEvent.RELEASE) not in INSTANCE


def test_only_a_decision_leads_to_a_hold() -> None:
    ways = {start for (start, _), end in REQUEST.items() if end is RequestState.APPROVED}
    assert ways == {RequestState.PENDING}
