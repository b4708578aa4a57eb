"""Desired VMs to plan with; each test replaces what it is about."""

from dataclasses import replace

from cloudpemda.errors import CloudpemdaError
from cloudpemda.messages import Lang, explain
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
from cloudpemda.units import Cores, MiB

BACKUP = DesiredBackup(
    job="cloudpemda-critical", storage="pbs-dc", schedule="01:00", prune="keep-daily=14"
)


def desired(number: int = 1, **changes: object) -> DesiredVm:
    """`dinkes/simrs/db-<number>` on pve<number>, replicated to pve3, kept apart."""
    vm = DesiredVm(
        key=f"dinkes/simrs/db-{number}",
        name=f"dinkes-simrs-db-{number}",
        identity=Identity(uid=f"uid-{number}", cluster="dc", vmid=10000 + number),
        node=f"pve{number}",
        pool="opd-dinkes",
        cores=Cores(4),
        memory=MiB(8192),
        image=ImageSource(import_volume="nfs:import/debian-12.qcow2"),
        disks=(
            DesiredDisk("root", "scsi0", "local-zfs", MiB(40960), True, True),
            DesiredDisk("data", "scsi1", "local-zfs", MiB(204800), True, True),
        ),
        nics=(
            DesiredNic(
                slot="net0",
                network="dinkes-app",
                bridge="vmbr0",
                vlan=110,
                mac=f"BC:24:11:00:00:0{number}",
                address=f"10.10.110.2{number}/24",
                gateway="10.10.110.1",
            ),
        ),
        user="debian",
        ssh_keys=("ssh-ed25519 AAAA/+= siti@dinkes",),
        nameservers=("10.10.0.53",),
        tags=frozenset({"cloudpemda", "opd-dinkes", "class-critical"}),
        protection=Protection(
            ha=True,
            ha_nodes=(f"pve{number}", "pve3"),
            apart="dinkes_simrs_db",
            replication=(DesiredReplication("pve3", "*/15"),),
            backup=BACKUP,
        ),
    )
    return replace(vm, **changes)  # type: ignore[arg-type]


def readable(error: CloudpemdaError) -> CloudpemdaError:
    """The error, once its texts were seen to be complete in both languages."""
    languages: tuple[Lang, ...] = ("en", "id")
    for lang in languages:
        what, then = explain(error.code, lang, error.values)
        assert "?" not in what + then
        assert then
    return error
