"""Inbox: take in what OPD staff put into their folders, and answer beside each file.

One folder per OPD decides whose a document is, so nobody needs an account: who may write into the
folder may ask for its OPD. A run does what `request submit` does, for each document that says
something new; what says nothing new is left alone, however often it is looked at. Then each reply
tells how things stand now, and is written only where that differs from what stands there.

Everything in the folders is from outside: names, links, pipes, content. A file that is still being
written is left for the next run. Nothing is withdrawn because its file is gone.
"""

import pwd
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from cloudpemda.apply.locks import exclusive
from cloudpemda.document import shown
from cloudpemda.document.folder import Folder
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, InvalidInput, Refused
from cloudpemda.ledger import (
    SYSTEM,
    Actor,
    Document,
    Kept,
    Paper,
    QuotaRecord,
    RequestRecord,
    RequestState,
    Taken,
)
from cloudpemda.report.reply import (
    INDEX,
    OPENING,
    Access,
    Answer,
    Line,
    Progress,
    StandIn,
    accesses,
    index_text,
    reply_name,
    reply_text,
)
from cloudpemda.request import QuotaSpec, WorkloadSpec, placed, read_any
from cloudpemda.units import show_local
from cloudpemda.usecases.by_rule import decide_all_by_rule, midnight
from cloudpemda.usecases.chain import chain_view
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.expiring import expire, expiring
from cloudpemda.usecases.quota import note_limits
from cloudpemda.usecases.quota_requests import hand_in_quota
from cloudpemda.usecases.shelves import (
    LONGEST_NAME,
    MOST_MIB,
    Sheet,
    Shelf,
    require_own_hands,
    shelves,
)
from cloudpemda.usecases.submit import Submitted, hand_in, judged

SETTLE = 5
"""Seconds, by the site's clock, for which a file must stay as it is to be taken."""

AT_ONCE = 20
"""Documents of one giver in one deed: others wait for the ledger that long."""

MOST_A_DAY = 500
MOST_MIB_A_DAY = 16
"""Documents of one OPD, and what they say altogether, that are taken in on one day of the site's
zone: everything that is taken is kept for good, and a disk is not endless."""

Tell = Callable[[int, int, str], None]
"""Progress: files done, files in all, the OPD."""


class Outcome(StrEnum):
    """What became of one file."""

    TAKEN = "taken"  # a new request, or a new revision of one
    KNOWN = "known"  # says what was taken before
    WAITING = "waiting"  # is still being written
    INVALID = "invalid"
    REFUSED = "refused"


@dataclass(frozen=True)
class Handled:
    """One file of the inbox, and what is to be said about it."""

    opd: str
    file: str  # dinkes/simrs.yaml
    outcome: Outcome
    key: str | None = None  # the request, where it is known which
    number: str | None = None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Intake:
    """One run: every file, and what was wrong with folders and replies."""

    directory: str
    files: tuple[Handled, ...]
    replies: tuple[str, ...]  # written in this run: new ones, and those that say something else
    findings: tuple[Fault, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (*self.findings, *(fault for one in self.files for fault in one.faults))

    @property
    def code(self) -> ExitCode:
        return ExitCode.FINDINGS if self.faults else ExitCode.DONE


@dataclass(frozen=True)
class _Read:
    """A document that could be read, or why not."""

    sheet: Sheet
    data: bytes = b""
    spec: WorkloadSpec | QuotaSpec | None = None
    faults: tuple[Fault, ...] = ()
    moving: bool = False


def take_inbox(
    desk: Desk, directory: Path, *, settle: int = SETTLE, tell: Tell = lambda *_: None
) -> Intake:
    """Hand in every document of `directory` that says something new, and bring the replies up.

    For operators and the timer. A faulty file stops no other. Where there is news, waits `settle`
    seconds of the site's clock and leaves what moved meanwhile for the next run; waits for another
    run to end.
    Raises Refused by role, `inbox.open-root` or where no deed can be done (`Audit.require_able`),
    InvalidInput where `directory` is none, Unreachable where the ledger or the clock cannot be
    reached: what was taken until then is taken, and the next run goes on.
    """
    desk.act_or_system("operator")
    desk.ledger.audit.require_able()  # else each file would be answered with it
    locks = desk.site.path("var/locks")
    with exclusive(locks, "inbox"), ExitStack() as held:
        root = held.enter_context(Folder.open(directory))
        require_own_hands(desk, root)
        findings: list[Fault] = []
        found = tuple(shelves(desk, root, held, findings))
        expire(desk)
        known = desk.ledger.intake.taken()
        handled = _Run(desk, known, tell).handle(found, settle)
        decide_all_by_rule(desk)
        replies = _Replies(desk, known, findings)
        written = [name for shelf in found for name in replies.write(shelf, handled[shelf.opd])]
    return Intake(
        str(directory),
        tuple(one for those in handled.values() for one in those),
        tuple(written),
        tuple(findings),
    )


# -- taking in -----------------------------------------------------------------------------------
class _Run:
    """Reads and hands in, folder by folder."""

    def __init__(self, desk: Desk, known: Mapping[str, Taken], tell: Tell) -> None:
        self._desk = desk
        self._known = known
        self._tell = tell
        self._total = self._done = 0
        self._givers: dict[int, Actor] = {}
        self._kept: dict[str, Kept] = {}  # OPD → what was taken of it today

    def handle(self, shelves: Sequence[Shelf], settle: int) -> Mapping[str, Sequence[Handled]]:
        """What became of each file, by OPD, in the order of its folder."""
        found = {shelf.opd: [self._read(shelf, one) for one in shelf.sheets] for shelf in shelves}
        if any(self._is_news(one) for reads in found.values() for one in reads):
            note_limits(self._desk, SYSTEM)
            self._desk.clock.sleep(settle)
        self._total = sum(map(len, found.values()))
        return {
            shelf.opd: self._emptied(shelf, [self._settled(shelf, one) for one in found[shelf.opd]])
            for shelf in shelves
        }

    def _emptied(self, shelf: Shelf, reads: Sequence[_Read]) -> Sequence[Handled]:
        claims = defaultdict(list)
        for one in reads:
            if one.spec is not None:
                claims[one.spec.key].append(one.sheet.name)
        handled = {}
        waiting = defaultdict(list)
        for one in reads:
            clear = self._without_handing_in(shelf, one, claims)
            if isinstance(one.spec, QuotaSpec) and clear is None:
                clear = self._for_quota(shelf, one.sheet, one.spec, one.data)
            if clear is None:
                waiting[self._giver(one.sheet.seen.owner)].append(one)
            else:
                handled[one.sheet.name] = clear
        self._progress(shelf, len(handled))
        for giver, papers in waiting.items():
            for start in range(0, len(papers), AT_ONCE):
                some = papers[start : start + AT_ONCE]
                done = self._handed_in(shelf, some, giver)
                handled |= zip((one.sheet.name for one in some), done, strict=True)
                self._progress(shelf, len(some))
        return [handled[one.sheet.name] for one in reads]

    def _progress(self, shelf: Shelf, files: int) -> None:
        self._done += files
        self._tell(self._done, self._total, shelf.opd)

    def _is_news(self, one: _Read) -> bool:
        """Whether it says anything that was not taken before, or nothing that can be taken."""
        if one.spec is None:
            return not one.moving
        taken = self._known.get(one.spec.key)
        return taken is None or taken.spec_hash != one.spec.spec_hash

    def _settled(self, shelf: Shelf, one: _Read) -> _Read:
        """The same, or that it moved since it was read. News alone is looked at again: no clock
        is compared with the file's, which may be another machine's."""
        if not self._is_news(one) or shelf.folder.look(one.sheet.name) == one.sheet.seen:
            return one
        return _Read(one.sheet, moving=True)

    def _read(self, shelf: Shelf, sheet: Sheet) -> _Read:
        called = shelf.called(sheet.name)
        if not sheet.nameable:
            values = MappingProxyType({"most": LONGEST_NAME})
            return _Read(sheet, faults=(Fault("inbox.file-name", values, file=called),))
        if sheet.beyond:
            full = MappingProxyType({"most_mib": MOST_MIB})
            return _Read(sheet, faults=(Fault("inbox.folder-full", full, file=called),))
        try:
            data = shelf.folder.read(sheet.name, sheet.seen, called)
            if data is None:
                return _Read(sheet, moving=True)
            spec = read_any(data, called, self._desk.site.catalogue.flavors)
        except InvalidInput as error:
            return _Read(sheet, faults=error.faults)
        if spec.opd != shelf.opd:
            claim = MappingProxyType({"claimed": spec.opd, "folder": shelf.opd})
            fault = Fault("inbox.other-opd", claim, path="metadata.opd")
            return _Read(sheet, faults=placed([fault], data, called))
        return _Read(sheet, data, spec)

    def _without_handing_in(
        self, shelf: Shelf, one: _Read, claims: Mapping[str, Sequence[str]]
    ) -> Handled | None:
        """What is to be said of a file that is not handed in; None for one that is to be."""
        called = shelf.called(one.sheet.name)
        if one.moving:
            return Handled(shelf.opd, called, Outcome.WAITING)
        if one.spec is None:
            return Handled(shelf.opd, called, Outcome.INVALID, faults=one.faults)
        key = one.spec.key
        twins = [name for name in claims[key] if name != one.sheet.name]
        if twins:
            values = MappingProxyType({"name": one.spec.name, "others": _listed(twins)})
            fault = Fault("inbox.same-request", values, path="metadata.name")
            faults = placed([fault], one.data, called)
            return Handled(shelf.opd, called, Outcome.REFUSED, key, faults=faults)
        if not self._is_news(one):
            taken = self._known[key]
            if taken.given_away:
                values = MappingProxyType({"key": key, "number": taken.number})
                fault = Fault("inbox.given-away", values, file=called)
                return Handled(shelf.opd, called, Outcome.REFUSED, key, faults=(fault,))
            return Handled(shelf.opd, called, Outcome.KNOWN, key, taken.number)
        if not self._fits_today(shelf.opd, one.data):
            most = MappingProxyType({"most": MOST_A_DAY, "most_mib": MOST_MIB_A_DAY})
            fault = Fault("inbox.day-full", most, file=called)
            return Handled(shelf.opd, called, Outcome.REFUSED, key, faults=(fault,))
        return None

    def _fits_today(self, opd: str, data: bytes) -> bool:
        """Whether the OPD may hand in one more document today; it counts then."""
        kept = self._kept.get(opd)
        if kept is None:
            kept = self._desk.ledger.intake.kept_since(opd, midnight(self._desk))
        more = Kept(kept.documents + 1, kept.size + len(data))
        if more.documents > MOST_A_DAY or more.size > MOST_MIB_A_DAY * 1024 * 1024:
            return False
        self._kept[opd] = more
        return True

    def _handed_in(self, shelf: Shelf, reads: Sequence[_Read], giver: Actor) -> Sequence[Handled]:
        """All in one deed; one by one where one of them is refused."""
        specs = [one.spec for one in reads if isinstance(one.spec, WorkloadSpec)]
        called = [shelf.called(one.sheet.name) for one in reads]
        papers = [Paper(one.sheet.name, one.sheet.seen.owner) for one in reads]
        try:
            warnings = [
                judged(self._desk, spec, one.data, name, giver)
                for one, spec, name in zip(reads, specs, called, strict=True)
            ]
            done = self._desk.ledger.requests.submit_all(
                [
                    Document(spec, one.data.decode(), paper)
                    for one, spec, paper in zip(reads, specs, papers, strict=True)
                ],
                giver,
            )
        except Refused:
            return [
                self._alone(shelf.opd, spec, one.data, name, giver, paper)
                for one, spec, name, paper in zip(reads, specs, called, papers, strict=True)
            ]
        return [
            _accepted(shelf.opd, Submitted(name, spec.key, submission, warned))
            for name, spec, submission, warned in zip(called, specs, done, warnings, strict=True)
        ]

    def _for_quota(self, shelf: Shelf, sheet: Sheet, spec: QuotaSpec, data: bytes) -> Handled:
        called, owner = shelf.called(sheet.name), sheet.seen.owner
        paper = Paper(sheet.name, owner)
        try:
            done = hand_in_quota(self._desk, spec, data, called, self._giver(owner), paper)
        except Refused as error:
            return _rejected(shelf.opd, called, spec.key, error)
        return _accepted(shelf.opd, Submitted(called, spec.key, done, ()))

    def _alone(
        self, opd: str, spec: WorkloadSpec, data: bytes, called: str, giver: Actor, paper: Paper
    ) -> Handled:
        try:
            return _accepted(opd, hand_in(self._desk, spec, data, called, giver, paper))
        except Refused as error:
            return _rejected(opd, called, spec.key, error)

    def _giver(self, owner: int) -> Actor:
        """Who hands in: the file's owner where people.yaml knows them, so that they never decide
        on it; else the program, for the requester whom the document names."""
        if owner not in self._givers:
            try:
                login = pwd.getpwuid(owner).pw_name
            except KeyError:
                login = None
            person = next((one for one in self._desk.site.people if one.login == login), None)
            who = (SYSTEM.login, SYSTEM.name) if person is None else (person.login, person.name)
            self._givers[owner] = Actor(*who, "requester")
        return self._givers[owner]


# -- answering -----------------------------------------------------------------------------------
class _Replies:
    """Writes what the folders' owners read: a reply beside each document, and an index."""

    def __init__(self, desk: Desk, known: Mapping[str, Taken], findings: list[Fault]) -> None:
        self._desk = desk
        self._findings = findings
        self._now = desk.clock.now()
        self._records: dict[str, RequestRecord | QuotaRecord] = {
            **{record.key: record for record in desk.ledger.grants.list()},
            **{record.key: record for record in desk.ledger.requests.list()},
        }
        self._soon = expiring(desk)
        self._ends = {
            one.number: (one.what, one.at)
            for one in self._soon
            if one.what not in ("delegation", "lease")
        }
        self._instances = defaultdict(list)
        for instance in desk.ledger.instances.list():
            self._instances[instance.number].append(instance)
        self._by_file = {(key.partition("/")[0], taken.file): key for key, taken in known.items()}

    def write(self, shelf: Shelf, handled: Sequence[Handled]) -> Iterator[str]:
        """The names of the replies that were written anew."""
        own = {reply_name(sheet.name) for sheet in shelf.sheets}
        lines, refused = [], []
        for sheet, one in zip(shelf.sheets, handled, strict=True):
            key = one.key or self._by_file.get((shelf.opd, sheet.name))
            record = self._records.get(key) if key is not None else None
            if record is not None:
                lines.append(Line(record, shown(sheet.name)))
            if one.faults:
                refused.append(shown(sheet.name))
            if one.outcome is not Outcome.WAITING and sheet.nameable:
                answer = self._answer(shelf, sheet, one, record)
                yield from self._put(shelf, reply_name(sheet.name), reply_text(answer))
        for name in shelf.replies:
            if name not in own:
                self._clear(shelf, name)
        yield from self._put(shelf, INDEX, self._index(shelf, lines, refused))

    def _answer(
        self,
        shelf: Shelf,
        sheet: Sheet,
        one: Handled,
        record: RequestRecord | QuotaRecord | None,
    ) -> Answer:
        site = self._desk.site
        vms: tuple[Access, ...] = ()
        if isinstance(record, RequestRecord) and record.state is RequestState.ACTIVE:
            vms = accesses(record, self._instances[record.number], site.catalogue)
        return Answer(
            file=shown(sheet.name),
            opd=site.opds[shelf.opd].opd.name,
            refused=one.outcome is Outcome.REFUSED,
            faults=one.faults,
            record=record,
            vms=vms,
            progress=self._progress(record),
            now=self._now,
            zone=site.zone,
            ends=self._ends.get(record.number) if record is not None else None,
        )

    def _progress(self, record: RequestRecord | QuotaRecord | None) -> Progress | None:
        if record is None or not record.pending:
            return None
        asked = record.as_proposed if isinstance(record, RequestRecord) else record
        chain = chain_view(self._desk, asked, None)
        return Progress(chain.decided, chain.demanded, chain.awaited)

    def _index(self, shelf: Shelf, lines: Sequence[Line], refused: Sequence[str]) -> str:
        listed = {line.record.key for line in lines}
        others = [
            Line(record, None)
            for record in self._records.values()
            if record.opd == shelf.opd and record.key not in listed
        ]
        return index_text(
            shelf.opd,
            self._desk.site.opds[shelf.opd].opd.name,
            sorted([*lines, *others], key=lambda line: line.record.number),
            refused,
            [shown(name) for name in shelf.strange],
            [
                StandIn(one.key, one.number, show_local(one.at, self._desk.site.zone))
                for one in self._soon
                if one.what == "delegation" and one.opd == shelf.opd
            ],
        )

    def _put(self, shelf: Shelf, name: str, text: str) -> Iterator[str]:
        try:
            if shelf.folder.write(name, text):
                yield f"{shelf.opd}/{name}"
        except Refused as error:
            self._findings.extend(error.faults)

    def _clear(self, shelf: Shelf, name: str) -> None:
        """A reply whose document is gone would tell what is not so any more."""
        try:
            shelf.folder.remove(name, OPENING)
        except CloudpemdaError as error:
            self._findings.extend(error.faults)


def _accepted(opd: str, done: Submitted) -> Handled:
    outcome = Outcome.TAKEN if done.submission.changed else Outcome.KNOWN
    number = done.submission.number
    return Handled(opd, done.file, outcome, done.key, number, warnings=done.warnings)


def _rejected(opd: str, called: str, key: str, error: Refused) -> Handled:
    faults = tuple(replace(fault, file=fault.file or called) for fault in error.faults)
    return Handled(opd, called, Outcome.REFUSED, key, faults=faults)


def _listed(names: Sequence[str]) -> str:
    most = 3
    told = ", ".join(shown(name) for name in names[:most])
    return told if len(names) <= most else f"{told} …"
