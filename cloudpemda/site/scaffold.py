"""A new site directory, commented for whoever fills it in; what is written loads at once."""

import re
from pathlib import Path

from cloudpemda.document import shown
from cloudpemda.document.fields import is_name
from cloudpemda.errors import UsageError
from cloudpemda.render import render, template_directory

_TEMPLATES = "site"
_PRIVATE = ("var", "secrets")
_IGNORED = "".join(f"{name}/\n" for name in _PRIVATE)
_LONGEST_NAME = 32


def scaffold(directory: Path, login: str, name: str | None = None) -> tuple[Path, ...]:
    """Write a starter site and return its files, in order.

    `login` becomes the first person, with every role; `name` is the site's (the directory's, as
    far as it can be one). Raises UsageError where `name` cannot be one, where the directory holds
    anything already (which stays as it is), and where it cannot be written to.
    """
    if name is not None and not is_name(name):
        raise UsageError("document.name", value=shown(name))
    values = {
        "name": name if name is not None else _name_of(directory),
        "login": login,
        "directory": str(directory),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise UsageError("site.not-empty", directory=str(directory))
        for private in _PRIVATE:
            (directory / private).mkdir(mode=0o700)
        written = [_write(directory / ".gitignore", _IGNORED)]
        templates = template_directory() / _TEMPLATES
        for template in sorted(templates.rglob("*.j2")):
            relative = template.relative_to(templates)
            target = directory / relative.with_suffix("")
            target.parent.mkdir(exist_ok=True)
            written.append(_write(target, render(f"{_TEMPLATES}/{relative.as_posix()}", values)))
    except OSError as error:
        raise UsageError("site.not-writable", directory=str(directory)) from error
    return tuple(written)


def _write(target: Path, text: str) -> Path:
    with target.open("x", encoding="utf-8") as file:  # never over a file that is there
        file.write(text)
    return target


def _name_of(directory: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-0123456789")
    return name[:_LONGEST_NAME].rstrip("-") or "situs"
