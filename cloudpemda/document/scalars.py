"""What a plain (unquoted) word of a document means: less than YAML makes of it.

`true`, `false` and `null` in lower case, whole numbers and decimals are what they seem. Every
other word is text, except those that some reader of YAML 1.1 or 1.2 turns into something else
(`no`, `~`, `1e3`, `0x10`, `0o7`, `12:30`, `.inf`): they are ambiguous, and quotes decide.
A date stays text: the models read it.
"""

import re
from enum import Enum

_NUMBER_LIKE = re.compile(r"[-+]?\.?[0-9]")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_TRAP_NUMBER = re.compile(
    r"""
      [-+]?0[0-9_]+                             # octal in 1.1
    | [-+]?0[xob][0-9a-f_]+                     # hexadecimal, octal, binary
    | [-+]?[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?
    | [-+]?\.[0-9_]+(e[-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*(:[0-9]{1,2})+(\.[0-9_]*)?   # sexagesimal in 1.1: 12:30 is 750
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"-?[1-9][0-9]{14,}(\.[0-9]+)?|-?[0-9]+\.[0-9]{16,}")
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_TRAP_WORDS = frozenset(
    {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", "="}
    | {".inf", "+.inf", "-.inf", ".nan"}
)
_LONGEST_TRAP = max(map(len, _TRAP_WORDS))


class Trap(Enum):
    """What a plain word was found to be instead of a value."""

    AMBIGUOUS = "document.ambiguous"
    EMPTY = "document.empty"
    NUMBER = "document.number"


def plain(word: str) -> str | int | float | bool | Trap | None:
    """The value of an unquoted word, or why it has none."""
    if len(word) > _LONGEST_TRAP and word[0].isalpha():  # most words of most documents
        return word
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _NUMBER_LIKE.match(word):
        return _number(word)
    if not word:
        return Trap.EMPTY
    return Trap.AMBIGUOUS if word.lower() in _TRAP_WORDS else word


def _number(word: str) -> str | int | float | Trap:
    if _WHOLE.fullmatch(word):
        return int(word)
    if _DECIMAL.fullmatch(word):
        return float(word)
    if _LONG_NUMBER.fullmatch(word):
        return Trap.NUMBER
    return Trap.AMBIGUOUS if _TRAP_NUMBER.fullmatch(word) else word
