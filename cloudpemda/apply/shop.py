"""The shared workings of one apply: gates, tasks, shared objects, and the VMs as they are called
now (a VMID may change while a VM is being created)."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock

from cloudpemda.apply.apart import ApartRules
from cloudpemda.apply.firewall import Firewalls
from cloudpemda.apply.gates import FairGate, Gates
from cloudpemda.apply.membership import BackupMembership
from cloudpemda.apply.tools import Tools
from cloudpemda.clock import Clock
from cloudpemda.errors import Incomplete
from cloudpemda.plan.model import DesiredVm
from cloudpemda.proxmox import Exists, TaskWaiter
from cloudpemda.units import Instant

_CLUSTER = ""  # the gate of writes that concern no node


class HaltingClock:
    """A clock whose sleepers wake up into `Incomplete` once a halt was asked for."""

    def __init__(self, clock: Clock, halted: Callable[[], bool]) -> None:
        self._clock = clock
        self._halted = halted

    def now(self) -> Instant:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        self._check()
        self._clock.sleep(seconds)
        self._check()

    def _check(self) -> None:
        if self._halted():
            raise Incomplete("apply.halted")


class Shop:
    """What the chains of all VMs of one apply share. Safe for many threads."""

    def __init__(self, tools: Tools, vms: Iterable[DesiredVm]) -> None:
        self.tools = tools
        self.pve = tools.pve
        self.clock: Clock = HaltingClock(tools.clock, tools.halted)
        self.tasks = TaskWaiter(tools.pve, self.clock)
        shared = frozenset(one.name for one in tools.live.storages if one.shared)
        self.gates = Gates(tools.limits, shared)
        self.backups = BackupMembership(tools.pve, tools.locks)
        self.firewalls = Firewalls(tools.pve)
        self.apart = ApartRules(tools.pve, frozenset(tools.live.ha_resources))
        self._vms = {vm.identity.uid: vm for vm in vms}
        self._pools = set(tools.live.pools)
        self._lock = Lock()
        self._pool_lock = Lock()

    @property
    def workload(self) -> tuple[DesiredVm, ...]:
        """All VMs of the workload with their present identities."""
        with self._lock:
            return tuple(self._vms.values())

    def renamed(self, vm: DesiredVm) -> None:
        """`vm` has another VMID from now on."""
        with self._lock:
            self._vms[vm.identity.uid] = vm

    def writing(self) -> FairGate:
        """Held during one writing request that concerns the cluster and no single node."""
        return self.gates.write(_CLUSTER)

    def ensure_pool(self, pool: str) -> None:
        """The OPD's pool is there. It outlives the workload, so nothing takes it back."""
        with self._pool_lock:
            if pool in self._pools:
                return
            with suppress(Exists):
                self.pve.create_pool(pool, "cloudpemda")
            self._pools.add(pool)
