"""Reading: what is refused, where, and that one fault hides no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.document import Source, load_bytes, show_path, shown
from cloudpemda.document.reader import DEEPEST, MOST_VALUES
from cloudpemda.document.source import MOST_FAULTS
from cloudpemda.messages import texts


def told(text: str | bytes) -> list[tuple[str, int | None, int | None, str | None]]:
    data = text.encode() if isinstance(text, str) else text
    faults = load_bytes(data, "f.yaml").faults
    return [(fault.code, fault.line, fault.column, fault.path) for fault in faults]


def data_of(text: str) -> object:
    source = load_bytes(text.encode(), "f.yaml")
    assert source.faults == ()
    return source.data


def test_values_are_plain_and_lists_are_tuples() -> None:
    assert data_of("a: {b: [1, -2, 0.5, true, false, null, x, 'y', \"z\"]}") == {
        "a": {"b": (1, -2, 0.5, True, False, None, "x", "y", "z")}
    }


@pytest.mark.parametrize(
    "word",
    ["2026-11-20", "10.10.110.1", "10.0.0.0/24", "8 GiB", "1.2.3", "v1", "a:b", "24h", "-x",
     "None", "nullable", "offline", "yesterday", "1e3x", "BC:24:11:00:00:01"],
)  # fmt: skip
def test_other_plain_words_are_text(word: str) -> None:
    assert data_of(f"a: {word}") == {"a": word}


TRAPS = [
    "yes", "no", "on", "off", "Yes", "NO", "True", "TRUE", "FALSE", "y", "N", "~", "Null", "NULL",
    "1e3", "1E3", "1.5e3", "+5", "0x10", "0o7", "0b1", "010", "00", "1_000", "12:30", "1:2:3",
    "190:20:30.15", ".inf", "-.inf", "+.INF", ".nan", ".NaN", ".5", "5.", "+.5", "-0x1F", "=",
]  # fmt: skip


@pytest.mark.parametrize("word", TRAPS)
def test_words_that_other_readers_coerce_are_ambiguous(word: str) -> None:
    assert told(f"a: {word}") == [("document.ambiguous", 1, 4, "a")]
    assert data_of(f"a: '{word}'") == {"a": word}, "quotes decide"


@pytest.mark.parametrize("word", [*TRAPS, "1", "true", "null", "0.5"])
def test_a_key_is_a_word(word: str) -> None:
    expected = "document.ambiguous" if word in TRAPS else "document.key"
    assert [fault[0] for fault in told(f"{word}: 1")] == [expected]


@pytest.mark.parametrize("digits", [18, 19, 400, 100_000])
def test_long_numbers_do_not_become_numbers(digits: int) -> None:
    if digits <= 18:
        assert data_of("a: " + "7" * digits) == {"a": int("7" * digits)}
    else:
        assert told("a: " + "7" * digits) == [("document.number", 1, 4, "a")]


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "path"),
    [
        ("a: &x 1", "document.anchor", 1, 4, "a"),
        ("b: 1\na: *x", "document.alias", 2, 4, "a"),
        ("a: !!str 1", "document.tag", 1, 4, "a"),
        ("a: ! 1", "document.tag", 1, 4, "a"),
        ('a: !!python/object/apply:os.system ["id"]', "document.tag", 1, 4, "a"),
        ("a: !vault x", "document.tag", 1, 4, "a"),
        ("!t a: 1", "document.tag", 1, 1, "a"),
        ("&k a: 1", "document.anchor", 1, 1, "a"),
        ("<<: {a: 1}", "document.merge-key", 1, 1, None),
        ("%YAML 1.1\n---\na: 1", "document.directive", 1, 1, None),
        ("a: 1\n---\nb: 1", "document.several", 2, 1, None),
        ("a: 1\n...\n---\nb: 1", "document.several", 3, 1, None),
        ("a: 1\nb: 2\na: 3", "document.duplicate-key", 3, 1, "a"),
        ("a: 1\n'a': 3", "document.duplicate-key", 2, 1, "a"),
        ("? [a]\n: 1", "document.key", 1, 3, None),
        ("a: {{ x }}", "document.key", 1, 5, "a"),
        ("{*x : 1}", "document.key", 1, 2, None),
        ("a:\n  b:\n  c: 1", "document.empty", 2, 3, "a.b"),
        ("a: [1, ]\nb: [~]", "document.ambiguous", 2, 5, "b[0]"),
        ("", "document.empty-file", 1, 1, None),
        ("# only a comment\n", "document.empty-file", 2, 1, None),
        ("a: [1, 2", "document.open-bracket", 1, 4, None),
        ("x: 1\na: {b: 1\nc: 2", "document.open-bracket", 2, 4, None),
        ('a: "b\n\n', "document.open-quote", 1, 4, None),
        ("a: b: c", "document.colon", 1, 5, None),
        ("a:\n\tb: 1", "document.stray-character", 2, 1, None),
        ("a: @x", "document.stray-character", 1, 4, None),
        ("a: 1\nb\nc: 2", "document.indentation", 3, 1, None),
        ('a: "\\q"', "document.escape", 1, 5, None),
        ("a: |x\n", "document.syntax", 1, 5, None),
    ],
)
def test_what_yaml_can_do_and_requests_may_not(
    text: str, code: str, line: int, column: int, path: str | None
) -> None:
    assert (code, line, column, path) in told(text)


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"a: \xff", "document.not-utf8", 1, 4),
        ("é: 1\nb: ".encode() + b"\xc3(", "document.not-utf8", 2, 4),
        (b"a: \xed\xa0\x80", "document.not-utf8", 1, 4),  # a surrogate
        ("\ufeffa: 1".encode(), "document.byte-order-mark", 1, 1),
        ("a: 1".encode("utf-16"), "document.byte-order-mark", 1, 1),
        (b"a: 1\n\x00", "document.control-character", 2, 1),
        (b"a: x\x1b[31m", "document.control-character", 1, 5),
        (b"a: x\ry", "document.control-character", 1, 5),
        ("a: x\u202ey".encode(), "document.control-character", 1, 5),
        ("a: x\u2028y".encode(), "document.control-character", 1, 5),
    ],
)
def test_bytes_that_are_no_clean_text(data: bytes, code: str, line: int, column: int) -> None:
    assert told(data) == [(code, line, column, None)]


def test_windows_line_ends_are_fine() -> None:
    assert data_of("a: 1\r\nb: x\r\n") == {"a": 1, "b": "x"}


def test_not_utf8_names_the_byte_offset() -> None:
    (fault,) = load_bytes("é: 1\nb: ".encode() + b"\xff", "f").faults
    assert fault.values == {"offset": 9, "byte": "0xff"}


def test_one_fault_hides_no_other_and_they_come_in_order() -> None:
    found = told("a: no\na: 2\nb: *x\nc: !t [~, 1e3]\n? {q: 0x1}\n: 3\nd: @")
    assert [(fault[0], fault[1]) for fault in found] == [
        ("document.ambiguous", 1),
        ("document.duplicate-key", 2),
        ("document.alias", 3),
        ("document.tag", 4),
        ("document.ambiguous", 4),
        ("document.ambiguous", 4),
        ("document.key", 5),
        ("document.stray-character", 7),
    ]


def test_the_first_of_two_equal_keys_counts() -> None:
    source = load_bytes(b"a: {b: 1}\na: {b: no, c: 2}", "f")
    assert source.data == {"a": {"b": 1}}
    assert source.values_at["a", "b"] == (1, 8)
    assert [(fault.code, fault.line) for fault in source.faults] == [("document.duplicate-key", 2)]


def test_positions_are_told_for_values_and_keys() -> None:
    source = load_bytes("aé:\n  - {b: x}\n".encode(), "f")
    assert source.values_at["aé", 0, "b"] == (2, 9)
    assert source.keys_at["aé", 0, "b"] == (2, 6)
    fault = source.fault("document.missing", ("aé", 0, "q"), key="q")
    assert (fault.line, fault.column, fault.path) == (2, 5, "aé[0].q")


def test_nesting_stops_at_its_limit() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert load_bytes(nested(DEEPEST), "f").faults == ()
    source = load_bytes(nested(DEEPEST + 1), "f")
    assert [fault.code for fault in source.faults] == ["document.too-deep"]
    assert not source.readable


def test_more_than_fifty_faults_are_not_told() -> None:
    codes = [fault[0] for fault in told("\n".join(f"k{n}: no" for n in range(1000)))]
    assert codes.count("document.ambiguous") == MOST_FAULTS
    assert codes[-1] == "document.too-many-faults"


def test_values_are_counted() -> None:
    allowed = MOST_VALUES - 1  # the list itself is one
    assert load_bytes(b"[" + b"x," * allowed + b"]", "f").faults == ()
    source = load_bytes(b"[" + b"x," * (allowed + 1) + b"]", "f")
    assert [fault.code for fault in source.faults] == ["document.too-many-values"]
    assert not source.readable


def test_a_value_is_shown_as_one_short_line_without_secrets() -> None:
    assert shown("a\nb\x1b") == "a·b·"
    assert len(shown("x" * 1000)) <= 61
    assert "MII" not in shown("-----BEGIN RSA PRIVATE KEY-----\nMII")
    assert [shown(value) for value in (None, True, {"a": 1}, (1,), 4)] == [
        "null",
        "true",
        "{…}",
        "[…]",
        "4",
    ]


def test_paths_are_shown_as_people_write_them() -> None:
    assert show_path(("spec", "vms", 0, "disks", 1, "size")) == "spec.vms[0].disks[1].size"
    assert show_path((0, 1, "a")) == "[0][1].a"


@pytest.mark.parametrize("key", ['"a\\nb\\e[2J"', '"\\r"', "'-----BEGIN RSA PRIVATE KEY-----'"])
def test_a_hostile_key_shows_as_one_harmless_line(key: str) -> None:
    (fault,) = load_bytes(f"{key}: no".encode(), "f.yaml").faults
    assert fault.path
    assert fault.path.isprintable()
    assert "PRIVATE" not in fault.path


_PIECES = st.sampled_from(
    ["a", "b: ", "- ", "[", "]", "{", "}", ",", ":", "\n", "  ", "&x ", "*x", "!!t ", "'", '"',
     "|", ">", "#", "---\n", "...", "%", "?", "~", "no", "1e3", "<<: ", "\t", "é", "\\", "\x00"]
)  # fmt: skip


def sound(source: Source) -> None:
    """What holds of every reading."""
    assert source.readable or source.faults
    places = [(fault.line or 0, fault.column or 0) for fault in source.faults]
    assert places == sorted(places)
    for fault in source.faults:
        assert fault.code in texts()
        assert fault.file == "f.yaml"
        assert all(str(value).isprintable() for value in fault.values.values())
        assert (fault.path or "x").isprintable()


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    sound(load_bytes(text.encode(), "f.yaml"))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    sound(load_bytes(data, "f.yaml"))
