"""The log in a file, for who has neither the database nor the key: JSON Lines or CSV.

What proves it goes along: the public key and the signed head, in the first line of JSON Lines and
beside a CSV file. An export holds the whole site, or one OPD's chain alone, from its first entry
to the head, so that nothing can be left out of it unseen. Values stand as they are stored; in CSV
what a spreadsheet would take for a formula has a ' before it. That may be inside of a value: one
that parts cells at ; (as in Indonesia) does not know where our cells end.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudpemda.ledger.audit.entries import COLUMNS, Raw
from cloudpemda.ledger.audit.heads import START, Head, head_of
from cloudpemda.ledger.audit.keys import PublicKey, public_key
from cloudpemda.ledger.audit.ring import ring
from cloudpemda.ledger.audit.verify import Finding, Walk

KIND = "cloudpemda-audit"
_NUMBERS = frozenset({"seq", "opd_seq"})
_CELL = r"(^|[;\t\r\n|])"
"""Where a spreadsheet may begin a cell."""
_BEGINS = r"[=+\-@'＝＋－＠\t\r]"  # ' so that it can be undone
_FORMULA = re.compile(_CELL + r"(?=[\s\"]*" + _BEGINS + ")")
_QUOTED = re.compile(rf"{_CELL}'")


@dataclass(frozen=True, slots=True)
class Export:
    """Entries as they are stored, with what proves them."""

    site: str
    opd: str | None  # None: the whole site
    head: Head
    key: str  # public, PEM
    entries: Sequence[Raw]
    keys: Sequence[Raw] = ()  # the entries that name new keys

    @property
    def proof(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "kind": KIND,
                "site": self.site,
                "opd": self.opd,
                "head": json.loads(self.head.text),
                "key": self.key,
                "keys": [{name: raw[name] for name in COLUMNS} for raw in self.keys],
            },
            sort_keys=True,
            ensure_ascii=False,
        )

    def json_lines(self) -> Iterator[str]:
        """The proof, then an entry per line."""
        yield self.proof
        for raw in self.entries:
            yield json.dumps({name: raw[name] for name in COLUMNS}, ensure_ascii=False)

    def csv(self) -> str:
        """A header and an entry per row; the proof goes into a file of its own."""
        out = io.StringIO(newline="")
        rows = csv.writer(out, lineterminator="\r\n")
        rows.writerow(COLUMNS)
        rows.writerows([_shown(raw[name]) for name in COLUMNS] for raw in self.entries)
        return out.getvalue()


def read_json_lines(text: str) -> Export:
    """Raises ValueError, KeyError or TypeError for what is no export."""
    first, *rest = text.split("\n")  # a text may hold what else counts as the end of a line
    entries = [_whole(json.loads(line)) for line in rest if line]
    return _proven(first, entries)


def read_csv(text: str, proof: str) -> Export:
    """Raises ValueError, KeyError, TypeError or csv.Error for what is no export."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if rows.fieldnames is None or tuple(rows.fieldnames) != COLUMNS:
        raise ValueError("no header")
    entries = [_whole({name: _stored(name, value) for name, value in row.items()}) for row in rows]
    return _proven(proof, entries)


def judge(export: Export, key: PublicKey | None) -> tuple[Finding, ...]:
    """Everything that is wrong with an export, by `key`, or by its own key for None: that one
    proves only that nothing was changed since somebody with that key wrote it."""
    keys = ring(key or public_key(export.key), export.keys)
    genuine = keys.signed_head(export.head)
    walk = Walk(keys)
    if export.opd is None:
        walk.site(export.entries)
        last = export.head.seq
        agrees = walk.newest == last and (not last or walk.hashes[last] == export.head.hash)
    else:
        walk.opd(export.entries, export.opd)
        tip = export.head.opds.get(export.opd, START)
        last, agrees = tip.seq, walk.opds[export.opd] == tip
    findings = [*walk.findings, *walk.set_back]
    if not genuine:
        findings.append(Finding("audit.head-forged", export.head.seq, "head"))
    if walk.newest < last:
        findings.append(
            Finding("audit.truncated", walk.newest + 1)
            if export.opd is None
            else Finding("audit.opd-missing", walk.newest + 1, export.opd)
        )
    elif not agrees and not walk.findings and genuine:
        findings.append(Finding("audit.rewritten", last))
    return tuple(dict.fromkeys(findings))


def _proven(proof: str, entries: Sequence[Raw]) -> Export:
    told = json.loads(proof)
    if not isinstance(told, dict) or told["kind"] != KIND:
        raise ValueError("no export")
    public_key(told["key"])
    opd = told["opd"]
    return Export(
        str(told["site"]), None if opd is None else str(opd), head_of(told["head"]), told["key"],
        entries, [_whole(raw) for raw in told.get("keys", [])],
    )  # fmt: skip


def _whole(raw: object) -> Raw:
    if not isinstance(raw, dict) or raw.keys() != set(COLUMNS):
        raise ValueError("no entry")
    return raw


def _shown(value: object) -> str:
    """Nothing for NULL; an empty text is quoted, too."""
    if value is None:
        return ""
    return _FORMULA.sub(r"\1'", str(value)) or "'"


def _stored(name: str, text: str | None) -> str | int | None:
    if not text:
        return None
    plain = _QUOTED.sub(r"\1", text)
    return int(plain) if name in _NUMBERS else plain
