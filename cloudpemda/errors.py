"""What can go wrong, as types: each error has a stable code, values for its text, an exit code.

The texts themselves stand in `messages`, by code, so that an error knows no language. Tracebacks
are for bugs only: whatever a person, a file, a rule or a cluster causes is one of these.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar


class ExitCode(IntEnum):
    """How the command line ends (design, section 6)."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INVALID = 3
    REFUSED = 4
    UNREACHABLE = 5
    INCOMPLETE = 6
    FINDINGS = 7


_WORST_FIRST = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.INCOMPLETE,
    ExitCode.UNREACHABLE,
    ExitCode.REFUSED,
    ExitCode.INVALID,
    ExitCode.FINDINGS,
    ExitCode.DONE,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Of several outcomes the one that the process must report; DONE for none."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.DONE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where: a place in a file, or a subject without a file."""

    code: str
    values: Mapping[str, object] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )  # a mapping has no hash: faults that are equal must still find each other in a set
    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None


class CloudpemdaError(Exception):
    """Base of everything that is reported without a traceback.

    `code` is stable and never reused; `values` fill the text of that code in `messages`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What to show, most often one fault."""
        return (Fault(self.code, MappingProxyType(self.values)),)

    def __str__(self) -> str:
        shown = ", ".join(f"{key}={value!r}" for key, value in self.values.items())
        return f"{self.code}({shown})"


class UsageError(CloudpemdaError):
    """The command was called in a way that cannot work."""

    exit_code = ExitCode.USAGE


class InvalidInput(CloudpemdaError):
    """A file or document is wrong; carries all of its faults."""

    exit_code = ExitCode.INVALID

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        if not self._faults:
            raise ValueError("InvalidInput without a fault")
        super().__init__(self._faults[0].code)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self._faults


class Refused(CloudpemdaError):
    """A rule says no. May carry several reasons, each with its own numbers."""

    exit_code = ExitCode.REFUSED

    def __init__(self, code: str, *more: Fault, **values: object) -> None:
        super().__init__(code, **values)
        self._more = more

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (*super().faults, *self._more)


class Unreachable(CloudpemdaError):
    """Something could not be read: unknown, which is not absent. Nothing was changed."""

    exit_code = ExitCode.UNREACHABLE


class Incomplete(CloudpemdaError):
    """Work was begun and can be resumed: `apply` again continues."""

    exit_code = ExitCode.INCOMPLETE
