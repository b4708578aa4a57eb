"""A document's values against a pydantic model, its faults in our codes and at their places.

The library's own sentences never reach anyone: each of its error types stands in `_CODES`, and
the checks of our own field types raise `PydanticCustomError` with our code as type.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from heapq import nsmallest
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cloudpemda.document.fields import Strict
from cloudpemda.document.source import MOST_FAULTS, Path, Position, Source, first_of, shown
from cloudpemda.errors import Fault, InvalidInput

M = TypeVar("M", bound=Strict)
Values = dict[str, object]

_CHOICE = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Examined(Generic[M]):
    """What came of one document: the model, unless there are faults."""

    model: M | None
    faults: tuple[Fault, ...]


def validate(source: Source, model: type[M]) -> M:
    """Return the document as `model`. Raises InvalidInput with all of its faults."""
    examined = examine(source, model)
    if examined.model is None:
        raise InvalidInput(examined.faults)
    return examined.model


def examine(source: Source, model: type[M], silent_at: Collection[Path] = ()) -> Examined[M]:
    """Like `validate`, but hands the faults over, for callers that go on looking.

    Model faults at or below `silent_at` are left out: the caller says better what is wrong there.
    """
    if not source.readable:
        return Examined(None, source.faults)
    try:
        # Documents know the outside names only; the inside ones are for code.
        found = model.model_validate(source.data, by_alias=True, by_name=False)
    except ValidationError as error:
        details = [
            detail
            for detail in error.errors(include_url=False)
            if not _covered(detail, source, silent_at)
        ]
        # Only what will be told is worth being worded.
        nearest = nsmallest(MOST_FAULTS + 1, details, key=lambda detail: _place(source, detail))
        told = (_fault(source, model, detail) for detail in nearest)
        return Examined(None, first_of([*source.faults, *told]))
    return Examined(None if source.faults else found, source.faults)


def _covered(detail: ErrorDetails, source: Source, silent_at: Collection[Path]) -> bool:
    """Whether something better is said of the place, or nothing is wrong there after all."""
    place, kind = detail["loc"], detail["type"]
    if any(place[: len(path)] == path for path in silent_at):
        return True
    if kind == "too_short":  # the library does not count entries that have faults of their own
        return bool(len(detail["input"]) >= detail["ctx"]["min_length"])
    if kind == "extra_forbidden":
        return False
    return any(place[: len(path)] == path for path in source.faulty)


def _place(source: Source, detail: ErrorDetails) -> Position:
    return source.place(detail["loc"], at_key=detail["type"] == "extra_forbidden")


def _fault(source: Source, model: type[Strict], detail: ErrorDetails) -> Fault:
    place = detail["loc"]
    kind = detail["type"]
    context = detail.get("ctx", {})
    at_key = False
    if place and place[-1] == "[key]":
        place, at_key = place[:-1], True
    if kind == "extra_forbidden":
        key = str(place[-1])
        known = _keys(model, place[:-1])
        near = get_close_matches(key, known, n=len(known), cutoff=0)
        return source.fault(
            model.unknown_key_code, place, at_key=True, key=shown(key), known=", ".join(near)
        )
    if kind == "missing":
        return source.fault("document.missing", place, key=str(place[-1]))
    if "." in kind:
        said = {name: shown(value) for name, value in context.items()}
        return source.fault(kind, place, at_key=at_key, **said)
    code, tell = _CODES.get(kind, _OTHER)
    told: Values = {"value": shown(detail["input"]), **tell(context)}
    return source.fault(code, place, at_key=at_key, **told)


def _keys(model: type[BaseModel], place: Path) -> list[str]:
    """The keys that the schema knows at a place."""
    kind: Any = model
    for step in place:
        kind = _model_in(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            by_key = {field.alias or name: field for name, field in kind.model_fields.items()}
            kind = by_key[str(step)].annotation
        else:  # a mapping's value or a list's item
            kind = get_args(kind)[-1 if isinstance(step, str) else 0]
    kind = _model_in(kind)
    return [field.alias or name for name, field in kind.model_fields.items()]


def _model_in(kind: Any) -> Any:
    """The type behind annotations and `| None`."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return kind


Tell = Callable[[Mapping[str, Any]], Values]


def _nothing(_context: Mapping[str, Any]) -> Values:
    return {}


def _one(name: str, key: str) -> Tell:
    return lambda context: {name: context[key]}


def _choices(context: Mapping[str, Any]) -> Values:
    return {"choices": ", ".join(_CHOICE.findall(str(context["expected"])))}


_OTHER: tuple[str, Tell] = ("document.not-accepted", _nothing)
_CODES: Mapping[str, tuple[str, Tell]] = {
    "string_type": ("document.text-expected", _nothing),
    "int_type": ("document.whole-number-expected", _nothing),
    "float_type": ("document.number-expected", _nothing),
    "bool_type": ("document.flag-expected", _nothing),
    "model_type": ("document.mapping-expected", _nothing),
    "dict_type": ("document.mapping-expected", _nothing),
    "mapping_type": ("document.mapping-expected", _nothing),
    "tuple_type": ("document.list-expected", _nothing),
    "literal_error": ("document.choice", _choices),
    "greater_than_equal": ("document.too-small", _one("least", "ge")),
    "less_than_equal": ("document.too-big", _one("most", "le")),
    "too_short": ("document.too-few", _one("least", "min_length")),
    "too_long": ("document.too-many", _one("most", "max_length")),
    "string_too_short": ("document.text-empty", _nothing),
    "string_too_long": ("document.text-too-long", _one("most", "max_length")),
}
