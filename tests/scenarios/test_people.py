"""Who acts: the process's own login, unless the site says that names are believed."""

import os
import pwd
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scenarios.conftest import Office


@pytest.fixture
def login_site(office: Office) -> Iterator[Office]:
    """The same site, but one where a login is what counts."""
    file = office.directory / "site.yaml"
    before = file.read_text()
    file.write_text(re.sub(r"identity: asserted", "identity: login", before))
    for path in (office.directory, *office.directory.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o022)
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


@pytest.fixture
def people(office: Office) -> Iterator[Callable[[str], None]]:
    """Add entries to people.yaml for one test."""
    file = office.directory / "people.yaml"
    before = file.read_text()

    def add(more: str) -> None:
        file.write_text(before + more)

    yield add
    file.write_text(before)


HENDRA = ("Hendra Gunawan", "197512121999031004")


@pytest.mark.parametrize(
    ("login", "name", "nip"),
    [
        ("hendra-opd", "Somebody Else", None),
        ("hendra-opd", "Hendra  GUNAWAN", "199912312020011001"),
    ],
)
def test_a_second_account_does_not_make_a_second_person(
    office: Office, people: Callable[[str], None], login: str, name: str, nip: str | None
) -> None:
    """The approver hands in under another login: what matters is who they are."""
    number = f", nip: '{nip}'" if nip else ""
    people(f"  - {{login: {login}, name: {name}{number}, "
           "roles: [{role: requester, opd: dinkes}, {role: approver}]}\n")  # fmt: skip
    file = office.file("simrs.yaml")
    assert office.run("request", "submit", file, actor=login).code == 0
    answer = office.run("request", "approve", "dinkes/simrs", actor=login)
    same = " ".join(name.casefold().split()) == HENDRA[0].casefold()
    own = ["request.not-yours", "policy.own-request", *(["policy.nobody-left"] if same else [])]
    assert (answer.code, answer.codes) == (4, own)
    answer = office.run("request", "approve", "dinkes/simrs", actor="hendra")
    assert answer.codes == (own if same else [])


def test_a_mistyped_nip_hides_no_namesake(office: Office) -> None:
    def for_hendra(document: dict[str, Any]) -> None:
        document["metadata"]["requester"] |= {"name": HENDRA[0], "nip": "197512121999031005"}

    file = office.edited("simrs.yaml", for_hendra)
    assert office.run("request", "submit", file, actor="siti").code == 0
    answer = office.run("request", "approve", "dinkes/simrs", actor="hendra")
    assert answer.code == 4
    assert answer.codes == ["request.not-yours", "policy.own-request", "policy.nobody-left"]


def test_two_people_with_one_nip_are_a_fault_of_the_site(
    office: Office, people: Callable[[str], None]
) -> None:
    people(f"  - {{login: h-opd, name: H. G., nip: '{HENDRA[1]}', roles: []}}\n")
    answer = office.run("request", "list")
    assert (answer.code, answer.codes) == (3, ["site.equal-nips"])
    assert answer.document["faults"][0]["path"] == "people[7].nip"


def test_the_timer_runs_the_night_but_approves_nothing(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    assert office.run("nightly", actor="timer-account").code == 0
    assert office.run("request", "approve", "dinkes/simrs", actor="timer-account").code == 4


def test_a_requester_hands_in_for_their_own_opd_only(office: Office) -> None:
    answer = office.run("request", "submit", office.file("siak.yaml"), actor="siti")
    assert (answer.code, answer.codes) == (4, ["desk.role"])
