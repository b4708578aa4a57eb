"""What the other processes of the concurrency and kill tests do.

They run for real: each opens the ledger's file by itself and meets the others in the database.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, tzinfo
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from cloudpemda.errors import CloudpemdaError
from cloudpemda.ledger import Pools, store
from cloudpemda.ledger.audit import heads
from cloudpemda.rules.quota import Link
from cloudpemda.site.models import Network
from cloudpemda.units import Instant
from tests.ledger.makers import (
    BUDI,
    OPERATOR,
    SITI,
    START,
    ManualClock,
    applying,
    approve,
    network,
    open_at,
    pools,
    revised,
    vm,
    wanted,
    workload,
)

CROWD = 20
DONE = "done"
LATER = Instant(START + timedelta(days=365))

_gate: list[Barrier] = []


def _enter(gate: Barrier) -> None:
    _gate.append(gate)
    # Twenty wait for one disk, and who wins is what is proven: not who is tired of it first.
    store.BUSY_SECONDS = heads._PATIENCE = 600


def crowd() -> ProcessPoolExecutor:
    """Twenty processes that start each piece of work at the same moment."""
    context = get_context("spawn")
    return ProcessPoolExecutor(
        CROWD,
        mp_context=context,
        initializer=_enter,
        initargs=(context.Barrier(CROWD, timeout=600),),
    )


def at_once(pool: ProcessPoolExecutor, work: Callable[[Path, int], str], base: Path) -> list[str]:
    """What each of the twenty came to: a word, or the code of a refusal."""
    return list(pool.map(_run, [work] * CROWD, [base] * CROWD, range(CROWD)))


def _run(work: Callable[[Path, int], str], base: Path, number: int) -> str:
    _gate[0].wait()
    try:
        return work(base, number)
    except CloudpemdaError as error:
        return error.code


# -- what the twenty do ----------------------------------------------------------------------
def open_only(base: Path, number: int) -> str:
    with open_at(base, seed=number) as ledger:
        return str(len(ledger.requests.list()))


def submit_same(base: Path, number: int) -> str:
    with open_at(base, seed=number) as ledger:
        return str(ledger.requests.submit(workload(), "", SITI).changed)


def meddle_with_a_change(base: Path, number: int) -> str:
    """One edits, one approves, one withdraws, one denies: what each has read is soon old."""
    with open_at(base, seed=number) as ledger:
        asked = ledger.requests.get("dinkes/simrs").as_proposed
        match number % 4:
            case 0:
                variant = workload(purpose=f"variant {number}")
                return str(ledger.requests.submit(variant, "", SITI).proposal)
            case 1:
                more = {"db-1": {"instances": 1, "memory": 150}}
                links = (Link("dinkes", {"memory": 10**6}, frozenset({"dinkes"})),)
                approve(ledger, asked.spec, more, links)
            case 2:
                ledger.requests.withdraw(asked.key, actor=SITI)
            case _:
                ledger.requests.deny(asked.key, spec_hash=asked.spec_hash, reason="no", actor=BUDI)
    return DONE


def approve_same(base: Path, number: int) -> str:
    limits = {"memory": 10**6}
    with open_at(base, seed=number) as ledger:
        approve(
            ledger,
            workload(),
            {"db-1": {"memory": 100}},
            (Link("dinkes", limits, frozenset({"dinkes"})),),
        )
    return DONE


def approve_own(base: Path, number: int) -> str:
    """Each another request of the same OPD, each as large as what is left."""
    with open_at(base, seed=number) as ledger:
        approve(
            ledger,
            workload(name=f"w{number}"),
            {"db-1": {"memory": 100}},
            (Link("dinkes", {"memory": 100}, frozenset({"dinkes"})),),
        )
    return DONE


CHILDREN = frozenset(f"upt{number}" for number in range(CROWD))


def approve_child(base: Path, number: int) -> str:
    """Each another child of one parent, which has room for seven."""
    opd = f"upt{number}"
    with open_at(base, seed=number) as ledger:
        approve(
            ledger,
            workload(opd),
            {"db-1": {"memory": 100}},
            (
                Link(opd, {"memory": 100}, frozenset({opd})),
                Link("dinkes", {"memory": 799}, CHILDREN | {"dinkes"}),
            ),
        )
    return DONE


def approve_alone(base: Path, number: int) -> str:
    """Each another OPD with room of its own."""
    opd = f"upt{number}"
    with open_at(base, seed=number) as ledger:
        approve(
            ledger,
            workload(opd),
            {"db-1": {"memory": 100}},
            (Link(opd, {"memory": 100}, frozenset({opd})),),
        )
    return DONE


def begin_or_expire(base: Path, number: int) -> str:
    """Half begin to apply, half find that the hold has run out."""
    with open_at(base, seed=number) as ledger:
        if number % 2:
            record = ledger.requests.get("dinkes/simrs")
            return ledger.requests.begin(
                record.key, spec_hash=record.spec_hash, offer_digest="offer-1", actor=OPERATOR
            ).state
        return "expired" if ledger.requests.expire_holds(LATER) else "nothing"


def approve_or_recount(base: Path, number: int) -> str:
    """Half approve for an OPD of their own, half recount all OPDs together, again and again."""
    opd = f"upt{number}"
    with open_at(base, seed=number) as ledger:
        if number % 2:
            limits = {"memory": 100, "vcpu": 4}
            links = (Link(opd, limits, frozenset({opd})),)
            approve(ledger, workload(opd), {"db-1": limits}, links)
            return DONE
        views = [ledger.quota.balances(CHILDREN) for _ in range(10)]
        seen = [(one["memory"].held, one["vcpu"].held) for one in views if one]
    return " ".join(f"{memory}:{vcpu}" for memory, vcpu in seen)


def approve_or_expire(base: Path, number: int) -> str:
    """A year later: half end what ran out, half want the room that it took."""
    with open_at(base, ManualClock(LATER), seed=number) as ledger:
        if number % 2:
            return "expired" if ledger.requests.expire_holds(LATER) else "nothing"
        approve(
            ledger,
            workload(name=f"w{number}"),
            {"db-1": {"memory": 100}},
            (Link("dinkes", {"memory": 100}, frozenset({"dinkes"})),),
            hold_until=Instant(LATER + timedelta(days=14)),
        )
    return DONE


def claim_one(base: Path, number: int) -> str:
    """Each wants one of sixteen addresses."""
    spec = workload("dinkes", f"w{number}", vm("db", 1))
    with open_at(base, seed=number) as ledger:
        (record,) = ledger.instances.claim(
            spec.key,
            wanted(spec),
            vmid_range=range(100, 200),
            pools=pools(network("10.10.110.0/27", reserved=("10.10.110.18-10.10.110.30",))),
            taken_vmids={},
            actor=OPERATOR,
        )
    return f"{record.vmid} {record.nics[0].address} {record.nics[0].mac}"


def open_saga(base: Path, number: int) -> str:
    with open_at(base, seed=number) as ledger:
        ledger.journal.open_saga("R-2026-0001", "apply", "d")
        _gate[0].wait()  # nobody ends, and so counts as dead, before all have tried
        return DONE


def open_saga_and_wait(base: Path, number: int) -> str:
    try:
        return open_saga(base, number)
    except CloudpemdaError:
        _gate[0].wait()
        raise


# -- what is killed --------------------------------------------------------------------------
class _HangingMoment(datetime):
    """A moment that stops the process in the middle of the transaction that writes it."""

    def astimezone(self, tz: tzinfo | None = None) -> "_HangingMoment":
        hang()
        return self


class _HangingNetworks(dict[str, Network]):
    """Networks of which the second look stops the process."""

    looks = 0

    def get(self, key: str, default: object = None) -> Network | None:  # type: ignore[override]
        self.looks += 1
        if self.looks == 2:
            hang()
        return self[key]


def hang() -> None:
    say("inside")
    signal.pause()


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def hang_in_approval(base: Path) -> None:
    moment = _HangingMoment.fromisoformat("2026-12-01T00:00:00+00:00")
    with open_at(base, seed=2) as ledger:
        approve(
            ledger,
            workload(),
            {"db-1": {"memory": 100}},
            (Link("dinkes", {"memory": 100}, frozenset({"dinkes"})),),
            hold_until=Instant(moment),
        )


def hang_in_claim(base: Path) -> None:
    spec = workload()
    with open_at(base, seed=2) as ledger:
        ledger.instances.claim(
            spec.key,
            wanted(spec),
            vmid_range=range(100, 200),
            pools=Pools(_HangingNetworks(app=network()), None),
            taken_vmids={},
            actor=OPERATOR,
        )


def hold_saga(base: Path) -> None:
    with open_at(base, seed=2) as ledger, ledger.journal.open_saga("R-2026-0001", "apply", "d"):
        hang()


def live(base: Path, name: str) -> None:
    """Deed after deed without end, each said once it has returned."""
    amounts: Mapping[str, Mapping[str, int]] = {"db-1": {"memory": 10}, "db-2": {"memory": 5}}
    links: Sequence[Link] = (Link("dinkes", {"memory": None}, frozenset({"dinkes"})),)
    with open_at(base, seed=sum(name.encode())) as ledger:
        for number in _forever():
            spec = workload(name=f"{name}{number}")
            ledger.requests.submit(spec, "", SITI)
            say(f"{spec.key} pending")
            approve(ledger, spec, amounts, tuple(links))
            say(f"{spec.key} approved")
            if number % 3 == 0:
                ledger.requests.submit(revised(spec), "", SITI)
                say(f"{spec.key} pending")
            elif number % 3 == 1:
                ledger.requests.withdraw(spec.key, actor=BUDI)
                say(f"{spec.key} withdrawn")


def _forever() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def prepare_applying(base: Path) -> None:
    with open_at(base) as ledger:
        applying(ledger, workload())


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
