"""A year of the lab in one go: `python -m bench.lab_year [--days N] [--vms N]`.

A lab in virtual time has a cluster of three nodes and so many VMs that run, one disk each. A fifth
of them is replicated every hour, the others every day, and all are backed up every night to one
storage that keeps seven daily and four weekly backups. Nobody asks anything of it: its clock is
moved. Told are seconds, the most memory that was used, how many events there were, and a digest of
the event log, which the same seed must make again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import resource
import time
from typing import Any

from cloudpemda.lab import access
from cloudpemda.lab.faults import Timed, understood
from cloudpemda.lab.layout import Layout, build
from cloudpemda.lab.server import Frontend, Reply
from cloudpemda.lab.site import Lab

DAY = 86400.0
KEEP = "keep-daily=7,keep-weekly=4"


def described(seed: int, version: str = "9.2") -> Layout:
    zfs = {"type": "zfspool", "size": "8 TiB", "content": ("images", "rootdir")}
    return Layout.model_validate(
        {
            "seed": seed,
            "clock": {"start": "2026-11-20T01:00:00Z", "rate": "auto"},
            "durations": {"default": 0.5},
            "rates": {"replication": "200 MiB", "backup": "200 MiB", "change": "1 GiB"},
            "clusters": {
                "dc": {
                    "version": version,
                    "nodes": {name: {} for name in ("pve1", "pve2", "pve3")},
                    "storages": {
                        "local-zfs": zfs,
                        "vault": {
                            "type": "nfs", "size": "64 TiB", "shared": True, "content": ("backup",),
                        },
                    },
                }
            },
        }
    )  # fmt: skip


class Cluster:
    """A cluster that is asked without a network between."""

    def __init__(
        self, seed: int, version: str = "9.2", *, layout: Layout | None = None, name: str = "dc"
    ) -> None:
        layout = layout or described(seed, version)
        self.lab = Lab(layout)
        cluster = build(name, layout.clusters[name], 0, self.lab.clock.now(), "secret-of-root")
        self.world = self.lab.add(cluster)
        self.frontend, self.here = Frontend(self.world), min(cluster.nodes)  # is asked

    def ask(self, method: str, path: str, **values: Any) -> Any:
        reply = self.reply(method, path, **values)
        assert reply.status == 200, f"{method} {path}: {reply.reason}"
        return reply.body["data"] if reply.body else None

    def reply(self, method: str, path: str, **values: Any) -> Reply:
        keys, now = self.world.cluster.access, self.lab.clock.now()
        headers = {
            "cookie": f"PVEAuthCookie={access.make_ticket(keys, 'root@pam', now)}",
            "csrfpreventiontoken": access.make_csrf(keys, "root@pam", now),
        }
        values = {name.replace("_", "-"): str(value) for name, value in values.items()}
        reply = asyncio.run(self.frontend.answer(self.here, method, path, values, headers))
        self.world.stir()
        return reply

    def strike(self, do: str, **values: object) -> None:
        """What a timed fault does, now."""
        (fault,) = understood([{"at": 0, "do": do, **values}])
        assert isinstance(fault, Timed)
        fault.strike(self.world)
        self.world.stir()

    def told(self, *kinds: str) -> list[dict[str, Any]]:
        events = map(json.loads, self.lab.events.lines())
        return [event for event in events if event["what"] in kinds]

    def people(self, count: int) -> None:
        for number in range(count):
            vmid, node = 10000 + number, f"pve{number % 3 + 1}"
            disk = {"scsi0": "local-zfs:8", "boot": "order=scsi0"}
            self.ask("POST", f"/nodes/{node}/qemu", vmid=vmid, memory=2048, **disk)
            self.lab.clock.advance(2)
            self.ask("POST", f"/nodes/{node}/qemu/{vmid}/status/start")
            target = f"pve{(number + 1) % 3 + 1}"
            schedule = "hourly" if number < count / 5 else "20:00"
            job = {"id": f"{vmid}-0", "type": "local", "target": target, "schedule": schedule}
            self.ask("POST", "/cluster/replication", **job)
        job = {"schedule": "22:00", "storage": "vault", "all": "1", "prune-backups": KEEP}
        self.ask("POST", "/cluster/backup", **job)

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.lab.events.lines()).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--vms", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    cluster = Cluster(asked.seed)
    cluster.people(asked.vms)
    began, used = time.perf_counter(), time.process_time()
    cluster.lab.clock.advance(asked.days * DAY)
    took, used = time.perf_counter() - began, time.process_time() - used
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{asked.days} days for {asked.vms} VMs: {took:.1f} s ({used:.1f} s of processor time),")
    events = len(cluster.lab.events.lines())
    print(f"{most:.0f} MiB at most, {events} events, digest {cluster.digest()[:16]}")


if __name__ == "__main__":
    main()
