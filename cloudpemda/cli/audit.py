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
@click.option("--role", help="Only deeds in this role, e.g. approver.")
@click.option("--action", help="Only this action, e.g. request.approve.")
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
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """The newest entries that match, oldest first."""
    from cloudpemda.cli.tables import audit_entries
    from cloudpemda.usecases.audit import deeds

    with frame.desk() as desk:
        entries = deeds(
            desk, opd=opd, subject=subject, login=login, role=role, action=action, since=since,
            until=until, limit=limit,
        )  # fmt: skip
        zone = desk.site.zone
    frame.finish(entries, lambda out: audit_entries(out, frame, entries, zone))


@audit.command()
@click.pass_obj
def verify(frame: "Frame") -> None:
    """Check every chain, signature, head and bound row; exit 7 and say what is wrong."""
    from cloudpemda.usecases.audit import verify_deeds

    with frame.desk() as desk:
        count, findings = verify_deeds(desk)
    faults = [finding.fault for finding in findings]
    code = ExitCode.FINDINGS if findings else ExitCode.DONE

    def text_(out: object) -> None:
        if not findings:
            frame.out.print(frame.say("show.audit-sound", count=count))

    frame.finish({"entries": count, "findings": findings}, text_, faults, code)


@audit.command()
@click.option("--reason", required=True, help="Why the old head file is no more.")
@click.pass_obj
def reanchor(frame: "Frame", reason: str) -> None:
    """Begin a new head file where the old one is lost; the log keeps who said so, and why."""
    from cloudpemda.usecases import audit as usecases

    with frame.desk() as desk:
        usecases.reanchor(desk, reason)
    frame.finish(None, lambda out: out.print(frame.say("show.audit-reanchored")))
