"""`cloudpemda vm disks`: disks that were removed and can still be put back."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_local, show_size

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame


@click.command(short_help="Disks that were removed, and rest until they are destroyed.")
@click.pass_obj
def disks(frame: "Frame") -> None:
    """Disks that were removed from VMs and rest until they are destroyed. A document that has one
    again, in its class and size, puts it back with its data."""
    from cloudpemda.usecases.asides import asides

    with frame.desk() as desk:
        found = asides(desk)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        if not found:
            out.print(frame.say("show.vm-no-disks"))
        for one in found:
            kind = "leaving" if one.why == "removed" and one.since is None else one.why.value
            until = "-" if one.purge_at is None else show_local(one.purge_at, zone)
            values = {"disk": one.disk, "vm": one.vm, "volume": one.volume, "until": until}
            text = frame.say(f"show.vm-disk-{kind}", size=show_size(one.size), **values)
            out.print(text, soft_wrap=True)

    frame.finish(found, shown)
