"""A workload as specified, and the site's files that give it its meaning."""

from dataclasses import replace
from datetime import date
from typing import Any

from cloudpemda.plan.desire import InstanceIdentity, NicIdentity, Setting, instance_key
from cloudpemda.request.spec import DiskSpec, Letter, NicSpec, Requester, VmSpec, WorkloadSpec
from cloudpemda.site.models import Catalogue, ClusterSettings, Network
from cloudpemda.units import Cores, MiB

DB = VmSpec(
    name="db",
    count=2,
    keep_apart=True,
    image="debian-12",
    cpu=Cores(4),
    memory=MiB(8192),
    disks=(
        DiskSpec("root", MiB(40 * 1024), "ssd", True),
        DiskSpec("scratch", MiB(10 * 1024), "ssd", False),
    ),
    networks=(NicSpec("dinkes-app", False), NicSpec("dinkes-web", True)),
    ssh_keys=("ssh-ed25519 AAAA siti@dinkes",),
)

SPEC = WorkloadSpec(
    opd="dinkes",
    name="simrs",
    purpose="Sistem informasi manajemen rumah sakit",
    service_class="critical",
    until=date(2027, 12, 31),
    letter=Letter("500/1", date(2026, 11, 20)),
    requester=Requester("Siti", "1", "Kasubag", "siti@dinkes.example.go.id"),
    vms=(DB,),
)

CATALOGUE = Catalogue.model_validate(
    {
        "images": {"debian-12": {"dc": {"import": "nfs:import/debian-12.qcow2", "user": "admin"}}},
        "serviceClasses": {
            "critical": {
                "weight": 100,
                "ha": True,
                "replication": {"targets": 1, "every": "15m"},
                "backup": {
                    "every": "24h",
                    "keep": {"daily": 14, "monthly": 6},
                    "factor": 1.5,
                    "at": "01:30",
                },
            },
            "movable": {"weight": 50, "ha": True},
            "simple": {"weight": 10},
        },
    }
)

SETTINGS = ClusterSettings.model_validate(
    {
        "endpoints": "lab",
        "token": {"id": "cloudpemda@pve!apply", "secret": "secrets/dc.token"},
        "reserve": {"memory": "8 GiB"},
        "storages": {"ssd": "local-zfs"},
        "backup": "pbs-dc",
    }
)

NETWORKS = {
    "dinkes-app": Network.model_validate(
        {
            "opd": "dinkes",
            "bridge": "vmbr0",
            "vlan": 110,
            "cidr": "10.10.110.0/24",
            "gateway": "10.10.110.1",
            "nameservers": ("10.10.0.53", "10.10.0.54"),
        }
    ),
    "dinkes-web": Network.model_validate(
        {
            "opd": "dinkes",
            "bridge": "vmbr1",
            "cidr": "10.10.111.0/25",
            "gateway": "10.10.111.1",
            "nameservers": ("10.10.0.53",),
        }
    ),
}


def setting(**changes: Any) -> Setting:
    values: dict[str, Any] = {
        "cluster": "dc",
        "settings": SETTINGS,
        "catalogue": CATALOGUE,
        "networks": NETWORKS,
        "pool": "opd-dinkes",
    }
    return Setting(**(values | changes))


def spec(**changes: Any) -> WorkloadSpec:
    return replace(SPEC, **changes)


def identities(wanted: WorkloadSpec) -> dict[str, InstanceIdentity]:
    """One identity per instance: VMIDs from 10001 on, addresses .21 on."""
    keys = [instance_key(wanted, member) for vm in wanted.vms for member in vm.members]
    return {
        key: InstanceIdentity(
            uid=f"uid-{number}",
            vmid=10000 + number,
            name=key.replace("/", "-"),
            nics={
                network: NicIdentity(
                    f"BC:24:11:00:{part}:{number:02}", f"10.10.1{part}.{20 + number}"
                )
                for network, part in (("dinkes-app", 10), ("dinkes-web", 11))
            },
        )
        for number, key in enumerate(keys, 1)
    }
