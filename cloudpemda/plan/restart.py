"""What of a configuration a running VM has not taken over yet: it does when it is started anew.

PVE keeps what it cannot change in a running VM as pending, and shows it as if it were so. A guest
learns what cloud-init tells it (addresses, keys) when it starts, however its VM was configured.
"""

from cloudpemda.cluster import Vm, VmConfig, VmStatus
from cloudpemda.plan.model import Aspect, DesiredVm, PlannedVm
from cloudpemda.plan.pve_config import desired_config, same_value, told_by_cloud_init, unwanted

_AT_ONCE = frozenset({"boot", "description", "onboot", "protection", "tags"})


def to_restart(planned: PlannedVm, live: Vm | None) -> tuple[str, ...]:
    """The keys of a plan that a VM which may be running takes over only when it is started anew, by
    PVE's default `hotplug`."""
    if live is None or live.status is VmStatus.STOPPED:
        return ()
    if any(one.aspect is Aspect.CREATE for one in planned.differences):
        return ()
    return tuple(
        one.key
        for one in planned.differences
        if one.aspect is Aspect.CONFIG and one.key not in _AT_ONCE
    )


def behind(current: VmConfig, vm: DesiredVm) -> tuple[str, ...]:
    """The keys in which what runs (`current`) is not what is desired."""
    differing = {
        key
        for key, value in desired_config(vm).items()
        if not same_value(key, current.raw.get(key, ""), value)
    }
    return tuple(sorted(differing | set(unwanted(vm, current.raw))))


def told_at_start(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `keys` that the guest itself learns only when it starts."""
    return tuple(key for key in keys if told_by_cloud_init(key))
