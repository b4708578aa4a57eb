"""Tasks over the API: lists, status, logs, stopping one."""

import re
from collections import Counter

from cloudpemda.lab.errors import invalid
from cloudpemda.lab.routes import Page, Row, Text, route
from cloudpemda.lab.state import Task
from cloudpemda.lab.work import VANISHED
from cloudpemda.lab.world import Call

UPID = re.compile(r"UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]*:[^:\s]*:[^:\s]+:")
CLUSTER_LIST = 25


def _row(task: Task) -> Row:
    row: Row = {"upid": task.upid, "node": task.node, "pid": task.pid, "pstart": task.pstart}
    row |= {"starttime": int(task.starttime), "type": task.type, "id": task.id, "user": task.user}
    return row | ({"tokenid": task.token} if task.token else {})


def _own(call: Call, task: Task) -> bool:
    return call.user == (f"{task.user}!{task.token}" if task.token else task.user)


def _found(call: Call) -> Task | None:
    if not UPID.fullmatch(call["upid"]):
        raise invalid({"upid": "unable to parse worker upid"})
    task = call.world.tasks.find(call["upid"])
    if task is None or task.node != call.node:
        return None
    if not _own(call, task):
        call.require(f"/nodes/{call.node}", "Sys.Audit")
    return task


def _known(call: Call) -> Task:
    task = _found(call)
    if task is None:
        raise invalid({"upid": "no such task"})
    return task


def _outcome(task: Task) -> str:
    """Of a task that has ended, by its status, as filters name it."""
    kind = "warning" if task.status.startswith("WARNINGS") else "error"
    return {"OK": "ok", VANISHED: "unknown"}.get(task.status, kind)


def _wanted(call: Call, task: Task) -> bool:
    outcomes = call.items_of("statusfilter") or [_outcome(task)]
    return (
        call.get("source", "archive") in ("all", "archive" if task.endtime else "active")
        and not (call.flag("errors") and _outcome(task) == "ok")
        and call.get("vmid", task.id) == task.id
        and call.get("typefilter", task.type) == task.type
        and call.get("userfilter") in task.user
        and call.whole("since") <= task.starttime
        and task.starttime <= call.whole("until", int(task.starttime) + 1)
        and _outcome(task) in outcomes
    )


@route("GET /nodes/{node}/tasks")
def node_tasks(call: Call) -> Page:
    every = call.may(f"/nodes/{call.node}", "Sys.Audit")
    rows = []
    for task in reversed(call.cluster.tasks):
        if task.node == call.node and (every or _own(call, task)) and _wanted(call, task):
            running: Row = {"status": "RUNNING", "saved": "0"}
            ended: Row = {"status": task.status, "endtime": int(task.endtime or 0)}
            rows.append(_row(task) | (ended if task.endtime else running))
    start = call.whole("start")
    return Page(rows[start : start + call.whole("limit", 50)], len(rows))


@route("GET /cluster/tasks")
def cluster_tasks(call: Call) -> list[Row]:
    """All that run, and each node's latest that have ended."""
    rows, ended = [], Counter[str]()
    every = {node for node in call.cluster.nodes if call.may(f"/nodes/{node}", "Sys.Audit")}
    for task in reversed(call.cluster.tasks):
        ended[task.node] += task.endtime is not None
        latest = task.endtime is None or ended[task.node] <= CLUSTER_LIST
        if latest and (task.node in every or _own(call, task)):
            row = _row(task)
            del row["pid"], row["pstart"]
            if task.endtime is not None:
                row |= {"status": task.status, "endtime": int(task.endtime), "saved": "1"}
            rows.append(row)
    return rows


@route("GET /nodes/{node}/tasks/{upid}")
def task_index(call: Call) -> list[Row]:
    return [{"name": "log"}, {"name": "status"}]


@route("GET /nodes/{node}/tasks/{upid}/status")
def task_status(call: Call) -> Row:
    task = _known(call)
    if task.endtime is None:
        return _row(task) | {"status": "running"}
    return _row(task) | {"status": "stopped", "exitstatus": task.status}


@route("GET /nodes/{node}/tasks/{upid}/log")
def task_log(call: Call) -> object:
    task = _found(call)
    if task is None:
        row: Row = {"n": 1, "t": "unable to open file - No such file or directory"}
        return Page([row] if call.cluster.release != "8" else row, 1)
    if call.flag("download"):
        return Text("\n".join(task.log) + "\n")
    lines = task.log or ["no content"]
    start, limit = call.whole("start"), call.whole("limit", 50) or len(lines)
    shown = enumerate(lines[start : start + limit], start + 1)
    return Page([{"n": number, "t": line} for number, line in shown], len(lines))


@route("DELETE /nodes/{node}/tasks/{upid}")
def stop_task(call: Call) -> None:
    call.world.tasks.stop(_known(call).upid)
