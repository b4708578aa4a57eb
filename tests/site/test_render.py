"""Rendering: strict, sandboxed, and values are data."""

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from cloudpemda.document import load_bytes
from cloudpemda.render import render, template_directory


def test_a_missing_value_is_an_error_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        render("site/people.yaml.j2", {})


@pytest.mark.parametrize("name", ["../pyproject.toml", "/etc/passwd", "site/../../README.md"])
def test_only_templates_can_be_named(name: str) -> None:
    with pytest.raises(TemplateNotFound):
        render(name, {})


@pytest.mark.parametrize("word", ["{{ 7 * 7 }}", "{% for x in y %}", 'a" b', "a\nb: c", "é # d"])
def test_a_value_comes_out_as_it_went_in(word: str) -> None:
    text = render("site/people.yaml.j2", {"login": word})
    source = load_bytes(text.encode(), "people.yaml")
    assert source.get("people", 0, "login") == word


def test_the_templates_are_where_the_program_looks() -> None:
    assert (template_directory() / "site" / "site.yaml.j2").is_file()
