"""Membership of VMs in the backup jobs that a class shares, many changes in one write.

PVE replaces a job's whole list and knows no digest here. So whoever writes holds a lock among all
applies of this ledger, reads, changes and writes. A list that lost an entry to a writer outside of
the lock is seen when it is read back, for those who leave here, for those who join at the end of
the apply, and is changed again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cloudpemda.apply.failures import NotAsDesired
from cloudpemda.apply.locks import exclusive
from cloudpemda.cluster import BackupJob
from cloudpemda.errors import CloudpemdaError
from cloudpemda.plan.model import DesiredBackup
from cloudpemda.plan.pve_config import backup_job_changes, backup_job_config
from cloudpemda.proxmox import Exists, NotFound, Pve

_ROUNDS = 5


@dataclass(slots=True)
class _Change:
    job: DesiredBackup
    vmid: int
    join: bool
    seen: tuple[BackupJob, ...] = ()  # all jobs, read after the change was asked for
    done: bool = False
    error: CloudpemdaError | None = None

    def holds(self, live: BackupJob | None) -> bool:
        if not self.join:
            return live is None or self.vmid not in live.vmids
        return live is not None and self.vmid in live.vmids and _as_desired(live, self.job)


class BackupMembership:
    """The shared backup jobs of one cluster."""

    def __init__(self, pve: Pve, locks: Path) -> None:
        self._pve = pve
        self._locks = locks
        self._waiting: list[_Change] = []
        self._guard = Lock()

    def join(self, job: DesiredBackup, vmid: int) -> tuple[BackupJob, ...]:
        """Return when the job was told to have the VM, with all jobs as they were just before.

        Raises PveError, or NotAsDesired where another hand was always faster."""
        change = _Change(job, vmid, join=True)
        self._change(change)
        return change.seen

    def leave(self, job: DesiredBackup, vmid: int) -> None:
        """Return when the job no longer has the VM; the last VM takes the job with it."""
        self._change(_Change(job, vmid, join=False))

    def lists(self, job: DesiredBackup, vmid: int) -> bool:
        """Whether the job has the VM and is as its class wants it."""
        return _Change(job, vmid, join=True).holds(self._read(job))

    def _change(self, change: _Change) -> None:
        with self._guard:
            self._waiting.append(change)
        try:
            with exclusive(self._locks, f"backup-{self._pve.name}-{change.job.job}"):
                if not change.done:
                    self._write_waiting(change.job)
        finally:
            with self._guard:
                if change in self._waiting:
                    self._waiting.remove(change)
        if change.error is not None:
            raise change.error

    def _write_waiting(self, job: DesiredBackup) -> None:
        """Do at once what everybody wants of this job; each waiter finds its own result."""
        with self._guard:
            batch = [one for one in self._waiting if one.job.job == job.job and not one.done]
        try:
            self._write(job, batch)
        except CloudpemdaError as error:
            for change in batch:
                change.error = error
        for change in batch:
            change.done = True

    def _write(self, job: DesiredBackup, batch: Iterable[_Change]) -> None:
        changes = tuple(batch)
        for _ in range(_ROUNDS):
            seen = self._pve.backup_jobs()
            for change in changes:
                change.seen = seen
            live = _named(seen, job)
            if all(change.holds(live) for change in changes):
                return
            joining = {change.vmid for change in changes if change.join}
            leaving = {change.vmid for change in changes if not change.join}
            vmids = ((live.vmids if live else frozenset()) | joining) - leaving
            try:
                self._put(job, live, vmids)
            except (Exists, NotFound):
                continue  # made or removed by another hand since it was read: read it again
            if not leaving:
                return  # who joins is read back with everything else at the end of the apply
        raise NotAsDesired("apply.backup-list", job=job.job, cluster=self._pve.name)

    def _read(self, job: DesiredBackup) -> BackupJob | None:
        return _named(self._pve.backup_jobs(), job)

    def _put(self, job: DesiredBackup, live: BackupJob | None, vmids: frozenset[int]) -> None:
        if live is None:
            self._pve.create_backup_job(job.job, vmids, backup_job_config(job))
        elif vmids:
            surplus = [key for key, _, wish in backup_job_changes(live, job) if not wish]
            self._pve.update_backup_job(job.job, vmids, backup_job_config(job), surplus)
        else:
            self._pve.delete_backup_job(job.job)


def _named(jobs: Iterable[BackupJob], job: DesiredBackup) -> BackupJob | None:
    return next((one for one in jobs if one.id == job.job), None)


def _as_desired(live: BackupJob, job: DesiredBackup) -> bool:
    """Enabled, at the class's hour, to the class's storage, for as long as it promises."""
    return not backup_job_changes(live, job)
