"""Who may read what: everybody their OPDs, Diskominfo all, strangers and the timer nothing."""

from collections.abc import Callable, Iterator

import pytest

from tests.scenarios.conftest import Office

READS = (
    ("request", "list"),
    ("request", "show", "dinkes/simrs", "--offline"),
    ("quota", "show"),
    ("status",),
    ("vm", "list"),
    ("vm", "show", "dinkes/simrs/db-1"),
)
LOG = (("audit", "log"), ("audit", "verify"))


@pytest.fixture
def people(office: Office) -> Iterator[Callable[[str], None]]:
    """Add entries to people.yaml for one test."""
    file = office.directory / "people.yaml"
    before = file.read_text()

    def add(more: str) -> None:
        file.write_text(before + more)

    yield add
    file.write_text(before)


@pytest.fixture
def busy(office: Office) -> Office:
    """Two OPDs with a VM or more, and a request of the parent's child."""
    office.built()
    office.built("simkeu.yaml", "bkad/simkeu")
    return office


@pytest.mark.parametrize("actor", ["nobody", "timer-account", "system"])
def test_who_is_not_in_people_reads_nothing(office: Office, actor: str) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    for words in (*READS, *LOG):
        answer = office.run(*words, actor=actor)
        assert (answer.code, answer.codes) == (4, ["desk.unknown-person"]), words
        assert answer.data is None


def test_who_has_no_role_reads_nothing(office: Office, people: Callable[[str], None]) -> None:
    people("  - {login: guest, name: A Guest, roles: []}\n")
    for words in (*READS, *LOG):
        assert office.run(*words, actor="guest").codes == ["desk.role"], words


@pytest.mark.parametrize("actor", ["dewi", "hendra", "rudi", "yanti"])
def test_diskominfo_reads_all(busy: Office, actor: str) -> None:
    for words in (*READS, *LOG):
        assert busy.run(*words, actor=actor).code == 0, words
    assert {vm["opd"] for vm in busy.run("vm", "list", actor=actor).data} == {"dinkes", "bkad"}
    assert {one["opd"] for one in busy.run("audit", "log", actor=actor).data} >= {"dinkes", "bkad"}


def test_an_opds_people_read_about_their_own_only(busy: Office) -> None:
    keys = [one["spec"]["opd"] for one in busy.run("request", "list", actor="nina").data]
    assert keys == ["bkad"]
    status = busy.run("status", actor="nina").data
    assert {vm["opd"] for vm in status["instances"]} == {"bkad"}
    assert {line["opd"] for line in status["quota"]} == {"bkad"}
    assert {line["opd"] for line in busy.run("quota", "show", actor="nina").data} == {"bkad"}
    assert {vm["opd"] for vm in busy.run("vm", "list", actor="nina").data} == {"bkad"}
    assert busy.run("request", "show", "bkad/simkeu", actor="nina").code == 0
    for words in (
        ("request", "show", "dinkes/simrs", "--offline"),
        ("request", "show", "R-2026-0001", "--offline"),
        ("request", "list", "--opd", "dinkes"),
        ("quota", "show", "bkad", "dinkes"),
        ("status", "--opd", "dinkes"),
        ("vm", "list", "--opd", "dinkes"),
        ("vm", "show", "dinkes/simrs/db-1"),
        ("vm", "show", "nowhere/simrs/db-1"),
    ):
        answer = busy.run(*words, actor="nina")
        assert (answer.code, answer.codes) == (4, ["desk.scope"]), words
        assert answer.data is None


def test_a_role_opens_the_opds_children_but_not_its_parent(
    busy: Office, people: Callable[[str], None]
) -> None:
    people(
        "  - {login: head, name: The Head, roles: [{role: requester, opd: dinkes}]}\n"
        "  - {login: ward, name: The Ward, roles: [{role: requester, opd: rsud}]}\n"
    )
    seen = {line["opd"] for line in busy.run("quota", "show", actor="head").data}
    assert seen == {"dinkes", "rsud"}
    assert {line["opd"] for line in busy.run("quota", "show", actor="ward").data} == {"rsud"}
    assert busy.run("request", "show", "dinkes/simrs", actor="ward").codes == ["desk.scope"]
    assert len(busy.run("status", actor="head").data["instances"]) == 3
    assert busy.run("status", actor="ward").data["instances"] == []


def test_the_log_of_deeds_is_for_those_who_decide_operate_and_audit(
    busy: Office, people: Callable[[str], None]
) -> None:
    for words in LOG:
        assert busy.run(*words, actor="nina").codes == ["desk.role"]
    people("  - {login: audits, name: An Auditor, roles: [{role: auditor, opd: bkad}]}\n")
    entries = busy.run("audit", "log", actor="audits").data
    assert {one["opd"] for one in entries} == {"bkad"}
    assert busy.run("audit", "log", "--opd", "dinkes", actor="audits").codes == ["desk.scope"]
    assert busy.run("audit", "verify", actor="audits").code == 0


def test_an_opd_that_does_not_exist_is_a_usage_error(office: Office) -> None:
    for words in (
        ("quota", "show", "dinkse"),
        ("status", "--opd", "dinkse"),
        ("request", "list", "--opd", "dinkse"),
        ("audit", "log", "--opd", "dinkse"),
    ):
        answer = office.run(*words)
        assert (answer.code, answer.codes) == (2, ["look.opd"]), words


@pytest.mark.parametrize("output", ["text", "json"])
def test_in_a_lab_nobody_named_is_its_first_operator(office: Office, output: str) -> None:
    """One line on stderr says so, and a JSON document stays one document."""
    answer = office.call(
        "--site", str(office.directory), "--lang", "en", "--output", output, "status"
    )
    assert answer.code == 0
    assert answer.err == "acting as rudi, the lab's operator; name somebody else with --actor\n"
    if output == "json":
        assert answer.data["instances"] == []


def test_offline_status_asks_no_cluster_and_claims_nothing_of_it(office: Office) -> None:
    office.built()
    before = len(office.requests())
    answer = office.run("status", "--offline")
    assert len(office.requests()) == before
    assert answer.code == 0
    assert answer.data["offline"] is True
    assert {one["state"] for one in answer.data["instances"]} == {"active"}
    assert {one["running"] for one in answer.data["instances"]} == {"unknown"}
    promised = {
        one[cover]["guard"] for one in answer.data["instances"] for cover in ("ha", "backup")
    }
    assert promised == {"unknown"}
    assert all(one["addresses"] and one["node"] is None for one in answer.data["instances"])
    assert any(line["committed"] for line in answer.data["quota"])
    assert "no cluster was asked" in office.text("status", "--offline").out
