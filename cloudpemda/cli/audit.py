"""`cloudpemda audit …`: proof of what was done."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cloudpemda.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Finding
    from cloudpemda.usecases.audit import Form


@click.group()
def audit() -> None:
    """What was done, by whom, and that nobody changed the record."""


@audit.command()
@click.option("--opd", help="Only this OPD's.")
@click.option("--subject", help="Only this request number or instance.")
@click.option("--login", help="Only deeds of this person, or for them.")
@click.option("--role", help="Only deeds in this role, e.g. approver.")
@click.option("--action", help="Only this action, e.g. request.approve.")
@click.option("--workload", metavar="OPD/NAME", help="Only this request and its instances.")
@click.option("--upid", help="Only what led to this task of PVE.")
@click.option("--at", metavar="DATE", help="Only that day's: 2026-11-20.")
@click.option("--since", metavar="DATE", help="From then on: 2026-11-20 or 2026-11-20T08:00.")
@click.option("--until", metavar="DATE", help="Before then.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.pass_obj
def log(
    frame: "Frame",
    *,
    opd: str | None,
    subject: str | None,
    login: str | None,
    role: str | None,
    action: str | None,
    workload: str | None,
    upid: str | None,
    at: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """The newest entries that match, oldest first."""
    from cloudpemda.cli.history import audit_entries
    from cloudpemda.usecases.audit import deeds

    with frame.desk() as desk:
        entries = deeds(
            desk, opd=opd, subject=subject, login=login, role=role, action=action,
            workload=workload, upid=upid, at=at, since=since, until=until, limit=limit,
        )  # fmt: skip
        zone = desk.site.zone
    frame.finish(entries, lambda out: audit_entries(out, frame, entries, zone))


@audit.command(short_help="Check every chain, signature, head and bound row.")
@click.option("--export", "file", type=click.Path(path_type=Path), help="Check this export.")
@click.option("--key", type=click.Path(path_type=Path), help="By this public key (audit.pub).")
@click.pass_obj
def verify(frame: "Frame", file: Path | None, key: Path | None) -> None:
    """Check every chain, signature, head and bound row; exit 7 and say what is wrong.

    An export is checked without a site: anybody can, who has it and the site's public key.
    """
    from cloudpemda.usecases.audit import verify_deeds

    if file is not None:
        _verify_export(frame, file, key)
    if key is not None:
        raise UsageError("audit.key-alone")
    with frame.desk() as desk:
        count, findings = verify_deeds(desk)
    _judged(
        frame,
        {"entries": count, "findings": findings},
        findings,
        frame.say("show.audit-sound", count=count),
    )


def _verify_export(frame: "Frame", file: Path, key: Path | None) -> NoReturn:
    from cloudpemda.usecases.audit import verify_export

    found = verify_export(file, key)
    sound = frame.say(
        "show.audit-export-own-key" if found.own_key else "show.audit-export-sound",
        count=found.entries,
        site=found.site,
        fingerprint=found.fingerprint,
    )
    _judged(frame, found, found.findings, sound)


def _judged(frame: "Frame", data: object, findings: "Sequence[Finding]", sound: str) -> NoReturn:
    faults = [finding.fault for finding in findings]
    code = ExitCode.FINDINGS if findings else ExitCode.DONE
    frame.finish(data, lambda out: None if findings else out.print(sound), faults, code)


@audit.command(short_help="Write the log with its proof into FILE, or to `-`.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="Else by FILE's name.")
@click.option("--opd", help="Only this OPD's chain.")
@click.pass_obj
def export(frame: "Frame", file: Path, form: "Form | None", opd: str | None) -> None:
    """Write the log with its head and public key into FILE, or to `-`, for whoever checks it."""
    from cloudpemda.usecases.audit import export_deeds

    to = None if str(file) == "-" else file
    with frame.desk() as desk:
        made = export_deeds(desk, to, form or ("csv" if file.suffix == ".csv" else "jsonl"), opd)
    if made.text is not None:
        click.echo(made.text, nl=False)
        raise click.exceptions.Exit(0)
    said = frame.say(
        "show.audit-exported",
        count=made.entries,
        files=", ".join(made.files),
        fingerprint=made.fingerprint,
    )
    frame.finish(made, lambda out: out.print(said, soft_wrap=True))


@audit.command(short_help="Begin a new head file where the old one is lost.")
@click.option("--reason", required=True, help="Why the old head file is no more.")
@click.pass_obj
def reanchor(frame: "Frame", reason: str) -> None:
    """Begin a new head file where the old one is lost; the log keeps who said so, and why."""
    from cloudpemda.usecases import audit as usecases

    with frame.desk() as desk:
        usecases.reanchor(desk, reason)
    frame.finish(None, lambda out: out.print(frame.say("show.audit-reanchored")))


@audit.command("accept-clock", short_help="Say why the clock went back; deeds go on by it.")
@click.option("--reason", required=True, help="Why the clock was ahead before.")
@click.pass_obj
def accept_clock(frame: "Frame", reason: str) -> None:
    """Say why the clock went back: it was ahead, and is right now. Deeds go on by it."""
    from cloudpemda.usecases import audit as usecases

    with frame.desk() as desk:
        usecases.accept_clock(desk, reason)
    frame.finish(None, lambda out: out.print(frame.say("show.audit-clock-accepted")))


@audit.command("rotate-key", short_help="Sign with a new key; the old one vouches for it.")
@click.option("--reason", required=True, help="Why; it stands in the log.")
@click.option("--lost", is_flag=True, help="The old key is lost and cannot vouch for it.")
@click.pass_obj
def rotate_key(frame: "Frame", reason: str, *, lost: bool) -> None:
    """Sign with a new key; the old one vouches for it in the log, and is destroyed."""
    from cloudpemda.usecases import audit as usecases

    with frame.desk() as desk:
        old, new = usecases.rotate_key(desk, reason, lost=lost)
    said = frame.say("show.audit-rotated", old=old[:16], new=new)
    frame.finish({"old": old, "new": new}, lambda out: out.print(said, soft_wrap=True))
