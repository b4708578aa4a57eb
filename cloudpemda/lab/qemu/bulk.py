"""Many guests at once: on a node (`startall`, `stopall`), in the cluster (bulk actions, 9)."""

from cloudpemda.lab.params import Params
from cloudpemda.lab.qemu import power
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call


def _chosen(call: Call, node: str | None) -> list[Vm]:
    """The guests that are named, or all; in the order of their ids."""
    named = call.params.items_of("vms")
    return [
        vm
        for vmid, vm in sorted(call.cluster.vms.items())
        if (not named or str(vmid) in named) and node in (None, vm.node) and not vm.template
    ]


def _run(call: Call, guests: list[Vm], kind: str, task: Task) -> Work:
    """One guest after the other; one that is as wanted already is skipped with a warning."""
    for vm in guests:
        running = vm.status != "stopped"
        if running == (kind == "start"):
            state = "already" if running else "not"
            task.log.append(f"WARN: Skipping VM {vm.vmid}, {state} running.")
            continue
        params = Params({"timeout": "180", **call.params, "vmid": str(vm.vmid), "forceStop": "1"})
        own = Call(call.world, vm.node, call.user, params)
        yield from (power.start_work if kind == "start" else power.shutdown_work)(own, task)


@route("POST /cluster/bulk-action/guest/start")
def bulk_start(call: Call) -> object:
    return _bulk(call, "start", "Starting")


@route("POST /cluster/bulk-action/guest/shutdown")
def bulk_shutdown(call: Call) -> object:
    return _bulk(call, "shutdown", "Shutting down")


def _bulk(call: Call, kind: str, words: str) -> str:
    guests = [vm for vm in _chosen(call, None) if call.may(f"/vms/{vm.vmid}", "VM.PowerMgmt")]

    def work(task: Task) -> Work:
        task.log.append(f"{words} guests: {', '.join(str(vm.vmid) for vm in guests)}")
        yield from _run(call, guests, kind, task)

    return call.start(f"bulk-{kind}", "", work)


@route("POST /nodes/{node}/startall")
def start_all(call: Call) -> object:
    return _all(call, "start", "Starting VM {}")


@route("POST /nodes/{node}/stopall")
def stop_all(call: Call) -> object:
    return _all(
        call, "shutdown", f"Stopping VM {{}} (timeout = {call.params.get('timeout', 180)} seconds)"
    )


def _all(call: Call, kind: str, text: str) -> str:
    def work(task: Task) -> Work:
        for vm in _chosen(call, call.node):
            if (vm.status != "stopped") != (kind == "start"):
                task.log.append(text.format(vm.vmid))
                yield from _run(call, [vm], kind, task)

    return call.start(f"{kind.replace('shutdown', 'stop')}all", "", work)
