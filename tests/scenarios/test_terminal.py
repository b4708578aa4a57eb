"""What goes to a terminal or into a document only ever stands there: nothing raw, nothing lost."""

import io
import json
import os
import subprocess
import sys
import unicodedata

import pytest
from rich.console import Console
from rich.table import Table

from cloudpemda.cli.tables import keep_words
from tests.scenarios.conftest import Answer, Office

HOSTILE = "ok \x1b]0;taken\x07\x1b[2J\x9b31m\u202egpj\u2066\u2028\u00ad"
ESCAPED = "ok \\x1b]0;taken\\x07\\x1b[2J\\x9b31m\\u202egpj\\u2066\\u2028\\xad"


def nothing_raw(text: str) -> None:
    for sign in text:
        assert sign == "\n" or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, (
            f"U+{ord(sign):04X} in {text!r}"
        )


def describe(office: Office, value: str) -> None:
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": 10001, "set": {"description": value}},
    )


def test_a_text_from_pve_is_written_out_on_the_terminal(office: Office) -> None:
    office.built()
    first = office.vms()[10001]["config"]["description"].splitlines()[0]
    describe(office, f"{first}\n{HOSTILE}\nDISETUJUI")
    shown = office.text("plan")
    every = shown.out + shown.err
    nothing_raw(every)
    assert "\\x1b]0;taken\\x07" in every.replace("\n", "")
    assert not any(line.strip() == "DISETUJUI" for line in every.splitlines())


def test_a_document_escapes_what_is_not_printable(office: Office) -> None:
    office.built()
    describe(office, f"cloudpemda uid={HOSTILE[3:]}")
    answer = office.run("plan")
    nothing_raw(answer.out)
    assert "\\u001b]0;taken" in answer.out
    assert answer.codes == ["plan.identity"]
    assert answer.document["faults"][0]["values"]["found"].startswith("\x1b]0;taken\x07\x1b")


def test_file_names_are_written_out(office: Office) -> None:
    file = office.directory / "requests" / "\x1b[2Jx\u202e.yaml"
    file.write_text("a: b")
    for words in (("request", "check", str(file)), ("request", "submit", str(file))):
        shown = office.text(*words, actor="siti")
        assert shown.code == 3
        assert "\\x1b[2Jx\\u202e.yaml" in shown.err
        nothing_raw(shown.out + shown.err)


@pytest.mark.parametrize(
    "words",
    [
        (f"--{HOSTILE}",),
        (HOSTILE,),
        ("request", HOSTILE),
        ("audit", "log", "--limit", HOSTILE),
        ("--output", HOSTILE, "status"),
        ("request", "show", f"dinkes/{HOSTILE}"),
    ],
)
def test_arguments_are_written_out(office: Office, words: tuple[str, ...]) -> None:
    for answer in (office.text(*words), office.run(*words)):
        assert answer.code in (2, 4)
        nothing_raw(answer.out + answer.err)
        assert "taken" in (answer.out + answer.err)


@pytest.mark.parametrize("output", ["text", "json"])
def test_an_argument_that_is_no_text_is_a_usage_error(office: Office, output: str) -> None:
    command = [sys.executable, "-m", "cloudpemda", "--site", str(office.directory)]
    command += ["--output", output, "--lang", "en"]
    for words in (
        [b"audit", b"log", b"--login", b"\xff\xfe"],
        [b"request", b"check", b"\xff.yaml"],
    ):
        done = subprocess.run(
            [*map(os.fsencode, command), *words], capture_output=True, check=False
        )
        assert done.returncode == 2, done
        assert b"Traceback" not in done.stderr
        if output == "json":
            assert json.loads(done.stdout)["faults"][0]["code"] == "cli.argument"
        else:
            assert rb"\udcff" in done.stderr


@pytest.mark.parametrize("verb", ["deny", "withdraw"])
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (HOSTILE, "request.reason-signs"),
        ("two\nlines", "request.reason-signs"),
        ("x" * 501, "request.reason-long"),
        ("  ", "ledger.reason-missing"),
    ],
)
def test_a_reason_is_one_line_of_words(office: Office, verb: str, reason: str, code: str) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    actor = {"deny": "hendra", "withdraw": "siti"}[verb]
    answer: Answer = office.run("request", verb, "dinkes/simrs", "--reason", reason, actor=actor)
    assert (answer.code, answer.codes) == (4, [code])
    record = office.run("request", "show", "dinkes/simrs", "--offline").data["record"]
    assert record["state"] == "pending"
    last = office.run("request", verb, "dinkes/simrs", "--reason", "x" * 500, actor=actor)
    assert last.code == 0


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [("", 2, "cli.no-answer"), ("mungkin\nt\n", 130, "nothing was done"), ("\n", 130, "[y/N]")],
)
def test_nothing_is_destroyed_without_a_yes(
    office: Office, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    ledger = office.directory / "var" / "ledger.sqlite3"
    before = ledger.exists()
    answer = office.text("lab", "reset")
    assert (answer.code, said in answer.err) == (code, True), answer.err
    assert ledger.exists() == before


def test_a_narrow_table_cuts_no_word_off() -> None:
    console = Console(width=44, file=io.StringIO())
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("VM", "state", "address", "HA"):
        shown.add_column(name, no_wrap=name == "address")
    shown.add_row(
        "disdukcapil/siak/web-1", "retired (stopped)", "10.0.0.21\n203.0.113.9", "unknown"
    )
    keep_words(console, shown)
    with console.capture() as seen:
        console.print(shown)
    for word in ("retired", "(stopped)", "10.0.0.21", "203.0.113.9", "unknown"):
        assert word in seen.get()
    assert "…" not in seen.get()
