"""What a specification means on a cluster."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from cloudpemda.cluster import ClusterState, HaFlavour, HaRule, Node, NodeStatus
from cloudpemda.errors import Refused
from cloudpemda.placement import (
    NPlusOne,
    Placed,
    Placement,
    PlacementPolicy,
    Residence,
    Score,
    place,
)
from cloudpemda.plan.desire import Setting, demands_of, desire
from cloudpemda.plan.ha import Apartness, apartness
from cloudpemda.plan.model import DesiredVm, ImageSource
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.site.models import Catalogue
from cloudpemda.units import Cores, MiB
from tests.clusters.load import cluster
from tests.plan.live import applied
from tests.plan.requests import CATALOGUE, DB, NETWORKS, SETTINGS, identities, setting, spec
from tests.plan.values import readable

EMPTY = cluster("three-nodes-empty")
POLICY = PlacementPolicy(3, MiB(8192))


def desired(
    wanted: WorkloadSpec, where: Setting | None = None, state: ClusterState = EMPTY
) -> tuple[DesiredVm, ...]:
    where = where or setting()
    known = identities(wanted)
    homes = {
        key: Residence(
            vm.vmid, vm.node, tuple(j.target for j in state.replication_jobs if j.vmid == vm.vmid)
        )
        for key, one in known.items()
        if (vm := state.vms.get(one.vmid)) is not None
    }
    placement = place(demands_of(wanted, where, homes), state, POLICY)
    assert isinstance(placement, Placement), placement.faults
    return desire(wanted, where, known, placement, state)


def test_names_tags_pool_and_identity() -> None:
    one, two = desired(spec())
    assert (one.key, one.name) == ("dinkes/simrs/db-1", "dinkes-simrs-db-1")
    assert (one.pool, one.user, two.identity.vmid) == ("opd-dinkes", "admin", 10002)
    assert one.tags == {"cloudpemda", "opd-dinkes", "class-critical"}
    assert one.identity.cluster == "dc"


def test_nics_take_address_prefix_and_bridge_and_only_the_first_the_gateway() -> None:
    first, second = desired(spec())[0].nics
    assert (first.slot, first.address, first.gateway) == (
        "net0",
        "10.10.110.21/24",
        "10.10.110.1",
    )
    assert (first.bridge, first.vlan, first.mac) == ("vmbr0", 110, "BC:24:11:00:10:01")
    assert (second.slot, second.address, second.gateway, second.vlan) == (
        "net1",
        "10.10.111.21/25",
        None,
        None,
    )


def test_name_servers_of_all_networks_once_each() -> None:
    assert desired(spec())[0].nameservers == ("10.10.0.53", "10.10.0.54")


def test_a_disk_that_shall_not_be_protected_is_neither_backed_up_nor_replicated() -> None:
    root, scratch = desired(spec())[0].disks
    assert (root.slot, root.storage, root.size) == ("scsi0", "local-zfs", 40 * 1024)
    assert (root.backup, root.replicate) == (True, True)
    assert (scratch.slot, scratch.backup, scratch.replicate) == ("scsi1", False, False)


def test_protection_follows_the_class_and_the_place() -> None:
    one, two = desired(spec())
    (job,) = one.protection.replication
    assert job.schedule == "*/15"
    assert one.protection.ha
    assert one.protection.ha_nodes == (one.node, job.target)
    assert one.protection.apart == two.protection.apart == "dinkes_simrs_db"
    backup = one.protection.backup
    assert backup is not None
    assert (backup.job, backup.storage) == ("cloudpemda-critical", "pbs-dc")
    assert (backup.schedule, backup.prune) == ("01:30", "keep-daily=14,keep-monthly=6")


def test_a_class_that_promises_nothing_protects_nothing() -> None:
    one, _ = desired(spec(service_class="simple"))
    assert not one.protection.ha
    assert (one.protection.ha_nodes, one.protection.replication) == ((), ())
    assert one.protection.backup is None


def test_a_single_vm_has_no_keep_apart_group() -> None:
    assert desired(spec(vms=(replace(DB, count=1),)))[0].protection.apart is None


def test_groups_of_different_workloads_never_share_a_name() -> None:
    one = desired(spec(opd="a-b", name="c"))[0].protection.apart
    two = desired(spec(opd="a", name="b-c"))[0].protection.apart
    assert one != two


def test_a_template_is_taken_from_the_node_that_was_chosen() -> None:
    images = {"debian-12": {"dc": {"template": {"pve1": 9000, "pve2": 9001}}}}
    catalogue = Catalogue.model_validate(
        {"images": images, "serviceClasses": {"simple": {"weight": 1}}}
    )
    state = cluster("templates-on-two-nodes")
    vms = desired(spec(service_class="simple"), setting(catalogue=catalogue), state)
    assert {(vm.node, vm.image.template) for vm in vms} == {("pve1", 9000), ("pve2", 9001)}
    assert vms[0].image.import_volume is None


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (setting(cluster="drc"), "plan.image"),
        (setting(networks={"dinkes-app": NETWORKS["dinkes-app"]}), "plan.network"),
        (setting(settings=SETTINGS.model_copy(update={"storages": {}})), "plan.storage"),
        (setting(settings=SETTINGS.model_copy(update={"backup": None})), "plan.no-backup-storage"),
        (setting(catalogue=CATALOGUE.model_copy(update={"service_classes": {}})), "plan.class"),
    ],
)
def test_what_the_cluster_lacks_is_refused_by_its_name(where: Setting, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        desired(spec(), where)
    assert readable(refusal.value).code == code


def test_demands_carry_what_placement_must_know() -> None:
    residence = Residence(10001, "pve2", ("pve3",))
    one, two = demands_of(spec(), setting(), {"dinkes/simrs/db-1": residence})
    assert (one.cores, one.memory, one.ha, one.replicas) == (4, 8192, True, 1)
    assert [(disk.storage, disk.size, disk.replicate) for disk in one.disks] == [
        ("local-zfs", 40960, True),
        ("local-zfs", 10240, False),
    ]
    assert (one.existing, two.existing) == (residence, None)
    assert one.apart == "dinkes_simrs_db"


def test_placing_what_was_applied_again_desires_the_same() -> None:
    first = desired(spec())
    again = desired(spec(), state=applied(EMPTY, first))
    assert again == first


def test_a_vm_that_ha_moved_away_from_its_template_needs_none() -> None:
    """A template is asked for where the VM is to be made, and nowhere else."""
    images = {"debian-12": {"dc": {"template": {"pve1": 9000}}}}
    classes = {"simple": {"weight": 1}}
    catalogue = Catalogue.model_validate({"images": images, "serviceClasses": classes})
    where = setting(catalogue=catalogue)
    single = spec(service_class="simple", vms=(replace(DB, count=1),))
    for candidates, refused in ((0, False), (3, True)):
        place = Placed("dinkes/simrs/db-1", "pve3", (), Score(0, 0, candidates))
        placement = Placement("dc", (place,), NPlusOne((), ()))
        if refused:
            with pytest.raises(Refused):
                desire(single, where, identities(single), placement, EMPTY)
        else:
            (vm,) = desire(single, where, identities(single), placement, EMPTY)
            assert vm.image == ImageSource()


# -- keep apart on 8 -------------------------------------------------------------------------
def groups_cluster(count: int) -> ClusterState:
    """8.4 with so many nodes and one shared storage that stands for the class ssd."""
    state = cluster("shared-storage-groups")
    names = [f"pve{number}" for number in range(1, count + 1)]
    (storage, *_) = state.storages
    return replace(
        state,
        nodes={name: Node(name, NodeStatus.ONLINE, Cores(8), MiB(32768), MiB(0)) for name in names},
        storages=tuple(replace(storage, node=name, name="local-zfs") for name in names),
        images=MappingProxyType({"nfs:import/debian-12.qcow2": frozenset(names)}),
        vms={},
        ha_resources={},
        ha_rules=(),
    )


def test_on_8_members_get_groups_that_share_no_node_if_each_can_have_two() -> None:
    vms = desired(spec(service_class="movable"), state=groups_cluster(5))
    one, two = (set(vm.protection.ha_nodes) for vm in vms)
    assert not one & two
    assert len(one) >= 2
    assert len(two) >= 2
    assert all(vm.node in vm.protection.ha_nodes for vm in vms)
    assert set(apartness(vms, HaFlavour.GROUPS).values()) == {Apartness.DISJOINT}


def test_on_8_with_too_few_nodes_members_are_apart_at_placement_only() -> None:
    vms = desired(spec(service_class="movable"), state=groups_cluster(3))
    assert [vm.protection.ha_nodes for vm in vms] == [(), ()]
    assert set(apartness(vms, HaFlavour.GROUPS).values()) == {Apartness.PLACEMENT_ONLY}


def test_groups_that_are_disjoint_stay_though_ha_moved_a_member_within_its_group() -> None:
    state = groups_cluster(6)
    vms = desired(spec(service_class="movable"), state=state)
    done = applied(state, vms)
    other = vms[0].protection.ha_nodes[-1]
    moved = replace(done, vms={**done.vms, 10001: replace(done.vms[10001], node=other)})
    again = desired(spec(service_class="movable"), state=moved)
    assert [set(vm.protection.ha_nodes) for vm in again] == [
        set(vm.protection.ha_nodes) for vm in vms
    ]
    assert isinstance(moved.ha_rules[0], HaRule)


def test_on_9_no_node_is_withheld_from_members() -> None:
    state = replace(groups_cluster(5), ha_flavour=HaFlavour.RULES)
    vms = desired(spec(service_class="movable"), state=state)
    assert [vm.protection.ha_nodes for vm in vms] == [(), ()]
