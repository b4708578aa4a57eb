"""Copies of the ledger: whole, sealed, restored on either database, and nothing half."""

import errno
import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Incomplete, InvalidInput, Refused, Unreachable
from cloudpemda.ledger import (
    FoundVm,
    Ledger,
    Restored,
    SagaEvent,
    backup,
    migrations,
    open_ledger,
    sealed,
)
from cloudpemda.rules.quota import Balance
from tests.ledger.databases import SQLITE, rows, tamper
from tests.ledger.forger import head_of
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    ManualClock,
    applying,
    approve,
    chain,
    open_at,
    pools,
    released,
    wanted,
    workload,
)

KEY, OTHER = bytes(range(32)), bytes(32)
TABLES = ("requests", "revisions", "approvals", "postings", "instances", "nics", "addresses")


def silent(done: int, of: int, what: str) -> None: ...


@dataclass(frozen=True)
class Office:
    """A ledger with its directory."""

    base: Path
    ledger: Ledger

    def backup(self, name: str = "copy.backup") -> Path:
        self.ledger.backups.write(self.base / name, KEY, site="lab", program="0.1.0", tell=silent)
        return self.base / name

    def restore(
        self, file: Path, key: bytes = KEY, *, site: str = "lab", keep: str = "kept.backup"
    ) -> Restored:
        return self.ledger.backups.restore(
            file,
            key,
            site=site,
            program="0.1.0",
            identity="login",
            keep=self.base / keep,
            actor=OPERATOR,
            tell=silent,
        )

    def content(self) -> list[Sequence[object]]:
        """Everything but the log, as it stands in the database."""
        return [
            tuple(row)
            for table in TABLES
            for row in rows(self.base, f"SELECT * FROM {table} ORDER BY 1, 2, 3")  # noqa: S608
        ]


@pytest.fixture
def office(tmp_path: Path, ledger: Ledger) -> Office:
    spec = workload()
    applying(ledger, spec)
    ledger.instances.claim(
        spec.key, wanted(spec), vmid_range=range(10000, 10010), pools=pools(),
        taken_vmids={}, actor=OPERATOR,
    )  # fmt: skip
    return Office(tmp_path, ledger)


def test_a_copy_is_private_and_shows_nothing(office: Office) -> None:
    file = office.backup()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"dinkes" not in file.read_bytes()
    header = office.ledger.backups.read(file, KEY)
    assert (header.site, header.schema, header.rows["requests"]) == ("lab", migrations.NEWEST, 1)
    assert [one.name for one in office.base.iterdir() if "copy" in one.name] == ["copy.backup"]


def test_a_copy_is_never_written_over_a_file(office: Office) -> None:
    (office.base / "copy.backup").write_text("the other one")
    with pytest.raises(Refused, match=r"backup\.exists"):
        office.backup()
    assert (office.base / "copy.backup").read_text() == "the other one"
    assert len(list(office.base.glob(".copy*"))) == 0


def test_where_files_need_names_the_next_copy_takes_away_what_was_left(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS; what another one is writing now, or is no copy, stays."""
    really = os.open

    def without(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no")
        return really(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", without)
    left, written, other = (office.base / f".{name}.making" for name in ("left", "now", "other"))
    left.write_bytes(sealed.MAGIC + b"half of it")
    written.write_bytes(sealed.MAGIC)
    other.write_text("a cake")
    with written.open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        office.backup()
    assert set(office.base.glob(".*")) == {written, other}
    assert office.ledger.backups.read(office.base / "copy.backup", KEY).rows["requests"] == 1
    assert stat.S_IMODE((office.base / "copy.backup").stat().st_mode) == 0o600


def test_two_copies_of_the_same_ledger_share_no_byte_of_their_content(office: Office) -> None:
    one, two = office.backup("a").read_bytes(), office.backup("b").read_bytes()
    assert len(one) == len(two)
    assert one[len(sealed.MAGIC) :][:40] != two[len(sealed.MAGIC) :][:40]
    assert one[-64:] != two[-64:]


def test_a_restore_into_an_empty_ledger_brings_everything(office: Office, tmp_path: Path) -> None:
    file, before = office.backup(), office.content()
    with open_at(tmp_path / "new", seed=2) as ledger:
        fresh = Office(tmp_path / "new", ledger)
        done = fresh.restore(file)
        assert (done.kept, done.lost) == (None, 0)
        assert fresh.content() == before
        assert ledger.audit.verify() == ()
        assert ledger.requests.list() == office.ledger.requests.list()
        said = ledger.audit.log(action="ledger.restore")
        assert [(one.subject, one.actor.login) for one in said] == [("copy.backup", "oki")]


def test_what_was_there_is_kept_and_can_be_brought_back(office: Office) -> None:
    older = office.backup()
    office.ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
    newer = office.content()
    entries = office.ledger.audit.log()[-1].seq

    done = office.restore(older)
    assert [one.key for one in office.ledger.requests.list()] == ["dinkes/simrs"]
    assert done.kept == office.base / "kept.backup"
    assert done.lost == entries - done.header.newest.seq > 0
    assert office.ledger.audit.verify() == ()
    entry = office.ledger.audit.log()[-1]
    assert entry.details["set_aside_entry"] == entries
    assert entry.details["set_aside_head"] == entries
    assert entry.details["kept"] == "kept.backup"

    office.restore(office.base / "kept.backup", keep="kept-again.backup")
    assert office.content() == newer
    assert office.ledger.audit.verify() == ()


def test_a_ledger_with_another_log_key_gives_way_and_comes_back(
    office: Office, tmp_path: Path
) -> None:
    file = office.backup()
    with open_at(tmp_path / "anew", seed=4) as ledger:  # as after the loss of the whole machine
        anew = Office(tmp_path / "anew", ledger)
        ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
        anew.restore(file)
        assert ledger.audit.verify() == ()
        ledger.requests.submit(workload("bkad", "lain"), "source", SITI)
        assert ledger.audit.verify() == ()
        anew.restore(anew.base / "kept.backup", keep="kept-again.backup")
        assert [one.key for one in ledger.requests.list()] == ["bkad/simkeu"]
        assert ledger.audit.verify() == ()


def test_the_loss_of_the_database_is_seen_until_a_copy_is_restored(
    office: Office, tmp_path: Path
) -> None:
    file, newest = office.backup(), office.ledger.audit.log()[-1].seq
    lost = tmp_path / "lost"
    shutil.copytree(office.base / "var", lost / "var", ignore=shutil.ignore_patterns("ledger*"))
    with open_at(lost) as ledger:
        assert [one.code for one in ledger.audit.verify()] == ["audit.truncated"]
        Office(lost, ledger).restore(file)
        assert ledger.audit.verify() == ()
        entry = ledger.audit.log()[-1]
        assert (entry.action, entry.details["set_aside_head"]) == ("ledger.restore", newest)


def test_deeds_go_on_behind_a_restore(office: Office) -> None:
    office.restore(office.backup())
    office.ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
    assert office.ledger.audit.verify() == ()
    with pytest.raises(Exception, match="append-only"):
        rows(office.base, "DELETE FROM postings RETURNING seq")


def test_the_log_of_a_restored_ledger_still_cannot_be_cut(office: Office) -> None:
    office.restore(office.backup())
    newest = office.ledger.audit.log()[-1].seq
    tamper(office.base, f"DELETE FROM audit WHERE seq = {newest}")  # noqa: S608
    assert [one.code for one in office.ledger.audit.verify()] == ["audit.truncated"]


Harm = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda data: data[:-1], "backup.damaged"),
        (lambda data: data[: len(data) // 2], "backup.damaged"),
        (lambda data: data[: len(sealed.MAGIC) + 40], "backup.damaged"),
        (lambda data: data + b"x", "backup.damaged"),
        (lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:], "backup.damaged"),
        (lambda data: b"", "backup.not-one"),
        (lambda data: b"SQLite format 3\0" + data, "backup.not-one"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "backup.wrong-key"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_changes_nothing(
    office: Office, harm: Harm, code: str
) -> None:
    file, before = office.backup(), office.content()
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(InvalidInput) as refusal:
        office.restore(file)
    assert refusal.value.code == code
    assert office.content() == before
    assert not (office.base / "kept.backup").exists()


def test_another_key_another_site_and_a_newer_program_are_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, before = office.backup(), office.content()
    with pytest.raises(InvalidInput, match=r"backup\.wrong-key"):
        office.restore(file, OTHER)
    with pytest.raises(Refused, match=r"backup\.other-site"):
        office.restore(file, site="purwakarta")
    with monkeypatch.context() as older:
        older.setattr(migrations, "NEWEST", migrations.NEWEST - 1)
        with pytest.raises(Refused, match=r"backup\.newer"):
            office.restore(file)
    assert office.content() == before


def test_a_copy_of_a_log_that_was_edited_is_not_restored(office: Office) -> None:
    tamper(office.base, "UPDATE audit SET person = 'Orang Lain' WHERE seq = 2")
    file, before = office.backup(), office.content()
    with pytest.raises(Refused) as refusal:
        office.restore(file)
    assert [one.code for one in refusal.value.faults] == ["backup.audit", "audit.edited"]
    assert office.content() == before


def test_a_copy_of_logins_is_not_restored_for_asserted_names(
    office: Office, tmp_path: Path
) -> None:
    file = office.backup()
    with open_at(tmp_path / "lab", identity="asserted") as ledger:
        with pytest.raises(Refused, match=r"ledger\.identity"):
            ledger.backups.restore(
                file, KEY, site="lab", program="0.1.0", identity="asserted",
                keep=tmp_path / "kept", actor=OPERATOR, tell=silent,
            )  # fmt: skip
        assert ledger.requests.list() == ()


def test_a_copy_of_the_first_release_is_brought_to_todays_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    with monkeypatch.context() as release:
        release.setattr(migrations, "_MIGRATIONS", migrations._MIGRATIONS[:2])
        release.setattr(migrations, "NEWEST", 2)
        released(first)
        with open_ledger(
            SQLITE, first, ManualClock(), SeededEntropy(3), identity="login"
        ) as ledger:
            file = Office(first, ledger).backup()
    with open_at(tmp_path / "new") as ledger:
        Office(tmp_path / "new", ledger).restore(file)
        assert len(ledger.requests.list()) == 5
        assert ledger.audit.verify() == ()
        assert [one.action for one in ledger.audit.log()[-2:]] == ["audit.adopt", "ledger.restore"]
        versions = rows(tmp_path / "new", "SELECT version FROM schema_version ORDER BY version")
        assert [row[0] for row in versions] == list(range(1, migrations.NEWEST + 1))


def test_a_copy_goes_from_one_database_to_another_and_back(office: Office, tmp_path: Path) -> None:
    file, before = office.backup(), office.content()
    with open_ledger(
        SQLITE, tmp_path / "file", ManualClock(), SeededEntropy(5), identity="login"
    ) as ledger:
        on_file = Office(tmp_path / "file", ledger)
        on_file.restore(file)
        assert ledger.requests.list() == office.ledger.requests.list()
        back = on_file.backup()
    office.restore(back)
    assert office.content() == before
    assert office.ledger.audit.verify() == ()


def test_a_copy_is_of_one_moment_whatever_is_written_meanwhile(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_BATCH", 1)
    before = office.content()
    written: list[str] = []

    def write(done: int, of: int, what: str) -> None:
        name = f"lain-{done}"
        if len(written) < 3:
            written.append(name)
            office.ledger.requests.submit(workload("bkad", name), "source", SITI)

    file = office.base / "copy.backup"
    header = office.ledger.backups.write(file, KEY, site="lab", program="0.1.0", tell=write)
    assert len(written) == 3
    assert header.rows["requests"] == 1
    office.restore(file)
    assert office.content() == before


def test_a_number_that_was_given_is_never_given_again(office: Office) -> None:
    older = office.backup()
    later = office.ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
    office.restore(older)
    after = office.ledger.requests.submit(workload("bkad", "lain"), "source", SITI)
    assert (later.number, after.number) == ("R-2026-0002", "R-2026-0003")
    beside = office.ledger.requests.submit(workload("bkad", "satu-lagi"), "source", SITI)
    assert beside.number == "R-2026-0004"
    # nor after a second one, whose copy knows of neither
    office.restore(older, keep="kept-again.backup")
    last = office.ledger.requests.submit(workload("bkad", "lagi"), "source", SITI)
    assert last.number == "R-2026-0005"


def test_a_head_that_cannot_follow_is_said_and_comes_after_with_the_next_deed(
    office: Office,
) -> None:
    older = office.backup()
    office.ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
    hindrance = office.base / "var/audit.new"
    hindrance.mkdir()
    with pytest.raises(Incomplete, match=r"backup\.head-behind"):
        office.restore(older)
    hindrance.rmdir()
    assert [one.key for one in office.ledger.requests.list()] == ["dinkes/simrs"]
    assert office.ledger.audit.verify() == ()  # the log tells of the restore
    behind = head_of(office.base)["seq"]
    office.ledger.requests.submit(workload("bkad", "lain"), "source", SITI)
    newest = office.ledger.audit.log()[-1].seq
    assert head_of(office.base)["seq"] == newest != behind
    assert office.ledger.audit.verify() == ()


def test_another_hosts_head_gives_way_to_a_restore_that_the_log_tells_of(office: Office) -> None:
    """Two hosts on one ledger: this one restores, that one's files know the log set aside."""
    older, var = office.backup(), office.base / "var"
    office.ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
    shutil.copytree(var, office.base / "there", ignore=shutil.ignore_patterns("ledger*"))
    office.restore(older)
    shutil.rmtree(var / "audit.heads")
    shutil.copytree(office.base / "there", var, dirs_exist_ok=True)
    assert office.ledger.audit.verify() == ()
    office.ledger.requests.submit(workload("bkad", "lain"), "source", SITI)
    assert office.ledger.audit.verify() == ()
    # What was written since the restore is not given up by it.
    seq = office.ledger.audit.log()[-1].seq
    tamper(office.base, f"DELETE FROM audit WHERE seq = {seq}")  # noqa: S608
    assert "audit.truncated" in {one.code for one in office.ledger.audit.verify()}
    office.ledger.requests.withdraw("bkad/lain", actor=SITI)
    assert "audit.rewritten" in {one.code for one in office.ledger.audit.verify()}


def test_a_restore_that_fails_halfway_changes_nothing(office: Office) -> None:
    older = office.backup()
    office.ledger.requests.submit(workload("bkad", "simkeu"), "source", SITI)
    before = office.content()

    def stop(done: int, of: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        office.ledger.backups.restore(
            older, KEY, site="lab", program="0.1.0", identity="login",
            keep=office.base / "kept", actor=OPERATOR, tell=stop,
        )  # fmt: skip
    assert office.content() == before
    assert office.ledger.audit.verify() == ()
    assert not (office.base / "kept").exists()
    assert not list((office.base / "var").glob("rehearsal-*"))


def test_what_a_killed_restore_left_open_is_removed_by_the_next(office: Office) -> None:
    left = office.base / "var/rehearsal-1"
    left.mkdir(mode=0o700)
    (left / "ledger.sqlite3").write_text("half")
    office.restore(office.backup())
    assert not left.exists()


def test_two_restores_do_not_meet(office: Office) -> None:
    file = office.backup()
    with (office.base / "var/restore.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Refused, match=r"backup\.restoring"):
            office.restore(file)
    office.restore(file)


@pytest.mark.sqlite
@pytest.mark.parametrize("page", [0, 4])
def test_a_damaged_file_is_called_so(tmp_path: Path, page: int) -> None:
    with open_at(tmp_path) as ledger:
        applying(ledger, workload())
    file = tmp_path / "var/ledger.sqlite3"
    with file.open("r+b") as raw:
        raw.seek(4096 * page)
        raw.write(b"\xff" * 4096)
    codes = []
    try:
        with open_at(tmp_path) as ledger:
            codes = [one.code for one in ledger.soundness.faults()]
    except Unreachable as error:
        codes = [error.code]
    assert set(codes) == {"ledger.damaged"}


# -- whether it agrees with itself --------------------------------------------------------------
def test_a_sound_ledger_has_no_faults(office: Office) -> None:
    assert office.ledger.soundness.faults() == ()


@pytest.mark.parametrize(
    ("statement", "code", "values"),
    [
        ("DELETE FROM audit WHERE seq = 2", "audit.missing", {"seq": 2}),
        (
            "INSERT INTO postings SELECT 999, at, opd, number, instance, 'memory', -500, 0 "
            "FROM postings WHERE seq = 1",
            "ledger.negative",
            {"vm": "dinkes/simrs/db-1", "dimension": "memory", "held": -400, "committed": 0},
        ),
        (
            "UPDATE balances SET held = held - 50 WHERE dimension = 'memory'",
            "ledger.balance-other",
            {"opd": "dinkes", "dimension": "memory", "told": 150, "posted": 200},
        ),
        (
            "DELETE FROM balances WHERE dimension = 'memory'",
            "ledger.balance-other",
            {"opd": "dinkes", "dimension": "memory", "told": 0, "posted": 200},
        ),
        (
            "UPDATE instances SET state = 'active' WHERE member = 'db-2'",
            "ledger.uncharged",
            {"vm": "dinkes/simrs/db-2"},
        ),
        (
            "INSERT INTO postings SELECT 999, at, opd, number, 'dinkes/simrs/x-1', 'instances', "
            "0, 1 FROM postings WHERE seq = 1",
            "ledger.charged-purged",
            {"vm": "dinkes/simrs/x-1"},
        ),
        (
            "UPDATE requests SET state = 'withdrawn'",
            "ledger.held-ended",
            {"key": "dinkes/simrs", "state": "withdrawn", "dimension": "instances", "held": 2},
        ),
        (
            "UPDATE requests SET state = 'active'",
            "ledger.held-ended",
            {"key": "dinkes/simrs", "state": "active", "dimension": "instances", "held": 2},
        ),
    ],
)
def test_books_that_disagree_are_named(
    office: Office, statement: str, code: str, values: dict[str, object]
) -> None:
    tamper(office.base, statement)
    found = {one.code: dict(one.values) for one in reversed(office.ledger.soundness.faults())}
    assert found[code] == values


@pytest.mark.sqlite
def test_a_broken_reference_and_a_broken_page_are_named(office: Office) -> None:
    with closing(sqlite3.connect(office.base / "var/ledger.sqlite3")) as raw, raw:
        raw.execute("UPDATE instances SET number = 'R-1'")
    codes = [one.code for one in office.ledger.soundness.faults()]
    assert codes == ["ledger.reference"] * 2


def test_work_that_nobody_is_at_is_named(office: Office, clock: ManualClock) -> None:
    number = office.ledger.requests.list()[0].number
    with office.ledger.journal.open_saga(number, "apply"):
        assert office.ledger.soundness.faults() == ()  # this process is at it
    assert [one.code for one in office.ledger.soundness.faults()] == ["ledger.saga-left"]
    with office.ledger.journal.open_saga(number, "apply") as journal:
        journal.close(SagaEvent.STICK)
    assert [one.code for one in office.ledger.soundness.faults()] == ["ledger.saga-stuck"]


# -- what stands there and is not known --------------------------------------------------------
STRAY = FoundVm(
    "dc", 10002, "f" * 32, "dinkes/simrs/db-9", "dinkes", "dinkes-simrs-db-9",
    {"instances": 1, "memory": 500},
)  # fmt: skip


def test_after_a_restore_nothing_is_promised_until_the_clusters_were_read(office: Office) -> None:
    office.restore(office.backup())
    spec = workload("dinkes", "baru")
    office.ledger.requests.submit(spec, "source", SITI)
    amounts = {member: {"memory": 1} for kind in spec.vms for member in kind.members}
    with pytest.raises(Refused, match=r"ledger\.unreconciled"):
        approve(office.ledger, spec, amounts, chain(memory=10_000))
    assert office.ledger.requests.get(spec.key).approval is None
    office.ledger.found.reconciled(OPERATOR)
    approve(office.ledger, spec, amounts, chain(memory=10_000))
    assert not office.ledger.found.pending


def test_found_vms_count_and_keep_their_vmid_and_name(office: Office) -> None:
    book = office.ledger.quota
    before = book.balances(["dinkes"])["memory"]
    assert office.ledger.found.note("dc", [STRAY], OPERATOR) == (STRAY,)
    after = book.balances(["dinkes"])["memory"]
    assert after == Balance(before.committed + 500, before.held)
    assert "memory" not in book.balances(["bkad"])

    other = workload("dinkes", "simrs-db")  # its VM 9-… would be called as the found one is
    applying(office.ledger, other)
    made = office.ledger.instances.claim(
        other.key, wanted(other), vmid_range=range(10000, 10010), pools=pools(),
        taken_vmids={}, actor=OPERATOR,
    )  # fmt: skip
    assert STRAY.vmid not in {one.vmid for one in made}


def test_no_second_vm_is_made_in_the_place_of_a_found_one(office: Office) -> None:
    spec = workload("bkad", "simkeu")
    member = f"{spec.key}/{spec.vms[0].members[0]}"
    stray = FoundVm("dc", 10005, "e" * 32, member, "bkad", "bkad-simkeu-db-1", {"instances": 1})
    office.ledger.requests.submit(spec, "source", SITI)
    office.ledger.found.note("dc", [stray], OPERATOR)
    amounts = {one: {"memory": 1} for one in spec.vms[0].members}
    with pytest.raises(Refused) as refusal:
        approve(office.ledger, spec, amounts, chain("bkad", memory=10_000))
    assert (refusal.value.code, refusal.value.values["vm"]) == ("ledger.made-already", member)
    office.ledger.found.note("dc", [], OPERATOR)
    approve(office.ledger, spec, amounts, chain("bkad", memory=10_000))


def test_the_same_again_writes_nothing_and_what_is_known_is_left_out(office: Office) -> None:
    known = office.ledger.instances.list()[0]
    ours = FoundVm("dc", known.vmid, known.uid, known.key, "dinkes", known.name, {"instances": 1})
    assert office.ledger.found.note("dc", [STRAY, ours], OPERATOR) == (STRAY,)
    newest = office.ledger.audit.log()[-1]
    assert newest.action == "found.note"
    assert office.ledger.found.note("dc", [STRAY], OPERATOR) == (STRAY,)
    assert office.ledger.found.note("drc", [], OPERATOR) == ()
    assert office.ledger.audit.log()[-1] == newest
    assert office.ledger.found.list() == (STRAY,)


# -- the seal itself ---------------------------------------------------------------------------
_LINE = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))


@given(lines=st.lists(_LINE, min_size=1, max_size=20), chunk=st.integers(1, 64), data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_sealed_file_opens_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], chunk: int, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("sealed") / "file"
    with pytest.MonkeyPatch.context() as small:
        small.setattr(sealed, "_CHUNK", chunk)
        with file.open("wb") as out:
            sealed.seal(out, lines, KEY, bytes(range(32)))
        assert list(sealed.unseal(file, KEY)) == lines
        written = file.read_bytes()
        at = data.draw(st.integers(0, len(written) - 1))
        harmed = data.draw(
            st.sampled_from(
                [
                    written[:at],
                    written[:at] + bytes([written[at] ^ 0x10]) + written[at + 1 :],
                    written + written[at:],
                ]
            )
        )
        file.write_bytes(harmed)
        with pytest.raises(InvalidInput):
            list(sealed.unseal(file, KEY))
