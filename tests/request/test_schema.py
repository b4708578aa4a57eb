"""The JSON Schema for editors: what a person writes, and what of it can be wrong."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cloudpemda.document import load_bytes
from cloudpemda.request import json_schema
from tests.request.documents import Tree, valid

REQUESTS = sorted((Path(__file__).parents[2] / "inventories").glob("*/requests/*.yaml"))
VALIDATOR = Draft202012Validator(json_schema())


def plain(path: Path) -> Any:
    """The example as JSON would carry it (lists, not tuples)."""
    return json.loads(json.dumps(load_bytes(path.read_bytes(), path.name).data))


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_it_takes_the_examples_and_refuses_the_faulty_one(path: Path) -> None:
    assert VALIDATOR.is_valid(plain(path)) == (path.stem != "faulty")


def test_it_takes_what_the_reader_takes() -> None:
    assert VALIDATOR.is_valid(valid())


@pytest.mark.parametrize(
    "change",
    [
        lambda vm: vm.update(memory=8192),
        lambda vm: vm.update(memory="8"),
        lambda vm: vm.update(memory="8 GB"),
        lambda vm: vm.update(count=0),
        lambda vm: vm.update(count="2"),
        lambda vm: vm.update(keepapart=True),
        lambda vm: vm.update(name="Db"),
        lambda vm: vm.update(flavor="m4"),
        lambda vm: vm.pop("memory"),
        lambda vm: vm.pop("image"),
        lambda vm: vm.update(disks=[]),
        lambda vm: vm["disks"][0].update(size=40),
        lambda vm: vm["networks"][0].update(publicIp="yes"),
        lambda vm: vm.update(checks=[]),
        lambda vm: vm.update(keep_apart=True),
    ],
)
def test_it_refuses_what_the_reader_refuses(change: Callable[[Tree], Any]) -> None:
    tree = copy.deepcopy(valid())
    change(tree["spec"]["vms"][0])
    assert not VALIDATOR.is_valid(tree)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("metadata", "requester", "nip"), "123"),
        (("metadata", "requester", "nip"), 198501012010012001),
        (("metadata", "letter", "date"), "20-11-2026"),
        (("metadata", "requester", "email"), "siti"),
        (("spec", "until"), "2027"),
        (("kind",), "QuotaRequest"),
    ],
)
def test_it_refuses_wrong_values_elsewhere(place: tuple[str, ...], value: object) -> None:
    tree: Any = valid()
    owner = tree
    for step in place[:-1]:
        owner = owner[step]
    owner[place[-1]] = value
    assert not VALIDATOR.is_valid(tree)
