"""`cloudpemda status` and `vm …`: what there is."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.backups import backups
from cloudpemda.cli.disks import disks
from cloudpemda.cli.power import COMMANDS, stop_lines
from cloudpemda.cli.restore import copies, restore
from cloudpemda.cli.snapshots import snapshot
from cloudpemda.cli.vm_roles import configure

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame


@click.command()
@click.option("--opd", help="Only this OPD's.")
@click.option("--offline", is_flag=True, help="From the ledger alone: no cluster is asked.")
@click.pass_obj
def status(frame: "Frame", opd: str | None, offline: bool) -> None:
    """Each VM with node, address, HA, replication, backup; quota used of limit."""
    from cloudpemda.cli import status_tables
    from cloudpemda.cli.chain import expiring_lines
    from cloudpemda.cli.nodes import drain_lines
    from cloudpemda.usecases.status import status as use_case

    with frame.desk() as desk:
        found = use_case(desk, opd=opd, offline=offline)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        status_tables.status(out, frame, found, zone)
        expiring_lines(out, frame, found.expiring, zone)
        drain_lines(out, frame, found.drains, zone)
        for what, count in (("orphans", found.orphans), ("resting", found.resting)):
            if count:
                out.print(frame.say(f"show.status-{what}", count=count), soft_wrap=True)
        stop_lines(out, frame, found.instances, zone)

    frame.finish(found, shown, found.faults, found.code)


@click.group()
def vm() -> None:
    """The VMs that cloudpemda looks after."""


@vm.command("list")
@click.option("--opd", help="Only this OPD's.")
@click.pass_obj
def list_(frame: "Frame", opd: str | None) -> None:
    """All VMs with their protection as read back."""
    from cloudpemda.cli import status_tables
    from cloudpemda.usecases.status import status as use_case

    with frame.desk() as desk:
        found = use_case(desk, opd=opd)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        status_tables.instances(out, frame, found.instances)
        stop_lines(out, frame, found.instances, zone)

    frame.finish(found.instances, shown, found.faults, found.code)


@vm.command(short_help="One VM by KEY (dinkes/simrs/db-1), with its evidence.")
@click.argument("key")
@click.pass_obj
def show(frame: "Frame", key: str) -> None:
    """One VM by KEY (dinkes/simrs/db-1), with the evidence of its protection."""
    from cloudpemda.cli import status_tables
    from cloudpemda.usecases.status import instance

    with frame.desk() as desk:
        one, found = instance(desk, key)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        status_tables.instance_page(out, frame, one, zone)
        stop_lines(out, frame, (one,), zone)

    frame.finish(one, shown, found.faults, found.code)


for _command in (*COMMANDS, backups, configure, copies, disks, restore, snapshot):
    vm.add_command(_command)
