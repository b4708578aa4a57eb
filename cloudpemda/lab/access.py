"""Who may do what: built-in roles, effective privileges, tickets, tokens, and permission checks.

Rules after PVE's access control: a deeper ACL entry replaces what a user inherited; a user's own
entry outweighs those of the groups; members of a pool get the roles that are granted on the pool;
NoAccess takes all away, the pool's too; a token with privilege separation has the intersection of
its own and its user's privileges. The built-in roles are in `tables/access.json`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from cloudpemda.lab.errors import Refused, denied, found, unauthorised
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.state import Access, Cluster, Token, User

TICKET_LIFE = 2 * 3600
# Which privileges a login answer lists under which heading, by the first part of the path.
HEADINGS = {
    "vms": r"VM\.|Permissions\.Modify",
    "access": r"(User|Group)\.|Permissions\.Modify",
    "storage": r"Datastore\.|Permissions\.Modify",
    "nodes": r"Sys\.|Permissions\.Modify",
    "sdn": r"SDN\.|Permissions\.Modify",
    "mapping": r"Mapping\.|Permissions\.Modify",
    "dc": r"Sys\.Audit|Sys\.Modify|SDN\.",
}
TOP_PATHS = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")
ALLOCATORS = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}


# -- privileges --------------------------------------------------------------------------------


@cache
def builtin_roles(release: str) -> dict[str, frozenset[str]]:
    text = resources.files("cloudpemda.lab.tables").joinpath("access.json").read_text("utf-8")
    return {role: frozenset(names) for role, names in json.loads(text)[release].items()}


def all_privileges(release: str) -> frozenset[str]:
    roles = builtin_roles(release)
    return roles["Administrator"] if release.isdigit() else roles["Admin"]


def role_privileges(cluster: Cluster, role: str) -> Collection[str] | None:
    """What a role grants; None where there is no such role."""
    return builtin_roles(cluster.release).get(role, cluster.access.roles.get(role))


def along(path: str) -> list[str]:
    """The paths that lead to a path, and itself: `/`, `/vms`, `/vms/100`."""
    parts = [part for part in path.split("/") if part]
    return ["/" + "/".join(parts[:depth]) for depth in range(len(parts) + 1)]


def _granted_roles(access: Access, who: str, path: str) -> dict[str, bool]:
    """Roles that ACL entries give, each with whether it propagates."""
    groups = access.users[who].groups if who in access.users else []
    mine = [a for a in access.acl if a.who == who or (a.kind == "group" and a.who in groups)]
    held: dict[str, bool] = {}
    for prefix in along(path) if mine else ():
        here = [a for a in mine if a.path == prefix and (a.propagate or prefix == path)]
        own = [a for a in here if a.kind != "group"]
        held = {a.role: a.propagate for a in own or here} or held
    return {"NoAccess": held["NoAccess"]} if "NoAccess" in held else held


def _granted(cluster: Cluster, who: str, path: str, pools: Sequence[str]) -> dict[str, bool]:
    """What ACL entries give on a path and on the pools of what it names; pools give no further."""
    given = _granted_roles(cluster.access, who, path)
    for pool in pools:
        given = dict.fromkeys(_granted_roles(cluster.access, who, f"/pool/{pool}"), False) | given
    held: dict[str, bool] = {}
    for role, propagates in given.items() if "NoAccess" not in given else ():
        for privilege in role_privileges(cluster, role) or ():
            held[privilege] = held.get(privilege, False) or propagates
    return held


def effective(cluster: Cluster, who: str, path: str) -> dict[str, bool]:
    """A user's or token's privileges on a path, each with whether it propagates."""
    userid, _, tokenid = who.partition("!")
    user = cluster.access.users.get(userid)
    token = user.tokens.get(tokenid) if user else None
    if tokenid and token is None:
        return {}
    pools = pools_of(cluster, path)
    if userid == "root@pam":
        held = dict.fromkeys(all_privileges(cluster.release), True)
    else:
        held = _granted(cluster, userid, path, pools)
    if token is None or not token.privsep:
        return held
    own = _granted(cluster, who, path, pools)
    return {name: passes and held[name] for name, passes in own.items() if name in held}


def pools_of(cluster: Cluster, path: str) -> list[str]:
    pools = cluster.pools.values()
    match path.split("/"):
        case ["", "vms", vmid] if vmid.isdigit():
            return [pool.name for pool in pools if int(vmid) in pool.vms]
        case ["", "storage", name]:
            return [pool.name for pool in pools if name in pool.storages]
    return []


def known_paths(cluster: Cluster) -> list[str]:
    """The top ones, those that ACL entries stand on or below, and the members of pools."""
    paths = {*TOP_PATHS, *(path for entry in cluster.access.acl for path in along(entry.path))}
    for pool in cluster.pools.values():
        paths.update(f"/vms/{vmid}" for vmid in pool.vms)
        paths.update(f"/storage/{name}" for name in pool.storages)
    return sorted(paths)


def capabilities(cluster: Cluster, user: str) -> dict[str, dict[str, int]]:
    """What a login answer says the user can do, by heading."""
    shown: dict[str, dict[str, int]] = {heading: {} for heading in HEADINGS}
    for path in ("/mapping", *known_paths(cluster)):
        top = path.split("/")[1] or "dc"
        for privilege in effective(cluster, user, path):
            for heading in ("vms", "storage") if top == "pool" else (top,):
                if re.match(HEADINGS[heading], privilege):
                    shown[heading][privilege] = 1
    return shown


# -- who is it ---------------------------------------------------------------------------------


def secret_digest(secret: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()


def _signature(access: Access, text: str) -> str:
    return hmac.new(access.key.encode(), text.encode(), hashlib.sha256).hexdigest()


def make_ticket(access: Access, user: str, now: float) -> str:
    head = f"PVE:{user}:{int(now):08X}"
    return f"{head}::{_signature(access, head)}"


def make_csrf(access: Access, user: str, now: float) -> str:
    stamp = f"{int(now):08X}"
    return f"{stamp}:{_signature(access, f'csrf:{stamp}:{user}')}"


def _fresh(stamp: str, now: float) -> bool:
    genuine = re.fullmatch(r"[0-9A-F]{8}", stamp) is not None
    return genuine and -300 < now - int(stamp, 16) < TICKET_LIFE


def ticket_user(access: Access, ticket: str, now: float) -> str | None:
    """The user of a genuine, fresh ticket."""
    read = re.fullmatch(r"(PVE:([^:]+):([0-9A-F]{8}))::(\w+)", ticket)
    if not read or not hmac.compare_digest(read[4], _signature(access, read[1])):
        return None
    return read[2] if _fresh(read[3], now) else None


def usable(access: Access, userid: str, now: float) -> User | None:
    """The user, unless unknown, disabled or expired."""
    user = access.users.get(userid)
    if user is None or not user.enable or (user.expire and user.expire < now):
        return None
    return user


def by_ticket(access: Access, ticket: str, csrf: str | None, method: str, now: float) -> str:
    userid = ticket_user(access, ticket, now)
    if userid is None or usable(access, userid, now) is None:
        raise unauthorised("Authentication failed!")
    if method != "GET":
        stamp, _, signature = (csrf or "").partition(":")
        good = _signature(access, f"csrf:{stamp}:{userid}")
        if not hmac.compare_digest(signature, good) or not _fresh(stamp, now):
            raise unauthorised("Permission denied - invalid csrf token")
    return userid


def by_token(access: Access, header: str, now: float) -> str:
    read = re.fullmatch(r"PVEAPIToken=(([^!=]+)!([^=]+))=(\S+)", header)
    user = usable(access, read[2], now) if read else None
    token = user.tokens.get(read[3]) if read and user else None
    if not read or not token or (token.expire and token.expire < now):
        raise unauthorised("Authentication failed!")
    if not hmac.compare_digest(token.digest, secret_digest(read[4], read[1])):
        raise unauthorised("Authentication failed!")
    return read[1]


def find_user(access: Access, userid: str) -> User:
    return found(access.users.get(userid), f"no such user ('{userid}')")


def find_token(access: Access, userid: str, tokenid: str) -> Token:
    token = find_user(access, userid).tokens.get(tokenid)
    return found(token, f"no such token '{tokenid}' for user '{userid}'")


# -- permission checks --------------------------------------------------------------------------


def require(
    cluster: Cluster, who: str, path: str, wanted: Sequence[str], *, any_of: bool = False
) -> None:
    """Raises 403 unless all of the privileges, or one of them, are held on the path."""
    held = effective(cluster, who, path)
    missing = [privilege for privilege in wanted if privilege not in held]
    if any_of and len(missing) == len(wanted):
        raise denied(f"{path}, {'|'.join(wanted)}")
    if missing and not any_of:
        raise denied(f"{path}, {missing[0]}")


def modifiers(path: str) -> list[str]:
    """What lets somebody change permissions on a path: whoever makes what lies there may too."""
    top, _, name = path.strip("/").partition("/")
    return ["Permissions.Modify", *([ALLOCATORS[top]] if name and top in ALLOCATORS else [])]


@dataclass(frozen=True)
class Check:
    """Evaluates the permission expressions that PVE's API declares; raises when one is false."""

    cluster: Cluster
    user: str
    params: Mapping[str, object]

    def run(self, expression: Sequence[object]) -> None:
        if not expression or self.user == "root@pam":
            return
        test, *rest = expression
        match test:
            case "and":
                for part in rest:
                    self.run(_list(part))
            case "or":
                if not any(self._holds(_list(part)) for part in rest):
                    raise denied()
            case "perm":
                settings = dict(zip(rest[2::2], rest[3::2], strict=True))
                needed = settings.get("require_param")
                if needed and needed not in self.params:
                    raise denied()
                path = re.sub(r"\{(\w+)\}", lambda key: self._given(key[1]), str(rest[0]))
                self._require(path, _names(rest[1]), any_of="any" in settings)
            case "userid-param":
                self._userid_param(str(rest[0]))
            case "userid-group":
                self._userid_group(_names(rest[0]), str(rest[2]) if len(rest) > 2 else "")
            case "perm-modify":
                path = along(self._given("path"))[-1]
                self._require(path, modifiers(path), any_of=True)
            case _:
                raise denied()

    def _given(self, name: str) -> str:
        return str(self.params.get(name, ""))

    def _require(self, path: str, wanted: Sequence[str], *, any_of: bool = False) -> None:
        require(self.cluster, self.user, along(path)[-1], wanted, any_of=any_of)

    def _holds(self, part: list[object]) -> bool:
        """One side of an `or`: false ones are silent, but an `and` among them speaks."""
        try:
            self.run(part)
        except Refused:
            if part[0] == "and":
                raise
            return False
        return True

    def _userid_param(self, what: str) -> None:
        """The user themselves, or somebody with a privilege on that user's realm."""
        userid = self._given("userid")
        if what != "self":
            self._require(f"/access/realm/{userid.rpartition('@')[2]}", [what])
        elif userid != self.user:
            raise denied()

    def _userid_group(self, wanted: list[str], purpose: str) -> None:
        """Somebody who may manage all users, or a group of this user and all groups named."""
        userid, paths = self._given("userid"), ["/access/groups"]
        own = [] if purpose == "create" else find_user(self.cluster.access, userid).groups
        managed = [
            path
            for path in ("/access/groups", *(f"/access/groups/{group}" for group in own))
            if {*wanted} & effective(self.cluster, self.user, path).keys()
        ]
        if "/access/groups" in managed:
            return
        if named := split_list(self._given("groups")):
            paths = [f"/access/groups/{group}" for group in named]
        for path in paths if purpose else ():
            self._require(path, wanted, any_of=True)
        if purpose != "create" and not managed:
            raise denied()


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _names(value: object) -> list[str]:
    return [str(name) for name in _list(value)]
