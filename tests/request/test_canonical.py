"""The canonical form: writing does not change a request's hash, meaning does."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.request import WorkloadSpec, from_canonical_json, read_any
from tests.request.documents import OTHER_KEY, Tree, valid, write, written
from tests.request.test_read import FLAVORS


def spec_of(data: bytes) -> WorkloadSpec:
    spec = read_any(data, "f.yaml", FLAVORS)
    assert isinstance(spec, WorkloadSpec)
    return spec


BASE = spec_of(write(valid()))


@settings(max_examples=60, deadline=None)
@given(written(valid()))
def test_writing_does_not_change_the_hash(data: bytes) -> None:
    assert spec_of(data) == BASE
    assert spec_of(data).spec_hash == BASE.spec_hash


@given(st.data())
def test_order_of_vms_disks_networks_and_keys_does_not_change_the_hash(data: st.DataObject) -> None:
    tree = valid()
    tree["spec"]["vms"] = data.draw(st.permutations(tree["spec"]["vms"]))
    for vm in tree["spec"]["vms"]:
        for key in ("disks", "networks", "sshKeys"):
            vm[key] = data.draw(st.permutations(vm[key]))
    assert spec_of(write(tree)).spec_hash == BASE.spec_hash


def test_defaults_flavors_and_units_are_written_out() -> None:
    tree = valid()
    db, app = tree["spec"]["vms"]
    db["disks"][0]["protect"] = True
    db["memory"] = "8192 MiB"
    db["disks"][1]["size"] = "204800MiB"
    app["count"] = 1
    app["keepApart"] = False
    del app["flavor"]
    app.update(cpu=4, memory="8 GiB")
    tree["spec"]["purpose"] = "  Sistem informasi manajemen\nrumah   sakit daerah\n"
    assert spec_of(write(tree)).spec_hash == BASE.spec_hash


def _leaves(tree: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(tree, list):
        return [leaf for at, value in enumerate(tree) for leaf in _leaves(value, (*path, at))]
    return [path]


# The version is one, and every VM has a root disk.
FIXED = {("apiVersion",), ("kind",), *(("spec", "vms", vm, "disks", 0, "name") for vm in (0, 1))}
LEAVES = sorted((leaf for leaf in _leaves(valid()) if leaf not in FIXED), key=str)
OTHERS = {
    "memory": "9 GiB",
    "size": "41 GiB",
    "date": "2026-11-21",
    "until": "2028-01-01",
    "nip": "198501012010012002",
    "email": "asep@dinkes.example.go.id",
    "flavor": "s2",
}


def _changed(key: object, value: object) -> object:
    """Another valid value for the same field."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return OTHERS.get(str(key), f"{value}x")


@given(st.sampled_from(LEAVES))
def test_any_change_of_meaning_changes_the_hash(leaf: tuple[Any, ...]) -> None:
    tree = valid()
    owner: Any = tree
    for step in leaf[:-1]:
        owner = owner[step]
    if leaf[-2:-1] == ("sshKeys",):
        owner[leaf[-1]] = owner[leaf[-1]] + "x"
    else:
        owner[leaf[-1]] = _changed(leaf[-1], owner[leaf[-1]])
    assert spec_of(write(tree)).spec_hash != BASE.spec_hash


@given(st.sampled_from(["vms", "disks", "networks", "sshKeys"]))
def test_taking_away_or_adding_an_entry_changes_the_hash(what: str) -> None:
    less: Tree = valid()
    db = less["spec"]["vms"][0]
    (less["spec"]["vms"] if what == "vms" else db[what]).pop()
    assert spec_of(write(less)).spec_hash != BASE.spec_hash


@given(
    st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=50),
    st.integers(1, 50),
    st.integers(1, 128),
    st.integers(512, 1024 * 1024),
    st.booleans(),
)
def test_the_ledger_reads_back_what_was_written(
    purpose: str, count: int, cpu: int, memory: int, keep_apart: bool
) -> None:
    tree = copy.deepcopy(valid())
    tree["spec"]["purpose"] = purpose
    tree["spec"]["vms"][0].update(
        count=count, cpu=cpu, memory=f"{memory} MiB", keepApart=keep_apart, sshKeys=[OTHER_KEY]
    )
    spec = spec_of(write(tree))
    assert from_canonical_json(spec.canonical_json) == spec
    assert from_canonical_json(spec.canonical_json).spec_hash == spec.spec_hash
