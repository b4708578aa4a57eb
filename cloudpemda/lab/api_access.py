"""Users, groups, roles, ACLs, realms, tokens and tickets over the API."""

import re

from cloudpemda.lab import access
from cloudpemda.lab.errors import Refused, denied, failed, invalid
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Acl, Realm, Token, User
from cloudpemda.lab.world import Call

LOCK = "file-user_cfg"
FIELDS = ("comment", "email", "firstname", "lastname", "keys")
ACL_PATHS = re.compile(
    r"/|/access(/(groups|realm)(/[^/]+)?)?|/mapping(/[a-z]+(/[^/]+)?)?|/nodes(/[^/]+)?"
    r"|/pool(/[\w.\-]+){0,3}|/sdn(/(zones|vnets|controllers|ipams|dns|fabrics)(/[^/]+){0,3})?"
    r"|/storage(/[^/]+)?|/vms(/[1-9]\d{2,})?"
)


# -- tickets and passwords -----------------------------------------------------------------------


@route("GET /access/ticket")
def ticket_dummy(call: Call) -> object:
    return None


@route("POST /access/ticket")
def login(call: Call) -> object:
    params, now = call.params, call.world.now()
    name = params["username"]
    if "realm" in params:
        name = f"{name}@{params['realm']}"
    access_ = call.cluster.access
    user = access.usable(access_, name, now)
    password = params["password"]
    genuine = user is not None and (
        user.password == access.secret_digest(password, name)
        or access.ticket_user(access_, password, now) == name
    )
    if not genuine:
        raise Refused(401, "authentication failure")
    found: dict[str, object] = {
        "username": name,
        "ticket": access.make_ticket(access_, name, now),
        "CSRFPreventionToken": access.make_csrf(access_, name, now),
        "cap": access.capabilities(call.cluster, name),
        "clustername": call.cluster.name,
    }
    return found


@route("PUT /access/password")
def change_password(call: Call) -> object:
    userid = call.params["userid"]
    user = _user(call, userid)
    if not call.is_root:
        _confirm(call)
    user.password = access.secret_digest(call.params["password"], userid)
    return None


def _confirm(call: Call) -> None:
    """All but root show that they are who they are once more."""
    given = call.params.get("confirmation-password")
    if given is None:
        raise invalid({"confirmation-password": "password is required to modify user"})
    own = call.cluster.access.users[call.user]
    if own.password != access.secret_digest(given, call.user):
        raise Refused(401, "authentication failure")


@route("GET /access/permissions")
def permissions(call: Call) -> object:
    who = call.params.get("userid", call.user)
    if who.partition("!")[0] != call.user.partition("!")[0]:
        call.require("/access", "Sys.Audit")
    paths = [call.params["path"]] if "path" in call.params else access.known_paths(call.cluster)
    found = {}
    for path in paths:
        held = access.effective(call.cluster, who, path)
        if held:
            found[path] = {privilege: int(passes) for privilege, passes in held.items()}
    return found


# -- users ---------------------------------------------------------------------------------------


def _user(call: Call, userid: str) -> User:
    user = call.cluster.access.users.get(userid)
    if user is None:
        raise failed(f"no such user ('{userid}')")
    return user


def _user_row(call: Call, user: User) -> dict[str, object]:
    row: dict[str, object] = {"userid": user.userid, "enable": int(user.enable)}
    if user.expire is not None:
        row["expire"] = user.expire
    row |= {key: value for key, value in user.fields.items() if value}
    realm = call.cluster.access.realms.get(user.userid.rpartition("@")[2])
    if realm is not None:
        row["realm-type"] = realm.type
    return row


@route("GET /access/users")
def list_users(call: Call) -> object:
    rows = []
    manager = call.may("/access/groups", "User.Modify", "Sys.Audit", any_of=True)
    for user in call.cluster.access.users.values():
        if not manager and user.userid != call.user.partition("!")[0]:
            continue
        if "enabled" in call.params and call.params.flag("enabled") != user.enable:
            continue
        row = _user_row(call, user)
        if call.params.flag("full"):
            row["groups"] = ",".join(user.groups)
            row["tokens"] = [
                {"tokenid": name, **_token_row(token)} for name, token in user.tokens.items()
            ]
        rows.append(row)
    return rows


@route("GET /access/users/{userid}")
def get_user(call: Call) -> object:
    user = _user(call, call.params["userid"])
    row = _user_row(call, user)
    row.pop("realm-type", None)
    row.pop("userid")
    row["groups"] = list(user.groups)
    row["tokens"] = {n: _token_row(t) for n, t in user.tokens.items()} or None
    return row


@route("POST /access/users")
def create_user(call: Call) -> object:
    params, userid = call.params, call.params["userid"]
    call.world.need_file_lock("create user failed", LOCK)
    if userid in call.cluster.access.users:
        raise failed(f"create user failed: user '{userid}' already exists")
    user = User(userid, expire=0)
    _change_user(call, user, "create")
    if "password" in params:
        user.password = access.secret_digest(params["password"], userid)
    call.cluster.access.users[userid] = user
    return None


@route("PUT /access/users/{userid}")
def update_user(call: Call) -> object:
    call.world.need_file_lock("update user failed", LOCK)
    _change_user(call, _user(call, call.params["userid"]), "update")
    return None


def _change_user(call: Call, user: User, verb: str) -> None:
    params = call.params
    for group in params.items_of("groups"):
        if group not in call.cluster.access.groups:
            raise failed(f"{verb} user failed: no such group '{group}'")
    if "groups" in params:
        old = user.groups if params.flag("append") else []
        user.groups = sorted({*old, *params.items_of("groups")})
    user.enable = params.flag("enable", user.enable)
    if "expire" in params:
        user.expire = params.whole("expire")
    user.fields |= {key: params[key] for key in FIELDS if key in params}


@route("DELETE /access/users/{userid}")
def delete_user(call: Call) -> object:
    userid = call.params["userid"]
    call.world.need_file_lock("delete user failed", LOCK)
    users = call.cluster.access.users
    removed = users.pop(userid, None)
    if removed is not None and userid == "root@pam":
        users[userid] = User(userid, expire=0, password=removed.password)
    acl = call.cluster.access.acl
    call.cluster.access.acl = [
        a for a in acl if a.who.partition("!")[0] != userid or a.kind == "group"
    ]
    return None


# -- tokens --------------------------------------------------------------------------------------


def _token_row(token: Token) -> dict[str, object]:
    row: dict[str, object] = {"privsep": int(token.privsep), "expire": token.expire}
    if token.comment:
        row["comment"] = token.comment
    return row


def _token(call: Call) -> Token:
    user = call.cluster.access.users.get(call.params["userid"])
    token = user.tokens.get(call.params["tokenid"]) if user else None
    if token is None:
        raise failed(f"no such token '{call.params['tokenid']}' for user '{call.params['userid']}'")
    return token


def _new_secret(call: Call, token: Token) -> str:
    secret = call.world.new_uuid()
    token.digest = access.secret_digest(secret, f"{call.params['userid']}!{call.params['tokenid']}")
    return secret


@route("GET /access/users/{userid}/token")
def list_tokens(call: Call) -> object:
    user = _user(call, call.params["userid"])
    return [{"tokenid": name, **_token_row(token)} for name, token in user.tokens.items()]


@route("GET /access/users/{userid}/token/{tokenid}")
def get_token(call: Call) -> object:
    return _token_row(_token(call))


@route("POST /access/users/{userid}/token/{tokenid}")
def create_token(call: Call) -> object:
    params, user = call.params, _user(call, call.params["userid"])
    if params["tokenid"] in user.tokens:
        raise invalid({"tokenid": "Token already exists."})
    token = Token(
        "", params.flag("privsep", default=True), params.whole("expire"), params.get("comment", "")
    )
    user.tokens[params["tokenid"]] = token
    info = {key: params[key] for key in ("privsep", "expire", "comment") if key in params}
    info.setdefault("privsep", "1")
    return {
        "full-tokenid": f"{user.userid}!{params['tokenid']}",
        "value": _new_secret(call, token),
        "info": info,
    }


@route("PUT /access/users/{userid}/token/{tokenid}")
def update_token(call: Call) -> object:
    params, token = call.params, _token(call)
    token.privsep = params.flag("privsep", token.privsep)
    token.expire = params.whole("expire", token.expire)
    token.comment = params.get("comment", token.comment)
    row = _token_row(token)
    if "privsep" in params:
        row["privsep"] = params["privsep"]
    if params.flag("regenerate"):
        row["value"] = _new_secret(call, token)
        row["full-tokenid"] = f"{params['userid']}!{params['tokenid']}"
    return row


@route("DELETE /access/users/{userid}/token/{tokenid}")
def delete_token(call: Call) -> object:
    _token(call)
    userid, name = call.params["userid"], call.params["tokenid"]
    del call.cluster.access.users[userid].tokens[name]
    acl = call.cluster.access.acl
    call.cluster.access.acl = [a for a in acl if a.who != f"{userid}!{name}"]
    return None


# -- groups --------------------------------------------------------------------------------------


def _members(call: Call, group: str) -> list[str]:
    return [user.userid for user in call.cluster.access.users.values() if group in user.groups]


@route("GET /access/groups")
def list_groups(call: Call) -> object:
    rows = []
    for name, comment in call.cluster.access.groups.items():
        row = {"groupid": name, "users": ",".join(_members(call, name))}
        if comment:
            row["comment"] = comment
        if call.may("/access/groups", "User.Modify", "Sys.Audit", "Group.Allocate", any_of=True):
            rows.append(row)
    return rows


@route("GET /access/groups/{groupid}")
def get_group(call: Call) -> object:
    name = call.params["groupid"]
    if name not in call.cluster.access.groups:
        raise failed(f"group '{name}' does not exist")
    row: dict[str, object] = {"members": _members(call, name)}
    if call.cluster.access.groups[name]:
        row["comment"] = call.cluster.access.groups[name]
    return row


@route("POST /access/groups")
def create_group(call: Call) -> object:
    name = call.params["groupid"]
    call.world.need_file_lock("create group failed", LOCK)
    if name in call.cluster.access.groups:
        raise failed(f"create group failed: group '{name}' already exists")
    call.cluster.access.groups[name] = call.params.get("comment", "")
    return None


@route("PUT /access/groups/{groupid}")
def update_group(call: Call) -> object:
    name = call.params["groupid"]
    if name not in call.cluster.access.groups:
        raise failed(f"update group failed: group '{name}' does not exist")
    call.cluster.access.groups[name] = call.params.get("comment", call.cluster.access.groups[name])
    return None


@route("DELETE /access/groups/{groupid}")
def delete_group(call: Call) -> object:
    name, access_ = call.params["groupid"], call.cluster.access
    if name not in access_.groups:
        raise failed(f"delete group failed: group '{name}' does not exist")
    del access_.groups[name]
    for user in access_.users.values():
        if name in user.groups:
            user.groups.remove(name)
    access_.acl = [a for a in access_.acl if not (a.kind == "group" and a.who == name)]
    return None


# -- roles ---------------------------------------------------------------------------------------


def _builtin(call: Call) -> dict[str, frozenset[str]]:
    return access.builtin_roles(call.cluster.release)


@route("GET /access/roles")
def list_roles(call: Call) -> object:
    rows: list[object] = [
        {"roleid": name, "privs": ",".join(sorted(privileges)), "special": 1}
        for name, privileges in _builtin(call).items()
    ]
    return rows + [
        {"roleid": name, "privs": ",".join(sorted(privileges)), "special": 0}
        for name, privileges in call.cluster.access.roles.items()
    ]


@route("GET /access/roles/{roleid}")
def get_role(call: Call) -> object:
    name = call.params["roleid"]
    if name not in _builtin(call) and name not in call.cluster.access.roles:
        raise failed(f"role '{name}' does not exist")
    return dict.fromkeys(sorted(access.role_privileges(call.cluster, name)), 1)


@route("POST /access/roles")
def create_role(call: Call) -> object:
    name = call.params["roleid"]
    if name.lower().startswith("pve"):
        raise invalid(
            {"roleid": "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"}
        )
    if name in call.cluster.access.roles or name in _builtin(call):
        raise failed(f"create role failed: role '{name}' already exists")
    call.cluster.access.roles[name] = call.params.items_of("privs")
    return None


@route("PUT /access/roles/{roleid}")
def update_role(call: Call) -> object:
    name, roles = call.params["roleid"], call.cluster.access.roles
    if name in _builtin(call):
        raise failed(f"auto-generated role '{name}' cannot be modified")
    if name not in roles:
        raise failed(f"update role failed: role '{name}' does not exist")
    old = roles[name] if call.params.flag("append") else []
    roles[name] = sorted({*old, *call.params.items_of("privs")})
    return None


@route("DELETE /access/roles/{roleid}")
def delete_role(call: Call) -> object:
    name = call.params["roleid"]
    if name in _builtin(call):
        raise failed(f"auto-generated role '{name}' cannot be deleted")
    if name not in call.cluster.access.roles:
        raise failed(f"delete role failed: role '{name}' does not exist")
    del call.cluster.access.roles[name]
    call.cluster.access.acl = [a for a in call.cluster.access.acl if a.role != name]
    return None


# -- ACLs ----------------------------------------------------------------------------------------


@route("GET /access/acl")
def list_acl(call: Call) -> object:
    auditor = call.may("/access", "Sys.Audit")
    return [
        {
            "path": entry.path,
            "type": entry.kind,
            "ugid": entry.who,
            "roleid": entry.role,
            "propagate": int(entry.propagate),
        }
        for entry in sorted(call.cluster.access.acl, key=lambda a: a.path)
        if auditor or call.may(entry.path, "Permissions.Modify")
    ]


@route("PUT /access/acl")
def change_acl(call: Call) -> object:
    params, access_ = call.params, call.cluster.access
    subjects = ("users", "groups", "tokens")
    if not any(name in params for name in subjects):
        text = "either 'users', 'groups' or 'tokens' is required."
        raise invalid(dict.fromkeys(subjects, text))
    path = "/" + params["path"].strip("/")
    if not ACL_PATHS.fullmatch(path):
        raise invalid({"path": f"invalid ACL path '{params['path']}'"})
    call.world.need_file_lock("ACL update failed", LOCK)
    removing, propagate = params.flag("delete"), params.flag("propagate", default=True)
    for role in params.items_of("roles"):
        _check_role(call, role, path)
        for kind in subjects:
            for who in params.items_of(kind):
                _check_subject(call, kind, who)
                entry = Acl(path, kind[:-1], who, role, propagate)
                access_.acl = [a for a in access_.acl if not _same(a, entry)]
                if not removing:
                    access_.acl.append(entry)
    return None


def _same(one: Acl, other: Acl) -> bool:
    return (one.path, one.kind, one.who, one.role) == (
        other.path,
        other.kind,
        other.who,
        other.role,
    )


def _check_role(call: Call, role: str, path: str) -> None:
    if role not in _builtin(call) and role not in call.cluster.access.roles:
        raise failed(f"ACL update failed: role '{role}' does not exist")
    if not call.may(path, "Permissions.Modify"):
        lacking = access.role_privileges(call.cluster, role) - access.privileges(
            call.cluster, call.user, path
        )
        if lacking:
            raise denied(f"{path}, {sorted(lacking)[0]}")


def _check_subject(call: Call, kind: str, who: str) -> None:
    access_ = call.cluster.access
    if kind == "users" and who not in access_.users:
        raise failed(f"ACL update failed: user '{who}' does not exist")
    if kind == "groups" and who not in access_.groups:
        raise failed(f"ACL update failed: group '{who}' does not exist")
    if kind == "tokens":
        user, _, token = who.partition("!")
        if user not in access_.users or token not in access_.users[user].tokens:
            raise failed(f"ACL update failed: no such token '{token}' for user '{user}'")


# -- realms and second factors -------------------------------------------------------------------


@route("GET /access/domains")
def list_realms(call: Call) -> object:
    rows = []
    for realm in call.cluster.access.realms.values():
        row = {"realm": realm.name, "type": realm.type}
        if "comment" in realm.options:
            row["comment"] = realm.options["comment"]
        rows.append(row)
    return rows


@route("POST /access/domains")
def create_realm(call: Call) -> object:
    name = call.params["realm"]
    if name in call.cluster.access.realms:
        raise failed(f"add auth server failed: domain '{name}' already exists")
    options = {k: v for k, v in call.params.items() if k not in ("realm", "type")}
    call.cluster.access.realms[name] = Realm(name, call.params["type"], options)
    return None


@route("GET /access/domains/{realm}")
def get_realm(call: Call) -> object:
    realm = call.cluster.access.realms.get(call.params["realm"])
    if realm is None:
        raise failed(f"domain '{call.params['realm']}' does not exist")
    return {"type": realm.type, **realm.options}


@route("DELETE /access/domains/{realm}")
def delete_realm(call: Call) -> object:
    name = call.params["realm"]
    if name not in call.cluster.access.realms:
        raise failed(f"delete auth server failed: domain '{name}' does not exist")
    if name not in ("pam", "pve"):
        del call.cluster.access.realms[name]
    return None


@route("GET /access/tfa")
def list_tfa(call: Call) -> object:
    return []
