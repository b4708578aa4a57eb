"""The lab as a process of its own: start it, find it, ask it, stop it.

`DIR/endpoints.json` says where a lab is; only an answer on its control port says that it runs.
"""

import json
import os
import select
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudpemda.errors import CloudpemdaError, ExitCode
from cloudpemda.loopback import ControlPort, Denied, Silent
from cloudpemda.messages import texts

_START_STEPS = 1200  # of 0.1 s each; one that has ended is not waited for
_STOP_SECONDS = 120


class LabUnavailable(CloudpemdaError):
    """No lab runs in this directory, or it did not come up."""

    exit_code = ExitCode.UNREACHABLE


class LabRefused(CloudpemdaError):
    """The lab's control port refused what was asked of it."""

    exit_code = ExitCode.INVALID


@dataclass(frozen=True)
class RunningLab:
    """A lab that answered just now."""

    directory: Path
    pid: int
    port: ControlPort
    clusters: dict[str, Any]
    servers: dict[str, Any] = field(default_factory=dict)  # for backups

    def get(self, path: str) -> Any:
        return self._call(path, None)

    def post(self, path: str, body: object = None) -> Any:
        return self._call(path, {} if body is None else body)

    def _call(self, path: str, body: object) -> Any:
        try:
            return self.port.call(path, body)
        except Denied as error:
            raise _refused(path, error.detail) from error
        except Silent as error:
            raise LabUnavailable("lab.not-running", directory=str(self.directory)) from error


def _refused(path: str, detail: str) -> LabRefused:
    """What the lab said, in its own code where that has a text."""
    try:
        told = json.loads(detail)
        code, values = told["error"], told.get("values") or {"reason": told["reason"]}
    except (ValueError, KeyError, TypeError):
        code, values = "", {}
    known = isinstance(code, str) and code in texts()
    return (
        LabRefused(code, **values) if known else LabRefused("lab.refused", path=path, detail=detail)
    )


def find(directory: Path) -> RunningLab | None:
    """The lab that runs with its state in `directory`, or None."""
    try:
        told = json.loads((directory / "endpoints.json").read_text())
        port = ControlPort(told["control"]["url"], told["control"]["token"])
        clusters, servers = told["clusters"], told.get("backup_servers", {})
        lab = RunningLab(directory, told["pid"], port, clusters, servers)
        lab.get("/status")
    except (OSError, ValueError, KeyError, LabUnavailable, LabRefused):
        return None
    return lab


def require(directory: Path) -> RunningLab:
    """The running lab. Raises LabUnavailable."""
    lab = find(directory)
    if lab is None:
        raise LabUnavailable("lab.not-running", directory=str(directory))
    return lab


def start(directory: Path, layout: Path | None = None) -> tuple[RunningLab, bool]:
    """Start the lab in the background unless it runs; returns it and whether it was started.

    Raises LabUnavailable with the end of its log if it does not come up.
    """
    lab = find(directory)
    if lab is not None:
        return lab, False
    if layout is not None:
        from cloudpemda.lab.layout import read

        read(layout)  # its faults are told better by line than from the log
    log = directory / "lab.log"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.touch(mode=0o600)
    except OSError as error:
        where, told = str(directory), error.strerror
        raise LabUnavailable("lab.directory-unusable", directory=where, error=told) from error
    before = log.stat().st_size
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--directory", str(directory)]
    pid = _spawn(command + (["--layout", str(layout)] if layout else []), log)
    for _ in range(_START_STEPS):
        if _ends(pid, 0.1):
            break
        lab = find(directory)
        if lab is not None and lab.pid == pid:
            return lab, True
    said = log.read_bytes()[before:].decode(errors="replace")[-1500:]
    tail = " / ".join(line for line in said.splitlines() if line.strip())
    raise LabUnavailable("lab.start-failed", directory=str(directory), log=tail)


def _spawn(command: list[str], log: Path) -> int:
    """Start a process that outlives this one, in a session of its own."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)


def _ends(pid: int, seconds: float) -> bool:
    """Whether a process ends within this time; a child of ours does not stay a zombie."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended, _, _ = select.select([process], [], [], seconds)
    finally:
        os.close(process)
    if ended:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return bool(ended)


def stop(directory: Path) -> bool:
    """Stop the lab; its state stays. False if none was running."""
    lab = find(directory)
    if lab is None:
        return False
    with suppress(ProcessLookupError):  # it ended just now
        os.kill(lab.pid, signal.SIGTERM)
    if not _ends(lab.pid, _STOP_SECONDS):
        raise LabUnavailable("lab.stop-failed", directory=str(directory), pid=lab.pid)
    return True


def reset(directory: Path) -> None:
    """Put the lab back to the beginning; a stopped one forgets the state it kept."""
    kept = [file for name in ("state.json", "told") if (file := directory / name).exists()]
    if find(directory) is None and kept:
        for file in kept:
            file.unlink()
    else:
        require(directory).post("/reset")
