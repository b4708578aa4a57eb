"""The JSON Schemas of the site's files: they take the examples and refuse what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cloudpemda.document import load_bytes
from cloudpemda.site import json_schema
from cloudpemda.site.models import FILES

INVENTORIES = Path(__file__).parents[2] / "inventories"
EXAMPLES = [
    (kind, path)
    for kind in FILES
    for path in sorted(INVENTORIES.glob("*/opd/*.yaml" if kind == "opd" else f"*/{kind}.yaml"))
]


def plain(path: Path) -> Any:
    """The example as JSON would carry it (lists, not tuples)."""
    return json.loads(json.dumps(load_bytes(path.read_bytes(), path.name).data))


@pytest.mark.parametrize("kind", FILES)
def test_each_is_a_schema_of_the_draft_that_it_names(kind: str) -> None:
    Draft202012Validator.check_schema(json_schema(kind))


@pytest.mark.parametrize(
    ("kind", "path"), EXAMPLES, ids=[f"{path.parts[-3]}-{path.stem}" for _, path in EXAMPLES]
)
def test_the_examples_fit(kind: str, path: Path) -> None:
    assert Draft202012Validator(json_schema(kind)).is_valid(plain(path))


@pytest.mark.parametrize(
    ("kind", "file", "place", "value"),
    [
        ("site", "site", ("clusters", "dc", "reserve", "memory"), 8192),
        ("site", "site", ("clusters", "dc", "endpoints"), "pve1"),
        ("site", "site", ("site", "language"), "nl"),
        ("site", "site", ("defaults", "hold"), 14),
        ("site", "site", ("public_addresses",), {"cidr": "203.0.113.16/28"}),
        ("opd", "opd/bkad", ("quota", "vcpu"), "many"),
        ("opd", "opd/bkad", ("quota", "memory"), 32),
        ("opd", "opd/bkad", ("opd", "contacts"), "Nina"),
        ("catalogue", "catalogue", ("flavors", "m4", "memory"), "8"),
        ("people", "people", ("people",), {}),
    ],
)
def test_wrong_values_do_not_fit(
    kind: str, file: str, place: tuple[str, ...], value: object
) -> None:
    tree = plain(INVENTORIES / "lab" / f"{file}.yaml")
    owner = tree
    for step in place[:-1]:
        owner = owner[step]
    owner[place[-1]] = value
    assert not Draft202012Validator(json_schema(kind)).is_valid(tree)


@pytest.mark.parametrize("word", ["unlimited", 0, 7])
def test_a_limit_is_a_number_or_the_word(word: object) -> None:
    tree = plain(INVENTORIES / "lab" / "opd" / "bkad.yaml")
    tree["quota"]["vcpu"] = word
    assert Draft202012Validator(json_schema("opd")).is_valid(tree)
