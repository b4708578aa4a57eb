"""One run of a replication job, and when the next is due.

A run marks the guest's volumes with a snapshot, sends what has changed since the newest snapshot
that both sides have (all of a volume that the target lacks), and then lets go of the older one. A
failure waits 5, 10, 15, then 30 minutes; a target that is offline is waited for without counting.
A job that is marked for removal goes with its next run, and its copies with it unless they are to
be kept. `schedule_now` makes the last try so old that the job is due; one that never ran is.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence

from cloudpemda.lab.calendar import next_event
from cloudpemda.lab.errors import Refused, refuse_if
from cloudpemda.lab.state import ReplicationJob, Volume

DEFAULT = "*/15"
BACKOFF, PATIENT, LONGEST = 300.0, 3, 1800.0  # seconds per failure; failures; from then on
MBYTE = 1_000_000

Waiting = Generator[float, None, None]


class Ground(ABC):
    """What a run works on: a guest, its volumes, and their copies on the target."""

    node: str  # where the guest lies

    @abstractmethod
    def now(self) -> float: ...

    @abstractmethod
    def write(self, line: str) -> None:
        """A line of the job's log."""

    @abstractmethod
    def guest(self) -> str:
        """`VM 100, running => 4711`; refused when it is not (any longer) here."""

    @abstractmethod
    def volumes(self, *, strict: bool) -> Sequence[str]:
        """The volumes to copy, sorted; one that cannot be copied is refused where `strict`."""

    @abstractmethod
    def source(self, volid: str) -> Volume:
        """Refused for a volume that is not there."""

    @abstractmethod
    def copy(self, volid: str) -> Volume | None: ...

    @abstractmethod
    def prepare(self, wanted: Sequence[str]) -> None:
        """The target lets go of copies that are not wanted; refused when it does not answer."""

    @abstractmethod
    def receive(self, source: Volume) -> Volume:
        """The target's copy, made or grown to the source's size; refused where there is no room."""

    @abstractmethod
    def changed(self, volume: Volume, since: float) -> int:
        """Bytes that were written since then."""

    @abstractmethod
    def seconds(self, size: int, rate: float) -> float:
        """How long it takes to send so many bytes; `rate` in bytes per second, 0 for no limit."""


def next_sync(job: ReplicationJob, *, online: bool) -> float:
    """When the job is due next; infinite while its target is not `online`."""
    if "remove_job" in job.options:
        return 1.0
    if not online:
        return math.inf
    state, failures = job.state, job.state.fail_count
    if failures:
        return state.last_try + (BACKOFF * failures if failures <= PATIENT else LONGEST)
    found = next_event(job.options.get("schedule", DEFAULT), state.last_try)
    return math.inf if found is None else found


def snapshot(job: str, when: float) -> str:
    return f"__replicate_{job}_{int(when)}__"


def run(job: ReplicationJob, ground: Ground) -> Generator[float, None, bool]:
    """Whether the job is over for good. What fails is in its state."""
    state, began = job.state, ground.now()
    state.last_node, state.last_try = ground.node, began
    ground.write("start replication job")
    removal = "remove_job" in job.options
    try:
        guest = ground.guest()
        volids = ground.volumes(strict=not removal)
        ground.write(f"guest => {guest}")
        ground.write(f"volumes => {','.join(volids)}")
        if removal:
            _clear(job, ground, volids)
        else:
            yield from _sync(job, ground, volids, began)
    except Refused as refused:
        state.fail_count, state.error = state.fail_count + 1, refused.message
        ground.write(f"end replication job with error: {refused.message}")
        return False
    ground.write("end replication job")
    state.fail_count, state.error = 0, ""
    state.duration = ground.now() - began
    return removal


def _clear(job: ReplicationJob, ground: Ground, volids: Sequence[str]) -> None:
    mode = job.options["remove_job"]
    ground.write(f"start job removal - mode '{mode}'")
    if mode == "full" and job.target != ground.node:
        ground.prepare(())
    for volid in volids:
        marked = ground.source(volid).marks.pop(job.name, None)
        if marked is not None:
            ground.write(
                f"delete stale replication snapshot '{snapshot(job.name, marked)}' on {volid}"
            )
    ground.write("job removed")


def _sync(job: ReplicationJob, ground: Ground, volids: Sequence[str], began: float) -> Waiting:
    ground.prepare(volids)
    bases = {volid: _base(ground, volid) for volid in volids if ground.copy(volid)}
    made, name = list[Volume](), snapshot(job.name, began)
    try:
        for volid in volids:
            ground.write(f"create snapshot '{name}' on {volid}")
            made.append(ground.source(volid))
        rate = float(job.options.get("rate", 0))
        limit = f"{rate:g} MByte/s" if rate else "none"
        ground.write(f"using secure transmission, rate limit: {limit}")
        for volume in made:
            yield from _send(ground, volume, name, began, rate * MBYTE, bases.get(volume.volid))
        ground.prepare(volids)  # it must still be there, and so must the guest
        ground.guest()
    except Refused:
        for volume in made:
            ground.write(f"delete previous replication snapshot '{name}' on {volume.volid}")
        raise
    for volume in made:
        old = volume.marks.get(job.name)
        if old is not None:
            gone = snapshot(job.name, old)
            ground.write(f"delete previous replication snapshot '{gone}' on {volume.volid}")
        volume.marks[job.name] = began
        if copy := ground.copy(volume.volid):
            copy.marks = dict(volume.marks)
    job.state.last_sync = began
    job.state.storages = sorted({volid.partition(":")[0] for volid in volids})


def _base(ground: Ground, volid: str) -> tuple[str, float] | None:
    """The newest replication snapshot that both sides have; None for a volume that has gone."""
    copy = ground.copy(volid)
    try:
        source = ground.source(volid)
    except Refused:
        return None  # told when it is to be marked
    common = source.marks.items() & copy.marks.items() if copy else set()
    refuse_if(not common, f"No common base snapshot on volume(s) {volid}.")
    return max(common, key=lambda mark: mark[1])


def _send(
    ground: Ground, volume: Volume, name: str, began: float, rate: float,
    base: tuple[str, float] | None,
) -> Waiting:  # fmt: skip
    if base is None:
        ground.write(f"full sync '{volume.volid}' ({name})")
        size = volume.virtual
    else:
        ground.write(f"incremental sync '{volume.volid}' ({snapshot(*base)} => {name})")
        size = min(ground.changed(volume, base[1]), volume.virtual)
    if rate:
        limit = f"using a bandwidth limit of {rate:.0f} bytes per second"
        ground.write(f"{limit} for transferring '{volume.volid}'")
    yield ground.seconds(size, rate)
    ground.receive(volume).holds = began
    ground.write(f"successfully imported '{volume.volid}'")
