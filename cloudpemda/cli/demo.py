"""`cloudpemda demo`: the guided tour on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame
    from cloudpemda.cli.progress import Live
    from cloudpemda.errors import Fault
    from cloudpemda.usecases.approve import Approved
    from cloudpemda.usecases.desk import Desk
    from cloudpemda.usecases.nightly import Night
    from cloudpemda.usecases.plan import Planned
    from cloudpemda.usecases.run import Applied
    from cloudpemda.usecases.submit import Submitted
    from cloudpemda.usecases.survey import Survey


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("cloudpemda-demo"),
    show_default=True,
    help="Where the demo's site is made, afresh each time.",
)
@click.pass_obj
def demo(frame: "Frame", directory: Path) -> None:
    """Walk through the main job on the embedded lab, in under a minute."""
    from cloudpemda.demo import tour

    toured = tour(directory, _Terminal(frame))
    frame.finish(toured.survey, lambda out: None, (), toured.code)


class _Terminal:
    """The narrator: everything to stdout, or to stderr where stdout is for the JSON document."""

    def __init__(self, frame: "Frame") -> None:
        self._frame = frame
        self._out = frame.err if frame.json else frame.out
        self._chapter = 0

    def chapter(self, code: str, **values: object) -> None:
        self._chapter += 1
        self._out.print()
        self._out.print(f"{self._chapter}. {self._frame.say(code, **values)}", style="bold cyan")

    def refused(self, faults: "Sequence[Fault]") -> None:
        self._frame.faults(faults, self._out)

    def submitted(self, done: "Submitted") -> None:
        from cloudpemda.cli.request_tables import submissions

        submissions(self._out, self._frame, [done])

    def approved(self, done: "Approved", desk: "Desk") -> None:
        from cloudpemda.cli.request_tables import approval

        approval(self._out, self._frame, done, desk.site.zone)
        self._frame.faults(done.warnings, self._out)

    def planned(self, done: "Sequence[Planned]") -> None:
        from cloudpemda.cli.plan_tables import plans

        plans(self._out, self._frame, done)

    def applying(self) -> "Live":
        from cloudpemda.cli.progress import Live

        return Live(self._frame)

    def applied(self, done: "Sequence[Applied]") -> None:
        from cloudpemda.cli.plan_tables import applied

        applied(self._out, self._frame, done)
        for one in done:
            self._frame.faults(one.faults, self._out)

    def night(self, done: "Night") -> None:
        from cloudpemda.cli.night import page

        page(self._out, self._frame, done)

    def happened(self, seconds: float, code: str, **values: object) -> None:
        self._out.print(f"{seconds:6.0f} s  {self._frame.say(code, **values)}")

    def status(self, found: "Survey", desk: "Desk") -> None:
        from cloudpemda.cli.status_tables import status

        status(self._out, self._frame, found, desk.site.zone)
