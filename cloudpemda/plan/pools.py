"""Pools of OPDs and who may look at them, wanted against live: a pure diff like that of VMs.

An OPD's pool is made where it lacks, says whose it is, and has the VMs of the OPD. Text that
somebody else wrote about a pool stays, and so does whoever stands in it uninvited. A user is ours
by the comment that we gave; another one of the same name is left alone, and told.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cloudpemda.cluster import AclEntry, ClusterState, PveUser
from cloudpemda.errors import Fault
from cloudpemda.plan.diff import carries
from cloudpemda.plan.model import Identity, bounded

ROLE = "PVEAuditor"
"""PVE's own on 8 and 9: sees everything that it is given on, changes nothing."""

USER_MARK = "cloudpemda: looks at the pools of its OPDs"
"""The comment of a user that we made."""

_POOL_MARK = "cloudpemda"


class Deed(StrEnum):
    """In the order in which they are done."""

    MAKE = "make"
    COMMENT = "comment"
    MOVE = "move"
    DISABLE = "disable"
    REVOKE = "revoke"
    USER = "user"
    ENABLE = "enable"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class PoolStep:
    """One thing to do. `opd` is whom it concerns, None where that is nobody's alone."""

    deed: Deed
    subject: str  # a pool, or a user
    what: str = ""  # a comment, VMs by name, or a pool
    opd: str | None = None
    vmids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Home:
    """Where a VM of ours belongs."""

    key: str
    opd: str
    pool: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class Guest:
    """Who stands in an OPD's pool and in no ledger."""

    pool: str
    opd: str
    vmid: int
    name: str
    node: str


@dataclass(frozen=True, slots=True)
class Territories:
    """The OPDs' pools: pool → OPD, and how people call it."""

    opds: Mapping[str, str]
    names: Mapping[str, str]


def pool_steps(
    wanted: Territories,
    homes: Mapping[int, Home],
    state: ClusterState,
    comments: Mapping[str, str],
) -> Iterator[PoolStep]:
    """What the pools of one cluster lack. `homes` are by VMID; one whose VM was not read, or is
    somebody else's, is left where it is."""
    for pool, opd in sorted(wanted.opds.items()):
        wish = f"{_POOL_MARK}: {wanted.names[opd]} ({opd})"
        if pool not in comments:
            yield PoolStep(Deed.MAKE, pool, wish, opd)
        elif _is_ours(comments[pool]) and comments[pool] != wish:
            yield PoolStep(Deed.COMMENT, pool, wish, opd)
    moving: dict[str, list[int]] = {}
    for vmid, home in sorted(homes.items()):
        live = state.vms.get(vmid)
        if live is None or live.config is None or live.pool == home.pool:
            continue
        if carries(live.config, home.identity):
            moving.setdefault(home.pool, []).append(vmid)
    for pool, vmids in sorted(moving.items()):
        names = ", ".join(homes[vmid].key for vmid in vmids)
        yield PoolStep(Deed.MOVE, pool, names, wanted.opds.get(pool), tuple(vmids))


def _is_ours(comment: str) -> bool:
    return comment in ("", _POOL_MARK) or comment.startswith(f"{_POOL_MARK}: ")


def unsure(homes: Mapping[int, Home], state: ClusterState) -> Iterator[Fault]:
    """VMs that stand in another pool and were not moved, with the reason."""
    for vmid, home in sorted(homes.items()):
        live = state.vms.get(vmid)
        if live is None or live.pool == home.pool:
            continue
        values = {"vm": home.key, "vmid": vmid, "cluster": state.name, "node": live.node}
        if live.config is None:
            yield Fault("pools.unread", MappingProxyType(values))
        elif not carries(live.config, home.identity):
            yield Fault("pools.not-ours", MappingProxyType(values))


def strangers(
    wanted: Territories, homes: Mapping[int, Home], state: ClusterState
) -> tuple[Guest, ...]:
    """Guests in an OPD's pool that are nobody's; they stay there."""
    return tuple(
        Guest(pool, wanted.opds[pool], vmid, bounded(vm.name), vm.node)
        for vmid, vm in sorted(state.vms.items())
        if (pool := vm.pool or "") in wanted.opds and vmid not in homes and not vm.template
    )


# -- users -----------------------------------------------------------------------------------
def user_steps(
    wanted: Mapping[str, Collection[str]],
    territories: Territories,
    users: Collection[PveUser],
    acl: Collection[AclEntry],
) -> Iterator[PoolStep]:
    """What the users lack, or have too much; `wanted` is user → pools. Of users that we did not
    make nothing is changed, and of ours only what we give: the role on pools of OPDs."""
    known = {one.userid: one for one in users}
    ours = {one.userid for one in users if one.comment == USER_MARK}
    for userid in sorted(ours - wanted.keys()):
        if known[userid].enabled:
            yield PoolStep(Deed.DISABLE, userid)
    has = _given(acl, territories)
    for userid in sorted(ours):
        for pool in sorted(has.get(userid, set()) - set(wanted.get(userid, ()))):
            yield PoolStep(Deed.REVOKE, userid, pool, territories.opds[pool])
    for userid, pools in sorted(wanted.items()):
        if userid not in known:
            yield PoolStep(Deed.USER, userid, USER_MARK)
        elif userid not in ours:
            continue
        elif not known[userid].enabled:
            yield PoolStep(Deed.ENABLE, userid)
        for pool in sorted(set(pools) - has.get(userid, set())):
            yield PoolStep(Deed.GRANT, userid, pool, territories.opds[pool])


def foreign_users(
    wanted: Collection[str], users: Collection[PveUser], cluster: str
) -> Iterator[Fault]:
    """Users of a name that is wanted, whom somebody else has made."""
    for one in users:
        if one.userid in wanted and one.comment != USER_MARK:
            values = {"user": one.userid, "cluster": cluster}
            yield Fault("pools.user-foreign", MappingProxyType(values))


def entry(userid: str, pool: str) -> AclEntry:
    """What a user is given on a pool."""
    return AclEntry(f"/pool/{pool}", userid, ROLE)


def _given(acl: Collection[AclEntry], territories: Territories) -> Mapping[str, set[str]]:
    """User → the pools of OPDs on which they have our role."""
    found: dict[str, set[str]] = {}
    for one in acl:
        pool = one.path.removeprefix("/pool/")
        if one.role == ROLE and one.path != pool and pool in territories.opds:
            found.setdefault(one.userid, set()).add(pool)
    return found
