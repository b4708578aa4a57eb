"""The manager: every round it brings each service nearer to the state that was asked for.

The rest of the lab asks through `manage`, `request` and `request_migration`, and starts `round_of`.
"""

from collections.abc import Callable

from cloudpemda.lab.errors import found
from cloudpemda.lab.ha.config import active, members, node_names, vmid_of
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.qemu.machine import move
from cloudpemda.lab.state import HaResource, Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

ROUND, NODE_ROUND = 10.0, 5.0
STOPPED = ("stopped", "disabled")


def manage(world: World, vm: Vm, *, started: bool) -> None:
    """Put a VM under HA, as a VM's creation does when asked to."""
    sid, state = f"vm:{vm.vmid}", "started" if started else "stopped"
    world.cluster.ha_resources[sid] = HaResource(sid, "vm", {"state": state})
    world.cluster.ha_used = True


def request(call: Call, verb: str, state: str) -> str:
    """`hastart` and `hastop`: the task is over as soon as the request is filed."""

    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA {verb} for VM {call['vmid']}")
        yield call.world.duration("default")
        sid = f"vm:{call['vmid']}"
        resource = found(call.cluster.ha_resources.get(sid), f"no such resource '{sid}'")
        resource.options["state"] = state

    return call.start(f"ha{verb}", call["vmid"], work)


def request_migration(call: Call, target: str) -> str:
    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA migration for VM {call['vmid']} to node {target}")
        yield call.world.duration("default")
        if resource := call.cluster.ha_resources.get(f"vm:{call['vmid']}"):
            resource.command = target

    return call.start("hamigrate", call["vmid"], work)


def round_of(world: World) -> float | None:
    """One round; when there is something to do next."""
    cluster = world.cluster
    if cluster.quorate and cluster.ha_used:
        if cluster.ha_master not in cluster.online:
            cluster.ha_master = cluster.online[0]
        further = "disarming" if cluster.ha_armed == "armed" else "disarmed"
        cluster.ha_armed = further if cluster.ha_disarm else "armed"
        if cluster.ha_armed == "armed":
            for resource in list(cluster.ha_resources.values()):
                _tend(world, resource)
    return world.now() + ROUND if cluster.ha_used else None


def _wants_started(resource: HaResource) -> bool:
    return resource.options.get("state", "started") not in STOPPED


def _tend(world: World, resource: HaResource) -> None:
    vm, wanted = world.cluster.guests.get(vmid_of(resource.name)), resource.options.get("state")
    if vm is not None and vm.kind != "qemu":  # what containers do is not modelled
        return
    if vm is None or resource.state == "error":  # `disabled` is the way out of an error
        resource.state = "stopped" if vm and wanted == "disabled" else "error"
    elif not world.cluster.nodes[vm.node].online or wanted == "ignored":
        return
    elif resource.command:
        _carry_out(world, resource, vm)
    elif _wants_started(resource):
        _make_started(world, resource, vm)
    elif vm.status == "stopped":
        resource.state = "stopped"
    else:
        resource.state = "request_stop"
        _launch(world, vm, "qmstop", _stop)


def _make_started(world: World, resource: HaResource, vm: Vm) -> None:
    """The manager decides; the node's own manager acts when it next looks, if that still holds."""
    if vm.status != "stopped":
        resource.state = "started"
        return
    resource.state = "request_start"

    def act() -> None:
        managed = world.cluster.ha_resources.get(resource.name) is resource
        free = vm.status == "stopped" and not vm.config.get("lock")
        if managed and _wants_started(resource) and free and world.cluster.ha_armed == "armed":
            _launch(world, vm, "qmstart", _start)

    world.clock.after(NODE_ROUND, act)


def _launch(world: World, vm: Vm, kind: str, work: Callable[[World, Vm], Work]) -> None:
    """A worker on the VM's node, unless one is at it already."""
    at_work = {(task.type, task.id) for task, _ in world.tasks.running.values()}
    if (kind, str(vm.vmid)) not in at_work:
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


def _carry_out(world: World, resource: HaResource, vm: Vm) -> None:
    """A migration that was asked for, where it can and may be."""
    target, resource.command = resource.command, ""
    if target != vm.node and target in world.cluster.online and _allowed(world, resource, target):
        move(world, vm, target)


def _allowed(world: World, resource: HaResource, node: str) -> bool:
    """Whether strict rules, or a restricted group, let the service run there."""
    binding = [
        rule
        for rule in world.cluster.ha_rules.values()
        if rule.options.get("strict") == "1" and active(rule) and resource.name in members(rule)
    ]
    group = world.cluster.ha_groups.get(resource.options.get("group", ""))
    if group is not None and group.options.get("restricted") == "1":
        binding.append(group)
    return all(node in node_names(one.options["nodes"]) for one in binding)
