"""A lab with a client, and desired VMs to make on it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cloudpemda.apply import ApplyResult, Tools, apply_workload, undo_workload
from cloudpemda.clock import Clock, LabClock, SeededEntropy
from cloudpemda.plan.diff import diff
from cloudpemda.plan.model import (
    DesiredBackup,
    DesiredDisk,
    DesiredNic,
    DesiredReplication,
    DesiredVm,
    Identity,
    ImageSource,
    Protection,
)
from cloudpemda.proxmox import Pve, Trust, connect
from cloudpemda.saga import Journal, never
from cloudpemda.site.models import ClusterSettings, Limits
from cloudpemda.units import Cores, MiB
from tests import labs
from tests.labs import Control, RunningLab
from tests.saga.memory import MemoryJournal

NODES = ("pve1", "pve2", "pve3")
BACKUP = DesiredBackup("cloudpemda-critical", "pbs-dc", "01:00", "keep-daily=14,keep-monthly=6")
APART = "dinkes_simrs_db"


def layout(
    version: str = "9.2", rate: float | str = "auto", **durations: float
) -> dict[str, object]:
    """Three nodes with room for dozens of VMs."""
    small = labs.layout(clock={"start": "2026-11-20T01:00:00Z", "rate": rate})
    cluster = small["clusters"]["dc"]
    cluster["version"] = version
    cluster["nodes"] = {node: {"cpus": 64, "memory": "512 GiB"} for node in NODES}
    cluster["storages"]["local-zfs"]["size"] = "8 TiB"
    small["durations"] |= durations
    return small


def desired(
    number: int,
    *,
    plain: bool = False,
    template: int | None = None,
    nodes: Sequence[str] = NODES,
    apart: str | None = APART,
) -> DesiredVm:
    """`dinkes/simrs/db-<number>`, replicated to the next node, kept apart; `plain` has neither
    HA nor replication nor backup."""
    node = nodes[(number - 1) % len(nodes)]
    target = nodes[number % len(nodes)]
    guarded = Protection(True, (node, target), apart, (DesiredReplication(target, "*/15"),), BACKUP)
    return DesiredVm(
        key=f"dinkes/simrs/db-{number}",
        name=f"dinkes-simrs-db-{number}",
        identity=Identity(uid=f"{number:032x}", cluster="dc", vmid=10000 + number),
        node=node,
        pool="opd-dinkes",
        cores=Cores(2),
        memory=MiB(2048),
        image=ImageSource(None, template)
        if template is not None
        else ImageSource("nfs:import/debian-12.qcow2"),
        disks=(
            DesiredDisk("root", "scsi0", "local-zfs", MiB(20 * 1024), True, True),
            DesiredDisk("data", "scsi1", "local-zfs", MiB(10 * 1024), True, True),
        ),
        nics=(
            DesiredNic(
                "net0",
                "dinkes-app",
                "vmbr0",
                110,
                f"BC:24:11:00:{number // 256:02X}:{number % 256:02X}",
                f"10.10.110.{20 + number}/24",
                "10.10.110.1",
            ),
        ),
        user="debian",
        ssh_keys=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHqN0vP/+= siti@dinkes",),
        nameservers=("10.10.0.53",),
        tags=frozenset({"cloudpemda", "opd-dinkes", "class-critical"}),
        protection=Protection(False, (), None, (), None) if plain else guarded,
    )


def client(lab: RunningLab, clock: Clock) -> Pve:
    """A client of cluster `dc` over all of its nodes."""
    token_id, _, secret = lab.token().partition("=")
    settings = ClusterSettings.model_validate(
        {
            "endpoints": "lab",
            "token": {"id": token_id, "secret": "dc.token"},
            "reserve": {"memory": "8 GiB"},
            "storages": {"ssd": "local-zfs"},
        }
    )
    endpoints = [lab.url(node) for node in NODES]
    return connect("dc", endpoints, settings.token.id, secret, Trust(ca=lab.ca), clock)


@dataclass
class Rig:
    """One lab, one client, and a journal that outlives runs as a ledger does."""

    control: Control
    pve: Pve
    clock: Clock
    locks: Path
    journal: Journal = field(default_factory=MemoryJournal)
    limits: Limits = field(default_factory=Limits)
    reclaimed: dict[str, int] = field(default_factory=dict)
    halted: Callable[[], bool] = never
    started: float = 0.0  # lab time of the cluster's beginning
    told: list[tuple[str, str, str, float]] = field(default_factory=list)

    def tools(self, vms: Collection[DesiredVm]) -> Tools:
        """Fresh tools over a fresh picture, as every call of the program has."""
        return Tools(
            pve=self.pve,
            live=self.pve.snapshot([vm.identity.vmid for vm in vms]),
            established=frozenset(),
            journal=self.journal,
            reclaim_vmid=self.reclaim,
            limits=self.limits,
            locks=self.locks,
            clock=self.clock,
            entropy=SeededEntropy(1),
            progress=lambda *told: self.told.append(told),
            halted=self.halted,
        )

    def fresh(self) -> "Rig":
        """The same lab with fresh clusters and a fresh journal."""
        self.control.reset()
        return replace(
            self, journal=MemoryJournal(), reclaimed={}, told=[], started=self.control.now()
        )

    def in_seconds(self, seconds: float) -> str:
        """A moment for the lab's fault script, which counts from the lab's start or reset."""
        return f"{self.control.now() - self.started + seconds:.3f}s"

    def apply(self, *vms: DesiredVm) -> ApplyResult:
        now = self.current(vms)
        return apply_workload(now, self.tools(now))

    def undo(self, *vms: DesiredVm) -> ApplyResult:
        now = self.current(vms)
        return undo_workload(now, self.tools(now))

    def differences(self, *vms: DesiredVm) -> list[str]:
        """What the plan would still change."""
        now = self.current(vms)
        live = self.pve.snapshot([vm.identity.vmid for vm in now])
        plan = diff("dinkes/simrs", now, live, {})
        return [f"{vm.desired.key} {one}" for vm in plan.vms for one in vm.differences]

    def reclaim(self, uid: str, taken: Collection[int]) -> int:
        """The next VMID above those in use, kept as the ledger keeps it."""
        used = {*taken, *self.reclaimed.values(), *self.control.vms()}
        self.reclaimed[uid] = next(n for n in range(10500, 10999) if n not in used)
        return self.reclaimed[uid]

    def current(self, vms: Collection[DesiredVm]) -> tuple[DesiredVm, ...]:
        """The VMs under the VMIDs that they have now."""
        return tuple(
            replace(vm, identity=replace(vm.identity, vmid=self.reclaimed[vm.identity.uid]))
            if vm.identity.uid in self.reclaimed
            else vm
            for vm in vms
        )

    def left(self) -> dict[str, object]:
        """Everything in the cluster that a workload could leave behind, pools aside."""
        dc = self.control.state()["dc"]
        return {
            "vms": sorted(dc["vms"]),
            # by name: replication, as time passes, puts the same name on a second node
            "volumes": sorted(
                {one["volid"] for one in dc["volumes"] if one["content"] == "images"}
            ),
            "ha": sorted(dc["ha_resources"]),
            "rules": sorted(dc["ha_rules"]),
            "groups": sorted(dc["ha_groups"]),
            "replication": sorted(dc["replication"]),
            "backup": {
                name: job["options"].get("vmid", "") for name, job in dc["backup_jobs"].items()
            },
        }


@contextmanager
def rig(directory: Path, described: Mapping[str, object] | None = None) -> Iterator[Rig]:
    with labs.running_lab(directory / "lab", described or layout()) as lab:
        clock = LabClock(lab.control.url, lab.control.token)
        found = Rig(lab.control, client(lab, clock), clock, directory / "locks")
        found.started = lab.control.now()
        yield found
