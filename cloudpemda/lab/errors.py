"""How a simulated PVE server says no: a status, a reason, and for 400 the faults by parameter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from cloudpemda.errors import CloudpemdaError, ExitCode

Found = TypeVar("Found")


@dataclass(eq=False)
class Refused(Exception):
    """An answer other than 200. `message` may have several lines; the reason is the first."""

    status: int
    message: str
    errors: Mapping[str, str] = field(default_factory=dict)
    empty: bool = field(default=False, kw_only=True)

    def __str__(self) -> str:
        return self.message

    @property
    def reason(self) -> str:
        return self.message.split("\n", 1)[0]

    @property
    def nested(self) -> str:
        """As a call tells it that failed for this reason: `400 Parameter verification failed.`"""
        status = "" if self.status == 500 else f"{self.status} "
        return status + self.message + "".join(f"\n{k}: {text}" for k, text in self.errors.items())


def failed(message: str) -> Refused:
    """PVE's plain failure: 500, told apart by its text alone."""
    return Refused(500, message)


def refuse_if(wrong: object, message: str) -> None:
    """Fail plainly when something is wrong: a call's rules then read as a list."""
    if wrong:
        raise failed(message)


def refuse_any(rules: Mapping[str, object]) -> None:
    """Fail with the words of the first rule that is broken."""
    for message, broken in rules.items():
        refuse_if(broken, message)


def found(value: Found | None, message: str) -> Found:
    """The value, or a plain failure where there is none."""
    if value is None:
        raise failed(message)
    return value


def invalid(errors: Mapping[str, str]) -> Refused:
    """Parameters that break their declaration, or that a call refuses as if they did."""
    return Refused(400, "Parameter verification failed.", errors)


def reject_if(wrong: object, parameter: str, message: str) -> None:
    """Refuse one parameter when something is wrong with it."""
    if wrong:
        raise invalid({parameter: message})


def denied(what: str = "") -> Refused:
    return Refused(403, f"Permission check failed{f' ({what})' if what else ''}")


def unauthorised(reason: str) -> Refused:
    """401 to a missing or bad ticket, token or CSRF token: only the reason speaks."""
    return Refused(401, reason, empty=True)


class LabError(CloudpemdaError):
    """The lab itself cannot do what it was asked to: a bad layout, a directory in use."""

    exit_code = ExitCode.INVALID


def first_wrong(error: ValidationError) -> str:
    """The first thing that is wrong with what was read, and where."""
    wrong = error.errors()[0]
    return f"{'.'.join(str(step) for step in wrong['loc'])}: {wrong['msg']}"
