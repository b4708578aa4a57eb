"""Where in its document a rule's complaint belongs.

Rules look at the meaning of a request and name a VM (`spec.vms[db].networks`); the reader of the
file wants its line. The document is read once more, since only a refused one needs it.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from cloudpemda.document import DocumentPath, Source, load_bytes
from cloudpemda.document.source import in_order
from cloudpemda.errors import Fault

_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")


def placed(faults: Iterable[Fault], data: bytes, name: str) -> tuple[Fault, ...]:
    """The faults with file, line and column, in the order of the text; a path that the document
    does not have gets the nearest place above it."""
    source = load_bytes(data, name)
    found = []
    for fault in faults:
        place = source.fault(fault.code, _steps(source, fault.path or ""))
        found.append(replace(fault, file=name, line=place.line, column=place.column))
    return in_order(found)


def _steps(source: Source, path: str) -> DocumentPath:
    """`spec.vms[db].image` → ("spec", "vms", 1, "image"), by the name of the list's entry."""
    steps: list[str | int] = []
    for key, named in _STEP.findall(path):
        if key:
            steps.append(key)
            continue
        entries = source.get(*steps)
        names = [one.get("name") if isinstance(one, dict) else None for one in _items(entries)]
        if named not in names:
            break
        steps.append(names.index(named))
    return tuple(steps)


def _items(entries: object) -> tuple[object, ...]:
    return entries if isinstance(entries, tuple) else ()
