"""The local manager of a node: it does to the node's services what the master decided.

It acts while it holds its node's lock. If it loses that, its watchdog, which it then cannot renew,
resets the node before another may take the lock: so no service runs twice.
"""

from functools import partial

from cloudpemda.lab.ha.locks import guard, release, renew, take
from cloudpemda.lab.ha.values import (
    LOCAL_IDLE_ROUNDS,
    Job,
    Lrm,
    Outcome,
    Report,
    Service,
    Surroundings,
    agent_lock,
)

LEFT_ALONE = ("fence", "recovery", "freeze")  # until the master has decided
NOT_ACTIVE = ("stopped", "freeze", "error")  # these need no lock and no watchdog


def round_of(site: Surroundings, node: str) -> bool:
    """One round; False when the daemon has ended, as it was asked to."""
    me = site.ha.lrms[node]
    if site.readable(node) and not me.stopping:
        if node in site.ha.maintenance:
            me.mode = "maintenance"
        elif me.mode == "maintenance":
            me.mode = "active"
    before, me.state = me.state, _next_state(site, node, me)
    if me.state != before:
        site.note("ha-lrm", node=node, before=before, after=me.state)
    ended = _work(site, node, me)
    _report(site, node, me)
    return not ended


def services_of(site: Surroundings, node: str) -> dict[str, Service]:
    found = site.ha.services
    return {sid: found[sid] for sid in sorted(found) if found[sid].node == node}


def _active(site: Surroundings, node: str) -> bool:
    """Whether there is something to protect here; since 9 what is on its way here is too."""
    coming = site.release() != "8"
    return any(
        one.state not in NOT_ACTIVE
        for one in site.ha.services.values()
        if one.node == node or (coming and one.target == node)
    )


def _locked(site: Surroundings, node: str) -> bool:
    if not take(site, agent_lock(node), node):
        return False
    renew(site, f"{node}/lrm")
    return True


def _next_state(site: Surroundings, node: str, me: Lrm) -> str:
    fenced = any(one.state == "fence" for one in services_of(site, node).values())
    active = _active(site, node)
    if me.state in ("wait_for_agent_lock", "lost_agent_lock"):
        wants = (active or me.state == "lost_agent_lock") and not fenced and not me.stopping
        return "active" if wants and _locked(site, node) else me.state
    busy = active or bool(me.jobs or me.busy)
    resting = me.state == me.mode == "maintenance"
    if resting and not busy and not fenced:
        _give_up(site, node)
        return me.state
    if fenced or not _locked(site, node):
        return "lost_agent_lock"
    if me.mode == "maintenance" or (me.state == "maintenance" and busy):
        return "maintenance"
    me.idle_rounds = 0 if busy or services_of(site, node) else me.idle_rounds + 1
    if me.idle_rounds <= LOCAL_IDLE_ROUNDS:
        return "active"
    _give_up(site, node)
    return "wait_for_agent_lock"


def _give_up(site: Surroundings, node: str) -> None:
    """Nothing here needs protection any more."""
    site.ha.lrms[node].idle_rounds = 0
    site.ha.watchdogs.pop(f"{node}/lrm", None)
    release(site, agent_lock(node), node)


def _work(site: Surroundings, node: str, me: Lrm) -> bool:
    """Whether it has ended."""
    if me.state == "wait_for_agent_lock":
        return me.stopping
    if me.state == "lost_agent_lock":
        return me.stopping and not any(map(site.running, services_of(site, node)))
    if not site.readable(node):
        return False
    if not me.stopping:
        guard(site, f"{node}/lrm")
    leaving = me.stopping and me.mode != "maintenance"
    if not leaving:
        _queue(site, node, me)
    _begin(site, node, me)
    if not me.stopping or me.jobs or me.busy:
        return False
    if me.mode != "shutdown" and _active(site, node):
        return False  # not frozen yet, or not moved away yet
    if not me.unclean:
        _give_up(site, node)
    return True


def _queue(site: Surroundings, node: str, me: Lrm) -> None:
    for sid, service in services_of(site, node).items():
        told = service.state != "stopped" and service.ticket in me.results
        if service.state not in LEFT_ALONE and not told and sid not in me.busy:
            me.jobs[sid] = Job(service.state, service.ticket, service.target, service.timeout)


def _begin(site: Surroundings, node: str, me: Lrm) -> None:
    for sid, job in sorted(me.jobs.items()):
        if sid in me.busy:
            continue
        me.busy[sid] = me.jobs.pop(sid)
        _perform(site, node, sid, job, me)


def _perform(site: Surroundings, node: str, sid: str, job: Job, me: Lrm) -> None:
    """Do it, unless it is so already."""
    done = partial(_finished, site, node, sid, job, me)
    resource, running = site.resources().get(sid), site.running(sid)
    if resource is None or resource.node != node:
        done("failed")
    elif job.action == "request_start_balance" and running:
        done("running")
    elif job.action in (("started", "error") if running else ("stopped", "request_stop", "error")):
        done("done")
    else:
        site.perform(node, sid, job, done)


def _finished(site: Surroundings, node: str, sid: str, job: Job, me: Lrm, outcome: Outcome) -> None:
    if site.ha.lrms.get(node) is not me:  # its node died meanwhile
        return
    me.busy.pop(sid, None)
    if job.action == "started" and outcome == "failed":
        resource, tried = site.resources().get(sid), me.tries.get(sid, 0)
        site.note("ha-start-failed", sid=sid, node=node, tries=tried + 1)
        if resource is not None and tried < resource.max_restart:
            me.tries[sid] = tried + 1
            return  # tried again in the next round; the master need not know
    me.tries.pop(sid, None)
    if job.ticket is not None:
        known = {service.ticket for service in site.ha.services.values()}
        me.results[job.ticket] = outcome
        me.results = {number: one for number, one in me.results.items() if number in known}
    elif outcome != "done":
        me.unclean = True
    _report(site, node, me)


def _report(site: Surroundings, node: str, me: Lrm) -> None:
    if site.nodes().get(node) and site.readable(node):
        site.ha.reports[node] = Report(me.state, me.mode, site.now(), dict(me.results))


def ask_to_end(site: Surroundings, node: str, why: str) -> None:
    """The daemon shall end: for its own `restart`, or for a `reboot` or `shutdown` of its node."""
    me = site.ha.lrms[node]
    if me.stopping:
        return
    me.stopping, policy = True, site.policy()
    freeze = why == "reboot" if policy == "conditional" else policy == "freeze"
    if why == "restart":
        me.mode = "restart"
    elif policy == "migrate":
        me.mode = "maintenance"
    else:
        me.mode = "restart" if freeze else "shutdown"
        for sid in services_of(site, node):
            me.jobs[sid] = Job("request_stop", None)
    _report(site, node, me)
