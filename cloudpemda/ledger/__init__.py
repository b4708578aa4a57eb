"""Promises and deeds: requests and approvals, quota, instances, the journal, the audit log.

The ledger is what cloudpemda knows and PVE does not: who asked, who allowed it, what is promised,
which VM is whose, and how far a piece of work has come. What a VM really is, PVE says; the ledger
never overrules it, and is compared with it.

What always holds here:

- Check and hold are one transaction that has the write lock before it reads, so no number of
  processes can promise more than a limit, of an OPD or of its parents.
- Quota is a book of postings that are only added; balances are their sums. Limits are raised by
  grants for their time; the limits that were seen and the refusals are kept with their numbers.
- An approval takes its hold with the last decision that its chain demands, each of another person,
  on the same revision, offer and policy.
- A state changes only along a table (`states`), and an undefined pair is refused.
- Identity is recorded before anything is written to a cluster, and never given twice.
- Every deed adds an audit entry in its own transaction; entries are chained and signed, name the
  digests of what the deed wrote, and cannot be changed or deleted through the database.
- A copy is one moment's whole ledger, sealed; a restore replaces all or nothing, keeps what was
  there, and promises nothing before the clusters were read (`backup`, `found`).
- Where logins count once, asserted names are never believed again (`identity`).
- What returns has happened and survives a power cut; what raises has changed nothing.

SQLAlchemy lives here and nowhere else. The database is SQLite or PostgreSQL: the statements keep
to what both know, and what differs stands in `databases` and in the guards of `migrations`.

The room knows no cluster, no site files and no texts: limits, chains, address pools and VMIDs that
are taken are handed in. Whether a person may act is decided before it is called.
"""

from pathlib import Path

from cloudpemda.clock import Clock, Entropy
from cloudpemda.ledger import migrations, store
from cloudpemda.ledger.addresses import AddressBook, GivenAddress, RestingAddress, Sighting
from cloudpemda.ledger.adoption import Adopted, AdoptedNic, AdoptedVm, Adoption, Adoptions
from cloudpemda.ledger.asides import Aside, AsideBook, LeavingVolume, Why
from cloudpemda.ledger.audit import KEPT_HEADS, SYSTEM, Actor, Audit, Entry, Finding
from cloudpemda.ledger.audit.clocks import steps_back
from cloudpemda.ledger.backup import Backups, Header, Restored
from cloudpemda.ledger.changes import Changes
from cloudpemda.ledger.conditions import Condition, ConditionBook, Tally
from cloudpemda.ledger.copies import CopyBook, CopyRecord, Ground
from cloudpemda.ledger.decisions import Ballot, DayLimit, Decision, DecisionBook
from cloudpemda.ledger.drains import Drain, DrainBook
from cloudpemda.ledger.found import FoundBook, FoundVm
from cloudpemda.ledger.granted import Grant, QuotaRecord
from cloudpemda.ledger.grants import Grants, QuotaSubmission
from cloudpemda.ledger.identity import Identity, settle
from cloudpemda.ledger.instances import Instances
from cloudpemda.ledger.intake import Intake, Kept, Paper, Taken
from cloudpemda.ledger.journal import JournalBook, SagaJournal, SagaRecord
from cloudpemda.ledger.naming import Pools, Wanted
from cloudpemda.ledger.nights import NightBook, PhaseRecord, PhaseResult
from cloudpemda.ledger.notices import Notice, NoticeBook
from cloudpemda.ledger.orphans import Orphan, OrphanBook
from cloudpemda.ledger.outbox import Letter, Outbox
from cloudpemda.ledger.overages import OverageBook, Overgrown
from cloudpemda.ledger.owner import Owner, this_process
from cloudpemda.ledger.pause import Pause, PauseBook
from cloudpemda.ledger.quota import QuotaBook
from cloudpemda.ledger.records import Approval, Proposal, RequestRecord
from cloudpemda.ledger.requests import Document, Requests, Submission
from cloudpemda.ledger.restores import RestoreBook, RestoreOutcome, RestoreRecord
from cloudpemda.ledger.retirements import Retirements
from cloudpemda.ledger.snapshots import Allowed, SnapshotBook, SnapshotRecord
from cloudpemda.ledger.soundness import Soundness
from cloudpemda.ledger.states import (
    InstanceState,
    ProposalState,
    QuotaState,
    RequestState,
    SagaEvent,
    SagaState,
)
from cloudpemda.ledger.stops import Stop, StopBook
from cloudpemda.ledger.transfers import Takeover, Transferred, Transfers
from cloudpemda.ledger.vm_records import InstanceRecord, NicRecord
from cloudpemda.ledger.vm_roles import RoleOutcome, RoleRecord, RoleResult, VmRoleBook

__all__ = [
    "SYSTEM",
    "Actor",
    "AddressBook",
    "Adopted",
    "AdoptedNic",
    "AdoptedVm",
    "Adoption",
    "Adoptions",
    "Allowed",
    "Approval",
    "Aside",
    "AsideBook",
    "Audit",
    "Backups",
    "Ballot",
    "Changes",
    "Condition",
    "ConditionBook",
    "CopyBook",
    "CopyRecord",
    "DayLimit",
    "Decision",
    "DecisionBook",
    "Document",
    "Drain",
    "DrainBook",
    "Entry",
    "Finding",
    "FoundBook",
    "FoundVm",
    "GivenAddress",
    "Grant",
    "Grants",
    "Ground",
    "Header",
    "Identity",
    "InstanceRecord",
    "InstanceState",
    "Instances",
    "Intake",
    "JournalBook",
    "Kept",
    "LeavingVolume",
    "Ledger",
    "Letter",
    "NicRecord",
    "NightBook",
    "Notice",
    "NoticeBook",
    "Orphan",
    "OrphanBook",
    "Outbox",
    "OverageBook",
    "Overgrown",
    "Owner",
    "Paper",
    "Pause",
    "PauseBook",
    "PhaseRecord",
    "PhaseResult",
    "Pools",
    "Proposal",
    "ProposalState",
    "QuotaBook",
    "QuotaRecord",
    "QuotaState",
    "QuotaSubmission",
    "RequestRecord",
    "RequestState",
    "Requests",
    "RestingAddress",
    "RestoreBook",
    "RestoreOutcome",
    "RestoreRecord",
    "Restored",
    "Retirements",
    "RoleOutcome",
    "RoleRecord",
    "RoleResult",
    "SagaEvent",
    "SagaJournal",
    "SagaRecord",
    "SagaState",
    "Sighting",
    "SnapshotBook",
    "SnapshotRecord",
    "Soundness",
    "Stop",
    "StopBook",
    "Submission",
    "Taken",
    "Takeover",
    "Tally",
    "Transferred",
    "Transfers",
    "VmRoleBook",
    "Wanted",
    "Why",
    "open_ledger",
    "steps_back",
]


class Ledger:
    """One ledger, by its parts. Safe for several threads; a context manager that closes it."""

    def __init__(self, database: store.Store, owner: Owner, audit: Audit) -> None:
        self._store = database
        self.audit = audit
        self.requests = Requests(database, self.audit)
        self.intake = Intake(database)
        self.decisions = DecisionBook(database)
        self.quota = QuotaBook(database, self.audit)
        self.overages = OverageBook(database, self.audit)
        self.grants = Grants(database, self.audit)
        self.instances = Instances(database, self.audit)
        self.changes = Changes(database, self.audit, self.requests)
        self.journal = JournalBook(database, owner)
        self.found = FoundBook(database, self.audit)
        self.adoptions = Adoptions(database, self.audit)
        self.addresses = AddressBook(database, self.audit)
        self.drains = DrainBook(database, self.audit)
        self.orphans = OrphanBook(database, self.audit)
        self.asides = AsideBook(database, self.audit)
        self.retirements = Retirements(database, self.audit)
        self.transfers = Transfers(database, self.audit)
        self.conditions = ConditionBook(database)
        self.outbox = Outbox(database)
        self.nights = NightBook(database)
        self.notices = NoticeBook(database, self.audit)
        self.snapshots = SnapshotBook(database, self.audit)
        self.copies = CopyBook(database, self.audit)
        self.restores = RestoreBook(database, self.audit)
        self.stops = StopBook(database, self.audit)
        self.vm_roles = VmRoleBook(database, self.audit)
        self.pause = PauseBook(database, self.audit)
        self.backups = Backups(database, self.audit)
        self.soundness = Soundness(database, self.audit, owner)

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ledger(
    url: str,
    base: Path,
    clock: Clock,
    entropy: Entropy,
    *,
    identity: Identity,
    owner: Owner | None = None,
    audit_key: Path | None = None,
    keep_heads: int = KEPT_HEADS,
) -> Ledger:
    """Open the ledger of a site, making and migrating it where needed.

    A relative file in `url` is relative to `base`, the site's directory. `identity` is how the
    site knows who acts. `owner` is the process that sagas are opened for, this one if nothing is
    said. `audit_key` signs the audit log, `audit.key` beside the head file if nothing is said;
    `keep_heads` is of how many days the last head is kept. Raises UsageError `ledger.url`, Refused
    `ledger.exposed`, `ledger.newer` or `ledger.identity`, Unreachable `ledger.busy` or
    `ledger.unavailable`.
    """
    place = store.locate(url, base)
    store.prepare(place)
    database = store.Store(place, clock, entropy)
    log = Audit(database, audit_key, keep_heads)
    ledger = Ledger(database, owner or this_process(), log)
    with database.read() as connection:
        found = migrations.version_of(connection)
    if found != migrations.NEWEST:
        now = clock.now()
        with database.write() as connection:
            found = migrations.version_of(connection)
            if found == 0:
                # Before the first entry can be: from here on a missing head is a finding.
                log.begin(now)
            migrations.migrate(connection, now)
            if 0 < found < migrations.SIGNED:
                log.adopt_present(connection, now)
            elif found > 0:
                log.bind_later(connection, now, found)
            if found < migrations.STATES_BOUND <= migrations.NEWEST:
                log.signing.name(connection)
        log.seal(now)
    settle(database, identity)
    return ledger
