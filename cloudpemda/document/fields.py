"""Field types that the models of requests and of the site's files share.

Each refuses with a stable code instead of a library's English sentence: `PydanticCustomError`'s
type is our code, its context the values of the text. Each shows in JSON Schema as what a person
writes (a size is text with a unit), not as what it becomes (MiB).
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from cloudpemda.units import MiB, Seconds, UnitError, parse_duration, parse_size, show_size

JsonSchema = dict[str, Any]

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_IMAGE_NAME = re.compile(r"[a-z]([a-z0-9.-]{0,30}[a-z0-9])?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_NIP = re.compile(r"[0-9]{18}")
# Letters and marks that print, and show nothing: a name of them is empty to whoever reads it, and
# one with them is another than the one it looks like. An emoji's own (U+FE0F) is none of them.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0e\uffa0"
    "\U000e0100-\U000e01ef]"
)
_MOST_MARKS = 4
"""Marks on one letter. More of them reach into the lines above and below; no script needs that."""

_FIRST_YEAR, _LAST_YEAR = 2000, 2100

GREATEST_SIZE = MiB(1024 * 1024 * 1024)
GREATEST_COUNT = 1_000_000
"""What a limit, or what is added to one, may say at most (1024 TiB): beyond it `unlimited` is
meant, or a slip. A database's whole number may have no more than 31 bits."""

_SIZE_PATTERN = r"^[0-9]{1,9} ?(MiB|GiB|TiB)$"
_SIZE_SCHEMA: JsonSchema = {"type": "string", "pattern": _SIZE_PATTERN, "examples": ["8 GiB"]}


class Strict(BaseModel):
    """An immutable model that refuses unknown keys; camelCase outside, snake_case inside."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True
    )
    unknown_key_code: ClassVar[str] = "document.unknown-key"


def _unit(parse: Callable[[str], int]) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, str):
            raise PydanticCustomError("unit.missing", "", {"value": str(value)})
        try:
            return parse(value)
        except UnitError as error:
            raise PydanticCustomError(error.code, "", {"text": value}) from error

    return read


def is_name(text: str) -> bool:
    """Whether `text` may stand where a model has a `Name`."""
    return _NAME.fullmatch(text) is not None


def _matching(pattern: re.Pattern[str], code: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise PydanticCustomError(code, "", {"value": value})
        return value

    return read


def day(value: object) -> date:
    """`2027-12-31` as a date. Raises `document.date` as a model does."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and _FIRST_YEAR <= found.year <= _LAST_YEAR:
            return found
    raise PydanticCustomError("document.date", "", {"value": str(value)})


def _line(value: str) -> str:
    """Free text as one line: folding and wrapping of the document are not its meaning."""
    line = " ".join(value.replace("\n", " ").replace("\t", " ").split(" "))
    line = re.sub(" {2,}", " ", line).strip(" ")
    if not line:
        raise PydanticCustomError("document.text-empty", "", {"value": ""})
    if not line.isprintable() or _is_odd(line):
        raise PydanticCustomError("document.unprintable", "", {"value": value})
    return line


def _is_odd(line: str) -> bool:
    """Whether signs stand in it that nobody sees, or marks on no letter or too many on one."""
    if line.isascii():
        return False
    marks = _MOST_MARKS  # so many that the first sign may be none
    for sign in line:
        marks = marks + 1 if unicodedata.category(sign).startswith("M") else 0
        if marks > _MOST_MARKS:
            return True
    return _UNSEEN.search(line) is not None


def _limit(parse: Callable[[object], int]) -> Callable[[object], int | str]:
    return lambda value: value if value == "unlimited" else parse(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("document.limit", "", {"value": str(value)})
    if value < 0:
        raise PydanticCustomError("document.too-small", "", {"value": str(value), "least": "0"})
    if value > GREATEST_COUNT:
        raise PydanticCustomError(
            "document.too-big", "", {"value": str(value), "most": str(GREATEST_COUNT)}
        )
    return value


def _size_limit(value: object) -> int:
    size = _unit(parse_size)(value)
    if size > GREATEST_SIZE:
        values = {"value": show_size(size), "most": show_size(GREATEST_SIZE)}
        raise PydanticCustomError("document.too-big", "", values)
    return size


def sized(least: MiB, most: MiB) -> AfterValidator:
    """A size from `least` to `most` MiB, both allowed."""

    def check(value: MiB) -> MiB:
        if value < least:
            raise PydanticCustomError(
                "document.too-small", "", {"value": show_size(value), "least": show_size(least)}
            )
        if value > most:
            raise PydanticCustomError(
                "document.too-big", "", {"value": show_size(value), "most": show_size(most)}
            )
        return value

    return AfterValidator(check)


Size = Annotated[MiB, BeforeValidator(_unit(parse_size)), WithJsonSchema(_SIZE_SCHEMA)]
Duration = Annotated[
    Seconds,
    BeforeValidator(_unit(parse_duration)),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,6}[smhd]$", "examples": ["15m"]}),
]
Name = Annotated[
    str,
    AfterValidator(_matching(_NAME, "document.name")),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
ImageName = Annotated[
    str,
    AfterValidator(_matching(_IMAGE_NAME, "document.image-name")),
    WithJsonSchema({"type": "string", "pattern": f"^{_IMAGE_NAME.pattern}$"}),
]
Day = Annotated[
    date,
    BeforeValidator(day),
    WithJsonSchema({"type": "string", "pattern": f"^{_DATE.pattern}$"}),
]
Email = Annotated[
    str,
    AfterValidator(_matching(_EMAIL, "document.email")),
    WithJsonSchema({"type": "string", "pattern": f"^{_EMAIL.pattern}$"}),
]
Nip = Annotated[
    str,
    AfterValidator(_matching(_NIP, "document.nip")),
    WithJsonSchema({"type": "string", "pattern": f"^{_NIP.pattern}$"}),
]
Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_line)]
"""One line of free text of at most 200 characters, printable; wrapped text is unwrapped."""

CountLimit = Annotated[
    int | Literal["unlimited"],
    BeforeValidator(_limit(_count)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": GREATEST_COUNT},
                {"const": "unlimited"},
            ]
        }
    ),
]
SizeLimit = Annotated[
    MiB | Literal["unlimited"],
    BeforeValidator(_limit(_size_limit)),
    WithJsonSchema({"anyOf": [_SIZE_SCHEMA, {"const": "unlimited"}]}),
]
