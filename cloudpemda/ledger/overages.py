"""Overage by hand: what VMs of ours use beyond what was approved, charged all the same.

Somebody gives a VM more cores past the program. The cluster carries it, so its OPD is charged for
it, beside the promise and told apart from it: the charge blocks growth as every other does, and
goes when what was seen of the VM says that the growth has gone. What was not read changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, func, select

from cloudpemda.ledger import quota
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.quota import OVERAGE
from cloudpemda.ledger.schema import instances, postings, requests
from cloudpemda.ledger.states import InstanceState
from cloudpemda.ledger.store import Store
from cloudpemda.rules.quota import Usage

_USED = func.sum(postings.c.committed)
_STANDS = (
    InstanceState.ACTIVE.value,
    InstanceState.RETIRING.value,
    InstanceState.RETIRED.value,  # in quarantine it takes the same room
)


@dataclass(frozen=True, slots=True)
class Overgrown:
    """What one instance was seen to use beyond its promise; an empty `more` is: nothing."""

    uid: str
    key: str  # dinkes/simrs/db-1
    opd: str
    number: str
    revision: int  # by which it was judged
    more: Usage


class OverageBook:
    """The charges for it: postings of their own beside those of the instances."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def by_instance(self, opds: Collection[str] | None = None) -> Mapping[str, Usage]:
        """Instance → dimension → what is charged for growth by hand, of all or these OPDs."""
        with self._store.read() as connection:
            return MappingProxyType(
                {key: usage for key, (opd, _, usage) in _charged(connection).items()
                 if opds is None or opd in opds}
            )  # fmt: skip

    def by_opd(self) -> Mapping[str, Usage]:
        """OPD → dimension → the same, summed up; children not included."""
        summed: dict[str, dict[str, int]] = {}
        with self._store.read() as connection:
            for opd, _, usage in _charged(connection).values():
                own = summed.setdefault(opd, {})
                for dimension, value in usage.items():
                    own[dimension] = own.get(dimension, 0) + value
        return MappingProxyType(summed)

    def note(self, seen: Sequence[Overgrown], actor: Actor) -> tuple[str, ...]:
        """Charge each instance for what was seen, in place of what was noted before; answers with
        the keys of those whose charge changed. Where nothing changes nothing is written.

        Of an instance that has changed since it was looked at, or is being changed, the charge
        stays; that of an instance that the ledger has no more goes.
        """
        with self._store.read() as connection:
            if not _changes(connection, seen):
                return ()
        with self._audit.deed(actor) as deed:
            changes = _changes(deed.connection, seen)
            for key, (opd, number, before, after) in sorted(changes.items()):
                _move(deed, key, opd, number, before, after)
        return tuple(sorted(changes))


def _move(deed: Deed, key: str, opd: str, number: str, before: Usage, after: Usage) -> None:
    names = sorted({*before, *after})
    more = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    quota.post_committed(deed, opd, number, key + OVERAGE, more)
    action = "quota.overgrown" if after else "quota.overgrown-gone"
    deed.record(action, opd, key, **{name: after.get(name, 0) for name in names})


def _changes(
    connection: Connection, seen: Sequence[Overgrown]
) -> Mapping[str, tuple[str, str, Usage, Usage]]:
    """Key → OPD, number, what is charged and what shall be, where they differ."""
    charged = _charged(connection)
    active = select(instances.c.uid, requests.c.revision).join(
        requests, requests.c.number == instances.c.number
    )
    active = active.where(instances.c.state.in_(_STANDS))
    stands = {(uid, revision) for uid, revision in connection.execute(active)}
    found: dict[str, tuple[str, str, Usage, Usage]] = {}
    for one in seen:
        before = charged.get(one.key, ("", "", {}))[2]
        after = {name: value for name, value in one.more.items() if value}
        if (one.uid, one.revision) in stands and dict(before) != after:
            found[one.key] = (one.opd, one.number, before, after)
    gone = select(instances.c.key).where(instances.c.state != InstanceState.PURGED.value)
    living = set(connection.scalars(gone))
    for key, (opd, number, usage) in charged.items():
        if key not in living:
            found[key] = (opd, number, usage, {})
    return found


def _charged(connection: Connection) -> Mapping[str, tuple[str, str, Usage]]:
    """Instance → OPD, number and what is charged for growth by hand."""
    query = (
        select(postings.c.instance, postings.c.opd, postings.c.number, postings.c.dimension, _USED)
        .where(postings.c.instance.like(f"%{OVERAGE}"))
        .group_by(postings.c.instance, postings.c.opd, postings.c.number, postings.c.dimension)
        .having(_USED != 0)
    )
    found: dict[str, tuple[str, str, dict[str, int]]] = {}
    for subject, opd, number, dimension, used in connection.execute(query):
        key = subject.removesuffix(OVERAGE)
        found.setdefault(key, (opd, number, {}))[2][dimension] = used
    return found
