"""Every command stands where its reader looks: in README.md, and in the Indonesian guides."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cloudpemda.cli import cli

ROOT = Path(__file__).parents[2]


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None, name
        yield from _commands(found, (*path, name))


@pytest.mark.parametrize("pages", ["README.md", "docs/id/*.md"])
def test_every_command_is_named(pages: str) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in ROOT.glob(pages))
    assert [name for name in _commands(cli) if name not in text] == []
