"""What somebody with the database's password can do to the log, and what is then found."""

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

from sqlalchemy import Connection
from sqlalchemy import text as sql

from cloudpemda.messages import Lang, explain
from tests.ledger.databases import behind_its_back, rows, tamper
from tests.ledger.makers import (
    open_at,
)

HEAD = Path("var/audit.head")
HEADS = Path("var/audit.heads")
KEY = Path("var/audit.key")


def head_of(base: Path) -> dict[str, Any]:
    """What the head file says; it has two slots, each with a digest before its head."""
    there = (base / HEAD).read_bytes()
    size = len(there) // 2
    slots = [json.loads(one[64:]) for one in (there[:size], there[size:]) if one.strip()]
    newest: dict[str, Any] = max(slots, key=lambda one: int(one["seq"]))
    return newest


def found(base: Path) -> list[tuple[str, int]]:
    with open_at(base) as ledger:
        findings = ledger.audit.verify()
    for finding in findings:
        for lang in get_args(Lang):
            assert str(finding.seq) in explain(finding.code, lang, finding.fault.values)[0]
    return [(finding.code, finding.seq) for finding in findings]


def count(base: Path) -> object:
    return rows(base, "SELECT count(*) FROM audit")[0][0]


def rehash(base: Path, seq: int, *, only: bool) -> None:
    """Edit an entry and mend its hash as a forger would, or those of all that follow too.

    The formula is written out here once more: it is what an auditor has to be told.
    """
    tamper(base, f"UPDATE audit SET login = 'forged' WHERE seq = {seq}")  # noqa: S608
    mend(base, seq, only=only)


def mend(base: Path, seq: int, *, only: bool) -> None:
    entries = rows(
        base,
        "SELECT seq, at, login, person, role, action, opd, subject, details, previous, behalf, "  # noqa: S608
        f"bound FROM audit WHERE seq >= {seq} ORDER BY seq",
    )
    with behind_its_back(base) as connection:
        previous: str | None = None
        for row in entries:
            content = list(row)
            if previous is not None:
                content[9] = previous
            text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
            previous = hashlib.sha256(text.encode()).hexdigest()
            connection.execute(
                sql("UPDATE audit SET previous = :previous, hash = :hash WHERE seq = :seq"),
                {"previous": content[9], "hash": previous, "seq": row[0]},
            )
            if only:
                return
        mend_places(connection)


def mend_places(connection: Connection) -> None:
    """All is one OPD's here."""
    link = "0" * 64
    entries = connection.execute(sql("SELECT seq, opd, opd_seq, hash FROM audit ORDER BY seq"))
    for seq, opd, place, hash_ in entries.all():
        text = json.dumps([opd, place, link, hash_], separators=(",", ":"))
        values = {"previous": link, "seq": seq}
        link = hashlib.sha256(text.encode()).hexdigest()
        connection.execute(
            sql("UPDATE audit SET opd_previous = :previous, opd_hash = :link WHERE seq = :seq"),
            {**values, "link": link},
        )
