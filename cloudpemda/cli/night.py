"""`cloudpemda nightly`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudpemda.errors import Fault

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.nightly import Night


@click.command()
@click.option(
    "--units",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write the systemd service and timer into this directory instead, and stop.",
)
@click.option(
    "--alert-rules",
    is_flag=True,
    help="Print the alert rules for Prometheus instead, and stop.",
)
@click.pass_obj
def nightly(frame: "Frame", units: Path | None, alert_rules: bool) -> None:
    """Judge every VM's recovery points by age; report breaches by OPD; exit 0 or 7."""
    from cloudpemda.cli.chain import expiring_lines, rule_lines
    from cloudpemda.cli.nodes import drain_lines
    from cloudpemda.cli.protect import converged
    from cloudpemda.cli.retire import leases_done
    from cloudpemda.cli.units import write_units
    from cloudpemda.messages import explain
    from cloudpemda.usecases.nightly import nightly as use_case

    if alert_rules:
        from cloudpemda.render import template_directory

        rules = (template_directory() / "monitoring" / "cloudpemda.rules.yml").read_text()
        frame.finish({"rules": rules}, lambda _: click.echo(rules, nl=False))
    if units is not None:
        write_units(frame, "nightly", units)
    with frame.desk() as desk:
        night = use_case(desk)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        expiring_lines(out, frame, night.announced, zone)
        rule_lines(out, frame, night.by_rule)
        drain_lines(out, frame, night.drains, zone)
        leases_done(out, frame, night.leases)
        if night.converged is not None and night.converged.vms:
            converged(out, frame, night.converged)
        for copy in night.due.copies:
            if copy.outcome == "failed":  # a finding, with its cause
                continue
            said, then = explain(copy.fault.code, frame.lang, copy.fault.values)
            out.print(said if copy.outcome == "made" else f"{said}\n  → {then}", soft_wrap=True)
        page(out, frame, night)
        if night.report is not None:
            out.print(frame.say("show.night-report", file=night.report), soft_wrap=True)

    frame.finish(night, shown, _by_opd(night), night.code)


def _by_opd(night: "Night") -> list[Fault]:
    return [one.fault for one in sorted(night.findings, key=lambda one: one.opd or "")]


def page(out: "Console", frame: "Frame", night: "Night") -> None:
    """The night in a few lines; its findings follow as faults."""
    if night.expired:
        out.print(frame.say("show.night-expired", numbers=", ".join(night.expired)))
    judged = night.survey.instances
    waiting = sum(
        cover.guard == "pending" for one in judged for cover in (one.replication, one.backup)
    )
    if waiting:
        out.print(frame.say("show.night-pending", count=waiting))
    if not night.findings:
        out.print(frame.say("show.night-quiet", vms=len(judged)))
        return
    counted: dict[str, int] = {}
    for one in night.findings:
        opd = one.opd or frame.say("show.night-site")
        counted[opd] = counted.get(opd, 0) + 1
    for opd, count in sorted(counted.items()):
        out.print(
            frame.say("show.night-opd", opd=opd), frame.say("show.night-findings", count=count)
        )
