"""The cluster's manager: which node's is the master, and what the master decides.

It leads each service from state to state until it is as the configuration wants it, tells the local
managers by that what to do, fences nodes that are gone, and finds new nodes for their services.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cloudpemda.lab.ha.locks import guard, release, renew, take
from cloudpemda.lab.ha.placement import Ground, Preference, choose
from cloudpemda.lab.ha.rules import plan_of
from cloudpemda.lab.ha.values import (
    FENCE_DELAY,
    GROUPS_AGAIN,
    GROUPS_FIRST,
    MASTER_IDLE_ROUNDS,
    MASTER_LOCK,
    Crm,
    Outcome,
    Resource,
    Service,
    Surroundings,
    agent_lock,
)


def round_of(site: Surroundings, node: str) -> bool:
    """One round; False when the daemon has ended, as it was asked to."""
    me = site.ha.crms[node]
    _become(site, node, me, _next_state(site, node, me))
    if me.state == "lost_manager_lock":
        site.ha.watchdogs.pop(f"{node}/crm", None)
        if not me.stopping:
            _become(site, node, me, "wait_for_quorum")
    if me.stopping:
        site.ha.watchdogs.pop(f"{node}/crm", None)
        release(site, MASTER_LOCK, node)
        return False
    if me.state == "master":
        guard(site, f"{node}/crm")
        if site.readable(node):
            Master(site, node).manage()
    return True


def _become(site: Surroundings, node: str, me: Crm, state: str) -> None:
    if state == me.state:
        return
    site.note("ha-crm", node=node, before=me.state, after=state)
    me.state, me.idle_rounds = state, 0
    if state == "master":
        site.ha.master, site.ha.groups_in = node, GROUPS_FIRST
        site.ha.last_online = dict.fromkeys(site.ha.nodes, site.now())
    elif state == "wait_for_quorum":
        site.ha.watchdogs.pop(f"{node}/crm", None)


def _next_state(site: Surroundings, node: str, me: Crm) -> str:
    quorate, wanted = site.nodes().get(node, False), bool(site.resources())
    fenced = site.ha.nodes.get(node) == "fence"  # who is to be fenced, leads nobody
    if me.state == "master":
        if not take(site, MASTER_LOCK, node):
            return "lost_manager_lock"
        renew(site, f"{node}/crm")
        if wanted or site.ha.services:
            me.idle_rounds = 0
        elif me.idle_rounds >= MASTER_IDLE_ROUNDS[site.release()]:
            release(site, MASTER_LOCK, node)
            return "wait_for_quorum"
        else:
            me.idle_rounds += 1
        return "master"
    if me.stopping:
        return me.state
    if fenced or not quorate or not wanted:
        return "wait_for_quorum"
    return "master" if take(site, MASTER_LOCK, node) else "slave"


@dataclass
class Master:
    site: Surroundings
    node: str

    def manage(self) -> None:
        ha = self.site.ha
        self._look_at_nodes()
        if ha.nodes.get(self.node) not in ("online", "maintenance"):
            return
        self.resources = self.site.resources()
        self._add_and_remove()
        if self.site.has_groups():
            self._migrate_groups()
        self.plan = plan_of(self.site.rules(), sorted(ha.nodes))
        commands, ha.commands = ha.commands, []
        for command in commands:
            self._obey(command.split())
        changed = True
        while changed:
            moved = [self._lead(sid) for sid in sorted(ha.services)]
            changed = any(moved) | self._fence()

    # -- nodes -------------------------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        ha, present = self.site.ha, self.site.nodes()
        for node in sorted(present):
            state, report = ha.nodes.get(node, "unknown"), ha.reports.get(node)
            if not present[node]:
                if state == "online":
                    self._set_node(node, "unknown")
                continue
            ha.last_online[node] = self.site.now()
            resting = report is not None and report.mode == "maintenance"
            if state == "unknown":
                self._set_node(node, "online")
            elif state == "online" and resting:
                self._set_node(node, "maintenance")
            elif state == "maintenance" and not resting:
                self._set_node(node, "online")
        for node in [node for node in ha.nodes if node not in present]:
            del ha.nodes[node]

    def _set_node(self, node: str, state: str) -> None:
        before = self.site.ha.nodes.get(node, "unknown")
        self.site.ha.nodes[node] = state
        self.site.note("ha-node", node=node, before=before, after=state)

    def _online(self, node: str) -> bool:
        return self.site.ha.nodes.get(node) == "online"

    def _gone(self, node: str) -> bool:
        """Whether a node is away for so long that it is to be fenced."""
        if self.site.ha.nodes.get(node, "online") == "online":
            return False
        return self.site.now() - self.site.ha.last_online.get(node, 0.0) >= FENCE_DELAY

    def _fence(self) -> bool:
        """Whether services of fenced nodes may be recovered now, or a node is free of its fence."""
        ha, fenced, goes_on = self.site.ha, dict[str, bool](), False
        for sid in sorted(ha.services):
            service = ha.services[sid]
            if service.state != "fence":
                continue
            if service.node not in fenced:
                fenced[service.node] = self._fenced(service.node)
            if fenced[service.node]:
                self._become(sid, service, "recovery")
                goes_on = True
        left = [node for node, state in sorted(ha.nodes.items()) if state == "fence"]
        freed = [node for node in left if node not in fenced and self._fenced(node)]
        return goes_on or bool(freed)

    def _fenced(self, node: str) -> bool:
        """Whether a node's lock could be taken: then nothing of it runs any more.

        The lock is not given back: the node may take it once it is too old.
        """
        if self.site.ha.nodes.get(node) != "fence":
            self._set_node(node, "fence")
            self.site.note("ha-fence", node=node)
        if not take(self.site, agent_lock(node), self.node):
            return False
        self._set_node(node, "unknown")
        self.site.note("ha-fenced", node=node)
        return True

    def _migrate_groups(self) -> None:
        """Turn groups into rules once all is in order, which is looked at every minute."""
        ha, before = self.site.ha, self.site.ha.groups_stay
        ha.groups_in -= 1
        if ha.groups_in > 0:
            return
        faults = filter(None, map(self._against_migration, sorted(ha.nodes)))
        ha.groups_in, ha.groups_stay = GROUPS_AGAIN, next(faults, "")
        if not ha.groups_stay:
            self.site.migrate_groups()
            self.site.note("ha-groups-migrated")
            self.resources = self.site.resources()
        elif ha.groups_stay != before:
            self.site.note("ha-groups-stay", reason=ha.groups_stay)

    def _against_migration(self, node: str) -> str:
        report = self.site.ha.reports.get(node)
        if not self._online(node):
            return f"node '{node}' is not online"
        if report is None or report.state not in ("active", "wait_for_agent_lock"):
            return f"lrm '{node}' is not in state 'active' or 'wait_for_agent_lock'"
        if report.mode != "active":
            return f"lrm '{node}' is not in mode 'active'"
        needed = f"node '{node}' needs at least pve-manager version '9.0.0~16'"
        return "" if self.site.is_nine(node) else needed

    # -- services ----------------------------------------------------------------------------------

    def _add_and_remove(self) -> None:
        services = self.site.ha.services
        wanted = {sid: one for sid, one in self.resources.items() if one.state != "ignored"}
        for sid in sorted(wanted.keys() - services.keys()):
            state = "request_start" if wanted[sid].state == "started" else "request_stop"
            services[sid] = Service(state, wanted[sid].node, self.site.ha.ticket())
            self.site.note("ha-service-added", sid=sid, node=wanted[sid].node, state=state)
        for sid in sorted(services.keys() - wanted.keys()):
            self.site.note("ha-service-removed", sid=sid)
            del services[sid]

    def _become(
        self, sid: str, service: Service, state: str, node: str = "", target: str = "",
        timeout: int | None = None,
    ) -> None:  # fmt: skip
        before, service.state = service.state, state
        service.node, service.target = node or service.node, target
        service.timeout, service.command, service.running = timeout, [], False
        service.ticket = self.site.ha.ticket()
        told = {"node": service.node} | ({"target": target} if target else {})
        self.site.note("ha-service", sid=sid, before=before, after=state, **told)

    def _lead(self, sid: str) -> bool:
        """One step of a service, if it is time for one; whether its state is another now."""
        service, resource = self.site.ha.services[sid], self.resources[sid]
        before, report = service.state, self.site.ha.reports.get(service.node)
        result = report.results.get(service.ticket) if report else None
        if step := STEPS.get(before):
            step(self, resource, service, result)
        elif before == "freeze" and report is not None and report.mode == "active":
            self._become(sid, service, resource.wanted)
        report = self.site.ha.reports.get(service.node)
        restarts = report is not None and report.mode == "restart"
        if restarts and service.state in ("started", "stopped", "request_stop"):
            self._become(sid, service, "freeze")
        return service.state != before

    def _ground(self) -> Ground:
        site = self.site
        online = sorted(node for node, state in site.ha.nodes.items() if state == "online")
        if site.scheduler() == "basic":
            return Ground(online, site.ha.services, {}, {})
        capacity = {node: site.capacity(node) for node in online}
        loads = {sid: site.load(sid) for sid in site.ha.services}
        return Ground(online, site.ha.services, capacity, loads)

    def _choose(self, resource: Resource, service: Service, how: Preference) -> str | None:
        return choose(self.plan, self._ground(), resource, service, how)

    def _request_start(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        if self.site.rebalances():
            node = self._choose(resource, service, "best")
            if node is not None and node != service.node:
                self._become(resource.sid, service, "request_start_balance", target=node)
                return
        self._become(resource.sid, service, "started")

    def _request_stop(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        if result is not None:
            self._become(resource.sid, service, "stopped" if result == "done" else "error")
        elif self._gone(service.node):
            self._become(resource.sid, service, "fence")

    def _stopped(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        service.node = resource.node  # whoever moved it
        if service.command and service.command[0] in ("migrate", "relocate"):
            how, target = service.command
            service.command = []
            if self._online(target) and target != service.node:
                self._become(resource.sid, service, how, target=target)
                return
        service.command = []
        if resource.state == "disabled":
            return
        if self._gone(service.node) and self.site.ha.nodes.get(service.node) != "maintenance":
            self._become(resource.sid, service, "fence")
        elif resource.state == "started":
            self._become(resource.sid, service, "request_start")

    def _moving(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        if result is not None:
            node = service.target if result == "done" else service.node
            if result == "failed":
                self.site.note("ha-move-failed", sid=resource.sid, node=node, to=service.target)
            self._become(resource.sid, service, resource.wanted, node=node)
        elif self._gone(service.node):
            self._become(resource.sid, service, "fence")

    def _error(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        if resource.state == "disabled":
            service.failed_nodes = []
            self._become(resource.sid, service, "stopped")

    def _recovery(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        sid, lost = resource.sid, service.node
        node = self._choose(resource, service, "best")
        if node is not None:
            self.site.note("ha-recover", sid=sid, source=lost, node=node)
            self.site.take_over(sid, node)
            self.resources = self.site.resources()
            self._become(sid, service, resource.wanted, node=node)
        elif resource.state == "disabled":
            service.failed_nodes = []
            self._become(sid, service, "stopped")

    def _started(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        state = self.site.ha.nodes.get(service.node)
        if self._gone(service.node):
            self._become(resource.sid, service, "fence")
            return
        if state == "maintenance":
            service.maintenance_node = service.node
        elif state != "online":
            return
        if resource.state != "started":
            self._become(resource.sid, service, "request_stop")
        elif service.command:
            self._carry_out(resource, service)
        else:
            self._keep_started(resource, service, result)

    def _carry_out(self, resource: Resource, service: Service) -> None:
        (how, argument), service.command = service.command, []
        if how == "stop":
            self.site.ask_stopped(resource.sid)
            self._become(resource.sid, service, "request_stop", timeout=int(argument))
        elif self._online(argument) and argument != service.node:
            self._become(resource.sid, service, how, target=argument)

    def _keep_started(self, resource: Resource, service: Service, result: Outcome | None) -> None:
        sid, failed = resource.sid, result not in ("done", None)
        if result == "done":
            service.failed_nodes, service.running = [], True
        elif failed:
            service.running = False
            service.failed_nodes.append(service.node)
            if len(service.failed_nodes) > resource.max_relocate:
                self._become(sid, service, "error")
                return
        node = self._choose(resource, service, "another" if failed else "stay")
        if node is not None and node != service.node:
            if service.maintenance_node != service.node:
                service.maintenance_node = ""  # it goes back there, or elsewhere
            self._become(
                sid, service, "migrate" if resource.kind == "vm" else "relocate", target=node
            )
            return
        if service.maintenance_node == service.node and self._online(service.node):
            service.maintenance_node = ""
        if result is not None:
            service.ticket = self.site.ha.ticket()  # looked at anew in the next round

    # -- what is asked of the master ---------------------------------------------------------------

    def _obey(self, command: list[str]) -> None:
        ha, (verb, subject, *arguments) = self.site.ha, command
        if verb.endswith("-node-maintenance"):
            if verb.startswith("disable"):
                ha.maintenance = [node for node in ha.maintenance if node != subject]
            elif ha.nodes.get(subject) == "online" and subject not in ha.maintenance:
                ha.maintenance.append(subject)
            return
        service, argument = ha.services.get(subject), arguments[0]
        if service is None:
            return
        if verb == "stop":
            service.command = [verb, argument]
            return
        if service.node == argument and ha.nodes.get(argument) == "online":
            return  # it is there, whoever of its companions is not
        here = [sid for sid in self.plan.apart.get(subject, ()) if self._is_on(sid, argument)]
        if ha.nodes.get(argument) != "online" or here:
            self.site.note("ha-move-refused", sid=subject, to=argument, apart=sorted(here))
            return
        for sid in sorted({subject} | self.plan.together.get(subject, frozenset())):
            if sid in ha.services and ha.services[sid].node != argument:
                ha.services[sid].command = [verb, argument]

    def _is_on(self, sid: str, node: str) -> bool:
        service = self.site.ha.services.get(sid)
        return service is not None and node in (service.node, service.target)


Step = Callable[[Master, Resource, Service, Outcome | None], None]
STEPS: Mapping[str, Step] = {
    "request_start": Master._request_start, "request_stop": Master._request_stop,
    "started": Master._started, "stopped": Master._stopped, "migrate": Master._moving,
    "relocate": Master._moving, "request_start_balance": Master._moving,
    "error": Master._error, "recovery": Master._recovery,
}  # fmt: skip
