"""The manager: every round it brings each service nearer to the state that was asked for."""

from collections.abc import Callable

from cloudpemda.lab.errors import failed
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.ha.common import node_names, vmid_of
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.qemu.relocate import move
from cloudpemda.lab.state import HaResource, Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

ROUND, NODE_ROUND = 10.0, 5.0
STATES = {"started": "started", "enabled": "started", "stopped": "stopped", "disabled": "stopped"}


def manage(world: World, vm: Vm, *, started: bool) -> None:
    """Put a VM under HA, as a VM's creation does when asked to."""
    sid = f"vm:{vm.vmid}"
    state = "started" if started else "stopped"
    world.cluster.ha_resources[sid] = HaResource(sid, {"state": state}, node=vm.node)
    world.cluster.ha_used = True


def round_of(world: World) -> None:
    cluster = world.cluster
    if cluster.quorate and cluster.ha_used:
        if cluster.ha_master not in cluster.online:
            cluster.ha_master = cluster.online[0]
        for resource in list(cluster.ha_resources.values()):
            _tend(world, resource)
    world.clock.after(ROUND, lambda: round_of(world))


def _tend(world: World, resource: HaResource) -> None:
    vm = world.cluster.vms.get(vmid_of(resource.sid))
    wanted = resource.options.get("state", "started")
    if vm is None:
        resource.state = "error"
        return
    resource.node = vm.node
    if not world.cluster.nodes[vm.node].online or wanted == "ignored" or resource.state == "error":
        if wanted == "disabled":
            resource.state = "stopped"
        return
    if resource.command and _carry_out(world, resource, vm):
        return
    if STATES.get(wanted, "started") == "started":
        _make_started(world, resource, vm)
    else:
        _make_stopped(world, resource, vm)


def _make_started(world: World, resource: HaResource, vm: Vm) -> None:
    """The manager decides; the node's own manager acts when it next looks, if that still holds."""
    if vm.status != "stopped":
        resource.state = "started"
        return
    resource.state = "request_start"

    def act() -> None:
        wanted = STATES.get(resource.options.get("state", "started"))
        managed = world.cluster.ha_resources.get(resource.sid) is resource
        if managed and wanted == "started" and vm.status == "stopped" and not vm.config.get("lock"):
            _launch(world, vm, "qmstart", _start)

    world.clock.after(NODE_ROUND, act)


def _make_stopped(world: World, resource: HaResource, vm: Vm) -> None:
    if vm.status == "stopped":
        resource.state = "stopped"
    else:
        resource.state = "request_stop"
        _launch(world, vm, "qmstop", _stop)


def _launch(world: World, vm: Vm, kind: str, work: Callable[[World, Vm], Work]) -> None:
    """A worker on the VM's node, unless one is at it already."""
    busy = any(
        task.type == kind and task.id == str(vm.vmid) for task, _ in world.tasks.running.values()
    )
    if not busy:
        node = world.cluster.nodes[vm.node]
        world.tasks.start(node, kind, str(vm.vmid), "root@pam", lambda _: work(world, vm))


def _start(world: World, vm: Vm) -> Work:
    yield config_lock(vm.vmid)
    machine.check_startable(world, vm, skiplock=False)
    yield world.duration("start")
    machine.run(world, vm)


def _stop(world: World, vm: Vm) -> Work:
    yield config_lock(vm.vmid)
    yield world.duration("stop")
    machine.halt(world, vm)


def _carry_out(world: World, resource: HaResource, vm: Vm) -> bool:
    """A migration that was asked for; True while it takes the manager's turn."""
    target, resource.command = resource.command, ""
    if target == vm.node or target not in world.cluster.online or not _allowed(world, vm, target):
        return False
    move(world, vm, target)
    resource.node = target
    return True


def _allowed(world: World, vm: Vm, node: str) -> bool:
    """Whether strict rules, or a restricted group, let the VM run there."""
    cluster, sid = world.cluster, f"vm:{vm.vmid}"
    for rule in cluster.ha_rules.values():
        strict = rule.type == "node-affinity" and rule.options.get("strict") == "1"
        if (
            strict
            and rule.options.get("disable") != "1"
            and sid in split_list(rule.options["resources"])
        ):
            return node in node_names(rule.options["nodes"])
    group = cluster.ha_groups.get(cluster.ha_resources[sid].options.get("group", ""))
    if group is not None and group.options.get("restricted") == "1":
        return node in node_names(group.options["nodes"])
    return True


def request(call: Call, verb: str, state: str) -> str:
    """`hastart` and `hastop`: the task is over as soon as the request is filed."""
    sid = f"vm:{call.params['vmid']}"

    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA {verb} for VM {call.params['vmid']}")
        yield call.world.duration("default")
        resource = call.cluster.ha_resources.get(sid)
        if resource is None:
            raise failed(f"no such resource '{sid}'")
        resource.options["state"] = state

    return call.start(f"ha{verb}", call.params["vmid"], work)


def request_migration(call: Call, target: str) -> str:
    sid = f"vm:{call.params['vmid']}"

    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA migration for VM {call.params['vmid']} to node {target}")
        yield call.world.duration("default")
        if sid in call.cluster.ha_resources:
            call.cluster.ha_resources[sid].command = target

    return call.start("hamigrate", call.params["vmid"], work)
