"""The whole ledger against a plain model: any deed at any time, allowed or refused."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, currently_in_test_context, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cloudpemda.errors import Refused
from cloudpemda.ledger import Proposal, RequestRecord
from cloudpemda.rules.granting import Period
from cloudpemda.rules.quota import Balance, Link
from cloudpemda.units import Instant
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    ManualClock,
    network,
    open_at,
    pools,
    wanted,
)
from tests.ledger.model import (
    ALONE,
    DIMENSIONS,
    INSTANCE,
    PARENTS,
    Matter,
    Model,
    Vm,
    Word,
    chain,
    scope,
)
from tests.ledger.votes import WORDS, Drawn, addendum, cast, document, word_of

POOL = pools(network("10.0.0.0/16", gateway="10.0.0.1"))
KEYS = st.sampled_from([f"{opd}/w" for opd in sorted(PARENTS)])
LIMITS = st.integers(0, 200)
VARIANTS = st.integers(0, 2)
OFFERS = st.sampled_from(["offer-1", "offer-1", "offer-1", "another"])
HAPPENED: Counter[tuple[str, str]] = Counter()
HITS = st.sampled_from([True, True, True, False])
"""Mostly the revision that is asked for: refusals must not be all that happens."""

AMOUNTS = st.integers(0, 30)
OPDS = st.sampled_from(sorted(PARENTS))
DEEDS: dict[str, tuple[int, tuple[st.SearchStrategy[object], ...]]] = {
    "submit": (4, (KEYS, VARIANTS)),
    "approve": (9, (KEYS, HITS, AMOUNTS, AMOUNTS, st.integers(1, 20))),
    "decide": (9, (KEYS, HITS, OFFERS, WORDS)),
    "deny": (1, (KEYS, HITS)),
    "withdraw": (1, (KEYS,)),
    "cut_or_raise": (1, (st.sampled_from(sorted(PARENTS)), st.sampled_from(DIMENSIONS), LIMITS)),
    "time_passes": (2, (st.integers(1, 100),)),
    "expire": (1, ()),
    "expire_pending": (1, (st.integers(1, 200),)),
    "ask": (3, (OPDS, VARIANTS)),
    "grant": (9, (OPDS, HITS, WORDS, st.integers(0, 30), st.sampled_from([None, 10, 50]))),
    "close": (3, (OPDS, st.sampled_from(["deny", "withdraw", "end", "end"]))),
    "expire_asked": (1, (st.integers(1, 200),)),
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
        said = {entry.action for entry in self.ledger.audit.log()}
        assert "ledger.write" not in said, "a deed has not said what it was"
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
        until = Instant(self.clock.now() + timedelta(days=days))
        self._approve("approve", key, hit, {"memory": memory, "vcpu": vcpu}, until, ALONE)

    def decide(self, key: str, hit: bool, offer: str, drawn: Drawn) -> None:
        """One of the stages of a chain, mostly the awaited one."""
        found = self.model.workloads.get(key)
        word = word_of(drawn, found.decided_on if found else None, offer)
        until = Instant(self.clock.now() + timedelta(days=10))
        self._approve("decide", key, hit, {"memory": 12, "vcpu": 3}, until, word)

    def _approve(
        self, deed: str, key: str, hit: bool, each: dict[str, int], until: Instant, word: Word
    ) -> None:
        expired = self.model.expire(self.clock.now())
        variant = self._variant(key, hit, decided_on=True)
        before = dict(self.model.held)
        refusal = self.model.approve(key, variant, each, until, word)
        links = tuple(Link(opd, self.model.limits[opd], scope(opd)) for opd in chain(_opd(key)))
        actor, ballot = cast(word)
        spec = document(key, variant)
        self._same(
            refusal,
            lambda: self.ledger.requests.approve(
                key,
                spec_hash=spec.spec_hash,
                offer_digest=word.offer,
                offer_json='{"cluster":"dc"}',
                amounts=dict.fromkeys(("db-1", "db-2"), each),
                chain=links,
                warn_at=(80,),
                actor=actor,
                hold_until=until,
                ballot=ballot,
            ),
            but=bool(expired),
            deed=deed,
        )
        for (instance, dim), amount in self.model.held.items():
            if amount > before.get((instance, dim), 0):
                for opd in chain(_opd(key)):
                    self.admitted_to[opd, dim] = self.model.limit(opd, dim)

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

    # -- more quota --------------------------------------------------------------------------
    def ask(self, opd: str, variant: int) -> None:
        refusal, changed = self.model.ask(opd, variant)
        answers: list[bool] = []
        self._same(
            refusal,
            lambda: answers.append(
                self.ledger.grants.submit(addendum(opd, variant), "", SITI).changed
            ),
        )
        assert answers == ([] if refusal else [changed])

    def grant(
        self,
        opd: str,
        hit: bool,
        drawn: Drawn,
        after: int,
        lasts: int | None,
    ) -> None:
        """One stage of its chain; from so many hours on, for so many, or for good."""
        about = self.model.asked.get(opd)
        variant = (about.variant if about else 0) + (not hit)
        word = word_of(drawn, about, "offer-1")
        start = Instant(self.clock.now() + timedelta(hours=after))
        end = None if lasts is None else Instant(start + timedelta(hours=lasts))
        actor, ballot = cast(word)
        spec = addendum(opd, variant)
        self._same(
            self.model.grant(opd, variant, start, end, word),
            lambda: self.ledger.grants.approve(
                spec.key,
                spec_hash=spec.spec_hash,
                period=Period(start, end),
                actor=actor,
                ballot=ballot,
            ),
        )

    def close(self, opd: str, event: str) -> None:
        about, book = self.model.asked.get(opd), self.ledger.grants
        spec = addendum(opd, about.variant if about else 0)
        deeds: dict[str, Callable[[], object]] = {
            "deny": lambda: book.deny(
                spec.key, spec_hash=spec.spec_hash, reason="penuh", actor=BUDI
            ),
            "withdraw": lambda: book.withdraw(spec.key, actor=SITI),
            "end": lambda: book.end(spec.key, reason="cukup", actor=SITI),
        }
        self._same(self.model.close(opd, event), deeds[event], deed=event)

    def expire_asked(self, hours: int) -> None:
        since = Instant(self.clock.now() - timedelta(hours=hours))
        numbers = self.ledger.grants.expire_pending(since)
        opds = [self.ledger.grants.get(number).opd for number in numbers]
        expected = self.model.expire_asked(since)
        assert sorted(opds) == sorted(expected)
        HAPPENED["expire_asked", "done" if expected else "nothing"] += 1

    # -- applying ----------------------------------------------------------------------------
    def begin(self, key: str, hit: bool, offer: str) -> None:
        expired = self.model.expire(self.clock.now())
        variant = self._variant(key, hit, decided_on=False)
        spec_hash = document(key, variant).spec_hash
        self._same(
            self.model.begin(key, variant, offer),
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
    def decisions_are_the_models(self) -> None:
        """Of what lives, and of what shall become of it, those that count and the approval."""
        for record in self.ledger.requests.list():
            found = self.model.workloads[record.key]
            self._decided(record.number, record.revision, found.itself)
            assert _approval(record) == (found.itself.offer, found.itself.until)
            if record.proposal is not None:
                assert found.proposal is not None
                self._decided(record.number, record.proposal.revision, found.proposal)
                told = (found.proposal.offer, found.proposal.until)
                assert _approval(record.proposal) == told
        for asked in self.ledger.grants.list():
            self._decided(asked.number, asked.revision, self.model.asked[asked.opd])

    def _decided(self, number: str, revision: int, about: Matter) -> None:
        found = [
            (frozenset({one.actor.login, (one.behalf or one.actor).login}), one.stage)
            for one in self.ledger.decisions.of(number)
            if one.revision == revision and one.voided_at is None and one.verdict == "approve"
        ]
        assert found == [(one.people, one.stage) for one in about.given]

    @invariant()
    def limits_are_the_models(self) -> None:
        """What is asked for raises nothing, what is granted does from its first moment on until
        before its last or until it is taken back."""
        assert {one.opd: one.state.value for one in self.ledger.grants.list()} == {
            opd: one.state for opd, one in self.model.asked.items()
        }
        links = [Link(opd, self.model.limits[opd], scope(opd)) for opd in self.model.limits]
        for standing in self.ledger.quota.standings(links):
            for dim in DIMENSIONS:
                assert standing.limits[dim] == self.model.limit(standing.opd, dim)

    @invariant()
    def nobody_was_admitted_over_a_limit(self) -> None:
        """At most what the limit was when growth was last admitted: cuts make overages, growth
        never does."""
        for opd in PARENTS:
            for dim in DIMENSIONS:
                assert self.model.charged(opd, dim) <= self.admitted_to.get((opd, dim), 0)

    def _same(
        self,
        refusal: str | None,
        work: Callable[[], object],
        *,
        but: bool = False,
        deed: str | None = None,
    ) -> None:
        """The ledger refuses as the model does, or does it as well.

        A refusal has changed nothing, `but` for holds that ran out before it; one by quota leaves
        an entry with its numbers. `deed` is the caller's name.
        """
        outcome = (deed or sys._getframe(1).f_code.co_name, refusal or "done")
        HAPPENED[outcome] += 1
        if currently_in_test_context():
            note(f"the model says {outcome}")
        if refusal is None:
            work()
            return
        head = self.ledger.audit.head()
        with pytest.raises(Refused) as refused:
            work()
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


def _approval(about: RequestRecord | Proposal) -> tuple[str | None, Instant | None]:
    """Of which offer it is, and until when it holds."""
    found = about.approval
    return (None, None) if found is None else (found.offer_digest, found.hold_until)


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


@pytest.mark.parametrize(("begun", "state"), [("another", "applying"), ("offer-1", "pending")])
def test_the_model_knows_of_which_offer_an_approval_is(begun: str, state: str) -> None:
    """A word for another offer ends those before it; it is that offer which is approved."""
    machine = LedgerMachine()
    machine.model.limits = {"bkad": dict.fromkeys(DIMENSIONS, 100)}
    machine.submit("bkad/w", 0)
    machine.decide("bkad/w", True, "offer-1", ("s: a 1, b 2", "head", None, None))
    machine.decide("bkad/w", True, "another", ("q: b 1", "hendra", None, None))
    machine.decisions_are_the_models()
    machine.begin("bkad/w", True, begun)
    assert machine.model.workloads["bkad/w"].itself.state == state
    machine.states_are_the_models()
    machine.balances_are_the_models()
    machine.decisions_are_the_models()
    machine.teardown()


def test_the_model_follows_a_workload_from_its_making_to_a_change_that_nobody_begins() -> None:
    machine = LedgerMachine()
    machine.model.limits = {"bkad": dict.fromkeys(DIMENSIONS, 100)}

    def stands(memory: tuple[int, int]) -> None:
        """Committed and held."""
        assert machine.model.balance("bkad", "memory") == memory
        machine.states_are_the_models()
        machine.instances_are_the_models()
        machine.balances_are_the_models()
        machine.decisions_are_the_models()

    machine.submit("bkad/w", 0)
    machine.claim("bkad/w")  # refused: nobody has decided
    machine.approve("bkad/w", True, 12, 3, 10)
    stands((0, 24))
    machine.begin("bkad/w", True, "offer-1")
    machine.claim("bkad/w")
    machine.make("bkad/w")
    machine.finish("bkad/w")
    stands((24, 0))
    machine.submit("bkad/w", 1)
    machine.approve("bkad/w", True, 20, 3, 1)
    stands((24, 16))
    machine.time_passes(25)
    machine.expire()
    stands((24, 0))
    machine.teardown()


def test_the_model_follows_a_grant_until_it_ends_or_is_taken_back() -> None:
    """The few draws of a quick run seldom meet it."""
    machine = LedgerMachine()
    machine.model.limits = {"bkad": dict.fromkeys(DIMENSIONS, 10)}
    ends: tuple[Callable[[], None], ...] = (
        lambda: machine.time_passes(10),
        lambda: machine.close("bkad", "end"),
    )
    for end in ends:
        machine.ask("bkad", 1)
        machine.grant("bkad", True, ("q: b 1", "hendra", None, 0), 0, 10)
        assert machine.model.limit("bkad", "memory") == 35
        machine.limits_are_the_models()
        end()
        assert machine.model.limit("bkad", "memory") == 10
        machine.limits_are_the_models()
        machine.decisions_are_the_models()
    machine.teardown()


@pytest.mark.slow
def test_ten_thousand_deeds_lead_nowhere_else(
    record_property: Callable[[str, object], None],
) -> None:
    """… and among them is each deed, done and refused for each of its reasons."""
    HAPPENED.clear()
    _run(115, 100)
    record_property("told", f"{HAPPENED.total()} deeds: {sorted(HAPPENED.items())}")
    assert HAPPENED.total() >= 10_000
    deeds = {deed for deed, _ in HAPPENED}
    assert deeds == {
        "submit", "approve", "deny", "withdraw", "begin", "claim", "finish", "fail", "stick",
        "happen", "expire_pending", "decide", "ask", "grant", "end", "expire_asked",
    }  # fmt: skip
    assert {(deed, "done") for deed in deeds} <= set(HAPPENED)
    assert {why for _, why in HAPPENED} == {
        "done", "nothing", "ledger.transition", "ledger.revision-moved", "ledger.offer-changed",
        "ledger.no-request", "ledger.unfinished", "ledger.instances-left", "quota.exceeded",
        "request.change-not-yet", "ledger.decided-already", "ledger.stage-moved",
        "quota-request.granted",
    }  # fmt: skip
