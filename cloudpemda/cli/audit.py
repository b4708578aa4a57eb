"""`cloudpemda audit …`: proof of what was done."""

from typing import TYPE_CHECKING

import click

from cloudpemda.errors import ExitCode

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


@click.group()
def audit() -> None:
    """What was done, by whom, and that nobody changed the record."""


@audit.command()
@click.option("--opd", help="Only this OPD's.")
@click.option("--subject", help="Only this request number or instance.")
@click.option("--login", help="Only this person's deeds.")
@click.option("--action", help="Only this action, e.g. request.approve.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.pass_obj
def log(
    frame: "Frame",
    opd: str | None,
    subject: str | None,
    login: str | None,
    action: str | None,
    limit: int,
) -> None:
    """The newest entries that match, oldest first."""
    from cloudpemda.cli.tables import audit_entries
    from cloudpemda.usecases.look import deeds

    with frame.desk() as desk:
        entries = deeds(desk, opd=opd, subject=subject, login=login, action=action, limit=limit)
        zone = desk.site.zone
    frame.finish(entries, lambda out: audit_entries(out, frame, entries, zone))


@audit.command()
@click.pass_obj
def verify(frame: "Frame") -> None:
    """Check the whole chain; exit 7 and say where it breaks."""
    from cloudpemda.usecases.look import verify_deeds

    with frame.desk() as desk:
        count, findings = verify_deeds(desk)
    faults = [finding.fault for finding in findings]
    code = ExitCode.FINDINGS if findings else ExitCode.DONE

    def text_(out: object) -> None:
        if not findings:
            frame.out.print(frame.say("show.audit-sound", count=count))

    frame.finish({"entries": count, "findings": findings}, text_, faults, code)
