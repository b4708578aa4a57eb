"""The files of an inventory: which of them are read, by whom, and what each says that nobody takes.

Ansible reads a whole directory, and files beside the groups by any of four endings. What it would
read and this room would not is told, so that nothing plays that nobody has checked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cloudpemda.configure.judged import judged
from cloudpemda.configure.roles import role_of, role_variables
from cloudpemda.configure.variables import HostsFile, Variables
from cloudpemda.document import DocumentPath, Source, examine, load, show_path
from cloudpemda.document.files import read_regular
from cloudpemda.errors import Fault, InvalidInput

_VAULT = b"$ANSIBLE_VAULT;"
_KINDS = ("group_vars", "host_vars")
_ENDINGS = (".yaml", ".yml")
_ORDER = ("", ".yml", ".yaml", ".json")
"""How Ansible looks for the file, or directory, of a group or host: it takes the first alone."""
_ASIDE = (".md", ".bak", ".orig", ".swp", "~")
"""Notes and what editors leave: nobody reads them, and nobody thinks so."""
_SECRETS = ("_secret", "_secrets", "_password", "_pass", "_passphrase")


class _VariablesFile(Variables):
    """A file in group_vars or host_vars."""


@dataclass(frozen=True)
class Read:
    """The files beside hosts.yaml: (`group_vars` or `host_vars`, name) → its file, or the files
    of its directory, as Ansible orders them; `sealed` are those that a vault keeps, left to
    Ansible."""

    said: Mapping[tuple[str, str], tuple[Source, ...]]
    sealed: Mapping[tuple[str, str], tuple[Path, ...]]

    @property
    def sound(self) -> bool:
        """Whether all of them could be read."""
        return all(one.readable for several in self.said.values() for one in several)


def read_hosts(file: Path, faults: list[Fault]) -> tuple[Source, bool]:
    """hosts.yaml, and whether it has the shape of an inventory."""
    source = load(file)
    data = _ours(source, source.data, (), faults)
    examined = examine(replace(source, data=data), HostsFile)
    faults.extend(examined.faults)
    return source, examined.model is not None


def read_beside(directory: Path, faults: list[Fault]) -> Read:
    """group_vars and host_vars; what else lies in the inventory is a fault."""
    said: dict[tuple[str, str], tuple[Source, ...]] = {}
    sealed: dict[tuple[str, str], tuple[Path, ...]] = {}
    faults += _strangers(directory, {"hosts.yaml", *_KINDS})
    for kind in _KINDS:
        for file, name in _files(directory / kind, faults):
            key = (kind, name)
            if _is_sealed(file):
                sealed[key] = (*sealed.get(key, ()), file)
            elif file.suffix not in _ENDINGS:
                faults.append(Fault("configure.file-unread", file=str(file)))
            else:
                source = load(file)
                data = _variables(source, source.data, (), faults)
                faults.extend(examine(replace(source, data=data), _VariablesFile).faults)
                said[key] = (*said.get(key, ()), source)
    return Read(said, sealed)


def _files(place: Path, faults: list[Fault]) -> Iterator[tuple[Path, str]]:
    """The files of one kind with the group or host that each is of."""
    found: dict[str, list[Path]] = {}
    for one in sorted(place.iterdir()) if place.is_dir() else ():
        if not _is_aside(one):
            found.setdefault(one.stem if one.suffix in _ORDER else one.name, []).append(one)
    for name, several in found.items():
        first, *rest = sorted(several, key=lambda one: _ORDER.index(_ending(one)))
        faults += [Fault("configure.file-second", {"first": str(first)}, str(one)) for one in rest]
        if not first.is_dir():
            yield first, name
            continue
        for file in sorted(first.iterdir()):
            if file.is_dir() and not _is_aside(file):
                faults.append(Fault("configure.file-unread", file=str(file)))
            elif not _is_aside(file):
                yield file, name


def _ending(file: Path) -> str:
    return file.suffix if file.suffix in _ORDER else _ORDER[-1]


def _strangers(directory: Path, known: set[str]) -> Iterator[Fault]:
    for one in sorted(directory.iterdir()):
        if one.name not in known and not _is_aside(one):
            yield Fault("configure.file-unread", file=str(one))


def _is_aside(file: Path) -> bool:
    return file.name.startswith(".") or file.name.endswith(_ASIDE)


def _is_sealed(file: Path) -> bool:
    if file.suffix not in _ORDER:
        return False
    try:
        return read_regular(file).startswith(_VAULT)
    except InvalidInput:
        return False  # told when it is loaded


def _ours(source: Source, data: object, at: DocumentPath, faults: list[Fault]) -> object:
    """hosts.yaml with the variables that this room judges alone."""
    if not isinstance(data, dict):
        return data
    deep = len(at)
    if (deep == 5 and at[3] == "hosts") or (at and at[-1] == "vars" and deep in (2, 4)):
        return _variables(source, data, at, faults)
    return {key: _ours(source, value, (*at, key), faults) for key, value in data.items()}


def _variables(source: Source, data: object, at: DocumentPath, faults: list[Fault]) -> object:
    """Without what belongs to Ansible or to a role, which must declare it."""
    if not isinstance(data, dict):
        return {} if data is None and source.readable else data
    kept = {}
    for name, value in data.items():
        role = None if name in Variables.model_fields else role_of(str(name))
        if role is not None:
            faults += _of_role(source, role, (*at, name), value)
        elif name in Variables.model_fields or not str(name).startswith("ansible_"):
            kept[name] = value
        if str(name).endswith(_SECRETS) and _is_plain(value):
            faults.append(
                source.fault("configure.plain-secret", (*at, name), at_key=True, name=str(name))
            )
    return kept


def _is_plain(value: object) -> bool:
    """Whether a secret stands there itself, and not where else it is found."""
    if isinstance(value, dict):
        return any(_is_plain(one) for one in value.values())
    return value is not None and "{{" not in str(value)


def _of_role(source: Source, role: str, at: DocumentPath, value: object) -> Iterator[Fault]:
    """A variable of a role, against what the role declares."""
    rules, name = role_variables()[role], str(at[-1])
    if name not in rules:
        known = ", ".join(sorted(rules))
        yield source.fault("configure.unknown-variable", at, at_key=True, key=name, known=known)
        return
    for below, code, values in judged(rules[name], value):
        shown_at = show_path((name, *below))
        yield source.fault(code, (*at, *below), at_key=False, name=shown_at, **values)
