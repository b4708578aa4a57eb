"""Adopt: VMs that stand on a cluster become instances of an OPD; nothing in them is changed but
description and tags.

The decision is Diskominfo's or the leadership's, by one person who is entitled in the last stage
of the chain that a request for the same VMs would have; the VMs exist, and what they use is
charged whether a limit allows it or not. The ledger knows them first, in one transaction; then
each VM is stamped. Called again, it stamps what was not stamped, and takes nothing in twice.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType

from cloudpemda.apply import Stamped, Stampers
from cloudpemda.cluster import ClusterState, Vm
from cloudpemda.errors import CloudpemdaError, Fault, Refused, worst
from cloudpemda.ledger import (
    Actor,
    AdoptedNic,
    AdoptedVm,
    Adoption,
    Ballot,
    InstanceRecord,
    SagaEvent,
    SagaJournal,
)
from cloudpemda.placement import NPlusOne, Placed, Placement, Score
from cloudpemda.plan.adoption import Ground, Left, Listed, Takeable, group, measure
from cloudpemda.plan.byhand import check_by_hand
from cloudpemda.plan.desire import InstanceIdentity, NicIdentity, desire, instance_key
from cloudpemda.plan.diff import carries, stamp
from cloudpemda.plan.model import DesiredVm
from cloudpemda.plan.offer import make_offer
from cloudpemda.request import WorkloadSpec, read_any
from cloudpemda.request.write import write
from cloudpemda.rules.policy import may_ask
from cloudpemda.rules.quota import Usage, total, usage_of
from cloudpemda.usecases.adopting import Adopting, Choice, Terms, VmView, WorkloadView
from cloudpemda.usecases.chain import decide_alone
from cloudpemda.usecases.desk import Desk, require_opd
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.plan import desired_of
from cloudpemda.usecases.quota import note_limits, quota_verdict
from cloudpemda.usecases.workload import (
    Workload,
    cluster_settings,
    setting,
    standing_placement,
)

KIND = "adopt"
_NOT_ASKED = frozenset({"policy.vmids", "policy.no-cluster"})
"""What may be otherwise with VMs that stand there: their VMIDs stay, and so does their cluster."""


def preview(desk: Desk, choice: Choice, terms: Terms) -> Adopting:
    """What `adopt` would do. Changes nothing.

    Raises Refused `adopt.class`, UsageError for an OPD or cluster that the site has not,
    Unreachable where the cluster cannot be read.
    """
    desk.act("operator", "reviewer", "approver", "auditor")
    return _Run(desk, choice, terms).shown()


def adopt(
    desk: Desk,
    choice: Choice,
    terms: Terms,
    progress: Callable[[str, int, int], None],
    halted: Callable[[], bool],
) -> Adopting:
    """Take the chosen VMs in, then stamp them; VMs of an earlier run that lack their stamp, too.

    By whoever may decide (Refused `adopt.not-yours`); an operator goes on with what was decided,
    where nothing new is to be taken in. Raises as `preview` does, and Refused `pause.on` and what
    `Adoptions.adopt` refuses: then nothing was changed.
    """
    require_running(desk)
    desk.ledger.found.require_reconciled()
    return _Run(desk, choice, terms).carried_out(progress, halting(desk, halted))


class _Run:
    def __init__(self, desk: Desk, choice: Choice, terms: Terms) -> None:
        require_opd(desk, terms.opd)
        cluster_settings(desk, choice.cluster)
        if terms.service_class not in desk.site.catalogue.service_classes:
            known = ", ".join(sorted(desk.site.catalogue.service_classes))
            raise Refused("adopt.class", service_class=terms.service_class, known=known)
        self._desk, self._choice, self._terms = desk, choice, terms
        self._setting = setting(desk, terms.opd, choice.cluster)
        here = desk.ledger.instances.list(cluster=choice.cluster, copies=True)
        self._records = {one.vmid: one for one in here}
        everybody = desk.ledger.instances.list(purged=True, copies=True)
        self._owners = {one.uid: one.key for one in everybody}
        self._macs = {nic.mac.lower(): one.key for one in everybody for nic in one.nics}
        self._state: ClusterState = desk.cluster(choice.cluster).snapshot(
            also=choice.takes, images=False
        )
        self._service_class = self._setting.service_class(terms.service_class)
        self._mine: list[InstanceRecord] = []
        self._left: list[Left] = []
        self._workloads = self._grouped()

    # -- what there is ---------------------------------------------------------------------
    def _grouped(self) -> tuple[tuple[WorkloadSpec, tuple[Takeable, ...]], ...]:
        takeable = tuple(self._takeable())
        terms = self._terms
        used = {record.key.partition("/")[2] for record in self._desk.ledger.requests.list(
            opd=terms.opd)} | {
            record.key.partition("/")[2] for record in self._desk.ledger.grants.list(opd=terms.opd)
        }  # fmt: skip
        return tuple(
            (self._spec(name, members), members)
            for name, members in group(takeable, terms.opd, terms.name, used)
        )

    def _takeable(self) -> Iterator[Takeable]:
        ground = self._ground()
        given = {(one.pool, one.address) for one in self._desk.ledger.addresses.given()}
        chosen = [vm for _, vm in sorted(self._state.vms.items()) if self._choice.takes(vm)]
        for vmid in sorted(({*self._choice.vmids, *self._choice.listed}) - self._state.vms.keys()):
            values = MappingProxyType({"vmid": vmid, "cluster": self._choice.cluster})
            self._left.append(Left(vmid, "", "-", (Fault("adopt.no-such-vm", values),)))
        for vm in chosen:
            if self._is_known(vm):
                continue
            found = measure(vm, self._state, ground, self._choice.listed.get(vm.vmid, Listed()))
            if isinstance(found, Takeable):
                faults = (*self._taken(vm, found, given), *self._unsaid(vm, found))
                if not faults:
                    self._macs |= {nic.mac: f"VM {vm.vmid}" for nic in found.nics}
                    given |= {(nic.network, nic.address) for nic in found.nics if nic.address}
                    yield found
                    continue
                found = Left(vm.vmid, vm.name, vm.node, faults)
            self._left.append(found)

    def _ground(self) -> Ground:
        desk, opd = self._desk, self._terms.opd
        classes = cluster_settings(desk, self._choice.cluster).storages
        allowed = desk.site.opds[opd].allow.networks
        networks = desk.site.info.networks
        return Ground(
            storages={storage: name for name, storage in sorted(classes.items(), reverse=True)},
            networks={name: networks[name] for name in allowed if name in networks},
            service_class=self._service_class,
            away=frozenset(one.node for one in desk.ledger.drains.list(self._choice.cluster)),
        )

    def _is_known(self, vm: Vm) -> bool:
        """Whether the ledger has it: as adopted before, or as a VM that is not to be adopted."""
        record = self._records.get(vm.vmid)
        if record is not None:
            if record.found is not None and record.opd == self._terms.opd:
                self._mine.append(record)
            else:
                self._leave(vm, "adopt.known", key=record.key)
            return True
        said = {} if vm.config is None else stamp(vm.config)
        owner = self._owners.get(said.get("uid", ""))
        if owner is not None:
            self._leave(vm, "adopt.copy", key=owner)
        return owner is not None

    def _leave(self, vm: Vm, code: str, **values: object) -> None:
        said = MappingProxyType({"vmid": vm.vmid, "name": vm.name, **values})
        self._left.append(Left(vm.vmid, vm.name, vm.node, (Fault(code, said),)))

    def _taken(
        self, vm: Vm, found: Takeable, given: Collection[tuple[str, str]]
    ) -> Iterator[Fault]:
        for nic in found.nics:
            if nic.mac in self._macs:
                values: dict[str, object] = {
                    "slot": nic.slot,
                    "mac": nic.mac,
                    "other": self._macs[nic.mac],
                }
                values |= {"vmid": vm.vmid, "name": vm.name}
                yield Fault("adopt.mac-taken", MappingProxyType(values))
            if nic.address is not None and (nic.network, nic.address) in given:
                said = {"vmid": vm.vmid, "name": vm.name, "address": nic.address}
                yield Fault("adopt.address-taken", MappingProxyType(said))

    def _unsaid(self, vm: Vm, found: Takeable) -> tuple[Fault, ...]:
        """What a request must not say, and what no plan could ever put right."""
        spec = self._spec("adopted", (found,))
        try:
            read_any(write(spec).encode(), f"VM {vm.vmid}", {})
            assert vm.config is not None  # noqa: S101 - it was measured
            check_by_hand(self._desired(spec, (found,))[0], vm.config)
        except CloudpemdaError as error:
            return tuple(replace(one, file=None, line=None, column=None) for one in error.faults)
        verdict = may_ask(spec, self._desk.site, now=self._desk.clock.now(), others=0)
        return tuple(one for one in verdict.faults if one.code not in _NOT_ASKED)

    # -- what it would be ------------------------------------------------------------------
    def _spec(self, name: str, members: Sequence[Takeable]) -> WorkloadSpec:
        terms = self._terms
        return WorkloadSpec(
            opd=terms.opd,
            name=name,
            purpose=terms.purpose,
            service_class=terms.service_class,
            until=terms.until,
            letter=terms.letter,
            requester=terms.requester,
            vms=tuple(sorted((one.kind for one in members), key=lambda kind: kind.name)),
        )

    def _placement(self, spec: WorkloadSpec, members: Sequence[Takeable]) -> Placement:
        placed = tuple(
            Placed(_key(spec, one), one.node, one.targets, Score(0, 0, 0)) for one in members
        )
        return Placement(self._choice.cluster, placed, NPlusOne((), ()))

    def _desired(self, spec: WorkloadSpec, members: Sequence[Takeable]) -> tuple[DesiredVm, ...]:
        identities = {
            _key(spec, one): InstanceIdentity(
                uid=one.uid or "-",
                vmid=one.vmid,
                name=one.pve_name,
                nics={
                    nic.network: NicIdentity(
                        nic.mac, nic.address or "", int(nic.slot.removeprefix("net"))
                    )
                    for nic in one.nics
                },
                found=one.facts,
            )
            for one in members
        }
        place = self._placement(spec, members)
        return desire(spec, self._setting, identities, place, self._state)

    def _usage(self) -> Usage:
        return total(
            usage_of(kind, self._service_class) for spec, _ in self._workloads for kind in spec.vms
        )

    def shown(self) -> Adopting:
        usage = self._usage()
        workloads = tuple(
            WorkloadView(
                spec.key,
                None,
                write(spec),
                tuple(
                    VmView(one.vmid, one.pve_name, one.node, _key(spec, one), stamped=False)
                    for one in members
                ),
            )
            for spec, members in self._workloads
        )
        return Adopting(
            cluster=self._choice.cluster,
            opd=self._terms.opd,
            service_class=self._terms.service_class,
            workloads=workloads,
            left=tuple(sorted(self._left, key=lambda one: one.vmid)),
            already=tuple(self._already({})),
            usage=usage,
            overage=quota_verdict(self._desk, self._terms.opd, usage).faults,
        )

    def _already(self, stamped: Mapping[str, Stamped]) -> Iterator[VmView]:
        for record in self._mine:
            vm = self._state.vms[record.vmid]
            ours = vm.config is not None and carries(vm.config, record.identity)
            yield _view(record, vm.node, stamped.get(record.key), before=ours)

    # -- doing it --------------------------------------------------------------------------
    def carried_out(
        self, progress: Callable[[str, int, int], None], halted: Callable[[], bool]
    ) -> Adopting:
        before = self.shown()
        ledger = self._desk.ledger
        numbers: dict[str, str] = {}
        if self._workloads:
            actor = self._take_in(numbers)
        else:
            actor = self._desk.act("operator", "approver", "reviewer")
        open_ = {one.number for one in ledger.journal.unfinished() if one.kind == KIND}
        unstamped = [
            record for record in self._mine if not self._carries(record) or record.number in open_
        ]
        fresh = [one for key in numbers for one in ledger.instances.list(workload=key)]
        wanted = (*fresh, *unstamped)
        stamped = self._stamp(wanted, progress, halted)
        ended = [one.error for one in stamped.values() if one.error is not None]
        if wanted:
            ledger.audit.note(
                actor,
                "adopt.stamp",
                self._terms.opd,
                f"{self._choice.cluster}/{self._terms.opd}",
                stamped=len(stamped) - len(ended),
                failed=", ".join(key for key, one in stamped.items() if one.error is not None),
            )
        by_key = {record.key: record for record in fresh}
        return replace(
            before,
            done=True,
            workloads=tuple(
                replace(
                    view,
                    number=numbers[view.key],
                    vms=tuple(
                        _view(by_key[vm.key], vm.node, stamped.get(vm.key), before=False)
                        for vm in view.vms
                    ),
                )
                for view in before.workloads
            ),
            already=tuple(self._already(stamped)),
            faults=tuple(fault for error in ended for fault in error.faults),
            errors=worst(error.exit_code for error in ended),
        )

    def _carries(self, record: InstanceRecord) -> bool:
        config = self._state.vms[record.vmid].config
        return config is not None and carries(config, record.identity)

    def _take_in(self, numbers: dict[str, str]) -> Actor:
        """The decision and what it takes in, in the ledger."""
        decided = [decide_alone(self._desk, spec, "adopt.not-yours") for spec, _ in self._workloads]
        actor = decided[0][0]
        note_limits(self._desk, actor)
        adoptions = [
            self._adoption(spec, members, given)
            for (spec, members), (_, given) in zip(self._workloads, decided, strict=True)
        ]
        for one in self._desk.ledger.adoptions.adopt(adoptions, actor):
            numbers[one.key] = one.number
        return actor

    def _adoption(self, spec: WorkloadSpec, members: Sequence[Takeable], given: Ballot) -> Adoption:
        usage = total(usage_of(kind, self._service_class) for kind in spec.vms)
        made = make_offer(spec, self._placement(spec, members), usage)
        return Adoption(
            spec=spec,
            source_text=write(spec),
            cluster=self._choice.cluster,
            offer_digest=made.digest,
            offer_json=made.to_json(),
            ballot=given,
            vms=tuple(
                AdoptedVm(
                    member=one.kind.members[0],
                    name=one.pve_name,
                    uid=one.uid,
                    vmid=one.vmid,
                    node=one.node,
                    storages=one.storages,
                    targets=one.targets,
                    nics=tuple(
                        AdoptedNic(
                            int(nic.slot.removeprefix("net")), nic.network, nic.mac, nic.address
                        )
                        for nic in one.nics
                    ),
                    usage=usage_of(one.kind, self._service_class),
                    facts=one.facts,
                    running=one.running,
                )
                for one in members
            ),
        )

    # -- stamping --------------------------------------------------------------------------
    def _stamp(
        self,
        wanted: Sequence[InstanceRecord],
        progress: Callable[[str, int, int], None],
        halted: Callable[[], bool],
    ) -> Mapping[str, Stamped]:
        """By instance key how each came out; each workload has its own saga."""
        desk, cluster = self._desk, self._choice.cluster
        by_number: dict[str, list[InstanceRecord]] = {}
        for record in wanted:
            by_number.setdefault(record.number, []).append(record)
        found: dict[str, Stamped] = {}
        with ExitStack() as stack:
            sagas: dict[str, SagaJournal] = {}
            for number in by_number:
                sagas[number] = stack.enter_context(desk.ledger.journal.open_saga(number, KIND))
            vms = [vm for number in by_number for vm in self._standing(by_number[number])]
            stampers = Stampers(
                pve=desk.cluster(cluster),
                journals={record.key: sagas[record.number] for record in wanted},
                limits=cluster_settings(desk, cluster).limits,
                clock=desk.clock,
                entropy=desk.entropy,
                progress=lambda key, done: progress(key, done, len(vms)),
                halted=halted,
            )
            found = {one.vm.key: one for one in stampers.run(vms)}
            for number, own in by_number.items():
                if all(found[record.key].error is None for record in own):
                    sagas[number].close(SagaEvent.FINISH)
        return found

    def _standing(self, records: Sequence[InstanceRecord]) -> tuple[DesiredVm, ...]:
        """What the instances of one workload shall be, of those that are to be stamped."""
        desk, key = self._desk, records[0].key.rpartition("/")[0]
        request = desk.ledger.requests.get(key)
        everything = desk.ledger.instances.list(workload=key)
        workload = Workload(desk, request, self._choice.cluster)
        place = standing_placement(self._choice.cluster, everything, self._state)
        wanted = {record.key for record in records}
        desired = desired_of(workload, self._state, everything, place)
        return tuple(vm for vm in desired if vm.key in wanted)


def _key(spec: WorkloadSpec, one: Takeable) -> str:
    return instance_key(spec, one.kind.members[0])


def _view(record: InstanceRecord, node: str, one: Stamped | None, *, before: bool) -> VmView:
    error = None if one is None or one.error is None else one.error.code
    done = before if one is None else one.error is None
    return VmView(record.vmid, record.name, node, record.key, stamped=done, error=error)
