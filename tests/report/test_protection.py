"""What protects a VM is green only where all of it is, and a disk that nothing covers is told."""

from dataclasses import replace
from typing import Any

import pytest

from cloudpemda.cluster import (
    ClusterState,
    Disk,
    HaFlavour,
    Storage,
    Vm,
    VmConfig,
    VmStatus,
)
from cloudpemda.ledger import InstanceState
from cloudpemda.recovery import Judgement, Loss, Standing
from cloudpemda.report.protection import by_opd, protections
from cloudpemda.report.standing import Cover, Guard, InstanceView, unprotected
from cloudpemda.site.models import ServiceClass
from cloudpemda.units import Cores, MiB, Seconds, instant

CRITICAL = ServiceClass.model_validate(
    {
        "weight": 100,
        "ha": True,
        "replication": {"targets": 1, "every": "15m"},
        "backup": {"every": "24h", "keep": {"daily": 14}, "factor": 1},
        "rpo": {"node": "30m", "site": "48h"},
        "rto": "4h",
    }
)
BACKED_UP = CRITICAL.model_copy(update={"replication": None})
CLASSES = {"critical": CRITICAL}
NOW = instant(1_800_000_000)
GOOD = Cover(Guard.OK, 60, "x")
VIEW = InstanceView(
    bound=(),
    key="dinkes/simrs/db-1", opd="dinkes", number="R-1", state=InstanceState.ACTIVE, cluster="dc",
    vmid=10001, name="db-1", node="pve1", running="running", addresses=(), public_addresses=(),
    service_class="critical", ha=GOOD, replication=GOOD, backup=GOOD, away=GOOD, apart=None,
    unprotected_disks=(), differences=(), restart=(), error=None,
)  # fmt: skip


def loss(kind: Loss, attained: int | None, standing: Standing = Standing.OK) -> Judgement:
    age = None if attained is None else Seconds(attained)
    return Judgement(VIEW.key, "dinkes", kind, standing, Seconds(1800), age, NOW, "x")


def one(view: InstanceView = VIEW, *judged: Judgement) -> Any:
    (found,) = protections([view], judged or [loss(Loss.NODE, 60)], CLASSES)
    return found


def test_it_is_green_where_all_is_as_promised_and_waiting_is_not_green() -> None:
    assert (one().green, one().rto) == (True, 4 * 3600)
    new = one(replace(VIEW, away=Cover(Guard.PENDING)))
    assert (new.green, new.pending) == (False, True)
    unknown_class = one(replace(VIEW, service_class="gone"))
    assert not unknown_class.green
    assert not unknown_class.pending


@pytest.mark.parametrize(
    "change",
    [
        *(
            {part: Cover(guard)}
            for part in ("ha", "replication", "backup", "away")
            for guard in (Guard.LATE, Guard.NEVER, Guard.WRONG, Guard.UNKNOWN, Guard.CLOCK_SKEW)
        ),
        {"unprotected_disks": ("scsi1 (nfs): replication",)},
        {"differences": ("ha: rule",)},
    ],
)
def test_nothing_that_is_wrong_or_unknown_is_green(change: dict[str, Any]) -> None:
    found = one(replace(VIEW, **change))
    assert not found.green
    assert not found.pending


def test_an_opd_attains_what_the_worst_of_its_vms_does_and_nothing_where_one_is_unknown() -> None:
    other = replace(VIEW, key="dinkes/simrs/db-2")
    judged = [loss(Loss.NODE, 60), replace(loss(Loss.NODE, 900), key=other.key)]
    (line,) = by_opd(protections([VIEW, other], judged, CLASSES))
    assert (line.vms, line.green, line.node_attained) == (2, 2, 900)
    lost = replace(loss(Loss.NODE, None, Standing.UNKNOWN), key=other.key)
    (line,) = by_opd(protections([VIEW, other], [judged[0], lost], CLASSES))
    assert (line.green, line.node_attained) == (1, None)


def test_what_rests_in_quarantine_is_not_listed() -> None:
    assert protections([replace(VIEW, state=InstanceState.RETIRED)], [], CLASSES) == ()


# -- disks -----------------------------------------------------------------------------------
def disks(*some: Disk) -> tuple[Vm, ClusterState]:
    config = VmConfig(
        "d", "db-1", Cores(2), MiB(4096), some, (), frozenset(), "", onboot=True, protection=False,
        raw={},
    )  # fmt: skip
    live = Vm(
        10001, "pve1", "db-1", VmStatus.RUNNING, Cores(2), MiB(4096), template=False,
        tags=frozenset(), pool=None, lock=None, config=config,
    )  # fmt: skip
    storages = tuple(
        Storage(name, "pve1", kind, shared=kind == "nfs", content=frozenset({"images"}),
                total=MiB(9), used=MiB(1), active=True)
        for name, kind in (("local-zfs", "zfspool"), ("nfs", "nfs"))
    )  # fmt: skip
    state = ClusterState("dc", NOW, True, HaFlavour.RULES, {}, storages, {10001: live}, frozenset())
    return live, state


def test_a_disk_that_nothing_copies_is_named_with_what_it_lacks() -> None:
    root = Disk("scsi0", "local-zfs", "local-zfs:vm-10001-disk-0", MiB(1))
    there = replace(root, slot="scsi1", storage="nfs")
    left_out = replace(root, slot="scsi2", backup=False, replicate=False)
    live, state = disks(root, there, left_out)
    assert unprotected(live, None, CRITICAL, state) == (
        "scsi1 (nfs): replication",
        "scsi2 (local-zfs): replication",
        "scsi2 (local-zfs): backup",
    )
    assert unprotected(live, None, BACKED_UP, state) == ("scsi2 (local-zfs): backup",)
    assert unprotected(replace(live, config=None), None, CRITICAL, state) == ()
