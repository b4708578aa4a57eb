"""Field types that the models of requests and of the site's files share.

Each refuses with a stable code instead of a library's English sentence: `PydanticCustomError`'s
type is our code, its context the values of the text.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from cloudpemda.units import MiB, Seconds, UnitError, parse_duration, parse_size

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Strict(BaseModel):
    """An immutable model that refuses unknown keys; camelCase outside, snake_case inside."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True
    )


def _unit(parse: Callable[[str], int]) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, str):
            raise PydanticCustomError("unit.missing", "", {"value": str(value)})
        try:
            return parse(value)
        except UnitError as error:
            raise PydanticCustomError(error.code, "", {"text": value}) from error  # type: ignore[misc]

    return read


def _name(value: object) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise PydanticCustomError("document.name", "", {"value": str(value)})
    return value


def _date(value: object) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("document.date", "", {"value": str(value)})


Size = Annotated[MiB, BeforeValidator(_unit(parse_size))]
Duration = Annotated[Seconds, BeforeValidator(_unit(parse_duration))]
Name = Annotated[str, BeforeValidator(_name)]
Day = Annotated[date, BeforeValidator(_date)]
JsonSchema = dict[str, Any]
