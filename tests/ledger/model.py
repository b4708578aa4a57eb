"""What the ledger must do, said plainly: words in dictionaries, no database, no transactions.

The tables are written out once more here, from the design: a slip in `states` must not be copied.
What is asked for, for VMs or for more quota, is decided in stages; a word counts while revision,
offer and policy stay what they were. Every deed answers with the code of its refusal, or with None.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

PARENTS: Mapping[str, str | None] = {
    "rsud": "dinkes", "puskesmas": "dinkes", "dinkes": None, "bkad": None,
}  # fmt: skip
DIMENSIONS = ("memory", "vcpu")
MEMBERS = ("db-1", "db-2")

REQUEST = {
    "approve": {"pending": "approved"},
    "deny": {"pending": "denied"},
    "withdraw": {"pending": "withdrawn", "approved": "withdrawn"},
    "begin": {
        "approved": "applying", "applying": "applying", "stuck": "applying", "active": "active",
    },
    "finish": {"applying": "active"},
    "fail": {"applying": "failed", "stuck": "failed"},
    "stick": {"applying": "stuck", "stuck": "stuck"},
}  # fmt: skip
QUOTA = {
    "approve": {"pending": "granted"},
    "deny": {"pending": "denied"},
    "withdraw": {"pending": "withdrawn"},
    "end": {"granted": "ended"},
}
PROPOSAL = {name: REQUEST[name] for name in ("approve", "deny", "withdraw")}
INSTANCE = {
    "creating": {
        "planned": "creating", "creating": "creating", "failed": "creating", "stuck": "creating",
    },
    "active": {"creating": "active", "active": "active"},
    "failed": {"creating": "failed", "failed": "failed"},
    "stuck": {"creating": "stuck", "active": "stuck", "retiring": "stuck", "stuck": "stuck"},
    "retiring": {"active": "retiring", "retiring": "retiring", "stuck": "retiring"},
    "release": {
        "planned": "purged", "creating": "purged", "retiring": "purged", "failed": "purged",
        "stuck": "purged", "purged": "purged",
    },
}  # fmt: skip


CHAINS: Mapping[str, tuple[int, ...]] = {
    "-: 1": (1,), "q: b 1": (1,), "r: b 2": (2,), "s: a 1, b 2": (1, 2),
}  # fmt: skip
"""Policies, and how many people each of their stages demands."""


@dataclass(frozen=True)
class Word:
    """Somebody's decision: who is spent by it, in which stage of which chain, for which offer."""

    people: frozenset[str]
    stage: int
    chain: str
    offer: str
    by: str  # the one of the people who speaks


ALONE = Word(frozenset({"budi"}), 0, "-: 1", "offer-1", "budi")


@dataclass
class Matter:
    """A request, the proposal for one that lives, or a request for quota."""

    state: str
    variant: int
    since: datetime  # of its last change while it waits
    until: datetime | None = None  # its approval holds
    offer: str | None = None  # that is approved
    given: list[Word] = field(default_factory=list)  # the words that count

    def take(self, word: Word) -> str | None:
        """One more word; those for another offer or policy count no more."""
        same = [one for one in self.given if _about_the_same(one, word)]
        if any(one.people & word.people for one in same):
            return "ledger.decided-already"
        stage = awaited(same, word.chain)
        if stage is None or word.stage > stage:
            return "ledger.stage-moved"
        self.given = [*same, word]
        return None

    def concurs(self, word: Word) -> bool:
        """Whether the word was given at the same time as the last one, and is kept with it."""
        same = [one for one in self.given if _about_the_same(one, word)]
        if word == ALONE or not same or any(one.people & word.people for one in same):
            return False
        self.given.append(word)
        return True


@dataclass(frozen=True)
class Granted:
    """A limit of one OPD, raised from a moment on until before another."""

    opd: str
    dimension: str
    amount: int
    start: datetime
    end: datetime | None


@dataclass
class Workload:
    """One request with its proposal."""

    itself: Matter
    proposal: Matter | None = None

    @property
    def decided_on(self) -> Matter:
        return self.proposal or self.itself


@dataclass
class Vm:
    key: str
    state: str = "planned"
    was_active: bool = False


@dataclass
class Model:
    """The whole ledger. Keys are `opd/name`, instances `opd/name/member`."""

    now: datetime
    limits: dict[str, dict[str, int]] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    vms: dict[str, Vm] = field(default_factory=dict)  # by uid
    held: dict[tuple[str, str], int] = field(default_factory=dict)  # (instance, dimension)
    committed: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: dict[str, Matter] = field(default_factory=dict)  # for quota, by OPD
    granted: dict[str, list[Granted]] = field(default_factory=dict)  # of the current revision

    # -- handing in and deciding ---------------------------------------------------------------
    def submit(self, key: str, variant: int) -> tuple[str | None, bool]:
        """The refusal, and whether anything changed."""
        found = self.workloads.get(key)
        if found is None:
            self.workloads[key] = Workload(Matter("pending", variant, self.now))
            return None, True
        if found.itself.state == "active":
            return None, self._change(key, found, variant)
        about = found.itself
        anew = about.state in {"withdrawn", "expired", "failed"}
        if variant == about.variant and not anew:
            return None, False
        if about.state in {"applying", "stuck"}:
            return "request.change-not-yet", False
        self._void(key)
        found.itself = Matter("pending", variant, self.now)
        return None, True

    def _change(self, key: str, found: Workload, variant: int) -> bool:
        asked = found.proposal
        if variant == found.itself.variant:
            if asked is None or asked.state not in {"pending", "approved"}:
                return False
            self._void(key)
            found.proposal = Matter("withdrawn", asked.variant, self.now)
            return True
        anew = asked is None or asked.state in {"withdrawn", "expired"}
        if asked is not None and asked.variant == variant and not anew:
            return False
        if asked is not None:  # what it lives by stands
            self._void(key)
        found.proposal = Matter("pending", variant, self.now)
        return True

    def approve(
        self,
        key: str,
        variant: int,
        each: Mapping[str, int],
        until: datetime,
        word: Word = ALONE,
    ) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        about = found.decided_on
        if about.state == "approved" and about.concurs(word):
            return None
        if about.state not in REQUEST["approve"]:
            return "ledger.transition"
        if about.variant != variant:
            return "ledger.revision-moved"
        more = {
            (f"{key}/{member}", dim): max(0, each[dim] - self._charge(f"{key}/{member}", dim))
            for member in MEMBERS
            for dim in DIMENSIONS
        }
        for opd in chain(key.partition("/")[0]):
            for dim in DIMENSIONS:
                growth = sum(amount for (_, of), amount in more.items() if of == dim)
                if growth and self.charged(opd, dim) + growth > self.limit(opd, dim):
                    return "quota.exceeded"
        refused = about.take(word)
        if refused or awaited(about.given, word.chain) is not None:
            return refused
        for place, amount in more.items():
            self.held[place] = self.held.get(place, 0) + amount
        about.state, about.until, about.offer = "approved", until, word.offer
        return None

    def deny(self, key: str, variant: int) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        if found.decided_on.variant != variant:
            return "ledger.revision-moved"
        refused = _go(found.decided_on, PROPOSAL["deny"])
        if refused is None:
            found.decided_on.given = []
        return refused

    def withdraw(self, key: str) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        refused = _go(found.decided_on, REQUEST["withdraw"])
        if refused is None:
            self._void(key)
        return refused

    def expire(self, now: datetime) -> list[str]:
        """The keys whose hold ran out."""
        ended = []
        for key, found in self.workloads.items():
            about = found.decided_on
            if about.state == "approved" and about.until is not None and about.until <= now:
                about.state = "expired"
                self._void(key)
                ended.append(key)
        return ended

    def expire_pending(self, since: datetime) -> list[str]:
        """The keys of what nobody has decided on since then."""
        ended = []
        for key, found in self.workloads.items():
            about = found.decided_on
            if about.state == "pending" and about.since <= since:
                about.state = "expired"
                self._void(key)
                ended.append(key)
        return ended

    # -- more quota ----------------------------------------------------------------------------
    def ask(self, opd: str, variant: int) -> tuple[str | None, bool]:
        """The refusal, and whether anything changed."""
        about = self.asked.get(opd)
        if about is not None:
            ends = [one.end for one in self.granted.get(opd, ())]
            over = all(end is not None and end <= self.now for end in ends)
            anew = about.state in {"withdrawn", "expired", "ended"}
            anew = anew or (about.state == "granted" and over)
            if about.variant == variant and not anew:
                return None, False
            if about.state == "granted" and not over:
                return "quota-request.granted", False
        self.asked[opd] = Matter("pending", variant, self.now)
        self.granted[opd] = []  # what there was is over
        return None, True

    def grant(
        self, opd: str, variant: int, start: datetime, end: datetime | None, word: Word
    ) -> str | None:
        about = self.asked.get(opd)
        if about is None:
            return "ledger.no-request"
        if about.variant != variant:
            return "ledger.revision-moved"
        if about.state == "granted" and about.concurs(word):
            return None
        if about.state not in QUOTA["approve"]:
            return "ledger.transition"
        refused = about.take(word)
        if refused or awaited(about.given, word.chain) is not None:
            return refused
        about.state = "granted"
        self.granted[opd] = [
            Granted(opd, dim, amount, start, end) for dim, amount in addition(variant).items()
        ]
        return None

    def close(self, opd: str, event: str) -> str | None:
        """Deny, withdraw or end."""
        about = self.asked.get(opd)
        if about is None:
            return "ledger.no-request"
        refused = _go(about, QUOTA[event])
        if refused is None and event == "end":
            self.granted[opd] = []
        elif refused is None:
            about.given = []
        return refused

    def expire_asked(self, since: datetime) -> list[str]:
        """The OPDs for whose request for quota nobody has decided since then."""
        ended = []
        for opd, about in self.asked.items():
            if about.state == "pending" and about.since <= since:
                about.state, about.given = "expired", []
                ended.append(opd)
        return ended

    def limit(self, opd: str, dim: str) -> int:
        """With what is granted now."""
        return self.limits[opd][dim] + sum(
            one.amount
            for one in self.granted.get(opd, ())
            if one.dimension == dim
            and one.start <= self.now
            and (one.end is None or self.now < one.end)
        )

    # -- applying ------------------------------------------------------------------------------
    def begin(self, key: str, variant: int, offer: str) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        if found.itself.variant != variant:
            return "ledger.revision-moved"
        if found.itself.state == "approved" and found.itself.offer != offer:
            found.itself.state, found.itself.since = "pending", self.now
            self._void(key)
            return "ledger.offer-changed"
        return _go(found.itself, REQUEST["begin"])

    def finish(self, key: str) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        if any(self._held(f"{key}/{member}", dim) for member in MEMBERS for dim in DIMENSIONS):
            return "ledger.unfinished"
        return _go(found.itself, REQUEST["finish"])

    def fail(self, key: str) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        if any(self.living(f"{key}/{member}") for member in MEMBERS):
            return "ledger.instances-left"
        refused = _go(found.itself, REQUEST["fail"])
        if refused is None:
            self._void(key)
        return refused

    def stick(self, key: str) -> str | None:
        found = self.workloads.get(key)
        return "ledger.no-request" if found is None else _go(found.itself, REQUEST["stick"])

    def may_claim(self, key: str) -> str | None:
        found = self.workloads.get(key)
        if found is None:
            return "ledger.no-request"
        return None if found.itself.state == "applying" else "ledger.transition"

    # -- VMs -----------------------------------------------------------------------------------
    def living(self, instance: str) -> str | None:
        """The uid of the one that is not purged."""
        of = (uid for uid, vm in self.vms.items() if vm.key == instance and vm.state != "purged")
        return next(of, None)

    def happen(self, uid: str, event: str) -> str | None:
        vm = self.vms[uid]
        before = vm.state
        state = INSTANCE[event].get(before)
        if state is None:
            return "ledger.transition"
        vm.state = state
        if event == "active" and not vm.was_active:
            vm.was_active = True
            for dim in DIMENSIONS:
                held = self.held.pop((vm.key, dim), 0)
                self.committed[vm.key, dim] = self.committed.get((vm.key, dim), 0) + held
        if event == "release" and before != "purged":
            for dim in DIMENSIONS:
                self.held.pop((vm.key, dim), None)
                self.committed.pop((vm.key, dim), None)
        return None

    # -- quota ---------------------------------------------------------------------------------
    def balance(self, opd: str, dim: str) -> tuple[int, int]:
        """Committed and held, of an OPD and all below it."""
        within = scope(opd)
        committed, held = (
            sum(
                amount
                for (instance, of), amount in book.items()
                if of == dim and instance.partition("/")[0] in within
            )
            for book in (self.committed, self.held)
        )
        return committed, held

    def charged(self, opd: str, dim: str) -> int:
        return sum(self.balance(opd, dim))

    def _charge(self, instance: str, dim: str) -> int:
        return self._held(instance, dim) + self.committed.get((instance, dim), 0)

    def _held(self, instance: str, dim: str) -> int:
        return self.held.get((instance, dim), 0)

    def _void(self, key: str) -> None:
        about = self.workloads[key].decided_on
        about.given, about.offer, about.until = [], None, None
        for member in MEMBERS:
            for dim in DIMENSIONS:
                self.held.pop((f"{key}/{member}", dim), None)


def _go(about: Matter, table: Mapping[str, str]) -> str | None:
    if about.state not in table:
        return "ledger.transition"
    about.state = table[about.state]
    return None


def _about_the_same(one: Word, other: Word) -> bool:
    return (one.chain, one.offer) == (other.chain, other.offer)


def awaited(given: Iterable[Word], chain: str) -> int | None:
    """The first stage that lacks somebody; None: complete."""
    stages = [one.stage for one in given]
    for stage, demanded in enumerate(CHAINS[chain]):
        if stages.count(stage) < demanded:
            return stage
    return None


def addition(variant: int) -> Mapping[str, int]:
    """How much more a request for quota asks for."""
    return {"memory": 20 * variant + 5, "vcpu": 10}


def scope(opd: str) -> frozenset[str]:
    return frozenset({opd} | {child for child, parent in PARENTS.items() if parent == opd})


def chain(opd: str) -> tuple[str, ...]:
    parent = PARENTS[opd]
    return (opd,) if parent is None else (opd, *chain(parent))
