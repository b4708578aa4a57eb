"""Where logins count, nobody gives themself a role: not in the site's files, nor in a copy."""

import os
import pwd
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import Answer, Office


@pytest.fixture
def login_site(office: Office) -> Iterator[Office]:
    """A site where logins count, and whoever runs the tests is an operator; its own ledger."""
    kept = {name: (office.directory / name).read_text() for name in ("site.yaml", "people.yaml")}
    site = re.sub("identity: asserted", "identity: login", kept["site.yaml"])
    (office.directory / "site.yaml").write_text(site)
    me = pwd.getpwuid(os.getuid()).pw_name
    more = f"  - {{login: {me}, name: Who Tests, roles: [{{role: operator}}]}}\n"
    (office.directory / "people.yaml").write_text(kept["people.yaml"] + more)
    for path in (office.directory, *office.directory.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o022)
    for path in (office.directory / "var").glob("ledger.sqlite3*"):
        path.unlink()
    yield office
    for name, text in kept.items():
        (office.directory / name).write_text(text)


def run(office: Office, *words: str, site: Path | None = None) -> Answer:
    directory = str(site or office.directory)
    return office.call("--site", directory, "--output", "json", "--lang", "en", *words)


def test_a_site_in_its_owners_hands_is_used(login_site: Office) -> None:
    assert run(login_site, "request", "list").code == 0


@pytest.mark.parametrize(
    "name", ["site.yaml", "people.yaml", "catalogue.yaml", "opd/bkad.yaml", "opd", "."]
)
@pytest.mark.parametrize("more", [0o020, 0o002])
def test_what_others_may_write_is_not_believed(login_site: Office, name: str, more: int) -> None:
    path = login_site.directory / name
    before = path.stat().st_mode
    path.chmod(before | more)
    answer = run(login_site, "request", "list")
    assert (answer.code, answer.codes) == (3, ["site.writable"])
    assert answer.document["faults"][0]["file"] == str(path)
    path.chmod(before)
    assert run(login_site, "request", "list").code == 0


def test_in_a_lab_modes_do_not_matter(office: Office) -> None:
    path = office.directory / "people.yaml"
    before = path.stat().st_mode
    path.chmod(0o666)
    assert office.run("request", "list").code == 0
    path.chmod(before)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_not_believed(login_site: Office) -> None:
    path = login_site.directory / "people.yaml"
    os.chown(path, 12345, -1)
    answer = run(login_site, "request", "list")
    os.chown(path, 0, -1)
    assert (answer.code, answer.codes) == (3, ["site.foreign"])


def test_a_copied_site_that_believes_names_does_not_get_the_ledger(
    login_site: Office, tmp_path: Path
) -> None:
    assert run(login_site, "request", "list").code == 0
    copy = tmp_path / "copy"
    shutil.copytree(login_site.directory, copy, ignore=shutil.ignore_patterns("var"))
    (copy / "var").mkdir(mode=0o700)
    (copy / "var" / "lab").symlink_to(login_site.directory / "var" / "lab")
    site = (copy / "site.yaml").read_text().replace("identity: login", "identity: asserted")
    ledger = login_site.directory / "var" / "ledger.sqlite3"
    site = re.sub(r"(?m)^ledger:.*$", f"ledger: sqlite:///{ledger}", site)
    (copy / "site.yaml").write_text(site)
    for words in (
        ("request", "submit", login_site.file("simrs.yaml")),
        ("request", "list"),
        ("audit", "log"),
    ):
        answer = run(login_site, "--actor", "siti", *words, site=copy)
        assert (answer.code, answer.codes) == (4, ["ledger.identity"])
    assert run(login_site, "request", "list").data == []


def test_resetting_a_lab_removes_no_other_sites_ledger(office: Office, tmp_path: Path) -> None:
    """Neither by its path nor through a link in place of the lab's folder."""
    office.built()
    before = (office.directory / "site.yaml").read_text()
    real = office.directory / "var" / "ledger.sqlite3"
    for name, ledger in (("path", f"sqlite:///{real}"), ("link", "sqlite:///its/ledger.sqlite3")):
        copy = tmp_path / name
        shutil.copytree(office.directory, copy, ignore=shutil.ignore_patterns("var"))
        (copy / "var").mkdir(mode=0o700)
        (copy / "var" / "lab").symlink_to(office.directory / "var" / "lab")
        (copy / "its").symlink_to(office.directory / "var")
        (copy / "site.yaml").write_text(re.sub(r"(?m)^ledger:.*$", f"ledger: {ledger}", before))
        answer = run(office, "lab", "reset", site=copy)
        assert (answer.code, answer.codes) == (4, ["desk.ledger-elsewhere"])
    assert len(office.run("request", "list").data) == 1
    assert len(office.vms()) == 3, "nothing is reset where the ledger would stay"
