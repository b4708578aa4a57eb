"""Holds, commitments and releases in any order, against a plain model."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, RequestState
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Balance, Link
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    ManualClock,
    approve,
    network,
    open_at,
    pools,
    revised,
    vm,
    wanted,
    workload,
)

PARENTS = {"rsud": "dinkes", "puskesmas": "dinkes", "dinkes": None, "bkad": None}
DIMENSIONS = ("memory", "vcpu")
POOL = pools(network("10.0.0.0/16", gateway="10.0.0.1"))


@dataclass
class Charge:
    """What the model says of one instance."""

    opd: str
    held: dict[str, int] = field(default_factory=dict)
    committed: dict[str, int] = field(default_factory=dict)


class QuotaMachine(RuleBasedStateMachine):
    """Never over a limit by admitted growth, for OPD and parents, whatever is done."""

    pending = Bundle("pending")
    approved = Bundle("approved")
    planned = Bundle("planned")
    active = Bundle("active")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = open_at(self.folder, ManualClock())
        self.charges: dict[str, Charge] = {}
        self.limits: dict[str, dict[str, int]] = {}
        self.admitted_to: dict[tuple[str, str], int] = {}
        self.number = 0

    @initialize(values=st.lists(st.integers(0, 60), min_size=8, max_size=8))
    def set_limits(self, values: list[int]) -> None:
        names = iter(values)
        self.limits = {opd: {dim: next(names) for dim in DIMENSIONS} for opd in PARENTS}

    def teardown(self) -> None:
        assert self.ledger.audit.verify() == ()
        self.ledger.close()
        shutil.rmtree(self.folder)

    # -- what people do ----------------------------------------------------------------------
    @rule(target=pending, opd=st.sampled_from(sorted(PARENTS)), count=st.integers(1, 3))
    def submit(self, opd: str, count: int) -> WorkloadSpec:
        self.number += 1
        spec = workload(opd, f"w{self.number}", vm("db", count))
        self.ledger.requests.submit(spec, "", SITI)
        return spec

    @rule(
        target=approved,
        spec=consumes(pending),
        memory=st.integers(0, 25),
        vcpu=st.integers(0, 25),
    )
    def approve(self, spec: WorkloadSpec, memory: int, vcpu: int) -> object:
        members = [f"db-{number}" for number in range(1, spec.vms[0].count + 1)]
        each = {"memory": memory, "vcpu": vcpu}
        chain = self._chain(spec.opd)
        fits = all(
            not each[dim]
            or self._charged(link.scope, dim) + each[dim] * len(members)
            <= self.limits[link.opd][dim]
            for link in chain
            for dim in DIMENSIONS
        )
        if not fits:
            with pytest.raises(Refused, match=r"quota\.exceeded"):
                approve(self.ledger, spec, dict.fromkeys(members, each), chain)
            return multiple()
        approve(self.ledger, spec, dict.fromkeys(members, each), chain)
        for member in members:
            held = {dim: value for dim, value in each.items() if value}
            self.charges[f"{spec.key}/{member}"] = Charge(spec.opd, held)
        for link in chain:
            for dim in DIMENSIONS:
                if each[dim]:
                    self.admitted_to[link.opd, dim] = self.limits[link.opd][dim]
        return spec

    @rule(spec=consumes(approved))
    def withdraw(self, spec: WorkloadSpec) -> None:
        self.ledger.requests.withdraw(spec.key, actor=BUDI)
        self._forget(spec)

    @rule(target=pending, spec=consumes(approved))
    def revise(self, spec: WorkloadSpec) -> WorkloadSpec:
        self.ledger.requests.submit(revised(spec), "", SITI)
        self._forget(spec)
        return revised(spec)

    @rule(target=planned, spec=consumes(approved))
    def begin(self, spec: WorkloadSpec) -> object:
        self.ledger.requests.begin(
            spec.key, spec_hash=spec.spec_hash, offer_digest="offer-1", actor=OPERATOR
        )
        return multiple(
            *self.ledger.instances.claim(
                spec.key,
                wanted(spec),
                vmid_range=range(100, 10000),
                pools=POOL,
                taken_vmids={},
                actor=OPERATOR,
            )
        )

    @rule(
        opd=st.sampled_from(sorted(PARENTS)), dim=st.sampled_from(DIMENSIONS), to=st.integers(0, 60)
    )
    def set_limit(self, opd: str, dim: str, to: int) -> None:
        """A limit cut below what is used leaves VMs alone and refuses growth."""
        self.limits[opd][dim] = to

    # -- what happens to VMs -----------------------------------------------------------------
    @rule(target=active, instance=consumes(planned))
    def activate(self, instance: InstanceRecord) -> InstanceRecord:
        self.ledger.instances.creating(instance.uid, actor=OPERATOR)
        self.ledger.instances.active(instance.uid, actor=OPERATOR)
        charge = self.charges[instance.key]
        charge.committed, charge.held = charge.held, {}
        return instance

    @rule(instance=planned)
    def fail_and_keep(self, instance: InstanceRecord) -> None:
        self.ledger.instances.creating(instance.uid, actor=OPERATOR)
        self.ledger.instances.failed(instance.uid, error="broken", actor=OPERATOR)

    @rule(instance=consumes(planned))
    def give_up(self, instance: InstanceRecord) -> None:
        self.ledger.instances.release(instance.uid, actor=OPERATOR)
        del self.charges[instance.key]

    @rule(instance=consumes(active))
    def remove(self, instance: InstanceRecord) -> None:
        self.ledger.instances.retiring(instance.uid, actor=OPERATOR)
        self.ledger.instances.release(instance.uid, actor=OPERATOR)
        del self.charges[instance.key]

    # -- what must hold ----------------------------------------------------------------------
    @invariant()
    def the_ledger_agrees_with_the_model(self) -> None:
        for opd in PARENTS:
            scope = self._scope(opd)
            found = self.ledger.quota.balances(scope)
            for dim in DIMENSIONS:
                expected = Balance(
                    sum(c.committed.get(dim, 0) for c in self._within(scope)),
                    sum(c.held.get(dim, 0) for c in self._within(scope)),
                )
                assert found.get(dim, Balance()) == expected

    @invariant()
    def nobody_was_admitted_over_a_limit(self) -> None:
        """At most what the limit was when growth was last admitted: cuts make overages, growth
        never does."""
        for opd in PARENTS:
            balances = self.ledger.quota.balances(self._scope(opd))
            for dim in DIMENSIONS:
                charged = balances.get(dim, Balance()).charged
                assert charged <= self.admitted_to.get((opd, dim), 0)

    @precondition(lambda self: self.number > 0)
    @invariant()
    def holds_belong_to_requests_that_are_approved_or_applied(self) -> None:
        idle = {
            record.key
            for record in self.ledger.requests.list()
            if record.state not in {RequestState.APPROVED, RequestState.APPLYING}
        }
        for key in self.charges:
            assert key.rpartition("/")[0] not in idle

    def _forget(self, spec: WorkloadSpec) -> None:
        for key in [key for key in self.charges if key.startswith(f"{spec.key}/")]:
            del self.charges[key]

    def _scope(self, opd: str) -> frozenset[str]:
        return frozenset({opd} | {child for child, parent in PARENTS.items() if parent == opd})

    def _within(self, scope: frozenset[str]) -> list[Charge]:
        return [charge for charge in self.charges.values() if charge.opd in scope]

    def _charged(self, scope: frozenset[str], dim: str) -> int:
        return sum(
            charge.held.get(dim, 0) + charge.committed.get(dim, 0) for charge in self._within(scope)
        )

    def _chain(self, opd: str) -> tuple[Link, ...]:
        parent = PARENTS[opd]
        links = (Link(opd, self.limits[opd], self._scope(opd)),)
        return links if parent is None else (*links, *self._chain(parent))


def test_no_order_of_deeds_breaks_the_book() -> None:
    run_state_machine_as_test(
        QuotaMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
