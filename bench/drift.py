"""What a look at 500 instances of 40 OPDs costs, in requests and seconds.

    .venv/bin/python -m bench.drift [--instances N] [--opds M] [--rounds R]

A lab in virtual time gets N VMs, each stamped and spread over M OPDs' ranges, and the ledger of its
site the same N instances. Then `drift` runs R times for an auditor, who only reads. Nothing was
made by `apply`, so every VM differs: the longest answer there is. The bar is N + 20 requests.
Beside the median stands a plain proxmoxer script's way: one request after the other for each VM's
configuration on one connection, without comparing anything.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from pathlib import Path

import yaml

from cloudpemda.cli import main as command_line
from cloudpemda.lab.process import RunningLab
from cloudpemda.ledger import Ledger
from cloudpemda.plan.desire import TAG
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.wiring import open_desk
from tests.ledger.makers import BUDI, OPERATOR, SITI, network, pools, vm, wanted, workload
from tests.scenarios.conftest import running_site

USAGE = {"instances": 1, "vcpu": 4, "memory": 8192, "disk.ssd": 40960, "backup": 40960}


def opds(directory: Path, count: int) -> list[str]:
    """So many OPDs with a pool, a range and a network each."""
    site = yaml.safe_load((directory / "site.yaml").read_text())
    site["networks"]["app"] = {
        "opd": "dinkes", "bridge": "vmbr0", "vlan": 99, "cidr": "10.0.0.0/16",
        "gateway": "10.0.0.1",
    }  # fmt: skip
    (directory / "site.yaml").write_text(json.dumps(site))
    codes = [f"opd{number:02}" for number in range(count)]
    for number, code in enumerate(codes):
        first = 20000 + number * 100
        about = {"code": code, "name": code, "pool": f"pool-{code}"}
        about["vmids"] = f"{first}-{first + 99}"
        about_all = {"opd": {**about, "contacts": []}, "quota": {"instances": 100}}
        (directory / "opd" / f"{code}.yaml").write_text(json.dumps(about_all))
    return codes


def live(ledger: Ledger, now: Instant, opd: str, number: int, first: int) -> None:
    """One workload of one VM, from hand to life."""
    spec = workload(opd, f"w{number}", vm("db", 1))
    ledger.requests.submit(spec, "", SITI)
    ledger.requests.approve(
        spec.key, spec_hash=spec.spec_hash, offer_digest="offer", offer_json='{"cluster":"dc"}',
        amounts={"db-1": USAGE},
        chain=(Link(opd, dict.fromkeys(USAGE), frozenset({opd})),),
        warn_at=(80,), actor=BUDI, hold_until=Instant(now.replace(year=now.year + 1)),
    )  # fmt: skip
    ledger.requests.begin(spec.key, spec_hash=spec.spec_hash, offer_digest="offer", actor=OPERATOR)
    for one in ledger.instances.claim(
        spec.key, wanted(spec), vmid_range=range(first, first + 100),
        pools=pools(network("10.0.0.0/16", gateway="10.0.0.1")), taken_vmids={}, actor=OPERATOR,
    ):  # fmt: skip
        ledger.instances.place(
            one.uid, node=f"pve{number % 3 + 1}", storages={"root": "local-zfs"}, targets=(),
            actor=OPERATOR,
        )  # fmt: skip
        ledger.instances.creating(one.uid, actor=OPERATOR)
        ledger.instances.active(one.uid, actor=OPERATOR)
    ledger.requests.finish(spec.key, actor=OPERATOR)


def people(desk: Desk, lab: RunningLab) -> None:
    """The VMs of all instances, as far as a stamp goes."""
    for one in desk.ledger.instances.list():
        text = f"cloudpemda uid={one.uid} role={one.role} instance={one.key}"
        config = {"name": one.name, "description": text, "tags": TAG, "cores": "4"}
        config |= {"memory": "8192", "scsi0": f"local-zfs:vm-{one.vmid}-disk-0,size=40G"}
        made = {"cluster": "dc", "action": "create-vm", "vmid": one.vmid, "node": one.node}
        lab.post("/outside", {**made, "config": config})
    lab.post("/advance", {"seconds": 60})


def looked(directory: Path) -> float:
    """Seconds of one `drift`, opening the site included."""
    line = ["--site", str(directory), "--actor", "yanti", "--output", "json", "drift"]
    begun = time.perf_counter()
    with (
        open(directory / "var" / "told", "w", encoding="utf-8") as told,
        contextlib.redirect_stdout(told),
        contextlib.suppress(SystemExit),
    ):
        command_line(line)
    return time.perf_counter() - begun


def one_by_one(desk: Desk) -> float:
    """Seconds of a script that reads each VM's configuration."""
    pve = desk.cluster("dc")
    begun = time.perf_counter()
    for one in desk.ledger.instances.list():
        pve.config(str(one.node), one.vmid)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--opds", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder) / "site") as (directory, lab),
    ):
        codes = opds(directory, args.opds)
        with open_desk(directory, asserted="rudi") as desk:
            for number in range(args.instances):
                place = number % len(codes)
                live(desk.ledger, desk.clock.now(), codes[place], number, 20000 + place * 100)
            people(desk, lab)
            plain = one_by_one(desk)
        before = len(lab.get("/requests"))
        runs = [looked(directory) for _ in range(args.rounds)]
        asked = [one for one in lab.get("/requests")[before:] if one["cluster"] == "dc"]
        told = json.loads((directory / "var" / "told").read_text())
        each = len(asked) / args.rounds
        print(f"{len(told['data']['instances'])} of {told['data']['compared']} VMs differ")
        print(f"requests: {each:.0f} (bar: {args.instances + 20}), "
              f"of pools: {sum('/pools' in one['path'] for one in asked)}")  # fmt: skip
        print(f"drift: median {statistics.median(runs):.2f} s; reading alone, one after the other: "
              f"{plain:.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
