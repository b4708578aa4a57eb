"""Who may ask a backup server, with which token; and what became of its tasks."""

from cloudpemda.lab import access
from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.pbs.routes import pbs_route
from cloudpemda.lab.routes import Page, Row
from cloudpemda.lab.state import Acl, Task, Token, User
from cloudpemda.lab.world import Call

# -- who -----------------------------------------------------------------------------------------


@pbs_route("GET /access/users")
def users(call: Call) -> object:
    keys = call.cluster.access.users
    audits = call.may("/access/users", "Sys.Audit")
    return [
        {"userid": user.userid, "enable": user.enable}
        for user in keys.values()
        if audits or user.userid == call.user.partition("!")[0]
    ]


@pbs_route("POST /access/users")
def make_user(call: Call) -> object:
    call.require("/access/users", "Permissions.Modify")
    userid, users = call["userid"], call.cluster.access.users
    refuse_if(userid in users, f"user '{userid}' already exists.")
    password = call.get("password")
    digest = access.secret_digest(password, userid) if password else ""
    users[userid] = User(userid, call.flag("enable", True), password=digest)
    return None


def _owner(call: Call) -> User:
    if call.user.partition("!")[0] != call["userid"]:
        call.require("/access/users", "Permissions.Modify")
    return found(call.cluster.access.users.get(call["userid"]), "no such user")


@pbs_route("GET /access/users/{userid}/token")
def tokens(call: Call) -> object:
    user = _owner(call)
    return [
        {"tokenid": f"{user.userid}!{name}", "token-name": name, "enable": True}
        for name in user.tokens
    ]


@pbs_route("POST /access/users/{userid}/token/{token-name}")
def make_token(call: Call) -> object:
    user, name = _owner(call), call["token-name"]
    full, secret = f"{user.userid}!{name}", call.world.new_uuid()
    refuse_if(name in user.tokens, f"token '{name}' for user '{user.userid}' already exists.")
    user.tokens[name] = Token(access.secret_digest(secret, full), True, call.whole("expire"))
    return {"tokenid": full, "value": secret}


@pbs_route("DELETE /access/users/{userid}/token/{token-name}")
def delete_token(call: Call) -> object:
    user, name = _owner(call), call["token-name"]
    refuse_if(name not in user.tokens, f"token '{name}' of user '{user.userid}' does not exist.")
    del user.tokens[name]
    return None


@pbs_route("GET /access/acl")
def acls(call: Call) -> object:
    call.require("/access/acl", "Sys.Audit")
    return [
        {"path": one.path, "ugid": one.who, "ugid_type": "user", "roleid": one.role,
         "propagate": one.propagate}
        for one in call.cluster.access.acl
        if call.get("path", one.path) == one.path
    ]  # fmt: skip


@pbs_route("PUT /access/acl")
def set_acl(call: Call) -> object:
    call.require("/access/acl", "Permissions.Modify")
    path, who, role = call["path"], call.get("auth-id"), call["role"]
    userid, _, token = who.partition("!")
    user = call.cluster.access.users.get(userid)
    refuse_if(user is None or (token and token not in user.tokens), f"no such user '{who}'")
    refuse_if(access.role_privileges(call.cluster, role) is None, f"no such role '{role}'")
    entries = call.cluster.access.acl
    entries[:] = [one for one in entries if (one.path, one.who, one.role) != (path, who, role)]
    if not call.flag("delete"):
        kind = "token" if token else "user"
        entries.append(Acl(path, kind, who, role, call.flag("propagate", True)))
    return None


# -- tasks ---------------------------------------------------------------------------------------


def _tasks(call: Call) -> list[Task]:
    audits = call.may("/system/tasks", "Sys.Audit")
    mine = call.user.partition("!")[0]
    return [one for one in reversed(call.cluster.tasks) if audits or one.user == mine]


def _task_row(task: Task) -> Row:
    user = f"{task.user}!{task.token}" if task.token else task.user
    return {"upid": task.upid, "node": task.node, "pid": task.pid, "pstart": task.pstart,
            "starttime": int(task.starttime), "user": user}  # fmt: skip


@pbs_route("GET /nodes/{node}/tasks")
def tasks(call: Call) -> object:
    rows: list[Row] = []
    for task in _tasks(call):
        ended = task.endtime is not None
        if call.flag("running") and ended:
            continue
        if call.flag("errors") and (not ended or task.status == "OK"):
            continue
        kind, store = call.get("typefilter"), call.get("store")
        since, until = call.whole("since"), call.whole("until", 2**40)
        if kind not in task.type or not since <= task.starttime <= until:
            continue
        if store and store not in task.id.split(":"):
            continue
        row = _task_row(task) | {"worker_type": task.type, "worker_id": task.id}
        rows.append(row | ({"endtime": int(task.endtime or 0), "status": task.status} if ended
                           else {}))  # fmt: skip
    first = call.whole("start")
    return Page(rows[first : first + (call.whole("limit", 50) or len(rows))], len(rows))


def _task(call: Call) -> Task:
    task = next((one for one in _tasks(call) if one.upid == call["upid"]), None)
    return found(task, "no such task")


@pbs_route("GET /nodes/{node}/tasks/{upid}/status")
def task_status(call: Call) -> object:
    task = _task(call)
    row = _task_row(task) | {"type": task.type, "id": task.id, "user": task.user}
    row |= {"tokenid": task.token} if task.token else {}
    if task.endtime is None:
        return row | {"status": "running"}
    return row | {"status": "stopped", "exitstatus": task.status, "endtime": int(task.endtime)}


@pbs_route("GET /nodes/{node}/tasks/{upid}/log")
def task_log(call: Call) -> object:
    task, first = _task(call), call.whole("start")
    rows = [{"n": number, "t": line} for number, line in enumerate(task.log, 1)]
    return Page(rows[first : first + call.whole("limit", 50)], len(rows))


@pbs_route("GET /nodes/{node}/time")
def node_time(call: Call) -> object:
    now = int(call.world.now() + call.here.clock_skew)
    return {"time": now, "localtime": now, "timezone": "UTC"}
