"""What is exposed, in PVE's words; and how it is compared with what stands there."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.cluster import Firewall, FirewallRule, Nic, VmFirewall
from cloudpemda.errors import Refused, Unreachable
from cloudpemda.plan.firewall import (
    differences,
    firewall_of,
    group_name,
    group_rule,
    require_switches,
)
from cloudpemda.plan.model import DesiredFirewall, DesiredVm
from cloudpemda.request.spec import ExposeSpec
from cloudpemda.site.models import FirewallSettings, Network
from tests.plan.live import config_of
from tests.plan.requests import DB, NETWORKS, SPEC
from tests.plan.values import desired, readable

OFFICES = {"dinkes": ("10.20.4.0/24",), "bkad": ("10.20.8.0/24",)}
OTHERS = {
    **NETWORKS,
    "bkad-app": Network.model_validate(
        {"opd": "bkad", "bridge": "vmbr0", "vlan": 130, "cidr": "10.10.130.0/24",
         "gateway": "10.10.130.1"}
    ),
}  # fmt: skip
SETTINGS = FirewallSettings(pemda=("10.30.0.0/16",))


def wanted(*expose: ExposeSpec, settings: FirewallSettings = SETTINGS) -> DesiredFirewall:
    found = firewall_of(SPEC, replace(DB, expose=expose), settings, OTHERS, OFFICES)
    assert found is not None
    return found


def sources(*expose: ExposeSpec) -> set[str]:
    rules = wanted(*expose).rules
    return {one for rule in rules for one in dict(rule.options).get("source", "any").split(",")}


def seen(want: DesiredFirewall, vm: DesiredVm, **changes: object) -> Firewall:
    """What stands there when all is as it shall be."""
    found = Firewall(
        enabled=True,
        policy_in=None,
        comments={want.group: want.comment, "other": "of somebody"},
        groups={want.group: want.rules},
        vms={vm.identity.vmid: VmFirewall(True, "DROP", "ACCEPT", (group_rule(want),))},
        nodes={"pve1": True, "pve3": True},
    )
    return replace(found, **changes)  # type: ignore[arg-type]


HTTPS = ExposeSpec(443, "tcp", "internet")
WANT = wanted(HTTPS, ExposeSpec(22, "tcp", "opd"))
VM = desired(1, firewall=WANT)
VMID = VM.identity.vmid


def keys(firewall: Firewall, node: str | None = "pve1", vm: DesiredVm = VM) -> list[str]:
    return [one.key for one in differences(vm, node, firewall, "dc")]


def test_each_source_is_said_with_networks() -> None:
    assert sources(HTTPS) == {"any"}
    opd = sources(ExposeSpec(22, "tcp", "opd"))
    assert opd == {"10.10.110.0/24", "10.10.111.0/25", "10.20.4.0/24"}
    pemda = sources(ExposeSpec(53, "udp", "pemda"))
    assert pemda == opd | {"10.10.130.0/24", "10.20.8.0/24", "10.30.0.0/16"}


def test_a_rule_says_protocol_and_port() -> None:
    (rule,) = wanted(ExposeSpec(53, "udp", "internet")).rules
    assert rule == FirewallRule(
        "in", "ACCEPT", enabled=True, options=frozenset({("proto", "udp"), ("dport", "53")})
    )


def test_who_says_nothing_has_no_firewall_and_who_says_none_is_closed() -> None:
    assert firewall_of(SPEC, DB, SETTINGS, OTHERS, OFFICES) is None
    assert wanted().rules == ()


@given(st.sets(st.integers(0, 2**16 - 1), min_size=1, max_size=200))
def test_many_networks_become_rules_that_pve_takes_and_let_in_just_them(
    numbers: set[int],
) -> None:
    networks = {f"10.{n // 256}.{n % 256}.0/24" for n in numbers}
    settings = FirewallSettings(pemda=tuple(sorted(networks)))
    expose = (ExposeSpec(80, "tcp", "pemda"),)
    found = firewall_of(SPEC, replace(DB, expose=expose), settings, {}, {})
    assert found is not None
    lines = [dict(rule.options)["source"] for rule in found.rules]
    assert all(len(line) <= 512 for line in lines)
    let_in = [IPv4Network(cidr) for line in lines for cidr in line.split(",")]
    assert sum(one.num_addresses for one in let_in) == 256 * len(networks)
    for cidr in networks:
        assert any(IPv4Address(cidr[:-3]) in one for one in let_in)


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1), min_size=2, unique=True))
def test_names_fit_pve_and_differ(kinds: list[str]) -> None:
    names = [group_name(kind) for kind in kinds]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 18 and name[0].isalpha() for name in names)


def test_what_is_as_it_shall_be_has_no_difference() -> None:
    assert keys(seen(WANT, VM)) == []
    assert keys(seen(WANT, VM), vm=desired(1)) == []


def test_a_vm_that_is_not_there_needs_all_of_it() -> None:
    bare = Firewall(True, None, {}, {}, {}, {})
    group = WANT.group
    assert keys(bare, node=None) == [group, *[f"{group}.rule"] * 2, "vm", "vm.rule"]


def _vm(enabled: bool, policy: str, rules: Sequence[FirewallRule]) -> dict[str, object]:
    return {"vms": {VMID: VmFirewall(enabled, policy, "ACCEPT", tuple(rules))}}


OWN = group_rule(WANT)
OPEN = FirewallRule("in", "ACCEPT", enabled=True, options=frozenset(), place=1)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (_vm(False, "DROP", [OWN]), ["vm"]),
        (_vm(True, "ACCEPT", [OWN]), ["vm"]),
        (_vm(True, "DROP", []), ["vm.rule"]),
        (_vm(True, "DROP", [replace(OWN, enabled=False)]), ["vm.rule", "vm.rule"]),
        (_vm(True, "DROP", [OWN, OPEN]), ["vm.rule"]),
        ({"groups": {WANT.group: (*WANT.rules, OPEN)}}, [f"{WANT.group}.rule"]),
        ({"groups": {WANT.group: WANT.rules[:1]}}, [f"{WANT.group}.rule"]),
        ({"groups": {WANT.group: (*WANT.rules, WANT.rules[0])}}, [f"{WANT.group}.rule"]),
    ],
)  # fmt: skip
def test_what_another_hand_changed_is_a_difference(
    changed: dict[str, object], expected: list[str]
) -> None:
    assert keys(seen(WANT, VM, **changed)) == expected


def test_the_order_in_which_pve_tells_networks_is_none() -> None:
    want = wanted(ExposeSpec(22, "tcp", "opd"))
    vm = desired(1, firewall=want)
    (rule,) = want.rules
    said = dict(rule.options)
    said["source"] = ",".join(reversed(said["source"].split(",")))
    turned = replace(rule, options=frozenset(said.items()), place=4)
    assert keys(seen(want, vm, groups={want.group: (turned,)}), vm=vm) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"enabled": False}, "plan.firewall-off"),
        ({"comments": {WANT.group: "web servers"}}, "plan.firewall-foreign"),
        ({"nodes": {"pve1": False}}, "plan.firewall-node"),
        ({"nodes": {"pve3": False}}, "plan.firewall-node"),
    ],
)
def test_what_a_person_must_do_is_refused(changed: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as refused:
        keys(seen(WANT, VM, **changed))
    assert readable(refused.value).code == code


def test_a_node_where_it_will_never_run_does_not_matter() -> None:
    assert keys(seen(WANT, VM, nodes={"pve2": False})) == []


def test_only_a_site_that_says_so_has_the_switch_turned_on_and_nobody_locked_out() -> None:
    managed = wanted(HTTPS, settings=FirewallSettings(datacenter="managed"))
    vm = desired(1, firewall=managed)
    off = seen(managed, vm, enabled=False)
    assert keys(off, vm=vm) == ["datacenter"]
    assert keys(replace(off, policy_in="ACCEPT"), vm=vm) == ["datacenter"]
    with pytest.raises(Refused) as refused:
        keys(replace(off, policy_in="DROP"), vm=vm)
    assert readable(refused.value).code == "plan.firewall-lockout"


def test_what_was_not_read_is_unknown() -> None:
    for firewall in (None, seen(WANT, VM, vms={})):
        with pytest.raises(Unreachable) as unknown:
            list(differences(VM, "pve1", firewall, "dc"))
        assert readable(unknown.value).code == "plan.unknown"


def test_an_adopted_vm_must_have_its_switches_on() -> None:
    nic = Nic("net0", "virtio", "BC:24:11:00:00:01", "vmbr0", None, firewall=True)
    config = config_of(VM)
    require_switches(VM, replace(config, nics=(nic,)))
    with pytest.raises(Refused) as refused:
        require_switches(VM, replace(config, nics=(nic, replace(nic, firewall=False))))
    assert readable(refused.value).code == "plan.firewall-nic"
