"""A list of VMs to adopt, where their names in PVE do not say enough.

vms:
  - {vmid: 101}
  - {vmid: 102, workload: simrs, name: db, addresses: {dinkes-app: 10.10.110.30}}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from cloudpemda.document import load
from cloudpemda.document.fields import Line, Name, Strict
from cloudpemda.document.models import validate


class _Model(Strict):
    unknown_key_code: ClassVar[str] = "request.unknown-key"


class ListedVm(_Model):
    vmid: Annotated[int, Field(ge=100, le=999_999_999)]
    workload: Name | None = None
    name: Name | None = None
    addresses: Mapping[Name, Line] = Field(default_factory=dict)  # network → address


class AdoptList(_Model):
    vms: Annotated[tuple[ListedVm, ...], Field(min_length=1, max_length=2000)]


def read_list(path: Path) -> tuple[ListedVm, ...]:
    """What the file says. Raises InvalidInput with all faults."""
    return validate(load(path), AdoptList).vms
