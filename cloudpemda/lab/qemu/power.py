"""Starting and stopping, one guest or many, and talking to the guest inside.

For a VM under HA, start and stop only file a request with the manager. A guest that was made from
an image, by cloud-init, reacts: it shuts down when asked to, and its agent answers once it is up.
"""

import re
from collections.abc import Callable
from functools import partial

from cloudpemda.lab.errors import failed, refuse_if
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.params import Params
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.qemu.config import check_lock, check_skiplock, drives, properties
from cloudpemda.lab.qemu.machine import locate
from cloudpemda.lab.routes import Row, route, task
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

VM = "/nodes/{node}/qemu/{vmid}"
SHUTDOWN_TIMEOUT = 60
BOOT_SECONDS = 5.0
NEWEST_MACHINE = 10


def managed(world: World, vmid: int) -> bool:
    """Whether HA decides where the VM is, and whether it runs."""
    resource = world.cluster.ha_resources.get(f"vm:{vmid}")
    return resource is not None and resource.options.get("state") != "ignored"


def _ask_ha(verb: str, call: Call) -> object:
    check_skiplock(call)
    if verb == "start":
        call.world.need_quorum()
    asked = managed(call.world, call.whole("vmid")) and not call.flag("skiplock")
    return ha.request(call, verb, "started" if verb == "start" else "stopped") if asked else None


def _may_shut_down(call: Call) -> object:
    vm = call.cluster.vms.get(call.whole("vmid"))
    paused = vm is not None and vm.status == "paused" and not call.flag("forceStop")
    refuse_if(paused, "VM is paused - cannot shutdown")
    return _ask_ha("stop", call)


def _runs(call: Call) -> None:
    check_skiplock(call)
    refuse_if(call.vm().status == "stopped", f"VM {call['vmid']} not running")


@task(f"POST {VM}/status/start", "qmstart", partial(_ask_ha, "start"))
def start(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    vm = call.vm()
    machine.check_startable(call.world, vm, skiplock=call.flag("skiplock"))
    if any(drive.cloudinit for drive in drives(vm.config).values()):
        task.log.append("generating cloud-init ISO")
    version = re.search(r"-(\d+)\.\d+$", call.get("machine"))
    qemu = "10.0.13" if call.cluster.release != "8" else "10.0.2"
    old = f"Installed QEMU version '{qemu}' is too old to run machine type '{call.get('machine')}"
    too_old = version and int(version[1]) > NEWEST_MACHINE
    refuse_if(too_old, f"{old}+pve0', please upgrade node '{call.node}'")
    yield call.world.duration("start")
    machine.run(call.world, call.vm())


@task(f"POST {VM}/status/stop", "qmstop", partial(_ask_ha, "stop"))
def stop(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    check_lock(locate(call), call)
    yield call.world.duration("stop")
    machine.halt(call.world, locate(call))


@task(f"POST {VM}/status/shutdown", "qmshutdown", _may_shut_down)
def shutdown(call: Call, task: Task) -> Work:
    """The guest shuts itself down; one that does not is waited for, then killed or left alone."""
    yield config_lock(call.whole("vmid"))
    vm = locate(call)
    check_lock(vm, call)
    if vm.status == "stopped":
        yield call.world.duration("stop")
        return
    if machine.guest_alive(call.world, vm):
        yield call.world.duration("shutdown")
    else:
        if machine.agent_enabled(vm):
            text = f"QEMU Guest Agent is not running - VM {vm.vmid} qga command 'guest-ping' failed"
            task.log.append(f"{text} - got timeout")
        yield float(call.whole("timeout", SHUTDOWN_TIMEOUT))
        refuse_if(not call.flag("forceStop"), "VM quit/powerdown failed - got timeout")
        task.log.append("VM quit/powerdown failed - terminating now with SIGTERM")
    machine.halt(call.world, locate(call))


@task(f"POST {VM}/status/reboot", "qmreboot", _runs)
def reboot(call: Call, task: Task) -> Work:
    yield from shutdown(call, task)
    yield call.world.duration("start")
    machine.run(call.world, locate(call))


def _turn(status: str, call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    check_lock(locate(call), call)
    yield call.world.duration("default")
    vm = locate(call)
    vm.status = status or vm.status


for _verb, _kind, _status in (
    ("reset", "qmreset", ""), ("suspend", "qmpause", "paused"), ("resume", "qmresume", "running"),
):  # fmt: skip
    task(f"POST {VM}/status/{_verb}", _kind, _runs)(partial(_turn, _status))


# -- many at once --------------------------------------------------------------------------------


def chosen(call: Call, node: str | None) -> list[Vm]:
    """The guests that are named, or all; in the order of their ids."""
    named = call.items_of("vms")
    return [
        vm
        for vmid, vm in sorted(call.cluster.vms.items())
        if (not named or str(vmid) in named) and node in (None, vm.node) and not vm.template
    ]


def _one(call: Call, vm: Vm, kind: str, task: Task) -> Work:
    params = Params({"timeout": "180", **call.params, "vmid": str(vm.vmid), "forceStop": "1"})
    own = Call(call.world, vm.node, call.user, params)
    yield from (start if kind == "start" else shutdown)(own, task)


def _bulk(kind: str, words: str, call: Call) -> object:
    """In the cluster (9); one that is as wanted already is skipped with a warning."""
    guests = [vm for vm in chosen(call, None) if call.may(f"/vms/{vm.vmid}", "VM.PowerMgmt")]

    def work(task: Task) -> Work:
        task.log.append(f"{words} guests: {', '.join(str(vm.vmid) for vm in guests)}")
        for vm in guests:
            running = vm.status != "stopped"
            if running != (kind == "start"):
                yield from _one(call, vm, kind, task)
            else:
                state = "already" if running else "not"
                task.log.append(f"WARN: Skipping VM {vm.vmid}, {state} running.")

    return call.start(f"bulk-{kind}", "", work)


def _all(kind: str, words: str, call: Call) -> object:
    """On a node: `startall` takes those that start with it, unless `force` means every one."""
    every = kind == "shutdown" or call.flag("force")
    after = f" (timeout = {call.get('timeout', '180')} seconds)" if kind == "shutdown" else ""

    def work(task: Task) -> Work:
        for vm in chosen(call, call.node):
            wanted = every or vm.config.get("onboot") == "1"
            if wanted and (vm.status != "stopped") != (kind == "start"):
                task.log.append(f"{words} VM {vm.vmid}{after}")
                yield from _one(call, vm, kind, task)

    return call.start("startall" if kind == "start" else "stopall", "", work)


route("POST /cluster/bulk-action/guest/start")(partial(_bulk, "start", "Starting"))
route("POST /cluster/bulk-action/guest/shutdown")(partial(_bulk, "shutdown", "Shutting down"))
route("POST /nodes/{node}/startall")(partial(_all, "start", "Starting"))
route("POST /nodes/{node}/stopall")(partial(_all, "shutdown", "Stopping"))


# -- the guest agent, and the monitor ------------------------------------------------------------


def _interfaces(call: Call, vm: Vm) -> list[Row]:
    """What cloud-init made of the NICs when the guest last read its CD."""
    local = {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}
    none = "00:00:00:00:00:00"
    rows: list[Row] = [{"name": "lo", "hardware-address": none, "ip-addresses": [local]}]
    for number, nic in machine.nics(vm.config).items():
        address = properties(vm.cloudinit.get(f"ipconfig{number}", "")).get("ip", "")
        ip, _, prefix = address.partition("/")
        own = {"ip-address": ip, "ip-address-type": "ipv4", "prefix": int(prefix or 0)}
        up = prefix and "bridge" in nic
        row: Row = {"name": f"eth{number}", "hardware-address": nic["mac"]}
        rows.append(row | {"ip-addresses": [own] if up else []})
    return rows


def _no_exec(call: Call, vm: Vm) -> object:
    raise failed("Agent error: Command guest-exec has been disabled")


SYSTEM = {"id": "debian", "name": "Debian GNU/Linux", "version-id": "12"}
ANSWERS: dict[str, Callable[[Call, Vm], object]] = {
    "POST ping": lambda call, vm: {},
    "POST exec": _no_exec,
    "GET info": lambda call, vm: {"version": "7.2.0", "supported_commands": []},
    "GET get-osinfo": lambda call, vm: SYSTEM,
    "GET get-host-name": lambda call, vm: {"host-name": vm.cloudinit.get("name", "localhost")},
    "GET network-get-interfaces": _interfaces,
}


def _agent(answer: Callable[[Call, Vm], object], call: Call) -> object:
    vm = call.vm()
    refuse_if("agent" not in vm.config, "No QEMU guest agent configured")
    refuse_if(vm.status == "stopped", f"VM {vm.vmid} is not running")
    up = call.world.now() - vm.started >= BOOT_SECONDS and machine.guest_alive(call.world, vm)
    refuse_if(not (up and machine.agent_enabled(vm)), "QEMU guest agent is not running")
    return {"result": answer(call, vm)}


for _command, _answer in ANSWERS.items():
    _method, _, _name = _command.partition(" ")
    route(f"{_method} {VM}/agent/{_name}")(partial(_agent, _answer))


@route(f"POST {VM}/monitor")
def monitor(call: Call) -> object:
    """QEMU's own prompt: looking is free, anything else needs more."""
    vm, command = call.vm(), " ".join(call["command"].split())
    if not command.startswith("info"):
        call.require("/", "Sys.Modify")
    if vm.status == "stopped":
        return f"ERROR: VM {vm.vmid} not running\n"
    answers = {"info status": f"VM status: {vm.status}", "info name": vm.name}
    return answers.get(command, f"unknown command: '{command}'") + "\r\n"
