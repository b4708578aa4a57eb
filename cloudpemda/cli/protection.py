"""`cloudpemda protect status`: what protects each VM really, and what its loss would cost."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_duration, show_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console
    from rich.text import Text

    from cloudpemda.cli.frame import Frame
    from cloudpemda.report.protection import LossView, Protection
    from cloudpemda.usecases.protection import Protections

_BREACH = frozenset({"late", "never", "unknown", "clock-skew"})


@click.command(short_help="HA, replica, backup, copy at the DRC; RPO promised and attained.")
@click.argument("key", required=False, metavar="[KEY]")
@click.option("--opd", help="Only this OPD's.")
@click.pass_obj
def status(frame: "Frame", key: str | None, opd: str | None) -> None:
    """What protects each VM really, or those of KEY (a workload or one VM): HA, the last good
    replica, backup and copy at the recovery centre, and what a loss would cost of what it may.

    Exit code 7 where one is not protected as promised, 5 where something could not be read.
    """
    from cloudpemda.usecases.protection import protect_status

    with frame.desk() as desk:
        found = protect_status(desk, opd=opd, key=key)
        zone = desk.site.zone
    one = found.vms[0] if key is not None and len(found.vms) == 1 else None

    def shown(out: "Console") -> None:
        if one is not None:
            _page(out, frame, one, zone)
        else:
            _tables(out, frame, found)
        out.print(frame.say("show.as-of", at=show_local(found.at, zone)), style="dim")

    frame.finish(found, shown, found.faults, found.code)


def _tables(out: "Console", frame: "Frame", found: "Protections") -> None:
    from cloudpemda.cli.tables import cover, keep_words, print_or, table

    made = table(frame, "VM", "HA", "replica", "backup", "DRC", "RPO-node", "RPO-site", "RTO")
    for one in found.vms:
        made.add_row(
            one.key,
            cover(one.ha),
            cover(one.replication),
            cover(one.backup),
            cover(one.away),
            _loss(one.node_loss),
            _loss(one.site_loss),
            "-" if one.rto is None else show_duration(one.rto),
        )
    keep_words(out, made)
    print_or(out, made, frame.say("show.no-instances"))
    stay = [f"{one.key}: {', '.join(one.bound)}" for one in found.vms if one.bound]
    if stay:
        out.print(frame.say("show.bound", vms="; ".join(stay)), soft_wrap=True)
    if not found.opds:
        return
    out.print()
    opds = table(frame, "OPD", "VMs", "as-promised", "pending", "RPO-node", "RPO-site")
    for each in found.opds:
        opds.add_row(
            each.opd,
            str(each.vms),
            str(each.green),
            str(each.pending),
            "-" if each.node_attained is None else show_duration(each.node_attained),
            "-" if each.site_attained is None else show_duration(each.site_attained),
        )
    out.print(opds)


def _loss(loss: "LossView | None") -> "Text":
    """What would be lost of what may be: `32s / 30m`."""
    from rich.text import Text

    if loss is None or loss.promised is None:
        return Text("-", style="dim" if loss is not None else "magenta")
    attained = "?" if loss.attained is None else show_duration(loss.attained)
    style = "red" if loss.standing in _BREACH else "yellow" if loss.standing == "pending" else ""
    return Text(f"{attained} / {show_duration(loss.promised)}", style=style)


def _page(out: "Console", frame: "Frame", one: "Protection", zone: "ZoneInfo") -> None:
    from rich.text import Text

    from cloudpemda.cli.tables import evidence, table

    def taken(loss: "LossView | None") -> "Text":
        text = _loss(loss)
        if loss is not None and loss.left_from is not None:
            text.append(f"  {show_local(loss.left_from, zone)}", style="dim")
        return text

    made = table(frame, "", "")
    rows: dict[str, str | Text] = {
        "class": one.service_class,
        "node": one.node or "-",
        "ha": evidence(one.ha),
        "replica": evidence(one.replication),
        "backup": evidence(one.backup),
        "drc": evidence(one.away),
        "verified": _verified(frame, one.site_loss, zone),
        "rpo-node": taken(one.node_loss),
        "rpo-site": taken(one.site_loss),
        "rto": "-" if one.rto is None else show_duration(one.rto),
        "bound": "; ".join(one.bound) or "-",
        "unprotected-disks": "; ".join(one.unprotected_disks) or "-",
        "differs": "; ".join(one.differences) or "-",
    }
    if one.promoted is not None:
        left = f"{one.promoted.node}, >= {show_local(one.promoted.at, zone)}"
        rows["promoted"] = Text(left, style="red")
    for name, value in rows.items():
        made.add_row(frame.say(f"column.{name}"), value)
    out.print(Text(one.key, style="bold"))
    out.print(made)


def _verified(frame: "Frame", loss: "LossView | None", zone: "ZoneInfo") -> str:
    """When what would be left was found whole."""
    if loss is None or loss.source is None or loss.verified is None:
        return frame.say("show.not-verified") if loss is not None and loss.source else "-"
    when = "" if loss.verified_at is None else show_local(loss.verified_at, zone)
    return frame.say("show.verified-at", at=when or "?")
