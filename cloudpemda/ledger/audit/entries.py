"""Entries, and the formulas that chain them and digest the rows they are bound to.

The formulas are what an auditor is told (README): SHA-256 over compact JSON in UTF-8.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from json.encoder import encode_basestring
from types import MappingProxyType

from sqlalchemy import Row

from cloudpemda.ledger.schema import moment_text
from cloudpemda.units import Instant, parse_instant

ORIGIN = "0" * 64
"""What the first entry of a chain calls its predecessor's hash."""

Detail = str | int | bool | None | Sequence[str]
Details = Mapping[str, Detail]
NOTHING: Details = MappingProxyType({})
Raw = Mapping[str, object]
"""A row as it is stored: moments are texts."""

_FIRST = (
    "seq", "at", "login", "person", "role", "action", "opd", "subject", "details", "previous",
)  # fmt: skip
_CONTENT = (*_FIRST, "behalf", "bound")
COLUMNS = (*_CONTENT, "hash", "opd_seq", "opd_previous", "opd_hash", "signature")
"""Everything that an entry is, in the order of an export."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The person (or `system`) who acts, the role in which they do, and for whom they stand in."""

    login: str
    name: str
    role: str
    behalf: str | None = None  # login or name of whom they act for; None: for themselves


SYSTEM = Actor("system", "cloudpemda", "system")
"""Who acts when nobody does: the timer, and holds that run out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    seq: int
    at: Instant
    actor: Actor
    action: str  # request.approve, instance.activate …
    opd: str | None
    subject: str  # a request's number or an instance's key
    details: Details
    previous: str
    hash: str
    opd_seq: int | None  # its place in the OPD's chain, from 1
    bound: Mapping[str, str]  # rows that the deed wrote → their digest


def entry_of(row: Row[tuple[object, ...]]) -> Entry:
    return Entry(
        seq=row.seq,
        at=row.at,
        actor=Actor(row.login, row.person, row.role, row.behalf),
        action=row.action,
        opd=row.opd,
        subject=row.subject,
        details=MappingProxyType(json.loads(row.details)),
        previous=row.previous,
        hash=row.hash,
        opd_seq=row.opd_seq,
        bound=MappingProxyType(json.loads(row.bound or "{}")),
    )


# -- formulas --------------------------------------------------------------------------------
def hash_of(raw: Raw) -> str:
    """Of the content, in the order of its columns. Entries of the first release, which are bound
    to no rows, have no `behalf` and `bound` in it."""
    columns = _FIRST if raw["bound"] is None and raw["behalf"] is None else _CONTENT
    return _digest([raw[name] for name in columns])


def hash_or_none(raw: Raw) -> str | None:
    try:
        return hash_of(raw)
    except (TypeError, UnicodeEncodeError):
        return None  # a value that no entry can have


def opd_link(opd: object, opd_seq: object, opd_previous: object, hash_: object) -> str:
    """The hash of an entry's place in its OPD's chain."""
    return _digest([opd, opd_seq, opd_previous, hash_])


def as_stored(row: Raw) -> dict[str, object]:
    """A row with its moments as texts."""
    return {
        name: moment_text(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def row_digest(raw: Raw) -> str:
    """Of a row's values by name, those that are NULL left out: a column that a later release adds
    changes no digest."""
    form, names = _form(tuple([name for name, value in raw.items() if value is not None]))
    values = [raw[name] for name in names]
    return _sha256(form % tuple(_said(values)))


def rows_digest(digests: Sequence[str]) -> str:
    """Of several rows in the order of their keys."""
    return digests[0] if len(digests) == 1 else _digest(digests)


_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode


@cache
def _form(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The canonical JSON of an object with these names, with room for the values in their order:
    an encoder is made anew for each object, and costs more than what it says."""
    order = tuple(sorted(names))
    room = (f"{canonical(name)}:".replace("%", "%%") + "%s" for name in order)
    return f"{{{','.join(room)}}}", order


def canonical(value: object) -> str:
    return repr(value) if type(value) is int else _ENCODE(value)


def _digest(values: Sequence[object]) -> str:
    """Of a list's canonical JSON."""
    return _sha256(f"[{','.join(_said(values))}]")


def _said(values: Iterable[object]) -> list[str]:
    """The canonical JSON of each value of a row: texts are most of them."""
    return [encode_basestring(one) if type(one) is str else canonical(one) for one in values]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def moment(raw: object) -> Instant:
    return parse_instant(str(raw))
