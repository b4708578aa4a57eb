"""`cloudpemda quota …`: what each OPD may have, holds and uses."""

from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.desk import Desk


@click.group()
def quota() -> None:
    """What each OPD may have, holds and uses."""


@quota.command(short_help="Limits and balances of OPDS (all if none is named).")
@click.argument("opds", nargs=-1)
@click.option("--at", metavar="DATE", help="As it was: 2026-12-31 (its end), or with a time.")
@click.pass_obj
def show(frame: "Frame", opds: tuple[str, ...], at: str | None) -> None:
    """Limits and balances of OPDS (all if none is named); children count for their parents."""
    from cloudpemda.cli.quota_tables import quota_table
    from cloudpemda.usecases.quota import quota as use_case

    with frame.desk() as desk:
        lines = use_case(desk, *opds, at=at)
    frame.finish(lines, lambda out: quota_table(out, frame, lines))


@quota.command(short_help="What was granted on top of the limits, by which letter.")
@click.argument("opds", nargs=-1)
@click.pass_obj
def grants(frame: "Frame", opds: tuple[str, ...]) -> None:
    """What was granted to OPDS (all if none is named) on top of their limits, with its letter."""
    from cloudpemda.cli.quota_tables import grants_table
    from cloudpemda.usecases.quota import grants as use_case

    with frame.desk() as desk:
        found = use_case(desk, *opds)
        zone, now = desk.site.zone, desk.clock.now()
    frame.finish(found, lambda out: grants_table(out, frame, found, zone, now))


@quota.command(short_help="Count again from the clusters; name each difference.")
@click.argument("opds", nargs=-1)
@click.pass_obj
def verify(frame: "Frame", opds: tuple[str, ...]) -> None:
    """Count again from the clusters, and name each difference with its cause."""
    from cloudpemda.cli.quota_tables import recount_table
    from cloudpemda.usecases.quota_verify import verify_quota

    with frame.desk() as desk:
        found = verify_quota(desk, *opds)

    def text(out: "Console") -> None:
        recount_table(out, frame, found.lines, sound=not found.faults)

    frame.finish(found.lines, text, found.faults, found.code)


@quota.command(short_help="The requests for quota, oldest first.")
@click.option("--opd", help="Only this OPD's.")
@click.option("--state", help="Only requests in this state, e.g. pending.")
@click.pass_obj
def requests(frame: "Frame", opd: str | None, state: str | None) -> None:
    """The requests for quota, oldest first; `cloudpemda request show NUMBER` for one."""
    from cloudpemda.cli.quota_tables import quota_request_list
    from cloudpemda.usecases.quota_requests import quota_requests

    with frame.desk() as desk:
        found = quota_requests(desk, opd=opd, state=state)
    frame.finish(found, lambda out: quota_request_list(out, frame, found))


# -- `cloudpemda request …` on a request for quota ---------------------------------------------
def show_request(frame: "Frame", desk: "Desk", key: str) -> NoReturn:
    from cloudpemda.cli.quota_tables import quota_request_page
    from cloudpemda.usecases.quota_requests import quota_view

    view, zone = quota_view(desk, key), desk.site.zone
    frame.finish(view, lambda out: quota_request_page(out, frame, view, zone))


def approve_request(frame: "Frame", desk: "Desk", key: str, revision: int | None) -> NoReturn:
    from cloudpemda.cli.quota_tables import quota_approval
    from cloudpemda.usecases.quota_requests import approve_quota

    done = approve_quota(desk, key, revision)
    zone, now = desk.site.zone, desk.clock.now()
    frame.finish(done, lambda out: quota_approval(out, frame, done, zone, now))


def deny_request(frame: "Frame", desk: "Desk", key: str, reason: str) -> NoReturn:
    from cloudpemda.usecases.quota_requests import deny_quota

    record = deny_quota(desk, key, reason)
    frame.finish(record, lambda out: out.print(frame.say("request.denied", key=record.key)))


def withdraw_request(frame: "Frame", desk: "Desk", key: str, reason: str | None) -> NoReturn:
    from cloudpemda.usecases.quota_requests import withdraw_quota

    record = withdraw_quota(desk, key, reason)
    code = f"show.quota-{record.state.value}"
    frame.finish(record, lambda out: out.print(frame.say(code, key=record.key)))
