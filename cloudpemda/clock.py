"""Time and randomness, handed in: the one place that reads the machine's clock or its dice.

A site with `clock: lab` reads the time, and waits, through the lab's control port, so that a
simulated year passes in seconds and no test sleeps.
"""

import random
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol

from cloudpemda.errors import Unreachable
from cloudpemda.units import Instant, instant


class Clock(Protocol):
    """The site's time."""

    def now(self) -> Instant: ...

    def sleep(self, seconds: float) -> None:
        """Return when the site's time has moved by `seconds`."""


class Entropy(Protocol):
    """Where identities come from."""

    def uid(self) -> str:
        """A new instance uid: 32 lower-case hex digits."""

    def mac(self) -> str:
        """A new MAC address under Proxmox's own prefix BC:24:11."""

    def fraction(self) -> float:
        """A number in [0, 1) to spread retries."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> Instant:
        return Instant(datetime.now(UTC))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class LabClock:
    """The lab's time, through its control port on loopback.

    Raises Unreachable `clock.lab` where the lab does not answer, or stops while it is waited for.
    """

    def __init__(self, control_url: str, token: str) -> None:
        from cloudpemda.loopback import ControlPort  # a site of its own time does without

        self._port = ControlPort(control_url, token)

    def now(self) -> Instant:
        return instant(float(self._call("/clock")["now"]))

    def sleep(self, seconds: float) -> None:
        self._call("/wait", {"seconds": seconds})

    def _call(self, path: str, body: dict[str, float] | None = None) -> dict[str, float]:
        try:
            found: dict[str, float] = self._port.call(path, body)
        except (OSError, ValueError) as error:
            raise Unreachable("clock.lab", url=self._port.url) from error
        return found


class SystemEntropy:
    """The machine's own randomness."""

    def __init__(self) -> None:
        self._dice = random.SystemRandom()

    def uid(self) -> str:
        return uuid.uuid4().hex

    def mac(self) -> str:
        return _mac(self._dice)

    def fraction(self) -> float:
        return self._dice.random()


class SeededEntropy:
    """Repeatable randomness for tests and storms."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def uid(self) -> str:
        return f"{self._dice.getrandbits(128):032x}"

    def mac(self) -> str:
        return _mac(self._dice)

    def fraction(self) -> float:
        return self._dice.random()


def _mac(dice: random.Random) -> str:
    return "BC:24:11:" + ":".join(f"{dice.randrange(256):02X}" for _ in range(3))


def stopwatch() -> float:
    """Seconds from an arbitrary start: for progress display, benchmarks, and waiting for a lock."""
    return time.monotonic()
