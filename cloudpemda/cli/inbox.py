"""`cloudpemda request inbox`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.inbox import Intake


@click.command(short_help="Take in what OPDs put into DIRECTORY, and reply.")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option(
    "--settle", type=click.IntRange(0, 3600), default=5, show_default=True,
    help="Take a file that stays as it is for so many seconds.",
)  # fmt: skip
@click.option(
    "--units",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write the systemd service and timer into this directory instead, and stop.",
)
@click.pass_obj
def inbox(frame: "Frame", directory: Path | None, settle: int, units: Path | None) -> None:
    """Take in what OPDs put into DIRECTORY/<code>/*.yaml, and reply beside each file.

    May be run as often as you like: what says nothing new is left alone. Exit 0, or 7 with what
    is wrong with each file.
    """
    from cloudpemda.cli.progress import counting
    from cloudpemda.cli.units import write_units
    from cloudpemda.usecases.inbox import take_inbox

    if units is not None:
        write_units(frame, "inbox", units)
    if directory is None:
        raise click.BadArgumentUsage("Missing argument 'DIRECTORY'.")
    with frame.desk() as desk, counting(frame) as tell:
        run = take_inbox(desk, directory, settle=settle, tell=tell)
    frame.finish(run, lambda out: _page(out, frame, run), run.faults, run.code)


def _page(out: "Console", frame: "Frame", run: "Intake") -> None:
    """What was taken, file by file, and the rest in one line; faults follow."""
    from cloudpemda.usecases.inbox import Outcome

    for one in run.files:
        if one.outcome is Outcome.TAKEN:
            out.print(frame.say("inbox.taken", file=one.file, key=one.key, number=one.number))
        elif one.outcome is Outcome.WAITING:
            out.print(frame.say("inbox.waiting", file=one.file))
    counted = Counter(one.outcome for one in run.files)
    out.print(
        frame.say(
            "inbox.counted",
            files=len(run.files),
            taken=counted[Outcome.TAKEN],
            known=counted[Outcome.KNOWN],
            faulty=counted[Outcome.INVALID] + counted[Outcome.REFUSED],
            waiting=counted[Outcome.WAITING],
            replies=len(run.replies),
        )
    )
    # What several requests bring near its limit is told once.
    warnings = dict.fromkeys(warning for one in run.files for warning in one.warnings)
    frame.faults(tuple(warnings), frame.err)
