"""Exchanges with real clusters, where they are at hand."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def recordings() -> Iterator[dict[str, Any]]:
    """Every recorded exchange of both versions; skips the test where there is no recording."""
    folder = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
    if not folder:
        pytest.skip("CLOUDPEMDA_PVE_REFERENCE names no folder with recordings")
    files = sorted(Path(folder).glob("recordings-*.jsonl"))
    assert files, f"no recordings in {folder}"
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if "status_code" in row:
                    yield row
