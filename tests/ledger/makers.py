"""Values that the ledger's tests share: people, requests, quota, and a clock that obeys."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cloudpemda.clock import SeededEntropy
from cloudpemda.ledger import (
    Actor,
    Identity,
    Ledger,
    Pools,
    RequestRecord,
    Wanted,
    open_ledger,
)
from cloudpemda.request.spec import (
    DiskSpec,
    Letter,
    NicSpec,
    Requester,
    VmSpec,
    WorkloadSpec,
)
from cloudpemda.rules.quota import Link
from cloudpemda.site.models import Network, PublicAddresses
from cloudpemda.units import Cores, Instant, MiB
from tests.ledger.databases import ledger_url

RELEASED = Path(__file__).parent / "released"
START = Instant(datetime(2026, 11, 20, 1, tzinfo=UTC))
SITI = Actor("siti", "Siti Rahmawati", "requester")
BUDI = Actor("budi", "Budi Santoso", "approver")
OPERATOR = Actor("oki", "Oki Pratama", "operator")
UNLIMITED: Mapping[str, int | None] = {"instances": None, "memory": None}


@dataclass
class ManualClock:
    """A clock that moves when it is told to."""

    moment: Instant = field(default=START)

    def now(self) -> Instant:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment = Instant(self.moment + timedelta(seconds=seconds))


def open_at(
    base: Path, clock: ManualClock | None = None, seed: int = 1, identity: Identity = "login"
) -> Ledger:
    return open_ledger(
        ledger_url(base), base, clock or ManualClock(), SeededEntropy(seed), identity=identity
    )


def released(base: Path, version: str = "version-2") -> None:
    """Lay down the ledger that an earlier release left behind in `base`, on SQLite."""
    var = base / "var"
    var.mkdir(mode=0o700, parents=True)
    with closing(sqlite3.connect(var / "ledger.sqlite3")) as connection:
        connection.executescript((RELEASED / f"{version}.sql").read_text())
    (var / "audit.head").write_text((RELEASED / f"{version}.head").read_text())
    for file in var.iterdir():
        file.chmod(0o600)


def vm(name: str = "db", count: int = 2, *, public: bool = False, memory: int = 8192) -> VmSpec:
    return VmSpec(
        name=name,
        count=count,
        keep_apart=False,
        image="debian-12",
        cpu=Cores(4),
        memory=MiB(memory),
        disks=(DiskSpec("root", MiB(40960), "ssd", True),),
        networks=(NicSpec("app", public),),
        ssh_keys=("ssh-ed25519 AAAA siti@dinkes",),
    )


def workload(
    opd: str = "dinkes", name: str = "simrs", *vms: VmSpec, purpose: str = "Sistem rumah sakit"
) -> WorkloadSpec:
    return WorkloadSpec(
        opd=opd,
        name=name,
        purpose=purpose,
        service_class="normal",
        until=date(2027, 12, 31),
        letter=Letter("500.12.3/417/Dinkes/2026", date(2026, 11, 20)),
        requester=Requester(
            "Siti Rahmawati", "198501012010012001", "Kasubag TI", "siti@dinkes.example.go.id"
        ),
        vms=vms or (vm(),),
    )


def chain(opd: str = "dinkes", **limits: int | None) -> tuple[Link, ...]:
    """The OPD alone, with the limits given (`memory=…`) and nothing else."""
    return (Link(opd, limits, frozenset({opd})),)


def approve(
    ledger: Ledger,
    spec: WorkloadSpec,
    amounts: Mapping[str, Mapping[str, int]],
    links: tuple[Link, ...],
    *,
    offer_digest: str = "offer-1",
    hold_until: Instant | None = None,
) -> None:
    """Approve what `spec` says, for two weeks."""
    ledger.requests.approve(
        spec.key,
        spec_hash=spec.spec_hash,
        offer_digest=offer_digest,
        offer_json='{"cluster":"dc"}',
        amounts=amounts,
        chain=links,
        warn_at=(80,),
        actor=BUDI,
        hold_until=hold_until or Instant(START + timedelta(days=14)),
    )


def applying(ledger: Ledger, spec: WorkloadSpec, memory: int = 100) -> RequestRecord:
    """A request that was handed in, approved with `memory` for each member, and begun."""
    ledger.requests.submit(spec, "source", SITI)
    members = [member for kind in spec.vms for member in kind.members]
    amounts = {member: {"instances": 1, "memory": memory} for member in members}
    approve(ledger, spec, amounts, (Link(spec.opd, UNLIMITED, frozenset({spec.opd})),))
    return ledger.requests.begin(
        spec.key, spec_hash=spec.spec_hash, offer_digest="offer-1", actor=OPERATOR
    )


def living(
    ledger: Ledger, spec: WorkloadSpec, usage: Mapping[str, int] | None = None
) -> RequestRecord:
    """A workload that was approved and made, each member charged `usage`."""
    ledger.requests.submit(spec, "applied", SITI)
    each = usage or {"instances": 1, "memory": 100}
    amounts = {member: each for kind in spec.vms for member in kind.members}
    approve(ledger, spec, amounts, (Link(spec.opd, dict.fromkeys(each), frozenset({spec.opd})),))
    begin_and_finish(ledger, spec)
    return ledger.requests.get(spec.key)


def begin_and_finish(ledger: Ledger, spec: WorkloadSpec) -> None:
    """Make all that is approved."""
    ledger.requests.begin(
        spec.key, spec_hash=spec.spec_hash, offer_digest="offer-1", actor=OPERATOR
    )
    for instance in ledger.instances.claim(
        spec.key,
        wanted(spec),
        vmid_range=range(100, 10000),
        pools=pools(network("10.0.0.0/16", gateway="10.0.0.1")),
        taken_vmids={},
        actor=OPERATOR,
    ):
        ledger.instances.creating(instance.uid, actor=OPERATOR)
        ledger.instances.active(instance.uid, actor=OPERATOR)
    ledger.requests.finish(spec.key, actor=OPERATOR)


def network(cidr: str = "10.10.110.0/29", **more: object) -> Network:
    values: dict[str, object] = {
        "opd": "dinkes",
        "bridge": "vmbr0",
        "cidr": cidr,
        "gateway": "10.10.110.1",
        **more,
    }
    return Network.model_validate(values)


def pools(
    app: Network | None = None, public: str | None = None, taken: frozenset[str] = frozenset()
) -> Pools:
    addresses = None if public is None else PublicAddresses(cidr=public)
    return Pools({"app": app or network()}, addresses, taken)


def wanted(spec: WorkloadSpec, cluster: str = "dc") -> tuple[Wanted, ...]:
    return tuple(
        Wanted(member, cluster, kind.networks) for kind in spec.vms for member in kind.members
    )


def revised(spec: WorkloadSpec) -> WorkloadSpec:
    return replace(spec, purpose=spec.purpose + ", diperluas")
