"""One seeded history of governance: people ask, decide, change their minds and the rules, time ends
what it ends, applies are disturbed, processes die; after every deed the books are looked at."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from cloudpemda.clock import Clock, SystemEntropy
from cloudpemda.ledger import (
    Ledger,
    QuotaRecord,
    QuotaState,
    RequestRecord,
    RequestState,
    open_ledger,
)
from cloudpemda.ledger.store import locate
from cloudpemda.wiring import forget_ledger
from tests.storm.books import Books, Limits
from tests.storm.judge import Judge
from tests.storm.line import KILLED, Answer, Line
from tests.storm.office import (
    ASKING,
    DECIDERS,
    HOLD_HOURS,
    LIMITS,
    PENDING_HOURS,
    ZONE,
    Office,
    quota_request,
    vm_request,
)

APPLY_EVENTS = (
    "kill, work dropped",
    "kill, work done",
    "kill, answer lost",
    "lost answer",
    "temporary errors",
    "intruder",
    "node down",
    "storage full",
    "task crash",
    "undo",
)
"""What of the main job's storm happens to an apply here too."""


@dataclass
class Governance(Line):
    """A site with its lab, one seed, and the tally of all histories."""

    office: Office = field(kw_only=True)
    new_ledger: Callable[[], str] = field(kw_only=True)
    books: Books = field(init=False)
    clock: Clock = field(init=False)
    limits: Limits = field(init=False)
    known: int = 0  # up to which change of the files

    DEEDS: ClassVar[dict[str, int]] = {
        "submit": 5,
        "revise": 4,
        "same again": 1,
        "approve": 10,
        "deny": 1,
        "withdraw": 1,
        "wait": 2,
        "expire": 1,
        "ask for quota": 3,
        "decide on quota": 4,
        "take quota back": 2,
        "change a limit": 2,
        "delegate": 2,
        "change approvers": 1,
        "change the policy": 1,
        "apply": 3,
        "apply, disturbed": 3,
        "two at once": 2,
        "killed": 3,
        "night": 1,
        "recount": 1,
    }
    """Each deed with how often it is drawn."""

    def play(self) -> None:
        """Raises AssertionError with the seed where something does not hold."""
        try:
            self._begin()
            for _ in range(2):
                self._submit()
            drawn = [deed for deed, often in self.DEEDS.items() for _ in range(often)]
            for deed in self.dice.choices(drawn, k=self.dice.randint(16, 26)):
                self._do(deed)
            self._heal()
            self._settle()
            self.control.advance(60)  # nodes tell of a new VM with their next report
            self._look()
            self._judge()
        except Exception as error:
            raise AssertionError(f"seed {self.seed}: {error}\n{self._told()}") from error

    def _begin(self) -> None:
        self.control.reset()
        self.started = self.control.now()
        forget_ledger(self.site / "var" / "ledger.sqlite3")
        self._output.unlink(missing_ok=True)
        self.office.begin(self.new_ledger())
        self.known = 0
        place = locate(self.office.ledger, self.site)
        url = f"sqlite:///{place.file}" if place.file else self.office.ledger
        with self.desk("rudi") as desk:
            self.clock = desk.clock
            parents = {code: one.opd.parent for code, one in desk.site.opds.items()}
        self.books = Books(url, parents)

    def _ledger(self) -> Ledger:
        """To look into; the site's files are not read for it."""
        return open_ledger(
            self.office.ledger, self.site, self.clock, SystemEntropy(), identity="asserted"
        )

    def _do(self, deed: str) -> None:
        self._say(f"# {deed}")
        work: dict[str, Callable[[], None]] = {
            "submit": self._submit,
            "revise": self._revise,
            "same again": self._same_again,
            "approve": self._approve,
            "deny": self._deny,
            "withdraw": self._withdraw,
            "wait": lambda: self.control.advance(self.dice.uniform(600, 4 * 3600)),
            "expire": self._expire,
            "ask for quota": self._ask_for_quota,
            "decide on quota": self._decide_on_quota,
            "take quota back": self._take_quota_back,
            "change a limit": self._change_a_limit,
            "delegate": self._delegate,
            "change approvers": self._change_approvers,
            "change the policy": self._change_the_policy,
            "apply": self._apply,
            "apply, disturbed": self._apply_disturbed,
            "two at once": self._two_decide,
            "killed": self._killed_deed,
            "night": self._night,
            "recount": self._recount,
        }
        work[deed]()
        self._look()
        self.control.advance(1)

    # -- asking ----------------------------------------------------------------------------
    def _submit(self) -> None:
        opd = self.dice.choice(sorted(ASKING))
        self._hand_in(opd, self.dice.choice(["app", "web"]))

    def _revise(self) -> None:
        record = self._some(lambda one: True)
        if record is not None:
            self._hand_in(record.opd, record.spec.name)

    def _hand_in(self, opd: str, name: str) -> None:
        before = {one.key: one for one in self._requests()}.get(f"{opd}/{name}")
        answer = self._call(ASKING[opd][0], *self._submission(opd, name))
        if answer.code != 0:
            return
        done = answer.data[0]["submission"]
        what = "submit" if before is None else f"revise: {_shown(before)}"
        self.tally[what if done["changed"] else "unchanged"] += 1
        self.tally["approve: by rule"] += bool((answer.data[0]["by_rule"] or {}).get("approved"))

    def _submission(self, opd: str, name: str) -> tuple[str, ...]:
        file = self._write(f"{opd}-{name}", vm_request(opd, name, self.dice))
        more = ("--allow-retire",) if self.dice.random() < 0.5 else ()
        return ("request", "submit", *more, str(file))

    def _same_again(self) -> None:
        """Handed in with another look, what is asked for is what it was."""
        record = self._some(lambda one: True)
        if record is None:
            return
        asked = record.as_proposed
        with self._ledger() as ledger:
            source = ledger.requests.source(record.key, asked.revision)
        document = dict(reversed(json.loads(source).items()))
        file = self.site / "again.yaml"
        file.write_text("# once more\n" + json.dumps(document, indent=3))
        answer = self._call(ASKING[record.opd][0], "request", "submit", str(file))
        if answer.code == 0 and _shown(record) in {"pending", "approved", "denied", "applying"}:
            assert not answer.data[0]["submission"]["changed"], f"{record.key}: said the same"
            self.tally["same again"] += 1

    # -- deciding --------------------------------------------------------------------------
    def _approve(self) -> None:
        """One person decides; or everybody does, one after the other."""
        record = self._some(lambda one: one.pending)
        for _ in range(self.dice.choice([1, 4])):
            if record is None or not record.pending:
                return
            answer = self._call(self._decider(record), "request", "approve", record.key)
            self._count_approval(answer, record)
            record = next(one for one in self._requests() if one.key == record.key)

    def _count_approval(self, answer: Answer, record: RequestRecord) -> None:
        if answer.code == 0:
            with self._ledger() as ledger:
                now = ledger.requests.get(record.key)
                words = ledger.decisions.of(record.number)
            kind = "change" if record.proposal is not None and record.proposal.open else "request"
            done = now.state is RequestState.APPROVED or now.change_approved
            self.tally[f"approve: {kind}" if done else "approve: a stage"] += 1
            self.tally["approve: for another"] += words[-1].behalf is not None

    def _decider(self, record: RequestRecord) -> str:
        """Mostly one of those who are awaited, by login."""
        if self.dice.random() < 0.2:
            return self.dice.choice([*DECIDERS, "siti", "rudi"])
        return self.dice.choice(self._awaited(record) or list(DECIDERS))

    def _awaited(self, record: RequestRecord) -> list[str]:
        page = self._call("rudi", "request", "show", "--offline", record.key)
        return [one.rpartition("(")[2].rstrip(")") for one in page.data["chain"]["awaited"]]

    def _deny(self) -> None:
        record = self._some(lambda one: one.pending)
        if record is not None:
            login = self._decider(record)
            answer = self._call(login, "request", "deny", "--reason", "penuh", record.key)
            self.tally["deny"] += answer.code == 0

    def _withdraw(self) -> None:
        record = self._some(lambda one: self.dice.random() < 0.8)
        if record is not None:
            login = self.dice.choice([ASKING[record.opd][0], "rudi", "dewi"])
            answer = self._call(login, "request", "withdraw", record.key)
            self.tally["withdraw"] += answer.code == 0

    def _expire(self) -> None:
        """Time ends what waits and what is held."""
        before = {one.key: _shown(one) for one in self._requests()}
        self.control.advance(3600 * self.dice.choice([HOLD_HOURS, PENDING_HOURS]))
        self._call("timer", "nightly")
        for one in self._requests():
            if _shown(one) == "expired" and before[one.key] != "expired":
                self.tally[f"expire: {before[one.key]}"] += 1

    # -- quota -----------------------------------------------------------------------------
    def _ask_for_quota(self) -> None:
        opd = self.dice.choice(sorted(ASKING))
        answer = self._call(ASKING[opd][0], *self._quota_submission(opd))
        self.tally["ask for quota"] += answer.code == 0

    def _quota_submission(self, opd: str) -> tuple[str, ...]:
        today = datetime.fromtimestamp(self.control.now(), ZONE).date()
        document = quota_request(opd, "tambahan", today, self.dice)
        return ("request", "submit", str(self._write(f"{opd}-quota", document)))

    def _decide_on_quota(self) -> None:
        """Whoever is asked first may not be who decides: several are."""
        asked = self._some_quota(QuotaState.PENDING)
        if asked is None:
            return
        if self.dice.random() < 0.15:
            answer = self._call("hendra", "request", "deny", "--reason", "penuh", asked.number)
            self.tally["deny quota"] += answer.code == 0
            return
        for login in self.dice.sample(DECIDERS, len(DECIDERS)):
            self._call(login, "request", "approve", asked.number)
            with self._ledger() as ledger:
                if ledger.grants.get(asked.number).state is not QuotaState.PENDING:
                    self.tally["grant quota"] += 1
                    return

    def _take_quota_back(self) -> None:
        """Before it is decided on, or what was granted."""
        asked = self._some_quota(QuotaState.PENDING, QuotaState.GRANTED)
        if asked is not None:
            login = ASKING[asked.opd][0]
            self.control.advance(1)
            answer = self._call(login, "request", "withdraw", "--reason", "cukup", asked.number)
            granted = asked.state is QuotaState.GRANTED
            self.tally["end a grant" if granted else "withdraw quota"] += answer.code == 0

    def _change_a_limit(self) -> None:
        opd = self.dice.choice(sorted(LIMITS))
        if self.dice.random() < 0.5:
            self.office.quota[opd].update(LIMITS[opd])
        else:
            self.office.quota[opd]["vcpu"] = self.dice.choice([1, 2, 4, 12])
            self.office.quota[opd]["instances"] = self.dice.choice([1, 2, 8])
        self.office.write_limits(opd)
        limits = self._limits()[opd]
        over = any(self.books.over(opd, dim, limits.get(dim)) for dim in ("vcpu", "instances"))
        self.tally["cut below use" if over else "change a limit"] += 1

    # -- people and policy -----------------------------------------------------------------
    def _delegate(self) -> None:
        who, to = self.dice.choice(
            [("hendra", "dewi"), ("head-dinkes", "budi"), ("agus", "head-rsud"), ("hendra", "siti")]
        )
        now = datetime.fromtimestamp(self.control.now(), UTC)
        self.office.delegate(who, to, now, self.dice.randint(1, 8))
        self.tally["delegate"] += 1

    def _change_approvers(self) -> None:
        """Who approves today may not do so tomorrow; who has approved may not have been allowed."""
        self.office.approvers = set(
            self.dice.choice([("hendra", "agus"), ("hendra",), ("agus",), ("hendra", "agus")])
        )
        self.office.write_people()
        self.tally["change approvers"] += 1

    def _change_the_policy(self) -> None:
        self.office.executives = self.dice.choice([1, 2])
        self.office.reviewers = self.dice.choice([1, 2])
        self.office.write_site()
        self.tally["change the policy"] += 1

    # -- applying --------------------------------------------------------------------------
    def _apply(self) -> None:
        self._call("rudi", "apply")
        self.tally["apply"] += 1

    def _apply_disturbed(self) -> None:
        states = (RequestState.APPROVED, RequestState.APPLYING)
        for _ in range(6):
            todo = [one for one in self._requests() if one.state in states]
            if todo:
                break
            self._submit()
            self._approve()
        self.keys = [one.key for one in todo]
        self.vms = sum(vm.count for one in todo for vm in one.spec.vms)
        drawn = [APPLY_EVENTS[self.seed % len(APPLY_EVENTS)], self.dice.choice(APPLY_EVENTS)]
        self._disturb(self.dice.choice(drawn))

    # -- several at once, and death --------------------------------------------------------
    def _two_decide(self) -> None:
        """Two people on one request, or on two that want the same room."""
        waiting = [one for one in self._requests() if one.pending]
        if not waiting:
            return
        first = self.dice.choice(waiting)
        second = self.dice.choice(waiting)
        logins = [*self._awaited(first), *(self._awaited(second) if second != first else ())]
        others = [one for one in logins if one != logins[0]] or ["dewi"]
        runs = [
            self._begun_deed(self.dice.choice(logins or ["hendra"]), "request", "approve", key)
            if number == 0
            else self._begun_deed(self.dice.choice(others), "request", "approve", key)
            for number, key in enumerate((first.key, second.key))
        ]
        codes = [self._ended(run) for run in runs]
        same = "one request" if first.key == second.key else "two requests"
        self.tally[f"two at once: {same}"] += all(code in {0, 4} for code in codes)

    def _killed_deed(self) -> None:
        """Any deed, in a process that dies before a statement, a commit or a renaming."""
        name, login, words = self.dice.choice(self._lines())
        run = self._begun_deed(login, *words, dies_at=self.dice.randint(1, 45))
        if self._ended(run) == KILLED:
            self.tally[f"killed: {name}"] += 1

    def _lines(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What could be done now: its name, by whom, with which words."""
        opd = self.dice.choice(sorted(ASKING))
        found = [
            ("submit", ASKING[opd][0], self._submission(opd, "app")),
            ("night", "timer", ("nightly",)),
            ("apply", "rudi", ("apply",)),
        ]
        for record in self._requests():
            if record.pending:
                reason = ("--reason", "penuh")
                login = self._decider(record)
                found += [("approve", login, ("request", "approve", record.key))] * 2
                found += [("deny", login, ("request", "deny", *reason, record.key))]
            if _shown(record) in {"pending", "approved"}:
                found += [("withdraw", "rudi", ("request", "withdraw", record.key))]
        asked = self._some_quota(QuotaState.PENDING)
        if asked is not None:
            found += [("grant", "hendra", ("request", "approve", asked.number))]
        return found

    # -- looking ---------------------------------------------------------------------------
    def _night(self) -> None:
        self._call("timer", "nightly")
        self.tally["night"] += 1

    def _recount(self) -> None:
        self._call("yanti", "quota", "verify")
        self.tally["recount"] += 1

    def _look(self) -> None:
        self.books.look(self._limits(), self.office.may)

    def _limits(self) -> Limits:
        """By the site's files as they are."""
        if self.known != self.office.changes:
            with self.desk("rudi") as desk:
                self.limits = {opd: desk.site.effective_quota(opd) for opd in desk.site.opds}
            self.known = self.office.changes
        return self.limits

    def _judge(self) -> None:
        """What the main job promises, what the books say, and what the program says of itself."""
        GovernedJudge(self.desk, self.control, self.strangers, Counter()).judge()
        self.books.judge()
        for login, words in (
            ("yanti", ("quota", "verify")),
            ("yanti", ("audit", "verify")),
            ("rudi", ("ledger", "verify")),
        ):
            answer = self._call(login, *words)
            assert answer.code == 0, f"{' '.join(words)}: {answer}"
            if words == ("quota", "verify"):
                self._recounted(answer.data)
        for one in self._requests():
            self.tally[f"ended: {one.state.value}"] += 1

    def _recounted(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """The recount says what the postings add up to, and counts each VM that stands there."""
        told = {(one["opd"], one["dimension"]): one["charged"] for one in lines if one["charged"]}
        assert told == self.books.committed()
        pools = self.control.state()["dc"]["pools"]
        for one in lines:
            if one["dimension"] == "instances":
                there = len(pools[f"opd-{one['opd']}"]["vms"])
                assert one["found"] == there, f"{there} VMs, and the recount says {one}"

    # -- small things ----------------------------------------------------------------------
    def _requests(self) -> Sequence[RequestRecord]:
        with self._ledger() as ledger:
            return ledger.requests.list()

    def _some(self, fits: Callable[[RequestRecord], bool]) -> RequestRecord | None:
        found = [one for one in self._requests() if fits(one)]
        return self.dice.choice(found) if found else None

    def _some_quota(self, *states: QuotaState) -> QuotaRecord | None:
        with self._ledger() as ledger:
            found = [one for one in ledger.grants.list() if one.state in states]
        return self.dice.choice(found) if found else None

    def _write(self, name: str, document: dict[str, object]) -> Path:
        file = self.site / f"{name}.yaml"
        file.write_text(json.dumps(document))
        return file

    def _run(self, *arguments: str) -> int:
        """Nothing kills this one: no process of its own."""
        return self._call("rudi", *arguments).code


class GovernedJudge(Judge):
    """Limits are the books' matter here: they change, and grants come and go."""

    def _quota(self, desk: Any, charged: list[Any]) -> None:
        for opd in desk.site.opds:
            balances = desk.ledger.quota.balances({opd})
            committed = balances["instances"].committed if "instances" in balances else 0
            own = sum(one.opd == opd for one in charged)
            assert committed == own, f"{opd}: {committed} committed, {own} there"


def _shown(record: RequestRecord) -> str:
    """The state of what is decided on; a change to what lives has its own."""
    if record.state is RequestState.ACTIVE and record.proposal is not None:
        return f"change {record.proposal.state.value}"
    return record.state.value
