"""A cluster over two sites: VMs live at the one, and copies of the promised ones at the other."""

from cloudpemda.placement import Reason, Residence, place
from tests.clusters.load import cluster
from tests.placement.values import POLICY, demand, placed, protected, refused

AWAY = frozenset({"pve3"})


def test_no_new_vm_lives_at_the_other_site_and_a_stretched_one_has_its_replica_there() -> None:
    state = cluster("three-nodes-empty")
    wide = [protected(f"db-{n}", away=AWAY, stretched=True) for n in range(4)]
    plain = [demand(f"web-{n}", away=AWAY) for n in range(4)]
    result = placed(place([*wide, *plain], state, POLICY))
    assert {vm.node for vm in result.vms} == {"pve1", "pve2"}
    assert {result.of(one.key).targets for one in wide} == {("pve3",)}


def test_without_a_node_there_it_is_refused() -> None:
    state = cluster("three-nodes-empty")
    none_there = refused(place([protected("db", stretched=True)], state, POLICY))
    assert none_there.counts == {Reason.TARGET: 3}
    all_there = frozenset({"pve1", "pve2", "pve3"})
    refusal = refused(place([demand("web", away=all_there)], state, POLICY))
    assert refusal.counts == {Reason.OTHER_SITE: 3}


def test_one_that_lives_there_since_a_loss_has_its_replica_here() -> None:
    state = cluster("three-nodes-empty")
    there = protected("db", away=AWAY, stretched=True, existing=Residence(10001, "pve3"))
    (vm,) = placed(place([there], state, POLICY)).vms
    assert vm.node == "pve3"
    assert vm.targets in {("pve1",), ("pve2",)}
    here = protected("db", away=AWAY, stretched=True, existing=Residence(10001, "pve1", ("pve3",)))
    (vm,) = placed(place([here], state, POLICY)).vms
    assert (vm.node, vm.targets) == ("pve1", ("pve3",))
