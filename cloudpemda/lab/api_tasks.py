"""Tasks over the API: lists, status, logs, stopping one."""

import re
from collections import Counter

from cloudpemda.lab.errors import invalid
from cloudpemda.lab.routes import Page, Text, route
from cloudpemda.lab.state import Task
from cloudpemda.lab.world import Call

UPID = re.compile(r"UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]*:[^:\s]*:[^:\s]+:")
CLUSTER_LIST = 25


def _row(task: Task) -> dict[str, object]:
    row: dict[str, object] = {
        "upid": task.upid,
        "node": task.node,
        "pid": task.pid,
        "pstart": task.pstart,
        "starttime": int(task.starttime),
        "type": task.type,
        "id": task.id,
        "user": task.user,
    }
    if task.token:
        row["tokenid"] = task.token
    return row


def _owner(task: Task) -> str:
    return f"{task.user}!{task.token}" if task.token else task.user


def _visible(call: Call, task: Task) -> bool:
    return call.user == _owner(task) or call.may(f"/nodes/{task.node}", "Sys.Audit")


def _task(call: Call) -> Task | None:
    upid = call.params["upid"]
    if not UPID.fullmatch(upid):
        raise invalid({"upid": "unable to parse worker upid"})
    task = call.world.tasks.find(upid)
    return task if task and task.node == call.node else None


def _known(call: Call) -> Task:
    task = _task(call)
    if task is None:
        raise invalid({"upid": "no such task"})
    if call.user != _owner(task):
        call.require(f"/nodes/{call.node}", "Sys.Audit")
    return task


@route("GET /nodes/{node}/tasks")
def node_tasks(call: Call) -> object:
    params = call.params
    source = params.get("source", "archive")
    found = []
    for task in reversed(call.cluster.tasks):
        if task.node != call.node or not _visible(call, task):
            continue
        active = task.endtime is None
        if (source == "archive" and active) or (source == "active" and not active):
            continue
        if _filtered(task, call):
            continue
        row = _row(task)
        if active:
            row |= {"status": "RUNNING", "saved": "0"}
        else:
            row |= {"status": task.status, "endtime": int(task.endtime or 0)}
        found.append(row)
    start, limit = params.whole("start"), params.whole("limit", 50)
    return Page(found[start : start + limit], len(found))


def _filtered(task: Task, call: Call) -> bool:
    """Whether a list leaves the task out."""
    params = call.params
    kind = _status_kind(task.status)
    wanted = params.items_of("statusfilter")
    return bool(
        (params.flag("errors") and kind == "ok")
        or ("vmid" in params and task.id != params["vmid"])
        or ("typefilter" in params and task.type != params["typefilter"])
        or ("userfilter" in params and params["userfilter"] not in task.user)
        or ("since" in params and task.starttime < params.whole("since"))
        or ("until" in params and task.starttime > params.whole("until"))
        or (wanted and kind not in wanted)
    )


def _status_kind(status: str) -> str:
    if status == "OK":
        return "ok"
    if status.startswith("WARNINGS"):
        return "warning"
    return "unknown" if status == "unexpected status" else "error"


@route("GET /cluster/tasks")
def cluster_tasks(call: Call) -> object:
    """All that run, and each node's latest that have ended."""
    rows = []
    ended: Counter[str] = Counter()
    for task in reversed(call.cluster.tasks):
        ended[task.node] += task.endtime is not None
        beyond = task.endtime is not None and ended[task.node] > CLUSTER_LIST
        if beyond or not _visible(call, task):
            continue
        row = _row(task)
        del row["pid"], row["pstart"]
        if task.endtime is not None:
            row |= {"status": task.status, "endtime": int(task.endtime), "saved": "1"}
        rows.append(row)
    return rows


@route("GET /nodes/{node}/tasks/{upid}")
def task_index(call: Call) -> object:
    return [{"name": "log"}, {"name": "status"}]


@route("GET /nodes/{node}/tasks/{upid}/status")
def task_status(call: Call) -> object:
    task = _known(call)
    row = _row(task)
    if task.endtime is None:
        return {**row, "status": "running"}
    return {**row, "status": "stopped", "exitstatus": task.status}


@route("GET /nodes/{node}/tasks/{upid}/log")
def task_log(call: Call) -> object:
    task = _task(call)
    if task is None:
        row: dict[str, object] = {"n": 1, "t": "unable to open file - No such file or directory"}
        return Page([row] if call.cluster.release != "8" else row, 1)
    _known(call)
    if call.params.flag("download"):
        return Text("\n".join(task.log) + "\n")
    lines = task.log or ["no content"]
    start = call.params.whole("start")
    limit = call.params.whole("limit", 50) or len(lines)
    rows = [{"n": start + i + 1, "t": line} for i, line in enumerate(lines[start : start + limit])]
    return Page(rows, len(lines))


@route("DELETE /nodes/{node}/tasks/{upid}")
def stop_task(call: Call) -> object:
    task = _known(call)
    call.world.tasks.stop(task.upid)
    return None
