"""What ZFS takes as the most memory of its cache.

Its kernel module takes `zfs_arc_max` only from 64 MiB on, below the machine's memory and above
`zfs_arc_min`, which is 1/32 of the memory where nobody set it. What does not fit it leaves aside
without a word: at a start that is a line in the kernel's log at best.
"""

import re
from collections.abc import Iterator
from pathlib import Path

GIB = 1024**3

_LEAST = 32 * 1024**2
"""No `zfs_arc_min` is below it, be it set or ZFS's own."""
_SET = re.compile(r"^\s*options\s+zfs\s(?P<settings>.*)$")


def memory() -> int:
    """Bytes of memory that this machine's kernel manages."""
    said = Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.findall(r"^MemTotal:\s+(\d+) kB", said, re.MULTILINE)[0]) * 1024


def unfit(gib: int, total: int) -> Iterator[str]:
    """What is wrong with so many GiB on a machine of `total` bytes, with what to do next."""
    if 0 < gib * GIB < total:
        return
    fits = max(1, total // GIB // 10)  # a tenth, as the vendor's installer sets it
    if fits * GIB >= total:
        yield (
            f"storage_arc_gib cannot be met: this machine has {total // 1024**2} MiB of memory, a "
            "pool needs more than 1 GiB for its cache alone"
        )
        return
    yield (
        f"storage_arc_gib is {gib}, this machine has {total / GIB:.1f} GiB of memory: ZFS would "
        f"leave that limit aside. Write storage_arc_gib: {fits} for it"
    )


def least(text: str, total: int) -> int:
    """The least bytes of the cache that hold with these lines of modprobe.d."""
    found = 0
    for line in text.splitlines():
        said = _SET.match(line)
        for word in said["settings"].split() if said else ():
            name, _, value = word.partition("=")
            if name == "zfs_arc_min" and value.isdigit():
                found = int(value)
    return found if found >= _LEAST else max(total // 32, _LEAST)


def limited(text: str, wanted: int, total: int) -> str:
    """These lines with `wanted` bytes as the most, and with less as the least where that would
    stand in the way. What else they say stays."""
    drop = {"zfs_arc_max"} | ({"zfs_arc_min"} if least(text, total) >= wanted else set())
    own = [f"zfs_arc_{name}={value}" for name, value in (("min", wanted // 2), ("max", wanted))]
    added = [f"options zfs {one}" for one in own if one.partition("=")[0] in drop]
    kept = [line for line in text.splitlines() if line not in added]
    there = [line for line in text.splitlines() if line in added]
    without = [one for one in (_without(line, drop) for line in kept) if one is not None]
    if there == added and without == kept:
        return text
    return "".join(f"{line}\n" for line in (*without, *added))


def _without(line: str, names: set[str]) -> str | None:
    """A line without settings of these names; None where nothing is left of it."""
    said = _SET.match(line)
    words = said["settings"].split() if said else []
    left = [word for word in words if word.partition("=")[0] not in names]
    if left == words:
        return line
    return f"options zfs {' '.join(left)}" if left else None
