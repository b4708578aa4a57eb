"""The steps that make one VM: create, configure, grow, start; and how each is taken back.

Each deed can be met a second time, after a kill or a lost answer: it looks before it acts, and
what stands under the VMID is changed only after its identity was read back.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from cloudpemda.apply.failures import Foreign, HalfMade
from cloudpemda.apply.identity import Found, Standing, look
from cloudpemda.apply.shop import Shop
from cloudpemda.cluster import VmConfig, VmStatus
from cloudpemda.plan.model import DesiredDisk, DesiredVm
from cloudpemda.plan.pve_config import (
    added_disks,
    creation_disks,
    desired_config,
    flag_changes,
    flagged,
    same_value,
    told_by_cloud_init,
    unwanted,
)
from cloudpemda.proxmox import Exists, NotFound, OtherError, TaskFailed, TaskUnknown, Upid
from cloudpemda.saga import Work

TASK_SECONDS = 3600.0  # an image copy over a busy network takes its time
_GRACE_SECONDS = 30.0  # for a task to be listed, or for what it left to be seen
_LOOK_SECONDS = 2.0
_LOOK_SECONDS_MOST = 15.0
_VMIDS_TRIED = 50
_STARTS_MET = 3
_LOCKS = frozenset({"create", "clone"})


class VmMaker:
    """One VM on its way. `vm` is as it is called now: its VMID changes if somebody took it."""

    def __init__(self, vm: DesiredVm, shop: Shop) -> None:
        self.vm = vm
        self.node = vm.node
        self._shop = shop
        self._pve = shop.pve
        self._proven = False  # its identity was read back, or its creation seen, by this process
        self._complete = False  # the creating call carried the whole configuration

    @property
    def vmid(self) -> int:
        return self.vm.identity.vmid

    # -- pool ------------------------------------------------------------------------------
    def ensure_pool(self, _: Work) -> None:
        self._shop.ensure_pool(self.vm.pool)

    # -- create ----------------------------------------------------------------------------
    def create(self, work: Work) -> None:
        """Create it under its VMID, or under another where somebody else's VM stands there."""
        with self._shop.gates.copy(self.node, self.vm.disks[0].storage):
            for _ in range(_VMIDS_TRIED):
                try:
                    self._make(work)
                except (Exists, TaskFailed) as error:
                    if isinstance(error, TaskFailed) and not issubclass(error.kind, Exists):
                        raise
                    found = self._standing(None)
                    if found.standing is Standing.OURS:
                        return
                    if found.standing is Standing.ABSENT:
                        raise
                    self._take_another_vmid()
                else:
                    self._complete = self.vm.image.import_volume is not None
                    return
        raise Foreign("apply.vmids-taken", key=self.vm.key, vmid=self.vmid)

    def is_created(self, work: Work) -> bool:
        """Whether our VM stands there; waits for a creation that is still going on."""
        found = self._standing(work.upid)
        if found.standing is Standing.OURS:
            self._proven = True
            self.node = found.node
        return found.standing is Standing.OURS

    def destroy(self, work: Work) -> None:
        """Destroy it with its disks, if it is ours.

        A start that was asked for by a process that died may still be on its way, and makes a
        stopped VM run again: it is stopped as often as that happens.
        """
        self._await(work)
        for _ in range(_STARTS_MET):
            found = self._standing(None)
            if found.standing is not Standing.OURS:
                return
            self._proven = self._complete = False
            self._power_off(found.node)
            try:
                with self._shop.gates.write(found.node):
                    upid = self._pve.destroy(found.node, self.vmid)
                self._shop.tasks.wait(upid, TASK_SECONDS)
            except (OtherError, TaskFailed):
                if self._pve.vm_status(found.node, self.vmid) is not VmStatus.RUNNING:
                    raise
        if self._standing(None).standing is Standing.OURS:
            raise HalfMade("apply.not-destroyed", key=self.vm.key, vmid=self.vmid)

    def _make(self, work: Work) -> None:
        vm = self.vm
        with self._shop.gates.write(self.node):
            if vm.image.import_volume is not None:
                upid = self._pve.create_vm(self.node, self.vmid, _creation(vm))
            else:
                assert vm.image.template is not None  # noqa: S101 - one of both is set
                upid = self._pve.clone_vm(
                    self.node,
                    vm.image.template,
                    self.vmid,
                    name=vm.name,
                    description=vm.description,
                    pool=vm.pool,
                    storage=vm.disks[0].storage,
                )
        self._wait(work, upid)

    def _take_another_vmid(self) -> None:
        """Somebody else's VM stands under ours: it is not touched, the ledger gives another."""
        taken = {self.vmid, *self._shop.tools.live.vms}
        identity = self.vm.identity
        vmid = self._shop.tools.reclaim_vmid(identity.uid, taken)
        self.vm = replace(self.vm, identity=replace(identity, vmid=vmid))
        self._shop.renamed(self.vm)

    def _standing(self, upid: str | None) -> Found:
        """Whose VM stands under the VMID, once nobody is making it any more.

        Raises HalfMade where it is locked for being made, and no task makes it.
        """
        self._await_task(upid)
        begun = worked_on = self._shop.clock.now()
        pause = _LOOK_SECONDS
        while True:
            found = look(self._pve, self.vm, self.node)
            locked = found.config is not None and found.config.raw.get("lock") in _LOCKS
            ours = found.standing in {Standing.OURS, Standing.PENDING}
            if not (locked and ours):
                return found
            now = self._shop.clock.now()
            if self._is_worked_on():
                worked_on = now
            idle = (now - worked_on).total_seconds() > _GRACE_SECONDS
            if idle or (now - begun).total_seconds() > TASK_SECONDS:
                raise HalfMade("apply.half-made", key=self.vm.key, vmid=self.vmid, node=found.node)
            self._shop.clock.sleep(pause)
            pause = min(pause * 1.5, _LOOK_SECONDS_MOST)

    def _is_worked_on(self) -> bool:
        """Whether a task runs that may be making the VM; a clone is listed under its template."""
        running = [upid.split(":") for upid, ended in self._pve.tasks().items() if ended is None]
        return any(
            kind == "qmclone" or (kind in {"qmcreate", "qmrestore"} and subject == str(self.vmid))
            for _, _, _, _, _, kind, subject, *_ in running
        )

    # -- configuration ---------------------------------------------------------------------
    def configure(self, work: Work) -> None:
        """Everything cloudpemda sets stands there, nothing inherited by accident; all disks."""
        if self._complete:
            return
        config = self.own_config()
        if self._is_elsewhere():
            self._shop.ensure_pool(self.vm.pool)  # of an adopted VM nobody has made it yet
            with suppress(Exists), self._shop.writing():
                self._pve.move_to_pool(self.vm.pool, [self.vmid])
        changes, leftovers = self._changes(config)
        if changes or leftovers:
            with self._shop.gates.write(self.node):
                upid = self._pve.set_config(
                    self.node, self.vmid, changes, delete=leftovers, digest=config.digest
                )
            self._wait(work, upid)
        told = any(told_by_cloud_init(key) for key in (*changes, *leftovers))
        if self.lived and told and self.vm.found is None:  # an adopted VM may have no such drive
            # a guest that restarts itself reads the drive as it was written last
            with self._shop.gates.write(self.node):
                self._pve.write_cloud_init(self.node, self.vmid)

    def is_configured(self, work: Work) -> bool:
        self._await(work)
        changes, leftovers = self._changes(self.own_config())
        return not changes and not leftovers and not self._is_elsewhere()

    def cover(self, work: Work) -> None:
        """Every disk is backed up and replicated, or left out, as it shall; nothing else of its
        configuration is touched."""
        config = self.own_config()
        changes = _flags(self.vm, config)
        if changes:
            with self._shop.gates.write(self.node):
                upid = self._pve.set_config(self.node, self.vmid, changes, digest=config.digest)
            self._wait(work, upid)

    def is_covered(self, work: Work) -> bool:
        self._await(work)
        return not _flags(self.vm, self.own_config())

    @property
    def lived(self) -> bool:
        """Whether it was made before this apply."""
        return self.vm.key in self._shop.tools.established

    def _changes(self, config: VmConfig) -> tuple[dict[str, str], tuple[str, ...]]:
        """What to set and what to delete so that a configuration is as desired, sizes aside.

        A VM that lived is given only disks that are new, or that rest beside it: one that it lost
        is not made empty.
        """
        changes = _changed_keys(self.vm, config)
        barred = {
            disk.slot for disk in self.vm.disks if self.lived and not (disk.fresh or disk.kept)
        }
        changes |= {
            slot: value
            for slot, value in added_disks(self.vm).items()
            if slot not in config.raw and slot not in barred
        }
        return changes, unwanted(self.vm, config.raw)

    def _is_elsewhere(self) -> bool:
        """Whether the VM stood in another pool, or none, when the cluster was read."""
        there = self._shop.tools.live.vms.get(self.vmid)
        return there is not None and there.pool != self.vm.pool

    # -- disks -----------------------------------------------------------------------------
    def grow(self, work: Work) -> None:
        """Every disk has its size. PVE only grows, and is told the absolute size.

        The first change after the creation reads whose VM it is, even where the creating call
        carried everything: between the two, somebody may have put another one in its place.
        """
        while short := self._too_small(config := self.own_config()):
            with self._shop.gates.write(self.node):
                upid = self._pve.resize_disk(
                    self.node, self.vmid, short[0].slot, short[0].size, digest=config.digest
                )
            self._wait(work, upid)
            if len(short) == 1:
                return

    def is_grown(self, work: Work) -> bool:
        self._await(work)
        return not self._too_small(self.own_config())

    def _too_small(self, config: VmConfig) -> tuple[DesiredDisk, ...]:
        sizes = {disk.slot: disk.size for disk in config.disks}
        return tuple(disk for disk in self.vm.disks if sizes.get(disk.slot, 0) < disk.size)

    def move(self, work: Work) -> None:
        """Every disk lies on its storage. PVE copies it while the VM runs, and takes the former
        volume away once the copy is there."""
        while astray := self._astray(config := self.own_config()):
            disk = astray[0]
            with self._shop.gates.copy(self.node, disk.storage):
                with self._shop.gates.write(self.node):
                    upid = self._pve.move_disk(
                        self.node, self.vmid, disk.slot, disk.storage, digest=config.digest
                    )
                self._wait(work, upid)
            if len(astray) == 1:
                return

    def is_moved(self, work: Work) -> bool:
        self._await(work)
        return not self._astray(self.own_config())

    def _astray(self, config: VmConfig) -> tuple[DesiredDisk, ...]:
        storages = {disk.slot: disk.storage for disk in config.disks}
        return tuple(
            disk for disk in self.vm.disks if storages.get(disk.slot, disk.storage) != disk.storage
        )

    # -- power -----------------------------------------------------------------------------
    def start(self, work: Work) -> None:
        self.prove()
        if not self.vm.running:
            return
        with self._shop.gates.write(self.node):
            upid = self._pve.start(self.node, self.vmid)
        try:
            self._wait(work, upid)
        except TaskFailed:
            if not self.is_running(work):  # the task of one that runs already fails
                raise

    def is_running(self, work: Work) -> bool:
        """Whether it runs, or shall not."""
        self._await(work)
        self.prove()
        return not self.vm.running or self.is_on()

    def is_on(self) -> bool:
        return self._pve.vm_status(self.node, self.vmid) is VmStatus.RUNNING

    def stop(self, work: Work) -> None:
        """Switch it off, if it is ours; a start that is still on its way is awaited first."""
        self._await(work)
        found = self._standing(None)
        if found.standing is Standing.OURS:
            self._power_off(found.node)

    def _power_off(self, node: str) -> None:
        if self._pve.vm_status(node, self.vmid) is VmStatus.STOPPED:
            return
        with self._shop.gates.write(node):
            upid = self._pve.stop(node, self.vmid)
        self._shop.tasks.wait(upid, TASK_SECONDS)

    # -- identity --------------------------------------------------------------------------
    def prove(self) -> None:
        """Our VM stands there. Raises Foreign where it is gone or somebody else's."""
        if not self._proven:
            self.own_config()

    def own_config(self) -> VmConfig:
        """The configuration of our VM. Raises Foreign where it is gone or somebody else's."""
        found = self._standing(None)
        if found.standing is not Standing.OURS or found.config is None:
            code = "apply.gone" if found.standing is Standing.ABSENT else "apply.foreign"
            raise Foreign(code, key=self.vm.key, vmid=self.vmid, node=found.node)
        self._proven = True
        self.node = found.node
        return found.config

    def whose(self) -> Standing:
        """Whose VM stands under the VMID."""
        return self._standing(None).standing

    def _await(self, work: Work) -> None:
        """Wait for a task that an earlier attempt began."""
        self._await_task(work.upid)

    def _await_task(self, upid: str | None) -> None:
        """However the task ends, what it left is read from the VM itself."""
        if upid is not None:
            with suppress(NotFound, TaskFailed, TaskUnknown):
                self._shop.tasks.wait(Upid(upid), TASK_SECONDS)

    def _wait(self, work: Work, upid: Upid) -> None:
        work.note_upid(upid)
        self._shop.tasks.wait(upid, TASK_SECONDS)

    # -- for a human -----------------------------------------------------------------------
    def destroy_commands(self) -> tuple[str, ...]:
        return (
            f"# on {self.node}: only if `qm config {self.vmid}` shows uid={self.vm.identity.uid},"
            " or lock: create or clone and nothing else",
            f"qm unlock {self.vmid}",
            f"qm destroy {self.vmid} --purge 1 --destroy-unreferenced-disks 1",
        )

    def stop_commands(self) -> tuple[str, ...]:
        return (f"qm stop {self.vmid}",)


def _creation(vm: DesiredVm) -> Mapping[str, str]:
    """One call that makes the whole VM but for the size of its root disk."""
    return {**desired_config(vm), **creation_disks(vm), "pool": vm.pool}


def _changed_keys(vm: DesiredVm, config: VmConfig) -> dict[str, str]:
    changes = {
        key: value
        for key, value in desired_config(vm).items()
        if (vm.found is None and key not in config.raw)
        or not same_value(key, config.raw.get(key, ""), value)
    }
    return changes | _flags(vm, config)


def _flags(vm: DesiredVm, config: VmConfig) -> dict[str, str]:
    """The disks that are backed up or replicated otherwise than they shall, with how they shall."""
    present = {disk.slot: disk for disk in config.disks}
    return {
        disk.slot: flagged(vm, disk, live, config.raw[disk.slot])
        for disk in vm.disks
        if (live := present.get(disk.slot)) is not None and flag_changes(vm, disk, live)
    }
