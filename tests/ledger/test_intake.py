"""What the inbox remembers of the documents that it took, in the deed that takes them."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from cloudpemda.errors import Refused
from cloudpemda.ledger import Actor, Document, Ledger, Paper
from tests.ledger.databases import back_to_9, behind_its_back
from tests.ledger.makers import SITI, applying, open_at, revised, workload

INBOX = Actor("system", "cloudpemda", "requester")
PAPER = Paper("simrs.yaml", 4_294_967_294)


def test_a_document_is_remembered_with_the_deed_that_took_it(ledger: Ledger) -> None:
    spec = workload()
    taken = ledger.requests.submit(spec, "text", INBOX, paper=PAPER)

    known = ledger.intake.taken()["dinkes/simrs"]
    assert (known.number, known.file, known.spec_hash) == (
        taken.number, "simrs.yaml", spec.spec_hash,
    )  # fmt: skip
    entry = ledger.audit.log(action="inbox.take")[0]
    inbox = replace(INBOX, behalf="Siti Rahmawati")
    assert (entry.actor, entry.opd, entry.subject) == (inbox, "dinkes", taken.number)
    assert entry.details == {
        "key": "dinkes/simrs",
        "revision": 1,
        "spec_hash": spec.spec_hash,
        "file": "dinkes/simrs.yaml",
        "owner": PAPER.owner,
    }
    assert ledger.audit.verify() == ()


def test_the_newest_document_and_file_are_what_counts(ledger: Ledger) -> None:
    ledger.requests.submit(workload(), "text", INBOX, paper=PAPER)
    ledger.requests.submit(revised(workload()), "more", INBOX, paper=Paper("baru.yaml", 7))
    known = ledger.intake.taken()
    assert list(known) == ["dinkes/simrs"]
    assert known["dinkes/simrs"].file == "baru.yaml"
    assert known["dinkes/simrs"].spec_hash == revised(workload()).spec_hash


def test_what_another_way_handed_in_is_remembered_without_a_revision(ledger: Ledger) -> None:
    ledger.requests.submit(workload(), "text", SITI)
    again = ledger.requests.submit(workload(), "text", INBOX, paper=PAPER)
    assert (again.revision, again.changed) == (1, False)
    assert list(ledger.intake.taken()) == ["dinkes/simrs"]
    assert ledger.requests.get("dinkes/simrs").submitted_by == SITI


def test_a_refused_document_is_not_remembered(ledger: Ledger) -> None:
    applying(ledger, workload())
    with pytest.raises(Refused, match=r"request\.change-not-yet"):
        ledger.requests.submit(revised(workload()), "more", INBOX, paper=PAPER)
    assert ledger.intake.taken() == {}
    assert ledger.audit.log(action="inbox.take") == ()


def test_several_documents_are_taken_in_one_deed_or_none_of_them(ledger: Ledger) -> None:
    applying(ledger, workload())
    new, changed = workload(name="siak"), revised(workload())
    with pytest.raises(Refused, match=r"request\.change-not-yet"):
        ledger.requests.submit_all([Document(new, "a", PAPER), Document(changed, "b")], INBOX)
    assert [record.key for record in ledger.requests.list()] == ["dinkes/simrs"]
    assert ledger.intake.taken() == {}

    done = ledger.requests.submit_all(
        [Document(new, "a", PAPER), Document(workload(name="web"), "b")], INBOX
    )
    assert [one.number for one in done] == ["R-2026-0002", "R-2026-0003"]
    assert list(ledger.intake.taken()) == ["dinkes/siak"]
    assert ledger.audit.verify() == ()


def test_what_never_lay_in_the_inbox_is_not_in_its_book(ledger: Ledger, tmp_path: Path) -> None:
    ledger.requests.submit(workload(), "text", SITI)
    with open_at(tmp_path) as again:
        assert again.intake.taken() == {}


def test_what_an_earlier_ledger_had_taken_stays_taken(tmp_path: Path) -> None:
    """Until version 8 what was taken was known by number, and requests for VMs alone."""
    with open_at(tmp_path) as before:
        done = before.requests.submit(workload(), "text", INBOX, paper=PAPER)
        known = before.intake.taken()
    back_to_9(tmp_path)
    with behind_its_back(tmp_path) as connection:
        for statement in (
            "CREATE TABLE intake (number TEXT NOT NULL PRIMARY KEY, file TEXT NOT NULL, "
            "spec_hash TEXT NOT NULL, at TEXT NOT NULL)",
            "INSERT INTO intake SELECT number, file, spec_hash, at FROM papers",
            "DROP TABLE papers",
            "DELETE FROM schema_version WHERE version > 8",
        ):
            connection.execute(text(statement))
    with open_at(tmp_path) as after:
        assert after.intake.taken() == known
        assert after.intake.taken()["dinkes/simrs"].number == done.number
