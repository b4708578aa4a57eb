"""VMs that belong to another OPD are told so: stopped at any step, the next run ends it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cloudpemda.apply import Tools, VmEnding, apply_workload
from cloudpemda.apply.groups import drop_groups
from cloudpemda.apply.pools import PoolKeeper
from cloudpemda.apply.workload import Run
from cloudpemda.cluster import FirewallRule
from cloudpemda.plan.firewall import group_comment, group_name, kind_of
from cloudpemda.plan.model import DesiredFirewall, DesiredVm
from cloudpemda.plan.pools import Deed, Home, PoolStep
from cloudpemda.saga import Chain, Ending, never
from tests.apply.rig import Rig, desired, layout, rig
from tests.saga.memory import MemoryJournal
from tests.saga.sweeps import _disturbed, _expect_kill, _failing, _killing

FORMER = "dinkes/simrs/db"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("handover"), layout()) as found:
        yield found


def exposing(vm: DesiredVm) -> DesiredVm:
    kind = kind_of(vm.key)
    rule = FirewallRule("in", "ACCEPT", True, frozenset({("proto", "tcp"), ("dport", "443")}))
    return replace(
        vm, firewall=DesiredFirewall(group_name(kind), group_comment(kind), (rule,), True)
    )


def given(number: int) -> DesiredVm:
    """The same VM as another OPD's."""
    vm = desired(number, apart="dinsos_simrs_db")
    key = vm.key.replace("dinkes", "dinsos")
    tags = frozenset({"cloudpemda", "opd-dinsos", "class-critical"})
    return exposing(replace(vm, key=key, pool="opd-dinsos", tags=tags))


class Standing:
    """Two VMs that are kept apart, exposed, and another OPD's since a moment."""

    def __init__(self, shared: Rig) -> None:
        self.rig = shared.fresh()
        made = self.rig.apply(exposing(desired(1)), exposing(desired(2)))
        assert [vm.ending for vm in made.vms] == [VmEnding.ACTIVE] * 2
        self.rig.journal = MemoryJournal()
        self.wanted = (given(1), given(2))

    def tools(self) -> Tools:
        keys = frozenset(vm.key for vm in self.wanted)
        return replace(self.rig.tools(self.wanted), established=keys)

    def chain(self) -> Chain:
        chain, _ = Run(self.wanted, self.tools()).repairs()
        return chain

    def carried_out(self) -> Ending:
        made = apply_workload(self.wanted, self.tools())
        assert [vm.ending for vm in made.vms] == [VmEnding.ACTIVE] * 2
        return drop_groups({FORMER}, "R-2026-0001", self.tools()).ending

    def show(self) -> object:
        dc = self.rig.control.state()["dc"]
        return {
            "vms": {
                vmid: (vm["config"], vm["status"], vm["pid"]) for vmid, vm in dc["vms"].items()
            },
            "pools": {name: sorted(pool["vms"]) for name, pool in dc["pools"].items()},
            "rules": {name: rule["options"] for name, rule in dc["ha_rules"].items()},
            "firewalls": dc["firewalls"],
        }


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "failed"])
def test_stopped_at_any_step_the_next_run_ends_it(shared: Rig, how: str) -> None:
    undisturbed = Standing(shared)
    assert undisturbed.carried_out() is Ending.DONE
    expected, steps = undisturbed.show(), [s.name for s in Standing(shared).chain().steps]
    assert steps == ["config", "firewall", "ha", "verify"]
    assert group_name(FORMER) not in str(expected)
    assert pools(expected) == {"opd-dinkes": [], "opd-dinsos": [10001, 10002]}
    for index in range(len(steps) - 1):
        case = Standing(shared)
        if how == "killed":
            with _expect_kill():
                _disturbed(case.chain(), index, _killing(effect=True)).run()
        else:
            outcome = _disturbed(case.chain(), index, _failing(effect=False)).run()
            assert outcome.ending is Ending.UNDONE
        assert case.carried_out() is Ending.DONE, f"{how} at step {steps[index]}"
        assert _without_pids(case.show()) == _without_pids(expected), f"{how} at {steps[index]}"


def pools(shown: object) -> object:
    assert isinstance(shown, dict)
    return shown["pools"]


def _without_pids(shown: object) -> object:
    assert isinstance(shown, dict)
    bare = {
        vmid: ({k: v for k, v in config.items() if k not in {"meta", "smbios1", "vmgenid"}}, status)
        for vmid, (config, status, _) in shown["vms"].items()
    }
    return {**shown, "vms": bare}


def test_who_took_a_vmid_since_the_look_is_moved_into_no_pool(shared: Rig) -> None:
    lab = shared.fresh()
    vm = desired(1, plain=True)
    assert lab.apply(vm).vms[0].ending is VmEnding.ACTIVE
    lab.pve.create_pool("opd-dinsos")
    keeper = PoolKeeper(
        pve=lab.pve,
        homes={10001: Home(vm.key, "dinsos", "opd-dinsos", vm.identity)},
        nodes={10001: vm.node},
        halted=never,
    )
    lab.control.outside("delete-vm", 10001)
    lab.control.outside("create-vm", 10001, node="pve2", config={"name": "stranger"})
    (kept,) = keeper.run([PoolStep(Deed.MOVE, "opd-dinsos", vmids=(10001,))])
    assert kept.error is not None
    assert kept.error.code == "apply.foreign"
    assert lab.control.state()["dc"]["pools"]["opd-dinsos"]["vms"] == []
