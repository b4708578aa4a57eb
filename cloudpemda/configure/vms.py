"""One role on VMs of requests, over ssh with the site's key.

Each run gets an inventory of its own: whatever a request said stands there as `!unsafe`, so that it
reaches no template, however often it is handed on. A VM is known to ssh by its uid, not by its
address, which may have been another's: the host key that was seen first is the only one that is
taken later.
"""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import yaml

from cloudpemda.configure.runner import Answer, Call, Told, run, run_directory

CONNECTS = 10
"""Seconds that one try to connect takes at most."""

_PERSIST = 10  # seconds that a connection stays after its last task

_VARIABLES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("nginx", "serverName"): "vm_nginx_server_name",
        ("nginx", "proxyPort"): "vm_nginx_proxy_port",
        ("postgresql", "database"): "vm_postgresql_database",
    }
)
"""Setting of a request → variable of its role."""


@dataclass(frozen=True)
class Way:
    """How VMs are reached: the private half of the site's key, and perhaps ssh's own options."""

    key: Path
    config: Path | None = None
    attempts: int = 1  # to connect, a second after each: who was just started is silent yet


@dataclass(frozen=True)
class VmHost:
    """One VM: who it is, where it is, who logs in; `settings` and `networks` are for its role."""

    uid: str
    key: str  # dinkes/simrs/db-1
    address: str
    user: str
    settings: tuple[tuple[str, str], ...]
    networks: tuple[str, ...]  # CIDR
    host_key: str | None  # the only one that is taken; None: none was seen yet


@dataclass(frozen=True)
class Files:
    """What one run keeps while it lasts: host keys, and the way in of each VM (a socket's path may
    have some hundred characters at most, so they lie in the system's own place)."""

    known: Path
    sockets: Path


@dataclass(frozen=True)
class RoleRun(Answer):
    """What came of a role on some VMs, which are named by their keys here."""

    role: str
    host_keys: Mapping[str, str]  # by uid: seen for the first time


def play_role(
    role: str, hosts: Sequence[VmHost], way: Way, place: Path, tell: Told,
    halted: Callable[[], bool], *, rehearsal: bool,
) -> RoleRun:  # fmt: skip
    """Play it on all of them. Raises Refused `configure.no-runner`."""
    keys = {one.uid: one.key for one in hosts}

    def told(playbook: str, host: str, task: str) -> None:
        tell(playbook, keys.get(host, host), task)

    with run_directory(place) as private, TemporaryDirectory(prefix="cpm-") as sockets:
        known = private / "known_hosts"
        known.write_text("".join(f"{h.uid} {h.host_key}\n" for h in hosts if h.host_key))
        folder = private / "inventory"
        folder.mkdir(mode=0o700)
        (folder / "hosts.yaml").write_text(
            inventory_of(role, hosts, way, Files(known, Path(sockets)))
        )
        call = Call(f"vm_{role}", folder, tuple(keys), rehearsal)
        done = run(call, private, told, halted)
        seen = _host_keys(known)
    # who does not let our key in may be another that has come to stand there
    met = {one.name for one in done.hosts if not one.unreachable} & seen.keys()
    fresh = {one.uid: seen[one.uid] for one in hosts if one.host_key is None and one.uid in met}
    return RoleRun(
        hosts=tuple(replace(one, name=keys[one.name]) for one in done.hosts),
        sound=done.sound,
        stopped=done.stopped,
        said=done.said,
        role=role,
        host_keys=MappingProxyType(fresh),
    )


class _Unsafe(str):
    """A text that no template engine reads."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes them as such."""


_Dumper.add_representer(
    _Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"')
)


def inventory_of(role: str, hosts: Sequence[VmHost], way: Way, files: Files) -> str:
    """The inventory (YAML) of one run: every text in it is `!unsafe`."""
    listed = {
        one.uid: _host(role, one, [*_ssh(one, way, files), *_one_way(files, number)], way)
        for number, one in enumerate(hosts)
    }
    return yaml.dump({"vms": {"hosts": listed}}, Dumper=_Dumper, allow_unicode=False)


def _ssh(one: VmHost, way: Way, files: Files) -> list[str]:
    """ssh's options for one VM: whose key is taken, whose key is shown, how long it is tried."""
    options = (
        f'UserKnownHostsFile="{files.known}"',
        "GlobalKnownHostsFile=/dev/null",
        f"HostKeyAlias={one.uid}",
        "HashKnownHosts=no",
        "UpdateHostKeys=no",
        "CheckHostIP=no",
        # the first one that is seen is taken down; afterwards no other
        f"StrictHostKeyChecking={'yes' if one.host_key else 'accept-new'}",
        "IdentitiesOnly=yes",
        "PasswordAuthentication=no",
        # whoever is root there must get nothing of who comes, whatever ssh's own files say
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        f"ConnectTimeout={CONNECTS}",
        f"ConnectionAttempts={way.attempts}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
    )
    config = ["-F", str(way.config)] if way.config else []
    return [*config, *(word for option in options for word in ("-o", option))]


def _one_way(files: Files, number: int) -> list[str]:
    """One connection for a whole run, and one of its own for each VM: a way in that two could share
    would let one by without a look at its host key."""
    options = (
        "ControlMaster=auto",
        f"ControlPath={files.sockets}/{number}",
        f"ControlPersist={_PERSIST}",
    )
    return [word for option in options for word in ("-o", option)]


def _host(role: str, one: VmHost, ssh: Sequence[str], way: Way) -> Mapping[str, object]:
    said: dict[str, object] = {
        "ansible_host": _Unsafe(one.address),
        "ansible_user": _Unsafe(one.user),
        "ansible_ssh_private_key_file": _Unsafe(os.fspath(way.key)),
        "ansible_ssh_args": _Unsafe(shlex.join(ssh)),
    }
    for name, value in one.settings:
        variable = _VARIABLES[role, name]
        said[variable] = int(value) if name == "proxyPort" else _Unsafe(value)
    if role == "postgresql":
        said["vm_postgresql_networks"] = [_Unsafe(network) for network in one.networks]
    return said


def _host_keys(file: Path) -> Mapping[str, str]:
    """What ssh wrote down: uid → `ssh-ed25519 AAAA…`."""
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0]: " ".join(words[1:3]) for words in lines if len(words) >= 3}
