"""What a site's files say of its recovery centre, laid side by side: backup servers, DRC methods.

pvesr, which replicates disks, knows only the nodes of one cluster. What lies at the recovery centre
comes there in one of two ways, and a class that promises one must be able to have it.
"""

from collections.abc import Iterator

from cloudpemda.document import DocumentPath, Source
from cloudpemda.errors import Fault
from cloudpemda.site.models import Catalogue, ServiceClass, SiteFile


def of_servers(source: Source, site: SiteFile) -> Iterator[Fault]:
    """The backup servers, and the clusters' way to them."""
    servers = site.backup_servers
    known = ", ".join(sorted(servers)) or "-"
    for name, server in servers.items():
        here: DocumentPath = ("backupServers", name)
        place: DocumentPath
        if server.tls.ca is not None and server.tls.fingerprint is not None:
            yield source.fault("site.tls", (*here, "tls"))
        if server.synced_to == name:
            yield source.fault("site.synced-to-itself", (*here, "syncedTo"), name=name)
        elif server.synced_to is not None and server.synced_to not in servers:
            place = (*here, "syncedTo")
            other = server.synced_to
            yield source.fault("site.unknown-backup-server", place, name=other, known=known)
    for name, cluster in site.clusters.items():
        named = cluster.backup_server
        place = ("clusters", name, "backupServer")
        if named is not None and named not in servers:
            yield source.fault("site.unknown-backup-server", place, name=named, known=known)
        elif named is not None and cluster.backup is None:
            yield source.fault("site.backup-server-idle", place, name=named, cluster=name)


def of_classes(source: Source, catalogue: Catalogue, site: SiteFile) -> Iterator[Fault]:
    """Whether each class can have the copies at the recovery centre that it promises."""
    for name, service_class in catalogue.service_classes.items():
        if service_class.drc is not None:
            place = ("serviceClasses", name, "drc", "method")
            for code in _lacks(service_class, site):
                yield source.fault(code, place, name=name)


def _lacks(service_class: ServiceClass, site: SiteFile) -> Iterator[str]:
    production = [one for one, it in site.clusters.items() if it.role == "production"]
    if service_class.drc is not None and service_class.drc.method == "stretched":
        if service_class.replication is None:
            yield "site.drc-no-replication"
        if not any(site.clusters[one].drc_nodes for one in production):
            yield "site.drc-no-nodes"
        return
    if service_class.backup is None:
        yield "site.drc-no-backup"
    backed_up = [one for one in production if site.clusters[one].backup is not None]
    misnamed = any(  # which is told where it stands
        site.clusters[one].backup_server not in {None, *site.backup_servers} for one in backed_up
    )
    if (
        backed_up
        and not misnamed
        and all(site.recovery_server_of(one) is None for one in backed_up)
    ):
        yield "site.drc-no-sync"
