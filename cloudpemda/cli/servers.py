"""`cloudpemda nodes check`, `configure` and `key`: the servers below the clusters, and the key by
which VMs are entered."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.nodes import nodes

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.cli.progress import Live
    from cloudpemda.configure.runner import Told
    from cloudpemda.usecases.servers import Checked, Configured


@nodes.command("check", short_help="The inventory of the servers: what is missing or wrong.")
@click.option("--reach", is_flag=True, help="Also look at every server over ssh, at all at once.")
@click.pass_obj
def check(frame: "Frame", *, reach: bool) -> None:
    """Check ansible/ of the site: every variable that is missing or wrong, by file and line."""
    from cloudpemda.cli.progress import Live
    from cloudpemda.site import load_site
    from cloudpemda.usecases import servers

    site = load_site(frame.directory)
    frame.follow(site)
    checked = servers.check(site)
    if checked.faults or not reach:
        frame.finish(
            checked, lambda out: _checked(out, frame, checked), checked.faults, checked.code
        )
    with Live(frame) as live, frame.desk() as desk:
        found = servers.reach(desk, _telling(live), live.halted)
    frame.finish(found, lambda out: _summary(out, frame, found), found.faults, found.code)


@nodes.command("configure", short_help="Play playbooks on the servers.")
@click.argument("playbook", nargs=-1)
@click.option("--limit", default="", help="Only these hosts or groups, comma between them.")
@click.option("--tags", default="", help="Only tasks with these tags, comma between them.")
@click.option("--check", "rehearsal", is_flag=True, help="Change nothing, tell what would change.")
@click.pass_obj
def configure(
    frame: "Frame", *, playbook: tuple[str, ...], limit: str, tags: str, rehearsal: bool
) -> None:
    """Play PLAYBOOKs on the servers of ansible/, in the order that bare servers need.

    Run it again after a failure or Ctrl-C: what is done stays done. Secrets come from Ansible's
    vault (ANSIBLE_VAULT_PASSWORD_FILE) or the environment.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.errors import UsageError
    from cloudpemda.usecases import servers

    if not playbook:
        raise UsageError("configure.which", known=", ".join(servers.available()))
    with Live(frame) as live, frame.desk() as desk:
        found = servers.configure(
            desk, playbook, _words(limit), _words(tags), _telling(live), live.halted,
            rehearsal=rehearsal,
        )  # fmt: skip
    frame.finish(found, lambda out: _summary(out, frame, found), found.faults, found.code)


@nodes.command("key", short_help="Make the site's key for the inside of VMs.")
@click.pass_obj
def key(frame: "Frame") -> None:
    """Make the key pair by which roles are set up inside VMs; never replaces one.

    VMs whose requests have roles let its public half in; other VMs never get it.
    """
    from cloudpemda.usecases.site_key import make_key

    with frame.desk() as desk:
        file, public = make_key(desk)

    def shown(out: "Console") -> None:
        out.print(frame.say("show.site-key", file=file), soft_wrap=True)
        out.print(public, soft_wrap=True, markup=False)

    frame.finish({"file": file, "public": public}, shown)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _telling(live: "Live") -> "Told":
    """A bar per host that names its task; how many there will be, nobody knows before."""
    return lambda playbook, host, task: live.progress(host or playbook, task, playbook, 0.0)


def _checked(out: "Console", frame: "Frame", checked: "Checked") -> None:
    from cloudpemda.cli.tables import table

    made = table(frame, "group", "hosts")
    for group, hosts in checked.hosts.items():
        made.add_row(group, ", ".join(hosts) or "-")
    if checked.hosts:
        out.print(made)
    if not checked.faults:
        count = sum(len(hosts) for hosts in checked.hosts.values())
        out.print(frame.say("show.inventory-sound", count=count))


def _summary(out: "Console", frame: "Frame", found: "Configured") -> None:
    """By host what changed and failed, then by task on how many hosts."""
    from cloudpemda.cli.tables import table

    made = table(frame, "playbook", "host", "changed", "failed")
    by_task: dict[tuple[str, str], dict[str, None]] = {}
    for run in found.runs:
        for host in run.hosts:
            failed = frame.say("show.unreachable") if host.unreachable else str(len(host.failures))
            made.add_row(run.playbook, host.name, str(len(host.changed)), failed)
            for task in host.changed:
                by_task.setdefault((run.playbook, task), {})[host.name] = None
    out.print(made)
    if by_task:
        tasks = table(frame, "playbook", "task", "hosts")
        for (playbook, task), hosts in by_task.items():
            tasks.add_row(playbook, task, ", ".join(hosts))
        out.print(tasks)
    if found.later:
        out.print(frame.say("show.later"))
        for name, what in found.later:
            out.print(f"  {name}: {what}", soft_wrap=True, markup=False)
    if found.rehearsal:
        out.print(frame.say("show.rehearsed"))
    elif not by_task and found.runs and not found.faults:
        out.print(frame.say("show.nothing-changed"))
