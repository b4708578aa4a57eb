"""Whatever stands in a site's files: it loads, or it is faults with a text; never a crash."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudpemda.document import load_bytes
from cloudpemda.errors import InvalidInput
from cloudpemda.messages import explain
from cloudpemda.site import load_site
from tests.request.test_fuzz import VALUES, places

LAB = Path(__file__).parents[2] / "inventories" / "lab"
TREES = {
    name: json.loads(json.dumps(load_bytes((LAB / name).read_bytes(), name).data))
    for name in ("site.yaml", "catalogue.yaml", "people.yaml", "opd/rsud.yaml", "opd/dinkes.yaml")
}
SPOTS = [(name, place) for name, tree in TREES.items() for place in places(tree)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's site; each example damages one file and puts it back."""
    target = tmp_path_factory.mktemp("fuzz") / "site"
    shutil.copytree(LAB, target, ignore=shutil.ignore_patterns("var"))
    return target


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SPOTS), VALUES)
@example(("site.yaml", ("defaults", "quota")), {"": None})
def test_any_value_anywhere_loads_or_is_faults(
    directory: Path, spot: tuple[str, tuple[Any, ...]], value: object
) -> None:
    name, place = spot
    tree: Any = json.loads(json.dumps(TREES[name]))
    owner = tree
    for step in place[:-1]:
        owner = owner[step]
    if place:
        owner[place[-1]] = value
    else:
        tree = value
    (directory / name).write_text(json.dumps(tree, ensure_ascii=False, indent=1), encoding="utf-8")
    try:
        site = load_site(directory)
        for code in site.opds:
            assert site.effective_quota(code)
    except InvalidInput as error:
        for fault in error.faults:
            what, _ = explain(fault.code, "id", fault.values)
            assert what.isprintable()
            assert fault.line is not None
    finally:
        shutil.copy(LAB / name, directory / name)
