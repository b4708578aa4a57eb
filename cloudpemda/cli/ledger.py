"""`cloudpemda ledger …`: sealed copies of the ledger, the way back, and whether it is sound."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import require_confirmed
from cloudpemda.errors import Refused, UsageError
from cloudpemda.units import show_local

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame


@click.group()
def ledger() -> None:
    """Copies of the ledger, restoring one, and whether it can be believed."""


@ledger.command()
@click.pass_obj
def keygen(frame: "Frame") -> None:
    """Make the key that copies are sealed with; never replaces one."""
    from cloudpemda.usecases.keep import keygen as use_case

    with frame.desk() as desk:
        file = use_case(desk)
    frame.finish({"file": file}, lambda out: out.print(frame.say("show.backup-key", file=file)))


@ledger.command(short_help="Copy the ledger, sealed: to FILE, or dated.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write a dated copy here instead of the site's own directory.",
)
@click.pass_obj
def backup(frame: "Frame", file: Path | None, directory: Path | None) -> None:
    """Copy the ledger, sealed: to FILE, or dated, of which site.yaml's number is kept."""
    from cloudpemda.cli.progress import counting
    from cloudpemda.usecases.keep import backup as use_case

    if file is not None and directory is not None:
        raise UsageError("backup.file-and-directory")
    with frame.desk() as desk, counting(frame) as tell:
        copy = use_case(desk, tell, file=file, directory=directory)

    def text(out: "Console") -> None:
        header = copy.header
        values = {"file": copy.file, "rows": header.total, "entries": header.newest.seq}
        out.print(frame.say("show.backup-written", **values))
        if copy.removed:
            out.print(frame.say("show.backup-removed", count=len(copy.removed)))

    frame.finish(copy, text)


@ledger.command(short_help="Put a copy in the ledger's place; keep what was there.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask whether to replace what is there.")
@click.pass_obj
def restore(frame: "Frame", file: Path, yes: bool) -> None:
    """Put a copy in the place of the ledger, keep what was there, compare with the clusters."""
    from cloudpemda.cli.progress import counting
    from cloudpemda.usecases.keep import restore as use_case

    with frame.desk() as desk:
        zone = desk.site.zone
        try:
            with counting(frame) as tell:
                done, verified = use_case(desk, file, tell, agreed=yes)
        except Refused as refusal:
            if refusal.code != "backup.present" or frame.json or not frame.err.is_terminal:
                raise
            require_confirmed(frame, frame.say("show.restore-ask", file=file))
            with counting(frame) as tell:
                done, verified = use_case(desk, file, tell, agreed=True)

    def text(out: "Console") -> None:
        header = done.header
        values = {"at": show_local(header.at, zone), "rows": header.total}
        out.print(frame.say("show.backup-restored", entries=header.newest.seq, **values))
        if done.kept is not None:
            out.print(frame.say("show.backup-kept", file=done.kept, lost=done.lost))

    data = {"restored": done, "verified": verified}
    frame.finish(data, text, verified.faults, verified.code)


@ledger.command(short_help="Check the ledger by itself and against the clusters.")
@click.pass_obj
def verify(frame: "Frame") -> None:
    """Check the ledger by itself and against the clusters; exit 0, 5 or 7 with findings."""
    from cloudpemda.usecases.keep import verify as use_case

    with frame.desk() as desk:
        found = use_case(desk)

    def text(out: "Console") -> None:
        if not found.findings:
            values = {"entries": found.entries, "instances": found.instances}
            out.print(frame.say("show.ledger-sound", schema=found.schema, **values))

    frame.finish(found, text, found.faults, found.code)


@ledger.command(short_help="Write the files of a sealed copy of a site into DIRECTORY.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    help="The file of the key that copies are sealed with.",
)
@click.pass_obj
def unpack(frame: "Frame", file: Path, directory: Path, key: Path) -> None:
    """Write the files of a sealed copy of a site (*.site) into DIRECTORY; needs no site."""
    from cloudpemda.usecases.site_copy import unpack as use_case

    copy = use_case(file, key, directory)
    values = {"count": len(copy.files), "site": copy.site, "at": copy.at}
    said = frame.say("show.site-unpacked", directory=directory, **values)
    data = {"site": copy.site, "at": copy.at, "files": sorted(copy.files)}
    frame.finish(data, lambda out: out.print(said, soft_wrap=True))
