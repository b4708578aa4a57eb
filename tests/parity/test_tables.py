"""The parameter tables are PVE's own declarations, for every path that the lab serves."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path

import pytest

from cloudpemda.lab import api
from cloudpemda.lab.tables import load
from cloudpemda.lab.tables.make import flatten, make

REFERENCE = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
needs_reference = pytest.mark.skipif(
    REFERENCE is None, reason="CLOUDPEMDA_PVE_REFERENCE does not name the API schemas"
)


@needs_reference
@pytest.mark.parametrize("release", ["8", "9"])
def test_the_tables_are_what_the_schema_declares(release: str) -> None:
    tree = json.loads((Path(str(REFERENCE)) / f"pve{release}-api.json").read_text())
    shipped = resources.files("cloudpemda.lab.tables").joinpath(f"pve{release}.json").read_text()
    assert json.loads(shipped) == make(tree, set(api.routes()))


@needs_reference
def test_every_served_path_exists_in_a_release() -> None:
    known: set[str] = set()
    for release in ("8", "9"):
        tree = json.loads((Path(str(REFERENCE)) / f"pve{release}-api.json").read_text())
        known |= set(flatten(tree))
    assert set(api.routes()) <= known


@pytest.mark.parametrize("release", ["8", "9"])
def test_every_declared_path_is_served_or_an_index(release: str) -> None:
    served = set(api.routes())
    idle = [name for name, declared in load(release).items() if not declared.index]
    assert [name for name in idle if name not in served] == []
