"""Who decides on what, as a site says it: `approvals:` of site.yaml, `delegations:` of people.yaml.

The first rule whose conditions a request meets names the stages of its decision, in order. Without
a rule the request's service class says who decides alone, as `serviceClasses.*.approval`.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cloudpemda.document.fields import Day, Duration, Line, Name, Size, Strict
from cloudpemda.site.fields import Account, LocalMinute

Authority = Literal["opd-head", "diskominfo", "executive"]
"""Whose decision it is: an approver of the OPD, a reviewer of Diskominfo, an approver of all."""

Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Sizes(Strict):
    """Sums over all VMs of a request; a size that is absent is not looked at."""

    vcpu: Count | None = None
    memory: Size | None = None
    disk: Size | None = None  # of all storage classes, without copies


class Condition(Strict):
    """What must be so, all of it, for a rule to hold; without any it holds for every request."""

    service_class: tuple[Name, ...] | None = None
    opd: tuple[Name, ...] | None = None
    public_ip: bool | None = None  # whether it asks for a public address
    drc: bool | None = None  # whether its class is recovered at another site
    over: Sizes | None = None  # at least one of these is exceeded
    up_to: Sizes | None = None  # none of these is exceeded


class StageRule(Strict):
    """So many different persons of one kind decide."""

    who: Authority
    of: Annotated[int, Field(ge=1, le=9)] = 1


class ApprovalRule(Strict):
    name: Name  # stands with each decision that was made under it
    when: Condition = Condition()
    stages: Annotated[tuple[StageRule, ...], Field(min_length=1, max_length=5)]


class DayAmount(Strict):
    """How much one OPD gets of a rule on one day of the site's zone; what is absent is none."""

    instances: Count
    vcpu: Count
    memory: Size
    disk: Size  # of all storage classes, copies included
    public_ip: Count = 0


class AutomaticRule(Strict):
    name: Name
    when: Condition
    per_day: DayAmount


class Approvals(Strict):
    """How decisions are made, and how long they are waited for."""

    rules: tuple[ApprovalRule, ...] = ()
    automatic: tuple[AutomaticRule, ...] = ()
    pending_for: Duration = 30 * 86400  # type: ignore[assignment]  # then a request expires
    warn_before: Duration = 3 * 86400  # type: ignore[assignment]  # before something expires
    # What becomes of an approval when somebody who gave it has lost the role before it is applied.
    removed_approver: Literal["void", "keep"] = "void"


class DelegationLetter(Strict):
    number: Line
    date: Day


class Delegation(Strict):
    """Somebody stands in for somebody else: Plt (post vacant) or Plh (holder away), by letter."""

    from_: Account = Field(alias="from")
    to: Account
    as_: Literal["plt", "plh"] = Field(alias="as")
    role: Literal["approver", "reviewer"]
    opd: Name | None = None  # None: for every OPD that the delegator decides for
    letter: DelegationLetter
    since: LocalMinute
    until: LocalMinute  # excluded: at this minute it is over

    @model_validator(mode="after")
    def _has_a_duration(self) -> Self:
        if self.until <= self.since:
            raise PydanticCustomError("site.delegation-order", "", {})
        return self

    def covers(self, local: datetime, opd: str) -> bool:
        """Whether it holds for the OPD at a moment of the site's zone (without its offset)."""
        return self.opd in (None, opd) and self.since <= local < self.until
