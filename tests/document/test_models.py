"""Models: every fault of theirs has a code, a place and a text of ours."""

from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import Field

from cloudpemda.document import examine, load_bytes, validate
from cloudpemda.document.fields import (
    CountLimit,
    Day,
    Duration,
    Email,
    Line,
    Name,
    Nip,
    Size,
    SizeLimit,
    Strict,
    sized,
)
from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.messages import Lang, explain
from cloudpemda.units import MiB


class Part(Strict):
    word: str = "x"
    deep_key: int = 0


class Whole(Strict):
    text: str = ""
    number: Annotated[int, Field(ge=1, le=9)] = 1
    decimal: Annotated[float, Field(ge=0.5)] = 1
    flag: bool = False
    choice: Literal["one", "two"] = "one"
    part: Part | None = None
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=2)] = (Part(),)
    named: Mapping[Name, Part] = Field(default_factory=dict)
    size: Annotated[Size, sized(MiB(1024), MiB(4096))] = MiB(1024)
    duration: Duration | None = None
    name: Name | None = None
    day: Day | None = None
    email: Email | None = None
    nip: Nip | None = None
    line: Line | None = None
    count: CountLimit | None = None
    limit: SizeLimit | None = None


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(InvalidInput) as caught:
        validate(load_bytes(text.encode(), "f.yaml"), Whole)
    return caught.value.faults


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("text: 1", "document.text-expected", "text"),
        ("text: 8.4", "document.text-expected", "text"),
        ("text: true", "document.text-expected", "text"),
        ("text: null", "document.text-expected", "text"),
        ("text: [a]", "document.text-expected", "text"),
        ("number: x", "document.whole-number-expected", "number"),
        ("number: '1'", "document.whole-number-expected", "number"),
        ("number: 1.0", "document.whole-number-expected", "number"),
        ("number: true", "document.whole-number-expected", "number"),
        ("number: 0", "document.too-small", "number"),
        ("number: 10", "document.too-big", "number"),
        ("decimal: '3'", "document.number-expected", "decimal"),
        ("decimal: true", "document.number-expected", "decimal"),
        ("decimal: 0.4", "document.too-small", "decimal"),
        ("flag: 1", "document.flag-expected", "flag"),
        ("flag: 'true'", "document.flag-expected", "flag"),
        ("choice: three", "document.choice", "choice"),
        ("choice: 3", "document.choice", "choice"),
        ("part: x", "document.mapping-expected", "part"),
        ("parts: x", "document.list-expected", "parts"),
        ("parts: {a: 1}", "document.list-expected", "parts"),
        ("parts: []", "document.too-few", "parts"),
        ("parts: [{}, {}, {}]", "document.too-many", "parts"),
        ("parts: [{}, 7]", "document.mapping-expected", "parts[1]"),
        ("named: [a]", "document.mapping-expected", "named"),
        ("named: {A b: {}}", "document.name", "named.A b"),
        ("named: {a: {wrod: x}}", "document.unknown-key", "named.a.wrod"),
        ("part: {deepkey: 1}", "document.unknown-key", "part.deepkey"),
        ("parts: [{deep_key: 1}]", "document.unknown-key", "parts[0].deep_key"),
        ("size: 8", "unit.missing", "size"),
        ("size: 8 GB", "unit.size", "size"),
        ("size: 8 TiB", "document.too-big", "size"),
        ("size: 8 MiB", "document.too-small", "size"),
        ("size: \uff13 GiB", "unit.size", "size"),  # a wide 3
        ("duration: \u0661m", "unit.duration", "duration"),  # an Arabic 1
        ("duration: 15", "unit.missing", "duration"),
        ("duration: 15 minutes", "unit.duration", "duration"),
        ("name: Ab", "document.name", "name"),
        ("name: -b", "document.name", "name"),
        ("day: 2026-02-30", "document.date", "day"),
        ("day: 1026-02-03", "document.date", "day"),
        ("day: 20", "document.date", "day"),
        ("email: a@b", "document.email", "email"),
        ('nip: "12"', "document.nip", "nip"),
        ('line: "  "', "document.text-empty", "line"),
        ('line: "a\\x1bb"', "document.unprintable", "line"),
        ('line: "a\\u202eb"', "document.unprintable", "line"),
        ("line: \u3164", "document.unprintable", "line"),  # a letter without a shape
        ("line: Sit\u034fi", "document.unprintable", "line"),
        ("line: S" + "\u0301" * 5, "document.unprintable", "line"),
        ("line: \u0301Siti", "document.unprintable", "line"),  # on the sign before it
        (f"line: {'x' * 201}", "document.text-too-long", "line"),
        ("count: lots", "document.limit", "count"),
        ("count: true", "document.limit", "count"),
        ("count: -1", "document.too-small", "count"),
        ("limit: 5", "unit.missing", "limit"),
        ("limit: Unlimited", "unit.size", "limit"),
        ("[]", "document.mapping-expected", None),
        ("x", "document.mapping-expected", None),
    ],
)
def test_each_fault_has_one_code_and_its_place(text: str, code: str, path: str | None) -> None:
    (fault,) = faults_of(text)
    assert (fault.code, fault.path) == (code, path)
    assert (fault.line, fault.file) == (1, "f.yaml")
    languages: tuple[Lang, ...] = ("id", "en")
    for lang in languages:
        what, then = explain(fault.code, lang, fault.values)
        assert "?" not in what + then, "a value of the text is missing"
        assert "Input should" not in what


def test_all_faults_come_together_in_the_order_of_the_text() -> None:
    found = faults_of("number: 0\ntext: no\npart: {\n  wrod: 1,\n  deepKey: x}\nflag: 3\nflag: 4")
    assert [(fault.line, fault.code) for fault in found] == [
        (1, "document.too-small"),
        (2, "document.ambiguous"),
        (4, "document.unknown-key"),
        (5, "document.whole-number-expected"),
        (6, "document.flag-expected"),
        (7, "document.duplicate-key"),
    ]


def test_a_place_that_is_faulty_already_is_not_blamed_twice() -> None:
    assert [fault.code for fault in faults_of("number: *x")] == ["document.alias"]
    assert [fault.code for fault in faults_of("number: !t x")] == ["document.tag"]


def test_an_unknown_key_stands_at_the_key_and_names_the_nearest_first() -> None:
    (fault,) = faults_of("text: x\nnubmer: 3")
    assert (fault.line, fault.column) == (2, 1)
    assert str(fault.values["known"]).startswith("number, ")


def test_a_missing_key_stands_where_its_owner_begins() -> None:
    class Owner(Strict):
        here: Mapping[str, Part]
        needed: int

    source = load_bytes(b"\nhere: {}\n", "f.yaml")
    with pytest.raises(InvalidInput) as caught:
        validate(source, Owner)
    (fault,) = caught.value.faults
    assert (fault.code, fault.line, fault.path) == ("document.missing", 2, "needed")


def test_sound_values_arrive_in_their_units() -> None:
    found = validate(
        load_bytes(
            b"size: 2 GiB\nduration: 15m\nday: 2027-12-31\ncount: unlimited\nlimit: 0 MiB\n"
            b"decimal: 2\nline: >\n  wrapped\n  text\n",
            "f.yaml",
        ),
        Whole,
    )
    assert (found.size, found.duration, found.count, found.limit) == (2048, 900, "unlimited", 0)
    assert (found.line, found.decimal, str(found.day)) == ("wrapped text", 2.0, "2027-12-31")


@pytest.mark.parametrize("words", ["Rumah Sakit \u2764\ufe0f", "Nguye\u0302\u0303n", "ꦱꦶꦠꦶ", "שלום"])
def test_words_of_any_script_are_words(words: str) -> None:
    assert validate(load_bytes(f"line: {words}".encode(), "f.yaml"), Whole).line == words


def test_silent_places_are_left_to_the_caller() -> None:
    examined = examine(load_bytes(b"number: 0\nflag: 3", "f"), Whole, {("number",)})
    assert examined.model is None
    assert [fault.code for fault in examined.faults] == ["document.flag-expected"]


def test_a_private_key_is_never_repeated() -> None:
    pasted = "-----BEGIN OPENSSH PRIVATE KEY----- c2VjcmV0"
    (fault,) = faults_of(f"name: {pasted!r}")
    assert "c2VjcmV0" not in repr(fault)
