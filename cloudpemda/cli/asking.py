"""Asking a person before something that nothing undoes, in the reader's language."""

import sys
from typing import TYPE_CHECKING

import click

from cloudpemda.errors import UsageError

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame

_YES = frozenset({"y", "yes", "ya"})
_NO = frozenset({"", "n", "no", "t", "tidak"})


def confirmed(frame: "Frame", question: str) -> bool:
    """Whether the person says yes; nothing typed is no. Both languages are understood, since who
    reads `[y/T]` and types `ya` means it.

    Raises UsageError `cli.no-answer` where nobody can answer: no terminal, no more input.
    """
    while True:
        click.echo(f"{question} {frame.say('show.yes-no')}: ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            click.echo(err=True)
            raise UsageError("cli.no-answer")
        word = line.strip().lower()
        if word in _YES | _NO:
            return word in _YES
        click.echo(frame.say("show.which-answer"), err=True)


def require_confirmed(frame: "Frame", question: str) -> None:
    """Ends the command with 130 unless the person says yes."""
    if not confirmed(frame, question):
        click.echo(frame.say("show.declined"), err=True)
        raise click.exceptions.Exit(130)
