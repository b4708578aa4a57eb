"""The ledger's rows, read past the program, and judged by rules that are written once more here.

`look` follows the book of postings from deed to deed: it sees every balance that ever was, also
those that two processes made at the same moment, and it asks of each word whether it was its
giver's to give, when it was given and again when something was begun by it. `judge` asks at the
end who allowed what.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, text

from tests.storm.office import ZONE

HOLDING = {"approved", "applying", "stuck"}
Rows = Sequence[Mapping[str, Any]]
Limits = Mapping[str, Mapping[str, int | None]]
May = Callable[[Mapping[str, Any], str], bool]
"""Whether a decision for an OPD was its giver's, by the site's files as they are now."""


@dataclass
class Books:
    """One ledger, from its first posting on. `parents` is the tree of the site's OPDs."""

    url: str
    parents: Mapping[str, str | None]
    charged: Counter[tuple[str, str]] = field(default_factory=Counter)  # of an OPD itself
    seen: int = 0  # postings
    read: int = 0  # entries of the log
    given: set[tuple[str, int]] = field(default_factory=set)  # decisions
    unbegun: set[str] = field(default_factory=set)  # approved, and not applied since
    _engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self._engine = create_engine(self.url, poolclass=NullPool)

    def rows(self, query: str, **values: object) -> Rows:
        with self._engine.connect() as connection:
            return [row._asdict() for row in connection.execute(text(query), values)]

    # -- at any moment ---------------------------------------------------------------------
    def look(self, limits: Limits, may: May) -> None:
        """No deed since the last look that made something grow left it above its limit, and nobody
        decided, or had decided on what was begun, to whom the files do not give it.

        `limits` and `may` are those of the site's files, which nobody has changed since the last
        look.
        """
        self._entitled(may)
        found = self.rows("SELECT * FROM postings WHERE seq > :seen ORDER BY seq", seen=self.seen)
        granted = self.rows("SELECT * FROM grants") if found else ()
        for _, deed in groupby(found, lambda one: (one["at"], one["number"])):
            self._admit(list(deed), limits, granted)

    def _admit(self, deed: Rows, limits: Limits, granted: Rows) -> None:
        grown: Counter[tuple[str, str]] = Counter()
        for one in deed:
            change = one["held"] + one["committed"]
            self.charged[one["opd"], one["dimension"]] += change
            for opd in self._chain(one["opd"]):
                grown[opd, one["dimension"]] += change
            self.seen = one["seq"]
        at = deed[0]["at"]
        for (opd, dimension), change in grown.items():
            if change <= 0:
                continue
            limit = limits[opd].get(dimension, 0)
            if limit is not None:
                limit += sum(
                    one["amount"]
                    for one in granted
                    if (one["opd"], one["dimension"]) == (opd, dimension) and _covers(one, at)
                )
                total = self.total(opd, dimension)
                assert total <= limit, f"{opd} {dimension}: {total} > {limit} by {deed[0]}"

    def _entitled(self, may: May) -> None:
        opds = {
            one["number"]: one["opd"]
            for table in ("requests", "quota_requests")
            for one in self.rows(f"SELECT number, opd FROM {table}")  # noqa: S608 - one of these two
        }
        words = self.rows("SELECT * FROM decisions WHERE rule IS NULL")
        for one in words:
            if (one["number"], one["seq"]) not in self.given:
                self.given.add((one["number"], one["seq"]))
                assert may(one, opds[one["number"]]), f"not theirs to decide: {one}"
        query = "SELECT seq, at, action, subject, details FROM audit WHERE seq > :read ORDER BY seq"
        for entry in self.rows(query, read=self.read):
            self.read, number = entry["seq"], entry["subject"]
            kind, _, event = entry["action"].partition(".")
            if kind in {"request", "proposal"} and event == "approve":
                self.unbegun.add(number)
            elif kind in {"request", "proposal"} and event == "begin" and number in self.unbegun:
                self.unbegun.remove(number)
                for one in self._counting(entry, words):
                    assert may(one, opds[number]), f"begun by who has lost the role: {one}"

    def _counting(self, entry: Mapping[str, Any], words: Rows) -> Iterator[Mapping[str, Any]]:
        """The decisions by which the entry's revision was begun."""
        revision = json.loads(entry["details"])["revision"]
        for one in words:
            counts = one["verdict"] == "approve" and (
                one["voided_at"] is None or one["voided_at"] >= entry["at"]
            )
            if counts and (one["number"], one["revision"]) == (entry["subject"], revision):
                yield one

    def total(self, opd: str, dimension: str) -> int:
        """What an OPD and all below it are charged, after the last look."""
        return sum(
            amount
            for (whose, what), amount in self.charged.items()
            if what == dimension and opd in self._chain(whose)
        )

    def committed(self) -> Mapping[tuple[str, str], int]:
        """What each OPD uses of each dimension, without what is only held."""
        query = (
            "SELECT opd, dimension, SUM(committed) AS uses FROM postings GROUP BY opd, dimension"
        )
        return {
            (one["opd"], one["dimension"]): one["uses"] for one in self.rows(query) if one["uses"]
        }

    def over(self, opd: str, dimension: str, limit: int | None) -> bool:
        return limit is not None and self.total(opd, dimension) > limit

    def _chain(self, opd: str) -> Iterator[str]:
        current: str | None = opd
        while current is not None:
            yield current
            current = self.parents[current]

    # -- at the end ------------------------------------------------------------------------
    def judge(self) -> None:
        """Everything that is promised was allowed, by as many as the policy of its day demanded,
        and every word that was given stands in the log."""
        log = self.rows("SELECT * FROM audit ORDER BY seq")
        unsaid = [one for one in log if one["action"] == "ledger.write"]
        assert not unsaid, f"a deed has not said what it was: {unsaid}"
        for one in log:
            one |= {"details": json.loads(one["details"])}  # type: ignore[operator]
        approvals = self.rows("SELECT * FROM approvals")
        self._recorded(log, approvals)
        self._by_enough(approvals)
        self._holds(approvals)
        self._instances(log)
        self._grants(log)

    def _recorded(self, log: Rows, approvals: Rows) -> None:
        told = Counter(
            (one["subject"], one["details"]["revision"], one["details"]["offer_digest"],
             one["login"], one["at"])
            for one in log
            if one["action"] in {"request.approve", "proposal.approve"}
        )  # fmt: skip
        known = Counter(
            (one["number"], one["revision"], one["offer_digest"], one["login"], one["at"])
            for one in approvals
        )
        assert told == known, f"told {told - known}, known {known - told}"
        words = self.rows("SELECT number, login, at FROM decisions WHERE verdict = 'approve'")
        said = {
            (one["subject"], one["login"], one["at"])
            for one in log
            if one["action"].rpartition(".")[2] in {"approve", "decide", "concur", "grant"}
        }
        untold = [one for one in words if (one["number"], one["login"], one["at"]) not in said]
        assert not untold, f"decisions without an entry: {untold}"

    def _by_enough(self, approvals: Rows) -> None:
        given: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
        for one in self.rows("SELECT * FROM decisions WHERE verdict = 'approve' ORDER BY seq"):
            given[one["number"], one["revision"]].append(one)
        asked = {
            (one["number"], one["revision"]): one["login"]
            for table in ("revisions", "quota_revisions")
            for one in self.rows(f"SELECT * FROM {table}")  # noqa: S608 - one of these two
        }
        granted = {
            (one["number"], one["revision"]): {**one, "offer_digest": None}
            for one in self.rows("SELECT * FROM grants")
        }
        for one in (*approvals, *granted.values()):
            place = one["number"], one["revision"]
            those = [
                word
                for word in given[place]
                if one["offer_digest"] in (None, word["offer_digest"])
                and word["at"] <= one["at"]
                # the lab's clock may stand still between an approval and what ends it
                and (word["voided_at"] is None or word["voided_at"] >= one["at"])
            ]
            policy = those[-1]["policy"]  # a word under a former one ends when this one is given
            older = [word for word in those if word["policy"] != policy]
            assert all(word["voided_at"] == one["at"] for word in older), f"{place}: {older}"
            those = [word for word in those if word["policy"] == policy]
            people = [
                login
                for word in those
                for login in (word["login"], word["behalf_login"])
                if login is not None
            ]
            assert len(people) == len(set(people)), f"{place}: somebody counts twice in {people}"
            assert asked[place] not in people, f"{place}: {asked[place]} asked for it"
            for stage, wanted in enumerate(_demanded(policy)):
                there = sum(word["stage"] == stage for word in those)
                assert there >= wanted, f"{place}: {there} of {wanted} in stage {stage}"

    def _holds(self, approvals: Rows) -> None:
        moments = {(one["number"], one["at"]) for one in approvals}
        for one in self.rows("SELECT * FROM postings WHERE held > 0"):
            assert (one["number"], one["at"]) in moments, f"held without an approval: {one}"
        holding = {
            one["number"]
            for one in self.rows("SELECT number, state FROM requests")
            if one["state"] in HOLDING
        } | {
            one["number"]
            for one in self.rows("SELECT number, state FROM proposals")
            if one["state"] == "approved"
        }
        query = (
            "SELECT number, SUM(held) AS held FROM postings GROUP BY number, instance, dimension"
        )
        for one in self.rows(query):
            assert one["held"] >= 0, one
            assert not one["held"] or one["number"] in holding, f"holds on: {one}"
        for table in ("requests", "proposals"):
            for one in self.rows(f"SELECT * FROM {table} WHERE state = 'approved'"):  # noqa: S608
                live = [
                    approval
                    for approval in approvals
                    if approval["voided_at"] is None
                    and (approval["number"], approval["revision"])
                    == (one["number"], one["revision"])
                ]
                assert len(live) == 1, f"{one['number']} is approved by {live}"

    def _instances(self, log: Rows) -> None:
        """No identity was given, and so no VM made, before somebody had allowed it."""
        allowed: dict[str, int] = {}
        for one in log:
            if one["action"] == "request.approve":
                allowed.setdefault(one["subject"], one["seq"])
        first: dict[str, int] = {}
        for one in log:
            if one["action"].startswith("instance."):
                first.setdefault(one["details"]["uid"], one["seq"])
        for one in self.rows("SELECT uid, key, number FROM instances"):
            assert one["uid"] in first, f"{one} has no entry"
            assert allowed.get(one["number"], first[one["uid"]]) < first[one["uid"]], one

    def _grants(self, log: Rows) -> None:
        """What was granted is what was asked for, for its days, until it was taken back."""
        told = {
            (one["subject"], one["details"]["revision"])
            for one in log
            if one["action"] == "quota.grant"
        }
        asked = {
            (one["number"], one["revision"]): one
            for one in self.rows("SELECT * FROM quota_revisions")
        }
        granted: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
        for one in self.rows("SELECT * FROM grants"):
            granted[one["number"], one["revision"]].append(one)
        assert set(granted) == told
        for place, found in granted.items():
            spec = json.loads(asked[place]["spec"])
            assert {one["dimension"]: one["amount"] for one in found} == dict(spec["add"])
            for one in found:
                assert one["login"] != asked[place]["login"], one
                assert spec["start"] is None or one["starts_at"] >= _midnight(spec["start"]), one
                end = None if spec["until"] is None else _midnight(spec["until"], after=1)
                assert one["ends_at"] == end, one
        for entry in log:
            if entry["action"] == "quota.end":
                for one in granted[entry["subject"], entry["details"]["revision"]]:
                    over = [one["ended_at"], one["ends_at"]]
                    assert any(at and at <= entry["at"] for at in over), f"{one} was taken back"


def _midnight(day: str, after: int = 0) -> str:
    """The first moment of a day of the site's, as the ledger writes it."""
    of = date.fromisoformat(day) + timedelta(days=after)
    return f"{datetime.combine(of, time(), ZONE).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _covers(grant: Mapping[str, Any], at: str) -> bool:
    """Moments are text of one width, which sorts as time does."""
    return (
        grant["starts_at"] <= at
        and (grant["ends_at"] is None or at < grant["ends_at"])
        and (grant["ended_at"] is None or at < grant["ended_at"])
    )


def _demanded(policy: str) -> list[int]:
    """`hospital: opd-head 1, executive 2` demands one, then two."""
    stages = policy.partition(": ")[2]
    if stages == "automatic":
        return [1]
    return [int(stage.rpartition(" ")[2]) for stage in stages.split(", ")]
