"""Design 4.10: what an OPD or PVE wrote is shown as it is, and never does anything."""

import re
import unicodedata
from typing import Any

import pytest

from tests.scenarios.conftest import Answer, Office

MARKUP = "[bold red]merah[/] [link=http://x]y[/link] {0} {purpose.__class__} {{ 7*7 }} %s :smile:"
SHELL = "$(touch /x); `id` && rm -rf / | tee ' \" \\"
SQL = "'); DROP TABLE audit; --"
TERMINAL = "\x1b]0;taken\x07\x1b[2J\x1b[31mred\x9b1m\r\u202egnp.exe\u2066"


def harmless(answer: Answer) -> None:
    """Nothing that a terminal would obey, or that reads otherwise than it is written."""
    for sign in answer.out + answer.err:
        if sign != "\n":
            assert unicodedata.category(sign) not in {"Cc", "Cf", "Zl", "Zp"}, (
                f"U+{ord(sign):04X} in {answer.out + answer.err!r}"
            )


@pytest.mark.parametrize("text", [MARKUP, SHELL, SQL])
def test_what_an_opd_wrote_is_shown_word_for_word(office: Office, text: str) -> None:
    def change(document: dict[str, Any]) -> None:
        document["spec"]["purpose"] = text
        document["metadata"]["letter"]["number"] = text[:40]
        document["metadata"]["requester"]["position"] = text[:40]

    file = office.edited("simrs.yaml", change)
    assert office.run("request", "submit", file, actor="siti").code == 0
    shown = office.text("request", "show", "dinkes/simrs")
    assert text in shown.out
    assert text[:40].strip() in shown.out
    assert office.run("request", "show", "dinkes/simrs").data["record"]["spec"]["purpose"] == text
    assert office.run("request", "approve", "dinkes/simrs", actor="hendra").code == 0
    assert office.run("apply").code == 0
    assert office.text("status").code == 0
    assert office.run("audit", "verify").code == 0
    for vm in office.vms().values():
        assert text not in str(vm), "an OPD's words have no place in a VM's configuration"


@pytest.mark.parametrize("text", [MARKUP, SHELL, SQL])
def test_a_reason_is_shown_word_for_word(office: Office, text: str) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    words = ("request", "deny", "dinkes/simrs", "--reason", text)
    assert office.run(*words, actor="hendra").code == 0
    shown = re.sub(r"\s+", " ", office.text("request", "show", "dinkes/simrs").out)
    assert re.sub(r"\s+", " ", text) in shown
    assert office.run("audit", "verify").code == 0


@pytest.mark.parametrize("lang", ["en", "id"])
def test_what_stands_in_pve_commands_no_terminal(office: Office, lang: str) -> None:
    office.built()
    for key in ("description", "hookscript", "name"):
        keep = office.vms()[10001]["config"]["description"].splitlines()[0]
        value = f"{keep}\n{TERMINAL}" if key == "description" else TERMINAL
        office.lab.post(
            "/outside",
            {"cluster": "dc", "action": "change-vm", "vmid": 10001, "set": {key: value}},
        )
    for words in (("plan",), ("status",), ("vm", "list"), ("vm", "show", "dinkes/simrs/app-1"),
                  ("nightly",)):  # fmt: skip
        answer = office.text(*words, lang=lang)
        assert "\x1b" not in answer.out + answer.err, words
        harmless(answer)


def test_who_stands_in_our_place_commands_no_terminal(office: Office) -> None:
    office.built()
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": 10001,
         "set": {"description": f"cloudpemda uid={TERMINAL}"}},
    )  # fmt: skip
    for words in (("plan",), ("status",), ("apply",), ("nightly",)):
        answer = office.text(*words)
        assert answer.code != 0
        harmless(answer)


def test_arguments_and_reasons_command_no_terminal(office: Office) -> None:
    office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    harmless(office.text("request", "show", f"dinkes/{TERMINAL}"))
    office.text("request", "deny", "dinkes/simrs", "--reason", TERMINAL, actor="hendra")
    harmless(office.text("request", "show", "dinkes/simrs"))
    harmless(office.text("audit", "log"))
