"""Where the log began anew: a restore, or a new head file, that the log itself tells of.

Several hosts may work on one ledger, each with a head file of its own. One that restores an older
copy, or was killed before its head could follow, leaves heads behind that know more than the log.
The entry of that deed, signed, says how far the log went that was set aside: a head of that log is
explained by it and gives way; any other one goes on being a finding.
"""

import json
from dataclasses import dataclass

from cloudpemda.ledger.audit.entries import Raw, moment
from cloudpemda.ledger.audit.heads import Head
from cloudpemda.units import Instant

ACTIONS = ("ledger.restore", "audit.reanchor")


@dataclass(frozen=True, slots=True)
class Anew:
    """The log that was set aside."""

    at: Instant
    seq: int  # its newest entry that the log or the head knew of
    last: tuple[int, str]  # the number and hash of its last entry

    def explains(self, head: Head, *, genuine: bool) -> bool:
        """Whether the head is one of that log: its last one, or one that we signed before."""
        if (head.seq, head.hash) == self.last:
            return True
        return genuine and head.at is not None and head.at <= self.at and head.seq <= self.seq


def anew(raw: Raw) -> Anew | None:
    """What such an entry says; None for another one. Whether it is genuine is the caller's."""
    if raw["action"] not in ACTIONS:
        return None
    try:
        told = json.loads(str(raw["details"]))
        restored = raw["action"] == "ledger.restore"
        head = told["set_aside_head" if restored else "head_seq"] or 0
        seq = told["set_aside_entry"] if restored else head
        hash_ = told["set_aside_hash" if restored else "head_hash"]
        return Anew(moment(raw["at"]), max(int(seq), int(head)), (int(seq), str(hash_)))
    except (ValueError, KeyError, TypeError):
        return None
