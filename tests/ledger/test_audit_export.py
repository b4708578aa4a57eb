"""An export of the audit log: proven by whoever has it and the public key, changed by nobody."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from cloudpemda.ledger import Ledger
from cloudpemda.ledger.audit.entries import COLUMNS
from cloudpemda.ledger.audit.export import Export, judge, read_csv, read_json_lines
from cloudpemda.ledger.audit.heads import Head
from cloudpemda.ledger.audit.keys import Signer, public_key
from tests.ledger.makers import SITI, START, open_at, revised, workload

SIGNER = Signer(Ed25519PrivateKey.generate())


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    for opd in ("dinkes", "bkad", "dinkes"):
        spec = workload(opd, f"app{len(ledger.requests.list())}", purpose="=1+1")
        ledger.requests.submit(spec, "", replace(SITI, name="=HYPERLINK(0)", behalf="+62"))
        ledger.requests.submit(revised(spec), "", SITI)
    return ledger


def codes(export: Export) -> list[tuple[str, int]]:
    return [(finding.code, finding.seq) for finding in judge(export, None)]


@pytest.mark.parametrize("opd", [None, "dinkes", "bkad"])
def test_an_export_is_proven_in_both_forms(lived: Ledger, opd: str | None) -> None:
    made = lived.audit.export("lab", opd)
    assert len(made.entries) == {None: 6, "dinkes": 4, "bkad": 2}[opd]
    lines = read_json_lines("\n".join(made.json_lines()) + "\n")
    rows = read_csv(made.csv(), made.proof)
    for export in (lines, rows):
        assert [dict(raw) for raw in export.entries] == [
            {name: raw[name] for name in COLUMNS} for raw in made.entries
        ]
        assert (export.head, export.key, export.opd) == (made.head, made.key, opd)
        assert judge(export, public_key(made.key)) == ()


def test_an_opd_that_did_nothing_has_an_empty_export(lived: Ledger) -> None:
    assert codes(lived.audit.export("lab", "setda")) == []


def test_a_spreadsheet_finds_no_formula(lived: Ledger) -> None:
    rows = list(csv.DictReader(io.StringIO(lived.audit.export("lab", None).csv(), newline="")))
    assert {row["person"] for row in rows} == {"'=HYPERLINK(0)", "Siti Rahmawati"}
    assert {row["behalf"] for row in rows} == {"'+62", ""}
    for row in rows:
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


Change = Callable[[Export], Export]


def without(number: int) -> Change:
    return lambda export: replace(
        export, entries=[one for at, one in enumerate(export.entries) if at != number]
    )


def edited(number: int, column: str, value: object) -> Change:
    def change(export: Export) -> Export:
        entries = [dict(one) for one in export.entries]
        entries[number][column] = value
        return replace(export, entries=entries)

    return change


@pytest.mark.parametrize(
    ("opd", "change", "expected"),
    [
        (None, without(2), ("audit.missing", 3)),
        (None, without(5), ("audit.truncated", 6)),
        (None, edited(1, "login", "budi"), ("audit.edited", 2)),
        (None, lambda one: replace(one, opd="dinkes"), ("audit.edited", 3)),
        ("dinkes", without(1), ("audit.opd-missing", 2)),
        ("dinkes", without(3), ("audit.opd-missing", 4)),
        ("dinkes", edited(2, "details", "{}"), ("audit.edited", 5)),
        ("dinkes", edited(2, "opd_hash", "x"), ("audit.edited", 5)),
        ("dinkes", edited(0, "signature", "00"), ("audit.forged", 1)),
        (
            "dinkes",
            lambda one: replace(one, head=replace(one.head, opds={})),
            ("audit.head-forged", 6),
        ),
    ],
)
def test_what_was_changed_in_an_export_is_named(
    lived: Ledger, opd: str | None, change: Change, expected: tuple[str, int]
) -> None:
    assert codes(change(lived.audit.export("lab", opd)))[0] == expected


def test_an_export_of_another_key_is_forged_by_the_sites(lived: Ledger, tmp_path: Path) -> None:
    with open_at(tmp_path / "other") as other:
        other.requests.submit(workload(), "", SITI)
        forged = other.audit.export("lab", None)
    assert codes(forged) == []
    found = judge(forged, public_key(lived.audit.export("lab", None).key))
    assert [one.code for one in found] == ["audit.forged", "audit.head-forged"]


@given(text=st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_text_comes_back_from_a_csv_as_it_was(text: str) -> None:
    raw: dict[str, object] = {**dict.fromkeys(COLUMNS), "seq": 1, "details": text}
    made = Export("lab", None, Head(0, "", START).signed(SIGNER), SIGNER.pem, [raw])
    (found,) = read_csv(made.csv(), made.proof).entries
    assert found == raw


@given(text=st.text("=+-@;,|'\" \t\na＝", max_size=12))
@example(text="maaf;=HYPERLINK(0)")
@example(text='maaf;"=1+1"')
def test_a_spreadsheet_that_parts_cells_elsewhere_finds_no_formula(text: str) -> None:
    """Where the decimal sign is a comma, as in Indonesia, a CSV file is parted at ; instead."""
    raw: dict[str, object] = {**dict.fromkeys(COLUMNS), "seq": 1, "details": text}
    made = Export("lab", None, Head(0, "", START).signed(SIGNER), SIGNER.pem, [raw])
    for cell in re.split("[;|\t\r\n]", made.csv()):
        assert not cell.lstrip(' "').startswith(("=", "+", "-", "@", "＝")), cell
    (found,) = read_csv(made.csv(), made.proof).entries
    assert found == raw


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"kind": "other"}', "[1]"])
def test_what_is_no_export_is_said_so(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_json_lines(text)


def test_json_lines_are_lines_of_json(lived: Ledger) -> None:
    first, *rest = lived.audit.export("lab", None).json_lines()
    assert json.loads(first)["kind"] == "cloudpemda-audit"
    assert [json.loads(line)["seq"] for line in rest] == [1, 2, 3, 4, 5, 6]
