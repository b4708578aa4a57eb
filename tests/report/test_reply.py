"""Replies: every state has words, names never meet, and values stay values."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudpemda.errors import Fault
from cloudpemda.ledger import Actor, Approval, Proposal, ProposalState, RequestRecord, RequestState
from cloudpemda.report.reply import (
    OPENING,
    Access,
    Answer,
    Line,
    Progress,
    index_text,
    reply_name,
    reply_text,
)
from cloudpemda.units import Instant
from tests.ledger.makers import SITI, START, workload

WIB = ZoneInfo("Asia/Jakarta")
PROGRESS = Progress(1, 3, ("Hendra Gunawan (hendra)", "Dewi Lestari (dewi)"))


def _approval(days: float = 14) -> Approval:
    until = Instant(START + timedelta(days=days))
    return Approval(1, "d", {}, Actor("budi", "Budi Santoso", "approver"), START, until)


def _record(state: RequestState, *, until: date = date(2027, 12, 31)) -> RequestRecord:
    return RequestRecord(
        number="R-2026-0001",
        key="dinkes/simrs",
        state=state,
        revision=1,
        spec=replace(workload(), until=until),
        submitted_by=SITI,
        submitted_at=START,
        updated_at=START,
        reason="server bersama cukup",
        approval=_approval(),
    )


def _answer(
    record: RequestRecord | None,
    *faults: Fault,
    now: Instant = START,
    ends: tuple[Literal["hold", "pending"], Instant] | None = None,
) -> str:
    return reply_text(
        Answer(
            file="simrs.yaml",
            opd="Dinas Kesehatan",
            refused=True,
            faults=faults,
            record=record,
            vms=(),
            progress=PROGRESS,
            now=now,
            zone=WIB,
            ends=ends,
        )
    )


@pytest.mark.parametrize("state", RequestState)
def test_every_state_has_words_in_reply_and_index(state: RequestState) -> None:
    record = _record(state)
    said = _answer(record)
    assert said.startswith(f"{OPENING}: simrs.yaml\n")
    assert "R-2026-0001" in said
    assert "?" not in said  # a value that a text asks for and nobody gave
    listed = index_text("dinkes", "Dinas Kesehatan", [Line(record, "simrs.yaml")], [], [])
    assert "?" not in listed
    assert state.value not in listed.splitlines()[3]  # people's words, not ours


@pytest.mark.parametrize("state", ProposalState)
def test_every_state_of_a_change_has_words(state: ProposalState) -> None:
    proposal = Proposal(
        2, workload(purpose="Lebih besar"), state, SITI, START, START, "cukup dulu", _approval()
    )
    record = replace(_record(RequestState.ACTIVE), proposal=proposal)
    said = _answer(record)
    assert "revisi 2" in said
    assert "?" not in said
    index_text("dinkes", "Dinas Kesehatan", [Line(record, None)], [], [])


@pytest.mark.parametrize(
    ("until", "word"),
    [
        (date(2026, 11, 19), "SUDAH BERAKHIR"),
        (date(2026, 11, 20), "SEGERA BERAKHIR"),
        (date(2026, 12, 20), "SEGERA BERAKHIR"),
        (date(2026, 12, 21), ""),
    ],
)
def test_the_end_of_a_lease_is_said_by_the_sites_day(until: date, word: str) -> None:
    said = _answer(_record(RequestState.ACTIVE, until=until))
    assert [found for found in ("SEGERA BERAKHIR", "SUDAH BERAKHIR") if found in said] == [
        found for found in (word,) if found
    ]
    # a quarter of an hour before midnight UTC it is the next day in Jakarta
    late = Instant(datetime(2026, 11, 19, 23, 45, tzinfo=UTC))
    assert _answer(_record(RequestState.ACTIVE, until=until), now=late) == said


def test_what_time_ends_soon_is_said_in_the_sites_zone() -> None:
    until = Instant(START + timedelta(days=2))
    approved, pending = _record(RequestState.APPROVED), _record(RequestState.PENDING)
    assert "SEGERA BERAKHIR" not in _answer(approved)
    held = _answer(approved, ends=("hold", until))
    assert "SEGERA BERAKHIR: penahanannya dilepas setelah 2026-11-22 08:00 WIB." in held
    waited = _answer(pending, ends=("pending", until))
    assert "SEGERA BERAKHIR: batas waktu keputusan 2026-11-22 08:00 WIB" in waited


_STEMS = st.text("ab.YAMLyaml", min_size=1, max_size=12)
_NAMES = st.builds(str.__add__, _STEMS, st.sampled_from([".yaml", ".yml", ".YAML", ".Yml"]))


@given(_NAMES, _NAMES)
def test_two_documents_never_share_a_reply(one: str, other: str) -> None:
    assume(one != other)
    assert reply_name(one) != reply_name(other)


def test_who_is_awaited_is_named() -> None:
    said = _answer(_record(RequestState.PENDING))
    assert "Sudah ada 1 dari 3 keputusan" in said
    assert "ditunggu: Hendra Gunawan (hendra), Dewi Lestari (dewi)." in said


def test_the_usual_name_is_short() -> None:
    assert reply_name("simrs.yaml") == "simrs.balasan.txt"
    assert reply_name("simrs.yml") == "simrs.yml.balasan.txt"


def test_values_are_no_templates_and_move_no_cursor() -> None:
    hostile = "{{ 7 * 7 }}\x1b[2J\u202e{x}"
    fault = Fault("request.unknown-key", {"key": hostile, "known": hostile}, "a", 3, 4, hostile)
    said = _answer(_record(RequestState.PENDING), fault)
    assert "{{ 7 * 7 }}" in said
    assert not {"\x1b", "\u202e"} & set(said)
    listed = index_text("dinkes", hostile, [], [hostile], [hostile])
    assert not {"\x1b", "\u202e"} & set(listed)


def test_a_vm_is_reached_by_its_user_and_address() -> None:
    vm = Access("dinkes-simrs-db-1", ("10.10.110.21",), ("203.0.113.19",), "debian")
    assert vm.command == "ssh debian@10.10.110.21"
    assert replace(vm, addresses=()).command == "ssh debian@203.0.113.19"
    assert replace(vm, user=None).command == "ssh 10.10.110.21"
    assert replace(vm, addresses=(), public_addresses=()).command == "-"


def test_faults_that_say_the_same_find_each_other() -> None:
    """Whoever tells each fault once keeps those that were told in a set."""
    told = {Fault("orphans.unread", {"vmid": 1}), Fault("orphans.unread", {"vmid": 1})}
    assert told == {Fault("orphans.unread", {"vmid": 1})}
    assert Fault("orphans.unread", {"vmid": 2}) not in told
