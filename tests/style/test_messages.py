"""Every code that the program can show has a text in both languages, and is documented."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudpemda.messages import Text, explain, texts
from cloudpemda.messages.__main__ import findings_guide, reference

ROOT = Path(__file__).parents[2]
# Calls whose first argument is a message code.
_SPEAKERS = {
    "Fault", "Refused", "Unreachable", "Incomplete", "UsageError", "PydanticCustomError",
    "LabUnavailable", "LabRefused", "UnitError", "say",
}  # fmt: skip


def _codes(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first = node.args[0]
        if name in _SPEAKERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield node.lineno, first.value


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "cloudpemda").rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_codes_in_the_source_have_texts(path: Path) -> None:
    missing = [(line, code) for line, code in _codes(path) if code not in texts()]
    assert missing == []


def _columns(path: Path) -> Iterator[str]:
    """The columns of tables that the command line prints, by their code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "table":
            for one in node.args[1:]:
                if isinstance(one, ast.Constant) and one.value:
                    yield "column." + str(one.value).lower().replace(" ", "-")


def test_every_column_of_a_table_has_a_name() -> None:
    found = {code for path in (ROOT / "cloudpemda/cli").glob("*.py") for code in _columns(path)}
    assert len(found) > 30
    assert found <= texts().keys()


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize(("code", "text"), sorted(texts().items()), ids=str)
def test_both_languages_say_the_same(code: str, text: Text) -> None:
    assert text.en
    assert text.id
    assert _fields(text.en + text.next_en) == _fields(text.id + text.next_id), code
    assert bool(text.next_en) == bool(text.next_id), code


def test_a_value_is_never_read_as_a_template() -> None:
    shown, _ = explain("unit.size", "en", {"text": "{text.__class__}{0}"})
    assert "{text.__class__}{0}" in shown
    assert "str" not in shown.replace("str(", "")


def test_the_reference_lists_every_code() -> None:
    """docs/messages.md is made by `python -m cloudpemda.messages > docs/messages.md`."""
    assert (ROOT / "docs" / "messages.md").read_text() == reference()


def test_the_guide_of_the_night_has_every_finding_with_its_remedy() -> None:
    """docs/id/malam-temuan.md: `python -m cloudpemda.messages temuan > docs/id/malam-temuan.md`."""
    assert (ROOT / "docs" / "id" / "malam-temuan.md").read_text() == findings_guide()
    ours = [code for code in texts() if code.startswith("nightly.") and code != "nightly.running"]
    assert [code for code in ours if f"`{code}`" not in findings_guide()] == []
