"""The keys of a log, one after the other: which of them vouches for which entry.

A new key is named in an entry that the old key signs, and vouches itself for the old one. So from
any one key that is trusted the others follow: forward from the old one by its signature, back from
the new one by its word. Where the old key was lost, its successor's word alone is there, and who
trusts only the old key finds the log forged from there on.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cloudpemda.ledger.audit.entries import Raw, hash_or_none
from cloudpemda.ledger.audit.heads import Head
from cloudpemda.ledger.audit.keys import PublicKey, raw_key

ROTATED = "audit.rotate-key"
SUBJECT = "audit.key"
_NEVER = 2**63


@dataclass(frozen=True, slots=True)
class Change:
    """The entry that names a new key."""

    until: int  # the last entry that the old key signs
    old: PublicKey
    new: PublicKey
    word: str  # the new key's for the old one
    hash: str
    signature: str
    lost: bool

    def is_vouched(self) -> bool:
        return self.new.vouched_for(self.old, self.word)

    def is_handed_over(self) -> bool:
        return not self.lost and self.old.signed_entry(self.hash, self.signature)


class Ring:
    """Keys in the order in which they signed."""

    def __init__(self, keys: Sequence[tuple[int, PublicKey]]) -> None:
        self._keys = keys  # until which entry → key

    def signed_entry(self, seq: int, hash_: object, signature: object) -> bool:
        key = next(key for until, key in self._keys if seq <= until)
        return key.signed_entry(hash_, signature)

    def wrote(self, raw: Raw) -> bool:
        """Whether an entry is as it was written, and was signed by the key of its time."""
        seq, hash_ = raw["seq"], raw["hash"]
        sound = isinstance(seq, int) and hash_or_none(raw) == hash_
        return sound and self.signed_entry(int(str(seq)), hash_, raw["signature"])

    def signed_head(self, head: Head) -> bool:
        """A head that a key wrote knows no entry behind the key's last one."""
        return any(head.is_signed(key) for until, key in self._keys if head.seq <= until)


def ring(trusted: PublicKey, entries: Iterable[Raw]) -> Ring:
    """The keys that follow from one that is trusted; `entries` are those that name new keys."""
    changes = list(_changes(entries))
    before: list[tuple[int, PublicKey]] = []
    key = trusted
    for change in reversed(changes):
        if change.new == key and change.is_vouched():
            before.insert(0, (change.until, change.old))
            key = change.old
    after: list[tuple[int, PublicKey]] = []
    key = trusted
    for change in changes:
        if change.old == key and change.is_handed_over() and change.is_vouched():
            after.append((change.until, key))
            key = change.new
    return Ring([*before, *after, (_NEVER, key)])


def _changes(entries: Iterable[Raw]) -> Iterator[Change]:
    for raw in entries:
        if raw["action"] != ROTATED or raw["hash"] != hash_or_none(raw):
            continue
        try:
            told, seq = json.loads(str(raw["details"])), int(str(raw["seq"]))
            lost = told["lost"] is True
            yield Change(
                seq - 1 if lost else seq,
                raw_key(told["old"]),
                raw_key(told["new"]),
                str(told["word"]),
                str(raw["hash"]),
                str(raw["signature"]),
                lost,
            )
        except (ValueError, KeyError, TypeError):
            continue  # no entry of ours: its signature says so
