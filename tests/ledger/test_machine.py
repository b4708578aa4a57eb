"""The whole ledger against a plain model: any deed at any time, allowed or refused."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cloudpemda.errors import Refused
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Balance, Link
from cloudpemda.units import Instant
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    ManualClock,
    approve,
    network,
    open_at,
    pools,
    vm,
    wanted,
    workload,
)
from tests.ledger.model import DIMENSIONS, INSTANCE, PARENTS, Matter, Model, Vm, chain, scope

POOL = pools(network("10.0.0.0/16", gateway="10.0.0.1"))
KEYS = st.sampled_from([f"{opd}/w" for opd in sorted(PARENTS)])
LIMITS = st.integers(0, 200)
VARIANTS = st.integers(0, 2)
OFFERS = st.sampled_from(["offer-1", "offer-1", "offer-1", "another"])
HAPPENED: Counter[tuple[str, str]] = Counter()
HITS = st.sampled_from([True, True, True, False])
"""Mostly the revision that is asked for: refusals must not be all that happens."""

AMOUNTS = st.integers(0, 30)
DEEDS: dict[str, tuple[int, tuple[st.SearchStrategy[object], ...]]] = {
    "submit": (4, (KEYS, VARIANTS)),
    "approve": (9, (KEYS, HITS, AMOUNTS, AMOUNTS, st.integers(1, 20))),
    "deny": (1, (KEYS, HITS)),
    "withdraw": (1, (KEYS,)),
    "cut_or_raise": (1, (st.sampled_from(sorted(PARENTS)), st.sampled_from(DIMENSIONS), LIMITS)),
    "time_passes": (1, (st.integers(1, 100),)),
    "expire": (1, ()),
    "expire_pending": (1, (st.integers(1, 200),)),
    "begin": (6, (KEYS, HITS, OFFERS)),
    "claim": (4, (KEYS,)),
    "make": (4, (KEYS,)),
    "finish": (2, (KEYS,)),
    "fail": (4, (KEYS,)),
    "stick": (3, (KEYS,)),
    "happen": (10, (st.integers(0, 7), st.sampled_from(sorted(INSTANCE)))),
}
"""Each deed with how often it is drawn, and what it is drawn with."""

NAMES = [name for name, (often, _) in DEEDS.items() for _ in range(often)]


def document(key: str, variant: int) -> WorkloadSpec:
    opd, _, name = key.partition("/")
    return workload(opd, name, vm("db", 2), purpose=f"Tujuan {variant}")


class LedgerMachine(RuleBasedStateMachine):
    """After every deed the ledger says what the model says, and a refusal has changed nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.ledger = open_at(self.folder, self.clock)
        self.model = Model(self.clock.now())
        self.admitted_to: dict[tuple[str, str], int] = {}

    def teardown(self) -> None:
        assert self.ledger.audit.verify() == ()
        self.ledger.close()
        shutil.rmtree(self.folder)

    @initialize(values=st.lists(LIMITS, min_size=8, max_size=8))
    def set_limits(self, values: list[int]) -> None:
        names = iter(values)
        self.model.limits = {opd: {dim: next(names) for dim in DIMENSIONS} for opd in PARENTS}
        for opd in sorted(PARENTS)[1:]:  # one has handed nothing in yet
            self.submit(f"{opd}/w", 0)

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def anything(self, data: st.DataObject, name: str) -> None:
        """One rule for all, because Hypothesis leaves out whole rules at random, and a life of a
        workload needs most of them."""
        getattr(self, name)(*(data.draw(strategy) for strategy in DEEDS[name][1]))

    # -- what people do ----------------------------------------------------------------------
    def submit(self, key: str, variant: int) -> None:
        refusal, changed = self.model.submit(key, variant)
        answers: list[bool] = []
        self._same(
            refusal,
            lambda: answers.append(
                self.ledger.requests.submit(document(key, variant), "", SITI).changed
            ),
        )
        assert answers == ([] if refusal else [changed])

    def approve(self, key: str, hit: bool, memory: int, vcpu: int, days: int) -> None:
        expired = self.model.expire(self.clock.now())
        each = {"memory": memory, "vcpu": vcpu}
        until = Instant(self.clock.now() + timedelta(days=days))
        variant = self._variant(key, hit, decided_on=True)
        before = dict(self.model.held)
        refusal = self.model.approve(key, variant, each, until)
        links = tuple(Link(opd, self.model.limits[opd], scope(opd)) for opd in chain(_opd(key)))
        self._same(
            refusal,
            lambda: approve(
                self.ledger,
                document(key, variant),
                dict.fromkeys(("db-1", "db-2"), each),
                links,
                hold_until=until,
            ),
            but=bool(expired),
        )
        for (instance, dim), amount in self.model.held.items():
            if amount > before.get((instance, dim), 0):
                for opd in chain(_opd(key)):
                    self.admitted_to[opd, dim] = self.model.limits[opd][dim]

    def deny(self, key: str, hit: bool) -> None:
        variant = self._variant(key, hit, decided_on=True)
        spec_hash = document(key, variant).spec_hash
        self._same(
            self.model.deny(key, variant),
            lambda: self.ledger.requests.deny(key, spec_hash=spec_hash, reason="penuh", actor=BUDI),
        )

    def withdraw(self, key: str) -> None:
        self._same(self.model.withdraw(key), lambda: self.ledger.requests.withdraw(key, actor=BUDI))

    def cut_or_raise(self, opd: str, dim: str, to: int) -> None:
        """A limit cut below what is used leaves VMs alone and refuses growth."""
        self.model.limits[opd][dim] = to

    def time_passes(self, hours: int) -> None:
        self.clock.sleep(hours * 3600.0)
        self.model.now = self.clock.now()

    def expire_pending(self, hours: int) -> None:
        since = Instant(self.clock.now() - timedelta(hours=hours))
        numbers = self.ledger.requests.expire_pending(since)
        keys = [self.ledger.requests.get(number).key for number in numbers]
        expected = self.model.expire_pending(since)
        assert sorted(keys) == sorted(expected)
        HAPPENED["expire_pending", "done" if expected else "nothing"] += 1

    def expire(self) -> None:
        numbers = self.ledger.requests.expire_holds(self.clock.now())
        keys = [self.ledger.requests.get(number).key for number in numbers]
        assert sorted(keys) == sorted(self.model.expire(self.clock.now()))

    # -- applying ----------------------------------------------------------------------------
    def begin(self, key: str, hit: bool, offer: str) -> None:
        expired = self.model.expire(self.clock.now())
        variant = self._variant(key, hit, decided_on=False)
        spec_hash = document(key, variant).spec_hash
        self._same(
            self.model.begin(key, variant, same_offer=offer == "offer-1"),
            lambda: self.ledger.requests.begin(
                key, spec_hash=spec_hash, offer_digest=offer, actor=OPERATOR
            ),
            but=bool(expired),
        )

    def claim(self, key: str) -> None:
        kept = {member: self.model.living(f"{key}/{member}") for member in ("db-1", "db-2")}

        def claim() -> None:
            for one in self.ledger.instances.claim(
                key,
                wanted(document(key, 0)),
                vmid_range=range(100, 10000),
                pools=POOL,
                taken_vmids={},
                actor=OPERATOR,
            ):
                assert kept[one.member] in (None, one.uid)
                if kept[one.member] is None:
                    assert one.uid not in self.model.vms, "an identity given twice"
                    self.model.vms[one.uid] = Vm(one.key)

        self._same(self.model.may_claim(key), claim)

    def finish(self, key: str) -> None:
        self._same(self.model.finish(key), lambda: self.ledger.requests.finish(key, actor=OPERATOR))

    def fail(self, key: str) -> None:
        self._same(
            self.model.fail(key),
            lambda: self.ledger.requests.fail(key, reason="rusak", actor=OPERATOR),
        )

    def stick(self, key: str) -> None:
        self._same(
            self.model.stick(key),
            lambda: self.ledger.requests.stick(key, reason="macet", actor=OPERATOR),
        )

    def happen(self, nth: int, event: str) -> None:
        if not self.model.vms:
            return
        newest = list(self.model.vms)[::-1]
        uid = newest[nth % len(newest)]
        book = self.ledger.instances
        deeds: dict[str, Callable[[], object]] = {
            "creating": lambda: book.creating(uid, actor=OPERATOR),
            "active": lambda: book.active(uid, actor=OPERATOR),
            "failed": lambda: book.failed(uid, error="rusak", actor=OPERATOR),
            "stuck": lambda: book.stuck(uid, error="macet", actor=OPERATOR),
            "retiring": lambda: book.retiring(uid, actor=OPERATOR),
            "release": lambda: book.release(uid, actor=OPERATOR),
        }
        self._same(self.model.happen(uid, event), deeds[event])

    def make(self, key: str) -> None:
        """Steps that follow each other in an apply, so that workloads get to live."""
        self.claim(key)
        for uid, one in sorted(self.model.vms.items()):
            if one.key.rpartition("/")[0] == key and one.state in {"planned", "failed"}:
                for event in ("creating", "active"):
                    assert self.model.happen(uid, event) is None
                self.ledger.instances.creating(uid, actor=OPERATOR)
                self.ledger.instances.active(uid, actor=OPERATOR)
        self.finish(key)

    # -- what must hold ----------------------------------------------------------------------
    @invariant()
    def states_are_the_models(self) -> None:
        found = {}
        for record in self.ledger.requests.list():
            asked = record.proposal
            found[record.key] = (
                (record.state.value, record.spec.purpose),
                None if asked is None else (asked.state.value, asked.spec.purpose),
            )
        assert found == {
            key: (_shown(one.itself), one.proposal and _shown(one.proposal))
            for key, one in self.model.workloads.items()
        }

    @invariant()
    def instances_are_the_models(self) -> None:
        found = {one.uid: one.state.value for one in self.ledger.instances.list(purged=True)}
        assert found == {uid: one.state for uid, one in self.model.vms.items()}

    @invariant()
    def balances_are_the_models(self) -> None:
        for opd in PARENTS:
            found = self.ledger.quota.balances(scope(opd))
            for dim in DIMENSIONS:
                assert found.get(dim, Balance()) == Balance(*self.model.balance(opd, dim))

    @invariant()
    def nobody_was_admitted_over_a_limit(self) -> None:
        """At most what the limit was when growth was last admitted: cuts make overages, growth
        never does."""
        for opd in PARENTS:
            for dim in DIMENSIONS:
                assert self.model.charged(opd, dim) <= self.admitted_to.get((opd, dim), 0)

    def _same(self, refusal: str | None, deed: Callable[[], object], *, but: bool = False) -> None:
        """The ledger refuses as the model does, or does it as well.

        A refusal has changed nothing, `but` for holds that ran out before it; one by quota leaves
        an entry with its numbers.
        """
        outcome = (sys._getframe(1).f_code.co_name, refusal or "done")
        HAPPENED[outcome] += 1
        note(f"the model says {outcome}")
        if refusal is None:
            deed()
            return
        head = self.ledger.audit.head()
        with pytest.raises(Refused) as refused:
            deed()
        assert refused.value.code == refusal
        if refusal == "ledger.offer-changed" or but:  # that one voids, and says so
            return
        after = self.ledger.audit.head()
        assert head is not None
        assert after is not None
        assert after.seq - head.seq == (refusal == "quota.exceeded"), "it has changed something"

    def _variant(self, key: str, hit: bool, *, decided_on: bool) -> int:
        found = self.model.workloads.get(key)
        if found is None:
            return 0
        asked = found.decided_on if decided_on else found.itself
        return asked.variant if hit else asked.variant + 1


def _opd(key: str) -> str:
    return key.partition("/")[0]


def _shown(about: Matter) -> tuple[str, str]:
    return about.state, f"Tujuan {about.variant}"


def _run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_no_order_of_deeds_leads_away_from_the_model() -> None:
    _run(12, 40)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_deeds_lead_nowhere_else(
    record_property: Callable[[str, object], None],
) -> None:
    """… and among them is each deed, done and refused for each of its reasons."""
    HAPPENED.clear()
    _run(140, 100)
    record_property("told", f"{HAPPENED.total()} deeds: {sorted(HAPPENED.items())}")
    assert HAPPENED.total() >= 10_000
    deeds = {deed for deed, _ in HAPPENED}
    assert deeds == {
        "submit", "approve", "deny", "withdraw", "begin", "claim", "finish", "fail", "stick",
        "happen", "expire_pending",
    }  # fmt: skip
    assert {(deed, "done") for deed in deeds} <= set(HAPPENED)
    assert {why for _, why in HAPPENED} == {
        "done", "nothing", "ledger.transition", "ledger.revision-moved", "ledger.offer-changed",
        "ledger.no-request", "ledger.unfinished", "ledger.instances-left", "quota.exceeded",
        "request.change-not-yet",
    }  # fmt: skip
