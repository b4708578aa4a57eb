"""YAML events to plain values with positions; what is refused is refused at its event."""

from pathlib import Path as FilePath
from types import MappingProxyType

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from cloudpemda.document import files, text
from cloudpemda.document.scalars import Trap, plain
from cloudpemda.document.source import (
    MOST_FAULTS,
    Path,
    Position,
    Source,
    first_of,
    show_path,
    shown,
)
from cloudpemda.errors import Fault, InvalidInput

DEEPEST = 20
"""Levels of nesting. A request needs six."""

MOST_VALUES = 10_000
"""Values in one document. A request has about a hundred, a site file some thousand."""

# What libyaml says of broken syntax → our code. The first that is contained counts.
_SYNTAX = (
    ("cannot start any token", "document.stray-character"),
    ("unexpected end of stream", "document.open-quote"),
    ("mapping values are not allowed", "document.colon"),
    ("expected ',' or ']'", "document.open-bracket"),
    ("expected ',' or '}'", "document.open-bracket"),
    ("did not find expected key", "document.indentation"),
    ("did not find expected '-' indicator", "document.indentation"),
    ("could not find expected ':'", "document.indentation"),
    ("block sequence entries are not allowed", "document.indentation"),
    ("escape", "document.escape"),
)
_OPENED = frozenset({"document.open-quote", "document.open-bracket"})


def load(path: FilePath, name: str | None = None) -> Source:
    """Read one file; `name` (the path) is what faults call it. Never raises for its content."""
    called = name if name is not None else str(path)
    try:
        data = files.read_regular(path, called)
    except InvalidInput as error:
        return _unreadable(called, error.faults)
    return load_bytes(data, called)


def load_bytes(data: bytes, name: str) -> Source:
    """Read one document from memory; `name` is what faults call it. Never raises."""
    if len(data) > files.LARGEST:
        return _unreadable(name, (files.too_big(name),))
    written, faults = text.decode(data, name)
    if faults:
        return _unreadable(name, faults)
    return _Reading(name, written).run()


def _unreadable(name: str, faults: tuple[Fault, ...]) -> Source:
    nowhere: MappingProxyType[Path, Position] = MappingProxyType({})
    return Source(name, None, faults, False, nowhere, nowhere, frozenset())


def _at(event: Event) -> Position:
    mark = event.start_mark
    assert mark is not None  # noqa: S101 - libyaml marks every event
    return mark.line + 1, mark.column + 1


class _Stop(Exception):
    """Nothing more can be read."""


class _Reading:
    """One pass over the events of one document."""

    def __init__(self, name: str, written: str) -> None:
        self._name = name
        self._events = CParser(written)
        self._faults: list[Fault] = []
        self._values_at: dict[Path, Position] = {}
        self._keys_at: dict[Path, Position] = {}
        self._faulty: set[Path] = set()
        self._values = 0

    def run(self) -> Source:
        data: object = None
        readable = False
        try:
            data = self._document()
            readable = True
        except _Stop:
            pass
        except yaml.YAMLError as error:
            self._faults.append(self._syntax(error))
        finally:
            self._events.dispose()
        return Source(
            self._name,
            data,
            first_of(self._faults),
            readable,
            self._values_at,
            self._keys_at,
            frozenset(self._faulty),
        )

    def _document(self) -> object:
        event = self._next()
        while isinstance(event, StreamStartEvent):
            event = self._next()
        if not isinstance(event, DocumentStartEvent):
            self._fault("document.empty-file", event, ())
            raise _Stop
        if event.version or event.tags:
            self._fault("document.directive", event, ())
        data = self._value(self._next(), (), 0)
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, StreamEndEvent):
            self._fault("document.several", event, ())
        return data

    def _next(self) -> Event:
        event = self._events.get_event()
        assert event is not None  # noqa: S101 - none comes only after the stream's end
        return event

    def _count(self, event: Event) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            self._fault("document.too-many-values", event, (), most=MOST_VALUES)
            raise _Stop

    def _value(self, event: Event, path: Path, depth: int) -> object:
        self._count(event)
        self._values_at[path] = _at(event)
        if isinstance(event, AliasEvent):
            self._fault("document.alias", event, path, name=shown(event.anchor))
            self._faulty.add(path)
            return None
        if isinstance(event, ScalarEvent):
            self._undecorated(event, path)
            return self._scalar(event, path)
        assert isinstance(event, CollectionStartEvent)  # noqa: S101 - the grammar has no other
        self._undecorated(event, path)
        if depth >= DEEPEST:
            self._fault("document.too-deep", event, path[:3], deepest=DEEPEST)
            raise _Stop
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth + 1)
        return self._sequence(path, depth + 1)

    def _undecorated(self, event: ScalarEvent | CollectionStartEvent, path: Path) -> None:
        if event.anchor is not None:
            self._fault("document.anchor", event, path, name=shown(event.anchor))
        if event.tag is not None:
            self._fault("document.tag", event, path, tag=shown(event.tag))
            self._faulty.add(path)

    def _scalar(self, event: ScalarEvent, path: Path) -> object:
        word: str = event.value
        if not event.implicit[0]:  # quoted, or a block of text
            return word
        value = plain(word)
        if isinstance(value, Trap):
            self._faulty.add(path)
            at = self._values_at[path]
            if value is Trap.EMPTY:  # libyaml puts what is not there on the next line
                at = self._keys_at.get(path, at)
            self._fault_at(value.value, at, path, word=shown(word))
            return word
        return value

    def _sequence(self, path: Path, depth: int) -> tuple[object, ...]:
        found: list[object] = []
        while True:
            event = self._next()
            if isinstance(event, SequenceEndEvent):
                return tuple(found)
            found.append(self._value(event, (*path, len(found)), depth))

    def _mapping(self, path: Path, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while True:
            event = self._next()
            if isinstance(event, MappingEndEvent):
                return found
            key = self._key(event, path, depth)
            if key is None:
                self._skip(self._next(), path, depth)
                continue
            here = (*path, key)
            if key in found:
                line = self._keys_at[here][0]
                self._fault("document.duplicate-key", event, here, key=shown(key), line=line)
                self._skip(self._next(), path, depth)
                continue
            self._keys_at[here] = _at(event)
            found[key] = self._value(self._next(), here, depth)

    def _skip(self, event: Event, path: Path, depth: int) -> None:
        """Pass over a value that belongs to nothing."""
        inside = 0
        while True:
            if isinstance(event, CollectionStartEvent):
                inside += 1
                if depth + inside > DEEPEST:
                    self._fault("document.too-deep", event, path[:3], deepest=DEEPEST)
                    raise _Stop
            elif isinstance(event, CollectionEndEvent):
                inside -= 1
            if not inside:
                return
            event = self._next()

    def _key(self, event: Event, path: Path, depth: int) -> str | None:
        """The key's text; None, with a fault, where it is no text of its own."""
        if not isinstance(event, ScalarEvent):
            self._fault("document.key", event, path)
            self._skip(event, path, depth)
            return None
        word: str = event.value
        here = (*path, word)
        if event.anchor is not None:
            self._fault("document.anchor", event, here, name=shown(event.anchor))
        if event.tag is not None:
            self._fault("document.tag", event, here, tag=shown(event.tag))
            return None
        if not event.implicit[0]:
            return word
        if word == "<<":
            self._fault("document.merge-key", event, path)
            return None
        value = plain(word)
        if isinstance(value, str):
            return word
        code = value.value if isinstance(value, Trap) else "document.key"
        self._fault(code, event, here, word=shown(word))
        return None

    def _fault(self, code: str, event: Event, path: Path, **values: object) -> None:
        self._fault_at(code, _at(event), path, **values)

    def _fault_at(self, code: str, at: Position, path: Path, **values: object) -> None:
        line, column = at
        self._faults.append(
            Fault(code, MappingProxyType(values), self._name, line, column, show_path(path) or None)
        )
        if len(self._faults) > MOST_FAULTS:
            raise _Stop

    def _syntax(self, error: yaml.YAMLError) -> Fault:
        """libyaml's complaint as ours: its sentence picks the code, and is not shown."""
        sentence = str(getattr(error, "problem", "") or "")
        code = next((code for part, code in _SYNTAX if part in sentence), "document.syntax")
        # What was opened and never closed is told where it was opened.
        which = "context_mark" if code in _OPENED else "problem_mark"
        mark = getattr(error, which, None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return Fault(code, file=self._name, line=line, column=column)
