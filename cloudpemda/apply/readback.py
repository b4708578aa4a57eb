"""Reading back what was made: one picture of the cluster proves all VMs of a workload.

PVE's answers to writes prove little (HA rules may be accepted and disabled, a start may only have
been requested), so what counts is that nothing differs from what is desired, before a deadline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudpemda.apply.failures import NotAsDesired, meaning
from cloudpemda.apply.firewall import with_firewall
from cloudpemda.apply.shop import Shop
from cloudpemda.cluster import ClusterState, HaFlavour
from cloudpemda.errors import CloudpemdaError, Refused
from cloudpemda.plan.diff import examine
from cloudpemda.plan.ha import apart_name, sid
from cloudpemda.plan.model import Aspect, DesiredVm, Difference
from cloudpemda.saga import Failure

_SECONDS = 300.0  # an HA manager's rounds, a node's statistics, a busy quorum
_POLL_SECONDS = 3.0
_STARTED = "started"


@dataclass(frozen=True)
class Reading:
    """By VM key: what is not as desired, and what could not be found out."""

    unmet: Mapping[str, CloudpemdaError] = field(default_factory=dict)
    unknown: Mapping[str, CloudpemdaError] = field(default_factory=dict)
    unlisted: Sequence[DesiredVm] = ()  # whose backup job has lost them
    aspects: Mapping[str, frozenset[Aspect]] = field(default_factory=dict)  # of what is unmet


class Readback:
    """Reads until all is as desired, or the deadline is over."""

    def __init__(self, shop: Shop, aspects: Mapping[str, frozenset[Aspect]] | None = None) -> None:
        """`aspects` are, by VM key, all that is looked at; of a VM that it does not name, and
        where it is None, everything."""
        self._shop = shop
        self._aspects = aspects or {}
        self._begun = shop.clock.now()

    def settle(self, vms: Sequence[DesiredVm]) -> Reading:
        """What is left unmet or unknown of these VMs at the deadline; nothing as a rule.

        What was read as desired once is not read again. A VM that a backup job has lost, to a
        writer who knows no locks, is put back.
        """
        self._until_started(vms)
        left = list(vms)
        while True:
            reading = self.read(left, among=vms)
            left = [vm for vm in left if vm.key in reading.unmet or vm.key in reading.unknown]
            if not left or self._late():
                return reading
            for vm in reading.unlisted:
                if vm.protection.backup is not None:
                    self._shop.backups.join(vm.protection.backup, vm.identity.vmid)
            self._shop.clock.sleep(_POLL_SECONDS)

    def _until_started(self, vms: Sequence[DesiredVm]) -> None:
        """Wait, by one cheap request a round, while the HA manager takes the VMs over."""
        awaited = {
            sid(vm.identity.vmid)
            for vm in vms
            if vm.protection.ha
            and vm.running
            and Aspect.HA in self._aspects.get(vm.key, frozenset(Aspect))
        }
        while awaited and not self._late():
            live = self._shop.pve.ha_resources()
            if all(name in live and live[name].state == _STARTED for name in awaited):
                return
            self._shop.clock.sleep(_POLL_SECONDS)

    def _late(self) -> bool:
        return (self._shop.clock.now() - self._begun).total_seconds() > _SECONDS

    def read(self, vms: Sequence[DesiredVm], among: Sequence[DesiredVm] = ()) -> Reading:
        """What is unmet or unknown of these VMs now; `among` are those they are kept apart from,
        themselves included (these VMs alone if none are given)."""
        try:
            pve = self._shop.pve
            state = pve.snapshot([vm.identity.vmid for vm in vms], images=False)
            state = with_firewall(pve, state, vms)
        except CloudpemdaError as error:
            if meaning(error) is Failure.FINAL:
                raise
            return Reading(unknown={vm.key: error for vm in vms})
        # what stood there a moment ago has been made: it may not be gone again
        judged, errors = examine(vms, state, {vm.key for vm in vms})
        unmet: dict[str, CloudpemdaError] = {
            key: one for key, one in errors.items() if isinstance(one, Refused)
        }
        unknown = {key: one for key, one in errors.items() if key not in unmet}
        unlisted: list[DesiredVm] = []
        aspects: dict[str, frozenset[Aspect]] = {}
        for planned in judged:
            vm = planned.desired
            every = (
                *(one for one in planned.differences if one.key != _apart_key(vm)),
                *_not_started(vm, state),
                *self._not_apart(vm, among or vms, state),
            )
            looked_at = self._aspects.get(vm.key, frozenset(Aspect))
            found = tuple(one for one in every if one.aspect in looked_at)
            if found:
                unmet[vm.key] = _not_as_desired(vm, found)
                aspects[vm.key] = frozenset(one.aspect for one in found)
            if any(one.aspect is Aspect.BACKUP for one in found):
                unlisted.append(vm)
        return Reading(unmet, unknown, unlisted, aspects)

    def _not_apart(
        self, vm: DesiredVm, among: Sequence[DesiredVm], state: ClusterState
    ) -> tuple[Difference, ...]:
        """The rule that keeps the VM apart holds all that were made of its group. It may hold
        more of this workload: one whose making is not finished has joined it already."""
        name = _apart_key(vm)
        members = {
            sid(one.identity.vmid) for one in among if one.protection.ha and _apart_key(one) == name
        }
        if name is None or len(members) < 2 or state.ha_flavour is not HaFlavour.RULES:
            return ()
        own = {sid(one.identity.vmid) for one in self._shop.workload}
        for rule in state.ha_rules:
            apart = rule.enabled and rule.errors is None and rule.positive is False
            if rule.name == name and apart and members <= rule.resources <= own:
                return ()
        return (Difference(Aspect.HA, name, "", ",".join(sorted(members))),)


def _apart_key(vm: DesiredVm) -> str | None:
    group = vm.protection.apart
    return None if group is None or not vm.protection.ha else apart_name(group)


def _not_started(vm: DesiredVm, state: ClusterState) -> tuple[Difference, ...]:
    """HA's own word for a VM that it keeps running; a plan does not ask for it."""
    resource = state.ha_resources.get(sid(vm.identity.vmid))
    if not vm.protection.ha or not vm.running:
        return ()
    if resource is None or resource.state == _STARTED:
        return ()
    return (Difference(Aspect.HA, "state", resource.state, _STARTED),)


def _not_as_desired(vm: DesiredVm, found: Sequence[Difference]) -> NotAsDesired:
    what = "; ".join(f"{one.key} {one.live or '-'} ({one.desired or '-'})" for one in found[:5])
    return NotAsDesired("apply.not-as-desired", key=vm.key, what=what[:400])
