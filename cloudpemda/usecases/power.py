"""Power: starting, stopping and restarting the VMs of a workload that lives.

A stop is kept in the ledger before the cluster hears of it: from then on nobody calls the VM
broken, and neither HA nor `apply` starts it, until `vm start`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from cloudpemda.apply.failures import meaning
from cloudpemda.apply.power import Job, Power, Powered, Verb
from cloudpemda.errors import ExitCode, Fault, Refused, UsageError, worst
from cloudpemda.ledger import Actor, InstanceRecord, InstanceState
from cloudpemda.saga import Failure
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.settling import settle
from cloudpemda.usecases.workload import cluster_settings


@dataclass(frozen=True)
class Deed:
    """One VM and who acts for it."""

    record: InstanceRecord
    actor: Actor


@dataclass(frozen=True)
class Outcome:
    """How the VMs came out, in the order in which they were named."""

    vms: tuple[Powered, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(
            fault
            for one in self.vms
            if one.error is not None
            for fault in (
                Fault("vm.failed", {"vm": one.job.key, "verb": one.job.verb.value}),
                *one.error.faults,
            )
        )

    @property
    def code(self) -> ExitCode:
        return worst(one.error.exit_code for one in self.vms if one.error is not None)


def power(
    desk: Desk,
    verb: Verb,
    keys: Sequence[str],
    progress: Callable[[str, str, str, float], None],
    halted: Callable[[], bool],
    *,
    reason: str = "",
    hard: bool = False,
) -> Outcome:
    """Start, stop or restart VMs by key; one that fails stops no other.

    `hard` switches off where the guest would be asked. For operators, and for requesters of the
    VMs' OPD where the site lets them. Raises Refused by role, `vm.not-for-requesters`,
    `ledger.no-instance`, `vm.state`, `pause.on`, `journal.busy` while an apply works on its
    request, `ledger.reason-missing` for a stop without a reason: nothing was changed then.
    """
    deeds = may(desk, verb.value, keys)
    if verb is Verb.STOP and not reason.strip():
        raise Refused("ledger.reason-missing", subject=", ".join(one.record.key for one in deeds))
    new = set()
    for deed in deeds:
        if verb is Verb.STOP and desk.ledger.stops.begin(deed.record.uid, reason, deed.actor)[1]:
            new.add(deed.record.uid)
        elif verb is Verb.START:
            # before it is started: whoever is killed on the way leaves it to `apply`
            desk.ledger.stops.end(deed.record.uid, deed.actor)
    done: dict[str, Powered] = {}
    by_cluster = sorted(deeds, key=lambda one: one.record.cluster)
    for cluster, group in groupby(by_cluster, key=lambda one: one.record.cluster):
        jobs = [_job(desk, deed, verb, hard=hard) for deed in group]
        hands = Power(
            pve=desk.cluster(cluster),
            at_once=cluster_settings(desk, cluster).limits.writes_per_node,
            clock=desk.clock,
            entropy=desk.entropy,
            progress=progress,
            halted=halting(desk, halted),
        )
        done |= {one.job.key: one for one in hands.run(jobs)}
    for deed in deeds:
        _conclude(desk, deed, done[deed.record.key], taken_back=deed.record.uid in new)
    # what a change made smaller is free from here on
    settle(desk, deeds[0].actor, {deed.record.key.rpartition("/")[0] for deed in deeds})
    return Outcome(tuple(done[deed.record.key] for deed in deeds))


def may(
    desk: Desk, verb: str, keys: Sequence[str], under_way: Collection[str] = ()
) -> tuple[Deed, ...]:
    """The VMs of these keys, that the person may do `verb` with now; by uid those for which it is
    `under_way`. Raises as `power`."""
    if not keys:
        raise UsageError("vm.names")
    found = []
    for key in dict.fromkeys(keys):
        opd = key.partition("/")[0]
        actor = desk.act("operator", "requester", opd=opd)
        if actor.role == "requester" and verb not in desk.site.info.vms.requesters:
            raise Refused("vm.not-for-requesters", verb=verb)
        record = next((r for r in desk.ledger.instances.list(opd=opd) if r.key == key), None)
        if record is None:
            raise Refused("ledger.no-instance", key=key)
        found.append(Deed(record, actor))
    require_running(desk)
    desk.ledger.found.require_reconciled()
    for one in found:
        if one.record.state is not InstanceState.ACTIVE and one.record.uid not in under_way:
            raise Refused("vm.state", vm=one.record.key, state=one.record.state.value)
        desk.ledger.journal.require_idle(one.record.number)
    return tuple(found)


def _job(desk: Desk, deed: Deed, verb: Verb, *, hard: bool) -> Job:
    record = deed.record
    assert record.node is not None, f"{record.key} is active without a node"  # noqa: S101
    return Job(record.key, record.identity, record.node, verb, hard)


def _conclude(desk: Desk, deed: Deed, done: Powered, *, taken_back: bool) -> None:
    """What came of it, for the audit log. A VM that said no to its stop runs on as before; where
    that is unknown the stop stays meant."""
    error = done.error
    record, verb = deed.record, done.job.verb
    if taken_back and error is not None and meaning(error) is Failure.FINAL:
        desk.ledger.stops.end(record.uid, deed.actor)
    if done.already:
        return
    said = {"hard": str(done.job.hard).lower(), "upids": done.upids}
    if deed.actor.role != "requester":
        said["for"] = record.opd
    if error is not None:
        said["error"] = str(error)
    if done.effective:
        said["effective"] = ", ".join(one.key for one in done.effective)
    desk.ledger.audit.note(
        deed.actor, f"vm.{_DONE[verb]}", record.opd, record.key, uid=record.uid, **said
    )


_DONE = {Verb.START: "started", Verb.STOP: "stopped", Verb.RESTART: "restarted"}
