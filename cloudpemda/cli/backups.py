"""`cloudpemda vm backups`: what a VM could be restored from."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_local

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame


@click.command(short_help="The backups of a VM by KEY, newest first.")
@click.argument("key")
@click.pass_obj
def backups(frame: "Frame", key: str) -> None:
    """The backups of a VM by KEY, newest first: when, how large, whether verified."""
    from cloudpemda.cli.tables import print_or, table
    from cloudpemda.usecases.backups import backups as use_case

    with frame.desk() as desk:
        found = use_case(desk, key)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        made = table(frame, "when", "size", "verified", "backup")
        for one in found:
            verified = {True: "yes", False: "failed", None: "not"}[one.backup.verified]
            said = frame.say(f"show.vm-verified-{verified}")
            volume = one.backup.volume
            if not one.since_known:
                volume += f" ({frame.say('show.vm-backup-older')})"
            size = f"{one.backup.size / 1024**3:.1f} GiB"
            made.add_row(show_local(one.backup.taken_at, zone), size, said, volume)
        print_or(out, made, frame.say("show.vm-no-backups"))

    frame.finish(found, shown)
