"""Every refusal tells its reader, in both languages, what to do next, and names what there is."""

import ast
import re
from pathlib import Path

import click
import pytest

from cloudpemda.cli import cli
from cloudpemda.messages import Text, texts
from tests.golden.refusals import FILE, TOLD, TOLD_ONE_BY_ONE, golden, refusals

ROOT = Path(__file__).parents[2]
RAISED = {"Refused", "Unreachable", "Incomplete", "UsageError", "LabRefused", "LabUnavailable"}


def test_the_golden_file_is_as_readers_get_it() -> None:
    assert FILE.read_text(encoding="utf-8") == golden(), "run: python -m tests.golden"


@pytest.mark.parametrize(("code", "text"), refusals().items(), ids=str)
def test_a_refusal_says_what_to_do_next(code: str, text: Text) -> None:
    assert text.next_en.strip(), code
    assert text.next_id.strip(), code
    assert text.next_en != text.next_id, "one language stands twice"


def test_what_counts_as_told_is_never_raised() -> None:
    """Else a refusal without a next step could hide among the titles."""
    raised = {
        node.args[0].value
        for path in (ROOT / "cloudpemda").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in RAISED
    }
    assert len(raised) > 50
    assert {code for code in raised if str(code).startswith(TOLD)} == set()
    assert raised & TOLD_ONE_BY_ONE == set()
    assert set(texts()) >= TOLD_ONE_BY_ONE, "a code that is gone"


def _commands() -> set[str]:
    """Each command that a text names, by the words before its first value or argument."""
    said = [
        part for text in texts().values() for part in (text.en, text.id, text.next_en, text.next_id)
    ]
    return {found for part in said for found in re.findall(r"`cloudpemda ([^`]*)`", part)}


@pytest.mark.parametrize("line", sorted(_commands()))
def test_a_command_that_a_text_names_is_there(line: str) -> None:
    command: click.Command = cli
    words = line.split()
    context = click.Context(cli)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options, line
