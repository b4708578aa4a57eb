"""The servers below the clusters: their inventory checked, playbooks played on them.

Operators play them, and nobody while the site is paused. What a run did is in the audit, by host;
what hosts answered beyond that is shown to who ran it and kept nowhere.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.configure import (
    LOOKS,
    PLAYBOOKS,
    Inventory,
    check_inventory,
    kind_of,
    load_inventory,
    playbooks,
    tags_of,
)
from cloudpemda.configure.runner import HostResult, Play, Run, Told, alone, play
from cloudpemda.errors import ExitCode, Fault, InvalidInput, UsageError, worst
from cloudpemda.site import Site
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running

_RUNS = "var/run"


@dataclass(frozen=True)
class Checked:
    """An inventory that was looked at: its servers by group, and what is wrong with it."""

    hosts: Mapping[str, tuple[str, ...]]
    faults: tuple[Fault, ...]

    @property
    def code(self) -> ExitCode:
        return ExitCode.INVALID if self.faults else ExitCode.DONE


@dataclass(frozen=True)
class Configured:
    """What runs of playbooks did, in the order in which they were played."""

    runs: tuple[Run, ...]
    left: tuple[str, ...]  # playbooks that were not begun any more
    rehearsal: bool
    ways: Mapping[str, tuple[str, str]]  # by server: where ssh looks for it, as whom

    @property
    def later(self) -> tuple[tuple[str, str], ...]:
        """Host and what it lacks before a later step, which brings it or says how."""
        every = (host for run in self.runs if run.playbook == LOOKS for host in run.hosts)
        return tuple((host.name, one) for host in every for one in host.later)

    @property
    def faults(self) -> tuple[Fault, ...]:
        found = [fault for run in self.runs for fault in _told(run, self.ways)]
        if self.left:
            found.append(Fault("configure.left", {"playbooks": ", ".join(self.left)}))
        return tuple(found)

    @property
    def code(self) -> ExitCode:
        codes = [ExitCode.INCOMPLETE] if self.left else []
        for run in self.runs:
            if any(host.unreachable or host.no_root for host in run.hosts):
                codes.append(ExitCode.UNREACHABLE)
            if any(host.failed and not host.no_root for host in run.hosts) or not (
                run.sound or codes
            ):
                codes.append(ExitCode.INCOMPLETE)
        return worst(codes)


def check(site: Site) -> Checked:
    """Look at the site's inventory, at no server."""
    inventory, faults = check_inventory(site)
    hosts = inventory.hosts if inventory is not None else {}
    named = {group: tuple(host.name for host in several) for group, several in hosts.items()}
    return Checked(MappingProxyType(named), faults)


def reach(desk: Desk, tell: Told, halted: Callable[[], bool]) -> Configured:
    """Look at every server of the inventory over ssh, as its playbooks do before they change
    anything. What a later step has yet to bring is no fault but stands in `later`. For operators.
    Raises InvalidInput for the inventory, Refused `configure.no-runner`."""
    desk.act("operator")
    inventory = load_inventory(desk.site)
    _require_vault_password(inventory)
    wish = _Wish(inventory, (LOOKS,), (), (), rehearsal=True)
    return _all(desk, wish, tell, halted)


def configure(
    desk: Desk,
    wanted: Sequence[str],
    limit: Sequence[str],
    tags: Sequence[str],
    tell: Told,
    halted: Callable[[], bool],
    *,
    rehearsal: bool,
) -> Configured:
    """Play playbooks in the order that bare servers need, group by group, each on the groups that
    it is for; `rehearsal` changes nothing (Ansible's check mode). For operators.

    What fails on a group stops what follows there. Raises UsageError for a playbook, host or tag
    that does not exist and for a playbook that would be played nowhere, InvalidInput for the
    inventory, Refused `pause.on`, `configure.busy`, `configure.no-runner`, Unreachable
    `configure.no-place`.
    """
    actor = desk.act("operator")
    inventory = load_inventory(desk.site)
    there = available()
    for name in wanted:
        if name not in there:
            raise UsageError("configure.no-playbook", name=name, known=", ".join(there))
    known = {*inventory.hosts, *inventory.names}
    for name in limit:
        if name not in known:
            raise UsageError("configure.no-host", name=name, known=", ".join(sorted(known)))
    for tag in tags:
        if not tag.replace("-", "").replace("_", "").isalnum():
            raise UsageError("configure.tag", tag=tag)
    tagged = frozenset[str]().union(*map(tags_of, wanted))
    for tag in tags:
        if tag not in tagged:
            raise UsageError("configure.no-tag", tag=tag, known=", ".join(sorted(tagged)))
    _require_vault_password(inventory)
    order = tuple(name for name in there if name in wanted)
    wish = _Wish(inventory, order, tuple(limit), tuple(tags), rehearsal)
    for name in order:
        if not any(name in names for _, _, names in wish.plays()):
            groups = ", ".join(PLAYBOOKS[name])
            raise UsageError("configure.nowhere", name=name, groups=groups)
    if rehearsal:
        return _all(desk, wish, tell, halting(desk, halted))
    require_running(desk)
    with alone(desk.site.path(_RUNS)):
        done = _all(desk, wish, tell, halting(desk, halted))
    for run in done.runs:
        desk.ledger.audit.note(
            actor, "nodes.configure", None, f"{run.group}/{run.playbook}",
            hosts=", ".join(f"{host.name}: {_in_words(host)}" for host in run.hosts),
            limit=", ".join(limit) or "-", tags=", ".join(tags) or "-",
            changed=", ".join(sorted({task for host in run.hosts for task in host.changed}))
            or "-",
        )  # fmt: skip
    return done


def available() -> tuple[str, ...]:
    """The playbooks there are, in the order in which bare servers need them."""
    return tuple(name for name in PLAYBOOKS if (playbooks() / f"{name}.yml").is_file())


@dataclass(frozen=True)
class _Wish:
    inventory: Inventory
    order: tuple[str, ...]
    limit: tuple[str, ...]
    tags: tuple[str, ...]
    rehearsal: bool

    def plays(self) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Each group that has hosts to play on, those hosts, and the playbooks for them."""
        limit = set(self.limit)
        for group, several in self.inventory.hosts.items():
            hosts = tuple(host.name for host in several if not limit or limit & {host.name, group})
            kind = kind_of(group)
            names = tuple(name for name in self.order if kind in PLAYBOOKS.get(name, (kind,)))
            if hosts and names:
                yield group, hosts, names


def _all(desk: Desk, wish: _Wish, tell: Told, halted: Callable[[], bool]) -> Configured:
    """Group by group; what does not end well on one keeps back what would follow there."""
    runs: list[Run] = []
    left: list[str] = []
    for group, hosts, names in wish.plays():
        sound = True
        for name in names:
            if not sound or halted():
                left.append(f"{group}/{name}")
                continue
            one = Play(wish.inventory, name, group, hosts, wish.tags, wish.rehearsal)
            runs.append(play(one, desk.site.path(_RUNS), tell, halted))
            sound = runs[-1].sound
    every = (host for several in wish.inventory.hosts.values() for host in several)
    ways = {
        host.name: (host.text("ansible_host") or host.name, host.text("ansible_user") or "root")
        for host in every
    }
    return Configured(tuple(runs), tuple(left), wish.rehearsal, MappingProxyType(ways))


def _require_vault_password(inventory: Inventory) -> None:
    """Raises InvalidInput where nothing opens what a vault keeps."""
    if not inventory.sealed or os.environ.get("ANSIBLE_VAULT_IDENTITY_LIST"):
        return
    said = os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE", "")
    if not said:
        raise InvalidInput(
            [Fault("configure.no-vault-password", file=str(file)) for file in inventory.sealed]
        )
    if not os.path.exists(os.path.expanduser(said)):
        raise InvalidInput([Fault("configure.no-vault-password-file", {"file": said})])


def _told(run: Run, ways: Mapping[str, tuple[str, str]]) -> list[Fault]:
    where = {"playbook": run.playbook, "group": run.group}
    found = []
    for host in run.hosts:
        address, account = ways[host.name]
        at = {"host": host.name, "address": address, "account": account, **where}
        if host.unreachable:
            found.append(Fault(_why_unreached(host), {**at, "said": host.said}))
        if host.no_root:
            found.append(Fault("configure.no-root", {**at, "said": host.failures[-1][1]}))
            continue
        for task, message in host.failures:
            values = {"host": host.name, "task": task, "message": message, **where}
            found.append(Fault("configure.failed", values))
    if run.stopped:
        found.append(Fault("configure.stopped", where))
    elif not run.sound and not found:
        found.append(Fault("configure.not-played", {**where, "message": run.said}))
    return found


def _why_unreached(host: HostResult) -> str:
    if host.host_key_changed:
        return "configure.host-key"
    return "configure.sudo-silent" if host.sudo_silent else "configure.unreachable"


def _in_words(host: HostResult) -> str:
    if host.unreachable:
        return "unreachable"
    if host.failed:
        return "failed"
    said = f"{len(host.changed)} changed"
    return said if host.ended else f"{said}, not to its end"
