"""Does the night's work fit into its window? Per source node, from what the last runs took.

Backups of one node run one after another, and so do its replications (PVE does not mix the two
queues): the window of a node is the sum of its durations. What nobody has measured is reckoned
from its size and the bandwidth; without either it is unknown, and unknown never fits.

Times are seconds from the opening of the window.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

DAY = 86400


class Lane(StrEnum):
    """What runs one after another on a node."""

    BACKUP = "backup"
    REPLICATION = "replication"


@dataclass(frozen=True)
class Window:
    """A part of each day; it may pass midnight."""

    opens: int  # seconds of the day, in the site's zone
    length: int  # seconds, more than zero

    def offset(self, second: int) -> int | None:
        """Where a second of the day lies in the window; None outside of it."""
        after = (second - self.opens) % DAY
        return after if after < self.length else None

    def clock(self, offset: int) -> str:
        """`HH:MM` at an offset."""
        minutes = (self.opens + offset) % DAY // 60
        return f"{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass(frozen=True)
class Duty:
    """One job's work on its source node in one night."""

    name: str  # the VM, or the replication job
    node: str
    lane: Lane
    seconds: int | None  # all of its runs in the window; None: nobody knows
    start: int = 0  # when the first may begin


@dataclass(frozen=True)
class Spread:
    """How the work of one node would fit."""

    start: str | None  # on this node alone, if all begins then at the latest; None: never
    nodes: tuple[int, ...] | None
    """Duties per source node when they are divided over as few nodes as fit, most first; None
    where one of them alone is longer than the window."""
    hours: float  # the window that this node alone would need


@dataclass(frozen=True)
class Load:
    """What one node has to do in the window."""

    node: str
    lane: Lane
    duties: int
    seconds: int  # of those that are known
    unknown: tuple[str, ...]  # duties of which nobody knows how long they take
    ends: int  # when the last is done, if each begins when it may
    longest: int
    length: int  # of the window
    spread: Spread | None  # None: it fits, or nobody knows

    @property
    def fits(self) -> bool:
        return self.ends <= self.length and not self.unknown


def loads(duties: Iterable[Duty], window: Window) -> tuple[Load, ...]:
    """The load of each node that has duties, by node and lane."""
    found: dict[tuple[str, Lane], list[Duty]] = {}
    for duty in duties:
        found.setdefault((duty.node, duty.lane), []).append(duty)
    return tuple(
        _load(node, lane, own, window.length, window)
        for (node, lane), own in sorted(found.items(), key=lambda one: (one[0][0], one[0][1]))
    )


def divided(seconds: Collection[int], length: int) -> tuple[tuple[int, ...], ...] | None:
    """Durations divided over as few nodes as are found to fit `length`, the most loaded first;
    None where one of them alone does not. Longest first, to whoever has least: seldom more nodes
    than the best division has."""
    if any(one > length for one in seconds):
        return None
    least = max(1, math.ceil(sum(seconds) / length))
    for nodes in range(least, len(seconds) + 1):
        bins: list[list[int]] = [[] for _ in range(nodes)]
        for one in sorted(seconds, reverse=True):
            min(bins, key=sum).append(one)
        if all(sum(one) <= length for one in bins):
            return tuple(tuple(one) for one in sorted(bins, key=sum, reverse=True))
    return ()


def bounded_below(seconds: float | None, size: int | None, bandwidth: int | None) -> int | None:
    """What a run takes at least: as long as it was measured, and no shorter than its bytes need at
    the bandwidth (bytes a second). None where neither is known."""
    needs = size / bandwidth if size is not None and bandwidth else None
    known = [one for one in (seconds, needs) if one is not None]
    return math.ceil(max(known)) if known else None


def runs_within(every: int, length: int) -> int:
    """How often something that is due every so many seconds runs in a window; once at least."""
    return max(1, length // every)


def durations(
    tasks: Sequence[tuple[int, int]], begun: Mapping[str, Sequence[int]]
) -> Mapping[str, int]:
    """How long the newest backup of each VM took, of the VMs of one node.

    `tasks` are the begin and end of the node's backup tasks, `begun` says when the backups of each
    VM began (seconds of one epoch). A task's VMs come one after another, so each took until the
    next began, the last until the task's end. What no task covers is left out.
    """
    found: dict[str, tuple[int, int]] = {}
    for first, last in tasks:
        inside = sorted(
            (moment, name)
            for name, moments in begun.items()
            for moment in moments
            if first <= moment <= last
        )
        ends = [*(moment for moment, _ in inside[1:]), last]
        for (moment, name), end in zip(inside, ends, strict=False):  # of none there is an end, too
            if name not in found or found[name][0] < moment:
                found[name] = (moment, end - moment)
    return {name: took for name, (_, took) in found.items()}


def _load(node: str, lane: Lane, duties: Sequence[Duty], length: int, window: Window) -> Load:
    known = [(one.start, one.seconds) for one in duties if one.seconds is not None]
    total = sum(seconds for _, seconds in known)
    ends = 0
    for start, seconds in sorted(known):
        ends = max(ends, start) + seconds
    spread = None
    if ends > length:
        bins = divided([seconds for _, seconds in known], length)
        spread = Spread(
            start=window.clock(length - total) if total <= length else None,
            nodes=None if bins is None else tuple(sorted(map(len, bins), reverse=True)),
            hours=math.ceil(total / 360) / 10,
        )
    return Load(
        node=node,
        lane=lane,
        duties=len(duties),
        seconds=total,
        unknown=tuple(sorted(one.name for one in duties if one.seconds is None)),
        ends=ends,
        longest=max((seconds for _, seconds in known), default=0),
        length=length,
        spread=spread,
    )
