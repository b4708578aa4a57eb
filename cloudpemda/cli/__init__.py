"""The command line: parses, calls one use case, prints, exits. It decides nothing.

Everything but click is imported when a command runs, so that `--help` feels instant. What a
command found goes to stdout once, as text for people or as one JSON document; progress and logs
go to stderr. `main` is the only place where an error becomes an exit code.

A module has the commands of one noun. Larger pages stand apart (`request_tables`, `plan_tables` …),
made of what `tables` has for all of them.
"""

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame

# command → (module under cloudpemda.cli, its function, one line of help)
_COMMANDS = {
    "adopt": ("adopt", "adopt", "Take VMs that stand on a cluster into an OPD."),
    "apply": ("provision", "apply", "Build what is approved, or continue where it stopped."),
    "audit": ("audit", "audit", "What was done, by whom, and that nobody changed the record."),
    "demo": ("demo", "demo", "Walk through the main job on the embedded lab."),
    "doctor": ("site", "doctor", "Check endpoints, versions, clocks, storages, images, rights."),
    "drift": ("drift", "drift", "What differs from what was approved, and who puts it right."),
    "init": ("site", "init", "Make a site directory, empty or drafted from a cluster."),
    "ip": ("ip", "ip", "Who has which address, for what, by which letter."),
    "lab": ("lab", "lab", "The simulated clusters that ship with the program."),
    "leases": ("retire", "leases", "Who has VMs until when, and what is due."),
    "ledger": ("ledger", "ledger", "Sealed copies of the ledger, restoring one, its soundness."),
    "nightly": ("night", "nightly", "Judge every VM's recovery points by age; exit 0 or 7."),
    "nodes": ("servers", "nodes", "What nodes carry, emptying one; their servers and playbooks."),
    "orphans": ("retire", "orphans", "What purged VMs left on nodes that were off."),
    "pause": ("pausing", "pause", "Let nothing change a cluster while people work on it."),
    "plan": ("provision", "plan", "Show what apply would make, where, and why there."),
    "pools": ("pools", "pools", "The OPDs' pools in PVE, and who may look at them."),
    "protect": ("protect", "protect", "What protects the VMs: HA, replication, backups."),
    "quota": ("quota", "quota", "What each OPD may have, holds and uses."),
    "report": ("report", "report", "Reports of the nights."),
    "request": ("request", "request", "The life of a request: check, submit, approve, deny …"),
    "resume": ("pausing", "resume", "End the pause."),
    "schema": ("site", "schema", "Print the JSON Schema of requests or site files."),
    "status": ("inventory", "status", "Each VM with node, address, protection; quota used."),
    "vm": ("inventory", "vm", "The VMs that cloudpemda looks after."),
}


class _Lazy(click.Group):
    """A group that knows its commands' names and help, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(f"cloudpemda.cli.{entry[0]}"), entry[1])
        assert isinstance(command, click.Command)  # noqa: S101 - the table above says so
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in sorted(_COMMANDS.items())])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--site", "directory", type=click.Path(), default=".", envvar="CLOUDPEMDA_SITE",
    show_default=True, help="The site directory.",
)  # fmt: skip
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Text for people, or one JSON document.",
)  # fmt: skip
@click.option("--lang", type=click.Choice(["id", "en"]), help="Language; else the locale's.")
@click.option("--actor", help="Who acts, by login; only where the site says `identity: asserted`.")
@click.option("--debug", is_flag=True, help="Log every step and request to stderr.")
@click.version_option(package_name="cloudpemda")
@click.pass_context
def cli(
    ctx: click.Context,
    directory: str,
    output: str,
    lang: str | None,
    actor: str | None,
    debug: bool,
) -> None:
    """Run a government's private cloud on Proxmox VE: requests, quota, approvals, VMs, proof."""
    from cloudpemda.cli.frame import Frame

    ctx.obj = Frame(directory, output, lang, actor, debug)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with the design's code for what became of it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a sign the terminal cannot show is no bug
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    from cloudpemda.errors import CloudpemdaError, ExitCode

    try:
        _require_text(arguments)
        code = cli.main(arguments, prog_name="cloudpemda", standalone_mode=False)
        return int(code or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _frame(arguments).interrupted()
    except click.ClickException as error:
        return _frame(arguments).usage(error)
    except CloudpemdaError as error:
        return _frame(arguments).failed(error)
    except BrokenPipeError:  # the reader of a pipe left; nothing of ours went wrong
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the one place where a bug is turned into exit 1
        return _frame(arguments).bug(error, ExitCode.BUG)


def _require_text(arguments: list[str]) -> None:
    """Raises UsageError for an argument that is not UTF-8: it could be neither kept nor shown."""
    from cloudpemda.errors import UsageError

    for number, word in enumerate(arguments, start=1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise UsageError("cli.argument", number=number, argument=word) from error


def _frame(arguments: list[str]) -> "Frame":
    """How to report, even where parsing the command itself failed."""
    from cloudpemda.cli.frame import Frame

    def option(name: str) -> str | None:
        for number, word in enumerate(arguments):
            if word == name and number + 1 < len(arguments):
                return arguments[number + 1]
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
        return None

    lang = option("--lang")
    return Frame(
        option("--site") or ".",
        "json" if option("--output") == "json" else "text",
        lang if lang in ("id", "en") else None,
        None,
        "--debug" in arguments,
    )
