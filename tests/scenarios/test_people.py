"""Who acts: the process's own login, unless the site says that names are believed."""

import os
import pwd
import re
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import Office


@pytest.fixture
def login_site(office: Office) -> Iterator[Office]:
    """The same site, but one where a login is what counts."""
    file = office.directory / "site.yaml"
    before = file.read_text()
    file.write_text(re.sub(r"identity: asserted", "identity: login", before))
    yield office
    file.write_text(before)


def test_an_asserted_name_is_refused_where_logins_count(login_site: Office) -> None:
    answer = login_site.run("request", "list", actor="hendra")
    assert (answer.code, answer.codes) == (4, ["desk.not-asserted"])


def test_the_environment_names_nobody_where_logins_count(
    login_site: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDPEMDA_ACTOR", "hendra")
    site = ("--site", str(login_site.directory), "--output", "json")
    answer = login_site.call(*site, "request", "submit", login_site.file("simrs.yaml"))
    assert answer.codes == ["desk.unknown-person"]
    login = pwd.getpwuid(os.getuid()).pw_name
    assert answer.document["faults"][0]["values"]["login"] == login


@pytest.mark.skipif(os.getuid() != 0, reason="only root can have been somebody else before")
def test_sudo_is_believed_of_root_only(login_site: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = next(one for one in pwd.getpwall() if one.pw_uid != 0)
    monkeypatch.setenv("SUDO_UID", str(someone.pw_uid))
    site = ("--site", str(login_site.directory), "--output", "json")
    answer = login_site.call(*site, "request", "submit", login_site.file("simrs.yaml"))
    assert answer.document["faults"][0]["values"]["login"] == someone.pw_name


def test_the_timer_runs_the_night_but_approves_nothing(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    assert office.run("nightly", actor="timer-account").code == 0
    assert office.run("request", "approve", "dinkes/simrs", actor="timer-account").code == 4


def test_a_requester_hands_in_for_their_own_opd_only(office: Office) -> None:
    answer = office.run("request", "submit", office.file("siak.yaml"), actor="siti")
    assert (answer.code, answer.codes) == (4, ["desk.role"])
