"""Proof: every break of the chains, of the signatures, of the heads and of the bound rows.

Pure: entries are handed in as they are stored, from the database or from an export.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.ledger.audit.anew import Anew, anew
from cloudpemda.ledger.audit.bound import may_change
from cloudpemda.ledger.audit.clocks import ACCEPTED, entries_step_back
from cloudpemda.ledger.audit.entries import ORIGIN, Raw, hash_or_none, opd_link
from cloudpemda.ledger.audit.heads import START, Head, Tip
from cloudpemda.ledger.audit.ring import Ring
from cloudpemda.ledger.schema import moment_text
from cloudpemda.units import Instant

_UNHEARD = frozenset({"audit.missing", "audit.truncated", "audit.rewritten"})
_ENTRY_GONE = _UNHEARD | {"audit.edited"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the log, and the sequence number at which it begins."""

    code: str
    seq: int
    about: str = ""  # an OPD, rows, or a file, as the code's text says

    @property
    def fault(self) -> Fault:
        values: dict[str, object] = {"seq": self.seq}
        if self.about:
            values["about"] = self.about
        return Fault(self.code, MappingProxyType(values), path=str(self.seq))


@dataclass
class Walk:
    """Entries looked at one after the other, of the site or of one OPD."""

    keys: Ring | None
    proven: int = 0  # up to here a signed head vouches for the hashes
    findings: list[Finding] = field(default_factory=list)
    newest: int = 0
    opds: dict[object, Tip] = field(default_factory=dict)
    hashes: dict[int, object] = field(default_factory=dict)  # site's number → hash
    claims: dict[str, tuple[str, int]] = field(default_factory=dict)
    any_signed: bool = False
    anew: list[Anew] = field(default_factory=list)
    set_back: list[Finding] = field(default_factory=list)  # where time does, and nobody says why
    _seen: dict[object, int] = field(default_factory=dict)  # OPD → its newest entry's number
    _in_forgery: bool = False
    _newest_at: object = ""

    def site(self, entries: Iterable[Raw]) -> None:
        """The site's chain, and in it every OPD's."""
        previous: object = ORIGIN
        at: object = ""
        for raw in entries:
            seq = _number(raw["seq"])
            sound = self._sound(raw)
            if entries_step_back(at, raw["at"]):
                self.set_back.append(Finding("audit.clock-back", seq, str(at)))
            if raw["action"] == ACCEPTED and self._wrote(raw):
                self.set_back.clear()
            if seq != self.newest + 1:
                self._found("audit.missing", self.newest + 1)
            elif raw["previous"] != previous and sound and seq > 1:
                # It is as it was written, so its predecessor is not.
                self._found("audit.edited", seq - 1)
            elif raw["previous"] != previous:
                self._found("audit.edited", seq)
            if not sound:
                self._found("audit.edited", seq)
            self._place(raw, seq)
            self._signature(raw, seq, sound=sound)
            self._begins_anew(raw)
            self.newest, previous, at = seq, raw["hash"], raw["at"]
        self._newest_at = at

    def ahead_of(self, now: Instant) -> Sequence[Finding]:
        """Whether the site's newest entry is dated after `now`: the clock was set back."""
        if not entries_step_back(self._newest_at, moment_text(now)):
            return ()
        return (Finding("audit.clock-behind", self.newest, str(self._newest_at)),)

    def opd(self, entries: Iterable[Raw], opd: str) -> None:
        """One OPD's chain alone; `newest` is the last place in it."""
        tip, last = START, 0
        for raw in entries:
            seq, sound = _number(raw["seq"]), self._sound(raw)
            if raw["opd"] != opd or not sound or _link(raw) != raw["opd_hash"]:
                self._found("audit.edited", seq)
            elif raw["opd_seq"] != tip.seq + 1:
                self._found("audit.opd-missing", tip.seq + 1, opd)
            elif raw["opd_previous"] != tip.hash:
                self._found("audit.edited", last or seq)
            self._signature(raw, seq, sound=sound)
            tip, last = Tip(_number(raw["opd_seq"]), str(raw["opd_hash"])), seq
        self.opds[opd], self.newest = tip, tip.seq

    def _sound(self, raw: Raw) -> bool:
        sound = hash_or_none(raw) == raw["hash"]
        self.hashes[_number(raw["seq"])] = raw["hash"]
        for label, digest in bound_in(raw["bound"]):
            self.claims[label] = (digest, _number(raw["seq"]))
        return sound

    def _place(self, raw: Raw, seq: int) -> None:
        """Whether the entry stands where it should in its OPD's chain. What the site's chain has
        told already is not told again."""
        opd = raw["opd"]
        if opd is None:
            return
        tip = self.opds.get(opd, START)
        own = _link(raw) == raw["opd_hash"]
        follows = raw["opd_seq"] == tip.seq + 1 and raw["opd_previous"] == tip.hash
        told = any(self._seen.get(opd, 0) < one.seq <= seq for one in self.findings)
        if not own or not (follows or told):
            self._found("audit.edited", seq)
        self.opds[opd] = Tip(_number(raw["opd_seq"]), str(raw["opd_hash"]))
        self._seen[opd] = seq

    def _signature(self, raw: Raw, seq: int, *, sound: bool) -> None:
        """A run of forged entries is told by its first one."""
        signature = raw["signature"]
        of_first_release = signature is None and raw["bound"] is None and not self.any_signed
        self.any_signed = self.any_signed or signature is not None
        if of_first_release or seq <= self.proven or not sound or self.keys is None:
            return
        genuine = signature is not None and self.keys.signed_entry(seq, raw["hash"], signature)
        if not genuine and not self._in_forgery:
            self._found("audit.forged", seq)
        self._in_forgery = not genuine

    def _begins_anew(self, raw: Raw) -> None:
        found = anew(raw)
        if found and self._wrote(raw):
            self.anew.append(found)

    def _wrote(self, raw: Raw) -> bool:
        """Whether an entry that explains something is one of ours."""
        return self.keys is not None and self.keys.wrote(raw)

    def explained(self, head: Head, *, genuine: bool) -> bool:
        """Whether the log tells why the head knows another one."""
        return any(one.explains(head, genuine=genuine) for one in self.anew)

    def _found(self, code: str, seq: int, about: str = "") -> None:
        self.findings.append(Finding(code, seq, about))


def judge_head(head: Head | None, walk: Walk, *, genuine: bool) -> Iterator[Finding]:
    """What the head file tells about the entries that were walked."""
    if head is None:
        yield Finding("audit.head-missing", walk.newest)
        return
    if _differs(head, walk) and walk.explained(head, genuine=genuine):
        return  # it follows with the next deed
    if not genuine:
        yield Finding("audit.head-forged", head.seq, "audit.head")
    yield from _disagreement(head, walk)


def judge_kept(
    kept: Iterable[tuple[str, Head | None]], head: Head | None, walk: Walk, keys: Ring | None
) -> Iterator[Finding]:
    """What the heads of former days tell. Of several that disagree the oldest one is named."""
    disagreed = False
    for name, one in kept:
        if one is None:  # lost with the power, or emptied: it proves nothing any more
            continue
        genuine = keys is None or keys.signed_head(one)
        if _differs(one, walk) and walk.explained(one, genuine=genuine):
            continue
        if not genuine:
            yield Finding("audit.head-forged", one.seq, name)
            continue
        if head is not None and one.seq > head.seq:
            yield Finding("audit.head-rolled-back", one.seq, name)
        if not disagreed:
            found = tuple(_disagreement(one, walk))
            disagreed = bool(found)
            yield from found


def _differs(head: Head, walk: Walk) -> bool:
    return next(_disagreement(head, walk), None) is not None


def _disagreement(head: Head, walk: Walk) -> Iterator[Finding]:
    if head.seq > walk.newest:
        yield Finding("audit.truncated", walk.newest + 1)
    elif head.seq and head.seq in walk.hashes and walk.hashes[head.seq] != head.hash:
        yield Finding("audit.rewritten", head.seq)


def judge_rows(
    rows: Iterable[tuple[str, int | None]], walk: Walk, found: Iterable[Finding]
) -> Iterator[Finding]:
    """Rows that are not what their entry says, or of which none speaks. What an entry that is gone
    may have said is not told: its rows were not put past the program, and a row may have changed
    with it."""
    found = tuple(found)
    whole = _ENTRY_GONE.isdisjoint(one.code for one in found)
    gone = max((one.seq for one in found if one.code in _UNHEARD), default=0)
    for label, seq in rows:
        if seq is not None:
            if seq > gone or not may_change(label):
                yield Finding("audit.row-changed", seq, label)
        elif whole:
            yield Finding("audit.row-forged", walk.newest, label)


def _link(raw: Raw) -> str | None:
    try:
        return opd_link(raw["opd"], raw["opd_seq"], raw["opd_previous"], raw["hash"])
    except (TypeError, UnicodeEncodeError):
        return None


def bound_in(stored: object) -> Iterator[tuple[str, str]]:
    """The labels that an entry speaks of, each with its digest."""
    try:
        found = json.loads(stored) if isinstance(stored, str) else {}
    except ValueError:
        return  # an edited entry, told by its hash
    if isinstance(found, Mapping):
        yield from ((str(label), str(digest)) for label, digest in found.items())


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1
