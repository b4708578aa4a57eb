"""Whether a site's clusters are as the site says: looks at everything, changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cloudpemda.clock import Clock
from cloudpemda.cluster import ClusterState, NodeStatus, Storage
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, InvalidInput, worst
from cloudpemda.ledger import steps_back
from cloudpemda.proxmox import AuthFailed, BackupServer, Pve, PveError, rights
from cloudpemda.rules.manning import gaps_of
from cloudpemda.site import Site
from cloudpemda.site.models import ClusterSettings, Image
from cloudpemda.units import Instant, show_local
from cloudpemda.usecases.doctor_server import commands as server_commands
from cloudpemda.usecases.doctor_server import visit
from cloudpemda.usecases.site_key import key_faults

SKEW_SECONDS = 5  # beyond it corosync, PBS tickets and the age of backups cannot be trusted
OLDEST = (8, 4)


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `code` and `values` name its text in `messages`."""

    level: Level
    cluster: str | None  # or the backup server; None: of the site's own files
    code: str
    values: Mapping[str, object]
    exit_code: ExitCode  # what it means for the process: DONE unless it failed

    @property
    def fault(self) -> Fault:
        return Fault(self.code, self.values)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings in the order in which they were looked at, and what root may run."""

    findings: tuple[Finding, ...]
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Cluster or backup server → commands that grant what is missing; those with everything are
    not in."""

    @property
    def exit_code(self) -> ExitCode:
        """DONE, FINDINGS, or UNREACHABLE where a cluster could not be looked at."""
        return worst(found.exit_code for found in self.findings)


def diagnose_files(site: Site, now: Instant) -> Report:
    """Look at the site's files alone: whether its policy can be followed by its people, whether
    anybody could say what the loss of the site would leave, and whether its secrets are there and
    nobody else's to read."""
    return Report((*_policy(site, now), *_secrets(site)))


def diagnose(
    site: Site,
    connect: Callable[[str], Pve],
    connect_server: Callable[[str], BackupServer],
    clock: Clock,
    newest_deed: Instant | None = None,
) -> Report:
    """Look at the site's files, at this machine's clock beside the ledger's newest deed, at every
    cluster and every backup server. What one of them does not answer is a finding too."""
    now = clock.now()
    findings: list[Finding] = list(_policy(site, now))
    if newest_deed is not None:
        findings.append(_order(site, now, newest_deed))
    commands: dict[str, tuple[str, ...]] = {}
    for name in site.info.clusters:
        at = _Visit(site, name, clock)
        try:
            at.look(connect(name))
        except CloudpemdaError as error:
            at.failed(error)
        findings += at.findings
        if at.commands:
            commands[name] = at.commands
    for name in site.info.backup_servers:
        found, granting = _server(site, name, connect_server, clock)
        findings += found
        commands |= granting
    return Report(tuple(findings), MappingProxyType(commands))


def _policy(site: Site, now: Instant) -> Iterator[Finding]:
    yield from _stages(site, now)
    yield from _open_losses(site)
    inside = any(one.endpoints != "lab" for one in site.info.clusters.values())
    for fault in key_faults(site) if inside else ():  # a lab's VMs have none
        yield _of_file(None, fault, fault.code == "configure.key-absent")


def _secrets(site: Site) -> Iterator[Finding]:
    """The tokens' files. One that is not there yet hinders nobody from writing the rest."""
    clusters, servers = site.info.clusters.items(), site.info.backup_servers.items()
    tokens = [(name, one.token) for name, one in clusters if one.endpoints != "lab"]
    tokens += [(name, one.token) for name, one in servers if one.endpoint != "lab"]
    for name, token in tokens:
        try:
            site.secret(token.secret)
        except InvalidInput as error:
            for fault in error.faults:
                yield _of_file(name, fault, fault.code == "document.not-found")


def _of_file(name: str | None, fault: Fault, mild: bool) -> Finding:
    values = MappingProxyType({**fault.values, "file": fault.file or "-"})
    if mild:
        return Finding(Level.WARN, name, fault.code, values, ExitCode.DONE)
    return Finding(Level.FAIL, name, fault.code, values, ExitCode.INVALID)


def _open_losses(site: Site) -> Iterator[Finding]:
    """Classes that promise something for the loss of the site, and no file says what is then left:
    their backups count, wherever they lie."""
    classes = site.catalogue.service_classes
    promised = [name for name, one in classes.items() if one.rpo.site and one.drc is None]
    for name, cluster in site.info.clusters.items():
        if cluster.role == "production" and site.info.recovery_server_of(name) is None and promised:
            values = MappingProxyType({"cluster": name, "names": ", ".join(promised)})
            yield Finding(Level.WARN, name, "doctor.site-loss-open", values, ExitCode.DONE)


def _order(site: Site, now: Instant, newest: Instant) -> Finding:
    """Whether the clock was set back: then no deed is done."""
    if not steps_back(newest, now):
        return Finding(Level.OK, None, "doctor.clock-order", MappingProxyType({}), ExitCode.DONE)
    zone = site.zone
    told = {"now": show_local(now, zone), "newest": show_local(newest, zone)}
    values = MappingProxyType(told)
    return Finding(Level.FAIL, None, "doctor.clock-back", values, ExitCode.FINDINGS)


def _server(
    site: Site, name: str, connect: Callable[[str], BackupServer], clock: Clock
) -> tuple[list[Finding], Mapping[str, tuple[str, ...]]]:
    """What a backup server showed, and what root may run there."""
    findings: list[Finding] = []
    denied = False
    try:
        for seen in visit(site, name, connect(name), clock):
            level = Level(seen.level)
            means = seen.exit_code if level is Level.FAIL else ExitCode.DONE
            values = MappingProxyType({"cluster": name, **seen.values})
            findings.append(Finding(level, name, seen.code, values, means))
            denied |= level is Level.FAIL and "reason" in seen.values and means is ExitCode.FINDINGS
    except CloudpemdaError as error:  # its secret or CA file, or a lab that is not there
        denied = True
        for fault in error.faults:
            where = {} if fault.file is None else {"file": fault.file}
            values = MappingProxyType({"cluster": name, **fault.values, **where})
            findings.append(Finding(Level.FAIL, name, fault.code, values, error.exit_code))
    return findings, {name: server_commands(site, name)} if denied else {}


def _stages(site: Site, now: Instant) -> Iterator[Finding]:
    gaps = gaps_of(site, now)
    if not gaps:
        yield Finding(Level.OK, None, "doctor.stages", MappingProxyType({}), ExitCode.DONE)
    for gap in gaps:
        values = {
            "rule": gap.rule,
            "stage": gap.number,
            "approval": "|".join(gap.stage.who),
            "of": gap.stage.of,
            "opds": ", ".join(gap.opds),
        }
        code = "doctor.quota-unfilled" if gap.kind == "quota" else "doctor.stage-unfilled"
        yield Finding(Level.WARN, None, code, MappingProxyType(values), ExitCode.DONE)


class _Visit:
    """Doctor's visit to one cluster."""

    def __init__(self, site: Site, name: str, clock: Clock) -> None:
        self._site = site
        self._name = name
        self._clock = clock
        self._settings: ClusterSettings = site.info.clusters[name]
        self.findings: list[Finding] = []
        self.commands: tuple[str, ...] = ()

    def look(self, pve: Pve) -> None:
        if not self._endpoints(pve):
            return
        major = self._version(pve.version())
        if not self._rights(pve, major):
            return
        state = pve.snapshot()
        self._cluster(state)
        online = [node.name for node in state.nodes.values() if node.status is NodeStatus.ONLINE]
        self._clocks(pve, online)
        self._storages(state, online)
        self._backup(state, online)
        self._images(state)
        self._bridges(pve, online)
        self._firewall(pve, online)

    def failed(self, error: CloudpemdaError) -> None:
        """The rest of the cluster could not be looked at."""
        for fault in error.faults:
            where = {} if fault.file is None else {"file": fault.file}
            self._note(Level.FAIL, fault.code, error.exit_code, **{**fault.values, **where})
            if fault.file == str(self._site.path(self._settings.token.secret)):
                self.commands = rights.setup_commands(self._settings.token.id)

    def _note(
        self, level: Level, code: str, exit_code: ExitCode = ExitCode.FINDINGS, **values: object
    ) -> None:
        shown = MappingProxyType({"cluster": self._name, **values})
        means = exit_code if level is Level.FAIL else ExitCode.DONE
        self.findings.append(Finding(level, self._name, code, shown, means))

    def _endpoints(self, pve: Pve) -> bool:
        """Each endpoint by itself: failover would hide a dead one. Whether any answers."""
        answered = False
        down: list[tuple[str, PveError]] = []
        for endpoint in pve.endpoints:
            try:
                version = pve.version_at(endpoint)
            except PveError as error:
                down.append((endpoint, error))
            else:
                answered = True
                self._note(Level.OK, "doctor.endpoint", endpoint=endpoint, version=version)
        level = Level.WARN if answered else Level.FAIL
        for endpoint, why in down:
            self._note(
                level,
                "doctor.endpoint-down",
                ExitCode.UNREACHABLE,
                endpoint=endpoint,
                reason=why.code,
                text=why.values.get("text", ""),
            )
        if any(isinstance(why, AuthFailed) for _, why in down):
            self.commands = rights.setup_commands(self._settings.token.id)
        return answered

    def _version(self, version: str) -> int:
        parts = [int(part) if part.isdigit() else 0 for part in (version + ".0").split(".")]
        known = (parts[0], parts[1]) >= OLDEST and parts[0] <= rights.NEWEST
        if known:
            self._note(Level.OK, "doctor.version", version=version)
        else:
            self._note(Level.FAIL, "doctor.version-unsupported", version=version)
        return parts[0]

    def _rights(self, pve: Pve, major: int) -> bool:
        """Note what the token lacks. Whether it may look at the cluster at all."""
        settings = self._settings
        storages = {*settings.storages.values(), *self._image_storages()}
        vnets = any(one.vnet is not None for one in self._site.info.networks.values())
        wanted = rights.needed(major, storages, settings.backup, vnets=vnets)
        users = self._site.info.pve_users
        of_users = rights.needed_for_users(users.realm) if users.users else {}
        held = {path: pve.permissions(path) for path in {*wanted, *of_users}}
        missing = _lacking(wanted, held)
        lacking = _lacking(of_users, held)
        if not missing and not lacking:
            self._note(Level.OK, "doctor.rights", token=settings.token.id)
            return True
        for path, privileges in (*missing.items(), *lacking.items()):
            self._note(
                Level.FAIL,
                "doctor.rights-missing",
                token=settings.token.id,
                path=path,
                privileges=", ".join(sorted(privileges)),
            )
        if missing:
            paths = rights.paths_to_grant(missing, held["/"])
            self.commands = rights.grant_commands(major, settings.token.id, paths)
        if lacking:
            self.commands = (*self.commands, *rights.user_commands(settings.token.id))
        return "Sys.Audit" in held["/"]

    def _cluster(self, state: ClusterState) -> None:
        if state.quorate:
            self._note(Level.OK, "doctor.quorum")
        else:
            self._note(Level.FAIL, "doctor.no-quorum")
        self._note(Level.OK, "doctor.ha-flavour", flavour=state.ha_flavour.value)
        strange = sorted(set(self._settings.drc_nodes) - set(state.nodes))
        if strange:
            self._note(Level.FAIL, "doctor.drc-nodes", nodes=", ".join(strange))
        for node in state.nodes.values():
            if node.status is not NodeStatus.ONLINE:
                self._note(Level.WARN, "doctor.node-away", node=node.name, status=node.status.value)

    def _clocks(self, pve: Pve, nodes: Iterable[str]) -> None:
        for node in nodes:
            before = self._clock.now()
            try:
                told = pve.node_time(node)
            except PveError as error:
                text = error.values.get("text", "")
                self._note(Level.WARN, "doctor.clock-unread", node=node, text=text)
                continue
            # PVE tells whole seconds, cut off, and the answer took its time: neither is skew.
            middle = before + (self._clock.now() - before) / 2
            skew = round((told - middle).total_seconds() + 0.5)
            level = Level.FAIL if abs(skew) > SKEW_SECONDS else Level.OK
            code = "doctor.clock" if level is Level.OK else "doctor.clock-skew"
            self._note(level, code, node=node, seconds=skew)

    def _storages(self, state: ClusterState, online: list[str]) -> None:
        replicated = any(
            wanted.replication is not None
            for wanted in self._site.catalogue.service_classes.values()
        )
        for storage_class, storage in self._settings.storages.items():
            seen = {node: state.storage_at.get((node, storage)) for node in online}
            problems = list(_problems(seen, "images"))
            for code, nodes in problems:
                self._note(Level.FAIL, code, storage=storage, nodes=", ".join(nodes))
            if problems:
                continue
            self._note(Level.OK, "doctor.storage", storage=storage, storage_class=storage_class)
            if replicated and not all(found and found.replicable for found in seen.values()):
                self._note(
                    Level.WARN,
                    "doctor.storage-not-replicable",
                    storage=storage,
                    storage_class=storage_class,
                )

    def _backup(self, state: ClusterState, online: list[str]) -> None:
        storage = self._settings.backup
        if storage is None:
            if self._settings.role == "production":
                self._note(Level.WARN, "doctor.backup-none")
            return
        seen = {node: state.storage_at.get((node, storage)) for node in online}
        problems = list(_problems(seen, "backup"))
        for code, nodes in problems:
            self._note(Level.FAIL, code, storage=storage, nodes=", ".join(nodes))
        if problems:
            return
        if all(found and found.shared for found in seen.values()):
            self._note(Level.OK, "doctor.backup", storage=storage)
        else:
            self._note(Level.WARN, "doctor.backup-not-shared", storage=storage)

    def _own_images(self) -> Iterator[tuple[str, Image]]:
        for name, clusters in self._site.catalogue.images.items():
            if self._name in clusters:
                yield name, clusters[self._name]

    def _image_storages(self) -> Iterator[str]:
        for _, image in self._own_images():
            if image.import_ is not None:
                yield image.import_.partition(":")[0]

    def _images(self, state: ClusterState) -> None:
        for name, image in self._own_images():
            if image.import_ is not None and image.import_ not in state.images:
                self._note(Level.FAIL, "doctor.image-missing", image=name, volume=image.import_)
                continue
            wrong = [
                (node, vmid)
                for node, vmid in (image.template or {}).items()
                if (vm := state.vms.get(vmid)) is None or not vm.template or vm.node != node
            ]
            for node, vmid in wrong:
                self._note(Level.FAIL, "doctor.template-missing", image=name, node=node, vmid=vmid)
            if not wrong:
                self._note(Level.OK, "doctor.image", image=name)

    def _bridges(self, pve: Pve, online: Iterable[str]) -> None:
        networks = self._site.info.networks
        refuges = {network.recovery for network in networks.values()}
        recovery = self._settings.role == "recovery"
        here = [one for name, one in networks.items() if (name in refuges) == recovery]
        wanted = {network.attach for network in here}
        vnets = {network.vnet for network in here if network.vnet is not None}
        for node in online if wanted else ():
            try:
                missing = wanted - vnets - pve.bridges(node)
                if vnets:
                    missing |= vnets - pve.vnets(node)
            except PveError as error:
                text = error.values.get("text", "")
                self._note(Level.WARN, "doctor.bridges-unread", node=node, text=text)
                continue
            for bridge in sorted(missing):
                self._note(Level.FAIL, "doctor.bridge-missing", node=node, bridge=bridge)
            if not missing:
                shown = ", ".join(sorted(wanted))
                self._note(Level.OK, "doctor.bridges", node=node, bridges=shown)

    def _firewall(self, pve: Pve, online: Iterable[str]) -> None:
        """Without it requests that expose something are refused, which is no fault by itself."""
        managed = self._site.info.firewall.datacenter == "managed"
        if pve.firewall.options().integer("enable", 0) == 0:
            code = "doctor.firewall-managed" if managed else "doctor.firewall-off"
            self._note(Level.OK, code)
            return
        idle = [node for node in online if not pve.firewall.runs_on(node)]
        for node in idle:
            self._note(Level.WARN, "doctor.firewall-idle", node=node)
        if not idle:
            self._note(Level.OK, "doctor.firewall")


def _problems(seen: Mapping[str, Storage | None], content: str) -> Iterator[tuple[str, list[str]]]:
    """Code and nodes for each thing that is wrong with one storage as the nodes see it."""
    absent = [node for node, storage in seen.items() if storage is None]
    inactive = [
        node for node, storage in seen.items() if storage is not None and not storage.active
    ]
    unfit = [
        node
        for node, storage in seen.items()
        if storage is not None and storage.active and content not in storage.content
    ]
    for code, nodes in (
        ("doctor.storage-missing", absent),
        ("doctor.storage-inactive", inactive),
        (f"doctor.storage-no-{content}", unfit),
    ):
        if nodes:
            yield code, nodes


def _lacking(
    wanted: Mapping[str, frozenset[str]], held: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    """Path → what of it the token has not, where anything lacks."""
    return {
        path: privileges - held[path]
        for path, privileges in wanted.items()
        if privileges - held[path]
    }
