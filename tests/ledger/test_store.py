"""The ledger's file: private, refused where it cannot be trusted, migrated from day one."""

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import CloudpemdaError, ExitCode, Refused, Unreachable, UsageError
from cloudpemda.ledger import Identity, Ledger, migrations, open_ledger, schema, store
from cloudpemda.ledger.store import locate
from tests.ledger.databases import SQLITE
from tests.ledger.makers import SITI, ManualClock, applying, open_at, workload

FILE = Path("var/ledger.sqlite3")
pytestmark = pytest.mark.sqlite


def test_the_file_is_ours_alone(ledger: Ledger, tmp_path: Path) -> None:
    ledger.requests.submit(workload(), "", SITI)
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    made = sorted(file for file in tmp_path.rglob("*.*") if file.is_file())
    assert tmp_path / FILE in made
    assert {stat.S_IMODE(file.stat().st_mode) for file in made} == {0o600}


@pytest.mark.parametrize(("path", "mode"), [(FILE, 0o640), (FILE, 0o604), (Path("var"), 0o770)])
def test_what_others_could_read_or_replace_is_refused(
    tmp_path: Path, path: Path, mode: int
) -> None:
    open_at(tmp_path).close()
    (tmp_path / path).chmod(mode)
    with pytest.raises(Refused, match=r"ledger\.exposed") as refusal:
        open_at(tmp_path)
    assert refusal.value.values["mode"] == oct(mode)


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreachable, match=r"ledger\.unavailable"):
        open_at(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_opening_it_once_more_gives_up_no_lock_of_this_process(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any descriptor of it; another process
    would then take itself for the last one, and remove what this one has not copied back yet."""
    with open_at(tmp_path) as ledger:
        ledger.requests.submit(workload(), "", SITI)
        open_at(tmp_path).close()
        leave = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM "
        leave += "requests').fetchall(); c.close()"
        subprocess.run([sys.executable, "-c", leave, str(tmp_path / FILE)], check=True)
        assert (tmp_path / "var" / "ledger.sqlite3-wal").exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://cloudpemda:hunter2@db.example.go.id/ledger",
        "not a url",
        "sqlite:///file:x?mode=ro&uri=true",
    ],
)
def test_other_databases_are_refused_without_their_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        open_ledger(url, tmp_path, ManualClock(), SeededEntropy(1), identity="login")
    assert refusal.value.code == "ledger.url"
    assert "hunter2" not in f"{refusal.value} {refusal.value.faults}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://cloudpemda:hunter2@db.example.go.id/ledger",
        "postgresql+psycopg://cloudpemda@db.example.go.id/ledger?password=hunter2",
        "postgresql+psycopg://cloudpemda@db.example.go.id/ledger?sslpassword=hunter2",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        open_ledger(url, tmp_path, ManualClock(), SeededEntropy(1), identity="login")
    assert refusal.value.code == "ledger.url-password"
    assert "hunter2" not in f"{refusal.value} {refusal.value.faults}"


def test_relative_files_are_the_sites_and_absolute_ones_stay() -> None:
    base = Path("/srv/site")
    assert locate("sqlite:///var/l.sqlite3", base).file == Path("/srv/site/var/l.sqlite3")
    assert locate("sqlite:////data/l.sqlite3", base).file == Path("/data/l.sqlite3")


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_at(tmp_path).close()
    newer = migrations.NEWEST + 1
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("INSERT INTO schema_version VALUES (?, '')", (newer,))
    with pytest.raises(Refused) as refusal:
        open_at(tmp_path)
    assert (refusal.value.code, refusal.value.values["found"]) == ("ledger.newer", newer)


def test_a_ledger_of_logins_is_not_opened_for_asserted_names(tmp_path: Path) -> None:
    open_at(tmp_path, identity="login").close()
    with pytest.raises(Refused) as refusal:
        open_at(tmp_path, identity="asserted")
    assert refusal.value.code == "ledger.identity"
    open_at(tmp_path, identity="login").close()


def test_a_ledger_of_asserted_names_becomes_one_of_logins_for_good(tmp_path: Path) -> None:
    identities: tuple[Identity, ...] = ("asserted", "asserted", "login")
    for identity in identities:
        open_at(tmp_path, identity=identity).close()
    with pytest.raises(Refused, match=r"ledger\.identity"):
        open_at(tmp_path, identity="asserted")


def test_a_file_that_is_no_ledger_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / FILE).write_bytes(b"this is not a database at all" * 100)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(Unreachable) as refusal:
        open_at(tmp_path)
    assert refusal.value.code == "ledger.damaged"
    assert "SQLITE_NOTADB" in str(refusal.value.values["told"])


def test_a_writer_that_never_ends_is_unreachable_not_a_crash(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_at(tmp_path) as hurried:
            with pytest.raises(Unreachable, match=r"ledger\.busy") as refusal:
                hurried.requests.submit(workload(), "", SITI)
            assert refusal.value.exit_code is ExitCode.UNREACHABLE
            assert hurried.requests.list() == ()


def test_deeds_are_durable_and_constraints_are_on(ledger: Ledger, tmp_path: Path) -> None:
    """What SQLite would not do by itself."""
    database = store.Store(locate(SQLITE, tmp_path), ManualClock(), SeededEntropy(1))
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_an_error_in_a_deed_takes_all_of_it_back(ledger: Ledger, tmp_path: Path) -> None:
    database = store.Store(locate(SQLITE, tmp_path), ManualClock(), SeededEntropy(1))

    def deed() -> None:
        with database.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO requests VALUES ('R-1', 'o', 'n', 1, 'pending', NULL, '')"
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        deed()
    database.close()
    assert ledger.requests.list() == ()


def test_the_migrations_lead_to_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    open_at(tmp_path).close()
    migrated = create_engine(f"sqlite:///{tmp_path / FILE}")
    fresh = create_engine("sqlite://")
    schema.metadata.create_all(fresh)
    try:
        known, found = inspect(fresh), inspect(migrated)
        assert sorted(found.get_table_names()) == sorted(known.get_table_names())
        for table in known.get_table_names():

            def columns(of: object, name: str = table) -> list[tuple[object, ...]]:
                return [
                    (one["name"], str(one["type"]), one["nullable"], one["primary_key"])
                    for one in of.get_columns(name)  # type: ignore[attr-defined]
                ]

            assert columns(found) == columns(known)
    finally:
        migrated.dispose()
        fresh.dispose()


def test_an_existing_ledger_is_opened_without_a_write(tmp_path: Path) -> None:
    with open_at(tmp_path) as ledger:
        applying(ledger, workload())
    before = (tmp_path / FILE).read_bytes()
    with open_at(tmp_path) as ledger:
        assert len(ledger.requests.list()) == 1
    assert (tmp_path / FILE).read_bytes() == before


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file is in the way")
    with pytest.raises(Unreachable, match=r"ledger\.unavailable"):
        open_at(tmp_path)


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.requests.get("x"),
        lambda ledger: ledger.instances.get("x"),
        lambda ledger: ledger.instances.release("x", actor=SITI),
        lambda ledger: ledger.requests.withdraw("x", actor=SITI),
        lambda ledger: ledger.requests.source("x"),
    ],
)
def test_asking_for_what_is_not_there_is_a_refusal(
    ledger: Ledger, call: Callable[[Ledger], object]
) -> None:
    with pytest.raises(CloudpemdaError) as refusal:
        call(ledger)
    assert refusal.value.code in {"ledger.no-request", "ledger.no-instance"}
    assert ledger.audit.log() == ()
