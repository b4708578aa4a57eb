"""Doctor's visit to one backup server: whether it holds, gets and verifies what the site says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cloudpemda.clock import Clock
from cloudpemda.cluster import ServerJob
from cloudpemda.errors import ExitCode
from cloudpemda.proxmox import AuthFailed, BackupServer, PermissionDenied, PveError
from cloudpemda.site import Site
from cloudpemda.units import show_size
from cloudpemda.usecases.away import skew

FULL_PERCENT = 90  # of a datastore, from which on the next nights' backups may not fit
_SKEW_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was looked at."""

    level: Literal["ok", "warn", "fail"]
    code: str
    values: dict[str, object]
    exit_code: ExitCode = ExitCode.FINDINGS  # what it means where it failed


def visit(site: Site, name: str, server: BackupServer, clock: Clock) -> Iterator[Seen]:
    """What a server answers, in the order in which it was asked. Raises nothing of it."""
    settings = site.info.backup_servers[name]
    try:
        version = server.version()
    except PveError as error:
        yield _refused("doctor.server-down", error, endpoint=server.endpoint)
        return
    values: dict[str, object] = {"endpoint": server.endpoint, "version": version}
    yield Seen("ok", "doctor.server", values)
    yield _clock(name, server, clock)
    try:
        total, used = server.space(settings.datastore)
        held = server.backups(settings.datastore, settings.namespace)
    except PveError as error:
        yield _refused("doctor.datastore-unread", error, datastore=settings.datastore)
        return
    percent = 100 * used // total if total else 100
    values = {
        "datastore": settings.datastore,
        "namespace": settings.namespace or "/",
        "vms": len(held),
        "free": show_size(total - used),
        "percent": percent,
    }
    full = percent >= FULL_PERCENT
    yield Seen("warn" if full else "ok", f"doctor.datastore{'-full' * full}", values)
    try:
        yield from _jobs(site, name, server)
    except PveError as error:
        yield _refused("doctor.jobs-unread", error, datastore=settings.datastore)


def commands(site: Site, name: str) -> tuple[str, ...]:
    """What root may run on the server, so that the token has the least that it needs."""
    settings = site.info.backup_servers[name]
    user, _, token = settings.token.id.partition("!")
    grants = (
        (f"/datastore/{settings.datastore}", "DatastoreAudit"),
        ("/remote", "RemoteAudit"),
        ("/system/time", "Audit"),
    )
    return (
        f"proxmox-backup-manager user create '{user}'  # if it is not there",
        f"proxmox-backup-manager user generate-token '{user}' '{token}'  # if it is not there",
        *(
            f"proxmox-backup-manager acl update {path} {role} --auth-id '{who}'"
            for path, role in grants
            for who in (user, settings.token.id)
        ),
    )


def _refused(code: str, error: PveError, **values: object) -> Seen:
    denied = isinstance(error, AuthFailed | PermissionDenied)
    told = {"reason": error.code, "text": error.values.get("text", ""), **values}
    return Seen("fail", code, told, ExitCode.FINDINGS if denied else ExitCode.UNREACHABLE)


def _clock(name: str, server: BackupServer, clock: Clock) -> Seen:
    before = clock.now()
    try:
        seconds = skew(before, server.time(), clock)
    except PveError as error:
        text = error.values.get("text", "")
        return Seen("warn", "doctor.clock-unread", {"node": name, "text": text})
    off = abs(seconds) > _SKEW_SECONDS
    values: dict[str, object] = {"node": name, "seconds": seconds}
    return Seen("fail" if off else "ok", f"doctor.clock{'-skew' * off}", values)


def _jobs(site: Site, name: str, server: BackupServer) -> Iterator[Seen]:
    """Its verification, and what it pulls of the servers that are synced to it."""
    settings, servers = site.info.backup_servers[name], site.info.backup_servers
    of_ours = [
        job
        for job in server.verify_jobs(settings.datastore)
        if _covers(job.namespace, settings.namespace)
    ]
    yield from _best(of_ours, "verify", {"datastore": settings.datastore})
    sources = [one for one, it in servers.items() if it.synced_to == name]
    pulling = server.sync_jobs(settings.datastore) if sources else ()
    for source in sources:
        jobs = [
            job
            for job in pulling
            if job.remote_store == servers[source].datastore
            and _covers(job.namespace, settings.namespace)
        ]
        yield from _best(jobs, "sync", {"source": source, "datastore": settings.datastore})


def _covers(above: str, namespace: str) -> bool:
    return f"{namespace}/".startswith(f"{above}/") if above else True


def _best(jobs: list[ServerJob], kind: str, values: dict[str, object]) -> Iterator[Seen]:
    """One job that runs by itself is enough; how the last run of it ended."""
    scheduled = [job for job in jobs if job.schedule]
    if not scheduled:
        yield Seen("warn" if kind == "verify" else "fail", f"doctor.no-{kind}", values)
        return
    good = [job for job in scheduled if job.state in ("", "OK")]
    job = (good or scheduled)[0]
    told = {**values, "job": job.id, "schedule": job.schedule, "text": job.state}
    yield Seen("ok" if good else "warn", f"doctor.{kind}{'' if good else '-failed'}", told)
