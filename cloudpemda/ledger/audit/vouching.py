"""Whether the log vouches for single rows: asked before something is built that they allow.

`verify` proves everything, and is asked by people and by the night. What an approval leads to
cannot wait for the night: whoever writes into the database alone must not get a VM by it, nor
another network or address for one.

Entries speak of a request under its number, of each of its instances under the key that it had then
(a transfer gives it another one, and says which it was), and of everything under `-`.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Table, select

from cloudpemda.ledger.audit import bound
from cloudpemda.ledger.audit.bound import GONE
from cloudpemda.ledger.audit.entries import Raw
from cloudpemda.ledger.audit.ring import Ring
from cloudpemda.ledger.audit.verify import bound_in
from cloudpemda.ledger.schema import addresses, audit, instances, nics

_OF_INSTANCES = (nics, addresses)
_BUILT = tuple(f"{table.name}:" for table in (instances, *_OF_INSTANCES))


def unvouched(
    connection: Connection, keys: Ring, number: str, vms: Collection[str], tables: Sequence[Table]
) -> Iterator[str]:
    """The labels of a request's rows in these tables, of its instances, their cards and addresses,
    that are not what the newest genuine entry says of them, or that it says of one that is gone.
    `vms` are the keys that its instances should have."""
    said = _said(connection, keys, number, vms)
    for table in tables:
        yield from said.denied(bound.read_of(connection, table, number))
    there: set[str] = set()
    for written in _built(connection, number):
        yield from said.denied(written)
        there.update(label for label, _ in written.labels())
    yield from sorted(label for label in said.own - there if said.claims[label] != GONE)


@dataclass
class _Said:
    """What entries say of rows, the newer ones last."""

    claims: dict[str, str] = field(default_factory=dict)  # label → digest
    own: set[str] = field(default_factory=set)  # of the request's instances

    def denied(self, written: bound.Written) -> Iterator[str]:
        for label, digest in written.labels():
            if self.claims.get(label) != digest:
                yield label


def _said(connection: Connection, keys: Ring, number: str, vms: Collection[str]) -> _Said:
    said = _Said()
    for raw in _entries(connection, number, vms):
        claims = tuple(bound_in(raw["bound"]))
        if claims and keys.wrote(raw):
            said.claims |= claims
            if number in (raw["subject"], _told(raw).get("number")):
                said.own.update(label for label, _ in claims if label.startswith(_BUILT))
    return said


def _entries(connection: Connection, number: str, vms: Collection[str]) -> Sequence[Raw]:
    """All that may speak of a request and its instances, in order."""
    found: dict[object, Raw] = {}
    own_keys = select(instances.c.key).where(instances.c.number == number)
    asked: set[str] = set()
    subjects: set[str] = {number, "-", *vms, *connection.scalars(own_keys)}
    while subjects - asked:
        query = bound.raw(audit).where(
            audit.c.subject.in_(subjects - asked), audit.c.bound.is_not(None)
        )
        asked |= subjects
        fresh = [bound.as_raw(row) for row in connection.execute(query)]
        found |= {raw["seq"]: raw for raw in fresh}
        moved = (_told(raw) for raw in fresh if raw["action"] == "instance.transfer")
        subjects = {str(told.get("former")) for told in moved if told.get("number") == number}
    return [found[seq] for seq in sorted(found, key=lambda seq: int(str(seq)))]


def _told(raw: Raw) -> Mapping[str, object]:
    """An entry's details, signed or not: they decide only what is looked at."""
    try:
        told = json.loads(str(raw["details"]))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _built(connection: Connection, number: str) -> Iterator[bound.Written]:
    """The request's instances, and their cards and addresses."""
    yield bound.read_of(connection, instances, number)
    uids = select(instances.c.uid).where(instances.c.number == number)
    for table in _OF_INSTANCES:
        yield bound.read_where(connection, table, table.c.uid.in_(uids))
