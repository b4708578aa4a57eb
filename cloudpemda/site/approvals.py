"""Who decides on what, as a site says it: `approvals:` of site.yaml, `delegations:` of people.yaml.

The first rule whose conditions a request meets names the stages of its decision, in order. Without
a rule the request's service class says who decides alone, as `serviceClasses.*.approval`; a request
for quota goes to Diskominfo and then to the leadership.
"""

from collections.abc import Mapping
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

    @property
    def bounds(self) -> Mapping[str, int]:
        """What is looked at; sizes in MiB."""
        said = {"vcpu": self.vcpu, "memory": self.memory, "disk": self.disk}
        return {name: most for name, most in said.items() if most is not None}


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


class QuotaSizes(Sizes):
    """What a request for quota adds; disk of all storage classes."""

    instances: Count | None = None
    backup: Size | None = None
    public_ip: Count | None = None

    @property
    def bounds(self) -> Mapping[str, int]:
        more = {
            "instances": self.instances,
            "backup": self.backup,
            "public_ip": self.public_ip,
        }
        return {
            **super().bounds,
            **{name: most for name, most in more.items() if most is not None},
        }


class QuotaCondition(Strict):
    """What must be so, all of it, of a request for quota; without any it holds for every one."""

    opd: tuple[Name, ...] | None = None
    permanent: bool | None = None  # whether it asks for good
    over: QuotaSizes | None = None  # at least one of these is exceeded
    up_to: QuotaSizes | None = None  # none of these is exceeded


class QuotaRule(Strict):
    name: Name  # stands with each decision that was made under it
    when: QuotaCondition = QuotaCondition()
    stages: Annotated[tuple[StageRule, ...], Field(min_length=1, max_length=5)]


class DayAmount(Strict):
    """Up to how much one OPD gets without a person on one day of the site's zone, by this rule and
    all others together; what is absent is none."""

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
    quota: tuple[QuotaRule, ...] = ()  # for requests for quota
    pending_for: Duration = 30 * 86400  # type: ignore[assignment]  # then a request expires
    warn_before: Duration = 3 * 86400  # type: ignore[assignment]  # before a hold or waiting expires
    # Before a grant or a delegation ends: each of these times is announced once.
    announce_ends: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=9)] = (
        14 * 86400,  # type: ignore[assignment]
        3 * 86400,
    )
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
