"""What a VM exposes, on the lab: in force before it starts, put right, gone with the last VM."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.apply import VmEnding
from cloudpemda.apply.firewall import with_firewall
from cloudpemda.apply.workload import Run
from cloudpemda.cluster import FirewallRule
from cloudpemda.errors import Refused
from cloudpemda.plan.diff import diff
from cloudpemda.plan.firewall import group_name
from cloudpemda.plan.model import DesiredFirewall, DesiredVm
from cloudpemda.saga import Chain
from tests.apply.rig import Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import Sweeps

ACTIVE, FAILED, STUCK, UNFINISHED = VmEnding

KIND = "dinkes/simrs/db"
GROUP = group_name(KIND)


def _admit(port: int, source: str = "") -> FirewallRule:
    said = {("proto", "tcp"), ("dport", str(port))} | ({("source", source)} if source else set())
    return FirewallRule("in", "ACCEPT", enabled=True, options=frozenset(said))


WANT = DesiredFirewall(
    GROUP, f"cloudpemda {KIND}", (_admit(443), _admit(22, "10.10.110.0/24,10.20.4.0/24")), True
)


def exposed(number: int, want: DesiredFirewall = WANT, **changes: Any) -> DesiredVm:
    return replace(desired(number, plain=True, **changes), firewall=want)


@pytest.fixture(scope="module", params=["8.4", "9.2"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("firewall"), layout(request.param)) as found:
        yield found


@pytest.fixture
def lab(shared: Rig) -> Rig:
    return shared.fresh()


def firewalls(lab: Rig) -> dict[str, Any]:
    found: dict[str, Any] = lab.control.state()["dc"]["firewalls"]
    return found


def vm_file(lab: Rig, number: int) -> dict[str, Any]:
    return dict(firewalls(lab).get(f"vm/{10000 + number}", {}))


def differences(lab: Rig, *vms: DesiredVm) -> list[str]:
    live = lab.pve.snapshot([vm.identity.vmid for vm in vms])
    plan = diff("dinkes/simrs", vms, with_firewall(lab.pve, live, vms), {})
    return [one.key for vm in plan.vms for one in vm.differences]


def endings(result: Any) -> list[VmEnding]:
    return [one.ending for one in result.vms]


def test_the_switches_are_on_and_only_what_is_exposed_comes_in(lab: Rig) -> None:
    vms = [exposed(1), exposed(2), desired(3, plain=True)]
    assert endings(lab.apply(*vms)) == [ACTIVE] * 3
    cluster = firewalls(lab)["cluster"]
    (options,) = cluster["options"]
    assert (options["enable"], options["policy_in"]) == ("1", "ACCEPT"), "nobody is locked out"
    assert [(one["group"], one["comment"]) for one in cluster["groups"]] == [
        (GROUP, "cloudpemda dinkes/simrs/db")
    ]
    rules = {(one["dport"], one.get("source", "")) for one in cluster[f"groups/{GROUP}"]}
    assert rules == {("443", ""), ("22", "10.10.110.0/24,10.20.4.0/24")}
    for number in (1, 2):
        assert vm_file(lab, number)["options"] == [
            {"enable": "1", "policy_in": "DROP", "policy_out": "ACCEPT"}
        ]
        (rule,) = vm_file(lab, number)["rules"]
        assert (rule["type"], rule["action"], rule["enable"]) == ("group", GROUP, "1")
        assert "firewall=1" in lab.control.vms()[10000 + number]["config"]["net0"]
    assert vm_file(lab, 3) == {}, "who says nothing of it is left as it is"
    assert differences(lab, *vms) == []


def test_it_is_in_force_before_the_vm_starts(lab: Rig) -> None:
    before = len(lab.control.requests())
    lab.apply(exposed(1))
    paths = [one["path"] for one in lab.control.writes(before)]
    rules = paths.index("/nodes/pve1/qemu/10001/firewall/rules")
    closed = paths.index("/nodes/pve1/qemu/10001/firewall/options")
    assert rules < closed < paths.index("/nodes/pve1/qemu/10001/status/start")


def test_applying_again_writes_nothing(lab: Rig) -> None:
    vms = [exposed(1), exposed(2)]
    lab.apply(*vms)
    before = len(lab.control.requests())
    lab.journal = MemoryJournal()
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2
    assert lab.control.writes(before) == []


def _open_datacenter(lab: Rig) -> None:
    lab.pve.firewall._transport.write("PUT", "/cluster/firewall/options", {"enable": "0"})


def _open_vm(lab: Rig) -> None:
    path = "/nodes/{node}/qemu/{vmid}/firewall/options"
    form = {"enable": "0", "policy_in": "ACCEPT"}
    lab.pve.firewall._transport.write("PUT", path, form, node="pve1", vmid=10001)


def _hole_in_vm(lab: Rig) -> None:
    lab.pve.firewall.add_vm_rule("pve1", 10001, _admit(5432))


def _hole_in_group(lab: Rig) -> None:
    lab.pve.firewall.add_group_rule(GROUP, _admit(3306))


def _no_group_rule(lab: Rig) -> None:
    (rule, *_) = lab.pve.firewall.group_rules(GROUP)
    lab.pve.firewall.delete_group_rule(GROUP, rule)


def _nic_without(lab: Rig) -> None:
    config = lab.pve.config("pve1", 10001)
    net0 = config.raw["net0"].replace(",firewall=1", "")
    lab.pve.set_config("pve1", 10001, {"net0": net0}, digest=config.digest)
    lab.control.wait(10)


@pytest.mark.parametrize(
    "another_hand",
    [_open_datacenter, _open_vm, _hole_in_vm, _hole_in_group, _no_group_rule, _nic_without],
)
def test_what_another_hand_opened_is_seen_and_closed(lab: Rig, another_hand: Any) -> None:
    vms = [exposed(1), exposed(2)]
    lab.apply(*vms)
    another_hand(lab)
    assert differences(lab, *vms) != []
    lab.journal = MemoryJournal()
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2
    assert differences(lab, *vms) == []


def test_other_ports_of_a_workload_that_lives(lab: Rig) -> None:
    lab.apply(exposed(1))
    other = exposed(1, replace(WANT, rules=(_admit(8443),)))
    lab.journal = MemoryJournal()
    assert endings(lab.apply(other)) == [ACTIVE]
    assert [one["dport"] for one in firewalls(lab)["cluster"][f"groups/{GROUP}"]] == ["8443"]
    closed = exposed(1, replace(WANT, rules=()))
    lab.journal = MemoryJournal()
    assert endings(lab.apply(closed)) == [ACTIVE]
    assert firewalls(lab)["cluster"][f"groups/{GROUP}"] == []


def test_the_group_goes_with_the_last_vm_of_its_kind(lab: Rig) -> None:
    vms = [exposed(1), exposed(2)]
    lab.apply(*vms)
    lab.pve.firewall.create_group("web", "somebody else's")
    assert endings(lab.undo(*vms)) == [FAILED] * 2
    cluster = firewalls(lab)["cluster"]
    assert [one["group"] for one in cluster["groups"]] == ["web"]
    assert f"groups/{GROUP}" not in cluster
    assert vm_file(lab, 1) == {}
    assert endings(lab.undo(*vms)) == [FAILED] * 2, "undone twice"
    assert endings(lab.apply(*vms)) == [ACTIVE] * 2, "and made again"


def test_one_that_fails_leaves_its_neighbour_the_group(lab: Rig) -> None:
    lab.control.arm({"on": {"method": "POST", "path": "*/10002/status/start"}, "do": "error",
                     "status": 500, "reason": "no"})  # fmt: skip
    vms = [exposed(1), exposed(2)]
    result = lab.apply(*vms)
    lab.control.arm()
    assert endings(result) == [ACTIVE, FAILED]
    assert differences(lab, vms[0]) == []


def test_a_group_of_our_name_that_is_somebody_elses_is_not_touched(lab: Rig) -> None:
    lab.pve.firewall.create_group(GROUP, "web servers")
    lab.pve.firewall.add_group_rule(GROUP, _admit(80))
    before = firewalls(lab)["cluster"]
    (result,) = lab.apply(exposed(1)).vms
    assert result.ending is FAILED
    assert result.error is not None
    assert result.error.code == "plan.firewall-foreign"
    after = firewalls(lab)["cluster"]
    assert [after["groups"], after[f"groups/{GROUP}"]] == [
        before["groups"], before[f"groups/{GROUP}"]
    ]  # fmt: skip


def test_a_switch_that_is_not_ours_stays_off_and_the_vm_is_not_left_open(lab: Rig) -> None:
    (result,) = lab.apply(exposed(1, replace(WANT, managed=False))).vms
    assert result.ending is FAILED
    assert result.error is not None
    assert result.error.code == "plan.firewall-off"
    assert lab.control.vms() == {}
    assert not firewalls(lab).get("cluster", {}).get("options")


def test_a_switch_that_would_lock_hosts_out_is_not_turned_on(lab: Rig) -> None:
    form = {"enable": "0", "policy_in": "DROP"}
    lab.pve.firewall._transport.write("PUT", "/cluster/firewall/options", form)
    with pytest.raises(Refused) as refused:
        differences(lab, exposed(1))
    assert refused.value.code == "plan.firewall-lockout"
    assert endings(lab.apply(exposed(1))) == [FAILED]
    (options,) = firewalls(lab)["cluster"]["options"]
    assert options["enable"] == "0"


def test_the_firewall_of_a_vm_that_was_put_in_its_place_is_not_touched(lab: Rig) -> None:
    vm = exposed(1)
    lab.apply(vm)
    config = lab.pve.config("pve1", 10001)
    lab.pve.set_config("pve1", 10001, {"description": "bu Ani's"}, digest=config.digest)
    lab.control.wait(10)
    lab.pve.firewall.add_vm_rule("pve1", 10001, _admit(5432))
    before, count = vm_file(lab, 1), len(lab.control.requests())
    lab.journal = MemoryJournal()
    lab.apply(vm)  # which finds the VMID taken, and has another
    assert lab.reclaimed
    assert vm_file(lab, 1) == before
    assert not [w for w in lab.control.writes(count) if "/qemu/10001" in w["path"]]


def test_the_firewall_of_a_template_is_no_vms(tmp_path: Path) -> None:
    described = layout()
    with rig(tmp_path, described) as lab:
        lab.apply(desired(5, plain=True))
        lab.pve.firewall.add_vm_rule("pve2", 10005, _admit(23))
        lab.pve.stop("pve2", 10005)
        lab.control.wait(30)
        assert vm_file(lab, 5)["rules"]
        vm = exposed(1)
        lab.pve.firewall.add_vm_rule("pve1", 10001, _admit(23))  # what a clone brings along
        assert endings(lab.apply(vm)) == [ACTIVE]
        (rule,) = vm_file(lab, 1)["rules"]
        assert rule["action"] == GROUP


@dataclass
class OneVm:
    rig: Rig

    def chain(self) -> Chain:
        vms = (exposed(1),)
        (chain,) = Run(vms, self.rig.tools(vms)).chains()
        return chain

    def show(self) -> object:
        """The group is shared: it goes at the end of a run, and not with the chain."""
        return {**self.rig.left(), "firewall": vm_file(self.rig, 1)}


@pytest.mark.parametrize("sweep", ["repeat_each_step", "fail_at_each_step", "undo_twice"])
def test_the_chain_of_a_vm_that_exposes_survives_every_sweep(shared: Rig, sweep: str) -> None:
    def fresh() -> OneVm:
        found = shared.fresh()
        found.apply(exposed(2))
        return OneVm(found)

    getattr(Sweeps(fresh), sweep)()
