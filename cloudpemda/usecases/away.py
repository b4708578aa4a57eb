"""Away: what lies at the recovery centre's backup servers, each read once for all that ask."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from cloudpemda.clock import Clock
from cloudpemda.cluster import Backup, Freshness
from cloudpemda.errors import CloudpemdaError, Fault
from cloudpemda.report.standing import Finding
from cloudpemda.units import Instant, Seconds
from cloudpemda.usecases.desk import Desk

TOLERANCE = Seconds(60)
"""By how much the clocks of site and nodes may disagree before an age is not believed."""

Told = Mapping[int, tuple[Backup, ...]]


@dataclass
class Away:
    """The recovery centre's servers, as far as they were asked."""

    desk: Desk
    _read: dict[str, Told | CloudpemdaError] = field(default_factory=dict)

    def added(self, freshness: Freshness, cluster: str) -> Freshness:
        """With what lies at the recovery centre of a cluster's VMs; a server that does not answer
        stands in `unread`."""
        server = self.desk.site.info.recovery_server_of(cluster)
        if server is None:
            return freshness
        told = self._told(server)
        if isinstance(told, CloudpemdaError):
            return replace(freshness, unread=(*freshness.unread, f"server/{server}"))
        return replace(freshness, away=told)

    def _told(self, server: str) -> Told | CloudpemdaError:
        if server not in self._read:
            settings = self.desk.site.info.backup_servers[server]
            try:
                client = self.desk.backup_server(server)
                self._read[server] = client.backups(settings.datastore, settings.namespace)
            except CloudpemdaError as error:
                self._read[server] = error
        return self._read[server]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Why a server could not be read."""
        failed = [
            (name, told) for name, told in self._read.items() if isinstance(told, CloudpemdaError)
        ]
        return tuple(
            Finding(None, fault)
            for name, error in failed
            for fault in (Fault("survey.server-unread", {"server": name}), *error.faults)
        )


def skews(desk: Desk, nodes: Mapping[str, Collection[str]]) -> tuple[Finding, ...]:
    """The clocks of these nodes, by cluster, and of the site's backup servers that are too far from
    the site's own. One that cannot be read is not told here: its copies are unknown, or `doctor`
    says that the token may not read it."""
    asked = [
        *((f"{cluster}/{node}", cluster, node) for cluster, some in nodes.items() for node in some),
        *((server, None, server) for server in desk.site.info.backup_servers),
    ]

    def one(asked: tuple[str, str | None, str]) -> Finding | None:
        name, cluster, node = asked
        before = desk.clock.now()
        try:
            if cluster is None:
                told = desk.backup_server(node).time()
            else:
                told = desk.cluster(cluster).node_time(node)
        except CloudpemdaError:
            return None
        seconds = skew(before, told, desk.clock)
        if abs(seconds) <= TOLERANCE:
            return None
        return Finding(None, Fault("survey.clock-skew", {"where": name, "seconds": seconds}))

    with ThreadPoolExecutor(4) as readers:
        return tuple(found for found in readers.map(one, asked) if found is not None)


def skew(before: Instant, told: Instant, clock: Clock) -> int:
    """Seconds by which a clock that was asked at `before` is ahead; below zero where behind.

    Servers tell whole seconds, cut off, and the answer took its time: neither is skew.
    """
    middle = before + (clock.now() - before) / 2
    return round((told - middle).total_seconds() + 0.5)
