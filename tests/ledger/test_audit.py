"""The audit log: every deed has its entry, and no entry can be changed unseen."""

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError

from cloudpemda.errors import Incomplete, Refused
from cloudpemda.ledger import Ledger
from cloudpemda.messages import Lang, explain
from tests.ledger.databases import SERVER, behind_its_back, rows, tamper
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    START,
    ManualClock,
    applying,
    approve,
    chain,
    open_at,
    pools,
    revised,
    wanted,
    workload,
)

HEAD = Path("var/audit.head")


@pytest.fixture
def lived(ledger: Ledger, tmp_path: Path) -> Path:
    """A site whose ledger has a dozen entries; answers with its folder."""
    for name in ("a", "b", "c", "d"):
        spec = workload(name=name)
        ledger.requests.submit(spec, "", SITI)
        ledger.requests.submit(revised(spec), "", SITI)
        ledger.requests.withdraw(spec.key, actor=SITI)
    assert len(ledger.audit.log()) == 12
    assert ledger.audit.verify() == ()
    return tmp_path


def found(base: Path) -> list[tuple[str, int]]:
    with open_at(base) as ledger:
        findings = ledger.audit.verify()
    for finding in findings:
        for lang in get_args(Lang):
            assert str(finding.seq) in explain(finding.code, lang, finding.fault.values)[0]
    return [(finding.code, finding.seq) for finding in findings]


# -- what is written -------------------------------------------------------------------------
def test_each_deed_says_who_what_when_and_on_which_revision(
    ledger: Ledger, clock: ManualClock
) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    clock.sleep(60)
    approve(ledger, spec, {"db-1": {"memory": 100}}, chain(memory=None))

    queued, approved = ledger.audit.log()
    assert (queued.action, queued.actor, queued.at) == ("request.queue", SITI, START)
    assert queued.details["spec_hash"] == spec.spec_hash
    assert (approved.action, approved.actor, approved.at) == (
        "request.approve",
        BUDI,
        clock.now(),
    )
    assert (approved.opd, approved.subject) == ("dinkes", "R-2026-0001")
    assert dict(approved.details) == {
        "key": "dinkes/simrs",
        "revision": 1,
        "state": "approved",
        "spec_hash": spec.spec_hash,
        "offer_digest": "offer-1",
        "hold": '{"memory": 100}',
    }


def test_what_is_refused_leaves_no_entry(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    before = ledger.audit.log()
    with pytest.raises(Refused):
        approve(ledger, spec, {"db-1": {"memory": 100}}, chain(memory=1))
    with pytest.raises(Refused):
        ledger.requests.finish(spec.key, actor=OPERATOR)
    assert ledger.audit.log() == before


def test_the_life_of_an_instance_is_in_the_log(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    first, _ = ledger.instances.claim(
        spec.key,
        wanted(spec),
        vmid_range=range(100, 200),
        pools=pools(),
        taken_vmids={},
        actor=OPERATOR,
    )
    ledger.instances.place(first.uid, node="pve1", storages={}, targets=(), actor=OPERATOR)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    ledger.instances.failed(first.uid, error="no space", actor=OPERATOR)
    entries = ledger.audit.log(subject=first.key)
    assert [entry.action for entry in entries] == [
        "instance.claim",
        "instance.place",
        "instance.create",
        "instance.fail",
    ]
    assert entries[0].details["vmid"] == 100
    assert entries[-1].details["error"] == "no space"


def test_the_log_filters(ledger: Ledger, clock: ManualClock) -> None:
    for opd in ("dinkes", "bkad"):
        ledger.requests.submit(workload(opd), "", SITI)
        clock.sleep(10)
    ledger.requests.withdraw("bkad/simrs", actor=OPERATOR)
    log = ledger.audit.log

    def seqs(entries: Sequence[object]) -> list[int]:
        return [entry.seq for entry in entries]  # type: ignore[attr-defined]

    assert seqs(log()) == [1, 2, 3]
    assert seqs(log(opds={"bkad"})) == [2, 3]
    assert seqs(log(opds={"bkad"}, login="siti")) == [2]
    assert seqs(log(action="request.withdraw")) == [3]
    assert seqs(log(subject="R-2026-0001")) == [1]
    second = log()[1].at
    assert seqs(log(since=second)) == [2, 3]
    assert seqs(log(until=second)) == [1]
    assert seqs(log(limit=2)) == [2, 3]


def test_neither_the_document_nor_a_key_stands_in_the_log(ledger: Ledger) -> None:
    ledger.requests.submit(workload(), "password: hunter2", SITI)
    assert "hunter2" not in repr(ledger.audit.log())
    assert "ssh-ed25519" not in repr(ledger.audit.log())


# -- what can be found -----------------------------------------------------------------------
def test_the_database_itself_refuses_to_change_or_delete(lived: Path) -> None:
    with behind_its_back(lived) as connection:
        connection.exec_driver_sql(
            "INSERT INTO postings SELECT coalesce(max(seq), 0) + 1, '', 'o', 'R-2026-0001', 'i', "
            "'d', 1, 0 FROM postings"
        )
    again = (
        "INSERT INTO {0} SELECT * FROM {0} ON CONFLICT (seq) DO UPDATE SET at = ''"
        if SERVER
        else "INSERT OR REPLACE INTO {0} SELECT * FROM {0}"
    )
    for statement in (
        "UPDATE audit SET login = 'x' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 3",
        again.format("audit"),
        "UPDATE postings SET held = 0",
        "DELETE FROM postings",
        again.format("postings"),
    ):
        with pytest.raises(DBAPIError, match="append-only"), behind_its_back(lived) as connection:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("column", ["at", "login", "person", "role", "action", "opd", "subject"])
def test_an_edited_entry_is_named(lived: Path, column: str) -> None:
    tamper(lived, f"UPDATE audit SET {column} = {column} || 'x' WHERE seq = 5")  # noqa: S608
    assert found(lived) == [("audit.edited", 5)]


def test_edited_details_are_found_even_where_they_mean_the_same(lived: Path) -> None:
    tamper(lived, "UPDATE audit SET details = replace(details, ': ', ':') WHERE seq = 5")
    assert found(lived) == [("audit.edited", 5)]


def test_a_broken_value_is_an_edit_and_no_crash(lived: Path) -> None:
    tamper(lived, "UPDATE audit SET login = x'ff00', details = 'no json' WHERE seq = 5")
    assert found(lived) == [("audit.edited", 5)]


@pytest.mark.parametrize("seq", [1, 5, 11])
def test_an_edit_that_mends_its_own_hash_is_named_by_what_follows(lived: Path, seq: int) -> None:
    rehash(lived, seq, only=True)
    assert found(lived) == [("audit.edited", seq)]


def test_an_edit_that_mends_all_hashes_is_found_by_the_head(lived: Path) -> None:
    rehash(lived, 5, only=False)
    assert found(lived) == [("audit.rewritten", 12)]


@pytest.mark.parametrize("seq", [1, 5, 11])
def test_a_deleted_entry_is_named(lived: Path, seq: int) -> None:
    tamper(lived, f"DELETE FROM audit WHERE seq = {seq}")  # noqa: S608
    assert found(lived) == [("audit.missing", seq)]


@pytest.mark.parametrize("first", [1, 2, 12])
def test_a_cut_tail_is_named_by_its_first_entry(lived: Path, first: int) -> None:
    tamper(lived, f"DELETE FROM audit WHERE seq >= {first}")  # noqa: S608
    assert found(lived) == [("audit.truncated", first)]


@pytest.mark.parametrize("more", [1, 5])
def test_a_cut_tail_stays_found_however_much_is_written_after_it(lived: Path, more: int) -> None:
    tamper(lived, "DELETE FROM audit WHERE seq >= 11")
    with open_at(lived) as ledger:
        for number in range(more):
            ledger.requests.submit(workload(name=f"later-{number}"), "", SITI)
    expected = ("audit.truncated", 12) if more == 1 else ("audit.rewritten", 12)
    assert found(lived) == [expected]


def test_a_lost_head_is_found_and_not_made_good_by_writing(lived: Path) -> None:
    (lived / HEAD).unlink()
    with open_at(lived) as ledger:
        ledger.requests.submit(workload(name="later"), "", SITI)
    assert found(lived) == [("audit.head-missing", 13)]


def test_several_breaks_are_all_named_first_one_first(lived: Path) -> None:
    tamper(
        lived,
        "UPDATE audit SET login = 'x' WHERE seq = 3",
        "DELETE FROM audit WHERE seq IN (6, 7)",
        "DELETE FROM audit WHERE seq > 10",
    )
    assert found(lived) == [
        ("audit.edited", 3),
        ("audit.missing", 6),
        ("audit.truncated", 11),
    ]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_edit_of_any_entry_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    base = tmp_path_factory.mktemp("site")
    with open_at(base) as ledger:
        for name in ("a", "b", "c"):
            ledger.requests.submit(workload(name=name), "", SITI)
    seq = data.draw(st.integers(1, 3))
    column = data.draw(st.sampled_from(["login", "person", "details", "previous", "hash", "at"]))
    value = data.draw(st.text(st.characters(codec="ascii", exclude_characters="\0'"), max_size=8))
    tamper(base, f"UPDATE audit SET {column} = '{value}' WHERE seq = {seq}")  # noqa: S608
    findings = found(base)
    assert findings
    assert {number for _, number in findings} <= {seq, seq + 1, 3}


# -- the head file ---------------------------------------------------------------------------
def test_the_head_is_private_and_follows_each_deed(ledger: Ledger, tmp_path: Path) -> None:
    head = tmp_path / HEAD
    assert json.loads(head.read_text())["seq"] == 0
    ledger.requests.submit(workload(), "", SITI)
    (entry,) = ledger.audit.log()
    assert json.loads(head.read_text()) == {"seq": 1, "hash": entry.hash}
    assert stat.S_IMODE(head.stat().st_mode) == 0o600
    assert ledger.audit.verify() == ()


def test_a_head_that_lags_behind_a_crash_is_sound_and_catches_up(lived: Path) -> None:
    """The process died between the commit and the head file."""
    older = json.dumps({"seq": 10, "hash": entry_hash(lived, 10)})
    (lived / HEAD).write_text(older)
    assert found(lived) == []
    with open_at(lived) as ledger:
        ledger.requests.submit(workload(name="later"), "", SITI)
    assert json.loads((lived / HEAD).read_text())["seq"] == 13
    assert found(lived) == []


def test_a_head_that_cannot_be_written_is_said_and_the_deed_stands(
    ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "var/audit.new").mkdir()
    with pytest.raises(Incomplete, match=r"audit\.head-unwritable"):
        ledger.requests.submit(workload(), "", SITI)
    assert len(ledger.requests.list()) == 1
    (tmp_path / "var/audit.new").rmdir()
    ledger.requests.submit(workload(name="next"), "", SITI)
    assert json.loads((tmp_path / HEAD).read_text())["seq"] == 2


# -- helpers ---------------------------------------------------------------------------------
def entry_hash(base: Path, seq: int) -> str:
    with open_at(base) as ledger:
        return ledger.audit.log()[seq - 1].hash


def rehash(base: Path, seq: int, *, only: bool) -> None:
    """Edit an entry and mend its hash as a forger would, or those of all that follow too.

    The formula is written out here once more: it is what an auditor has to be told.
    """
    import hashlib

    tamper(base, f"UPDATE audit SET login = 'forged' WHERE seq = {seq}")  # noqa: S608
    entries = rows(
        base,
        "SELECT seq, at, login, person, role, action, opd, subject, details, previous "  # noqa: S608
        f"FROM audit WHERE seq >= {seq} ORDER BY seq",
    )
    with behind_its_back(base) as connection:
        previous: str | None = None
        for row in entries:
            content = list(row)
            if previous is not None:
                content[-1] = previous
            text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
            previous = hashlib.sha256(text.encode()).hexdigest()
            connection.execute(
                sql("UPDATE audit SET previous = :previous, hash = :hash WHERE seq = :seq"),
                {"previous": content[-1], "hash": previous, "seq": row[0]},
            )
            if only:
                return
