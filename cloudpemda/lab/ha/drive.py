"""The HA engine in a simulated cluster: when its daemons have their turn, and what they do there.

Every ten seconds the managers have their turn, five seconds later the local ones. Where three turns
have changed nothing, nothing will change until something happens or some time runs out: the turns
between are not played, and what they would have renewed is as if it had been.
"""

from collections.abc import Callable, Mapping
from functools import partial

from cloudpemda.lab.clock import Rounds
from cloudpemda.lab.errors import Refused, failed
from cloudpemda.lab.ha import crm, lrm
from cloudpemda.lab.ha.config import rules_of, to_rules, vmid_of
from cloudpemda.lab.ha.values import (
    ROUND,
    Ha,
    Job,
    Load,
    Outcome,
    Resource,
    Rule,
)
from cloudpemda.lab.nodes import runs, set_node
from cloudpemda.lab.params import Params
from cloudpemda.lab.qemu import machine, migrate
from cloudpemda.lab.qemu.config import cpus_of, memory_of, properties
from cloudpemda.lab.state import Section, Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

TURN = ROUND / 2
CALM = 3  # turns in a row without a change, from which on there will be none
REBOOT_SECONDS = 60.0  # until a node that its watchdog has reset is up again
# A guest that was lost in the middle of these is recovered without their mark.
LEFT_LOCKS = ("backup", "clone", "migrate", "mounted", "rollback", "snapshot", "snapshot-delete",
              "suspended", "suspending")  # fmt: skip


class Stage(Rounds):
    """A simulated cluster, as the engine's daemons see it."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock, TURN, self.turn, sees_tasks=False)
        self.world, self.calm, self.turned = world, 0, world.now()
        self.working: dict[str, Callable[[Outcome], None]] = {}  # by the task that does it
        for daemon in self.ha.lrms.values():
            daemon.busy.clear()  # its workers did not outlive the lab

    @property
    def ha(self) -> Ha:
        return self.world.cluster.ha

    # -- time --------------------------------------------------------------------------------------

    def stir(self) -> None:
        self.calm = 0
        super().stir()

    def turn(self) -> float | None:
        """Play the turn of this moment; when the next is that may change anything."""
        cluster, now = self.world.cluster, self.world.now()
        if now - TURN > self.turned:
            # What the turns that were not played would have renewed, is renewed.
            self.ha.renew(since=self.turned - TURN, now=now - TURN)
        self.turned, before = now, self._picture()
        self._follow_power()
        self._bury()
        managers = round(now / TURN) % 2 == 0
        if (not managers or self._armed()) and cluster.ha_armed == "armed":
            for name in sorted(self.ha.crms if managers else self.ha.lrms):
                if not (crm if managers else lrm).round_of(self, name):
                    self._ended(name)
            for name in self.ha.reset_by_watchdog(now):
                self.world.note("ha-watchdog", node=name)
                self._switch_off(name, again=True)
        self.calm = self.calm + 1 if self._picture() == before else 0
        return now + TURN if self.calm < CALM else self.ha.next_moment(now - ROUND)

    def _picture(self) -> object:
        return self.world.cluster.ha_armed, self.ha.picture()

    def _armed(self) -> bool:
        """One step of arming and disarming; whether the manager may act."""
        cluster = self.world.cluster
        before, further = cluster.ha_armed, "disarmed"
        if cluster.ha_armed == "armed":
            further = "disarming"
        cluster.ha_armed = further if cluster.ha_disarm else "armed"
        if cluster.ha_armed != before:
            self.world.note("ha-asked", armed=cluster.ha_armed)
            self.ha.renew(since=0.0, now=self.world.now())
        return cluster.ha_armed == "armed"

    def _follow_power(self) -> None:
        for name, node in self.world.cluster.nodes.items():
            if runs(node) and name not in self.ha.crms:
                self.ha.boot(name)
            elif not runs(node) and name in self.ha.crms:
                self.ha.power_off(name)
            if node.leaving and name in self.ha.lrms:
                lrm.ask_to_end(self, name, node.leaving)
        for name in [name for name in self.ha.crms if name not in self.world.cluster.nodes]:
            self.ha.power_off(name)

    def _ended(self, name: str) -> None:
        """A daemon of a node that is to go down: first its local manager, then the other one."""
        if self.ha.lrms.pop(name, None):
            self.ha.crms[name].stopping = True
            return
        for guest in self.world.cluster.guests.values():
            if guest.node == name:
                machine.halt(self.world, guest)
        self._switch_off(name, again=self.world.cluster.nodes[name].leaving == "reboot")

    def _switch_off(self, name: str, *, again: bool) -> None:
        set_node(self.world, name, online=False)
        on = partial(set_node, self.world, name, online=True)
        if again:
            self.world.clock.after(REBOOT_SECONDS, on)

    def _bury(self) -> None:
        """Jobs whose worker vanished have failed."""
        for upid in [upid for upid in self.working if upid not in self.world.tasks.running]:
            self.working.pop(upid)("failed")

    # -- what the daemons see ----------------------------------------------------------------------

    def release(self) -> str:
        return self.world.cluster.release

    def now(self) -> float:
        return self.world.now()

    def nodes(self) -> Mapping[str, bool]:
        cluster = self.world.cluster
        return {name: node.online and cluster.quorate for name, node in cluster.nodes.items()}

    def readable(self, node: str) -> bool:
        return True

    def resources(self) -> Mapping[str, Resource]:
        guests = self.world.cluster.guests
        every = self.world.cluster.ha_resources.items()
        return {
            sid: self._resource(section, guests[vmid_of(sid)].node)
            for sid, section in every
            if vmid_of(sid) in guests
        }

    def _resource(self, section: Section, node: str) -> Resource:
        options = section.options
        numbers = {key: int(options.get(key, 1)) for key in ("max_restart", "max_relocate")}
        group = self.world.cluster.ha_groups.get(options.get("group", ""))
        stays = options.get("failback") == "0"
        stays = stays or (group is not None and group.options.get("nofailback") == "1")
        state = options.get("state", "started")
        return Resource(section.name, node, state, failback=not stays, **numbers)

    def rules(self) -> list[Rule]:
        return rules_of(self.world.cluster)

    def has_groups(self) -> bool:
        return self.release() != "8" and bool(self.world.cluster.ha_groups)

    def is_nine(self, node: str) -> bool:
        return self.release() != "8"  # a cluster of the lab is upgraded as a whole

    def migrate_groups(self) -> None:
        to_rules(self.world.cluster)

    def _setting(self, key: str, name: str, default: str) -> str:
        text = self.world.cluster.options.get(key, "")
        return properties(text, "ha").get(name, default)

    def policy(self) -> str:
        return self._setting("ha", "shutdown_policy", "conditional")

    def scheduler(self) -> str:
        return self._setting("crs", "ha", "basic")

    def rebalances(self) -> bool:
        return self._setting("crs", "ha-rebalance-on-start", "0") == "1"

    def capacity(self, node: str) -> Load:
        one = self.world.cluster.nodes[node]
        return Load(one.cpus, one.memory)

    def load(self, sid: str) -> Load:
        guest = self._guest(sid)
        return Load(cpus_of(guest.config), memory_of(guest.config)) if guest else Load()

    def running(self, sid: str) -> bool:
        guest = self._guest(sid)
        return guest is not None and guest.status != "stopped"

    def _guest(self, sid: str) -> Vm | None:
        kind = {"vm": "qemu", "ct": "lxc"}.get(sid.partition(":")[0])
        guest = self.world.cluster.guests.get(vmid_of(sid))
        return guest if guest and guest.kind == kind else None

    # -- what they do ------------------------------------------------------------------------------

    def perform(self, node: str, sid: str, job: Job, done: Callable[[Outcome], None]) -> None:
        guest = self._guest(sid)
        if guest is None:
            done("failed")
            return
        kind, work = self._work(guest, job)

        def worked(task: Task) -> Work:
            self.working[task.upid] = done
            try:
                yield from work(task)
            except Refused:
                self._worked(task.upid, "failed")
                raise
            self._worked(task.upid, "done")

        where = self.world.cluster.nodes[node]
        self.world.tasks.start(where, kind, str(guest.vmid), "root@pam", worked)

    def _worked(self, upid: str, outcome: Outcome) -> None:
        self.working.pop(upid)(outcome)
        self.world.stir()

    def _work(self, guest: Vm, job: Job) -> tuple[str, Callable[[Task], Work]]:
        """The task that does a job, as PVE names it, and its work."""
        prefix = "qm" if guest.kind == "qemu" else "vz"
        if job.action == "started":
            return f"{prefix}start", lambda _: self._start(guest)
        if job.action in ("stopped", "request_stop"):
            return f"{prefix}stop", lambda _: self._stop(guest)
        return f"{prefix}migrate", lambda task: self._move(guest, job, task)

    def _start(self, guest: Vm) -> Work:
        yield config_lock(guest.vmid)
        if guest.kind == "qemu":
            machine.check_startable(self.world, guest, skiplock=False)
        yield self.world.duration("start")
        if guest.kind == "qemu":
            machine.run(self.world, guest)
        else:
            guest.status, guest.started = "running", self.world.now()

    def _stop(self, guest: Vm) -> Work:
        yield config_lock(guest.vmid)
        yield self.world.duration("stop")
        machine.halt(self.world, guest)

    def _move(self, guest: Vm, job: Job, task: Task) -> Work:
        """Alive, or (relocate) stopped before: it is started there by that node's own manager."""
        if job.action != "migrate" and guest.status != "stopped":
            yield from self._stop(guest)
        if guest.kind != "qemu":
            yield self.world.duration("migrate")
            guest.node = job.target
            return
        asked = {"vmid": str(guest.vmid), "target": job.target, "node": guest.node}
        asked |= {"online": str(int(guest.status != "stopped")), "with-local-disks": "1"}
        call = Call(self.world, guest.node, "root@pam", Params(asked))
        yield from migrate.migrate(call, task)
        if guest.node != job.target:
            raise failed("migration aborted")

    def take_over(self, sid: str, node: str) -> None:
        guest = self.world.cluster.guests[vmid_of(sid)]
        if guest.config.get("lock") in LEFT_LOCKS:
            del guest.config["lock"]
        if guest.kind == "qemu":
            machine.steal(self.world, guest, node)
        guest.node = node

    def ask_stopped(self, sid: str) -> None:
        self.world.cluster.ha_resources[sid].options["state"] = "stopped"

    def note(self, what: str, **values: object) -> None:
        self.world.note(what, **values)
