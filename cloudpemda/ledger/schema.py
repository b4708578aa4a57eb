"""The tables as they are now. How they came to be stands in `migrations`; a test compares both.

Moments are text of one fixed width in UTC, so that they sort and compare as text, on every
database, and can be read by an auditor without this program.
"""

from datetime import UTC, datetime
from functools import lru_cache

from sqlalchemy import Column, Dialect, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

from cloudpemda.units import Instant, parse_instant


@lru_cache(64)  # a deed says its one moment in every row
def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Moment(TypeDecorator[Instant]):
    """An Instant as `2026-11-20T01:02:03.000000Z`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else moment_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Instant | None:
        return None if value is None else parse_instant(value)


metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("applied_at", Moment, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),  # identity, reconcile, numbers-2026
    Column("value", Text, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("number", Text, primary_key=True),  # R-2026-0001
    Column("opd", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("revision", Integer, nullable=False),  # the current one
    Column("state", Text, nullable=False),
    Column("reason", Text),  # of the last denial, failure or voiding
    Column("updated_at", Moment, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("number", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("spec_hash", Text, nullable=False),
    Column("spec", Text, nullable=False),  # canonical JSON
    Column("source", Text, nullable=False),  # as it was handed in
    Column("login", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

papers = Table(
    "papers",
    metadata,
    Column("key", Text, primary_key=True),  # dinkes/simrs
    Column("number", Text, nullable=False),  # of a request, for VMs or for quota
    Column("file", Text, nullable=False),  # in its OPD's folder, as it was called then
    Column("spec_hash", Text, nullable=False),  # of the last document taken from there
    Column("at", Moment, nullable=False),
)

proposals = Table(  # what is asked of a workload that lives; at most one per request
    "proposals",
    metadata,
    Column("number", Text, primary_key=True),
    Column("revision", Integer, nullable=False),  # what is proposed
    Column("state", Text, nullable=False),
    Column("reason", Text),  # of the last denial or withdrawal
    Column("updated_at", Moment, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("number", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),  # within the request, from 1
    Column("revision", Integer, nullable=False),
    Column("offer_digest", Text, nullable=False),
    Column("offer", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("hold_until", Moment, nullable=False),
    Column("voided_at", Moment),
)

decisions = Table(
    "decisions",
    metadata,
    Column("number", Text, primary_key=True),  # of a request, for VMs or for quota
    Column("seq", Integer, primary_key=True),  # within the request, from 1
    Column("revision", Integer, nullable=False),
    Column("stage", Integer, nullable=False),  # of its chain, from 0
    Column("verdict", Text, nullable=False),  # approve or deny
    Column("policy", Text, nullable=False),  # the chain in words
    Column("offer_digest", Text),  # none for a denial
    Column("authority", Text, nullable=False),  # opd-head, diskominfo, executive; empty: not known
    Column("login", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("behalf_login", Text),  # for whom they stood in
    Column("behalf_person", Text),
    Column("letter", Text),  # of the delegation
    Column("rule", Text),  # of an automatic decision
    Column("takes", Text, nullable=False),  # JSON: dimension → growth that was decided on
    Column("at", Moment, nullable=False),
    Column("voided_at", Moment),
)

postings = Table(
    "postings",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("opd", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("instance", Text, nullable=False),  # dinkes/simrs/db-1
    Column("dimension", Text, nullable=False),
    Column("held", Integer, nullable=False),  # the change, either sign
    Column("committed", Integer, nullable=False),
)

balances = Table(  # sums over `postings`, kept by a trigger of the database itself
    "balances",
    metadata,
    Column("opd", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("committed", Integer, nullable=False),
    Column("held", Integer, nullable=False),
)

DERIVED = frozenset({balances.name})
"""Tables that a database fills by itself from others: no copy has them."""

limits = Table(
    "limits",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Moment, nullable=False),  # when it was first seen
    Column("opd", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("amount", Integer),  # none: unlimited
)

quota_requests = Table(
    "quota_requests",
    metadata,
    Column("number", Text, primary_key=True),  # Q-2026-0001
    Column("opd", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("revision", Integer, nullable=False),  # the current one
    Column("state", Text, nullable=False),
    Column("reason", Text),  # of the denial, the withdrawal or the ending
    Column("updated_at", Moment, nullable=False),
)

quota_revisions = Table(
    "quota_revisions",
    metadata,
    Column("number", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("spec_hash", Text, nullable=False),
    Column("spec", Text, nullable=False),  # canonical JSON
    Column("source", Text, nullable=False),  # as it was handed in
    Column("login", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("number", Text, primary_key=True),  # of the quota request that it was decided on
    Column("revision", Integer, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("opd", Text, nullable=False),
    Column("amount", Integer, nullable=False),  # on top of the limit
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment),  # excluded; none: permanent
    Column("ended_at", Moment),  # taken back before its time
    Column("letter_number", Text, nullable=False),
    Column("letter_date", Text, nullable=False),
    Column("login", Text, nullable=False),  # who decided
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("what", Text, primary_key=True),  # hold, pending, grant, delegation
    Column("subject", Text, primary_key=True),
    Column("ends_at", Moment, primary_key=True),
    Column("before", Integer, primary_key=True),  # seconds before the end
    Column("at", Moment, nullable=False),
)

instances = Table(
    "instances",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("key", Text, nullable=False),  # dinkes/simrs/db-1
    Column("opd", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("member", Text, nullable=False),  # db-1
    Column("name", Text, nullable=False),  # in PVE
    Column("cluster", Text, nullable=False),
    Column("vmid", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("node", Text),
    Column("storages", Text, nullable=False),  # JSON: disk name → PVE storage id
    Column("targets", Text, nullable=False),  # JSON: replication target nodes
    Column("error", Text),
    Column("active_since", Moment),  # when it was first read back as promised
    Column("updated_at", Moment, nullable=False),
    Column("slots", Text),  # JSON: disk name → number of its slot; none: in its document's order
)

adoptions = Table(
    "adoptions",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("facts", Text, nullable=False),  # JSON: how the VM stood (`plan.model.AsFound`)
    Column("at", Moment, nullable=False),
)

nics = Table(
    "nics",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("slot", Integer, primary_key=True),  # the number of net0, net1 …
    Column("network", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

addresses = Table(
    "addresses",
    metadata,
    Column("pool", Text, primary_key=True),  # a network's name, or `@public`
    Column("address", Text, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("slot", Integer, nullable=False),
)

rests = Table(
    "rests",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("opd", Text, nullable=False),  # whose it was
    Column("key", Text, nullable=False),
    Column("released_at", Moment, nullable=False),
)

sightings = Table(
    "sightings",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("vmid", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("noted_at", Moment, nullable=False),
)

orphans = Table(
    "orphans",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("volume", Text, primary_key=True),  # PVE's id: local-zfs:vm-10001-disk-0
    Column("vmid", Integer, nullable=False),
    Column("uid", Text, nullable=False),  # of the instance that it was a copy of
    Column("key", Text, nullable=False),
    Column("opd", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("dimension", Text, nullable=False),  # disk.ssd
    Column("size", Integer, nullable=False),  # MiB
    Column("since", Moment, nullable=False),
)

sagas = Table(
    "sagas",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("owner", Text),  # the process that runs it; none between two runs
    Column("heartbeat", Moment, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("saga", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("upid", Text),
    Column("error", Text),
    Column("at", Moment, nullable=False),
)

found = Table(
    "found",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("vmid", Integer, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("key", Text, nullable=False),  # dinkes/simrs/db-1, as the VM says; empty: it does not
    Column("opd", Text),  # whom it is charged to; none: nobody knows
    Column("name", Text, nullable=False),  # in PVE
    Column("usage", Text, nullable=False),  # JSON: dimension → amount
    Column("noted_at", Moment, nullable=False),
)

drains = Table(
    "drains",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("since", Moment, nullable=False),
)

vm_snapshots = Table(
    "vm_snapshots",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)

copies = Table(
    "copies",
    metadata,
    Column("uid", Text, primary_key=True),  # of its own instance
    Column("origin", Text, nullable=False),  # uid of the VM that it is a copy of
    Column("name", Text, nullable=False),
    Column("backup", Text, nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("until", Moment, nullable=False),
)

restores = Table(
    "restores",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),  # of this VM's restores, from 1
    Column("backup", Text, nullable=False),  # its volume
    Column("taken_at", Moment, nullable=False),
    Column("kept", Text, nullable=False),  # JSON: slot → drive that the backup is without
    Column("safety", Integer, nullable=False),  # 1: what stands there is backed up first
    Column("saved", Text),  # the volume of that backup
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("ended_at", Moment),  # none: it is not finished
    Column("outcome", Text),  # restored, left, replaced
)

asides = Table(
    "asides",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("volume", Text, primary_key=True),  # local-zfs:vm-10001-disk-1
    Column("disk", Text, nullable=False),  # as its document calls it
    Column("slot", Text, nullable=False),  # scsi1
    Column("why", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("size", Integer, nullable=False),  # MiB
    Column("amount", Integer, nullable=False),  # MiB, with the copies of it
    Column("noted_at", Moment, nullable=False),
    Column("since", Moment),  # since when it rests; none: its VM may still have it
)

stops = Table(
    "stops",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Moment, nullable=False),
)

vm_roles = Table(
    "vm_roles",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("role", Text, primary_key=True),  # postgresql
    Column("digest", Text, nullable=False),  # of what was asked for
    Column("result", Text, nullable=False),  # done, failed, unreachable
    Column("at", Moment, nullable=False),
    Column("person", Text, nullable=False),
)

vm_host_keys = Table(
    "vm_host_keys",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("host_key", Text, nullable=False),  # ssh-ed25519 AAAA…
    Column("seen_at", Moment, nullable=False),
)

night_phases = Table(
    "night_phases",
    metadata,
    Column("night", Text, primary_key=True),  # the day in whose morning it ends
    Column("phase", Text, primary_key=True),
    Column("began_at", Moment, nullable=False),
    Column("ended_at", Moment),  # none: it runs, or was killed
    Column("result", Text),  # done, findings, failed
    Column("detail", Text),
)

conditions = Table(
    "conditions",
    metadata,
    Column("code", Text, primary_key=True),
    Column("opd", Text, primary_key=True),  # empty: the site's
    Column("about", Text, primary_key=True),  # JSON
    Column("since", Moment, nullable=False),
    Column("told", Text, nullable=False),  # JSON: the values of its text
)

outbox = Table(
    "outbox",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("event", Text, primary_key=True),  # begun, over
    Column("code", Text, primary_key=True),
    Column("opd", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    Column("since", Moment, primary_key=True),
    Column("told", Text, nullable=False),  # JSON: the values of its text
    Column("tries", Integer, nullable=False),
    Column("delivered_at", Moment),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("login", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("opd", Text),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # canonical JSON
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("behalf", Text),  # whom the person stands in for
    Column("bound", Text),  # JSON: rows → digest; none in entries of the first release
    Column("opd_seq", Integer),  # the place in the OPD's own chain, from 1
    Column("opd_previous", Text),
    Column("opd_hash", Text),
    Column("signature", Text),  # hex; none in entries of the first release
)
