"""`cloudpemda init`, `doctor` and `schema`: a site before its first request."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudpemda.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.doctor import Report


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="The site's name; else the directory's.")
@click.option("--from", "url", metavar="URL", help="Draft it from this cluster's API.")
@click.option("--token-id", help="With --from: e.g. cloudpemda@pve!apply")
@click.option("--token-file", type=click.Path(path_type=Path), help="With --from: its secret.")
@click.option("--ca", type=click.Path(path_type=Path), help="With --from: the cluster's CA.")
@click.option("--fingerprint", help="With --from: SHA-256 of the certificate, instead of --ca.")
@click.pass_obj
def init(  # noqa: PLR0917 - one option each
    frame: "Frame",
    directory: Path,
    name: str | None,
    url: str | None,
    token_id: str | None,
    token_file: Path | None,
    ca: Path | None,
    fingerprint: str | None,
) -> None:
    """Make a commented site in DIRECTORY, empty or drafted from an existing cluster."""
    from cloudpemda.site.scaffold import scaffold
    from cloudpemda.wiring import draft_from, process_login

    if url is None:
        written = scaffold(directory, process_login(), name)
    else:
        if not token_id or token_file is None or (ca is None) == (fingerprint is None):
            raise UsageError("cli.draft-options")
        if not url.startswith("https://"):
            raise UsageError("cli.draft-url", url=url)
        written = draft_from(directory, url, token_id, token_file, ca, fingerprint)
    data = {"directory": directory, "files": written}
    frame.finish(data, lambda out: out.print(frame.say("show.site-made", directory=directory)))


@click.command()
@click.option("--offline", is_flag=True, help="Look at the site's files alone, ask no cluster.")
@click.pass_obj
def doctor(frame: "Frame", offline: bool) -> None:
    """Look at everything a site relies on; print what grants the missing rights."""
    from cloudpemda.site import load_site
    from cloudpemda.usecases.doctor import diagnose, diagnose_files
    from cloudpemda.wiring import (
        checking_moment,
        configure_log,
        newest_deed,
        open_backup_server,
        open_cluster,
        site_clock,
    )

    configure_log(debug=frame.debug)
    site = load_site(frame.directory)
    frame.follow(site)
    if offline:
        report = diagnose_files(site, checking_moment(site))
    else:
        clock = site_clock(site)
        report = diagnose(
            site,
            lambda name: open_cluster(site, name, clock),
            lambda name: open_backup_server(site, name, clock),
            clock,
            newest_deed(site),
        )
    frame.finish(report, lambda out: _doctor_page(out, frame, report), (), report.exit_code)


def _doctor_page(out: "Console", frame: "Frame", report: "Report") -> None:
    from rich.text import Text

    from cloudpemda.cli.tables import table
    from cloudpemda.messages import explain

    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    shown = table(frame, "", "cluster", "")
    for found in report.findings:
        what, then = explain(found.code, frame.lang, found.values)
        where = found.values.get("file")
        line = Text(f"{where}: {what}" if where and str(where) not in what else what)
        if then and found.level != "ok":
            line.append(f"\n→ {then}", style="dim")
        level = Text(found.level.value, style=colours[found.level])
        shown.add_row(level, found.cluster or "–", line)
    out.print(shown)
    for cluster, commands in report.commands.items():
        out.print()
        out.print(frame.say("show.doctor-commands", cluster=cluster))
        for command in commands:
            out.print("  " + command, soft_wrap=True)


@click.command()
@click.argument(
    "kind", type=click.Choice(["request", "quota-request", "site", "opd", "catalogue", "people"])
)
@click.pass_obj
def schema(frame: "Frame", kind: str) -> None:
    """Print the JSON Schema of requests or of one of the site's files, for editors."""
    from cloudpemda.request import json_schema as request_schema
    from cloudpemda.request import quota_json_schema
    from cloudpemda.site import json_schema as site_schema

    of_requests = {"request": request_schema, "quota-request": quota_json_schema}
    found = of_requests[kind]() if kind in of_requests else site_schema(kind)
    frame.finish(found, lambda out: click.echo(json.dumps(found, indent=2, ensure_ascii=False)))
