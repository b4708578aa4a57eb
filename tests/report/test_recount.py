"""What a cluster shows beside what is charged: strangers in a pool, lost nodes, another's VMID."""

from dataclasses import replace

from cloudpemda.cluster import ClusterState, NodeStatus
from cloudpemda.report.recount import Charged, baseless, foreign, orphaned, recount
from cloudpemda.rules.quota import Balance
from tests.plan.live import live_vm, with_vm
from tests.report.test_oddities import RECORD, STATE, VM
from tests.rules.makers import service_class, vm

CHARGED = Charged(RECORD, vm(), service_class(), {"instances": 1, "vcpu": 4, "public_ip": 1}, {})


def codes(state: ClusterState, one: Charged = CHARGED) -> list[str]:
    counted = recount(state, one, {})
    return [finding.fault.code for finding in counted.findings]


def test_a_vm_in_an_opds_pool_that_nobody_asked_for_counts_for_it() -> None:
    stranger = replace(live_vm(VM), vmid=999, pool="opd-dinkes")
    state = with_vm(with_vm(STATE, stranger), replace(stranger, vmid=998, pool="other"))
    (found,) = foreign(state, [RECORD], {"opd-dinkes": "dinkes"}, {"local-zfs": "ssd"}, ())
    assert (found.opd, found.findings[0].fault.code) == ("dinkes", "quota.verify-foreign")
    assert found.usage is not None
    assert found.usage["instances"] == 1
    assert found.usage["vcpu"] == live_vm(VM).cores


def test_public_addresses_are_the_ledgers() -> None:
    counted = recount(STATE, CHARGED, {})
    assert counted.usage is not None
    assert counted.usage["public_ip"] == 1


def test_a_vm_that_is_gone_is_missing_only_where_everything_was_read() -> None:
    gone = replace(STATE, vms={})
    assert codes(gone) == ["quota.verify-missing"]
    (name, node), *_ = STATE.nodes.items()
    lost = {**STATE.nodes, name: replace(node, status=NodeStatus.UNKNOWN)}
    assert codes(replace(gone, nodes=lost)) == ["quota.verify-unknown"]
    assert codes(replace(gone, quorate=False)) == ["quota.verify-unknown"]


def test_anothers_vm_under_the_vmid_is_not_ours() -> None:
    other = replace(RECORD, uid="f" * 32)
    assert codes(STATE, replace(CHARGED, record=other)) == ["quota.verify-replaced"]


def test_a_vm_of_which_no_charge_is_left_is_told_as_that() -> None:
    assert set(codes(STATE, replace(CHARGED, charge={}))) == {"quota.verify-uncharged"}


def test_a_charge_without_an_instance_and_a_hold_without_an_approval_are_named() -> None:
    charges = {
        "dinkes/lama/db-1": {"memory": Balance(committed=1024, held=0)},
        "dinkes/simrs/db-1": {"memory": Balance(committed=1024, held=512)},
        "bkad/lama/db-1": {"memory": Balance(committed=1024, held=0)},
    }
    ((charge, fault),) = orphaned(charges, {"dinkes/simrs/db-1"}, "dinkes")
    assert (charge, fault.code) == ({"memory": 1024}, "quota.verify-orphan")
    assert fault.values["vm"] == "dinkes/lama/db-1"
    assert list(baseless(charges, {"dinkes/simrs": True})) == []
    (held,) = baseless(charges, {"dinkes/simrs": False})
    assert (held.opd, held.fault.code) == ("dinkes", "quota.verify-hold")
    assert held.fault.values["vm"] == "dinkes/simrs/db-1"


def test_a_configuration_that_was_not_read_is_unknown() -> None:
    live = replace(STATE.vms[RECORD.vmid], config=None)
    counted = recount(with_vm(STATE, live), CHARGED, {})
    assert counted.usage is None
