"""The steps that make one VM as a backup holds it, in its own place.

PVE destroys the disks and the snapshots that stand there before it has anything in their place. So
all that can be known beforehand is looked at first, the VM is shut down, and as it is then it is
backed up, unless that was waived. Its copies on other nodes go with their jobs: they are of another
history, and PVE would not replicate over them. What protects it is put back by whoever called, by
the ordinary steps (`workload`).

Every step looks before it acts and can be done again; nothing is taken back.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from cloudpemda.apply.chains import chain_of
from cloudpemda.apply.failures import ApplyError, Foreign, HalfMade
from cloudpemda.apply.identity import Standing, look_for
from cloudpemda.apply.power import require_unlocked
from cloudpemda.apply.retire import Leaving, Retiree
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.tools import Tools
from cloudpemda.cluster import Backup, VmConfig
from cloudpemda.errors import Refused, Unreachable
from cloudpemda.plan.diff import carries, stamp
from cloudpemda.proxmox import NotFound, Pve, TaskFailed, TaskUnknown, Upid, upid_works_on
from cloudpemda.saga import Chain, Outcome, Step, StepState, Work
from cloudpemda.units import MiB

RESTORE = "restore"
"""The step that destroys what stands there."""

NOTES = "cloudpemda: before a restore of {{guestname}}"
_TASK_SECONDS = 6 * 3600.0  # hundreds of GiB over a network
_LOCK = "create"
_LOOK_SECONDS = 2.0
_FAILED_WITH_TASK = (NotFound, TaskFailed, TaskUnknown)


@dataclass(frozen=True)
class Restoring:
    """One VM that is to be as a backup holds it."""

    subject: str  # of its steps in the journal
    leaving: Leaving
    backup: Backup
    description: str  # what it is stamped with, in the very call that restores it
    kept: Mapping[str, str]  # slot → drive that the backup is without, and that goes on
    safety: bool  # whether it is backed up as it is before that is lost
    noted: Callable[[str], None]  # told the volume of that backup; durable when it returns
    saved: str | None = None  # the volume, where an earlier run made it
    home: Mapping[str, str] = field(default_factory=dict)  # parameters: storage, pool


def restore_in_place(one: Restoring, tools: Tools) -> Outcome:
    """Bring it to where its data are as in the backup and it stands still. Raises Incomplete where
    it was halted; the same call goes on."""
    return restoring(one, tools).run()


def restoring(one: Restoring, tools: Tools) -> Chain:
    """The chain of one restore, from wherever the journal stands."""
    shop = Shop(tools, ())

    def away(uid: str, node: str, volumes: Mapping[str, MiB]) -> None:
        raise Unreachable("vm.restore-target-away", vm=one.leaving.key, node=node)

    steps = Restorer(one, shop, Retiree(one.leaving, shop, Lock(), away)).steps()
    return chain_of(one.leaving.key, one.subject, steps, tools)


def has_destroyed(one: Restoring, tools: Tools) -> bool:
    """Whether the step has begun that destroys what stood there."""
    record = tools.journal.steps(one.subject).get(RESTORE)
    return record is not None and record.state is not StepState.PLANNED


class Restorer:
    """One VM on its way."""

    def __init__(self, one: Restoring, shop: Shop, retiree: Retiree) -> None:
        self._one = one
        self._shop = shop
        self._pve = shop.pve
        self._retiree = retiree
        self._identity = one.leaving.identity
        self._saved = one.saved

    @property
    def _vmid(self) -> int:
        return self._identity.vmid

    def steps(self) -> tuple[Step, ...]:
        return (
            Step("check", self.check, _no),
            Step("ha", self._retiree.leave_ha, _no),
            Step("shutdown", self._retiree.shut_down, _no),
            Step("backup", self.back_up, _no),
            Step("replication", self._retiree.unreplicate, _no),
            Step(RESTORE, self.restore, self.is_restored),
            Step("disks", self.put_back, _no),
        )

    def check(self, _: Work) -> None:
        """It is ours, and so is the backup; nothing stands in the way."""
        node, config = self._own()
        require_unlocked(self._pve, self._one.leaving.key, self._vmid, config)
        require_free(self._pve, self._one.leaving, node, config)
        require_own(self._pve, self._one.leaving, node, self._one.backup)

    # -- the backup of what is going to be lost ----------------------------------------------
    def back_up(self, work: Work) -> None:
        """As it stands now, once."""
        if not self._one.safety or self._saved is not None:
            return
        node, _ = self._own()
        before = self._known(node)
        upid = work.upid
        if upid is None:
            upid = self._pve.back_up(node, self._vmid, self._one.backup.storage, NOTES)
            work.note_upid(upid)
        begun = _since(upid)
        self._shop.tasks.wait(Upid(upid), _TASK_SECONDS)
        made = self._known(node) - before or {one for one in self._known(node) if one[0] >= begun}
        if not made:
            raise ApplyError("vm.restore-no-safety", vm=self._one.leaving.key)
        self._saved = max(made)[1]
        self._one.noted(self._saved)

    def _known(self, node: str) -> set[tuple[float, str]]:
        storage = self._one.backup.storage
        found = self._pve.freshness((), [storage], (node,))
        if found.unread:
            raise Unreachable(
                "vm.backups-unread", vm=self._one.leaving.key, storage=storage,
                cluster=self._identity.cluster,
            )  # fmt: skip
        return {(one.taken_at.timestamp(), one.volume) for one in found.backups.get(self._vmid, ())}

    # -- the restore -------------------------------------------------------------------------
    def restore(self, work: Work) -> None:
        """PVE takes the place of its disks with those of the backup."""
        self._await_others()
        node, config = self._own()
        if config.raw.get("lock") == _LOCK:
            raise HalfMade(
                "vm.restore-locked", key=self._one.leaving.key, vmid=self._vmid, node=node
            )
        require_free(self._pve, self._one.leaving, node, config)
        params = {**self._one.home, "description": self._one.description}
        with self._shop.gates.write(node):
            upid = self._pve.restore(node, self._vmid, self._one.backup.volume, params, over=True)
        work.note_upid(upid)
        self._shop.tasks.wait(upid, _TASK_SECONDS)
        self._own()

    def is_restored(self, work: Work) -> bool:
        """Only the word of its own task proves it: what stood there before had the same uid."""
        if work.upid is None:
            return False
        try:
            self._shop.tasks.wait(Upid(work.upid), _TASK_SECONDS)
        except _FAILED_WITH_TASK:
            return False
        self._own()
        return True

    def _await_others(self) -> None:
        """A task of a run that died, whose id nobody heard, may be at it."""
        for upid, ended in self._pve.tasks().items():
            restoring = upid.split(":")[5] == "qmrestore" and upid_works_on(upid, self._vmid)
            if ended is None and restoring:
                with suppress(*_FAILED_WITH_TASK):
                    self._shop.tasks.wait(upid, _TASK_SECONDS)

    # -- disks that the backup is without ----------------------------------------------------
    def put_back(self, work: Work) -> None:
        """Disks that no backup had go on with the data that they have."""
        if work.upid is not None:
            with suppress(*_FAILED_WITH_TASK):
                self._shop.tasks.wait(Upid(work.upid), _TASK_SECONDS)
        node, config = self._own()
        missing = {slot: drive for slot, drive in self._one.kept.items() if slot not in config.raw}
        if not missing:
            return
        upid = self._pve.set_config(node, self._vmid, missing, digest=config.digest)
        work.note_upid(upid)
        self._shop.tasks.wait(upid, _TASK_SECONDS)

    def _own(self) -> tuple[str, VmConfig]:
        """Node and configuration of our VM. Raises Foreign where it is gone or somebody else's."""
        return own_config(self._pve, self._one.leaving)


def own_config(pve: Pve, one: Leaving) -> tuple[str, VmConfig]:
    """Node and configuration of a VM of ours. Raises Foreign where it is gone or not ours."""
    found = look_for(pve, one.identity, one.node)
    if found.standing is not Standing.OURS or found.config is None:
        code = "apply.gone" if found.standing is Standing.ABSENT else "apply.foreign"
        raise Foreign(code, key=one.key, vmid=one.identity.vmid, node=found.node)
    return found.node, found.config


def require_free(pve: Pve, one: Leaving, node: str, config: VmConfig) -> None:
    """Raises Refused for what a restore would go over: PVE's protection, snapshots."""
    if config.protection:
        raise Refused("vm.restore-protected", vm=one.key, vmid=one.identity.vmid, node=node)
    names = [snapshot.name for snapshot in pve.vm_snapshots(node, one.identity.vmid)]
    if names:
        raise Refused("vm.restore-snapshots", vm=one.key, names=", ".join(names))


def require_own(pve: Pve, one: Leaving, node: str, backup: Backup) -> VmConfig:
    """The configuration in a backup of this VM. Raises Refused where it is of another that had
    its number, or of one from before it was stamped."""
    config = pve.archived_config(node, backup.volume)
    if not carries(config, one.identity):
        found = stamp(config).get("uid", "-")
        values = {"vm": one.key, "volume": backup.volume, "found": found}
        raise Refused("vm.restore-not-its-backup", uid=one.identity.uid, **values)
    return config


def _since(upid: str) -> float:
    """When a task began, by its id."""
    return float(int(upid.split(":")[4], 16))


def _no(_: Work) -> bool:
    """Every step looks before it acts, so it can simply be done again."""
    return False
