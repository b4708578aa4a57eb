"""A lab with what a test of the client needs around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloudpemda.clock import LabClock
from cloudpemda.proxmox import Pve, TaskWaiter, Trust, Upid, connect
from cloudpemda.site.models import ClusterSettings
from tests.labs import RunningLab, layout

TOKEN = "cloudpemda@pve!apply"
NODES = ("pve1", "pve2", "pve3")


def described(version: str, **durations: float) -> dict[str, Any]:
    """The small layout at a version, tasks as long as asked for (lab seconds)."""
    made = layout()
    made["clusters"]["dc"]["version"] = version
    made["durations"].update(durations)
    return made


@dataclass
class Bench:
    lab: RunningLab
    version: str

    @cached_property
    def clock(self) -> LabClock:
        return LabClock(self.lab.control.url, self.lab.control.token)

    @cached_property
    def pve(self) -> Pve:
        return self.client()

    @cached_property
    def waiter(self) -> TaskWaiter:
        return TaskWaiter(self.pve, self.clock)

    @property
    def secret(self) -> str:
        return self.lab.token().partition("=")[2]

    def client(self, nodes: Sequence[str] = NODES) -> Pve:
        """A client that knows nothing yet, over the ports of these nodes."""
        settings = ClusterSettings.model_validate(
            {
                "endpoints": "lab",
                "token": {"id": TOKEN, "secret": "dc.token"},
                "reserve": {"memory": "8 GiB"},
                "storages": {"ssd": "local-zfs"},
            }
        )
        urls = [self.lab.url(node) for node in nodes]
        trust = Trust(ca=self.lab.ca)
        return connect("dc", urls, settings.token.id, self.secret, trust, self.clock)

    def done(self, upid: Upid) -> None:
        """Wait for a task that must end well."""
        self.waiter.wait(upid, 600)

    def create(self, vmid: int, node: str = "pve1", **params: str | int | bool) -> None:
        self.done(self.pve.create_vm(node, vmid, {"scsi0": "local-zfs:1", "memory": 512, **params}))

    def asked(self, since: int) -> list[str]:
        """`METHOD path` of the requests after number `since`."""
        return [f"{r['method']} {r['path']}" for r in self.lab.control.requests(since)]

    @property
    def mark(self) -> int:
        """The number of the last request so far."""
        return max((int(r["n"]) for r in self.lab.control.requests()), default=0)
