"""One request on its cluster: what building it, changing it and taking it back have in common."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from cloudpemda.apply import ApplyResult, Progress, Tools, VmEnding, VmResult
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import ExitCode, Fault, Refused
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    SagaJournal,
)
from cloudpemda.placement import Placed, Placement, Score
from cloudpemda.plan.diff import being_made, carries
from cloudpemda.plan.model import DesiredVm
from cloudpemda.usecases.chain import require_approvers
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.plan import (
    Planned,
    desired_of,
    draw_up,
    keys_made,
    place_workload,
    workload_of,
)
from cloudpemda.usecases.workload import kind_of, opd_info, standing_placement


@dataclass(frozen=True)
class Applied:
    """How one request came out. `planned` is None where it was refused before any plan."""

    record: RequestRecord
    planned: Planned | None
    result: ApplyResult | None  # None: nothing was to do
    faults: tuple[Fault, ...]
    code: ExitCode
    restart: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """VM → what of its configuration it takes over when it is started anew."""
    made_change: bool = False
    taken_back: bool = False  # of a workload that lives: the change, not the workload


class Run:
    """One request on its cluster."""

    def __init__(
        self,
        desk: Desk,
        actor: Actor,
        record: RequestRecord,
        state: ClusterState,
        progress: Progress,
        halted: Callable[[], bool],
    ) -> None:
        self._desk = desk
        self._actor = actor
        self._record = record
        self._state = state
        self._progress = progress
        self._halted = halted
        self._workload = workload_of(desk, record, state.name)  # as it shall be

    def _require_approvers(self) -> None:
        """Void an approval that somebody gave who has lost the role; raises Refused then."""
        try:
            require_approvers(self._desk, self._workload.record)
        except Refused as error:
            requests = self._desk.ledger.requests
            requests.void(
                self._record.key,
                spec_hash=self._workload.record.spec_hash,
                reason="approver",
                actor=self._actor,
            )
            raise Refused("ledger.approver-removed", **error.values) from error

    def _draw_up(self, instances: tuple[InstanceRecord, ...]) -> Planned:
        placement = place_workload(self._workload, self._state, instances)
        for one in instances:
            place = placement.of(one.key)
            if one.state in (InstanceState.PLANNED, InstanceState.FAILED):
                self._desk.ledger.instances.place(
                    one.uid,
                    node=place.node,
                    storages=self._storages(one.member),
                    targets=place.targets,
                    actor=self._actor,
                )
        return draw_up(self._workload, self._state, self._reclaim_taken(instances), placement)

    def _reclaim_taken(self, instances: Collection[InstanceRecord]) -> tuple[InstanceRecord, ...]:
        """Another VMID for each instance that is not made yet and whose VMID shows somebody
        else's VM. What was made is left to the plan, which refuses; what is being made, perhaps
        by our own former run, is left to the steps, which wait until it shows whose it is."""
        made = keys_made(instances)
        found = []
        for one in instances:
            there = self._state.vms.get(one.vmid)
            foreign = (
                there is not None
                and there.config is not None
                and not carries(there.config, one.identity)
                and not being_made(there.config)
            )
            if foreign and one.key not in made:
                self._reclaim(one.uid, self._state.vms.keys())
            found.append(self._desk.ledger.instances.get(one.uid))
        return tuple(found)

    def _reclaim(self, uid: str, taken: Collection[int]) -> int:
        record = self._desk.ledger.instances.reclaim_vmid(
            uid,
            vmid_range=opd_info(self._desk, self._record.opd).vmid_range,
            taken=taken,
            rest=int(self._desk.site.info.retirement.vmid_rest),
            actor=self._actor,
        )
        return record.vmid

    def _storages(self, member: str) -> Mapping[str, str]:
        """Disk name → PVE storage id."""
        vm = kind_of(self._workload.spec, member)
        return {disk.name: self._workload.setting.storage(disk.storage_class) for disk in vm.disks}

    def _where_placed(self, instances: Collection[InstanceRecord]) -> tuple[DesiredVm, ...]:
        """As they shall be, where the ledger has placed them; what it never placed is nowhere."""
        placed = [one for one in instances if one.node is not None]
        standing = standing_placement(self._state.name, placed, self._state)
        nowhere = (
            Placed(one.key, "-", (), Score(0, 0, 0)) for one in instances if one.node is None
        )
        whole = Placement(standing.cluster, (*standing.vms, *nowhere), standing.n_plus_one)
        return desired_of(self._workload, self._state, instances, whole)

    # -- the record ------------------------------------------------------------------------
    def _open(self, kind: str) -> SagaJournal:
        return self._desk.ledger.journal.open_saga(self._record.number, kind)

    def _tools(self, journal: SagaJournal) -> Tools:
        desk = self._desk
        return Tools(
            pve=desk.cluster(self._state.name),
            live=self._state,
            established=keys_made(self._everything()),
            journal=journal,
            reclaim_vmid=self._reclaim,
            limits=desk.site.info.clusters[self._state.name].limits,
            locks=desk.site.path("var/locks"),
            clock=desk.clock,
            entropy=desk.entropy,
            progress=self._progress,
            halted=self._halted,
        )

    def _say(self, action: str, result: ApplyResult, journal: SagaJournal, **details: str) -> None:
        """What this run has done on the cluster: which revision led to which tasks."""
        endings = [vm.ending.value for vm in result.vms]
        self._desk.ledger.audit.note(
            self._actor,
            action,
            self._record.opd,
            self._record.number,
            key=self._record.key,
            revision=self._workload.record.revision,
            saga=journal.id,
            ended=", ".join(f"{endings.count(name)} {name}" for name in dict.fromkeys(endings)),
            upids=self._desk.ledger.journal.tasks(journal.id),
            **details,
        )

    def _note_trouble(self, vm: VmResult) -> None:
        """A VM that failed or is stuck, and why; of an unfinished one the same saga goes on."""
        book, uid = self._desk.ledger.instances, vm.vm.identity.uid
        if vm.ending is VmEnding.FAILED:
            book.failed(uid, error=_cause_of(vm), actor=self._actor)
        elif vm.ending is VmEnding.STUCK:
            book.stuck(uid, error=_cause_of(vm), actor=self._actor)

    def _instances(self) -> tuple[InstanceRecord, ...]:
        """Those that shall be; not those that a change has taken away."""
        return tuple(one for one in self._everything() if one.member in self._workload.usage)

    def _everything(self) -> tuple[InstanceRecord, ...]:
        return self._desk.ledger.instances.list(workload=self._record.key)

    def _fresh(self) -> RequestRecord:
        return self._desk.ledger.requests.get(self._record.key)


def _cause_of(vm: VmResult) -> str:
    """Why a VM is not active, in few words: the error, or the step that it stands at."""
    return str(vm.error) if vm.error is not None else (vm.step or vm.ending.value)


def faults_of(result: ApplyResult) -> tuple[Fault, ...]:
    """What is to be told of the VMs that are not active, each with its way on."""
    faults: list[Fault] = []
    for vm in result.vms:
        if vm.ending is VmEnding.ACTIVE:
            continue
        commands = "\n".join(vm.commands)
        faults.append(
            Fault(
                f"apply.vm-{vm.ending.value}",
                {"vm": vm.vm.key, "step": vm.step or "-", "commands": commands},
                path=vm.vm.key,
            )
        )
        if vm.error is not None:
            faults.extend(vm.error.faults)
    return tuple(faults)
