"""Every text by code, in Indonesian and English.

Each module of this folder holds `TEXTS: dict[str, Text]` for one room. Templates are ours and
values are data: a value is only ever substituted, never read as a template, and shown `harmless`.
"""

import locale
import os
import pkgutil
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from string import Formatter
from typing import Any, Literal

Lang = Literal["id", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One message: what happened, and (`next_*`) what the reader can do about it."""

    en: str
    id: str
    next_en: str = ""
    next_id: str = ""

    def of(self, lang: Lang) -> tuple[str, str]:
        return (self.id, self.next_id) if lang == "id" else (self.en, self.next_en)


@cache
def texts() -> Mapping[str, Text]:
    """All texts by code. A code that stands in two modules is a bug and raises."""
    found: dict[str, Text] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for code, text in import_module(f"{__name__}.{module.name}").TEXTS.items():
            if code in found:
                raise ValueError(f"message code {code} stands twice")
            found[code] = text
    return found


class _DataFormatter(Formatter):
    """`str.format` without attribute and index access: a value cannot be looked into."""

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, str]:
        return kwargs.get(field_name, "?"), field_name

    def format_field(self, value: object, format_spec: str) -> str:
        """A value in one line; a template that writes `{commands:lines}` keeps its line ends."""
        if format_spec == "lines":
            return harmless(str(value), keep="\n")
        return harmless(format(value, format_spec))


_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of signs that a terminal obeys or that make a text read otherwise than it stands:
control, format (direction signs among them), surrogate, line and paragraph separator."""


def harmless(text: str, keep: str = "") -> str:
    """The text with each sign that does something written out (`\\x1b`), those in `keep` aside.

    Whoever sends texts from outside to a terminal or a log sends them through here.
    """
    if text.isprintable():
        return text
    return "".join(
        sign.encode("unicode_escape").decode("ascii")
        if sign not in keep and unicodedata.category(sign) in _OBEYED
        else sign
        for sign in text
    )


def say(code: str, lang: Lang, values: Mapping[str, object] | None = None) -> str:
    """The text of a code with its values."""
    return explain(code, lang, values)[0]


def explain(code: str, lang: Lang, values: Mapping[str, object] | None = None) -> tuple[str, str]:
    """The text of a code and its next step (empty where there is none).

    Where one stands under `code/state`, the state among the values chooses it: the way on is
    another for what was denied than for what lives. The code that is told stays the same.
    """
    known = texts()
    text = known.get(f"{code}/{(values or {}).get('state')}") or known[code]
    what, then = text.of(lang)
    fill = _DataFormatter()
    return fill.vformat(what, (), values or {}), fill.vformat(then, (), values or {})


def language(asked: str | None) -> Lang | None:
    """The language asked for, else the locale's; None where neither is one of ours."""
    spoken = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    for candidate in (asked, *spoken, locale.getlocale()[0]):
        match (candidate or "")[:2].lower():
            case "id":
                return "id"
            case "en":
                return "en"
    return None
