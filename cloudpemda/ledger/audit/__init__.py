"""Who did what, when, for whom: entries that are only ever added, chained, signed and sealed.

An entry is written in the very transaction of the deed, so there is neither a deed without its
entry nor an entry without its deed. Four things hold it:

- Its hash covers its content and the hash of the entry before it: the site's chain.
- Where it concerns an OPD it also has its place in that OPD's chain, whose links cover the hashes
  of the site's chain: an OPD's history can be handed over and be verified alone.
- It names the digests of the rows that the deed wrote (`BOUND`: what was asked, decided and
  promised, and how far it is), so that a row which was changed or put there past the program is
  found.
- It is signed with a key outside the database: whoever writes into the database alone can chain
  an entry, but not sign it.

The newest sequence number and hash of every chain stand, signed, in a head file outside the
database: without it a tail could be cut off unseen. The head is written after the commit, so it
may lag behind a crash, but never runs ahead: what a crash leaves between the two could be cut off
unseen until the next deed seals it. A deed is told done when the head covers its entry; who writes
the head does so for all that have written meanwhile. It is moved on only from an entry that is
still there as it was. The last head of each day is kept: an older copy proves an older state. Who
can change the database and every file beside it can only be found out by a copy kept elsewhere (an
export).

Its moments go one way: nothing is done by a clock that was set back (`clocks`).
"""

from cloudpemda.ledger.audit.bound import BOUND
from cloudpemda.ledger.audit.deed import Deed, newest_entry
from cloudpemda.ledger.audit.entries import NOTHING, SYSTEM, Actor, Detail, Details, Entry
from cloudpemda.ledger.audit.heads import Tip, sealed_at
from cloudpemda.ledger.audit.log import KEPT_HEADS, Audit
from cloudpemda.ledger.audit.verify import Finding

__all__ = [
    "BOUND",
    "KEPT_HEADS",
    "NOTHING",
    "SYSTEM",
    "Actor",
    "Audit",
    "Deed",
    "Detail",
    "Details",
    "Entry",
    "Finding",
    "Tip",
    "newest_entry",
    "sealed_at",
]
