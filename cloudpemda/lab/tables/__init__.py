"""What the served paths take: names, types, bounds and defaults of every parameter, and who may
call.

`pve9.json` and `pve8.json` are made by `python -m cloudpemda.lab.tables.make` from PVE's API schema
and hold the paths that the lab serves, nothing of what they do. A parameter is declared once under
`shared` and named by its paths.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Spec:
    """One parameter or one key of a property string, as PVE declares it."""

    type: str = "string"
    optional: bool = False
    format: str = ""
    keys: "dict[str, Spec]" = field(default_factory=dict)
    items: "Spec | None" = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str = ""
    enum: tuple[str, ...] = ()
    requires: str = ""
    alias: str = ""
    key_alias: str = ""
    default_key: bool = False


@dataclass(frozen=True)
class Declaration:
    """One method of one path."""

    params: dict[str, Spec]
    check: tuple[object, ...] = ()
    anyone: bool = False
    logged_in: bool = False
    proxied: bool = False
    tokens: bool = True
    index: str = ""
    children: tuple[str, ...] = ()
    variant_key: str = ""
    variants: dict[str, dict[str, Spec]] = field(default_factory=dict)

    def options(self, kind: str) -> dict[str, Spec]:
        """All parameters of a call for a `type` of things."""
        return self.params | self.variants.get(kind, {})


def _spec(raw: dict[str, object]) -> Spec:
    form = raw.get("format")
    items = raw.get("items")
    return Spec(
        type=str(raw.get("type", "string")),
        optional=bool(raw.get("optional")),
        format=form if isinstance(form, str) else "",
        keys={k: _spec(v) for k, v in form.items()} if isinstance(form, dict) else {},
        items=_spec(items) if isinstance(items, dict) else None,
        minimum=_bound(raw.get("minimum")),
        maximum=_bound(raw.get("maximum")),
        min_length=_whole(raw.get("minLength")),
        max_length=_whole(raw.get("maxLength")),
        pattern=str(raw.get("pattern", "")),
        enum=tuple(str(value) for value in _sequence(raw.get("enum"))),
        requires=str(raw.get("requires", "")),
        alias=str(raw.get("alias", "")),
        key_alias=str(raw.get("keyAlias", "")),
        default_key=bool(raw.get("default_key")),
    )


def _bound(value: object) -> float | None:
    return None if value is None else float(str(value))


def _whole(value: object) -> int | None:
    return None if value is None else int(str(value))


def _sequence(value: object) -> list[object]:
    return value if isinstance(value, list) else []


@cache
def load(release: str) -> dict[str, Declaration]:
    """Declarations by `METHOD path` of a release, `8` or `9`."""
    text = resources.files(__package__).joinpath(f"pve{release}.json").read_text("utf-8")
    raw = json.loads(text)
    shared = {name: _spec(spec) for name, spec in raw["shared"].items()}

    def params(names: dict[str, str]) -> dict[str, Spec]:
        return {name: shared[ref] for name, ref in names.items()}

    return {
        route: Declaration(
            params=params(entry.get("params", {})),
            check=tuple(entry.get("check", ())),
            anyone=entry.get("user") == "world",
            logged_in=entry.get("user") == "all",
            proxied=entry.get("proxied", False),
            tokens=entry.get("tokens", True),
            index=entry.get("index", ""),
            children=tuple(entry.get("children", ())),
            variant_key=entry.get("variant", ""),
            variants={kind: params(names) for kind, names in entry.get("variants", {}).items()},
        )
        for route, entry in raw["routes"].items()
    }
