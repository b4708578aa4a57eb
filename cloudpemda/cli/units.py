"""The systemd units that ship with the program, written where an administrator wants them."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


def write_units(frame: "Frame", name: str, directory: Path) -> NoReturn:
    """Write the service and the timer `cloudpemda-<name>@` into `directory`, and finish."""
    from cloudpemda.render import template_directory

    written = []
    for ending in ("service", "timer"):
        unit = template_directory() / "systemd" / f"cloudpemda-{name}@.{ending}"
        (directory / unit.name).write_text(unit.read_text())
        written.append(str(directory / unit.name))
    frame.finish(
        {"written": written},
        lambda out: out.print(frame.say("show.units", files=", ".join(written), name=name)),
    )
