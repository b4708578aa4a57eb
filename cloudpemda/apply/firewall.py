"""The firewall of a VM that exposes something: in force before the VM is reached for the first
time, put right where another hand changed it.

The security group belongs to all VMs of a kind, so it is written by one at a time, and goes only
with the last of them. Whatever is added is added before the surplus goes: nobody who may come in
is kept out in between.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock

from cloudpemda.cluster import ClusterState
from cloudpemda.plan.firewall import (
    closed,
    differences,
    group_comment,
    group_name,
    group_rule,
    missing,
    must_enable,
    nodes_of,
    require_ours,
    surplus,
)
from cloudpemda.plan.model import DesiredFirewall, DesiredVm
from cloudpemda.proxmox import Exists, Pve, WrongParameter

_HOSTS_OPEN = "ACCEPT"


def with_firewall(pve: Pve, state: ClusterState, desired: Sequence[DesiredVm]) -> ClusterState:
    """The picture with the firewall of those of these VMs that expose something; unchanged, and
    at no cost, where none does."""
    guarded = [vm for vm in desired if vm.firewall is not None]
    if not guarded:
        return state
    present = {
        vm.identity.vmid: state.vms[vm.identity.vmid].node
        for vm in guarded
        if vm.identity.vmid in state.vms
    }
    nodes = frozenset(present.values()).union(*(nodes_of(vm) for vm in guarded))
    answering = {name for name in nodes if name in state.nodes and state.nodes[name].answers}
    seen = pve.firewall.read(
        {vmid: node for vmid, node in present.items() if node in answering},
        {vm.firewall.group for vm in guarded if vm.firewall is not None},
        answering,
    )
    return replace(state, firewall=seen)


class Firewalls:
    """What the VMs of one apply share of the cluster's firewall. Safe for many threads."""

    def __init__(self, pve: Pve) -> None:
        self._pve = pve
        self._calls = pve.firewall
        self._lock = Lock()

    def ensure(self, wanted: DesiredFirewall) -> None:
        """The datacenter's switch is on, the group is there and lets in what it shall.

        Raises Refused where that is for a person (`plan.firewall.differences`).
        """
        with self._lock:
            self._ensure_switch(wanted)
            if not require_ours(wanted, self._calls.groups(), self._pve.name):
                with suppress(Exists, WrongParameter):  # somebody may have been faster: looked up
                    self._calls.create_group(wanted.group, wanted.comment)
                require_ours(wanted, self._calls.groups(), self._pve.name)
            for rule in missing(wanted.rules, self._calls.group_rules(wanted.group)):
                self._calls.add_group_rule(wanted.group, rule)
            while wrong := surplus(wanted.rules, self._calls.group_rules(wanted.group)):
                self._calls.delete_group_rule(wanted.group, wrong[0])

    def drop(self, kind: str) -> None:
        """The security group of a kind of VM (`dinkes/simrs/db`) is gone, if it was ours."""
        group = group_name(kind)
        with self._lock:
            if self._calls.groups().get(group) != group_comment(kind):
                return
            while rules := self._calls.group_rules(group):
                self._calls.delete_group_rule(group, rules[-1])
            self._calls.delete_group(group)

    def protect(self, vm: DesiredVm, node: str) -> None:
        """The VM's own firewall is on, and its group is the only rule."""
        if vm.firewall is None:
            return
        vmid, own = vm.identity.vmid, (group_rule(vm.firewall),)
        there = self._calls.vm(node, vmid)
        for rule in missing(own, there.rules):
            self._calls.add_vm_rule(node, vmid, rule)
        if not closed(there):
            self._calls.close_vm(node, vmid)
        while wrong := surplus(own, self._calls.vm(node, vmid).rules):
            self._calls.delete_vm_rule(node, vmid, wrong[0])

    def protects(self, vm: DesiredVm, node: str) -> bool:
        """Whether all of it is so now."""
        if vm.firewall is None:
            return True
        seen = self._calls.read({vm.identity.vmid: node}, [vm.firewall.group], [node])
        return not list(differences(vm, node, seen, self._pve.name))

    def _ensure_switch(self, wanted: DesiredFirewall) -> None:
        options = self._calls.options()
        enabled, policy = options.integer("enable", 0) != 0, options.optional("policy_in")
        if must_enable(wanted, enabled, policy, self._pve.name):
            self._calls.enable(_HOSTS_OPEN, options.optional("digest"))
