"""`BackupServer`: one Proxmox Backup Server as typed calls. It reads, and changes nothing."""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from cloudpemda.clock import Clock
from cloudpemda.cluster import Backup, ServerJob
from cloudpemda.proxmox import nouns
from cloudpemda.proxmox.rows import Row, row, rows
from cloudpemda.proxmox.transport import Transport, Trust
from cloudpemda.units import Instant, MiB, instant


def connect_backup_server(
    name: str, endpoint: str, token_id: str, secret: str, tls: Trust, clock: Clock
) -> "BackupServer":
    """The client of one backup server; the first call is the first connection.

    Raises UsageError for an endpoint that is not HTTPS, InvalidInput where the CA file is not
    there.
    """
    return BackupServer(Transport(name, (endpoint,), token_id, secret, tls, clock, "PBS"))


class BackupServer:
    """Safe for many threads; every method may raise PveError. Errors name it as `cluster`.

    What its token may not see is left out of the lists of jobs, and nothing is said of it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"BackupServer({self.name})"

    @property
    def name(self) -> str:
        return self._transport.cluster

    @property
    def endpoint(self) -> str:
        return self._transport.endpoints[0]

    def version(self) -> str:
        """E.g. `4.1`; asked once, without retries."""
        answer = self._transport.get_from(self.endpoint, "/version")
        return row("/version", answer, self._transport.bad_answer).text("version")

    def time(self) -> Instant:
        """Its clock (UTC); needs Sys.Audit on /system/time."""
        where = "/nodes/localhost/time"
        answer = self._transport.get(where)
        return instant(row(where, answer, self._transport.bad_answer).number("time"))

    def space(self, datastore: str) -> tuple[MiB, MiB]:
        """Total and used."""
        where = "/admin/datastore/{store}/status"
        answer = self._transport.get(where, store=datastore)
        found = row(where, answer, self._transport.bad_answer)
        return nouns.mib_down(found.number("total")), nouns.mib_up(found.number("used"))

    def backups(self, datastore: str, namespace: str) -> Mapping[int, tuple[Backup, ...]]:
        """What a namespace holds of VMs, by VMID, newest first: one request for all of them.

        A snapshot that is still on its way is left out.
        """
        query = {"ns": namespace} if namespace else {}
        found: dict[int, list[Backup]] = defaultdict(list)
        for one in self._rows("/admin/datastore/{store}/snapshots", query, store=datastore):
            snapshot = nouns.backup_snapshot(one, self.name)
            if snapshot is not None:
                found[snapshot.vmid].append(snapshot)
        return MappingProxyType(
            {
                vmid: tuple(sorted(of_one, key=lambda one: one.taken_at, reverse=True))
                for vmid, of_one in found.items()
            }
        )

    def sync_jobs(self, datastore: str) -> tuple[ServerJob, ...]:
        """The jobs that pull into a datastore, as far as the token may see them."""
        return tuple(map(nouns.server_job, self._rows("/admin/sync", {"store": datastore})))

    def verify_jobs(self, datastore: str) -> tuple[ServerJob, ...]:
        return tuple(map(nouns.server_job, self._rows("/admin/verify", {"store": datastore})))

    def _rows(self, template: str, query: Mapping[str, str], **parts: str) -> list[Row]:
        answer = self._transport.get(template, query, **parts)
        return rows(template, answer, self._transport.bad_answer)
