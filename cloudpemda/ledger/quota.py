"""Promises and use per OPD: postings that are only ever added, the sums over them, and the limits.

Each posting changes, for one instance and one dimension, what is held or what is committed:
a hold (+held), a commitment (−held, +committed) and a release (−held, −committed). Balances are
sums, so a balance of any day in the past is a sum over fewer rows.

The limits are the site's; what was seen of them by a deed is kept, so that the past can be told
with the limits of its day. A refusal leaves an audit entry with the numbers that it rested on.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.functions import coalesce
from sqlalchemy.sql.functions import max as sql_max

from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import grounds
from cloudpemda.ledger.audit import Actor, Audit, Deed, Entry
from cloudpemda.ledger.grounds import Grounds, Sums
from cloudpemda.ledger.schema import limits, postings
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import Balance, Limits, Link, Standing, Usage, amount
from cloudpemda.units import Instant

_HELD = func.sum(postings.c.held)
_COMMITTED = func.sum(postings.c.committed)
_LAST = select(coalesce(sql_max(postings.c.seq), 0))


OVERAGE = "+overage"
"""Behind an instance's key: what it uses beyond its promise (`overages`). No key has a plus."""

EXCEEDED = "quota.exceeded"
"""The code of a refusal by quota; its further faults have the numbers."""

REFUSED = "quota.refuse"
"""The audit action of a refusal by quota."""


class QuotaBook:
    """Reads balances and limits. Postings are made by approvals and by the life of instances."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def balances(self, scope: Collection[str], at: Instant | None = None) -> Mapping[str, Balance]:
        """Dimension → balance over the OPDs of `scope` (an OPD alone, or with all below it); with
        `at`, as it was at that moment."""
        with self._store.read() as connection:
            return balances(connection, scope, at)

    def standings(self, chain: Sequence[Link]) -> tuple[Standing, ...]:
        """The chain with the grants that are in force now, and what is charged now."""
        now = self._store.clock.now()
        with self._store.read() as connection:
            return look(connection, chain, now).standings(chain)

    def standings_at(self, chain: Sequence[Link], at: Instant) -> tuple[Standing, ...]:
        """The chain as it was: its limits are those that were known then, raised by what was in
        force. A dimension of which no limit was seen by then is absent."""
        with self._store.read() as connection:
            known = _limits(connection, [link.opd for link in chain], at)
            past = [Link(one.opd, known.get(one.opd, {}), one.scope) for one in chain]
            seen = Grounds(
                sums=_sums_at(connection, frozenset().union(*(one.scope for one in chain)), at),
                granted=look(connection, chain, at).granted,
            )
            return tuple(
                replace(one, limits={name: one.limits[name] for name in known.get(one.opd, {})})
                for one in seen.standings(past)
            )

    def of_instance(self, instance: str) -> Mapping[str, Balance]:
        """Dimension → what one instance (`dinkes/simrs/db-1`) is charged now."""
        with self._store.read() as connection:
            return charges(connection, instance)

    def held_for(self, number: str) -> Usage:
        """Dimension → what the instances of a request hold together now."""
        query = (
            select(postings.c.dimension, _HELD.label("held"))
            .where(postings.c.number == number)
            .group_by(postings.c.dimension)
            .having(_HELD != 0)
            .order_by(postings.c.dimension)
        )
        with self._store.read() as connection:
            return MappingProxyType({row.dimension: row.held for row in connection.execute(query)})

    def by_instance(self, opds: Collection[str]) -> Mapping[str, Mapping[str, Balance]]:
        """Instance → dimension → what it is charged now, of all that these OPDs have; growth by
        hand (`overages`) is left out."""
        query = (
            select(postings.c.instance, postings.c.dimension, _COMMITTED, _HELD)
            .where(postings.c.opd.in_(sorted(opds)))
            .where(postings.c.instance.not_like(f"%{OVERAGE}"))
            .group_by(postings.c.instance, postings.c.dimension)
        )
        charged: dict[str, dict[str, Balance]] = {}
        with self._store.read() as connection:
            for instance, dimension, committed, held in connection.execute(query):
                if committed or held:
                    charged.setdefault(instance, {})[dimension] = Balance(committed, held)
        return MappingProxyType(charged)

    def note_limits(self, seen: Mapping[str, Limits], actor: Actor) -> None:
        """Keep the limits of a site's files where they are others than those seen last."""
        with self._store.read() as connection:
            if not _news(_limits(connection, seen), seen):
                return
        with self._audit.deed(actor) as deed:
            note_limits(deed, seen)
            if not deed.recorded:  # nothing changed: they were never seen before
                deed.record("quota.limits", None, "site", opds=", ".join(sorted(seen)))

    def refuse(self, opd: str, subject: str, faults: Sequence[Fault], actor: Actor) -> None:
        """Keep a refusal with its numbers; the same one again, with the same numbers, is not told
        twice. `subject` is a request's number, or its key before it has one."""
        last = self._audit.log(subject=subject, action=REFUSED, limit=1)
        if last and refusal_of(last[0]) == tuple(_plain(fault) for fault in faults):
            return
        with self._audit.deed(actor) as deed:
            _note_refusal(deed, opd, subject, faults)


def balances(
    connection: Connection, scope: Collection[str], at: Instant | None = None
) -> Mapping[str, Balance]:
    if at is None:
        return grounds.look(connection, scope=scope).balances(scope)
    return Grounds(sums=_sums_at(connection, scope, at)).balances(scope)


def look(
    connection: Connection,
    chain: Sequence[Link],
    moment: Instant,
    instances: Collection[str] = (),
) -> Grounds:
    """What a judgement over a chain and these instances rests on. Whoever decides calls it in the
    transaction in which it then holds."""
    return grounds.look(
        connection,
        moment,
        scope=frozenset().union(*(link.scope for link in chain)),
        opds=[link.opd for link in chain],
        instances=instances,
    )


def _sums_at(connection: Connection, opds: Collection[str], at: Instant) -> Sums:
    """What the postings summed up to then."""
    query = (
        select(postings.c.opd, postings.c.dimension, _COMMITTED, _HELD)
        .where(postings.c.opd.in_(sorted(opds)), postings.c.at <= at)
        .group_by(postings.c.opd, postings.c.dimension)
    )
    sums: Sums = {}
    for opd, dimension, committed, held in connection.execute(query):
        sums.setdefault(opd, {})[dimension] = (committed, held)
    return sums


def note_limits(
    deed: Deed, seen: Mapping[str, Limits], known: Mapping[str, Limits] | None = None
) -> None:
    """Keep the limits that are others than those seen last. A change has an audit entry of its own;
    the first sight of an OPD's limits changes nothing, and is bound to the deed's next entry."""
    before = _limits(deed.connection, seen) if known is None else known
    news = _news(before, seen)
    if not news:
        return
    last = deed.connection.scalar(select(coalesce(sql_max(limits.c.seq), 0))) or 0
    rows = (
        {"at": deed.now, "opd": opd, "dimension": dimension, "amount": limit}
        for opd, changed in sorted(news.items())
        for dimension, limit in sorted(changed.items())
    )
    deed.insert(limits, *({"seq": seq, **row} for seq, row in enumerate(rows, start=last + 1)))
    for opd, changed in sorted(news.items()):
        if opd in before:
            former = before[opd]
            said = {
                dimension: f"{_shown(former.get(dimension, 0))} → {_shown(limit)}"
                for dimension, limit in changed.items()
            }
            deed.record("quota.limits", opd, opd, **said)


@contextmanager
def refusals_kept(audit: Audit, actor: Actor) -> Iterator[None]:
    """Around a deed that quota may refuse: the deed then never was, and its refusal is told."""
    try:
        yield
    except Refused as error:
        if error.code == EXCEEDED:
            values, (_, *faults) = error.values, error.faults
            with audit.deed(actor) as deed:
                _note_refusal(deed, str(values["opd"]), str(values["subject"]), faults)
        raise


def _note_refusal(deed: Deed, opd: str, subject: str, faults: Sequence[Fault]) -> None:
    """Tell in the audit log what quota refused, with the numbers of this moment."""
    told = json.dumps([_plain(fault) for fault in faults], sort_keys=True)
    deed.record(REFUSED, opd, subject, faults=told)


def refusal_of(entry: Entry) -> tuple[Mapping[str, object], ...]:
    """What `_note_refusal` wrote: code and values of each fault."""
    return tuple(json.loads(str(entry.details["faults"])))


def refusal_faults(entry: Entry) -> tuple[Fault, ...]:
    """The faults of a refusal as they were told then."""
    faults = []
    for one in refusal_of(entry):
        values = {name: value for name, value in one.items() if name != "code"}
        dimension = str(values["dimension"])
        for name in ("needed", "left", "used", "limit", "short"):
            values[name] = amount(dimension, int(str(values[name])))
        faults.append(Fault(str(one["code"]), MappingProxyType(values), path=dimension))
    return tuple(faults)


def _plain(fault: Fault) -> Mapping[str, object]:
    return {"code": fault.code, **fault.values}


def _shown(limit: int | None) -> str:
    return "unlimited" if limit is None else str(limit)


def _limits(
    connection: Connection, opds: Collection[str], at: Instant | None = None
) -> dict[str, dict[str, int | None]]:
    """OPD → dimension → the limit seen last, at `at` or by now; what was never seen is absent."""
    query = (
        select(limits.c.opd, limits.c.dimension, limits.c.amount)
        .where(limits.c.opd.in_(sorted(opds)))
        .order_by(limits.c.seq)
    )
    if at is not None:
        query = query.where(limits.c.at <= at)
    seen: dict[str, dict[str, int | None]] = {}
    for opd, dimension, limit in connection.execute(query):
        seen.setdefault(opd, {})[dimension] = limit
    return seen


def _news(
    before: Mapping[str, Limits], seen: Mapping[str, Limits]
) -> dict[str, dict[str, int | None]]:
    """OPD → dimension → limit, where it is another than the one seen last. What a file says no
    more is none."""
    news: dict[str, dict[str, int | None]] = {}
    for opd, said in seen.items():
        known = before.get(opd, {})
        now = {**dict.fromkeys(known, 0), **said}
        changed = {
            dimension: limit
            for dimension, limit in now.items()
            if dimension not in known or known[dimension] != limit
        }
        if changed:
            news[opd] = changed
    return news


def charges(connection: Connection, instance: str) -> Mapping[str, Balance]:
    """What one instance is charged, without the dimensions in which it is nothing."""
    charged = grounds.look(connection, instances=[instance]).charged.get(instance, {})
    return {dimension: Balance(*one) for dimension, one in charged.items()}


def held_instances(connection: Connection, number: str) -> tuple[str, ...]:
    """The instances of a request that still hold anything, sorted."""
    query = (
        select(postings.c.instance)
        .where(postings.c.number == number)
        .group_by(postings.c.instance, postings.c.dimension)
        .having(_HELD != 0)
        .distinct()
        .order_by(postings.c.instance)
    )
    return tuple(connection.scalars(query))


def hold(deed: Deed, opd: str, number: str, more: Mapping[str, Usage], last: int) -> None:
    """Promise each instance of `more` its usage. Whoever calls has judged it, and asked whether
    anything may be promised (`Grounds.require_free`), in the same transaction,
    as `last`, the newest posting's number, was read."""
    _post_all(
        deed,
        opd,
        number,
        [
            (instance, dimension, Balance(0, value))
            for instance, usage in more.items()
            for dimension, value in sorted(usage.items())
            if value
        ],
        last,
    )


def take(deed: Deed, opd: str, number: str, more: Mapping[str, Usage]) -> None:
    """Charge each instance of `more` what it uses already, whatever is left: what stands above a
    limit by it is an overage, and blocks growth."""
    _post_all(
        deed,
        opd,
        number,
        [
            (instance, dimension, Balance(value, 0))
            for instance, usage in more.items()
            for dimension, value in sorted(usage.items())
            if value
        ],
    )


def commit(deed: Deed, opd: str, number: str, instance: str) -> None:
    """Turn all that an instance holds into use. Nothing held: nothing happens."""
    _post(
        deed,
        opd,
        number,
        instance,
        {
            dimension: Balance(charge.held, -charge.held)
            for dimension, charge in charges(deed.connection, instance).items()
            if charge.held
        },
    )


def lower(deed: Deed, opd: str, number: str, instance: str, usage: Usage) -> Usage:
    """Charge an instance no more than `usage`; answers with what is given back. What it uses less
    stays as it is: nothing grows without a hold."""
    less = {
        dimension: charge.committed - usage.get(dimension, 0)
        for dimension, charge in charges(deed.connection, instance).items()
        if charge.committed > usage.get(dimension, 0)
    }
    given_back = {dimension: Balance(-value, 0) for dimension, value in less.items()}
    _post(deed, opd, number, instance, given_back)
    return MappingProxyType(less)


def release_holds(deed: Deed, opd: str, number: str) -> None:
    """Give back all that the request's instances hold; what is in use stays charged."""
    for instance in held_instances(deed.connection, number):
        held = {
            dimension: Balance(0, -charge.held)
            for dimension, charge in charges(deed.connection, instance).items()
            if charge.held
        }
        _post(deed, opd, number, instance, held)


def release(deed: Deed, opd: str, number: str, instance: str) -> None:
    """Give back all that an instance is charged, held and in use, approved or grown by hand."""
    for subject in (instance, instance + OVERAGE):
        _post(
            deed,
            opd,
            number,
            subject,
            {
                dimension: Balance(-charge.committed, -charge.held)
                for dimension, charge in charges(deed.connection, subject).items()
            },
        )


def post_committed(deed: Deed, opd: str, number: str, subject: str, more: Usage) -> None:
    """Change what is charged to a subject as used, by these amounts of either sign."""
    _post(
        deed, opd, number, subject,
        {dimension: Balance(value, 0) for dimension, value in more.items() if value},
    )  # fmt: skip


def transfer(deed: Deed, opd: str, number: str, instance: str, wanted: Mapping[str, Usage]) -> None:
    """Give back all that an instance is charged, but for what stays charged under the names of
    `wanted`: no more in all, per dimension, than the instance was."""
    left = {name: one.committed for name, one in charges(deed.connection, instance).items()}
    kept: list[tuple[str, str, Balance]] = []
    for name, usage in sorted(wanted.items()):
        for dimension, value in sorted(usage.items()):
            part = min(value, left.get(dimension, 0))
            left[dimension] = left.get(dimension, 0) - part
            if part:
                kept.append((name, dimension, Balance(committed=part)))
    release(deed, opd, number, instance)
    _post_all(deed, opd, number, kept)


def charged_to(connection: Connection, number: str) -> Mapping[str, Usage]:
    """All that a request is charged as used, by what it is charged for: its instances, their growth
    by hand, states that are kept of them, and what purged ones left behind."""
    query = (
        select(postings.c.instance, postings.c.dimension, _COMMITTED)
        .where(postings.c.number == number)
        .group_by(postings.c.instance, postings.c.dimension)
        .having(_COMMITTED != 0)
        .order_by(postings.c.instance, postings.c.dimension)
    )
    charged: dict[str, dict[str, int]] = {}
    for subject, dimension, used in connection.execute(query):
        charged.setdefault(subject, {})[dimension] = used
    return MappingProxyType(charged)


def renamed(subject: str, former: str, key: str) -> str:
    """What is charged for something of one workload (`dinkes/simrs/db-1+overage`), as that of
    another."""
    return key + subject.removeprefix(former)


def hand_over(
    deed: Deed, number: str, former: tuple[str, str], to: tuple[str, str]
) -> tuple[str, ...]:
    """Charge all of a request's use to another OPD, under its new key: `former` and `to` are OPD
    and key. Answers with what it is charged for."""
    charged = charged_to(deed.connection, number)
    changes = [
        (subject, dimension, used)
        for subject, usage in charged.items()
        for dimension, used in usage.items()
    ]
    freed = [(subject, name, Balance(-used, 0)) for subject, name, used in changes]
    taken = [
        (renamed(subject, former[1], to[1]), name, Balance(used, 0))
        for subject, name, used in changes
    ]
    _post_all(deed, former[0], number, freed)
    _post_all(deed, to[0], number, taken)
    return tuple(charged)


def _post(deed: Deed, opd: str, number: str, instance: str, changes: Mapping[str, Balance]) -> None:
    _post_all(deed, opd, number, [(instance, *change) for change in sorted(changes.items())])


def _post_all(
    deed: Deed,
    opd: str,
    number: str,
    changes: Sequence[tuple[str, str, Balance]],
    last: int | None = None,
) -> None:
    """Instance, dimension and change of each."""
    if not changes:
        return
    if last is None:
        last = deed.connection.scalar(_LAST) or 0
    deed.insert(
        postings,
        *(
            {
                "seq": seq,
                "at": deed.now,
                "opd": opd,
                "number": number,
                "instance": instance,
                "dimension": dimension,
                "held": change.held,
                "committed": change.committed,
            }
            for seq, (instance, dimension, change) in enumerate(changes, start=last + 1)
        ),
    )
