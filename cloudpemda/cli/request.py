"""`cloudpemda request …`: the life of a request."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cloudpemda.cli.inbox import inbox
from cloudpemda.cli.retire import purge, restore, retire
from cloudpemda.cli.transfer import transfer
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, UsageError, worst

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame


@click.group()
def request() -> None:
    """The life of a request: an OPD's YAML, from first check to decision."""


for command in (inbox, retire, restore, purge, transfer):
    request.add_command(command)


@request.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def check(frame: "Frame", files: tuple[Path, ...]) -> None:
    """Check FILES offline: schema, catalogue, policy. Nothing is sent or stored."""
    from cloudpemda.cli.request_tables import checked_files
    from cloudpemda.site import load_site
    from cloudpemda.usecases.check import check_file
    from cloudpemda.wiring import checking_moment

    site = load_site(frame.directory)
    frame.follow(site)
    now = checking_moment(site)
    results = [check_file(site, file, now) for file in files]
    faults = [fault for result in results for fault in result.faults]
    code = worst(result.code for result in results)
    frame.finish(results, lambda out: checked_files(out, frame, results), faults, code)


@request.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--allow-retire", is_flag=True, help="A change may take VMs or disks away.")
@click.pass_obj
def submit(frame: "Frame", files: tuple[Path, ...], allow_retire: bool) -> None:
    """Check FILES and hand them in; holds nothing. A faulty one stops no other."""
    from cloudpemda.cli.chain import rule_lines
    from cloudpemda.cli.request_tables import submissions
    from cloudpemda.usecases.submit import submit_file

    done, faults, codes = [], list[Fault](), list[ExitCode]()
    with frame.desk() as desk:
        for file in files:
            try:
                done.append(submit_file(desk, file, allow_retire=allow_retire))
            except CloudpemdaError as error:
                faults.extend(error.faults)
                codes.append(error.exit_code)

    def shown(out: "Console") -> None:
        submissions(out, frame, done)
        rule_lines(out, frame, [one.by_rule for one in done if one.by_rule is not None])

    frame.finish(done, shown, faults, worst(codes))


@request.command("list", short_help="All requests, oldest first; or what waits for you.")
@click.option("--opd", help="Only this OPD's.")
@click.option("--state", help="Only requests in this state, e.g. pending.")
@click.option("--waiting", is_flag=True, help="What waits for your decision, quota included.")
@click.pass_obj
def list_(frame: "Frame", opd: str | None, state: str | None, waiting: bool) -> None:
    """All requests, oldest first; those for quota are in `quota requests`."""
    from cloudpemda.cli.request_tables import request_list
    from cloudpemda.usecases.look import requests

    if waiting:
        if opd or state:
            raise UsageError("look.waiting-alone")
        _list_waiting(frame)
    with frame.desk() as desk:
        found = requests(desk, opd=opd, state=state)
    frame.finish(found, lambda out: request_list(out, frame, found))


def _list_waiting(frame: "Frame") -> NoReturn:
    from cloudpemda.cli.request_tables import waiting_list
    from cloudpemda.usecases.waiting import waiting as use_case

    with frame.desk() as desk:
        found = use_case(desk)
    frame.finish(found, lambda out: waiting_list(out, frame, found))


@request.command(short_help="One request: what it changes, its offer, its history.")
@click.argument("key")
@click.option("--offline", is_flag=True, help="Do not ask the clusters: no offer.")
@click.pass_obj
def show(frame: "Frame", key: str, offline: bool) -> None:
    """One request with what it changes, its history and, while it waits, the offer to decide on."""
    from cloudpemda.cli import quota as quota_cli
    from cloudpemda.cli.request_tables import request_page
    from cloudpemda.usecases.look import request_view
    from cloudpemda.usecases.quota_requests import concerns

    with frame.desk() as desk:
        if concerns(desk, key):
            quota_cli.show_request(frame, desk, key)
        view = request_view(desk, key, offline=offline)
        zone = desk.site.zone
    frame.finish(view, lambda out: request_page(out, frame, view, zone), view.faults, view.code)


@request.command(short_help="Decide for the request; checks everything again.")
@click.argument("key")
@click.option("--revision", type=int, metavar="N", help="Only if it still stands at revision N.")
@click.pass_obj
def approve(frame: "Frame", key: str, revision: int | None) -> None:
    """Decide for the request: checks everything again and takes the hold, at once.

    With the revision that you have read, nothing is decided that was handed in since."""
    from cloudpemda.cli import quota as quota_cli
    from cloudpemda.cli.request_tables import approval
    from cloudpemda.usecases.approve import approve as use_case
    from cloudpemda.usecases.quota_requests import concerns

    with frame.desk() as desk:
        if concerns(desk, key):
            quota_cli.approve_request(frame, desk, key, revision)
        approved = use_case(desk, key, revision)
        zone = desk.site.zone
    frame.finish(approved, lambda out: approval(out, frame, approved, zone), approved.warnings)


@request.command()
@click.argument("key")
@click.option("--reason", required=True, help="Why; the OPD reads it.")
@click.pass_obj
def deny(frame: "Frame", key: str, reason: str) -> None:
    """Decide against the request, with a reason."""
    from cloudpemda.cli import quota as quota_cli
    from cloudpemda.usecases.decide import deny as use_case
    from cloudpemda.usecases.quota_requests import concerns

    with frame.desk() as desk:
        if concerns(desk, key):
            quota_cli.deny_request(frame, desk, key, reason)
        record = use_case(desk, key, reason)
    code = "request.denied" if record.proposal is None else "request.change-denied"
    frame.finish(record, lambda out: out.print(frame.say(code, key=record.key)))


@request.command()
@click.argument("key")
@click.option("--reason", help="Why, for the record.")
@click.pass_obj
def withdraw(frame: "Frame", key: str, reason: str | None) -> None:
    """Take the request back before it is applied; its hold returns."""
    from cloudpemda.cli import quota as quota_cli
    from cloudpemda.usecases.decide import withdraw as use_case
    from cloudpemda.usecases.quota_requests import concerns

    with frame.desk() as desk:
        if concerns(desk, key):
            quota_cli.withdraw_request(frame, desk, key, reason)
        record = use_case(desk, key, reason)
    code = "request.was-withdrawn" if record.proposal is None else "request.change-withdrawn"
    frame.finish(record, lambda out: out.print(frame.say(code, key=record.key)))
