"""Templates to text: the one place that knows Jinja2.

Templates are ours and ship with the program; values are data and are never read as a template.
The environment is sandboxed all the same, and a value that is missing is an error, not a gap.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

_PACKAGED = Path(__file__).parent / "data" / "templates"
_CHECKOUT = Path(__file__).parents[1] / "templates"


def template_directory() -> Path:
    """Where the templates lie: in the wheel beside the code, in a checkout at the top."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of one template, named by its path below the template directory.

    The filter `yaml` writes a value as quoted text. Raises jinja2.UndefinedError where the
    template names a value that is not given.
    """
    return _environment().get_template(template).render(values)


def render_html(template: str, values: Mapping[str, object]) -> str:
    """The same for a page: every value is escaped."""
    return _environment(html=True).get_template(template).render(values)


@cache
def _environment(*, html: bool = False) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(template_directory()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=html,  # not for YAML and plain text
    )
    environment.filters["yaml"] = _yaml
    return environment


def _yaml(value: object) -> str:
    """JSON is YAML: text comes out quoted and escaped, whatever is in it."""
    return json.dumps(str(value), ensure_ascii=False)
