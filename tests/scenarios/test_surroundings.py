"""Files around the program that are gone, or not what they were: said clearly, never a bug."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import Office


@pytest.fixture
def ca(office: Office) -> Iterator[Path]:
    """The clusters' CA is this file, which is not there."""
    site = office.directory / "site.yaml"
    before = site.read_text()
    site.write_text(re.sub(r"ca: var/lab/ca\.pem", "ca: other.pem", before))
    yield office.directory / "other.pem"
    site.write_text(before)
    (office.directory / "other.pem").unlink(missing_ok=True)


def test_a_ca_file_that_is_gone_is_named(office: Office, ca: Path) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    answer = office.run("request", "approve", "dinkes/simrs", actor="hendra")
    assert answer.code == 3
    assert [(fault["code"], fault["file"]) for fault in answer.document["faults"]] == [
        ("pve.ca", str(ca))
    ]


@pytest.mark.parametrize("content", ["this is no certificate", ""])
def test_a_ca_file_that_is_none_trusts_nobody(office: Office, ca: Path, content: str) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    ca.write_text(content)
    answer = office.run("request", "approve", "dinkes/simrs", actor="hendra")
    assert (answer.code, answer.codes) == (5, ["pve.tls"])


def test_a_cluster_that_the_lab_has_not_is_unread_and_no_bug(office: Office) -> None:
    site = office.directory / "site.yaml"
    before = site.read_text()
    block = re.search(r"^  drc:.*\n(?:    .*\n)+", before, re.MULTILINE)
    assert block is not None
    site.write_text(before.replace(block[0], block[0] + block[0].replace("drc:", "spare:", 1)))
    try:
        for words in (("nightly",), ("ledger", "verify"), ("quota", "verify")):
            answer = office.run(*words)
            assert answer.code in (5, 7), answer.out
            assert "lab.without-cluster" in answer.codes
        assert office.run("ip", "list", "--check").codes == ["lab.without-cluster"]
        assert office.run("nodes", "list").codes == ["lab.without-cluster"]
    finally:
        site.write_text(before)


def test_a_directory_in_place_of_the_audit_head_is_a_finding(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    file = office.directory / "var" / "audit.head"
    file.unlink()
    file.mkdir()
    for words in (("audit", "verify"), ("nightly",)):
        answer = office.run(*words)
        assert (answer.code, answer.codes) == (7, ["audit.head-missing"])
    assert office.run("request", "withdraw", "dinkes/simrs").code == 0
    file.rmdir()


def test_a_directory_in_place_of_the_audit_lock_leaves_the_deed_done(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    file = office.directory / "var" / "audit.lock"
    file.unlink()
    file.mkdir()
    answer = office.run("request", "withdraw", "dinkes/simrs")
    assert (answer.code, answer.codes) == (6, ["audit.head-unwritable"])
    file.rmdir()
    shown = office.run("request", "show", "dinkes/simrs", "--offline")
    assert shown.data["record"]["state"] == "withdrawn"


def test_a_ledger_whose_head_cannot_be_made_is_not_made(office: Office) -> None:
    directory = office.directory / "var"
    for file in directory.glob("ledger.sqlite3*"):
        file.unlink()
    (directory / "audit.head").unlink(missing_ok=True)
    (directory / "audit.head").mkdir()
    answer = office.run("request", "list")
    assert (answer.code, answer.codes) == (5, ["ledger.unavailable"])
    (directory / "audit.head").rmdir()
    assert office.run("request", "list").code == 0


def test_a_request_whose_class_is_gone_can_be_denied_but_not_approved(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    record = office.run("request", "show", "dinkes/simrs", "--offline").data["record"]
    name = record["spec"]["service_class"]
    files = [office.directory / "catalogue.yaml", *(office.directory / "opd").glob("*.yaml")]
    before = {file: file.read_text() for file in files}
    for file, text in before.items():
        file.write_text(re.sub(rf"\b{name}\b", "another", text))
    approve = office.run("request", "approve", "dinkes/simrs", actor="hendra")
    deny = ("request", "deny", "dinkes/simrs", "--reason", "the class is no longer offered")
    reviewed = office.run(*deny, actor="dewi")
    denied = office.run(*deny, actor="hendra")
    for file, text in before.items():
        file.write_text(text)
    assert (approve.code, approve.codes) == (4, ["request.not-allowed", "policy.class-unknown"])
    assert (reviewed.code, reviewed.codes) == (4, ["request.not-yours", "policy.no-role"])
    assert denied.code == 0
