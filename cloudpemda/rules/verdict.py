"""What a rule answers: every reason against, and what is worth saying although it is allowed."""

from dataclasses import dataclass

from cloudpemda.errors import Fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one or more rules. Allowed where nothing speaks against it."""

    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.faults

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict((*self.faults, *other.faults), (*self.warnings, *other.warnings))
