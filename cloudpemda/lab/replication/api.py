"""Replication jobs over the API: made, marked for removal, asked for their state and log."""

import math
from typing import cast

from cloudpemda.lab.errors import found, invalid, refuse_if
from cloudpemda.lab.replication.daemon import replicated
from cloudpemda.lab.replication.engine import next_sync
from cloudpemda.lab.routes import Page, Row, route
from cloudpemda.lab.sections import File
from cloudpemda.lab.state import ReplicationJob, Section
from cloudpemda.lab.world import Call


def _gate(call: Call, verb: str) -> None:
    """PVE's words for a job that is not there, and who may change one."""
    if verb in ("read", "update", "delete"):
        what = "no such replication job" if verb == "read" else "no such job"
        refuse_if(call["id"] not in call.cluster.replication, f"{what} '{call['id']}'")
    path = f"/vms/{call.get('id').partition('-')[0]}"
    if verb == "read":
        call.require(path, "VM.Audit")
    elif verb != "index" and call.cluster.release == "8":
        call.require("/storage", "Datastore.Allocate")
    elif verb != "index":
        call.require(path, "VM.Replicate")


def _check(call: Call, section: Section, verb: str) -> None:
    job, jobs = cast(ReplicationJob, section), call.cluster.replication
    if job.options.get("disable") == "0":
        del job.options["disable"]
    if verb == "update":
        return
    vm = found(call.cluster.vms.get(job.guest), f"Guest '{job.guest}' does not exist.")
    refuse_if(job.target == vm.node, "Source and target must not be identical")
    refuse_if(job.target not in call.cluster.nodes, f"Target '{job.target}' does not exist.")
    refuse_if(not replicated(call.world, vm, strict=True), "No replicatable volumes found")
    refuse_if(
        any((other.guest, other.target) == (job.guest, job.target) for other in jobs.values()),
        f"replication job for guest '{job.guest}' to target '{job.target}' already exists",
    )


def _shown(call: Call, job: Section) -> Row:
    guest, _, number = job.name.partition("-")
    vm, rate = call.cluster.vms.get(int(guest)), job.options.get("rate")
    row: Row = {"guest": int(guest), "jobnum": int(number)}
    row |= {"source": vm.node} if vm else {}
    return row | ({"rate": float(rate)} if rate else {})


def _visible(call: Call, job: Section) -> bool:
    return call.may(f"/vms/{job.name.partition('-')[0]}", "VM.Audit")


JOBS = File(
    path="/cluster/replication", key="id", make=ReplicationJob,
    sections=lambda cluster: cluster.replication,
    taken="replication job '{}' already exists", gate=_gate, check=_check, show=_shown,
    visible=_visible, signed=("get",), lock="file-replication_cfg",
    elsewhere=("DELETE /cluster/replication/{id}",),
).serve()  # fmt: skip


@route("DELETE /cluster/replication/{id}")
def delete_job(call: Call) -> object:
    if call.flag("force") and call.flag("keep"):
        raise invalid({"keep": "conflicts with parameter 'force'"})
    JOBS.open(call, "delete")
    if call.flag("force"):
        del call.cluster.replication[call["id"]]
    else:
        job = call.cluster.replication[call["id"]]
        job.options["remove_job"] = "local" if call.flag("keep") else "full"
    return None


def _status(call: Call, job: ReplicationJob) -> Row:
    state, target = job.state, call.cluster.nodes.get(job.target)
    due = next_sync(job, online=not state.fail_count or (target is not None and target.online))
    row = JOBS.row(call, job) | {
        "vmtype": "qemu", "last_sync": int(state.last_sync), "last_try": int(state.last_try),
        "fail_count": state.fail_count, "next_sync": 0 if due == math.inf else int(due),
    }  # fmt: skip
    further = {"pid": state.pid, "duration": state.duration, "error": state.error}
    return row | {name: value for name, value in further.items() if value}


@route("GET /nodes/{node}/replication")
def node_jobs(call: Call) -> object:
    vms = call.cluster.vms
    return [
        _status(call, job)
        for job in call.cluster.replication.values()
        if job.guest in vms
        and vms[job.guest].node == call.node
        and call.whole("guest", job.guest) == job.guest
        and _visible(call, job)
    ]


@route("GET /nodes/{node}/replication/{id}/status")
def job_status(call: Call) -> object:
    _gate(call, "read")
    return _status(call, call.cluster.replication[call["id"]])


@route("GET /nodes/{node}/replication/{id}/log")
def job_log(call: Call) -> object:
    JOBS.find(call)
    never = ["unable to open file - No such file or directory"]
    lines = call.cluster.replication[call["id"]].state.log or never
    first, last = call.whole("start"), call.whole("start") + call.whole("limit", 50)
    rows = [{"n": number, "t": line} for number, line in enumerate(lines, 1)]
    return Page(rows[first:last], len(rows))


@route("POST /nodes/{node}/replication/{id}/schedule_now")
def schedule_now(call: Call) -> object:
    job = call.cluster.replication.get(call["id"])
    state = found(job, f"no such replication job '{call['id']}'").state
    _gate(call, "update")
    state.last_try = 0.0
    return ""
