"""Running labs for tests: real processes, ephemeral ports, virtual time unless told otherwise."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from tests.patience import PATIENCE

SMALL: dict[str, Any] = {
    "seed": 7,
    "clock": {"start": "2026-11-20T01:00:00Z", "rate": "auto"},
    "durations": {"clone": 2, "import": 2, "start": 1, "default": 0.2},
    "clusters": {
        "dc": {
            "version": "9.2",
            "nodes": {
                name: {"cpus": 16, "memory": "64 GiB"} for name in ("pve1", "pve2", "pve3")
            },
            "storages": {
                "local": {"type": "dir", "size": "100 GiB", "content": ["snippets", "import"]},
                "local-zfs": {"type": "zfspool", "size": "1 TiB", "content": ["images", "rootdir"]},
                "tank-hdd": {"type": "zfspool", "size": "4 TiB", "content": ["images", "rootdir"]},
                "nfs": {
                    "type": "nfs", "size": "2 TiB", "shared": True, "content": ["import", "iso"],
                },
                "pbs-dc": {"type": "pbs", "size": "8 TiB", "shared": True, "content": ["backup"]},
            },
            "images": ["nfs:import/debian-12.qcow2"],
            "bridges": ["vmbr0"],
        },
    },
}  # fmt: skip


@dataclass
class Control:
    """The control port of a running lab."""

    url: str
    token: str = field(repr=False)
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def call(self, method: str, path: str, body: object = None) -> Any:
        answer = self._session.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=PATIENCE,
        )
        if answer.status_code != 200:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def now(self) -> float:
        return float(self.call("GET", "/clock")["now"])

    def wait(self, seconds: float) -> None:
        self.call("POST", "/wait", {"seconds": seconds})

    def advance(self, seconds: float) -> None:
        self.call("POST", "/advance", {"seconds": seconds})

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/requests?since={since}"))

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """Recorded requests that could have changed something."""
        return [r for r in self.requests(since) if r["method"] != "GET"]

    def events(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/events"))

    def state(self) -> dict[str, Any]:
        return dict(self.call("GET", "/state"))

    def running_tasks(self, cluster: str = "dc") -> int:
        return int(self.call("GET", "/status")["clusters"][cluster]["running_tasks"])

    def vms(self, cluster: str = "dc") -> dict[int, dict[str, Any]]:
        return {int(vmid): vm for vmid, vm in self.state()[cluster]["vms"].items()}

    def arm(self, *faults: Mapping[str, object]) -> None:
        self.call("POST", "/faults", {"faults": list(faults)})

    def faults(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/faults"))

    def holds(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/holds"))

    def release(self, *, answer: bool = True) -> int:
        return int(self.call("POST", "/release", {"all": True, "answer": answer})["released"])

    def node(self, node: str, action: str, cluster: str = "dc") -> None:
        self.call("POST", "/node", {"cluster": cluster, "node": node, "action": action})

    def outside(self, action: str, vmid: int, cluster: str = "dc", **more: object) -> None:
        self.call("POST", "/outside", {"cluster": cluster, "action": action, "vmid": vmid, **more})

    def reset(self) -> None:
        self.call("POST", "/reset", {})


@dataclass
class RunningLab:
    """A lab's process, its directory and its ports."""

    directory: Path
    endpoints: dict[str, Any]
    process: subprocess.Popen[bytes]

    @cached_property
    def control(self) -> Control:
        found = self.endpoints["control"]
        return Control(found["url"], found["token"])

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    def url(self, node: str, cluster: str = "dc") -> str:
        return str(self.endpoints["clusters"][cluster]["nodes"][node])

    def token(self, cluster: str = "dc") -> str:
        secret = (self.directory / f"{cluster}.token").read_text().strip()
        return f"cloudpemda@pve!apply={secret}"

    def root_password(self, cluster: str = "dc") -> str:
        return (self.directory / f"{cluster}.root-password").read_text().strip()

    def stop(self) -> int:
        """SIGTERM, as an operator stops it; the exit code. Does nothing to one that has ended."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """SIGKILL, as a power cut does."""
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        return self.process.wait(timeout=PATIENCE)


def layout(**changes: Any) -> dict[str, Any]:
    """The small default layout (cluster `dc`, virtual time), with top-level keys replaced."""
    return {**json.loads(json.dumps(SMALL)), **changes}


def start_lab(directory: Path, described: Mapping[str, Any] | None = None) -> RunningLab:
    """Start a lab in a directory; with no layout the one kept there, or the small one."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cloudpemda.lab", "serve", "--directory", str(directory)]
    if described is None and not (directory / "layout.yaml").exists():
        described = SMALL
    if described is not None:
        given = directory / "given-layout.yaml"
        given.write_text(json.dumps(described, default=str))  # a moment is text in a layout
        command += ["--layout", str(given)]
    endpoints = directory / "endpoints.json"
    # A file, and no pipe, which would hold up a lab that says more than somebody reads.
    said = directory / "said.log"
    with said.open("wb") as out:
        process = subprocess.Popen(command, stderr=out)
    while b"listening" not in said.read_bytes():
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
            raise AssertionError(f"the lab did not start: {said.read_text()}")
    return RunningLab(directory, json.loads(endpoints.read_text()), process)


@contextmanager
def running_lab(
    directory: Path, described: Mapping[str, Any] | None = None
) -> Iterator[RunningLab]:
    """A lab for the length of a test; stopped in good order at its end."""
    lab = start_lab(directory, described)
    try:
        yield lab
    finally:
        lab.stop()
