"""The steps that protect one VM: high availability, replication, backup; and their undo.

HA comes after the start and goes before the stop: a managed VM is the manager's. Its answer to a
write proves nothing (it queues, disables, refuses later), so the effect is read back, here on the
way out and at the end of the apply on the way in.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from cloudpemda.apply.failures import Lasting
from cloudpemda.apply.identity import Standing
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.vm import VmMaker
from cloudpemda.cluster import BackupJob, HaFlavour, HaRule, ReplicationJob
from cloudpemda.plan.ha import (
    GROUP,
    NODE_AFFINITY,
    affinity_name,
    ha_rules_for,
    requested_states,
    sid,
)
from cloudpemda.plan.model import DesiredBackup, DesiredVm
from cloudpemda.plan.pve_config import is_own_job, next_replication_id
from cloudpemda.proxmox import Exists, NotFound, WrongParameter
from cloudpemda.saga import Work

_HA_SECONDS = 600.0  # fencing of a lost node included
_REPLICATION_SECONDS = 1800.0  # a job goes after a run, and runs of one node queue up
_POLL_SECONDS = 2.0
_AT_REST = frozenset({"stopped", "disabled", "ignored"})


class Protector:
    """The protection of the VM that a maker makes."""

    def __init__(self, maker: VmMaker, shop: Shop) -> None:
        self._maker = maker
        self._shop = shop
        self._pve = shop.pve

    @property
    def _vm(self) -> DesiredVm:
        return self._maker.vm

    # -- high availability -----------------------------------------------------------------
    def manage(self, _: Work) -> None:
        """The HA manager keeps it running, on the nodes that have its disks, apart from others."""
        self._maker.prove()
        vmid = self._maker.vmid
        affinity = self._affinity()
        if affinity is not None and affinity.kind == GROUP:
            self._put_rule(affinity)
            self._put_resource(vmid, affinity.name)
        else:
            self._put_resource(vmid, None)
            if affinity is not None:
                self._put_rule(affinity)
        if self._maker.lived:
            self._leave_rules(affinity)
        with self._shop.writing():
            self._shop.apart.join(self._vm, self._shop.workload)

    def _leave_rules(self, affinity: HaRule | None) -> None:
        """Rules and groups of ours that it needed before a change, and needs no longer."""
        if affinity is None:
            self._drop_affinity()
        with self._shop.writing():
            self._shop.apart.leave_others(self._vm)

    def is_managed(self, _: Work) -> bool:
        """Whether the manager was asked to keep it running, under every rule it needs."""
        name = sid(self._maker.vmid)
        resource = self._pve.ha_resources().get(name)
        if resource is None or resource.requested not in requested_states(self._vm):
            return False
        affinity = self._affinity()
        groups = self._pve.ha_flavour() is HaFlavour.GROUPS
        if groups and resource.group != (None if affinity is None else affinity.name):
            return False
        live = {rule.name: rule for rule in self._pve.ha_rules()}
        if affinity is None and affinity_name(self._maker.vmid) in live:
            return False
        if self._shop.apart.others(self._vm, live.values()):
            return False
        wanted = ha_rules_for(self._shop.workload, self._pve.ha_flavour())
        return all(
            rule.name in live and rule.met_by(live[rule.name])
            for rule in wanted
            if name in rule.resources
        )

    def let_go(self, _: Work) -> None:
        """The manager lets go of a VM that goes on running: no rule, no resource.

        PVE leaves a VM as it is when its resource is removed; only one that is to be stopped is
        disabled first (`release`).
        """
        self._maker.prove()
        with self._shop.writing():
            self._shop.apart.leave_others(self._vm, every=True)
        rules = self._pve.ha_flavour() is HaFlavour.RULES
        if rules:
            self._drop_affinity()
        with suppress(NotFound), self._shop.writing():
            self._pve.remove_ha_resource(self._maker.vmid)
        self._until(lambda: self._ha_state() is None, _HA_SECONDS, "apply.ha-stays")
        if not rules:
            self._drop_affinity()

    def is_let_go(self, _: Work) -> bool:
        if self._ha_state() is not None:
            return False
        live = {rule.name: rule for rule in self._pve.ha_rules()}
        others = self._shop.apart.others(self._vm, live.values(), every=True)
        return affinity_name(self._maker.vmid) not in live and not others

    def _drop_affinity(self) -> None:
        """Our own rule or group of this VM, where it stands."""
        name = affinity_name(self._maker.vmid)
        for rule in self._pve.ha_rules():
            if rule.name == name:
                with self._shop.writing():
                    self._pve.delete_ha_rule(rule)

    def release(self, _: Work) -> None:
        """The manager lets go of it: no rule, no resource, and the VM at rest."""
        if self._maker.whose() is Standing.FOREIGN:
            return
        vmid = self._maker.vmid
        with self._shop.writing():
            self._shop.apart.leave(self._vm)
        with suppress(NotFound), self._shop.writing():
            self._pve.set_ha_resource(vmid, state="disabled")
        self._until(self._is_at_rest, _HA_SECONDS, "apply.ha-keeps-running")
        affinity = self._affinity()
        if affinity is not None and affinity.kind == NODE_AFFINITY:
            with self._shop.writing():
                self._pve.delete_ha_rule(affinity)
        with suppress(NotFound), self._shop.writing():
            self._pve.remove_ha_resource(vmid)
        self._until(lambda: self._ha_state() is None, _HA_SECONDS, "apply.ha-stays")
        if affinity is not None and affinity.kind == GROUP:
            with self._shop.writing():
                self._pve.delete_ha_rule(affinity)

    def _is_at_rest(self) -> bool:
        """A VM that another hand has deleted runs nowhere; the manager never says so of it: its
        resource stays queued for good."""
        if self._ha_state() in {None, *_AT_REST}:
            return True
        return self._maker.whose() is Standing.ABSENT

    def _ha_state(self) -> str | None:
        resource = self._pve.ha_resources().get(sid(self._maker.vmid))
        return None if resource is None else resource.state

    def _affinity(self) -> HaRule | None:
        nodes = self._vm.protection.ha_nodes
        if not nodes:
            return None
        rules = self._pve.ha_flavour() is HaFlavour.RULES
        return HaRule(
            name=affinity_name(self._maker.vmid),
            kind=NODE_AFFINITY if rules else GROUP,
            resources=frozenset({sid(self._maker.vmid)} if rules else ()),
            nodes=dict.fromkeys(nodes, 0),
            strict=True,
            positive=None,
            enabled=True,
        )

    def _put_resource(self, vmid: int, group: str | None) -> None:
        state = requested_states(self._vm)[0]
        if not self._vm.running and self._maker.is_on():
            state = "started"  # it runs against what was meant, and is left to people
        with self._shop.writing():
            try:
                self._pve.add_ha_resource(vmid, state=state, group=group)
            except Exists:
                groups = self._pve.ha_flavour() is HaFlavour.GROUPS
                self._pve.set_ha_resource(
                    vmid, state=state, group=group, no_group=groups and group is None
                )

    def _put_rule(self, rule: HaRule) -> None:
        with self._shop.writing():
            try:
                self._pve.create_ha_rule(rule)
            except (Exists, WrongParameter):
                if not any(one.name == rule.name for one in self._pve.ha_rules()):
                    raise
                self._pve.update_ha_rule(rule)

    # -- replication -----------------------------------------------------------------------
    def replicate(self, _: Work) -> None:
        """One enabled job per target, by the schedule of its class, and no other.

        What it has no target for any more goes last, with its volumes there: until the new copies
        have their jobs, the old ones are what there is.
        """
        self._maker.prove()
        vmid = self._maker.vmid
        taken: list[str] = []
        others = self._maker.lived  # jobs that are there, of this VM's life or of the VMID's former
        for wanted in self._vm.protection.replication:
            while True:
                job = next_replication_id(vmid, taken)
                taken.append(job)
                try:
                    with self._shop.writing():
                        self._pve.create_replication(job, wanted.target, wanted.schedule)
                except Exists:
                    others = True
                    jobs = {one.id: one for one in self._replications()}
                    there = [one for one in jobs.values() if _serves(one, wanted.target)]
                    if there:
                        self._reschedule(there[0], wanted.schedule)
                        break
                    if job not in jobs:
                        raise
                else:
                    break
        surplus = {job.id for job in self._surplus()} if others else set()
        for job in sorted(surplus):
            with suppress(NotFound), self._shop.writing():
                self._pve.delete_replication(job)
        if surplus:
            self._until(
                lambda: not surplus & {job.id for job in self._replications()},
                _REPLICATION_SECONDS,
                "apply.replication-stays",
            )

    def _surplus(self) -> tuple[ReplicationJob, ...]:
        """Jobs to nodes that shall have no copy. One that points at the VM's own node is being
        turned round by PVE."""
        wanted = {one.target for one in self._vm.protection.replication}
        return tuple(
            job
            for job in self._replications()
            if not job.removing and job.target not in wanted and job.target != self._maker.node
        )

    def _reschedule(self, job: ReplicationJob, schedule: str) -> None:
        if not job.enabled or job.schedule != schedule:
            with self._shop.writing():
                self._pve.update_replication(job.id, schedule)

    def is_replicated(self, _: Work) -> bool:
        jobs = self._replications()
        return not self._surplus() and all(
            any(
                _serves(job, one.target) and job.enabled and job.schedule == one.schedule
                for job in jobs
            )
            for one in self._vm.protection.replication
        )

    def unreplicate(self, _: Work) -> None:
        """No job is left, and with the jobs their volumes on the targets."""
        standing = self._maker.whose()
        if standing is Standing.FOREIGN:
            return
        for job in self._replications():
            if not job.removing or standing is Standing.ABSENT:
                # without a VM there is no run that could clean up: only the entry can go
                with suppress(NotFound), self._shop.writing():
                    self._pve.delete_replication(job.id, force=standing is Standing.ABSENT)
        self._until(
            lambda: not self._replications(), _REPLICATION_SECONDS, "apply.replication-stays"
        )

    def _replications(self) -> tuple[ReplicationJob, ...]:
        return tuple(job for job in self._pve.replication_jobs() if job.vmid == self._maker.vmid)

    # -- backup ----------------------------------------------------------------------------
    def back_up(self, _: Work) -> None:
        """The job of its class has it, and no other job of ours."""
        self._maker.prove()
        seen: Iterable[BackupJob] | None = None
        if self._vm.protection.backup is not None:
            seen = self._shop.backups.join(self._vm.protection.backup, self._maker.vmid)
        for job in self._other_jobs(seen) if self._maker.lived else ():
            self._shop.backups.leave(job, self._maker.vmid)

    def is_backed_up(self, _: Work) -> bool:
        wanted = self._vm.protection.backup
        listed = wanted is None or self._shop.backups.lists(wanted, self._maker.vmid)
        return listed and not self._other_jobs()

    def _other_jobs(self, seen: Iterable[BackupJob] | None = None) -> tuple[DesiredBackup, ...]:
        """The jobs of other classes that have it, as they stand, or as they were `seen` now."""
        wanted = self._vm.protection.backup
        return tuple(
            DesiredBackup(job.id, job.storage, job.schedule, job.prune)
            for job in (self._pve.backup_jobs() if seen is None else seen)
            if is_own_job(job.id)
            and (wanted is None or job.id != wanted.job)
            and self._maker.vmid in job.vmids
        )

    def leave_backup(self, _: Work) -> None:
        if self._maker.whose() is not Standing.FOREIGN:
            self._shop.backups.leave(self._backup(), self._maker.vmid)

    def _backup(self) -> DesiredBackup:
        backup = self._vm.protection.backup
        assert backup is not None  # noqa: S101 - the step is made only where there is one
        return backup

    def _until(self, gone: Callable[[], bool], seconds: float, code: str) -> None:
        """Read until it is so. Raises Lasting at the deadline."""
        begun = self._shop.clock.now()
        while not gone():
            if (self._shop.clock.now() - begun).total_seconds() > seconds:
                raise Lasting(code, key=self._vm.key, vmid=self._maker.vmid)
            self._shop.clock.sleep(_POLL_SECONDS)

    # -- for a human -----------------------------------------------------------------------
    def release_commands(self) -> tuple[str, ...]:
        name = sid(self._maker.vmid)
        return (
            f"ha-manager set {name} --state disabled",
            f"ha-manager remove {name}   # once `ha-manager status` shows it stopped",
        )

    def unreplicate_commands(self) -> tuple[str, ...]:
        vmid = self._maker.vmid
        return (f"pvesr list | grep {vmid}-   # then for each: pvesr delete {vmid}-N --force",)

    def leave_backup_commands(self) -> tuple[str, ...]:
        job = self._backup().job
        return (f"# Datacenter > Backup > {job}: take {self._maker.vmid} out of the selection",)


def _serves(job: ReplicationJob, target: str) -> bool:
    return job.target == target and not job.removing
