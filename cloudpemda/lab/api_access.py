"""Users, groups, roles, ACLs, realms, tokens and tickets over the API."""

import copy
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from cloudpemda.lab import access
from cloudpemda.lab.errors import Refused, denied, failed, found, invalid, refuse_if
from cloudpemda.lab.routes import Row, route, told
from cloudpemda.lab.sections import File
from cloudpemda.lab.state import Access, Acl, Section, Token, User
from cloudpemda.lab.world import Call

FIELDS = ("comment", "email", "firstname", "lastname", "keys")
SUBJECTS = ("users", "groups", "tokens")
MANAGERS = ("User.Modify", "Sys.Audit")
ACL_PATHS = re.compile(
    r"/|/access(/(groups|realm)(/[^/]+)?)?|/mapping(/[\w.\-]+(/[^/]+)?)?|/nodes(/[^/]+)?"
    r"|/pool(/[\w.\-]+){0,3}|/sdn(/(zones|vnets|controllers|ipams|dns|fabrics)(/[^/]+){0,3})?"
    r"|/storage(/[^/]+)?|/vms(/[1-9]\d{2,})?"
)
# What a realm of a kind cannot do without.
REQUIRED = {
    "ldap": ("server1", "base_dn", "user_attr"),
    "ad": ("server1", "domain"),
    "openid": ("issuer-url", "client-id"),
}


@contextmanager
def user_config(call: Call, failure: str) -> Iterator[Access]:
    """Change `user.cfg` as PVE does: under a lock, all or nothing, each failure under one name."""
    call.world.need_file_lock(failure, "file-user_cfg")
    before = copy.deepcopy((call.cluster.access, call.cluster.pools))
    try:
        yield call.cluster.access
    except Refused as refused:
        call.cluster.access, call.cluster.pools = before
        raise failed(f"{failure}: {refused.nested}") from None


# -- tickets and passwords -----------------------------------------------------------------------


@route("GET /access/ticket")
def ticket_dummy(call: Call) -> None:
    """For those who would like to be shown a login page."""


@route("POST /access/ticket")
def login(call: Call) -> Row:
    """A ticket; or, with `path` and `privs`, only whether somebody holds them there."""
    name = call["username"] + (f"@{call['realm']}" if call.get("realm") else "")
    users, now, password = call.cluster.access, call.world.now(), call["password"]
    user, owner = access.usable(users, name, now), access.ticket_user(users, password, now)
    genuine = user is not None and (
        owner == name
        or (owner == "root@pam" and "path" not in call)  # who may take a ticket for anybody
        or user.password == access.secret_digest(password, name)
    )
    held = access.effective(call.cluster, name, access.along(call.get("path"))[-1])
    if not genuine or not held.keys() >= {*call.items_of("privs")}:
        raise Refused(401, "authentication failure")
    answer: Row = {"username": name, "cap": access.capabilities(call.cluster, name)}
    if "path" not in call:
        answer["ticket"] = access.make_ticket(users, name, now)
        answer["CSRFPreventionToken"] = access.make_csrf(users, name, now)
    if "Sys.Audit" in access.effective(call.cluster, name, "/"):
        answer["clustername"] = call.cluster.name
    return answer


@route("PUT /access/password")
def change_password(call: Call) -> None:
    """Only root changes root's password and those of PAM; all others confirm who they are."""
    user, users = access.find_user(call.cluster.access, call["userid"]), call.cluster.access.users
    if not call.is_root:
        if user.userid == "root@pam":
            raise denied()
        if "confirmation-password" not in call:
            raise invalid({"confirmation-password": "password is required to modify user"})
        given = access.secret_digest(call["confirmation-password"], call.user)
        refuse_if(users[call.user].password != given, "invalid credentials")
        if user.userid != call.user and user.userid.endswith("@pam"):
            raise denied()
    _set_password(call, user)


def _set_password(call: Call, user: User) -> None:
    name = user.userid.rpartition("@")[2]
    realm = found(call.cluster.access.realms.get(name), f"auth domain '{name}' does not exist")
    refuse_if(realm.type in REQUIRED, f"can't set password on auth type '{realm.type}'")
    user.password = access.secret_digest(call["password"], user.userid)


@route("GET /access/permissions")
def permissions(call: Call) -> Row:
    """One's own, those of one's tokens, or anybody's for whoever may audit."""
    who = call.get("userid", call.user)
    if call.user not in (who, who.partition("!")[0]):
        call.require("/access", "Sys.Audit")
    paths = [call["path"]] if "path" in call else access.known_paths(call.cluster)
    held = {path: access.effective(call.cluster, who, path) for path in paths}
    whole = "path" in call
    return {path: {k: int(v) for k, v in own.items()} for path, own in held.items() if own or whole}


# -- users ---------------------------------------------------------------------------------------


def _user_row(user: User) -> Row:
    fields = {key: value or None for key, value in user.fields.items()}
    return told({"enable": int(user.enable), "expire": user.expire, **fields})


@route("GET /access/users")
def list_users(call: Call) -> list[Row]:
    """Oneself, and those whose groups one manages."""
    config, rows = call.cluster.access, []
    everybody = call.may("/access/groups", *MANAGERS, any_of=True)
    managed = {g for g in config.groups if call.may(f"/access/groups/{g}", *MANAGERS, any_of=True)}
    for userid, user in sorted(config.users.items()):
        visible = everybody or userid == call.user or managed & {*user.groups}
        if not visible or call.flag("enabled", user.enable) != user.enable:
            continue
        row = {"userid": userid} | _user_row(user)
        if realm := config.realms.get(userid.rpartition("@")[2]):
            row["realm-type"] = realm.type
        if call.flag("full"):
            row |= {"groups": ",".join(user.groups), "tokens": _token_rows(user) or None}
        rows.append(row)
    return rows


@route("GET /access/users/{userid}")
def get_user(call: Call) -> Row:
    user = access.find_user(call.cluster.access, call["userid"])
    tokens = {name: _token_row(token) for name, token in user.tokens.items()}
    return _user_row(user) | {"groups": list(user.groups), "tokens": tokens or None}


@route("POST /access/users")
def create_user(call: Call) -> None:
    userid = call["userid"]
    with user_config(call, "create user failed") as config:
        refuse_if(userid in config.users, f"user '{userid}' already exists")
        user = config.users[userid] = User(userid, expire=0)
        if "password" in call:
            _set_password(call, user)
        _change_user(call, user)


@route("PUT /access/users/{userid}")
def update_user(call: Call) -> None:
    with user_config(call, "update user failed") as config:
        _change_user(call, access.find_user(config, call["userid"]))


def _change_user(call: Call, user: User) -> None:
    groups = call.items_of("groups")
    for group in groups:
        refuse_if(group not in call.cluster.access.groups, f"no such group '{group}'")
    if "groups" in call:
        user.groups = sorted({*(user.groups if call.flag("append") else ()), *groups})
    user.enable = call.flag("enable", user.enable)
    if "expire" in call:
        user.expire = call.whole("expire")
    user.fields |= {key: call[key] for key in FIELDS if key in call}


@route("DELETE /access/users/{userid}")
def delete_user(call: Call) -> None:
    """Nobody misses a user who is not there; root comes back at once, without tokens."""
    userid = call["userid"]
    with user_config(call, "delete user failed") as config:
        removed = config.users.pop(userid, None)
        if removed is not None and userid == "root@pam":
            config.users[userid] = User(userid, expire=0, password=removed.password)
        config.acl = [a for a in config.acl if a.who.partition("!")[0] != userid]


# -- tokens --------------------------------------------------------------------------------------


def _token_row(token: Token) -> Row:
    privsep, comment = int(token.privsep), token.comment or None
    return told({"privsep": privsep, "expire": token.expire, "comment": comment})


def _token_rows(user: User) -> list[Row]:
    return [{"tokenid": name, **_token_row(token)} for name, token in sorted(user.tokens.items())]


def _token(call: Call) -> Token:
    return access.find_token(call.cluster.access, call["userid"], call["tokenid"])


def _new_secret(call: Call, token: Token) -> Row:
    secret, full = call.world.new_uuid(), f"{call['userid']}!{call['tokenid']}"
    token.digest = access.secret_digest(secret, full)
    return {"full-tokenid": full, "value": secret}


@route("GET /access/users/{userid}/token")
def list_tokens(call: Call) -> list[Row]:
    return _token_rows(access.find_user(call.cluster.access, call["userid"]))


@route("GET /access/users/{userid}/token/{tokenid}")
def get_token(call: Call) -> Row:
    return _token_row(_token(call))


@route("POST /access/users/{userid}/token/{tokenid}")
def create_token(call: Call) -> Row:
    name = call["tokenid"]
    if name in access.find_user(call.cluster.access, call["userid"]).tokens:
        raise invalid({"tokenid": "Token already exists."})
    with user_config(call, "generating token failed") as config:
        token = Token("", call.flag("privsep", True), call.whole("expire"), call.get("comment"))
        config.users[call["userid"]].tokens[name] = token
    info = {key: call[key] for key in ("privsep", "expire", "comment") if key in call}
    return {"info": {"privsep": "1"} | info, **_new_secret(call, token)}


@route("PUT /access/users/{userid}/token/{tokenid}")
def update_token(call: Call) -> Row:
    token = _token(call)
    with user_config(call, "updating token info failed"):
        if "comment" in call.items_of("delete"):
            token.comment = ""
        token.privsep = call.flag("privsep", token.privsep)
        token.expire = call.whole("expire", token.expire)
        token.comment = call.get("comment") or token.comment
    row = _token_row(token)
    if "privsep" in call:
        row["privsep"] = call["privsep"]
    return row | (_new_secret(call, token) if call.flag("regenerate") else {})


@route("DELETE /access/users/{userid}/token/{tokenid}")
def delete_token(call: Call) -> None:
    _token(call)
    with user_config(call, "deleting token failed") as config:
        del config.users[call["userid"]].tokens[call["tokenid"]]
        full = f"{call['userid']}!{call['tokenid']}"
        config.acl = [entry for entry in config.acl if entry.who != full]


# -- groups --------------------------------------------------------------------------------------


def _members(call: Call, group: Section) -> list[str]:
    users = call.cluster.access.users.items()
    return sorted(userid for userid, user in users if group.name in user.groups)


def _comment(group: Section) -> Row:
    return told({"comment": group.options.get("comment") or None})


def _dissolve(call: Call, group: Section) -> None:
    config = call.cluster.access
    for user in config.users.values():
        user.groups = [name for name in user.groups if name != group.name]
    config.acl = [a for a in config.acl if (a.kind, a.who) != ("group", group.name)]


File(
    "/access/groups", "groupid", sections=lambda cluster: cluster.access.groups,
    taken="group '{}' already exists", missing="group '{}' does not exist",
    strict="group '{}' does not exist", prefix="{} group failed: ", lock="file-user_cfg",
    visible=lambda call, group: call.may(
        f"/access/groups/{group.name}", *MANAGERS, "Group.Allocate", any_of=True
    ),
    signed=(),
    got=lambda call, group: {"members": _members(call, group)} | _comment(group),
    brief=lambda call, group: (
        {"groupid": group.name, "users": ",".join(_members(call, group))} | _comment(group)
    ),
    leave=_dissolve,
).serve()  # fmt: skip


# -- roles ---------------------------------------------------------------------------------------


@route("GET /access/roles")
def list_roles(call: Call) -> list[Row]:
    own, builtin = call.cluster.access.roles, access.builtin_roles(call.cluster.release)
    return [
        {"roleid": name, "privs": ",".join(sorted(names)), "special": int(name in builtin)}
        for name, names in [*builtin.items(), *own.items()]
    ]


def _role(call: Call, name: str) -> Collection[str]:
    return found(access.role_privileges(call.cluster, name), f"role '{name}' does not exist")


@route("GET /access/roles/{roleid}")
def get_role(call: Call) -> Row:
    return dict.fromkeys(sorted(_role(call, call["roleid"])), 1)


@route("POST /access/roles")
def create_role(call: Call) -> None:
    name = call["roleid"]
    if name.lower().startswith("pve"):
        text = "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"
        raise invalid({"roleid": text})
    with user_config(call, "create role failed") as config:
        taken = access.role_privileges(call.cluster, name) is not None
        refuse_if(taken, f"role '{name}' already exists")
        config.roles[name] = call.items_of("privs")


def _own_role(call: Call, done: str) -> str:
    builtin = call["roleid"] in access.builtin_roles(call.cluster.release)
    refuse_if(builtin, f"auto-generated role '{call['roleid']}' cannot be {done}")
    return call["roleid"]


@route("PUT /access/roles/{roleid}")
def update_role(call: Call) -> None:
    name = _own_role(call, "modified")
    with user_config(call, "update role failed") as config:
        old = _role(call, name)
        config.roles[name] = sorted(
            {*(old if call.flag("append") else ()), *call.items_of("privs")}
        )


@route("DELETE /access/roles/{roleid}")
def delete_role(call: Call) -> None:
    name = _own_role(call, "deleted")
    with user_config(call, "delete role failed") as config:
        found(config.roles.pop(name, None), f"role '{name}' does not exist")
        config.acl = [entry for entry in config.acl if entry.role != name]


# -- ACLs ----------------------------------------------------------------------------------------


@route("GET /access/acl")
def list_acl(call: Call) -> list[Row]:
    auditor = call.may("/access", "Sys.Audit")
    return [
        {
            "path": entry.path, "type": entry.kind, "ugid": entry.who, "roleid": entry.role,
            "propagate": int(entry.propagate),
        }
        for entry in sorted(call.cluster.access.acl, key=lambda entry: entry.path)
        if auditor or call.may(entry.path, *access.modifiers(entry.path), any_of=True)
    ]  # fmt: skip


@route("PUT /access/acl")
def change_acl(call: Call) -> None:
    if not any(call.get(kind) for kind in SUBJECTS):
        text = "either 'users', 'groups' or 'tokens' is required."
        raise invalid(dict.fromkeys(SUBJECTS, text))
    path, removing = access.along(call["path"])[-1], call.flag("delete")
    known = re.fullmatch(r"[\w.\-/]+", path) if removing else ACL_PATHS.fullmatch(path)
    if not known:
        raise invalid({"path": f"invalid ACL path '{call['path']}'"})
    with user_config(call, "ACL update failed") as config:
        for role in call.items_of("roles"):
            _check_role(call, role, path)
            for kind in SUBJECTS:
                for who in call.items_of(kind):
                    _check_subject(config, kind, who)
                    entry = Acl(path, kind[:-1], who, role, call.flag("propagate", True))
                    key = (entry.path, entry.kind, who, role)
                    others = [a for a in config.acl if (a.path, a.kind, a.who, a.role) != key]
                    config.acl = others if removing else [*others, entry]


def _check_role(call: Call, role: str, path: str) -> None:
    """Who may not change permissions hands on at most what they hold, and as far as they do."""
    needed = _role(call, role)
    held = access.effective(call.cluster, call.user, path)
    if "Permissions.Modify" in held:
        return
    removing, rule = call.flag("delete"), ""
    passing = call.flag("propagate", True) and not removing
    if not {*needed} <= held.keys():
        rule = "- requires 'Permissions.Modify' or superset of privileges."
    elif passing and not all(held[privilege] for privilege in needed):
        propagated = "- requires 'Permissions.Modify' or propagated superset of privileges."
        rule = f"with propagation {propagated}"
    elif role == "NoAccess":
        rule = "- requires 'Permissions.Modify'"
    if rule:
        raise invalid({"role": f"Cannot {'remove' if removing else 'add'} role '{role}' {rule}"})


def _check_subject(config: Access, kind: str, who: str) -> None:
    if kind == "tokens":
        userid, _, tokenid = who.partition("!")
        access.find_token(config, userid, tokenid)
    else:
        known = config.users if kind == "users" else config.groups
        refuse_if(who not in known, f"{kind[:-1]} '{who}' does not exist")


# -- realms and second factors -------------------------------------------------------------------


def _check_realm(call: Call, realm: Section, verb: str) -> None:
    """Rules of a realm as it shall be; there is one default."""
    prefix = REALMS.failure(verb)
    if verb == "create":
        builtin = realm.type not in REQUIRED
        refuse_if(builtin, f"{prefix}unable to create builtin type '{realm.type}'")
        for name in REQUIRED[realm.type]:
            missing = name not in realm.options
            refuse_if(missing, f"{prefix}missing value for required option '{name}'")
    refuse_if(call.params.keys() <= {"realm", "digest"}, f"{prefix}no options specified")
    if call.flag("default"):
        for other in call.cluster.access.realms.values():
            other.options.pop("default", None)


REALMS: File = File(
    "/access/domains", "realm", sections=lambda cluster: cluster.access.realms,
    taken="domain '{}' already exists", missing="domain '{}' does not exist",
    strict="authentication domain '{}' does not exist",
    prefix="{} auth server failed: ", making="add", lock="file-domains_cfg",
    fixed=frozenset({"password", "check-connection"}), check=_check_realm, signed=("get",),
    got=lambda call, realm: told(REALMS.row(call, realm) | {"realm": None}),
    brief=lambda call, realm: {
        "realm": realm.name, "type": realm.type,
        **{k: v for k, v in REALMS.row(call, realm).items() if v and k in ("comment", "default")},
    },
).serve()  # fmt: skip


@route("DELETE /access/domains/{realm}")
def delete_realm(call: Call) -> None:
    """The two that PVE comes with are there again as soon as they are gone."""
    if call["realm"] not in ("pam", "pve"):
        REALMS.delete(call)


@route("GET /access/tfa")
def list_tfa(call: Call) -> list[Row]:
    return []
