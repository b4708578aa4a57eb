"""Site directory → live objects: the only place where things are built."""

import json
import logging
import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from cloudpemda.clock import Clock, LabClock, SystemClock, SystemEntropy
from cloudpemda.document.files import read_regular
from cloudpemda.errors import Refused, Unreachable
from cloudpemda.ledger import open_ledger
from cloudpemda.ledger.audit import sealed_at
from cloudpemda.ledger.store import locate
from cloudpemda.messages import harmless
from cloudpemda.proxmox import BackupServer, Pve, Trust, connect, connect_backup_server
from cloudpemda.site import Site, load_site
from cloudpemda.site.models import Tls
from cloudpemda.site.modes import require_own_hands
from cloudpemda.site.scaffold import name_of, write_site
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.draft_site import Origin, draft

_LAB = "var/lab"
_DRAFT_TOKEN = "secrets/dc.token"  # noqa: S105 - the name of a file
_DRAFT_CA = "secrets/pve-root-ca.pem"


class LabEndpoints(TypedDict):
    """What a running lab writes down for its clients."""

    control: dict[str, str]  # url, token
    clusters: dict[str, dict[str, dict[str, str]]]  # cluster → "nodes" → node → URL
    backup_servers: dict[str, dict[str, dict[str, str]]]  # server → "nodes" → server → URL


def open_desk(directory: Path, *, asserted: str | None = None, debug: bool = False) -> Desk:
    """The desk of a site. Raises InvalidInput for a faulty site or one that others can change,
    Unreachable where its clock or ledger cannot be reached, Refused where `asserted` is not
    allowed or the ledger is of a stricter site."""
    configure_log(debug=debug)
    site = load_site(directory)
    require_own_hands(site)
    clock = site_clock(site)
    login, assumed = acting_login(site, asserted)
    person = next((one for one in site.people if one.login == login), None)
    entropy = SystemEntropy()
    return Desk(
        site=site,
        ledger=open_ledger(
            site.info.ledger,
            site.directory,
            clock,
            entropy,
            identity=site.info.site.identity,
            audit_key=site.path(site.info.audit.key) if site.info.audit.key else None,
            keep_heads=site.info.audit.keep_heads,
        ),
        clock=clock,
        entropy=entropy,
        login=login,
        person=person,
        connect=lambda name: open_cluster(site, name, clock),
        connect_backup_server=lambda name: open_backup_server(site, name, clock),
        assumed=assumed,
    )


def checking_moment(site: Site) -> Instant:
    """Now at the site. Checking a document must work without a running lab, whose clock is then
    the machine's."""
    try:
        return site_clock(site).now()
    except Unreachable:
        return SystemClock().now()


def newest_deed(site: Site) -> Instant | None:
    """When the site's ledger was last written to from here, without a look into it; None: never,
    or nobody knows."""
    return sealed_at(locate(site.info.ledger, site.directory).directory)


def site_clock(site: Site) -> Clock:
    """The machine's time, or the lab's."""
    if site.info.site.clock == "system":
        return SystemClock()
    control = _lab_endpoints(site)["control"]
    return LabClock(control["url"], control["token"])


def open_cluster(site: Site, name: str, clock: Clock) -> Pve:
    """The client of one cluster; sends nothing yet. Raises Unreachable `lab.without-cluster` for
    one that the lab which runs has not."""
    settings = site.info.clusters[name]
    endpoints: Sequence[str]
    if settings.endpoints == "lab":
        clusters = _lab_endpoints(site)["clusters"]
        if name not in clusters:
            raise Unreachable("lab.without-cluster", cluster=name, known=", ".join(clusters))
        endpoints = tuple(clusters[name]["nodes"].values())
    else:
        endpoints = settings.endpoints
    secret = site.secret(settings.token.secret)
    return connect(name, endpoints, settings.token.id, secret, _trust(site, settings.tls), clock)


def open_backup_server(site: Site, name: str, clock: Clock) -> BackupServer:
    """The client of one backup server; sends nothing yet. Raises Unreachable
    `lab.without-server` for one that the lab which runs has not."""
    settings = site.info.backup_servers[name]
    endpoint = settings.endpoint
    if endpoint == "lab":
        servers = _lab_endpoints(site).get("backup_servers", {})
        if name not in servers:
            known = ", ".join(servers) or "-"
            raise Unreachable("lab.without-server", server=name, known=known)
        endpoint = servers[name]["nodes"][name]
    secret = site.secret(settings.token.secret)
    trust = _trust(site, settings.tls)
    return connect_backup_server(name, endpoint, settings.token.id, secret, trust, clock)


def _trust(site: Site, tls: Tls) -> Trust:
    return Trust(ca=site.path(tls.ca) if tls.ca else None, fingerprint=tls.fingerprint)


def acting_login(site: Site, asserted: str | None) -> tuple[str, bool]:
    """Who acts, and whether that is an assumption.

    The process's real uid; SUDO_UID is believed only when that uid is 0, and an asserted name only
    where the site says `identity: asserted`. There, when nobody is named, the site's first
    operator is assumed to act: in a lab nobody has an account. Raises Refused `desk.not-asserted`.
    """
    named = asserted or os.environ.get("CLOUDPEMDA_ACTOR")
    if site.info.site.identity != "asserted":
        if asserted:
            raise Refused("desk.not-asserted", login=asserted)
        return process_login(), False
    if named:
        return named, False
    operators = (one.login for one in site.people if any(r.role == "operator" for r in one.roles))
    first = next(operators, None)
    return (process_login(), False) if first is None else (first, True)


def process_login() -> str:
    """The login of the process's real uid; of SUDO_UID where that uid is 0."""
    uid = os.getuid()
    if uid == 0 and os.environ.get("SUDO_UID", "").isdigit():
        uid = int(os.environ["SUDO_UID"])
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def draft_from(
    directory: Path,
    url: str,
    token_id: str,
    token_file: Path,
    ca: Path | None,
    fingerprint: str | None,
) -> tuple[Path, ...]:
    """Draft a site in `directory` from the cluster at `url`; its files, in order.

    The token's secret and the CA are copied into the site. Raises InvalidInput where their files
    cannot be read or others may read the secret, PveError where the cluster cannot be read,
    UsageError where the directory is not empty.
    """
    secret = read_regular(token_file, private=True).decode("ascii", "replace").strip()
    origin = Origin(url, token_id, _DRAFT_TOKEN, _DRAFT_CA if ca else None, fingerprint)
    pve = connect("dc", (url,), token_id, secret, Trust(ca, fingerprint), SystemClock())
    files = draft(pve, origin, name_of(directory), process_login())
    secrets = {_DRAFT_TOKEN: secret + "\n"}
    if ca is not None:
        secrets[_DRAFT_CA] = read_regular(ca).decode("ascii", "replace")
    return write_site(directory, files, secrets)


def lab_ledger(directory: Path) -> Path:
    """The ledger of a lab site, which a reset of the lab may remove.

    Raises Refused `desk.no-lab` for a site whose clusters are not the lab's, and
    `desk.ledger-elsewhere` for a ledger outside of its directory: it may be another site's.
    """
    site = load_site(directory)
    if any(settings.endpoints != "lab" for settings in site.info.clusters.values()):
        raise Refused("desk.no-lab", directory=str(directory))
    place = locate(site.info.ledger, site.directory)
    if place.file is None or not place.file.resolve().is_relative_to(site.directory.resolve()):
        raise Refused("desk.ledger-elsewhere", file=place.name, directory=str(directory))
    return place.file


def forget_ledger(file: Path) -> None:
    """Remove a ledger: it describes VMs that the reset lab no longer has."""
    for path in (file, *file.parent.glob(file.name + "-*"), file.with_name("audit.head")):
        path.unlink(missing_ok=True)
    shutil.rmtree(file.with_name("audit.heads"), ignore_errors=True)


def configure_log(*, debug: bool) -> None:
    """Our own log on stderr: warnings, or with `--debug` every step and request.

    Libraries below stay silent: some of them log form data, secrets included.
    """
    log = logging.getLogger("cloudpemda")
    log.setLevel(logging.DEBUG if debug else logging.WARNING)
    log.propagate = False
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s %(message)s"))
        log.addHandler(handler)


class _Harmless(logging.Formatter):
    """Log lines repeat what servers said, and end on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record), keep="\n")


def _lab_endpoints(site: Site) -> LabEndpoints:
    """What the running lab says of itself. Raises Unreachable `lab.not-running`."""
    file = site.path(f"{_LAB}/endpoints.json")
    try:
        found: LabEndpoints = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Unreachable("lab.not-running", directory=str(file.parent)) from error
    return found
