"""A new site directory, commented for whoever fills it in; what is written loads at once."""

import os
import re
from collections.abc import Mapping
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
    far as it can be one). Raises UsageError where `name` cannot be one, and as `write_site` does.
    """
    if name is not None and not is_name(name):
        raise UsageError("document.name", value=shown(name))
    values = {
        "name": name if name is not None else name_of(directory),
        "login": login,
        "directory": str(directory),
    }
    templates = template_directory() / _TEMPLATES
    files = {
        template.relative_to(templates).with_suffix("").as_posix(): render(
            f"{_TEMPLATES}/{template.relative_to(templates).as_posix()}", values
        )
        for template in sorted(templates.rglob("*.j2"))
    }
    return write_site(directory, files, {})


def write_site(
    directory: Path, files: Mapping[str, str], secrets: Mapping[str, str]
) -> tuple[Path, ...]:
    """Write a new site's files, and secrets (mode 0600), by their paths below `directory`.

    Raises UsageError, having written nothing, where the directory holds anything already, and
    where it cannot be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise UsageError("site.not-empty", directory=str(directory))
        for private in _PRIVATE:
            (directory / private).mkdir(mode=0o700)
        written = [_write(directory, ".gitignore", _IGNORED, 0o644)]
        written += [_write(directory, name, text, 0o644) for name, text in files.items()]
        written += [_write(directory, name, text, 0o600) for name, text in secrets.items()]
    except OSError as error:
        raise UsageError("site.not-writable", directory=str(directory)) from error
    return tuple(written)


def _write(directory: Path, name: str, text: str, mode: int) -> Path:
    target = directory / name
    target.parent.mkdir(exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # never over a file that is there
    with os.fdopen(os.open(target, flags, mode), "w", encoding="utf-8") as file:
        file.write(text)
    return target


def name_of(directory: Path) -> str:
    """A site's name made of its directory's, as far as it can be one."""
    name = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-0123456789")
    return name[:_LONGEST_NAME].rstrip("-") or "situs"
