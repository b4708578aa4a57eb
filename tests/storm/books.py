"""The ledger's rows, read past the program, and judged by rules that are written once more here.

`look` follows the book of postings from deed to deed: it sees every balance that ever was, also
those that two processes made at the same moment. `judge` asks at the end who allowed what.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, text

HOLDING = {"approved", "applying", "stuck"}
Rows = Sequence[Mapping[str, Any]]
Limits = Mapping[str, Mapping[str, int | None]]


@dataclass
class Books:
    """One ledger, from its first posting on. `parents` is the tree of the site's OPDs."""

    url: str
    parents: Mapping[str, str | None]
    charged: Counter[tuple[str, str]] = field(default_factory=Counter)  # of an OPD itself
    seen: int = 0  # postings
    _engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self._engine = create_engine(self.url, poolclass=NullPool)

    def rows(self, query: str, **values: object) -> Rows:
        with self._engine.connect() as connection:
            return [row._asdict() for row in connection.execute(text(query), values)]

    # -- at any moment ---------------------------------------------------------------------
    def look(self, limits: Limits) -> None:
        """No deed since the last look that made something grow left it above its limit.

        `limits` are those of the site's files, which nobody has changed since the last look.
        """
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

    def total(self, opd: str, dimension: str) -> int:
        """What an OPD and all below it are charged, after the last look."""
        return sum(
            amount
            for (whose, what), amount in self.charged.items()
            if what == dimension and opd in self._chain(whose)
        )

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
            (policy,) = {word["policy"] for word in those}
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
        told = {
            (one["subject"], one["details"]["revision"])
            for one in log
            if one["action"] == "quota.grant"
        }
        asked = {
            (one["number"], one["revision"]): one["login"]
            for one in self.rows("SELECT * FROM quota_revisions")
        }
        found = self.rows("SELECT * FROM grants")
        assert {(one["number"], one["revision"]) for one in found} == told
        for one in found:
            assert one["login"] != asked[one["number"], one["revision"]], one


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
