"""Starting and stopping. For a VM under HA, start and stop only file a request with the manager."""

import re
from collections.abc import Callable

from cloudpemda.lab.errors import failed
from cloudpemda.lab.ha import manager as ha
from cloudpemda.lab.qemu.config import check_lock, check_skiplock, drives
from cloudpemda.lab.qemu.lookup import locate
from cloudpemda.lab.qemu.machine import agent_enabled, check_startable, guest_alive, halt, run
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call

SHUTDOWN_TIMEOUT = 60


def _managed(call: Call) -> bool:
    return f"vm:{call.params['vmid']}" in call.cluster.ha_resources


@route("POST /nodes/{node}/qemu/{vmid}/status/start")
def start(call: Call) -> object:
    check_skiplock(call)
    call.world.need_quorum()
    if _managed(call) and not call.params.flag("skiplock"):
        return ha.request(call, "start", "started")
    return call.start("qmstart", call.params["vmid"], lambda task: start_work(call, task))


def start_work(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm = call.vm()
    check_startable(call.world, vm, skiplock=call.params.flag("skiplock"))
    if any(drive.cloudinit for drive in drives(vm.config).values()):
        task.log.append("generating cloud-init ISO")
    _check_machine(call)
    yield call.world.duration("start")
    run(call.world, call.vm())


def _check_machine(call: Call) -> None:
    machine = call.params.get("machine", "")
    found = re.search(r"-(\d+)\.\d+$", machine)
    if found and int(found[1]) > 10:
        qemu = "10.0.13" if call.cluster.release != "8" else "10.0.2"
        raise failed(
            f"Installed QEMU version '{qemu}' is too old to run machine type '{machine}+pve0', "
            f"please upgrade node '{call.node}'"
        )


@route("POST /nodes/{node}/qemu/{vmid}/status/stop")
def stop(call: Call) -> object:
    check_skiplock(call)
    if _managed(call) and not call.params.flag("skiplock"):
        return ha.request(call, "stop", "stopped")
    return call.start("qmstop", call.params["vmid"], lambda task: _stop(call, task))


def _stop(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm = locate(call)
    if not call.params.flag("skiplock"):
        check_lock(vm)
    yield call.world.duration("stop")
    halt(call.world, locate(call))


@route("POST /nodes/{node}/qemu/{vmid}/status/shutdown")
def shutdown(call: Call) -> object:
    check_skiplock(call)
    if _managed(call) and not call.params.flag("skiplock"):
        return ha.request(call, "stop", "stopped")
    return call.start("qmshutdown", call.params["vmid"], lambda task: shutdown_work(call, task))


def shutdown_work(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm = locate(call)
    check_lock(vm, call)
    if vm.status == "stopped":
        yield call.world.duration("stop")
        return
    if guest_alive(call.world, vm):
        yield call.world.duration("shutdown")
        halt(call.world, vm)
        return
    _log_no_agent(vm, task)
    yield float(call.params.whole("timeout", SHUTDOWN_TIMEOUT))
    if not call.params.flag("forceStop"):
        raise failed("VM quit/powerdown failed - got timeout")
    task.log.append("VM quit/powerdown failed - terminating now with SIGTERM")
    halt(call.world, locate(call))


def _log_no_agent(vm: Vm, task: Task) -> None:
    if agent_enabled(vm):
        task.log.append(
            f"QEMU Guest Agent is not running - VM {vm.vmid} qga command 'guest-ping' failed"
            " - got timeout"
        )


@route("POST /nodes/{node}/qemu/{vmid}/status/reboot")
def reboot(call: Call) -> object:
    vm = call.vm()
    if vm.status == "stopped":
        raise failed(f"VM {vm.vmid} not running")
    return call.start("qmreboot", vm.vmid, lambda task: _reboot(call, task))


def _reboot(call: Call, task: Task) -> Work:
    yield config_lock(call.params.whole("vmid"))
    vm = locate(call)
    if not guest_alive(call.world, vm):
        _log_no_agent(vm, task)
        yield float(call.params.whole("timeout", SHUTDOWN_TIMEOUT))
        raise failed("VM quit/powerdown failed - got timeout")
    yield call.world.duration("shutdown")
    halt(call.world, vm)
    yield call.world.duration("start")
    run(call.world, vm)


def _on_running(call: Call, kind: str, change: Callable[[Vm], None]) -> str:
    check_skiplock(call)
    vm = call.vm()
    if vm.status == "stopped":
        raise failed(f"VM {vm.vmid} not running")

    def work(task: Task) -> Work:
        yield config_lock(vm.vmid)
        check_lock(locate(call), call)
        yield call.world.duration("default")
        change(locate(call))

    return call.start(kind, vm.vmid, work)


@route("POST /nodes/{node}/qemu/{vmid}/status/reset")
def reset(call: Call) -> object:
    return _on_running(call, "qmreset", lambda vm: None)


@route("POST /nodes/{node}/qemu/{vmid}/status/suspend")
def suspend(call: Call) -> object:
    def pause(vm: Vm) -> None:
        vm.status = "paused"

    return _on_running(call, "qmpause", pause)


@route("POST /nodes/{node}/qemu/{vmid}/status/resume")
def resume(call: Call) -> object:
    def go_on(vm: Vm) -> None:
        vm.status = "running"

    return _on_running(call, "qmresume", go_on)
