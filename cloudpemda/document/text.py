"""Bytes to text: UTF-8 without a byte order mark, control or invisible direction characters."""

import re
from types import MappingProxyType

from cloudpemda.errors import Fault

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Controls except tab and line feed (and the carriage return before one), surrogates' neighbours,
# line separators that YAML would break at, and the marks that make text read otherwise than it is.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ufeff\ufffe\uffff]|\r(?!\n)"
)
_MOST = 20


def decode(data: bytes, name: str) -> tuple[str, tuple[Fault, ...]]:
    """The text and no fault, or no text and the faults."""
    if data.startswith(_BYTE_ORDER_MARKS):
        return "", (Fault("document.byte-order-mark", file=name, line=1, column=1),)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line_start = before.rfind(b"\n") + 1
        return "", (
            Fault(
                "document.not-utf8",
                MappingProxyType({"offset": error.start, "byte": f"0x{data[error.start]:02x}"}),
                file=name,
                line=before.count(b"\n") + 1,
                column=len(before[line_start:].decode("utf-8")) + 1,
            ),
        )
    return text, tuple(
        _forbidden(text, found, name)
        for _, found in zip(range(_MOST), _FORBIDDEN.finditer(text), strict=False)
    )


def _forbidden(text: str, found: re.Match[str], name: str) -> Fault:
    start = found.start()
    return Fault(
        "document.control-character",
        MappingProxyType({"character": f"U+{ord(text[start]):04X}"}),
        file=name,
        line=text.count("\n", 0, start) + 1,
        column=start - text.rfind("\n", 0, start),
    )
