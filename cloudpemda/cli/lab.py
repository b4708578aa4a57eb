"""`cloudpemda lab …`: the simulated clusters, as a process beside the site."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import require_confirmed
from cloudpemda.errors import InvalidInput, Refused, UsageError

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


def state_directory(site: Path) -> Path:
    """Where a site's lab keeps its state."""
    return site / "var" / "lab"


def layout_file(site: Path) -> Path | None:
    """The site's own layout of simulated clusters, if it has one."""
    layout = site / "lab.yaml"
    return layout if layout.exists() else None


def lab_directory(frame: "Frame") -> Path:
    """Where the lab of this site keeps its state. Raises Refused `lab.real-site` for a site with
    real clusters: a lab beside them would only mislead."""
    from cloudpemda.site import load_site

    if not frame.directory.is_dir():
        raise Refused("lab.no-directory", directory=str(frame.directory))
    if (frame.directory / "site.yaml").exists():
        site = load_site(frame.directory)
        if all(settings.endpoints != "lab" for settings in site.info.clusters.values()):
            raise Refused("lab.real-site", directory=str(frame.directory))
    return state_directory(frame.directory)


@click.group()
def lab() -> None:
    """The simulated clusters that ship with the program (docs/lab.md)."""


@lab.command(short_help="Run in the foreground.")
@click.option("--state", type=click.Choice(["recorded"]), help="One cluster as it was recorded.")
@click.option("--version", type=click.Choice(["9.2", "8.4"]), help="Of that cluster; else 9.2.")
@click.option("--listen", help="HOST:PORT of that cluster; else 127.0.0.1:8006.")
@click.option(
    "--root-password",
    envvar="CLOUDPEMDA_LAB_ROOT_PASSWORD",
    help="Of its root@pam.",
)
@click.pass_obj
def serve(
    frame: "Frame",
    state: str | None,
    version: str | None,
    listen: str | None,
    root_password: str | None,
) -> None:
    """Run in the foreground: the site's lab, or one cluster with `--state recorded`."""
    from cloudpemda.lab import serve as simulated

    if state is None and (version or listen):
        raise UsageError("lab.state-missing")
    if state is None:
        directory = lab_directory(frame)
        simulated.serve_site(directory, layout_file(frame.directory))
        return
    listen = listen or "127.0.0.1:8006"
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError("lab.listen", listen=listen)
    if not root_password:
        raise UsageError("lab.password-missing")
    simulated.serve_recorded(version or "9.2", host, int(port), root_password)


@lab.command()
@click.pass_obj
def start(frame: "Frame") -> None:
    """Start the lab in the background; does nothing if it runs."""
    from cloudpemda.lab import process

    directory = lab_directory(frame)
    found, started = process.start(directory, layout_file(frame.directory))
    code = "lab.started" if started else "lab.runs-already"
    data = {"started": started, "pid": found.pid, "clusters": found.clusters}

    frame.finish(data, lambda out: out.print(frame.say(code, pid=found.pid, directory=directory)))


@lab.command()
@click.pass_obj
def stop(frame: "Frame") -> None:
    """Stop the lab; its state stays for the next start."""
    from cloudpemda.lab import process

    directory = state_directory(frame.directory)
    stopped = process.stop(directory)
    code = "lab.stopped" if stopped else "lab.was-not-running"
    frame.finish({"stopped": stopped}, lambda out: out.print(frame.say(code, directory=directory)))


@lab.command()
@click.option("--coverage", is_flag=True, help="Which of PVE's calls a lab does not serve.")
@click.pass_obj
def status(frame: "Frame", coverage: bool) -> None:
    """Where the lab listens, what time it has, which nodes are down."""
    from cloudpemda.cli.lab_tables import lab_coverage, lab_status
    from cloudpemda.lab import process, tables

    if coverage:
        covered = {
            release: {"parts": tables.coverage(release), "unserved": tables.unserved(release)}
            for release in tables.RELEASES
        }
        frame.finish(covered, lambda out: lab_coverage(out, frame, covered))
        return
    found = process.require(state_directory(frame.directory))
    told = found.get("/status")
    data = {"pid": found.pid, "clusters": found.clusters, "status": told}
    data |= {"backup_servers": found.servers} if found.servers else {}
    frame.finish(data, lambda out: lab_status(out, frame, data))


@lab.command(short_help="Move the lab's clock by DURATION (90s, 15m, 24h, 7d).")
@click.argument("duration")
@click.pass_obj
def advance(frame: "Frame", duration: str) -> None:
    """Move the lab's clock by DURATION (90s, 15m, 24h, 7d); all that falls due happens."""
    from cloudpemda.lab import process
    from cloudpemda.units import UnitError, instant, parse_duration, show_utc

    try:
        seconds = parse_duration(duration)
    except UnitError as error:
        raise UsageError(error.code, text=error.text) from error
    found = process.require(state_directory(frame.directory))
    found.post("/advance", {"seconds": seconds})
    now = show_utc(instant(int(found.get("/clock")["now"])))
    frame.finish(
        {"now": now}, lambda out: out.print(frame.say("lab.advanced", by=duration, now=now))
    )


@lab.command(short_help="Arm the faults of SCRIPT; without it, list them.")
@click.argument("script", required=False, type=click.Path(path_type=Path))
@click.option("--clear", is_flag=True, help="Disarm all faults.")
@click.pass_obj
def fault(frame: "Frame", script: Path | None, clear: bool) -> None:
    """Arm the faults of SCRIPT (YAML); without it, list what is armed and how often it fired."""
    from cloudpemda.cli.lab_tables import lab_faults
    from cloudpemda.lab import process

    found = process.require(state_directory(frame.directory))
    if clear:
        found.post("/faults", {"faults": []})
    elif script is not None:
        found.post("/faults", {"faults": read_faults(script)})
    told = found.get("/faults")
    frame.finish(told, lambda out: lab_faults(out, frame, told))


def read_faults(script: Path) -> object:
    """The `faults` of a fault script. Raises InvalidInput with its faults."""
    from cloudpemda.document import load
    from cloudpemda.lab.errors import LabError
    from cloudpemda.lab.faults import understood

    source = load(script)
    if source.faults:
        raise InvalidInput(source.faults)
    faults = source.get("faults")
    if not isinstance(faults, tuple):
        raise InvalidInput([source.fault("lab.fault-file", ())])
    wrong = []
    for number, one in enumerate(faults):
        try:
            understood([one])
        except LabError as error:
            values = {name: str(value) for name, value in error.values.items()}
            wrong.append(source.fault(error.code, ("faults", number), at_key=False, **values))
    if wrong:
        raise InvalidInput(wrong)
    return list(faults)


@lab.command(short_help="Put the lab and the site's ledger back to the beginning.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(frame: "Frame", yes: bool) -> None:
    """Put the lab and the site's ledger back to the beginning, together."""
    from cloudpemda.lab import process
    from cloudpemda.wiring import forget_ledger, lab_ledger

    if not yes and not frame.json:
        require_confirmed(frame, frame.say("lab.reset-ask", directory=frame.directory))
    ledger = lab_ledger(frame.directory)
    process.reset(state_directory(frame.directory))
    forget_ledger(ledger)
    frame.finish({"reset": True}, lambda out: out.print(frame.say("lab.was-reset")))


@lab.command(short_help="Write down in FILE how the site's own cluster answers.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--cluster", help="Which cluster of the site; needed where it has several.")
@click.option(
    "--each",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="At most so many VMs, tasks, users … of every list.",
)
@click.pass_obj
def record(frame: "Frame", file: Path, cluster: str | None, each: int) -> None:
    """Write down in FILE how the site's own cluster answers: reads only, secrets removed."""
    from cloudpemda.cli.progress import counting
    from cloudpemda.site import load_site
    from cloudpemda.usecases.record import record as use_case
    from cloudpemda.wiring import configure_log, open_cluster, site_clock

    configure_log(debug=frame.debug)
    site = load_site(frame.directory)
    frame.follow(site)
    clusters = list(site.info.clusters)
    chosen = cluster or (clusters[0] if len(clusters) == 1 else "")
    if chosen not in clusters:
        raise UsageError("record.which", asked=cluster or "-", known=", ".join(clusters))
    pve = open_cluster(site, chosen, site_clock(site))
    with counting(frame) as tell:
        found = use_case(pve, file, each=each, tell=tell)
    values = {name: getattr(found, name) for name in found.__dataclass_fields__}
    frame.finish(found, lambda out: out.print(frame.say("record.written", **values)))
