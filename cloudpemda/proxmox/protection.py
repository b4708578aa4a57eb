"""The calls on what protects guests: replication and backup jobs, and what PVE says of both."""

from collections.abc import Collection, Iterable, Mapping

from cloudpemda.cluster import BackupJob, ReplicationJob, ReplicationRun
from cloudpemda.proxmox import picture
from cloudpemda.proxmox.errors import NotFound, WrongParameter
from cloudpemda.proxmox.guests import GuestCalls, Param
from cloudpemda.proxmox.guests import form_of as _form
from cloudpemda.units import Instant, instant


class ProtectionCalls(GuestCalls):
    """The jobs of one cluster."""

    # -- replication ---------------------------------------------------------------------------
    def replication_jobs(self) -> tuple[ReplicationJob, ...]:
        return picture.read_replication_jobs(self._transport)

    def create_replication(self, job: str, target: str, schedule: str) -> None:
        """Replicate a VM's disks to another node; `job` is `VMID-N`. Raises Exists."""
        form = {"id": job, "type": "local", "target": target, "schedule": schedule}
        self._transport.write("POST", "/cluster/replication", form)

    def update_replication(self, job: str, schedule: str) -> None:
        """Enable a job and give it a schedule. Raises NotFound."""
        form = {"schedule": schedule, "disable": "0"}
        self._transport.write("PUT", "/cluster/replication/{id}", form, id=job)

    def delete_replication(self, job: str, *, force: bool = False) -> None:
        """Mark a job for removal: it goes, with its target volumes, after a run on the source.

        `force` drops the job at once and leaves the volumes on the target.
        """
        self._transport.delete("/cluster/replication/{id}", {"force": "1"} if force else {}, id=job)

    def replication_runs(self, node: str) -> tuple[ReplicationRun, ...]:
        """What the jobs whose source is this node have done last."""
        return picture.read_runs(self._transport, node)

    def schedule_replication(self, node: str, job: str) -> None:
        """Have a job's next run at once. The answer says nothing of whether it will run."""
        self._transport.write(
            "POST", "/nodes/{node}/replication/{id}/schedule_now", {}, node=node, id=job
        )

    # -- backup --------------------------------------------------------------------------------
    def backup_jobs(self) -> tuple[BackupJob, ...]:
        return picture.read_backup_jobs(self._transport)

    def create_backup_job(
        self, job: str, vmids: Collection[int], config: Mapping[str, Param]
    ) -> None:
        """Create a job for these VMs. Raises Exists. An unknown storage is taken silently."""
        form = _form(config) | {"id": job, "vmid": numbers(vmids)}
        self._transport.write("POST", "/cluster/backup", form)

    def update_backup_job(
        self,
        job: str,
        vmids: Collection[int],
        config: Mapping[str, Param],
        delete: Collection[str] = (),
    ) -> None:
        """Replace the list of VMs and the given settings, take the settings `delete` away.

        PVE has no digest here: read it back.
        """
        form = _form(config) | {"vmid": numbers(vmids)}
        if delete:
            form["delete"] = ",".join(sorted(delete))
        self._transport.write("PUT", "/cluster/backup/{id}", form, id=job)

    def delete_backup_job(self, job: str) -> None:
        """Raises NotFound if there is none."""
        try:
            self._transport.delete("/cluster/backup/{id}", id=job)
        except WrongParameter as error:
            raise not_found(error, "id") from None

    def backup_tasks(self, node: str, since: Instant) -> tuple[tuple[Instant, Instant], ...]:
        """Begin and end of the backup tasks that this node has done well since then."""
        query = {"typefilter": "vzdump", "since": str(int(since.timestamp())), "limit": "500"}
        found = picture.read_rows(self._transport, "/nodes/{node}/tasks", query, node=node)
        ended = (one for one in found if "endtime" in one and one.text("status", "") == "OK")
        return tuple(
            (instant(one.number("starttime")), instant(one.number("endtime"))) for one in ended
        )

    def not_backed_up(self) -> frozenset[int]:
        """The guests that PVE finds in no backup job, as far as the token sees them."""
        found = picture.read_rows(self._transport, "/cluster/backup-info/not-backed-up")
        return frozenset(one.integer("vmid") for one in found)


def numbers(vmids: Iterable[int]) -> str:
    """A list of VMIDs. Raises ValueError for none: PVE would read it as something else."""
    text = ",".join(map(str, sorted(set(vmids))))
    if not text:
        raise ValueError("an empty list of VMIDs")
    return text


def not_found(error: WrongParameter, parameter: str) -> Exception:
    """PVE says `no such job` and `no such task` of the parameter that names it."""
    if "no such" in error.errors.get(parameter, "").lower():
        return NotFound("pve.not-found", **error.values)
    return error
