"""Roles: what requests want set up inside their VMs, what of it awaits, and setting it up.

What was done stands in the ledger, as no cluster shows it. A VM is connected to only when the
cluster has just shown that it is ours, runs, and has the address that we gave it, and that no copy
of it stands elsewhere: behind an address alone may be anybody.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloudpemda.cluster import ClusterState, Vm, VmStatus
from cloudpemda.configure.runner import HostResult, Told
from cloudpemda.configure.vms import RoleRun, VmHost, Way, play_role
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, UsageError, worst
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RestoreOutcome,
    RoleOutcome,
    RoleRecord,
    RoleResult,
)
from cloudpemda.plan.diff import carries
from cloudpemda.report.oddities import is_stray, owned, strangers
from cloudpemda.report.standing import Finding, RoleView
from cloudpemda.request.roles import RoleSpec, digest_of
from cloudpemda.request.spec import VmSpec
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.site_key import private_half, settings
from cloudpemda.usecases.workload import cluster_settings, kind_of, setting, spec_in_force

FIRST_BOOT_ATTEMPTS = 12
"""How often it is tried to reach a VM that `apply` has just built: it takes half a minute to start,
and a try some seconds (`configure.vms.CONNECTS` at most)."""

_WITH_NETWORKS = frozenset({"postgresql"})


@dataclass(frozen=True)
class Wanted:
    """One role of one VM; `last` is how setting it up ended, None where nobody tried."""

    vm: InstanceRecord
    role: RoleSpec
    networks: tuple[str, ...]
    digest: str
    last: RoleRecord | None

    @property
    def standing(self) -> str:
        """`done`, `awaiting`, or how it ended: `failed`, `unreachable`."""
        if self.last is None or self.last.digest != self.digest:
            return "awaiting"
        return self.last.result.value


@dataclass(frozen=True)
class VmOutcome:
    """How one role of one VM came out in this run."""

    vm: str
    role: str
    result: str  # done, failed, unreachable, unfinished
    changed: tuple[str, ...]  # tasks
    failures: tuple[tuple[str, str], ...]  # task, message


@dataclass(frozen=True)
class Configured:
    """What a run did. `faults` say why some were not worked on, or not to their end."""

    outcomes: tuple[VmOutcome, ...]
    new_host_keys: tuple[str, ...]  # VMs whose key was seen for the first time
    faults: tuple[Fault, ...]
    rehearsal: bool
    code: ExitCode


# -- what is wanted ----------------------------------------------------------------------------
def wanted(
    desk: Desk,
    vms: Collection[InstanceRecord],
    requests: Mapping[str, RequestRecord] | None = None,
) -> tuple[Wanted, ...]:
    """Every role of those of these VMs that are active, by VM and role. `requests` are those by
    number that the caller has read already."""
    if requests is None:
        requests = {one.number: one for one in desk.ledger.requests.list()}
    kinds = [
        (vm, kind_of(spec_in_force(desk, requests[vm.number], vm.member), vm.member))
        for vm in vms
        if vm.state is InstanceState.ACTIVE
    ]
    if not any(kind.roles for _, kind in kinds):
        return ()
    known, restored = desk.ledger.vm_roles.by_vm(), _restored(desk)
    found: list[Wanted] = []
    for vm, kind in kinds:
        for role in kind.roles:
            networks = _networks(desk, kind) if role.name in _WITH_NETWORKS else ()
            last = known.get((vm.uid, role.name))
            if last is not None and any(a < last.at <= b for a, b in restored.get(vm.uid, ())):
                last = None  # its disks are older than what was done there
            digest = digest_of(role, networks)
            found.append(Wanted(vm, role, networks, digest, last))
    return tuple(sorted(found, key=lambda one: (one.vm.key, one.role.name)))


def awaiting(desk: Desk, requests: Collection[str]) -> tuple[str, ...]:
    """The VMs of these requests that a role is not set up in, by key."""
    vms = [vm for key in requests for vm in desk.ledger.instances.list(workload=key)]
    return tuple(dict.fromkeys(o.vm.key for o in wanted(desk, vms) if o.standing != "done"))


def roles_of(desk: Desk, key: str) -> tuple[RoleView, ...]:
    """Where the roles of one VM stand; nothing of a VM that is not active."""
    vms = [one for one in desk.ledger.instances.list(opd=key.partition("/")[0]) if one.key == key]
    views = []
    for one in wanted(desk, vms):
        last = None if one.standing == "awaiting" else one.last
        at, person = (None, None) if last is None else (last.at, last.person)
        views.append(RoleView(one.role.name, one.standing, at, person))
    return tuple(views)


def findings(
    desk: Desk, vms: Collection[InstanceRecord], requests: Mapping[str, RequestRecord]
) -> Iterator[Finding]:
    """Of each VM what is not set up in it, and how trying ended."""
    told: dict[tuple[str, str], list[Wanted]] = {}
    for one in wanted(desk, vms, requests):
        if one.standing != "done":
            told.setdefault((one.vm.key, one.standing), []).append(one)
    for (key, standing), several in told.items():
        values = {"vm": key, "roles": ", ".join(one.role.name for one in several)}
        yield Finding(several[0].vm.opd, Fault(f"survey.roles-{standing}", values))


def _restored(desk: Desk) -> Mapping[str, Sequence[tuple[Instant, Instant]]]:
    """By uid, for each restore: how old the disks are that came, and when they did."""
    found: dict[str, list[tuple[Instant, Instant]]] = {}
    for one in desk.ledger.restores.list():
        if one.outcome is RestoreOutcome.RESTORED:
            found.setdefault(one.uid, []).append((one.taken_at, one.begun_at))
    return found


def _networks(desk: Desk, kind: VmSpec) -> tuple[str, ...]:
    known = desk.site.info.networks
    return tuple(sorted(known[nic.network].cidr for nic in kind.networks if nic.network in known))


# -- setting it up -----------------------------------------------------------------------------
def configure(
    desk: Desk,
    keys: Sequence[str],
    tell: Told,
    halted: Callable[[], bool],
    *,
    everything: bool = False,
    rehearsal: bool = False,
    forget_host_key: bool = False,
    patience: int = 1,
) -> Configured:
    """Set up the roles of VMs by key (`dinkes/simrs/db-1`, or `dinkes/simrs` for all of a
    request), or of all active ones; `rehearsal` changes nothing (Ansible's check mode). `patience`
    is how often it is tried to reach each.

    For operators. A VM that is not seen to be ours, or not reached, is told and stops no other.
    Raises UsageError `vm.names`, Refused by role, `ledger.no-instance`, `vm.state`,
    `configure.no-roles`, `configure.no-key`, `configure.no-runner`, `journal.busy`, `pause.on`;
    InvalidInput for the key's file.
    """
    actor = desk.act("operator")
    if bool(keys) == everything:
        raise UsageError("vm.names")
    if not rehearsal or forget_host_key:
        require_running(desk)
    desk.ledger.found.require_reconciled()
    work = wanted(desk, desk.ledger.instances.list() if everything else _named(desk, keys))
    for number in {one.vm.number for one in work}:
        desk.ledger.journal.require_idle(number)
    named = desk.site.path(config) if (config := settings(desk.site).ssh_config) else None
    way = Way(private_half(desk.site), named.absolute() if named else None, patience)
    if forget_host_key:
        for uid in {one.vm.uid for one in work}:
            desk.ledger.vm_roles.forget_host_key(uid, actor)
    run = _Run(desk, actor, way, tell, halting(desk, halted), rehearsal)
    return run.over(work)


def _named(desk: Desk, keys: Sequence[str]) -> list[InstanceRecord]:
    known = desk.ledger.instances.list()
    found: dict[str, InstanceRecord] = {}
    for key in keys:
        meant = [one for one in known if key in (one.key, one.key.rpartition("/")[0])]
        if not meant:
            raise Refused("ledger.no-instance", key=key)
        for one in meant:
            if one.key == key and one.state is not InstanceState.ACTIVE:
                raise Refused("vm.state", vm=key, state=one.state.value)
            found[one.key] = one
        if not wanted(desk, meant):
            raise Refused("configure.no-roles", vm=key)
    return list(found.values())


class _Run:
    """One run over some VMs."""

    def __init__(
        self, desk: Desk, actor: Actor, way: Way, tell: Told, halted: Callable[[], bool],
        rehearsal: bool,
    ) -> None:  # fmt: skip
        self._desk, self._actor, self._way, self._rehearsal = desk, actor, way, rehearsal
        self._tell, self._halted = tell, halted
        self._faults: list[Fault] = []
        self._codes: list[ExitCode] = []
        self._outcomes: list[VmOutcome] = []
        self._noted: dict[str, list[RoleOutcome]] = {}
        self._host_keys: dict[str, str] = {}
        self._known = dict(desk.ledger.vm_roles.host_keys())

    def over(self, work: Sequence[Wanted]) -> Configured:
        sound = self._seen({one.vm.uid: one.vm for one in work})
        left = [one for one in work if one.vm.uid in sound]
        for role in sorted({one.role.name for one in left}):
            mine = [one for one in left if one.role.name == role]
            if self._halted():
                self._fault("configure.left", ExitCode.INCOMPLETE, playbooks=role)
            elif mine:
                silent = self._play(role, mine)
                left = [one for one in left if one.vm.uid not in silent]
        if not self._rehearsal:
            for uid, outcomes in self._noted.items():
                key = self._host_keys.get(uid)
                self._desk.ledger.vm_roles.note(uid, outcomes, key, self._actor)
        names = {one.vm.uid: one.vm.key for one in work}
        return Configured(
            outcomes=tuple(self._outcomes),
            new_host_keys=tuple(sorted(names[uid] for uid in self._host_keys)),
            faults=tuple(self._faults),
            rehearsal=self._rehearsal,
            code=worst(self._codes),
        )

    def _fault(self, code: str, meaning: ExitCode, **values: object) -> None:
        self._faults.append(Fault(code, values))
        self._codes.append(meaning)

    # -- whom we meet ------------------------------------------------------------------------
    def _seen(self, vms: Mapping[str, InstanceRecord]) -> frozenset[str]:
        """The uids of those that may be connected to; the others are told."""
        sound: set[str] = set()
        for cluster in sorted({vm.cluster for vm in vms.values()}):
            own = [vm for vm in vms.values() if vm.cluster == cluster]
            known = self._desk.ledger.instances.list(copies=True)
            stray = partial(is_stray, owned_here=owned(cluster, known))
            try:
                lab = cluster_settings(self._desk, cluster).endpoints == "lab"
                state = self._desk.cluster(cluster).snapshot(
                    {vm.vmid for vm in own}, also=stray, images=False
                )
            except CloudpemdaError as error:
                self._faults.extend(error.faults)
                self._codes.append(error.exit_code)
                continue
            copies = {
                one.fault.values["vm"]: one.fault
                for one in strangers(state, known)
                if one.fault.code == "survey.copy"
            }
            for vm in own:
                if vm.key in copies:
                    self._faults.append(copies[vm.key])
                    self._codes.append(ExitCode.REFUSED)
                elif self._ours(vm, state) and not (lab and self._lab(vm)):
                    sound.add(vm.uid)
        return frozenset(sound)

    def _ours(self, vm: InstanceRecord, state: ClusterState) -> bool:
        """Whether it stands there, is ours, runs, and has the address that we gave it."""
        values = {"vm": vm.key, "vmid": vm.vmid, "cluster": vm.cluster}
        live = state.vms.get(vm.vmid)
        if live is None or live.config is None:
            self._fault("configure.vm-unknown", ExitCode.UNREACHABLE, **values)
        elif not carries(live.config, vm.identity):
            told = {"key": vm.key, "vmid": vm.vmid, "node": live.node}
            self._fault("apply.foreign", ExitCode.REFUSED, **told)
        elif live.status is not VmStatus.RUNNING:
            self._fault("configure.vm-not-running", ExitCode.UNREACHABLE, **values)
        elif not _has_address(vm, live):
            told = {**values, "address": _address(vm) or "-"}
            self._fault("configure.vm-address", ExitCode.REFUSED, **told)
        else:
            return True
        return False

    def _lab(self, vm: InstanceRecord) -> bool:
        """A VM of the lab has nothing inside, and its address may be a real machine's here."""
        self._fault("configure.vm-in-lab", ExitCode.UNREACHABLE, vm=vm.key)
        return True

    # -- one role ----------------------------------------------------------------------------
    def _play(self, role: str, work: Sequence[Wanted]) -> frozenset[str]:
        """Play it; answers with the uids of those that were not reached."""
        hosts = [host for one in work if (host := self._host(one)) is not None]
        if not hosts:
            return frozenset()
        place = self._desk.site.path("var/run").absolute()
        done = play_role(
            role, hosts, self._way, place, self._tell, self._halted, rehearsal=self._rehearsal
        )
        self._known |= done.host_keys
        self._host_keys |= {} if self._rehearsal else done.host_keys
        by_key = {one.vm.key: one for one in work}
        for result in done.hosts:
            self._take(by_key[result.name], result)
        self._tell_run(done)
        return frozenset(by_key[one.name].vm.uid for one in done.hosts if one.unreachable)

    def _host(self, one: Wanted) -> VmHost | None:
        vm = one.vm
        request = next(r for r in self._desk.ledger.requests.list() if r.number == vm.number)
        kind = kind_of(spec_in_force(self._desk, request, vm.member), vm.member)
        try:
            user = setting(self._desk, vm.opd, vm.cluster).image(kind.image).user
        except Refused as error:
            self._faults.extend(error.faults)
            self._codes.append(error.exit_code)
            return None
        return VmHost(
            vm.uid, vm.key, _address(vm) or "", user, one.role.settings, one.networks,
            self._known.get(vm.uid),
        )  # fmt: skip

    def _take(self, one: Wanted, result: HostResult) -> None:
        vm, role = one.vm.key, one.role.name
        ended = RoleResult.DONE if result.ended else None
        if result.unreachable:
            ended = RoleResult.UNREACHABLE
            changed = result.host_key_changed
            code = "configure.vm-host-key" if changed else "configure.vm-unreachable"
            values = {"vm": vm, "address": _address(one.vm), "said": result.said}
            self._fault(code, ExitCode.REFUSED if changed else ExitCode.UNREACHABLE, **values)
        elif result.failed:
            ended = RoleResult.FAILED
            for task, message in result.failures:
                values = {"vm": vm, "role": role, "task": task, "message": message}
                self._fault("configure.vm-failed", ExitCode.INCOMPLETE, **values)
        told = "unfinished" if ended is None else ended.value
        self._outcomes.append(VmOutcome(vm, role, told, result.changed, result.failures))
        if ended is not None:
            outcome = RoleOutcome(role, one.digest, ended, len(result.changed))
            self._noted.setdefault(one.vm.uid, []).append(outcome)

    def _tell_run(self, done: RoleRun) -> None:
        if done.stopped:
            self._fault("configure.vm-stopped", ExitCode.INCOMPLETE, role=done.role)
        elif not done.sound and not any(one.failed or one.unreachable for one in done.hosts):
            values = {"role": done.role, "message": done.said}
            self._fault("configure.vm-not-played", ExitCode.INCOMPLETE, **values)


def _address(vm: InstanceRecord) -> str | None:
    """Where it is reached: at its first network of which we gave it an address."""
    slots = sorted(vm.nics, key=lambda nic: nic.slot)
    return next((nic.address for nic in slots if nic.address), None)


def _has_address(vm: InstanceRecord, live: Vm) -> bool:
    """Whether the VM's own configuration gives it that address."""
    address = _address(vm)
    slot = next((nic.slot for nic in vm.nics if nic.address == address), None)
    said = "" if live.config is None else live.config.raw.get(f"ipconfig{slot}", "")
    parts = (part.partition("=") for part in said.split(","))
    return bool(address) and address in {
        value.partition("/")[0] for key, _, value in parts if key == "ip"
    }
