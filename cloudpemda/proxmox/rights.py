"""The least that cloudpemda's token must be allowed, as data, and the commands that grant it.

The set was measured on PVE 9.2 by leaving out each privilege in turn on the way from creation to
backup and back; VM.Migrate is for emptying a node, VM.Snapshot for states to go back to, VM.Backup
for restoring. PVE can delegate neither HA nor backup jobs per pool (they are checked on `/`), so
cloudpemda itself is the boundary between tenants.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

ROLE = "CloudpemdaApply"
USERS_ROLE = "CloudpemdaUsers"
"""For a site that names users of PVE alone: who may make users may make much."""

NEWEST = 9

_EVERYWHERE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "/": frozenset({"Sys.Audit", "Sys.Console", "Sys.Modify"}),
        "/pool": frozenset({"Pool.Allocate", "Pool.Audit"}),
        "/sdn/zones/localnetwork": frozenset({"SDN.Use"}),
        "/vms": frozenset(
            {
                "VM.Allocate",
                "VM.Audit",
                "VM.Backup",
                "VM.Clone",
                "VM.Config.CDROM",
                "VM.Config.CPU",
                "VM.Config.Cloudinit",
                "VM.Config.Disk",
                "VM.Config.HWType",
                "VM.Config.Memory",
                "VM.Config.Network",
                "VM.Config.Options",
                "VM.Migrate",
                "VM.PowerMgmt",
                "VM.Snapshot",
                "VM.Snapshot.Rollback",
            }
        ),
    }
)
# 8 lets whoever may allocate storages replicate; 9 has a privilege for it.
_BY_MAJOR: Mapping[int, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        8: MappingProxyType({"/storage": frozenset({"Datastore.Allocate"})}),
        9: MappingProxyType({"/vms": frozenset({"VM.Replicate"})}),
    }
)
_STORAGE = frozenset({"Datastore.AllocateSpace", "Datastore.Audit"})
_BACKUP = _STORAGE | {"Datastore.Allocate"}  # pruning is an allocation


def needed(
    major: int, storages: Iterable[str], backup: str | None, *, vnets: bool = False
) -> Mapping[str, frozenset[str]]:
    """ACL path → privileges needed there, on PVE `major` (8 or 9).

    `storages` are those that disks are made on and images come from, `backup` the one that backup
    jobs write to and prune; `vnets` whether networks are VNets, which lie in zones of their own.
    """
    found = {path: set(privileges) for path, privileges in _EVERYWHERE.items()}
    if vnets:
        found["/sdn/zones"] = {"SDN.Audit", "SDN.Use"}
    for path, privileges in _BY_MAJOR.get(major, _BY_MAJOR[NEWEST]).items():
        found.setdefault(path, set()).update(privileges)
    for storage in storages:
        found.setdefault(f"/storage/{storage}", set()).update(_STORAGE)
    if backup is not None:
        found.setdefault(f"/storage/{backup}", set()).update(_BACKUP)
    return MappingProxyType({path: frozenset(found[path]) for path in sorted(found)})


def needed_for_users(realm: str) -> Mapping[str, frozenset[str]]:
    """ACL path → what making users of a realm needs, and letting them look at pools. The role that
    they get has privileges that the token has not, so it must be allowed to give any."""
    return MappingProxyType(
        {
            "/access/groups": frozenset({"User.Modify"}),
            f"/access/realm/{realm}": frozenset({"Realm.AllocateUser"}),
            "/pool": frozenset({"Permissions.Modify"}),
        }
    )


def user_commands(token_id: str) -> tuple[str, ...]:
    """What root runs so that the token may do that. On `/pool` the other role is named once more:
    there an entry of its own replaces what is inherited."""
    user = token_id.partition("!")[0]
    privileges = sorted(frozenset().union(*needed_for_users("-").values()))
    verbs = [
        f"pveum role {verb} {USERS_ROLE} --privs {shlex.quote(','.join(privileges))}"
        for verb in ("add", "modify")
    ]
    return (
        " || ".join(verbs),
        *(
            f"pveum acl modify {path} --{kind} {shlex.quote(who)} --roles {roles}"
            for path, roles in (("/access", USERS_ROLE), ("/pool", f"{ROLE},{USERS_ROLE}"))
            for kind, who in (("users", user), ("tokens", token_id))
        ),
    )


def role_privileges(major: int) -> tuple[str, ...]:
    """All privileges of the role, whatever path they are for."""
    return tuple(sorted(frozenset().union(*needed(major, ["any"], "any", vnets=True).values())))


def setup_commands(token_id: str) -> tuple[str, ...]:
    """What root runs on a node to make user, token and role from nothing, on 8 or 9.

    `token add` prints the secret once; it belongs into the file that the site names.
    """
    user, _, token = token_id.partition("!")
    return (
        f"pveum user add {shlex.quote(user)} --comment cloudpemda",
        f"pveum user token add {shlex.quote(user)} {shlex.quote(token)} --privsep 1",
        *grant_commands(None, token_id, ["/"]),
    )


def grant_commands(major: int | None, token_id: str, paths: Collection[str]) -> tuple[str, ...]:
    """What root runs on PVE `major` to grant the role on `paths`; each may be repeated.

    Where the version is not known (None) the role's line works on both: 8 refuses the privileges
    of 9 by name, and the next attempt is for 8. A token with privilege separation has what both
    it and its user have: both are granted.
    """
    user = token_id.partition("!")[0]
    attempts = [
        f"pveum role {verb} {ROLE} --privs {shlex.quote(','.join(role_privileges(known)))}"
        for known in ([major] if major is not None else [9, 8])
        for verb in ("add", "modify")
    ]
    commands = [" || ".join(attempts)]
    for path in paths:
        where = shlex.quote(path)
        commands += [
            f"pveum acl modify {where} --users {shlex.quote(user)} --roles {ROLE}",
            f"pveum acl modify {where} --tokens {shlex.quote(token_id)} --roles {ROLE}",
        ]
    return tuple(commands)


def paths_to_grant(
    missing: Mapping[str, frozenset[str]], at_root: frozenset[str]
) -> tuple[str, ...]:
    """Where the role must be granted for what is missing.

    On `/`, from where it propagates, if the privilege lacks there too; else on the path itself:
    there a deeper ACL entry replaces what is inherited.
    """
    paths = {
        path if privilege in at_root else "/"
        for path, privileges in missing.items()
        for privilege in privileges
    }
    return tuple(sorted(paths))
