"""What the served paths take: names, types, bounds and defaults of every parameter, and who may
call.

`pve9.json` and `pve8.json` are made by `python -m cloudpemda.lab.tables.make` from PVE's API schema
and hold the paths that the lab serves, nothing of what they do, and the names of the others. A
parameter is declared once under `shared` and named by its paths. `formats.json` has what the schema
only names: patterns, the keys of some property strings, how many of each numbered key there are.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Spec:
    """One parameter or one key of a property string, as PVE declares it."""

    type: str = "string"
    optional: bool = False
    format: str = ""
    keys: "dict[str, Spec]" = field(default_factory=dict)
    items: "Spec | None" = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str = ""
    enum: tuple[str, ...] = ()
    default: object = None
    requires: str = ""
    alias: str = ""
    key_alias: str = ""
    default_key: bool = False


@dataclass(frozen=True)
class Declaration:
    """One method of one path."""

    params: dict[str, Spec]
    check: tuple[object, ...] = ()
    user: str = ""  # who may call it whatever the check says: `world`, or `all` who are logged in
    proxied: bool = False
    tokens: bool = True
    index: str = ""
    children: tuple[str, ...] = ()
    variant_key: str = ""
    variants: dict[str, dict[str, Spec]] = field(default_factory=dict)

    def options(self, kind: str) -> dict[str, Spec]:
        """All parameters of a call for a `type` of things."""
        return self.params | self.variants.get(kind, {})


@dataclass(frozen=True)
class Formats:
    """What the schema only names. Of a pattern that is missed PVE says the text beside it."""

    numbered: dict[str, int]
    keys: dict[str, dict[str, Spec]]
    patterns: dict[str, list[tuple[str, str]]]


RELEASES = ("8", "9")
SPECS = TypeAdapter(dict[str, Spec])
DECLARATIONS = TypeAdapter(dict[str, Declaration])


def table_name(release: str) -> str:
    return f"pve{release}" if release.isdigit() else release


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.json").read_text("utf-8")


@cache
def formats() -> Formats:
    return TypeAdapter(Formats).validate_json(_text("formats"))


@dataclass(frozen=True)
class VmSettings:
    """What PVE declares of a VM's settings, by their key or their kind (`net` of `net0`)."""

    privileges: dict[str, set[str]]  # that one needs for settings; all others are root's alone
    at_once: set[str]  # that change nothing in a running machine
    features: dict[str, str]  # of `hotplug`, which let others change while it runs
    in_place: dict[str, set[str]]  # properties that can change without unplugging
    fixed: set[str]  # properties of a disk that cannot


@cache
def vm_settings() -> VmSettings:
    return TypeAdapter(VmSettings).validate_json(_text("vm"))


@cache
def load(release: str) -> dict[str, Declaration]:
    """Declarations by `METHOD path` of a release, `8` or `9`, or of `pbs`."""
    raw = json.loads(_text(table_name(release)))
    shared = SPECS.validate_python(raw["shared"])
    for entry in raw["routes"].values():
        for names in (entry["params"], *entry.get("variants", {}).values()):
            names.update({name: shared[reference] for name, reference in names.items()})
    return DECLARATIONS.validate_python(raw["routes"])


@cache
def unserved(release: str) -> list[str]:
    """`METHOD path` of all that PVE has and the lab has not."""
    return [str(name) for name in json.loads(_text(table_name(release)))["unserved"]]


def coverage(release: str) -> dict[str, tuple[int, int]]:
    """By the first name of a path: how many of PVE's methods are served, and how many there are."""
    lists = load(release), unserved(release)
    served, lacking = (Counter(name.split("/")[1] for name in names) for names in lists)
    return {part: (served[part], served[part] + lacking[part]) for part in sorted(served | lacking)}


@cache
def macros() -> tuple[str, ...]:
    """Names of services that firewall rules may use."""
    return tuple(json.loads(_text("firewall"))["macros"])
