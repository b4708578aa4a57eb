"""The lab as pages: its clock and nodes, what it serves of PVE, its faults."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cloudpemda.cli.tables import print_or, table
from cloudpemda.units import instant, show_utc

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


def lab_status(out: Console, frame: "Frame", told: Mapping[str, Any]) -> None:
    status_ = told["status"]
    now = show_utc(instant(int(status_["now"])))
    out.print(frame.say("show.lab-clock", now=now, rate=status_["rate"]))
    shown = table(frame, "cluster", "version", "node", "state", "endpoint")
    every = told["clusters"] | told.get("backup_servers", {})
    for cluster, found in every.items():
        state = status_["clusters"][cluster]
        for node, url in found["nodes"].items():
            shown.add_row(cluster, str(state["version"]), node, state["nodes"][node], url)
    out.print(shown)


def lab_coverage(out: Console, frame: "Frame", told: Mapping[str, Mapping[str, Any]]) -> None:
    for release, found in told.items():
        shown = table(frame, "release", "path", "served", "of")
        for part, (served, known) in found["parts"].items():
            shown.add_row(release, f"/{part}", str(served), str(known))
        out.print(shown)
        out.print(frame.say("show.not-served", count=len(found["unserved"]), release=release))
        for name in found["unserved"]:
            out.print(f"  {name}", highlight=False, markup=False, soft_wrap=True)


def lab_faults(out: Console, frame: "Frame", told: Sequence[Mapping[str, Any]]) -> None:
    shown = table(frame, "fault", "fired")
    for one in told:
        fault = {key: value for key, value in one.items() if key not in ("seen", "fired")}
        shown.add_row(_flow(fault)[1:-1], str(one.get("fired", 0)))
    print_or(out, shown, frame.say("show.no-faults"))


def _flow(value: object) -> str:
    """As a fault script writes it, in one line."""
    if not isinstance(value, Mapping):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    pairs = ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items())
    return f"{{{pairs}}}"
