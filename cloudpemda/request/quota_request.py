"""`kind: QuotaRequest`: more quota for an OPD, for a time or for good, and what it means.

It is handed in, decided and kept like a request for VMs; its approval writes grants, which raise
the limits of the site's files. The dimensions are written as in an OPD's file.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from cloudpemda.document.fields import (
    GREATEST_SIZE,
    Day,
    JsonSchema,
    Line,
    Name,
    Size,
    Strict,
    day,
    sized,
)
from cloudpemda.request.schema import Metadata
from cloudpemda.request.spec import Letter, Requester
from cloudpemda.units import MiB

KIND = "QuotaRequest"
PERMANENT = "permanent"

_Count = Annotated[int, Field(ge=1, le=10_000)]
_Size = Annotated[Size, sized(MiB(1), GREATEST_SIZE)]


class _Model(Strict):
    unknown_key_code: ClassVar[str] = "request.unknown-key"


def _end(value: object) -> object:
    return None if value == PERMANENT else day(value)


End = Annotated[
    date | None,
    BeforeValidator(_end),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
                {"const": PERMANENT},
            ]
        }
    ),
]


class AddModel(_Model):
    """What shall be added to the limits; what is left out stays as it is."""

    instances: _Count | None = None
    vcpu: _Count | None = None
    memory: _Size | None = None
    disk: Mapping[Name, _Size] = Field(default_factory=dict)
    backup: _Size | None = None
    public_ip: _Count | None = Field(default=None, alias="public_ip")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.amounts:
            raise PydanticCustomError("quota-request.nothing", "", {})
        return self

    @property
    def amounts(self) -> Mapping[str, int]:
        """Dimension (`disk.ssd`) → amount, sizes in MiB."""
        said = {
            "instances": self.instances,
            "vcpu": self.vcpu,
            "memory": self.memory,
            "backup": self.backup,
            "public_ip": self.public_ip,
            **{f"disk.{name}": size for name, size in self.disk.items()},
        }
        return MappingProxyType({name: value for name, value in said.items() if value is not None})


class QuotaSpecModel(_Model):
    purpose: Line
    add: AddModel
    from_: Day | None = Field(
        default=None, alias="from", description="First day; absent: from the decision on."
    )
    until: End = Field(description="Last day, or permanent.")


class QuotaRequest(_Model):
    """A request for quota, as an OPD writes it."""

    api_version: Literal["cloudpemda/v1"]
    kind: Literal["QuotaRequest"]
    metadata: Metadata
    spec: QuotaSpecModel


@dataclass(frozen=True)
class QuotaSpec:
    """The meaning of one request for quota, e.g. `dinkes/tambahan-2027`."""

    opd: str
    name: str
    purpose: str
    add: tuple[tuple[str, int], ...]  # dimension and amount (MiB for sizes), by dimension
    start: date | None  # first day, in the site's zone; None: from the decision on
    until: date | None  # last day; None: permanent
    letter: Letter
    requester: Requester

    @property
    def key(self) -> str:
        return f"{self.opd}/{self.name}"

    @property
    def amounts(self) -> Mapping[str, int]:
        return MappingProxyType(dict(self.add))

    @cached_property
    def canonical_json(self) -> str:
        """One text for one meaning: sorted keys, no spaces, dates as ISO."""
        return json.dumps(
            asdict(self), sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False
        )

    @cached_property
    def spec_hash(self) -> str:
        """SHA-256 of the canonical form, hex."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()


def meaning_of(request: QuotaRequest) -> QuotaSpec:
    """The canonical form of a valid document."""
    about, spec, who = request.metadata, request.spec, request.metadata.requester
    return QuotaSpec(
        opd=about.opd,
        name=about.name,
        purpose=spec.purpose,
        add=tuple(sorted(spec.add.amounts.items())),
        start=spec.from_,
        until=spec.until,
        letter=Letter(about.letter.number, about.letter.date),
        requester=Requester(who.name, who.nip, who.position, who.email),
    )


def quota_from_json(text: str) -> QuotaSpec:
    """Read back what `canonical_json` wrote (the ledger keeps it)."""
    raw = json.loads(text)
    return QuotaSpec(
        opd=raw["opd"],
        name=raw["name"],
        purpose=raw["purpose"],
        add=tuple((dimension, amount) for dimension, amount in raw["add"]),
        start=_day(raw["start"]),
        until=_day(raw["until"]),
        letter=Letter(raw["letter"]["number"], date.fromisoformat(raw["letter"]["date"])),
        requester=Requester(**raw["requester"]),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def quota_json_schema() -> JsonSchema:
    """JSON Schema (draft 2020-12) of a request for quota, for editors."""
    schema = QuotaRequest.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
