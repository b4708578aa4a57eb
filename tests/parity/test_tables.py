"""The parameter tables are PVE's own declarations, for every path that the lab serves, and all of
what they say is checked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cloudpemda.lab.errors import Refused
from cloudpemda.lab.params import MISSING, UNKNOWN, check_params
from cloudpemda.lab.pbs.routes import PBS
from cloudpemda.lab.routes import served
from cloudpemda.lab.tables import RELEASES, SPECS, Declaration, Spec, coverage, load, unserved
from cloudpemda.lab.tables.make import flatten, flatten_openapi, make, slim

REFERENCE = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
needs_reference = pytest.mark.skipif(
    REFERENCE is None, reason="CLOUDPEMDA_PVE_REFERENCE does not name the API schemas"
)
each_release = pytest.mark.parametrize("release", RELEASES)
Raw = dict[str, Any]

# What can be compared: PVE's word, ours, and what it means to leave it out.
FACETS: list[tuple[str, str, Any]] = [
    ("type", "type", "string"), ("optional", "optional", 0), ("enum", "enum", ()),
    ("minimum", "minimum", None), ("maximum", "maximum", None),
    ("minLength", "min_length", None), ("maxLength", "max_length", None),
    ("pattern", "pattern", ""), ("default", "default", None), ("requires", "requires", ""),
    ("alias", "alias", ""), ("keyAlias", "key_alias", ""), ("default_key", "default_key", 0),
]  # fmt: skip


def schema(release: str) -> list[Raw]:
    found: list[Raw] = json.loads((Path(str(REFERENCE)) / f"pve{release}-api.json").read_text())
    return found


def differences(raw: Raw, specs: dict[str, Spec], where: str = "") -> Iterator[str]:
    """All in which declared parameters differ from the schema's."""
    for name in raw.keys() ^ specs.keys():
        yield f"{where}{name}: only {'declared' if name in specs else 'in the schema'}"
    for name in raw.keys() & specs.keys():
        yield from _differs(raw[name], specs[name], f"{where}{name}")


def _differs(raw: Raw, spec: Spec, where: str) -> Iterator[str]:
    for theirs, ours, absent in FACETS:
        wanted, got = raw.get(theirs), getattr(spec, ours)
        wanted = absent if wanted is None else wanted
        if theirs in ("optional", "default_key"):
            wanted = bool(int(wanted))
        elif theirs == "enum":
            wanted = tuple(str(value) for value in wanted)
        elif theirs == "pattern":  # Perl's groups without options, in Python's words
            wanted = wanted.replace("(?^", "(?")
        elif theirs.startswith(("min", "max")) and wanted is not None:
            wanted = float(wanted)
        if wanted != got:
            yield f"{where}: {theirs} is {got!r}, not {wanted!r}"
    form = raw.get("format", "")
    yield from differences(form if isinstance(form, dict) else {}, spec.keys, where + ".")
    if isinstance(form, str) and form != spec.format:
        yield f"{where}: format is {spec.format!r}, not {form!r}"
    items = {"[]": raw["items"]} if "items" in raw else {}
    yield from differences(items, {"[]": spec.items} if spec.items else {}, where)


def compare(entry: Raw, found: Declaration) -> Iterator[str]:
    """All in which a method's declaration differs from the schema's."""
    declared = entry.get("parameters") or {}
    properties, variants = dict(declared.get("properties") or {}), {}
    for part in declared.get("allOf") or []:
        properties |= part.get("properties") or {}
        if "oneOf" in part:
            properties[part["type-property"]] = part["type-property-schema"]
            variants = {one["instance-type"]: one["properties"] for one in part["oneOf"]}
    yield from differences(properties, found.params)
    if variants.keys() != found.variants.keys():
        yield f"types are {sorted(found.variants)}, not {sorted(variants)}"
    for kind in variants.keys() & found.variants.keys():
        yield from differences(variants[kind], found.variants[kind], f"{kind}: ")
    wanted = entry.get("proxyto") == "node", entry.get("allowtoken", 1) != 0
    if wanted != (found.proxied, found.tokens):
        yield "another node's, or not for tokens"


@needs_reference
@each_release
def test_every_parameter_of_every_served_path_is_what_the_schema_declares(release: str) -> None:
    known, table = flatten(schema(release)), load(release)
    here = [name for name in served() if name in known]
    wrong = [
        f"{name} {told}"
        for name in {*here, *table}
        for told in (compare(known[name], table[name]) if name in table else ["is not declared"])
    ]
    assert len(here) > 150
    assert wrong == []


EVERYTHING: Raw = {
    "type": "integer", "optional": 1, "enum": ["1", "2"], "minimum": 1, "maximum": 2,
    "minLength": 1, "maxLength": 2, "pattern": "(?^:[12])", "default": 1, "requires": "other",
    "alias": "other", "keyAlias": "kind", "default_key": 1, "format": "pve-vmid",
    "items": {"type": "integer"},
}  # fmt: skip


@pytest.mark.parametrize("facet", sorted(EVERYTHING))
def test_the_comparison_sees_each_difference(facet: str) -> None:
    specs = SPECS.validate_python({"p": slim(EVERYTHING)})
    assert list(differences({"p": EVERYTHING}, specs)) == []
    less = {name: value for name, value in EVERYTHING.items() if name != facet}
    assert len(list(differences({"p": less}, specs))) == 1
    within = SPECS.validate_python({"p": slim({"format": {"key": EVERYTHING}})})
    assert len(list(differences({"p": {"format": {"key": less}}}, within))) == 1


def refused(spec: Spec, value: object, release: str) -> str:
    """What is said of a value, where only this parameter is declared."""
    try:
        check_params(Declaration({"p": spec}), {"p": value}, release, frozenset())
    except Refused as answer:
        return answer.errors.get("p", "")
    return ""


def broken(spec: Spec) -> Iterator[tuple[object, str]]:
    """Values that a declaration forbids, each with a word of the refusal."""
    if spec.type in ("integer", "number", "boolean"):
        yield "x", "type check"
    if spec.type != "array":
        yield ["1", "1"], "got ARRAY"
    if spec.keys or spec.format:
        return  # a format speaks before any bound
    if spec.minimum is not None:
        yield spec.minimum - 1, f"minimum value of {spec.minimum}"
    if spec.maximum is not None:
        yield spec.maximum + 1, f"maximum value of {spec.maximum}"
    if spec.max_length is not None:
        yield "x" * (spec.max_length + 1), f"only be {spec.max_length} characters"
    if spec.min_length:
        yield "x" * (spec.min_length - 1), f"at least {spec.min_length} characters"
    elif spec.pattern and not spec.enum and spec.type == "string":
        yield "\x01 \n", "regex pattern"
    if spec.enum and not spec.pattern:
        yield "no-such-word", "type check" if spec.type == "integer" else "enumeration"


@each_release
def test_everything_declared_is_checked(release: str) -> None:
    tried, wrong = 0, []
    for name, found in load(release).items():
        own = dict(found.params)
        for variant in found.variants.values():
            own |= variant
        for key, spec in own.items():
            for value, word in broken(spec):
                tried += 1
                said = refused(spec, value, release)
                if word not in said:
                    wrong.append(f"{name} {key}={value!r}: {said!r}, not {word!r}")
    assert tried > 1000
    assert wrong == []


@each_release
def test_what_is_missing_or_unknown_is_refused_on_every_path(release: str) -> None:
    for name, found in load(release).items():
        needed = {
            key: MISSING
            for key, spec in found.params.items()
            if not spec.optional and "[n]" not in key
        }
        with pytest.raises(Refused) as answer:
            check_params(found, {"no-such-parameter": "1"}, release, frozenset())
        assert answer.value.errors == needed | {"no-such-parameter": UNKNOWN}, name


@needs_reference
@each_release
def test_the_tables_are_as_they_are_made(release: str) -> None:
    shipped = resources.files("cloudpemda.lab.tables").joinpath(f"pve{release}.json").read_text()
    assert json.loads(shipped) == make(flatten(schema(release)), set(served()))


@needs_reference
def test_the_backup_servers_table_is_as_it_is_made_and_all_of_it_is_served() -> None:
    document = json.loads((Path(str(REFERENCE)) / "pbs-api.openapi.json").read_text())
    shipped = resources.files("cloudpemda.lab.tables").joinpath("pbs.json").read_text()
    known = flatten_openapi(document)
    assert json.loads(shipped) == make(known, set(PBS))
    assert set(PBS) <= set(known)
    assert {"GET /admin/datastore/{store}/snapshots", "POST /admin/sync/{id}/run"} <= set(known)


@needs_reference
def test_every_served_path_exists_in_a_release() -> None:
    assert set(served()) <= {name for release in RELEASES for name in flatten(schema(release))}


@needs_reference
@each_release
def test_what_is_served_and_what_is_not_is_all_of_the_schema(release: str) -> None:
    known, lacking = flatten(schema(release)), unserved(release)
    assert sorted({*load(release), *lacking}) == sorted(known)
    assert not set(lacking) & (load(release).keys() | set(served()))
    parts = coverage(release)
    assert sum(ours for ours, _ in parts.values()) == len(load(release))
    assert sum(total for _, total in parts.values()) == len(known)


@each_release
def test_every_declared_path_is_served_or_an_index(release: str) -> None:
    here = set(served())
    idle = [name for name, declared in load(release).items() if not declared.index]
    assert [name for name in idle if name not in here] == []
