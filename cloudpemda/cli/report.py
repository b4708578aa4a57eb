"""`cloudpemda report …`: what was found and proved, for people who were not there."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


@click.group()
def report() -> None:
    """Reports of the nights."""


@report.command(short_help="The report of a night.")
@click.option("--date", "day", help="The day in whose morning it ended; the last one if not said.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    help="How to print it; a page is one file without scripts.",
)
@click.pass_obj
def night(frame: "Frame", day: str | None, form: str) -> None:
    """The report of a night: each finding by OPD, since when, and what to do about it."""
    from cloudpemda.cli.frame import json_line, plain
    from cloudpemda.report.night import text_lines
    from cloudpemda.usecases.night.reporting import as_page, night_report

    with frame.desk() as desk:
        found = night_report(desk, day)
        zone = desk.site.zone
        page = as_page(desk, found, frame.lang) if form == "html" else ""

    def shown(_: object) -> None:
        match form:
            case "html":
                click.echo(page)
            case "json":
                click.echo(json_line(plain(found)))
            case _:
                for line in text_lines(found, frame.lang, zone):
                    click.echo(line)

    frame.finish(found, shown)
