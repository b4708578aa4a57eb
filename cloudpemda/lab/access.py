"""Who may do what: built-in roles, effective privileges, tickets, tokens, and permission checks.

Rules after PVE's access control: a deeper ACL entry replaces what a user inherited; a user's own
entry outweighs those of the groups; a token with privilege separation has the intersection of its
own and its user's privileges; members of a pool get what is granted on the pool.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import cache

from cloudpemda.lab.errors import denied, unauthorised
from cloudpemda.lab.state import Access, Acl, Cluster, Token, User

TICKET_LIFE = 2 * 3600
_COMMON = """
Datastore.Allocate Datastore.AllocateSpace Datastore.AllocateTemplate Datastore.Audit
Group.Allocate Mapping.Audit Mapping.Modify Mapping.Use Permissions.Modify Pool.Allocate
Pool.Audit Realm.Allocate Realm.AllocateUser SDN.Allocate SDN.Audit SDN.Use Sys.AccessNetwork
Sys.Audit Sys.Console Sys.Incoming Sys.Modify Sys.PowerMgmt Sys.Syslog User.Modify VM.Allocate
VM.Audit VM.Backup VM.Clone VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk
VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.Console VM.Migrate
VM.PowerMgmt VM.Snapshot VM.Snapshot.Rollback
"""
COMMON = frozenset(_COMMON.split())
ONLY_8 = frozenset({"VM.Monitor"})
_ONLY_9 = """
VM.GuestAgent.Audit VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite
VM.GuestAgent.Unrestricted VM.Replicate
"""
ONLY_9 = frozenset(_ONLY_9.split())
_ROOT_ONLY = """
Mapping.Modify Permissions.Modify Realm.Allocate Sys.AccessNetwork Sys.Incoming Sys.Modify
Sys.PowerMgmt
"""
ROOT_ONLY = frozenset(_ROOT_ONLY.split())
_VM_USER = """
VM.Audit VM.Backup VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.PowerMgmt
"""
VM_USER = frozenset(_VM_USER.split())
VM_USER_9 = ONLY_9 - {"VM.GuestAgent.Unrestricted", "VM.Replicate"}
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
TOP_PATHS = (
    "/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms",
)  # fmt: skip


ALLOCATORS = {
    "/storage/": "Datastore.Allocate",
    "/vms/": "VM.Allocate",
    "/pool/": "Pool.Allocate",
}


@cache
def all_privileges(release: str) -> frozenset[str]:
    return COMMON | (ONLY_8 if release == "8" else ONLY_9)


@cache
def builtin_roles(release: str) -> dict[str, frozenset[str]]:
    every = all_privileges(release)

    def starting(*prefixes: str) -> frozenset[str]:
        return frozenset(p for p in every if p.startswith(prefixes))

    roles = {
        "Administrator": every,
        "NoAccess": frozenset(),
        "PVEAdmin": every - ROOT_ONLY,
        "PVEAuditor": frozenset(p for p in every if p.endswith(".Audit") and "Guest" not in p)
        | (frozenset({"VM.GuestAgent.Audit"}) if release != "8" else frozenset()),
        "PVEDatastoreAdmin": starting("Datastore."),
        "PVEDatastoreUser": frozenset({"Datastore.AllocateSpace", "Datastore.Audit"}),
        "PVEMappingAdmin": starting("Mapping."),
        "PVEMappingUser": frozenset({"Mapping.Audit", "Mapping.Use"}),
        "PVEMappingAuditor": frozenset({"Mapping.Audit"}),
        "PVEPoolAdmin": starting("Pool."),
        "PVEPoolUser": frozenset({"Pool.Audit"}),
        "PVESDNAdmin": starting("SDN."),
        "PVESDNUser": frozenset({"SDN.Audit", "SDN.Use"}),
        "PVESysAdmin": frozenset({"Sys.Audit", "Sys.Console", "Sys.Syslog"}),
        "PVETemplateUser": frozenset({"VM.Audit", "VM.Clone"}),
        "PVEUserAdmin": frozenset({"Group.Allocate", "Realm.AllocateUser", "User.Modify"}),
        "PVEVMAdmin": starting("VM."),
        "PVEVMUser": VM_USER | (VM_USER_9 if release != "8" else frozenset()),
    }
    if release == "8":
        del roles["PVEMappingAuditor"]
    return roles


def role_privileges(cluster: Cluster, role: str) -> frozenset[str]:
    builtin = builtin_roles(cluster.release).get(role)
    return builtin if builtin is not None else frozenset(cluster.access.roles.get(role, ()))


def _own_entries(access: Access, who: str, prefix: str, kinds: Sequence[str]) -> list[Acl]:
    groups = access.users[who].groups if who in access.users else []
    return [
        a
        for a in access.acl
        if a.path == prefix
        and a.kind in kinds
        and (a.who == who if a.kind != "group" else a.who in groups)
    ]


def _granted(cluster: Cluster, who: str, path: str) -> dict[str, bool]:
    """Roles that ACL entries give, with whether they propagate."""
    access = cluster.access
    parts = [part for part in path.split("/") if part]
    held: dict[str, bool] = {}
    for depth in range(len(parts) + 1):
        prefix = "/" + "/".join(parts[:depth])
        final = depth == len(parts)
        for kinds in (("token",),) if "!" in who else (("user",), ("group",)):
            entries = [a for a in _own_entries(access, who, prefix, kinds) if final or a.propagate]
            if entries:
                held = {a.role: a.propagate for a in entries}
                break
    return {} if "NoAccess" in held else held


def _of(cluster: Cluster, who: str, path: str) -> dict[str, bool]:
    held: dict[str, bool] = {}
    for role, propagate in _granted(cluster, who, path).items():
        for privilege in role_privileges(cluster, role):
            held[privilege] = held.get(privilege, False) or propagate
    return held


def effective(cluster: Cluster, user: str, path: str) -> dict[str, bool]:
    """Privileges on a path, each with whether it propagates."""
    userid, _, tokenid = user.partition("!")
    if userid == "root@pam":
        held = dict.fromkeys(all_privileges(cluster.release), True)
    else:
        held = _of(cluster, userid, path)
        for pool in pools_of(cluster, path):
            held = _of(cluster, userid, f"/pool/{pool}") | held
    if not tokenid:
        return held
    owner = cluster.access.users.get(userid)
    token = owner.tokens.get(tokenid) if owner else None
    if token is None:
        return {}
    if not token.privsep:
        return held
    own = _of(cluster, user, path)
    for pool in pools_of(cluster, path):
        own = _of(cluster, user, f"/pool/{pool}") | own
    return {privilege: propagate for privilege, propagate in own.items() if privilege in held}


def pools_of(cluster: Cluster, path: str) -> list[str]:
    kind, _, name = path.strip("/").partition("/")
    if kind == "vms" and name.isdigit():
        return [pool.name for pool in cluster.pools.values() if int(name) in pool.vms]
    if kind == "storage" and name:
        return [pool.name for pool in cluster.pools.values() if name in pool.storages]
    return []


def privileges(cluster: Cluster, user: str, path: str) -> frozenset[str]:
    return frozenset(effective(cluster, user, path))


def known_paths(cluster: Cluster) -> list[str]:
    return sorted({*TOP_PATHS, *(entry.path for entry in cluster.access.acl)})


def capabilities(cluster: Cluster, user: str) -> dict[str, dict[str, int]]:
    """What a login answer says the user can do, by heading."""
    found: dict[str, dict[str, int]] = {heading: {} for heading in HEADINGS}
    for path in ("/mapping", *known_paths(cluster)):
        heading = path.strip("/").split("/")[0] or "dc"
        if heading in found:
            for privilege in effective(cluster, user, path):
                if re.match(HEADINGS[heading], privilege):
                    found[heading][privilege] = 1
    return found


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
    return (
        re.fullmatch(r"[0-9A-F]{8}", stamp) is not None
        and -300 < now - int(stamp, 16) < TICKET_LIFE
    )


def ticket_user(access: Access, ticket: str, now: float) -> str | None:
    """The user of a genuine, fresh ticket."""
    found = re.fullmatch(r"(PVE:([^:]+):([0-9A-F]{8}))::(\w+)", ticket)
    if not found or not hmac.compare_digest(found[4], _signature(access, found[1])):
        return None
    return found[2] if _fresh(found[3], now) else None


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
    found = re.fullmatch(r"PVEAPIToken=(([^!=]+)!([^=]+))=(\S+)", header)
    if found:
        user = usable(access, found[2], now)
        token = user.tokens.get(found[3]) if user else None
        if token and token_valid(token, found[4], found[1], now):
            return found[1]
    raise unauthorised("Authentication failed!")


def token_valid(token: Token, secret: str, full_id: str, now: float) -> bool:
    good = hmac.compare_digest(token.digest, secret_digest(secret, full_id))
    return good and not (token.expire and token.expire < now)


# -- declared permission checks -----------------------------------------------------------------


class Check:
    """Evaluates the permission expressions that PVE's API declares."""

    def __init__(self, cluster: Cluster, user: str, params: Mapping[str, object]) -> None:
        self.cluster, self.user, self.params = cluster, user, params

    def run(self, expression: Sequence[object]) -> None:
        """Raises 403 when it does not hold."""
        if expression:
            self._test(list(expression), quiet=False)

    def _test(self, test: list[object], *, quiet: bool) -> bool:
        head, *rest = test
        match head:
            case "and":
                held = all(self._test(_list(part), quiet=quiet) for part in rest)
            case "or":
                held = any(self._test(_list(part), quiet=True) for part in rest)
                held = held or self._no("", quiet)
            case "perm":
                held = self._perm(rest, quiet)
            case "userid-param":
                held = self._userid_param(str(rest[0]), quiet)
            case "userid-group":
                held = self._userid_group([str(p) for p in _list(rest[0])], quiet)
            case "perm-modify":
                held = self._perm_modify(str(self.params.get("path", "/")), quiet)
            case _:
                held = self._no("", quiet)
        return held

    def _no(self, what: str, quiet: bool) -> bool:
        if quiet:
            return False
        raise denied(what)

    def _perm(self, rest: list[object], quiet: bool) -> bool:
        template, wanted, *options = rest
        settings = dict(zip(options[::2], options[1::2], strict=False))
        needed = settings.get("require_param")
        if needed is not None and needed not in self.params:
            return self._no("", quiet)
        path = re.sub(r"\{(\w+)\}", lambda m: str(self.params.get(m[1], "")), str(template))
        held = privileges(self.cluster, self.user, path)
        names = [str(name) for name in _list(wanted)]
        missing = [name for name in names if name not in held]
        if settings.get("any"):
            if len(missing) == len(names):
                return self._no(f"{path}, {'|'.join(names)}", quiet)
            return True
        return not missing or self._no(f"{path}, {missing[0]}", quiet)

    def _userid_param(self, what: str, quiet: bool) -> bool:
        """The user themselves, or somebody with a privilege on that user's realm."""
        userid = str(self.params.get("userid", ""))
        if what == "self":
            return userid == self.user or self._no("", quiet)
        path = f"/access/realm/{userid.rpartition('@')[2]}"
        return what in privileges(self.cluster, self.user, path) or self._no(
            f"{path}, {what}", quiet
        )

    def _userid_group(self, names: list[str], quiet: bool) -> bool:
        """Somebody who may manage users, everywhere or in a group of this user."""
        userid = str(self.params.get("userid", ""))
        user = self.cluster.access.users.get(userid)
        paths = ["/access/groups", *(f"/access/groups/{g}" for g in (user.groups if user else []))]
        for path in paths:
            if any(name in privileges(self.cluster, self.user, path) for name in names):
                return True
        return self._no(f"/access/groups, {'|'.join(names)}", quiet)

    def _perm_modify(self, path: str, quiet: bool) -> bool:
        """Whoever may change permissions, or make and remove what lies under the path."""
        wanted = ["Permissions.Modify"]
        for prefix, privilege in ALLOCATORS.items():
            if path.startswith(prefix):
                wanted.append(privilege)
        held = privileges(self.cluster, self.user, path)
        return any(one in held for one in wanted) or self._no(f"{path}, {'|'.join(wanted)}", quiet)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
