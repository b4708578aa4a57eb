"""What people do when all is over: they do what the program's messages say, until nothing is left.

Whoever mends knows nothing but what a command has told, and what PVE's own page shows.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from cloudpemda.ledger import InstanceRecord, InstanceState, RequestRecord, RequestState
from cloudpemda.usecases.plan import plan
from tests.storm.hands import Hands
from tests.storm.history import ASKING, DECIDING
from tests.storm.line import Answer

LETTER = ("--letter", "800/12/2026", "--letter-date", "2026-11-01")
LEAVING = frozenset({RequestState.RETIRING, RequestState.RETIRED})
FOR_GOOD = "2027-12-31"
ROUNDS = 12  # of putting right, until nothing is left to do
_HALF = frozenset({RequestState.APPLYING, RequestState.STUCK})
_BUILDING = frozenset(
    {RequestState.APPROVED, RequestState.APPLYING, RequestState.STUCK, RequestState.ACTIVE}
)


@dataclass
class Mending(Hands):
    """A history whose people ask, and put right what went wrong."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    drained: set[str] = field(default_factory=set)

    def _asked(self, document: dict[str, Any], *words: str) -> bool:
        """Handed in and approved."""
        opd, name = document["metadata"]["opd"], document["metadata"]["name"]
        file = self.site / f"{opd}-{name}.yaml"
        file.write_text(json.dumps(document))
        key = f"{opd}/{name}"
        if self._call(ASKING[opd][0], "request", "submit", *words, str(file)).code:
            return False
        decider = DECIDING[document["spec"]["serviceClass"]]
        if self._call(decider, "request", "approve", key).code:
            self._call(ASKING[opd][0], "request", "withdraw", key)
            return False
        self.documents[key] = document
        return True

    def _adopting(self, opd: str, vmid: int) -> tuple[str, ...]:
        name = ("--name", f"lama{vmid}", "--vmid", str(vmid), "--yes")
        return ("adopt", "--cluster", "dc", "--opd", opd, *LETTER, *name)

    # -- putting right ---------------------------------------------------------------------
    def _put_right(self) -> None:
        """What people do when all is over: they say every command again until nothing is left."""
        for node in sorted(self.drained):
            self._call("rudi", "nodes", "return", f"dc/{node}")
        for _ in range(ROUNDS):
            before = self._standing()
            self._mend()
            self._again()
            self.control.advance(60)
            begun = self.reader.ledger.journal.unfinished()
            if self._standing() == before and not begun and self._all_settled():
                return
        raise AssertionError(f"not settled after {ROUNDS} rounds: {before}")

    def _again(self) -> None:
        for vmid, opd in self.adopted.items():
            if self._carries_none(vmid) or self._left("adopt"):
                self._call("hendra", *self._adopting(opd, vmid))
        for record in self._records():
            self._go_on_leaving(record)
            self._let_go(record)
        self._ask_for_what_grew()
        building = [one.key for one in self._records() if one.state in _BUILDING]
        told = self._call("rudi", "apply", *building) if building else None
        if told is not None and "apply.undo-begun" in told.codes:
            for key in building:
                self._run_what_is_shown(self._call("rudi", "apply", "--undo", key))
        self._withdraw_what_is_over(told)
        self._give_up()
        for one in self._restartable():
            self._call("rudi", "vm", "restart", one.key, "--hard", "--yes")
        for key in self._running_on():
            again = ("vm", "stop", key, "--reason", "uji")
            if "vm.guest-silent" in self._call("rudi", *again).codes:
                self._call("rudi", *again, "--hard", "--yes")
        if self.reader.ledger.orphans.list():
            self._call("rudi", "orphans", "clean")
        for key, name in self._lost_states():
            self._call("rudi", "vm", "snapshot", "delete", key, name)
        self._do_what_the_night_asks(self._call("timer", "nightly"))

    def _give_up(self) -> None:
        """Take back what cannot be made any more: a stranger has the VMID of one of its VMs."""
        for record in self._records():
            taken = any(one.vmid in self.strangers for one in self._instances(record.key))
            if taken and record.state in _HALF and not record.changing:
                self._call("rudi", "apply", "--undo", record.key)

    def _go_on_leaving(self, record: RequestRecord) -> None:
        """What was begun of its end, or of its way back, is said again."""
        if self._gone_by_hand(record) and record.state is RequestState.ACTIVE:
            words = ("request", "retire", record.key, "--reason", "hilang")
            if "retire.changing" in self._call("rudi", *words).codes:
                self._call("rudi", "apply", "--undo", record.key)
        half = any(one.state is InstanceState.CHANGING for one in self._instances(record.key))
        if record.state in LEAVING and half and self._gone_by_hand(record):
            self._call("rudi", "request", "retire", record.key, "--reason", "hilang")
        elif record.state in LEAVING and half:
            codes = self._call("rudi", "request", "restore", record.key).codes
            if "retire.purged-in-part" in codes:
                self._call("rudi", "request", "retire", record.key, "--reason", "selesai")
        elif record.state is RequestState.RETIRING:
            self._call("rudi", "request", "retire", record.key, "--reason", "selesai")

    def _ask_for_what_grew(self) -> None:
        """A disk that somebody has grown stays so: the OPD asks for it."""
        for record in self._records():
            grown = any(one.uid in self.disks for one in self._instances(record.key))
            if grown and record.state is RequestState.ACTIVE and not record.changing:
                document = self.documents[record.key]
                document["spec"]["vms"][0]["disks"][0]["size"] = "20 GiB"
                document["spec"]["until"] = FOR_GOOD  # its lease may have ended meanwhile
                self._asked(document)

    def _let_go(self, record: RequestRecord) -> None:
        """Purge what another hand has removed, and what a purge had begun with."""
        confirm = ("request", "purge", record.key, "--confirm", record.key)
        if self._gone_by_hand(record):
            self._call("rudi", *confirm, "--gone")
        elif self._left("purge", record.number):
            self._call("rudi", *confirm, "--now", "--reason", "selesai")

    def _restartable(self) -> list[InstanceRecord]:
        vms = self.control.vms()
        return [
            one
            for one in self._instances()
            if one.state is InstanceState.ACTIVE
            and one.vmid in vms
            and (vms[one.vmid]["pending"] or vms[one.vmid].get("pending_delete"))
            and vms[one.vmid]["status"] == "running"
        ]

    def _running_on(self) -> list[str]:
        """VMs that shall not run and do: somebody said so while their node was off."""
        vms, stops = self.control.vms(), self.reader.ledger.stops.by_uid()
        return [
            one.key
            for one in self._instances()
            if one.uid in stops and one.vmid in vms and vms[one.vmid]["status"] == "running"
        ]

    def _lost_states(self) -> list[tuple[str, str]]:
        """Snapshots that the ledger charges and PVE has not: their making was cut off."""
        vms, live = self.control.vms(), {one.uid: one for one in self._instances()}
        return [
            (live[row.uid].key, row.name)
            for row in self.reader.ledger.snapshots.list()
            if row.uid in live
            and live[row.uid].vmid in vms
            and row.name not in vms[live[row.uid].vmid]["snapshots"]
        ]

    def _standing(self) -> object:
        """What may still move: states, orphans, what waits for a restart."""
        ledger = self.reader.ledger
        states = {one.key: (one.state, one.changing) for one in ledger.requests.list()}
        members = {one.uid: one.state for one in ledger.instances.list(copies=True)}
        waiting = [(one["pending"], one["status"]) for one in self.control.vms().values()]
        begun = [(one.kind, one.number) for one in ledger.journal.unfinished()]
        return states, members, len(ledger.orphans.list()), waiting, begun

    def _all_settled(self) -> bool:
        keys = [one.key for one in self._records() if one.state is RequestState.ACTIVE]
        found = plan(self.reader, keys) if keys else None
        return found is None or (
            not found.errors and all(one.plan.settled for one in found.planned)
        )

    def _withdraw_what_is_over(self, told: Answer | None) -> None:
        """Nobody builds any more what was wanted until a day that has passed."""
        for fault in told.faults if told is not None else ():
            if fault["code"] == "plan.lease-ended":
                key = fault["values"]["key"]
                self._call(ASKING[key.partition("/")[0]][0], "request", "withdraw", key)

    def _do_what_the_night_asks(self, told: Answer) -> None:
        """Go on with a restore, or give it up where that does not help; remove half a copy."""
        for fault in told.faults:
            said = fault["values"]
            match fault["code"]:
                case "nightly.restore-unfinished":
                    if self._call("rudi", "vm", "restore", said["vm"], "--yes").code:
                        self._call("rudi", "vm", "restore", said["vm"], "--give-up")
                case "nightly.copy-unfinished" | "nightly.copy-old":
                    self._call("rudi", "vm", "copy", "delete", said["vm"], said["name"], "--yes")

    def _run_what_is_shown(self, told: Answer) -> None:
        """The commands for a VM whose making was cut off."""
        vmids = {f["values"]["vmid"] for f in told.faults if f["code"] == "apply.half-made"}
        for one in self._instances():
            if str(one.vmid) in {str(vmid) for vmid in vmids}:
                self._human(one)

    def _mend(self) -> None:
        """Locks of nobody are removed, protection and growth by hand are taken back."""
        for one in self._instances():
            gone = one.uid in self.lost or one.vmid in self.strangers
            if one.state is InstanceState.STUCK and not gone:
                self._human(one)
            if not self._stands(one):
                continue
            vm = self.control.vms()[one.vmid]
            drop = [key for key in ("lock", "protection") if key in vm["config"]]
            if drop:
                self.control.outside("change-vm", one.vmid, delete=drop)
