"""`cloudpemda pause` and `cloudpemda resume`."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_local

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


@click.command()
@click.option("--reason", required=True, help="Why; everybody who is stopped reads it.")
@click.option("--until", metavar="DATE", help="Ends by itself: 2026-12-31 (its end), or a time.")
@click.pass_obj
def pause(frame: "Frame", reason: str, until: str | None) -> None:
    """Let no command and no night change a cluster, until `cloudpemda resume`."""
    from cloudpemda.usecases.pause import pause as use_case

    with frame.desk() as desk:
        holding = use_case(desk, reason, until)
        zone = desk.site.zone
    ends = "`resume`" if holding.until is None else show_local(holding.until, zone)
    frame.finish(holding, lambda out: out.print(frame.say("show.paused", until=ends)))


@click.command()
@click.pass_obj
def resume(frame: "Frame") -> None:
    """End the pause; what it stopped is continued by `cloudpemda apply`."""
    from cloudpemda.usecases.pause import resume as use_case

    with frame.desk() as desk:
        ended = use_case(desk)
        zone = desk.site.zone
    code = "show.resumed" if ended else "show.not-paused"
    since = show_local(ended.since, zone) if ended else ""
    frame.finish(ended, lambda out: out.print(frame.say(code, since=since)))
