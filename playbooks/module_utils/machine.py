"""What any machine is asked before it is built: its release and its clock."""

from collections.abc import Iterator
from pathlib import Path


def release() -> dict[str, str]:
    """/etc/os-release as pairs."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {key: text.strip('"') for key, _, text in (line.partition("=") for line in lines)}


def clock(off: float, allowed: float) -> Iterator[str]:
    """What is wrong with a clock that is so many seconds off."""
    if abs(off) > allowed:
        yield (
            f"the clock is {off:.1f} s off, {allowed:g} s are allowed: set it (chronyc makestep, "
            "or timedatectl set-time)"
        )
