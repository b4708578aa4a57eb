"""What every command shares: language, output form, the way an outcome is printed."""

import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, worst
from cloudpemda.messages import Lang, explain, harmless, language, say
from cloudpemda.units import Instant, show_utc

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.site import Site
    from cloudpemda.usecases.desk import Desk

_PIPE_WIDTH = 200


class Frame:
    """One call of the command line: how to speak, and how to end."""

    def __init__(
        self, directory: str, output: str, lang: str | None, actor: str | None, debug: bool
    ) -> None:
        self.directory = Path(directory)
        self.json = output == "json"
        spoken = language(lang)
        self.lang: Lang = spoken or "en"
        self._undecided = spoken is None
        self.actor = actor
        self.debug = debug

    # -- the site --------------------------------------------------------------------------
    def desk(self) -> "Desk":
        """The site's live objects; a context manager that closes them."""
        from cloudpemda.wiring import open_desk

        desk = open_desk(self.directory, asserted=self.actor, debug=self.debug)
        self.follow(desk.site)
        if desk.assumed:
            self.err.print(self.say("desk.assumed", login=desk.login), style="dim")
        return desk

    def follow(self, site: "Site") -> None:
        """Speak the site's language where neither the caller nor the locale names one."""
        if self._undecided:
            self.lang = site.info.site.language

    # -- speaking --------------------------------------------------------------------------
    def say(self, code: str, **values: object) -> str:
        return say(code, self.lang, values)

    @property
    def out(self) -> "Console":
        """Where text for people goes."""
        return console(stderr=False)

    @property
    def err(self) -> "Console":
        """Where progress goes: never into the JSON document."""
        return console(stderr=True)

    # -- ending ----------------------------------------------------------------------------
    def finish(
        self,
        data: object,
        text: Callable[["Console"], None],
        faults: Sequence[Fault] = (),
        code: ExitCode = ExitCode.DONE,
    ) -> NoReturn:
        """Print the outcome once and leave with its code."""
        if self.json:
            self._document(code, data, faults)
        else:
            text(self.out)
            self.faults(faults, self.err)
        raise click.exceptions.Exit(int(code))

    def failed(self, error: CloudpemdaError) -> int:
        """Report an error that a person, a file, a rule or a cluster caused."""
        return self._end(error.exit_code, error.faults)

    def usage(self, error: click.ClickException) -> int:
        # Help, and not a sentence; the oldest click that we take has no such error.
        listing = isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ()))
        if self.json or (self.lang == "id" and not listing):
            ctx = error.ctx if isinstance(error, click.UsageError) else None
            if ctx is not None and not self.json:
                usage = " ".join([ctx.command_path, *ctx.command.collect_usage_pieces(ctx)])
                self.err.print(self.say("cli.usage-line", usage=usage), soft_wrap=True)
            return self._end(ExitCode.USAGE, (Fault("cli.usage", {"problem": self._why(error)}),))
        said = io.StringIO()
        error.show(said)
        click.echo(harmless(said.getvalue(), keep="\n"), nl=False, err=True)
        return ExitCode.USAGE

    def _why(self, error: click.ClickException) -> str:
        """What is wrong with the call, in the reader's language where it is of the usual kinds."""
        close = ", ".join(getattr(error, "possibilities", None) or ()) or "–"
        match error:
            case click.MissingParameter(param=click.Parameter() as param):
                return self.say("cli.missing", name=param.get_error_hint(error.ctx))
            case click.NoSuchOption():
                return self.say("cli.no-option", name=error.option_name, close=close)
            case click.UsageError() if (name := getattr(error, "command_name", None)) is not None:
                return self.say("cli.no-command", name=name, close=close)
        return error.format_message()

    def bug(self, error: Exception, code: ExitCode) -> int:
        trace = "".join(traceback.format_exception(error))
        click.echo(harmless(trace, keep="\n"), nl=False, err=True)
        return self._end(code, (Fault("cli.bug", {"kind": type(error).__name__}),))

    def interrupted(self) -> int:
        """Ctrl-C outside of a saga: said to a person, who may otherwise wonder what was done."""
        self.faults((Fault("cli.interrupted"),), self.err)
        return 130

    def abandon(self, code: str) -> NoReturn:
        """End the process at this instant with 6, from a signal handler: no cleaning up, since
        whatever was begun stands in the journal."""
        self._end(ExitCode.INCOMPLETE, (Fault(code),))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ExitCode.INCOMPLETE)

    def _end(self, code: ExitCode, faults: Sequence[Fault]) -> int:
        if self.json:
            self._document(code, None, faults)
        else:
            self.faults(faults, self.err)
        return int(code)

    def _document(self, code: ExitCode, data: object, faults: Sequence[Fault]) -> None:
        document = {
            "ok": code is ExitCode.DONE,
            "code": int(code),
            "data": plain(data),
            "faults": [self._fault_data(fault) for fault in faults],
        }
        click.echo(json_line(document))

    def _fault_data(self, fault: Fault) -> dict[str, object]:
        message, then = explain(fault.code, self.lang, fault.values)
        return {
            "code": fault.code,
            "file": fault.file,
            "line": fault.line,
            "column": fault.column,
            "path": fault.path,
            "message": message,
            "next": then or None,
            "values": plain(dict(fault.values)),
        }

    def faults(self, faults: Sequence[Fault], out: "Console") -> None:
        """One paragraph each: where, code, what; then what to do."""
        from rich.text import Text

        for fault in faults:
            message, then = explain(fault.code, self.lang, fault.values)
            line = Text()
            if fault.file is not None:
                line.append(harmless(":".join(_place(fault))) + " ", style="bold")
            if fault.path:
                line.append(harmless(fault.path) + " ", style="cyan")
            line.append(fault.code + " ", style="red")
            line.append(message)
            out.print(line, soft_wrap=True)
            if then:
                out.print(Text("  → " + then, style="dim"), soft_wrap=True)


def outcome(faults: Sequence[CloudpemdaError]) -> ExitCode:
    """The exit code for several errors at once."""
    return worst(error.exit_code for error in faults)


def plain(value: object) -> object:
    """A view as JSON can carry it: dataclasses as objects, moments as UTC text, sets sorted."""
    match value:
        case Enum():
            shown: object = plain(value.value)
        case None | str() | int() | float() | bool():
            shown = value
        case datetime():
            shown = show_utc(Instant(value))
        case set() | frozenset():
            shown = sorted((plain(item) for item in value), key=str)
        case list() | tuple():
            shown = [plain(item) for item in value]
        case Mapping():
            shown = {str(key): plain(item) for key, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            shown = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            shown = str(value)
    return shown


def json_line(document: object) -> str:
    """One JSON document in one line; what is not printable is written as JSON's own escapes."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def _place(fault: Fault) -> list[str]:
    return [str(part) for part in (fault.file, fault.line, fault.column) if part is not None]


def console(*, stderr: bool) -> "Console":
    from cloudpemda.cli.terminal import Terminal

    made = Terminal(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPE_WIDTH  # nobody's window to fit: lines stay whole for whoever reads them
    return made
