"""What should be: a workload's specification, its identities and its places as desired VMs.

Pure. Tags, slots, schedules and job ids are decided here and nowhere else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cloudpemda.cluster import ClusterState, HaFlavour
from cloudpemda.errors import Refused
from cloudpemda.placement import DiskDemand, ImageDemand, Placed, Placement, Residence, VmDemand
from cloudpemda.plan.firewall import firewall_of
from cloudpemda.plan.ha import affinity_name
from cloudpemda.plan.model import (
    AsFound,
    DesiredBackup,
    DesiredDisk,
    DesiredNic,
    DesiredReplication,
    DesiredVm,
    Identity,
    ImageSource,
    LeavingDisk,
    Protection,
)
from cloudpemda.plan.pve_config import backup_job_name
from cloudpemda.plan.schedule import backup_schedule, prune_options, replication_schedule
from cloudpemda.request.spec import ADOPTED, VmSpec, WorkloadSpec
from cloudpemda.site.models import (
    Catalogue,
    ClusterSettings,
    FirewallSettings,
    Image,
    Network,
    ServiceClass,
)

TAG = "cloudpemda"


@dataclass(frozen=True)
class NicIdentity:
    mac: str
    address: str  # without prefix: "10.10.110.21"
    slot: int | None = None  # the number of net0, net1 …; None: its place in the document


@dataclass(frozen=True)
class InstanceIdentity:
    """What the ledger chose and recorded for one instance before anything is written."""

    uid: str
    vmid: int
    name: str  # in PVE: unique there, at most 63 characters
    nics: Mapping[str, NicIdentity]  # by network
    slots: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({})
    )  # disk → number; {}: its place in the document
    fresh: frozenset[str] = frozenset()  # disks that a VM that was made may be without
    found: AsFound | None = None  # None: cloudpemda made it, or will
    kept: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # disk → the volume of it that rests beside the VM
    leaves: tuple[LeavingDisk, ...] = ()


@dataclass(frozen=True)
class Setting:
    """The cluster and the site's files that give a specification its meaning there."""

    cluster: str
    settings: ClusterSettings
    catalogue: Catalogue
    networks: Mapping[str, Network]
    pool: str  # of the OPD
    firewall: FirewallSettings = field(default_factory=FirewallSettings)
    offices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )  # OPD → the networks of its people
    site_key: str = ""  # public half of the key that VMs with roles let in; empty: there is none

    def keys_of(self, vm: VmSpec) -> tuple[str, ...]:
        """Who may log in: its OPD's keys, and the site's where roles are to be set up. Raises
        Refused (`plan.no-site-key`) where there is no such key."""
        if not vm.roles:
            return vm.ssh_keys
        if not self.site_key:
            raise Refused("plan.no-site-key", vm=vm.name)
        return tuple(sorted({*vm.ssh_keys, self.site_key}))

    def service_class(self, name: str) -> ServiceClass:
        """Raises Refused (`plan.class`) for a class that the catalogue has not."""
        found = self.catalogue.service_classes.get(name)
        if found is None:
            raise Refused("plan.class", service_class=name)
        return found

    def image(self, name: str) -> Image:
        """Raises Refused (`plan.image`) for an image that this cluster does not keep. What was
        adopted has none, and is never made."""
        if name == ADOPTED:
            return Image(template={})
        found = self.catalogue.images.get(name, {}).get(self.cluster)
        if found is None:
            raise Refused("plan.image", image=name, cluster=self.cluster)
        return found

    def storage(self, storage_class: str) -> str:
        """Raises Refused (`plan.storage`) for a storage class that this cluster has not."""
        found = self.settings.storages.get(storage_class)
        if found is None:
            raise Refused("plan.storage", storage_class=storage_class, cluster=self.cluster)
        return found

    def network(self, name: str) -> Network:
        """Raises Refused (`plan.network`) for a network that the site has not."""
        found = self.networks.get(name)
        if found is None:
            raise Refused("plan.network", network=name)
        return found


def instance_key(spec: WorkloadSpec, member: str) -> str:
    """`dinkes/simrs/db-1`."""
    return f"{spec.key}/{member}"


def apart_group(spec: WorkloadSpec, vm: VmSpec) -> str | None:
    """The keep-apart group of one kind of VM; `_` stands in no name, so no two groups mix."""
    return f"{spec.opd}_{spec.name}_{vm.name}" if vm.keep_apart and vm.count > 1 else None


def demands_of(
    spec: WorkloadSpec, setting: Setting, residences: Mapping[str, Residence]
) -> tuple[VmDemand, ...]:
    """What the workload asks of placement on this cluster; `residences` by instance key.

    Raises Refused for a class, image or storage class that the cluster has not.
    """
    service_class = setting.service_class(spec.service_class)
    replicas = service_class.replication.targets if service_class.replication else 0
    drc = service_class.drc
    stretched = drc is not None and drc.method == "stretched"
    return tuple(
        VmDemand(
            key=(key := instance_key(spec, member)),
            cores=vm.cpu,
            memory=vm.memory,
            disks=tuple(
                DiskDemand(setting.storage(disk.storage_class), disk.size, disk.protect)
                for disk in vm.disks
            ),
            image=_image_demand(setting.image(vm.image)),
            ha=service_class.ha,
            replicas=replicas,
            apart=apart_group(spec, vm),
            existing=residences.get(key),
            away=frozenset(setting.settings.drc_nodes),
            stretched=stretched,
        )
        for vm in spec.vms
        for member in vm.members
    )


def desire(
    spec: WorkloadSpec,
    setting: Setting,
    identities: Mapping[str, InstanceIdentity],
    placement: Placement,
    state: ClusterState,
) -> tuple[DesiredVm, ...]:
    """The desired VMs of a workload, in the order of the specification.

    `identities` and `placement` must cover every instance by its key (KeyError). Raises Refused
    where the cluster lacks what the class promises.
    """
    disjoint = _disjoint_nodes(spec, setting, identities, placement, state)
    return tuple(
        _desired(
            spec,
            vm,
            setting,
            identities[key],
            placed=placement.of(key),
            disjoint=disjoint.get(key, ()),
        )
        for vm in spec.vms
        for key in (instance_key(spec, member) for member in vm.members)
    )


def _desired(
    spec: WorkloadSpec,
    vm: VmSpec,
    setting: Setting,
    identity: InstanceIdentity,
    *,
    placed: Placed,
    disjoint: tuple[str, ...],
) -> DesiredVm:
    image = setting.image(vm.image)
    nameservers = dict.fromkeys(
        server for nic in vm.networks for server in setting.network(nic.network).nameservers
    )
    return DesiredVm(
        key=placed.key,
        name=identity.name,
        identity=Identity(identity.uid, setting.cluster, identity.vmid),
        node=placed.node,
        pool=setting.pool,
        cores=vm.cpu,
        memory=vm.memory,
        image=_image_source(vm.image, image, setting.cluster, placed),
        disks=tuple(
            DesiredDisk(
                name=disk.name,
                slot=slot,
                storage=setting.storage(disk.storage_class),
                size=disk.size,
                backup=disk.protect,
                replicate=disk.protect,
                fresh=disk.name in identity.fresh,
                kept=identity.kept.get(disk.name, ""),
            )
            for disk, slot in zip(vm.disks, _disk_slots(vm, identity), strict=True)
        ),
        nics=_nics(vm, setting, identity),
        user=image.user,
        ssh_keys=setting.keys_of(vm),
        nameservers=tuple(nameservers),
        tags=our_tags(spec) | frozenset(identity.found.tags if identity.found else ()),
        protection=_protection(spec, vm, setting, placed, disjoint),
        found=identity.found,
        firewall=firewall_of(spec, vm, setting.firewall, setting.networks, setting.offices),
        leaves=identity.leaves,
    )


def our_tags(spec: WorkloadSpec) -> frozenset[str]:
    """What tells a VM of ours, its OPD and its class in PVE's own list."""
    return frozenset({TAG, f"opd-{spec.opd}", f"class-{spec.service_class}"})


def _disk_slots(vm: VmSpec, identity: InstanceIdentity) -> Iterator[str]:
    """The slot of each disk: as it was found, as it was given, or in the document's order."""
    known = dict(identity.found.disks) if identity.found else {}
    for number, disk in enumerate(vm.disks):
        yield known.get(disk.name) or f"scsi{identity.slots.get(disk.name, number)}"


def _nics(vm: VmSpec, setting: Setting, identity: InstanceIdentity) -> tuple[DesiredNic, ...]:
    nics = []
    slots = [
        number if (given := identity.nics[nic.network].slot) is None else given
        for number, nic in enumerate(vm.networks)
    ]
    for number, nic in zip(slots, vm.networks, strict=True):
        network = setting.network(nic.network)
        chosen = identity.nics[nic.network]
        nics.append(
            DesiredNic(
                slot=f"net{number}",
                network=nic.network,
                bridge=network.attach,
                vlan=network.vlan,
                mac=chosen.mac,
                # of what was adopted nobody may know it
                address=f"{chosen.address}/{network.prefix.prefixlen}" if chosen.address else "",
                gateway=network.gateway if number == min(slots) else None,
            )
        )
    return tuple(nics)


def _protection(
    spec: WorkloadSpec, vm: VmSpec, setting: Setting, placed: Placed, disjoint: tuple[str, ...]
) -> Protection:
    service_class = setting.service_class(spec.service_class)
    replication: tuple[DesiredReplication, ...] = ()
    ha_nodes = disjoint
    if service_class.replication is not None:
        schedule = replication_schedule(service_class.replication.every)
        replication = tuple(DesiredReplication(target, schedule) for target in placed.targets)
        ha_nodes = (placed.node, *placed.targets)
    return Protection(
        ha=service_class.ha,
        ha_nodes=ha_nodes if service_class.ha else (),
        apart=apart_group(spec, vm),
        replication=replication,
        backup=_backup(spec.service_class, service_class, setting),
    )


def _backup(name: str, service_class: ServiceClass, setting: Setting) -> DesiredBackup | None:
    policy = service_class.backup
    if policy is None:
        return None
    if setting.settings.backup is None:
        raise Refused("plan.no-backup-storage", service_class=name, cluster=setting.cluster)
    return DesiredBackup(
        job=backup_job_name(name),
        storage=setting.settings.backup,
        schedule=backup_schedule(policy.every, policy.at),
        prune=prune_options(policy.keep),
    )


def _image_demand(image: Image) -> ImageDemand:
    if image.import_ is not None:
        return ImageDemand(import_volume=image.import_)
    return ImageDemand(templates=MappingProxyType(dict(image.template or {})))


def _image_source(name: str, image: Image, cluster: str, placed: Placed) -> ImageSource:
    if image.import_ is not None:
        return ImageSource(import_volume=image.import_)
    template = (image.template or {}).get(placed.node)
    if template is None and placed.score.candidates:
        raise Refused("plan.image", image=name, cluster=f"{cluster}/{placed.node}")
    return ImageSource(template=template)  # a VM that HA moved away from its template needs none


def _disjoint_nodes(
    spec: WorkloadSpec,
    setting: Setting,
    identities: Mapping[str, InstanceIdentity],
    placement: Placement,
    state: ClusterState,
) -> dict[str, tuple[str, ...]]:
    """8 cannot keep HA VMs apart, so unreplicated members get groups that share no node.

    Each member needs a second node, or HA would be void; where there are too few, they get no
    groups and are apart at placement only. Groups that already are disjoint stay as they are.
    """
    service_class = setting.service_class(spec.service_class)
    found: dict[str, tuple[str, ...]] = {}
    if state.ha_flavour is HaFlavour.RULES or not service_class.ha or service_class.replication:
        return found
    for vm in spec.vms:
        if apart_group(spec, vm) is None:
            continue
        homes = {key: placement.of(key).node for key in _keys(spec, vm)}
        present = _present_groups(homes, identities, state)
        if present is not None:
            found |= present
            continue
        spare = [node for node in _usable(vm, setting, state) if node not in homes.values()]
        if len(spare) >= len(homes):
            found |= {
                key: (home, *spare[number :: len(homes)])
                for number, (key, home) in enumerate(homes.items())
            }
    return found


def _keys(spec: WorkloadSpec, vm: VmSpec) -> Sequence[str]:
    return [instance_key(spec, member) for member in vm.members]


def _usable(vm: VmSpec, setting: Setting, state: ClusterState) -> list[str]:
    storages = {setting.storage(disk.storage_class) for disk in vm.disks}
    return [
        node
        for node in sorted(state.nodes)
        if all((node, storage) in state.storage_at for storage in storages)
    ]


def _present_groups(
    homes: Mapping[str, str], identities: Mapping[str, InstanceIdentity], state: ClusterState
) -> dict[str, tuple[str, ...]] | None:
    groups = {rule.name: rule for rule in state.ha_rules}
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for key, home in homes.items():
        group = groups.get(affinity_name(identities[key].vmid))
        if group is None or home not in group.nodes or seen & group.nodes.keys():
            return None
        seen |= group.nodes.keys()
        found[key] = (home, *sorted(node for node in group.nodes if node != home))
    return found
