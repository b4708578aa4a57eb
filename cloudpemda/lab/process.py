"""The lab as a process of its own: start it, find it, ask it, stop it.

`DIR/endpoints.json` says where a lab is; only an answer on its control port says that it runs.
"""

import json
import os
import select
import signal
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudpemda.errors import CloudpemdaError, ExitCode

_START_STEPS = 300  # of 0.1 s each
_STOP_SECONDS = 30


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
    control_url: str
    control_token: str
    clusters: dict[str, Any]

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: object = None) -> Any:
        return self._call("POST", path, {} if body is None else body)

    def _call(self, method: str, path: str, body: object) -> Any:
        query = urllib.request.Request(  # noqa: S310 - the lab's own loopback address
            self.control_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.control_token}",
                "Content-Type": "application/json",
            },
        )
        # A proxy of the environment must never see the control port.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(query, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            detail = error.read(2000).decode(errors="replace")
            raise LabRefused("lab.refused", path=path, detail=detail) from error
        except (OSError, ValueError) as error:
            raise LabUnavailable("lab.not-running", directory=str(self.directory)) from error


def find(directory: Path) -> RunningLab | None:
    """The lab that runs with its state in `directory`, or None."""
    try:
        told = json.loads((directory / "endpoints.json").read_text())
        lab = RunningLab(
            directory, told["pid"], told["control"]["url"], told["control"]["token"],
            told["clusters"],
        )  # fmt: skip
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
    found = find(directory)
    if found is not None:
        return found, False
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--directory", str(directory)]
    if layout is not None:
        command += ["--layout", str(layout)]
    log = directory / "lab.log"
    lab = _spawn(command, log)
    try:
        for _ in range(_START_STEPS):
            ended, _, _ = select.select([lab.descriptor], [], [], 0.1)
            if ended:
                os.waitpid(lab.pid, 0)
                break
            found = find(directory)
            if found is not None and found.pid == lab.pid:
                return found, True
    finally:
        os.close(lab.descriptor)
    tail = log.read_text(errors="replace")[-1500:]
    raise LabUnavailable("lab.start-failed", directory=str(directory), log=tail)


@dataclass(frozen=True)
class _Process:
    pid: int
    descriptor: int  # a pidfd: readable once the process has ended


def _spawn(command: list[str], log: Path) -> _Process:
    """Start a process that outlives this one, in a session of its own."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return _Process(pid, os.pidfd_open(pid))


def stop(directory: Path) -> bool:
    """Stop the lab; its state stays. False if none was running."""
    lab = find(directory)
    if lab is None:
        return False
    process = os.pidfd_open(lab.pid)
    try:
        os.kill(lab.pid, signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], _STOP_SECONDS)
    finally:
        os.close(process)
    if not ended:
        raise LabUnavailable("lab.stop-failed", directory=str(directory), pid=lab.pid)
    with suppress(ChildProcessError):  # a child of this process would stay a zombie
        os.waitpid(lab.pid, 0)
    return True
