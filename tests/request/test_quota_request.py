"""A document that asks for quota: one meaning for one text, every fault with its place."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cloudpemda.errors import InvalidInput
from cloudpemda.request import QuotaSpec, quota_from_json, quota_json_schema, read_any
from tests.request.documents import valid

EXAMPLE = Path(__file__).parents[2] / "inventories/lab/quota/tambahan-bkad.yaml"
SPEC = {
    "purpose": "Masa pendaftaran",
    "add": {"vcpu": 8, "memory": "16 GiB", "disk": {"ssd": "1 TiB"}, "public_ip": 1},
    "from": "2026-12-01",
    "until": "2026-12-31",
}


def document(**changed: Any) -> dict[str, Any]:
    return {**valid(), "kind": "QuotaRequest", "spec": {**copy.deepcopy(SPEC), **changed}}


def read(tree: dict[str, Any]) -> QuotaSpec:
    found = read_any(json.dumps(tree).encode(), "f.yaml", {})
    assert isinstance(found, QuotaSpec)
    return found


def test_it_means_dimensions_with_amounts_for_some_days() -> None:
    spec = read(document())
    assert (spec.key, dict(spec.amounts)) == (
        "dinkes/simrs",
        {"vcpu": 8, "memory": 16384, "disk.ssd": 1048576, "public_ip": 1},
    )
    assert (str(spec.start), str(spec.until)) == ("2026-12-01", "2026-12-31")
    forever = document(until="permanent")
    del forever["spec"]["from"]
    assert (read(forever).start, read(forever).until) == (None, None)
    assert quota_from_json(spec.canonical_json) == spec


@given(st.permutations(list(SPEC)), st.permutations(list(SPEC["add"])))
def test_order_and_comments_do_not_change_the_hash(keys: list[str], added: list[str]) -> None:
    spec: dict[str, Any] = {key: SPEC[key] for key in keys}
    spec["add"] = {key: spec["add"][key] for key in added}
    tree = {**document(), "spec": spec}
    again = read_any(b"# a comment\n" + json.dumps(tree, indent=2).encode(), "g.yaml", {})
    assert again.spec_hash == read(document()).spec_hash
    assert read(document(until="2027-01-01")).spec_hash != again.spec_hash


@pytest.mark.parametrize(
    ("changed", "code", "path"),
    [
        ({"add": {}}, "quota-request.nothing", "spec.add"),
        ({"add": {"disk": {}}}, "quota-request.nothing", "spec.add"),
        ({"add": {"vcpu": 0}}, "document.too-small", "spec.add.vcpu"),
        ({"add": {"vcpu": -8}}, "document.too-small", "spec.add.vcpu"),
        ({"add": {"memory": "16"}}, "unit.size", "spec.add.memory"),
        ({"add": {"cpus": 1, "vcpu": 1}}, "request.unknown-key", "spec.add.cpus"),
        ({"until": "soon"}, "document.date", "spec.until"),
        ({"vms": []}, "request.unknown-key", "spec.vms"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    changed: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(document(**changed))
    (fault,) = caught.value.faults
    assert (fault.code, fault.path) == (code, path)
    assert fault.line


def test_another_kind_is_told_both() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_any(json.dumps({**valid(), "kind": "Quota"}).encode(), "f.yaml", {})
    fault = next(one for one in caught.value.faults if one.path == "kind")
    assert (fault.code, fault.values["choices"]) == ("document.choice", "VMRequest, QuotaRequest")


def test_the_schema_takes_what_the_reader_takes() -> None:
    validator = Draft202012Validator(quota_json_schema())
    assert validator.is_valid(document())
    assert validator.is_valid(document(until="permanent"))
    assert not validator.is_valid(document(until="soon"))
    assert not validator.is_valid(document(add={"vcpu": 0}))


def test_the_example_reads() -> None:
    spec = read_any(EXAMPLE.read_bytes(), EXAMPLE.name, {})
    assert isinstance(spec, QuotaSpec)
    assert spec.opd == "bkad"
