"""Whatever stands in a request: it is either a spec, or faults with a text; never a crash."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.errors import InvalidInput
from cloudpemda.messages import explain
from cloudpemda.request import from_canonical_json, read_any
from tests.request.documents import valid, write
from tests.request.test_read import FLAVORS

WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["db", "root", "m4", "8 GiB", "unlimited", "ssh-ed25519 AAAA", "9" * 30]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, st.sampled_from(["name", "size", "vms"])), inner),
    ),
    max_leaves=8,
)


def places(tree: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value of the tree, the root's included."""
    found = [path]
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += places(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += places(value, (*path, index))
    return found


PLACES = places(valid())


def replaced(place: tuple[Any, ...], value: object) -> object:
    if not place:
        return value
    tree: Any = valid()
    owner = tree
    for step in place[:-1]:
        owner = owner[step]
    owner[place[-1]] = value
    return tree


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_anywhere_is_a_spec_or_faults(place: tuple[Any, ...], value: object) -> None:
    data = write(replaced(place, value))
    try:
        spec = read_any(data, "f.yaml", FLAVORS)
    except InvalidInput as error:
        lines = data.count(b"\n") + 1
        for fault in error.faults:
            assert fault.code.partition(".")[0] in {"document", "request", "unit"}
            assert fault.file == "f.yaml"
            assert 1 <= (fault.line or 0) <= lines
            what, _ = explain(fault.code, "id", fault.values)
            assert what.isprintable()
    else:
        assert from_canonical_json(spec.canonical_json) == spec
