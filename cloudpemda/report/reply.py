"""What the inbox answers: a reply beside each document, and an index for each folder.

Replies are read by OPD staff with whatever shows text, so they are in Indonesian whatever the
site speaks, say what happens next, and name no moment of their own: a reply changes when what it
tells has changed. Values are data; the pages are laid out by templates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from cloudpemda.errors import Fault
from cloudpemda.ledger import (
    Approval,
    InstanceRecord,
    InstanceState,
    ProposalState,
    QuotaRecord,
    QuotaState,
    RequestRecord,
    RequestState,
)
from cloudpemda.messages import explain, harmless, say
from cloudpemda.render import render
from cloudpemda.rules.quota import amount
from cloudpemda.site.models import Catalogue
from cloudpemda.units import Instant, show_local

REPLY = ".balasan.txt"
INDEX = "DAFTAR.txt"
OPENING = "BALASAN CLOUDPEMDA"
"""How every reply begins: what begins otherwise is not ours to remove."""

LEASE_SOON = timedelta(days=30)
"""How long before its end the time for which VMs were asked ends soon."""

_ENDINGS = (".yaml", ".yml")
_LIVE = frozenset({RequestState.ACTIVE, RequestState.APPLYING, RequestState.STUCK})


@dataclass(frozen=True)
class Access:
    """How to reach one VM."""

    name: str  # in PVE, and the VM's own host name
    addresses: tuple[str, ...]
    public_addresses: tuple[str, ...]
    user: str | None  # None: the catalogue has lost the image

    @property
    def command(self) -> str:
        """For a terminal; `-` where no address is known."""
        reached = (*self.addresses, *self.public_addresses)
        if not reached:
            return "-"
        return f"ssh {reached[0]}" if self.user is None else f"ssh {self.user}@{reached[0]}"


@dataclass(frozen=True)
class Progress:
    """How far the decisions on a request are, and who is awaited."""

    decided: int
    demanded: int
    awaited: tuple[str, ...]  # names


@dataclass(frozen=True)
class Answer:
    """What is to be said about one document."""

    file: str
    opd: str  # as people call it: Dinas Kesehatan
    refused: bool  # by a rule, though it can be read
    faults: tuple[Fault, ...]
    record: RequestRecord | QuotaRecord | None  # what it is about, as it stands
    vms: tuple[Access, ...]
    progress: Progress | None  # None: nothing is to be decided
    now: Instant
    zone: ZoneInfo
    ends: tuple[str, Instant] | None  # a hold, waiting (pending) or grant that ends soon


@dataclass(frozen=True)
class StandIn:
    """A delegation for one OPD that ends soon."""

    key: str  # who stands in for whom
    letter: str
    until: str  # as people read it


@dataclass(frozen=True)
class Line:
    """One request of the index; `file` None: no document of the folder is about it."""

    record: RequestRecord | QuotaRecord
    file: str | None


def reply_name(document: str) -> str:
    """`simrs.yaml` → `simrs.balasan.txt`; of any other ending the whole name is kept, so that two
    documents never share a reply."""
    stem = document.removesuffix(_ENDINGS[0])
    whole = stem == document or stem.lower().endswith(_ENDINGS)
    return f"{document if whole else stem}{REPLY}"


def accesses(
    record: RequestRecord, instances: Iterable[InstanceRecord], catalogue: Catalogue
) -> tuple[Access, ...]:
    """How to reach the active VMs of a request, by name."""
    images = {member: vm.image for vm in record.spec.vms for member in vm.members}
    found = []
    for one in instances:
        if one.state is not InstanceState.ACTIVE:
            continue
        clusters = catalogue.images.get(images.get(one.member, ""), {})
        image = clusters.get(one.cluster)
        found.append(
            Access(
                name=one.name,
                addresses=tuple(nic.address for nic in one.nics if nic.address),
                public_addresses=tuple(
                    nic.public_address for nic in one.nics if nic.public_address is not None
                ),
                user=image.user if image is not None else None,
            )
        )
    return tuple(sorted(found, key=lambda access: access.name))


def reply_text(answer: Answer) -> str:
    """The whole reply."""
    values = {
        "opening": OPENING,
        "file": harmless(answer.file),
        "by": _said("reply.by", opd=answer.opd),
        "verdict": _verdict(answer),
        "faults": [_fault(fault) for fault in answer.faults],
        "standing": _standing(answer),
        "access_title": _said("reply.access")[0],
        "access": _columns([_access(vm) for vm in answer.vms]),
        "access_hint": _said("reply.access")[1],
    }
    return render("inbox/balasan.txt.j2", values)


def index_text(
    code: str,
    name: str,
    lines: Sequence[Line],
    refused: Sequence[str],
    strange: Sequence[str],
    stand_ins: Sequence[StandIn] = (),
) -> str:
    """The index of one OPD's folder; `refused` and `strange` are names of files that were not
    taken, for what they say and for how they are called."""
    header = [
        _said(f"column.{column}")[0] for column in ("number", "request", "rev", "state", "until")
    ]
    rows = [[*header, _said("reply.column-file")[0]], *(_row(line) for line in lines)]
    values = {
        "title": _said("reply.index", opd=f"{name} ({code})")[0],
        "rows": _columns(rows) if lines else [_said("reply.index-empty")[0]],
        "refused_title": _said("reply.index-refused")[0],
        "refused": [harmless(one) for one in refused],
        "strange_title": _said("reply.index-strange")[0],
        "strange": [harmless(one) for one in strange],
        "stand_ins": [
            _said("reply.delegation-soon", key=one.key, number=one.letter, until=one.until)
            for one in stand_ins
        ],
        "deletion": _said("reply.deletion"),
    }
    return render("inbox/daftar.txt.j2", values)


# -- parts ---------------------------------------------------------------------------------------
def _said(code: str, **values: object) -> tuple[str, str]:
    return explain(code, "id", values)


def _verdict(answer: Answer) -> tuple[str, str]:
    if answer.faults:
        code = "reply.refused" if answer.refused else "reply.invalid"
        return _said(code, file=answer.file)
    record = answer.record
    assert record is not None  # noqa: S101 - a document without faults was taken
    change = record.proposal if isinstance(record, RequestRecord) else None
    told = change if change is not None and change.state is not ProposalState.WITHDRAWN else record
    return _said("reply.taken", number=record.number, revision=told.revision, key=record.key)


def _fault(fault: Fault) -> Mapping[str, str]:
    what, then = _said(fault.code, **fault.values)
    place = "" if fault.line is None else _said("reply.place", line=fault.line)[0]
    if fault.line is not None and fault.column is not None:
        place = _said("reply.place-column", line=fault.line, column=fault.column)[0]
    path = harmless(fault.path or "") if fault.line is not None else ""
    return {"place": place, "path": path, "what": what, "then": then, "code": fault.code}


def _standing(answer: Answer) -> list[tuple[str, str]]:
    """How the request stands, sentence by sentence, each with what to do; nothing for none."""
    record = answer.record
    if record is None:
        return []
    said: list[tuple[str, str]] = []
    if answer.faults:
        said.append(
            _said("reply.before", number=record.number, revision=record.revision, key=record.key)
        )
    if isinstance(record, QuotaRecord):
        return [*said, *_quota_standing(answer, record), *_awaited(answer)]
    ended = record.state is RequestState.ENDED
    state = "vms-ended" if ended else record.state.value  # what has ended else is quota
    said.append(_state(answer, state, record.reason, record.approval))
    said.extend(_lease(answer, record))
    change = record.proposal
    if change is not None:
        said.append(_said("reply.change", revision=change.revision))
        said.append(_state(answer, change.state.value, change.reason, change.approval))
    return [*said, *_ends(answer), *_awaited(answer)]


def _ends(answer: Answer) -> Iterable[tuple[str, str]]:
    if answer.ends is not None:
        what, until = answer.ends
        yield _said(f"reply.{what}-soon", until=show_local(until, answer.zone))


def _awaited(answer: Answer) -> Iterable[tuple[str, str]]:
    progress = answer.progress
    if progress is not None and progress.awaited:
        counted = {"decided": progress.decided, "demanded": progress.demanded}
        yield _said("reply.awaited", awaited=", ".join(progress.awaited), **counted)


def _quota_standing(answer: Answer, record: QuotaRecord) -> Iterable[tuple[str, str]]:
    if record.state is not QuotaState.GRANTED:
        yield _state(answer, record.state.value, record.reason, None)
        yield from _ends(answer)
        return
    amounts = ", ".join(f"{name} {amount(name, more)}" for name, more in record.spec.add)
    until = record.spec.until or _said("reply.permanent")[0]
    yield _said("reply.granted", amounts=amounts, until=until)
    today = answer.now.astimezone(answer.zone).date()
    if record.spec.until is not None and record.spec.until < today:
        yield _said("reply.grant-over", until=until)
    elif answer.ends is not None:
        yield _said("reply.grant-soon", until=until)


def _state(
    answer: Answer, state: str, reason: str | None, approval: Approval | None
) -> tuple[str, str]:
    values: dict[str, object] = {"reason": reason or "-", "file": answer.file}
    if approval is not None:
        values |= {
            "name": approval.actor.name,
            "at": show_local(approval.at, answer.zone),
            "until": show_local(approval.hold_until, answer.zone),
        }
    return _said(f"reply.{state}", **values)


def _lease(answer: Answer, record: RequestRecord) -> Iterable[tuple[str, str]]:
    """That the time for which VMs were asked ends soon, or has ended."""
    if record.state in _LIVE:
        until, today = record.spec.until, answer.now.astimezone(answer.zone).date()
        if until < today:
            yield _said("reply.lease-over", until=until)
        elif until - today <= LEASE_SOON:
            yield _said("reply.lease-soon", until=until)


def _access(vm: Access) -> list[str]:
    public = ", ".join(vm.public_addresses)
    return [vm.name, ", ".join(vm.addresses), public or "-", vm.command]


def _row(line: Line) -> list[str]:
    record = line.record
    state = say(f"reply.state-{record.state.value}", "id")
    if isinstance(record, RequestRecord) and record.proposal is not None and record.proposal.open:
        change = say(f"reply.state-{record.proposal.state.value}", "id")
        state = say("reply.state-change", "id", {"state": state, "change": change})
    return [
        record.number,
        record.spec.name,
        str(record.revision),
        state,
        str(record.spec.until or _said("reply.permanent")[0]),
        harmless(line.file) if line.file is not None else _said("reply.no-file")[0],
    ]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
