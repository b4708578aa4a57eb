"""ansible-runner: one playbook on the servers of one group, told task by task, leaving nothing.

Everything that is handed over is ours (names of groups and hosts that the inventory was checked
for). Secrets come from Ansible's own vault or from the environment of who runs it. What the run
writes about itself lies in a directory of its own, 0700, and is removed when it was read.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloudpemda.configure.inventory import Inventory
from cloudpemda.configure.roles import group_variables, playbooks
from cloudpemda.errors import Refused

Told = Callable[[str, str, str], None]
"""Told of progress: playbook, host (empty for all), task."""

_LONGEST = 400
_HIDDEN = "the output has been hidden"


@dataclass(frozen=True)
class HostResult:
    """What a playbook did to one server: the tasks that changed something, those that failed."""

    name: str
    changed: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]  # task, message
    unreachable: bool
    said: str = ""  # by ssh, of one that was not reached
    ended: bool = False  # the playbook came to its end there

    @property
    def failed(self) -> bool:
        return bool(self.failures)


@dataclass(frozen=True)
class Call:
    """One playbook on an inventory that lies in `inventory`, for hosts by the names there."""

    playbook: str
    inventory: Path
    hosts: tuple[str, ...]
    rehearsal: bool
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came of it, host by host."""

    hosts: tuple[HostResult, ...]
    sound: bool  # it came to its end on all of them
    stopped: bool  # by who ran it
    said: str  # Ansible's own last words where it never reached a server


@dataclass(frozen=True)
class Run(Answer):
    """What came of one playbook on one group of servers."""

    playbook: str
    group: str


@dataclass(frozen=True)
class Play:
    """One playbook for `hosts` of `group`; in a rehearsal (check mode) nothing is changed."""

    inventory: Inventory
    playbook: str
    group: str
    hosts: tuple[str, ...]
    tags: tuple[str, ...]
    rehearsal: bool


def play(one: Play, place: Path, tell: Told, halted: Callable[[], bool]) -> Run:
    """Play it. `place` is where a directory for the run is made, and removed again.

    Raises Refused `configure.no-runner` where ansible-runner or ansible-core is not installed.
    """
    call = Call(
        playbook=one.playbook,
        inventory=one.inventory.directory,
        hosts=one.hosts,
        rehearsal=one.rehearsal,
        tags=one.tags,
        variables=dict.fromkeys(("play_group", *group_variables()), one.group),
    )
    with run_directory(place) as private:
        done = run(call, private, tell, halted)
    return Run(done.hosts, done.sound, done.stopped, done.said, one.playbook, one.group)


@contextmanager
def run_directory(place: Path) -> Iterator[Path]:
    """A directory of one run's own, 0700, removed with all that it holds.

    Raises Refused `configure.no-runner`.
    """
    if find_spec("ansible_runner") is None or find_spec("ansible") is None:
        raise Refused("configure.no-runner")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix="ansible-", dir=place))
    try:
        yield private
    finally:
        shutil.rmtree(private, ignore_errors=True)


def run(call: Call, private: Path, tell: Told, halted: Callable[[], bool]) -> Answer:
    """Hand it to ansible-runner, whose artefacts go to `private`."""
    import ansible_runner

    seen = _Seen(call.playbook, tell)
    done = ansible_runner.run(
        private_data_dir=str(private),
        project_dir=str(playbooks()),
        playbook=f"{call.playbook}.yml",
        inventory=str(call.inventory),
        limit=",".join(call.hosts),
        tags=",".join(call.tags) or None,
        cmdline="--check --diff" if call.rehearsal else None,
        extravars=dict(call.variables),
        quiet=True,
        suppress_env_files=True,
        event_handler=seen.event,
        cancel_callback=halted,
        envvars={
            "ANSIBLE_CONFIG": str(playbooks() / "ansible.cfg"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        },
    )
    return Answer(
        hosts=tuple(seen.of(host) for host in call.hosts),
        sound=done.rc == 0,
        stopped=done.status == "canceled",
        said="" if done.rc == 0 or seen.hosts else _last_words(done),
    )


class _Seen:
    """What the events of a run say, host by host."""

    def __init__(self, playbook: str, tell: Told) -> None:
        self._playbook, self._tell = playbook, tell
        self.hosts: dict[str, tuple[list[str], list[tuple[str, str]]]] = {}
        self._unreachable: dict[str, str] = {}
        self._ended: set[str] = set()

    def event(self, event: Mapping[str, Any]) -> bool:
        """Called by ansible-runner for each; False keeps it from storing the event."""
        data, kind = event.get("event_data", {}), event.get("event", "")
        host, task = str(data.get("host", "")), str(data.get("task", ""))
        if kind in ("runner_on_start", "playbook_on_task_start"):
            self._tell(self._playbook, host, task)
        if kind == "playbook_on_stats":
            self._ended.update(data.get("processed") or ())
        if kind not in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            return False
        changed, failures = self.hosts.setdefault(host, ([], []))
        result = data.get("res") or {}
        if kind == "runner_on_unreachable":
            self._unreachable[host] = _message(result)
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            failures.append((task, _message(result)))
        elif result.get("changed"):
            changed.append(task)
        return False

    def of(self, host: str) -> HostResult:
        changed, failures = self.hosts.get(host, ([], []))
        said = self._unreachable.get(host)
        reached = said is None
        ended = reached and not failures and host in self._ended
        return HostResult(host, tuple(changed), tuple(failures), not reached, said or "", ended)


def _message(result: Mapping[str, Any]) -> str:
    """Why a task failed, in one line; a task that hides its result hides this too."""
    several = [one for one in result.get("results", ()) if isinstance(one, dict)]
    parts = [str(one.get("msg", "")) for one in several if one.get("failed")]
    said = " ".join(parts) or str(result.get("msg") or result.get("censored") or _HIDDEN)
    return " ".join(said.split())[:_LONGEST]


def _last_words(done: Any) -> str:
    """The end of what Ansible wrote before it reached any server."""
    try:
        text = done.stdout.read()
    except (OSError, ValueError):
        return ""
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return " ".join(lines[-4:])[-_LONGEST:]
