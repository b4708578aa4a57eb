"""The audit log: every deed has its entry, and no entry can be changed unseen."""

import hashlib
import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Incomplete, Refused
from cloudpemda.ledger import Ledger, open_ledger
from cloudpemda.ledger.schema import moment_text
from tests.ledger.databases import SERVER, behind_its_back, ledger_url, rows, tamper
from tests.ledger.forger import HEAD, HEADS, KEY, count, found, head_of, rehash
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


def test_what_is_refused_leaves_no_entry_unless_by_quota(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    before = ledger.audit.log()
    with pytest.raises(Refused):
        ledger.requests.finish(spec.key, actor=OPERATOR)
    assert ledger.audit.log() == before
    with pytest.raises(Refused):
        approve(ledger, spec, {"db-1": {"memory": 100}}, chain(memory=1))
    *same, refusal = ledger.audit.log()
    assert (tuple(same), refusal.action) == (before, "quota.refuse")


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
    assert found(lived) == [("audit.forged", 5), ("audit.rewritten", 12)]


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
    signs = st.characters(codec="ascii", exclude_characters="\0'")
    value = data.draw(st.text(signs, max_size=8).filter(lambda text: text != SITI.login))
    tamper(base, f"UPDATE audit SET {column} = '{value}' WHERE seq = {seq}")  # noqa: S608
    findings = found(base)
    assert findings
    assert {number for _, number in findings} <= {seq, seq + 1, 3}


# -- the head file ---------------------------------------------------------------------------
def test_the_head_is_private_and_follows_each_deed(ledger: Ledger, tmp_path: Path) -> None:
    assert head_of(tmp_path)["seq"] == 0
    ledger.requests.submit(workload(), "", SITI)
    (entry,) = ledger.audit.log()
    told = head_of(tmp_path)
    assert (told["seq"], told["hash"], told["at"]) == (1, entry.hash, moment_text(START))
    assert told["opds"] == {"dinkes": [1, rows(tmp_path, "SELECT opd_hash FROM audit")[0][0]]}
    assert stat.S_IMODE((tmp_path / HEAD).stat().st_mode) == 0o600
    assert ledger.audit.verify() == ()


def test_a_head_that_lags_behind_a_crash_is_sound_and_catches_up(lived: Path) -> None:
    """The process died between the commit and the head file."""
    with open_at(lived) as ledger:
        ledger.requests.submit(workload(name="before"), "", SITI)
        older = (lived / HEAD).read_bytes()
        ledger.requests.submit(workload(name="crash"), "", SITI)
    (lived / HEAD).write_bytes(older)
    (lived / HEADS / "2026-11-20.head").write_bytes(older)
    assert found(lived) == []
    with open_at(lived) as ledger:
        ledger.requests.submit(workload(name="later"), "", SITI)
    assert head_of(lived)["seq"] == 15
    assert found(lived) == []


def test_a_head_that_cannot_be_written_is_said_and_the_deed_stands(
    ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "var/audit.lock").unlink()
    (tmp_path / "var/audit.lock").mkdir()
    with pytest.raises(Incomplete, match=r"audit\.head-unwritable"):
        ledger.requests.submit(workload(), "", SITI)
    assert len(ledger.requests.list()) == 1
    (tmp_path / "var/audit.lock").rmdir()
    ledger.requests.submit(workload(name="next"), "", SITI)
    assert head_of(tmp_path)["seq"] == 2


@pytest.mark.parametrize("what", ["hash", "signature", "opds"])
def test_a_forged_head_is_named_and_not_moved_on(lived: Path, what: str) -> None:
    told = head_of(lived)
    told[what] = {} if what == "opds" else told[what][:-1] + ("0" if told[what][-1] != "0" else "1")
    (lived / HEAD).write_text(json.dumps(told))
    with open_at(lived) as ledger:
        ledger.requests.submit(workload(name="later"), "", SITI)
    codes = found(lived)
    assert codes[0] == ("audit.head-forged", 12)
    assert [code for code, _ in codes[1:]] == (["audit.rewritten"] if what == "hash" else [])


def test_a_head_of_another_key_is_forged(
    lived: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    with open_at(other) as ledger:
        ledger.requests.submit(workload(), "", SITI)
    (lived / HEAD).write_bytes((other / HEAD).read_bytes())
    assert ("audit.head-forged", 1) in found(lived)


def test_a_head_that_was_put_back_is_known_by_its_days_copy(lived: Path) -> None:
    older = (lived / HEAD).read_bytes()
    with open_at(lived) as ledger:
        ledger.requests.submit(workload(name="later"), "", SITI)
    (lived / HEAD).write_bytes(older)
    assert found(lived) == [("audit.head-rolled-back", 13)]


def test_a_log_and_a_head_of_yesterday_are_known_by_the_days_copy(
    lived: Path, clock: ManualClock
) -> None:
    yesterday = (lived / HEAD).read_bytes()
    clock.sleep(86400)
    with open_at(lived, clock) as ledger:
        ledger.requests.submit(workload(name="today"), "", SITI)
    (lived / HEAD).write_bytes(yesterday)
    tamper(lived, "DELETE FROM audit WHERE seq = 13")
    assert found(lived) == [("audit.head-rolled-back", 13), ("audit.truncated", 13)]


def test_the_last_head_of_each_of_the_last_days_is_kept(tmp_path: Path, clock: ManualClock) -> None:
    with open_ledger(
        ledger_url(tmp_path), tmp_path, clock, SeededEntropy(1), identity="login", keep_heads=3
    ) as ledger:
        for day in range(5):
            for name in ("a", "b"):
                ledger.requests.submit(workload(name=f"{name}{day}"), "", SITI)
            clock.sleep(86400)
        assert ledger.audit.verify() == ()
    kept = sorted((tmp_path / HEADS).iterdir())
    assert [(file.name, json.loads(file.read_text())["seq"]) for file in kept] == [
        ("2026-11-22.head", 6),
        ("2026-11-23.head", 8),
        ("2026-11-24.head", 10),
    ]


def test_an_older_head_proves_an_older_state(lived: Path, clock: ManualClock) -> None:
    """Whoever writes the log anew, with the key, and its head, is found by the day before."""
    clock.sleep(86400)
    with open_at(lived, clock) as ledger:
        ledger.requests.submit(workload(name="today"), "", SITI)
    (lived / HEAD).unlink()
    rehash(lived, 12, only=False)
    assert ("audit.rewritten", 12) in found(lived)


# -- the key -----------------------------------------------------------------------------------
def test_the_key_is_private_and_its_public_half_lies_beside_it(lived: Path) -> None:
    assert stat.S_IMODE((lived / KEY).stat().st_mode) == 0o600
    public = load_pem_public_key((lived / KEY).with_suffix(".pub").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    for hash_, signature in rows(lived, "SELECT hash, signature FROM audit"):
        public.verify(bytes.fromhex(str(signature)), f"cloudpemda audit entry\n{hash_}".encode())


def test_the_public_half_alone_is_enough_to_verify(lived: Path) -> None:
    (lived / KEY).unlink()
    assert found(lived) == []
    (lived / KEY).with_suffix(".pub").unlink()
    assert ("audit.no-key", 12) in found(lived)


def test_without_its_key_nothing_is_done_and_no_other_is_made(lived: Path) -> None:
    key = (lived / KEY).read_bytes()
    (lived / KEY).unlink()
    with (
        open_at(lived) as ledger,
        pytest.raises(Refused, match=r"audit\.key-missing"),
    ):
        ledger.requests.submit(workload(name="later"), "", SITI)
    assert not (lived / KEY).exists()
    assert count(lived) == 12
    (lived / KEY).write_bytes(key)
    (lived / KEY).chmod(0o640)
    with open_at(lived) as ledger, pytest.raises(Refused, match=r"audit\.key-unusable"):
        ledger.requests.submit(workload(name="later"), "", SITI)


def test_a_key_that_did_not_sign_this_log_is_refused(
    lived: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    open_at(other).close()
    (lived / KEY).write_bytes((other / KEY).read_bytes())
    with open_at(lived) as ledger, pytest.raises(Refused, match=r"audit\.key-other"):
        ledger.requests.submit(workload(name="later"), "", SITI)
    assert count(lived) == 12


# -- forged entries ----------------------------------------------------------------------------
@pytest.mark.parametrize("later", [0, 2])
def test_an_entry_put_at_the_end_past_the_program_is_named(lived: Path, later: int) -> None:
    """It is chained as it should be; only its signature cannot be had from the database."""
    with behind_its_back(lived) as connection:
        connection.execute(
            sql(
                "INSERT INTO audit (seq, at, login, person, role, action, opd, subject, details, "
                "previous, hash, behalf, bound, opd_seq, opd_previous, opd_hash, signature) "
                "SELECT 13, at, login, person, role, action, opd, subject, details, hash, '', "
                "behalf, '{}', 13, opd_hash, '', signature FROM audit WHERE seq = 12"
            )
        )
    rehash(lived, 13, only=False)
    with open_at(lived) as ledger:
        for number in range(later):
            ledger.requests.submit(workload(name=f"later-{number}"), "", SITI)
    assert found(lived) == [("audit.forged", 13)]
    assert head_of(lived)["seq"] == 12


def test_an_entry_without_a_signature_is_forged_unless_the_first_release_wrote_it(
    lived: Path,
) -> None:
    (lived / HEAD).unlink()
    tamper(lived, "UPDATE audit SET signature = NULL WHERE seq = 1")
    assert ("audit.forged", 1) in found(lived)


# -- each OPD's chain --------------------------------------------------------------------------
def test_each_opd_has_a_chain_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    for name, opd in (("a", "dinkes"), ("b", "bkad"), ("c", "dinkes"), ("d", "bkad")):
        ledger.requests.submit(workload(opd, name), "", SITI)
    assert rows(tmp_path, "SELECT opd, opd_seq FROM audit ORDER BY seq") == [
        ("dinkes", 1), ("bkad", 1), ("dinkes", 2), ("bkad", 2)
    ]  # fmt: skip
    chain_ = "SELECT opd_seq, opd_previous, hash, opd_hash FROM audit WHERE opd = 'bkad' "
    previous: object = "0" * 64
    for seq, before, hash_, link in rows(tmp_path, chain_ + "ORDER BY opd_seq"):
        told = json.dumps(["bkad", seq, previous, hash_], separators=(",", ":"))
        assert (before, link) == (previous, hashlib.sha256(told.encode()).hexdigest())
        previous = link


@pytest.mark.parametrize("column", ["opd_seq", "opd_previous", "opd_hash"])
def test_a_place_that_was_changed_in_an_opds_chain_is_named(lived: Path, column: str) -> None:
    value = "opd_seq + 1000" if column == "opd_seq" else "'x'"
    tamper(lived, f"UPDATE audit SET {column} = {value} WHERE seq = 5")  # noqa: S608
    assert ("audit.edited", 5) in found(lived)


# -- a new head ----------------------------------------------------------------------------------
def test_an_older_ledger_gets_a_new_head_by_a_named_person_only(lived: Path) -> None:
    """What a restore leaves: fewer entries than the head knows."""
    tamper(
        lived,
        "DELETE FROM audit WHERE seq > 10",
        "DELETE FROM revisions WHERE number > 'R-2026-0003'",
    )
    assert ("audit.truncated", 11) in found(lived)
    with open_at(lived) as ledger:
        ledger.audit.reanchor(OPERATOR, "restored from the copy of 19 November")
        entry = ledger.audit.log()[-1]
        assert (entry.action, entry.actor, entry.details["head_seq"]) == (
            "audit.reanchor", OPERATOR, 12
        )  # fmt: skip
        ledger.requests.submit(workload(name="later"), "", SITI)
        assert head_of(lived)["seq"] == 12


def test_a_log_that_is_not_whole_gets_no_new_head(lived: Path) -> None:
    tamper(lived, "UPDATE audit SET login = 'x' WHERE seq = 5")
    with open_at(lived) as ledger, pytest.raises(Refused, match=r"audit\.unsound") as refusal:
        ledger.audit.reanchor(OPERATOR, "x")
    assert [fault.code for fault in refusal.value.faults] == ["audit.unsound", "audit.edited"]
    assert count(lived) == 12
