"""ansible-runner: one playbook on the servers of one group, told task by task, leaving nothing.

Everything that is handed over is ours (names of groups and hosts that the inventory was checked
for). Secrets come from Ansible's own vault or from the environment of who runs it. What the run
writes about itself lies in a directory of its own, 0700, and is removed when it was read.
"""

import errno
import fcntl
import os
import re
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
from cloudpemda.document.owner import make_directory, open_lock
from cloudpemda.errors import Refused, Unreachable

Told = Callable[[str, str, str], None]
"""Told of progress: playbook, host (empty for all), task."""

_LONGEST = 400
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BANNER = re.compile(r"@{5,}|\*{5,}")
_HOST_KEY_CHANGED = ("Host key verification failed", "HOST IDENTIFICATION HAS CHANGED")
_NO_ROOT = re.compile(
    r"(Missing|Incorrect) \w+ password|sudo: (command )?not found|sudo: .*password is required"
    r"|not in the sudoers file|may not run sudo|not allowed to execute"
)
"""What Ansible and sudo say of an account that may not become root, or not without a password."""
_SUDO_SILENT = "waiting for privilege escalation"
"""What Ansible says where ssh let us in and sudo did not answer in time: "unreachable"."""
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
    later: tuple[str, ...] = ()  # what it lacks that a later step brings: no fault yet

    @property
    def failed(self) -> bool:
        return bool(self.failures)

    @property
    def no_root(self) -> bool:
        """Whether who came in may not become root there, so that nothing could be done."""
        return any(_NO_ROOT.search(message) for _, message in self.failures)

    @property
    def sudo_silent(self) -> bool:
        """Whether ssh let us in, and sudo did not answer in time."""
        return self.unreachable and _SUDO_SILENT in self.said

    @property
    def host_key_changed(self) -> bool:
        """Whether another host key was shown than the one that was seen first."""
        return self.unreachable and any(sign in self.said for sign in _HOST_KEY_CHANGED)


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
    """A directory of one run's own, 0700, removed with all that it holds; those of runs that were
    killed go with it.

    Raises Refused `configure.no-runner`, Unreachable `configure.no-place`.
    """
    if find_spec("ansible_runner") is None or find_spec("ansible") is None:
        raise Refused("configure.no-runner")
    with _placed(place):
        make_directory(place)
        making = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(making, fcntl.LOCK_EX)  # nobody takes away what is just being made
            for old in place.glob("ansible-*"):
                _removed(old)
            private = Path(tempfile.mkdtemp(prefix="ansible-", dir=place))
            held = os.open(private, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(held, fcntl.LOCK_SH)
        finally:
            os.close(making)
    try:
        yield private
    finally:
        shutil.rmtree(private, ignore_errors=True)
        os.close(held)


def _removed(old: Path) -> None:
    """What a run left that lives no more: the lock on it went with the process."""
    try:
        found = os.open(old, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(old, ignore_errors=True)
    except BlockingIOError:
        pass  # of a run that goes on beside this one
    finally:
        os.close(found)


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Nobody else of this site changes servers from this machine meanwhile.

    Raises Refused `configure.busy`, Unreachable `configure.no-place`.
    """
    with _placed(place):
        make_directory(place)
        held = open_lock(place / "nodes.lock")
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("configure.busy") from error
        yield
    finally:
        os.close(held)


@contextmanager
def _placed(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = os.strerror(error.errno or errno.EIO)
        raise Unreachable("configure.no-place", place=str(place), cause=cause) from error


def run(call: Call, private: Path, tell: Told, halted: Callable[[], bool]) -> Answer:
    """Hand it to ansible-runner, whose artefacts go to `private`."""
    seen = _Seen(call.playbook, tell)
    try:
        sound, stopped, said = _handed_over(call, private, seen, halted)
    except OSError as error:  # no room for what the run writes about itself
        sound, stopped, said = False, False, f"{error.strerror}: {error.filename or private}"
    hosts = tuple(seen.of(host) for host in call.hosts)
    return Answer(hosts, sound, stopped, "" if sound else said)


def _handed_over(
    call: Call, private: Path, seen: "_Seen", halted: Callable[[], bool]
) -> tuple[bool, bool, str]:
    """Whether it came to its end everywhere, whether it was stopped, Ansible's last words."""
    import ansible_runner

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
            "ANSIBLE_HOST_KEY_CHECKING": "True",  # else ansible-runner takes any key
            "ANSIBLE_FORCE_COLOR": "False",
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        },
    )
    said = "" if seen.hosts else _last_words(done)
    return done.rc == 0, done.status == "canceled", said


class _Seen:
    """What the events of a run say, host by host."""

    def __init__(self, playbook: str, tell: Told) -> None:
        self._playbook, self._tell = playbook, tell
        self.hosts: dict[str, tuple[list[str], list[tuple[str, str]]]] = {}
        self._later: dict[str, list[str]] = {}
        self._unreachable: dict[str, str] = {}
        self._ended: set[str] = set()
        self._told: set[tuple[str, str]] = set()  # host and task that changed something unseen

    def event(self, event: Mapping[str, Any]) -> bool:
        """Called by ansible-runner for each; False keeps it from storing the event."""
        data, kind = event.get("event_data", {}), event.get("event", "")
        host, task = str(data.get("host", "")), str(data.get("task", ""))
        if kind in ("runner_on_start", "playbook_on_task_start"):
            self._tell(self._playbook, host, task)
        if kind == "playbook_on_stats":
            self._ended.update(data.get("processed") or ())
        if kind in ("runner_on_ok", "runner_item_on_ok") and _hid_a_change(event):
            if (host, data.get("task_uuid")) not in self._told:  # once for all its items
                self._told.add((host, data.get("task_uuid")))
                self.hosts.setdefault(host, ([], []))[0].append(task)
            return False
        if kind not in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            return False
        changed, failures = self.hosts.setdefault(host, ([], []))
        result = data.get("res") or {}
        if kind == "runner_on_unreachable":
            self._unreachable[host] = _message(result)
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            failures.extend((task, one) for one in _messages(result))
        elif result.get("changed"):
            changed.append(task)
        if isinstance(later := result.get("later"), list):
            self._later.setdefault(host, []).extend(map(_line, later))
        return False

    def of(self, host: str) -> HostResult:
        changed, failures = self.hosts.get(host, ([], []))
        said = self._unreachable.get(host)
        reached = said is None
        ended = reached and not failures and host in self._ended
        return HostResult(
            host, tuple(changed), tuple(failures), not reached, said or "", ended,
            later=tuple(self._later.get(host, ())),
        )  # fmt: skip


def _messages(result: Mapping[str, Any]) -> list[str]:
    """Why a task failed: what looks say has a line for each fault, everything else is one."""
    if "assertion" in result:
        lines = map(_line, str(result.get("msg") or "").splitlines())
        return list(filter(None, lines)) or [_HIDDEN]
    return [_message(result)]


def _line(said: object) -> str:
    return " ".join(str(said).split())[:_LONGEST]


def _hid_a_change(event: Mapping[str, Any]) -> bool:
    """Whether a task that hides its result changed something: its line says so, nothing else."""
    censored = "censored" in (event.get("event_data", {}).get("res") or {})
    return censored and _COLOURS.sub("", str(event.get("stdout"))).startswith("changed:")


def _message(result: Mapping[str, Any]) -> str:
    """Why a task failed, in one line; a task that hides its result hides this too. What a module
    never came to say stands in its `module_stderr`."""
    several = [one for one in result.get("results", ()) if isinstance(one, dict)]
    parts = [_said(one) for one in several if one.get("failed")]
    said = " ".join(parts) or _said(result) or str(result.get("censored") or _HIDDEN)
    return " ".join(_BANNER.sub("", said).split())[:_LONGEST]


def _said(result: Mapping[str, Any]) -> str:
    parts = (str(result.get(name) or "") for name in ("module_stderr", "msg"))
    return ": ".join(filter(None, parts))


def _last_words(done: Any) -> str:
    """The end of what Ansible wrote before it reached any server, its errors alone if it names
    some."""
    try:
        text = _COLOURS.sub("", str(done.stdout.read()))
    except (OSError, ValueError):
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("[ERROR]", "ERROR!"))]
    return " ".join(errors[-2:] or lines[-4:])[-_LONGEST:]
