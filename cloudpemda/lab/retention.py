"""Which backups of a guest are kept, by PVE's and PBS's rules.

Each rule keeps the newest backup of so many of its periods, of those periods that no rule before it
has a backup of. Protected ones are never removed, and count for no rule.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

PERIODS = {
    "keep-last": "%Y-%m-%d %H:%M:%S", "keep-hourly": "%Y-%m-%d %H", "keep-daily": "%Y-%m-%d",
    "keep-weekly": "%G-%V", "keep-monthly": "%Y-%m", "keep-yearly": "%Y",
}  # fmt: skip


class Dated(Protocol):
    @property
    def ctime(self) -> float: ...

    @property
    def protected(self) -> bool: ...


def marks(backups: Sequence[Dated], keep: dict[str, str]) -> list[str]:
    """`keep`, `remove` or `protected` for each of a guest's backups, which come newest first."""
    marks = ["protected" if volume.protected else "" for volume in backups]
    for name, form in PERIODS.items():
        if not int(keep.get(name, 0)):
            continue
        periods = [f"{datetime.fromtimestamp(volume.ctime, UTC):{form}}" for volume in backups]
        covered = {period for period, mark in zip(periods, marks, strict=True) if mark == "keep"}
        until = len(covered) + int(keep.get(name, 0))
        for number, period in enumerate(periods):
            if not marks[number] and period not in covered and len(covered) < until:
                covered.add(period)
                marks[number] = "keep"
    everything = not any(int(keep.get(name, 0)) for name in PERIODS)
    return [mark or ("keep" if everything else "remove") for mark in marks]
