"""Values that the rules' tests share."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cloudpemda.request.spec import (
    DiskSpec,
    Letter,
    NicSpec,
    Requester,
    VmSpec,
    WorkloadSpec,
)
from cloudpemda.site.load import Site
from cloudpemda.site.models import (
    Catalogue,
    OpdFile,
    Person,
    ServiceClass,
    SiteFile,
)
from cloudpemda.units import Cores, Instant, MiB

NOW = Instant(datetime(2026, 11, 20, 1, tzinfo=UTC))


def vm(
    name: str = "db", *, count: int = 1, cpu: int = 2, memory: int = 2048, public: bool = False
) -> VmSpec:
    return VmSpec(
        name=name,
        count=count,
        keep_apart=False,
        image="debian-12",
        cpu=Cores(cpu),
        memory=MiB(memory),
        disks=(DiskSpec("root", MiB(10240), "ssd", True),),
        networks=(NicSpec("dinkes-app", public),),
        ssh_keys=("ssh-ed25519 AAAA siti@dinkes",),
    )


def workload(*vms: VmSpec, until: date = date(2027, 12, 31), **more: Any) -> WorkloadSpec:
    values: dict[str, Any] = {
        "opd": "dinkes",
        "name": "simrs",
        "purpose": "Sistem rumah sakit",
        "service_class": "normal",
        "until": until,
        "letter": Letter("500.12.3/417/Dinkes/2026", date(2026, 11, 20)),
        "requester": Requester(
            "Siti Rahmawati", "198501012010012001", "Kasubag TI", "siti@dinkes.example.go.id"
        ),
        "vms": vms or (vm(),),
    }
    return WorkloadSpec(**{**values, **more})


def service_class(
    *, targets: int = 0, factor: float | None = None, approval: str = "diskominfo"
) -> ServiceClass:
    return ServiceClass.model_validate(
        {
            "weight": 1,
            "replication": {"targets": targets, "every": "1h"} if targets else None,
            "backup": None
            if factor is None
            else {"every": "24h", "keep": {"last": 1}, "factor": factor},
            "approval": approval,
        }
    )


def opd(code: str, *, parent: str | None = None, **more: Any) -> OpdFile:
    return OpdFile.model_validate(
        {
            "opd": {
                "code": code,
                "name": code.title(),
                "parent": parent,
                "pool": f"opd-{code}",
                "vmids": more.pop("vmids", "10000-10009"),
            },
            **more,
        }
    )


def person(login: str, *roles: tuple[str, str | None], **more: Any) -> Person:
    return Person.model_validate(
        {
            "login": login,
            "name": more.pop("name", login.title()),
            "roles": tuple({"role": role, "opd": of} for role, of in roles),
            **more,
        }
    )


def cluster(role: str = "production", **storages: str) -> dict[str, Any]:
    return {
        "role": role,
        "endpoints": ("https://pve1.example.go.id:8006",),
        "token": {"id": "cloudpemda@pve!apply", "secret": "secrets/token"},
        "reserve": {"memory": "8 GiB"},
        "storages": storages,
    }


def site(*, public: bool = True, clusters: dict[str, Any] | None = None) -> Site:
    """Clusters dc (ssd, hdd) and drc (tape), OPDs dinkes and bkad with a network each."""
    info = SiteFile.model_validate(
        {
            "site": {"name": "purwakarta"},
            "clusters": clusters
            or {
                "dc": cluster(ssd="local-zfs", hdd="tank"),
                "drc": cluster("recovery", ssd="local-zfs", tape="tape"),
            },
            "networks": {
                f"{code}-app": {
                    "opd": code,
                    "bridge": "vmbr0",
                    "cidr": f"10.10.{number}.0/24",
                    "gateway": f"10.10.{number}.1",
                }
                for number, code in enumerate(("dinkes", "bkad"))
            },
            "public_addresses": {"cidr": "203.0.113.16/28"} if public else None,
            "defaults": {"quota": {"instances": 5}},
        }
    )
    images = {
        "debian-12": {"dc": {"import": "nfs:import/debian-12.qcow2"}},
        "windows": {"drc": {"import": "nfs:import/windows.qcow2"}},
    }
    return Site(
        directory=Path("site"),
        info=info,
        opds={
            "dinkes": opd(
                "dinkes",
                allow={"service_classes": ("normal",), "networks": ("dinkes-app",)},
            ),
            "bkad": opd("bkad"),
        },
        catalogue=Catalogue.model_validate(
            {
                "images": images,
                "service_classes": {"normal": {"weight": 1}, "critical": {"weight": 9}},
            }
        ),
        people=(),
    )
