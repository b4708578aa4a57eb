"""One workload: a chain per VM, all at once within the gates, then one reading back for all.

Chains fail alone: what is finished stays. The reading back comes when every chain has done what it
could, since one picture of the cluster then proves all of them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum

from cloudpemda.apply.chains import chain_of
from cloudpemda.apply.identity import Standing, look
from cloudpemda.apply.protect import Protector
from cloudpemda.apply.readback import Readback
from cloudpemda.apply.shop import Shop
from cloudpemda.apply.tools import Tools
from cloudpemda.apply.vm import VmMaker
from cloudpemda.errors import CloudpemdaError, ExitCode, Incomplete, worst
from cloudpemda.plan.diff import carries
from cloudpemda.plan.firewall import kind_of
from cloudpemda.plan.model import Aspect, DesiredVm
from cloudpemda.saga import Chain, Ending, Outcome, Step, StepState, Work, nothing

_THREADS = 64  # one per VM, so that none waits for another's storage; the gates do the bounding
_LOOK_SECONDS = 0.5  # Ctrl-C that comes just before a wait is only seen when the wait looks up
VERIFY = "verify"
_BACKUP = "backup"
_FIREWALL = "firewall"
_PUT_RIGHT: Mapping[str, frozenset[Aspect]] = {
    "config": frozenset({Aspect.POOL, Aspect.CONFIG, Aspect.DISKS}),
    "flags": frozenset({Aspect.FLAGS}),
    "move": frozenset({Aspect.DISKS}),
    "disks": frozenset({Aspect.DISKS}),
    _FIREWALL: frozenset({Aspect.FIREWALL}),
    "start": frozenset({Aspect.START}),
    "ha": frozenset({Aspect.HA}),
    "replication": frozenset({Aspect.REPLICATION}),
    _BACKUP: frozenset({Aspect.BACKUP}),
}
"""Step → what of a VM that stands already it puts right."""


class VmEnding(StrEnum):
    ACTIVE = "active"  # read back as desired; after an undo: it was there before, and stays
    FAILED = "failed"  # nothing of it is left
    STUCK = "stuck"  # neither there nor gone: `commands` are for a human
    UNFINISHED = "unfinished"  # the same call continues


@dataclass(frozen=True)
class VmResult:
    """How one VM came out. `vm` carries the identity that it has now."""

    vm: DesiredVm
    ending: VmEnding
    step: str | None = None
    error: CloudpemdaError | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApplyResult:
    vms: tuple[VmResult, ...]  # in the order in which they were asked for
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """6 while `apply` has something to do (a VM that was taken back is made anew), 7 where
        only a human can go on."""
        codes = [_EXIT[one.ending] for one in self.vms]
        return ExitCode.INCOMPLETE if self.interrupted else worst(codes)


_EXIT = {
    VmEnding.ACTIVE: ExitCode.DONE,
    VmEnding.FAILED: ExitCode.INCOMPLETE,
    VmEnding.STUCK: ExitCode.FINDINGS,
    VmEnding.UNFINISHED: ExitCode.INCOMPLETE,
}
_ENDINGS: Mapping[Ending, VmEnding] = {
    Ending.DONE: VmEnding.ACTIVE,
    Ending.UNDONE: VmEnding.FAILED,
    Ending.STUCK: VmEnding.STUCK,
    Ending.UNFINISHED: VmEnding.UNFINISHED,
}


def apply_workload(
    desired: Sequence[DesiredVm],
    tools: Tools,
    only: Collection[str] | None = None,
    aspects: Mapping[str, frozenset[Aspect]] | None = None,
) -> ApplyResult:
    """Make every VM as desired, from wherever the journal stands; or `only` those of these keys,
    with the others as what they stand beside. Of VMs that stand, `aspects` are by key all that is
    put right and proved.

    Returns once each VM is active, taken back, stuck or unfinished, or `tools.halted` says so;
    a KeyboardInterrupt is such a halt. Raises only for bugs.
    """
    return Run(desired, tools, only, aspects).forward()


def undo_workload(desired: Sequence[DesiredVm], tools: Tools) -> ApplyResult:
    """Take back whatever the journal says was begun, last step first."""
    return Run(desired, tools).back()


class Run:
    """One call: the chains of a workload over one set of tools."""

    def __init__(
        self,
        desired: Sequence[DesiredVm],
        tools: Tools,
        only: Collection[str] | None = None,
        aspects: Mapping[str, frozenset[Aspect]] | None = None,
    ) -> None:
        self._interrupted = False
        self._aspects = aspects
        self._tools = replace(tools, halted=lambda: self._interrupted or tools.halted())
        self._shop = Shop(self._tools, desired)
        mine = [vm for vm in desired if only is None or vm.key in only]
        self._makers = [VmMaker(vm, self._shop) for vm in mine]
        # There before this saga, which the journal decides: one that makes a VM has written so.
        self._before = {vm.key for vm in mine if self._was_there_before(vm)}
        # Made by this saga and read back once: neither is destroyed for what happened since.
        verified = {vm.key for vm in mine if self._was_verified(vm)}
        self._kept = self._before | verified | tools.established
        self._unmet: dict[str, CloudpemdaError] = {}

    def _was_there_before(self, vm: DesiredVm) -> bool:
        there = self._tools.live.vms.get(vm.identity.vmid)
        if there is None or "create" in self._tools.journal.steps(vm.identity.uid):
            return False
        if there.config is None:
            return look(self._shop.pve, vm, there.node).standing is Standing.OURS
        return carries(there.config, vm.identity)

    def _was_verified(self, vm: DesiredVm) -> bool:
        record = self._tools.journal.steps(vm.identity.uid).get(VERIFY)
        return record is not None and record.state is StepState.DONE

    def forward(self) -> ApplyResult:
        try:
            moved = self._moved()
        except CloudpemdaError as error:
            return self._result(_unread(self._makers, error))

        def run(maker: VmMaker) -> Outcome:
            if maker.vm.key not in self._kept:
                return self._chain(maker).run(
                    before=_BACKUP if maker.vm.protection.backup else VERIFY
                )
            aspects = moved.get(maker.vm.key)
            return self._put_right(maker, aspects) if aspects else Outcome(Ending.DONE)

        made = self._each(self._makers, run)
        # Together, since those who join a backup job at the same time need one write.
        joining = [
            maker
            for maker in self._makers
            if made[maker.vm.key].ending is Ending.DONE and maker.vm.key not in self._kept
        ]
        made |= self._each(joining, lambda maker: self._chain(maker).run(before=VERIFY))
        done = [maker for maker in self._makers if made[maker.vm.key].ending is Ending.DONE]
        made |= {one.vm.key: Outcome(Ending.UNFINISHED, VERIFY) for one in done}
        if done and not self._tools.halted():
            made |= self._verify(done)
        return self._result(self._drop_groups(made))

    def back(self) -> ApplyResult:
        def run(maker: VmMaker) -> Outcome:
            if maker.vm.key in self._before:
                return Outcome(Ending.DONE)
            return self._chain(maker).undo()

        return self._result(self._drop_groups(self._each(self._makers, run)))

    def _drop_groups(self, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
        """A security group goes with the last VM of its kind; where it does not, they are not
        gone yet, and the same call continues."""
        users: dict[str, list[VmMaker]] = {}
        for maker in self._makers:
            if maker.vm.firewall is not None:
                users.setdefault(kind_of(maker.vm.key), []).append(maker)
        found = dict(outcomes)
        for kind, makers in users.items():
            if any(outcomes[one.vm.key].ending is not Ending.UNDONE for one in makers):
                continue
            try:
                self._shop.firewalls.drop(kind)
            except CloudpemdaError as error:
                left = Outcome(Ending.UNFINISHED, _FIREWALL, error)
                found |= {one.vm.key: left for one in makers}
        return found

    def _moved(self) -> Mapping[str, frozenset[Aspect]]:
        """In what the VMs that are kept are not as desired, by a first look. What could not be
        read, or only a person may put right, is left to the reading back, which says so."""
        kept = [maker.vm for maker in self._makers if maker.vm.key in self._kept]
        return Readback(self._shop, self._aspects).read(kept).aspects if kept else {}

    def _put_right(self, maker: VmMaker, aspects: frozenset[Aspect]) -> Outcome:
        chain = self._repair(maker, aspects)
        chain.renew()
        outcome = chain.run(before=VERIFY)
        if outcome.ending is Ending.DONE:
            return outcome
        return replace(outcome, ending=Ending.UNFINISHED)

    def _repair(self, maker: VmMaker, aspects: frozenset[Aspect]) -> Chain:
        """Every step looks again, and does what is missing; nothing is ever taken back.

        It has a record of its own in the journal, beside that of the VM's making.
        """
        steps = tuple(
            _putting_right(one)
            for one in self._steps(maker, kept=True)
            if one.name == VERIFY or aspects & _PUT_RIGHT.get(one.name, frozenset())
        )
        return self._chain(maker, f"{maker.vm.identity.uid}:put-right", steps)

    def _verify(self, made: Sequence[VmMaker]) -> dict[str, Outcome]:
        """Read back what was made, put right what somebody else overwrote, then say which VMs
        are as desired; one that was made just now and is not is taken back."""
        try:
            readback = Readback(self._shop, self._aspects).settle([one.vm for one in made])
        except KeyboardInterrupt:
            self._interrupted = True
            return _unread(made, Incomplete("apply.halted"))
        except CloudpemdaError as error:
            return _unread(made, error)
        self._unmet = dict(readback.unmet)

        def conclude(maker: VmMaker) -> Outcome:
            key = maker.vm.key
            wrong = readback.unknown.get(key) or (key in self._kept and readback.unmet.get(key))
            if wrong:
                return Outcome(Ending.UNFINISHED, VERIFY, wrong)
            return Outcome(Ending.DONE) if key in self._kept else self._chain(maker).run()

        return self._each(made, conclude)

    # -- chains ----------------------------------------------------------------------------
    def chains(self) -> tuple[Chain, ...]:
        """One chain per VM with all of its steps, in the order asked for."""
        return tuple(self._chain(maker) for maker in self._makers)

    def repairs(self) -> tuple[Chain, ...]:
        """One chain per VM that is kept and is not as desired, with what it lacks."""
        moved = self._moved()
        return tuple(
            self._repair(maker, moved[maker.vm.key])
            for maker in self._makers
            if maker.vm.key in moved
        )

    def _chain(
        self, maker: VmMaker, subject: str | None = None, chosen: Sequence[Step] | None = None
    ) -> Chain:
        """The chain that makes a VM, or one of chosen steps under a subject of its own."""
        steps = self._steps(maker) if chosen is None else chosen
        return chain_of(maker.vm.key, subject or maker.vm.identity.uid, steps, self._tools)

    def _steps(self, maker: VmMaker, *, kept: bool = False) -> tuple[Step, ...]:
        """What makes a VM; of one that is kept, also what takes a protection away from it that
        it shall have no longer."""
        guard = Protector(maker, self._shop)
        steps = [
            Step("pool", maker.ensure_pool, _no),
            Step("create", maker.create, maker.is_created, maker.destroy, maker.destroy_commands),
            Step("config", maker.configure, maker.is_configured),
            *((Step("flags", maker.cover, maker.is_covered),) if kept else ()),
            *((Step("move", maker.move, maker.is_moved),) if kept else ()),
            Step("disks", maker.grow, maker.is_grown),
            *_firewall_steps(maker, self._shop),
            Step("start", maker.start, maker.is_running, maker.stop, maker.stop_commands),
        ]
        protection = maker.vm.protection
        if protection.ha:
            steps.append(
                Step("ha", guard.manage, guard.is_managed, guard.release, guard.release_commands)
            )
        elif kept:
            steps.append(Step("ha", guard.let_go, guard.is_let_go))
        if protection.replication or kept:
            steps.append(
                Step(
                    "replication",
                    guard.replicate,
                    guard.is_replicated,
                    guard.unreplicate,
                    guard.unreplicate_commands,
                )
            )
        if protection.backup is not None or kept:
            steps.append(
                Step(
                    _BACKUP,
                    guard.back_up,
                    guard.is_backed_up,
                    guard.leave_backup,
                    guard.leave_backup_commands,
                )
            )

        def verify(_: Work) -> None:
            unmet = self._unmet.get(maker.vm.key)
            if unmet is not None:
                raise unmet

        return (*steps, Step(VERIFY, verify, _no))

    # -- threads ---------------------------------------------------------------------------
    def _each(
        self, makers: Iterable[VmMaker], run: Callable[[VmMaker], Outcome]
    ) -> dict[str, Outcome]:
        """The outcome of every chain by VM key. An interrupt halts them all, and they stop between
        two requests or at the next look at a task."""
        todo = list(makers)
        if not todo:
            return {}
        with ThreadPoolExecutor(min(_THREADS, len(todo)), "apply") as threads:
            running = {maker.vm.key: threads.submit(_contained, run, maker) for maker in todo}
            try:
                _wait_for(running.values())
            except KeyboardInterrupt:
                self._interrupted = True
                _wait_for(running.values())
        return {key: future.result() for key, future in running.items()}

    def _result(self, outcomes: Mapping[str, Outcome]) -> ApplyResult:
        return ApplyResult(
            tuple(
                VmResult(
                    maker.vm,
                    _ENDINGS[outcome.ending],
                    outcome.step,
                    outcome.error,
                    outcome.commands,
                )
                for maker in self._makers
                for outcome in (outcomes[maker.vm.key],)
            ),
            interrupted=self._tools.halted(),
        )


def _firewall_steps(maker: VmMaker, shop: Shop) -> tuple[Step, ...]:
    """Before the start, since from then on the VM is reached. Its own part of the firewall goes
    with the VM, the group with the last one (`Run._drop_groups`)."""
    wanted = maker.vm.firewall
    if wanted is None:
        return ()

    def do(_: Work) -> None:
        maker.prove()
        with shop.writing():
            shop.firewalls.ensure(wanted)
        with shop.gates.write(maker.node):
            shop.firewalls.protect(maker.vm, maker.node)

    def is_done(_: Work) -> bool:
        maker.prove()
        return shop.firewalls.protects(maker.vm, maker.node)

    return (Step(_FIREWALL, do, is_done),)


def _putting_right(step: Step) -> Step:
    """The step for a VM that was there before: done only where it is needed, never undone."""

    def do(work: Work) -> None:
        if not step.verify(work):
            step.do(work)

    return replace(step, do=do, undo=nothing)


def _no(_: Work) -> bool:
    """The verify of a step that can simply be done again."""
    return False


def _wait_for(running: Collection[Future[Outcome]]) -> None:
    while wait(running, timeout=_LOOK_SECONDS).not_done:
        pass


def _contained(run: Callable[[VmMaker], Outcome], maker: VmMaker) -> Outcome:
    """What stops one chain outside of its steps (a halt, the ledger) leaves it unfinished."""
    try:
        return run(maker)
    except CloudpemdaError as error:
        return Outcome(Ending.UNFINISHED, None, error)


def _unread(made: Iterable[VmMaker], error: CloudpemdaError) -> dict[str, Outcome]:
    return {one.vm.key: Outcome(Ending.UNFINISHED, VERIFY, error) for one in made}
