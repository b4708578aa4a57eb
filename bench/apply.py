"""Applying fifty VMs on the lab: time against the ideal, and requests per VM.

    .venv/bin/python -m bench.apply [--vms N] [--rate R] [--no-script]

The lab runs in real time (`--rate`: lab seconds per real second, 1 by default); copying an image,
growing a disk and starting take one lab second each. Every VM is made whole: pool, image copy with
the whole configuration, second disk, growth, start, HA, node affinity, replication, membership of
the shared backup job, and is read back.

Ideal: each storage copies as many images at once as it may (`clonesPerStorage`), without a gap;
growing and starting follow at once; then the HA manager's next round is awaited (it looks every
ten seconds, which nobody can hasten). Polls are requests that ask the same again while waiting:
tasks and HA status. The plain script makes the same VMs with proxmoxer, one after the other, as
one would by hand: it waits for each task by asking for it once a second.
"""

import argparse
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxmoxer import ProxmoxAPI

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.clock import LabClock
from cloudpemda.plan.model import DesiredVm
from cloudpemda.plan.pve_config import backup_job_config, creation_disks, desired_config
from tests import labs
from tests.apply.rig import NODES, Rig, client, desired, layout

POLLS = ("/cluster/tasks", "/cluster/ha/status/current")
HA_ROUND = 10.0
TASK = 1.0
AFTER_COPY = 2 * TASK  # grow, start


@dataclass(frozen=True)
class Measured:
    """One way of making the VMs; times are lab seconds."""

    made: float  # until every VM was started and every write sent
    whole: float  # until everything was read back
    requests: Counter[str]  # `poll` and `work`


def workload(count: int) -> list[DesiredVm]:
    """`count` VMs over three nodes, pairs of them kept apart."""
    return [desired(number, apart=f"bench-{number // 2}") for number in range(1, count + 1)]


def described(rate: float) -> dict[str, Any]:
    found = layout(rate=rate)
    found["durations"] = {"create": 0, "import": TASK, "default": TASK, "start": TASK}
    return found


def ours(directory: Path, vms: Sequence[DesiredVm], rate: float) -> Measured:
    with labs.running_lab(directory, described(rate)) as lab:
        clock = LabClock(lab.control.url, lab.control.token)
        rig = Rig(lab.control, client(lab, clock), clock, directory / "locks")
        tools = rig.tools(vms)
        before = len(lab.control.requests())
        begun = lab.control.now()
        result = apply_workload(vms, tools)
        whole = lab.control.now() - begun
        assert {one.ending for one in result.vms} == {VmEnding.ACTIVE}, result
        sent = lab.control.requests()[before:]
        return Measured(_last_write(sent) - begun, whole, _counted(sent))


def script(directory: Path, vms: Sequence[DesiredVm], rate: float) -> Measured:
    """What a plain script does, with proxmoxer and no more thought than that."""
    with labs.running_lab(directory, described(rate)) as lab:
        token_id, _, secret = lab.token().partition("=")
        user, _, name = token_id.partition("!")
        host = lab.url(NODES[0]).removeprefix("https://")
        pve = ProxmoxAPI(
            host, user=user, token_name=name, token_value=secret, verify_ssl=str(lab.ca), timeout=30
        )
        begun = lab.control.now()
        pve.pools.post(poolid=vms[0].pool)
        for vm in vms:
            _one_by_hand(pve, vm, rate)
        backup = vms[0].protection.backup
        assert backup is not None
        pve.cluster.backup.post(
            id=backup.job,
            vmid=",".join(str(vm.identity.vmid) for vm in vms),
            **backup_job_config(backup),
        )
        sent = lab.control.requests()
        whole = lab.control.now() - begun
        return Measured(_last_write(sent) - begun, whole, _counted(sent))


def _one_by_hand(pve: Any, vm: DesiredVm, rate: float) -> None:
    node, vmid = pve.nodes(vm.node), vm.identity.vmid
    params: Mapping[str, str] = {**desired_config(vm), **creation_disks(vm), "pool": vm.pool}
    _wait(node, node.qemu.post(vmid=vmid, **params), rate)
    _wait(node, node.qemu(vmid).resize.put(disk="scsi0", size=f"{vm.disks[0].size}M"), rate)
    _wait(node, node.qemu(vmid).status.start.post(), rate)
    pve.cluster.ha.resources.post(sid=f"vm:{vmid}", state="started")
    pve.cluster.ha.rules.post(
        rule=f"by-hand-{vmid}",
        type="node-affinity",
        resources=f"vm:{vmid}",
        nodes=",".join(vm.protection.ha_nodes),
        strict=1,
    )
    for number, job in enumerate(vm.protection.replication):
        pve.cluster.replication.post(
            id=f"{vmid}-{number}", type="local", target=job.target, schedule=job.schedule
        )


def _wait(node: Any, upid: str, rate: float) -> None:
    while node.tasks(upid).status.get()["status"] == "running":
        time.sleep(1 / rate)


def _last_write(sent: Sequence[Mapping[str, Any]]) -> float:
    return max(float(one["time"]) for one in sent if one["method"] != "GET")


def _counted(sent: Sequence[Mapping[str, Any]]) -> Counter[str]:
    return Counter(
        "poll" if one["path"] in POLLS or "/tasks/" in one["path"] else "work" for one in sent
    )


def ideal_made(vms: Sequence[DesiredVm], at_once: int) -> float:
    """Seconds until the last VM is started when every storage copies without a gap."""
    busiest = max(Counter((vm.node, vm.disks[0].storage) for vm in vms).values())
    return math.ceil(busiest / at_once) * TASK + AFTER_COPY


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--vms", type=int, default=50)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--no-script", action="store_true")
    asked = parser.parse_args(arguments)
    vms = workload(asked.vms)
    ideal = ideal_made(vms, at_once=2)
    with tempfile.TemporaryDirectory() as scratch:
        found = ours(Path(scratch) / "ours", vms, asked.rate)
        print(f"{len(vms)} VMs, tasks of {TASK:g} s, lab rate {asked.rate:g}")
        print(
            f"ideal until made: {ideal:.1f} s; then the HA manager's next round (<= {HA_ROUND:g} s)"
        )
        _print("cloudpemda", found, ideal, len(vms))
        if not asked.no_script:
            by_hand = script(Path(scratch) / "script", vms, asked.rate)
            _print("plain script", by_hand, ideal, len(vms))
            print(f"the script takes {by_hand.made / found.made:.1f} times as long until made")


def _print(name: str, found: Measured, ideal: float, count: int) -> None:
    print(
        f"{name:>12}: made in {found.made:.1f} s = {found.made / ideal:.2f} x ideal, "
        f"read back after {found.whole:.1f} s = {found.whole / (ideal + HA_ROUND):.2f} x ideal "
        f"with a whole HA round; requests per VM {found.requests['work'] / count:.1f}"
        f" + polls {found.requests['poll'] / count:.1f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
