"""`cloudpemda ip …`: who has which address."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.addresses import Addresses, PoolLine


@click.group()
def ip() -> None:
    """Private and public addresses: who has which, for what, by which letter."""


@ip.command("list", short_help="Each address with its owner, purpose and letter.")
@click.option("--network", "pool", help="Only this network's.")
@click.option("--public", is_flag=True, help="Only public addresses.")
@click.option("--opd", help="Only this OPD's.")
@click.option("--check", is_flag=True, help="First look which of them strangers on PVE use.")
@click.pass_obj
def list_(frame: "Frame", *, pool: str | None, public: bool, opd: str | None, check: bool) -> None:
    """Each address with its owner, purpose and letter; how many of each network are left."""
    from cloudpemda.errors import UsageError
    from cloudpemda.ledger.vm_records import PUBLIC
    from cloudpemda.usecases.addresses import addresses

    if pool is not None and public:
        raise UsageError("ip.network-and-public")
    with frame.desk() as desk:
        found = addresses(desk, pool=PUBLIC if public else pool, opd=opd, check=check)
        zone = desk.site.zone
    frame.finish(found, lambda out: _page(out, frame, found, zone), found.faults, found.code)


def _page(out: "Console", frame: "Frame", found: "Addresses", zone: "ZoneInfo") -> None:
    """A heading for each network with what is left of it, and its addresses below."""
    from rich.text import Text

    from cloudpemda.cli.tables import table
    from cloudpemda.messages import harmless

    figures = {one.pool: one for one in found.pools}
    for pool in sorted({*figures, *(line.pool for line in found.lines)}):
        out.print(Text(_heading(frame, pool, figures.get(pool)), style="bold"), soft_wrap=True)
        shown = table(frame, "address", "VM", "since", "letter")
        own = [line for line in found.lines if line.pool == pool]
        for line in own:
            vm = line.vm if line.where is None else f"{line.vm} ({line.where})"
            since = "" if line.since is None else show_local(line.since, zone)[:10]
            said = frame.say(f"show.ip-{line.state}")
            about = said if line.letter is None else f"{line.letter}: {line.purpose}"
            shown.add_row(*(Text(harmless(cell)) for cell in (line.address, vm, since, about)))
        if own:
            out.print(shown)
    if not found.lines and not found.pools:
        out.print(frame.say("show.no-addresses"))


def _heading(frame: "Frame", pool: str, figures: "PoolLine | None") -> str:
    if figures is None:
        return pool
    return frame.say(
        "show.ip-pool", pool=pool, cidr=figures.cidr, given=figures.given, resting=figures.resting,
        reserved=figures.reserved + figures.seen, free=figures.free,
    )  # fmt: skip
