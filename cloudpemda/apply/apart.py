"""The HA rules that keep the members of a group apart, on clusters that have rules.

A resource affinity needs two managed resources, and its members come under HA one after another:
the rule is made with the second and grows with each further one. One apply runs a workload at a
time, so nobody else writes its rules; the digest catches whoever does.
"""

from collections.abc import Iterable, Sequence
from threading import Lock

from cloudpemda.cluster import HaFlavour, HaRule
from cloudpemda.plan.ha import RESOURCE_AFFINITY, apart_groups, apart_name, is_apart_name, sid
from cloudpemda.plan.model import DesiredVm
from cloudpemda.proxmox import Exists, Pve, WrongParameter


class ApartRules:
    """The keep-apart rules of one workload."""

    def __init__(self, pve: Pve, managed: frozenset[str]) -> None:
        self._pve = pve
        self._managed = set(managed)  # sids under HA, as far as this apply has seen or done
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()

    def join(self, vm: DesiredVm, workload: Sequence[DesiredVm]) -> None:
        """Called when `vm` has come under HA: its group's rule has it from now on."""
        group = vm.protection.apart
        if group is None or self._pve.ha_flavour() is not HaFlavour.RULES:
            return
        with self._lock(apart_name(group)):
            self._managed.add(sid(vm.identity.vmid))
            members = apart_groups([one for one in workload if one.protection.ha]).get(group, [])
            wanted = {sid(one.identity.vmid) for one in members} & self._managed
            if len(wanted) > 1:
                self._write(group, frozenset(wanted))

    def leave(self, vm: DesiredVm) -> None:
        """Called before `vm` leaves HA; a rule with one member left is removed."""
        group = vm.protection.apart
        if group is None or self._pve.ha_flavour() is not HaFlavour.RULES:
            return
        with self._lock(apart_name(group)):
            gone = sid(vm.identity.vmid)
            self._managed.discard(gone)
            self._drop(apart_name(group), gone)

    def others(
        self, vm: DesiredVm, live: Iterable[HaRule], *, every: bool = False
    ) -> tuple[HaRule, ...]:
        """The rules of ours that keep `vm` apart from a group that is not its own any more; with
        `every`, its own group's too."""
        group = vm.protection.apart
        kept = None if group is None or every else apart_name(group)
        name = sid(vm.identity.vmid)
        return tuple(
            rule
            for rule in live
            if is_apart_name(rule.name) and rule.name != kept and name in rule.resources
        )

    def leave_others(self, vm: DesiredVm, *, every: bool = False) -> None:
        """Take `vm` out of the rules of `others`; one with a single member left is removed."""
        if self._pve.ha_flavour() is not HaFlavour.RULES:
            return
        for found in self.others(vm, self._pve.ha_rules(), every=every):
            with self._lock(found.name):
                self._drop(found.name, sid(vm.identity.vmid))

    def _drop(self, rule_name: str, gone: str) -> None:
        live = next((rule for rule in self._pve.ha_rules() if rule.name == rule_name), None)
        if live is None or gone not in live.resources:
            return
        left = live.resources - {gone}
        if len(left) > 1:
            self._pve.update_ha_rule(_rule(rule_name, left, live.digest))
        else:
            self._pve.delete_ha_rule(live)

    def _write(self, group: str, resources: frozenset[str]) -> None:
        if len(resources) == 2:
            try:
                self._pve.create_ha_rule(_rule(apart_name(group), resources, None))
            except (Exists, WrongParameter):
                pass  # it may be there since an earlier run: looked up below
            else:
                return
        live = self._read(group)
        if live is None:
            self._pve.create_ha_rule(_rule(apart_name(group), resources, None))
        elif live.resources != resources or not live.enabled or live.errors is not None:
            self._pve.update_ha_rule(_rule(apart_name(group), resources, live.digest))

    def _read(self, group: str) -> HaRule | None:
        name = apart_name(group)
        return next((rule for rule in self._pve.ha_rules() if rule.name == name), None)

    def _lock(self, rule: str) -> Lock:
        with self._guard:
            return self._locks.setdefault(rule, Lock())


def _rule(name: str, resources: frozenset[str], digest: str | None) -> HaRule:
    return HaRule(
        name=name,
        kind=RESOURCE_AFFINITY,
        resources=resources,
        nodes={},
        strict=False,
        positive=False,
        enabled=True,
        digest=digest,
    )
