"""Where VMs go, and why they do not, in named situations."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from cloudpemda.cluster import ClusterState, HaFlavour, Node, NodeStatus, Storage, VmStatus
from cloudpemda.messages import Lang, explain
from cloudpemda.placement import (
    DiskDemand,
    Exposed,
    Exposure,
    ImageDemand,
    PlacementPolicy,
    Promise,
    Reason,
    Residence,
    VmDemand,
    place,
)
from cloudpemda.units import Cores, MiB
from tests.clusters.load import cluster
from tests.placement.values import POLICY, demand, gib, placed, protected, refused, sentence


def test_vms_are_spread_so_that_memory_stays_even() -> None:
    state = cluster("three-nodes-empty")
    result = placed(place([demand(f"web-{n}") for n in range(6)], state, POLICY))
    homes = [vm.node for vm in result.vms]
    assert sorted(homes) == ["pve1", "pve1", "pve2", "pve2", "pve3", "pve3"]


def test_the_same_question_gets_the_same_answer_in_any_order_of_the_state() -> None:
    state = cluster("three-nodes-empty")
    turned = replace(
        state, nodes=dict(list(state.nodes.items())[::-1]), storages=state.storages[::-1]
    )
    demands = [protected("db-1"), protected("db-2"), demand("web-1")]
    assert place(demands, state, POLICY) == place(demands, turned, POLICY)


def test_the_answer_keeps_the_order_of_the_demands() -> None:
    demands = [demand("a"), protected("b", apart="g"), demand("c", memory=gib(20))]
    result = placed(place(demands, cluster("three-nodes-empty"), POLICY))
    assert [vm.key for vm in result.vms] == ["a", "b", "c"]
    assert result.of("c").key == "c"
    with pytest.raises(KeyError):
        result.of("d")


def test_two_demands_with_one_key_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="one key"):
        place([demand("a"), demand("a")], cluster("three-nodes-empty"), POLICY)


def test_no_demand_is_a_placement_of_nothing() -> None:
    assert placed(place([], cluster("three-nodes-empty"), POLICY)).vms == ()


def test_keep_apart_members_share_no_node_and_no_replica_lies_beside_another_member() -> None:
    group = [protected(f"db-{n}", apart="db") for n in (1, 2)]
    result = placed(place(group, cluster("three-nodes-empty"), POLICY))
    one, two = result.vms
    assert one.node != two.node
    assert two.node not in one.targets
    assert one.node not in two.targets
    assert result.n_plus_one.holds
    assert result.n_plus_one.exposed == ()


def test_a_replica_gives_way_to_a_member_that_can_be_nowhere_else() -> None:
    """Only pve1 and pve2 have the image, so that both replicas must lie on pve3."""
    state = replace(
        cluster("three-nodes-empty"),
        images={"nfs:import/debian-12.qcow2": frozenset({"pve1", "pve2"})},
    )
    group = [protected(f"db-{n}", apart="db") for n in (1, 2)]
    result = placed(place(group, state, POLICY))
    assert {(vm.node, vm.targets) for vm in result.vms} == {
        ("pve1", ("pve3",)),
        ("pve2", ("pve3",)),
    }


def test_members_whose_replicas_cannot_lie_apart_are_named_as_exposed() -> None:
    group = [protected(f"db-{n}", apart="db") for n in (1, 2, 3)]
    result = placed(place(group, cluster("three-nodes-empty"), POLICY))
    assert {vm.node for vm in result.vms} == {"pve1", "pve2", "pve3"}
    assert result.n_plus_one.exposed == tuple(Exposed(f"db-{n}", Exposure.APART) for n in (1, 2, 3))


def test_more_members_than_nodes_are_refused_by_keep_apart() -> None:
    group = [demand(f"db-{n}", apart="db") for n in (1, 2, 3)]
    refusal = refused(place(group, cluster("two-nodes-empty"), POLICY))
    assert refusal.counts == {Reason.APART: 2}


def test_a_refusal_counts_every_node_by_its_reason() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    refusal = refused(place([demand("big", memory=gib(20))], state, POLICY))
    assert refusal.key == "big"
    assert {r.node: r.reason for r in refusal.rejections} == {
        "pve1": Reason.N_PLUS_ONE,
        "pve2": Reason.MEMORY,
        "pve3": Reason.MAINTENANCE,
    }
    memory = next(r for r in refusal.rejections if r.reason is Reason.MEMORY)
    assert (memory.needed, memory.left) == (gib(20), gib(4))


def test_the_refusal_reads_well_in_both_languages() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    refusal = refused(place([demand("big", memory=gib(20))], state, POLICY))
    assert sentence(refusal, "en") == (
        "no node of dc fits big: 1 in maintenance (pve3), "
        "1 short of memory (needs 20 GiB; at most 4 GiB left, on pve2), "
        "1 would break N+1 (pve1)"
    )
    assert sentence(refusal, "id").startswith("tidak ada node di dc yang muat untuk big: 1 dalam")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_text(reason: Reason) -> None:
    languages: tuple[Lang, ...] = ("en", "id")
    for lang in languages:
        what, _ = explain(f"placement.{reason}", lang, {"count": 1, "nodes": "pve1"})
        assert what.startswith("1 ")


@pytest.mark.parametrize("why", list(Exposure))
def test_every_exposure_has_its_text(why: Exposure) -> None:
    languages: tuple[Lang, ...] = ("en", "id")
    assert all(explain(f"placement.exposed-{why}", lang)[0] for lang in languages)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cores": Cores(49)}, Reason.CPU),
        ({"memory": gib(56.5)}, Reason.MEMORY),
        ({"disks": (DiskDemand("local-zfs", gib(1025)),)}, Reason.DISK),
        ({"disks": (DiskDemand("local-zfs", gib(600)), DiskDemand("local-zfs", gib(600)))},
         Reason.DISK),
        ({"disks": (DiskDemand("tank", gib(1)),)}, Reason.STORAGE),
        ({"image": ImageDemand(import_volume="nfs:import/unknown.qcow2")}, Reason.IMAGE),
    ],
)  # fmt: skip
def test_what_a_node_lacks_is_the_reason(changes: dict[str, object], reason: Reason) -> None:
    state = cluster("three-nodes-empty")
    refusal = refused(place([demand("vm", **changes)], state, POLICY))
    assert refusal.counts == {reason: 3}


def test_what_just_fits_is_placed() -> None:
    """16 cores × 3, 64 GiB − 8 GiB, 1 TiB: the last core, MiB and GiB may be taken."""
    full = demand(
        "vm", cores=Cores(48), memory=gib(56), disks=(DiskDemand("local-zfs", gib(1024)),)
    )
    assert placed(place([full], cluster("three-nodes-empty"), POLICY)).vms[0].node == "pve1"


def test_stopped_vms_count_and_templates_do_not() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    assert state.vms[201].status is VmStatus.STOPPED
    refusal = refused(place([demand("vm", memory=gib(5))], _only(state, "pve2"), POLICY))
    assert Reason.MEMORY in refusal.counts
    templates = cluster("templates-on-two-nodes")
    image = ImageDemand(templates=MappingProxyType({"pve1": 9000, "pve2": 9001}))
    big = demand("vm", memory=gib(56), image=image)
    assert placed(place([big], templates, POLICY)).vms[0].node == "pve1"


def test_a_template_serves_only_its_own_node() -> None:
    state = cluster("templates-on-two-nodes")
    image = ImageDemand(templates=MappingProxyType({"pve1": 9001, "pve2": 9000, "pve3": 9000}))
    assert refused(place([demand("vm", image=image)], state, POLICY)).counts == {Reason.IMAGE: 3}


def test_a_replica_needs_room_on_the_same_storage_of_another_node() -> None:
    state = cluster("templates-on-two-nodes")  # 124 GiB left on pve1 and pve2, no zfs on pve3
    image = ImageDemand(templates=MappingProxyType({"pve1": 9000, "pve2": 9001}))
    fits = protected("vm", image=image, disks=(DiskDemand("local-zfs", gib(100)),))
    result = placed(place([fits], state, POLICY)).vms[0]
    assert (result.node, result.targets) == ("pve1", ("pve2",))
    both = [fits, replace(fits, key="vm-2")]  # each node: one VM and one replica of 100 GiB
    assert Reason.DISK in refused(place(both, state, POLICY)).counts


def test_replicas_need_as_many_other_nodes_as_targets() -> None:
    state = cluster("three-nodes-empty")
    two = placed(place([protected("vm", replicas=2)], state, POLICY)).vms[0]
    assert {two.node, *two.targets} == {"pve1", "pve2", "pve3"}
    three = refused(place([protected("vm", replicas=3)], state, POLICY))
    assert three.counts == {Reason.TARGET: 3}


def test_ha_without_replica_on_local_storage_is_refused() -> None:
    """HA would start the VM on a node that has none of its disks."""
    refusal = refused(place([demand("vm", ha=True)], cluster("three-nodes-empty"), POLICY))
    assert refusal.counts == {Reason.REFUGE: 3}


def test_a_disk_that_shall_not_be_protected_exposes_its_vm() -> None:
    disks = (DiskDemand("local-zfs", gib(10)), DiskDemand("local-zfs", gib(10), replicate=False))
    result = placed(place([protected("vm", disks=disks)], cluster("three-nodes-empty"), POLICY))
    assert result.n_plus_one.exposed == (Exposed("vm", Exposure.LOCAL_DISK),)


def test_a_disk_without_replica_takes_nothing_on_the_target() -> None:
    """Each node has 1 TiB: a VM of 600 GiB, 500 of them unprotected, leaves 924 on its target."""
    disks = (DiskDemand("local-zfs", gib(100)), DiskDemand("local-zfs", gib(500), replicate=False))
    state = _only(cluster("three-nodes-empty"), "pve1")
    big = protected("big", disks=disks)
    others = [demand(f"vm-{n}", disks=(DiskDemand("local-zfs", gib(924)),)) for n in (1, 2)]
    placement = placed(place([big], state, POLICY))
    assert placement.vms[0].targets == ("pve2",)
    everywhere = cluster("three-nodes-empty")
    assert len(placed(place([big, *others], everywhere, POLICY)).vms) == 3


def test_shared_storage_is_taken_once_for_all_nodes() -> None:
    state = cluster("shared-storage-groups")  # 400 GiB left
    image = demand("x").image
    vms = [
        demand(f"vm-{n}", image=image, disks=(DiskDemand("san", gib(150)),), ha=True)
        for n in range(2)
    ]
    assert len(placed(place(vms, state, POLICY)).vms) == 2
    third = replace(vms[0], key="vm-9")
    assert refused(place([*vms, third], state, POLICY)).counts == {Reason.DISK: 3}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (NodeStatus.OFFLINE, Reason.OFFLINE),
        (NodeStatus.UNKNOWN, Reason.UNKNOWN),
        (NodeStatus.MAINTENANCE, Reason.MAINTENANCE),
    ],
)
def test_a_node_that_is_not_online_takes_neither_vm_nor_replica(
    status: NodeStatus, reason: Reason
) -> None:
    state = _with_status(cluster("three-nodes-empty"), "pve1", status)
    result = placed(place([protected("vm")], state, POLICY)).vms[0]
    assert "pve1" not in {result.node, *result.targets}
    state = _with_status(_with_status(state, "pve2", status), "pve3", status)
    assert refused(place([demand("vm")], state, POLICY)).counts == {reason: 3}


def test_excluded_nodes_and_a_cluster_without_quorum_take_nothing() -> None:
    state = cluster("three-nodes-empty")
    policy = replace(POLICY, excluded=frozenset({"pve1", "pve2"}))
    assert placed(place([demand("vm")], state, policy)).vms[0].node == "pve3"
    assert Reason.EXCLUDED in refused(place([demand("vm", memory=gib(60))], state, policy)).counts
    lost = replace(state, quorate=False)
    assert refused(place([demand("vm")], lost, POLICY)).counts == {Reason.NO_QUORUM: 3}


# -- N+1 -------------------------------------------------------------------------------------
def test_nothing_new_is_placed_while_n_plus_one_is_broken() -> None:
    state = cluster("n-plus-one-already-broken")
    refusal = refused(place([demand("vm", memory=gib(1))], state, POLICY))
    assert refusal.counts == {Reason.N_PLUS_ONE_ALREADY: 3}


def test_what_lives_stays_in_place_even_while_n_plus_one_is_broken() -> None:
    state = cluster("n-plus-one-already-broken")
    living = protected(
        "vm", memory=gib(40), existing=Residence(200, "pve1", ("pve2",)), cores=Cores(1)
    )
    result = placed(place([living], state, POLICY))
    assert (result.vms[0].node, result.vms[0].targets) == ("pve1", ("pve2",))
    assert not result.n_plus_one.holds
    assert {loss.node for loss in result.n_plus_one.losses if not loss.fits} == {"pve1", "pve2"}


def test_room_that_ha_may_not_use_does_not_count_for_n_plus_one() -> None:
    """The sums say yes: 48 GiB are free on pve3. But VM 200 may only go to pve2."""
    state = cluster("lopsided-refuges")
    on_pve2 = _only(state, "pve2")
    assert placed(place([demand("vm", memory=gib(0.5))], state, POLICY)).n_plus_one.holds
    refusal = refused(place([demand("vm", memory=gib(1))], on_pve2, POLICY))
    assert refusal.counts[Reason.N_PLUS_ONE] == 1


def test_an_ha_vm_without_a_rule_can_only_go_where_its_replica_is() -> None:
    """VM 200 has no affinity, but its disks lie on pve1 and pve2 alone: pve3 is no help."""
    state = replace(cluster("lopsided-refuges"), ha_rules=())
    refusal = refused(place([demand("vm", memory=gib(1))], _only(state, "pve2"), POLICY))
    assert refusal.counts[Reason.N_PLUS_ONE] == 1


LOPSIDED = cluster("lopsided-refuges")  # pve2 has just the 16 GiB that VM 200 may need there
(RULE,) = LOPSIDED.ha_rules
(JOB,) = LOPSIDED.replication_jobs
MANAGED = LOPSIDED.ha_resources["vm:200"]
FREE = replace(LOPSIDED, ha_rules=(), replication_jobs=())


@pytest.mark.parametrize(
    ("state", "promises", "breaks"),
    [
        (LOPSIDED, (), True),
        (FREE, (), False),
        (replace(FREE, ha_rules=(replace(RULE, enabled=False),)), (), False),
        (replace(FREE, ha_rules=(replace(RULE, strict=False),)), (), False),
        (replace(FREE, replication_jobs=(replace(JOB, removing=True),)), (), False),
        (replace(LOPSIDED, ha_resources={}), (), False),
        (replace(LOPSIDED, ha_resources={"vm:200": replace(MANAGED, requested="ignored")}), (),
         False),
        (replace(LOPSIDED, ha_resources={"vm:200": replace(MANAGED, requested="stopped")}), (),
         True),
        (replace(FREE, ha_resources={}),
         (Promise("db", 200, "pve1", Cores(1), gib(16), (), ("pve2",), ha=True),), True),
        (replace(FREE, ha_resources={}),
         (Promise("db", 200, "pve1", Cores(1), gib(16), (), ("pve2",), ha=False),), False),
        (replace(FREE, ha_flavour=HaFlavour.GROUPS,
                 ha_rules=(replace(RULE, name="g", kind="group", resources=frozenset()),),
                 ha_resources={"vm:200": replace(MANAGED, group="g")}), (), True),
        (replace(FREE, ha_flavour=HaFlavour.GROUPS,
                 ha_rules=(replace(RULE, name="g", kind="group", resources=frozenset()),)), (),
         False),
    ],
)  # fmt: skip
def test_what_binds_an_ha_vm_decides_whether_a_gib_on_its_refuge_breaks_n_plus_one(
    state: ClusterState, promises: tuple[Promise, ...], breaks: bool
) -> None:
    outcome = place(
        [demand("vm", memory=gib(1))], _only(state, "pve2"), replace(POLICY, promised=promises)
    )
    if breaks:
        assert refused(outcome).counts[Reason.N_PLUS_ONE] == 1
    else:
        assert placed(outcome).vms[0].node == "pve2"


def test_members_that_a_rule_keeps_apart_cannot_be_recovered_onto_each_other() -> None:
    """VM 200 would fit on pve2, beside 201; on pve3, where it may be, it would not."""
    filler = replace(LOPSIDED.vms[201], vmid=202, node="pve3", memory=gib(40))
    state = replace(FREE, vms={**FREE.vms, 202: filler})
    ask = [demand("vm", memory=gib(0.5))]
    assert placed(place(ask, _only(state, "pve1"), POLICY)).vms[0].node == "pve1"
    apart = replace(
        RULE,
        kind="resource-affinity",
        resources=frozenset({"vm:200", "vm:201"}),
        nodes={},
        strict=False,
        positive=False,
    )
    kept = replace(state, ha_rules=(apart,))
    assert Reason.N_PLUS_ONE_ALREADY in refused(place(ask, _only(kept, "pve1"), POLICY)).counts
    together = replace(state, ha_rules=(replace(apart, positive=True),))
    assert placed(place(ask, _only(together, "pve1"), POLICY)).vms[0].node == "pve1"


def test_a_replication_that_is_not_turned_round_yet_hides_no_vm_from_n_plus_one() -> None:
    """VM 200 was recovered onto pve1, where its job still points: its rule knows pve2."""
    state = cluster("lopsided-refuges")
    (job,) = state.replication_jobs
    state = replace(state, replication_jobs=(replace(job, target="pve1"),))
    refusal = refused(place([demand("vm", memory=gib(1))], _only(state, "pve2"), POLICY))
    assert refusal.counts[Reason.N_PLUS_ONE] == 1


def test_ha_vms_of_a_node_that_is_down_need_room_in_any_case() -> None:
    """With pve3 down its HA VM is about to come to pve1 or pve2, and then one more node may go."""
    state = cluster("three-nodes-empty")
    policy = replace(
        POLICY,
        promised=(
            Promise("x", 500, "pve3", Cores(2), gib(30), (), targets=("pve1", "pve2"), ha=True),
        ),
    )
    whole = protected("vm", memory=gib(30))
    assert placed(place([whole], state, policy)).n_plus_one.holds
    down = _with_status(state, "pve3", NodeStatus.OFFLINE)
    counts = refused(place([whole], down, policy)).counts
    assert counts[Reason.N_PLUS_ONE] == 2


# -- promises --------------------------------------------------------------------------------
def test_promised_capacity_is_taken_until_and_after_the_vm_is_seen() -> None:
    state = cluster("three-nodes-empty")
    disks = (DiskDemand("local-zfs", gib(1000)),)
    promise = Promise("other", 777, "pve1", Cores(2), gib(50), disks)
    policy = replace(POLICY, promised=(promise,))
    ask = demand("vm", memory=gib(10))
    refusal = refused(place([ask], _only(state, "pve1"), policy))
    assert Reason.MEMORY in refusal.counts
    small = demand("vm", memory=gib(1), disks=(DiskDemand("local-zfs", gib(30)),))
    assert Reason.DISK in refused(place([small], _only(state, "pve1"), policy)).counts
    fresh = cluster("one-in-maintenance-one-full-one-tight").vms[201]
    seen = replace(fresh, vmid=777, node="pve1", memory=MiB(0), cores=Cores(0))
    visible = replace(state, vms={777: seen})
    assert Reason.MEMORY in refused(place([ask], _only(visible, "pve1"), policy)).counts


def test_a_new_member_keeps_apart_from_one_that_is_only_promised() -> None:
    """The ledger has placed web-1, which is being made and not to be seen yet."""
    promise = Promise("web-1", 777, "pve1", Cores(1), gib(1), (), apart="web")
    policy = replace(POLICY, promised=(promise,))
    state = cluster("three-nodes-empty")
    refusal = refused(place([demand("web-2", apart="web")], _only(state, "pve1"), policy))
    assert refusal.counts == {Reason.APART: 1, Reason.IMAGE: 2}
    assert placed(place([demand("web-2", apart="web")], state, policy)).vms[0].node == "pve2"


def test_a_promise_for_a_demanded_vm_is_not_counted_twice() -> None:
    state = cluster("three-nodes-empty")
    promise = Promise("vm", 777, "pve1", Cores(2), gib(40), ())
    policy = replace(POLICY, promised=(promise,))
    ask = demand("vm", memory=gib(40))
    assert placed(place([ask], _only(state, "pve1"), policy)).vms[0].node == "pve1"


# -- what lives already ----------------------------------------------------------------------
def test_an_existing_vm_stays_where_it_is_whatever_else_would_be_better() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    living = protected(
        "db", cores=Cores(4), memory=gib(40), existing=Residence(200, "pve2", ("pve1",))
    )
    result = placed(place([living, demand("new")], state, POLICY))
    assert (result.of("db").node, result.of("db").targets) == ("pve2", ("pve1",))
    assert result.of("db").score.candidates == 0
    assert result.of("new").node == "pve1"


def test_an_existing_vm_without_its_replica_gets_a_target() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    living = protected("db", cores=Cores(4), memory=gib(40), existing=Residence(200, "pve2"))
    assert placed(place([living], state, POLICY)).of("db").targets == ("pve1",)


def test_growth_beyond_the_node_is_refused_and_shrinking_never() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")  # pve2 has 4 GiB left

    def at(memory: MiB) -> VmDemand:
        residence = Residence(201, "pve2")
        return demand("vm", cores=Cores(4), memory=memory, existing=residence)

    assert placed(place([at(gib(16))], state, POLICY)).of("vm").node == "pve2"
    assert placed(place([at(gib(1))], state, POLICY)).of("vm").node == "pve2"
    refusal = refused(place([at(gib(17))], state, POLICY))
    assert refusal.rejections[0].reason is Reason.MEMORY
    assert (refusal.rejections[0].needed, refusal.rejections[0].left) == (gib(5), gib(4))


def test_a_new_member_keeps_apart_from_those_that_live() -> None:
    state = cluster("one-in-maintenance-one-full-one-tight")
    old = demand(
        "web-1", cores=Cores(4), memory=gib(12), apart="web", existing=Residence(201, "pve2")
    )
    new = demand("web-2", memory=gib(1), apart="web")
    assert placed(place([old, new], state, POLICY)).of("web-2").node == "pve1"


def test_two_hundred_vms_find_their_places_and_n_plus_one_holds() -> None:
    state = _wide(10)
    demands = [
        protected(
            f"vm-{n:03}", memory=gib(4 + n % 5 * 4), apart=f"g{n // 4}" if n % 8 < 4 else None
        )
        if n % 2
        else demand(f"vm-{n:03}", memory=gib(2 + n % 3 * 8))
        for n in range(200)
    ]
    result = placed(place(demands, state, PlacementPolicy(4, gib(16))))
    assert result.n_plus_one.holds
    assert result == place(demands, state, PlacementPolicy(4, gib(16)))


def _wide(count: int) -> ClusterState:
    names = [f"n{number}" for number in range(count)]
    return replace(
        cluster("three-nodes-empty"),
        nodes={name: Node(name, NodeStatus.ONLINE, Cores(64), gib(320), MiB(0)) for name in names},
        storages=tuple(
            Storage(
                "local-zfs", name, "zfspool", False, frozenset({"images"}), gib(9000), gib(0), True
            )
            for name in names
        ),
        images={"nfs:import/debian-12.qcow2": frozenset(names)},
    )


def _with_status(state: ClusterState, node: str, status: NodeStatus) -> ClusterState:
    return replace(state, nodes={**state.nodes, node: replace(state.nodes[node], status=status)})


def _only(state: ClusterState, node: str) -> ClusterState:
    """The same cluster with the image on one node."""
    return replace(state, images={"nfs:import/debian-12.qcow2": frozenset({node})})
