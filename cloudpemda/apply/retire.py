"""The steps that take VMs away: into quarantine, and out of it for good.

Quarantine: HA lets go, the guest is shut down, it is not started again, and says what it is. Its
disks, copies and backups stay. Purge: what protects it goes first (copies on targets with their
jobs), what a target that is off keeps is noted as left behind, then the VM is destroyed.

Nothing is taken back: what is begun goes on. Nothing is done to a VM that is not ours, is locked,
protected or running, and each is looked at again right before it is destroyed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Protocol

from cloudpemda.apply.chains import chain_of
from cloudpemda.apply.failures import ApplyError, Foreign, Lasting, NotAsDesired
from cloudpemda.apply.identity import Found, Standing, look
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.tools import Tools
from cloudpemda.cluster import ClusterState, HaRule, ReplicationJob, VmConfig, VmStatus
from cloudpemda.errors import CloudpemdaError
from cloudpemda.plan.firewall import kind_of
from cloudpemda.plan.ha import GROUP, RESOURCE_AFFINITY, affinity_name, sid
from cloudpemda.plan.model import DesiredBackup, Identity
from cloudpemda.proxmox import NotFound, OtherError, TaskFailed, TaskUnknown, Upid
from cloudpemda.saga import Chain, Ending, Outcome, Step, Work
from cloudpemda.units import MiB

RETIRED_TAG = "cloudpemda-retired"
ONBOOT_TAG = "cloudpemda-onboot"
"""On a VM in quarantine: its node started it by itself before, and shall again."""

_OURS = "cloudpemda-"  # how the rules and jobs that we make are called

_THREADS = 16
_LOOK_SECONDS = 0.5
_SHUTDOWN_SECONDS = 180  # for the guest; then it is switched off
_TASK_SECONDS = 3600.0
_HA_SECONDS = 600.0
_REPLICATION_SECONDS = 1800.0
_POLL_SECONDS = 2.0
_AT_REST = frozenset({"stopped", "disabled", "ignored"})
_DESTROY = "destroy"


class Refusal(ApplyError):
    """The VM is in a state in which it must not be taken away: a person decides."""


@dataclass(frozen=True)
class Leaving:
    """An instance that goes."""

    key: str
    identity: Identity
    node: str  # where it was last
    storages: frozenset[str]  # PVE storage ids of its disks
    targets: frozenset[str]  # nodes that may have copies of them
    beside: Mapping[str, MiB] = field(default_factory=dict)  # disks that changes took from it


class NoteLeft(Protocol):
    """Who remembers what stays behind: the ledger."""

    def __call__(self, uid: str, node: str, volumes: Mapping[str, MiB]) -> None:
        """These volumes of an instance may stay on a node. Durable when it returns."""


@dataclass(frozen=True)
class LeaveResult:
    """How far one instance came."""

    leaving: Leaving
    done: bool
    step: str | None = None
    error: CloudpemdaError | None = None


def quarantine(leaving: Sequence[Leaving], tools: Tools) -> tuple[LeaveResult, ...]:
    """Stop these VMs and keep them so. What fails is left as far as it came; the same call goes
    on. Raises only for bugs."""
    shop = Shop(tools, ())
    lock = Lock()
    return results_of(leaving, lambda one: Retiree(one, shop, lock).quarantine_steps(), tools)


def unmark(leaving: Sequence[Leaving], tools: Tools) -> None:
    """Take the marks of the quarantine off VMs that come back. Done again it changes nothing.
    Raises PveError, Foreign, Refusal for one that is gone or not ours."""
    shop, lock = Shop(tools, ()), Lock()
    for one in leaving:
        Retiree(one, shop, lock).unmark()


def purge(
    leaving: Sequence[Leaving], tools: Tools, note: NoteLeft, ending: Collection[str] = ()
) -> tuple[LeaveResult, ...]:
    """Destroy these VMs with all that refers to them; then one picture of the cluster proves it.

    `ending` are the kinds (`dinkes/simrs/db`) of which these are the last ones: with the VMs goes
    their security group.

    What fails is left as far as it came; the same call goes on. Raises only for bugs.
    """
    shop = Shop(tools, ())
    lock = Lock()
    results = results_of(leaving, lambda one: Retiree(one, shop, lock, note).purge_steps(), tools)
    destroyed = [one.leaving for one in results if one.done]
    if not destroyed:
        return results
    try:
        left = _left(shop, destroyed)
    except CloudpemdaError as error:
        left = {one.key: error for one in destroyed}
    left |= ungrouped(shop, results, ending)
    return tuple(
        replace(one, done=False, step="verify", error=left[one.leaving.key])
        if one.leaving.key in left
        else one
        for one in results
    )


class Retiree:
    """One VM on its way out."""

    def __init__(self, one: Leaving, shop: Shop, rules: Lock, note: NoteLeft | None = None) -> None:
        self._one = one
        self.identity = one.identity
        self._shop = shop
        self._pve = shop.pve
        self._rules = rules  # held while a rule that several share is read and written
        self._note = note
        # This saga has proven once whose it is, and begun to destroy it.
        self._begun = _DESTROY in shop.tools.journal.steps(one.identity.uid)

    def quarantine_steps(self) -> tuple[Step, ...]:
        return (
            Step("ha", self.leave_ha, _no),
            Step("shutdown", self.shut_down, _no),
            Step("mark", self.mark, _no),
        )

    def purge_steps(self) -> tuple[Step, ...]:
        return (
            Step("gate", self.check, _no),
            Step("ha", self.leave_ha, _no),
            Step("replication", self.unreplicate, _no),
            Step("backup", self.leave_backups, _no),
            Step("left", self.note_left, _no),
            Step(_DESTROY, self.destroy, _no),
        )

    # -- whose it is -----------------------------------------------------------------------
    def _found(self) -> Found | None:
        """Our VM; None once it is destroyed by this saga. Raises Foreign, Refusal where it is
        somebody else's, or gone by another hand."""
        found = look(self._pve, self, self._one.node)
        if found.standing is Standing.OURS:
            return found
        if self._begun:
            return None  # a stranger under our VMID: then ours is gone, and his is not touched
        code = "retire.vanished" if found.standing is Standing.ABSENT else "retire.foreign"
        raise Foreign(code, key=self._one.key, vmid=self.identity.vmid, node=found.node)

    def check(self, _: Work) -> None:
        """Nothing speaks against destroying it."""
        found = self._found()
        if found is not None and found.config is not None:
            self._require_still(found.node, found.config)

    def _require_still(self, node: str, config: VmConfig) -> None:
        values = {"key": self._one.key, "vmid": self.identity.vmid, "node": node}
        if config.protection:
            raise Refusal("retire.protected", **values)
        self._require_unlocked(node, config)
        if self._pve.vm_status(node, self.identity.vmid) is not VmStatus.STOPPED:
            raise Refusal("retire.runs", **values)

    def _require_unlocked(self, node: str, config: VmConfig) -> None:
        lock = config.raw.get("lock")
        if lock:
            values = {"key": self._one.key, "vmid": self.identity.vmid, "node": node}
            raise Refusal("retire.locked", lock=lock[:40], **values)

    # -- HA --------------------------------------------------------------------------------
    def leave_ha(self, _: Work) -> None:
        """No resource and no rule of ours; the manager has brought it to rest."""
        found = self._found()
        if found is None:
            return
        if found.config is not None:
            self._require_unlocked(found.node, found.config)
        name, vmid = sid(self.identity.vmid), self.identity.vmid
        own = self._leave_rules(name)
        resource = self._pve.ha_resources().get(name)
        if resource is not None:
            if resource.requested != "disabled":
                with suppress(NotFound), self._shop.writing():
                    self._pve.set_ha_resource(vmid, state="disabled")
            self._until(
                lambda: self._ha_state(name) in {None, *_AT_REST},
                _HA_SECONDS,
                "apply.ha-keeps-running",
            )
        for rule in own:
            if rule.kind != GROUP:
                with self._shop.writing():
                    self._pve.delete_ha_rule(rule)
        if self._ha_state(name) is not None:
            with suppress(NotFound), self._shop.writing():
                self._pve.remove_ha_resource(vmid)
        self._until(lambda: self._ha_state(name) is None, _HA_SECONDS, "apply.ha-stays")
        for rule in own:
            if rule.kind == GROUP:  # not before its last resource is gone
                with self._shop.writing():
                    self._pve.delete_ha_rule(rule)

    def _leave_rules(self, name: str) -> list[HaRule]:
        """Take it out of the rules that it shares with others; those of its own."""
        own: list[HaRule] = []
        with self._rules:
            for rule in self._pve.ha_rules():
                if rule.name == affinity_name(self.identity.vmid):
                    own.append(rule)
                elif name in rule.resources and rule.name.startswith(_OURS):
                    left = rule.resources - {name}
                    with self._shop.writing():
                        if rule.kind == RESOURCE_AFFINITY and len(left) > 1:
                            self._pve.update_ha_rule(replace(rule, resources=left))
                        else:
                            self._pve.delete_ha_rule(rule)
        return own

    def _ha_state(self, name: str) -> str | None:
        resource = self._pve.ha_resources().get(name)
        return None if resource is None else resource.state

    # -- power and marks -------------------------------------------------------------------
    def shut_down(self, work: Work) -> None:
        """The guest is asked to stop, and switched off where it does not in time."""
        self._await(work)
        found = self._found()
        if found is None or found.config is None:
            return
        vmid = self.identity.vmid
        if self._pve.vm_status(found.node, vmid) is VmStatus.STOPPED:
            return
        self._require_unlocked(found.node, found.config)
        with self._shop.gates.write(found.node):
            upid = self._pve.shutdown(found.node, vmid, _SHUTDOWN_SECONDS, force=True)
        work.note_upid(upid)
        self._shop.tasks.wait(upid, _TASK_SECONDS)
        if self._pve.vm_status(found.node, vmid) is not VmStatus.STOPPED:
            raise Lasting("retire.keeps-running", key=self._one.key, vmid=vmid)

    def mark(self, work: Work) -> None:
        """Whoever looks at PVE sees what it is, and its node does not start it again."""
        self._await(work)
        found = self._found()
        if found is None or found.config is None or _marked(found.config):
            return
        before = {ONBOOT_TAG} if found.config.onboot else set()
        tags = ";".join(sorted(found.config.tags | before | {RETIRED_TAG}))
        with self._shop.gates.write(found.node):
            upid = self._pve.set_config(
                found.node,
                self.identity.vmid,
                {"onboot": False, "tags": tags},
                digest=found.config.digest,
            )
        work.note_upid(upid)
        self._shop.tasks.wait(upid, _TASK_SECONDS)
        again = self._found()
        if again is None or again.config is None or not _marked(again.config):
            what = f"onboot, {RETIRED_TAG}"
            raise NotAsDesired("apply.not-as-desired", key=self._one.key, what=what)

    def unmark(self) -> None:
        """It says no more that it is in quarantine, and its node starts it as it did before."""
        found = self._found()
        if found is None or found.config is None or RETIRED_TAG not in found.config.tags:
            return
        changes: dict[str, str | bool] = {
            "tags": ";".join(sorted(found.config.tags - {RETIRED_TAG, ONBOOT_TAG}))
        }
        if ONBOOT_TAG in found.config.tags:
            changes["onboot"] = True
        with self._shop.gates.write(found.node):
            upid = self._pve.set_config(
                found.node, self.identity.vmid, changes, digest=found.config.digest
            )
        self._shop.tasks.wait(upid, _TASK_SECONDS)

    # -- what protects it ------------------------------------------------------------------
    def unreplicate(self, _: Work) -> None:
        """No job is left. Where the target answers its copies go with it; what one keeps that does
        not is noted first, since a job that waits for it would hold up everything. So does one of
        a VM that HA has put on a node without its disks: each of its runs fails."""
        found = self._found()
        if found is None or found.config is None:
            return
        jobs = self._jobs()
        runs = not jobs or self._has_disks(found.node, found.config)
        for job in jobs:
            clears = runs and self._answers(job.target)
            if not clears and job.target != found.node:
                self._note_copies(job.target, found.config)
            if not job.removing or not clears:
                with suppress(NotFound), self._shop.writing():
                    self._pve.delete_replication(job.id, force=not clears)
        self._until(lambda: not self._jobs(), _REPLICATION_SECONDS, "apply.replication-stays")

    def leave_backups(self, _: Work) -> None:
        """Our own jobs list it no more; those of others lose it when it is destroyed."""
        if self._found() is None:
            return
        for job in self._pve.backup_jobs():
            if self.identity.vmid in job.vmids and job.id.startswith(_OURS):
                desired = DesiredBackup(job.id, job.storage, job.schedule, job.prune)
                self._shop.backups.leave(desired, self.identity.vmid)

    def note_left(self, _: Work) -> None:
        """What other nodes still keep of it: its disks' copies that no job removed."""
        found = self._found()
        if found is None or found.config is None:
            return
        for node in sorted(self._one.targets - {found.node}):
            if not self._answers(node):
                self._note_copies(node, found.config)
                continue
            for storage in sorted(self._local(node)):
                sizes = self._pve.volume_sizes(node, storage, self.identity.vmid)
                if sizes:
                    self._remember(node, sizes)

    def _has_disks(self, node: str, config: VmConfig) -> bool:
        """Whether the disks of which there are copies lie on this node. Raises PveError."""
        wanted = {disk.volume for disk in config.disks if disk.replicate}
        storages = {volume.partition(":")[0] for volume in wanted} & self._local(node)
        there: set[str] = set()
        for storage in sorted(storages):
            there |= self._pve.volume_sizes(node, storage, self.identity.vmid).keys()
        return all(one in there for one in wanted if one.partition(":")[0] in storages)

    def _note_copies(self, node: str, config: VmConfig) -> None:
        copies = {disk.volume: disk.size for disk in config.disks if disk.replicate}
        self._remember(node, {**copies, **self._one.beside})

    def _remember(self, node: str, volumes: Mapping[str, MiB]) -> None:
        assert self._note is not None  # noqa: S101 - given to whoever purges
        self._note(self.identity.uid, node, volumes)

    def _local(self, node: str) -> frozenset[str]:
        """The storages of its disks that this node has for itself."""
        at = self._shop.tools.live.storage_at
        return frozenset(
            name for name in self._one.storages if (node, name) in at and not at[node, name].shared
        )

    def _answers(self, node: str) -> bool:
        there = self._shop.tools.live.nodes.get(node)
        return there is not None and there.answers

    def _jobs(self) -> tuple[ReplicationJob, ...]:
        vmid = self.identity.vmid
        return tuple(job for job in self._pve.replication_jobs() if job.vmid == vmid)

    # -- the end ---------------------------------------------------------------------------
    def destroy(self, work: Work) -> None:
        """Destroy it with its disks, if nothing speaks against it at this moment.

        One whose removal was asked for by a process that died may go while we ask again.
        """
        self._await(work)
        found = self._found()
        if found is None or found.config is None:
            return
        self._require_still(found.node, found.config)
        try:
            with self._shop.gates.write(found.node):
                upid = self._pve.destroy(found.node, self.identity.vmid)
            work.note_upid(upid)
            self._shop.tasks.wait(upid, _TASK_SECONDS)
        except (NotFound, OtherError, TaskFailed):
            if look(self._pve, self, found.node).standing is Standing.OURS:
                raise
        if look(self._pve, self, found.node).standing is Standing.OURS:
            raise Refusal("apply.not-destroyed", key=self._one.key, vmid=self.identity.vmid)

    def _await(self, work: Work) -> None:
        """However a task of an earlier attempt ended, what it left is read from the VM itself."""
        if work.upid is not None:
            with suppress(NotFound, TaskFailed, TaskUnknown):
                self._shop.tasks.wait(Upid(work.upid), _TASK_SECONDS)

    def _until(self, so: Callable[[], bool], seconds: float, code: str) -> None:
        begun = self._shop.clock.now()
        while not so():
            if (self._shop.clock.now() - begun).total_seconds() > seconds:
                raise Lasting(code, key=self._one.key, vmid=self.identity.vmid)
            self._shop.clock.sleep(_POLL_SECONDS)


def _marked(config: VmConfig) -> bool:
    return RETIRED_TAG in config.tags and not config.onboot


def ungrouped(
    shop: Shop, results: Sequence[LeaveResult], ending: Collection[str]
) -> dict[str, CloudpemdaError]:
    """Take the security groups of ended kinds away; by key why one stays."""
    found: dict[str, CloudpemdaError] = {}
    for kind in sorted(ending):
        ended = [one for one in results if kind_of(one.leaving.key) == kind]
        if not all(one.done for one in ended):
            continue
        try:
            with shop.writing():
                shop.firewalls.drop(kind)
        except CloudpemdaError as error:
            found |= {one.leaving.key: error for one in ended}
    return found


def _left(shop: Shop, destroyed: Sequence[Leaving]) -> dict[str, CloudpemdaError]:
    """By key what the cluster still has of VMs that were destroyed."""
    state = shop.pve.snapshot(images=False)
    found: dict[str, CloudpemdaError] = {}
    for one in destroyed:
        vmid, places = one.identity.vmid, list(_references(state, one))
        if vmid in state.vms and look(shop.pve, one, one.node).standing is Standing.OURS:
            places.append("VM")
        if vmid not in state.vms and places:
            what = ", ".join(places)
            found[one.key] = NotAsDesired("retire.left", key=one.key, vmid=vmid, what=what)
        elif "VM" in places:
            found[one.key] = Refusal("apply.not-destroyed", key=one.key, vmid=vmid)
    return found


def _references(state: ClusterState, one: Leaving) -> Iterable[str]:
    vmid, name = one.identity.vmid, sid(one.identity.vmid)
    if name in state.ha_resources:
        yield f"HA {name}"
    for rule in state.ha_rules:
        if name in rule.resources or rule.name == affinity_name(vmid):
            yield f"HA {rule.name}"
    for job in state.replication_jobs:
        if job.vmid == vmid:
            yield f"replication {job.id}"
    for backup in state.backup_jobs:
        if vmid in backup.vmids:
            yield f"backup {backup.id}"


# -- chains ----------------------------------------------------------------------------------
def results_of(
    leaving: Sequence[Leaving], steps_of: Callable[[Leaving], Sequence[Step]], tools: Tools
) -> tuple[LeaveResult, ...]:
    """Take the steps of all at once; an interrupt lets each stop at its next safe point."""
    if not leaving:
        return ()
    stopped = False
    stopping = replace(tools, halted=lambda: stopped or tools.halted())
    chains = [chain_of(one.key, one.identity.uid, steps_of(one), stopping) for one in leaving]
    with ThreadPoolExecutor(min(_THREADS, len(chains)), "retire") as threads:
        running = [threads.submit(_contained, chain) for chain in chains]
        while True:
            try:
                if not wait(running, timeout=_LOOK_SECONDS).not_done:
                    break
            except KeyboardInterrupt:
                stopped = True
    return tuple(
        LeaveResult(one, outcome.ending is Ending.DONE, outcome.step, outcome.error)
        for one, outcome in zip(leaving, (future.result() for future in running), strict=True)
    )


def _contained(chain: Chain) -> Outcome:
    try:
        return chain.run()
    except CloudpemdaError as error:
        return Outcome(Ending.UNFINISHED, None, error)


def _no(_: Work) -> bool:
    """Every step looks before it acts, so it can simply be done again."""
    return False
