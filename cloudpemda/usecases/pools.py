"""Pools: each OPD's is there on every cluster that has VMs of OPDs, says whose it is, and holds its
VMs; and those of its people whom the site names may look at it in PVE's own pages.

Each cluster is read once, with the configurations of those VMs alone that stand in a wrong pool.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cloudpemda.apply.pools import Kept, PoolKeeper
from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, worst
from cloudpemda.ledger import Actor
from cloudpemda.plan.pools import (
    USER_MARK,
    Deed,
    Guest,
    Home,
    PoolStep,
    Territories,
    foreign_users,
    pool_steps,
    strangers,
    unsure,
    user_steps,
)
from cloudpemda.report.standing import Finding
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.workload import cluster_settings

_USERS = frozenset({Deed.USER, Deed.ENABLE, Deed.DISABLE})


@dataclass(frozen=True)
class ClusterPools:
    """One cluster: what is to do or was done, who stands where they should not, what hinders."""

    cluster: str
    steps: tuple[PoolStep, ...]
    strangers: tuple[Guest, ...]
    faults: tuple[Fault, ...] = ()
    done: bool = False
    code: ExitCode = ExitCode.DONE


@dataclass(frozen=True)
class Pools:
    clusters: tuple[ClusterPools, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for one in self.clusters for fault in one.faults)

    @property
    def code(self) -> ExitCode:
        return worst(one.code for one in self.clusters)

    @property
    def steps(self) -> int:
        return sum(len(one.steps) for one in self.clusters)


def preview(desk: Desk) -> Pools:
    """What `sync` would do. Changes nothing. A cluster that cannot be read hides no other.

    Raises Refused by role.
    """
    desk.act("operator", "reviewer", "approver", "auditor")
    return Pools(tuple(_looked(desk, cluster)[0] for cluster in _clusters(desk)))


def sync(desk: Desk, halted: Callable[[], bool]) -> Pools:
    """Do it, and read back that it was done. Twice changes nothing.

    For operators. Raises Refused by role, `pause.on`, and after a restore that was not verified.
    """
    actor = desk.act("operator")
    require_running(desk)
    desk.ledger.found.require_reconciled()
    halted = halting(desk, halted)
    return Pools(tuple(_synced(desk, actor, cluster, halted) for cluster in _clusters(desk)))


def users_left(desk: Desk) -> Iterator[Finding]:
    """Users that we made, that may log in, and that the site names no more: for the night. Where
    none was ever made nobody is asked; what cannot be read is told by others."""
    if not desk.ledger.audit.log(action=f"user.{Deed.USER}", limit=1):
        return
    wanted = _users(desk)
    for cluster in _clusters(desk):
        try:
            users = desk.cluster(cluster).access.users()
        except CloudpemdaError:
            continue
        for one in users:
            if one.comment == USER_MARK and one.enabled and one.userid not in wanted:
                values = {"user": one.userid, "cluster": cluster}
                yield Finding(None, Fault("pools.user-left", MappingProxyType(values)))


def _clusters(desk: Desk) -> tuple[str, ...]:
    """Where OPDs have VMs, or may have them."""
    living = {record.cluster for record in desk.ledger.instances.list()}
    return tuple(sorted({*desk.production, *(living & desk.site.info.clusters.keys())}))


@dataclass(frozen=True)
class _Seen:
    state: ClusterState
    homes: Mapping[int, Home]


def _looked(desk: Desk, cluster: str) -> tuple[ClusterPools, _Seen | None]:
    try:
        cluster_settings(desk, cluster)
        return _look(desk, cluster)
    except CloudpemdaError as error:
        return ClusterPools(cluster, (), (), error.faults, code=error.exit_code), None


def _look(desk: Desk, cluster: str) -> tuple[ClusterPools, _Seen]:
    territories = _territories(desk)
    homes = _homes(desk, cluster)
    pve = desk.cluster(cluster)

    def misplaced(vm: Vm) -> bool:
        return vm.vmid in homes and vm.pool != homes[vm.vmid].pool

    state = pve.snapshot(also=misplaced, images=False)
    steps = list(pool_steps(territories, homes, state, pve.access.pools()))
    wanted = _users(desk)
    users = pve.access.users()
    faults = [*unsure(homes, state), *foreign_users(wanted, users, cluster)]
    if wanted or any(one.comment == USER_MARK for one in users):
        steps += user_steps(wanted, territories, users, pve.access.acl())
    unread = any(fault.code == "pools.unread" for fault in faults)
    code = ExitCode.FINDINGS if faults else ExitCode.DONE
    shown = ClusterPools(
        cluster,
        tuple(steps),
        strangers(territories, homes, state),
        tuple(faults),
        code=ExitCode.UNREACHABLE if unread else code,
    )
    return shown, _Seen(state, homes)


def _synced(desk: Desk, actor: Actor, cluster: str, halted: Callable[[], bool]) -> ClusterPools:
    before, seen = _looked(desk, cluster)
    if seen is None or not before.steps:
        return replace(before, done=seen is not None)
    keeper = PoolKeeper(
        pve=desk.cluster(cluster),
        homes=seen.homes,
        nodes={vmid: vm.node for vmid, vm in seen.state.vms.items()},
        halted=halted,
    )
    kept = keeper.run(before.steps)
    _say(desk, actor, cluster, kept)
    errors = [one.error for one in kept if one.error is not None]
    after, _ = _looked(desk, cluster)
    faults = [*after.faults, *(fault for error in errors for fault in error.faults)]
    codes = [after.code, *(error.exit_code for error in errors)]
    for step in after.steps:
        values = {"cluster": cluster, "deed": step.deed.value, "subject": step.subject}
        faults.append(Fault("pools.left", MappingProxyType(values)))
        codes.append(ExitCode.INCOMPLETE)
    return ClusterPools(cluster, before.steps, after.strangers, tuple(faults), True, worst(codes))


def _say(desk: Desk, actor: Actor, cluster: str, kept: Collection[Kept]) -> None:
    """In each OPD's chain what concerns it."""
    done = [one.step for one in kept if one.error is None]
    for step in done:
        vms = {"vmids": ", ".join(map(str, step.vmids))} if step.vmids else {}
        action = "user" if step.deed in _USERS else "pool"
        desk.ledger.audit.note(
            actor,
            f"{action}.{step.deed.value}",
            step.opd,
            step.subject,
            cluster=cluster,
            what=step.what,
            **vms,
        )


def _territories(desk: Desk) -> Territories:
    files = desk.site.opds
    return Territories(
        opds=MappingProxyType({file.opd.pool: opd for opd, file in files.items()}),
        names=MappingProxyType({opd: file.opd.name for opd, file in files.items()}),
    )


def _homes(desk: Desk, cluster: str) -> Mapping[int, Home]:
    """Of instances whose OPD the site has lost, nobody knows where they belong: they stay."""
    opds = desk.site.opds
    return {
        one.vmid: Home(one.key, one.opd, opds[one.opd].opd.pool, one.identity)
        for one in desk.ledger.instances.list(cluster=cluster, copies=True)
        if one.opd in opds
    }


def _users(desk: Desk) -> Mapping[str, Collection[str]]:
    """User of PVE → the pools that they may look at."""
    named = desk.site.info.pve_users
    return {
        f"{login}@{named.realm}": {desk.site.opds[opd].opd.pool for opd in opds}
        for login, opds in named.users.items()
    }
