"""Starting and stopping, one guest or many, and talking to the guest inside.

For a VM under HA, start and stop only file a request with the manager. A guest that was made from
an image, by cloud-init, reacts: it shuts down when asked to, and its agent answers once it is up.
"""

import re
from collections.abc import Callable

from cloudpemda.lab.errors import failed, refuse_if
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.params import Params
from cloudpemda.lab.qemu.config import check_lock, check_skiplock, drives
from cloudpemda.lab.qemu.machine import (
    agent_enabled,
    check_startable,
    guest_alive,
    halt,
    locate,
    nics,
    pairs,
    run,
)
from cloudpemda.lab.routes import Handler, Row, route
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


def _start(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    vm = call.vm()
    check_startable(call.world, vm, skiplock=call.flag("skiplock"))
    if any(drive.cloudinit for drive in drives(vm.config).values()):
        task.log.append("generating cloud-init ISO")
    version = re.search(r"-(\d+)\.\d+$", call.get("machine"))
    if version and int(version[1]) > NEWEST_MACHINE:
        qemu = "10.0.13" if call.cluster.release != "8" else "10.0.2"
        raise failed(
            f"Installed QEMU version '{qemu}' is too old to run machine type "
            f"'{call['machine']}+pve0', please upgrade node '{call.node}'"
        )
    yield call.world.duration("start")
    run(call.world, call.vm())


def _stop(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    check_lock(locate(call), call)
    yield call.world.duration("stop")
    halt(call.world, locate(call))


def _shutdown(call: Call, task: Task) -> Work:
    yield config_lock(call.whole("vmid"))
    vm = locate(call)
    check_lock(vm, call)
    if vm.status == "stopped":
        yield call.world.duration("stop")
        return
    yield from _ask_guest(call, vm, task)
    halt(call.world, locate(call))


def _ask_guest(call: Call, vm: Vm, task: Task) -> Work:
    """The guest shuts itself down; one that does not is waited for, then killed or left alone."""
    if guest_alive(call.world, vm):
        yield call.world.duration("shutdown")
        return
    if agent_enabled(vm):
        text = f"QEMU Guest Agent is not running - VM {vm.vmid} qga command 'guest-ping' failed"
        task.log.append(f"{text} - got timeout")
    yield float(call.whole("timeout", SHUTDOWN_TIMEOUT))
    refuse_if(not call.flag("forceStop"), "VM quit/powerdown failed - got timeout")
    task.log.append("VM quit/powerdown failed - terminating now with SIGTERM")


def _reboot(call: Call, task: Task) -> Work:
    yield from _shutdown(call, task)
    yield call.world.duration("start")
    run(call.world, locate(call))


def _set_status(status: str) -> Callable[[Call, Task], Work]:
    def work(call: Call, task: Task) -> Work:
        yield config_lock(call.whole("vmid"))
        check_lock(locate(call), call)
        yield call.world.duration("default")
        vm = locate(call)
        vm.status = status or vm.status

    return work


def _asked(verb: str, work: Callable[[Call, Task], Work]) -> Handler:
    """Of any VM; HA is asked instead where it has a say."""

    def handler(call: Call) -> object:
        check_skiplock(call)
        if verb == "start":
            call.world.need_quorum()
        if managed(call.world, call.whole("vmid")) and not call.flag("skiplock"):
            return ha.request(call, *(("start", "started") if verb == "start" else HA_STOP))
        vm = call.cluster.vms.get(call.whole("vmid"))
        paused = verb == "shutdown" and vm is not None and vm.status == "paused"
        refuse_if(paused and not call.flag("forceStop"), "VM is paused - cannot shutdown")
        return call.start(f"qm{verb}", call["vmid"], lambda task: work(call, task))

    return handler


def _of_running(kind: str, work: Callable[[Call, Task], Work]) -> Handler:
    def handler(call: Call) -> object:
        check_skiplock(call)
        vm = call.vm()
        refuse_if(vm.status == "stopped", f"VM {vm.vmid} not running")
        return call.start(kind, vm.vmid, lambda task: work(call, task))

    return handler


HA_STOP = ("stop", "stopped")
POWER = {
    "start": _asked("start", _start),
    "stop": _asked("stop", _stop),
    "shutdown": _asked("shutdown", _shutdown),
    "reboot": _of_running("qmreboot", _reboot),
    "reset": _of_running("qmreset", _set_status("")),
    "suspend": _of_running("qmpause", _set_status("paused")),
    "resume": _of_running("qmresume", _set_status("running")),
}
for _verb, _handler in POWER.items():
    route(f"POST {VM}/status/{_verb}")(_handler)


# -- many at once --------------------------------------------------------------------------------


def _chosen(call: Call, node: str | None) -> list[Vm]:
    """The guests that are named, or all; in the order of their ids."""
    named = call.items_of("vms")
    return [
        vm
        for vmid, vm in sorted(call.cluster.vms.items())
        if (not named or str(vmid) in named) and node in (None, vm.node) and not vm.template
    ]


def _run_all(call: Call, guests: list[Vm], kind: str, task: Task) -> Work:
    """One guest after the other; one that is as wanted already is skipped with a warning."""
    for vm in guests:
        running = vm.status != "stopped"
        if running == (kind == "start"):
            state = "already" if running else "not"
            task.log.append(f"WARN: Skipping VM {vm.vmid}, {state} running.")
            continue
        params = Params({"timeout": "180", **call.params, "vmid": str(vm.vmid), "forceStop": "1"})
        own = Call(call.world, vm.node, call.user, params)
        yield from (_start if kind == "start" else _shutdown)(own, task)


def _bulk(kind: str, words: str) -> Handler:
    """In the cluster (9): one task for all of them."""

    def handler(call: Call) -> object:
        guests = [vm for vm in _chosen(call, None) if call.may(f"/vms/{vm.vmid}", "VM.PowerMgmt")]

        def work(task: Task) -> Work:
            task.log.append(f"{words} guests: {', '.join(str(vm.vmid) for vm in guests)}")
            yield from _run_all(call, guests, kind, task)

        return call.start(f"bulk-{kind}", "", work)

    return handler


def _on_node(kind: str, verb: str) -> Handler:
    """On a node: `startall` takes those that start with it, unless `force` means every one."""

    def handler(call: Call) -> object:
        seconds = f" (timeout = {call.get('timeout', '180')} seconds)" * (kind == "shutdown")
        every = kind == "shutdown" or call.flag("force")

        def work(task: Task) -> Work:
            for vm in _chosen(call, call.node):
                wanted = every or vm.config.get("onboot") == "1"
                if wanted and (vm.status != "stopped") != (kind == "start"):
                    task.log.append(f"{verb} VM {vm.vmid}{seconds}")
                    yield from _run_all(call, [vm], kind, task)

        return call.start(f"{kind.replace('shutdown', 'stop')}all", "", work)

    return handler


route("POST /cluster/bulk-action/guest/start")(_bulk("start", "Starting"))
route("POST /cluster/bulk-action/guest/shutdown")(_bulk("shutdown", "Shutting down"))
route("POST /nodes/{node}/startall")(_on_node("start", "Starting"))
route("POST /nodes/{node}/stopall")(_on_node("shutdown", "Stopping"))


# -- the guest agent, and the monitor ------------------------------------------------------------


def _interfaces(call: Call, vm: Vm) -> list[Row]:
    """What cloud-init made of the NICs when the guest last read its CD."""
    local = {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}
    zero = "00:00:00:00:00:00"
    rows: list[Row] = [{"name": "lo", "hardware-address": zero, "ip-addresses": [local]}]
    for nic in nics(vm.config):
        address = pairs(vm.cloudinit.get(f"ipconfig{nic.number}", "")).get("ip", "")
        own: list[Row] = []
        if "/" in address and "bridge" in nic.options:
            ip, _, prefix = address.partition("/")
            own = [{"ip-address": ip, "ip-address-type": "ipv4", "prefix": int(prefix)}]
        name = f"eth{nic.number}"
        rows.append({"name": name, "hardware-address": nic.mac, "ip-addresses": own})
    return rows


def _no_exec(call: Call, vm: Vm) -> object:
    raise failed("Agent error: Command guest-exec has been disabled")


ANSWERS: dict[str, Callable[[Call, Vm], object]] = {
    "POST ping": lambda call, vm: {},
    "POST fstrim": lambda call, vm: {"paths": []},
    "POST exec": _no_exec,
    "GET network-get-interfaces": _interfaces,
    "GET get-host-name": lambda call, vm: {"host-name": vm.cloudinit.get("name", "localhost")},
    "GET get-osinfo": lambda call, vm: {
        "id": "debian", "name": "Debian GNU/Linux", "version-id": "12",
    },
    "GET get-time": lambda call, vm: int(call.world.now() * 1e9),
    "GET get-users": lambda call, vm: [],
    "GET info": lambda call, vm: {"version": "7.2.0", "supported_commands": []},
}  # fmt: skip


def _agent(answer: Callable[[Call, Vm], object]) -> Handler:
    def handler(call: Call) -> object:
        vm = call.vm()
        refuse_if("agent" not in vm.config, "No QEMU guest agent configured")
        refuse_if(vm.status == "stopped", f"VM {vm.vmid} is not running")
        up = call.world.now() - vm.started >= BOOT_SECONDS
        answers = agent_enabled(vm) and guest_alive(call.world, vm) and up
        refuse_if(not answers, "QEMU guest agent is not running")
        return {"result": answer(call, vm)}

    return handler


for _command, _answer in ANSWERS.items():
    _method, _, _name = _command.partition(" ")
    route(f"{_method} {VM}/agent/{_name}")(_agent(_answer))


@route(f"POST {VM}/monitor")
def monitor(call: Call) -> object:
    """QEMU's own prompt: looking is free, anything else needs more."""
    vm, command = call.vm(), call["command"].split()
    if command[:1] != ["info"]:
        call.require("/", "Sys.Modify")
    if vm.status == "stopped":
        return f"ERROR: VM {vm.vmid} not running\n"
    if command == ["info", "status"]:
        return f"VM status: {vm.status}\r\n"
    if command == ["info", "name"]:
        return f"{vm.name}\r\n"
    return f"unknown command: '{' '.join(command)}'\r\n"
